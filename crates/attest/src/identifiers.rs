//! Names for things that are a fixed number of bytes, written as lower-case hex.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Size in bytes.
            pub const LEN: usize = $length;

            /// Wraps the bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// Whether every byte is zero, which firmware uses for "not set".
            #[must_use]
            pub fn is_zero(&self) -> bool {
                self.0.iter().all(|&byte| byte == 0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                decode_lower(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

hex_bytes! {
    /// Identifier of one physical processor, as its firmware reports it.
    ChipId, 64
}
hex_bytes! {
    /// 16 bytes a guest owner chose: family or image identifier of an ID block.
    BlockId, 16
}
hex_bytes! {
    /// What an Arm platform is made of: its hardware and immutable firmware.
    ImplementationId, 32
}
hex_bytes! {
    /// Identifier of one Arm platform.
    InstanceId, 33
}
hex_bytes! {
    /// SHA-384 digest of an ID block's public key.
    KeyDigest, 48
}
hex_bytes! {
    /// Digest of a confidential VM's initial memory and processor state.
    Measurement, 48
}
hex_bytes! {
    /// 64 bytes that the guest put into its attestation report.
    ReportData, 64
}
hex_bytes! {
    /// A SHA-256 digest.
    Sha256Digest, 32
}

hex_bytes! {
    /// A SHA-384 digest.
    Sha384Digest, 48
}

impl Sha256Digest {
    /// The SHA-256 digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads a digest when compiling; a typing error does not compile.
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic,
        reason = "evaluated when compiling only"
    )]
    pub(crate) const fn of_hex(hex: &[u8; 64]) -> Self {
        const fn nibble(digit: u8) -> u8 {
            match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => panic!("not a hexadecimal digit"),
            }
        }
        let mut bytes = [0; 32];
        let mut at = 0;
        while at < bytes.len() {
            bytes[at] = nibble(hex[2 * at]) << 4 | nibble(hex[2 * at + 1]);
            at += 1;
        }
        Self::new(bytes)
    }
}

/// Why text was refused as hexadecimal bytes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HexError {
    /// A character is not one of `0-9a-f`.
    #[error("not lower-case hexadecimal")]
    Character,

    /// The text has the wrong number of digits.
    #[error("{got} hexadecimal digits, expected {expected}")]
    Length {
        /// Digits the text must have.
        expected: usize,
        /// Length of the text.
        got: usize,
    },
}

/// Upper case is refused so that one value has one spelling.
fn decode_lower<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let expected = N.saturating_mul(2);
    if text.len() != expected {
        return Err(HexError::Length {
            expected,
            got: text.len(),
        });
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(HexError::Character);
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError::Character)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips() {
        let digest = Sha256Digest::of(b"abc");
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn upper_case_is_refused() {
        let text = "AB".repeat(32);
        assert_eq!(text.parse::<Sha256Digest>(), Err(HexError::Character));
    }

    #[test]
    fn a_digit_too_few_is_refused_with_both_lengths() {
        let error = "ab".repeat(32)[1..].parse::<Sha256Digest>().unwrap_err();
        let expected = HexError::Length {
            expected: 64,
            got: 63,
        };
        assert_eq!(error, expected);
    }

    #[test]
    fn a_letter_after_f_is_refused() {
        let text = "0g".repeat(32);
        assert_eq!(text.parse::<Sha256Digest>(), Err(HexError::Character));
    }
}
