//! Notes and keys, held against published vectors and arbitrary bytes.

use plimsoll_core::Digest;
use proptest::prelude::*;

use super::super::checkpoint::Checkpoint;
use super::super::proof::Proof;
use super::super::tree;
use super::*;

/// The example of Go's `golang.org/x/mod/sumdb/note`.
const GO_PRIVATE: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";
const GO_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

/// The example of c2sp.org/signed-note.
const C2SP_PUBLIC: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const C2SP_NOTE: &str = "This is an example message.\n\n\
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn at() -> Timestamp {
    Timestamp::from_micros(1_773_478_920_999_999)
}

fn key() -> SignerKey {
    SignerKey::parse(GO_PRIVATE).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::sign(&key(), 70_000, Digest::of(b"root"), at())
}

#[test]
fn keys_and_notes_are_those_of_the_published_examples() {
    assert_eq!(key().to_text(), GO_PRIVATE);
    assert_eq!(key().verifier().to_string(), GO_PUBLIC);
    let note = key().sign(GO_TEXT, at());
    let first = note.split_inclusive('\n').nth(3).unwrap();
    assert_eq!(first, GO_LINE);
    let verifier: VerifierKey = GO_PUBLIC.parse().unwrap();
    let note = format!("{GO_TEXT}\n{GO_LINE}");
    let opened = verifier.open(&note).unwrap();
    assert_eq!((opened.text, opened.at), (GO_TEXT, None));

    let verifier: VerifierKey = C2SP_PUBLIC.parse().unwrap();
    assert_eq!(verifier.origin(), "example.com/foo");
    let opened = verifier.open(C2SP_NOTE).unwrap();
    assert_eq!(opened.text, "This is an example message.\n");
    assert!(verifier.open(&note).is_err(), "signed by another");
}

#[test]
fn a_log_says_when_it_signed_to_the_second() {
    let checkpoint = checkpoint();
    let read = Checkpoint::verify(checkpoint.note(), &key().verifier()).unwrap();
    assert_eq!(read, checkpoint);
    assert_eq!(
        read.at(),
        Some(Timestamp::from_micros(1_773_478_920_000_000))
    );
    assert_eq!((read.size(), read.root()), (70_000, Digest::of(b"root")));
    let lines: Vec<&str> = checkpoint.note().lines().collect();
    assert_eq!(lines.len(), 6);
    // The cosignature: key id, 8 bytes of time, 64 of signature.
    let (_, encoded) = lines[5].rsplit_once(' ').unwrap();
    let bytes = BASE64.decode(encoded).unwrap();
    assert_eq!(bytes.len(), 4 + 8 + 64);
    assert_eq!(bytes[4..12], 1_773_478_920_u64.to_be_bytes());
}

#[test]
fn signatures_of_unknown_keys_are_ignored_and_false_ones_of_known_keys_are_not() {
    let checkpoint = checkpoint();
    let own = key().verifier();
    let more = |line: &str| format!("{}{line}", checkpoint.note());
    for stranger in [
        "— witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZC\n",
        "— PeterNeumann AAAAAA==\n",
        "— other x08go/ZJ\n",
    ] {
        assert!(
            Checkpoint::verify(&more(stranger), &own).is_ok(),
            "{stranger}"
        );
    }
    for wrong in [
        GO_LINE,
        "— PeterNeumann x08gowAA\n",
        "no signature\n",
        "— a b c\n",
        "— a !\n",
        "\n",
    ] {
        assert!(Checkpoint::verify(&more(wrong), &own).is_err(), "{wrong}");
    }
    let stranger = SignerKey::generate("PeterNeumann").unwrap();
    assert!(Checkpoint::verify(checkpoint.note(), &stranger.verifier()).is_err());
}

#[test]
fn any_flipped_bit_of_a_checkpoint_is_found_or_takes_a_signature_away() {
    let checkpoint = checkpoint();
    let own = key().verifier();
    let note = checkpoint.note().as_bytes();
    let time_line = checkpoint.note().trim_end().rfind('\n').unwrap();
    for place in 0..note.len() {
        for bit in 0..8 {
            let mut changed = note.to_vec();
            changed[place] ^= 1 << bit;
            let text = String::from_utf8_lossy(&changed);
            match Checkpoint::verify(&text, &own) {
                Err(_) => {}
                Ok(read) => assert!(place > time_line && read.at().is_none(), "{place} {bit}"),
            }
        }
    }
    for length in 0..note.len() {
        let cut = String::from_utf8_lossy(&note[..length]);
        let read = Checkpoint::verify(&cut, &own);
        assert!(read.is_err() || (length == time_line + 1), "{length}");
    }
}

