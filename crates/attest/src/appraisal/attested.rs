//! Proof of a good verdict.

use super::{Appraisal, Code, Gap, verdict};
use crate::identifiers::{ChipId, Measurement, ReportData};
use crate::policy::Platform;
use crate::snp::{self, Product, Tcb};

/// What verified evidence says about the guest and its machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts {
    pub(crate) platform: Platform,
    pub(crate) product: Product,
    pub(crate) measurement: Measurement,
    pub(crate) report_data: ReportData,
    pub(crate) chip_id: Option<ChipId>,
    pub(crate) tcb: Tcb,
    pub(crate) firmware: String,
    pub(crate) guest_svn: u32,
    pub(crate) vmpl: u32,
}

impl From<snp::Claims> for Facts {
    fn from(claims: snp::Claims) -> Self {
        Self {
            platform: Platform::SevSnp,
            product: claims.product,
            measurement: claims.measurement,
            report_data: claims.report_data,
            chip_id: claims.names_chip.then_some(claims.chip_id),
            tcb: claims.reported_tcb,
            firmware: claims.current_version,
            guest_svn: claims.guest_svn,
            vmpl: claims.vmpl,
        }
    }
}

impl Facts {
    /// Kind of confidential computing hardware.
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// Processor generation.
    #[must_use]
    pub fn product(&self) -> Product {
        self.product
    }

    /// Digest of the program that was started.
    #[must_use]
    pub fn measurement(&self) -> &Measurement {
        &self.measurement
    }

    /// The 64 bytes the guest put into its report.
    #[must_use]
    pub fn report_data(&self) -> &ReportData {
        &self.report_data
    }

    /// The chip, if the evidence names one.
    #[must_use]
    pub fn chip_id(&self) -> Option<&ChipId> {
        self.chip_id.as_ref()
    }

    /// The firmware level the report is signed for.
    #[must_use]
    pub fn tcb(&self) -> &Tcb {
        &self.tcb
    }

    /// Version of the running SEV-SNP firmware.
    #[must_use]
    pub fn firmware(&self) -> &str {
        &self.firmware
    }

    /// Security version that the guest's owner gave it.
    #[must_use]
    pub fn guest_svn(&self) -> u32 {
        self.guest_svn
    }

    /// Privilege level that asked for the report.
    #[must_use]
    pub fn vmpl(&self) -> u32 {
        self.vmpl
    }
}

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
