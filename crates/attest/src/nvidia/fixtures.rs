//! Devices, certificates and manifests for tests: all good until a test spoils one thing.
//!
//! The manifests are written in canonical form by hand, so the tests do not rest on our own canonicalisation.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::doc_markdown,
    clippy::format_collect,
    clippy::type_complexity,
    reason = "tests"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha384};

use super::opaque::{
    CHIP_SKU, DRIVER_VERSION, FEATURE_FLAG, FIRMWARE_ID, NVDEC0_STATUS, PROJECT, PROJECT_SKU,
    PROTECTED_PCIE_STATUS, SWITCH_GPU_PDIS, SWITCH_PDIS, VBIOS_VERSION,
};
use super::{Anchors, Claims, Device, DeviceKind, Evidence, Rules, appraise};
use crate::appraisal::{Code, EvidenceAppraisal};
use crate::bundle::gpu;
use crate::development::certificates::{CertificateDraft, ExtensionDraft};
use crate::development::der::{INTEGER, OCTET_STRING, SEQUENCE, element, identifier};
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft};
use crate::time::UnixSeconds;
use crate::x509::ocsp::fixtures::AnswerDraft;

pub(crate) const NONCE: [u8; 32] = [0xA7; 32];
pub(crate) const FIRMWARE: [u8; 48] = [0xF1; 48];
pub(crate) const DRIVER: &str = "550.90.07";
pub(crate) const VBIOS: &str = "96.00.9F.00.01";
pub(crate) const SWITCH_BIOS: &str = "96.10.55.00.01";

/// Everything an appraisal needs.
pub(crate) struct Setup {
    pub(crate) devices: Vec<DeviceDraft>,
    pub(crate) manifests: Vec<ManifestDraft>,
    /// Answers about revocation, in DER.
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) rules: Rules,
    pub(crate) now: UnixSeconds,
}

impl Setup {
    /// One GPU with both its manifests.
    pub(crate) fn gpu() -> Self {
        Self {
            devices: vec![DeviceDraft::gpu(1)],
            manifests: vec![ManifestDraft::driver(), ManifestDraft::vbios()],
            answers: Vec::new(),
            rules: Rules::default().nonce(NONCE),
            now: NOW,
        }
    }

    /// Two GPUs in protected PCIe mode behind one switch, with their manifests.
    pub(crate) fn fabric() -> Self {
        let mut setup = Self::gpu();
        let gpus = [1, 2].map(|number| DeviceDraft::gpu(number).protected(&[pdi(9)]));
        setup.devices = gpus.into();
        setup
            .devices
            .push(DeviceDraft::switch(9, &[pdi(1), pdi(2)]));
        setup.manifests.push(ManifestDraft::switch());
        setup
    }

    pub(crate) fn device(&mut self) -> &mut DeviceDraft {
        &mut self.devices[0]
    }

    pub(crate) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// The parts of a bundle that carry the devices and their collateral.
    pub(crate) fn parts(&self) -> (Vec<u8>, Vec<u8>) {
        let devices: Vec<_> = self
            .devices
            .iter()
            .map(|draft| (draft.kind, draft.report(), draft.pem()))
            .collect();
        let devices: Vec<_> = devices
            .iter()
            .map(|(kind, report, certificates)| Device {
                kind: *kind,
                report,
                certificates: certificates.as_bytes(),
            })
            .collect();
        let manifests: Vec<_> = self.manifests.iter().map(ManifestDraft::sign).collect();
        let collateral = gpu::Collateral {
            manifests: manifests.iter().map(String::as_bytes).collect(),
            revocation_answers: self.answers.iter().map(Vec::as_slice).collect(),
        };
        (
            gpu::encode_devices(&devices),
            gpu::encode_collateral(&collateral),
        )
    }

    pub(crate) fn appraise(&self) -> EvidenceAppraisal<Claims> {
        let devices: Vec<_> = self
            .devices
            .iter()
            .map(|draft| (draft.kind, draft.report(), draft.pem()))
            .collect();
        let manifests: Vec<_> = self.manifests.iter().map(ManifestDraft::sign).collect();
        let evidence = Evidence {
            devices: devices
                .iter()
                .map(|(kind, report, certificates)| Device {
                    kind: *kind,
                    report,
                    certificates: certificates.as_bytes(),
                })
                .collect(),
            manifests: manifests.iter().map(String::as_bytes).collect(),
            revocation_answers: self.answers.iter().map(Vec::as_slice).collect(),
        };
        appraise(&evidence, &self.rules, &anchors(), self.now)
    }

