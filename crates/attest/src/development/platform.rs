//! A secure processor made of software.

use p384::ecdsa::signature::Signer;
use p384::ecdsa::{Signature, SigningKey};

use crate::bundle::SnpEvidence;
use crate::identifiers::Measurement;
use crate::snp::layout;
use crate::snp::{KeyKind, Product, Report, Tcb};

/// Signs reports in the format of an EPYC Genoa, version 3.
#[derive(Clone)]
pub struct SimulatedPlatform {
    pub(super) key: SigningKey,
    pub(super) chip_id: [u8; 64],
    pub(super) tcb: Tcb,
    pub(super) ark: Vec<u8>,
    pub(super) ask: Vec<u8>,
    pub(super) vcek: Vec<u8>,
    pub(super) revocation_list: Vec<u8>,
}

impl SimulatedPlatform {
    /// A report for a guest with this measurement that asks for these 64 bytes.
    ///
    /// Real hardware measures the guest; here the caller says what it is.
    #[must_use]
    pub fn report(&self, report_data: &[u8; 64], measurement: &Measurement) -> Vec<u8> {
        Draft::genoa(&self.chip_id, self.tcb)
            .with(layout::REPORT_DATA, report_data)
            .with(layout::MEASUREMENT, measurement.as_bytes())
            .sign(&self.key)
    }

    /// A report together with its certificates and revocation list.
    #[must_use]
    pub fn evidence<'a>(&'a self, report: &'a [u8]) -> SnpEvidence<'a> {
        SnpEvidence {
            report,
            kind: KeyKind::Vcek,
            leaf: &self.vcek,
            intermediate: &self.ask,
            root: &self.ark,
            revocation_list: Some(&self.revocation_list),
        }
    }
}

/// Shows nothing: the key is a secret.
impl core::fmt::Debug for SimulatedPlatform {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SimulatedPlatform").finish_non_exhaustive()
    }
}

/// A report before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    bytes: Vec<u8>,
}

impl Draft {
    /// A good report of a Genoa chip, with nothing said about the guest.
    pub(crate) fn genoa(chip_id: &[u8; 64], tcb: Tcb) -> Self {
        let level = tcb.to_report(Product::Genoa);
        let firmware = [40, 55, 1];
        Self {
            bytes: vec![0; Report::LEN],
        }
        .with(layout::VERSION, &3_u32.to_le_bytes())
        // Bit 17, and nothing that weakens the guest.
        .with(layout::POLICY, &(1_u64 << 17).to_le_bytes())
        .with(layout::SIGNATURE_ALGO, &1_u32.to_le_bytes())
        .with(layout::CURRENT_TCB, &level)
        // SMT, ECC, alias check complete.
        .with(layout::PLATFORM_INFO, &0x25_u64.to_le_bytes())
        .with(layout::REPORT_ID_MA, &[0xFF; 32])
        .with(layout::REPORTED_TCB, &level)
        .with(layout::CPUID, &[0x19, 0x11, 0x01])
        .with(layout::CHIP_ID, chip_id)
        .with(layout::COMMITTED_TCB, &level)
        .with(layout::CURRENT_FIRMWARE, &firmware)
        .with(layout::COMMITTED_FIRMWARE, &firmware)
        .with(layout::LAUNCH_TCB, &level)
    }

    /// Writes a field.
    pub(crate) fn with(mut self, at: usize, field: &[u8]) -> Self {
        let (_, rest) = self.bytes.split_at_mut(at.min(Report::LEN));
        for (byte, value) in rest.iter_mut().zip(field) {
            *byte = *value;
        }
        self
    }

    /// Signs what a secure processor signs, and appends the signature as it does.
    pub(crate) fn sign(self, key: &SigningKey) -> Vec<u8> {
        let (signed, _) = self.bytes.split_at(layout::SIGNATURE);
        let signature: Signature = key.sign(signed);
        let little_endian = |number: &[u8]| number.iter().rev().copied().collect::<Vec<_>>();
        let r = little_endian(&signature.r().to_bytes());
        let s = little_endian(&signature.s().to_bytes());
        self.with(layout::SIGNATURE, &r)
            .with(layout::SIGNATURE_S, &s)
            .bytes
    }
}
