//! The bundle's form. What it proves is tested with the appraisal.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use minicbor::Encoder;
use proptest::prelude::*;

use super::*;
use crate::fixtures::Setup;

#[test]
fn a_bundle_gives_back_what_was_put_in() {
    let bundle = small().checkpoint(*b"cp").gpu_evidence(*b"gpu");
    let bundle = bundle.release_proof(*b"r").machine_proof(*b"m");
    let read = Bundle::parse(bundle.build().unwrap().as_bytes()).unwrap();
    assert_eq!(read.key_configuration(), b"kc");
    assert_eq!(read.checkpoint(), Some(&b"cp"[..]));
    assert_eq!(read.gpu_evidence(), Some(&b"gpu"[..]));
    assert_eq!(read.release_proof(), Some(&b"r"[..]));
    assert_eq!(read.machine_proof(), Some(&b"m"[..]));
    assert_eq!(read.snp(), Some(PARTS));
}

#[test]
fn a_bundle_of_a_vlek_gives_back_a_vlek() {
    let evidence = SnpEvidence {
        kind: KeyKind::Vlek,
        revocation_list: None,
        ..PARTS
    };
    let bundle = Bundle::builder(*b"kc").snp(evidence).build().unwrap();
    assert_eq!(bundle.snp(), Some(evidence));
}

#[test]
fn the_hash_is_over_the_exact_bytes() {
    let bundle = Setup::new().bundle();
    assert_eq!(bundle.hash(), Sha256Digest::of(bundle.as_bytes()));
}

#[test]
fn the_order_of_building_does_not_matter() {
    let one = small().checkpoint(*b"cp").gpu_evidence(*b"gpu");
    let other = small().gpu_evidence(*b"gpu").checkpoint(*b"cp");
    assert_eq!(one.build(), other.build());
}

#[test]
fn labels_are_in_the_order_of_their_encoding() {
    let encoded: Vec<Vec<u8>> = Label::ALL
        .iter()
        .map(|label| minicbor::to_vec(label.as_str()).unwrap())
        .collect();
    assert!(encoded.is_sorted());
    assert!(Label::ALL.iter().is_sorted_by_key(|label| label.sort_key()));
}

#[test]
fn the_first_bytes_are_those_of_the_specification() {
    let bytes = small().build().unwrap();
    // A map of 7, "snp-ark", [ "application/pkix-cert", …
    let start = b"\xA7\x67snp-ark\x82\x75application/pkix-cert\x43ark";
    assert!(bytes.as_bytes().starts_with(start));
}

#[test]
fn each_missing_part_is_refused_by_name() {
    for label in [
        Label::KeyConfiguration,
        Label::SnpReport,
        Label::SnpVcek,
        Label::SnpAsk,
        Label::SnpArk,
    ] {
        let mut entries = entries();
        entries.retain(|(other, _)| *other != label);
        let error = Bundle::parse(&wire::encode(&entries).unwrap()).unwrap_err();
        assert_eq!(error, BundleError::Missing { label });
        assert_eq!(error.code(), Code::EvidenceMissing);
    }
}

#[test]
fn a_bundle_without_a_platform_is_refused() {
    let error = Bundle::builder(*b"kc").checkpoint(*b"cp").build();
    assert_eq!(error.unwrap_err(), BundleError::NoPlatformEvidence);
}

#[test]
fn a_vcek_beside_a_vlek_is_refused() {
    let error = small().with(Label::SnpVlek, *b"vlek").build().unwrap_err();
    let label = Label::SnpAsvk;
    assert_eq!(error, BundleError::Missing { label });
    let error = small().with(Label::SnpAsvk, *b"asvk").build().unwrap_err();
    let (label, with) = (Label::SnpAsvk, Label::SnpVcek);
    assert_eq!(error, BundleError::Conflict { label, with });
    let both = small().with(Label::SnpAsvk, *b"asvk");
    let error = both.with(Label::SnpVlek, *b"vlek").build().unwrap_err();
    let (label, with) = (Label::SnpVcek, Label::SnpVlek);
    assert_eq!(error, BundleError::Conflict { label, with });
}

#[test]
fn a_repeated_label_is_refused() {
    let error = small().checkpoint(*b"1").checkpoint(*b"2").build();
    let label = Label::Checkpoint;
    assert_eq!(error.unwrap_err(), BundleError::Duplicate { label });
}

#[test]
fn an_unknown_label_is_refused_with_its_beginning() {
    let label = "x".repeat(100);
    let bytes = with_entry(&label, "text/plain", b"v");
    let label = "x".repeat(64);
    let error = Bundle::parse(&bytes).unwrap_err();
    assert_eq!(error, BundleError::UnknownLabel { label });
}

#[test]
fn evidence_of_another_platform_is_unsupported_and_never_ignored() {
    for label in [
        "tdx-other",
        "sgx-quote",
        "nitro-other",
        "cca-token",
        "psa-token",
        "tpm-quote",
    ] {
        let bytes = with_entry(label, "application/eat+cwt", b"v");
        let error = Bundle::parse(&bytes).unwrap_err();
        assert_eq!(error.code(), Code::UnsupportedPlatform, "{label}");
    }
}

#[test]
fn another_media_type_is_refused() {
    for label in Label::ALL {
        let bytes = with_entry(label.as_str(), "application/octet-stream", b"v");
        let error = Bundle::parse(&bytes).unwrap_err();
        assert_eq!(error, BundleError::MediaType { label });
    }
}

