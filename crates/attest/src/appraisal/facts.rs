//! What verified evidence says about the guest and its machine.

use crate::identifiers::{Measurement, Sha256Digest};
use crate::policy::Platform;
use crate::{azure, nitro, snp, tdx, tpm};

/// What verified evidence says about the guest and its machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts(PlatformClaims);

/// The claims of each platform, by its own names.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PlatformClaims {
    /// The report of an Azure confidential VM's paravisor, with a quote of its virtual TPM.
    Azure(Box<azure::Claims>),
    /// An AWS Nitro attestation document.
    AwsNitro(Box<nitro::Claims>),
    /// An Intel TDX quote.
    IntelTdx(Box<tdx::Claims>),
    /// An AMD SEV-SNP report.
    SevSnp(Box<snp::Claims>),
    /// The quote of a TPM alone.
    Tpm(Box<tpm::Claims>),
}

impl Facts {
    /// Kind of confidential computing hardware.
    #[must_use]
    pub fn platform(&self) -> Platform {
        match &self.0 {
            PlatformClaims::Azure(claims) if claims.tdx().is_some() => Platform::AzureIntelTdx,
            PlatformClaims::Azure(_) => Platform::AzureSevSnp,
            PlatformClaims::AwsNitro(_) => Platform::AwsNitro,
            PlatformClaims::IntelTdx(_) => Platform::IntelTdx,
            PlatformClaims::SevSnp(_) => Platform::SevSnp,
            PlatformClaims::Tpm(_) => Platform::Tpm,
        }
    }

    /// Digests of the program that was started, by the names of
    /// [`Platform::registers`]. A register that is not there is zero.
    #[must_use]
    pub fn registers(&self) -> Vec<(&'static str, Measurement)> {
        let names = self.platform().registers().iter().copied();
        match &self.0 {
            PlatformClaims::Azure(claims) => {
                let paravisor = claims.measurement().copied();
                let paravisor = paravisor.unwrap_or(Measurement::new([0; Measurement::LEN]));
                names.map(|name| (name, paravisor)).collect()
            }
            PlatformClaims::AwsNitro(claims) => {
                let value = |number| {
                    let register = claims.register(number).unwrap_or_default();
                    Measurement::new(register.try_into().unwrap_or([0; Measurement::LEN]))
                };
                names.zip((0..).map(value)).collect()
            }
            PlatformClaims::IntelTdx(claims) => {
                let values = core::iter::once(claims.measurement()).chain(claims.registers());
                names.zip(values.copied()).collect()
            }
            PlatformClaims::SevSnp(claims) => {
                names.map(|name| (name, *claims.measurement())).collect()
            }
            PlatformClaims::Tpm(_) => Vec::new(),
        }
    }

    /// SHA-256 of what identifies the machine: the chip id of an SEV-SNP report, the PPID of Intel's platforms. None where
    /// the evidence does not say which machine it is of.
    #[must_use]
    pub fn machine(&self) -> Option<Sha256Digest> {
        match &self.0 {
            PlatformClaims::Azure(claims) => {
                let of_snp = claims.snp().and_then(machine_of_snp);
                of_snp.or_else(|| claims.tdx().and_then(machine_of_tdx))
            }
            PlatformClaims::AwsNitro(_) | PlatformClaims::Tpm(_) => None,
            PlatformClaims::IntelTdx(claims) => machine_of_tdx(claims),
            PlatformClaims::SevSnp(claims) => machine_of_snp(claims),
        }
    }

    /// The bytes that the guest put into its evidence to bind it to something.
    #[must_use]
    pub fn bound_data(&self) -> &[u8] {
        match &self.0 {
            PlatformClaims::Azure(claims) => claims.tpm().map_or(&[], tpm::Claims::nonce),
            PlatformClaims::AwsNitro(claims) => claims.user_data().unwrap_or_default(),
            PlatformClaims::IntelTdx(claims) => claims.report_data().as_bytes(),
            PlatformClaims::SevSnp(claims) => claims.report_data().as_bytes(),
            PlatformClaims::Tpm(claims) => claims.nonce(),
        }
    }

    /// Everything the evidence says.
    #[must_use]
    pub fn claims(&self) -> &PlatformClaims {
        &self.0
    }
}

fn machine_of_tdx(claims: &tdx::Claims) -> Option<Sha256Digest> {
    let ppid = hex::decode(claims.platform().ppid()).ok()?;
    Some(Sha256Digest::of(&ppid))
}

fn machine_of_snp(claims: &snp::Claims) -> Option<Sha256Digest> {
    let chip = claims.chip_id;
    (!chip.is_zero()).then(|| Sha256Digest::of(chip.as_bytes()))
}

impl From<azure::Claims> for Facts {
    fn from(claims: azure::Claims) -> Self {
        Self(PlatformClaims::Azure(Box::new(claims)))
    }
}

impl From<nitro::Claims> for Facts {
    fn from(claims: nitro::Claims) -> Self {
        Self(PlatformClaims::AwsNitro(Box::new(claims)))
    }
}

impl From<tdx::Claims> for Facts {
    fn from(claims: tdx::Claims) -> Self {
        Self(PlatformClaims::IntelTdx(Box::new(claims)))
    }
}

impl From<snp::Claims> for Facts {
    fn from(claims: snp::Claims) -> Self {
        Self(PlatformClaims::SevSnp(Box::new(claims)))
    }
}

impl From<tpm::Claims> for Facts {
    fn from(claims: tpm::Claims) -> Self {
        Self(PlatformClaims::Tpm(Box::new(claims)))
    }
}
