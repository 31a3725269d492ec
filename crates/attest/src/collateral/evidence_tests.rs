//! What recorded evidence asks for, compared with the collateral recorded with it.
//!
//! The evidence is not part of the project. `SUBROSA_EVIDENCE` names its folder;
//! without it the tests are skipped aloud, except in CI.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;

use super::{Collateral, Kind, Label, certificates_of_pem, expiry, manifest_certificates};
use crate::dcap::PlatformQuery;
use crate::fixtures::NOW;
use crate::nvidia;
use crate::snp::{KeyKind, Product, Report};

#[test]
fn a_recorded_report_is_answered_by_its_own_certificate() {
    let mut counted = 0;
    for case in cases("sev-snp") {
        // Real evidence whose certificate is recorded, and fits.
        let (Some(report), Some(vcek)) = (case.file("report.bin"), case.file("vcek.der")) else {
            continue;
        };
        if !case.is_real() || case.json["expected"]["verdict"] != "accept" {
            continue;
        }
        assert_eq!(
            Kind::detect(&report),
            Some(Kind::SevSnpReport),
            "{}",
            case.id
        );
        let query = Report::parse(&report).unwrap().collateral_query();
        if query.kind() == Some(KeyKind::Vcek) {
            assert!(query.is_answered_by(&vcek), "{}", case.id);
            counted += 1;
        }
        let product = query.product().unwrap_or(Product::Milan);
        assert!(case.id.starts_with(&product.to_string()), "{}", case.id);
    }
    eprintln!("{counted} reports compared");
}

#[test]
fn recorded_collateral_of_amd_can_be_carried() {
    for case in cases("sev-snp") {
        let files = ["vcek.der", "ask.pem", "ark.pem", "crl.der"].map(|name| case.file(name));
        let [Some(vcek), Some(ask), Some(ark), Some(crl)] = files else {
            continue;
        };
        let Some(report) = case.file("report.bin").filter(|_| case.is_real()) else {
            continue;
        };
        let der = |pem: &[u8]| certificates_of_pem(pem, 1).unwrap().remove(0);
        let collateral = Collateral::builder(Kind::SevSnpReport, &report, NOW)
            .entry(Label::SnpVcek, "local", vcek)
            .entry(Label::SnpAsk, "local", der(&ask))
            .entry(Label::SnpArk, "local", der(&ark))
            .entry(Label::SnpCrl, "local", crl)
            .build()
            .unwrap();
        assert!(collateral.snp(&report).is_some(), "{}", case.id);
    }
}

#[test]
fn a_recorded_quote_names_its_platform_as_labelled() {
    let mut counted = 0;
    for case in ["tdx", "sgx"].into_iter().flat_map(cases) {
        let fmspc = case.json["claims"]["pck"]["fmspc"].as_str();
        let authority = case.json["claims"]["pck"]["ca"].as_str();
        let quote = case.file("quote.bin");
        let (Some(fmspc), Some(authority), Some(quote)) = (fmspc, authority, quote) else {
            continue;
        };
        let Ok(query) = PlatformQuery::of_quote(&quote) else {
            assert_eq!(case.json["expected"]["verdict"], "reject", "{}", case.id);
            continue;
        };
        let kind = match case.json["tee"].as_str() {
            Some("tdx") => Kind::TdxQuote,
            _ => Kind::SgxQuote,
        };
        assert_eq!(Kind::detect(&quote), Some(kind), "{}", case.id);
        let got = hex::encode(query.fmspc());
        assert_eq!(got, fmspc.to_lowercase(), "{}", case.id);
        let got = query.authority().as_str();
        assert!(authority.to_lowercase().contains(got), "{}", case.id);
        counted += 1;
    }
    eprintln!("{counted} quotes compared");
}

