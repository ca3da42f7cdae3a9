//! Signed notes: text with signatures of named keys (c2sp.org/signed-note), with Ed25519 (RFC 8032) as
//! the algorithm, and the timestamped cosignature (c2sp.org/tlog-cosignature) with which a log says when.
//!
//! Signatures of keys that are not known are ignored, so that witnesses and other algorithms can be added
//! without breaking who verifies today.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use plimsoll_core::Timestamp;
use sha2::{Digest as _, Sha256};

use super::error::AuditError;

/// The largest note that is read.
const NOTE_BYTES_MAX: usize = 64 << 10;
/// The most signatures that are read of a note.
const SIGNATURES_MAX: usize = 64;
const ORIGIN_BYTES_MAX: usize = 200;
/// Signature type: Ed25519 over the note's text.
const ED25519: u8 = 1;
/// Signature type: Ed25519 over time and text.
const COSIGNATURE: u8 = 4;
const COSIGNATURE_TITLE: &str = "cosignature/v1";
const SIGNATURE_BYTES: usize = 64;
const PRIVATE: &str = "PRIVATE+KEY+";

type KeyId = [u8; 4];

/// The key with which a log's checkpoints are verified: its name, which is the log's origin, and an
/// Ed25519 public key. Written as `<origin>+<key id>+<base64>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifierKey {
    origin: String,
    public: VerifyingKey,
}

/// The key with which a log signs. It does not print.
pub(crate) struct SignerKey {
    origin: String,
    secret: SigningKey,
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerKey")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Whether a text can name a log. The title of cosignatures cannot: a checkpoint that began with it could
/// be read as one.
fn is_origin(text: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    (1..=ORIGIN_BYTES_MAX).contains(&text.len())
        && text.chars().all(fits)
        && text != COSIGNATURE_TITLE
}

fn key_id(origin: &str, algorithm: u8, public: &VerifyingKey) -> KeyId {
    let hash = Sha256::new()
        .chain_update(origin)
        .chain_update([b'\n', algorithm])
        .chain_update(public.as_bytes())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// Reads `<origin>+<key id>+<base64 of 0x01 and 32 bytes>`; origin, id and the 32 bytes.
fn parse_key(text: &str) -> Result<(&str, u32, [u8; 32]), AuditError> {
    let wrong = |what| AuditError::Key { what };
    let mut parts = text.splitn(3, '+');
    let (Some(origin), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong("has not three parts joined by `+`"));
    };
    if !is_origin(origin) {
        return Err(wrong("begins with no name"));
    }
    let digits = id.len() == 8 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let id = u32::from_str_radix(id, 16)
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| wrong("has a key id that is not eight hexadecimal digits"))?;
    let key = BASE64.decode(key).unwrap_or_default();
    match key.split_first_chunk::<1>() {
        Some((&[ED25519], key)) if key.len() == 32 => {
            let key = <[u8; 32]>::try_from(key).expect("the length was just looked at");
            Ok((origin, id, key))
        }
        _ => Err(wrong("does not end with an Ed25519 key in base64")),
    }
}

fn write_key(f: &mut dyn fmt::Write, key: &VerifierKey, bytes: &[u8; 32]) -> fmt::Result {
    let id = u32::from_be_bytes(key_id(&key.origin, ED25519, &key.public));
    let mut tagged = vec![ED25519];
    tagged.extend_from_slice(bytes);
    write!(f, "{}+{id:08x}+{}", key.origin, BASE64.encode(tagged))
}

impl VerifierKey {
    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_key(f, self, self.public.as_bytes())
    }
}

impl FromStr for VerifierKey {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let (origin, id, public) = parse_key(text)?;
        let wrong = |what| AuditError::Key { what };
        let public = VerifyingKey::from_bytes(&public)
            .map_err(|_| wrong("does not end with a point of the curve"))?;
        if id != u32::from_be_bytes(key_id(origin, ED25519, &public)) {
            return Err(wrong("has a key id that does not fit it: it was changed"));
        }
        let origin = origin.to_owned();
        Ok(Self { origin, public })
    }
}

