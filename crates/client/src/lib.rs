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
//! [`LogHistory`], [`Exchange`], [`EventStream`], [`receipt`], [`proxy`].

#![expect(clippy::doc_markdown, reason = "OpenAI is a name, not code")]

mod address;
mod client;
mod clock;
mod config;
mod directory;
mod error;
mod exchange;
mod judge;
mod log;
mod node;
mod nodes;

pub mod proxy;
pub mod receipt;
mod stream;
mod transport;
mod verdict;

pub use address::{AddressError, ServiceUrl};
pub use client::{Client, SendOptions};
pub use clock::{Clock, SystemClock};
pub use config::{Config, Timeouts, Trust};
pub use directory::DirectoryError;
pub use error::{Error, Stage};
pub use exchange::{Exchange, WholeAnswer};
pub use log::{HistoryError, LogHistory, ReleaseRefused};
pub use node::{Refusal, RefusalReason, VerifiedNode};
pub use receipt::ReceiptFile;
pub use stream::{EventStream, StreamItem};
pub use subrosa_channel::{Completed, InnerRequest, Profile, ResponseEvent, ResponseHead};
pub use verdict::verdict_line;
