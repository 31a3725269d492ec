//! Judging the nodes that a service lists: evidence, and what the log says of them.
//!
//! ```text
//! bundle, directory ──judge──▶ what of the log is shown ──tiles──▶ proofs ──judge with what was seen──▶ kept ──▶ VerifiedNode
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use subrosa_attest::appraisal::{History, Presented, PresentedDirectory};
use subrosa_attest::policy::LogRules;
use subrosa_attest::{Bundle, Policy, UnixSeconds};
use subrosa_translog::{ConsistencyProofs, DeviceState, Timestamp};

use crate::config::Timeouts;
use crate::error::Error;
use crate::log::{LogHistory, LogReader};
use crate::node::{Refusal, VerifiedNode};
use crate::trust::Trust;

/// What nodes are judged by.
pub(crate) struct Judge {
    policy: Policy,
    trust: Trust,
    history: Arc<LogHistory>,
    /// Where the log is read, if the policy names one.
    log: Option<LogReader>,
}

impl Judge {
    pub(crate) fn new(
        policy: Policy,
        trust: Trust,
        history: Arc<LogHistory>,
        timeouts: Timeouts,
    ) -> Result<Self, Error> {
        let reader = |address: &str| {
            LogReader::new(address, timeouts).ok_or_else(|| Error::LogAddress {
                address: address.to_owned(),
            })
        };
        let log = policy
            .log()
            .map(|rules| reader(rules.tiles()))
            .transpose()?;
        Ok(Self {
            policy,
            trust,
            history,
            log,
        })
    }

    /// Whether nodes and their directory must be logged.
    pub(crate) const fn asks_the_log(&self) -> bool {
        self.log.is_some()
    }

    /// Judges a bundle that `directory` has led to.
    pub(crate) async fn judge(
        &self,
        bundle: Bundle,
        directory: PresentedDirectory<'_>,
        now: UnixSeconds,
    ) -> Result<VerifiedNode, Error> {
        let Some(log) = &self.log else {
            return Ok(VerifiedNode::judge(bundle, &self.policy, &self.trust, now)?);
        };
        let now = later(now, &self.history.read()?);
        let judge = |history: Option<History<'_>>| {
            let presented = Presented {
                directory: Some(directory),
                history,
            };
            let (policy, trust) = (&self.policy, &self.trust);
            VerifiedNode::judge_presented(bundle.clone(), &presented, policy, trust, now)
        };
        // Nothing is fetched because of a node that is refused anyway.
        let findings = judge(None)?.appraisal().log().clone();
        let (mut asked, mut proofs) = (BTreeSet::new(), ConsistencyProofs::new());
        let mut attempts = ATTEMPTS;
        loop {
            let mut steps = findings.steps(&self.history.read()?);
            steps.retain(|step| !asked.contains(step));
            let fetched = log.proofs(&steps).await;
            proofs.extend(fetched.map_err(|error| self.unreachable(error))?);
            asked.extend(steps);
            attempts = attempts.saturating_sub(1);
            let judged = self.history.update(|state| {
                // Another program may have seen more of the log meanwhile.
                let is_asked = findings
                    .steps(state)
                    .iter()
                    .all(|step| asked.contains(step));
                if !is_asked && attempts > 0 {
                    return (None, None);
                }
                let proofs = &proofs;
                let judged = judge(Some(History { state, proofs }));
                let after = judged.as_ref().ok().map(VerifiedNode::appraisal);
                let after = after.and_then(|appraisal| appraisal.log().state().cloned());
                (Some(judged), after)
            })?;
            if let Some(judged) = judged {
                return judged.map_err(|refusal| self.kept(refusal));
            }
        }
    }

    /// The refusal, with the place where what contradicts each other is kept.
    fn kept(&self, mut refusal: Box<Refusal>) -> Error {
        let conflict = refusal
            .appraisal()
            .and_then(|appraisal| appraisal.log().conflict().cloned());
        if let Some(conflict) = conflict {
            match self.history.keep(&conflict) {
                Ok(Some(path)) => refusal.keep(path),
                Ok(None) => {}
                Err(error) => return error.into(),
            }
        }
        refusal.into()
    }

    fn unreachable(&self, error: Error) -> Error {
        let address = self.policy.log().map_or("", LogRules::tiles).to_owned();
        let source = Box::new(error);
        Error::LogUnreachable { address, source }
    }
}

/// The time by the clock, but never before what witnesses have signed.
fn later(now: UnixSeconds, seen: &DeviceState) -> UnixSeconds {
    UnixSeconds::new(seen.not_before(Timestamp::new(now.get())).get())
}

/// How often proofs are fetched where other programs see more of the log at the same time.
const ATTEMPTS: u8 = 3;

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
