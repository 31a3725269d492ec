//! Quotes that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::type_complexity,
    reason = "tests"
)]

use proptest::prelude::*;

use super::fixtures::{
    ATTRIBUTES, NONCE, QuoteDraft, SHA256, Setup, digest_of, public, sign, value, values,
};
use super::*;
use crate::appraisal::Code;
use crate::development::certificates::ExtensionDraft;
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft};

#[test]
fn a_good_quote_is_accepted_and_never_excludes_the_host() {
    let appraisal = Setup::new().appraise();
    let claims = appraisal.verdict().unwrap();
    assert_eq!(claims.registers().unwrap().get(7), Some(&value(7)[..]));
    assert_eq!(
        appraisal.gaps(),
        [Gap::RevocationNotChecked, Gap::HostNotExcluded]
    );
}

/// Each line changes one thing before the quote is signed.
#[test]
fn each_field_alone_can_refuse() {
    let cases: [(&str, fn(&mut Setup), Code); 22] = [
        ("magic", |s| s.quote.magic ^= 1, Code::ReportMalformed),
        ("type", |s| s.quote.kind = 0x8017, Code::ReportMalformed),
        ("safe", |s| s.quote.safe = 2, Code::ReportMalformed),
        ("nonce", |s| s.quote.nonce[0] ^= 1, Code::NonceMismatch),
        (
            "longer nonce",
            |s| s.quote.nonce.push(0),
            Code::NonceMismatch,
        ),
        ("no nonce", |s| s.quote.nonce.clear(), Code::NonceMismatch),
        (
            "sha-1 bank",
            |s| s.quote.selections[0].0 = 4,
            Code::PcrBankNotAllowed,
        ),
        (
            "other bank",
            |s| s.quote.selections[0].0 = 0xC,
            Code::PcrDigestMismatch,
        ),
        (
            "no bank",
            |s| s.quote.selections.clear(),
            Code::PcrBankNotAllowed,
        ),
        (
            "two banks",
            |s| s.quote.selections.push((0xC, vec![1, 0, 0])),
            Code::PcrBankNotAllowed,
        ),
        (
            "register 3 is missing",
            |s| s.quote.selections[0].1[0] = 0xF7,
            Code::PcrSelectionIncomplete,
        ),
        (
            "register 8 more",
            |s| s.quote.selections[0].1[1] = 1,
            Code::PcrDigestMismatch,
        ),
        (
            "digest",
            |s| s.quote.digest[0] ^= 1,
            Code::PcrDigestMismatch,
        ),
        (
            "longer digest",
            |s| s.quote.digest.push(0),
            Code::PcrDigestMismatch,
        ),
        ("no values", |s| s.values = None, Code::EvidenceMissing),
        (
            "one value is missing",
            |s| s.values = Some(values(0..=6)),
            Code::PcrDigestMismatch,
        ),
        (
            "other value",
            |s| s.values = Some(values(0..=7).with(2, &[0; 32])),
            Code::PcrDigestMismatch,
        ),
        (
            "values cut elsewhere",
            |s| {
                let long = [&value(0)[..], &value(1)[..1]].concat();
                s.values = Some(values(0..=7).with(0, &long).with(1, &value(1)[1..]));
            },
            Code::PcrDigestMismatch,
        ),
        (
            "value not allowed",
            |s| s.rules = s.rules.clone().allowed_value(3, &value(4)),
            Code::PcrValueNotAllowed,
        ),
        (
            "value of a register that is not quoted",
            |s| s.rules = s.rules.clone().allowed_value(9, &value(9)),
            Code::PcrValueNotAllowed,
        ),
        (
            "bank not accepted",
            |s| s.rules = s.rules.clone().bank(HashAlgorithm::Sha384),
            Code::PcrBankNotAllowed,
        ),
        (
            "nobody said which nonce",
            |s| s.rules = Rules::default(),
            Code::NonceMismatch,
        ),
    ];
    for (name, edit, code) in cases {
        assert_eq!(Setup::new().with(edit).code(), Some(code), "{name}");
    }
}

#[test]
fn each_attribute_of_the_key_alone_can_refuse() {
    for bit in [1, 4, 5, 16, 17, 18] {
        let setup = Setup::new().with(|setup| setup.attributes = ATTRIBUTES ^ 1 << bit);
        assert_eq!(
            setup.code(),
            Some(Code::AttestationKeyNotRestricted),
            "{bit}"
        );
    }
    for bit in [0, 3, 12, 15, 20, 31] {
        let setup = Setup::new().with(|setup| setup.attributes = ATTRIBUTES | 1 << bit);
        assert_eq!(setup.code(), Some(Code::ReportMalformed), "{bit}");
    }
}

