//! What TDX and SGX share: evidence that is good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fixtures::{
    COMPONENTS, Kind, NUMBER, PCE_SVN, QE_SVN, Setup, level, svn_level, svns, td,
};
use super::quote::{Quote, QuoteError};
use super::status::TcbStatus;
use super::{CollateralError, CollateralFile, TcbRules};
use crate::appraisal::{Code, Gap};
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft};
use crate::time::UnixSeconds;

const ALL: [Kind; 5] = [Kind::Sgx3, Kind::Sgx5, Kind::Td4, Kind::Td5, Kind::Td15];
const BOTH: [Kind; 2] = [Kind::Sgx3, Kind::Td15];

/// The same edit on TDX and SGX evidence has the same refusal.
fn refused(code: Code, check: &str, edit: impl Fn(&mut Setup)) {
    for kind in BOTH {
        let refusal = Setup::new(kind).with(&edit).refusal();
        assert_eq!(refusal, (code, check.to_owned()), "{kind:?}");
    }
}

fn before(time: UnixSeconds) -> UnixSeconds {
    UnixSeconds::new(time.get() - 1)
}

#[test]
fn good_evidence_of_every_version_is_accepted_without_gaps() {
    for kind in ALL {
        let judged = Setup::new(kind).judge();
        assert_eq!(judged.code, None, "{kind:?}: {}", judged.json);
        assert_eq!(judged.gaps, []);
        assert_eq!(judged.json["claims"]["tcb_status"], "UpToDate");
    }
}

#[test]
fn evidence_under_a_test_root_is_refused_by_the_vendors_root() {
    let setup = Setup::new(Kind::Td15);
    let material = setup.material();
    let evidence = crate::tdx::Evidence {
        quote: &material.quote,
        pck_chain: None,
        collateral: material.collateral(),
        event_log: None,
    };
    let anchors = super::Anchors::vendor();
    let found = crate::tdx::appraise(&evidence, &setup.tdx_rules, &anchors, NOW);
    assert_eq!(found.verdict().err(), Some(Code::RootNotPinned));
    assert!(found.claims().is_none());
}

// Quotes.

#[test]
fn a_quote_that_breaks_its_format_is_refused() {
    let check = "quote-format";
    let header = |at: usize, value: u8| move |setup: &mut Setup| setup.header[at] = value;
    refused(Code::ReportMalformed, check, header(0, 2));
    refused(Code::ReportMalformed, check, header(0, 6));
    refused(Code::ReportMalformed, check, header(2, 3));
    refused(Code::ReportMalformed, check, header(4, 0x80));
    refused(Code::ReportMalformed, check, header(12, 0));
    refused(Code::ReportMalformed, check, |setup| setup.body.push(0));
    refused(Code::ReportMalformed, check, |setup| {
        setup.certification.0 = 4;
    });
    refused(Code::ReportMalformed, check, |setup| {
        // Reserved bytes of the quoting enclave's report.
        setup.qe_report[20] = 1;
    });
    for reserved in [20, 96, 160, 262] {
        let setup = Setup::new(Kind::Sgx3).body_field(reserved, &[1]);
        assert_eq!(setup.refusal().0, Code::ReportMalformed, "{reserved}");
    }
    for (kind, body_kind) in [
        (Kind::Td15, 2),
        (Kind::Td5, 3),
        (Kind::Td5, 1),
        (Kind::Sgx5, 2),
    ] {
        let setup = Setup::new(kind).with(|setup| setup.body_kind = body_kind);
        assert_eq!(setup.refusal().0, Code::ReportMalformed, "{kind:?}");
    }
}

#[test]
fn a_quote_cut_or_lengthened_anywhere_is_refused() {
    for kind in ALL {
        let quote = Setup::new(kind).quote();
        assert!(Quote::parse(&quote).is_ok());
        for length in 0..quote.len() {
            assert!(Quote::parse(&quote[..length]).is_err(), "{kind:?} {length}");
        }
        let long = [&quote[..], &[0]].concat();
        let refused = Quote::parse(&long).unwrap_err();
        assert!(matches!(refused, QuoteError::SignatureLength { .. }));
        assert_eq!(Quote::length(&long), Some(quote.len()));
    }
}

