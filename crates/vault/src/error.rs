//! Why something of a history is not accepted.

use thiserror::Error;

/// Why something that a store sent, or that was asked for, is not accepted. Nothing in it is of a person's text.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum HistoryError {
    /// The bytes are not in the format (spec/history.md).
    #[error("these bytes are not in the format of {0}")]
    Malformed(&'static str),
    /// It belongs to another account.
    #[error("this belongs to another account")]
    OtherAccount,
    /// The slot's secret does not open its private key: another passkey, or a wrong code.
    #[error("this passkey, code or device does not open the slot")]
    SlotRefused,
    /// The words are no recovery code.
    #[error("these words are no recovery code: {0}")]
    RecoveryCode(&'static str),
    /// The roster has no such slot.
    #[error("the account has no such slot")]
    NoSuchSlot,
    /// The slot that the account was opened with cannot be removed.
    #[error("the way in that is being used cannot be removed: come in by another one")]
    SlotInUse,
    /// A roster or chain has as many parts as it may.
    #[error("the account has too many {0}")]
    TooMany(&'static str),
    /// The roster is not signed by the identity that is known, or by a successor of it.
    #[error("the list of slots is not signed by this account")]
    RosterUnsigned,
    /// The roster is older than one that is known.
    #[error("the list of slots is of version {found}, and version {known} was seen before")]
    RosterRolledBack {
        /// What was shown.
        found: u64,
        /// What was seen.
        known: u64,
    },
    /// The roster is another than the known one of its version, or does not follow from it.
    #[error("the list of slots was replaced by another")]
    RosterForked,
    /// What is sealed to the slot does not open, or holds other keys than the roster says.
    #[error("the keys that are sealed to this slot are not the account's")]
    WrapRefused,
    /// Synchronising needs two slots, one of which is not a device.
    #[error("history is kept only with two ways into the account, one of them not this device")]
    OneSlot,
    /// The store's newest record is older than what this device has seen.
    #[error("the store has {found} records, and had {known} before")]
    RolledBack {
        /// What was shown.
        found: u64,
        /// What was seen.
        known: u64,
    },
    /// The record does not continue what this device has seen.
    #[error("record {0} does not continue the history that this device has seen")]
    Forked(u64),
    /// The seal does not open: the record was exchanged, moved or made by somebody else.
    #[error("record {0} was not sealed by this account, or is in another place")]
    Forged(u64),
    /// The record's version does not follow from its object's.
    #[error("record {0} does not follow from what is known of its object")]
    Version(u64),
    /// The record is sealed under an epoch whose key this device does not have.
    #[error("record {0} is of a later key: the list of slots must be read first")]
    Epoch(u64),
    /// The records before a manifest are not all that it counts.
    #[error("the store left out or added records")]
    Incomplete,
    /// The content is longer than [`MAX_CONTENT`](crate::MAX_CONTENT).
    #[error("more than 1 MiB")]
    TooLong,
    /// The shared copy does not open with this key.
    #[error("this link does not open the shared conversation")]
    ShareRefused,
}

impl HistoryError {
    /// The stable code (spec/history.md §8).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "history-malformed",
            Self::OtherAccount => "history-other-account",
            Self::SlotRefused => "slot-refused",
            Self::RecoveryCode(_) => "recovery-code-wrong",
            Self::NoSuchSlot => "slot-unknown",
            Self::SlotInUse => "slot-in-use",
            Self::TooMany(_) => "history-too-many",
            Self::RosterUnsigned => "roster-unsigned",
            Self::RosterRolledBack { .. } => "roster-rolled-back",
            Self::RosterForked => "roster-forked",
            Self::WrapRefused => "wrap-refused",
            Self::OneSlot => "history-one-slot",
            Self::RolledBack { .. } => "history-rolled-back",
            Self::Forked(_) => "history-forked",
            Self::Forged(_) => "history-forged",
            Self::Version(_) => "history-version",
            Self::Epoch(_) => "history-epoch",
            Self::Incomplete => "history-incomplete",
            Self::TooLong => "history-too-long",
            Self::ShareRefused => "share-refused",
        }
    }
}
