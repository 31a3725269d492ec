//! Azure confidential VMs, and certificates of their virtual TPMs.

use serde_json::Value;
use subrosa_attest::azure::{
    Anchors, Evidence, Hardware, Quote, Rules, SnpEndorsement, TdxEndorsement, appraise,
};
use subrosa_attest::dcap::CollateralFile;
use subrosa_attest::tpm::{
    self, KeyCertificates, QuoteSignature, Requirement, appraise_certificates,
};
use subrosa_attest::{Code, UnixSeconds};

use crate::case::pem_certificates;
use crate::snp::Endorsement;
use crate::tpm::{register_values, rules as tpm_rules};
use crate::{Case, CaseError, Judgement};

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    match case.kind() {
        "azure-ak-cert" => Ok(certificates(case)),
        "azure-snp" | "azure-tdx" => machine(case),
        _ => Ok(Judgement::unsupported()),
    }
}

/// Every certificate of an attestation key must be good.
fn certificates(case: &Case) -> Judgement {
    let found = Certificates::of(case);
    let judge = |leaf: &[u8]| {
        let certificates = found.above(leaf);
        let now = now(case, Some(&certificates));
        let anchors = tpm::Anchors::vendor();
        Judgement::of(&appraise_certificates(&certificates, &anchors, now))
    };
    let parts = found
        .leaves
        .iter()
        .map(|(name, leaf)| (name.clone(), judge(leaf)))
        .collect();
    Judgement::of_all(parts).unwrap_or_else(|| Judgement::refused(Code::EvidenceMissing))
}

/// The parts must fit together. Where the case has no certificates for the
/// hardware, that is a gap.
fn machine(case: &Case) -> Result<Judgement, CaseError> {
    let Some(report) = case.file("hcl_report.bin") else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let found = Certificates::of(case);
    let certificates = found.leaves.first().map(|(_, leaf)| found.above(leaf));
    let now = now(case, certificates.as_ref());
    let endorsement = Endorsement::of(case);
    let snp = endorsement.as_ref().map(|endorsement| {
        Hardware::Snp(SnpEndorsement {
            kind: endorsement.kind,
            leaf: &endorsement.leaf,
            intermediate: &endorsement.intermediate,
            root: &endorsement.root,
            revocation_list: endorsement.revocation_list.as_deref(),
        })
    });
    let collateral = match case.file("collateral.json").map(CollateralFile::parse) {
        Some(Err(_)) => return Ok(Judgement::refused(Code::CollateralMalformed)),
        Some(Ok(collateral)) => Some(collateral),
        None => None,
    };
    let tdx = case.file("td_quote.bin").map(|quote| {
        Hardware::Tdx(TdxEndorsement {
            quote,
            collateral: collateral.as_ref().map(CollateralFile::collateral),
        })
    });
    let evidence = Evidence {
        report,
        hardware: snp.or(tdx),
        quote: quote(case, certificates)?,
    };
    let rules = Rules::strict()
        .hardware(Requirement::IfPresent)
        .any_paravisor()
        .quote(Requirement::IfPresent)
        .snp(crate::snp::rules(case)?)
        .tpm(tpm_rules(case, NONCE)?);
    let appraisal = appraise(&evidence, &rules, &Anchors::vendor(), now);
    Ok(Judgement::of(&appraisal).map_claims(flat))
}

fn quote<'a>(
    case: &'a Case,
    certificates: Option<KeyCertificates<'a>>,
) -> Result<Option<Quote<'a>>, CaseError> {
    let (Some(message), Some(signature)) = (case.file("tpm_quote.msg"), case.file("tpm_quote.sig"))
    else {
        return Ok(None);
    };
    Ok(Some(Quote {
        message,
        signature: QuoteSignature::RsassaSha256(signature),
        public: None,
        certificates,
        values: register_values(case)?,
        event_log: case.file("eventlog.bin"),
    }))
}

/// The certificates of a case.
struct Certificates {
    /// Those of attestation keys, by file name.
    leaves: Vec<(String, Vec<u8>)>,
    /// All others.
    authorities: Vec<Vec<u8>>,
}

impl Certificates {
    fn of(case: &Case) -> Self {
        let mut found = Self {
            leaves: Vec::new(),
            authorities: Vec::new(),
        };
        for (name, text) in case.files_in("") {
            let certificates = pem_certificates(text).into_iter();
            if name.contains("ak_cert") {
                found
                    .leaves
                    .extend(certificates.map(|der| (name.to_owned(), der)));
            } else {
                found.authorities.extend(certificates);
            }
        }
        found
    }

    fn above<'a>(&'a self, leaf: &'a [u8]) -> KeyCertificates<'a> {
        KeyCertificates {
            leaf,
            authorities: self.authorities.iter().map(Vec::as_slice).collect(),
        }
    }
}

/// Where the case names no time: a day after the certificate was issued.
fn now(case: &Case, certificates: Option<&KeyCertificates<'_>>) -> UnixSeconds {
    let day_after = || Some(certificates?.valid_from()?.saturating_add(24 * 60 * 60));
    case.verify_at()
        .or_else(day_after)
        .unwrap_or(UnixSeconds::new(0))
}

/// The quote's claims under the names that labels have for them.
fn flat(claims: &mut Value) -> Value {
    let mut claims = claims.take();
    let quote = claims.get_mut("tpm").map(Value::take).unwrap_or_default();
    if let (Value::Object(claims), Value::Object(mut quote)) = (&mut claims, quote) {
        let attest = quote.remove("attest").unwrap_or_default();
        let nonce = attest.get("extra_data").cloned().unwrap_or_default();
        claims.insert("quote_nonce".to_owned(), nonce);
        claims.insert("tpm_quote".to_owned(), attest);
        for (from, to) in [("pcr_digest_ok", "pcr_digest_ok"), ("pcrs", "pcrs_sha256")] {
            claims.insert(to.to_owned(), quote.remove(from).unwrap_or_default());
        }
    }
    claims
}

const NONCE: &str = "expected_nonce";
