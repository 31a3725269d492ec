//! What a verified document says.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::document::{DIGEST, Document};
use crate::time::UnixSeconds;

/// The fields of a document whose signature is verified, named as AWS names
/// them. Bytes are written in hexadecimal, a field that is absent as nothing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Claims {
    module_id: String,
    digest: &'static str,
    #[serde(serialize_with = "as_text")]
    timestamp: UnixSeconds,
    timestamp_ms: u64,
    #[serde(serialize_with = "as_hex_map")]
    pcrs: BTreeMap<u8, Vec<u8>>,
    n_pcrs: usize,
    debug_all_zero_pcr0: bool,
    #[serde(serialize_with = "as_hex")]
    user_data: Option<Vec<u8>>,
    #[serde(serialize_with = "as_hex")]
    nonce: Option<Vec<u8>>,
    #[serde(serialize_with = "as_hex")]
    public_key: Option<Vec<u8>>,
    #[serde(serialize_with = "as_text")]
    leaf_not_before: UnixSeconds,
    #[serde(serialize_with = "as_text")]
    leaf_not_after: UnixSeconds,
    cabundle_len: usize,
}

impl Claims {
    pub(super) fn new(document: &Document<'_>, validity: (UnixSeconds, UnixSeconds)) -> Self {
        let owned = |field: Option<&[u8]>| field.map(<[u8]>::to_vec);
        Self {
            module_id: document.module_id.to_owned(),
            digest: DIGEST,
            timestamp: made_at(document),
            timestamp_ms: document.timestamp,
            pcrs: document
                .registers
                .iter()
                .map(|(&index, value)| (index, value.to_vec()))
                .collect(),
            n_pcrs: document.registers.len(),
            debug_all_zero_pcr0: document
                .registers
                .get(&0)
                .is_some_and(|image| is_zero(image)),
            user_data: owned(document.user_data),
            nonce: owned(document.nonce),
            public_key: owned(document.public_key),
            leaf_not_before: validity.0,
            leaf_not_after: validity.1,
            cabundle_len: document.authorities.len(),
        }
    }

    /// Identifier of the enclave: that of the parent instance, and its own.
    #[must_use]
    pub fn module_id(&self) -> &str {
        &self.module_id
    }

    /// When the document was made, in milliseconds since 1970.
    #[must_use]
    pub fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// The register with this number, if it is locked.
    #[must_use]
    pub fn register(&self, number: u8) -> Option<&[u8]> {
        self.pcrs.get(&number).map(Vec::as_slice)
    }

    /// What the enclave put into its document.
    #[must_use]
    pub fn user_data(&self) -> Option<&[u8]> {
        self.user_data.as_deref()
    }

    /// The nonce the enclave asked with.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// The public key the enclave put into its document.
    #[must_use]
    pub fn public_key(&self) -> Option<&[u8]> {
        self.public_key.as_deref()
    }
}

/// The second in which a document was made.
pub(super) fn made_at(document: &Document<'_>) -> UnixSeconds {
    UnixSeconds::new(document.timestamp / 1000)
}

pub(super) fn is_zero(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == 0)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn as_text<S: Serializer>(at: &UnixSeconds, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[expect(clippy::ref_option, reason = "serde passes references")]
fn as_hex<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes.as_deref().unwrap_or_default()))
}

fn as_hex_map<S: Serializer>(
    registers: &BTreeMap<u8, Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        registers
            .iter()
            .map(|(index, value)| (index, hex::encode(value))),
    )
}
