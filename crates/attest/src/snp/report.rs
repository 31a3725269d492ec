//! The attestation report signed by the AMD secure processor.
//!
//! Layout and numbers come from AMD publication 56860 (SEV Secure Nested Paging
//! Firmware ABI), table "`ATTESTATION_REPORT` Structure"; offsets below are that
//! table's. All integers are little-endian.

use super::chain::{KeyKind, VerifiedChain};
use super::layout::{
    AUTHOR_KEY_DIGEST, CHIP_ID, COMMITTED_FIRMWARE, COMMITTED_TCB, CPUID, CURRENT_FIRMWARE,
    CURRENT_MITIGATIONS, CURRENT_TCB, FAMILY_ID, GUEST_SVN, HOST_DATA, ID_KEY_DIGEST, IMAGE_ID,
    KEY_INFO, LAUNCH_MITIGATIONS, LAUNCH_TCB, MEASUREMENT, PLATFORM_INFO, POLICY, REPORT_DATA,
    REPORT_ID, REPORT_ID_MA, REPORTED_TCB, SIGNATURE, SIGNATURE_ALGO, SIGNATURE_S, VERSION, VMPL,
};
use super::product::Cpuid;
use super::query::CollateralQuery;
use crate::identifiers::{BlockId, ChipId, KeyDigest, Measurement, ReportData, Sha256Digest};
use crate::signature::{Hash, Scheme};

/// A report whose format is known but whose signature is **not** yet checked.
///
/// It offers nothing but [`Report::verify`] and what to fetch for it, so code
/// cannot use a field of an unverified report by mistake.
#[derive(Clone, Debug)]
pub struct Report {
    bytes: [u8; Report::LEN],
}

impl Report {
    /// Size of a report, in bytes.
    pub const LEN: usize = 0x4A0;

