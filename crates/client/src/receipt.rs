//! Receipts as they are kept on the device (spec/receipt.md), and their check.
//!
//! ```text
//! VerifiedNode, Completed ──▶ ReceiptFile ──save──▶ <id>.json ──load──▶ ReceiptFile ──check──▶ Checked
//!                                                             (untrusted)            (policy, trust)
//! ```

use core::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use subrosa_attest::bundle::BundleError;
use subrosa_attest::{Bundle, Policy, UnixSeconds};
use subrosa_channel::{Completed, Receipt, ReceiptError, Transcript, VerifiedReceipt};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::node::{Refusal, VerifiedNode};
use crate::trust::Trust;

mod storage;

pub use storage::StorageError;

/// A receipt with what is needed to check it: the key that opens its commitments, and the
/// evidence. Nothing in it has been verified when it comes from a file.
pub struct ReceiptFile {
    receipt: Receipt,
    key: Zeroizing<[u8; 32]>,
    bundle: Bundle,
    verdict: String,
    transcript: Option<Transcript>,
}

/// What a check found to hold.
#[non_exhaustive]
pub struct Checked {
    /// The receipt.
    pub receipt: VerifiedReceipt,
    /// The node that signed it, as judged for the receipt's minute. Its verdict is the verdict of
    /// the receipt.
    pub node: VerifiedNode,
    /// Whether message and answer were compared with the commitments.
    pub opened: bool,
}