#[test]
fn each_certificate_alone_can_refuse() {
    let cases: [(&str, fn(&mut Setup), Code); 9] = [
        (
            "expired leaf",
            |s| s.leaf.not_after = UnixSeconds::new(NOW.get() - 1),
            Code::CertificateExpired,
        ),
        (
            "leaf of tomorrow",
            |s| s.leaf.not_before = NOW.saturating_add(1),
            Code::CertificateNotYetValid,
        ),
        (
            "expired intermediate",
            |s| s.intermediate.not_after = UnixSeconds::new(NOW.get() - 1),
            Code::CertificateExpired,
        ),
        (
            "another key",
            |s| s.leaf.public_key = TestKey::p256(9).spki(),
            Code::AttestationKeyMismatch,
        ),
        (
            "not for attestation keys",
            |s| s.leaf.extensions.truncate(2),
            Code::CertificateMalformed,
        ),
        (
            "leaf is an authority",
            |s| {
                let usage = s.leaf.extensions.pop().unwrap();
                s.leaf.extensions = s.intermediate.extensions.clone();
                s.leaf.extensions.push(usage);
            },
            Code::CertificateMalformed,
        ),
        (
            "intermediate is no authority",
            |s| s.intermediate.extensions.clear(),
            Code::CertificateMalformed,
        ),
        (
            "another key certified the leaf",
            |s| s.intermediate.public_key = TestKey::p256(9).spki(),
            Code::CertificateSignature,
        ),
        (
            "the issuer is missing",
            |s| s.leaf.issuer = "nobody".to_owned(),
            Code::EvidenceMissing,
        ),
    ];
    for (name, edit, code) in cases {
        assert_eq!(Setup::new().with(edit).code(), Some(code), "{name}");
    }
}

#[test]
fn a_root_that_is_not_pinned_is_refused() {
    let setup = Setup::new();
    let [leaf, intermediate, root] = setup.certificates();
    let certificates = KeyCertificates {
        leaf: &leaf,
        authorities: vec![&intermediate, &root],
    };
    let judge = |anchors: &Anchors| {
        let appraisal = appraise_certificates(&certificates, anchors, NOW);
        appraisal.verdict().map(|_| ())
    };
    assert_eq!(judge(&setup.anchors()), Ok(()));
    assert_eq!(judge(&Anchors::vendor()), Err(Code::RootNotPinned));
    let other = Anchors::with_root(&intermediate).unwrap();
    assert_eq!(judge(&other), Err(Code::RootNotPinned));
    assert!(Anchors::with_root(b"").is_err());
}

/// `SEQUENCE { "z", 1, "p", 2, "i", [0] { SEQUENCE { [0] 0, [1] production, [2] TRUE } } }`.
fn google_instance(production: u8) -> ExtensionDraft {
    let mut value = vec![0x30, 0x22];
    value.extend([
        0x0C, 1, b'z', 0x02, 1, 1, 0x0C, 1, b'p', 0x02, 1, 2, 0x0C, 1, b'i',
    ]);
    value.extend([
        0xA0, 17, 0x30, 15, 0xA0, 3, 0x02, 1, 0, 0xA1, 3, 0x01, 1, production,
    ]);
    value.extend([0xA2, 3, 0x01, 1, 0xFF]);
    ExtensionDraft::new("1.3.6.1.4.1.11129.2.1.21", false, value)
}

