//! One payload, sealed: a frame that only the tenant's key of the month opens. And what is left of it
//! once it is erased: a frame of the same length with nothing in it.
//!
//! ```text
//!  0  header      32 bytes  see `frame`; magic "PLMP", kind 1, id the decision's
//! 32  commitment  32 bytes  SHA-256(0x02, salt, payload): what the journal's record says
//! 64  month        7 bytes  "2026-03"
//! 71  tenant       1 byte   its name's length, then the name
//!  …  nonce       24 bytes  of the wrapping
//!  …  data key    48 bytes  32 bytes under the tenant's key, with their tag
//!  …  content               32-byte salt and payload under the data key, with a 16-byte tag
//! ```
//!
//! Both encryptions are XChaCha20-Poly1305 and bound to decision and commitment as associated data. A
//! data key encrypts once, so the content's nonce is zero. With the data key goes the salt, and then
//! the commitment says nothing any more, not even to who guesses the payload.

use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{DecisionId, Digest, TenantName, random};
use sha2::{Digest as _, Sha256};

use crate::aead::{self, KEY, NONCE, TAG};
use crate::error::JournalError;
use crate::frame::{self, BODY_BYTES_MAX, HEADER_BYTES, PAYLOAD_MAGIC};
use crate::keys::{KeyRing, Month, TenantKey};

/// The kind of a frame that holds a sealed payload.
pub(crate) const SEALED: u8 = 1;
/// The kind of a frame whose payload was erased.
pub(crate) const ERASED: u8 = 2;
/// The bytes of a commitment, with which the body of either kind begins.
const COMMITMENT: usize = 32;
/// The smallest frame that can be erased.
pub(crate) const ERASED_BYTES_MIN: usize = HEADER_BYTES + COMMITMENT;
const SALT: usize = 32;
const MONTH_AT: usize = HEADER_BYTES + COMMITMENT;
const TENANT_AT: usize = MONTH_AT + 7;
/// The largest payload: a frame's body less what goes around it.
const PAYLOAD_BYTES_MAX: usize = BODY_BYTES_MAX - 512;

/// A payload that only its tenant's key opens, ready to be appended with its record.
#[derive(Debug)]
pub struct SealedPayload {
    frame: Vec<u8>,
}

impl SealedPayload {
    /// Its size in the payload file.
    pub const fn bytes(&self) -> usize {
        self.frame.len()
    }

    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }
}

/// The commitment to a payload under `salt`.
fn commitment(salt: &[u8], payload: &[u8]) -> Digest {
    let hash = Sha256::new()
        .chain_update([2])
        .chain_update(salt)
        .chain_update(payload);
    Digest::from_bytes(hash.finalize().into())
}

fn associated(id: DecisionId, commitment: &Digest) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..16].copy_from_slice(&id.to_bytes());
    bytes[16..].copy_from_slice(commitment.as_bytes());
    bytes
}

/// Seals `payload` with a fresh salt and data key.
pub(crate) fn seal(
    tenant: &TenantName,
    (month, key): (Month, &TenantKey),
    id: DecisionId,
    payload: &[u8],
) -> Result<(PayloadRef, SealedPayload), JournalError> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        let (bytes, max) = (payload.len(), PAYLOAD_BYTES_MAX);
        return Err(JournalError::TooLarge { bytes, max });
    }
    let (salt, data_key, nonce) = (random::<SALT>(), random::<KEY>(), random::<NONCE>());
    let commitment = commitment(&salt, payload);
    let associated = associated(id, &commitment);

    let name = tenant.as_str().as_bytes();
    let around = TENANT_AT + 1 + name.len() + NONCE + KEY + TAG + SALT + TAG;
    let mut frame = Vec::with_capacity(around + payload.len());
    frame.resize(HEADER_BYTES, 0);
    frame.extend_from_slice(commitment.as_bytes());
    frame.extend_from_slice(&month);
    frame.push(u8::try_from(name.len()).expect("a name has at most 64 bytes"));
    frame.extend_from_slice(name);
    frame.extend_from_slice(&nonce);
    let begin = frame.len();
    frame.extend_from_slice(&data_key);
    encrypt(&key.0, &nonce, &associated, &mut frame, begin);
    let begin = frame.len();
    frame.extend_from_slice(&salt);
    frame.extend_from_slice(payload);
    encrypt(&data_key, &[0; NONCE], &associated, &mut frame, begin);
    frame::finish(&mut frame, PAYLOAD_MAGIC, SEALED, 0, id.to_bytes());

    let reference = PayloadRef {
        commitment,
        bytes: payload.len() as u64,
    };
    Ok((reference, SealedPayload { frame }))
}

/// Encrypts `frame` from `begin` on and appends the tag.
fn encrypt(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    associated: &[u8],
    frame: &mut Vec<u8>,
    begin: usize,
) {
    let tag = aead::seal(key, nonce, associated, &mut frame[begin..]);
    frame.extend_from_slice(&tag);
}

