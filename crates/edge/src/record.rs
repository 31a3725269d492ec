//! The header of a record (spec/history.md §5), which is all that a store reads of it.

/// What a store needs to know of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) is_manifest: bool,
    pub(crate) sequence: i64,
    pub(crate) object: [u8; 16],
    pub(crate) first_version: i64,
    pub(crate) version: i64,
    pub(crate) previous: [u8; 32],
}

impl Header {
    pub(crate) const LEN: usize = 98;
    /// The longest record.
    pub(crate) const MAX_RECORD: usize = 1_180_770;

    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        if record.len() > Self::MAX_RECORD {
            return None;
        }
        let rest = record.strip_prefix(b"SHO1")?;
        let (&[kind, is_deletion], rest) = rest.split_first_chunk::<2>()?;
        let (_epoch, rest) = rest.split_first_chunk::<4>()?;
        let (_account, rest) = rest.split_first_chunk::<16>()?;
        let (sequence, rest) = number(rest)?;
        let (object, rest) = rest.split_first_chunk::<16>()?;
        let (version, rest) = number(rest)?;
        let (first_version, rest) = number(rest)?;
        let (previous, _sealed) = rest.split_first_chunk::<32>()?;
        let is_right =
            matches!(kind, 1..=3) && is_deletion <= 1 && (1..=version).contains(&first_version);
        is_right.then_some(Self {
            is_manifest: kind == 1,
            sequence,
            object: *object,
            first_version,
            version,
            previous: *previous,
        })
    }
}

/// A number that databases take: they have no unsigned ones.
fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let number = i64::from_be_bytes(*number);
    (number >= 1).then_some((number, rest))
}
