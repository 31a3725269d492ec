//! Paths that are good but for one thing.

use proptest::prelude::*;

use super::*;
use crate::development::certificates::{CertificateDraft, ExtensionDraft};
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft, parse_path};
use crate::x509::CertificateError;

/// Leaf (P-256) ← issuer (RSA) ← root (P-384).
struct Path {
    leaf: (CertificateDraft, TestKey),
    middle: (CertificateDraft, TestKey),
    root: (CertificateDraft, TestKey),
}

impl Path {
    fn new() -> Self {
        let (leaf, middle, root) = (TestKey::p256(1), TestKey::rsa_pkcs1(), TestKey::p384(2));
        Self {
            leaf: (leaf_draft("leaf", "middle", &leaf), leaf),
            middle: (authority_draft("middle", "root", &middle), middle),
            root: (authority_draft("root", "root", &root), root),
        }
    }

    fn draft(&mut self, at: usize) -> &mut CertificateDraft {
        match at {
            0 => &mut self.leaf.0,
            1 => &mut self.middle.0,
            _ => &mut self.root.0,
        }
    }

    fn der(&self) -> Vec<Vec<u8>> {
        vec![
            self.middle.1.certify(&self.leaf.0),
            self.root.1.certify(&self.middle.0),
            self.root.1.certify(&self.root.0),
        ]
    }

    fn verify(&self) -> Result<PublicKey, PathError> {
        verify_der(&self.der())
    }
}

fn verify_der(path: &[Vec<u8>]) -> Result<PublicKey, PathError> {
    let pins = [TestKey::p384(9).digest(), TestKey::p384(2).digest()];
    verify(&parse_path(path), &pins, NOW)
}

/// `BasicConstraints { cA TRUE, pathLenConstraint 0 }`.
fn no_further_authority() -> ExtensionDraft {
    let value = [0x30, 0x06, 0x01, 0x01, 0xFF, 0x02, 0x01, 0x00];
    ExtensionDraft::new("2.5.29.19", true, value)
}

#[test]
fn a_good_path_gives_the_leafs_key() {
    let key = Path::new().verify().unwrap();
    let signature = TestKey::p256(1).sign(b"evidence");
    let scheme = crate::signature::Scheme::EcdsaDer(crate::signature::Hash::Sha256);
    assert!(key.verifies(scheme, b"evidence", &signature));
}

#[test]
fn a_path_that_does_not_end_at_its_own_issuer_is_refused() {
    let path = Path::new().der();
    let pins = [TestKey::rsa_pkcs1().digest()];
    let error = verify(&parse_path(&path[..2]), &pins, NOW).unwrap_err();
    assert_eq!(error, PathError::Issuer { at: 1 });
}

#[test]
fn a_root_that_is_not_pinned_is_refused() {
    let path = parse_path(&Path::new().der());
    for pins in [vec![], vec![TestKey::p384(9).digest()]] {
        let digest = TestKey::p384(2).digest();
        let error = verify(&path, &pins, NOW).unwrap_err();
        assert_eq!(error, PathError::RootNotPinned { digest });
    }
}

/// A pinned key does not help where it is not at the end.
#[test]
fn a_certificate_above_the_pinned_one_is_refused() {
    let path = parse_path(&Path::new().der());
    let pins = [TestKey::rsa_pkcs1().digest()];
    let error = verify(&path, &pins, NOW).unwrap_err();
    assert!(matches!(error, PathError::RootNotPinned { .. }), "{error}");
}

#[test]
fn an_empty_or_overlong_path_is_refused() {
    assert_eq!(verify_der(&[]).unwrap_err(), PathError::Length { got: 0 });
    let root = Path::new().der().remove(2);
    let long = vec![root; 9];
    assert_eq!(verify_der(&long).unwrap_err(), PathError::Length { got: 9 });
}

#[test]
fn each_certificate_must_be_signed_by_the_one_above() {
    for at in 0..3 {
        let mut path = Path::new();
        let forged = TestKey::p384(7).certify(path.draft(at));
        let mut der = path.der();
        der[at] = forged;
        assert_eq!(verify_der(&der).unwrap_err(), PathError::Signature { at });
    }
}

