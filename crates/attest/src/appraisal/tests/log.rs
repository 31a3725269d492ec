//! What the log says is good but for one thing.

use subrosa_translog::entry::directory::Directory;
use subrosa_translog::entry::release::{Measurement, ReleasePolicy};
use subrosa_translog::{ConsistencyProofs, DeviceState};

use super::super::*;
use crate::fixtures::log::{LogSetup, policy, refusal};
use crate::fixtures::{NOW, Setup};
use crate::snp::layout;

fn refused(edit: impl FnOnce(&mut LogSetup)) -> Result<Code, String> {
    LogSetup::new().with(edit).refusal()
}

/// The code where one part of what is shown has other bytes.
fn changed(part: &str, change: impl Fn(&str) -> String) -> Result<Code, String> {
    let setup = LogSetup::new();
    let shown = setup.show_with(|name, bytes| {
        if name != part {
            return bytes;
        }
        let text = String::from_utf8(bytes).unwrap();
        let other = change(&text);
        assert_ne!(other, text);
        other.into_bytes()
    });
    refusal(&setup.judge(&shown, &DeviceState::new()))
}

#[test]
fn a_node_whose_release_machine_and_directory_are_logged_has_no_gap_about_the_log() {
    let setup = LogSetup::new();
    let appraisal = setup.judge(&setup.show(), &DeviceState::new());
    let gaps = vec![Gap::GpuEvidenceAbsent];
    assert_eq!(
        appraisal.verdict(),
        Verdict::VerifiedWithGaps(gaps),
        "{}",
        appraisal.human_text()
    );
    let state = appraisal.log().state().unwrap();
    assert_eq!(state.size_of("example.com/log"), 4);
    let release = appraisal.log().release().unwrap();
    let expectations = &appraisal.expectations;
    let id = Sha256Digest::new(*release.id());
    assert!(expectations.releases().eq([&id]));
    assert!(expectations.allows_weights(&Sha256Digest::of(b"the model")));
    assert!(expectations.allows_configuration(&Sha256Digest::of(b"the configuration")));
    assert!(appraisal.into_attested().is_ok());
}

#[test]
fn without_a_section_about_the_log_proofs_prove_nothing() {
    let setup = LogSetup::new().with(|setup| setup.node.policy = Setup::new().policy);
    let appraisal = setup.judge(&setup.show(), &DeviceState::new());
    let gaps = vec![
        Gap::CheckpointNotVerified,
        Gap::GpuEvidenceAbsent,
        Gap::ReleaseNotLogged,
        Gap::MachineNotProven,
    ];
    assert_eq!(appraisal.verdict(), Verdict::VerifiedWithGaps(gaps));
    assert!(appraisal.log().state().is_none());
}

#[test]
fn what_nobody_looked_at_is_a_gap() {
    let setup = LogSetup::new();
    let bundle = setup.show().bundle;
    let appraisal = appraise(&bundle, &setup.node.policy(), &setup.node.roots(), NOW);
    let gaps = vec![
        Gap::GpuEvidenceAbsent,
        Gap::DirectoryNotChecked,
        Gap::LogHistoryNotChecked,
    ];
    assert_eq!(appraisal.verdict(), Verdict::VerifiedWithGaps(gaps));
}

#[test]
fn a_forgotten_check_of_the_log_is_a_refusal() {
    let setup = LogSetup::new();
    let appraisal = setup.judge(&setup.show(), &DeviceState::new());
    for name in [
        "release-logged",
        "checkpoint",
        "machine-admitted",
        "directory-logged",
        "log-history",
    ] {
        let mut forgetful = appraisal.clone();
        forgetful.rows.retain(|row| row.name() != name);
        assert_eq!(
            forgetful.verdict(),
            Verdict::Refused(Code::RequiredCheckNotRun),
            "{name}"
        );
    }
}

#[test]
fn every_part_must_be_there() {
    let missing = Ok(Code::EvidenceMissing);
    assert_eq!(refused(|setup| setup.parts.release = false), missing);
    assert_eq!(refused(|setup| setup.parts.roster = false), missing);
    assert_eq!(refused(|setup| setup.parts.record = false), missing);
    assert_eq!(refused(|setup| setup.parts.checkpoint = false), missing);
    let setup = LogSetup::new();
    let mut shown = setup.show();
    shown.proof = None;
    let verdict = setup.judge(&shown, &DeviceState::new());
    assert_eq!(refusal(&verdict), Ok(Code::DirectoryNotLogged));
}

