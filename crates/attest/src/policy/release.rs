//! Reference values of a logged release: another source of what a policy lists, on the same path
//! (`spec/release.md`).

use std::collections::BTreeMap;

use subrosa_translog::entry::release::{
    LoggedRelease, Measurement as Entry, NamedDigest as Digest,
};

use super::{Boot, NamedDigest, Platform, Policy, ReferenceValue};
use crate::identifiers::Sha256Digest;
use crate::snp::{Part, Product, Tcb};

impl Policy {
    /// This policy with the reference values of a logged release. Of release ids only its own is left: what is not
    /// logged does not run.
    ///
    /// # Errors
    ///
    /// What the release says that this version cannot apply. Nothing of it may be left out, as it may only tighten.
    pub(crate) fn joined(&self, release: &LoggedRelease) -> Result<Self, &'static str> {
        let manifest = release.manifest();
        let mut policy = self.clone();
        for entry in &manifest.measurements {
            if entry.platform == TPM {
                policy.boots.push(boot(entry)?);
            } else {
                policy.measurements.extend(reference(entry)?);
            }
        }
        let expectations = &mut policy.expectations;
        expectations.weights.extend(named(&manifest.weights));
        expectations
            .configurations
            .extend(named(&manifest.configurations));
        expectations.releases = vec![NamedDigest {
            name: format!("{} {}", manifest.service, manifest.version),
            digest: Sha256Digest::new(*release.id()),
        }];
        for (platform, parts) in &manifest.policy.tcb_floors {
            if *platform != Platform::SevSnp.to_string() {
                return Err("it raises firmware levels of a platform that has none here");
            }
            for (part, floor) in parts {
                policy.raise_floor(part, floor)?;
            }
        }
        Ok(policy)
    }

    /// Raises the components of the floor of one part; a lower one changes nothing.
    fn raise_floor(
        &mut self,
        part: &str,
        raised: &BTreeMap<String, u64>,
    ) -> Result<(), &'static str> {
        let part = Part::ALL
            .into_iter()
            .find(|known| known.to_string() == part)
            .ok_or("it raises firmware levels of an unknown processor")?;
        for (component, level) in raised {
            let level = u8::try_from(*level).map_err(|_| "a firmware level is above 255")?;
            for floor in self.snp.floors.iter_mut().filter(|one| one.part == part) {
                let least = component_of(&mut floor.tcb, part, component)
                    .ok_or("it raises an unknown component of the firmware")?;
                *least = level.max(*least);
            }
        }
        Ok(())
    }
}

fn component_of<'a>(tcb: &'a mut Tcb, part: Part, name: &str) -> Option<&'a mut u8> {
    match name {
        "bootloader" => Some(&mut tcb.bootloader),
        "fmc" if part.product() == Product::Turin => tcb.fmc.as_mut(),
        "microcode" => Some(&mut tcb.microcode),
        "snp" => Some(&mut tcb.snp),
        "tee" => Some(&mut tcb.tee),
        _ => None,
    }
}

/// The reference value of a measurement; none for a platform that cannot match any evidence in a bundle.
fn reference(entry: &Entry) -> Result<Option<ReferenceValue>, &'static str> {
    let Some(platform) = Platform::ALL
        .into_iter()
        .find(|platform| platform.to_string() == entry.platform)
    else {
        return Ok(None);
    };
    let read = |(name, value): (&String, &String)| Some((name.clone(), value.parse().ok()?));
    let registers: Option<BTreeMap<_, _>> = entry.registers.iter().map(read).collect();
    let registers = registers.ok_or("a register is not 48 bytes")?;
    ReferenceValue::of_registers(entry.name.clone(), platform, registers)
        .map(Some)
        .map_err(|_| "a measurement has not the registers of its platform")
}

/// What a TPM measures when the image is started.
fn boot(entry: &Entry) -> Result<Boot, &'static str> {
    let values = Boot::REGISTERS.map(|number| {
        let value = entry.registers.get(&format!("pcr{number}"))?;
        value.parse::<Sha256Digest>().ok()
    });
    match values {
        [Some(first), Some(second), Some(third)]
            if entry.registers.len() == Boot::REGISTERS.len() =>
        {
            Ok(Boot {
                name: entry.name.clone(),
                registers: [first, second, third],
            })
        }
        _ => Err("a measurement of a TPM has other registers than pcr4, pcr9 and pcr11"),
    }
}

fn named(digests: &[Digest]) -> impl Iterator<Item = NamedDigest> {
    digests.iter().map(|entry| NamedDigest {
        name: entry.name.clone(),
        digest: Sha256Digest::new(entry.sha256),
    })
}

/// What a manifest calls measurements of a TPM.
const TPM: &str = "tpm";