    /// Reads a report from `bytes`, which must be exactly [`Report::LEN`] long.
    ///
    /// # Errors
    ///
    /// [`ReportError`], every variant but [`ReportError::Signature`]. No
    /// cryptography is done here.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        let report = Self {
            bytes: bytes
                .try_into()
                .map_err(|_| ReportError::Length { got: bytes.len() })?,
        };
        let version = report.u32_at::<VERSION>();
        if !(2..=5).contains(&version) {
            return Err(ReportError::Version { got: version });
        }
        match report.u32_at::<SIGNATURE_ALGO>() {
            ECDSA_P384_SHA384 => {}
            got => return Err(ReportError::SignatureAlgorithm { got }),
        }
        report.check_reserved(version)?;
        Ok(report)
    }

    /// Checks the signature under the key of a verified certificate chain.
    ///
    /// The signature covers the raw bytes: nothing is parsed and written again
    /// before it is checked.
    ///
    /// # Errors
    ///
    /// [`ReportError::Signature`] if the signature does not verify.
    pub fn verify(&self, chain: &VerifiedChain) -> Result<VerifiedReport, ReportError> {
        let signed: &[u8; SIGNATURE] = self.array_at::<0, SIGNATURE>();
        let scheme = Scheme::EcdsaFixed(Hash::Sha384);
        if chain
            .report_key()
            .verifies(scheme, signed, &self.signature())
        {
            Ok(self.fields())
        } else {
            Err(ReportError::Signature)
        }
    }

    /// What to fetch for this report. It says nothing else, and nothing of it is
    /// verified.
    #[must_use]
    pub fn collateral_query(&self) -> CollateralQuery {
        let fields = self.fields();
        CollateralQuery {
            kind: match fields.signing_key {
                0 => Some(KeyKind::Vcek),
                1 => Some(KeyKind::Vlek),
                _ => None,
            },
            product: fields.cpuid.and_then(CollateralQuery::product_of),
            chip_id: *fields.chip_id.as_bytes(),
            reported_tcb: fields.reported_tcb,
        }
    }

    fn check_reserved(&self, version: u32) -> Result<(), ReportError> {
        for (offset, bytes) in [
            (0x04C, self.array_at::<0x04C, 4>().as_slice()),
            (0x18B, self.array_at::<0x18B, 21>()),
            (0x1EB, self.array_at::<0x1EB, 1>()),
            (0x1EF, self.array_at::<0x1EF, 1>()),
            (0x208, self.array_at::<0x208, 152>()),
            // The upper 24 of 72 bytes of R and of S, and what follows them.
            (0x2D0, self.array_at::<0x2D0, 24>()),
            (0x318, self.array_at::<0x318, 24>()),
            (0x330, self.array_at::<0x330, 368>()),
        ] {
            require_zero(offset, bytes)?;
        }
        if version < FIRST_VERSION_WITH_CPUID {
            require_zero(CPUID, self.array_at::<CPUID, 3>())?;
        }
        if version < FIRST_VERSION_WITH_MITIGATIONS {
            require_zero(
                LAUNCH_MITIGATIONS,
                self.array_at::<LAUNCH_MITIGATIONS, 16>(),
            )?;
        }
        if self.u32_at::<KEY_INFO>() >> 5 != 0 {
            return Err(ReportError::Reserved { offset: KEY_INFO });
        }
        Ok(())
    }

    fn fields(&self) -> VerifiedReport {
        let version = self.u32_at::<VERSION>();
        let [family, model, stepping] = *self.array_at::<CPUID, 3>();
        let key_info = self.u32_at::<KEY_INFO>();
        VerifiedReport {
            version,
            guest_svn: self.u32_at::<GUEST_SVN>(),
            policy: GuestPolicy(self.u64_at::<POLICY>()),
            family_id: BlockId::new(*self.array_at::<FAMILY_ID, 16>()),
            image_id: BlockId::new(*self.array_at::<IMAGE_ID, 16>()),
            vmpl: self.u32_at::<VMPL>(),
            platform_info: PlatformInfo(self.u64_at::<PLATFORM_INFO>()),
            signing_key: (key_info >> 2) & 0b111,
            chip_key_masked: key_info & 0b10 != 0,
            report_data: ReportData::new(*self.array_at::<REPORT_DATA, 64>()),
            measurement: Measurement::new(*self.array_at::<MEASUREMENT, 48>()),
            host_data: Sha256Digest::new(*self.array_at::<HOST_DATA, 32>()),
            id_key_digest: KeyDigest::new(*self.array_at::<ID_KEY_DIGEST, 48>()),
            author_key_digest: KeyDigest::new(*self.array_at::<AUTHOR_KEY_DIGEST, 48>()),
            report_id: Sha256Digest::new(*self.array_at::<REPORT_ID, 32>()),
            migration_agent: *self.array_at::<REPORT_ID_MA, 32>(),
            cpuid: (version >= FIRST_VERSION_WITH_CPUID).then_some(Cpuid {
                family,
                model,
                stepping,
            }),
            chip_id: ChipId::new(*self.array_at::<CHIP_ID, 64>()),
            current_tcb: *self.array_at::<CURRENT_TCB, 8>(),
            reported_tcb: *self.array_at::<REPORTED_TCB, 8>(),
            committed_tcb: *self.array_at::<COMMITTED_TCB, 8>(),
            launch_tcb: *self.array_at::<LAUNCH_TCB, 8>(),
            current_firmware: FirmwareVersion::from_report(*self.array_at::<CURRENT_FIRMWARE, 3>()),
            committed_firmware: FirmwareVersion::from_report(
                *self.array_at::<COMMITTED_FIRMWARE, 3>(),
            ),
            launch_mitigations: (version >= FIRST_VERSION_WITH_MITIGATIONS)
                .then(|| self.u64_at::<LAUNCH_MITIGATIONS>()),
            current_mitigations: (version >= FIRST_VERSION_WITH_MITIGATIONS)
                .then(|| self.u64_at::<CURRENT_MITIGATIONS>()),
        }
    }

    /// The ECDSA signature: two 72-byte little-endian numbers, of which P-384
    /// uses 48 bytes each; here they are big-endian, one behind the other.
    fn signature(&self) -> Vec<u8> {
        let r = self.array_at::<SIGNATURE, 48>().iter().rev();
        let s = self.array_at::<SIGNATURE_S, 48>().iter().rev();
        r.chain(s).copied().collect()
    }

    fn u32_at<const AT: usize>(&self) -> u32 {
        u32::from_le_bytes(*self.array_at::<AT, 4>())
    }

    fn u64_at<const AT: usize>(&self) -> u64 {
        u64::from_le_bytes(*self.array_at::<AT, 8>())
    }

    /// The `N` bytes at offset `AT`. The bound is checked when compiling, so
    /// this cannot panic.
    fn array_at<const AT: usize, const N: usize>(&self) -> &[u8; N] {
        const {
            assert!(AT <= Self::LEN && N <= Self::LEN.saturating_sub(AT));
        }
        match self.bytes.split_at(AT).1.first_chunk::<N>() {
            Some(chunk) => chunk,
            None => unreachable!("bounds were checked at compile time"),
        }
    }
}