#[test]
fn a_length_beyond_the_quote_is_refused() {
    for kind in ALL {
        let setup = Setup::new(kind);
        let quote = setup.quote();
        let mut ends = vec![Quote::parse(&quote).unwrap().signed.len()];
        if quote[0] > 3 {
            ends.push(ends[0] + 4 + 128 + 2);
        }
        ends.push(quote.len() - setup.pck_chain_pem().len() - 4);
        for at in ends {
            for value in [u32::MAX, 0] {
                let mut bad = quote.clone();
                bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
                assert!(Quote::parse(&bad).is_err(), "{kind:?} {at}");
            }
        }
    }
    let long = vec![0; Quote::MAX_LEN + 1];
    let got = long.len();
    assert_eq!(
        Quote::parse(&long).unwrap_err(),
        QuoteError::TooLong { got }
    );
}

#[test]
fn no_byte_of_a_quote_may_change() {
    for kind in BOTH {
        let setup = Setup::new(kind);
        let good = setup.material();
        let end = good.quote.len() - setup.pck_chain_pem().len();
        for at in 0..end {
            let mut material = good.clone();
            material.quote[at] ^= 1 << (at % 8);
            assert!(
                setup.judge_material(&material).code.is_some(),
                "{kind:?} {at}"
            );
        }
    }
}

// Certificates.

#[test]
fn a_platform_chain_that_does_not_lead_to_the_root_is_refused() {
    let check = "quote-certificates";
    refused(Code::CertificateSignature, check, |setup| {
        setup.authority_key = TestKey::p256(9);
    });
    refused(Code::CertificateExpired, check, |setup| {
        setup.pck.not_after = before(NOW);
        setup.pck.not_before = before(before(NOW));
    });
    refused(Code::CertificateExpired, check, |setup| {
        setup.authority.not_after = before(NOW);
        setup.authority.not_before = before(before(NOW));
    });
    refused(Code::CertificateNotYetValid, check, |setup| {
        setup.pck.not_before = NOW.saturating_add(1);
    });
    refused(Code::CertificateMalformed, check, |setup| {
        setup.pck.subject = "Intel SGX TCB Signing".into();
    });
    refused(Code::CertificateMalformed, check, |setup| {
        let name = "Intel SGX Other CA";
        setup.authority = authority_draft(name, &setup.root.subject, &setup.authority_key);
        setup.pck.issuer = name.into();
    });
    refused(Code::CertificateMalformed, check, |setup| {
        setup.certification.1 = Some(b"no certificate".to_vec());
    });
    refused(Code::CertificateMalformed, check, |setup| {
        setup.platform.fmspc.push(0);
    });
    refused(Code::CertificateMalformed, check, |setup| {
        setup.platform.pce_id.clear();
    });
}

#[test]
fn a_platform_certified_by_the_root_itself_is_refused() {
    refused(Code::CertificateMalformed, "quote-certificates", |setup| {
        let chain = setup.pck_chain_pem();
        let text = String::from_utf8(chain).unwrap();
        let end = "-----END CERTIFICATE-----\n";
        let mut parts = text.split_inclusive(end);
        let _pck = parts.next();
        setup.certification.1 = Some(parts.collect::<String>().into_bytes());
    });
}

#[test]
fn a_root_of_another_key_is_refused() {
    for kind in BOTH {
        let setup = Setup::new(kind);
        let other = Setup::new(kind).with(|setup| {
            setup.root_key = TestKey::p256(9);
            setup.root = authority_draft(&setup.root.subject, &setup.root.subject, &setup.root_key);
        });
        let found = setup.judge_material(&other.material()).refusal();
        assert_eq!(found, (Code::RootNotPinned, "quote-certificates".into()));
    }
}

