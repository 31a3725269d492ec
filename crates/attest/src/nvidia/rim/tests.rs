//! Manifests that are good but for one thing.

#![allow(
    clippy::indexing_slicing,
    clippy::semicolon_if_nothing_returned,
    clippy::type_complexity,
    reason = "tests"
)]

use proptest::prelude::*;

use super::*;
use crate::fixtures::NOW;
use crate::fixtures::pki::TestKey;
use crate::nvidia::fixtures::{ManifestDraft, VBIOS, anchors};

fn verify(draft: &ManifestDraft) -> Result<SignedManifest, ManifestError> {
    Manifest::parse(draft.sign().as_bytes())?.verify(&anchors(), NOW, &mut Links::default())
}

#[test]
fn a_signed_manifest_yields_its_active_measurements() {
    let manifest = verify(&ManifestDraft::driver()).unwrap().content;
    let indices: Vec<_> = manifest.golden.iter().map(|golden| golden.index).collect();
    assert_eq!(indices, [21, 35]);
    let expected = [[0xEE; 48], [22; 48]].map(Sha384Digest::new);
    assert_eq!(manifest.golden[0].alternatives, expected);
    let vbios = verify(&ManifestDraft::vbios()).unwrap().content;
    assert_eq!(vbios.version, VBIOS);
}

#[test]
fn content_that_is_no_list_of_measurements_is_refused() {
    for (from, to) in [
        ("colloquialVersion", "version"),
        ("96.00.9F.00.01", ""),
        ("96.00.9F.00.01", "96 00"),
        ("edition=", "ed="),
        ("product=", "pr="),
        ("<Payload>", "<Payload>text"),
        ("<Payload>", "<Payload><Other></Other>"),
        ("</Payload>", "</Payload><Payload></Payload>"),
        ("Payload>", "Load>"),
        ("Meta", "Beta"),
        ("</Meta>", "</Meta><Meta></Meta>"),
        ("type=\"Measurement\"", "type=\"File\""),
        ("size=\"48\"", "size=\"32\""),
        ("active=\"True\"", "active=\"true\""),
        ("active=\"True\"", "active=\"False\""),
        ("active=\"True\"", ""),
        ("index=\"9\"", "index=\"09\""),
        ("index=\"9\"", "index=\"-9\""),
        ("index=\"9\"", "index=\"255\""),
        ("index=\"9\"", "index=\"256\""),
        ("index=\"9\"", "index=\"0\""),
        ("index=\"9\"", ""),
        ("alternatives=\"1\"", "alternatives=\"0\""),
        ("alternatives=\"1\"", "alternatives=\"2\""),
        ("alternatives=\"1\"", ""),
        ("Hash0", "Hash1"),
        ("hash:Hash0", "Hash0"),
        ("0a0a", "0a"),
        ("0a0a", "0g0a"),
    ] {
        let mut draft = ManifestDraft::vbios();
        draft.edit = Box::new(move |content| {
            assert!(content.contains(from), "{from}");
            content.replace(from, to)
        });
        let error = verify(&draft).unwrap_err();
        assert_eq!(error, ManifestError::Content, "{from} → {to}");
    }
}

/// A value that is there and not counted might be meant or not.
#[test]
fn more_values_than_alternatives_are_refused() {
    let mut draft = ManifestDraft::driver();
    draft.edit = Box::new(|content| content.replace("alternatives=\"2\"", "alternatives=\"1\""));
    assert_eq!(verify(&draft).unwrap_err(), ManifestError::Content);
}

#[test]
fn another_root_element_is_refused() {
    for (from, to) in [
        ("SoftwareIdentity", "Identity"),
        ("iso.org/iso/19770/-2/2015", "iso.org/iso/19770/-2/2009"),
    ] {
        let mut draft = ManifestDraft::vbios();
        draft.tamper = Box::new(move |document| document.replace(from, to));
        assert_eq!(verify(&draft).unwrap_err(), ManifestError::Content, "{to}");
    }
}

#[test]
fn each_certificate_and_key_counts() {
    let cases: [(&str, Code, fn(&mut ManifestDraft)); 8] = [
        ("another signer", Code::ManifestSignature, |m| {
            m.key = TestKey::p384(77)
        }),
        ("expired", Code::CertificateExpired, |m| {
            m.chain.drafts[0].not_after = UnixSeconds::new(1);
        }),
        ("not yet valid", Code::CertificateNotYetValid, |m| {
            m.chain.drafts[2].not_before = NOW.saturating_add(1);
        }),
        ("of another issuer", Code::CertificateSignature, |m| {
            m.chain.signers[1] = TestKey::p384(77);
        }),
        ("three", Code::CertificateMalformed, |m| {
            drop(m.chain.drafts.remove(1))
        }),
        ("five", Code::CertificateMalformed, |m| {
            let root = m.chain.drafts[3].clone();
            m.chain.drafts.push(root);
            let signer = m.chain.signers[3].clone();
            m.chain.signers.push(signer);
        }),
        (
            "a signer that is an authority",
            Code::CertificateMalformed,
            |m| {
                m.chain.drafts[0].extensions = m.chain.drafts[1].extensions.clone();
            },
        ),
        ("the root of devices", Code::RootNotPinned, |m| {
            let other = TestKey::p384(100);
            m.chain.drafts[3].public_key = other.spki();
            m.chain.signers[2] = other.clone();
            m.chain.signers[3] = other;
        }),
    ];
    for (name, code, spoil) in cases {
        let mut draft = ManifestDraft::vbios();
        spoil(&mut draft);
        assert_eq!(verify(&draft).unwrap_err().code(), code, "{name}");
    }
}

#[test]
fn a_document_that_is_too_long_or_no_text_is_refused() {
    let long = vec![b' '; Manifest::MAX_LEN.saturating_add(1)];
    let error = Manifest::parse(&long).unwrap_err();
    assert_eq!(error, ManifestError::TooLong { got: long.len() });
    let error = Manifest::parse(b"<a>\xFF</a>").unwrap_err();
    assert_eq!(error, ManifestError::Form);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Manifest::parse(&bytes);
    }
}
