//! What a report is bound to: `spec/evidence-bundle.md`, section "Binding".

use sha2::{Digest, Sha256, Sha512};

/// The 64 bytes that a guest must put into its attestation report.
///
/// `SHA-512("subrosa/evidence/1" ‖ H(key configuration) ‖ H(checkpoint) ‖ H(GPU
/// evidence))`, where `H` is SHA-256 over the exact bytes. An absent part enters
/// as the digest of a label that names its absence, so that "absent" and "empty"
/// differ and a part cannot be dropped without being noticed.
#[must_use]
pub fn report_data(
    key_configuration: &[u8],
    checkpoint: Option<&[u8]>,
    gpu_evidence: Option<&[u8]>,
) -> [u8; 64] {
    Sha512::new()
        .chain_update(CONTEXT)
        .chain_update(Sha256::digest(key_configuration))
        .chain_update(Sha256::digest(checkpoint.unwrap_or(ABSENT_CHECKPOINT)))
        .chain_update(Sha256::digest(gpu_evidence.unwrap_or(ABSENT_GPU_EVIDENCE)))
        .finalize()
        .into()
}

/// The same for a platform with less room than 64 bytes: SHA-256 over the same
/// input.
#[must_use]
pub fn short_report_data(
    key_configuration: &[u8],
    checkpoint: Option<&[u8]>,
    gpu_evidence: Option<&[u8]>,
) -> [u8; 32] {
    Sha256::new()
        .chain_update(CONTEXT)
        .chain_update(Sha256::digest(key_configuration))
        .chain_update(Sha256::digest(checkpoint.unwrap_or(ABSENT_CHECKPOINT)))
        .chain_update(Sha256::digest(gpu_evidence.unwrap_or(ABSENT_GPU_EVIDENCE)))
        .finalize()
        .into()
}

/// The same where a TPM's evidence is beside the processor's: `SHA-512("subrosa/evidence/2"
/// ‖ … ‖ H(TPM evidence))`, so that the quote can neither be dropped nor exchanged.
#[must_use]
pub fn report_data_with_tpm(
    key_configuration: &[u8],
    checkpoint: Option<&[u8]>,
    gpu_evidence: Option<&[u8]>,
    tpm_evidence: &[u8],
) -> [u8; 64] {
    Sha512::new()
        .chain_update(CONTEXT_WITH_TPM)
        .chain_update(Sha256::digest(key_configuration))
        .chain_update(Sha256::digest(checkpoint.unwrap_or(ABSENT_CHECKPOINT)))
        .chain_update(Sha256::digest(gpu_evidence.unwrap_or(ABSENT_GPU_EVIDENCE)))
        .chain_update(Sha256::digest(tpm_evidence))
        .finalize()
        .into()
}

/// The nonce that a TPM beside the processor must quote: `SHA-256("subrosa/tpm/1" ‖
/// H(key configuration) ‖ H(checkpoint))`.
#[must_use]
pub fn tpm_nonce(key_configuration: &[u8], checkpoint: Option<&[u8]>) -> [u8; 32] {
    Sha256::new()
        .chain_update(TPM_CONTEXT)
        .chain_update(Sha256::digest(key_configuration))
        .chain_update(Sha256::digest(checkpoint.unwrap_or(ABSENT_CHECKPOINT)))
        .finalize()
        .into()
}

const CONTEXT_WITH_TPM: &[u8] = b"subrosa/evidence/2";
const TPM_CONTEXT: &[u8] = b"subrosa/tpm/1";
const CONTEXT: &[u8] = b"subrosa/evidence/1";
pub(crate) const ABSENT_CHECKPOINT: &[u8] = b"subrosa/absent/checkpoint";
const ABSENT_GPU_EVIDENCE: &[u8] = b"subrosa/absent/gpu-evidence";

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answer, computed with another implementation (Python's hashlib).
    #[test]
    fn the_formula_gives_the_known_answer() {
        let expected = concat!(
            "30af615295b40eafe11cc208832895257f077068d5c7c4d8b418164ce795c022",
            "16a5ad15f8d9042c03daaad96525974a371dde6c3cca62d27497c35c66c5f94f"
        );
        assert_eq!(hex::encode(report_data(b"kc", None, None)), expected);
        let short = "f9135cc6455e40df0fac04be0245875075a1e6669b1eedb21f575a4ef9d481fc";
        assert_eq!(hex::encode(short_report_data(b"kc", None, None)), short);
        let with_tpm = concat!(
            "43bd6d6625d3ade03e4050c85c2bdf10ae5bee941e52bc5596368df28adac684",
            "ad7b0a741a07b1d93d496b6d5a81b60ed9fc24ff7347362e2b9567f0534fb2ac"
        );
        let found = report_data_with_tpm(b"kc", None, None, b"tpm");
        assert_eq!(hex::encode(found), with_tpm);
        let nonce = "ae3290457e5d2b6e6edd701fca5c4c485b84f2e684b2ea05470892f1d47913cc";
        assert_eq!(hex::encode(tpm_nonce(b"kc", None)), nonce);
    }

    #[test]
    fn every_part_changes_the_result() {
        let good = report_data(b"kc", Some(b"cp"), Some(b"gpu"));
        for other in [
            report_data(b"KC", Some(b"cp"), Some(b"gpu")),
            report_data(b"kc", Some(b"CP"), Some(b"gpu")),
            report_data(b"kc", Some(b"cp"), Some(b"GPU")),
            report_data(b"kc", None, Some(b"gpu")),
            report_data(b"kc", Some(b"cp"), None),
            report_data(b"kc", Some(b"gpu"), Some(b"cp")),
        ] {
            assert_ne!(good, other);
        }
    }

    #[test]
    fn every_part_changes_what_a_tpm_is_bound_by() {
        let good = report_data_with_tpm(b"kc", Some(b"cp"), Some(b"gpu"), b"tpm");
        for other in [
            report_data_with_tpm(b"KC", Some(b"cp"), Some(b"gpu"), b"tpm"),
            report_data_with_tpm(b"kc", None, Some(b"gpu"), b"tpm"),
            report_data_with_tpm(b"kc", Some(b"cp"), None, b"tpm"),
            report_data_with_tpm(b"kc", Some(b"cp"), Some(b"gpu"), b"TPM"),
            report_data(b"kc", Some(b"cp"), Some(b"gpu")),
        ] {
            assert_ne!(good, other);
        }
        let nonce = tpm_nonce(b"kc", Some(b"cp"));
        assert_ne!(nonce, tpm_nonce(b"KC", Some(b"cp")));
        assert_ne!(nonce, tpm_nonce(b"kc", None));
    }

    #[test]
    fn absent_differs_from_empty() {
        assert_ne!(
            report_data(b"kc", None, None),
            report_data(b"kc", Some(b""), None)
        );
        assert_ne!(
            report_data(b"kc", None, None),
            report_data(b"kc", None, Some(b""))
        );
    }
}
