//! Chains that are good but for one thing.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;
use rsa::pkcs8::EncodePublicKey;
use rsa::pss::SigningKey;
use rsa::signature::{RandomizedSigner, SignatureEncoding};
use rsa::traits::PublicKeyParts;
use sha2::Sha384;

use super::*;
use crate::development::certificates::{CertificateDraft, ExtensionDraft};
use crate::development::der::{BIT_STRING, SEQUENCE, element};
use crate::development::root::Signed;
use crate::fixtures::{Keys, NOW, Setup, TestRng};
use crate::snp::extensions as oid;
use crate::x509::signed::PSS_SHA384_WITH_TRAILER;

#[test]
fn a_good_chain_verifies() {
    let chain = verify(&Setup::new()).unwrap();
    assert_eq!(chain.kind(), KeyKind::Vcek);
    assert_eq!(chain.product(), Product::Genoa);
    assert_eq!(chain.tcb(), crate::fixtures::TCB);
    assert_eq!(chain.chip_id(), Some(&crate::fixtures::CHIP_ID));
}

#[test]
fn a_root_that_is_not_pinned_is_refused() {
    let setup = Setup::new();
    let signed = setup.signed();
    let error = parse(&signed).verify(&Anchors::amd(), NOW).unwrap_err();
    assert!(matches!(error, ChainError::RootNotPinned { .. }), "{error}");
}

/// The name, serial number and dates of the vendor's root prove nothing.
#[test]
fn another_key_under_the_roots_name_is_refused() {
    let mut setup = Setup::new();
    setup.keys.ark = setup.keys.other.clone();
    setup.drafts.ark.public_key = spki(&Keys::new().other);
    let error = verify(&setup).unwrap_err();
    assert!(matches!(error, ChainError::RootNotPinned { .. }), "{error}");
}

#[test]
fn an_intermediate_that_the_root_signed_but_nobody_pinned_is_refused() {
    let mut setup = Setup::new();
    setup.keys.ask = setup.keys.other.clone();
    setup.drafts.ask.public_key = spki(&Keys::new().other);
    let error = verify(&setup).unwrap_err();
    let expected = matches!(error, ChainError::IntermediateNotPinned { .. });
    assert!(expected, "{error}");
}

#[test]
fn each_certificate_must_be_signed_by_the_one_above() {
    for role in [Role::Root, Role::Intermediate, Role::Leaf] {
        let setup = Setup::new();
        let mut signed = setup.signed();
        let draft = draft_of(&setup, role).clone();
        *der_of(&mut signed, role) = draft.sign(&setup.keys.other, &mut TestRng::new(2)).unwrap();
        let error = parse(&signed).verify(&setup.anchors(), NOW).unwrap_err();
        assert_eq!(error, ChainError::Signature { role });
    }
}

#[test]
fn each_certificate_is_refused_after_its_validity() {
    for role in [Role::Root, Role::Intermediate, Role::Leaf] {
        let mut setup = Setup::new();
        let not_after = UnixSeconds::new(NOW.get() - 1);
        draft_mut(&mut setup, role).not_after = not_after;
        let expected = ChainError::Expired {
            role,
            not_after,
            now: NOW,
        };
        assert_eq!(verify(&setup).unwrap_err(), expected);
        draft_mut(&mut setup, role).not_after = NOW;
        assert!(verify(&setup).is_ok(), "{role} in its last second");
    }
}

#[test]
fn each_certificate_is_refused_before_its_validity() {
    for role in [Role::Root, Role::Intermediate, Role::Leaf] {
        let mut setup = Setup::new();
        let not_before = NOW.saturating_add(1);
        draft_mut(&mut setup, role).not_before = not_before;
        let expected = ChainError::NotYetValid {
            role,
            not_before,
            now: NOW,
        };
        assert_eq!(verify(&setup).unwrap_err(), expected);
        draft_mut(&mut setup, role).not_before = NOW;
        assert!(verify(&setup).is_ok(), "{role} in its first second");
    }
}

#[test]
fn each_certificate_must_name_its_issuer() {
    for role in [Role::Root, Role::Intermediate, Role::Leaf] {
        let mut setup = Setup::new();
        draft_mut(&mut setup, role).issuer = "someone else".to_owned();
        assert_eq!(verify(&setup).unwrap_err(), ChainError::Issuer { role });
    }
}

