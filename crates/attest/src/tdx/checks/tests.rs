//! Trust domains that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "tests"
)]

use serde_json::json;
use sha2::{Digest, Sha384};

use super::*;
use crate::dcap::fixtures::{Kind, Setup, svn_level, td};
use crate::dcap::{TcbRules, TcbStatus};

const ALL: [Kind; 3] = [Kind::Td4, Kind::Td5, Kind::Td15];

fn refused(code: Code, check: &str, edit: impl Fn(&mut Setup)) {
    for kind in ALL {
        let refusal = Setup::new(kind).with(&edit).refusal();
        assert_eq!(refusal, (code, check.to_owned()), "{kind:?}");
    }
}

fn accepted(edit: impl Fn(&mut Setup)) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for kind in ALL {
        let judged = Setup::new(kind).with(&edit).judge();
        assert_eq!(judged.code, None, "{kind:?}");
        gaps = judged.gaps;
    }
    gaps
}

fn attributes(value: u64) -> impl Fn(&mut Setup) {
    move |setup: &mut Setup| {
        setup.body[td::TD_ATTRIBUTES..td::XFAM].copy_from_slice(&value.to_le_bytes());
    }
}

fn value(byte: u8) -> Measurement {
    Measurement::new([byte; 48])
}

#[test]
fn a_quote_about_an_enclave_is_refused() {
    let enclave = Setup::new(Kind::Sgx5);
    // The collateral of a trust domain's quote with an enclave's.
    let setup = Setup::new(Kind::Td5).with(|setup| {
        setup.header[4] = 0;
        setup.body = enclave.body;
        setup.body_kind = 1;
        setup.tcb_info = enclave.tcb_info;
        setup.qe_identity = enclave.qe_identity;
    });
    let expected = (Code::UnsupportedPlatform, "quoted-td".to_owned());
    assert_eq!(setup.refusal(), expected);
}

#[test]
fn a_debuggable_trust_domain_is_refused() {
    refused(
        Code::GuestDebugAllowed,
        "td-debug",
        attributes(SEPT_VE_DISABLE | DEBUG),
    );
}

#[test]
fn a_migratable_trust_domain_is_refused() {
    refused(
        Code::GuestMigrationAllowed,
        "td-migration",
        attributes(SEPT_VE_DISABLE | MIGRATABLE),
    );
}

#[test]
fn every_reserved_attribute_is_refused() {
    for bit in (1..28).chain(32..63) {
        let setup = Setup::new(Kind::Td4).with(attributes(SEPT_VE_DISABLE | 1 << bit));
        let expected = (Code::GuestPolicyMalformed, "td-attributes".to_owned());
        assert_eq!(setup.refusal(), expected, "{bit}");
    }
}

#[test]
fn key_locker_and_performance_counters_need_to_be_allowed() {
    let allowances: [(u64, fn(Rules) -> Rules); 2] = [
        (KEY_LOCKER, Rules::accept_key_locker),
        (PERFORMANCE_MONITORING, Rules::accept_performance_monitoring),
    ];
    for (bit, allow) in allowances {
        let with_bit = attributes(SEPT_VE_DISABLE | bit);
        refused(Code::GuestAttributeNotAllowed, "td-attributes", &with_bit);
        accepted(|setup| {
            with_bit(setup);
            setup.tdx_rules = allow(Rules::strict());
        });
    }
    accepted(attributes(SEPT_VE_DISABLE | PROTECTION_KEYS));
}

#[test]
fn memory_faults_are_refused_or_a_gap() {
    refused(Code::GuestRestrictionMissing, "td-sept-ve", attributes(0));
    let gaps = accepted(|setup| {
        attributes(0)(setup);
        setup.tdx_rules = Rules::strict().accept_memory_faults();
    });
    assert_eq!(gaps, [Gap::TdMemoryFaultsVisible]);
}

#[test]
fn processor_features_outside_the_known_ones_are_refused() {
    let xfam = |value: u64| {
        move |setup: &mut Setup| {
            setup.body[td::XFAM..td::MR_TD].copy_from_slice(&value.to_le_bytes());
        }
    };
    for bad in [0x1, 0x2, 0, 0x3 | 1 << 3, 0x3 | 1 << 63, 0x3 | 1 << 16] {
        refused(Code::GuestPolicyMalformed, "td-xfam", xfam(bad));
    }
    for good in [0x3, XFAM_KNOWN] {
        assert_eq!(accepted(xfam(good)), []);
    }
}

#[test]
fn a_bound_service_trust_domain_is_refused_or_a_gap() {
    let setup = Setup::new(Kind::Td15).body_field(td::MR_SERVICE_TD + 47, &[1]);
    let expected = (Code::ServiceGuestBound, "td-service".to_owned());
    assert_eq!(setup.refusal(), expected);
    let judged = setup
        .with(|setup| setup.tdx_rules = Rules::strict().accept_service_td())
        .judge();
    assert_eq!(
        (judged.code, judged.gaps),
        (None, vec![Gap::ServiceGuestBound])
    );
}