    /// The code of the refusal, if it is one.
    pub(crate) fn refusal(&self) -> Option<Code> {
        self.appraise().verdict().err()
    }
}

/// Anchors that pin the roots of this module.
pub(crate) fn anchors() -> Anchors {
    Anchors {
        device: [device_root().digest()],
        manifest: [manifest_root().digest()],
    }
}

/// One GPU for tests elsewhere: report, certificates (PEM), manifests of driver and VBIOS.
pub(crate) fn gpu_files() -> (Vec<u8>, String, [String; 2]) {
    let device = DeviceDraft::gpu(1);
    let manifests = [ManifestDraft::driver(), ManifestDraft::vbios()];
    (
        device.report(),
        device.pem(),
        manifests.map(|draft| draft.sign()),
    )
}

fn device_root() -> TestKey {
    TestKey::p384(100)
}

fn manifest_root() -> TestKey {
    TestKey::p384(101)
}

/// The identifier of the device with this number.
pub(crate) fn pdi(number: u8) -> [u8; 8] {
    [0x20, 1, 2, 3, 4, 5, 6, number]
}

/// Certificates, leaf first, and the keys that sign them: that of the certificate above.
pub(crate) struct Chain {
    pub(crate) drafts: Vec<CertificateDraft>,
    pub(crate) signers: Vec<TestKey>,
}

impl Chain {
    fn der(&self) -> Vec<Vec<u8>> {
        let pairs = self.drafts.iter().zip(&self.signers);
        pairs.map(|(draft, signer)| signer.certify(draft)).collect()
    }

    /// The issuer's answer about the certificate at this place.
    pub(crate) fn answer(&self, at: usize) -> AnswerDraft {
        let der = self.der();
        AnswerDraft::new(&der[at], &der[at + 1], &self.signers[at])
    }
}

/// One device.
pub(crate) struct DeviceDraft {
    pub(crate) kind: DeviceKind,
    pub(crate) chain: Chain,
    /// Who signs the report.
    pub(crate) report_key: TestKey,
    pub(crate) nonce: [u8; 32],
    pub(crate) measurements: Vec<[u8; 48]>,
    pub(crate) opaque: Vec<(u16, Vec<u8>)>,
    /// Changes the messages before they are signed.
    pub(crate) edit: Box<dyn Fn(&mut Vec<u8>)>,
    /// Stands behind the signature.
    pub(crate) trailing: Vec<u8>,
}

impl DeviceDraft {
    pub(crate) fn gpu(number: u8) -> Self {
        let opaque = vec![
            (VBIOS_VERSION, vec![0x00, 0x9F, 0x00, 0x96, 0x01, 0, 0, 0]),
            (CHIP_SKU, b"882\0\0".to_vec()),
            (PROJECT, b"1010\0".to_vec()),
            (PROJECT_SKU, b"0200\0".to_vec()),
            (DRIVER_VERSION, b"550.90.07\0".to_vec()),
            (NVDEC0_STATUS, vec![0xAA]),
            (FIRMWARE_ID, FIRMWARE.to_vec()),
            (PROTECTED_PCIE_STATUS, vec![0x55]),
            (FEATURE_FLAG, vec![0, 0]),
        ];
        Self::new(DeviceKind::Gpu, "GH100", "GSP", number, opaque)
    }

    pub(crate) fn switch(number: u8, gpus: &[[u8; 8]]) -> Self {
        let mut pdis = gpus.concat();
        pdis.resize(64, 0xFF);
        // A map of ports follows.
        pdis.extend([1; 64]);
        let opaque = vec![
            (VBIOS_VERSION, SWITCH_BIOS.as_bytes().to_vec()),
            (SWITCH_PDIS, pdi(number).to_vec()),
            (SWITCH_GPU_PDIS, pdis),
        ];
        Self::new(DeviceKind::Switch, "LS_10", "FSP", number, opaque)
    }

    fn new(
        kind: DeviceKind,
        chip: &str,
        engine: &str,
        number: u8,
        opaque: Vec<(u16, Vec<u8>)>,
    ) -> Self {
        let keys = [number, 50 + number, 102, 103].map(TestKey::p384);
        let leaf = format!("{chip} A01 {engine} FMC LF");
        let device = format!("{chip} A01 {engine} BROM");
        let provisioner = format!("NVIDIA {chip} Provisioner ICA 1");
        let names = [
            &leaf,
            &device,
            &provisioner,
            "NVIDIA GH100 Identity",
            "Root",
        ];
        let mut drafts = vec![leaf_draft(names[0], names[1], &keys[0])];
        for at in 1..4 {
            drafts.push(authority_draft(names[at], names[at + 1], &keys[at]));
        }
        drafts.push(authority_draft("Root", "Root", &device_root()));
        drafts[0].extensions.push(composite_device_id(&keys[1]));
        drafts[1].serial = [&[0x41], pdi(number).as_slice()].concat();
        let [leaf_key, above @ ..] = keys;
        Self {
            kind,
            chain: Chain {
                drafts,
                signers: above
                    .into_iter()
                    .chain([device_root(), device_root()])
                    .collect(),
            },
            report_key: leaf_key,
            nonce: NONCE,
            measurements: (1..=64).map(|block| [block; 48]).collect(),
            opaque,
            edit: Box::new(|_| ()),
            trailing: Vec::new(),
        }
    }