#[test]
fn google_certifies_attestation_keys_by_the_instance() {
    let setup = |edit: fn(&mut Vec<ExtensionDraft>)| {
        Setup::new().with(|setup| {
            *setup.leaf.extensions.last_mut().unwrap() = google_instance(0xFF);
            edit(&mut setup.leaf.extensions);
        })
    };
    let judge = |setup: &Setup, anchors: &Anchors| {
        let [leaf, intermediate, root] = setup.certificates();
        let certificates = KeyCertificates {
            leaf: &leaf,
            authorities: vec![&intermediate, &root],
        };
        let appraisal = appraise_certificates(&certificates, anchors, NOW);
        appraisal.verdict().map(|_| ())
    };
    let google = |setup: &Setup| Anchors::with_google_root(&setup.certificates()[2]);
    let good = setup(|_| ());
    assert_eq!(judge(&good, &google(&good)), Ok(()));
    // Each way of saying it counts below its own roots only.
    let malformed = Err(Code::CertificateMalformed);
    assert_eq!(judge(&good, &good.anchors()), malformed);
    assert_eq!(judge(&Setup::new(), &google(&Setup::new())), malformed);
    assert_eq!(judge(&good, &Anchors::vendor()), Err(Code::RootNotPinned));
    let edits: [(&str, fn(&mut Vec<ExtensionDraft>)); 4] = [
        ("a test of Google's own", |all| {
            *all.last_mut().unwrap() = google_instance(0);
        }),
        ("nothing about the instance", |all| drop(all.pop())),
        ("bytes behind it", |all| {
            let good = google_instance(0xFF);
            let value = [&good.value[..], &[0]].concat();
            *all.last_mut().unwrap() = ExtensionDraft { value, ..good };
        }),
        // KeyUsage { keyEncipherment }: the endorsement key of the same instance.
        ("it may not sign", |all| {
            all[1] = ExtensionDraft::new("2.5.29.15", true, [0x03, 0x02, 0x05, 0x20]);
        }),
    ];
    for (name, edit) in edits {
        let setup = setup(edit);
        assert_eq!(judge(&setup, &google(&setup)), malformed, "{name}");
    }
}

#[test]
fn of_two_authorities_with_one_name_the_one_that_signed_counts() {
    let setup = Setup::new();
    let [leaf, intermediate, root] = setup.certificates();
    let other = authority_draft("intermediate", "root", &TestKey::p256(4));
    let other = TestKey::p256(3).certify(&other);
    for authorities in [
        vec![&intermediate[..], &other, &root],
        vec![&other[..], &intermediate, &root],
    ] {
        let certificates = KeyCertificates {
            leaf: &leaf,
            authorities,
        };
        let appraisal = appraise_certificates(&certificates, &setup.anchors(), NOW);
        assert_eq!(appraisal.verdict().map(|_| ()), Ok(()));
    }
}

#[test]
fn a_certificate_is_read_in_zero_padding_and_no_other() {
    let setup = Setup::new();
    let judge = |padding: &[u8]| {
        let appraisal = setup.appraise_edited(|pieces| {
            pieces.certificates.as_mut().unwrap()[0].extend(padding);
        });
        appraisal.verdict().map(|_| ())
    };
    assert_eq!(judge(&[0; 3000]), Ok(()));
    assert_eq!(judge(&[0, 0, 1]), Err(Code::CertificateMalformed));
}

#[test]
fn parts_that_rules_do_not_require_are_gaps_where_missing() {
    let rules = Rules::default()
        .any_nonce()
        .values(Requirement::IfPresent)
        .key_certificate(Requirement::IfPresent);
    let setup = Setup::new().with(|setup| {
        setup.rules = rules;
        setup.values = None;
    });
    let appraisal = setup.appraise_edited(|pieces| pieces.certificates = None);
    assert!(appraisal.verdict().is_ok());
    assert_eq!(
        appraisal.gaps(),
        [
            Gap::TpmKeyNotCertified,
            Gap::RevocationNotChecked,
            Gap::TpmNonceNotCompared,
            Gap::PcrValuesAbsent,
            Gap::HostNotExcluded
        ]
    );
    let strict = Setup::new().appraise_edited(|pieces| pieces.certificates = None);
    assert_eq!(strict.verdict().unwrap_err(), Code::EvidenceMissing);
}

#[test]
fn a_plain_public_key_does_not_say_what_it_may_do() {
    let setup = Setup::new();
    let quote = setup.quote.bytes();
    let (signature, spki) = (sign(&setup.key, &quote), setup.key.spki());
    let evidence = Evidence {
        quote: &quote,
        signature: QuoteSignature::Structure(&signature),
        key: AttestationKey::SubjectPublicKeyInfo(&spki),
        certificates: None,
        values: setup.values.clone(),
        event_log: None,
    };
    let rules = setup.rules.clone().key_certificate(Requirement::IfPresent);
    let judge = |rules: &Rules| appraise(&evidence, rules, &setup.anchors(), NOW);
    assert_eq!(judge(&rules).verdict().unwrap_err(), Code::EvidenceMissing);
    let lenient = judge(&rules.key_attributes(Requirement::IfPresent));
    assert!(lenient.verdict().is_ok());
    assert!(lenient.gaps().contains(&Gap::TpmKeyAttributesUnknown));
}

#[test]
fn rsa_keys_sign_quotes_too() {
    let setup = Setup::new().with(|setup| {
        setup.key = TestKey::rsa_pkcs1();
        setup.leaf.public_key = setup.key.spki();
    });
    assert_eq!(setup.code(), None);
    let appraisal = setup.appraise_edited(|pieces| pieces.signature[300 - 100] ^= 1);
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportSignature);
}

