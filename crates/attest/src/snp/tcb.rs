//! Security versions of the platform's firmware (AMD 56860, `TCB_VERSION`).

use core::fmt;

use serde::{Deserialize, Serialize};

use super::Product;

/// The security patch level of each firmware component.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a component more is a new format, which every user must see"
)]
pub struct Tcb {
    /// Firmware management controller; only Turin and later have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmc: Option<u8>,
    /// Boot loader of the secure processor.
    pub bootloader: u8,
    /// Operating system of the secure processor.
    pub tee: u8,
    /// SEV-SNP firmware.
    pub snp: u8,
    /// Processor microcode.
    pub microcode: u8,
}

impl Tcb {
    /// Reads the eight bytes of a report, whose layout depends on the product.
    /// `None` if a reserved byte is set.
    pub(super) const fn from_report(bytes: [u8; 8], product: Product) -> Option<Self> {
        match (product, bytes) {
            (Product::Milan | Product::Genoa, [bootloader, tee, 0, 0, 0, 0, snp, microcode]) => {
                Some(Self {
                    fmc: None,
                    bootloader,
                    tee,
                    snp,
                    microcode,
                })
            }
            (Product::Turin, [fmc, bootloader, tee, snp, 0, 0, 0, microcode]) => Some(Self {
                fmc: Some(fmc),
                bootloader,
                tee,
                snp,
                microcode,
            }),
            _ => None,
        }
    }

    /// The eight bytes a report of `product` carries.
    #[cfg(any(test, feature = "development"))]
    pub(crate) fn to_report(self, product: Product) -> [u8; 8] {
        let Self {
            fmc,
            bootloader,
            tee,
            snp,
            microcode,
        } = self;
        match product {
            Product::Milan | Product::Genoa => [bootloader, tee, 0, 0, 0, 0, snp, microcode],
            Product::Turin => [
                fmc.unwrap_or_default(),
                bootloader,
                tee,
                snp,
                0,
                0,
                0,
                microcode,
            ],
        }
    }

    /// Whether every component is at least that of `floor`.
    ///
    /// A component that `floor` names and this TCB lacks is below the floor.
    #[must_use]
    pub fn is_at_least(&self, floor: &Self) -> bool {
        let fmc = floor.fmc.is_none_or(|floor| self.fmc >= Some(floor));
        fmc && self.bootloader >= floor.bootloader
            && self.tee >= floor.tee
            && self.snp >= floor.snp
            && self.microcode >= floor.microcode
    }
}

impl fmt::Display for Tcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fmc) = self.fmc {
            write!(f, "fmc {fmc} ")?;
        }
        write!(
            f,
            "bootloader {} tee {} snp {} microcode {}",
            self.bootloader, self.tee, self.snp, self.microcode
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Tcb = Tcb {
        fmc: Some(1),
        bootloader: 2,
        tee: 3,
        snp: 4,
        microcode: 5,
    };

    #[test]
    fn the_layout_depends_on_the_product() {
        let bytes = [1, 2, 0, 0, 0, 0, 3, 4];
        let genoa = Tcb::from_report(bytes, Product::Genoa).unwrap();
        assert_eq!((genoa.bootloader, genoa.snp), (1, 3));
        assert_eq!(Tcb::from_report(bytes, Product::Turin), None);
        let turin = Tcb::from_report([1, 2, 3, 4, 0, 0, 0, 5], Product::Turin).unwrap();
        assert_eq!(turin, FLOOR);
    }

    #[test]
    fn a_reserved_byte_is_refused() {
        for at in 2..6 {
            let mut bytes = [1, 2, 0, 0, 0, 0, 3, 4];
            bytes[at] = 1;
            assert_eq!(Tcb::from_report(bytes, Product::Milan), None, "byte {at}");
        }
        for at in 4..7 {
            let mut bytes = [1, 2, 3, 4, 0, 0, 0, 5];
            bytes[at] = 1;
            assert_eq!(Tcb::from_report(bytes, Product::Turin), None, "byte {at}");
        }
    }

    #[test]
    fn each_component_alone_can_be_below_the_floor() {
        assert!(FLOOR.is_at_least(&FLOOR));
        for below in [
            Tcb {
                fmc: Some(0),
                ..FLOOR
            },
            Tcb { fmc: None, ..FLOOR },
            Tcb {
                bootloader: 1,
                ..FLOOR
            },
            Tcb { tee: 2, ..FLOOR },
            Tcb { snp: 3, ..FLOOR },
            Tcb {
                microcode: 4,
                ..FLOOR
            },
        ] {
            assert!(!below.is_at_least(&FLOOR), "{below}");
        }
    }

    /// A high microcode version must not hide an old boot loader.
    #[test]
    fn components_are_compared_one_by_one() {
        let mixed = Tcb {
            bootloader: 1,
            microcode: 255,
            ..FLOOR
        };
        assert!(!mixed.is_at_least(&FLOOR));
    }
}