#[test]
fn parts_that_are_not_what_they_should_be_are_refused() {
    for (part, code) in [
        ("release", Code::LogProofMalformed),
        ("roster", Code::LogProofMalformed),
        ("record", Code::LogProofMalformed),
        ("checkpoint", Code::CheckpointMalformed),
        ("directory", Code::LogProofMalformed),
    ] {
        let verdict = changed(part, |text| format!("x{text}"));
        // The origin is the first line of a checkpoint.
        let code = if part == "checkpoint" {
            Code::CheckpointOtherLog
        } else {
            code
        };
        assert_eq!(verdict, Ok(code), "{part}");
    }
    let verdict = changed("checkpoint", |text| text.replacen("\n3\n", "\n03\n", 1));
    assert_eq!(verdict, Ok(Code::CheckpointMalformed));
    let verdict = changed("checkpoint", |_| "x".to_owned());
    assert_eq!(verdict, Ok(Code::CheckpointMalformed));
}

#[test]
fn an_entry_that_is_not_in_the_log_is_refused() {
    for part in ["release", "roster", "directory"] {
        let other = |text: &str| {
            let from = text.find("\nindex ").unwrap();
            let digit = &text[from..from + 8];
            text.replacen(digit, "\nindex 0", 1)
        };
        assert_eq!(changed(part, other), Ok(Code::LogInclusion), "{part}");
    }
}

#[test]
fn the_checkpoint_of_another_log_is_refused() {
    let verdict = refused(|setup| setup.origin = "example.com/other");
    assert_eq!(verdict, Ok(Code::CheckpointOtherLog));
    let verdict = refused(|setup| setup.log_seed = 2);
    assert_eq!(verdict, Ok(Code::CheckpointSignature));
}

#[test]
fn a_missing_witness_is_refused_and_a_stranger_is_none() {
    assert!(refused(|setup| setup.cosigned = vec![(0, 5), (2, 5)]).is_err());
    let quorum = Ok(Code::WitnessQuorum);
    assert_eq!(refused(|setup| setup.cosigned = vec![(0, 5)]), quorum);
    let stranger = vec![(0, 5), (7, 5), (8, 5)];
    assert_eq!(refused(|setup| setup.cosigned = stranger), quorum);
}

#[test]
fn a_checkpoint_must_be_of_now() {
    let aged = |ages: [i64; 3]| refused(|setup| setup.cosigned = (0..3).zip(ages).collect());
    // A quorum of two: the second latest counts. The evidence's own checkpoint must be the youngest.
    assert!(aged([4800, 4800, 4800]).is_err());
    assert!(aged([0, 4800, 9999]).is_err());
    assert_eq!(aged([0, 4801, 4801]), Ok(Code::CheckpointStale));
    assert!(aged([-300, -300, -300]).is_err());
    assert_eq!(aged([-301, -301, 0]), Ok(Code::CheckpointFromFuture));
    let strict = |lines: &str, age| {
        refused(|setup| {
            setup.node.policy = policy(lines);
            setup.cosigned = vec![(0, age), (1, age)];
        })
    };
    for key in ["max-age-seconds", "max-evidence-age-seconds"] {
        assert!(strict(&format!("{key} = 60"), 60).is_err());
        let stale = strict(&format!("{key} = 60"), 61);
        assert_eq!(stale, Ok(Code::CheckpointStale), "{key}");
    }
}

#[test]
fn a_release_is_signed_by_the_keys_of_the_policy() {
    let unsigned = Ok(Code::LogEntrySignature);
    for signers in [vec![20], vec![20, 99], vec![98, 99], vec![30, 40]] {
        let verdict = refused(|setup| setup.release_signers.clone_from(&signers));
        assert_eq!(verdict, unsigned, "{signers:?}");
    }
    assert!(refused(|setup| setup.release_signers = vec![22, 20]).is_err());
}