#[test]
fn a_signature_must_be_of_the_kind_the_key_is_bound_to() {
    let cases: [(&str, usize, u8, Code); 4] = [
        ("RSASSA", 1, 0x14, Code::ReportMalformed),
        ("unknown", 1, 0x15, Code::SignatureAlgorithmNotAllowed),
        ("SHA-384", 3, 0x0C, Code::SignatureAlgorithmNotAllowed),
        ("SHA-1", 3, 0x04, Code::SignatureAlgorithmNotAllowed),
    ];
    for (name, at, byte, code) in cases {
        let appraisal = Setup::new().appraise_edited(|pieces| pieces.signature[at] = byte);
        assert_eq!(appraisal.verdict().unwrap_err(), code, "{name}");
    }
}

#[test]
fn a_key_that_is_bound_to_no_scheme_may_not_use_sha_1() {
    let setup = Setup::new();
    let appraisal = setup.appraise_edited(|pieces| {
        // TPM_ALG_NULL has no hash behind it.
        pieces.public.splice(12..16, [0x00, 0x10]);
        pieces.signature[3] = 0x04;
    });
    let code = appraisal.verdict().unwrap_err();
    assert_eq!(code, Code::SignatureAlgorithmNotAllowed);
    let unbound = setup.appraise_edited(|pieces| {
        pieces.public.splice(12..16, [0x00, 0x10]);
    });
    assert!(unbound.verdict().is_ok());
}

/// Every bit of the signed structure and of the signature.
#[test]
fn every_flipped_bit_is_refused() {
    let setup = Setup::new();
    for bit in 0..setup.quote.bytes().len() * 8 {
        let appraisal = setup.appraise_edited(|pieces| pieces.quote[bit / 8] ^= 1 << (bit % 8));
        assert!(appraisal.verdict().is_err(), "bit {bit} of the quote");
    }
    let length = sign(&setup.key, &setup.quote.bytes()).len();
    for bit in 0..length * 8 {
        let appraisal = setup.appraise_edited(|pieces| pieces.signature[bit / 8] ^= 1 << (bit % 8));
        assert!(appraisal.verdict().is_err(), "bit {bit} of the signature");
    }
    let length = public(&setup.key, ATTRIBUTES).len();
    for bit in 0..length * 8 {
        // Which hash makes the key's name, and the attributes, of which some say
        // nothing that is demanded; they have a test of their own.
        if (16..64).contains(&bit) {
            continue;
        }
        let appraisal = setup.appraise_edited(|pieces| pieces.public[bit / 8] ^= 1 << (bit % 8));
        assert!(appraisal.verdict().is_err(), "bit {bit} of the key");
    }
}

#[test]
fn pieces_of_another_machine_are_refused() {
    let (one, other) = (Setup::new(), other_machine());
    let quote = other.quote.bytes();
    let signature = sign(&other.key, &quote);
    let certificates = other.certificates();
    let swaps: [(&str, &dyn Fn(&mut super::fixtures::Pieces)); 4] = [
        ("quote", &|pieces| pieces.quote.clone_from(&quote)),
        ("signature", &|pieces| {
            pieces.signature.clone_from(&signature);
        }),
        ("key", &|pieces| {
            pieces.public = public(&other.key, ATTRIBUTES);
        }),
        ("certificate", &|pieces| {
            pieces.certificates.as_mut().unwrap()[0].clone_from(&certificates[0]);
        }),
    ];
    for (name, swap) in swaps {
        assert!(one.appraise_edited(swap).verdict().is_err(), "{name}");
    }
    let swapped = Setup::new().with(|setup| setup.values.clone_from(&other.values));
    assert_eq!(swapped.code(), Some(Code::PcrDigestMismatch));
    assert_eq!(other.code(), None);
}

fn other_machine() -> Setup {
    Setup::new().with(|setup| {
        setup.key = TestKey::p256(8);
        setup.leaf.public_key = setup.key.spki();
        let values = values(0..=7).with(4, &[4; 32]);
        setup.quote.digest = digest_of(&values);
        setup.values = Some(values);
    })
}