#[test]
fn a_quote_without_certificates_needs_them_from_elsewhere() {
    for kind in BOTH {
        let setup = Setup::new(kind).with(|setup| setup.certification = (1, Some(vec![0; 36])));
        let missing = (Code::EvidenceMissing, "quote-certificates".to_owned());
        assert_eq!(setup.refusal(), missing);
        let chain = setup.pck_chain_pem();
        let setup = setup.with(|setup| setup.pck_chain = Some(chain));
        assert_eq!(setup.judge().code, None);
    }
}

#[test]
fn certificates_in_the_quote_come_before_those_from_elsewhere() {
    refused(Code::CertificateMalformed, "quote-certificates", |setup| {
        setup.pck_chain = Some(setup.pck_chain_pem());
        setup.certification.1 = Some(b"no certificate".to_vec());
    });
}

// Signatures.

#[test]
fn an_attestation_key_that_the_platform_did_not_endorse_is_refused() {
    let check = "attestation-key";
    let code = Code::AttestationKeyNotEndorsed;
    for kind in BOTH {
        // Another platform's key signs the same quote.
        let setup = Setup::new(kind);
        let other = setup.clone().with(|setup| setup.pck_key = TestKey::p256(9));
        let chain = setup.pck_chain_pem();
        let other = other.with(|other| other.certification.1 = Some(chain));
        assert_eq!(other.refusal(), (code, check.to_owned()));
    }
    refused(code, check, |setup| setup.binds_key = false);
    refused(code, check, |setup| {
        // The rest of the report data must be zero.
        setup.qe_report[383] = 1;
    });
}

#[test]
fn a_quote_that_the_attestation_key_did_not_sign_is_refused() {
    for kind in BOTH {
        let setup = Setup::new(kind);
        let mut material = setup.material();
        let at = Quote::parse(&material.quote).unwrap().signed.len() - 1;
        material.quote[at] ^= 1;
        let found = setup.judge_material(&material).refusal();
        assert_eq!(found, (Code::ReportSignature, "quote-signature".into()));
    }
}

// Collateral.

#[test]
fn tcb_info_that_is_not_the_vendors_is_refused() {
    let check = "tcb-info";
    refused(Code::CollateralSignature, check, |setup| {
        setup.tcb_info_key = TestKey::p256(9);
    });
    refused(Code::CollateralMalformed, check, |setup| {
        setup.tcb_info["tcbLevels"] = json!([]);
    });
    for (member, value) in [
        ("tcbType", json!(1)),
        ("version", json!(4)),
        ("version", json!(2)),
        ("fmspc", json!("C0FFEE0000")),
        ("issueDate", json!("yesterday")),
        ("tcbEvaluationDataNumber", Value::Null),
    ] {
        refused(Code::CollateralMalformed, check, |setup| {
            setup.tcb_info[member] = value.clone();
        });
    }
    refused(Code::CollateralMalformed, check, |setup| {
        setup.tcb_info["tcbLevels"][0]["tcbStatus"] = "Fine".into();
    });
    refused(Code::CollateralMalformed, check, |setup| {
        setup.tcb_info["tcbLevels"][0]["tcb"]["sgxtcbcomponents"] = json!([]);
    });
}

#[test]
fn tcb_info_of_another_platform_is_refused() {
    let check = "tcb-info";
    for (member, value) in [("fmspc", "C0FFEE000002"), ("pceId", "0000")] {
        refused(Code::CollateralMismatch, check, |setup| {
            setup.tcb_info[member] = value.into();
        });
    }
    for (kind, other) in [(Kind::Sgx3, Kind::Td15), (Kind::Td15, Kind::Sgx3)] {
        let setup = Setup::new(kind).with(|setup| setup.tcb_info = Setup::new(other).tcb_info);
        assert_eq!(setup.refusal(), (Code::CollateralMismatch, check.into()));
    }
}

#[test]
fn what_a_fuzzer_reads_is_tcb_info_or_an_identity() {
    let setup = Setup::new(Kind::Td4);
    assert!(super::reads_collateral(
        setup.tcb_info.to_string().as_bytes()
    ));
    assert!(super::reads_collateral(
        setup.qe_identity.to_string().as_bytes()
    ));
    assert!(!super::reads_collateral(b"{}"));
}

