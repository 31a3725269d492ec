//! Why bytes were refused as collateral.

use super::{Collateral, Kind, Label};
use crate::time::UnixSeconds;

/// Why bytes were refused as collateral.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CollateralError {
    /// A part is not what its label says, or does not say how long it is good.
    #[error("{label} in the collateral is not what it should be")]
    Content {
        /// Which part.
        label: Label,
    },

    /// A label occurs twice.
    #[error("collateral holds {label} twice")]
    Duplicate {
        /// The repeated label.
        label: Label,
    },

    /// There are no parts.
    #[error("collateral holds nothing")]
    Empty,

    /// A part is empty or longer than it may be.
    #[error("{label} in the collateral is {got} bytes long, allowed are 1 to {}", label.max_len())]
    EntryLength {
        /// Which part.
        label: Label,
        /// Its length, in bytes.
        got: usize,
    },

    /// The file claims another expiry than its parts have.
    #[error("collateral claims to expire at {got}, its parts expire at {expected}")]
    Expiry {
        /// The earliest expiry of the parts.
        expected: UnixSeconds,
        /// What the file says.
        got: UnixSeconds,
    },

    /// The bytes are not a CBOR map of the right shape.
    #[error("not collateral: bad structure near byte {at}")]
    Format {
        /// Roughly where reading stopped.
        at: usize,
    },

    /// The file is for a kind of evidence that is not known.
    #[error("collateral for an unknown kind of evidence")]
    Kind,

    /// A part has the wrong media type.
    #[error("{label} in the collateral has the wrong media type, expected {}", label.media_type())]
    MediaType {
        /// Which part.
        label: Label,
    },

    /// A part that must be there is not.
    #[error("collateral lacks {label}")]
    Missing {
        /// Which part.
        label: Label,
    },

    /// The content is right but not encoded in the one way that is allowed.
    #[error("collateral is not in deterministic encoding")]
    NotDeterministic,

    /// A part does not say where it came from in the way it should.
    #[error("{label} in the collateral has no address of the right form")]
    Source {
        /// Which part.
        label: Label,
    },

    /// A part belongs to another kind of evidence, or excludes another part.
    #[error("collateral for a {kind} holds {label}")]
    Stranger {
        /// Which part.
        label: Label,
        /// What the file is for.
        kind: Kind,
    },

    /// A time is beyond every calendar.
    #[error("collateral holds a time out of range: {got}")]
    Time {
        /// The time.
        got: u64,
    },

    /// The input is longer than [`Collateral::MAX_LEN`].
    #[error(
        "collateral is {got} bytes long, at most {} are read",
        Collateral::MAX_LEN
    )]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// There are more parts than there can be.
    #[error(
        "collateral has {got} parts, at most {} are read",
        Collateral::MAX_ENTRIES
    )]
    TooManyEntries {
        /// Parts announced.
        got: u64,
    },

    /// A key is not known, or not at its place.
    #[error("collateral holds {got:?} where {expected:?} is expected")]
    UnknownKey {
        /// The key that belongs there.
        expected: &'static str,
        /// The key that is there, cut to 64 characters.
        got: String,
    },

    /// A label is not known.
    #[error("collateral holds the unknown label {label:?}")]
    UnknownLabel {
        /// The label, cut to 64 characters.
        label: String,
    },

    /// The file says that it is of another type or version.
    #[error("collateral is of another type than {:?}", super::wire::TYPE)]
    WrongType,
}

impl CollateralError {
    /// The name of the refusal in `spec/vectors/collateral.json`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Content { .. } => "content",
            Self::Duplicate { .. } => "duplicate",
            Self::Empty => "empty",
            Self::EntryLength { .. } => "entry-length",
            Self::Expiry { .. } => "expiry",
            Self::Format { .. } => "format",
            Self::Kind => "kind",
            Self::MediaType { .. } => "media-type",
            Self::Missing { .. } => "missing",
            Self::NotDeterministic => "not-deterministic",
            Self::Source { .. } => "source",
            Self::Stranger { .. } => "stranger",
            Self::Time { .. } => "time",
            Self::TooLong { .. } => "too-long",
            Self::TooManyEntries { .. } => "too-many-entries",
            Self::UnknownKey { .. } => "unknown-key",
            Self::UnknownLabel { .. } => "unknown-label",
            Self::WrongType => "wrong-type",
        }
    }
}
