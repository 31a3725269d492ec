//! A throw-away root, and the two files it is kept in.

use p384::SecretKey;
use p384::ecdsa::SigningKey;
use p384::pkcs8::EncodePublicKey;
use rand_core::CryptoRng;
use rsa::RsaPrivateKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::certificates::{
    CertificateDraft, RevocationDraft, authority_extensions, list_extensions, vcek_extensions,
};
use super::platform::SimulatedPlatform;
use crate::appraisal::Roots;
use crate::identifiers::{ChipId, Sha256Digest};
use crate::policy::defaults;
use crate::signature::PublicKey;
use crate::snp::anchors::{Anchor, Anchors};
use crate::snp::{Part, Product, Tcb};
use crate::time::UnixSeconds;
use crate::tpm::Public;
use crate::x509::Certificate;

/// A simulated vendor and one simulated chip, with the chip's private key.
///
/// The vendor's own private keys are thrown away when it is made: a root has one
/// chip, and signs nothing more.
#[derive(Clone)]
pub struct Root {
    platform: SimulatedPlatform,
    public: DevelopmentRoot,
}

impl Root {
    /// Makes a root whose certificates are valid from a day before `now` for ten
    /// years. It generates two RSA keys, which takes up to some seconds.
    ///
    /// # Errors
    ///
    /// [`DevelopmentError::KeyGeneration`].
    pub fn generate<R: CryptoRng + ?Sized>(
        rng: &mut R,
        now: UnixSeconds,
    ) -> Result<Self, DevelopmentError> {
        let key = |rng: &mut R| {
            RsaPrivateKey::new(rng, RSA_BITS).map_err(|_| DevelopmentError::KeyGeneration)
        };
        let (ark, ask) = (key(rng)?, key(rng)?);
        Self::issue(&ark, &ask, rng, now)
    }

    /// The rest of [`Root::generate`], for keys that exist.
    pub(crate) fn issue<R: CryptoRng + ?Sized>(
        ark: &RsaPrivateKey,
        ask: &RsaPrivateKey,
        rng: &mut R,
        now: UnixSeconds,
    ) -> Result<Self, DevelopmentError> {
        let mut chip_id = [0; 64];
        rng.fill_bytes(&mut chip_id);
        let vcek = chip_key(rng)?;
        let tcb = defaults::floors()
            .iter()
            .find(|floor| floor.part == Part::Genoa)
            .map(|floor| floor.tcb)
            .ok_or(DevelopmentError::KeyGeneration)?;
        let drafts = Drafts::new(ark, ask, &vcek, tcb, &chip_id, now)
            .ok_or(DevelopmentError::KeyGeneration)?;
        let signed = drafts
            .sign(ark, ask, rng)
            .ok_or(DevelopmentError::KeyGeneration)?;
        let public = DevelopmentRoot::of(&signed.ark, &signed.ask)?;
        let platform = SimulatedPlatform {
            key: vcek,
            chip_id,
            tcb,
            ark: signed.ark,
            ask: signed.ask,
            vcek: signed.vcek,
            revocation_list: signed.revocation_list,
        };
        Ok(Self { platform, public })
    }

    /// The simulated chip.
    #[must_use]
    pub fn platform(&self) -> &SimulatedPlatform {
        &self.platform
    }

    /// What a device needs to know of the root.
    #[must_use]
    pub fn public(&self) -> &DevelopmentRoot {
        &self.public
    }

    /// The secret file, for the service. Whoever reads it can forge reports of
    /// this root.
    #[must_use]
    pub fn to_secret_file(&self) -> Zeroizing<String> {
        let platform = &self.platform;
        let file = SecretFile {
            kind: SECRET_KIND.to_owned(),
            chip_key: hex::encode(Zeroizing::new(platform.key.to_bytes().to_vec())),
            chip_id: ChipId::new(platform.chip_id),
            tcb: platform.tcb,
            ark: hex::encode(&platform.ark),
            ask: hex::encode(&platform.ask),
            vcek: hex::encode(&platform.vcek),
            revocation_list: hex::encode(&platform.revocation_list),
        };
        Zeroizing::new(to_json(&file))
    }

