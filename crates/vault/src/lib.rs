//! A person's history, sealed for a store that is not trusted.
//!
//! ```text
//! passkey, recovery code, device ─▶ SlotSecret ─unlock(locked key, roster)─▶ Account ─▶ History ─seal─▶ record ─▶ store
//!                                                  untrusted     untrusted    proof       ▲                        │
//!                                                                                         └──────── accept ◀───────┘ untrusted
//! ```
//!
//! The account's keys are random; each passkey, recovery code or device opens them through a *slot*. Records form one chain, whose newest
//! head each device keeps: a store that goes back, shows two devices different histories, or exchanges what it keeps is found
//! out and named. The format is `spec/history.md`. The crate does no I/O and reads no clock; randomness is the caller's.
//!
//! Read the modules in this order: `seal`, `slot`, `roster`, `account`, `record`, `history`.

mod account;
mod error;
mod history;
mod identifier;
mod record;
mod roster;
mod seal;
mod share;
mod slot;
mod wire;

pub use account::{Account, Change, Known};
pub use error::HistoryError;
pub use history::{Entry, History, Pin, Write};
pub use identifier::{AccountId, ObjectId, SlotId};
pub use record::{ObjectKind, RecordHeader, Stub};
pub use roster::Roster;
pub use seal::MAX_CONTENT;
pub use share::{ShareKey, open_share, seal_share};
pub use slot::{RecoveryCode, RecoveryLogin, SlotKind, SlotSecret, prf_input};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]
mod fixtures;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod vector_tests;
