#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tests"
)]

use super::*;
use crate::Sha256Digest;
use crate::fixtures::{pe, unified_kernel};
use crate::uefi::SecureBootVariable;

/// A register after these events.
fn replay(bank: Bank, events: &[Vec<u8>]) -> Register {
    let mut register = Register::new(bank);
    for event in events {
        assert!(register.extend_digest(event));
    }
    register
}

fn inner() -> Vec<u8> {
    pe(&[(".text", b"kernel")])
}

fn authenticode(bytes: &[u8], bank: Bank) -> Vec<u8> {
    PeImage::parse(bytes).unwrap().authenticode(bank)
}

fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn parts_are_found() {
    let bytes = unified_kernel();
    let image = UnifiedKernel::parse(&bytes).unwrap();
    assert_eq!(image.command_line(), "console=ttyS0 quiet");
    assert_eq!(image.initrd(), b"initial RAM disk");
    assert_eq!(image.kernel(), inner());
}

#[test]
fn register_4_has_the_images_in_the_order_of_the_boot_method() {
    let bytes = unified_kernel();
    let image = UnifiedKernel::parse(&bytes).unwrap();
    let bank = Bank::Sha256;
    let (outer, kernel) = (authenticode(&bytes, bank), authenticode(&inner(), bank));
    let action = bank.digest(b"Calling EFI Application from Boot Option");
    let separator = bank.digest(&[0; 4]);
    let direct = [
        outer.clone(),
        action.clone(),
        separator.clone(),
        kernel.clone(),
    ];
    let partition = [action, separator, outer, kernel];
    let found = image.pcr4(BootMethod::Direct).unwrap();
    assert_eq!(found, replay(bank, &direct));
    let found = image.pcr4(BootMethod::SystemPartition).unwrap();
    assert_eq!(found, replay(bank, &partition));
}

#[test]
fn register_9_has_command_line_and_initrd() {
    let bytes = unified_kernel();
    let image = UnifiedKernel::parse(&bytes).unwrap();
    let expected = [utf16("console=ttyS0 quiet"), b"initial RAM disk".to_vec()];
    let expected = expected.map(|event| Bank::Sha256.digest(&event));
    let expected = replay(Bank::Sha256, &expected);
    assert_eq!(image.pcr9(Stub::V252), Ok(expected.clone()));
    assert_eq!(image.pcr9(Stub::V257), Ok(expected));
}

#[test]
fn register_11_has_the_sections_in_the_order_of_systemd() {
    let bytes = unified_kernel();
    let image = UnifiedKernel::parse(&bytes).unwrap();
    let mut expected = Register::new(Bank::Sha256);
    for (name, contents) in [
        (".linux\0", &inner()[..]),
        (".cmdline\0", b"console=ttyS0 quiet"),
        (".initrd\0", b"initial RAM disk"),
    ] {
        expected.measure(name.as_bytes());
        expected.measure(contents);
    }
    assert_eq!(image.pcr11(Stub::V252), expected);
    expected.measure(b".sbat\0");
    expected.measure(b"sbat,1");
    assert_eq!(image.pcr11(Stub::V257), expected);
}

#[test]
fn registers_of_a_trust_domain_have_the_same_events_and_the_end_of_the_firmware() {
    let bytes = unified_kernel();
    let image = UnifiedKernel::parse(&bytes).unwrap();
    let bank = Bank::Sha384;
    let expected = [
        authenticode(&bytes, bank),
        bank.digest(b"Calling EFI Application from Boot Option"),
        bank.digest(&[0; 4]),
        authenticode(&inner(), bank),
        bank.digest(b"Exit Boot Services Invocation"),
        bank.digest(b"Exit Boot Services Returned with Success"),
    ];
    assert_eq!(image.rtmr1_direct().unwrap(), replay(bank, &expected));
    let expected = [utf16("console=ttyS0 quiet"), b"initial RAM disk".to_vec()];
    let expected = expected.map(|event| bank.digest(&event));
    assert_eq!(image.rtmr2(Stub::V252), Ok(replay(bank, &expected)));
    let stub = Stub::V257;
    let unknown = Err(UnifiedKernelError::Unpredictable { stub });
    assert_eq!(image.rtmr2(stub), unknown);
}