#[test]
fn each_certificate_must_name_its_issuer() {
    for at in 0..3 {
        let mut path = Path::new();
        path.draft(at).issuer = "somebody else".to_owned();
        assert_eq!(path.verify().unwrap_err(), PathError::Issuer { at });
    }
}

#[test]
fn each_certificate_must_be_valid_now() {
    for at in 0..3 {
        let mut path = Path::new();
        path.draft(at).not_before = NOW.saturating_add(1);
        let error = path.verify().unwrap_err();
        assert_eq!(error.code(), Code::CertificateNotYetValid, "{at}");

        let mut path = Path::new();
        path.draft(at).not_before = UnixSeconds::new(NOW.get() - 2);
        path.draft(at).not_after = UnixSeconds::new(NOW.get() - 1);
        let error = path.verify().unwrap_err();
        assert_eq!(error.code(), Code::CertificateExpired, "{at}");
        path.draft(at).not_after = NOW;
        assert!(path.verify().is_ok(), "{at} in its last second");
    }
}

#[test]
fn an_authority_without_the_right_to_certify_is_refused() {
    // BasicConstraints { cA FALSE }, and KeyUsage { digitalSignature, cRLSign }.
    let no_authority = ExtensionDraft::new("2.5.29.19", true, [0x30, 0x00]);
    let no_certificates = ExtensionDraft::new("2.5.29.15", true, [0x03, 0x02, 0x01, 0x82]);
    for at in 1..3 {
        for replacement in [&no_authority, &no_certificates] {
            let mut path = Path::new();
            let extensions = &mut path.draft(at).extensions;
            extensions.retain(|extension| extension.oid != replacement.oid);
            assert_eq!(path.verify().unwrap_err(), PathError::Usage { at });
            path.draft(at).extensions.push(replacement.clone());
            assert_eq!(path.verify().unwrap_err(), PathError::Usage { at });
        }
    }
}

#[test]
fn a_leaf_that_is_an_authority_is_refused() {
    let mut path = Path::new();
    path.leaf.0.extensions = authority_draft("a", "b", &TestKey::p256(1)).extensions;
    assert_eq!(path.verify().unwrap_err(), PathError::Usage { at: 0 });
}

#[test]
fn a_leaf_that_may_not_sign_is_refused() {
    let mut path = Path::new();
    // KeyUsage { keyAgreement }.
    let usage = ExtensionDraft::new("2.5.29.15", true, [0x03, 0x02, 0x03, 0x08]);
    path.leaf.0.extensions.retain(|one| one.oid != usage.oid);
    assert!(path.verify().is_ok(), "says nothing about usage");
    path.leaf.0.extensions.push(usage);
    assert_eq!(path.verify().unwrap_err(), PathError::Usage { at: 0 });
}

#[test]
fn a_path_longer_than_an_authority_allows_is_refused() {
    for (at, allowed) in [(1, true), (2, false)] {
        let mut path = Path::new();
        let extensions = &mut path.draft(at).extensions;
        extensions.retain(|extension| extension.oid != "2.5.29.19");
        extensions.push(no_further_authority());
        let expected = if allowed {
            None
        } else {
            Some(PathError::Usage { at })
        };
        assert_eq!(path.verify().err(), expected);
    }
}

#[test]
fn an_unknown_critical_extension_is_refused_unless_its_reader_knows_it() {
    let mut path = Path::new();
    let critical = ExtensionDraft::new("2.23.133.5.4.1", true, [0x30, 0x00]);
    path.leaf.0.extensions.push(critical);
    let der = path.der().remove(0);
    let oid = "2.23.133.5.4.1".to_owned();
    let error = CertificateError::UnknownCriticalExtension { oid };
    assert_eq!(Certificate::parse(&der).unwrap_err(), error);
    let known = ["2.23.133.5.4.1".parse().unwrap()];
    let certificate = Certificate::parse_knowing(&der, &known).unwrap();
    assert_eq!(certificate.extension(known[0]), Some(&[0x30, 0x00][..]));
}

