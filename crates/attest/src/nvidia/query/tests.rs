//! What a device's evidence asks for.

use crate::nvidia::fixtures::{DeviceDraft, gpu_files};
use crate::nvidia::opaque::{CHIP_SKU, DRIVER_VERSION, PROJECT, VBIOS_VERSION};
use crate::nvidia::{CollateralQuery, QueryError};

fn query(draft: &DeviceDraft) -> Result<CollateralQuery, QueryError> {
    CollateralQuery::of_device(&draft.report(), draft.pem().as_bytes())
}

#[test]
fn a_gpu_asks_for_the_manifests_of_its_driver_and_firmware() {
    let query = query(&DeviceDraft::gpu(1)).unwrap();
    assert_eq!(
        query.driver_manifest(),
        Some("NV_GPU_DRIVER_GH100_550.90.07")
    );
    assert!(
        query.firmware_manifest().starts_with("NV_GPU_VBIOS_")
            && query.firmware_manifest().ends_with("_96009F0001"),
        "{}",
        query.firmware_manifest()
    );
    assert_eq!(query.certificates().len(), 5);
}

#[test]
fn a_switch_asks_for_the_manifest_of_its_firmware() {
    let query = query(&DeviceDraft::switch(9, &[])).unwrap();
    assert_eq!(query.driver_manifest(), None);
    assert_eq!(
        query.firmware_manifest(),
        "NV_SWITCH_BIOS_5612_0002_890_9610550001"
    );
}

#[test]
fn a_report_that_does_not_name_its_parts_is_refused() {
    for field in [PROJECT, CHIP_SKU, DRIVER_VERSION, VBIOS_VERSION] {
        let mut draft = DeviceDraft::gpu(1);
        draft.remove(field);
        assert_eq!(query(&draft), Err(QueryError::Identifier), "{field}");
    }
}

/// The names become a part of an address.
#[test]
fn a_name_cannot_lead_elsewhere() {
    for bad in ["1/../..", "1?a=b", "1#", "1%2F", "1&", "a@b", "a\\b"] {
        for field in [PROJECT, CHIP_SKU, DRIVER_VERSION] {
            let mut draft = DeviceDraft::gpu(1);
            draft.set(field, bad.as_bytes());
            assert_eq!(query(&draft), Err(QueryError::Identifier), "{bad}");
        }
    }
}

#[test]
fn what_is_no_report_or_no_certificates_is_refused() {
    let (report, certificates, _) = gpu_files();
    let of = |report: &[u8], text: &str| CollateralQuery::of_device(report, text.as_bytes());
    assert!(of(&report, &certificates).is_ok());
    assert_eq!(of(b"x", &certificates), Err(QueryError::Report));
    assert_eq!(of(&report, "x"), Err(QueryError::Certificates));
    let four = certificates.rsplit_once("-----BEGIN").unwrap().0;
    assert_eq!(of(&report, four), Err(QueryError::Certificates));
}
