//! Frames: what the records of an answer carry (spec/channel.md §3).

use crate::secret::SecretBytes;
use crate::wire::{Reader, len_u64, put_varint};

/// Kinds of frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FrameKind {
    Head,
    Body,
    Complete,
}

impl FrameKind {
    fn code(self) -> u8 {
        match self {
            Self::Head => 1,
            Self::Body => 2,
            Self::Complete => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Head, Self::Body, Self::Complete]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// Appends one frame.
pub(crate) fn put_frame(out: &mut SecretBytes, kind: FrameKind, payload: &[u8]) {
    let mut head = vec![kind.code()];
    put_varint(&mut head, len_u64(payload.len()));
    out.reserve(head.len().saturating_add(payload.len()));
    out.extend(&head);
    out.extend(payload);
}

/// A frame at the front of `bytes`, if one is whole.
pub(crate) enum Parsed<'a> {
    /// A frame and how many bytes it took.
    Frame(FrameKind, &'a [u8], usize),
    /// More bytes are needed.
    Partial,
    /// No continuation of these bytes is a frame.
    Invalid,
}

/// Looks for a frame at the front of `bytes`.
pub(crate) fn parse_frame(bytes: &[u8]) -> Parsed<'_> {
    let mut reader = Reader::new(bytes);
    let Some(code) = reader.u8() else {
        return Parsed::Partial;
    };
    let Some(kind) = FrameKind::from_code(code) else {
        return Parsed::Invalid;
    };
    let Some(len) = reader.varint() else {
        // A varint is at most 8 bytes: with those at hand, it is malformed.
        return if reader.len() >= 8 {
            Parsed::Invalid
        } else {
            Parsed::Partial
        };
    };
    if len > len_u64(MAX_FRAME) {
        return Parsed::Invalid;
    }
    let header = bytes.len().saturating_sub(reader.len());
    match usize::try_from(len).ok().and_then(|len| reader.take(len)) {
        Some(payload) => Parsed::Frame(kind, payload, header.saturating_add(payload.len())),
        None => Parsed::Partial,
    }
}

/// Largest payload of a frame.
pub(crate) const MAX_FRAME: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_round_trip() {
        let mut bytes = SecretBytes::default();
        put_frame(&mut bytes, FrameKind::Body, &[7; 300]);
        let Parsed::Frame(kind, payload, used) = parse_frame(&bytes) else {
            panic!("a whole frame");
        };
        assert_eq!(
            (kind, payload.len(), used),
            (FrameKind::Body, 300, bytes.len())
        );
    }

    #[test]
    fn an_unknown_kind_is_invalid() {
        assert!(matches!(parse_frame(&[4, 0]), Parsed::Invalid));
    }

    #[test]
    fn a_frame_over_the_limit_is_invalid_before_its_bytes_arrive() {
        let parsed = |len| {
            let mut bytes = vec![2];
            put_varint(&mut bytes, len);
            matches!(parse_frame(&bytes), Parsed::Invalid)
        };
        assert!(!parsed(1 << 20) && parsed((1 << 20) + 1));
    }

    #[test]
    fn a_padded_length_is_invalid() {
        assert!(matches!(
            parse_frame(&[2, 0x40, 1, 0, 0, 0, 0, 0, 0, 0]),
            Parsed::Invalid
        ));
    }
}
