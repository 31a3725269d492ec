//! Nodes of `spec/vectors/nodes.json`, through the collectors themselves: kernel,
//! secure module and driver answer what the vectors say, and only to the
//! challenge they say. The bundle must be that of the vectors to the last byte;
//! crate `attest` accepts it.

use serde_json::{Value, json};
use subrosa_attest::Bundle;

use super::*;
use crate::settings::GpuSettings;

const VECTORS: &str = include_str!("../../../../../spec/vectors/nodes.json");

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn node(name: &str) -> Value {
    let vectors = vectors();
    let mut nodes = vectors["nodes"].as_array().unwrap().iter();
    nodes.find(|node| node["name"] == name).unwrap().clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn now() -> UnixSeconds {
    UnixSeconds::new(1_780_272_000)
}

/// A machine whose files are those of the node.
fn machine(node: &Value, platform: Box<dyn Collector>) -> (Machine, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tdx = folder.path().join("tdx");
    let gpu = folder.path().join("gpu");
    for (path, collateral) in [
        (&tdx, &node["collateral"]),
        (&gpu, &node["gpu"]["collateral"]),
    ] {
        if !collateral.is_null() {
            std::fs::write(path, bytes(collateral)).unwrap();
        }
    }
    let settings = json!({ "kind": "tdx", "collateral": tdx });
    let settings: PlatformSettings = serde_json::from_value(settings).unwrap();
    let gpus: GpuSettings = serde_json::from_value(json!({ "collateral": [gpu] })).unwrap();
    let files = Files::of(&settings, Some(&gpus));
    (Machine::new(platform).with_files(files, now), folder)
}

fn assert_is_the_bundle(machine: &Machine, node: &Value) {
    let key_configuration = bytes(&vectors()["key_configuration"]);
    let bundle = machine.bundle(&key_configuration).unwrap();
    let expected = Bundle::parse(&bytes(&node["bundle"])).unwrap();
    assert_eq!(bundle.as_bytes(), expected.as_bytes(), "{}", node["name"]);
    // For another key the machine is asked something else.
    assert!(machine.bundle(b"another key configuration").is_err());
}

#[test]
fn a_node_on_tdx_serves_the_bundle_that_devices_accept() {
    let node = node("intel-tdx");
    let tdx = crate::tsm::answering(bytes(&node["report_data"]), bytes(&node["quote"]));
    let (machine, _folder) = machine(&node, tdx);
    assert_is_the_bundle(&machine, &node);
}

#[cfg(feature = "nvidia")]
#[test]
fn a_node_with_a_gpu_serves_the_bundle_that_devices_accept() {
    let node = node("intel-tdx with a GPU");
    let tdx = crate::tsm::answering(bytes(&node["report_data"]), bytes(&node["quote"]));
    let gpu = NvidiaDevice {
        report: bytes(&node["gpu"]["report"]),
        certificates: bytes(&node["gpu"]["certificates"]),
    };
    let nvidia = crate::nvidia::answering(bytes(&node["gpu"]["nonce"]), gpu);
    let (machine, _folder) = machine(&node, tdx);
    assert_is_the_bundle(&machine.with_gpus(nvidia), &node);
}

#[cfg(feature = "nitro")]
#[test]
fn a_node_on_nitro_serves_the_bundle_that_devices_accept() {
    let node = node("aws-nitro");
    let nitro = crate::nitro::answering(bytes(&node["report_data"]), bytes(&node["document"]));
    let (machine, _folder) = machine(&node, nitro);
    assert_is_the_bundle(&machine, &node);
}

/// Answers only to the bytes that the vectors say.
struct Answering {
    short: Option<Vec<u8>>,
    report_data: Option<Vec<u8>>,
    evidence: Evidence,
}

impl Collector for Answering {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        let is = |expected: &Option<Vec<u8>>, found: &[u8]| {
            expected.as_ref().is_none_or(|expected| expected == found)
        };
        if is(&self.short, challenge.short()) && is(&self.report_data, challenge.report_data()) {
            Ok(self.evidence.clone())
        } else {
            Err(CollectError::Conflict)
        }
    }
}

fn quote_of(value: &Value) -> TpmEvidence {
    let list = |name: &str| value[name].as_array().unwrap().iter();
    let mut certificates = list("certificates").map(bytes);
    TpmEvidence {
        quote: bytes(&value["message"]),
        signature: bytes(&value["signature"]),
        key: bytes(&value["public"]),
        certificate: certificates.next(),
        authorities: certificates.collect(),
        registers: list("values")
            .map(|value| {
                let number = value[0].as_u64().unwrap().try_into().unwrap();
                (number, bytes(&value[1]).try_into().unwrap())
            })
            .collect(),
        event_log: None,
    }
}

/// A machine whose certificates are the files of the node.
fn with_files_of(machine: Machine, node: &Value, kind: &str) -> (Machine, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes(&node["certificates"][name])).unwrap();
        path
    };
    let settings = json!({
        "kind": kind,
        "revocation_list": file("revocation_list"),
        "certificates": {
            "vcek": file("vcek"),
            "intermediate": file("ask"),
            "root": file("ark"),
        },
    });
    let settings: PlatformSettings = serde_json::from_value(settings).unwrap();
    (machine.with_files(Files::of(&settings, None), now), folder)
}

#[test]
fn a_node_on_azure_serves_the_bundle_that_devices_accept() {
    let node = node("azure-sev-snp");
    let azure = Answering {
        short: Some(bytes(&node["nonce"])),
        report_data: None,
        evidence: Evidence::Azure {
            report: bytes(&node["report"]),
            quote: quote_of(&node["quote"]),
        },
    };
    let (machine, _folder) = with_files_of(Machine::new(Box::new(azure)), &node, "azure");
    assert_is_the_bundle(&machine, &node);
}

#[test]
fn a_node_with_a_tpm_serves_the_bundle_that_devices_accept() {
    let node = node("sev-snp with a TPM");
    let snp = Answering {
        short: None,
        report_data: Some(bytes(&node["report_data"])),
        evidence: Evidence::Snp {
            report: bytes(&node["report"]),
            certificates: Table::default(),
        },
    };
    let tpm = Answering {
        short: Some(bytes(&node["tpm"]["nonce"])),
        report_data: None,
        evidence: Evidence::Tpm(quote_of(&node["tpm"]["quote"])),
    };
    let machine = Machine::new(Box::new(snp)).with_tpm(Box::new(tpm));
    let (machine, _folder) = with_files_of(machine, &node, "snp");
    assert_is_the_bundle(&machine, &node);
}
