//! What is demanded of an enclave.

use crate::dcap::TcbRules;
use crate::identifiers::{BlockId, ReportData, Sha256Digest};

/// What is demanded of an enclave beyond a genuine platform.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    pub(super) tcb: TcbRules,
    pub(super) accept_provision_key: bool,
    pub(super) measurements: Option<Vec<Sha256Digest>>,
    pub(super) signers: Option<Vec<Sha256Digest>>,
    pub(super) product: Option<u16>,
    pub(super) minimum_svn: Option<u16>,
    pub(super) family_id: Option<BlockId>,
    pub(super) extended_product_id: Option<BlockId>,
    pub(super) configuration_id: Option<ReportData>,
    pub(super) minimum_configuration_svn: Option<u16>,
    pub(super) report_data: Option<ReportData>,
}

impl Rules {
    /// Up-to-date firmware, no debugging, no provisioning key. What may run is
    /// not limited: see [`Rules::measurements`] and [`Rules::signers`].
    #[must_use]
    pub fn strict() -> Self {
        Self::default()
    }

    /// What is demanded of the firmware.
    #[must_use]
    pub fn tcb(mut self, rules: TcbRules) -> Self {
        self.tcb = rules;
        self
    }

    /// Accepts an enclave that may use the provisioning key, and names the gap.
    #[must_use]
    pub fn accept_provision_key(mut self) -> Self {
        self.accept_provision_key = true;
        self
    }

    /// The enclave must be one of these (`MRENCLAVE`); none of an empty list.
    #[must_use]
    pub fn measurements(mut self, allowed: Vec<Sha256Digest>) -> Self {
        self.measurements = Some(allowed);
        self
    }

    /// One of these keys must have signed the enclave (`MRSIGNER`); none of an
    /// empty list. A signer signs many enclaves: demand product and version too.
    #[must_use]
    pub fn signers(mut self, allowed: Vec<Sha256Digest>) -> Self {
        self.signers = Some(allowed);
        self
    }

    /// The enclave must be this product of its signer (`ISVPRODID`).
    #[must_use]
    pub fn product(mut self, product: u16) -> Self {
        self.product = Some(product);
        self
    }

    /// The enclave must have at least this security version (`ISVSVN`).
    #[must_use]
    pub fn minimum_svn(mut self, svn: u16) -> Self {
        self.minimum_svn = Some(svn);
        self
    }

    /// The enclave must be of this family (`ISVFAMILYID`, with KSS).
    #[must_use]
    pub fn family_id(mut self, family: BlockId) -> Self {
        self.family_id = Some(family);
        self
    }

    /// The enclave must be this product (`ISVEXTPRODID`, with KSS).
    #[must_use]
    pub fn extended_product_id(mut self, product: BlockId) -> Self {
        self.extended_product_id = Some(product);
        self
    }

    /// The enclave must have been started with this configuration (`CONFIGID`,
    /// with KSS).
    #[must_use]
    pub fn configuration_id(mut self, configuration: ReportData) -> Self {
        self.configuration_id = Some(configuration);
        self
    }

    /// The configuration must have at least this security version (`CONFIGSVN`,
    /// with KSS).
    #[must_use]
    pub fn minimum_configuration_svn(mut self, svn: u16) -> Self {
        self.minimum_configuration_svn = Some(svn);
        self
    }

    /// The quote must carry these 64 bytes.
    #[must_use]
    pub fn report_data(mut self, expected: ReportData) -> Self {
        self.report_data = Some(expected);
        self
    }
}
