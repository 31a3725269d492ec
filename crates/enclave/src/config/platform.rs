//! What attests the keys: the rules that the settings keep.

use subrosa_evidence::settings::{GpuSettings, PlatformSettings, SnpSettings, TpmSettings};

use super::ConfigError;
use super::engine::feature;

pub(super) fn check(platform: &PlatformSettings) -> Result<(), ConfigError> {
    match platform {
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
    match &snp.certificates {
        Some(files) if files.vcek.is_some() == files.vlek.is_some() => Err(ConfigError::Conflict {
            field: "platform.certificates",
            reason: "give either `vcek` or `vlek`, and not both",
        }),
        _ => Ok(()),
    }
}

fn check_tpm(tpm: &TpmSettings) -> Result<(), ConfigError> {
    let expected = "a list of registers, each 0 to 23";
    if tpm.registers.is_empty() || tpm.registers.iter().any(|register| *register > 23) {
        return Err(ConfigError::Invalid {
            field: "platform.registers",
            expected,
        });
    }
    if tpm.certificate_index.is_some() && tpm.key_handle.is_none() {
        return Err(ConfigError::Conflict {
            field: "platform.certificate_index",
            reason: "it is the certificate of the key at `platform.key_handle`, which is missing",
        });
    }
    Ok(())
}
