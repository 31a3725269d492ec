//! The device's whole flow: directory, verification, sealing, streaming, receipt.
//!
//! ```text
//! ServiceUrl ──▶ directory ──▶ bundle ──appraise──▶ VerifiedNode ──▶ sealed request ──▶ Exchange ──▶ Head, Body…, Complete
//!                (untrusted)   (untrusted)          (proof)                              │
//!                                                                     EventStream ◀──────┴──▶ ReceiptFile
//! ```
//!
//! The crate sends nothing of a user to a node that it has not verified, and yields nothing that
//! did not come out of the seal. It reads no environment variable and follows no redirect: where
//! it connects to is what its caller says.
//!
//! [`proxy`] offers the same to applications that speak the APIs of OpenAI or Anthropic.
//!
//! Read the modules in this order: [`ServiceUrl`], [`Config`], [`Client`], [`VerifiedNode`],
//! [`Inquiry`], [`LogHistory`], [`Exchange`], [`EventStream`], [`receipt`], [`proxy`].

#![expect(clippy::doc_markdown, reason = "OpenAI is a name, not code")]

#[cfg(feature = "network")]
mod address;
#[cfg(feature = "network")]
mod client;
#[cfg(feature = "network")]
mod clock;
#[cfg(feature = "network")]
mod config;
mod directory;
#[cfg(feature = "network")]
mod error;
#[cfg(feature = "network")]
mod exchange;
mod inquiry;
#[cfg(feature = "network")]
mod judge;
#[cfg(feature = "network")]
mod log;
mod node;
#[cfg(feature = "network")]
mod nodes;

#[cfg(feature = "network")]
pub mod proxy;
pub mod receipt;
#[cfg(feature = "network")]
mod stream;
#[cfg(feature = "network")]
mod transport;
mod trust;
mod verdict;

#[cfg(feature = "network")]
pub use address::{AddressError, ServiceUrl};
#[cfg(feature = "network")]
pub use client::{Client, SendOptions};
#[cfg(feature = "network")]
pub use clock::{Clock, SystemClock};
#[cfg(feature = "network")]
pub use config::{Config, Timeouts};
pub use directory::{Directory, DirectoryError, Entry};
#[cfg(feature = "network")]
pub use error::{Error, Stage};
#[cfg(feature = "network")]
pub use exchange::{Exchange, WholeAnswer};
pub use inquiry::Inquiry;
#[cfg(feature = "network")]
pub use log::{HistoryError, LogHistory, ReleaseRefused};
pub use node::{Refusal, RefusalReason, VerifiedNode};
pub use receipt::ReceiptFile;
#[cfg(feature = "network")]
pub use stream::{EventStream, StreamItem};
pub use subrosa_channel::{Completed, InnerRequest, Profile, ResponseEvent, ResponseHead};
pub use trust::Trust;
pub use verdict::verdict_line;
