//! What evidence is asked to be about: `spec/evidence-bundle.md`, section
//! "Binding".

use subrosa_attest::Sha256Digest;
use subrosa_attest::binding::{report_data, report_data_with_tpm, short_report_data, tpm_nonce};
use subrosa_attest::nvidia::{absent_checkpoint, expected_nonce};

/// The bytes that hardware signs, in the lengths that it takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Challenge {
    report_data: [u8; 64],
    short: [u8; 32],
    device_nonce: [u8; 32],
}

impl Challenge {
    /// For a node with this key, checkpoint and evidence of its graphics
    /// processors, each over its exact bytes.
    #[must_use]
    pub fn binding(
        key_configuration: &[u8],
        checkpoint: Option<&[u8]>,
        gpu_evidence: Option<&[u8]>,
    ) -> Self {
        let checkpoint_digest = checkpoint.map_or_else(absent_checkpoint, Sha256Digest::of);
        Self {
            report_data: report_data(key_configuration, checkpoint, gpu_evidence),
            short: short_report_data(key_configuration, checkpoint, gpu_evidence),
            device_nonce: expected_nonce(&Sha256Digest::of(key_configuration), &checkpoint_digest),
        }
    }

    /// For a TPM beside the platform of a node with this key and checkpoint.
    #[must_use]
    pub fn beside(key_configuration: &[u8], checkpoint: Option<&[u8]>) -> Self {
        Self {
            short: tpm_nonce(key_configuration, checkpoint),
            ..Self::binding(key_configuration, checkpoint, None)
        }
    }

    /// The same as [`Challenge::binding`] for a platform that also vouches for the
    /// evidence of a TPM beside it.
    #[must_use]
    pub fn with_tpm(
        key_configuration: &[u8],
        checkpoint: Option<&[u8]>,
        gpu_evidence: Option<&[u8]>,
        tpm_evidence: &[u8],
    ) -> Self {
        Self {
            report_data: report_data_with_tpm(
                key_configuration,
                checkpoint,
                gpu_evidence,
                tpm_evidence,
            ),
            ..Self::binding(key_configuration, checkpoint, gpu_evidence)
        }
    }

    /// For bytes of the caller's own. Where there is less room, the first of
    /// them.
    #[must_use]
    pub fn of_bytes(bytes: [u8; 64]) -> Self {
        let (short, _) = bytes.split_first_chunk().unwrap_or((&[0; 32], &[]));
        Self {
            report_data: bytes,
            short: *short,
            device_nonce: *short,
        }
    }

    /// For platforms with room for 64 bytes.
    #[must_use]
    pub fn report_data(&self) -> &[u8; 64] {
        &self.report_data
    }

    /// For platforms with room for 32.
    #[must_use]
    pub fn short(&self) -> &[u8; 32] {
        &self.short
    }

    /// For graphics processors, whose evidence the platform's is bound to.
    #[must_use]
    pub fn device_nonce(&self) -> &[u8; 32] {
        &self.device_nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_changes_what_the_platform_signs() {
        let good = Challenge::binding(b"kc", Some(b"cp"), Some(b"gpu"));
        for other in [
            Challenge::binding(b"KC", Some(b"cp"), Some(b"gpu")),
            Challenge::binding(b"kc", Some(b"CP"), Some(b"gpu")),
            Challenge::binding(b"kc", None, Some(b"gpu")),
            Challenge::binding(b"kc", Some(b"cp"), Some(b"GPU")),
            Challenge::binding(b"kc", Some(b"cp"), None),
        ] {
            assert_ne!(good.report_data(), other.report_data());
            assert_ne!(good.short(), other.short());
        }
    }

    /// The devices come first: what they sign cannot depend on what they say.
    #[test]
    fn devices_sign_key_and_checkpoint_only() {
        let without = Challenge::binding(b"kc", Some(b"cp"), None);
        let with = Challenge::binding(b"kc", Some(b"cp"), Some(b"gpu"));
        assert_eq!(without.device_nonce(), with.device_nonce());
        for other in [
            Challenge::binding(b"KC", Some(b"cp"), None),
            Challenge::binding(b"kc", None, None),
        ] {
            assert_ne!(without.device_nonce(), other.device_nonce());
        }
    }

    #[test]
    fn bytes_of_the_callers_own_are_cut_where_there_is_less_room() {
        let bytes = core::array::from_fn(|at| u8::try_from(at).unwrap());
        let challenge = Challenge::of_bytes(bytes);
        assert_eq!(challenge.report_data(), &bytes);
        assert_eq!(challenge.short()[..], bytes[..32]);
        assert_eq!(challenge.device_nonce()[..], bytes[..32]);
    }
}
