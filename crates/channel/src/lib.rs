//! The sealed exchange between a device and an attested enclave.
//!
//! A whole HTTP request is sealed to a key that evidence has bound to a
//! confidential VM; the answer comes back as sealed records. The crate does no
//! I/O, reads no clock and draws no randomness of its own: bytes, time and a
//! random number generator go in. It is the same code in the enclave, the
//! command line tool and the browser.
//!
//! ```text
//! device                                                       enclave
//! Attested ──TrustedNode──▶ seal_request ───── bytes ─────▶ Gateway::open ──▶ InnerRequest
//!                               │                                │
//!                         ResponseOpener ◀──── records ──── ResponseSealer ◀── head, body, complete
//!                               └─▶ Head, Body…, Complete(receipt)
//! ```
//!
//! It does not verify evidence (crate `attest`), and knows nothing of models or
//! APIs. The formats are `spec/channel.md` and `spec/receipt.md`.
//!
//! Read the modules in this order: [`KeyConfiguration`], [`TrustedNode`],
//! [`seal_request`], [`Gateway`], [`ResponseSealer`], [`ResponseOpener`],
//! [`Receipt`].

mod binary_http;
mod frame;
mod gateway;
mod key_configuration;
mod message;
mod node;
mod opener;
mod profile;
mod receipt;
mod record;
mod replay;
mod request;
mod sealer;
mod secret;
mod suite;
mod wire;

pub use gateway::{Epoch, Gateway, OpenError, OpenedExchange};
pub use key_configuration::{
    KeyConfiguration, KeyConfigurationError, KeyConfigurationParams, KeyId, ModelEntry, StreamShape,
};
pub use message::{InnerRequest, MessageError, ResponseHead};
#[cfg(feature = "development")]
pub use node::DevelopmentNode;
pub use node::{CLOCK_TOLERANCE, NodeError, Recipient, TrustedNode};
pub use opener::{
    BodyBytes, Completed, OpenResponseError, ResponseEvent, ResponseOpener, Transcript,
};
pub use profile::{Profile, ResponseClass};
pub use receipt::{Receipt, ReceiptError, VerifiedReceipt, absent_weights};
pub use request::{ResponseSecrecy, SealError, SealOptions, SealedRequest, seal_request};
pub use sealer::{AnswerError, Responder, ResponseSealer};

/// Stands for a release id where no release has been logged.
#[must_use]
pub fn absent_release() -> [u8; 32] {
    suite::sha256(&[b"subrosa/absent/release"])
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod exchange_tests;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod fixtures;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod vector_tests;
