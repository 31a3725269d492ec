//! Whole nodes, with collectors that answer from memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::sync::{Arc, Mutex};

use subrosa_attest::bundle::PlatformEvidence;

use super::*;

mod nodes;

/// Answers the same each time, and keeps what it was asked.
#[derive(Clone)]
struct Fake {
    evidence: Evidence,
    asked: Arc<Mutex<Vec<Challenge>>>,
}

impl Fake {
    fn new(evidence: Evidence) -> Self {
        Self {
            evidence,
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> Vec<Challenge> {
        self.asked.lock().unwrap().clone()
    }
}

impl Collector for Fake {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        self.asked.lock().unwrap().push(*challenge);
        Ok(self.evidence.clone())
    }
}

fn nitro() -> Fake {
    Fake::new(Evidence::Nitro {
        document: b"document".to_vec(),
    })
}

fn gpus() -> Fake {
    Fake::new(Evidence::Nvidia {
        devices: vec![NvidiaDevice {
            report: b"report".to_vec(),
            certificates: b"certificates".to_vec(),
        }],
    })
}

#[test]
fn a_bundle_holds_the_key_and_the_evidence_about_it() {
    let platform = nitro();
    let bundle = Machine::new(Box::new(platform.clone()))
        .bundle(b"kc")
        .unwrap();
    assert_eq!(bundle.key_configuration(), b"kc");
    assert_eq!(
        bundle.platform_evidence(),
        PlatformEvidence::AwsNitro(nitro::Evidence {
            document: b"document"
        })
    );
    assert_eq!(platform.asked(), [Challenge::binding(b"kc", None, None)]);
}

#[test]
fn the_platform_vouches_for_exactly_the_devices_in_the_bundle() {
    let (platform, gpus) = (nitro(), gpus());
    let machine = Machine::new(Box::new(platform.clone())).with_gpus(Box::new(gpus.clone()));
    let bundle = machine.bundle(b"kc").unwrap();
    let evidence = bundle.gpu_evidence().unwrap();
    let devices = gpu::parse_devices(evidence).unwrap();
    assert_eq!(devices[0].report, b"report");
    assert_eq!(devices[0].certificates, b"certificates");
    assert_eq!(bundle.gpu_collateral(), None);
    assert_eq!(
        platform.asked(),
        [Challenge::binding(b"kc", None, Some(evidence))]
    );
    assert_eq!(
        gpus.asked()[0].device_nonce(),
        Challenge::binding(b"kc", None, None).device_nonce()
    );
}

fn quote() -> TpmEvidence {
    TpmEvidence {
        quote: b"quote".to_vec(),
        signature: b"signature".to_vec(),
        key: b"key".to_vec(),
        certificate: Some(b"leaf".to_vec()),
        authorities: vec![b"authority".to_vec()],
        registers: vec![(0, [1; 32]), (12, [0; 32])],
        event_log: Some(b"log".to_vec()),
    }
}

fn assert_holds_the_quote(bundle: &Bundle) {
    let evidence = bundle.tpm_evidence().unwrap();
    let found = Quote::parse(evidence).unwrap();
    assert_eq!(found.message, b"quote");
    assert_eq!(found.signature, b"signature");
    assert_eq!(found.public, b"key");
    assert_eq!(found.values, [(0, &[1; 32][..]), (12, &[0; 32])]);
    assert_eq!(found.certificates, [&b"leaf"[..], b"authority"]);
    assert_eq!(bundle.tpm_event_log(), Some(&b"log"[..]));
}

/// A machine whose certificates are files, and the folder they are in.
fn with_certificates(machine: Machine, kind: &str) -> (Machine, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, name).unwrap();
        path
    };
    let settings = serde_json::json!({
        "kind": kind,
        "certificates": {
            "vcek": file("vcek"),
            "intermediate": file("ask"),
            "root": file("ark"),
        },
    });
    let settings: PlatformSettings = serde_json::from_value(settings).unwrap();
    let now = || UnixSeconds::new(1_780_272_000);
    (machine.with_files(Files::of(&settings, None), now), folder)
}

#[test]
fn the_platform_vouches_for_exactly_the_quote_of_the_tpm_beside_it() {
    let platform = Fake::new(Evidence::Snp {
        report: b"report".to_vec(),
        certificates: Table::default(),
    });
    let tpm = Fake::new(Evidence::Tpm(quote()));
    let machine = Machine::new(Box::new(platform.clone())).with_tpm(Box::new(tpm.clone()));
    let (machine, _folder) = with_certificates(machine, "snp");
    let bundle = machine.bundle(b"kc").unwrap();
    assert_holds_the_quote(&bundle);
    let asked = tpm.asked()[0];
    assert_eq!(
        asked.short(),
        &subrosa_attest::binding::tpm_nonce(b"kc", None)
    );
    let evidence = bundle.tpm_evidence().unwrap();
    let vouched = subrosa_attest::binding::report_data_with_tpm(b"kc", None, None, evidence);
    assert_eq!(platform.asked()[0].report_data(), &vouched);
}