#[test]
fn an_authority_without_the_right_to_sign_is_refused() {
    for role in [Role::Root, Role::Intermediate] {
        for extension in ["2.5.29.19", "2.5.29.15"] {
            let mut setup = Setup::new();
            let extensions = &mut draft_mut(&mut setup, role).extensions;
            extensions.retain(|draft| draft.oid != extension);
            assert_eq!(verify(&setup).unwrap_err(), ChainError::Usage { role });
        }
    }
}

/// The extensions are there and say no.
#[test]
fn an_authority_that_says_it_is_none_is_refused() {
    // BasicConstraints without cA, which is FALSE then (RFC 5280, section
    // 4.2.1.9); KeyUsage with cRLSign, or digitalSignature, but not keyCertSign.
    for (extension, value) in [
        ("2.5.29.19", &[0x30, 0x00][..]),
        ("2.5.29.15", &[0x03, 0x02, 0x01, 0x02]),
        ("2.5.29.15", &[0x03, 0x02, 0x01, 0x82]),
    ] {
        for role in [Role::Root, Role::Intermediate] {
            let mut setup = Setup::new();
            replace(draft_mut(&mut setup, role), extension, value);
            assert_eq!(verify(&setup).unwrap_err(), ChainError::Usage { role });
        }
    }
}

#[test]
fn a_root_that_may_not_sign_lists_is_refused() {
    let mut setup = Setup::new();
    // KeyUsage with keyCertSign only.
    replace(
        &mut setup.drafts.ark,
        "2.5.29.15",
        &[0x03, 0x02, 0x02, 0x04],
    );
    let expected = ChainError::Usage { role: Role::Root };
    assert_eq!(verify(&setup).unwrap_err(), expected);
}

#[test]
fn an_endorsement_key_that_claims_to_be_an_authority_is_refused() {
    let mut setup = Setup::new();
    let authority = crate::development::certificates::authority_extensions();
    setup.drafts.vcek.extensions.extend(authority);
    let expected = ChainError::Usage { role: Role::Leaf };
    assert_eq!(verify(&setup).unwrap_err(), expected);
}

#[test]
fn a_key_of_the_wrong_kind_is_refused() {
    let mut setup = Setup::new();
    setup.drafts.vcek.public_key = spki(&setup.keys.other);
    let expected = ChainError::Key { role: Role::Leaf };
    assert_eq!(verify(&setup).unwrap_err(), expected);
}

/// Even if it were pinned.
#[test]
fn a_short_authority_key_is_refused() {
    let short = rsa::RsaPrivateKey::new(&mut TestRng::new(8), 1024).unwrap();
    let mut setup = Setup::new();
    setup.drafts.ask.public_key = spki(&short);
    setup.keys.ask = short;
    let signed = setup.signed();
    let anchors = Anchors::not_amd(crate::snp::anchors::Anchor {
        product: Product::Genoa,
        root: crate::fixtures::key_digest(&signed.ark),
        vcek_authority: crate::fixtures::key_digest(&signed.ask),
        vlek_authority: None,
    });
    let error = parse(&signed).verify(&anchors, NOW).unwrap_err();
    let role = Role::Intermediate;
    assert_eq!(error, ChainError::Key { role });
}

/// Even if it were pinned: with a small exponent, sloppy padding is forgeable.
#[test]
fn an_authority_key_with_another_exponent_than_65537_is_refused() {
    let setup = Setup::new();
    let with_exponent = |exponent: u64| {
        let modulus = setup.keys.ask.as_ref().n().as_ref().clone();
        let key = rsa::RsaPublicKey::new(modulus, rsa::BoxedUint::from(exponent)).unwrap();
        let mut setup = Setup::new();
        setup.drafts.ask.public_key = key.to_public_key_der().unwrap().into_vec();
        let signed = setup.signed();
        let anchors = Anchors::not_amd(crate::snp::anchors::Anchor {
            product: Product::Genoa,
            root: crate::fixtures::key_digest(&signed.ark),
            vcek_authority: crate::fixtures::key_digest(&signed.ask),
            vlek_authority: None,
        });
        parse(&signed).verify(&anchors, NOW).map(|_| ())
    };
    assert_eq!(with_exponent(65_537), Ok(()));
    let role = Role::Intermediate;
    for exponent in [3, 17, 65_539] {
        assert_eq!(with_exponent(exponent), Err(ChainError::Key { role }));
    }
}

