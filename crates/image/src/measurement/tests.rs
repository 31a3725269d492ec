//! A tiny image, made here: each of its parts is in the prediction.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::uki::{Parts, assemble, stub_for_tests};

/// A kernel must be an image too.
fn image(command_line: &str, initrd: &[u8]) -> Vec<u8> {
    let kernel = stub_for_tests();
    let parts = Parts {
        command_line,
        initrd,
        kernel: &kernel,
    };
    assemble(&stub_for_tests(), &parts).unwrap()
}

fn values(command_line: &str, initrd: &[u8]) -> TpmValues {
    tpm(&image(command_line, initrd), Stub::V252).unwrap()
}

#[test]
fn the_host_may_add_nothing() {
    let found = values("quiet", b"archive");
    assert_eq!((found.pcr12.as_str(), found.pcr13.as_str()), (ZERO, ZERO));
}

/// Only the host's own addition leaves 4 and 11 as they are, which is why 9 and 12
/// are compared.
#[test]
fn one_byte_of_command_line_or_initrd_changes_all_three_registers() {
    let good = values("quiet", b"archive");
    for other in [values("quieu", b"archive"), values("quiet", b"archivf")] {
        assert_ne!(other.pcr4, good.pcr4);
        assert_ne!(other.pcr9, good.pcr9);
        assert_ne!(other.pcr11, good.pcr11);
    }
}

#[test]
fn one_byte_of_the_stub_changes_what_was_started() {
    let mut other = image("quiet", b"archive");
    *other.get_mut(0x401).unwrap() ^= 1;
    let (good, other) = (
        values("quiet", b"archive"),
        tpm(&other, Stub::V252).unwrap(),
    );
    assert_ne!(other.pcr4, good.pcr4);
    assert_eq!(other.pcr11, good.pcr11);
}

#[test]
fn firmware_that_measures_no_kernel_is_refused() {
    assert!(snp(&[0; 4096], &image("quiet", b"archive")).is_err());
}

#[test]
fn a_trust_domains_registers_follow_the_image() {
    let one = tdx(None, &image("quiet", b"archive"), Stub::V252).unwrap();
    let other = tdx(None, &image("quiet", b"archivf"), Stub::V252).unwrap();
    assert_ne!(one.get("rtmr1_direct"), other.get("rtmr1_direct"));
    assert_ne!(one.get("rtmr2"), other.get("rtmr2"));
    let newer = tdx(None, &image("quiet", b"archive"), Stub::V257).unwrap();
    assert!(newer.get("rtmr2").is_none());
}