#[test]
fn recorded_collateral_of_intel_can_be_carried() {
    let mut counted = 0;
    for case in ["tdx", "sgx"].into_iter().flat_map(cases) {
        let (Some(quote), Some(file)) = (case.file("quote.bin"), case.file("collateral.json"))
        else {
            continue;
        };
        let json: Value = serde_json::from_slice(&file).unwrap();
        if !case.is_real() || json["tcb_info"].as_str().is_none() {
            continue;
        }
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        let der = |name: &str| hex::decode(text(name)).unwrap();
        // As the service sends it: the signed object and its signature in another.
        let answer = |member: &str, object: &str, signature: &str| {
            let (object, signature) = (text(object), text(signature));
            format!("{{\"{member}\":{object},\"signature\":\"{signature}\"}}")
        };
        let kind = Kind::detect(&quote).unwrap();
        let tcb_info = answer("tcbInfo", "tcb_info", "tcb_info_signature");
        // Older answers have no identifier; the service's version 4 always has.
        if !tcb_info.contains("\"id\"") {
            continue;
        }
        let collateral = Collateral::builder(kind, &quote, NOW)
            .entry(Label::DcapTcbInfo, "local", tcb_info)
            .entry(
                Label::DcapTcbInfoIssuers,
                "local",
                text("tcb_info_issuer_chain"),
            )
            .entry(
                Label::DcapQeIdentity,
                "local",
                answer("enclaveIdentity", "qe_identity", "qe_identity_signature"),
            )
            .entry(
                Label::DcapQeIdentityIssuers,
                "local",
                text("qe_identity_issuer_chain"),
            )
            .entry(Label::DcapPckCrl, "local", der("pck_crl"))
            .entry(
                Label::DcapPckCrlIssuers,
                "local",
                text("pck_crl_issuer_chain"),
            )
            .entry(Label::DcapRootCrl, "local", der("root_ca_crl"))
            .build()
            .unwrap_or_else(|error| panic!("{}: {error}", case.id));
        let parts = collateral.dcap(&quote).unwrap();
        assert_eq!(parts.collateral().tcb_info, text("tcb_info").as_bytes());
        counted += 1;
    }
    eprintln!("{counted} files carried");
}

#[test]
fn a_recorded_device_asks_for_the_manifests_of_its_versions() {
    let mut counted = 0;
    for case in cases("nvidia-gpu") {
        let (Some(report), Some(certificates)) =
            (case.file("report.bin"), case.file("cert_chain.pem"))
        else {
            continue;
        };
        let claims = &case.json["claims"];
        if !case.is_real() || claims["vbios_version"].as_str().is_none() {
            continue;
        }
        assert_eq!(
            Kind::detect(&report),
            Some(Kind::NvidiaReport),
            "{}",
            case.id
        );
        let query = nvidia::CollateralQuery::of_device(&report, &certificates).unwrap();
        let version = claims["vbios_version"].as_str().unwrap().replace('.', "");
        assert!(query.firmware_manifest().ends_with(&version), "{}", case.id);
        let driver = claims["driver_version"].as_str().unwrap();
        match query.driver_manifest() {
            Some(id) => assert!(id.ends_with(&format!("_{driver}")), "{}: {id}", case.id),
            None => assert_eq!(driver, "", "{}", case.id),
        }
        counted += 1;
    }
    eprintln!("{counted} devices compared");
}

#[test]
fn recorded_manifests_say_how_long_their_certificates_are_good() {
    for case in cases("nvidia-gpu") {
        let Ok(folder) = fs::read_dir(case.folder.join("rims")) else {
            continue;
        };
        for entry in folder {
            let path = entry.unwrap().path();
            let manifest = fs::read(&path).unwrap();
            let certificates = manifest_certificates(&manifest).unwrap();
            assert_eq!(certificates.len(), 4, "{}", path.display());
            let expiry = expiry(Label::NvidiaRimFirmware, &manifest).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            let label = &case.json["claims"][name]["leaf_not_after"];
            if let Some(label) = label.as_str() {
                assert_eq!(expiry.to_string(), label, "{name}");
            }
        }
    }
}

struct Case {
    id: String,
    folder: PathBuf,
    json: Value,
}

impl Case {
    fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(name)).ok()
    }

    fn is_real(&self) -> bool {
        self.json["real_hardware_evidence"] == true
    }
}

fn cases(tee: &str) -> Vec<Case> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    let root = env::var_os("SUBROSA_EVIDENCE").map_or(beside, PathBuf::from);
    let Ok(folders) = fs::read_dir(root.join(tee)) else {
        let is_ci = env::var("CI").as_deref() == Ok("true");
        assert!(!is_ci, "no evidence at {}", root.display());
        eprintln!("skipped: no evidence at {}", root.display());
        return Vec::new();
    };
    let cases: Vec<_> = folders
        .filter_map(|entry| {
            let folder = entry.unwrap().path();
            let text = fs::read_to_string(folder.join("case.json")).ok()?;
            let json: Value = serde_json::from_str(&text).unwrap();
            let id = json["id"].as_str().unwrap().to_owned();
            Some(Case { id, folder, json })
        })
        .collect();
    assert!(!cases.is_empty(), "no case in {}", root.display());
    cases
}