#[test]
fn collateral_outside_its_window_is_refused() {
    let earlier = before(NOW).to_string();
    let later = NOW.saturating_add(1).to_string();
    for (member, value) in [("nextUpdate", &earlier), ("issueDate", &later)] {
        refused(Code::CollateralStale, "tcb-info", |setup| {
            setup.tcb_info[member] = value.as_str().into();
        });
        refused(Code::CollateralStale, "qe-identity", |setup| {
            setup.qe_identity[member] = value.as_str().into();
        });
    }
    for kind in BOTH {
        let now = NOW.to_string();
        let setup = Setup::new(kind).with(|setup| {
            setup.tcb_info["nextUpdate"] = now.as_str().into();
            setup.qe_identity["nextUpdate"] = now.as_str().into();
        });
        assert_eq!(setup.judge().code, None);
    }
}

#[test]
fn a_signer_that_is_not_the_vendors_tcb_signer_is_refused() {
    let check = "tcb-info";
    refused(Code::CertificateMalformed, check, |setup| {
        setup.signer.subject = "Intel SGX PCK Certificate".into();
    });
    refused(Code::CertificateExpired, check, |setup| {
        setup.signer.not_after = before(NOW);
        setup.signer.not_before = before(before(NOW));
    });
    refused(Code::CertificateMalformed, check, |setup| {
        // An authority may not sign collateral.
        setup.signer.extensions = setup.authority.extensions.clone();
    });
}

#[test]
fn a_signer_under_an_authority_is_refused() {
    for kind in BOTH {
        let setup = Setup::new(kind);
        let mut material = setup.material();
        let mut signer = setup.signer.clone();
        signer.issuer.clone_from(&setup.authority.subject);
        let chain = super::fixtures::pem(&[
            setup.authority_key.certify(&signer),
            setup.root_key.certify(&setup.authority),
            setup.root_key.certify(&setup.root),
        ]);
        material.tcb_info_issuer_chain = chain;
        let found = setup.judge_material(&material).refusal();
        assert_eq!(found, (Code::CertificateMalformed, "tcb-info".into()));
    }
}

#[test]
fn an_identity_that_is_not_the_vendors_is_refused() {
    let check = "qe-identity";
    refused(Code::CollateralSignature, check, |setup| {
        setup.qe_identity_key = TestKey::p256(9);
    });
    refused(Code::CollateralMalformed, check, |setup| {
        setup.qe_identity["version"] = json!(3);
    });
    refused(Code::CollateralMalformed, check, |setup| {
        setup.qe_identity["mrsigner"] = "61".into();
    });
    refused(Code::CollateralMismatch, check, |setup| {
        setup.qe_identity["id"] = "QVE".into();
    });
    for (kind, other) in [(Kind::Sgx3, Kind::Td15), (Kind::Td15, Kind::Sgx3)] {
        let identity = Setup::new(other).qe_identity;
        let setup = Setup::new(kind).with(|setup| setup.qe_identity = identity);
        assert_eq!(setup.refusal(), (Code::CollateralMismatch, check.into()));
    }
}

#[test]
fn signatures_of_one_object_do_not_fit_another() {
    for kind in BOTH {
        let setup = Setup::new(kind);
        let mut material = setup.material();
        std::mem::swap(
            &mut material.tcb_info_signature,
            &mut material.qe_identity_signature,
        );
        let found = setup.judge_material(&material).refusal();
        assert_eq!(found, (Code::CollateralSignature, "tcb-info".into()));
    }
}

#[test]
fn no_byte_of_collateral_may_change() {
    let setup = Setup::new(Kind::Td4);
    let good = setup.material();
    let pieces: [fn(&mut super::fixtures::Material) -> &mut Vec<u8>; 4] = [
        |material| &mut material.tcb_info,
        |material| &mut material.qe_identity,
        |material| &mut material.pck_crl,
        |material| &mut material.root_ca_crl,
    ];
    for piece in pieces {
        let length = piece(&mut good.clone()).len();
        for at in (0..length).step_by(3) {
            let mut material = good.clone();
            piece(&mut material)[at] ^= 1 << (at % 8);
            assert!(setup.judge_material(&material).code.is_some(), "{at}");
        }
    }
}

