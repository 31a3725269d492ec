//! The two things a quote can be about: an enclave or a trust domain.

use crate::eventlog::Reader;

/// The report of an SGX enclave (`sgx_report_body_t`; Intel SDM volume 3D, table
/// "Layout of REPORT").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct EnclaveReport {
    pub(crate) cpu_svn: [u8; 16],
    pub(crate) misc_select: [u8; 4],
    pub(crate) isv_ext_prod_id: [u8; 16],
    pub(crate) attributes: [u8; 16],
    pub(crate) mr_enclave: [u8; 32],
    pub(crate) mr_signer: [u8; 32],
    pub(crate) config_id: [u8; 64],
    pub(crate) isv_prod_id: u16,
    pub(crate) isv_svn: u16,
    pub(crate) config_svn: u16,
    pub(crate) isv_family_id: [u8; 16],
    pub(crate) report_data: [u8; 64],
}

impl EnclaveReport {
    pub(crate) const LEN: usize = 384;

    /// Reads a report; `None` if it is of another length or has reserved bytes
    /// that are not zero.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let cpu_svn = reader.array()?;
        let misc_select = reader.array()?;
        reader.zeros(12)?;
        let isv_ext_prod_id = reader.array()?;
        let attributes = reader.array()?;
        let mr_enclave = reader.array()?;
        reader.zeros(32)?;
        let mr_signer = reader.array()?;
        reader.zeros(32)?;
        let config_id = reader.array()?;
        let isv_prod_id = reader.u16()?;
        let isv_svn = reader.u16()?;
        let config_svn = reader.u16()?;
        reader.zeros(42)?;
        let report = Self {
            cpu_svn,
            misc_select,
            isv_ext_prod_id,
            attributes,
            mr_enclave,
            mr_signer,
            config_id,
            isv_prod_id,
            isv_svn,
            config_svn,
            isv_family_id: reader.array()?,
            report_data: reader.array()?,
        };
        reader.is_empty().then_some(report)
    }
}

/// The report of a trust domain (TDX DCAP Quoting Library API, appendix A:
/// "TD Quote Body Descriptor", TD 1.0 and TD 1.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TdReport {
    pub(crate) tee_tcb_svn: [u8; 16],
    pub(crate) mr_seam: [u8; 48],
    pub(crate) mr_signer_seam: [u8; 48],
    pub(crate) seam_attributes: [u8; 8],
    pub(crate) td_attributes: [u8; 8],
    pub(crate) xfam: [u8; 8],
    pub(crate) mr_td: [u8; 48],
    pub(crate) mr_config_id: [u8; 48],
    pub(crate) mr_owner: [u8; 48],
    pub(crate) mr_owner_config: [u8; 48],
    pub(crate) rt_mr: [[u8; 48]; 4],
    pub(crate) report_data: [u8; 64],
    /// What TD 1.5 adds.
    pub(crate) td15: Option<Td15>,
}

/// The fields that TD 1.5 has and TD 1.0 has not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Td15 {
    /// The level of the TDX module that runs now; the other one is the level at
    /// which the trust domain was started.
    pub(crate) tee_tcb_svn2: [u8; 16],
    /// The service trust domains, such as one for migration, that are bound.
    pub(crate) mr_service_td: [u8; 48],
}

impl TdReport {
    pub(crate) const LEN_10: usize = 584;
    pub(crate) const LEN_15: usize = 648;

    /// Reads a report of one of the two lengths.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let report = Self {
            tee_tcb_svn: reader.array()?,
            mr_seam: reader.array()?,
            mr_signer_seam: reader.array()?,
            seam_attributes: reader.array()?,
            td_attributes: reader.array()?,
            xfam: reader.array()?,
            mr_td: reader.array()?,
            mr_config_id: reader.array()?,
            mr_owner: reader.array()?,
            mr_owner_config: reader.array()?,
            rt_mr: [
                reader.array()?,
                reader.array()?,
                reader.array()?,
                reader.array()?,
            ],
            report_data: reader.array()?,
            td15: if bytes.len() == Self::LEN_15 {
                Some(Td15 {
                    tee_tcb_svn2: reader.array()?,
                    mr_service_td: reader.array()?,
                })
            } else {
                None
            },
        };
        reader.is_empty().then_some(report)
    }
}
