//! Digests, written as lower-case hexadecimal.

use core::fmt;

use sha2::{Digest as _, Sha256, Sha384};

macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident, $length:literal, $hash:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Size in bytes.
            pub const LEN: usize = $length;
            /// The value a register or a chain starts with.
            pub const ZERO: Self = Self([0; $length]);

            /// Wraps the bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The digest of `bytes`.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                Self($hash::digest(bytes).into())
            }

            /// The digest of the parts, one after the other.
            pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
                let mut hash = $hash::new();
                for part in parts {
                    hash.update(part);
                }
                Self(hash.finalize().into())
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}

digests! {
    /// A SHA-256 digest.
    Sha256Digest, 32, Sha256;
    /// A SHA-384 digest.
    Sha384Digest, 48, Sha384;
}