    /// Reads a secret file.
    ///
    /// # Errors
    ///
    /// [`DevelopmentError::File`]; it never shows the content.
    pub fn from_secret_file(text: &str) -> Result<Self, DevelopmentError> {
        let file: SecretFile = from_json(text, SECRET_KIND)?;
        if file.kind != SECRET_KIND {
            return Err(malformed(SECRET_KIND));
        }
        let bytes = |hex: &str| hex::decode(hex).map_err(|_| malformed(SECRET_KIND));
        let key = Zeroizing::new(bytes(&file.chip_key)?);
        let platform = SimulatedPlatform {
            key: SigningKey::from_slice(&key).map_err(|_| malformed(SECRET_KIND))?,
            chip_id: *file.chip_id.as_bytes(),
            tcb: file.tcb,
            ark: bytes(&file.ark)?,
            ask: bytes(&file.ask)?,
            vcek: bytes(&file.vcek)?,
            revocation_list: bytes(&file.revocation_list)?,
        };
        let public = DevelopmentRoot::of(&platform.ark, &platform.ask)?;
        Ok(Self { platform, public })
    }
}

/// Shows nothing: the key is a secret.
impl core::fmt::Debug for Root {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Root").finish_non_exhaustive()
    }
}

/// The public part of a simulated root: which keys a device is to take for a
/// vendor's while developing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DevelopmentRoot(Kind);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    Vendor {
        ark: Sha256Digest,
        ask: Sha256Digest,
        anchors: Anchors,
    },
    SoftwareTpm {
        /// `TPMT_PUBLIC` of its attestation key.
        public: Vec<u8>,
        key: PublicKey,
    },
}

impl DevelopmentRoot {
    /// Reads a public file.
    ///
    /// # Errors
    ///
    /// [`DevelopmentError::File`], also for a secret file.
    pub fn from_public_file(text: &str) -> Result<Self, DevelopmentError> {
        if let Ok(file) = from_json::<TpmFile>(text, TPM_KIND)
            && file.kind == TPM_KIND
        {
            let public = hex::decode(&file.attestation_key).map_err(|_| malformed(TPM_KIND))?;
            return Self::software_tpm(&public);
        }
        let file: PublicFile = from_json(text, PUBLIC_KIND)?;
        if file.kind != PUBLIC_KIND {
            return Err(malformed(PUBLIC_KIND));
        }
        Ok(Self::pinning(file.ark_sha256, file.ask_sha256))
    }

    /// The public file, for devices.
    #[must_use]
    pub fn to_public_file(&self) -> String {
        match &self.0 {
            Kind::Vendor { ark, ask, .. } => to_json(&PublicFile {
                kind: PUBLIC_KIND.to_owned(),
                ark_sha256: *ark,
                ask_sha256: *ask,
            }),
            Kind::SoftwareTpm { public, .. } => to_json(&TpmFile {
                kind: TPM_KIND.to_owned(),
                attestation_key: hex::encode(public),
            }),
        }
    }

    /// One TPM in software, by the `TPMT_PUBLIC` of its attestation key. Whoever runs
    /// it can have it quote anything.
    ///
    /// # Errors
    ///
    /// [`DevelopmentError::File`] for what is no signing key.
    pub fn software_tpm(public: &[u8]) -> Result<Self, DevelopmentError> {
        let key = Public::parse(public).map_err(|_| malformed(TPM_KIND))?;
        Ok(Self(Kind::SoftwareTpm {
            public: public.to_vec(),
            key: key.key().clone(),
        }))
    }

    pub(crate) fn roots(&self) -> Roots {
        match &self.0 {
            Kind::Vendor { anchors, .. } => Roots::simulated(anchors.clone()),
            Kind::SoftwareTpm { key, .. } => Roots::software_tpm(key.clone()),
        }
    }

    fn of(ark: &[u8], ask: &[u8]) -> Result<Self, DevelopmentError> {
        let digest = |der: &[u8]| {
            Certificate::parse(der)
                .ok()
                .and_then(|certificate| certificate.public_key_digest())
                .ok_or_else(|| malformed(SECRET_KIND))
        };
        Ok(Self::pinning(digest(ark)?, digest(ask)?))
    }

    fn pinning(ark: Sha256Digest, ask: Sha256Digest) -> Self {
        Self(Kind::Vendor {
            ark,
            ask,
            anchors: Anchors::not_amd(Anchor {
                product: Product::Genoa,
                root: ark,
                vcek_authority: ask,
                vlek_authority: None,
            }),
        })
    }
}

/// The three certificates and the list of a simulated vendor, unsigned.
#[derive(Clone, Debug)]
pub(crate) struct Drafts {
    pub(crate) ark: CertificateDraft,
    pub(crate) ask: CertificateDraft,
    pub(crate) vcek: CertificateDraft,
    pub(crate) revocation_list: RevocationDraft,
}

/// The same, signed.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) ark: Vec<u8>,
    pub(crate) ask: Vec<u8>,
    pub(crate) vcek: Vec<u8>,
    pub(crate) revocation_list: Vec<u8>,
}

