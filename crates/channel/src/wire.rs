//! Reading and writing fixed layouts without panics.

/// Reads a byte string front to back.
#[derive(Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a variable-length integer (RFC 9000 §16) in its shortest form.
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut ahead = self.clone();
        let first = ahead.u8()?;
        let extra = (1_usize << (first >> 6)).checked_sub(1)?;
        let mut value = u64::from(first & 0x3f);
        for byte in ahead.take(extra)? {
            value = (value << 8) | u64::from(*byte);
        }
        let mut shortest = Vec::with_capacity(8);
        put_varint(&mut shortest, value);
        (shortest.len() == extra.checked_add(1)?).then(|| *self = ahead)?;
        Some(value)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Appends `value` as a variable-length integer (RFC 9000 §16), shortest form.
/// Values of 2^62 and above do not occur: every length here is far below.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: u64) {
    let (prefix, len): (u64, usize) = match value {
        0..=0x3f => (0, 1),
        0x40..=0x3fff => (1 << 14, 2),
        0x4000..=0x3fff_ffff => (2 << 30, 4),
        _ => (3 << 62, 8),
    };
    let bytes = (value | prefix).to_be_bytes();
    out.extend(bytes.iter().skip(bytes.len().saturating_sub(len)));
}

/// A length as the 64-bit number it is on the wire.
pub(crate) fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_at_their_borders() {
        for value in [0, 0x3f, 0x40, 0x3fff, 0x4000, 0x3fff_ffff, 0x4000_0000] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varint(), Some(value));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn a_varint_longer_than_needed_is_refused() {
        assert_eq!(Reader::new(&[0x40, 0x01]).varint(), None);
    }

    #[test]
    fn a_cut_varint_is_refused() {
        assert_eq!(Reader::new(&[0x80, 0x01]).varint(), None);
    }
}