#[test]
fn a_checkpoint_of_another_log_or_form_is_refused() {
    let own = key().verifier();
    let root = BASE64.encode([7; 32]);
    let verify = |text: &str| Checkpoint::verify(&key().sign(text, at()), &own);
    assert!(verify(&format!("PeterNeumann\n5\n{root}\n")).is_ok());
    assert!(verify(&format!("PeterNeumann\n5\n{root}\nextension\n")).is_ok());
    for wrong in [
        format!("other\n5\n{root}\n"),
        format!("PeterNeumann\n05\n{root}\n"),
        format!("PeterNeumann\n+5\n{root}\n"),
        format!("PeterNeumann\n18446744073709551616\n{root}\n"),
        format!("PeterNeumann\n\n{root}\n"),
        "PeterNeumann\n5\nAAAA\n".to_owned(),
        "PeterNeumann\n5\n".to_owned(),
        "PeterNeumann\n".to_owned(),
        format!("PeterNeumann\n5\n{root}\n\nafter an empty line\n"),
    ] {
        assert!(verify(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_key_that_was_changed_is_refused() {
    for place in 0..GO_PUBLIC.len() {
        let mut changed = GO_PUBLIC.as_bytes().to_vec();
        changed[place] ^= 1;
        let changed = String::from_utf8_lossy(&changed);
        assert!(changed.parse::<VerifierKey>().is_err(), "{changed}");
    }
    for origin in [
        "",
        "two words",
        "a+b",
        "a\nb",
        "cosignature/v1",
        &"x".repeat(201),
    ] {
        let error = SignerKey::generate(origin).unwrap_err();
        assert!(matches!(error, AuditError::Origin { .. }), "{origin}");
    }
    assert_eq!(
        format!("{:?}", key()),
        "SignerKey { origin: \"PeterNeumann\", .. }"
    );
}

fn proof() -> Proof {
    let entries = [
        b"a".to_vec(),
        b"{\"type\":\"closed\"}".to_vec(),
        b"c".to_vec(),
    ];
    let leaves: Vec<_> = entries.iter().map(|entry| tree::leaf_hash(entry)).collect();
    let root = Digest::from_bytes(tree::root_over(&leaves));
    Proof {
        entry: entries[1].clone(),
        index: 1,
        hashes: vec![leaves[0], leaves[2]],
        checkpoint: Checkpoint::sign(&key(), 3, root, at()).note().to_owned(),
    }
}

#[test]
fn a_proof_reads_back_and_proves_its_entry_alone() {
    let text = proof().to_string();
    assert!(
        text.starts_with("c2sp.org/tlog-proof@v1\nextra eyJ0"),
        "{text}"
    );
    let read: Proof = text.parse().unwrap();
    assert_eq!(read, proof());
    let own = key().verifier();
    assert_eq!(read.check(&own).unwrap(), b"{\"type\":\"closed\"}");
    for changed in [
        Proof {
            entry: b"forged".to_vec(),
            ..proof()
        },
        Proof {
            index: 2,
            ..proof()
        },
        Proof {
            hashes: Vec::new(),
            ..proof()
        },
        Proof {
            index: 3,
            ..proof()
        },
    ] {
        let error = changed.check(&own).unwrap_err();
        assert!(matches!(error, AuditError::Proof { .. }), "{error}");
        let text = changed.to_string();
        assert_eq!(text.parse::<Proof>().unwrap(), changed);
    }
    let stranger = SignerKey::generate("PeterNeumann").unwrap();
    assert!(read.check(&stranger.verifier()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_a_parser_panic(text in "(?s).{0,200}", lines in "([ -~—]{0,40}\n){0,8}") {
        let own = key().verifier();
        for text in [&text, &lines] {
            Checkpoint::verify(text, &own).ok();
            text.parse::<Proof>().ok();
            text.parse::<VerifierKey>().ok();
            SignerKey::parse(text).ok();
        }
    }

    #[test]
    fn no_change_of_a_note_key_or_proof_makes_a_parser_panic(
        place in any::<usize>(), with in "(?s).{0,4}", cut in 0_usize..6,
    ) {
        let own = key().verifier();
        for whole in [checkpoint().note().to_owned(), proof().to_string(), GO_PUBLIC.to_owned()] {
            let mut bytes = whole.into_bytes();
            let place = place % bytes.len();
            let end = (place + cut).min(bytes.len());
            bytes.splice(place..end, with.bytes());
            let text = String::from_utf8_lossy(&bytes);
            Checkpoint::verify(&text, &own).ok();
            text.parse::<VerifierKey>().ok();
            if let Ok(proof) = text.parse::<Proof>() {
                proof.check(&own).ok();
            }
        }
    }
}
