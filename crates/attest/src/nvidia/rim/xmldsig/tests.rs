//! Signatures of another form than the accepted one.

use crate::appraisal::Code;
use crate::nvidia::fixtures::{DSIG, ManifestDraft, Setup};
use crate::nvidia::rim::{Manifest, ManifestError};

fn tampered(tamper: impl Fn(String) -> String + 'static) -> Result<Manifest, ManifestError> {
    let mut draft = ManifestDraft::vbios();
    draft.tamper = Box::new(tamper);
    Manifest::parse(draft.sign().as_bytes())
}

#[test]
fn the_document_of_the_tests_is_read() {
    assert!(tampered(|document| document).is_ok());
}

#[test]
fn any_other_algorithm_transform_or_reference_is_refused() {
    for (from, to) in [
        ("xml-c14n11\"></ds:Canon", "xml-exc-c14n#\"></ds:Canon"),
        ("xml-c14n11\"></ds:Canon", "xml-c14n11\"><p/></ds:Canon"),
        ("xml-c14n11\"></ds:Canon", "xml-c14n11\" p=\"\"></ds:Canon"),
        ("#ecdsa-sha384", "#ecdsa-sha256"),
        ("#ecdsa-sha384", "#hmac-sha384"),
        ("#enveloped-signature", "#base64"),
        (
            "xml-c14n11\"></ds:Transform>",
            "xml-exc-c14n#\"></ds:Transform>",
        ),
        ("more#sha384", "more#sha224"),
        ("URI=\"\"", "URI=\"#part\""),
        ("URI=\"\"", "Id=\"\""),
        ("URI=\"\"", "URI=\"\" Type=\"x\""),
        ("<ds:SignedInfo>", "<ds:SignedInfo>text"),
        ("</ds:SignedInfo>", "<ds:Reference/></ds:SignedInfo>"),
        (
            "</ds:Transforms>",
            "<ds:Transform Algorithm=\"x\"/></ds:Transforms>",
        ),
        ("<ds:SignatureValue>", "<ds:Object/><ds:SignatureValue>"),
        ("<ds:SignatureValue>", "<ds:SignatureValue>!"),
        ("<ds:DigestValue>", "<ds:DigestValue>="),
        ("<ds:KeyInfo>", "<ds:KeyInfo><ds:KeyName/>"),
        ("<ds:X509Data>", "<ds:X509Data><ds:X509CRL/>"),
        ("SignatureValue>", "SigValue>"),
        ("DigestValue>", "DValue>"),
        ("KeyInfo>", "KInfo>"),
        ("X509Data>", "XData>"),
        ("Transforms>", "Trs>"),
        ("<ds:Reference", "<ds:Manifest"),
    ] {
        let found = tampered(move |document| {
            assert!(document.contains(from), "{from}");
            let ends = document.replace("</ds:Reference>", "</ds:Manifest>");
            if from == "<ds:Reference" {
                ends
            } else {
                document
            }
            .replace(from, to)
        });
        assert_eq!(found.unwrap_err(), ManifestError::Form, "{from} → {to}");
    }
}

#[test]
fn there_is_one_signature_and_it_is_a_child_of_the_root() {
    let around = |document: &str| {
        let start = document.find("<ds:Signature ").unwrap();
        let end = document.find("</SoftwareIdentity>").unwrap();
        let signature = document.get(start..end).unwrap().to_owned();
        (document.replace(&signature, ""), signature)
    };
    let none = tampered(move |document| around(&document).0);
    let two = tampered(move |document| {
        let (_, signature) = around(&document);
        document.replace(
            "</SoftwareIdentity>",
            &format!("{signature}</SoftwareIdentity>"),
        )
    });
    let nested = tampered(move |document| {
        let (rest, signature) = around(&document);
        rest.replace("</Meta>", &format!("{signature}</Meta>"))
    });
    let second_is_nested = tampered(move |document| {
        let (_, signature) = around(&document);
        document.replace("</Meta>", &format!("{signature}</Meta>"))
    });
    let wrapped = tampered(|document| format!("<r xmlns=\"{DSIG}\">{document}</r>"));
    for found in [none, two, nested, second_is_nested, wrapped] {
        assert_eq!(found.unwrap_err(), ManifestError::Form);
    }
}

/// Anything that canonical form keeps: change it, and the signature is void.
#[test]
fn each_change_to_what_is_signed_is_refused() {
    for (from, to) in [
        ("96.00.9F.00.01", "96.00.9F.00.02"),
        ("\"GPU\"", "\"CPU\""),
        ("active=\"True\"", "active=\"False\""),
        ("index=\"9\"", "index=\"8\""),
        ("0a0a", "0b0a"),
        ("<Payload>", "<Payload> "),
        ("name=\"test\"", "name=\"tesT\""),
        ("<Meta ", "<Meta more=\"x\" "),
        ("xmlns:hash=", "xmlns:more=\"x\" xmlns:hash="),
        ("</Payload>", "</Payload><Entity></Entity>"),
    ] {
        let setup = Setup::gpu().with(|setup| {
            let vbios = setup.manifests.last_mut().unwrap();
            vbios.tamper = Box::new(move |document| {
                assert!(document.contains(from), "{from}");
                document.replacen(from, to, 1)
            });
        });
        assert_eq!(
            setup.refusal(),
            Some(Code::ManifestSignature),
            "{from} → {to}"
        );
    }
}

/// Canonical form is the same, so the signature holds.
#[test]
fn another_spelling_of_the_same_document_is_accepted() {
    for (from, to) in [
        ("<Payload>", "<Payload >"),
        ("name=\"test\"", "  name='test'"),
        ("\"GPU\"", "\"&#71;PU\""),
        ("</SoftwareIdentity>", "</SoftwareIdentity>\n\n"),
        (
            "<SoftwareIdentity",
            "<?xml version=\"1.0\"?><SoftwareIdentity",
        ),
    ] {
        let setup = Setup::gpu().with(|setup| {
            let vbios = setup.manifests.last_mut().unwrap();
            vbios.tamper = Box::new(move |document| document.replacen(from, to, 1));
        });
        assert_eq!(setup.refusal(), None, "{from} → {to}");
    }
}

/// No single character of a signed document can be replaced.
#[test]
fn every_byte_counts() {
    let draft = ManifestDraft::vbios();
    let good = draft.sign();
    let certificates = good.find("<ds:X509Certificate>").unwrap();
    let key = crate::signature::PublicKey::from_spki(&draft.key.spki()).unwrap();
    let verifies = |bytes: &[u8]| {
        Manifest::parse(bytes).is_ok_and(|manifest| manifest.signature.verifies(&key))
    };
    assert!(verifies(good.as_bytes()));
    for at in 0..certificates {
        let mut bytes = good.clone().into_bytes();
        let byte = bytes.get_mut(at).unwrap();
        *byte ^= 1;
        assert!(!verifies(&bytes), "accepted with byte {at} changed");
    }
}