#[test]
fn a_release_has_its_time() {
    let now = NOW.get();
    let life = |not_before, not_after| {
        refused(|setup| {
            setup.manifest.not_before = not_before;
            setup.manifest.not_after = not_after;
        })
    };
    assert!(life(now, now).is_err());
    assert_eq!(life(now - 9, now - 1), Ok(Code::LogEntryExpired));
    assert_eq!(life(now + 1, now + 9), Ok(Code::LogEntryNotYetValid));
}

#[test]
fn a_release_of_another_service_is_refused() {
    let verdict = refused(|setup| "subrosa.example/other".clone_into(&mut setup.manifest.service));
    assert_eq!(verdict, Ok(Code::ReleaseServiceMismatch));
}

#[test]
fn an_entry_that_is_no_release_is_refused() {
    let text = LogSetup::new().manifest.entry_text().unwrap();
    for bad in [
        text.replacen("release@v1", "release@v2", 1),
        text.replacen("release@v1", "machines@v1", 1),
        text.replacen("\"version\"", "\"any\": 1, \"version\"", 1),
        text.replacen("\"sequence\": 5", "\"sequence\": 0", 1),
    ] {
        assert_ne!(bad, text);
        let verdict = refused(|setup| setup.release_text = Some(bad));
        assert_eq!(verdict, Ok(Code::LogEntryMalformed));
    }
}

#[test]
fn the_program_of_the_release_is_the_only_one() {
    let other = |setup: &mut LogSetup| {
        let report = setup.node.report.clone();
        setup.node.report = report.with(layout::MEASUREMENT, &[0x5B]);
    };
    assert_eq!(refused(other), Ok(Code::MeasurementNotAllowed));
    // Values of the policy file are compared with in the same way.
    let mut listed = [0x5A; 48];
    listed[0] = 0x5B;
    let verdict = refused(|setup| {
        other(setup);
        setup.node.policy = format!(
            "{}[[measurements]]\nname = \"listed\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n",
            policy(""),
            hex::encode(listed)
        );
    });
    assert!(verdict.is_err(), "{verdict:?}");
}

#[test]
fn a_measurement_that_is_none_refuses_the_release() {
    let with = |platform: &str, register: &str, value: String| {
        refused(|setup| {
            setup.manifest.measurements.push(Measurement {
                name: "another".to_owned(),
                platform: platform.to_owned(),
                registers: [(register.to_owned(), value)].into(),
            });
        })
    };
    assert!(with("sev-snp", "value", "ab".repeat(48)).is_err());
    // A platform that no bundle has cannot be confused with one.
    assert!(with("arm-cca", "rim", "ab".repeat(32)).is_err());
    let malformed = Ok(Code::LogEntryMalformed);
    assert_eq!(with("sev-snp", "other", "ab".repeat(48)), malformed);
    assert_eq!(with("sev-snp", "value", "ab".repeat(32)), malformed);
    assert_eq!(with("sev-snp", "value", "00".repeat(48)), malformed);
    assert_eq!(with("intel-tdx", "mrtd", "ab".repeat(48)), malformed);
    assert_eq!(with("azure-sev-snp", "value", "ab".repeat(48)), malformed);
    assert_eq!(with("tpm", "pcr4", "ab".repeat(32)), malformed);
}

#[test]
fn a_release_says_what_a_tpm_measures() {
    let registers = |length: usize| {
        let value = |number: u8| {
            (
                format!("pcr{number}"),
                format!("{number:02x}").repeat(length),
            )
        };
        [4, 9, 11].map(value)
    };
    let joined = |registers: &[(String, String)]| {
        let setup = LogSetup::new().with(|setup| {
            setup.manifest.measurements.push(Measurement {
                name: "the image".to_owned(),
                platform: "tpm".to_owned(),
                registers: registers.iter().cloned().collect(),
            });
        });
        let found = setup.judge(&setup.show(), &DeviceState::new());
        let release = found.log().release()?;
        Some(setup.node.policy().joined(release).unwrap().boots)
    };
    let boots = joined(&registers(32)).unwrap();
    let [boot] = &boots[..] else {
        unreachable!("one image");
    };
    let values = [4, 9, 11].map(|number| Sha256Digest::new([number; 32]));
    assert_eq!(boot.registers, values);
    assert!(joined(&registers(48)).is_none());
    assert!(joined(&registers(32)[1..]).is_none());
    let mut more = registers(32).to_vec();
    more.push(("pcr12".to_owned(), "00".repeat(32)));
    assert!(joined(&more).is_none());
}