/// The parameters say 48 bytes (RFC 4055, section 3.1).
#[test]
fn a_signature_with_a_salt_of_another_length_is_refused() {
    let setup = Setup::new();
    let with_salt = |salt| {
        let content = setup.drafts.vcek.content(PSS_SHA384_WITH_TRAILER);
        let key = SigningKey::<Sha384>::new_with_salt_len(setup.keys.ask.clone(), salt);
        let signature = key.sign_with_rng(&mut TestRng::new(2), &content).to_bytes();
        let signature = element(BIT_STRING, &[&[0], &signature]);
        let mut signed = setup.signed();
        signed.vcek = element(SEQUENCE, &[&content, PSS_SHA384_WITH_TRAILER, &signature]);
        parse(&signed).verify(&setup.anchors(), NOW).map(|_| ())
    };
    assert_eq!(with_salt(48), Ok(()));
    let role = Role::Leaf;
    for salt in [0, 20, 32, 47, 49, 64] {
        assert_eq!(with_salt(salt), Err(ChainError::Signature { role }));
    }
}

#[test]
fn parameters_with_a_salt_of_another_length_are_refused() {
    let leaf = Setup::new().signed().vcek;
    let salt = [0xA2, 0x03, 0x02, 0x01, 0x30];
    let places: Vec<_> = (0..leaf.len())
        .filter(|&at| leaf[at..].starts_with(&salt))
        .collect();
    assert_eq!(places.len(), 2);
    for at in places {
        let mut leaf = leaf.clone();
        leaf[at + 4] = 0x20;
        assert_eq!(
            Certificate::parse(&leaf).unwrap_err(),
            CertificateError::Format
        );
    }
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    for role in [Role::Root, Role::Intermediate, Role::Leaf] {
        let mut setup = Setup::new();
        let unknown = ExtensionDraft::new("2.5.29.30", true, [0x30, 0]);
        draft_mut(&mut setup, role).extensions.push(unknown);
        let source = CertificateError::UnknownCriticalExtension {
            oid: "2.5.29.30".to_owned(),
        };
        let expected = ChainError::Certificate { role, source };
        assert_eq!(verify(&setup).unwrap_err(), expected);
    }
}

/// Two values for one extension would let two readers see two chips.
#[test]
fn a_repeated_extension_is_refused() {
    let mut setup = Setup::new();
    let again = setup.drafts.vcek.extensions[3].clone();
    let source = CertificateError::DuplicateExtension {
        oid: again.oid.clone(),
    };
    setup.drafts.vcek.extensions.push(again);
    let expected = ChainError::Certificate {
        role: Role::Leaf,
        source,
    };
    assert_eq!(verify(&setup).unwrap_err(), expected);
}

#[test]
fn each_missing_extension_is_refused_by_name() {
    for (oid, name) in [
        (oid::STRUCT_VERSION, "structVersion"),
        (oid::PRODUCT_NAME, "productName"),
        (oid::BOOTLOADER, "blSPL"),
        (oid::TEE, "teeSPL"),
        (oid::SNP, "snpSPL"),
        (oid::MICROCODE, "ucodeSPL"),
        (oid::HARDWARE_ID, "hwID"),
    ] {
        let mut setup = Setup::new();
        setup.drafts.vcek.extensions.retain(|it| it.oid != oid);
        let expected = ChainError::Extension(ExtensionError::Missing { name });
        assert_eq!(verify(&setup).unwrap_err(), expected);
    }
}

