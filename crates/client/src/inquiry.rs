//! Judging a bundle by evidence and log, without a connection: who calls brings the tiles, and keeps what was seen.
//!
//! ```text
//! Inquiry::new(bundle, directory) ──steps(seen)──▶ proofs by tiles ──add──▶ judge(seen) ──▶ VerifiedNode, what to keep
//! ```

use std::collections::BTreeSet;

use subrosa_attest::appraisal::{History, LogFindings, Presented, PresentedDirectory};
use subrosa_attest::{Bundle, Policy, Sha256Digest, UnixSeconds};
use subrosa_translog::{ConsistencyProofs, DeviceState, Timestamp};

use crate::node::{Refusal, VerifiedNode};
use crate::trust::Trust;

/// A bundle whose evidence passed, and what is still to be asked of the log (spec/transparency.md §8).
pub struct Inquiry {
    bundle: Bundle,
    listed: Vec<Sha256Digest>,
    proof: Option<Vec<u8>>,
    policy: Policy,
    trust: Trust,
    now: UnixSeconds,
    findings: LogFindings,
    asked: BTreeSet<(u64, u64)>,
    proofs: ConsistencyProofs,
}

impl Inquiry {
    /// Judges the evidence of a bundle that `directory` has led to, so that nothing is fetched because of a node that is
    /// refused anyway. The time is never before what witnesses have signed.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn new(
        bundle: Bundle,
        directory: PresentedDirectory<'_>,
        policy: &Policy,
        trust: &Trust,
        now: UnixSeconds,
        seen: &DeviceState,
    ) -> Result<Self, Box<Refusal>> {
        let now = later(now, seen);
        let presented = Presented {
            directory: Some(directory),
            history: None,
        };
        let node = VerifiedNode::judge_presented(bundle, &presented, policy, trust, now)?;
        Ok(Self {
            listed: directory.bundles.to_vec(),
            proof: directory.proof.map(<[u8]>::to_vec),
            policy: policy.clone(),
            trust: trust.clone(),
            now,
            findings: node.appraisal().log().clone(),
            bundle: node.bundle().clone(),
            asked: BTreeSet::new(),
            proofs: ConsistencyProofs::new(),
        })
    }

    /// The time that the node is judged by.
    #[must_use]
    pub const fn now(&self) -> UnixSeconds {
        self.now
    }

    /// Sizes of the log between which proofs of consistency are needed and were not brought yet.
    #[must_use]
    pub fn steps(&self, seen: &DeviceState) -> Vec<(u64, u64)> {
        let mut steps = self.findings.steps(seen);
        steps.retain(|step| !self.asked.contains(step));
        steps
    }

    /// Takes the proofs over these steps. One that could not be made is left out: the judgement says so.
    pub fn add(&mut self, steps: Vec<(u64, u64)>, proofs: ConsistencyProofs) {
        self.asked.extend(steps);
        self.proofs.extend(proofs);
    }

    /// Judges by what this device has seen of the log. With a node comes what it has seen then: it is to be kept before
    /// the node is used.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; what was seen is then as before.
    pub fn judge(
        &self,
        seen: &DeviceState,
    ) -> Result<(VerifiedNode, Option<DeviceState>), Box<Refusal>> {
        let presented = Presented {
            directory: Some(PresentedDirectory {
                bundles: &self.listed,
                proof: self.proof.as_deref(),
            }),
            history: Some(History {
                state: seen,
                proofs: &self.proofs,
            }),
        };
        let (policy, trust) = (&self.policy, &self.trust);
        let bundle = self.bundle.clone();
        let node = VerifiedNode::judge_presented(bundle, &presented, policy, trust, self.now)?;
        let after = node.appraisal().log().state().cloned();
        Ok((node, after))
    }
}

/// The time by the clock, but never before what witnesses have signed.
fn later(now: UnixSeconds, seen: &DeviceState) -> UnixSeconds {
    UnixSeconds::new(seen.not_before(Timestamp::new(now.get())).get())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_clock_behind_what_witnesses_have_signed_is_not_believed() {
        let seen = r#"{"schema":2,"latest":9,"logs":{},"minimum-sequences":{},"roster-sequences":{},"directories":{}}"#;
        let seen = DeviceState::parse(seen).unwrap();
        assert_eq!(later(UnixSeconds::new(5), &seen), UnixSeconds::new(9));
        assert_eq!(later(UnixSeconds::new(10), &seen), UnixSeconds::new(10));
    }
}
