//! The checks of NVIDIA devices, each with its row. A check of a device has one row for each device.

use subtle::ConstantTimeEq;

use super::anchors::Anchors;
use super::chain::{ChainError, DeviceChain, DeviceKind};
use super::claims::{Claims, DeviceClaims};
use super::opaque::{FEATURE_FLAG, FIRMWARE_ID, PROTECTED_PCIE_STATUS};
use super::rules::{Mode, NonceRule, Rules};
use super::spdm::{Report, VerifiedReport};
use super::{Device, Evidence};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap};
use crate::time::UnixSeconds;
use crate::x509::path::Links;

mod fabric;
mod reference;
mod revocation;

pub(super) use reference::{SignedManifest, verify_manifest};

/// A device whose report and certificates are verified.
#[derive(Clone, Debug)]
pub(super) struct VerifiedDevice {
    pub(super) report: VerifiedReport,
    pub(super) chain: DeviceChain,
    pub(super) mode: Option<Mode>,
}

impl VerifiedDevice {
    pub(super) fn kind(&self) -> DeviceKind {
        self.chain.chip.architecture.kind()
    }
}

/// Verifies the evidence and compares it with the rules.
///
/// It ends with `None` where a device is not verified; otherwise every check runs, so that a person sees all that is
/// wrong. What the devices say is worth something only if no row failed.
pub(crate) fn verify(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Claims> {
    if !(1..=MAX_DEVICES).contains(&evidence.devices.len()) {
        let found = format!("{} devices", evidence.devices.len());
        recorder.fail(Check::GpuReportFormat, Code::ReportMalformed, found);
        return None;
    }
    // Manifests share certificates with each other, and devices with each other.
    let mut links = Links::default();
    let documents = &evidence.manifests;
    let manifests = reference::verify_manifests(documents, anchors, now, &mut links, recorder);
    let devices: Vec<_> = evidence
        .devices
        .iter()
        .map(|device| verify_device(device, anchors, now, &mut links, recorder))
        .collect();
    let mut devices: Vec<VerifiedDevice> = devices.into_iter().collect::<Option<_>>()?;
    check_nonces(&devices, rules, recorder);
    for device in &mut devices {
        check_firmware_id(device, recorder);
        device.mode = check_mode(device, rules, recorder);
    }
    let manifests = manifests?;
    revocation::check(evidence, &devices, &manifests, rules, now, recorder);
    let manifests = reference::check(&devices, &manifests, rules, recorder);
    fabric::check(&devices, rules, recorder);
    let claims = |device: &VerifiedDevice| DeviceClaims::new(&device.report, &device.chain);
    Some(Claims {
        devices: devices.iter().map(claims).collect(),
        manifests,
    })
}

/// Verifies the certificates and, with the leaf's key, the report.
fn verify_device(
    device: &Device<'_>,
    anchors: &Anchors,
    now: UnixSeconds,
    links: &mut Links,
    recorder: &mut Recorder,
) -> Option<VerifiedDevice> {
    let report = parse_report(device.report, recorder);
    let chain = verify_chain(device, anchors, now, links, recorder)?;
    let report = verify_report(&report?, &chain, recorder)?;
    Some(VerifiedDevice {
        report,
        chain,
        mode: None,
    })
}

fn parse_report(bytes: &[u8], recorder: &mut Recorder) -> Option<Report> {
    match Report::parse(bytes) {
        Ok(report) => {
            recorder.pass(Check::GpuReportFormat, "SPDM 1.1 measurements");
            Some(report)
        }
        Err(error) => {
            let found = error.to_string();
            recorder.fail(Check::GpuReportFormat, Code::ReportMalformed, found);
            None
        }
    }
}

/// The chain says what the device is; it must be what it is presented as.
fn verify_chain(
    device: &Device<'_>,
    anchors: &Anchors,
    now: UnixSeconds,
    links: &mut Links,
    recorder: &mut Recorder,
) -> Option<DeviceChain> {
    let chain = verify_certificates(device.certificates, anchors, now, links, recorder)?;
    let chip = &chain.chip;
    recorder.compare(
        Check::GpuArchitecture,
        chip.architecture.kind() == device.kind,
        Code::ProductMismatch,
        device.kind.to_string(),
        format!("{} ({})", chip.architecture.kind(), chip.name),
    );
    Some(chain)
}

pub(super) fn verify_certificates(
    text: &[u8],
    anchors: &Anchors,
    now: UnixSeconds,
    links: &mut Links,
    recorder: &mut Recorder,
) -> Option<DeviceChain> {
    match DeviceChain::verify(text, anchors, now, links) {
        Ok(chain) => {
            recorder.pass(Check::GpuCertificateChain, chain.chip.name.clone());
            Some(chain)
        }
        Err(error) => {
            let code = chain_code(&error);
            recorder.fail(Check::GpuCertificateChain, code, error.to_string());
            None
        }
    }
}

fn chain_code(error: &ChainError) -> Code {
    match error {
        ChainError::Chip => Code::ProductMismatch,
        ChainError::NotSecure => Code::DeviceNotSecure,
        ChainError::Path(error) => error.code(),
        ChainError::Count { .. } | ChainError::FirmwareId | ChainError::Text => {
            Code::CertificateMalformed
        }
    }
}

fn verify_report(
    report: &Report,
    chain: &DeviceChain,
    recorder: &mut Recorder,
) -> Option<VerifiedReport> {
    match report.verify(&chain.key) {
        Ok(report) => {
            let found = format!("{} measurements", report.measurements.len());
            recorder.pass(Check::GpuReportSignature, found);
            Some(report)
        }
        Err(error) => {
            let found = error.to_string();
            recorder.fail(Check::GpuReportSignature, Code::ReportSignature, found);
            None
        }
    }
}

/// Whatever the nonce is, all devices must have signed the same: they are shown as one machine.
fn check_nonces(devices: &[VerifiedDevice], rules: &Rules, recorder: &mut Recorder) {
    let check = Check::GpuNonce;
    let expected = match (rules.nonce, devices) {
        (NonceRule::Exactly(nonce), _) => nonce,
        (NonceRule::Any, [_]) => return recorder.gap(check, Gap::GpuNonceNotCompared),
        (NonceRule::Any, [first, ..]) => first.report.nonce,
        (NonceRule::Any, []) | (NonceRule::Unknown, _) => {
            return recorder.fail(check, Code::ReferenceValuesEmpty, "no nonce to expect");
        }
    };
    for device in devices {
        let found = &device.report.nonce;
        recorder.compare(
            check,
            bool::from(found.ct_eq(&expected)),
            Code::NonceMismatch,
            hex::encode(expected),
            hex::encode(found),
        );
    }
    if rules.nonce == NonceRule::Any {
        recorder.gap(check, Gap::GpuNonceNotCompared);
    }
}

/// Drivers before 550 do not report the identifier; the certificate always has it.
fn check_firmware_id(device: &VerifiedDevice, recorder: &mut Recorder) {
    let check = Check::GpuFirmwareId;
    match device.report.opaque.get(FIRMWARE_ID) {
        None => recorder.gap(check, Gap::GpuFirmwareIdAbsent),
        Some(found) => recorder.compare(
            check,
            found == device.chain.firmware_id.as_bytes(),
            Code::FirmwareIdMismatch,
            device.chain.firmware_id.to_string(),
            hex::encode(found),
        ),
    }
}

/// The feature flag and the older status field must agree, where there are both, and suit the rule.
fn check_mode(device: &VerifiedDevice, rules: &Rules, recorder: &mut Recorder) -> Option<Mode> {
    let check = Check::GpuMode;
    if device.kind() == DeviceKind::Switch {
        recorder.pass(check, "a switch has none");
        return None;
    }
    let Some(mode) = read_mode(&device.report) else {
        recorder.fail(
            check,
            Code::GpuModeNotAllowed,
            "the report contradicts itself",
        );
        return None;
    };
    let name = |mode: Option<Mode>| mode.map_or("not reported", Mode::as_str);
    match rules.mode {
        Some(_) => recorder.compare(
            check,
            rules.mode == mode,
            Code::GpuModeNotAllowed,
            name(rules.mode),
            name(mode),
        ),
        None => recorder.pass(check, name(mode)),
    }
    mode
}

/// The mode, `Some(None)` if the report has neither field and `None` if it is not a possible one.
#[expect(clippy::option_option, reason = "documented above")]
fn read_mode(report: &VerifiedReport) -> Option<Option<Mode>> {
    let opaque = &report.opaque;
    let is_protected = match opaque.get(PROTECTED_PCIE_STATUS) {
        None => None,
        Some([ON]) => Some(true),
        Some([OFF]) => Some(false),
        Some(_) => return None,
    };
    let flag = match opaque.get(FEATURE_FLAG) {
        None => None,
        Some(_) => Some(opaque.u16(FEATURE_FLAG).and_then(Mode::from_flag)?),
    };
    match (flag, is_protected) {
        (Some(mode), Some(protected)) => {
            ((mode == Mode::ProtectedPcie) == protected).then_some(flag)
        }
        (Some(_), None) => Some(flag),
        (None, Some(true)) => Some(Some(Mode::ProtectedPcie)),
        (None, _) => Some(None),
    }
}

/// Eight GPUs and four switches are the largest machine of today.
const MAX_DEVICES: usize = 64;

/// nvtrust: how the status fields say yes and no.
pub(super) const ON: u8 = 0xAA;
pub(super) const OFF: u8 = 0x55;

#[cfg(test)]
mod tests;
