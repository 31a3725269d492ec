#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::Timestamp;

const NOW: Timestamp = Timestamp::new(1_780_000_000);
/// The example of c2sp.org/tlog-cosignature, a checkpoint that a log and a witness have signed.
const EXAMPLE: &str = "example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";
/// The example of golang.org/x/mod/sumdb/note: text, verifier key, signature.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETERS_NOTE: &str = "If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
";

fn signer(kind: KeyKind, name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), kind, &[seed; 32]).unwrap()
}

const KINDS: [KeyKind; 3] = [
    KeyKind::Ed25519,
    KeyKind::Ed25519Cosignature,
    KeyKind::MlDsa44Cosignature,
];

fn checkpoint_text() -> &'static str {
    EXAMPLE.split_once("\n\n").map(|(text, _)| text).unwrap()
}

#[test]
fn published_notes_are_read_and_written_as_they_are() {
    for text in [EXAMPLE, PETERS_NOTE] {
        let note = Note::parse(text.as_bytes()).unwrap();
        assert_eq!(note.to_string(), text);
    }
    let note = Note::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(note.signatures().len(), 2);
    assert_eq!(
        note.signatures()[1].name().as_str(),
        "witness.example.com/w1"
    );
}

#[test]
fn a_published_signature_verifies_and_not_over_another_text() {
    let key: VerifierKey = PETER.parse().unwrap();
    assert_eq!(key.to_string(), PETER);
    let note = Note::parse(PETERS_NOTE.as_bytes()).unwrap();
    assert_eq!(note.verify(&key), Ok(None));
    let changed = PETERS_NOTE.replace("problem is", "problem was");
    let note = Note::parse(changed.as_bytes()).unwrap();
    assert!(matches!(note.verify(&key), Err(NoteError::Signature(_))));
}

#[test]
fn every_kind_of_key_verifies_what_it_signed_with_its_time() {
    let text = format!("{}\n", checkpoint_text());
    for kind in KINDS {
        let signer = signer(kind, "example.com/key", 1);
        let mut note = Note::new(text.clone()).unwrap();
        note.add(signer.sign(&text, NOW).unwrap()).unwrap();
        let key: VerifierKey = signer.verifier_key().to_string().parse().unwrap();
        assert_eq!(&key, signer.verifier_key());
        let note = Note::parse(note.to_string().as_bytes()).unwrap();
        let time = kind.is_cosignature().then_some(NOW);
        assert_eq!(note.verify(&key), Ok(time));
    }
}

#[test]
fn every_flipped_bit_of_a_signature_or_its_time_is_refused() {
    let text = format!("{}\n", checkpoint_text());
    for kind in KINDS {
        let signer = signer(kind, "example.com/key", 1);
        let line = signer.sign(&text, NOW).unwrap();
        let step = if kind == KeyKind::MlDsa44Cosignature {
            97
        } else {
            1
        };
        for bit in (0..line.signature.len() * 8).step_by(step) {
            let mut signature = line.signature.clone();
            signature[bit / 8] ^= 1 << (bit % 8);
            let verdict = signer.verifier_key().verify(&text, &signature);
            assert!(verdict.is_err(), "{kind:?} bit {bit}");
        }
        for length in [0, 8, line.signature.len() - 1] {
            let verdict = signer
                .verifier_key()
                .verify(&text, &line.signature[..length]);
            assert!(verdict.is_err());
        }
    }
}

#[test]
fn a_signature_of_another_kind_name_or_key_is_not_the_keys() {
    let text = format!("{}\n", checkpoint_text());
    for kind in KINDS {
        let signed = signer(kind, "example.com/key", 1);
        let mut note = Note::new(text.clone()).unwrap();
        note.add(signed.sign(&text, NOW).unwrap()).unwrap();
        let others = KINDS
            .into_iter()
            .filter(|other| *other != kind)
            .map(|other| signer(other, "example.com/key", 1))
            .chain([
                signer(kind, "example.com/other", 1),
                signer(kind, "example.com/key", 2),
            ]);
        for other in others {
            assert!(matches!(
                note.verify(other.verifier_key()),
                Err(NoteError::Unsigned(_))
            ));
        }
    }
}

