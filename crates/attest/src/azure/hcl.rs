//! The paravisor's report, which the virtual TPM keeps in its storage: a hardware
//! report and the data it is bound to (`OpenHCL`, `AttestationReport`).

use crate::identifiers::Sha256Digest;

/// A paravisor's report whose format is known. What the hardware vouches for is
/// not verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HclReport<'a> {
    pub(super) version: u32,
    pub(super) report_size: u32,
    pub(super) request_type: u32,
    pub(super) data_size: u32,
    pub(super) data_version: u32,
    pub(super) kind: ReportKind,
    hardware_report: &'a [u8; HARDWARE_REPORT],
    runtime_data: &'a [u8],
}

/// Which hardware the report is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ReportKind {
    Snp,
    Tdx,
}

impl<'a> HclReport<'a> {
    /// Longest report that is read, in bytes; the storage it lies in has 2 to 3 KiB.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Reads a report. Behind it there may be zeros and nothing else: it lies in
    /// storage of a fixed size.
    ///
    /// # Errors
    ///
    /// [`HclError`]. No cryptography is done here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HclError> {
        let got = bytes.len();
        if got > Self::MAX_LEN {
            return Err(HclError::Length { got });
        }
        let mut reader = Reader(bytes);
        let truncated = || HclError::Length { got };
        let signature = reader.take::<4>().ok_or_else(truncated)?;
        if signature != SIGNATURE {
            return Err(HclError::Signature { got: *signature });
        }
        let mut number = || reader.u32().ok_or_else(truncated);
        let (version, report_size) = (number()?, number()?);
        let (request_type, status) = (number()?, number()?);
        let reserved = [number()?, number()?, number()?];
        if !VERSIONS.contains(&version) {
            return Err(HclError::Version { got: version });
        }
        if request_type != ATTESTATION_REQUEST || status != 0 || reserved != [0; 3] {
            return Err(HclError::Request {
                request_type,
                status,
            });
        }
        let hardware_report = reader.take::<HARDWARE_REPORT>().ok_or_else(truncated)?;
        let mut number = || reader.u32().ok_or_else(truncated);
        let (data_size, data_version, kind) = (number()?, number()?, number()?);
        let (hash, length) = (number()?, number()?);
        let kind = ReportKind::from_number(kind).ok_or(HclError::Kind { got: kind })?;
        if data_version != DATA_VERSION {
            return Err(HclError::Version { got: data_version });
        }
        if hash != HASH_SHA256 {
            return Err(HclError::Hash { got: hash });
        }
        let sizes = HclError::Sizes {
            report: report_size,
            data: data_size,
            runtime_data: length,
        };
        // Each size counts what is behind its own header, and all must agree.
        if length.checked_add(DATA_HEADER) != Some(data_size)
            || data_size.checked_add(HEADER_AND_REPORT) != Some(report_size)
        {
            return Err(sizes);
        }
        let length = usize::try_from(length).map_err(|_| sizes)?;
        let (runtime_data, rest) = reader.0.split_at_checked(length).ok_or_else(truncated)?;
        if rest.iter().any(|&byte| byte != 0) {
            return Err(HclError::Trailing);
        }
        let report = Self {
            version,
            report_size,
            request_type,
            data_size,
            data_version,
            kind,
            hardware_report,
            runtime_data,
        };
        report.check_report_padding()?;
        Ok(report)
    }

    /// A TDREPORT is shorter than the space for it.
    fn check_report_padding(&self) -> Result<(), HclError> {
        let used = match self.kind {
            ReportKind::Snp => HARDWARE_REPORT,
            ReportKind::Tdx => TD_REPORT,
        };
        let rest = self.hardware_report.get(used..).unwrap_or_default();
        if rest.iter().all(|&byte| byte == 0) {
            Ok(())
        } else {
            Err(HclError::Trailing)
        }
    }

    /// The SEV-SNP report, or the TDREPORT, which only its own machine can verify.
    pub(super) fn hardware_report(&self) -> &'a [u8; HARDWARE_REPORT] {
        self.hardware_report
    }

    /// What the paravisor says, bound to the hardware report by its digest.
    pub(super) fn runtime_data(&self) -> &'a [u8] {
        self.runtime_data
    }

    /// The report data that a hardware report bound to the runtime data carries:
    /// its SHA-256 digest, then zeros.
    pub(super) fn expected_report_data(&self) -> [u8; 64] {
        let digest = Sha256Digest::of(self.runtime_data);
        let mut expected = [0; 64];
        let (head, _) = expected.split_at_mut(Sha256Digest::LEN);
        head.copy_from_slice(digest.as_bytes());
        expected
    }

    /// The report data in the hardware report, which is not verified.
    pub(super) fn claimed_report_data(&self) -> &'a [u8] {
        let at = match self.kind {
            ReportKind::Snp => crate::snp::layout::REPORT_DATA,
            ReportKind::Tdx => TD_REPORT_DATA,
        };
        self.hardware_report
            .get(at..)
            .and_then(|rest| rest.get(..64))
            .unwrap_or_default()
    }
}

