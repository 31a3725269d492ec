//! What a verified quote says.

use serde::Serialize;

use super::log::MeasuredEvent;
use super::pcrs::RegisterValues;
use super::public::Public;
use super::quote::{Quote, Selection};
use crate::signature::PublicKey;

/// What a quote whose signature is verified says. Digests and flags are written in
/// hexadecimal, algorithms by their numbers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Claims {
    attest: AttestClaims,
    #[serde(skip)]
    nonce: Vec<u8>,
    /// `TPMA_OBJECT` of the attestation key, if it is known.
    ak_attributes: Option<String>,
    /// The hierarchy of which the attestation key is a primary key, if it is one.
    ak_hierarchy: Option<&'static str>,
    /// Whether the values are those that were quoted; `None` without values.
    pub(super) pcr_digest_ok: Option<bool>,
    /// The values of the quoted registers, if they are those that were quoted.
    pub(super) pcrs: Option<RegisterValues>,
    /// The events of the quoted registers, if there is a log and it gives them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<MeasuredEvent>,
}

/// The fields of `TPMS_ATTEST`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct AttestClaims {
    magic: String,
    #[serde(rename = "type")]
    kind: String,
    qualified_signer: String,
    extra_data: String,
    clock: u64,
    reset_count: u32,
    restart_count: u32,
    safe: u8,
    firmware_version: String,
    pcr_select: Vec<(String, Vec<u8>)>,
    pcr_digest: String,
    length: usize,
}

impl Claims {
    pub(super) fn new(quote: &Quote, public: Option<&Public>) -> Self {
        let selection = |one: &Selection| (format!("{:#x}", one.bank.id()), one.registers.clone());
        Self {
            attest: AttestClaims {
                magic: "0xff544347".to_owned(),
                kind: "0x8018".to_owned(),
                qualified_signer: hex::encode(&quote.qualified_signer),
                extra_data: hex::encode(&quote.extra_data),
                clock: quote.clock.clock,
                reset_count: quote.clock.reset_count,
                restart_count: quote.clock.restart_count,
                safe: quote.clock.safe.into(),
                firmware_version: format!("{:#x}", quote.firmware_version),
                pcr_select: quote.selections.iter().map(selection).collect(),
                pcr_digest: hex::encode(&quote.pcr_digest),
                length: quote.message().len(),
            },
            nonce: quote.extra_data.clone(),
            ak_attributes: public.map(|public| format!("{:#x}", public.attributes.0)),
            ak_hierarchy: public.and_then(|public| public.hierarchy(&quote.qualified_signer)),
            pcr_digest_ok: None,
            pcrs: None,
            events: Vec::new(),
        }
    }

    /// The nonce that was quoted: `extraData`.
    #[must_use]
    pub fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// The values of the quoted registers, if they were given and are those that
    /// were quoted.
    #[must_use]
    pub fn registers(&self) -> Option<&RegisterValues> {
        self.pcrs.as_ref()
    }

    /// The events of the quoted registers, if there was a log and it gives them.
    #[must_use]
    pub fn events(&self) -> &[MeasuredEvent] {
        &self.events
    }
}

/// What verified certificates of an attestation key say.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct CertificateClaims {
    /// `rsa`, `p256` or `p384`.
    key_type: &'static str,
}

impl CertificateClaims {
    pub(super) fn new(key: &PublicKey) -> Self {
        Self {
            key_type: match key {
                PublicKey::P256(_) => "p256",
                PublicKey::P384(_) => "p384",
                PublicKey::Rsa(_) => "rsa",
            },
        }
    }
}
