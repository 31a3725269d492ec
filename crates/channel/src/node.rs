//! Nodes that may be sealed to.
//!
//! ```text
//! Attested ──TrustedNode::new(now)──▶ TrustedNode ──seal_request──▶ …
//! (proof of a passed appraisal)       (its key configuration meets policy and is in its life)
//! ```

use subrosa_attest::{Attested, KeyConfigurationExpectations, Sha256Digest, UnixSeconds};
use thiserror::Error;

use crate::key_configuration::{KeyConfiguration, KeyConfigurationError};

/// Something a request can be sealed to. Only types of this crate are
/// recipients, and each of them is made by a passed appraisal.
pub trait Recipient: sealed::Sealed {
    /// The verified key configuration.
    fn key_configuration(&self) -> &KeyConfiguration;
}

mod sealed {
    pub trait Sealed {}
}

/// A node whose evidence has passed, and whose key configuration says what the
/// policy allows and is in its life.
///
/// There is no other constructor than [`TrustedNode::new`], and nothing but a
/// passed appraisal makes the [`Attested`] it takes:
///
/// ```compile_fail,E0451
/// # use subrosa_channel::{KeyConfiguration, TrustedNode};
/// fn connect_unverified(good: TrustedNode, kc: KeyConfiguration) -> TrustedNode {
///     TrustedNode { kc, ..good }
/// }
/// ```
///
/// Raw bytes, however well formed, are no recipient:
///
/// ```compile_fail,E0277
/// # use subrosa_channel::{InnerRequest, KeyConfiguration, SealOptions, seal_request};
/// fn seal_unverified(kc: KeyConfiguration, request: InnerRequest, rng: &mut impl rand_core::CryptoRng) {
///     let now = subrosa_attest::UnixSeconds::new(0);
///     let _ = seal_request(&kc, &request, &SealOptions::default(), now, rng);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TrustedNode {
    attested: Attested,
    kc: KeyConfiguration,
}

/// A node of the simulated platform. It protects nothing; its type keeps it
/// apart from [`TrustedNode`] everywhere.
#[cfg(feature = "development")]
#[derive(Clone, Debug)]
pub struct DevelopmentNode {
    attested: subrosa_attest::DevelopmentAttested,
    kc: KeyConfiguration,
}

/// Why verified evidence does not make a trusted node.
#[derive(Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum NodeError {
    /// The policy does not allow this configuration digest.
    #[error("configuration {digest} of the node is not among the policy's")]
    Configuration {
        /// The node's.
        digest: Sha256Digest,
    },
    /// The key's life is over.
    #[error("the node's key ended at {not_after}, now it is {now}")]
    Expired {
        /// End of its life, Unix seconds.
        not_after: u64,
        /// The device's time, Unix seconds.
        now: u64,
    },
    /// The bound bytes are not a key configuration.
    #[error(transparent)]
    Format(#[from] KeyConfigurationError),
    /// The key lives longer than the policy allows.
    #[error("the node's key lives {seconds} s, the policy allows {limit} s")]
    Lifetime {
        /// Length of its life.
        seconds: u64,
        /// What the policy allows.
        limit: u64,
    },
    /// The key's life has not begun, even allowing for [`CLOCK_TOLERANCE`].
    #[error("the node's key begins at {not_before}, now it is {now}")]
    NotYetValid {
        /// Start of its life, Unix seconds.
        not_before: u64,
        /// The device's time, Unix seconds.
        now: u64,
    },
    /// The policy does not allow this release.
    #[error("release {id} of the node is not among the policy's")]
    Release {
        /// The node's.
        id: Sha256Digest,
    },
    /// The policy does not allow these weights.
    #[error("weights {digest} of model {model} are not among the policy's")]
    Weights {
        /// Name of the model.
        model: String,
        /// Digest of its weights file.
        digest: Sha256Digest,
    },
}