// Revocation.

#[test]
fn a_listed_certificate_is_revoked() {
    let check = "platform-revocation";
    refused(Code::Revoked, check, |setup| {
        setup.pck_crl.revoked.push(setup.pck.serial.clone());
    });
    refused(Code::Revoked, check, |setup| {
        setup.root_crl.revoked.push(setup.authority.serial.clone());
    });
    refused(Code::Revoked, check, |setup| {
        setup.root_crl.revoked.push(setup.signer.serial.clone());
    });
}

#[test]
fn a_list_of_another_authority_is_refused() {
    let check = "platform-revocation";
    refused(Code::RevocationListInvalid, check, |setup| {
        setup.pck_crl_key = TestKey::p256(9);
    });
    refused(Code::RevocationListInvalid, check, |setup| {
        setup.pck_crl.issuer = "Intel SGX PCK Processor CA".into();
    });
    refused(Code::RevocationListInvalid, check, |setup| {
        setup.root_crl_key = TestKey::p256(9);
    });
    refused(Code::RevocationListInvalid, check, |setup| {
        std::mem::swap(&mut setup.root_crl, &mut setup.pck_crl);
        std::mem::swap(&mut setup.root_crl_key, &mut setup.pck_crl_key);
    });
    for kind in BOTH {
        for without in [true, false] {
            let setup = Setup::new(kind);
            let mut material = setup.material();
            if without {
                material.pck_crl.clear();
            } else {
                material.root_ca_crl.clear();
            }
            let found = setup.judge_material(&material).refusal();
            assert_eq!(found, (Code::RevocationListInvalid, check.into()));
        }
    }
}

#[test]
fn a_list_outside_its_window_is_refused() {
    let check = "platform-revocation";
    refused(Code::RevocationListStale, check, |setup| {
        setup.pck_crl.this_update = before(before(NOW));
        setup.pck_crl.next_update = before(NOW);
    });
    refused(Code::RevocationListStale, check, |setup| {
        setup.root_crl.this_update = before(before(NOW));
        setup.root_crl.next_update = before(NOW);
    });
    refused(Code::RevocationListStale, check, |setup| {
        setup.pck_crl.this_update = NOW.saturating_add(1);
    });
}

#[test]
fn a_list_that_is_not_complete_is_refused() {
    use crate::development::certificates::ExtensionDraft;
    for (oid, critical) in [("2.5.29.27", false), ("2.5.29.28", false), ("1.2.3", true)] {
        refused(
            Code::RevocationListInvalid,
            "platform-revocation",
            |setup| {
                let extension = ExtensionDraft::new(oid, critical, vec![0x02, 1, 1]);
                setup.pck_crl.extensions.push(extension);
            },
        );
    }
}

// The quoting enclave.

#[test]
fn a_quoting_enclave_that_is_not_the_vendors_is_refused() {
    let check = "quoting-enclave";
    let code = Code::QuotingEnclaveMismatch;
    // MISCSELECT, DEBUG in ATTRIBUTES, MRSIGNER, ISVPRODID.
    for (at, value) in [(16, 1), (48, 0x17), (128, 0), (256, 3)] {
        refused(code, check, |setup| setup.qe_report[at] = value);
    }
    for kind in BOTH {
        // What the mask leaves out may differ: the extended features.
        assert_eq!(Setup::new(kind).qe_field(56, &[0xE7]).judge().code, None);
    }
}

#[test]
fn a_quoting_enclave_below_every_level_is_refused() {
    refused(Code::TcbLevelMissing, "quoting-enclave", |setup| {
        setup.qe_report[258] = 3;
    });
}

#[test]
fn an_old_quoting_enclave_makes_the_platform_out_of_date() {
    refused(Code::TcbOutOfDate, "tcb-status", |setup| {
        setup.qe_report[258] = u8::try_from(QE_SVN).unwrap() - 1;
    });
}

// Levels.

