//! `spec/vectors/nodes.json`: nodes as their machines see them and as devices
//! see them. Written by an ignored test; read here, and by those who collect
//! evidence.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::{Roots, Verdict, appraise};
use super::{azure, nitro, tdx, tpm};
use crate::binding::{report_data, report_data_with_tpm, short_report_data, tpm_nonce};
use crate::bundle::{self, Bundle, TdxEvidence, gpu};
use crate::collateral::{Collateral, Kind, Label};
use crate::dcap::fixtures::{Kind as QuoteKind, Setup as Quote, pem};
use crate::fixtures::{KEY_CONFIGURATION, NOW, Setup};
use crate::identifiers::Sha256Digest;
use crate::nvidia::fixtures::Setup as Devices;
use crate::nvidia::{absent_checkpoint, expected_nonce};
use crate::policy::Policy;

#[test]
#[ignore = "writes the file that the other tests read"]
fn write_the_vectors() {
    let text = serde_json::to_string_pretty(&generate()).unwrap();
    fs::write(path(), text + "\n").unwrap();
}

#[test]
fn the_file_is_what_the_generator_writes() {
    assert_eq!(read(), generate());
}

#[test]
fn the_bundle_of_each_node_is_accepted() {
    let vectors = read();
    let roots = Roots {
        azure: azure::roots().azure,
        tdx: Quote::new(QuoteKind::Td4).anchors(),
        tpm: tpm::Quoted::new().tpm.anchors(),
        ..Setup::new().roots()
    };
    for node in vectors["nodes"].as_array().unwrap() {
        let bundle = Bundle::parse(&bytes(&node["bundle"])).unwrap();
        assert_eq!(
            bundle.key_configuration(),
            bytes(&vectors["key_configuration"])
        );
        let policy = Policy::parse(node["policy"].as_str().unwrap()).unwrap();
        let appraisal = appraise(&bundle, &policy, &roots, NOW);
        assert!(
            matches!(appraisal.verdict(), Verdict::VerifiedWithGaps(_)),
            "{}: {}",
            node["name"],
            appraisal.human_text()
        );
    }
}

fn generate() -> Value {
    json!({
        "key_configuration": hex::encode(KEY_CONFIGURATION),
        "now": NOW.get(),
        "nodes": [
            nitro_node(),
            tdx_node(None),
            tdx_node(Some(&gpu())),
            azure_node(),
            snp_node_with_tpm(),
        ],
    })
}

/// What a machine on Azure is asked and answers, with the certificates of its processor.
fn azure_node() -> Value {
    let node = azure::Node::new();
    let (report, quote) = node.parts();
    json!({
        "name": "azure-sev-snp",
        "nonce": hex::encode(short_report_data(KEY_CONFIGURATION, None, None)),
        "report": hex::encode(report),
        "quote": quote_json(&quote),
        "certificates": certificates(&node.machine.snp),
        "policy": azure::policy(),
        "bundle": hex::encode(node.bundle().as_bytes()),
    })
}

fn snp_node_with_tpm() -> Value {
    let quoted = tpm::Quoted::new();
    let evidence = quoted.evidence();
    let node = quoted.node();
    json!({
        "name": "sev-snp with a TPM",
        "report_data": hex::encode(report_data_with_tpm(KEY_CONFIGURATION, None, None, &evidence)),
        "report": hex::encode(node.report_bytes()),
        "certificates": certificates(&node),
        "tpm": {
            "nonce": hex::encode(tpm_nonce(KEY_CONFIGURATION, None)),
            "quote": quote_json(&evidence),
        },
        "policy": node.policy,
        "bundle": hex::encode(node.bundle().as_bytes()),
    })
}

fn quote_json(evidence: &[u8]) -> Value {
    let quote = bundle::tpm::Quote::parse(evidence).unwrap();
    let values = quote.values.iter();
    json!({
        "message": hex::encode(quote.message),
        "signature": hex::encode(quote.signature),
        "public": hex::encode(quote.public),
        "values": values.map(|(number, value)| json!([number, hex::encode(value)])).collect::<Vec<_>>(),
        "certificates": quote.certificates.iter().map(hex::encode).collect::<Vec<_>>(),
    })
}

fn certificates(setup: &Setup) -> Value {
    let signed = setup.signed();
    json!({
        "vcek": hex::encode(signed.vcek),
        "ask": hex::encode(signed.ask),
        "ark": hex::encode(signed.ark),
        "revocation_list": hex::encode(signed.revocation_list),
    })
}

