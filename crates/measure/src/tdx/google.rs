//! Run-time registers of a trust domain on Google Compute Engine.
//!
//! Google does not publish how its firmware measures. The order of the events and
//! the digests below were read from the event logs of such machines, and are
//! confirmed by real quotes; they hold for the firmware and machines named here.
//! Source: github.com/flashbots/attested-tls and github.com/Easy-TEE/attest (MIT).

use super::HobTemplate;
use crate::uefi::{ACTION_BOOT, ACTION_EXIT, ACTION_EXITED, SEPARATOR, SecureBootVariable};
use crate::{Bank, Register, Sha384Digest};

/// What the firmware and its host decide.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is another measurement"
)]
pub struct Platform<'a> {
    /// The list of memory, for any size.
    pub memory_list: &'a HobTemplate,
    /// Digest of the variables the firmware starts with.
    pub configuration: Sha384Digest,
    /// The machine.
    pub machine: Machine,
}

/// What is of one type of machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is another measurement"
)]
pub struct Machine {
    /// Bytes of memory.
    pub memory: u64,
    /// Whether a disk is among the boot options besides the one for the firmware's menu.
    pub disk: bool,
    /// Digests of the ACPI tables' loader script, root pointer and tables.
    pub acpi: [Sha384Digest; 3],
}

/// Machines whose tables are known: `c3-standard-4` with one disk.
pub const KNOWN_MACHINES: &[Machine] = &[Machine {
    memory: 16 << 30,
    disk: true,
    acpi: [
        digest(
            b"f60c35e53bb21b4675cfa8db310ec88e38cd369d8d463acdde815122fa8b893b8896a5783b538856693ed7645ddb897e",
        ),
        digest(
            b"509dcfe10beb5d470c40f25e30895370948831b9cf79db15d977e7bba8eb42f7200212071ad8b19d6011759779eced5a",
        ),
        digest(
            b"0bb0afa008873bdc20dee0f741da7896c2bfeee94ae52e9bdbf94bc87c32d04a4b1f1d824490f1dae574ff6d4e4bb0b3",
        ),
    ],
}];

/// RTMR 0: memory, firmware configuration, Secure Boot (off), ACPI tables, boot
/// options. `None` if the machine has less memory than the list begins with.
#[must_use]
pub fn rtmr0(platform: &Platform<'_>) -> Option<Sha384Digest> {
    let machine = &platform.machine;
    let mut events = vec![
        platform.memory_list.digest(machine.memory)?,
        platform.configuration,
        Sha384Digest::of(&SecureBootVariable::SecureBoot.event(&[0])),
    ];
    events.extend(KEYS);
    events.push(Sha384Digest::of(&SEPARATOR));
    events.extend(machine.acpi);
    let (order, options): (&[u8], &[_]) = if machine.disk {
        (&[1, 0, 2, 0, 0, 0], &[BOOT_1, BOOT_2, BOOT_0])
    } else {
        (&[1, 0, 0, 0], &[BOOT_1, BOOT_0])
    };
    events.push(Sha384Digest::of(order));
    events.extend(options);
    Some(replay(&events))
}

/// What is in the image of the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is another measurement"
)]
pub struct Disk {
    /// Digest of the partition table's event (`UEFI_GPT_DATA`).
    pub partitions: Sha384Digest,
    /// Authenticode digest of the unified kernel image.
    pub image: Sha384Digest,
    /// Authenticode digest of the kernel in it.
    pub kernel: Sha384Digest,
    /// Digest of the kernel's command line, in UTF-16 with a final zero.
    pub command_line: Sha384Digest,
    /// Digest of its initial RAM disk.
    pub initrd: Sha384Digest,
}

/// RTMR 1: boot loader and kernel.
#[must_use]
pub fn rtmr1(disk: &Disk) -> Sha384Digest {
    replay(&[
        Sha384Digest::of(ACTION_BOOT),
        Sha384Digest::of(&SEPARATOR),
        disk.partitions,
        disk.image,
        disk.kernel,
        Sha384Digest::of(ACTION_EXIT),
        Sha384Digest::of(ACTION_EXITED),
    ])
}

/// RTMR 2: what the kernel's loader measures.
#[must_use]
pub fn rtmr2(disk: &Disk) -> Sha384Digest {
    replay(&[disk.command_line, disk.initrd])
}

fn replay(events: &[Sha384Digest]) -> Sha384Digest {
    let mut register = Register::new(Bank::Sha384);
    for event in events {
        let _same_length = register.extend_digest(event.as_bytes());
    }
    Sha384Digest::new(register.value().try_into().unwrap_or([0; 48]))
}

/// PK, KEK, db and dbx that Google enrols.
const KEYS: [Sha384Digest; 4] = [
    digest(
        b"905f6243baf0d7c63cd672f89b16e15f99597e8d0392955e685172d447100123f7c490d178543922faddf896625dabab",
    ),
    digest(
        b"be013b0d9188e72b870f598899c35864d6b25f029a7b5f21a037bacf61ca3646207af2bc714d471407c9939317763c4a",
    ),
    digest(
        b"723ad4d64f430bf6d325ab9d6c29147993ded5630002e42e13df696ebc680c4bc14c392d2e113e141154e21723f890f6",
    ),
    digest(
        b"c61bae1a3f7b7e6cc3b9b03f630b77292ebd232ae60e0e1916f980955ec38459529574b49f1898c367eaf6d8a62311f5",
    ),
];
const BOOT_0: Sha384Digest = digest(
    b"23ada07f5261f12f34a0bd8e46760962d6b4d576a416f1fea1c64bc656b1d28eacf7047ae6e967c58fd2a98bfa74c298",
);
const BOOT_1: Sha384Digest = digest(
    b"a25333c7aec2e0993034938c7f11893b3c2bcaf67e88c342a3d586f6f7fae2c6a1247a9ed86988080a6d4be497d4fbb6",
);
const BOOT_2: Sha384Digest = digest(
    b"9068065754ff3ae3dd58a5897535eeaf62a19a6757d82dd91349c41bae2e3f208e268abba2a4378bc5c8d1acf2fd260f",
);

/// A digest from 96 lower-case hexadecimal digits, at compile time.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "only used in constants, where a mistake does not compile"
)]
const fn digest(text: &[u8; 96]) -> Sha384Digest {
    const fn value(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("not a hexadecimal digit"),
        }
    }
    let mut bytes = [0; 48];
    let mut at = 0;
    while at < 48 {
        bytes[at] = value(text[2 * at]) << 4 | value(text[2 * at + 1]);
        at += 1;
    }
    Sha384Digest::new(bytes)
}

#[cfg(test)]
mod tests;