#[test]
fn the_report_of_a_paravisor_goes_into_the_bundle_with_its_quote_and_certificates() {
    let report = b"report".to_vec();
    let platform = Fake::new(Evidence::Azure {
        report,
        quote: quote(),
    });
    let machine = Machine::new(Box::new(platform.clone()));
    let (machine, _folder) = with_certificates(machine, "azure");
    let bundle = machine.bundle(b"kc").unwrap();
    assert_holds_the_quote(&bundle);
    let PlatformEvidence::Azure(evidence) = bundle.platform_evidence() else {
        panic!("another platform");
    };
    assert_eq!(evidence.report, b"report");
    let AzureHardware::Snp(endorsement) = evidence.hardware else {
        panic!("other hardware");
    };
    assert_eq!(endorsement.leaf, b"vcek");
    let asked = platform.asked()[0];
    let nonce = subrosa_attest::binding::short_report_data(b"kc", None, None);
    assert_eq!(asked.short(), &nonce);
}

#[test]
fn a_tpm_alone_is_a_platform_of_its_own_and_quotes_the_key() {
    let platform = Fake::new(Evidence::Tpm(quote()));
    let machine = Machine::new(Box::new(platform.clone()));
    let bundle = machine.bundle(b"kc").unwrap();
    assert_holds_the_quote(&bundle);
    assert_eq!(bundle.platform_evidence(), PlatformEvidence::Tpm);
    let nonce = subrosa_attest::binding::short_report_data(b"kc", None, None);
    assert_eq!(platform.asked()[0].short(), &nonce);
}

#[test]
fn what_is_no_quote_is_none_of_a_tpm_beside_the_platform() {
    let machine = Machine::new(Box::new(nitro())).with_tpm(Box::new(nitro()));
    assert!(matches!(
        machine.bundle(b"kc"),
        Err(CollectError::NotInBundle { .. })
    ));
}

/// The quote and the collateral of the vectors, which belong together.
#[test]
fn a_quote_goes_into_the_bundle_with_its_collateral_and_not_without() {
    let vectors = include_str!("../../../../spec/vectors/collateral.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let good = &vectors["good"][1];
    let bytes = |field: &str| hex::decode(good[field].as_str().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("collateral");
    let settings = serde_json::json!({ "kind": "tdx", "collateral": path });
    let settings: PlatformSettings = serde_json::from_value(settings).unwrap();
    let machine = Machine::new(Box::new(Fake::new(Evidence::Tdx {
        quote: bytes("evidence"),
        event_log: Some(b"log".to_vec()),
    })))
    .with_files(Files::of(&settings, None), || {
        UnixSeconds::new(1_780_272_000)
    });
    let error = machine.bundle(b"kc").unwrap_err();
    assert!(matches!(error, CollectError::File { .. }), "{error}");
    std::fs::write(&path, bytes("collateral")).unwrap();
    let bundle = machine.bundle(b"kc").unwrap();
    let PlatformEvidence::IntelTdx(evidence) = bundle.platform_evidence() else {
        panic!("another platform")
    };
    assert_eq!(evidence.quote, bytes("evidence"));
    assert_eq!(evidence.event_log, Some(&b"log"[..]));
    assert!(subrosa_attest::dcap::CollateralFile::parse(evidence.collateral).is_ok());
}

#[test]
fn what_no_bundle_holds_is_named_and_can_still_be_collected() {
    for evidence in [
        Evidence::Cca {
            token: b"token".to_vec(),
        },
        Evidence::Sgx {
            quote: b"quote".to_vec(),
        },
    ] {
        let name = evidence.platform();
        let machine = Machine::new(Box::new(Fake::new(evidence.clone())));
        let error = machine.bundle(b"kc").unwrap_err();
        assert!(matches!(error, CollectError::NotInBundle { platform } if platform == name));
        assert_eq!(machine.evidence([1; 64]).unwrap(), [evidence]);
    }
}

#[test]
fn evidence_of_a_platform_is_none_of_devices_and_the_other_way_round() {
    let machine = Machine::new(Box::new(nitro())).with_gpus(Box::new(nitro()));
    assert!(machine.bundle(b"kc").is_err());
    let machine = Machine::new(Box::new(gpus()));
    assert!(machine.bundle(b"kc").is_err());
}

#[test]
fn a_part_that_is_too_long_for_a_bundle_is_an_error() {
    let document = vec![0; 17 * 1024];
    let machine = Machine::new(Box::new(Fake::new(Evidence::Nitro { document })));
    assert!(matches!(
        machine.bundle(b"kc"),
        Err(CollectError::Bundle(_))
    ));
}

#[test]
fn evidence_about_other_bytes_is_of_platform_and_devices() {
    let (platform, gpus) = (nitro(), gpus());
    let machine = Machine::new(Box::new(platform.clone())).with_gpus(Box::new(gpus.clone()));
    let evidence = machine.evidence([3; 64]).unwrap();
    assert_eq!(evidence.len(), 2);
    assert_eq!(platform.asked(), [Challenge::of_bytes([3; 64])]);
    assert_eq!(gpus.asked(), [Challenge::of_bytes([3; 64])]);
}
