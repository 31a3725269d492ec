//! Values of platform configuration registers, as they are handed over.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// The values of the registers of one bank. Nothing says that they are genuine
/// until a quote's digest over them is verified.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RegisterValues(BTreeMap<u8, Vec<u8>>);

impl RegisterValues {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a register; one of another length than the bank's digests
    /// matches no quote.
    #[must_use]
    pub fn with(mut self, register: u8, value: &[u8]) -> Self {
        self.0.insert(register, value.to_vec());
        self
    }

    /// The value of a register.
    #[must_use]
    pub fn get(&self, register: u8) -> Option<&[u8]> {
        self.0.get(&register).map(Vec::as_slice)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.0
            .iter()
            .map(|(register, value)| (*register, value.as_slice()))
    }
}

impl Serialize for RegisterValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self.iter();
        serializer.collect_map(values.map(|(register, value)| (register, hex::encode(value))))
    }
}