#[test]
fn an_ml_dsa_cosignature_is_bound_to_the_witnesss_name() {
    let text = format!("{}\n", checkpoint_text());
    let one = signer(KeyKind::MlDsa44Cosignature, "example.com/one", 1);
    let other = signer(KeyKind::MlDsa44Cosignature, "example.com/other", 1);
    let line = one.sign(&text, NOW).unwrap();
    assert!(one.verifier_key().verify(&text, &line.signature).is_ok());
    assert!(other.verifier_key().verify(&text, &line.signature).is_err());
}

#[test]
fn a_cosignature_without_time_or_of_a_time_beyond_what_is_allowed_is_refused() {
    let text = format!("{}\n", checkpoint_text());
    for kind in [KeyKind::Ed25519Cosignature, KeyKind::MlDsa44Cosignature] {
        let signer = signer(kind, "example.com/key", 1);
        for (time, accepted) in [(0, false), (1, true), (1 << 63, false)] {
            let line = signer.sign(&text, Timestamp::new(time)).unwrap();
            let verdict = signer.verifier_key().verify(&text, &line.signature);
            assert_eq!(verdict.is_ok(), accepted, "{time}");
        }
    }
}

#[test]
fn only_a_checkpoint_can_be_cosigned_with_ml_dsa() {
    let signer = signer(KeyKind::MlDsa44Cosignature, "example.com/key", 1);
    assert!(signer.sign("no checkpoint\n", NOW).is_err());
}

#[test]
fn a_key_that_signs_wrongly_refuses_the_note_although_another_signed_well() {
    let good = signer(KeyKind::Ed25519, "example.com/good", 1);
    let bad = signer(KeyKind::Ed25519, "example.com/bad", 2);
    let mut note = Note::new("text\n").unwrap();
    note.add(good.sign("text\n", NOW).unwrap()).unwrap();
    note.add(bad.sign("other\n", NOW).unwrap()).unwrap();
    let keys = [good.verifier_key().clone(), bad.verifier_key().clone()];
    assert_eq!(note.count(&keys[..1]), Ok(1));
    assert!(matches!(note.count(&keys), Err(NoteError::Signature(_))));
}

#[test]
fn text_of_another_form_is_not_a_note() {
    let line = EXAMPLE.lines().last().unwrap();
    let cases = [
        String::new(),
        "\n".to_owned(),
        "text\n".to_owned(),
        format!("text\n{line}\n"),
        format!("text\n\n{line}"),
        format!("text\n\n{line}\n\n"),
        format!("te\txt\n\n{line}\n"),
        format!("text\n\n{line}\r\n"),
        format!("text\n\n-{}\n", line.strip_prefix('\u{2014}').unwrap()),
        format!("text\n\n{}\n", line.replacen(' ', "  ", 1)),
        format!("text\n\n{}\n", line.trim_end_matches('=')),
        format!("text\n\n{}\n", line.replace("example", "exam+ple")),
        format!("text\n\n{line}\n{line}\n"),
        "text\n\n\u{2014} name AAAAAA==\n".to_owned(),
        "text\n\n\u{2014} name AAAAAB==\n".to_owned(),
        "text\n\n\u{2014}  AAAAAAA=\n".to_owned(),
    ];
    for case in cases {
        let verdict = Note::parse(case.as_bytes());
        assert!(matches!(verdict, Err(NoteError::Format(_))), "{case:?}");
    }
    assert!(Note::parse(b"te\xffxt\n\n").is_err());
}

#[test]
fn notes_are_bounded_in_size_and_signatures() {
    let mut note = Note::new("text\n").unwrap();
    for n in 0..Note::MAX_SIGNATURES {
        let name = KeyName::new(&format!("name{n}")).unwrap();
        note.add(NoteSignature::new(name, [0; 4], vec![1])).unwrap();
    }
    assert!(Note::parse(note.to_string().as_bytes()).is_ok());
    let one_more = NoteSignature::new(KeyName::new("more").unwrap(), [0; 4], vec![1]);
    let longer = format!("{note}{one_more}\n");
    assert!(note.add(one_more).is_err());
    assert!(Note::parse(longer.as_bytes()).is_err());
    let large = format!(
        "{}\n\n{}\n",
        "a".repeat(Note::MAX),
        EXAMPLE.lines().last().unwrap()
    );
    assert!(Note::parse(large.as_bytes()).is_err());
    assert!(Note::new(format!("{}\n", "a".repeat(Note::MAX))).is_err());
}