/// The fields of a report that a chip has signed.
///
/// Only [`Report::verify`] makes one, so holding one is proof that the check
/// was done:
///
/// ```compile_fail,E0451
/// # fn skip(good: subrosa_attest::snp::VerifiedReport) {
/// let forged = subrosa_attest::snp::VerifiedReport { vmpl: 0, ..good };
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedReport {
    pub(super) version: u32,
    pub(super) guest_svn: u32,
    pub(super) policy: GuestPolicy,
    pub(super) family_id: BlockId,
    pub(super) image_id: BlockId,
    pub(super) vmpl: u32,
    pub(super) platform_info: PlatformInfo,
    pub(super) signing_key: u32,
    pub(super) chip_key_masked: bool,
    pub(super) report_data: ReportData,
    pub(super) measurement: Measurement,
    pub(super) host_data: Sha256Digest,
    pub(super) id_key_digest: KeyDigest,
    pub(super) author_key_digest: KeyDigest,
    pub(super) report_id: Sha256Digest,
    pub(super) migration_agent: [u8; 32],
    pub(super) cpuid: Option<Cpuid>,
    pub(super) chip_id: ChipId,
    pub(super) current_tcb: [u8; 8],
    pub(super) reported_tcb: [u8; 8],
    pub(super) committed_tcb: [u8; 8],
    pub(super) launch_tcb: [u8; 8],
    pub(super) current_firmware: FirmwareVersion,
    pub(super) committed_firmware: FirmwareVersion,
    pub(super) launch_mitigations: Option<u64>,
    pub(super) current_mitigations: Option<u64>,
}

impl VerifiedReport {
    /// 64 bytes the guest chose: here, the hash that binds its channel key.
    #[must_use]
    pub fn report_data(&self) -> &ReportData {
        &self.report_data
    }

    /// SHA-384 launch digest of the guest's firmware and initial memory.
    #[must_use]
    pub fn measurement(&self) -> &Measurement {
        &self.measurement
    }

    /// Identifier unique to the physical chip; zero if masked.
    #[must_use]
    pub fn chip_id(&self) -> &ChipId {
        &self.chip_id
    }

    /// What the guest's owner allows the host to do.
    #[must_use]
    pub fn policy(&self) -> GuestPolicy {
        self.policy
    }

    /// Privilege level (0 is the most privileged) that asked for the report.
    #[must_use]
    pub fn vmpl(&self) -> u32 {
        self.vmpl
    }
}

/// `GUEST_POLICY`: what the guest's owner allows the host to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GuestPolicy(pub(super) u64);