impl NodeError {
    /// The stable code of spec/errors.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "key-expired",
            Self::NotYetValid { .. } => "key-not-yet-valid",
            _ => "wrong-key-configuration",
        }
    }
}

impl TrustedNode {
    /// Takes a node whose evidence has passed, at the time `now`.
    ///
    /// # Errors
    ///
    /// [`NodeError`] when its key configuration is not what the policy allows,
    /// or not in its life.
    pub fn new(attested: Attested, now: UnixSeconds) -> Result<Self, NodeError> {
        let kc = check(attested.key_configuration(), attested.expectations(), now)?;
        Ok(Self { attested, kc })
    }

    /// The proof it was made from: verdict, gaps and facts.
    #[must_use]
    pub fn attested(&self) -> &Attested {
        &self.attested
    }
}

#[cfg(feature = "development")]
impl DevelopmentNode {
    /// As [`TrustedNode::new`], for the simulated platform.
    ///
    /// # Errors
    ///
    /// [`NodeError`].
    pub fn new(
        attested: subrosa_attest::DevelopmentAttested,
        now: UnixSeconds,
    ) -> Result<Self, NodeError> {
        let kc = check(attested.key_configuration(), attested.expectations(), now)?;
        Ok(Self { attested, kc })
    }

    /// What it was made from: verdict, gaps and facts.
    #[must_use]
    pub fn attested(&self) -> &subrosa_attest::DevelopmentAttested {
        &self.attested
    }
}

impl sealed::Sealed for TrustedNode {}

impl Recipient for TrustedNode {
    fn key_configuration(&self) -> &KeyConfiguration {
        &self.kc
    }
}

#[cfg(feature = "development")]
impl sealed::Sealed for DevelopmentNode {}

#[cfg(feature = "development")]
impl Recipient for DevelopmentNode {
    fn key_configuration(&self) -> &KeyConfiguration {
        &self.kc
    }
}

/// A recipient without proof, for this crate's own tests.
#[cfg(test)]
pub(crate) struct UncheckedNode(pub(crate) KeyConfiguration);

#[cfg(test)]
impl sealed::Sealed for UncheckedNode {}

#[cfg(test)]
impl Recipient for UncheckedNode {
    fn key_configuration(&self) -> &KeyConfiguration {
        &self.0
    }
}

/// Reads the key configuration that evidence binds and compares it with what
/// the policy expects. An empty list of the policy allows nothing.
fn check(
    bytes: &[u8],
    expected: &KeyConfigurationExpectations,
    now: UnixSeconds,
) -> Result<KeyConfiguration, NodeError> {
    let kc = KeyConfiguration::parse(bytes)?;
    let (not_before, not_after, now) = (kc.not_before(), kc.not_after(), now.get());
    if not_before > now.saturating_add(CLOCK_TOLERANCE) {
        return Err(NodeError::NotYetValid { not_before, now });
    }
    if now >= not_after {
        return Err(NodeError::Expired { not_after, now });
    }
    let seconds = not_after.saturating_sub(not_before);
    let limit = expected.max_lifetime_seconds();
    if seconds > limit {
        return Err(NodeError::Lifetime { seconds, limit });
    }
    let digest = Sha256Digest::new(*kc.configuration());
    if !expected.allows_configuration(&digest) {
        return Err(NodeError::Configuration { digest });
    }
    let id = Sha256Digest::new(*kc.release_id());
    if !expected.allows_release(&id) {
        return Err(NodeError::Release { id });
    }
    for model in kc.models() {
        let digest = Sha256Digest::new(model.weights);
        if !expected.allows_weights(&digest) {
            let model = model.name.clone();
            return Err(NodeError::Weights { model, digest });
        }
    }
    Ok(kc)
}

/// How far, in seconds, a key's start may lie ahead of the device's clock.
pub const CLOCK_TOLERANCE: u64 = 60;

#[cfg(test)]
#[cfg(feature = "development")]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
