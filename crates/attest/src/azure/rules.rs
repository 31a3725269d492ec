//! What an appraisal of an Azure confidential VM demands.

use crate::identifiers::Measurement;
use crate::policy::{Policy, Weakening};
use crate::snp;
use crate::tdx;
use crate::tpm::{self, Requirement};

/// The demands on an Azure confidential VM. [`Rules::strict`] accepts nothing until
/// it is told the paravisor and the nonce.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    pub(super) hardware: Requirement,
    pub(super) snp: snp::Rules,
    pub(super) tdx: tdx::Rules,
    pub(super) paravisor: ParavisorRule,
    pub(super) quote: Requirement,
    pub(super) tpm: tpm::Rules,
    pub(super) user_data: Option<[u8; 64]>,
    pub(super) secure_boot: bool,
    /// What the policy that the rules for the hardware are of says it loosens.
    pub(super) weakened: Vec<Weakening>,
}

impl Rules {
    /// Verified hardware under the rules of the default policy, a known paravisor,
    /// and a quote under the rules for TPMs; the paravisor stands in for the
    /// certificate of the attestation key.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            hardware: Requirement::Required,
            snp: snp::Rules::strict(),
            tdx: tdx::Rules::strict(),
            paravisor: ParavisorRule::Unknown,
            quote: Requirement::Required,
            tpm: tpm::Rules::default()
                .key_attributes(Requirement::IfPresent)
                .key_certificate(Requirement::IfPresent),
            user_data: None,
            secure_boot: false,
            weakened: Vec::new(),
        }
    }

    /// What a policy demands of the hardware; the rest as in [`Rules::strict`].
    pub(crate) fn of_policy(policy: &Policy) -> Self {
        Self {
            snp: policy.snp.clone(),
            tdx: policy.tdx.clone(),
            weakened: policy.weakened.clone(),
            ..Self::strict()
        }
    }

    /// Demands this of SEV-SNP hardware.
    #[must_use]
    pub fn snp(mut self, rules: snp::Rules) -> Self {
        self.snp = rules;
        self
    }

    /// Demands this of TDX hardware.
    #[must_use]
    pub fn tdx(mut self, rules: tdx::Rules) -> Self {
        self.tdx = rules;
        self
    }

    /// Demands that the paravisor is one of these; none of an empty list.
    #[must_use]
    pub fn paravisors(mut self, measurements: &[Measurement]) -> Self {
        self.paravisor = ParavisorRule::OneOf(measurements.to_vec());
        self
    }

    /// Accepts any paravisor, as a gap: the host is not excluded then.
    #[must_use]
    pub fn any_paravisor(mut self) -> Self {
        self.paravisor = ParavisorRule::Any;
        self
    }

    /// What to do where nothing endorses the hardware; a gap means that nothing is
    /// known but that the parts fit together.
    #[must_use]
    pub fn hardware(mut self, requirement: Requirement) -> Self {
        self.hardware = requirement;
        self
    }

    /// What to do where the quote is missing.
    #[must_use]
    pub fn quote(mut self, requirement: Requirement) -> Self {
        self.quote = requirement;
        self
    }

    /// Demands this of the quote.
    #[must_use]
    pub fn tpm(mut self, rules: tpm::Rules) -> Self {
        self.tpm = rules;
        self
    }

    /// Demands that the guest wrote these bytes where the paravisor takes user data
    /// from (index `0x01400002`).
    #[must_use]
    pub fn user_data(mut self, expected: [u8; 64]) -> Self {
        self.user_data = Some(expected);
        self
    }

    /// Demands that the paravisor says Secure Boot is on.
    #[must_use]
    pub fn secure_boot(mut self) -> Self {
        self.secure_boot = true;
        self
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ParavisorRule {
    Any,
    OneOf(Vec<Measurement>),
    /// Nobody said which, which is a refusal.
    Unknown,
}