#[test]
fn a_disk_of_google_has_the_digests_of_its_parts() {
    let bytes = unified_kernel();
    let image = UnifiedKernel::parse(&bytes).unwrap();
    let partitions = Sha384Digest::of(b"partitions");
    let disk = image.google_disk(partitions).unwrap();
    assert_eq!(disk.partitions, partitions);
    let outer = authenticode(&bytes, Bank::Sha384);
    assert_eq!(disk.image.as_bytes()[..], outer);
    let kernel = authenticode(&inner(), Bank::Sha384);
    assert_eq!(disk.kernel.as_bytes()[..], kernel);
    let command_line = Sha384Digest::of(&utf16("console=ttyS0 quiet"));
    assert_eq!(disk.command_line, command_line);
    assert_eq!(disk.initrd, Sha384Digest::of(b"initial RAM disk"));
}

#[test]
fn a_file_that_a_stub_would_add_is_not_predicted() {
    let bytes = pe(&[
        (".osrel", b"ID=x"),
        (".cmdline", b"quiet"),
        (".initrd", b"disk"),
        (".linux", &inner()),
    ]);
    let image = UnifiedKernel::parse(&bytes).unwrap();
    let stub = Stub::V257;
    let unknown = Err(UnifiedKernelError::Unpredictable { stub });
    assert_eq!(image.pcr9(stub), unknown);
    assert!(image.pcr9(Stub::V252).is_ok());
}

#[test]
fn an_image_without_a_part_is_refused() {
    let parts: [(&'static str, &[u8]); 3] = [
        (".cmdline", b"quiet"),
        (".initrd", b"disk"),
        (".linux", b"kernel"),
    ];
    for (name, _) in parts {
        let others: Vec<_> = parts.into_iter().filter(|part| part.0 != name).collect();
        let bytes = pe(&others);
        let refused = UnifiedKernel::parse(&bytes).unwrap_err();
        assert_eq!(refused, UnifiedKernelError::Missing { name });
    }
}

#[test]
fn a_command_line_that_stubs_treat_differently_is_refused() {
    for line in [&b"quiet\n"[..], b"quiet ", b"a\0b", b"\xff", b"a\tb"] {
        let parts = [
            (".cmdline", line),
            (".initrd", b"disk"),
            (".linux", b"kernel"),
        ];
        let bytes = pe(&parts);
        let refused = UnifiedKernel::parse(&bytes).unwrap_err();
        assert_eq!(refused, UnifiedKernelError::CommandLine);
    }
    let parts: [(_, &[u8]); 3] = [
        (".cmdline", b"quiet\0\0"),
        (".initrd", b"disk"),
        (".linux", b"kernel"),
    ];
    let bytes = pe(&parts);
    let image = UnifiedKernel::parse(&bytes).unwrap();
    assert_eq!(image.command_line(), "quiet");
    let refused = image.pcr4(BootMethod::Direct).unwrap_err();
    assert!(matches!(refused, UnifiedKernelError::Image(_)), "{refused}");
}

/// PFP, `UEFI_VARIABLE_DATA`. With a byte of zero this is what every firmware without
/// Secure Boot measures; SHA-256 as in published event logs.
#[test]
fn variables_are_measured_with_guid_name_and_contents() {
    let event = SecureBootVariable::SecureBoot.event(&[0]);
    let mut expected = vec![
        0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b,
        0x8c,
    ];
    expected.extend(10_u64.to_le_bytes());
    expected.extend(1_u64.to_le_bytes());
    expected.extend("SecureBoot".encode_utf16().flat_map(u16::to_le_bytes));
    expected.push(0);
    assert_eq!(event, expected);
    assert_eq!(
        Sha256Digest::of(&event).to_string(),
        "115aa827dbccfb44d216ad9ecfda56bdea620b860a94bed5b7a27bba1c4d02d8"
    );
    let variables = [
        SecureBootVariable::SecureBoot,
        SecureBootVariable::PlatformKey,
        SecureBootVariable::KeyExchangeKey,
        SecureBootVariable::Allowed,
        SecureBootVariable::Forbidden,
    ];
    let mut events: Vec<_> = variables.iter().map(|one| one.event(&[])).collect();
    events.dedup();
    assert_eq!(events.len(), 5);
}
