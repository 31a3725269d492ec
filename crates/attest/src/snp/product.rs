//! Processor generations, and the parts of a generation whose microcode versions
//! are counted separately.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A generation of EPYC processors: each has its own AMD root key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Product {
    /// EPYC 9004 (and 8004): Genoa, Genoa-X, Bergamo, Siena.
    Genoa,
    /// EPYC 7003: Milan, Milan-X.
    Milan,
    /// EPYC 9005: Turin, Turin Dense.
    Turin,
}

impl Product {
    /// Reads the `productName` extension of a VCEK or VLEK certificate, which
    /// may carry a stepping: "Milan-B0" (AMD 57230).
    pub(super) fn from_certificate_name(name: &str) -> Option<Self> {
        let (family, stepping) = name.split_once('-').unwrap_or((name, "B0"));
        if stepping.is_empty() || !stepping.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        match family {
            "Genoa" => Some(Self::Genoa),
            "Milan" => Some(Self::Milan),
            "Turin" => Some(Self::Turin),
            _ => None,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Genoa => "genoa",
            Self::Milan => "milan",
            Self::Turin => "turin",
        })
    }
}

/// A part of a [`Product`] with microcode of its own, so with a TCB floor of its
/// own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Part {
    /// Family 0x19, models 0xA0 to 0xAF.
    BergamoSiena,
    /// Family 0x19, models 0x10 to 0x1F, steppings 0 and 1.
    Genoa,
    /// Family 0x19, models 0x10 to 0x1F, from stepping 2.
    GenoaX,
    /// Family 0x19, models 0x00 to 0x0F, steppings 0 and 1.
    Milan,
    /// Family 0x19, models 0x00 to 0x0F, from stepping 2.
    MilanX,
    /// Family 0x1A, models 0x00 to 0x0F.
    Turin,
    /// Family 0x1A, models 0x10 to 0x1F.
    TurinDense,
}

impl Part {
    /// Every part, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::BergamoSiena,
        Self::Genoa,
        Self::GenoaX,
        Self::Milan,
        Self::MilanX,
        Self::Turin,
        Self::TurinDense,
    ];

    /// The part with this combined CPUID family, model and stepping (AMD 56860,
    /// `ATTESTATION_REPORT`, fields `CPUID_FAM_ID`, `CPUID_MOD_ID`, `CPUID_STEP`).
    #[must_use]
    pub const fn from_cpuid(cpuid: Cpuid) -> Option<Self> {
        match (cpuid.family, cpuid.model, cpuid.stepping) {
            (0x19, 0x00..=0x0F, 0..=1) => Some(Self::Milan),
            (0x19, 0x00..=0x0F, _) => Some(Self::MilanX),
            (0x19, 0x10..=0x1F, 0..=1) => Some(Self::Genoa),
            (0x19, 0x10..=0x1F, _) => Some(Self::GenoaX),
            (0x19, 0xA0..=0xAF, _) => Some(Self::BergamoSiena),
            (0x1A, 0x00..=0x0F, _) => Some(Self::Turin),
            (0x1A, 0x10..=0x1F, _) => Some(Self::TurinDense),
            _ => None,
        }
    }

    /// The part assumed when a report names no processor: version 2 has no CPUID
    /// fields.
    #[must_use]
    pub const fn base_of(product: Product) -> Self {
        match product {
            Product::Genoa => Self::Genoa,
            Product::Milan => Self::Milan,
            Product::Turin => Self::Turin,
        }
    }

    /// The generation this part belongs to.
    #[must_use]
    pub const fn product(self) -> Product {
        match self {
            Self::BergamoSiena | Self::Genoa | Self::GenoaX => Product::Genoa,
            Self::Milan | Self::MilanX => Product::Milan,
            Self::Turin | Self::TurinDense => Product::Turin,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BergamoSiena => "bergamo-siena",
            Self::Genoa => "genoa",
            Self::GenoaX => "genoa-x",
            Self::Milan => "milan",
            Self::MilanX => "milan-x",
            Self::Turin => "turin",
            Self::TurinDense => "turin-dense",
        })
    }
}

/// Combined CPUID identification, as a report of version 3 or later carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the three CPUID numbers")]
pub struct Cpuid {
    /// Family plus extended family.
    pub family: u8,
    /// Model with extended model.
    pub model: u8,
    /// Stepping.
    pub stepping: u8,
}

impl fmt::Display for Cpuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            family,
            model,
            stepping,
        } = self;
        write!(
            f,
            "family {family:#04x} model {model:#04x} stepping {stepping}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(family: u8, model: u8, stepping: u8) -> Option<Part> {
        Part::from_cpuid(Cpuid {
            family,
            model,
            stepping,
        })
    }

    #[test]
    fn known_processors_map_to_their_part() {
        assert_eq!(part(0x19, 0x01, 1), Some(Part::Milan));
        assert_eq!(part(0x19, 0x01, 2), Some(Part::MilanX));
        assert_eq!(part(0x19, 0x11, 1), Some(Part::Genoa));
        assert_eq!(part(0x19, 0x11, 2), Some(Part::GenoaX));
        assert_eq!(part(0x19, 0xA0, 2), Some(Part::BergamoSiena));
        assert_eq!(part(0x1A, 0x02, 1), Some(Part::Turin));
        assert_eq!(part(0x1A, 0x11, 0), Some(Part::TurinDense));
    }

    #[test]
    fn unknown_processors_map_to_nothing() {
        for (family, model) in [
            (0x19, 0x20),
            (0x19, 0xB0),
            (0x1A, 0x20),
            (0x17, 0x31),
            (0, 0),
        ] {
            assert_eq!(part(family, model, 0), None, "{family:#x} {model:#x}");
        }
    }

    #[test]
    fn a_certificate_name_may_carry_a_stepping_and_nothing_else() {
        let read = Product::from_certificate_name;
        assert_eq!(read("Milan-B0"), Some(Product::Milan));
        assert_eq!(read("Genoa"), Some(Product::Genoa));
        for bad in [
            "",
            "Genoa-",
            "Genoa B0",
            "Genoa-B0-x",
            "genoa",
            "Genoax",
            "Rome",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
