//! `spec/vectors/measurements.json`: small images and what is predicted for them.
//! `tests/measure/run` computes the same with other implementations.

#![allow(clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::fixtures::{Image, unified_kernel};
use crate::snp::{
    Boot, Firmware, Guest, ProcessorSignature, Processors, SVSM_INFO, Vmm, launch_digest,
    sev_es_launch_digest, sev_launch_digest, svsm_launch_digest,
};
use crate::tdx::{PageOrder, Tdvf};
use crate::uefi::{BootMethod, Stub, UnifiedKernel};

const PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../spec/vectors/measurements.json"
);
const KERNEL: &[u8] = b"kernel";
const INITRD: &[u8] = b"initrd";
const LINE: &str = "console=ttyS0";
const VARIABLES: u32 = 0x1000;

#[test]
fn vectors_are_what_is_predicted() {
    let text = fs::read(Path::new(PATH)).unwrap();
    let read: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(read, vectors());
}

#[test]
#[ignore = "writes spec/vectors/measurements.json"]
fn write_measurement_vectors() {
    let text = serde_json::to_string_pretty(&vectors()).unwrap();
    fs::write(PATH, text + "\n").unwrap();
}

fn vectors() -> Value {
    let image = Image::new().build();
    let svsm = Image::new().with(SVSM_INFO, 16_u32.to_le_bytes().to_vec());
    let svsm = svsm.build();
    let kernel = unified_kernel();
    json!({
        "firmware": hex::encode(&image),
        "kernel": hex::encode(KERNEL),
        "initrd": hex::encode(INITRD),
        "command_line": LINE,
        "snp": snp(&image),
        "sev": sev(&image),
        "svsm": { "image": hex::encode(&svsm), "variables": VARIABLES, "digests": svsm_digests(&svsm, &image) },
        "tdx": {
            "mrtd_page_by_page": Tdvf::parse(&image).unwrap().mrtd(PageOrder::PageByPage).to_string(),
            "mrtd_section_by_section": Tdvf::parse(&image).unwrap().mrtd(PageOrder::SectionBySection).to_string(),
        },
        "unified_kernel": unified(&kernel),
    })
}

fn snp(image: &[u8]) -> Vec<Value> {
    let firmware = Firmware::parse(image).unwrap();
    let mut entries = Vec::new();
    for (vmm, name) in [
        (Vmm::Qemu, "QEMU"),
        (Vmm::Ec2, "ec2"),
        (Vmm::GoogleCompute, "gce"),
    ] {
        for model in ["EPYC-Milan", "EPYC-Turin"] {
            for (count, features, boots) in [(1, 1, false), (3, 0x21, true)] {
                let guest = Guest {
                    processors: Processors::new(count).unwrap(),
                    signature: ProcessorSignature::of_model(model).unwrap(),
                    features,
                    vmm,
                    boot: boots.then(|| Boot::new(KERNEL, INITRD, LINE)),
                };
                entries.push(json!({
                    "vmm": name,
                    "model": model,
                    "processors": count,
                    "features": features,
                    "kernel": boots,
                    "digest": launch_digest(&firmware, &guest).unwrap().to_string(),
                }));
            }
        }
    }
    entries
}

fn sev(image: &[u8]) -> Value {
    let firmware = Firmware::parse(image).unwrap();
    let boot = Boot::new(KERNEL, INITRD, LINE);
    let signature = ProcessorSignature::of_model("EPYC-Milan").unwrap();
    let processors = Processors::new(2).unwrap();
    let es = sev_es_launch_digest(&firmware, Some(&boot), processors, signature, Vmm::Qemu);
    json!({
        "sev": sev_launch_digest(&firmware, Some(&boot)).unwrap().to_string(),
        "sev_es": es.unwrap().to_string(),
        "model": "EPYC-Milan",
        "processors": 2,
    })
}

fn svsm_digests(svsm: &[u8], image: &[u8]) -> Vec<Value> {
    let (svsm, firmware) = (
        Firmware::parse(svsm).unwrap(),
        Firmware::parse(image).unwrap(),
    );
    let signature = ProcessorSignature::of_model("EPYC-v4").unwrap();
    let digest = |count| {
        let processors = Processors::new(count).unwrap();
        svsm_launch_digest(&svsm, &firmware, VARIABLES, processors, signature).unwrap()
    };
    [1, 2]
        .map(|count| {
            json!({ "processors": count, "model": "EPYC-v4", "digest": digest(count).to_string() })
        })
        .to_vec()
}

fn unified(bytes: &[u8]) -> Value {
    let image = UnifiedKernel::parse(bytes).unwrap();
    let pcr4 = |method| hex::encode(image.pcr4(method).unwrap().value());
    json!({
        "image": hex::encode(bytes),
        "pcr4_direct": pcr4(BootMethod::Direct),
        "pcr4_system_partition": pcr4(BootMethod::SystemPartition),
        "pcr9": hex::encode(image.pcr9(Stub::V252).unwrap().value()),
        "pcr11_stub_252": hex::encode(image.pcr11(Stub::V252).value()),
        "pcr11_stub_257": hex::encode(image.pcr11(Stub::V257).value()),
    })
}