impl SignerKey {
    /// A fresh key for the log `origin`.
    pub(crate) fn generate(origin: &str) -> Result<Self, AuditError> {
        if !is_origin(origin) {
            let origin = origin.to_owned();
            return Err(AuditError::Origin { origin });
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system always has random bytes");
        Ok(Self {
            origin: origin.to_owned(),
            secret: SigningKey::from_bytes(&seed),
        })
    }

    /// Reads [`SignerKey::to_text`].
    pub(crate) fn parse(text: &str) -> Result<Self, AuditError> {
        let wrong = |what| AuditError::Key { what };
        let text = text
            .strip_prefix(PRIVATE)
            .ok_or_else(|| wrong("is not a signing key"))?;
        let (origin, id, seed) = parse_key(text)?;
        let secret = SigningKey::from_bytes(&seed);
        if id != u32::from_be_bytes(key_id(origin, ED25519, &secret.verifying_key())) {
            return Err(wrong("has a key id that does not fit it: it was changed"));
        }
        let origin = origin.to_owned();
        Ok(Self { origin, secret })
    }

    /// `PRIVATE+KEY+<origin>+<key id>+<base64 of 0x01 and the seed>`.
    pub(crate) fn to_text(&self) -> String {
        let mut text = PRIVATE.to_owned();
        write_key(&mut text, &self.verifier(), self.secret.as_bytes()).expect("texts take text");
        text
    }

    /// The key that verifies what this one signs.
    pub(crate) fn verifier(&self) -> VerifierKey {
        VerifierKey {
            origin: self.origin.clone(),
            public: self.secret.verifying_key(),
        }
    }

    /// A note of `text`, which ends with a newline, signed as the log does: over the text, and over the
    /// text with the time, to the second.
    pub(crate) fn sign(&self, text: &str, at: Timestamp) -> String {
        let verifier = self.verifier();
        let seconds = u64::try_from(at.as_micros().div_euclid(1_000_000)).unwrap_or(0);
        let timed = self.secret.sign(&cosigned(text, seconds)).to_bytes();
        let signatures = [
            (
                ED25519,
                self.secret.sign(text.as_bytes()).to_bytes().to_vec(),
            ),
            (COSIGNATURE, [&seconds.to_be_bytes()[..], &timed].concat()),
        ];
        let mut note = format!("{text}\n");
        for (algorithm, signature) in signatures {
            let id = key_id(&self.origin, algorithm, &verifier.public);
            let signature = BASE64.encode([&id[..], &signature].concat());
            note.push_str(&format!("— {} {signature}\n", self.origin));
        }
        note
    }
}

/// What a timestamped cosignature signs.
fn cosigned(text: &str, seconds: u64) -> Vec<u8> {
    format!("{COSIGNATURE_TITLE}\ntime {seconds}\n{text}").into_bytes()
}

/// A note whose signature was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Note<'a> {
    /// The text, with its last newline.
    pub text: &'a str,
    /// When the log says that it signed it, if it does.
    pub at: Option<Timestamp>,
}

struct Line<'a> {
    name: &'a str,
    id: KeyId,
    signature: Vec<u8>,
}

/// Splits a note into its text and its signatures.
fn split(note: &str) -> Result<(&str, Vec<Line<'_>>), AuditError> {
    let wrong = AuditError::checkpoint;
    if note.len() > NOTE_BYTES_MAX {
        return Err(wrong("is longer than 64 KiB"));
    }
    if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(wrong("holds control characters"));
    }
    let end = note
        .rfind("\n\n")
        .ok_or_else(|| wrong("is no signed note: it has no empty line before its signatures"))?;
    let (text, lines) = (&note[..=end], &note[end + 2..]);
    let unsigned = || wrong("is no signed note: a line behind the empty one is no signature");
    let lines = lines.strip_suffix('\n').ok_or_else(unsigned)?;
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        if signatures.len() == SIGNATURES_MAX {
            return Err(wrong("has more than 64 signatures"));
        }
        signatures.push(parse_line(line).ok_or_else(unsigned)?);
    }
    Ok((text, signatures))
}

fn parse_line(line: &str) -> Option<Line<'_>> {
    let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
    let named = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+');
    let bytes = BASE64.decode(signature).ok().filter(|_| named)?;
    let (id, signature) = bytes.split_first_chunk()?;
    Some(Line {
        name,
        id: *id,
        signature: signature.to_vec(),
    })
}

impl VerifierKey {
    /// Opens a note that this key signed.
    ///
    /// # Errors
    /// If it is not a note, or this key's signature is missing, or one of its signatures does not fit.
    pub(crate) fn open<'a>(&self, note: &'a str) -> Result<Note<'a>, AuditError> {
        let (text, lines) = split(note)?;
        let plain = key_id(&self.origin, ED25519, &self.public);
        let timed = key_id(&self.origin, COSIGNATURE, &self.public);
        let (mut signed, mut at) = (false, None);
        for line in lines.iter().filter(|line| line.name == self.origin) {
            if line.id == plain {
                self.verify(text.as_bytes(), &line.signature)?;
                signed = true;
            } else if line.id == timed {
                at = Some(self.verify_time(text, &line.signature)?);
            }
        }
        if !signed {
            return Err(AuditError::checkpoint("is not signed by the log's key"));
        }
        Ok(Note { text, at })
    }

    fn verify_time(&self, text: &str, signature: &[u8]) -> Result<Timestamp, AuditError> {
        let wrong = AuditError::checkpoint("names a time that cannot be");
        let Some((seconds, signature)) = signature.split_first_chunk() else {
            return Err(wrong);
        };
        let seconds = u64::from_be_bytes(*seconds);
        self.verify(&cosigned(text, seconds), signature)?;
        let micros = i64::try_from(seconds)
            .ok()
            .and_then(|seconds| seconds.checked_mul(1_000_000));
        micros.map(Timestamp::from_micros).ok_or(wrong)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), AuditError> {
        let signature = <[u8; SIGNATURE_BYTES]>::try_from(signature)
            .ok()
            .map(|bytes| Signature::from_bytes(&bytes));
        let fits = signature
            .is_some_and(|signature| self.public.verify_strict(message, &signature).is_ok());
        if fits {
            return Ok(());
        }
        Err(AuditError::checkpoint(
            "was changed after it was signed, or not signed by the log's key",
        ))
    }
}

#[cfg(test)]
mod tests;