impl Drafts {
    /// `None` if a key cannot be encoded.
    pub(crate) fn new(
        ark: &RsaPrivateKey,
        ask: &RsaPrivateKey,
        vcek: &SigningKey,
        tcb: Tcb,
        chip_id: &[u8; 64],
        now: UnixSeconds,
    ) -> Option<Self> {
        let not_before = UnixSeconds::new(now.get().saturating_sub(SECONDS_PER_DAY));
        let not_after = now.saturating_add(LIFETIME_SECONDS);
        let draft =
            |subject: &str, issuer: &str, serial: &[u8], public_key, extensions| CertificateDraft {
                subject: subject.to_owned(),
                issuer: issuer.to_owned(),
                serial: serial.to_vec(),
                not_before,
                not_after,
                public_key,
                extensions,
            };
        let spki = |key: &RsaPrivateKey| {
            let spki = key.to_public_key().to_public_key_der().ok()?;
            Some(spki.into_vec())
        };
        let vcek_spki = vcek.verifying_key().to_public_key_der().ok()?.into_vec();
        Some(Self {
            ark: draft(ARK, ARK, &[9, 0, 0], spki(ark)?, authority_extensions()),
            ask: draft(ASK, ARK, &[9, 0, 1], spki(ask)?, authority_extensions()),
            vcek: draft(
                VCEK,
                ASK,
                &[0],
                vcek_spki,
                vcek_extensions("Genoa", tcb, chip_id),
            ),
            revocation_list: RevocationDraft {
                issuer: ARK.to_owned(),
                this_update: not_before,
                next_update: not_after,
                revoked: Vec::new(),
                entry_extensions: Vec::new(),
                extensions: list_extensions(),
            },
        })
    }

    /// `None` if a key cannot sign.
    pub(crate) fn sign<R: CryptoRng + ?Sized>(
        &self,
        ark: &RsaPrivateKey,
        ask: &RsaPrivateKey,
        rng: &mut R,
    ) -> Option<Signed> {
        Some(Signed {
            ark: self.ark.sign(ark, rng)?,
            ask: self.ask.sign(ark, rng)?,
            vcek: self.vcek.sign(ask, rng)?,
            revocation_list: self.revocation_list.sign(ark, rng)?,
        })
    }
}

/// Why a simulated root cannot be made or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DevelopmentError {
    /// The text is not a root file of the expected kind.
    #[error("not a file of the kind {expected:?}")]
    File {
        /// The kind that was expected.
        expected: &'static str,
    },

    /// A key or certificate could not be made.
    #[error("the simulated root could not be generated")]
    KeyGeneration,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SecretFile {
    kind: String,
    chip_key: String,
    chip_id: ChipId,
    tcb: Tcb,
    ark: String,
    ask: String,
    vcek: String,
    revocation_list: String,
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.chip_key);
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TpmFile {
    kind: String,
    attestation_key: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PublicFile {
    kind: String,
    ark_sha256: Sha256Digest,
    ask_sha256: Sha256Digest,
}

/// A random P-384 key. One in 2^190 candidates is no key, so a few tries suffice.
fn chip_key<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<SigningKey, DevelopmentError> {
    for _ in 0..8 {
        let mut bytes = Zeroizing::new([0_u8; 48]);
        rng.fill_bytes(bytes.as_mut_slice());
        if let Ok(key) = SecretKey::from_slice(bytes.as_slice()) {
            return Ok(SigningKey::from(key));
        }
    }
    Err(DevelopmentError::KeyGeneration)
}

fn to_json<T: Serialize>(file: &T) -> String {
    serde_json::to_string_pretty(file).unwrap_or_default()
}

fn from_json<T: for<'de> Deserialize<'de>>(
    text: &str,
    expected: &'static str,
) -> Result<T, DevelopmentError> {
    if text.len() > MAX_FILE_LEN {
        return Err(malformed(expected));
    }
    serde_json::from_str(text).map_err(|_| malformed(expected))
}

fn malformed(expected: &'static str) -> DevelopmentError {
    DevelopmentError::File { expected }
}

const ARK: &str = "ARK-Genoa";
const ASK: &str = "SEV-Genoa";
const VCEK: &str = "SEV-VCEK";

const SECRET_KIND: &str = "subrosa-development-root-secret/1";
const PUBLIC_KIND: &str = "subrosa-development-root-public/1";
const TPM_KIND: &str = "subrosa-software-tpm-public/1";

const MAX_FILE_LEN: usize = 64 * 1024;

/// Half of what AMD uses: it is made on a developer's machine, at once.
const RSA_BITS: usize = 2048;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
const LIFETIME_SECONDS: u64 = 3650 * SECONDS_PER_DAY;
