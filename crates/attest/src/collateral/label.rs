//! The parts collateral can have: `spec/collateral.md`, table "Entries".

use core::fmt;

/// Name of one part.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Label {
    /// Revocation list of the authority that issued the PCK certificate.
    DcapPckCrl,
    /// Certificates above that list.
    DcapPckCrlIssuers,
    /// Identity of the quoting enclave.
    DcapQeIdentity,
    /// Certificates above that identity.
    DcapQeIdentityIssuers,
    /// Revocation list of Intel's root.
    DcapRootCrl,
    /// Firmware levels of a family of platforms.
    DcapTcbInfo,
    /// Certificates above those levels.
    DcapTcbInfoIssuers,
    /// An answer about the revocation of one certificate, numbered from 1 to 16.
    NvidiaOcsp(u8),
    /// Reference manifest of a GPU's driver.
    NvidiaRimDriver,
    /// Reference manifest of a GPU's VBIOS or a switch's firmware.
    NvidiaRimFirmware,
    /// AMD's root certificate.
    SnpArk,
    /// AMD's intermediate certificate for VCEKs.
    SnpAsk,
    /// AMD's intermediate certificate for VLEKs.
    SnpAsvk,
    /// The root's revocation list.
    SnpCrl,
    /// Certificate of a versioned chip endorsement key.
    SnpVcek,
    /// Certificate of a versioned loaded endorsement key.
    SnpVlek,
}

impl Label {
    /// Most answers about revocation.
    pub const MAX_OCSP: u8 = 16;

    /// Media type of the part.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::DcapPckCrl | Self::DcapRootCrl | Self::SnpCrl => "application/pkix-crl",
            Self::DcapQeIdentity | Self::DcapTcbInfo => "application/json",
            Self::DcapPckCrlIssuers | Self::DcapQeIdentityIssuers | Self::DcapTcbInfoIssuers => {
                "application/pem-certificate-chain"
            }
            Self::NvidiaOcsp(_) => "application/ocsp-response",
            Self::NvidiaRimDriver | Self::NvidiaRimFirmware => "application/swid+xml",
            Self::SnpArk | Self::SnpAsk | Self::SnpAsvk | Self::SnpVcek | Self::SnpVlek => {
                "application/pkix-cert"
            }
        }
    }

    /// Largest size of the part, in bytes.
    #[must_use]
    pub const fn max_len(self) -> usize {
        match self {
            Self::SnpArk | Self::SnpAsk | Self::SnpAsvk | Self::SnpVcek | Self::SnpVlek => 8 * 1024,
            Self::DcapPckCrlIssuers
            | Self::DcapQeIdentityIssuers
            | Self::DcapTcbInfoIssuers
            | Self::NvidiaOcsp(_) => 16 * 1024,
            Self::DcapQeIdentity | Self::DcapRootCrl | Self::SnpCrl => 32 * 1024,
            Self::DcapTcbInfo => 128 * 1024,
            Self::DcapPckCrl | Self::NvidiaRimDriver | Self::NvidiaRimFirmware => 256 * 1024,
        }
    }

    /// Whether a file may do without the part.
    pub(super) const fn is_optional(self) -> bool {
        matches!(self, Self::NvidiaOcsp(_) | Self::NvidiaRimDriver)
    }

    /// Orders labels as their encodings order: the shorter first, then by bytes
    /// (RFC 8949, section 4.2.1).
    pub(super) fn sort_key(self) -> (usize, String) {
        let text = self.to_string();
        (text.len(), text)
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix(OCSP_PREFIX) {
            let number = digits.parse().ok()?;
            let label = Self::NvidiaOcsp(number);
            let is_right = (1..=Self::MAX_OCSP).contains(&number) && label.to_string() == text;
            return is_right.then_some(label);
        }
        NAMES
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(label, _)| *label)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::NvidiaOcsp(number) = self {
            return write!(f, "{OCSP_PREFIX}{number:02}");
        }
        let name = NAMES.iter().find(|(label, _)| label == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

/// Everything but the numbered ones.
pub(super) const NAMES: [(Label, &str); 15] = [
    (Label::DcapPckCrl, "dcap-pck-crl"),
    (Label::DcapPckCrlIssuers, "dcap-pck-crl-issuers"),
    (Label::DcapQeIdentity, "dcap-qe-identity"),
    (Label::DcapQeIdentityIssuers, "dcap-qe-identity-issuers"),
    (Label::DcapRootCrl, "dcap-root-crl"),
    (Label::DcapTcbInfo, "dcap-tcb-info"),
    (Label::DcapTcbInfoIssuers, "dcap-tcb-info-issuers"),
    (Label::NvidiaRimDriver, "nvidia-rim-driver"),
    (Label::NvidiaRimFirmware, "nvidia-rim-firmware"),
    (Label::SnpArk, "snp-ark"),
    (Label::SnpAsk, "snp-ask"),
    (Label::SnpAsvk, "snp-asvk"),
    (Label::SnpCrl, "snp-crl"),
    (Label::SnpVcek, "snp-vcek"),
    (Label::SnpVlek, "snp-vlek"),
];

const OCSP_PREFIX: &str = "nvidia-ocsp-";

/// What each kind of evidence requires.
pub(super) const SNP_VCEK: [Label; 4] =
    [Label::SnpVcek, Label::SnpAsk, Label::SnpArk, Label::SnpCrl];
pub(super) const SNP_VLEK: [Label; 4] =
    [Label::SnpVlek, Label::SnpAsvk, Label::SnpArk, Label::SnpCrl];
pub(super) const DCAP: [Label; 7] = [
    Label::DcapTcbInfo,
    Label::DcapTcbInfoIssuers,
    Label::DcapQeIdentity,
    Label::DcapQeIdentityIssuers,
    Label::DcapPckCrl,
    Label::DcapPckCrlIssuers,
    Label::DcapRootCrl,
];
pub(super) const NVIDIA: [Label; 1] = [Label::NvidiaRimFirmware];