// The TDX module.

#[test]
fn a_module_that_is_not_the_vendors_is_refused() {
    for at in [
        td::MR_SIGNER_SEAM,
        td::SEAM_ATTRIBUTES,
        td::SEAM_ATTRIBUTES + 7,
    ] {
        refused(Code::ModuleMismatch, "tdx-module", |setup| {
            setup.body[at] = 1;
        });
    }
}

#[test]
fn a_module_without_an_identity_is_refused() {
    let code = Code::ModuleMismatch;
    refused(code, "tdx-module", |setup| {
        setup.tcb_info["tdxModuleIdentities"] = json!([]);
    });
    refused(code, "tdx-module", |setup| {
        setup.tcb_info["tdxModuleIdentities"][0]["id"] = "TDX_02".into();
    });
    refused(code, "tdx-module", |setup| {
        setup.body[td::TEE_TCB_SVN + 1] = 2;
    });
    refused(code, "tdx-module", |setup| {
        // Two identities for one generation say nothing.
        let first = setup.tcb_info["tdxModuleIdentities"][0].clone();
        setup.tcb_info["tdxModuleIdentities"] = json!([first.clone(), first]);
    });
    refused(code, "tdx-module", |setup| {
        setup.body[td::TEE_TCB_SVN + 1] = 0;
        setup.tcb_info.as_object_mut().unwrap().remove("tdxModule");
    });
}

#[test]
fn generations_are_written_in_hexadecimal() {
    accepted(|setup| {
        setup.body[td::TEE_TCB_SVN + 1] = 0x1A;
        setup.tcb_info["tdxModuleIdentities"][0]["id"] = "TDX_1A".into();
    });
}

#[test]
fn an_old_module_makes_the_platform_out_of_date() {
    for kind in [Kind::Td4, Kind::Td5] {
        let setup = Setup::new(kind).body_field(td::TEE_TCB_SVN, &[4]);
        let expected = (Code::TcbOutOfDate, "tcb-status".to_owned());
        assert_eq!(setup.refusal(), expected);
    }
    refused(Code::TcbLevelMissing, "tcb-status", |setup| {
        setup.body[td::TEE_TCB_SVN] = 1;
    });
}

#[test]
fn the_first_generation_of_modules_is_judged_by_the_platforms_levels() {
    let first = |setup: &mut Setup| setup.body[td::TEE_TCB_SVN + 1] = 0;
    assert_eq!(accepted(first), []);
    refused(Code::TcbOutOfDate, "tcb-status", |setup| {
        first(setup);
        setup.body[td::TEE_TCB_SVN] = 4;
        setup.tdx_rules = Rules::strict().tcb(TcbRules::strict().accept_any_advisory());
    });
    // From the second generation on, its first byte is the module's level alone.
    accepted(|setup| {
        setup.tcb_info["tdxModuleIdentities"][0]["tcbLevels"] = json!([svn_level(2, "UpToDate")]);
        setup.body[td::TEE_TCB_SVN] = 2;
    });
}

#[test]
fn each_tdx_component_that_is_too_low_makes_the_platform_out_of_date() {
    for at in 2..16 {
        refused(Code::TcbOutOfDate, "tcb-status", |setup| {
            setup.body[td::TEE_TCB_SVN + at] = 6;
            let svn = json!({ "svn": 7 });
            setup.tcb_info["tcbLevels"][0]["tcb"]["tdxtcbcomponents"][at] = svn;
        });
    }
}

#[test]
fn a_level_without_tdx_components_is_malformed() {
    refused(Code::CollateralMalformed, "tcb-info", |setup| {
        let tcb = &mut setup.tcb_info["tcbLevels"][1]["tcb"];
        tcb.as_object_mut().unwrap().remove("tdxtcbcomponents");
    });
}

#[test]
fn a_trust_domain_started_before_the_update_needs_to_be_started_again() {
    let setup = Setup::new(Kind::Td15).body_field(td::TEE_TCB_SVN, &[4]);
    let judged = setup.judge();
    assert_eq!(judged.code, Some(Code::TcbOutOfDate));
    assert_eq!(judged.json["claims"]["tcb_status"], "TDRelaunchAdvised");

    let tolerant = TcbRules::strict().accept_status(TcbStatus::TDRelaunchAdvised);
    let judged = setup.clone().tcb_rules(tolerant.clone()).judge();
    assert_eq!((judged.code, judged.gaps), (None, vec![Gap::TcbOutOfDate]));

    // Nothing was updated: the module that runs is as old.
    let old = setup.body_field(td::TEE_TCB_SVN2, &[4]);
    let judged = old.tcb_rules(tolerant).judge();
    assert_eq!(judged.code, Some(Code::TcbOutOfDate));
    assert_eq!(judged.json["claims"]["tcb_status"], "OutOfDate");
}

// Values that the caller demands.