#[test]
fn a_release_raises_firmware_levels_and_never_lowers_them() {
    let floor = |platform: &str, part: &str, component: &str, level: u64| {
        refused(|setup| {
            let levels = [(component.to_owned(), level)].into();
            let parts = [(part.to_owned(), levels)].into();
            setup.manifest.policy = ReleasePolicy {
                tcb_floors: [(platform.to_owned(), parts)].into(),
            };
        })
    };
    for component in ["bootloader", "tee", "snp", "microcode"] {
        let below = Ok(Code::TcbBelowFloor);
        assert_eq!(floor("sev-snp", "genoa", component, 255), below);
        assert!(floor("sev-snp", "genoa", component, 0).is_err());
        assert!(floor("sev-snp", "turin", component, 255).is_err());
    }
    assert!(floor("sev-snp", "turin", "fmc", 255).is_err());
    // Lowering leaves the default in force, and raising one part no other.
    let joined = |component: &str, level: u64| {
        let setup = LogSetup::new().with(|setup| {
            let levels = [(component.to_owned(), level)].into();
            setup.manifest.policy.tcb_floors =
                [("sev-snp".to_owned(), [("genoa".to_owned(), levels)].into())].into();
        });
        let found = setup.judge(&setup.show(), &DeviceState::new());
        let policy = setup.node.policy();
        let joined = policy.joined(found.log().release().unwrap()).unwrap();
        (policy.snp.floors, joined.snp.floors)
    };
    for component in ["bootloader", "tee", "snp", "microcode"] {
        let (before, after) = joined(component, 0);
        assert_eq!(before, after, "{component}");
        let (before, after) = joined(component, 255);
        let changed = before
            .iter()
            .zip(&after)
            .filter(|(one, other)| one != other);
        assert_eq!(changed.count(), 1, "{component}");
    }
    // What cannot be applied must not be left out.
    let malformed = Ok(Code::LogEntryMalformed);
    assert_eq!(floor("intel-tdx", "any", "svn", 1), malformed);
    assert_eq!(floor("intel-tdx", "genoa", "snp", 1), malformed);
    assert_eq!(floor("sev-snp", "rome", "snp", 1), malformed);
    assert_eq!(floor("sev-snp", "genoa", "fmc", 1), malformed);
    assert_eq!(floor("sev-snp", "genoa", "other", 1), malformed);
    assert_eq!(floor("sev-snp", "genoa", "snp", 256), malformed);
}

#[test]
fn a_refused_release_leaves_nothing_to_compare_with() {
    let setup = LogSetup::new().with(|setup| setup.release_signers = vec![99]);
    let appraisal = setup.judge(&setup.show(), &DeviceState::new());
    for row in appraisal.rows() {
        let why = NotRun::NotReached;
        if matches!(
            row.name(),
            "reference-values" | "measurement" | "log-history"
        ) {
            assert_eq!(row.outcome(), &Outcome::NotRun { why }, "{}", row.name());
        }
    }
    assert!(appraisal.log().state().is_none() && appraisal.log().release().is_none());
}

#[test]
fn a_machine_is_admitted_by_a_record_of_its_own_that_has_not_ended() {
    let not_admitted = Ok(Code::MachineNotAdmitted);
    let other = Sha256Digest::of(b"another");
    assert_eq!(refused(|setup| setup.machine.1 = other), not_admitted);
    assert_eq!(refused(|setup| setup.machine.0 = "intel-tdx"), not_admitted);
    let ended = NOW.get() - 1;
    assert_eq!(refused(|setup| setup.record_life = ended), not_admitted);
    let verdict = changed("record", |text| text.replacen("index 1", "index 0", 1));
    assert_eq!(verdict, not_admitted);
}

#[test]
fn below_a_paravisor_the_machine_is_the_processors() {
    use crate::policy::Platform;
    for (platform, machine) in [
        (Platform::AwsNitro, Platform::AwsNitro),
        (Platform::AzureIntelTdx, Platform::IntelTdx),
        (Platform::AzureSevSnp, Platform::SevSnp),
        (Platform::IntelTdx, Platform::IntelTdx),
        (Platform::SevSnp, Platform::SevSnp),
        (Platform::Tpm, Platform::Tpm),
    ] {
        assert_eq!(platform.of_machine(), machine);
    }
    assert_eq!(Platform::ALL.len(), 6);
}