/// The commitment that a frame's body names.
pub(crate) fn commitment_of(body: &[u8]) -> Option<Digest> {
    let bytes: [u8; COMMITMENT] = body.get(..COMMITMENT)?.try_into().ok()?;
    Some(Digest::from_bytes(bytes))
}

/// How many bytes the payload has that a sealed frame's body holds; `None` if it is not laid out as one.
pub(crate) fn payload_bytes(body: &[u8]) -> Option<u64> {
    let name = usize::from(*body.get(TENANT_AT - HEADER_BYTES)?);
    let around = TENANT_AT - HEADER_BYTES + 1 + name + NONCE + KEY + TAG + SALT + TAG;
    Some(body.len().checked_sub(around)? as u64)
}

/// The frame of `bytes` bytes that takes the place of an erased one: at least [`ERASED_BYTES_MIN`].
pub(crate) fn erased(id: [u8; 16], commitment: &Digest, bytes: usize) -> Vec<u8> {
    let mut frame = vec![0; bytes];
    frame[HEADER_BYTES..ERASED_BYTES_MIN].copy_from_slice(commitment.as_bytes());
    frame::finish(&mut frame, PAYLOAD_MAGIC, ERASED, 0, id);
    frame
}

/// Opens a frame's body and verifies that it is what the record committed to.
pub(crate) fn open(
    body: &[u8],
    keys: &KeyRing,
    id: DecisionId,
    reference: &PayloadRef,
) -> Result<Vec<u8>, JournalError> {
    let wrong = |what| JournalError::Payload { decision: id, what };
    let unreadable = || wrong("is not laid out as a payload");
    let rest = body.get(MONTH_AT - HEADER_BYTES..).ok_or_else(unreadable)?;
    let (month, rest) = rest.split_first_chunk::<7>().ok_or_else(unreadable)?;
    let (length, rest) = rest.split_first().ok_or_else(unreadable)?;
    let (name, rest) = rest
        .split_at_checked(usize::from(*length))
        .ok_or_else(unreadable)?;
    let name = std::str::from_utf8(name)
        .ok()
        .and_then(|name| TenantName::new(name).ok());
    let tenant = name.ok_or_else(unreadable)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(unreadable)?;
    let (wrapped, content) = rest.split_at_checked(KEY + TAG).ok_or_else(unreadable)?;
    if !month.iter().all(|b| b.is_ascii_digit() || *b == b'-') {
        return Err(unreadable());
    }

    let key = keys.get(&tenant, *month)?;
    let associated = associated(id, &reference.commitment);
    let closed = || wrong("does not open with its tenant's key: it or the key was changed on disk");
    let data_key = aead::open(&key.0, nonce, &associated, wrapped).ok_or_else(closed)?;
    let data_key = data_key.as_slice().try_into().map_err(|_| unreadable())?;
    let mut content = aead::open(data_key, &[0; NONCE], &associated, content).ok_or_else(closed)?;
    if content.len() < SALT {
        return Err(unreadable());
    }
    let payload = content.split_off(SALT);
    let fits = payload.len() as u64 == reference.bytes
        && commitment(&content, &payload) == reference.commitment;
    if fits {
        Ok(payload)
    } else {
        Err(wrong("is not what its record committed to"))
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::Timestamp;

    use super::*;

    #[test]
    fn a_payload_opens_for_its_own_decision_and_commitment_only() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyRing::new(folder.path().to_owned());
        let tenant = TenantName::new("acme").unwrap();
        let now = Timestamp::from_micros(1_773_478_920_000_000);
        let (month, key) = keys.current(&tenant, now).unwrap();
        let (id, other) = (DecisionId::new(now), DecisionId::new(now));
        let (reference, sealed) = seal(&tenant, (month, &key), id, b"secret").unwrap();
        let body = &sealed.frame()[HEADER_BYTES..];
        assert_eq!(open(body, &keys, id, &reference).unwrap(), b"secret");
        assert!(open(body, &keys, other, &reference).is_err());
        let forged = PayloadRef {
            commitment: Digest::of(b"forged"),
            ..reference
        };
        assert!(open(body, &keys, id, &forged).is_err());
        for length in 0..body.len() {
            assert!(
                open(&body[..length], &keys, id, &reference).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn an_erased_frame_has_its_commitment_and_nothing_else() {
        let commitment = Digest::of(b"commitment");
        let frame = erased([7; 16], &commitment, 500);
        let header = frame::Header::parse(PAYLOAD_MAGIC, &frame).unwrap();
        assert_eq!((header.kind, header.id), (ERASED, [7; 16]));
        assert_eq!((header.frame_bytes(), frame.len()), (500, 500));
        assert!(frame::checksum_fits(&frame));
        assert_eq!(commitment_of(&frame[HEADER_BYTES..]), Some(commitment));
        assert!(frame[ERASED_BYTES_MIN..].iter().all(|byte| *byte == 0));
    }
}
