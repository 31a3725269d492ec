//! Judging a node, and what comes of it.
//!
//! ```text
//! bundle ──appraise──▶ Attested ──TrustedNode::new──▶ VerifiedNode
//!     └── any failure ──▶ Refusal (with the appraisal, so that it can be explained)
//! ```

use core::fmt;
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use subrosa_attest::appraisal::Presented;
use subrosa_attest::bundle::BundleError;
#[cfg(feature = "development")]
use subrosa_attest::development::{self, DevelopmentRoot};
use subrosa_attest::{
    Appraisal, Bundle, Policy, Roots, Sha256Digest, UnixSeconds, appraise_presented,
};
#[cfg(feature = "development")]
use subrosa_channel::DevelopmentNode;
use subrosa_channel::{
    InnerRequest, KeyConfiguration, NodeError, Recipient as _, SealError, SealOptions,
    SealedRequest, TrustedNode, seal_request,
};

use crate::trust::Trust;
use crate::verdict::{refused_line, verdict_line};

/// A node that passed verification, and the evidence it passed with.
///
/// Nothing but a passed appraisal makes one, and requests are sealed to nothing else.
#[derive(Clone)]
pub struct VerifiedNode {
    kind: Kind,
    bundle: Bundle,
}

#[derive(Clone)]
enum Kind {
    #[cfg(feature = "development")]
    Development(Box<DevelopmentNode>),
    Trusted(Box<TrustedNode>),
}

/// A node was not accepted.
#[derive(Debug)]
pub struct Refusal {
    reason: RefusalReason,
    appraisal: Option<Appraisal>,
    kept: Option<PathBuf>,
}

/// Why a node was not accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The bytes are not an evidence bundle.
    Bundle(BundleError),
    /// The bundle is not the one the directory names.
    BundleHash {
        /// What the directory names.
        expected: String,
        /// What arrived.
        actual: Sha256Digest,
    },
    /// The bundle is larger than a bundle may be.
    BundleTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The directory says something else than the verified key configuration.
    DirectoryMismatch {
        /// Which field.
        field: &'static str,
    },
    /// The evidence did not pass; the appraisal says why.
    Evidence(subrosa_attest::Code),
    /// The key ends too soon to be used.
    Expiring {
        /// When it ends, Unix seconds.
        not_after: u64,
        /// The device's time, Unix seconds.
        now: u64,
    },
    /// The evidence passed, but what it binds is not what the policy allows, or not now.
    Node(NodeError),
}

impl VerifiedNode {
    /// Judges `bundle` as of `now`, and then the key configuration it binds.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn judge(
        bundle: Bundle,
        policy: &Policy,
        trust: &Trust,
        now: UnixSeconds,
    ) -> Result<Self, Box<Refusal>> {
        Self::judge_presented(bundle, &Presented::default(), policy, trust, now)
    }

    /// The same with what was shown beside the bundle, and what this device has seen of the log.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn judge_presented(
        bundle: Bundle,
        presented: &Presented<'_>,
        policy: &Policy,
        trust: &Trust,
        now: UnixSeconds,
    ) -> Result<Self, Box<Refusal>> {
        let shown = (&bundle, presented);
        let kind = match trust {
            #[cfg(feature = "development")]
            Trust::Development(root) => judge_development(shown, policy, root, now)?,
            Trust::Vendor => judge_vendor(shown, policy, now)?,
        };
        Ok(Self { kind, bundle })
    }

    /// The verified key configuration.
    #[must_use]
    pub fn key_configuration(&self) -> &KeyConfiguration {
        match &self.kind {
            #[cfg(feature = "development")]
            Kind::Development(node) => node.key_configuration(),
            Kind::Trusted(node) => node.key_configuration(),
        }
    }

    /// Every check and what came of it.
    #[must_use]
    pub fn appraisal(&self) -> &Appraisal {
        match &self.kind {
            #[cfg(feature = "development")]
            Kind::Development(node) => node.attested().appraisal(),
            Kind::Trusted(node) => node.attested().appraisal(),
        }
    }

    /// The verdict in one line.
    #[must_use]
    pub fn verdict_line(&self) -> String {
        verdict_line(self.appraisal())
    }

    /// What was not checked.
    #[must_use]
    pub fn gaps(&self) -> Vec<subrosa_attest::Gap> {
        match &self.kind {
            #[cfg(feature = "development")]
            Kind::Development(node) => node.attested().gaps(),
            Kind::Trusted(node) => node.attested().gaps(),
        }
    }

    /// The evidence, to keep with receipts.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Seals a request to the node.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal(
        &self,
        request: &InnerRequest,
        options: &SealOptions,
        now: UnixSeconds,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedRequest, SealError> {
        match &self.kind {
            #[cfg(feature = "development")]
            Kind::Development(node) => seal_request(node.as_ref(), request, options, now, rng),
            Kind::Trusted(node) => seal_request(node.as_ref(), request, options, now, rng),
        }
    }

    /// Seconds of the key's life that are left.
    #[cfg(feature = "network")]
    pub(crate) fn seconds_left(&self, now: UnixSeconds) -> u64 {
        self.key_configuration()
            .not_after()
            .saturating_sub(now.get())
    }
}

