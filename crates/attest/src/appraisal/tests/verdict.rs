//! From rows to a verdict, and to what is shown of it.

use std::collections::BTreeSet;

use super::super::check::{Check, Need};
use super::super::*;
use crate::fixtures::{NOW, Setup};
use crate::snp::layout;

#[test]
fn a_policy_without_reference_values_refuses_good_evidence() {
    let setup = Setup::new();
    let roots = setup.roots();
    let strict = Policy::strict_default();
    let verdict = appraise(&setup.bundle(), &strict, &roots, NOW).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::ReferenceValuesEmpty));
}

#[test]
fn a_platform_the_policy_does_not_list_is_refused() {
    let setup = Setup::new();
    let roots = setup.roots();
    let mut policy = setup.policy();
    policy.platforms.clear();
    let verdict = appraise(&setup.bundle(), &policy, &roots, NOW).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::PlatformNotAllowed));
}

#[test]
fn each_kind_of_reference_value_is_needed() {
    for table in ["measurements", "weights", "configurations", "releases"] {
        let setup = Setup::new().with(|setup| {
            let start = setup.policy.find(&format!("[[{table}]]")).unwrap();
            let length = setup.policy[start + 2..].find("\n[").unwrap() + 3;
            setup.policy.replace_range(start..start + length, "");
        });
        let refused = Ok(Code::ReferenceValuesEmpty);
        assert_eq!(setup.refusal(), refused, "{table}");
    }
}

#[test]
fn the_vendors_roots_refuse_the_simulated_vendor() {
    let setup = Setup::new();
    let appraisal = appraise(&setup.bundle(), &setup.policy(), &Roots::vendor(), NOW);
    assert_eq!(appraisal.verdict(), Verdict::Refused(Code::RootNotPinned));
    let refused = appraisal.into_attested().unwrap_err();
    assert_eq!(refused.code(), Code::RootNotPinned);
    assert!(refused.appraisal().facts().is_none());
}

#[test]
fn a_simulated_root_never_becomes_attested() {
    let setup = Setup::new();
    let appraisal = appraise_up_to(
        (&setup.bundle(), &Presented::default()),
        &setup.policy(),
        &Roots::simulated(setup.anchors()),
        Origin::Simulated,
        NOW,
    );
    assert_eq!(appraisal.verdict(), Verdict::NotProtectedDevelopment);
    let refused = appraisal.into_attested().unwrap_err();
    assert_eq!(refused.code(), Code::HostNotExcluded);
}

#[test]
fn nothing_behind_a_bad_signature_is_looked_at() {
    let mut setup = Setup::new();
    setup.report_key = p384::ecdsa::SigningKey::from_slice(&[9; 48]).unwrap();
    let appraisal = setup.appraise();
    let after = appraisal
        .rows()
        .iter()
        .skip_while(|row| row.name() != "report-signature")
        .skip(1);
    for row in after {
        let why = NotRun::NotReached;
        assert_eq!(row.outcome(), &Outcome::NotRun { why }, "{}", row.name());
    }
    assert!(appraisal.facts().is_none());
}

#[test]
fn every_failure_has_a_row_of_its_own() {
    let appraisal = Setup::new()
        .report_field(layout::POLICY + 2, &[0b1010])
        .report_field(layout::VMPL, &[2])
        .report_field(layout::MEASUREMENT, &[0])
        .appraise();
    let failed: Vec<_> = appraisal
        .rows()
        .iter()
        .filter(|row| matches!(row.outcome(), Outcome::Fail { .. }))
        .map(Row::name)
        .collect();
    assert_eq!(
        failed,
        ["guest-debug", "vmpl", "measurement", "excludes-host"]
    );
    let code = Code::GuestDebugAllowed;
    assert_eq!(appraisal.verdict(), Verdict::Refused(code));
}

/// Takes each row of a good appraisal away: whatever is forgotten, nothing
/// becomes better for it.
#[test]
fn a_check_that_left_no_row_is_a_refusal() {
    let appraisal = Setup::new().appraise();
    let refused = Verdict::Refused(Code::RequiredCheckNotRun);
    for at in 0..appraisal.rows.len() {
        let mut forgetful = appraisal.clone();
        forgetful.rows.remove(at);
        assert_eq!(
            forgetful.verdict(),
            refused,
            "{}",
            appraisal.rows[at].name()
        );
    }
}

#[test]
fn a_required_check_that_did_not_run_is_a_refusal() {
    let appraisal = Setup::new().appraise();
    let refused = Verdict::Refused(Code::RequiredCheckNotRun);
    for at in 0..appraisal.rows.len() {
        let check = appraisal.rows[at].check;
        for why in [
            NotRun::NotReached,
            NotRun::Simulated,
            NotRun::Gap(Gap::MachineNotProven),
        ] {
            let is_gap = matches!(why, NotRun::Gap(_));
            let mut skipping = appraisal.clone();
            skipping.rows[at].outcome = Outcome::NotRun { why };
            if is_gap && check.need() == Need::GapAllowed {
                assert_ne!(skipping.verdict(), refused, "{}", check.name());
            } else {
                assert_eq!(skipping.verdict(), refused, "{}", check.name());
            }
        }
    }
}