#[test]
fn collateral_below_the_minimum_number_or_of_two_issues_is_refused() {
    let check = "tcb-evaluation";
    for kind in BOTH {
        let rules = TcbRules::strict().minimum_evaluation_number(NUMBER + 1);
        let found = Setup::new(kind).tcb_rules(rules).refusal();
        assert_eq!(found, (Code::EvaluationNumberBelowMinimum, check.into()));
    }
    refused(Code::EvaluationNumberBelowMinimum, check, |setup| {
        setup.tcb_info["tcbEvaluationDataNumber"] = 18.into();
        setup.qe_identity["tcbEvaluationDataNumber"] = 18.into();
    });
    refused(Code::CollateralMismatch, check, |setup| {
        setup.qe_identity["tcbEvaluationDataNumber"] = (NUMBER + 1).into();
    });
}

#[test]
fn each_component_that_is_too_low_makes_the_platform_out_of_date() {
    for (at, _) in COMPONENTS.iter().enumerate().filter(|(_, svn)| **svn > 0) {
        refused(Code::TcbOutOfDate, "tcb-status", |setup| {
            setup.platform.components[at] -= 1;
        });
    }
    refused(Code::TcbOutOfDate, "tcb-status", |setup| {
        setup.platform.pce_svn = PCE_SVN - 1;
    });
}

#[test]
fn a_platform_below_every_level_is_refused() {
    refused(Code::TcbLevelMissing, "tcb-status", |setup| {
        setup.tcb_info["tcbLevels"].as_array_mut().unwrap().pop();
        setup.platform.components[3] = 2;
    });
}

fn with_status(kind: Kind, status: &str, advisories: &[&str]) -> Setup {
    Setup::new(kind).with(|setup| {
        setup.tcb_info["tcbLevels"][0]["tcbStatus"] = status.into();
        setup.tcb_info["tcbLevels"][0]["advisoryIDs"] = json!(advisories);
    })
}

#[test]
fn only_firmware_that_is_up_to_date_is_accepted_unless_the_rules_say_so() {
    use TcbStatus as Status;
    let hardening = Gap::TcbHardeningNeeded;
    let configuration = Gap::TcbConfigurationNeeded;
    for (status, code, gaps) in [
        (
            Status::SWHardeningNeeded,
            Code::TcbStatusNotAllowed,
            vec![hardening.clone()],
        ),
        (
            Status::ConfigurationNeeded,
            Code::TcbStatusNotAllowed,
            vec![configuration.clone()],
        ),
        (
            Status::ConfigurationAndSWHardeningNeeded,
            Code::TcbStatusNotAllowed,
            vec![configuration.clone(), hardening],
        ),
        (
            Status::OutOfDate,
            Code::TcbOutOfDate,
            vec![Gap::TcbOutOfDate],
        ),
        (
            Status::OutOfDateConfigurationNeeded,
            Code::TcbOutOfDate,
            vec![configuration, Gap::TcbOutOfDate],
        ),
    ] {
        for kind in BOTH {
            let setup = with_status(kind, status.as_str(), &[]);
            assert_eq!(setup.refusal(), (code, "tcb-status".into()), "{status}");
            let tolerant = setup.tcb_rules(TcbRules::strict().accept_status(status));
            let judged = tolerant.judge();
            assert_eq!((judged.code, judged.gaps), (None, gaps.clone()), "{status}");
        }
    }
}

#[test]
fn revoked_firmware_is_refused_whatever_the_rules_say() {
    for kind in BOTH {
        let rules = TcbRules::strict().accept_status(TcbStatus::Revoked);
        let found = with_status(kind, "Revoked", &[]).tcb_rules(rules).refusal();
        assert_eq!(found, (Code::TcbRevoked, "tcb-status".into()));
    }
}