#[test]
fn a_roster_is_signed_by_the_admitters_and_has_its_time() {
    let verdict = refused(|setup| setup.roster_signers = vec![40]);
    assert_eq!(verdict, Ok(Code::LogEntrySignature));
    let now = NOW.get();
    let verdict = refused(|setup| setup.roster_life = (now - 9, now - 1));
    assert_eq!(verdict, Ok(Code::LogEntryExpired));
    let verdict = refused(|setup| setup.roster_life = (now + 1, now + 9));
    assert_eq!(verdict, Ok(Code::LogEntryNotYetValid));
}

#[test]
fn a_directory_is_signed_by_the_operator_and_has_its_time() {
    let verdict = refused(|setup| setup.directory_signers = vec![30]);
    assert_eq!(verdict, Ok(Code::LogEntrySignature));
    let now = NOW.get();
    let verdict = refused(|setup| setup.directory_life = (now - 9, now - 1));
    assert_eq!(verdict, Ok(Code::LogEntryExpired));
    let verdict = refused(|setup| setup.directory_life = (now + 1, now + 9));
    assert_eq!(verdict, Ok(Code::LogEntryNotYetValid));
}

#[test]
fn a_directory_other_than_the_logged_one_is_refused() {
    let setup = LogSetup::new();
    let judge = |listed: Vec<Sha256Digest>| {
        let mut shown = setup.show();
        shown.listed = listed;
        refusal(&setup.judge(&shown, &DeviceState::new()))
    };
    let good = setup.show().listed;
    let own = setup.show().bundle.hash();
    assert!(judge(good.iter().copied().rev().collect()).is_err());
    let not_logged = Ok(Code::DirectoryNotLogged);
    assert_eq!(judge(vec![own]), not_logged);
    assert_eq!(judge(Vec::new()), not_logged);
    let mut more = good.clone();
    more.push(Sha256Digest::of(b"a node for one device"));
    assert_eq!(judge(more), not_logged);
    let mut twice = good;
    twice.push(own);
    assert_eq!(judge(twice), not_logged);
}

#[test]
fn a_bundle_that_the_logged_directory_does_not_name_is_refused() {
    let setup = LogSetup::new();
    let mut shown = setup.show();
    let stranger = LogSetup::new().with(|setup| setup.record_life += 1);
    shown.bundle = stranger.show().bundle;
    let verdict = setup.judge(&shown, &DeviceState::new());
    assert_eq!(refusal(&verdict), Ok(Code::DirectoryNotLogged));
}

/// A device that has seen this.
fn seen(setup: &LogSetup) -> DeviceState {
    let appraisal = setup.judge(&setup.show(), &DeviceState::new());
    appraisal.log().state().unwrap().clone()
}

#[test]
fn a_device_follows_a_log_that_grows() {
    let longer = LogSetup::new().with(|setup| setup.more = 5);
    let state = seen(&LogSetup::new());
    let verdict = longer.judge(&longer.show(), &state);
    let state = verdict.log().state().unwrap();
    assert_eq!(state.size_of("example.com/log"), 9);
    // What was seen stays good.
    assert!(longer.judge(&longer.show(), state).log().state().is_some());
}

#[test]
fn a_log_that_has_gone_back_is_refused_and_both_checkpoints_are_kept() {
    let longer = LogSetup::new().with(|setup| setup.more = 5);
    let setup = LogSetup::new();
    let shown = setup.show();
    let appraisal = setup.judge(&shown, &seen(&longer));
    assert_eq!(refusal(&appraisal), Ok(Code::LogRolledBack));
    let conflict = appraisal.log().conflict().unwrap();
    let newest = setup.checkpoint(&shown.entries).to_string();
    assert_eq!(conflict.refused, newest);
    assert!(appraisal.log().state().is_none());
}

#[test]
fn a_forked_log_is_refused_and_both_checkpoints_are_kept() {
    let fork = LogSetup::new().with(|setup| setup.first = b"fork");
    let appraisal = fork.judge(&fork.show(), &seen(&LogSetup::new()));
    assert_eq!(refusal(&appraisal), Ok(Code::LogForked));
    assert!(appraisal.log().conflict().is_some());
}