impl GuestPolicy {
    pub(super) const SMT: u32 = 16;
    pub(super) const RESERVED_ONE: u32 = 17;
    pub(super) const MIGRATION_AGENT: u32 = 18;
    pub(super) const DEBUG: u32 = 19;
    pub(super) const SINGLE_SOCKET: u32 = 20;
    pub(super) const CXL: u32 = 21;
    pub(super) const AES_256_XTS: u32 = 22;
    pub(super) const RAPL_DISABLED: u32 = 23;
    pub(super) const CIPHERTEXT_HIDING: u32 = 24;
    pub(super) const PAGE_SWAP_DISABLED: u32 = 25;

    pub(super) const fn has(self, bit: u32) -> bool {
        (self.0 >> bit) & 1 == 1
    }

    /// Bit 17 must be one, bits 26 to 63 zero.
    pub(super) const fn reserved_bits_are_right(self) -> bool {
        self.has(Self::RESERVED_ONE) && self.0 >> 26 == 0
    }

    /// The least firmware ABI the guest accepts: (major, minor).
    pub(super) const fn abi(self) -> (u8, u8) {
        let [minor, major, ..] = self.0.to_le_bytes();
        (major, minor)
    }

    /// Whether the host may read the guest's memory through the debug calls.
    #[must_use]
    pub const fn debug_allowed(self) -> bool {
        self.has(Self::DEBUG)
    }
}

/// `PLATFORM_INFO`: how the host is set up.
///
/// Further bits are not refused: they describe the platform, and genuine firmware
/// sets them before the tables define them (reports of version 5 from Turin have
/// bit 6). No rule reads them, so none is met by them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlatformInfo(pub(super) u64);

impl PlatformInfo {
    pub(super) const SMT: u32 = 0;
    pub(super) const TSME: u32 = 1;
    pub(super) const ECC: u32 = 2;
    pub(super) const RAPL_DISABLED: u32 = 3;
    pub(super) const CIPHERTEXT_HIDING: u32 = 4;
    pub(super) const ALIAS_CHECK_COMPLETE: u32 = 5;

    pub(super) const fn has(self, bit: u32) -> bool {
        (self.0 >> bit) & 1 == 1
    }
}

/// Version of the SEV-SNP firmware; it orders by major, minor, build.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct FirmwareVersion {
    pub(crate) major: u8,
    pub(crate) minor: u8,
    pub(crate) build: u8,
}

impl FirmwareVersion {
    const fn from_report([build, minor, major]: [u8; 3]) -> Self {
        Self {
            major,
            minor,
            build,
        }
    }
}

impl core::fmt::Display for FirmwareVersion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

/// Why a report was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The input is not [`Report::LEN`] bytes long.
    #[error("attestation report is {got} bytes long, expected {}", Report::LEN)]
    Length {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// A field that must be zero is not.
    #[error("attestation report has a reserved field set at offset {offset:#05x}")]
    Reserved {
        /// Where the field starts.
        offset: usize,
    },

    /// The signature does not verify under the given key.
    #[error("attestation report signature does not verify")]
    Signature,

    /// The report names a signature algorithm other than ECDSA P-384/SHA-384.
    #[error("attestation report uses unknown signature algorithm {got}")]
    SignatureAlgorithm {
        /// The `SIGNATURE_ALGO` field.
        got: u32,
    },

    /// The report has a format version this code does not know.
    #[error("attestation report has unknown version {got}")]
    Version {
        /// The `VERSION` field.
        got: u32,
    },
}

fn require_zero(offset: usize, bytes: &[u8]) -> Result<(), ReportError> {
    if bytes.iter().all(|&byte| byte == 0) {
        Ok(())
    } else {
        Err(ReportError::Reserved { offset })
    }
}

/// `SIGNATURE_ALGO` value for ECDSA P-384 with SHA-384.
pub(crate) const ECDSA_P384_SHA384: u32 = 1;

const FIRST_VERSION_WITH_CPUID: u32 = 3;
const FIRST_VERSION_WITH_MITIGATIONS: u32 = 5;

#[cfg(test)]
mod tests;