#[test]
fn a_cut_or_lengthened_piece_is_refused() {
    let setup = Setup::new();
    let edits: [(&str, fn(&mut super::fixtures::Pieces)); 6] = [
        ("quote cut", |pieces| {
            pieces.quote.truncate(pieces.quote.len() - 1);
        }),
        ("quote longer", |pieces| pieces.quote.push(0)),
        ("signature cut", |pieces| {
            pieces.signature.truncate(pieces.signature.len() - 1);
        }),
        ("signature longer", |pieces| pieces.signature.push(0)),
        ("key cut", |pieces| {
            pieces.public.truncate(pieces.public.len() - 1);
        }),
        ("key longer", |pieces| pieces.public.push(0)),
    ];
    for (name, edit) in edits {
        let appraisal = setup.appraise_edited(edit);
        assert_eq!(
            appraisal.verdict().unwrap_err(),
            Code::ReportMalformed,
            "{name}"
        );
    }
}

#[test]
fn a_sized_key_is_read_to_its_end() {
    let bytes = public(&TestKey::p256(1), ATTRIBUTES);
    let sized = super::fixtures::sized(&bytes);
    assert!(Public::parse_sized(&sized).is_ok());
    assert!(Public::parse_sized(&[&sized[..], &[0]].concat()).is_err());
    assert!(Public::parse_sized(&bytes).is_err());
}

#[test]
fn other_keys_than_signing_keys_are_refused() {
    let cases: [(&str, usize, u8); 6] = [
        ("symmetric", 1, 0x25),
        ("with a cipher", 11, 0x06),
        ("with another scheme", 13, 0x1A),
        ("on P-521", 17, 0x05),
        ("with a derivation", 19, 0x20),
        ("off its curve", 40, 0x00),
    ];
    for (name, at, byte) in cases {
        let mut bytes = public(&TestKey::p256(1), ATTRIBUTES);
        assert_ne!(bytes[at], byte, "{name}");
        bytes[at] = byte;
        assert!(Public::parse(&bytes).is_err(), "{name}");
    }
    let mut rsa = public(&TestKey::rsa_pkcs1(), ATTRIBUTES);
    assert!(Public::parse(&rsa).is_ok());
    rsa[21] = 3;
    assert_eq!(
        Public::parse(&rsa).unwrap_err(),
        PublicError::Exponent { got: 3 }
    );
}

#[test]
fn a_primary_key_names_its_hierarchy() {
    let key = TestKey::p256(1);
    let bytes = public(&key, ATTRIBUTES);
    let hash = |parts: &[&[u8]]| crate::signature::Hash::Sha256.digest(&parts.concat());
    let name = [&SHA256.to_be_bytes()[..], &hash(&[&bytes])].concat();
    let qualified = [
        &SHA256.to_be_bytes()[..],
        &hash(&[&[0x40, 0, 0, 0x0B], &name]),
    ]
    .concat();
    let public = Public::parse(&bytes).unwrap();
    assert_eq!(public.hierarchy(&qualified), Some("endorsement"));
    assert_eq!(public.hierarchy(&name), None);
    assert_eq!(public.hierarchy(&[]), None);
}

#[test]
fn selections_are_read_in_bounds() {
    for (name, selections, is_good) in [
        ("17 banks", vec![(SHA256, vec![1, 0, 0]); 17], false),
        ("two bytes", vec![(SHA256, vec![1, 0])], false),
        ("33 bytes", vec![(SHA256, vec![1; 33])], false),
        ("32 bytes", vec![(SHA256, vec![0x80; 32])], true),
    ] {
        let draft = QuoteDraft {
            selections,
            ..QuoteDraft::new()
        };
        let quote = Quote::parse(&draft.bytes());
        assert_eq!(quote.is_ok(), is_good, "{name}");
    }
    assert_eq!(
        Quote::parse(&[0; 1025]).unwrap_err(),
        QuoteError::Length { got: 1025 }
    );
}

#[test]
fn the_nonce_is_compared_whole() {
    for nonce in [&NONCE[..3], b"", b"a nonce and more"] {
        let rules = Rules::default().nonce(nonce);
        let setup = Setup::new().with(|setup| setup.rules = rules);
        assert_eq!(setup.code(), Some(Code::NonceMismatch));
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut quote = vec![0xFF, 0x54, 0x43, 0x47, 0x80, 0x18];
        quote.extend(&bytes);
        prop_assert!(Quote::parse(&bytes).is_err());
        let _ = Quote::parse(&quote);
        let _ = Public::parse(&bytes);
        let _ = Public::parse_sized(&bytes);
        let setup = Setup::new();
        let appraisal = setup.appraise_edited(|pieces| pieces.signature.clone_from(&bytes));
        prop_assert!(appraisal.verdict().is_err());
    }
}
