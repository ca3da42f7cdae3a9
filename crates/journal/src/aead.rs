//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): each payload is sealed on the way of a request, so it
//! has to be quick. The subkey is `HChaCha20`'s, the rest is ChaCha20-Poly1305 (RFC 8439) in *ring*'s
//! assembly, which takes a fifth of the time of the portable one. A test holds the two against each other.

use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

/// The bytes of a key.
pub(crate) const KEY: usize = 32;
/// The bytes of a nonce.
pub(crate) const NONCE: usize = 24;
/// The bytes of a tag.
pub(crate) const TAG: usize = 16;

const FITS: &str = "ChaCha20-Poly1305 takes keys of 32 bytes";

/// Encrypts `text` in place; its tag.
///
/// # Panics
/// If `text` is larger than the cipher takes, which is 256 GiB.
pub(crate) fn seal(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    associated: &[u8],
    text: &mut [u8],
) -> [u8; TAG] {
    let (key, nonce) = inner(key, nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), text);
    let tag = tag.expect("a frame is far smaller than the cipher's limit");
    tag.as_ref().try_into().expect("a tag has 16 bytes")
}

/// Decrypts `sealed`, whose tag stands at its end; `None` if anything is not as it was sealed.
pub(crate) fn open(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    associated: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let (text, tag) = sealed.split_last_chunk::<TAG>()?;
    let (key, nonce) = inner(key, nonce);
    let mut text = text.to_vec();
    let opened = key.open_in_place_separate_tag(
        nonce,
        Aad::from(associated),
        Tag::from(*tag),
        &mut text,
        0..,
    );
    opened.is_ok().then_some(text)
}

/// The key and nonce of the ChaCha20-Poly1305 inside.
fn inner(key: &[u8; KEY], nonce: &[u8; NONCE]) -> (LessSafeKey, Nonce) {
    let (first, last) = nonce
        .split_first_chunk::<16>()
        .expect("a nonce has 24 bytes");
    let subkey = hchacha::<R20>(&(*key).into(), &(*first).into());
    let subkey = UnboundKey::new(&CHACHA20_POLY1305, &subkey).expect(FITS);
    let mut short = [0; 12];
    short[4..].copy_from_slice(last);
    let nonce = Nonce::assume_unique_for_key(short);
    (LessSafeKey::new(subkey), nonce)
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
    use chacha20poly1305::{XChaCha20Poly1305, XNonce};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_is_what_another_implementation_seals(
            key: [u8; KEY],
            nonce: [u8; NONCE],
            associated in prop::collection::vec(any::<u8>(), 0..100),
            text in prop::collection::vec(any::<u8>(), 0..3000),
            flipped: usize,
        ) {
            let mut sealed = text.clone();
            let tag = seal(&key, &nonce, &associated, &mut sealed);
            sealed.extend_from_slice(&tag);
            let other = XChaCha20Poly1305::new(&key.into());
            let payload = Payload { msg: &text, aad: &associated };
            let expected = other.encrypt(&XNonce::from(nonce), payload).unwrap();
            prop_assert_eq!(&sealed, &expected);
            prop_assert_eq!(open(&key, &nonce, &associated, &sealed), Some(text));
            let at = flipped % sealed.len();
            sealed[at] ^= 1;
            prop_assert_eq!(open(&key, &nonce, &associated, &sealed), None);
            prop_assert_eq!(open(&key, &nonce, &associated, &sealed[..TAG - 1]), None);
        }
    }
}
