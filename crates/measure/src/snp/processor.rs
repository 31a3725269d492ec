//! Virtual processors: how many, and of which model.

/// How many virtual processors a guest has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Processors(u32);

impl Processors {
    /// The most that are predicted; KVM starts no more.
    pub const MAX: u32 = 4096;

    /// `None` for no processor, or more than [`Self::MAX`].
    #[must_use]
    pub fn new(count: u32) -> Option<Self> {
        (1..=Self::MAX).contains(&count).then_some(Self(count))
    }

    /// The number.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0
    }
}

/// What `CPUID` leaf 1 says in EAX: family, model, stepping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProcessorSignature(u32);

impl ProcessorSignature {
    /// A signature as it is in the register.
    #[must_use]
    pub const fn new(eax: u32) -> Self {
        Self(eax)
    }

    /// From its parts: AMD 25481 (CPUID Specification), `Fn0000_0001_EAX`. `None`
    /// where a part does not fit.
    #[must_use]
    pub fn of_parts(family: u32, model: u32, stepping: u32) -> Option<Self> {
        if family > 0xf_u32.saturating_add(0xff) || model > 0xff || stepping > 0xf {
            return None;
        }
        let extended = family.saturating_sub(0xf);
        let base = family.min(0xf);
        Some(Self(
            extended << 20 | (model >> 4) << 16 | base << 8 | (model & 0xf) << 4 | stepping,
        ))
    }

    /// That of a model of QEMU (`target/i386/cpu.c`, `builtin_x86_defs`).
    #[must_use]
    pub fn of_model(name: &str) -> Option<Self> {
        let (family, model, stepping) = match name {
            "EPYC" | "EPYC-v1" | "EPYC-v2" | "EPYC-IBPB" | "EPYC-v3" | "EPYC-v4" => (23, 1, 2),
            "EPYC-Rome" | "EPYC-Rome-v1" | "EPYC-Rome-v2" | "EPYC-Rome-v3" => (23, 49, 0),
            "EPYC-Milan" | "EPYC-Milan-v1" | "EPYC-Milan-v2" => (25, 1, 1),
            "EPYC-Genoa" | "EPYC-Genoa-v1" => (25, 17, 0),
            "EPYC-Turin" => (26, 0, 0),
            _ => return None,
        };
        Self::of_parts(family, model, stepping)
    }

    /// The value of the register.
    #[must_use]
    pub const fn eax(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_has_family_model_and_stepping_where_cpuid_has_them() {
        for (parts, expected) in [
            ((23, 1, 2), 0x0080_0f12),
            ((23, 49, 0), 0x0083_0f10),
            ((25, 1, 1), 0x00a0_0f11),
            ((25, 17, 0), 0x00a1_0f10),
            ((26, 0, 0), 0x00b0_0f00),
            ((6, 0x2a, 7), 0x0002_06a7),
        ] {
            let (family, model, stepping) = parts;
            let signature = ProcessorSignature::of_parts(family, model, stepping);
            assert_eq!(signature, Some(ProcessorSignature::new(expected)));
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        for (family, model, stepping) in [(0x10f, 0, 0), (25, 0x100, 0), (25, 1, 0x10)] {
            assert_eq!(ProcessorSignature::of_parts(family, model, stepping), None);
        }
        assert!(ProcessorSignature::of_parts(0x10e, 0xff, 0xf).is_some());
    }

    #[test]
    fn a_model_nobody_knows_has_no_signature() {
        assert_eq!(ProcessorSignature::of_model("EPYC-Venice"), None);
        assert_eq!(ProcessorSignature::of_model(""), None);
        let turin = ProcessorSignature::of_model("EPYC-Turin");
        assert_eq!(turin.map(ProcessorSignature::eax), Some(0x00b0_0f00));
    }

    #[test]
    fn a_guest_has_one_to_4096_processors() {
        assert_eq!(Processors::new(0), None);
        assert_eq!(Processors::new(1).map(Processors::count), Some(1));
        assert_eq!(Processors::new(4096).map(Processors::count), Some(4096));
        assert_eq!(Processors::new(4097), None);
    }
}