#[test]
fn a_key_that_signs_again_replaces_its_line() {
    let signer = signer(KeyKind::Ed25519Cosignature, "w", 1);
    let mut note = Note::new("text\n").unwrap();
    note.add(signer.sign("text\n", NOW).unwrap()).unwrap();
    let later = Timestamp::new(NOW.get() + 1);
    note.add(signer.sign("text\n", later).unwrap()).unwrap();
    assert_eq!(note.signatures().len(), 1);
    assert_eq!(note.verify(signer.verifier_key()), Ok(Some(later)));
}

#[test]
fn a_verifier_key_with_one_thing_wrong_is_refused() {
    let (name, rest) = PETER.split_once('+').unwrap();
    let (id, key) = rest.split_once('+').unwrap();
    let cases = [
        ("", id, key),
        ("a b", id, key),
        (name, "c74f20a4", key),
        (name, "C74F20A3", key),
        (name, "c74f20", key),
        (name, id, &key[..40]),
        (name, id, "AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
        ("Other", id, key),
    ];
    for (name, id, key) in cases {
        let text = format!("{name}+{id}+{key}");
        assert!(text.parse::<VerifierKey>().is_err(), "{text}");
    }
    assert_eq!("name".parse::<VerifierKey>(), Err(KeyError::Format));
}

#[test]
fn a_public_key_of_small_order_is_refused() {
    let mut bytes = vec![1_u8];
    bytes.extend([1]);
    bytes.extend([0; 31]);
    let id = key::id_for_tests("weak", 1, &bytes[1..]);
    let text = format!("weak+{}+{}", hex::encode(id), STANDARD.encode(&bytes));
    assert_eq!(text.parse::<VerifierKey>(), Err(KeyError::Public(1)));
}

#[test]
fn a_secret_key_is_read_as_it_is_written_and_with_one_thing_wrong_refused() {
    for kind in KINDS {
        let name = KeyName::new("example.com/key").unwrap();
        let (text, signer) = NoteSigner::secret_text(name, kind, &[7; 32]).unwrap();
        let read = NoteSigner::from_secret_text(&format!("{}\n", *text)).unwrap();
        assert_eq!(read.verifier_key(), signer.verifier_key());
        let id = hex::encode(signer.verifier_key().id());
        for wrong in [
            text.replacen("PRIVATE", "PUBLIC", 1),
            text.replacen("example", "another", 1),
            text.replacen(&id, "00000000", 1),
            text.replacen("BwcH", "", 1),
            format!("{}AAAA", *text),
            String::new(),
        ] {
            assert!(NoteSigner::from_secret_text(&wrong).is_err(), "{wrong}");
        }
    }
    // The private key of golang.org/x/mod/sumdb/note's documentation.
    let go = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let signer = NoteSigner::from_secret_text(go).unwrap();
    assert_eq!(signer.verifier_key().to_string(), PETER);
    let (text, _) = PETERS_NOTE.split_once("\n\n").unwrap();
    let line = signer.sign(&format!("{text}\n"), NOW).unwrap();
    assert!(PETERS_NOTE.ends_with(&format!("{line}\n")));
}

#[test]
fn names_have_no_spaces_no_plus_and_a_bound() {
    for name in [
        "",
        "a b",
        "a+b",
        "a\u{a0}b",
        "a\nb",
        "a\u{7f}b",
        &"a".repeat(256),
    ] {
        assert_eq!(KeyName::new(name), Err(KeyError::Name), "{name:?}");
    }
    assert!(KeyName::new(&"a".repeat(255)).is_ok());
}

#[test]
fn a_signers_secret_is_not_shown() {
    let signer = signer(KeyKind::Ed25519, "name", 7);
    assert_eq!(format!("{signer:?}"), "NoteSigner(name)");
}

proptest! {
    #[test]
    fn any_bytes_are_a_note_that_is_written_as_it_was_read_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn what_nearly_is_a_note_does_no_harm(at in 0..EXAMPLE.len(), byte in any::<u8>()) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }
}
