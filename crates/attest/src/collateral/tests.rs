//! Every rule of `spec/collateral.md`, with one thing wrong at a time.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "tests: tables are long"
)]

use minicbor::Encoder;
use proptest::prelude::*;

use super::fixtures::{LATER, Sample, lasting, pem, qe_identity, revocation_list, tcb_info};
use super::*;
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, leaf_draft};
use crate::snp::{Anchors, Demands, Rules, appraise};

#[test]
fn what_was_built_is_read_again() {
    for sample in Sample::all() {
        let built = sample.build();
        let read = Collateral::parse(built.as_bytes()).unwrap();
        assert_eq!(read, built);
        assert_eq!(read.kind(), sample.kind);
        assert_eq!(read.gathered_at(), NOW);
        assert!(read.is_for(&sample.evidence));
        assert_eq!(read.entries().len(), sample.parts.len());
        for (label, content) in &sample.parts {
            assert_eq!(read.get(*label).unwrap(), content, "{label}");
        }
    }
}

#[test]
fn the_kind_is_seen_in_the_evidence() {
    for sample in Sample::all() {
        assert_eq!(Kind::detect(&sample.evidence), Some(sample.kind));
        assert_eq!(sample.kind.as_str().parse(), Ok(sample.kind));
    }
    for other in [b"".as_slice(), b"{}", &[0; 1184], &[3, 0, 3, 0, 0, 0, 0, 0]] {
        assert_eq!(Kind::detect(other), None);
    }
    assert_eq!("sev-snp".parse::<Kind>(), Err(UnknownKind));
}

#[test]
fn a_gathered_report_is_accepted_by_the_verifier() {
    let sample = Sample::snp();
    let collateral = sample.build();
    let evidence = collateral.snp(&sample.evidence).unwrap();
    let anchors = Anchors::of_test_root(evidence.root, evidence.intermediate).unwrap();
    let rules = Rules::strict();
    let appraisal = appraise(&evidence, &rules, &Demands::none(), &anchors, NOW);
    assert!(appraisal.verdict().is_ok(), "{:?}", appraisal.verdict());
    let late = collateral.expires_at().saturating_add(1);
    let appraisal = appraise(&evidence, &rules, &Demands::none(), &anchors, late);
    assert!(appraisal.verdict().is_err());
}

#[test]
fn a_part_of_a_vlek_takes_the_place_of_that_of_a_vcek() {
    let sample = Sample::snp();
    let [vcek, ask] = [Label::SnpVcek, Label::SnpAsk].map(|label| {
        let found = sample.parts.iter().find(|(other, _)| *other == label);
        found.unwrap().1.clone()
    });
    let sample = sample
        .without(Label::SnpVcek)
        .without(Label::SnpAsk)
        .with(Label::SnpVlek, vcek)
        .with(Label::SnpAsvk, ask);
    let collateral = sample.build();
    assert_eq!(
        collateral.snp(&sample.evidence).unwrap().kind,
        KeyKind::Vlek
    );
}

#[test]
fn collateral_of_other_evidence_is_not_handed_out() {
    for sample in Sample::all() {
        let collateral = sample.build();
        let mut other = sample.evidence.clone();
        other[50] ^= 1;
        assert!(!collateral.is_for(&other));
        assert!(collateral.snp(&other).is_none());
        assert!(collateral.dcap(&other).is_none());
        assert!(collateral.nvidia(&other).is_none());
        let own = &sample.evidence;
        assert_eq!(
            collateral.snp(own).is_some(),
            sample.kind == Kind::SevSnpReport
        );
        assert_eq!(
            collateral.nvidia(own).is_some(),
            sample.kind == Kind::NvidiaReport
        );
        assert_eq!(
            collateral.dcap(own).is_some(),
            matches!(sample.kind, Kind::SgxQuote | Kind::TdxQuote)
        );
    }
}

#[test]
fn parts_of_a_quote_and_of_a_device_are_handed_out_each_in_its_place() {
    let sample = Sample::tdx();
    let collateral = sample.build();
    let parts = collateral.dcap(&sample.evidence).unwrap();
    let parts = parts.collateral();
    for (label, content) in [
        (Label::DcapTcbInfoIssuers, parts.tcb_info_issuer_chain),
        (Label::DcapQeIdentityIssuers, parts.qe_identity_issuer_chain),
        (Label::DcapPckCrl, parts.pck_crl),
        (Label::DcapRootCrl, parts.root_ca_crl),
    ] {
        assert_eq!(collateral.get(label).unwrap(), content, "{label}");
    }
    for (label, signed, signature) in [
        (Label::DcapTcbInfo, parts.tcb_info, parts.tcb_info_signature),
        (
            Label::DcapQeIdentity,
            parts.qe_identity,
            parts.qe_identity_signature,
        ),
    ] {
        let answer = collateral.get(label).unwrap();
        let (expected, expected_signature) = split_signed_json(label, answer).unwrap();
        assert_eq!(signed, expected, "{label}");
        assert_eq!(signature, expected_signature, "{label}");
    }
    let sample = Sample::nvidia();
    let collateral = sample.build();
    let parts = collateral.nvidia(&sample.evidence).unwrap();
    assert_eq!(parts.manifests.len(), 2);
    assert_eq!(parts.revocation_answers.len(), sample.parts.len() - 2);
}