#[test]
fn an_empty_or_overlong_part_is_refused() {
    for label in Label::ALL {
        for got in [0, label.max_len() + 1] {
            let bytes = with_entry(label.as_str(), label.media_type(), &vec![1; got]);
            let error = Bundle::parse(&bytes).unwrap_err();
            assert_eq!(error, BundleError::EntryLength { label, got });
        }
    }
}

#[test]
fn another_type_or_none_is_refused() {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    encoder.map(1).unwrap().str("__cmwc_t").unwrap();
    encoder
        .str("tag:subrosa.dev,2026:evidence-bundle/2")
        .unwrap();
    assert_eq!(Bundle::parse(&bytes).unwrap_err(), BundleError::WrongType);

    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    encoder
        .map(1)
        .unwrap()
        .str("snp-ark")
        .unwrap()
        .array(2)
        .unwrap();
    encoder
        .str("application/pkix-cert")
        .unwrap()
        .bytes(b"v")
        .unwrap();
    assert_eq!(Bundle::parse(&bytes).unwrap_err(), BundleError::WrongType);
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = small().build().unwrap().bytes;
    let at = bytes.len();
    bytes.push(0);
    assert_eq!(
        Bundle::parse(&bytes).unwrap_err(),
        BundleError::Format { at }
    );
}

#[test]
fn every_cut_is_refused() {
    let bytes = small().build().unwrap().bytes;
    for at in 0..bytes.len() {
        assert!(Bundle::parse(&bytes[..at]).is_err(), "cut at {at}");
    }
}

/// Each is the same content as a good bundle, spelt in another way.
#[test]
fn other_spellings_of_the_same_content_are_refused() {
    let good = small().build().unwrap().bytes;
    let long_map = [&[0xB8, 7], &good[1..]].concat();
    let indefinite_map = [&[0xBF], &good[1..], &[0xFF]].concat();
    let long_text = [&good[..1], &[0x78, 7], &good[2..]].concat();
    let mut swapped = entries();
    swapped.swap(0, 1);
    for (name, bytes) in [
        ("long map length", long_map),
        ("indefinite map", indefinite_map),
        ("long text length", long_text),
        ("other order", wire::encode(&swapped).unwrap()),
        ("tagged", [&[0xD9, 0xD9, 0xF7], &good[..]].concat()),
    ] {
        let error = Bundle::parse(&bytes).unwrap_err();
        assert_eq!(error.code(), Code::BundleMalformed, "{name}");
    }
}

#[test]
fn too_many_entries_are_refused_before_they_are_read() {
    for (bytes, got) in [
        (&[0xB8, 23, 0x00][..], 23),
        (
            &[0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            u64::MAX,
        ),
    ] {
        let expected = 22;
        let refused = BundleError::TooManyEntries { expected, got };
        assert_eq!(Bundle::parse(bytes).unwrap_err(), refused);
    }
}

#[test]
fn an_overlong_bundle_is_refused_before_it_is_read() {
    let got = Bundle::MAX_LEN + 1;
    let error = Bundle::parse(&vec![0xA0; got]).unwrap_err();
    assert_eq!(error, BundleError::TooLong { got });
}

#[test]
fn a_length_beyond_the_input_reserves_nothing() {
    let bytes = b"\xA1\x67snp-ark\x82\x75application/pkix-cert\x5B\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    assert!(Bundle::parse(bytes).is_err());
}

#[test]
fn what_is_shown_for_debugging_is_sizes() {
    let bundle = Bundle::builder(*b"secret?").snp(PARTS).build().unwrap();
    let shown = format!("{bundle:?}");
    assert!(shown.contains("KeyConfiguration: 7"), "{shown}");
    assert!(!shown.contains("secret"));
}

proptest! {
    #[test]
    fn no_bytes_panic_the_parser(bytes: Vec<u8>) {
        let _ = Bundle::parse(&bytes);
    }

    /// What is read is what was written, bit for bit, or nothing is read.
    #[test]
    fn a_changed_bundle_is_another_bundle(
        at in any::<proptest::sample::Index>(), byte: u8
    ) {
        let good = small().build().unwrap();
        let mut bytes = good.bytes.clone();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        if let Ok(read) = Bundle::parse(&bytes) {
            prop_assert_eq!(read.as_bytes(), bytes.as_slice());
            prop_assert_ne!(read.entries, good.entries);
        }
    }
}

const PARTS: SnpEvidence<'static> = SnpEvidence {
    report: b"report",
    kind: KeyKind::Vcek,
    leaf: b"vcek",
    intermediate: b"ask",
    root: b"ark",
    revocation_list: Some(b"crl"),
};

fn small() -> Builder {
    Bundle::builder(*b"kc").snp(PARTS)
}

fn entries() -> Vec<(Label, Vec<u8>)> {
    small().build().unwrap().entries
}

/// A bundle with one entry, which need not be a good one.
fn with_entry(label: &str, media_type: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    encoder.map(2).unwrap().str("__cmwc_t").unwrap();
    encoder.str(wire::COLLECTION_TYPE).unwrap();
    encoder.str(label).unwrap().array(2).unwrap();
    encoder.str(media_type).unwrap().bytes(value).unwrap();
    bytes
}