fn judge_vendor(
    (bundle, presented): (&Bundle, &Presented<'_>),
    policy: &Policy,
    now: UnixSeconds,
) -> Result<Kind, Box<Refusal>> {
    let attested = appraise_presented(bundle, presented, policy, &Roots::vendor(), now)
        .into_attested()
        .map_err(|refused| Refusal::evidence(&refused))?;
    let appraisal = attested.appraisal().clone();
    let node = TrustedNode::new(attested, now).map_err(|error| Refusal::node(error, appraisal))?;
    Ok(Kind::Trusted(Box::new(node)))
}

#[cfg(feature = "development")]
fn judge_development(
    (bundle, presented): (&Bundle, &Presented<'_>),
    policy: &Policy,
    root: &DevelopmentRoot,
    now: UnixSeconds,
) -> Result<Kind, Box<Refusal>> {
    let attested = development::appraise_presented(bundle, presented, policy, root, now)
        .map_err(|refused| Refusal::evidence(&refused))?;
    let appraisal = attested.appraisal().clone();
    let node =
        DevelopmentNode::new(attested, now).map_err(|error| Refusal::node(error, appraisal))?;
    Ok(Kind::Development(Box::new(node)))
}

impl Refusal {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> &RefusalReason {
        &self.reason
    }

    /// Every check and what came of it, when it came so far.
    #[must_use]
    pub fn appraisal(&self) -> Option<&Appraisal> {
        self.appraisal.as_ref()
    }

    /// The stable code of the reason (spec/verdicts.md, spec/channel.md §6).
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match &self.reason {
            RefusalReason::Bundle(error) => error.code().as_str(),
            RefusalReason::BundleHash { .. } | RefusalReason::BundleTooLarge { .. } => {
                "bundle-malformed"
            }
            RefusalReason::DirectoryMismatch { .. } => "wrong-key-configuration",
            RefusalReason::Evidence(code) => code.as_str(),
            RefusalReason::Expiring { .. } => "key-expired",
            RefusalReason::Node(error) => error.code(),
        }
    }

    /// The verdict in one line.
    #[must_use]
    pub fn verdict_line(&self) -> String {
        refused_line(self.reason_code())
    }

    /// The file with two signed notes of the log that contradict each other.
    #[must_use]
    pub fn kept(&self) -> Option<&Path> {
        self.kept.as_deref()
    }

    #[cfg(feature = "network")]
    pub(crate) fn keep(&mut self, path: PathBuf) {
        self.kept = Some(path);
    }

    pub(crate) fn new(reason: RefusalReason) -> Box<Self> {
        Self::of(reason, None)
    }

    fn of(reason: RefusalReason, appraisal: Option<Appraisal>) -> Box<Self> {
        Box::new(Self {
            reason,
            appraisal,
            kept: None,
        })
    }

    /// Of a node whose evidence passed.
    pub(crate) fn after(reason: RefusalReason, node: &VerifiedNode) -> Box<Self> {
        Self::of(reason, Some(node.appraisal().clone()))
    }

    fn evidence(refused: &subrosa_attest::Refused) -> Box<Self> {
        let reason = RefusalReason::Evidence(refused.code());
        Self::of(reason, Some(refused.appraisal().clone()))
    }

    fn node(error: NodeError, appraisal: Appraisal) -> Box<Self> {
        Self::of(RefusalReason::Node(error), Some(appraisal))
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the node did not pass verification ({}), nothing was sent",
            self.reason_code()
        )?;
        match &self.reason {
            RefusalReason::Bundle(error) => write!(f, ": {error}"),
            RefusalReason::BundleHash { expected, actual } => {
                write!(
                    f,
                    ": the directory names bundle {expected}, {actual} arrived"
                )
            }
            RefusalReason::BundleTooLarge { limit } => {
                write!(f, ": its evidence is larger than {limit} bytes")
            }
            RefusalReason::DirectoryMismatch { field } => {
                write!(
                    f,
                    ": `{field}` in the directory differs from the verified key configuration"
                )
            }
            RefusalReason::Evidence(_) => Ok(()),
            RefusalReason::Expiring { not_after, now } => {
                write!(
                    f,
                    ": its key ends at {not_after}, now it is {now}; compare this machine's clock"
                )
            }
            RefusalReason::Node(error) => write!(f, ": {error}"),
        }?;
        match &self.kept {
            Some(path) => write!(
                f,
                "; the log contradicts itself: both signed notes are kept in {}",
                path.display()
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for VerifiedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedNode")
            .field("key", self.key_configuration())
            .field("verdict", &self.verdict_line())
            .finish_non_exhaustive()
    }
}