#[test]
fn a_part_that_is_missing_is_named() {
    for sample in Sample::all() {
        for (label, _) in &sample.parts {
            let last = sample.parts.last().unwrap().0;
            if *label == Label::NvidiaRimDriver || *label == last && label.is_optional() {
                continue;
            }
            let kind = sample.kind;
            let parts = sample.parts.clone();
            let without = Sample {
                kind,
                evidence: sample.evidence.clone(),
                certificates: None,
                parts,
            }
            .without(*label);
            let error = without.builder().build().unwrap_err();
            assert_eq!(error, CollateralError::Missing { label: *label });
        }
    }
}

#[test]
fn a_part_of_another_kind_is_refused() {
    let crl = Sample::snp().parts[3].1.clone();
    let tdx = Sample::tdx().with(Label::SnpCrl, crl);
    assert!(matches!(
        tdx.builder().build(),
        Err(CollateralError::Stranger {
            label: Label::SnpCrl,
            kind: Kind::TdxQuote
        })
    ));
    let root_crl = Sample::tdx().parts[6].1.clone();
    let snp = Sample::snp().with(Label::DcapRootCrl, root_crl);
    assert_eq!(snp.builder().build().unwrap_err().name(), "stranger");
}

#[test]
fn a_vcek_and_a_vlek_exclude_each_other() {
    let vcek = Sample::snp().parts[0].1.clone();
    let both = Sample::snp().with(Label::SnpVlek, vcek.clone());
    assert_eq!(both.builder().build().unwrap_err().name(), "missing");
    let ask = Sample::snp().parts[1].1.clone();
    let all = both.with(Label::SnpAsvk, ask);
    assert_eq!(all.builder().build().unwrap_err().name(), "stranger");
}

#[test]
fn a_part_that_is_added_twice_is_refused() {
    let sample = Sample::snp();
    let (label, content) = sample.parts[0].clone();
    let builder = sample.builder().entry(label, "local", content);
    assert_eq!(
        builder.build().unwrap_err(),
        CollateralError::Duplicate { label }
    );
}

#[test]
fn collateral_of_sgx_does_not_pass_for_that_of_tdx() {
    for (sample, label, wrong) in [
        (
            Sample::tdx(),
            Label::DcapTcbInfo,
            tcb_info("SGX", &LATER.to_string()),
        ),
        (
            Sample::tdx(),
            Label::DcapQeIdentity,
            qe_identity("QE", &LATER.to_string()),
        ),
        (
            Sample::sgx(),
            Label::DcapTcbInfo,
            tcb_info("TDX", &LATER.to_string()),
        ),
        (
            Sample::sgx(),
            Label::DcapQeIdentity,
            qe_identity("QVE", &LATER.to_string()),
        ),
    ] {
        let error = sample.with(label, wrong).builder().build().unwrap_err();
        assert_eq!(error, CollateralError::Content { label });
    }
}

#[test]
fn what_is_not_what_its_label_says_is_refused() {
    for sample in Sample::all() {
        for (label, content) in sample.parts.clone() {
            for wrong in [b"x".to_vec(), content[..content.len() - 2].to_vec()] {
                let rest = Sample {
                    parts: sample.parts.clone(),
                    evidence: sample.evidence.clone(),
                    certificates: None,
                    kind: sample.kind,
                };
                // The end of a text says nothing about the certificates before it.
                let is_text = !matches!(content[0], 0x30 | b'{');
                if is_text && wrong != b"x" {
                    continue;
                }
                let error = rest.with(label, wrong).builder().build().unwrap_err();
                assert_eq!(error, CollateralError::Content { label }, "{label}");
            }
        }
    }
}

