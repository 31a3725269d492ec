//! What commands about releases have in common: a release that is logged, and the source it says it is of.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use subrosa_attest::UnixSeconds;
use subrosa_attest::policy::LogRules;
use subrosa_client::ReleaseRefused;
use subrosa_release::Plan;
use subrosa_translog::entry::release::LoggedRelease;
use subrosa_translog::merkle::consistency_proof;
use subrosa_translog::{Hash, LogProof, Timestamp};

use crate::chat::history;
use crate::failure::{Exit, Failure};
use crate::folders::{read_bounded, read_text};
use crate::judgement::read_policy;
use crate::time;
use crate::transparency::{Remote, RemoteLog};

/// Which release, and who must have signed and logged it.
#[derive(Args, Debug)]
pub(crate) struct LoggedFlags {
    /// The proof that the release is logged, as its page or a node shows it (release.tlog-proof)
    #[arg(value_name = "PROOF")]
    proof: PathBuf,

    /// Policy file: its section `[log]` names the log, its witnesses, the service and who signs its releases
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,

    /// Judge the proof as it is, and ask the log for no newer one
    #[arg(long)]
    pub(crate) offline: bool,

    /// Judge as of this time instead of now, such as 2026-11-22T22:15:00Z
    #[arg(long, value_name = "TIME", value_parser = time::parse, requires = "offline")]
    at: Option<UnixSeconds>,
}

/// A release that is signed, logged, of the right service and for now.
pub(crate) struct Found {
    pub(crate) release: LoggedRelease,
    /// Which entry of the log it is.
    pub(crate) index: u64,
    /// The log, unless nobody was to be asked.
    remote: Option<Remote>,
}

impl LoggedFlags {
    /// Verifies the release. A fresh proof is asked for, because witnesses' words about an old tree say little.
    pub(crate) fn find(&self) -> Result<Found, Failure> {
        let policy = read_policy(&self.policy)?;
        let rules = policy.log().ok_or_else(|| {
            let message = format!("{} names no log", self.policy.display());
            Failure::new(Exit::Usage, message)
                .hint("its section [log] is explained in spec/policy.md §7")
        })?;
        let limit = u64::try_from(LogProof::MAX).unwrap_or(u64::MAX);
        let given = LogProof::parse(&read_bounded(&self.proof, limit)?).map_err(|error| {
            let message = format!("{} is no proof of a logged entry", self.proof.display());
            Failure::new(Exit::Refused, message).because(&error)
        })?;
        let index = given.index();
        let (proof, remote) = if self.offline {
            (given, None)
        } else {
            let remote = Remote::new(rules.tiles())?;
            (renewed(&given, &remote.log()?)?, Some(remote))
        };
        let at = self.at.unwrap_or_else(time::now);
        let release = verify(&proof, rules, Timestamp::new(at.get()))?;
        Ok(Found {
            release,
            index,
            remote,
        })
    }
}

impl Found {
    /// The log as it is now, unless nobody was to be asked.
    pub(crate) fn log(&self) -> Result<Option<RemoteLog<'_>>, Failure> {
        self.remote.as_ref().map(Remote::log).transpose()
    }

    /// Holds the release against what this device has seen, and keeps it.
    pub(crate) fn remember(&self) -> Result<(), Failure> {
        let log = self.log()?;
        let prove = |old: u64, new: u64| -> Option<Vec<Hash>> {
            consistency_proof(log.as_ref()?, old, new).ok()
        };
        let refused = |error: &dyn std::error::Error| {
            Failure::new(Exit::Refused, "this release is not accepted").cause(error)
        };
        match history()?.see_release(&self.release, prove) {
            Ok(()) => Ok(()),
            Err(ReleaseRefused::Seen { error, kept }) => {
                let failure = refused(&error);
                Err(match kept {
                    Some(path) => failure.hint(format!(
                        "both signed checkpoints are kept in {}: they show what the log did",
                        path.display()
                    )),
                    None => failure,
                })
            }
            Err(error) => Err(Failure::new(
                Exit::Failed,
                "what this device has seen cannot be read or kept",
            )
            .cause(error)),
        }
    }

    /// How a list of checks begins.
    pub(crate) fn words(&self) -> String {
        let manifest = self.release.manifest();
        let (version, sequence) = (&manifest.version, manifest.sequence);
        let checkpoint = self.release.checkpoint();
        format!(
            "{version} of {}, sequence {sequence}, is entry {} of {}",
            manifest.service,
            self.index,
            checkpoint.checkpoint().size()
        )
    }
}

/// The same entry at the checkpoint that the log shows now.
fn renewed(given: &LogProof, log: &RemoteLog<'_>) -> Result<LogProof, Failure> {
    let fresh = log.proof(given.index())?;
    if fresh.entry() == given.entry() {
        return Ok(fresh);
    }
    let message = format!("entry {} of the log is another one", given.index());
    Err(Failure::new(Exit::Refused, message).hint(
        "the log has forked, or the proof is of another log: keep the proof, it may be evidence",
    ))
}

fn verify(proof: &LogProof, rules: &LogRules, now: Timestamp) -> Result<LoggedRelease, Failure> {
    let refused = |message: &str| Failure::new(Exit::Refused, message);
    let release = LoggedRelease::verify(proof, rules.releases(), rules.log(), now)
        .map_err(|error| refused("this release is not accepted").because(&error))?;
    let service = &release.manifest().service;
    if service != rules.service() {
        let cause = format!(
            "it is one of {service}, and the policy names {}",
            rules.service()
        );
        return Err(refused("this release is not accepted").cause(cause));
    }
    Ok(release)
}

/// Reads what a release consists of, as its source says.
pub(crate) fn read_plan(source: &Path) -> Result<Plan, Failure> {
    let path = source.join(Plan::FILE);
    let limit = u64::try_from(Plan::MAX_LEN).unwrap_or(u64::MAX);
    Plan::parse(&read_text(&path, limit)?).map_err(|error| {
        Failure::new(Exit::Usage, format!("{} is not read", path.display())).because(&error)
    })
}

/// What a checkout of the source is.
pub(crate) struct Checkout {
    pub(crate) commit: String,
    /// Whether nothing differs from the commit.
    pub(crate) is_clean: bool,
}

impl Checkout {
    pub(crate) fn of(source: &Path) -> Result<Self, Failure> {
        let commit = git(source, &["rev-parse", "HEAD"])?;
        // Files that are ignored are built, not source.
        let changes = git(source, &["status", "--porcelain"])?;
        Ok(Self {
            commit: commit.trim_end().to_owned(),
            is_clean: changes.is_empty(),
        })
    }
}

fn git(source: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let failed = || {
        let message = format!("{} is no checkout of the source", source.display());
        Failure::new(Exit::Usage, message).hint("clone the repository, and name it with --source")
    };
    let output = Command::new("git")
        .arg("-C")
        .arg(source)
        .args(arguments)
        .output()
        .map_err(|error| failed().because(&error))?;
    if !output.status.success() {
        return Err(failed().cause(String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    String::from_utf8(output.stdout).map_err(|error| failed().because(&error))
}