#[test]
fn advisories_need_to_be_allowed_one_by_one() {
    for kind in BOTH {
        let setup = with_status(kind, "UpToDate", &["INTEL-SA-2", "INTEL-SA-1"]);
        let refusal = (Code::AdvisoryNotAllowed, "tcb-advisories".to_owned());
        assert_eq!(setup.refusal(), refusal);
        let rules = |allowed: &[&str]| TcbRules::strict().accept_advisories(allowed);
        let one = setup.clone().tcb_rules(rules(&["INTEL-SA-1"]));
        assert_eq!(one.refusal(), refusal);
        let both = setup
            .clone()
            .tcb_rules(rules(&["INTEL-SA-1", "INTEL-SA-2"]));
        assert_eq!(both.judge().code, None);
        let any = setup.tcb_rules(TcbRules::strict().accept_any_advisory());
        let judged = any.judge();
        assert_eq!(judged.code, None);
        let found = &judged.json["claims"]["advisory_ids"];
        assert_eq!(*found, json!(["INTEL-SA-1", "INTEL-SA-2"]));
    }
}

#[test]
fn advisories_of_the_quoting_enclave_count() {
    refused(Code::AdvisoryNotAllowed, "tcb-advisories", |setup| {
        setup.qe_identity["tcbLevels"][0]["advisoryIDs"] = json!(["INTEL-SA-7"]);
    });
}

#[test]
fn the_first_level_that_is_reached_counts() {
    refused(Code::TcbStatusNotAllowed, "tcb-status", |setup| {
        let mut first = level([0; 16], 0, "ConfigurationNeeded", &[]);
        if setup.tcb_info["id"] == "TDX" {
            first["tcb"]["tdxtcbcomponents"] = svns([0; 16]);
        }
        let levels = setup.tcb_info["tcbLevels"].as_array_mut().unwrap();
        levels.insert(0, first);
    });
}

#[test]
fn a_status_is_never_better_than_one_of_its_parts() {
    use TcbStatus as Status;
    let all = [
        Status::ConfigurationAndSWHardeningNeeded,
        Status::ConfigurationNeeded,
        Status::OutOfDate,
        Status::OutOfDateConfigurationNeeded,
        Status::Revoked,
        Status::SWHardeningNeeded,
        Status::TDRelaunchAdvised,
        Status::UpToDate,
    ];
    for one in all {
        assert_eq!(one.with(Status::UpToDate), one);
        assert_eq!(one.with(one), one);
        assert_eq!(one.with(Status::Revoked), Status::Revoked);
        for other in all {
            assert_eq!(one.with(other), other.with(one));
            let is_old = |status: Status| status.as_str().starts_with("OutOfDate");
            let merged = one.with(other);
            if (is_old(one) || is_old(other)) && merged != Status::Revoked {
                assert!(is_old(merged), "{one} {other}");
            }
        }
    }
    let merged = Status::OutOfDate.with(Status::ConfigurationNeeded);
    assert_eq!(merged, Status::OutOfDateConfigurationNeeded);
    let merged = Status::SWHardeningNeeded.with(Status::ConfigurationNeeded);
    assert_eq!(merged, Status::ConfigurationAndSWHardeningNeeded);
}

#[test]
fn tcb_info_of_version_2_judges_sgx_and_not_tdx() {
    let mut tcb = json!({ "pcesvn": PCE_SVN });
    for (at, svn) in (1..).zip(COMPONENTS) {
        tcb[format!("sgxtcbcomp{at:02}svn")] = svn.into();
    }
    let old = |setup: &mut Setup| {
        let info = setup.tcb_info.as_object_mut().unwrap();
        info.remove("id");
        info["version"] = 2.into();
        info["tcbLevels"] = json!([svn_level(0, "UpToDate")]);
        info["tcbLevels"][0]["tcb"] = tcb.clone();
    };
    let setup = Setup::new(Kind::Sgx3).with(old);
    assert_eq!(setup.judge().code, None);
    let low = setup.with(|setup| setup.platform.components[0] -= 1);
    assert_eq!(low.refusal().0, Code::TcbLevelMissing);
    let tdx = Setup::new(Kind::Td4).with(old).refusal();
    assert_eq!(tdx, (Code::CollateralMismatch, "tcb-info".into()));
}

