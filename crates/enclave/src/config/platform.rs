//! What attests the keys: the rules that the settings keep.

use subrosa_evidence::settings::{
    AzureSettings, CertificateFiles, GpuSettings, PlatformSettings, SnpSettings, TpmSettings,
};

use super::ConfigError;
use super::engine::feature;

pub(super) fn check(platform: &PlatformSettings) -> Result<(), ConfigError> {
    match platform {
        PlatformSettings::Azure(azure) => check_azure(azure),
        PlatformSettings::Nitro(_) => feature(cfg!(feature = "nitro"), "platform.kind", "nitro"),
        PlatformSettings::Simulated(_) => feature(
            cfg!(feature = "development"),
            "platform.kind",
            "development",
        ),
        PlatformSettings::Snp(snp) => check_snp(snp),
        PlatformSettings::Tpm(tpm) => check_tpm(tpm),
        _ => Ok(()),
    }
}

pub(super) fn check_gpus(gpus: Option<&GpuSettings>) -> Result<(), ConfigError> {
    match gpus {
        Some(_) => feature(cfg!(feature = "nvidia"), "gpus", "nvidia"),
        None => Ok(()),
    }
}

fn check_snp(snp: &SnpSettings) -> Result<(), ConfigError> {
    // AMD 56860 knows levels 0 to 3.
    if let Some(level) = snp.privilege_level {
        super::checks::within("platform.privilege_level", level.into(), 0, 3)?;
    }
    check_certificates(snp.certificates.as_ref())
}

fn check_certificates(files: Option<&CertificateFiles>) -> Result<(), ConfigError> {
    match files {
        Some(files) if files.vcek.is_some() == files.vlek.is_some() => Err(ConfigError::Conflict {
            field: "platform.certificates",
            reason: "give either `vcek` or `vlek`, and not both",
        }),
        _ => Ok(()),
    }
}

fn check_azure(azure: &AzureSettings) -> Result<(), ConfigError> {
    check_registers(&azure.registers, "platform.registers")?;
    check_certificates(azure.certificates.as_ref())
}

fn check_tpm(tpm: &TpmSettings) -> Result<(), ConfigError> {
    check_registers(&tpm.registers, "platform.registers")?;
    check_key(
        tpm,
        "platform.certificate_index",
        "it is the certificate of the key at `platform.key_handle`, or made by `platform.template_index`, and both are missing",
    )
}

/// A TPM beside a processor whose report is bound to its quote.
pub(super) fn check_tpm_beside(
    platform: &PlatformSettings,
    tpm: Option<&TpmSettings>,
) -> Result<(), ConfigError> {
    let Some(tpm) = tpm else {
        return Ok(());
    };
    if !matches!(
        platform,
        PlatformSettings::Simulated(_) | PlatformSettings::Snp(_) | PlatformSettings::Tdx(_)
    ) {
        return Err(ConfigError::Conflict {
            field: "tpm",
            reason: "only evidence of the platforms `snp` and `tdx` is bound to a TPM beside them",
        });
    }
    check_registers(&tpm.registers, "tpm.registers")?;
    check_key(
        tpm,
        "tpm.certificate_index",
        "it is the certificate of the key at `tpm.key_handle`, or made by `tpm.template_index`, and both are missing",
    )
}

fn check_registers(registers: &[u8], field: &'static str) -> Result<(), ConfigError> {
    let expected = "a list of registers, each 0 to 23";
    if registers.is_empty() || registers.iter().any(|register| *register > 23) {
        return Err(ConfigError::Invalid { field, expected });
    }
    Ok(())
}

fn check_key(
    tpm: &TpmSettings,
    field: &'static str,
    reason: &'static str,
) -> Result<(), ConfigError> {
    let has_key = tpm.key_handle.is_some() || tpm.template_index.is_some();
    if tpm.certificate_index.is_some() && !has_key {
        return Err(ConfigError::Conflict { field, reason });
    }
    Ok(())
}