fn nitro_node() -> Value {
    let document = nitro::document();
    json!({
        "name": "aws-nitro",
        "report_data": hex::encode(report_data(KEY_CONFIGURATION, None, None)),
        "document": hex::encode(document.document()),
        "policy": nitro::policy(|_| {}),
        "bundle": hex::encode(nitro::bundle(&document).as_bytes()),
    })
}

/// A GPU that signed the node's nonce.
fn gpu() -> Devices {
    let nonce = expected_nonce(&Sha256Digest::of(KEY_CONFIGURATION), &absent_checkpoint());
    Devices::gpu().with(|setup| setup.device().nonce = nonce)
}

fn tdx_node(devices: Option<&Devices>) -> Value {
    let parts = devices.map(Devices::parts);
    let evidence = parts.as_ref().map(|(evidence, _)| evidence.as_slice());
    let data = report_data(KEY_CONFIGURATION, None, evidence);
    let quote = Quote::new(QuoteKind::Td4).body_field(tdx::REPORT_DATA, &data);
    let material = quote.material();
    let collateral = tdx::collateral(&material);
    let mut builder = Bundle::builder(KEY_CONFIGURATION).tdx(TdxEvidence {
        quote: &material.quote,
        collateral: &collateral,
        event_log: None,
    });
    let mut node = json!({
        "name": "intel-tdx",
        "report_data": hex::encode(data),
        "quote": hex::encode(&material.quote),
        "collateral": hex::encode(gathered(&quote).as_bytes()),
        "policy": tdx::policy(|_| {}),
    });
    if let Some((evidence, collateral)) = &parts {
        let devices = gpu::parse_devices(evidence).unwrap();
        node["name"] = "intel-tdx with a GPU".into();
        node["gpu"] = json!({
            "nonce": hex::encode(self::gpu().device().nonce),
            "report": hex::encode(devices[0].report),
            "certificates": hex::encode(devices[0].certificates),
            "collateral": hex::encode(gathered_for_gpu(devices[0].report, collateral).as_bytes()),
        });
        builder = builder
            .gpu_evidence(evidence.as_slice())
            .gpu_collateral(collateral.as_slice());
    }
    node["bundle"] = hex::encode(builder.build().unwrap().as_bytes()).into();
    node
}

/// The quote's collateral as it is gathered.
fn gathered(quote: &Quote) -> Collateral {
    let material = quote.material();
    let authorities = pem(&[
        quote.root_key.certify(&quote.authority),
        quote.root_key.certify(&quote.root),
    ]);
    let answer = |name, content: &[u8], signature: &[u8]| {
        let content = core::str::from_utf8(content).unwrap();
        let signature = hex::encode(signature);
        format!("{{\"{name}\":{content},\"signature\":\"{signature}\"}}").into_bytes()
    };
    let entries = [
        (
            Label::DcapTcbInfo,
            answer("tcbInfo", &material.tcb_info, &material.tcb_info_signature),
        ),
        (Label::DcapTcbInfoIssuers, material.tcb_info_issuer_chain),
        (
            Label::DcapQeIdentity,
            answer(
                "enclaveIdentity",
                &material.qe_identity,
                &material.qe_identity_signature,
            ),
        ),
        (
            Label::DcapQeIdentityIssuers,
            material.qe_identity_issuer_chain,
        ),
        (Label::DcapPckCrl, material.pck_crl),
        (Label::DcapPckCrlIssuers, authorities),
        (Label::DcapRootCrl, material.root_ca_crl),
    ];
    let mut builder = Collateral::builder(Kind::TdxQuote, &material.quote, NOW);
    for (label, content) in entries {
        builder = builder.entry(label, "https://vendor.example/part", content);
    }
    builder.build().unwrap()
}

fn gathered_for_gpu(report: &[u8], collateral: &[u8]) -> Collateral {
    let manifests = gpu::parse_collateral(collateral).unwrap().manifests;
    let mut builder = Collateral::builder(Kind::NvidiaReport, report, NOW);
    for (label, manifest) in [Label::NvidiaRimDriver, Label::NvidiaRimFirmware]
        .into_iter()
        .zip(manifests)
    {
        builder = builder.entry(label, "https://vendor.example/part", manifest);
    }
    builder.build().unwrap()
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/nodes.json")
}

fn read() -> Value {
    serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}
