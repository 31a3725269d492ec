//! What Intel signs about platforms, as Intel's service and caches hand it out.

use serde::Deserialize;

/// Everything that is needed to judge a quote besides the quote, all unverified.
///
/// The members are those of Intel's `sgx_ql_qve_collateral_t` version 3, without
/// the chain of the PCK list: that list must come from the authority which
/// certified the platform, whose certificate the quote brings.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Collateral<'a> {
    /// Revocation list of the authority that certified the platform, DER.
    pub pck_crl: &'a [u8],
    /// Revocation list of the root, DER.
    pub root_ca_crl: &'a [u8],
    /// The signer of the TCB info and the root, PEM.
    pub tcb_info_issuer_chain: &'a [u8],
    /// The exact bytes of the JSON object `tcbInfo`.
    pub tcb_info: &'a [u8],
    /// Signature over them: r and s.
    pub tcb_info_signature: &'a [u8],
    /// The signer of the quoting enclave's identity and the root, PEM.
    pub qe_identity_issuer_chain: &'a [u8],
    /// The exact bytes of the JSON object `enclaveIdentity`.
    pub qe_identity: &'a [u8],
    /// Signature over them: r and s.
    pub qe_identity_signature: &'a [u8],
}

/// Collateral in one JSON file, with the names of `sgx_ql_qve_collateral_t`:
/// chains in PEM, lists and signatures in hexadecimal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CollateralFile {
    pck_crl: Vec<u8>,
    root_ca_crl: Vec<u8>,
    tcb_info_signature: Vec<u8>,
    qe_identity_signature: Vec<u8>,
    text: Text,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
struct Text {
    pck_crl: String,
    root_ca_crl: String,
    tcb_info_issuer_chain: String,
    tcb_info: String,
    tcb_info_signature: String,
    qe_identity_issuer_chain: String,
    qe_identity: String,
    qe_identity_signature: String,
}

impl CollateralFile {
    /// Longest file that is read, in bytes. Those in use have 10,000 to 30,000.
    pub const MAX_LEN: usize = 4 * 1024 * 1024;

    /// Reads a file. Nothing of it is verified.
    ///
    /// # Errors
    ///
    /// [`CollateralError`] if it is no such file.
    pub fn parse(json: &[u8]) -> Result<Self, CollateralError> {
        if json.len() > Self::MAX_LEN {
            return Err(CollateralError::TooLong { got: json.len() });
        }
        let text: Text = serde_json::from_slice(json).map_err(|_| CollateralError::Format)?;
        let decode = |member, text: &str| {
            hex::decode(text).map_err(|_| CollateralError::Hexadecimal { member })
        };
        Ok(Self {
            pck_crl: decode("pck_crl", &text.pck_crl)?,
            root_ca_crl: decode("root_ca_crl", &text.root_ca_crl)?,
            tcb_info_signature: decode("tcb_info_signature", &text.tcb_info_signature)?,
            qe_identity_signature: decode("qe_identity_signature", &text.qe_identity_signature)?,
            text,
        })
    }

    /// The collateral in the file.
    #[must_use]
    pub fn collateral(&self) -> Collateral<'_> {
        Collateral {
            pck_crl: &self.pck_crl,
            root_ca_crl: &self.root_ca_crl,
            tcb_info_issuer_chain: self.text.tcb_info_issuer_chain.as_bytes(),
            tcb_info: self.text.tcb_info.as_bytes(),
            tcb_info_signature: &self.tcb_info_signature,
            qe_identity_issuer_chain: self.text.qe_identity_issuer_chain.as_bytes(),
            qe_identity: self.text.qe_identity.as_bytes(),
            qe_identity_signature: &self.qe_identity_signature,
        }
    }
}

/// Why a file was refused as collateral.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CollateralError {
    /// The bytes are not a JSON object with these members.
    #[error("not a JSON object with the members of collateral")]
    Format,

    /// A member is not written in hexadecimal.
    #[error("{member} is not hexadecimal")]
    Hexadecimal {
        /// Which member.
        member: &'static str,
    },

    /// The input is longer than [`CollateralFile::MAX_LEN`].
    #[error(
        "collateral is {got} bytes long, at most {} are read",
        CollateralFile::MAX_LEN
    )]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },
}
