//! Graphics processors as a part of a node's evidence.

use super::super::{Code, Gap, Roots, Verdict, appraise};
use crate::Sha256Digest;
use crate::fixtures::{KEY_CONFIGURATION, NOW, Setup};
use crate::nvidia::fixtures::Setup as Devices;
use crate::nvidia::{absent_checkpoint, expected_nonce};
use crate::time::UnixSeconds;

/// A node with these devices, whose report is bound to their evidence.
fn node(devices: &Devices) -> Setup {
    let (evidence, collateral) = devices.parts();
    Setup::new().with(|setup| {
        setup.gpu_evidence = Some(evidence);
        setup.gpu_collateral = Some(collateral);
    })
}

/// Devices that signed this node's nonce.
fn devices() -> Devices {
    signing(nonce(KEY_CONFIGURATION))
}

fn signing(nonce: [u8; 32]) -> Devices {
    Devices::fabric().with(|setup| {
        for device in &mut setup.devices {
            device.nonce = nonce;
        }
    })
}

fn nonce(key_configuration: &[u8]) -> [u8; 32] {
    expected_nonce(&Sha256Digest::of(key_configuration), &absent_checkpoint())
}

#[test]
fn verified_devices_leave_no_gap_of_theirs_but_revocation() {
    let Verdict::VerifiedWithGaps(gaps) = node(&devices()).appraise().verdict() else {
        panic!("refused");
    };
    assert!(!gaps.contains(&Gap::GpuEvidenceAbsent), "{gaps:?}");
    let required = node(&devices()).with(|setup| {
        setup.policy = format!("required = [\"gpu-evidence\"]\n{}", setup.policy);
    });
    assert!(required.appraise().into_attested().is_ok());
}

#[test]
fn an_answer_about_revocation_may_be_no_older_than_the_policy_asks() {
    let earlier = UnixSeconds::new(NOW.get().saturating_sub(100));
    let answered = devices().with(|setup| {
        let mut answer = setup.devices[0].chain.answer(1);
        answer.this_update = earlier;
        setup.answers = vec![answer.sign()];
    });
    let limited = |seconds: u64| {
        node(&answered).with(|setup| {
            setup.policy = format!("max-collateral-age-seconds = {seconds}\n{}", setup.policy);
            setup.with_revocation_list = false;
        })
    };
    assert!(limited(100).appraise().into_attested().is_ok());
    assert_eq!(limited(99).refusal(), Ok(Code::CollateralStale));
}

#[test]
fn devices_that_signed_another_nodes_nonce_are_refused() {
    let other = signing(nonce(b"another key configuration"));
    assert_eq!(node(&other).refusal(), Ok(Code::NonceMismatch));
}

#[test]
fn devices_that_signed_for_another_checkpoint_are_refused() {
    let setup = node(&devices()).with(|setup| setup.checkpoint = Some(b"cp".to_vec()));
    assert_eq!(setup.refusal(), Ok(Code::NonceMismatch));
    let checkpoint = Sha256Digest::of(b"cp");
    let right = expected_nonce(&Sha256Digest::of(KEY_CONFIGURATION), &checkpoint);
    let setup = node(&signing(right)).with(|setup| setup.checkpoint = Some(b"cp".to_vec()));
    assert!(setup.appraise().into_attested().is_ok());
}

/// The report names its devices: others cannot take their place, however genuine.
#[test]
fn genuine_devices_that_the_report_does_not_name_are_refused() {
    let own = node(&devices());
    let report = own.report_bytes();
    let mut others = devices();
    others.devices.reverse();
    let swapped = node(&others);
    let bundle = swapped.bundle_of(&swapped.signed(), &report);
    let verdict = swapped.appraise_bundle(&bundle).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::ReportDataMismatch));
}

#[test]
fn devices_without_their_manifests_are_refused() {
    let setup = node(&devices()).with(|setup| setup.gpu_collateral = None);
    assert_eq!(setup.refusal(), Ok(Code::EvidenceMissing));
}

#[test]
fn a_device_with_a_fault_refuses_the_node() {
    let forged = devices().with(|setup| {
        setup.devices[1].report_key = crate::fixtures::pki::TestKey::p384(77);
    });
    assert_eq!(node(&forged).refusal(), Ok(Code::ReportSignature));
}

#[test]
fn evidence_that_is_no_list_of_devices_is_refused() {
    for (evidence, collateral) in [
        (b"gpu".to_vec(), None),
        (devices().parts().0, Some(b"collateral".to_vec())),
    ] {
        let setup = Setup::new().with(|setup| {
            setup.gpu_evidence = Some(evidence);
            setup.gpu_collateral = collateral;
        });
        assert_eq!(setup.refusal(), Ok(Code::ReportMalformed));
    }
}

#[test]
fn devices_of_another_vendor_are_refused() {
    let setup = node(&devices());
    let roots = Roots::simulated(setup.anchors());
    let appraisal = appraise(&setup.bundle(), &setup.policy(), &roots, NOW);
    assert_eq!(appraisal.verdict(), Verdict::Refused(Code::RootNotPinned));
    let row = appraisal
        .rows()
        .iter()
        .find(|row| row.name() == "gpu-evidence");
    let outcome = row.unwrap().outcome();
    assert!(
        matches!(outcome, super::super::Outcome::NotRun { .. }),
        "{outcome:?}"
    );
}

#[test]
fn a_policy_can_demand_a_mode_and_answers_about_revocation() {
    let demand = |line: &str| {
        node(&devices()).with(|setup| {
            setup.policy = format!("{}\n[nvidia]\n{line}\n", setup.policy);
        })
    };
    let right = demand("mode = \"protected-pcie\"");
    assert!(right.appraise().into_attested().is_ok());
    let wrong = demand("mode = \"single-passthrough\"").refusal().unwrap();
    assert_eq!(wrong.as_str(), "gpu-mode-not-allowed");
    let wrong = demand("revocation = \"required\"").refusal().unwrap();
    assert_eq!(wrong, Code::EvidenceMissing);
}
