#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tests"
)]

use super::*;
use crate::fixtures::Image;

fn guest() -> Guest {
    Guest {
        processors: Processors::new(2).unwrap(),
        signature: ProcessorSignature::of_model("EPYC-Milan").unwrap(),
        features: 1,
        vmm: Vmm::Qemu,
        boot: Some(Boot::new(b"kernel", b"initrd", "quiet")),
    }
}

fn digest(image: &Image, guest: &Guest) -> Sha384Digest {
    launch_digest(&Firmware::parse(&image.build()).unwrap(), guest).unwrap()
}

fn refusal(image: &Image, guest: &Guest) -> MeasureError {
    launch_digest(&Firmware::parse(&image.build()).unwrap(), guest).unwrap_err()
}

#[test]
fn everything_that_is_started_is_in_the_digest() {
    let start = digest(&Image::new(), &guest());
    let boot = |kernel: &[u8], initrd: &[u8], line: &str| Guest {
        boot: Some(Boot::new(kernel, initrd, line)),
        ..guest()
    };
    let others = [
        boot(b"Kernel", b"initrd", "quiet"),
        boot(b"kernel", b"Initrd", "quiet"),
        boot(b"kernel", b"initrd", "Quiet"),
        boot(b"kernel", b"initrd", ""),
        Guest {
            boot: None,
            ..guest()
        },
        Guest {
            features: 0x21,
            ..guest()
        },
        Guest {
            processors: Processors::new(1).unwrap(),
            ..guest()
        },
        Guest {
            signature: ProcessorSignature::of_model("EPYC-Genoa").unwrap(),
            ..guest()
        },
        Guest {
            vmm: Vmm::Ec2,
            ..guest()
        },
        Guest {
            vmm: Vmm::GoogleCompute,
            ..guest()
        },
    ];
    let mut digests: Vec<_> = others
        .iter()
        .map(|other| digest(&Image::new(), other))
        .collect();
    digests.push(start);
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), others.len() + 1);
}

#[test]
fn every_section_of_the_firmware_is_in_the_digest() {
    let start = digest(&Image::new(), &guest());
    for number in 0..Image::new().sev.len() {
        let mut image = Image::new();
        image.sev[number][0] += 0x10_0000;
        assert_ne!(digest(&image, &guest()), start, "{number}");
    }
    let mut image = Image::new();
    image.sev.swap(0, 1);
    assert_ne!(digest(&image, &guest()), start);
    image.pages = 5;
    assert_ne!(digest(&image, &guest()), start);
}

#[test]
fn a_kernel_is_refused_where_its_digest_would_not_be_checked() {
    let image = Image::new().with(HASHES_TABLE, vec![0; 8]);
    assert_eq!(refusal(&image, &guest()), MeasureError::HashesTableAbsent);
    let image = Image::new().without(HASHES_TABLE);
    assert_eq!(refusal(&image, &guest()), MeasureError::HashesTableAbsent);
    let mut image = Image::new();
    image.sev.pop();
    assert_eq!(refusal(&image, &guest()), MeasureError::HashesTableAbsent);
    let without = Guest {
        boot: None,
        ..guest()
    };
    let _no_kernel = digest(&image, &without);
}

#[test]
fn a_table_that_leaves_its_page_is_refused() {
    let at = |address: u32| {
        let data = [address.to_le_bytes(), [0; 4]].concat();
        Image::new().with(HASHES_TABLE, data)
    };
    let _fits = digest(&at(0x0081_0f50), &guest());
    let refused = refusal(&at(0x0081_0f51), &guest());
    assert_eq!(refused, MeasureError::HashesTableOutside);
}

#[test]
fn firmware_that_names_no_start_for_other_processors_is_refused() {
    let image = Image::new().without(RESET_BLOCK);
    assert_eq!(refusal(&image, &guest()), MeasureError::ResetAddressAbsent);
    let bytes = image.build();
    let firmware = Firmware::parse(&bytes).unwrap();
    let guest = guest();
    let refused = sev_es_launch_digest(
        &firmware,
        None,
        guest.processors,
        guest.signature,
        guest.vmm,
    );
    assert_eq!(refused, Err(MeasureError::ResetAddressAbsent));
}

#[test]
fn the_digest_of_the_pages_stands_for_the_image() {
    let bytes = Image::new().build();
    let firmware = Firmware::parse(&bytes).unwrap();
    let pages = firmware.pages_digest();
    // The last page is all that the rest of the prediction reads.
    let end = &bytes[bytes.len() - 0x2000..];
    let end = Firmware::parse(end).unwrap();
    assert_ne!(end.pages_digest(), pages);
    assert_eq!(
        launch_digest_after(pages, &end, &guest()),
        launch_digest(&firmware, &guest())
    );
}

#[test]
fn older_digests_depend_on_what_they_cover() {
    let bytes = Image::new().build();
    let firmware = Firmware::parse(&bytes).unwrap();
    let boot = Boot::new(b"kernel", b"", "");
    let plain = sev_launch_digest(&firmware, None).unwrap();
    assert_eq!(plain, crate::Sha256Digest::of(&bytes));
    assert_ne!(sev_launch_digest(&firmware, Some(&boot)).unwrap(), plain);
    let es = |count, vmm| {
        let processors = Processors::new(count).unwrap();
        sev_es_launch_digest(&firmware, None, processors, guest().signature, vmm).unwrap()
    };
    assert_ne!(es(1, Vmm::Qemu), plain);
    assert_ne!(es(1, Vmm::Qemu), es(2, Vmm::Qemu));
    assert_ne!(es(1, Vmm::Qemu), es(1, Vmm::Ec2));
    let bare = Image::new().without(HASHES_TABLE).build();
    let bare = Firmware::parse(&bare).unwrap();
    let refused = sev_launch_digest(&bare, Some(&boot));
    assert_eq!(refused, Err(MeasureError::HashesTableAbsent));
}

#[test]
fn an_svsm_lies_below_the_firmware_and_says_where_it_starts() {
    let firmware = Image::new().build();
    let firmware = Firmware::parse(&firmware).unwrap();
    let svsm = Image::new().with(SVSM_INFO, 16_u32.to_le_bytes().to_vec());
    let bytes = svsm.build();
    let svsm_image = Firmware::parse(&bytes).unwrap();
    let digest = |svsm: &Firmware<'_>, variables, count| {
        let processors = Processors::new(count).unwrap();
        svsm_launch_digest(svsm, &firmware, variables, processors, guest().signature)
    };
    let start = digest(&svsm_image, 0x1000, 1).unwrap();
    assert_ne!(digest(&svsm_image, 0x2000, 1).unwrap(), start);
    assert_ne!(digest(&svsm_image, 0x1000, 2).unwrap(), start);
    let elsewhere = svsm.with(SVSM_INFO, 17_u32.to_le_bytes().to_vec()).build();
    let elsewhere = Firmware::parse(&elsewhere).unwrap();
    assert_ne!(digest(&elsewhere, 0x1000, 1).unwrap(), start);
    let refused = digest(&firmware, 0x1000, 1);
    assert_eq!(refused, Err(MeasureError::SvsmEntryAbsent));
    for variables in [1, u32::MAX, u32::MAX - 0xfff] {
        let refused = digest(&svsm_image, variables, 1);
        assert_eq!(refused, Err(MeasureError::NoRoom), "{variables:#x}");
    }
}