#[test]
fn the_algorithm_must_be_the_same_inside_and_outside() {
    let path = Path::new();
    let mut der = path.der().remove(0);
    let inside = der
        .windows(2)
        .position(|two| two == [0x01, 0x0B])
        .expect("sha256WithRSAEncryption ends in 01 0B");
    // sha384WithRSAEncryption.
    der[inside + 1] = 0x0C;
    assert_eq!(
        Certificate::parse(&der).unwrap_err(),
        CertificateError::Format
    );
}

#[test]
fn no_bit_of_a_path_may_change() {
    let good = Path::new().der();
    for at in 0..good.len() {
        for byte in 0..good[at].len() {
            let mut der = good.clone();
            der[at][byte] ^= 1 << (byte % 8);
            let Ok(path) = der
                .iter()
                .map(|der| Certificate::parse(der))
                .collect::<Result<Vec<_>, _>>()
            else {
                continue;
            };
            let pins = [TestKey::p384(2).digest()];
            let verdict = verify(&path, &pins, NOW);
            assert!(verdict.is_err(), "certificate {at} byte {byte}");
        }
    }
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Certificate::parse(&bytes);
        let _ = crate::signature::PublicKey::from_spki(&bytes);
        let _ = crate::x509::signed::scheme(&bytes);
    }
}

/// What a good path leaves behind vouches for that path's own links and nothing else.
#[test]
fn a_path_beside_a_good_one_is_judged_as_if_alone() {
    let pins = [TestKey::p384(9).digest(), TestKey::p384(2).digest()];
    let good = Path::new().der();
    let mut paths = vec![good.clone()];
    for at in 0..good.len() {
        // A signature, or something that was signed, of each certificate.
        let length = good[at].len();
        for place in [length / 2, length - 1] {
            let mut path = good.clone();
            path[at][place] ^= 1;
            paths.push(path);
        }
    }
    // The same leaf, issued by another key of the same name.
    let mut path = Path::new();
    path.middle.1 = TestKey::rsa_pss();
    paths.push(path.der());
    let mut path = Path::new().der();
    path.remove(1);
    paths.push(path);
    let mut links = Links::default();
    assert!(verify_sharing(&parse_path(&good), &pins, NOW, &mut links).is_ok());
    let known = links.0.len();
    assert_eq!(known, 3);
    for path in &paths {
        let Some(read) = try_parse(path) else {
            continue;
        };
        let alone = verify(&read, &pins, NOW);
        let shared = verify_sharing(&read, &pins, NOW, &mut links);
        assert_eq!(shared, alone);
        assert_eq!(alone.is_ok(), *path == good);
    }
    let later = NOW.saturating_add(100 * 365 * 24 * 60 * 60);
    let expired = verify_sharing(&parse_path(&good), &pins, later, &mut links);
    assert!(matches!(expired, Err(PathError::Expired { .. })));
    let not_pinned = verify_sharing(&parse_path(&good), &pins[..1], NOW, &mut links);
    assert!(matches!(not_pinned, Err(PathError::RootNotPinned { .. })));
}

fn try_parse(path: &[Vec<u8>]) -> Option<Vec<Certificate>> {
    path.iter()
        .map(|der| Certificate::parse(der).ok())
        .collect()
}

#[test]
fn what_did_not_verify_is_not_remembered() {
    let mut path = Path::new().der();
    let last = path[0].len() - 1;
    path[0][last] ^= 1;
    let pins = [TestKey::p384(2).digest()];
    let mut links = Links::default();
    for _ in 0..2 {
        let found = verify_sharing(&parse_path(&path), &pins, NOW, &mut links);
        assert_eq!(found.unwrap_err(), PathError::Signature { at: 0 });
        assert!(links.0.is_empty());
    }
}

#[test]
fn memory_for_what_verified_is_bounded() {
    let path = parse_path(&Path::new().der());
    let mut links = Links(vec![Sha256Digest::of(b""); MAX_LINKS]);
    let pins = [TestKey::p384(2).digest()];
    assert!(verify_sharing(&path, &pins, NOW, &mut links).is_ok());
    assert_eq!(links.0.len(), MAX_LINKS);
}