impl ReportKind {
    /// `IgvmReportType`.
    const fn from_number(number: u32) -> Option<Self> {
        match number {
            2 => Some(Self::Snp),
            4 => Some(Self::Tdx),
            _ => None,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Snp => "SNP",
            Self::Tdx => "TDX",
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(field)
    }

    /// The paravisor writes numbers little-endian.
    fn u32(&mut self) -> Option<u32> {
        self.take().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

/// Why bytes were refused as a paravisor's report.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HclError {
    /// The runtime data is not bound by SHA-256.
    #[error("hash type {got} is not accepted")]
    Hash {
        /// Its number.
        got: u32,
    },

    /// The hardware is neither SEV-SNP nor TDX.
    #[error("report type {got} is not accepted")]
    Kind {
        /// Its number.
        got: u32,
    },

    /// The input is too long, or ends within the report.
    #[error("a report of {got} bytes is cut off or too long")]
    Length {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// The report is the answer to another request, or to none.
    #[error("request type {request_type} with status {status} is not an attestation report")]
    Request {
        /// Type of the request.
        request_type: u32,
        /// How it ended.
        status: u32,
    },

    /// The bytes do not start as a paravisor's report.
    #[error("the report starts with {got:02x?}")]
    Signature {
        /// The first bytes.
        got: [u8; 4],
    },

    /// The sizes contradict each other.
    #[error("sizes do not fit: {report} in all, {data} of data, {runtime_data} of runtime data")]
    Sizes {
        /// Size of everything.
        report: u32,
        /// Size of the data with its header.
        data: u32,
        /// Size of the runtime data.
        runtime_data: u32,
    },

    /// Padding holds something else than zeros.
    #[error("padding holds something else than zeros")]
    Trailing,

    /// A version is not known.
    #[error("version {got} is not known")]
    Version {
        /// The version.
        got: u32,
    },
}

const SIGNATURE: &[u8; 4] = b"HCLA";
const VERSIONS: core::ops::RangeInclusive<u32> = 1..=2;
const DATA_VERSION: u32 = 1;
const ATTESTATION_REQUEST: u32 = 2;
const HASH_SHA256: u32 = 1;
/// Space for the hardware report: an SEV-SNP report.
const HARDWARE_REPORT: usize = 0x4A0;
/// `TDREPORT_STRUCT` (Intel TDX Module Base Architecture Specification).
const TD_REPORT: usize = 1024;
/// `REPORTDATA` in it, within `REPORTMACSTRUCT`.
const TD_REPORT_DATA: usize = 128;
/// Five numbers.
const DATA_HEADER: u32 = 20;
/// Eight numbers and the hardware report.
const HEADER_AND_REPORT: u32 = 32 + 0x4A0;