#[test]
fn each_bad_extension_is_refused_by_name() {
    let ia5 = |text: &str| [&[0x16, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    for (oid, value, name) in [
        (oid::STRUCT_VERSION, vec![4, 1, 0], "structVersion"),
        (oid::STRUCT_VERSION, vec![2, 1, 2], "structVersion"),
        (oid::STRUCT_VERSION, vec![2, 2, 0, 0xFF], "structVersion"),
        (oid::PRODUCT_NAME, ia5("Rome"), "productName"),
        (oid::PRODUCT_NAME, vec![0x0C, 1, b'G'], "productName"),
        (oid::BOOTLOADER, vec![2, 2, 1, 0], "blSPL"),
        (oid::TEE, vec![2, 1, 0xFF], "teeSPL"),
        (oid::SNP, vec![2, 2, 0, 23], "snpSPL"),
        (oid::MICROCODE, vec![2, 1, 0x54, 0], "ucodeSPL"),
        (oid::HARDWARE_ID, vec![0xC1; 63], "hwID"),
        (oid::HARDWARE_ID, vec![0xC1; 8], "hwID"),
        (oid::HARDWARE_ID, vec![0xC1; 65], "hwID"),
    ] {
        let mut setup = Setup::new();
        replace(&mut setup.drafts.vcek, oid, &value);
        let expected = ChainError::Extension(ExtensionError::Value { name });
        assert_eq!(verify(&setup).unwrap_err(), expected, "{value:?}");
    }
}

#[test]
fn a_level_of_a_component_that_does_not_exist_is_refused() {
    for (name, oid) in oid::RESERVED_SPLS.into_iter().chain([("fmcSPL", oid::FMC)]) {
        let mut setup = Setup::new();
        let level = ExtensionDraft::new(oid, false, [2, 1, 1]);
        setup.drafts.vcek.extensions.push(level);
        let expected = ChainError::Extension(ExtensionError::Value { name });
        assert_eq!(verify(&setup).unwrap_err(), expected);
    }
}

#[test]
fn a_certificate_for_another_product_than_its_root_is_refused() {
    let mut setup = Setup::new();
    replace(&mut setup.drafts.vcek, oid::PRODUCT_NAME, b"\x16\x05Milan");
    let expected = ChainError::Product {
        endorsed: Product::Milan,
    };
    assert_eq!(verify(&setup).unwrap_err(), expected);
}

#[test]
fn a_turin_certificate_has_a_short_chip_id_and_one_component_more() {
    let mut setup = Setup::new();
    setup.product = Product::Turin;
    replace(&mut setup.drafts.vcek, oid::PRODUCT_NAME, b"\x16\x05Turin");
    replace(&mut setup.drafts.vcek, oid::HARDWARE_ID, &[0xC1; 8]);
    let expected = ChainError::Extension(ExtensionError::Missing { name: "fmcSPL" });
    assert_eq!(verify(&setup).unwrap_err(), expected);
    let fmc = ExtensionDraft::new(oid::FMC, false, [2, 1, 1]);
    setup.drafts.vcek.extensions.push(fmc);
    let chain = verify(&setup).unwrap();
    let mut chip_id = [0; 64];
    chip_id[..8].fill(0xC1);
    assert_eq!(chain.chip_id(), Some(&chip_id));
    assert_eq!(chain.tcb().fmc, Some(1));
}

#[test]
fn a_vlek_names_a_provider_instead_of_a_chip() {
    let mut setup = Setup::new();
    setup.kind = KeyKind::Vlek;
    let extensions = &mut setup.drafts.vcek.extensions;
    extensions.retain(|it| it.oid != oid::HARDWARE_ID);
    let expected = ChainError::Extension(ExtensionError::Missing { name: "cspID" });
    assert_eq!(verify(&setup).unwrap_err(), expected);
    let provider = ExtensionDraft::new(oid::CSP_ID, false, *b"\x16\x02CN");
    setup.drafts.vcek.extensions.push(provider);
    assert_eq!(verify(&setup).unwrap().chip_id(), None);
}

#[test]
fn a_vlek_authority_does_not_vouch_for_a_vcek() {
    let setup = Setup::new();
    let signed = setup.signed();
    let good = crate::fixtures::key_digest(&signed.ask);
    let anchors = Anchors::not_amd(crate::snp::anchors::Anchor {
        product: Product::Genoa,
        root: crate::fixtures::key_digest(&signed.ark),
        vcek_authority: Sha256Digest::new([0; 32]),
        vlek_authority: Some(good),
    });
    let error = parse(&signed).verify(&anchors, NOW).unwrap_err();
    assert_eq!(error, ChainError::IntermediateNotPinned { digest: good });
}

#[test]
fn another_version_is_refused() {
    let mut der = Setup::new().signed().vcek;
    assert_eq!(der[8..13], [0xA0, 0x03, 0x02, 0x01, 0x02]);
    der[12] = 1;
    let error = Certificate::parse(&der).unwrap_err();
    assert_eq!(error, CertificateError::Format);
}

#[test]
fn bytes_behind_a_certificate_are_refused() {
    let mut signed = Setup::new().signed();
    signed.vcek.push(0);
    let error = Chain::parse(&signed.ark, &signed.ask, &signed.vcek, KeyKind::Vcek);
    let expected = ChainError::Certificate {
        role: Role::Leaf,
        source: CertificateError::Format,
    };
    assert_eq!(error.unwrap_err(), expected);
}

#[test]
fn an_overlong_certificate_is_refused_before_it_is_read() {
    let got = Certificate::MAX_LEN + 1;
    let error = Certificate::parse(&vec![0x30; got]).unwrap_err();
    assert_eq!(error, CertificateError::TooLong { got });
}

/// AMD has two spellings of the same algorithm; both are accepted, no other is.
#[test]
fn another_signature_algorithm_is_refused() {
    let signed = Setup::new().signed();
    let sha384 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
    for at in 0..signed.vcek.len() {
        if signed.vcek[at..].starts_with(&sha384) {
            let mut der = signed.vcek.clone();
            der[at + 8] = 1;
            assert_eq!(
                Certificate::parse(&der).unwrap_err(),
                CertificateError::Format
            );
        }
    }
}

#[test]
fn the_vendors_pins_are_distinct() {
    let anchors = Anchors::amd();
    let amd = format!("{anchors:?}");
    for product in ["Milan", "Genoa", "Turin"] {
        assert!(amd.contains(product));
    }
    let mut digests: Vec<_> = amd.split("Sha256Digest(").skip(1).collect();
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!((count, digests.len()), (9, 9));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic_the_certificate_parser(bytes: Vec<u8>) {
        let _ = Certificate::parse(&bytes);
    }

    #[test]
    fn no_change_of_a_certificate_panics_or_passes(
        at in any::<proptest::sample::Index>(), byte: u8
    ) {
        let setup = Setup::new();
        let mut signed = setup.signed();
        let at = at.index(signed.vcek.len());
        prop_assume!(signed.vcek[at] != byte);
        signed.vcek[at] = byte;
        let verified = Chain::parse(&signed.ark, &signed.ask, &signed.vcek, KeyKind::Vcek)
            .and_then(|chain| chain.verify(&setup.anchors(), NOW));
        prop_assert!(verified.is_err());
    }
}

fn verify(setup: &Setup) -> Result<VerifiedChain, ChainError> {
    let signed = setup.signed();
    Chain::parse(&signed.ark, &signed.ask, &signed.vcek, setup.kind)?
        .verify(&setup.anchors(), setup.now)
}

fn parse(signed: &Signed) -> Chain {
    Chain::parse(&signed.ark, &signed.ask, &signed.vcek, KeyKind::Vcek).unwrap()
}

fn spki(key: &rsa::RsaPrivateKey) -> Vec<u8> {
    key.to_public_key().to_public_key_der().unwrap().into_vec()
}

fn draft_of(setup: &Setup, role: Role) -> &CertificateDraft {
    match role {
        Role::Root => &setup.drafts.ark,
        Role::Intermediate => &setup.drafts.ask,
        Role::Leaf => &setup.drafts.vcek,
    }
}

fn draft_mut(setup: &mut Setup, role: Role) -> &mut CertificateDraft {
    match role {
        Role::Root => &mut setup.drafts.ark,
        Role::Intermediate => &mut setup.drafts.ask,
        Role::Leaf => &mut setup.drafts.vcek,
    }
}

fn der_of(signed: &mut Signed, role: Role) -> &mut Vec<u8> {
    match role {
        Role::Root => &mut signed.ark,
        Role::Intermediate => &mut signed.ask,
        Role::Leaf => &mut signed.vcek,
    }
}

fn replace(draft: &mut CertificateDraft, oid: &str, value: &[u8]) {
    let extension = draft.extensions.iter_mut().find(|it| it.oid == oid);
    extension.unwrap().value = value.to_vec();
}
