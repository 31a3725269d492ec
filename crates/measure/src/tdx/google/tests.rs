#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tests"
)]

use super::*;

/// What a real machine quoted: github.com/Easy-TEE/attest (MIT), test
/// `builds_image_dependent_registers_from_supplied_uki`.
#[test]
fn registers_of_a_real_machine_follow_from_its_disk() {
    let disk = disk();
    assert_eq!(
        rtmr1(&disk),
        digest(
            b"2bd4946acfa6ccc29f9efa08a78fd5ace02194d0bc38d056003d2937c216e0de08dba010a661c4b344756234f08a4cf2"
        )
    );
    assert_eq!(
        rtmr2(&disk),
        digest(
            b"4ae34b6b64c2a618c7ee61f488219fcd8383d149ad7e44606616598d73bd3f7a2f20846d780463278715433d9813af2c"
        )
    );
}

#[test]
fn each_part_of_the_disk_changes_a_register() {
    let other = Sha384Digest::of(b"other");
    let changes: [fn(&mut Disk, Sha384Digest); 5] = [
        |disk, value| disk.partitions = value,
        |disk, value| disk.image = value,
        |disk, value| disk.kernel = value,
        |disk, value| disk.command_line = value,
        |disk, value| disk.initrd = value,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = disk();
        change(&mut changed, other);
        let boot_differs = rtmr1(&changed) != rtmr1(&disk());
        let load_differs = rtmr2(&changed) != rtmr2(&disk());
        assert_eq!((boot_differs, load_differs), (number < 3, number >= 3));
    }
}

#[test]
fn each_part_of_the_platform_changes_the_first_register() {
    let mut list = vec![0; 104];
    list.splice(..4, [1, 0, 56, 0]);
    list.splice(56..60, [3, 0, 48, 0]);
    let memory_list = HobTemplate::new(&list, 96, 3 << 30).unwrap();
    let other_list = HobTemplate::new(&list, 96, 2 << 30).unwrap();
    let machine = *KNOWN_MACHINES.first().unwrap();
    let platform = Platform {
        memory_list: &memory_list,
        configuration: Sha384Digest::of(b"configuration"),
        machine,
    };
    let value = rtmr0(&platform).unwrap();
    let other = Sha384Digest::of(b"other");
    let with = |change: fn(&mut Machine, Sha384Digest)| {
        let mut machine = machine;
        change(&mut machine, other);
        Platform {
            machine,
            ..platform
        }
    };
    let others = [
        Platform {
            memory_list: &other_list,
            ..platform
        },
        Platform {
            configuration: other,
            ..platform
        },
        with(|machine, _| machine.memory += 1 << 30),
        with(|machine, _| machine.disk = false),
        with(|machine, other| machine.acpi[0] = other),
        with(|machine, other| machine.acpi[1] = other),
        with(|machine, other| machine.acpi[2] = other),
    ];
    for (number, other) in others.iter().enumerate() {
        assert_ne!(rtmr0(other).unwrap(), value, "{number}");
    }
    let small = with(|machine, _| machine.memory = 1 << 30);
    assert_eq!(rtmr0(&small), None);
}

fn disk() -> Disk {
    Disk {
        partitions: digest(
            b"a3a41b0f933aec447be266dec5f907c2b0ba89afbc3f4f7378f0dca844969cbfca324ed64f1720da6e9d4484fda4f9da",
        ),
        image: digest(
            b"9b678ccbad7fc2f3935e3e760cf8daedd6e3e3e5a327e72ee9473399b7effac6bb5590002ed73a53f6b3a97d296852e2",
        ),
        kernel: digest(
            b"b6c5133268aa8b440509f3d53ee855a5cd3aeb6441eb109a9f27f14c43bce3e2383856df4af876501ceeb4c9a3b15f0c",
        ),
        command_line: digest(
            b"e03b89abf354a38976537b7a9138fd312e4cbf73b61eebc44086491701b1d167b9f6cb97a922325866c93e0834723d87",
        ),
        initrd: digest(
            b"305d9b8e2ce9b62bda924a990eed5234c8441882ba2cd603a427b1ac4180124bf1a49a4b49eae1796983ad608a4da666",
        ),
    }
}