    /// The same in protected PCIe mode, behind these switches.
    pub(crate) fn protected(mut self, switches: &[[u8; 8]]) -> Self {
        self.set(PROTECTED_PCIE_STATUS, &[0xAA]);
        self.set(FEATURE_FLAG, &[2, 0]);
        let reversed = switches.iter().flat_map(|pdi| pdi.iter().rev().copied());
        let pdis: Vec<u8> = reversed.collect();
        self.set(SWITCH_PDIS, &pdis);
        self
    }

    /// Replaces or adds a field of the opaque data.
    pub(crate) fn set(&mut self, kind: u16, value: &[u8]) {
        self.remove(kind);
        self.opaque.push((kind, value.to_vec()));
    }

    pub(crate) fn remove(&mut self, kind: u16) {
        self.opaque.retain(|(known, _)| *known != kind);
    }

    pub(crate) fn report(&self) -> Vec<u8> {
        let mut bytes = self.messages();
        (self.edit)(&mut bytes);
        bytes.extend(self.report_key.sign_fixed(&bytes));
        bytes.extend(&self.trailing);
        bytes
    }

    /// Request and response, up to the signature.
    fn messages(&self) -> Vec<u8> {
        let mut record = Vec::new();
        for (index, digest) in (1..).zip(&self.measurements) {
            record.extend([index, 1, 51, 0, 1, 48, 0]);
            record.extend(digest);
        }
        let mut opaque = Vec::new();
        for (kind, value) in &self.opaque {
            opaque.extend(kind.to_le_bytes());
            opaque.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
            opaque.extend(value);
        }
        let record_len = u32::try_from(record.len()).unwrap().to_le_bytes();
        let opaque_len = u16::try_from(opaque.len()).unwrap().to_le_bytes();
        let count = u8::try_from(self.measurements.len()).unwrap();
        [
            &[0x11, 0xE0, 0x01, 0xFF],
            self.nonce.as_slice(),
            &[0, 0x11, 0x60, 0, 0, count],
            &record_len[..3],
            &record,
            &[0x5E; 32],
            &opaque_len,
            &opaque,
        ]
        .concat()
    }

    pub(crate) fn pem(&self) -> String {
        let text = |der: Vec<u8>| {
            let body = STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        self.chain.der().into_iter().map(text).collect()
    }
}

/// The extension of Hopper's leaf certificates.
fn composite_device_id(device: &TestKey) -> ExtensionDraft {
    let version = element(INTEGER, &[&[1]]);
    let value = element(SEQUENCE, &[&version, &device.spki(), &fwid(&FIRMWARE)]);
    ExtensionDraft::new("2.23.133.5.4.1", false, value)
}

/// The extension of Blackwell's leaf certificates; `flags` are its operational flags.
pub(crate) fn tcb_info(flags: u8) -> ExtensionDraft {
    let fwids = [fwid(&FIRMWARE), fwid(&[0; 48])].concat();
    let flags = [0, flags, 0, 0, 1];
    let value = element(
        SEQUENCE,
        &[
            &element(0x80, &[b"NVIDIA"]),
            &element(0xA6, &[&fwids]),
            &element(0x87, &[&flags]),
        ],
    );
    ExtensionDraft::new("2.23.133.5.4.1.1", false, value)
}

fn fwid(digest: &[u8; 48]) -> Vec<u8> {
    let algorithm = identifier("2.16.840.1.101.3.4.2.2");
    element(SEQUENCE, &[&algorithm, &element(OCTET_STRING, &[digest])])
}

/// A measurement of a manifest: index, whether it is active, good values.
pub(crate) type Resource = (u8, bool, Vec<[u8; 48]>);

/// One manifest.
pub(crate) struct ManifestDraft {
    pub(crate) version: String,
    pub(crate) edition: String,
    pub(crate) product: String,
    pub(crate) resources: Vec<Resource>,
    pub(crate) chain: Chain,
    /// Who signs the manifest.
    pub(crate) key: TestKey,
    /// Changes the content before it is signed.
    pub(crate) edit: Box<dyn Fn(String) -> String>,
    /// Changes the signed document.
    pub(crate) tamper: Box<dyn Fn(String) -> String>,
}

impl ManifestDraft {
    /// Measurements 21 and 35 of the driver; two values are good for the first.
    pub(crate) fn driver() -> Self {
        let resources = vec![
            (20, false, vec![[0; 48]]),
            (21, true, vec![[0xEE; 48], [22; 48]]),
            (35, true, vec![[36; 48]]),
        ];
        Self::new(DRIVER, "GPU", "GH100", resources)
    }

