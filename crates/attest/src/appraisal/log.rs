//! What the transparency log says about a bundle (`spec/transparency.md`, `spec/verdicts.md` §3.1).

use subrosa_translog::entry::EntryError;
use subrosa_translog::entry::directory::LoggedDirectory;
use subrosa_translog::entry::release::LoggedRelease;
use subrosa_translog::entry::roster::{LoggedRoster, RecordProof};
use subrosa_translog::{
    CheckpointError, Conflict, ConsistencyProofs, DeviceState, LogProof, LogProofError, Note,
    NoteError, StateError, Timestamp, WitnessedCheckpoint,
};

use super::check::{Check, Group, Recorder};
use super::{Code, Facts, Gap};
use crate::bundle::Bundle;
use crate::identifiers::Sha256Digest;
use crate::policy::{LogRules, Policy};
use crate::time::UnixSeconds;

/// What a device was shown beside the bundle, and what it has seen before. What is left out becomes a gap where the
/// policy names a log.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new check"
)]
pub struct Presented<'a> {
    /// The directory that led to the bundle.
    pub directory: Option<PresentedDirectory<'a>>,
    /// What the device has seen of logs.
    pub history: Option<History<'a>>,
}

/// A directory as a service shows it.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new check"
)]
pub struct PresentedDirectory<'a> {
    /// The bundles that it names.
    pub bundles: &'a [Sha256Digest],
    /// The proof that it is logged, if there is one.
    pub proof: Option<&'a [u8]>,
}

/// What a device has seen of logs, and proofs that they continue it.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new check"
)]
pub struct History<'a> {
    /// The state before.
    pub state: &'a DeviceState,
    /// Proofs for [`LogFindings::steps`].
    pub proofs: &'a ConsistencyProofs,
}

/// What was found in the log. Each part is there only if it was verified.
#[derive(Clone, Debug, Default)]
pub struct LogFindings {
    release: Option<LoggedRelease>,
    roster: Option<LoggedRoster>,
    directory: Option<LoggedDirectory>,
    checkpoint: Option<WitnessedCheckpoint>,
    state: Option<DeviceState>,
    conflict: Option<Conflict>,
}

impl LogFindings {
    /// The release that the log holds.
    #[must_use]
    pub fn release(&self) -> Option<&LoggedRelease> {
        self.release.as_ref()
    }

    /// The roster that admits the machine.
    #[must_use]
    pub fn roster(&self) -> Option<&LoggedRoster> {
        self.roster.as_ref()
    }

    /// The directory that names the node.
    #[must_use]
    pub fn directory(&self) -> Option<&LoggedDirectory> {
        self.directory.as_ref()
    }

    /// The sizes of the log between which proofs of consistency are needed for [`History::proofs`].
    #[must_use]
    pub fn steps(&self, state: &DeviceState) -> Vec<(u64, u64)> {
        state.steps(&self.checkpoints())
    }

    /// What the device has seen now, to be kept before the node is used.
    #[must_use]
    pub fn state(&self) -> Option<&DeviceState> {
        self.state.as_ref()
    }