#[test]
fn the_file_expires_with_the_first_of_its_parts() {
    let key = TestKey::p256(2);
    let soon = NOW.saturating_add(1000);
    let short_list = revocation_list("Root", &key, Some(soon));
    let short_chain = {
        let mut leaf = lasting(leaf_draft("Signer", "Root", &key));
        leaf.not_after = soon;
        pem(&[
            key.certify(&leaf),
            key.certify(&lasting(leaf_draft("R", "R", &key))),
        ])
    };
    assert_eq!(Sample::tdx().build().expires_at(), LATER);
    for (label, short) in [
        (Label::DcapTcbInfo, tcb_info("TDX", &soon.to_string())),
        (
            Label::DcapQeIdentity,
            qe_identity("TD_QE", &soon.to_string()),
        ),
        (Label::DcapPckCrl, short_list.clone()),
        (Label::DcapRootCrl, short_list),
        (Label::DcapTcbInfoIssuers, short_chain.clone().into_bytes()),
        (
            Label::DcapQeIdentityIssuers,
            short_chain.clone().into_bytes(),
        ),
        (Label::DcapPckCrlIssuers, short_chain.into_bytes()),
    ] {
        let collateral = Sample::tdx().with(label, short).build();
        assert_eq!(collateral.expires_at(), soon, "{label}");
        assert!(!collateral.is_expired(soon));
        assert!(collateral.is_expired(soon.saturating_add(1)));
    }
}

#[test]
fn a_list_or_an_answer_without_a_next_update_is_refused() {
    let endless = revocation_list("Root", &TestKey::p256(1), None);
    let unwritten = br#"{"tcbInfo":{"id":"TDX"},"signature":"00"}"#;
    let undated = tcb_info("TDX", "soon");
    for (label, part) in [
        (Label::DcapRootCrl, endless.as_slice()),
        (Label::DcapTcbInfo, unwritten),
        (Label::DcapTcbInfo, &undated),
    ] {
        assert_eq!(expiry(label, part), None, "{label}");
        let error = Sample::tdx().with(label, part).builder().build();
        assert_eq!(error.unwrap_err(), CollateralError::Content { label });
    }
}

#[test]
fn the_signed_bytes_of_an_answer_are_those_that_came() {
    let answer =
        br#"{ "tcbInfo" : {"id":"SGX",  "nextUpdate":"2026-06-01T00:00:00Z"} , "signature":"#;
    let answer = [
        answer.as_slice(),
        format!("\"{}\"}}", "0f".repeat(64)).as_bytes(),
    ]
    .concat();
    let (signed, signature) = split_signed_json(Label::DcapTcbInfo, &answer).unwrap();
    assert_eq!(
        signed,
        br#"{"id":"SGX",  "nextUpdate":"2026-06-01T00:00:00Z"}"#
    );
    assert_eq!(signature, [0x0F; 64]);
    let text = String::from_utf8(answer).unwrap();
    for bad in [
        text.replace("tcbInfo", "enclaveIdentity"),
        text.replace("0f0f", "0f"),
        text.replace("\"signature\"", "\"more\":1,\"signature\""),
        format!("{text} x"),
    ] {
        let split = split_signed_json(Label::DcapTcbInfo, bad.as_bytes());
        assert!(split.is_none(), "{bad}");
    }
}

#[test]
fn sizes_are_bounded() {
    for (label, _) in label::NAMES {
        let long = vec![0; label.max_len() + 1];
        assert_eq!(expiry(label, &long), None);
    }
    let error = Collateral::parse(&vec![0; Collateral::MAX_LEN + 1]).unwrap_err();
    assert_eq!(error.name(), "too-long");
}

#[test]
fn every_label_is_read_as_it_is_written_and_none_other() {
    let numbered = (1..=Label::MAX_OCSP).map(Label::NvidiaOcsp);
    for label in label::NAMES
        .into_iter()
        .map(|(label, _)| label)
        .chain(numbered)
    {
        assert_eq!(Label::from_text(&label.to_string()), Some(label));
    }
    for other in [
        "",
        "snp",
        "nvidia-ocsp-",
        "nvidia-ocsp-0",
        "nvidia-ocsp-00",
        "nvidia-ocsp-1",
        "nvidia-ocsp-17",
        "nvidia-ocsp-001",
        "nvidia-ocsp-+1",
    ] {
        assert_eq!(Label::from_text(other), None, "{other}");
    }
}

/// Writes a file by hand, with one thing different.
struct Raw<'a> {
    keys: [&'a str; 6],
    kind: &'a str,
    file_type: &'a str,
    media_type: &'a str,
    source: &'a str,
    label: &'a str,
    digest: &'a [u8],
    gathered_at: u64,
    entries: u64,
}

impl Default for Raw<'_> {
    fn default() -> Self {
        Self {
            keys: [
                "kind",
                "type",
                "entries",
                "evidence",
                "expires_at",
                "gathered_at",
            ],
            kind: "sev-snp-report",
            file_type: wire::TYPE,
            media_type: "application/pkix-cert",
            source: "local",
            label: "snp-ark",
            digest: &[0; 32],
            gathered_at: 1,
            entries: 1,
        }
    }
}

