//! Proof of a good verdict.

use super::{Appraisal, Code, Facts, Gap, verdict};

/// The contents that [`Attested`] and its development sibling share.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) appraisal: Appraisal,
    pub(crate) facts: Facts,
}

impl Proof {
    /// Takes an appraisal that is not `refused` for anything.
    pub(crate) fn make(appraisal: Appraisal, refused: Option<Code>) -> Result<Self, Refused> {
        match (refused, appraisal.facts.clone()) {
            (None, Some(facts)) => Ok(Self { appraisal, facts }),
            (refused, _) => Err(Refused {
                code: refused.unwrap_or(Code::RequiredCheckNotRun),
                appraisal: Box::new(appraisal),
            }),
        }
    }

    pub(crate) fn gaps(&self) -> Vec<Gap> {
        verdict::gaps(&self.appraisal.rows, &self.appraisal.weakened)
    }
}

/// Proof that a node's evidence was verified, for the exact bytes of its key
/// configuration.
///
/// Only [`Appraisal::into_attested`] makes one:
///
/// ```compile_fail,E0423
/// # fn skip(proof: subrosa_attest::Appraisal) {
/// let forged = subrosa_attest::Attested(proof);
/// # }
/// ```
///
/// and a refused appraisal never becomes one.
#[derive(Clone, Debug)]
pub struct Attested(Proof);

impl Attested {
    pub(super) fn from_proof(proof: Proof) -> Self {
        Self(proof)
    }
}

macro_rules! proof_accessors {
    ($name:ident) => {
        impl $name {
            /// The exact bytes of the key configuration that the evidence binds.
            #[must_use]
            pub fn key_configuration(&self) -> &[u8] {
                &self.0.appraisal.key_configuration
            }

            /// SHA-256 of the key configuration.
            #[must_use]
            pub fn key_configuration_digest(&self) -> $crate::Sha256Digest {
                $crate::Sha256Digest::of(self.key_configuration())
            }

            /// What the key configuration must say for the policy to hold. The
            /// reader of the key configuration checks it.
            #[must_use]
            pub fn expectations(&self) -> &$crate::KeyConfigurationExpectations {
                &self.0.appraisal.expectations
            }

            /// What the appraisal came to.
            #[must_use]
            pub fn verdict(&self) -> $crate::Verdict {
                self.0.appraisal.verdict()
            }

            /// What was not checked.
            #[must_use]
            pub fn gaps(&self) -> Vec<$crate::Gap> {
                self.0.gaps()
            }

            /// What the evidence says.
            #[must_use]
            pub fn facts(&self) -> &$crate::appraisal::Facts {
                &self.0.facts
            }

            /// SHA-256 of the evidence bundle.
            #[must_use]
            pub fn bundle_hash(&self) -> $crate::Sha256Digest {
                self.0.appraisal.bundle_hash
            }

            /// When the evidence was appraised.
            #[must_use]
            pub fn appraised_at(&self) -> $crate::UnixSeconds {
                self.0.appraisal.at
            }

            /// Every check and what came of it.
            #[must_use]
            pub fn appraisal(&self) -> &$crate::Appraisal {
                &self.0.appraisal
            }
        }
    };
}

proof_accessors!(Attested);
#[cfg(any(test, feature = "development"))]
pub(crate) use proof_accessors;

/// The evidence was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("evidence refused: {code}")]
pub struct Refused {
    code: Code,
    appraisal: Box<Appraisal>,
}

impl Refused {
    /// Why.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Every check and what came of it.
    #[must_use]
    pub fn appraisal(&self) -> &Appraisal {
        &self.appraisal
    }
}