#[test]
fn each_demanded_value_is_compared() {
    let report = |rules: Rules| rules.report_data(ReportData::new([0xDA; 64]));
    let cases: [(&str, Code, Rules, Rules); 9] = [
        (
            "td-module-measurement",
            Code::MeasurementNotAllowed,
            Rules::strict().modules(vec![value(1), value(0x5E)]),
            Rules::strict().modules(vec![value(1)]),
        ),
        (
            "measurement",
            Code::MeasurementNotAllowed,
            Rules::strict().measurements(vec![value(1), value(0x7D)]),
            Rules::strict().measurements(vec![]),
        ),
        (
            "td-registers",
            Code::RegisterMismatch,
            Rules::strict().register(0, value(0xA0)),
            Rules::strict().register(0, value(0xA1)),
        ),
        (
            "td-registers",
            Code::RegisterMismatch,
            Rules::strict()
                .register(3, value(0xA3))
                .register(4, value(9)),
            Rules::strict().register(3, value(0xA0)),
        ),
        (
            "td-identity",
            Code::ConfigurationIdMismatch,
            Rules::strict().configuration_id(value(0)),
            Rules::strict().configuration_id(value(1)),
        ),
        (
            "td-identity",
            Code::ConfigurationIdMismatch,
            Rules::strict().owner(value(0)),
            Rules::strict().owner(value(1)),
        ),
        (
            "td-identity",
            Code::ConfigurationIdMismatch,
            Rules::strict().owner_configuration(value(0)),
            Rules::strict().owner_configuration(value(1)),
        ),
        (
            "report-data",
            Code::ReportDataMismatch,
            report(Rules::strict()),
            Rules::strict().report_data(ReportData::new([0xDB; 64])),
        ),
        (
            "td-event-log",
            Code::EvidenceMissing,
            Rules::strict(),
            Rules::strict().event_log_required(),
        ),
    ];
    for (check, code, good, bad) in cases {
        accepted(|setup| setup.tdx_rules = good.clone());
        refused(code, check, |setup| setup.tdx_rules = bad.clone());
    }
}

// Event logs.

fn log(measured: &[(u32, [u8; 48])]) -> Vec<u8> {
    let mut log = [1_u32.to_le_bytes(), 3_u32.to_le_bytes()].concat();
    log.extend([0; 20]);
    log.extend(33_u32.to_le_bytes());
    log.extend(b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x01\0\0\0\x0C\0\x30\0\0");
    for (register, digest) in measured {
        log.extend(register.to_le_bytes());
        log.extend(0xD_u32.to_le_bytes());
        log.extend([1, 0, 0, 0, 0x0C, 0]);
        log.extend(digest);
        log.extend([0; 4]);
    }
    log
}

/// A trust domain with these measurements, and their log.
fn logged(measured: &[(u32, [u8; 48])]) -> Setup {
    let mut registers = [[0; 48]; 4];
    for (register, digest) in measured {
        let at = usize::try_from(*register).unwrap() - 1;
        registers[at] = Sha384::digest([registers[at], *digest].concat()).into();
    }
    Setup::new(Kind::Td4)
        .body_field(td::RTMR_0, &registers.concat())
        .with(|setup| setup.event_log = Some(log(measured)))
}

const MEASURED: [(u32, [u8; 48]); 3] = [(1, [1; 48]), (2, [2; 48]), (1, [3; 48])];

#[test]
fn a_log_that_gives_the_registers_is_accepted() {
    let setup = logged(&MEASURED).with(|setup| {
        setup.tdx_rules = Rules::strict().event_log_required();
    });
    assert_eq!(setup.judge().code, None);
}

#[test]
fn a_log_with_an_event_changed_added_or_left_out_is_refused() {
    let mut swapped = MEASURED;
    swapped.swap(0, 2);
    let mut changed = MEASURED;
    changed[1].1[47] ^= 1;
    let mut moved = MEASURED;
    moved[1].0 = 3;
    let added = [&MEASURED[..], &[(4, [4; 48])]].concat();
    for bad in [&swapped[..], &changed, &moved, &added, &MEASURED[..2], &[]] {
        let setup = logged(&MEASURED).with(|setup| setup.event_log = Some(log(bad)));
        let expected = (Code::EventLogMismatch, "td-event-log".to_owned());
        assert_eq!(setup.refusal(), expected);
    }
}

#[test]
fn a_log_that_cannot_be_a_trust_domains_is_refused() {
    for register in [0, 5, 17] {
        let bad = log(&[(register, [1; 48])]);
        let setup = logged(&MEASURED).with(|setup| setup.event_log = Some(bad.clone()));
        let expected = (Code::EventLogMalformed, "td-event-log".to_owned());
        assert_eq!(setup.refusal(), expected);
        assert_eq!(
            replay(Log::Ccel(&bad)),
            Err(LogError::Register { register })
        );
    }
    let setup = logged(&MEASURED).with(|setup| setup.event_log = Some(vec![1]));
    assert_eq!(setup.refusal().0, Code::EventLogMalformed);
    assert!(matches!(
        replay(Log::Dstack(b"{}")),
        Err(LogError::Dstack(_))
    ));
}
