//! What the paravisor says about the virtual machine: the runtime data, JSON.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::signature::PublicKey;

/// Runtime data whose form is known. It is worth what the hardware report whose
/// report data names its digest is worth.
#[derive(Clone, Debug)]
pub struct RuntimeData {
    pub(super) attestation_key: PublicKey,
    /// Its modulus.
    pub(super) modulus: Vec<u8>,
    pub(super) key_ids: Vec<String>,
    pub(super) vm_configuration: Map<String, Value>,
    pub(super) user_data: Option<[u8; 64]>,
}

#[derive(Deserialize)]
struct Wire {
    keys: Vec<Jwk>,
    #[serde(rename = "vm-configuration")]
    vm_configuration: Map<String, Value>,
    #[serde(rename = "user-data")]
    user_data: Option<String>,
}

/// A JSON Web Key (RFC 7517; RFC 7518, section 6.3).
#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    n: Option<String>,
    e: Option<String>,
}

impl RuntimeData {
    /// Reads runtime data.
    ///
    /// # Errors
    ///
    /// [`RuntimeDataError`].
    pub fn parse(json: &[u8]) -> Result<Self, RuntimeDataError> {
        let wire: Wire = serde_json::from_slice(json).map_err(|_| RuntimeDataError::Format)?;
        let mut attestation_keys = wire.keys.iter().filter(|key| key.kid == ATTESTATION_KEY);
        let (Some(key), None) = (attestation_keys.next(), attestation_keys.next()) else {
            return Err(RuntimeDataError::AttestationKeys);
        };
        let user_data = match &wire.user_data {
            None => None,
            Some(text) => Some(user_data(text).ok_or(RuntimeDataError::UserData)?),
        };
        let (attestation_key, modulus) = key.public_key().ok_or(RuntimeDataError::Key)?;
        Ok(Self {
            attestation_key,
            modulus,
            key_ids: wire.keys.into_iter().map(|key| key.kid).collect(),
            vm_configuration: wire.vm_configuration,
            user_data,
        })
    }

    /// Whether the virtual machine was started with Secure Boot.
    pub(super) fn secure_boot(&self) -> bool {
        self.vm_configuration.get("secure-boot") == Some(&Value::Bool(true))
    }
}

impl Jwk {
    fn public_key(&self) -> Option<(PublicKey, Vec<u8>)> {
        if self.kty != "RSA" || self.e.as_deref() != Some(USUAL_EXPONENT) {
            return None;
        }
        let modulus = URL_SAFE_NO_PAD.decode(self.n.as_ref()?).ok()?;
        Some((PublicKey::rsa(&modulus)?, modulus))
    }
}

fn user_data(text: &str) -> Option<[u8; 64]> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Why bytes were refused as runtime data.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeDataError {
    /// No key or several are named as the virtual TPM's attestation key.
    #[error("not one attestation key")]
    AttestationKeys,

    /// The bytes are not JSON with keys and a configuration.
    #[error("not JSON with keys and a configuration of the virtual machine")]
    Format,

    /// The attestation key is not an RSA key of 2048 to 4096 bits with the usual
    /// exponent.
    #[error("the attestation key is not a usable RSA key")]
    Key,

    /// The user data is not 64 bytes in hexadecimal.
    #[error("the user data is not 64 bytes in hexadecimal")]
    UserData,
}

const ATTESTATION_KEY: &str = "HCLAkPub";
/// 65537.
const USUAL_EXPONENT: &str = "AQAB";
