//! Whether GPUs and switches belong together.
//!
//! In protected `PCIe` mode the links between GPUs are not encrypted; they are safe only if every device at their ends is
//! verified. GPUs name the switches behind their links and switches name their GPUs, each by 8 bytes (PDI) that also end
//! the serial number of the device's own certificate. GPUs write them in reverse order.

use std::collections::BTreeSet;

use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap};
use crate::nvidia::chain::DeviceKind;
use crate::nvidia::opaque::{SWITCH_GPU_PDIS, SWITCH_PDIS};
use crate::nvidia::rules::{FabricRule, Mode, Rules};

use super::VerifiedDevice;

type Pdi = [u8; 8];
type Pdis = BTreeSet<Pdi>;

/// What the devices come to.
enum Fabric {
    /// Nothing is connected by links that are not encrypted.
    None,
    /// Devices that others name are not here.
    Part,
    /// Every device that another one names is here, and the other way round.
    Whole,
}

pub(super) fn check(devices: &[VerifiedDevice], rules: &Rules, recorder: &mut Recorder) {
    let check = Check::GpuFabric;
    match (judge(devices), rules.fabric) {
        (Err(text), _) => recorder.fail(check, Code::FabricMismatch, text),
        (Ok(Fabric::None), _) => recorder.pass(check, "no unencrypted links between devices"),
        (Ok(Fabric::Whole), _) => recorder.pass(check, "GPUs and switches name each other"),
        (Ok(Fabric::Part), FabricRule::Required) => {
            recorder.fail(
                check,
                Code::EvidenceMissing,
                "devices of the fabric are missing",
            );
        }
        (Ok(Fabric::Part), FabricRule::PartTolerated) => {
            recorder.gap(check, Gap::GpuFabricNotVerified);
        }
    }
}

fn judge(devices: &[VerifiedDevice]) -> Result<Fabric, &'static str> {
    let gpus = identifiers(devices, DeviceKind::Gpu)?;
    let switches = identifiers(devices, DeviceKind::Switch)?;
    let is_protected = |device: &VerifiedDevice| device.mode == Some(Mode::ProtectedPcie);
    if switches.is_empty() && !devices.iter().any(is_protected) {
        return Ok(Fabric::None);
    }
    let mut is_whole = !gpus.is_empty() && !switches.is_empty();
    for device in devices {
        let (named, here) = match device.kind() {
            DeviceKind::Gpu if is_protected(device) => (switches_of_gpu(device)?, &switches),
            DeviceKind::Gpu => return Err("a GPU beside switches is not protected"),
            DeviceKind::Switch => (gpus_of_switch(device)?, &gpus),
        };
        if !here.is_subset(&named) {
            return Err("a device does not name one that is here");
        }
        is_whole &= named.is_subset(here);
    }
    Ok(if is_whole {
        Fabric::Whole
    } else {
        Fabric::Part
    })
}

/// The identifiers of the devices of a kind, by their certificates; none may occur twice.
fn identifiers(devices: &[VerifiedDevice], kind: DeviceKind) -> Result<Pdis, &'static str> {
    let mut identifiers = Pdis::new();
    for device in devices.iter().filter(|device| device.kind() == kind) {
        let pdi = device
            .chain
            .pdi
            .ok_or("a certificate has no serial number of a device")?;
        if !identifiers.insert(pdi) {
            return Err("a device is here twice");
        }
    }
    Ok(identifiers)
}

fn switches_of_gpu(device: &VerifiedDevice) -> Result<Pdis, &'static str> {
    let pdis = device.report.opaque.pdis(SWITCH_PDIS);
    let reversed = |mut pdi: Pdi| {
        pdi.reverse();
        pdi
    };
    let pdis = pdis.ok_or("a protected GPU names no switches")?;
    Ok(pdis
        .into_iter()
        .filter(|pdi| is_used(*pdi))
        .map(reversed)
        .collect())
}

/// The first eight identifiers; a map of ports follows. The switch's own must be that of its certificate.
fn gpus_of_switch(device: &VerifiedDevice) -> Result<Pdis, &'static str> {
    let opaque = &device.report.opaque;
    let own = opaque.pdis(SWITCH_PDIS);
    if own.as_deref().and_then(<[Pdi]>::first) != device.chain.pdi.as_ref() {
        return Err("a switch has another identifier than its certificate");
    }
    let pdis = opaque
        .pdis(SWITCH_GPU_PDIS)
        .ok_or("a switch names no GPUs")?;
    Ok(pdis
        .into_iter()
        .take(GPUS_OF_SWITCH)
        .filter(|pdi| is_used(*pdi))
        .collect())
}

fn is_used(pdi: Pdi) -> bool {
    pdi != [0xFF; 8] && pdi != [0; 8]
}

const GPUS_OF_SWITCH: usize = 8;
