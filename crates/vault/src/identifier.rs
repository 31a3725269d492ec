//! Random names of accounts, slots and objects.

use core::fmt;

use rand_core::CryptoRng;

macro_rules! identifier {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Bytes of one.
            pub const LEN: usize = 16;

            /// A new one. It says nothing about what it names.
            pub fn generate(rng: &mut impl CryptoRng) -> Self {
                let mut bytes = [0; Self::LEN];
                rng.fill_bytes(&mut bytes);
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

identifier!(
    /// The name of an account: random, known to the store.
    AccountId
);
identifier!(
    /// The name of a slot.
    SlotId
);
identifier!(
    /// The name of an object: a conversation, a folder.
    ObjectId
);