    pub(crate) fn vbios() -> Self {
        let resources = vec![(0, true, vec![[1; 48]]), (9, true, vec![[10; 48]])];
        Self::new(VBIOS, "GPU", "GH100", resources)
    }

    pub(crate) fn switch() -> Self {
        let resources = vec![(0, true, vec![[1; 48]])];
        Self::new(SWITCH_BIOS, "SWITCH", "LS10", resources)
    }

    fn new(version: &str, edition: &str, product: &str, resources: Vec<Resource>) -> Self {
        let [leaf, issuer, authority] = [110, 111, 112].map(TestKey::p384);
        let drafts = vec![
            leaf_draft("L4", "L3", &leaf),
            authority_draft("L3", "L2", &issuer),
            authority_draft("L2", "Manifests", &authority),
            authority_draft("Manifests", "Manifests", &manifest_root()),
        ];
        Self {
            version: version.to_owned(),
            edition: edition.to_owned(),
            product: product.to_owned(),
            resources,
            chain: Chain {
                drafts,
                signers: vec![issuer, authority, manifest_root(), manifest_root()],
            },
            key: leaf,
            edit: Box::new(|content| content),
            tamper: Box::new(|document| document),
        }
    }

    /// The signed document.
    pub(crate) fn sign(&self) -> String {
        let content = (self.edit)(self.content());
        let digest = STANDARD.encode(Sha384::digest(content.as_bytes()));
        let signed_info = signed_info(&digest);
        // Where it stands, the namespaces are in scope; alone it declares them.
        let canonical = signed_info.replacen(
            "<ds:SignedInfo>",
            &format!("<ds:SignedInfo xmlns=\"{SWID}\" xmlns:ds=\"{DSIG}\" xmlns:hash=\"{HASH}\">"),
            1,
        );
        let value = STANDARD.encode(self.key.sign_fixed(canonical.as_bytes()));
        let certificates: String = self
            .chain
            .der()
            .into_iter()
            .map(|der| {
                format!(
                    "<ds:X509Certificate>{}</ds:X509Certificate>",
                    STANDARD.encode(der)
                )
            })
            .collect();
        let signature = format!(
            "<ds:Signature xmlns:ds=\"{DSIG}\">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>\
             <ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data></ds:KeyInfo></ds:Signature>"
        );
        let end = "</SoftwareIdentity>";
        let document = content.replacen(end, &format!("{signature}{end}"), 1);
        (self.tamper)(document)
    }

    fn content(&self) -> String {
        let resources: String = self.resources.iter().map(resource).collect();
        let (version, edition, product) = (&self.version, &self.edition, &self.product);
        format!(
            "<SoftwareIdentity xmlns=\"{SWID}\" xmlns:hash=\"{HASH}\" name=\"test\">\n\
             <Meta colloquialVersion=\"{version}\" edition=\"{edition}\" product=\"{product}\"></Meta>\n\
             <Payload>{resources}</Payload></SoftwareIdentity>"
        )
    }
}

fn resource((index, is_active, digests): &Resource) -> String {
    let active = if *is_active { "True" } else { "False" };
    let count = digests.len();
    let hashes: String = digests
        .iter()
        .enumerate()
        .map(|(number, digest)| format!(" hash:Hash{number}=\"{}\"", hex::encode(digest)))
        .collect();
    format!(
        "<Resource active=\"{active}\" alternatives=\"{count}\" index=\"{index}\" size=\"48\" \
         type=\"Measurement\"{hashes}></Resource>\n"
    )
}

fn signed_info(digest: &str) -> String {
    format!(
        "<ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384\"></ds:SignatureMethod>\
         <ds:Reference URI=\"\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>\
         <ds:Transform Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#sha384\"></ds:DigestMethod>\
         <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
}

pub(crate) const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
pub(crate) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(crate) const HASH: &str = "http://www.w3.org/2001/04/xmlenc#sha384";
