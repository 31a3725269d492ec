//! Certificates of devices that are good but for one thing. Paths as such are tested in `x509`.

#![allow(clippy::indexing_slicing, reason = "tests")]

use der::Encode;

use super::*;
use crate::development::certificates::ExtensionDraft;
use crate::development::der::{SEQUENCE, element};
use crate::fixtures::NOW;
use crate::nvidia::fixtures::{DeviceDraft, FIRMWARE, anchors, pdi, tcb_info};

fn verify(draft: &DeviceDraft) -> Result<DeviceChain, ChainError> {
    DeviceChain::verify(
        draft.pem().as_bytes(),
        &anchors(),
        NOW,
        &mut Links::default(),
    )
}

#[test]
fn a_chain_yields_chip_firmware_and_identifier() {
    let chain = verify(&DeviceDraft::gpu(5)).unwrap();
    assert_eq!(chain.chip.name, "GH100");
    assert_eq!(chain.chip.architecture, Architecture::Hopper);
    assert_eq!(chain.firmware_id.as_bytes(), &FIRMWARE);
    assert_eq!(chain.pdi, Some(pdi(5)));
}

#[test]
fn a_switch_has_its_name_without_the_underscore() {
    let chain = verify(&DeviceDraft::switch(5, &[])).unwrap();
    assert_eq!(chain.chip.name, "LS10");
    assert_eq!(chain.chip.architecture.kind(), DeviceKind::Switch);
}

#[test]
fn only_known_chips_have_an_architecture() {
    assert_eq!(
        Architecture::of_chip("GB202"),
        Some(Architecture::Blackwell)
    );
    for name in [
        "GH", "GH1000", "GH10", "GHabc", "GA100", "LS10", "LS_11", "", "gh100",
    ] {
        assert_eq!(Architecture::of_chip(name), None, "{name:?}");
    }
}

#[test]
fn a_name_with_two_common_names_has_none() {
    let name = |text: &str| text.parse::<Name>().unwrap();
    assert_eq!(
        common_name(&name("CN=GH100 A01,O=NVIDIA")),
        Some("GH100 A01")
    );
    assert_eq!(common_name(&name("CN=GH100 A01,CN=GB100 A01")), None);
    assert_eq!(common_name(&name("O=NVIDIA")), None);
}

#[test]
fn each_of_the_three_certificates_of_a_device_names_its_chip() {
    for at in 0..3 {
        let mut draft = DeviceDraft::gpu(1);
        let other = draft.chain.drafts[at].subject.replace("GH100", "GB100");
        draft.chain.drafts[at].subject.clone_from(&other);
        if at > 0 {
            draft.chain.drafts[at.saturating_sub(1)].issuer = other;
        }
        assert_eq!(verify(&draft).unwrap_err(), ChainError::Chip, "{at}");
    }
}

#[test]
fn the_firmware_is_named_in_the_form_of_the_generation() {
    let with = |oid: &str, value: &[u8]| {
        let mut draft = DeviceDraft::gpu(1);
        let extensions = &mut draft.chain.drafts[0].extensions;
        extensions.pop();
        extensions.push(ExtensionDraft::new(oid, false, value));
        verify(&draft).map(|chain| chain.firmware_id)
    };
    let good = tcb_info(0).value;
    assert!(with("2.23.133.5.4.1.1", &good).is_ok());
    // Another hash algorithm, SHA-256.
    let mut other_hash = good.clone();
    let at = good
        .windows(2)
        .position(|pair| pair == [0x04, 0x02])
        .unwrap();
    other_hash[at.saturating_add(1)] = 0x01;
    let firmware = context_fields(&good).unwrap()[1].to_der().unwrap();
    let repeated = element(SEQUENCE, &[&firmware, &firmware]);
    let trailing = [good.as_slice(), &[0]].concat();
    for (name, value) in [
        ("empty", &[][..]),
        ("no sequence", &[0x04, 0x00]),
        ("empty sequence", &[0x30, 0x00]),
        ("no firmware", &[0x30, 0x02, 0xA6, 0x00]),
        ("no flags", &[0x30, 0x03, 0x87, 0x01, 0x00]),
        ("another hash", &other_hash),
        ("a field twice", &repeated),
        ("a byte behind", &trailing),
    ] {
        let error = with("2.23.133.5.4.1.1", value).unwrap_err();
        assert_eq!(error, ChainError::FirmwareId, "{name}");
    }
    // The value of one generation under the identifier of the other.
    let swapped = with("2.23.133.5.4.1", &good).unwrap_err();
    assert_eq!(swapped, ChainError::FirmwareId);
}

#[test]
fn text_around_the_certificates_is_refused() {
    let good = DeviceDraft::gpu(1).pem();
    let long = good.clone() + &"\n".repeat(MAX_TEXT);
    for text in [
        String::new(),
        "certificates".to_owned(),
        format!("{good}x"),
        format!("x{good}"),
        good.replace("-----END", "----END"),
        good.replacen('\n', "\n!", 1),
        long,
    ] {
        let found = DeviceChain::verify(text.as_bytes(), &anchors(), NOW, &mut Links::default());
        assert_eq!(found.unwrap_err(), ChainError::Text);
    }
    let windows = good.replace('\n', "\r\n");
    assert!(
        DeviceChain::verify(windows.as_bytes(), &anchors(), NOW, &mut Links::default()).is_ok()
    );
}

#[test]
fn every_byte_of_the_leaf_counts() {
    let draft = DeviceDraft::gpu(1);
    let mut certificates: Vec<_> = pem::certificates(draft.pem().as_bytes(), 5).unwrap();
    let leaf = certificates.remove(0);
    let issuer = Certificate::parse(&certificates[0]).unwrap();
    let key = issuer.public_key().unwrap();
    for at in 0..leaf.len() {
        let mut bytes = leaf.clone();
        bytes[at] ^= 1;
        let is_good = Certificate::parse(&bytes).is_ok_and(|leaf| leaf.is_signed_by(&key));
        assert!(!is_good, "accepted with byte {at} changed");
    }
}