impl Raw<'_> {
    fn refusal(&self) -> &'static str {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes);
        let [kind, file_type, entries, evidence, expires_at, gathered_at] = self.keys;
        encoder.map(6).unwrap();
        encoder.str(kind).unwrap().str(self.kind).unwrap();
        encoder.str(file_type).unwrap().str(self.file_type).unwrap();
        encoder.str(entries).unwrap().map(self.entries).unwrap();
        encoder.str(self.label).unwrap().array(3).unwrap();
        encoder
            .str(self.media_type)
            .unwrap()
            .str(self.source)
            .unwrap();
        encoder.bytes(&[1]).unwrap();
        encoder.str(evidence).unwrap().bytes(self.digest).unwrap();
        encoder.str(expires_at).unwrap().u64(1).unwrap();
        encoder
            .str(gathered_at)
            .unwrap()
            .u64(self.gathered_at)
            .unwrap();
        Collateral::parse(&bytes).unwrap_err().name()
    }
}

#[test]
fn each_field_alone_can_be_wrong() {
    // Nothing wrong but that parts are missing.
    assert_eq!(Raw::default().refusal(), "missing");
    for at in 0..6 {
        let mut raw = Raw::default();
        raw.keys[at] = "other";
        assert_eq!(raw.refusal(), "unknown-key", "key {at}");
    }
    let long = format!("https://{}", "a".repeat(1001));
    for (raw, name) in [
        (
            Raw {
                kind: "tpm-quote",
                ..Raw::default()
            },
            "kind",
        ),
        (
            Raw {
                file_type: "tag:subrosa.dev,2026:collateral/2",
                ..Raw::default()
            },
            "wrong-type",
        ),
        (
            Raw {
                media_type: "application/pkix-crl",
                ..Raw::default()
            },
            "media-type",
        ),
        (
            Raw {
                label: "snp-arq",
                ..Raw::default()
            },
            "unknown-label",
        ),
        (
            Raw {
                label: "nvidia-ocsp-17",
                ..Raw::default()
            },
            "unknown-label",
        ),
        (
            Raw {
                digest: &[0; 31],
                ..Raw::default()
            },
            "format",
        ),
        (
            Raw {
                gathered_at: 1 << 38,
                ..Raw::default()
            },
            "time",
        ),
        (
            Raw {
                entries: 25,
                ..Raw::default()
            },
            "too-many-entries",
        ),
        (
            Raw {
                entries: u64::MAX,
                ..Raw::default()
            },
            "too-many-entries",
        ),
        (
            Raw {
                source: "",
                ..Raw::default()
            },
            "source",
        ),
        (
            Raw {
                source: "https://",
                ..Raw::default()
            },
            "source",
        ),
        (
            Raw {
                source: "file:///etc/passwd",
                ..Raw::default()
            },
            "source",
        ),
        (
            Raw {
                source: "https://a b",
                ..Raw::default()
            },
            "source",
        ),
        (
            Raw {
                source: "https://a\u{1b}[31m",
                ..Raw::default()
            },
            "source",
        ),
        (
            Raw {
                source: &long,
                ..Raw::default()
            },
            "source",
        ),
    ] {
        assert_eq!(raw.refusal(), name);
    }
}

#[test]
fn an_expiry_that_its_parts_do_not_have_is_refused() {
    let collateral = Sample::tdx().build();
    let mut content = collateral.content.clone();
    for wrong in [LATER.get() - 1, LATER.get() + 1] {
        content.expires_at = UnixSeconds::new(wrong);
        let bytes = wire::encode(&content).unwrap();
        assert_eq!(
            Collateral::parse(&bytes).unwrap_err(),
            CollateralError::Expiry {
                expected: LATER,
                got: UnixSeconds::new(wrong)
            }
        );
    }
}

#[test]
fn nothing_may_follow_and_nothing_may_be_cut() {
    let good = Sample::sgx().build();
    let good = good.as_bytes();
    let longer = [good, &[0]].concat();
    assert!(Collateral::parse(&longer).is_err());
    for length in (0..good.len()).step_by(7) {
        assert!(Collateral::parse(&good[..length]).is_err(), "{length}");
    }
}

#[test]
fn debug_output_shows_no_content() {
    let shown = format!("{:?}", Sample::snp().build());
    assert!(shown.contains("SnpVcek") && shown.len() < 200, "{shown}");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Collateral::parse(&bytes);
        let _ = Kind::detect(&bytes);
        let _ = dcap::PlatformQuery::of_quote(&bytes);
        let _ = ocsp::Answer::parse(&bytes);
        for (label, _) in label::NAMES {
            let _ = expiry(label, &bytes);
        }
    }

    /// There is one encoding: whatever is changed, it is refused or another content.
    #[test]
    fn a_changed_byte_is_never_the_same_file(at in 0_usize..6000, bit in 0_u8..8) {
        let good = Sample::snp().build();
        let mut bytes = good.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(read) = Collateral::parse(&bytes) {
            prop_assert_eq!(read.as_bytes(), bytes.as_slice());
            prop_assert_ne!(read.content, good.content);
        }
    }
}