#[test]
fn no_gap_replaces_the_exclusion_of_the_host() {
    assert_eq!(Check::ExcludesHost.need(), Need::Required);
}

#[test]
fn verified_needs_every_row_and_no_gap() {
    let mut appraisal = Setup::new().appraise();
    for row in &mut appraisal.rows {
        row.outcome = Outcome::Pass;
    }
    assert_eq!(appraisal.verdict(), Verdict::Verified);
    appraisal.weakened.push(Gap::RevocationStale);
    let gaps = vec![Gap::RevocationStale];
    assert_eq!(appraisal.verdict(), Verdict::VerifiedWithGaps(gaps));
}

#[test]
fn names_of_checks_and_codes_are_kebab_case_and_unique() {
    let names = Check::ALL.iter().map(|check| check.name());
    let codes = Code::ALL.iter().map(|code| code.as_str());
    for (kind, texts) in [
        ("check", names.collect::<Vec<_>>()),
        ("code", codes.collect()),
    ] {
        let unique: BTreeSet<_> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len(), "{kind}");
        for text in texts {
            let right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(text.chars().all(right), "{kind} {text}");
        }
    }
}

#[test]
fn codes_are_in_alphabetical_order() {
    let texts = Code::ALL.iter().map(|code| code.as_str());
    assert!(texts.is_sorted());
}

#[test]
fn the_specification_names_every_code_check_and_gap() {
    let text = include_str!("../../../../../spec/verdicts.md");
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let checks = Check::ALL.iter().map(|check| check.name());
    let gaps = [
        Gap::CheckpointAbsent,
        Gap::CheckpointNotVerified,
        Gap::GpuEvidenceAbsent,
        Gap::HardwareReportNotVerified,
        Gap::HostNotExcluded,
        Gap::MachineNotIdentified,
        Gap::MachineNotProven,
        Gap::ParavisorNotCompared,
        Gap::PcrValuesAbsent,
        Gap::ReleaseNotLogged,
        Gap::RevocationNotChecked,
        Gap::RevocationStale,
        Gap::SoftwareNotCompared,
        Gap::TpmKeyAttributesUnknown,
        Gap::TpmKeyNotCertified,
        Gap::TpmNonceNotCompared,
        Gap::TpmQuoteAbsent,
        Gap::Weakened {
            rule: crate::policy::WeakenedRule::Cxl,
            reason: String::new(),
        },
    ];
    let gaps = gaps.iter().map(Gap::as_str);
    for name in codes.chain(checks).chain(gaps) {
        assert!(text.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn the_json_has_the_fields_of_the_specification() {
    let json = Setup::new().appraise().to_json();
    let node = &json["submods"]["node"];
    assert_eq!(json["eat_profile"], "tag:subrosa.dev,2026:appraisal/1");
    assert_eq!(json["iat"], NOW.get());
    assert_eq!(node["ear.status"], "warning");
    assert_eq!(node["subrosa.verdict"], "verified-with-gaps");
    assert_eq!(node["subrosa.gaps"][0]["gap"], "checkpoint-absent");
    let facts = &node["subrosa.facts"];
    assert_eq!(facts["platform"], "sev-snp");
    let measurement = crate::fixtures::MEASUREMENT.to_string();
    assert_eq!(facts["measurement"]["value"], measurement);
    assert_eq!(facts["claims"]["reported_tcb"]["microcode"], 0x54);
    assert_eq!(node["subrosa.checks"][0]["check"], "platform-allowed");
    assert_eq!(node["subrosa.checks"][0]["outcome"], "pass");
    assert!(node["subrosa.code"].is_null());
    let refused = Setup::new().report_field(layout::VMPL, &[1]).appraise();
    let node = &refused.to_json()["submods"]["node"];
    assert_eq!(node["ear.status"], "contraindicated");
    assert_eq!(node["subrosa.code"], "vmpl-mismatch");
}

#[test]
fn the_text_says_what_was_checked_and_what_is_not_proved() {
    let appraisal = Setup::new().appraise();
    let text = appraisal.human_text();
    for row in appraisal.rows() {
        let question = &row.question()[1..];
        assert!(text.contains(question), "{question}");
    }
    assert!(text.contains("VERIFIED WITH GAPS"));
    assert!(text.contains("4 things named below were not checked"));
    assert!(text.contains("What this does not prove"));
    let refused = Setup::new().report_field(layout::VMPL, &[1]).appraise();
    assert!(refused.human_text().contains("REFUSED (vmpl-mismatch)"));
}

/// The key configuration is not secret, but it has no place in a log either.
#[test]
fn texts_do_not_repeat_the_key_configuration() {
    let appraisal = Setup::new().appraise();
    let kc = String::from_utf8(appraisal.key_configuration.clone()).unwrap();
    assert!(!appraisal.human_text().contains(&kc));
    assert!(!appraisal.to_json().to_string().contains(&kc));
}