    /// Two signed notes that contradict each other, to be kept.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict> {
        self.conflict.as_ref()
    }

    fn checkpoints(&self) -> Vec<&WitnessedCheckpoint> {
        [
            self.release.as_ref().map(LoggedRelease::checkpoint),
            self.roster.as_ref().map(LoggedRoster::checkpoint),
            self.directory.as_ref().map(LoggedDirectory::checkpoint),
            self.checkpoint.as_ref(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A check that failed: why, and in words.
struct Failed(Code, String);

impl Failed {
    fn new(code: Code, words: impl Into<String>) -> Self {
        Self(code, words.into())
    }

    fn absent(what: &str) -> Self {
        Self::new(Code::EvidenceMissing, format!("{what} is absent"))
    }
}

/// The release that the bundle proves, and the policy with its reference values.
pub(super) fn check_release(
    bundle: &Bundle,
    policy: &Policy,
    rules: &LogRules,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<(LoggedRelease, Policy)> {
    recorder.expect(&[Group::Log]);
    match release(bundle, policy, rules, timestamp(now)) {
        Ok((release, joined)) => {
            let manifest = release.manifest();
            let words = format!(
                "{} {}, release {}",
                manifest.service, manifest.version, manifest.sequence
            );
            recorder.pass(Check::ReleaseLogged, words);
            Some((release, joined))
        }
        Err(Failed(code, words)) => {
            recorder.fail(Check::ReleaseLogged, code, words);
            None
        }
    }
}

fn release(
    bundle: &Bundle,
    policy: &Policy,
    rules: &LogRules,
    now: Timestamp,
) -> Result<(LoggedRelease, Policy), Failed> {
    let proof = bundle
        .release_proof()
        .ok_or_else(|| Failed::absent("the proof of the release"))?;
    let proof = LogProof::parse(proof)?;
    let release = LoggedRelease::verify(&proof, &rules.releases, &rules.log, now)?;
    let service = &release.manifest().service;
    if *service != rules.service {
        let words = format!("it is one of {service}, not of {}", rules.service);
        return Err(Failed::new(Code::ReleaseServiceMismatch, words));
    }
    let joined = policy
        .joined(&release)
        .map_err(|words| Failed::new(Code::LogEntryMalformed, words))?;
    Ok((release, joined))
}

/// The other checks of the log. `release` is none where it has failed.
pub(super) fn check_log(
    (bundle, facts): (&Bundle, &Facts),
    presented: &Presented<'_>,
    rules: &LogRules,
    release: Option<LoggedRelease>,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> LogFindings {
    let now = timestamp(now);
    let released = release.is_some();
    let mut findings = LogFindings {
        release,
        ..LogFindings::default()
    };
    findings.checkpoint = record(
        recorder,
        Check::Checkpoint,
        checkpoint(bundle, rules, now),
        |one| {
            format!(
                "{} entries, cosigned at {}",
                one.checkpoint().size(),
                one.time().get()
            )
        },
    );
    let admitted = match facts.machine() {
        None => {
            recorder.gap(Check::MachineAdmitted, Gap::MachineNotIdentified);
            true
        }
        Some(identity) => {
            let platform = facts.platform().of_machine().to_string();
            let verdict = machine(bundle, &platform, &identity, rules, now);
            findings.roster = record(recorder, Check::MachineAdmitted, verdict, |roster| {
                format!("roster {}", roster.roster().sequence)
            });
            findings.roster.is_some()
        }
    };
    let listed = match &presented.directory {
        None => {
            recorder.gap(Check::DirectoryLogged, Gap::DirectoryNotChecked);
            true
        }
        Some(given) => {
            let verdict = directory(bundle, given, rules, now);
            findings.directory = record(recorder, Check::DirectoryLogged, verdict, |one| {
                let (epoch, nodes) = (one.directory().epoch(), one.directory().bundles().len());
                format!("epoch {epoch}, {nodes} nodes")
            });
            findings.directory.is_some()
        }
    };
    match &presented.history {
        None => recorder.gap(Check::LogHistory, Gap::LogHistoryNotChecked),
        // What was not verified must not enter a state.
        Some(history) if released && admitted && listed && findings.checkpoint.is_some() => {
            check_history(&mut findings, history, rules, recorder);
        }
        Some(_) => {}
    }
    findings
}

fn checkpoint(
    bundle: &Bundle,
    rules: &LogRules,
    now: Timestamp,
) -> Result<WitnessedCheckpoint, Failed> {
    let note = bundle
        .checkpoint()
        .ok_or_else(|| Failed::absent("the checkpoint"))?;
    let note = Note::parse(note).map_err(CheckpointError::from)?;
    let witnessed = rules.log.verify(&note, now)?;
    let age = now.since(witnessed.time());
    if age > rules.max_evidence_age {
        let limit = rules.max_evidence_age;
        return Err(CheckpointError::Stale { age, limit }.into());
    }
    Ok(witnessed)
}

fn machine(
    bundle: &Bundle,
    platform: &str,
    identity: &Sha256Digest,
    rules: &LogRules,
    now: Timestamp,
) -> Result<LoggedRoster, Failed> {
    let proof = bundle
        .machine_proof()
        .ok_or_else(|| Failed::absent("the proof of the roster"))?;
    let record = bundle
        .machine_record()
        .ok_or_else(|| Failed::absent("the record of the machine"))?;
    let proof = LogProof::parse(proof)?;
    let roster = LoggedRoster::verify(&proof, &rules.machines, &rules.log, now)?;
    let record = RecordProof::parse(record)
        .map_err(|error| Failed::new(Code::LogProofMalformed, error.to_string()))?;
    roster
        .admits(&record, platform, identity.as_bytes(), now)
        .map_err(|error| Failed::new(Code::MachineNotAdmitted, error.to_string()))?;
    Ok(roster)
}

fn directory(
    bundle: &Bundle,
    given: &PresentedDirectory<'_>,
    rules: &LogRules,
    now: Timestamp,
) -> Result<LoggedDirectory, Failed> {
    let not_logged = |words: &str| Failed::new(Code::DirectoryNotLogged, words);
    let proof = given
        .proof
        .ok_or_else(|| not_logged("the service shows no proof of its directory"))?;
    let proof = LogProof::parse(proof)?;
    let mut hashes: Vec<_> = given.bundles.iter().map(Sha256Digest::as_bytes).collect();
    hashes.sort_unstable();
    let document: Vec<u8> = hashes.into_iter().flatten().copied().collect();
    let logged = LoggedDirectory::verify(&document, &proof, &rules.directories, &rules.log, now)
        .map_err(|error| match error {
            EntryError::Field(words) => not_logged(words),
            error => error.into(),
        })?;
    if !logged.names(bundle.hash().as_bytes()) {
        return Err(not_logged("the directory does not name this bundle"));
    }
    Ok(logged)
}

fn check_history(
    findings: &mut LogFindings,
    history: &History<'_>,
    rules: &LogRules,
    recorder: &mut Recorder,
) {
    let mut state = history.state.clone();
    let mut see = || {
        state.see_all(&findings.checkpoints(), history.proofs)?;
        if let Some(release) = &findings.release {
            state.see_release(release)?;
        }
        if let Some(roster) = &findings.roster {
            state.see_roster(roster)?;
        }
        if let Some(directory) = &findings.directory {
            state.see_directory(&rules.service, directory)?;
        }
        Ok(())
    };
    let seen: Result<(), StateError> = see();
    match seen {
        Ok(()) => {
            let size = state.size_of(rules.log.log().name().as_str());
            recorder.pass(Check::LogHistory, format!("{size} entries"));
            findings.state = Some(state);
        }
        Err(error) => {
            findings.conflict = error.conflict().cloned();
            recorder.fail(Check::LogHistory, code_of_state(&error), error.to_string());
        }
    }
}

/// Records a pass with these words, or the failure.
fn record<T>(
    recorder: &mut Recorder,
    check: Check,
    verdict: Result<T, Failed>,
    words: impl FnOnce(&T) -> String,
) -> Option<T> {
    match verdict {
        Ok(found) => {
            recorder.pass(check, words(&found));
            Some(found)
        }
        Err(Failed(code, words)) => {
            recorder.fail(check, code, words);
            None
        }
    }
}

impl From<EntryError> for Failed {
    fn from(error: EntryError) -> Self {
        let code = match &error {
            EntryError::Early { .. } => Code::LogEntryNotYetValid,
            EntryError::Expired { .. } => Code::LogEntryExpired,
            EntryError::Log(error) => code_of_proof(error),
            EntryError::Note(NoteError::Signature(_) | NoteError::Unsigned(_))
            | EntryError::Threshold { .. } => Code::LogEntrySignature,
            _ => Code::LogEntryMalformed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<LogProofError> for Failed {
    fn from(error: LogProofError) -> Self {
        Self::new(code_of_proof(&error), error.to_string())
    }
}

impl From<CheckpointError> for Failed {
    fn from(error: CheckpointError) -> Self {
        Self::new(code_of_checkpoint(&error), error.to_string())
    }
}

fn code_of_proof(error: &LogProofError) -> Code {
    match error {
        LogProofError::Checkpoint(error) => code_of_checkpoint(error),
        LogProofError::Inclusion(_) => Code::LogInclusion,
        _ => Code::LogProofMalformed,
    }
}

fn code_of_checkpoint(error: &CheckpointError) -> Code {
    match error {
        CheckpointError::Future { .. } => Code::CheckpointFromFuture,
        CheckpointError::Note(NoteError::Signature(_) | NoteError::Unsigned(_)) => {
            Code::CheckpointSignature
        }
        CheckpointError::Origin => Code::CheckpointOtherLog,
        CheckpointError::Quorum { .. } => Code::WitnessQuorum,
        CheckpointError::Stale { .. } => Code::CheckpointStale,
        _ => Code::CheckpointMalformed,
    }
}

fn code_of_state(error: &StateError) -> Code {
    match error {
        StateError::Directory { .. } => Code::DirectoryChanged,
        StateError::Fork(_) => Code::LogForked,
        StateError::ReleaseTooOld { .. } => Code::ReleaseSuperseded,
        StateError::Rollback { .. } => Code::LogRolledBack,
        StateError::RosterTooOld { .. } => Code::RosterSuperseded,
        _ => Code::LogNotContinued,
    }
}

fn timestamp(now: UnixSeconds) -> Timestamp {
    Timestamp::new(now.get())
}
