//! What an unverified report says about the collateral it needs.

use super::chain::KeyKind;
use super::extensions::EndorsedChip;
use super::product::{Part, Product};
use super::tcb::Tcb;
use crate::x509::Certificate;

/// What to ask AMD's key distribution service for.
///
/// It comes from a report whose signature is **not** checked. It is good for
/// choosing what to fetch, and deliberately says nothing about the guest. What is
/// fetched is verified together with the report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CollateralQuery {
    pub(super) kind: Option<KeyKind>,
    pub(super) product: Option<Product>,
    pub(super) chip_id: [u8; 64],
    pub(super) reported_tcb: [u8; 8],
}

impl CollateralQuery {
    /// Kind of the key that signed the report; `None` if it says that none did.
    #[must_use]
    pub fn kind(&self) -> Option<KeyKind> {
        self.kind
    }

    /// The generation, if the report names its processor: version 2 does not.
    #[must_use]
    pub fn product(&self) -> Option<Product> {
        self.product
    }

    /// The chip, as the service names it: 64 bytes, or the 8 that Turin has (AMD
    /// 57230). `None` if the report hides it.
    #[must_use]
    pub fn hardware_id(&self, product: Product) -> Option<&[u8]> {
        let (id, rest): (&[u8], &[u8]) = match product {
            Product::Genoa | Product::Milan => (&self.chip_id, &[]),
            Product::Turin => self.chip_id.split_at(8),
        };
        let is_zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
        (!is_zero(id) && is_zero(rest)).then_some(id)
    }

    /// The firmware level whose key signed the report. `None` if a reserved byte is
    /// set.
    #[must_use]
    pub fn tcb(&self, product: Product) -> Option<Tcb> {
        Tcb::from_report(self.reported_tcb, product)
    }

    /// Whether a certificate of a VCEK (DER) is about this chip at this level.
    #[must_use]
    pub fn is_answered_by(&self, vcek: &[u8]) -> bool {
        let chip = Certificate::parse(vcek)
            .ok()
            .and_then(|vcek| EndorsedChip::read(&vcek, KeyKind::Vcek).ok());
        chip.is_some_and(|chip| {
            chip.chip_id == Some(self.chip_id)
                && self.tcb(chip.product) == Some(chip.tcb)
                && self.product.is_none_or(|product| product == chip.product)
        })
    }

    pub(super) fn product_of(cpuid: super::Cpuid) -> Option<Product> {
        Part::from_cpuid(cpuid).map(Part::product)
    }
}

#[cfg(test)]
mod tests;
