//! The quote of a TPM as a bundle carries it: `spec/evidence-bundle.md`, section "TPM".

use minicbor::{Decoder, Encoder};

use crate::tpm::{AttestationKey, Evidence, KeyCertificates, QuoteSignature, RegisterValues};

/// Most registers of which a value is given: all that a PC has.
pub const MAX_VALUES: usize = 24;
/// Most certificates: the attestation key's, and those above it.
pub const MAX_CERTIFICATES: usize = 8;

/// A quote and what is needed to verify it, all unverified.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Quote<'a> {
    /// The signed `TPMS_ATTEST`.
    pub message: &'a [u8],
    /// `TPMT_SIGNATURE` over it.
    pub signature: &'a [u8],
    /// `TPMT_PUBLIC` of the attestation key; empty where the runtime data of an
    /// Azure confidential VM name the key.
    pub public: &'a [u8],
    /// Numbers and values of quoted registers, the lower number first.
    pub values: Vec<(u8, &'a [u8])>,
    /// Certificate of the attestation key and those above it, DER.
    pub certificates: Vec<&'a [u8]>,
}

impl<'a> Quote<'a> {
    /// Writes the parts.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to a vector cannot fail.
        let _infallible = self.write(&mut Encoder::new(&mut bytes));
        bytes
    }

    /// Reads the parts. `None` if the bytes are not the one encoding of at most
    /// [`MAX_VALUES`] values, in order, and [`MAX_CERTIFICATES`] certificates.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        if decoder.array().ok()?? != 5 {
            return None;
        }
        let quote = Self {
            message: decoder.bytes().ok()?,
            signature: decoder.bytes().ok()?,
            public: decoder.bytes().ok()?,
            values: read_list(&mut decoder, MAX_VALUES, read_value)?,
            certificates: read_list(&mut decoder, MAX_CERTIFICATES, |one| one.bytes().ok())?,
        };
        let numbers = quote.values.iter().map(|(number, _)| number);
        let is_in_order = numbers.clone().zip(numbers.skip(1)).all(|(a, b)| a < b);
        (is_in_order && quote.encode() == bytes).then_some(quote)
    }

    /// The same as evidence of a TPM, whose key must be in it.
    pub(crate) fn evidence(&self, event_log: Option<&'a [u8]>) -> Evidence<'a> {
        Evidence {
            quote: self.message,
            signature: QuoteSignature::Structure(self.signature),
            key: AttestationKey::Public(self.public),
            certificates: self.certificates(),
            values: Some(self.register_values()),
            event_log,
        }
    }

    pub(crate) fn certificates(&self) -> Option<KeyCertificates<'a>> {
        let (leaf, authorities) = self.certificates.split_first()?;
        Some(KeyCertificates {
            leaf,
            authorities: authorities.to_vec(),
        })
    }

    pub(crate) fn register_values(&self) -> RegisterValues {
        let values = self.values.iter();
        values.fold(RegisterValues::new(), |values, (number, value)| {
            values.with(*number, value)
        })
    }

    fn write(
        &self,
        encoder: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
        encoder
            .array(5)?
            .bytes(self.message)?
            .bytes(self.signature)?
            .bytes(self.public)?
            .array(self.values.len().try_into().unwrap_or(u64::MAX))?;
        for (number, value) in &self.values {
            encoder.array(2)?.u8(*number)?.bytes(value)?;
        }
        encoder.array(self.certificates.len().try_into().unwrap_or(u64::MAX))?;
        for certificate in &self.certificates {
            encoder.bytes(certificate)?;
        }
        Ok(())
    }
}

fn read_value<'a>(decoder: &mut Decoder<'a>) -> Option<(u8, &'a [u8])> {
    (decoder.array().ok()?? == 2).then_some(())?;
    Some((decoder.u8().ok()?, decoder.bytes().ok()?))
}

fn read_list<'a, T>(
    decoder: &mut Decoder<'a>,
    most: usize,
    read: impl Fn(&mut Decoder<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = usize::try_from(decoder.array().ok()??).ok()?;
    (count <= most).then_some(())?;
    (0..count).map(|_| read(decoder)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quote() -> Quote<'static> {
        Quote {
            message: b"message",
            signature: b"signature",
            public: b"public",
            values: vec![(0, &[1; 32]), (9, &[2; 32])],
            certificates: vec![b"leaf", b"issuer"],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = quote().encode();
        assert_eq!(Quote::parse(&bytes), Some(quote()));
        let none = Quote::default().encode();
        assert_eq!(Quote::parse(&none), Some(Quote::default()));
    }

    #[test]
    fn there_is_one_encoding_and_nothing_behind_it() {
        let good = quote().encode();
        for length in 0..good.len() {
            assert_eq!(Quote::parse(&good[..length]), None, "{length}");
        }
        assert_eq!(Quote::parse(&[&good[..], &[0]].concat()), None);
        // An array of no stated length; the head of an array in two bytes.
        assert_eq!(Quote::parse(&[&[0x9F], &good[1..], &[0xFF]].concat()), None);
        assert_eq!(Quote::parse(&[&[0x98, 5], &good[1..]].concat()), None);
    }

    #[test]
    fn registers_are_in_order_each_once_and_few() {
        let with = |values: Vec<(u8, &'static [u8])>| Quote { values, ..quote() }.encode();
        assert_eq!(Quote::parse(&with(vec![(9, b"a"), (4, b"b")])), None);
        assert_eq!(Quote::parse(&with(vec![(4, b"a"), (4, b"b")])), None);
        let count = |most: u8| (0..most).map(|number| (number, &b"v"[..])).collect();
        assert!(Quote::parse(&with(count(24))).is_some());
        assert_eq!(Quote::parse(&with(count(25))), None);
        let certificates = |count| Quote {
            certificates: vec![b"c"; count],
            ..quote()
        };
        assert!(Quote::parse(&certificates(8).encode()).is_some());
        assert_eq!(Quote::parse(&certificates(9).encode()), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            let _ = Quote::parse(&bytes);
        }
    }
}