#[test]
fn demanded_properties_of_the_platform_must_be_named() {
    let check = "platform-configuration";
    let demands: [fn(TcbRules) -> TcbRules; 3] = [
        TcbRules::forbid_dynamic_platform,
        TcbRules::forbid_cached_keys,
        TcbRules::forbid_smt,
    ];
    for (at, demand) in demands.into_iter().enumerate() {
        for (flags, expected) in [
            (Some([false; 3]), None),
            (None, Some(Code::PlatformFeatureMissing)),
            (
                Some([at == 0, at == 1, at == 2]),
                Some(Code::PlatformFeatureMissing),
            ),
        ] {
            for kind in BOTH {
                let setup = Setup::new(kind)
                    .with(|setup| setup.platform.flags = flags)
                    .tcb_rules(demand(TcbRules::strict()));
                let judged = setup.judge();
                assert_eq!(judged.code, expected);
                if expected.is_some() {
                    assert_eq!(judged.refusal().1, check);
                }
            }
        }
    }
}

// Files.

fn file() -> Value {
    let text = "00";
    json!({
        "pck_crl": text, "root_ca_crl": text, "tcb_info_issuer_chain": "a", "tcb_info": "b",
        "tcb_info_signature": text, "qe_identity_issuer_chain": "c", "qe_identity": "d",
        "qe_identity_signature": "AbCd",
    })
}

#[test]
fn a_file_of_collateral_gives_the_exact_bytes() {
    let parsed = CollateralFile::parse(file().to_string().as_bytes()).unwrap();
    let collateral = parsed.collateral();
    assert_eq!(collateral.tcb_info, b"b");
    assert_eq!(collateral.qe_identity_signature, [0xAB, 0xCD]);
    assert_eq!(collateral.pck_crl, [0]);
}

#[test]
fn a_file_that_is_no_collateral_is_refused() {
    let names: Vec<_> = file().as_object().unwrap().keys().cloned().collect();
    for name in names {
        let mut json = file();
        json.as_object_mut().unwrap().remove(&name);
        let refused = CollateralFile::parse(json.to_string().as_bytes());
        assert_eq!(refused, Err(CollateralError::Format), "{name}");
    }
    let mut json = file();
    json["pck_crl"] = "0".into();
    let refused = CollateralFile::parse(json.to_string().as_bytes());
    let member = "pck_crl";
    assert_eq!(refused, Err(CollateralError::Hexadecimal { member }));
    let mut longest = file().to_string().into_bytes();
    longest.resize(4 * 1024 * 1024, b' ');
    assert!(CollateralFile::parse(&longest).is_ok());
    let long = vec![b' '; CollateralFile::MAX_LEN + 1];
    let got = long.len();
    assert_eq!(
        CollateralFile::parse(&long),
        Err(CollateralError::TooLong { got })
    );
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1200)) {
        let _ = Quote::parse(&bytes);
        let _ = Quote::length(&bytes);
        let _ = CollateralFile::parse(&bytes);
        let _ = super::tcb_info::TcbInfo::parse(&bytes);
        let _ = super::tcb_info::QeIdentity::parse(&bytes);
        for kind in BOTH {
            let mut quote = Setup::new(kind).header;
            quote.extend(&bytes);
            let _ = Quote::parse(&quote);
        }
    }

    #[test]
    fn a_changed_platform_extension_never_panics(at in 0_usize..300, value: u8) {
        let setup = Setup::new(Kind::Sgx3);
        let mut der = setup.platform.der();
        let length = der.len();
        der[at % length] = value;
        let mut pck = setup.pck.clone();
        pck.extensions.push(crate::development::certificates::ExtensionDraft::new(
            "1.2.840.113741.1.13.1", false, der,
        ));
        let certificate = crate::x509::Certificate::parse(&setup.authority_key.certify(&pck));
        if let Ok(certificate) = certificate {
            let _ = super::pck::Platform::read(&certificate);
        }
    }
}

#[test]
fn the_position_of_a_field_in_the_fixtures_is_the_specifications() {
    // TDX DCAP Quoting Library API, appendix A: offsets in the body of a quote.
    assert_eq!((td::MR_TD, td::RTMR_0, td::REPORT_DATA), (136, 328, 520));
    assert_eq!((td::TEE_TCB_SVN2, td::MR_SERVICE_TD), (584, 600));
}
