//! Judging the nodes that a service lists: evidence, and what the log says of them.
//!
//! ```text
//! bundle, directory ──judge──▶ what of the log is shown ──tiles──▶ proofs ──judge with what was seen──▶ kept ──▶ VerifiedNode
//! ```

use std::sync::Arc;

use subrosa_attest::appraisal::PresentedDirectory;
use subrosa_attest::policy::LogRules;
use subrosa_attest::{Bundle, Policy, UnixSeconds};

use crate::config::Timeouts;
use crate::error::Error;
use crate::inquiry::Inquiry;
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
        let seen = self.history.read()?;
        let (policy, trust) = (&self.policy, &self.trust);
        let inquiry = Inquiry::new(bundle, directory, policy, trust, now, &seen)?;
        // On the heap: it would make every future that waits for a node large.
        let mut inquiry = Box::new(inquiry);
        let mut attempts = ATTEMPTS;
        loop {
            let steps = inquiry.steps(&self.history.read()?);
            let fetched = log.proofs(&steps).await;
            let proofs = fetched.map_err(|error| self.unreachable(error))?;
            inquiry.add(steps, proofs);
            attempts = attempts.saturating_sub(1);
            let judged = self.history.update(|state| {
                // Another program may have seen more of the log meanwhile.
                if !inquiry.steps(state).is_empty() && attempts > 0 {
                    return (None, None);
                }
                match inquiry.judge(state) {
                    Ok((node, after)) => (Some(Ok(node)), after),
                    Err(refusal) => (Some(Err(refusal)), None),
                }
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

/// How often proofs are fetched where other programs see more of the log at the same time.
const ATTEMPTS: u8 = 3;
