//! Intel's quotes, as our verifier's details and the crate `dcap-qvl` judge them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;
use serde_json::Value;
use subrosa_attest::dcap::{Anchors, CollateralFile, TcbRules};
use subrosa_attest::{Code, UnixSeconds, sgx, tdx};

/// What one verifier says: a status with its advisories, or a refusal before that.
pub type Finding = Result<(String, BTreeSet<String>), String>;

/// A quote with its collateral and its root.
pub struct Case {
    is_tdx: bool,
    quote: Vec<u8>,
    collateral: Vec<u8>,
    root: Vec<u8>,
    now: u64,
}

impl Case {
    /// Reads a case; `None` if it is not a quote with collateral.
    pub fn read(folder: &Path) -> Option<Self> {
        let label: Value =
            serde_json::from_slice(&fs::read(folder.join("case.json")).ok()?).ok()?;
        let date = label["verify_at"].as_str()?;
        let root = ["root_ca.der", "intel_sgx_root_ca.der"]
            .iter()
            .find_map(|name| fs::read(folder.join(name)).ok())?;
        Some(Self {
            is_tdx: label["tee"] == "tdx",
            quote: fs::read(folder.join("quote.bin")).ok()?,
            collateral: fs::read(folder.join("collateral.json")).ok()?,
            root,
            now: seconds(date),
        })
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.collateral).unwrap()
    }

    /// The version of the TCB info.
    pub fn tcb_info_version(&self) -> u64 {
        let info = self.json()["tcb_info"].as_str().unwrap().to_owned();
        serde_json::from_str::<Value>(&info).unwrap()["version"]
            .as_u64()
            .unwrap()
    }

    fn appraisal(&self) -> (Option<Code>, Value) {
        let file = CollateralFile::parse(&self.collateral).unwrap();
        let anchors = Anchors::with_root(&self.root).unwrap();
        let now = UnixSeconds::new(self.now);
        let tcb = TcbRules::strict().minimum_evaluation_number(0);
        if self.is_tdx {
            let evidence = tdx::Evidence {
                quote: &self.quote,
                pck_chain: None,
                collateral: file.collateral(),
                event_log: None,
            };
            let found = tdx::appraise(&evidence, &tdx::Rules::strict().tcb(tcb), &anchors, now);
            (found.verdict().err(), found.to_json())
        } else {
            let evidence = sgx::Evidence {
                quote: &self.quote,
                pck_chain: None,
                collateral: file.collateral(),
            };
            let found = sgx::appraise(&evidence, &sgx::Rules::strict().tcb(tcb), &anchors, now);
            (found.verdict().err(), found.to_json())
        }
    }

    /// Whether our verifier accepts.
    pub fn ours_accepts(&self) -> bool {
        self.appraisal().0.is_none()
    }

    /// The status that our verifier finds, whether it is accepted or not.
    pub fn ours(&self) -> Finding {
        let (code, json) = self.appraisal();
        let code = || code.map_or("none", Code::as_str).to_owned();
        let checks = json["checks"].as_array().unwrap();
        // What must hold before a status means anything.
        let foundation = [
            "quote-format",
            "quote-certificates",
            "attestation-key",
            "quote-signature",
            "tcb-info",
            "qe-identity",
            "platform-revocation",
            "tcb-evaluation",
            "quoting-enclave",
            "tdx-module",
        ];
        let stands = checks.iter().all(|row| {
            !foundation.contains(&row["check"].as_str().unwrap()) || row["outcome"] == "pass"
        });
        let claims = &json["claims"];
        match claims["tcb_status"].as_str() {
            Some(status) if stands => {
                let advisories = claims["advisory_ids"].as_array().unwrap();
                let advisories = advisories
                    .iter()
                    .map(|one| one.as_str().unwrap().to_owned());
                Ok((status.to_owned(), advisories.collect()))
            }
            _ => Err(code()),
        }
    }

    /// The status that theirs finds.
    pub fn theirs(&self) -> Finding {
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        let bytes = |name: &str| hex::decode(text(name)).unwrap();
        let collateral = QuoteCollateralV3 {
            pck_crl_issuer_chain: text("pck_crl_issuer_chain"),
            root_ca_crl: bytes("root_ca_crl"),
            pck_crl: bytes("pck_crl"),
            tcb_info_issuer_chain: text("tcb_info_issuer_chain"),
            tcb_info: text("tcb_info"),
            tcb_info_signature: bytes("tcb_info_signature"),
            qe_identity_issuer_chain: text("qe_identity_issuer_chain"),
            qe_identity: text("qe_identity"),
            qe_identity_signature: bytes("qe_identity_signature"),
            pck_certificate_chain: None,
        };
        QuoteVerifier::new(self.root.clone())
            .allow_debug(true)
            .allow_service_td(true)
            .verify(&self.quote, &collateral, self.now)
            .map(|found| (found.status, found.advisory_ids.into_iter().collect()))
            .map_err(|error| error.to_string())
    }

    /// Attributes that theirs refuses before it has a status.
    pub fn has_weakening_attributes(&self) -> bool {
        let (_, json) = self.appraisal();
        let names = [
            "td-migration",
            "td-sept-ve",
            "td-attributes",
            "td-xfam",
            "enclave-attributes",
        ];
        json["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| names.contains(&row["check"].as_str().unwrap()) && row["outcome"] == "fail")
    }
}

/// Seconds since 1970 of a date in UTC, as `2025-06-15T00:00:00Z`.
fn seconds(date: &str) -> u64 {
    let number = |range: core::ops::Range<usize>| date[range].parse::<u64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Days from civil date, with the year beginning in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    days * 86_400 + number(11..13) * 3_600 + number(14..16) * 60 + number(17..19)
}