#[test]
fn growth_without_a_proof_is_refused() {
    let setup = LogSetup::new();
    let (state, proofs) = (DeviceState::new(), ConsistencyProofs::new());
    let history = History {
        state: &state,
        proofs: &proofs,
    };
    // The directory was logged after the checkpoint of the evidence.
    let appraisal = setup.appraise(&setup.show(), Some(history));
    assert_eq!(refusal(&appraisal), Ok(Code::LogNotContinued));
}

#[test]
fn a_release_below_the_logged_minimum_is_refused_and_two_may_run_side_by_side() {
    let release = |sequence, minimum| {
        LogSetup::new().with(|setup| {
            setup.manifest.sequence = sequence;
            setup.manifest.minimum_sequence = minimum;
            // Both are in one log: here the first entry stands for the other.
            setup.epoch = sequence;
        })
    };
    let state_after = |sequence, minimum| {
        let mut state = DeviceState::new();
        let setup = release(sequence, minimum);
        let found = setup.judge(&setup.show(), &state);
        state.see_release(found.log().release().unwrap()).unwrap();
        state
    };
    for (sequence, accepted) in [(3, false), (4, true), (5, true), (6, true)] {
        let setup = release(sequence, 1);
        let verdict = refusal(&setup.judge(&setup.show(), &state_after(5, 4)));
        if accepted {
            assert!(verdict.is_err(), "{sequence}: {verdict:?}");
        } else {
            assert_eq!(verdict, Ok(Code::ReleaseSuperseded));
        }
    }
}

#[test]
fn an_older_roster_than_one_that_was_seen_is_refused() {
    let roster = |sequence| LogSetup::new().with(|setup| setup.roster_sequence = sequence);
    let mut state = DeviceState::new();
    let newer = roster(8);
    let found = newer.judge(&newer.show(), &state);
    state.see_roster(found.log().roster().unwrap()).unwrap();
    assert!(refusal(&newer.judge(&newer.show(), &state)).is_err());
    let older = roster(7);
    let verdict = refusal(&older.judge(&older.show(), &state));
    assert_eq!(verdict, Ok(Code::RosterSuperseded));
}

#[test]
fn a_second_directory_of_an_epoch_is_refused() {
    let setup = LogSetup::new();
    let mut state = DeviceState::new();
    let found = setup.judge(&setup.show(), &state);
    let directory = found.log().directory().unwrap();
    state
        .see_directory("subrosa.example/chat", directory)
        .unwrap();
    assert!(refusal(&setup.judge(&setup.show(), &state)).is_err());
    let other = LogSetup::new().with(|setup| setup.neighbours = vec![[8; 32]]);
    let appraisal = other.judge(&other.show(), &state);
    assert_eq!(refusal(&appraisal), Ok(Code::DirectoryChanged));
    assert!(appraisal.log().conflict().is_some());
}

#[test]
fn a_machine_that_evidence_does_not_name_is_a_gap() {
    let document = super::nitro::document();
    let setup = LogSetup::new();
    let mut policy = setup.node.policy();
    policy.platforms = vec![crate::policy::Platform::AwsNitro];
    let bundle = super::nitro::bundle(&document);
    let appraisal = appraise(&bundle, &policy, &setup.node.roots(), NOW);
    let row = appraisal
        .rows()
        .iter()
        .find(|row| row.name() == "machine-admitted");
    let why = NotRun::Gap(Gap::MachineNotIdentified);
    assert_eq!(row.unwrap().outcome(), &Outcome::NotRun { why });
    assert_eq!(refusal(&appraisal), Ok(Code::EvidenceMissing));
}

/// A proof tells a service which of its directories it belongs to.
#[test]
fn a_proof_belongs_to_exactly_one_list_of_bundles() {
    let shown = LogSetup::new().show();
    let proof = subrosa_translog::LogProof::parse(&shown.proof.unwrap()).unwrap();
    let mut listed: Vec<_> = shown.listed.iter().map(|one| *one.as_bytes()).collect();
    assert!(Directory::is_proven_by(&proof, &listed));
    listed.reverse();
    assert!(Directory::is_proven_by(&proof, &listed));
    listed.pop();
    assert!(!Directory::is_proven_by(&proof, &listed));
}
