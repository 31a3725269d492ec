//! Variable-length integers of RFC 9000 §16, in their shortest form only.

/// The largest value the format can hold.
pub(super) const MAX: u64 = (1 << 62) - 1;

/// Appends `value`, which must be at most [`MAX`]; larger ones are written as [`MAX`].
pub(super) fn write(value: u64, out: &mut Vec<u8>) {
    let bytes = value.min(MAX).to_be_bytes();
    let (unused, prefix) = match value {
        0..=0x3f => (7, 0x00),
        0x40..=0x3fff => (6, 0x40),
        0x4000..=0x3fff_ffff => (4, 0x80),
        _ => (0, 0xc0),
    };
    let start = out.len();
    out.extend_from_slice(bytes.split_at(unused).1);
    if let Some(first) = out.get_mut(start) {
        *first |= prefix;
    }
}

/// Appends a length.
pub(super) fn write_length(length: usize, out: &mut Vec<u8>) {
    write(u64::try_from(length).unwrap_or(MAX), out);
}

/// What the start of a buffer holds.
pub(super) enum Read<'a> {
    /// A value, and the bytes behind it.
    Value(u64, &'a [u8]),
    /// The beginning of a value.
    More,
    /// A value that is not in its shortest form.
    NotShortest,
}

/// Reads a value from the start of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Read<'_> {
    let Some(first) = bytes.first() else {
        return Read::More;
    };
    let length = 1usize << (first >> 6);
    let Some((head, rest)) = bytes.split_at_checked(length) else {
        return Read::More;
    };
    let value = head
        .iter()
        .fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
    let value = match length {
        1 => value & 0x3f,
        2 => value & 0x3fff,
        4 => value & 0x3fff_ffff,
        _ => value & MAX,
    };
    let shortest = match length {
        1 => true,
        2 => value > 0x3f,
        4 => value > 0x3fff,
        _ => value > 0x3fff_ffff,
    };
    if shortest {
        Read::Value(value, rest)
    } else {
        Read::NotShortest
    }
}