/// Why bytes are not a receipt file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReceiptFileError {
    /// Its evidence is not a bundle.
    #[error("the evidence in the receipt file is malformed: {0}")]
    Bundle(#[from] BundleError),
    /// A field is not what the format says.
    #[error("field `{0}` of the receipt file is malformed")]
    Field(&'static str),
    /// Not JSON of the right form.
    #[error("not a receipt file")]
    Format,
    /// It could not be read.
    #[error("the receipt file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is larger than a receipt file may be.
    #[error("the receipt file is larger than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// It is of another version.
    #[error("the receipt file has version {got}, expected 1")]
    Version {
        /// The version it states.
        got: u64,
    },
}

/// Why a receipt proves nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The evidence did not pass, for the receipt's minute.
    #[error("the evidence kept with the receipt does not pass ({})", .0.reason_code())]
    Evidence(Box<Refusal>),
    /// Signature, fields or commitments are wrong.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

impl ReceiptFile {
    /// What to keep of a whole answer of `node`. Message and frames are in it if they were asked
    /// for.
    #[must_use]
    pub fn new(node: &VerifiedNode, completed: Completed) -> Self {
        Self {
            receipt: completed.receipt.receipt().clone(),
            key: completed.receipt_key,
            bundle: node.bundle().clone(),
            verdict: node.verdict_line(),
            transcript: completed.transcript,
        }
    }

    /// Reads the content of a receipt file.
    ///
    /// # Errors
    ///
    /// [`ReceiptFileError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptFileError> {
        // First this alone: what else is in a newer file is not known here.
        let Versioned { version } =
            serde_json::from_slice(bytes).map_err(|_| ReceiptFileError::Format)?;
        if version != VERSION {
            return Err(ReceiptFileError::Version { got: version });
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|_| ReceiptFileError::Format)?;
        let field = ReceiptFileError::Field;
        let is_line = wire.verdict.len() <= MAX_VERDICT
            && wire
                .verdict
                .bytes()
                .all(|byte| (0x20..0x7f).contains(&byte));
        if !is_line {
            return Err(field("verdict"));
        }
        let receipt = decode(&wire.receipt, "receipt")?;
        let key = decode(&wire.key, "key")?;
        let transcript = match (&wire.message, &wire.frames) {
            (Some(message), Some(frames)) => Some(Transcript {
                message: decode(message, "message")?,
                frames: decode(frames, "frames")?,
            }),
            (None, None) => None,
            _ => return Err(field("frames")),
        };
        Ok(Self {
            receipt: Receipt::parse(&receipt).map_err(|_| field("receipt"))?,
            key: Zeroizing::new(key.as_slice().try_into().map_err(|_| field("key"))?),
            bundle: Bundle::parse(&decode(&wire.bundle, "bundle")?)?,
            verdict: wire.verdict.clone(),
            transcript,
        })
    }

    /// The content of the file.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let wire = Wire {
            version: VERSION,
            receipt: encode(self.receipt.as_bytes()),
            key: encode(self.key.as_slice()),
            bundle: encode(self.bundle.as_bytes()),
            verdict: self.verdict.clone(),
            message: self
                .transcript
                .as_ref()
                .map(|transcript| encode(&transcript.message)),
            frames: self
                .transcript
                .as_ref()
                .map(|transcript| encode(&transcript.frames)),
        };
        // Numbers and texts always serialise.
        Zeroizing::new(serde_json::to_vec_pretty(&wire).unwrap_or_default())
    }

    /// The receipt, not verified.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The evidence of the node that signed it, not verified.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The verdict as it was shown. It is a note; [`Self::check`] makes a verdict of its own.
    #[must_use]
    pub fn shown_verdict(&self) -> &str {
        &self.verdict
    }

    /// Message and frames, if they were kept.
    #[must_use]
    pub fn transcript(&self) -> Option<&Transcript> {
        self.transcript.as_ref()
    }

    /// Checks everything: the evidence as of the receipt's minute, the receipt against the key
    /// configuration that the evidence binds, and, with a transcript (`given`, or else the one in
    /// the file), both commitments.
    ///
    /// # Errors
    ///
    /// [`CheckError`].
    pub fn check(
        &self,
        policy: &Policy,
        trust: &Trust,
        given: Option<&Transcript>,
    ) -> Result<Checked, CheckError> {
        let then = UnixSeconds::new(self.receipt.unverified_minute().saturating_mul(60));
        let node = VerifiedNode::judge(self.bundle.clone(), policy, trust, then)
            .map_err(CheckError::Evidence)?;
        let receipt = self.receipt.verify(node.key_configuration())?;
        let transcript = given.or(self.transcript.as_ref());
        if let Some(transcript) = transcript {
            receipt.opens(&self.key, &transcript.message, &transcript.frames)?;
        }
        let opened = transcript.is_some();
        Ok(Checked {
            receipt,
            node,
            opened,
        })
    }

    /// Reads a receipt file.
    ///
    /// # Errors
    ///
    /// [`ReceiptFileError`].
    pub fn load(path: &Path) -> Result<Self, ReceiptFileError> {
        Self::parse(&storage::read(path)?)
    }

    /// Writes the file `<receipt id>.json` into `folder`, readable by its owner only, in one step;
    /// returns its path.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn save(&self, folder: &Path) -> Result<std::path::PathBuf, StorageError> {
        storage::write(folder, &self.receipt.id(), &self.to_json())
    }
}

impl CheckError {
    /// The stable code (spec/verdicts.md, spec/errors.md).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Evidence(refusal) => refusal.reason_code(),
            Self::Receipt(_) => "receipt-invalid",
        }
    }
}

impl fmt::Debug for ReceiptFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptFile")
            .field("receipt", &self.receipt)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked")
            .field("node", &self.node)
            .field("opened", &self.opened)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// The file as it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u64,
    receipt: String,
    key: String,
    bundle: String,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<String>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.key.zeroize();
        self.message.zeroize();
        self.frames.zeroize();
    }
}

fn decode(text: &str, field: &'static str) -> Result<Zeroizing<Vec<u8>>, ReceiptFileError> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| ReceiptFileError::Field(field))?;
    Ok(Zeroizing::new(bytes))
}

const VERSION: u64 = 1;
/// Characters of a verdict line: every gap once, and the rules a policy may loosen.
const MAX_VERDICT: usize = 2048;
