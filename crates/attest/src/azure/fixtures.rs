//! An Azure confidential VM for tests: all good until a test spoils one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "tests"
)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

use super::{Anchors, Claims, Evidence, Hardware, Quote, Rules, SnpEndorsement, appraise};
use crate::EvidenceAppraisal;
use crate::appraisal::Code;
use crate::development::root::Signed;
use crate::fixtures::pki::TestKey;
use crate::fixtures::{MEASUREMENT, NOW, Setup as SnpSetup};
use crate::identifiers::Sha256Digest;
use crate::snp::layout;
use crate::tpm::fixtures::{NONCE, QuoteDraft, values};
use crate::tpm::{self, QuoteSignature, Requirement};

/// Everything an appraisal needs.
pub(crate) struct Setup {
    pub(crate) snp: SnpSetup,
    signed: Signed,
    pub(crate) runtime: Value,
    /// Other report data than the digest of the runtime data.
    pub(crate) report_data: Option<[u8; 64]>,
    pub(crate) header: [u32; 8],
    pub(crate) data_header: [u32; 4],
    pub(crate) padding: Vec<u8>,
    pub(crate) key: TestKey,
    pub(crate) quote: QuoteDraft,
    pub(crate) rules: Rules,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let snp = SnpSetup::new();
        let key = TestKey::rsa_pkcs1();
        Self {
            signed: snp.signed(),
            snp,
            runtime: json!({
                "keys": [jwk("HCLAkPub", &key), jwk("HCLEkPub", &TestKey::rsa_pss())],
                "vm-configuration": { "secure-boot": true, "vmUniqueId": "00" },
                "user-data": "07".repeat(64),
            }),
            report_data: None,
            // Signature, version, size (filled in), request, status, reserved.
            header: [u32::from_le_bytes(*b"HCLA"), 2, 0, 2, 0, 0, 0, 0],
            // Version, SEV-SNP, SHA-256, difference of the stated from the true length.
            data_header: [1, 2, 1, 0],
            padding: vec![0; 100],
            quote: QuoteDraft::new(),
            rules: Rules::strict()
                .paravisors(&[MEASUREMENT])
                .tpm(tpm_rules().nonce(NONCE)),
            key,
        }
    }

    pub(crate) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Changes a field of the hardware report before it is signed.
    pub(crate) fn report_field(self, at: usize, field: &[u8]) -> Self {
        let snp = self.snp.report_field(at, field);
        Self { snp, ..self }
    }

    pub(crate) fn pieces(&self) -> Pieces {
        let runtime = self.runtime.to_string().into_bytes();
        let mut report_data = [0; 64];
        let digest = Sha256Digest::of(&runtime);
        report_data
            .split_at_mut(32)
            .0
            .copy_from_slice(digest.as_bytes());
        let report_data = self.report_data.unwrap_or(report_data);
        let signed = || self.snp_report(&report_data);
        let is_tdx = self.data_header[1] == 4;
        let hardware = if is_tdx {
            td_report(&report_data)
        } else {
            signed()
        };
        let message = self.quote.bytes();
        Pieces {
            report: self.hcl(&hardware, &runtime),
            signature: self.key.sign(&message),
            message,
            public: None,
        }
    }

    fn snp_report(&self, report_data: &[u8; 64]) -> Vec<u8> {
        self.snp
            .report
            .clone()
            .with(layout::REPORT_DATA, report_data)
            .sign(&self.snp.report_key)
    }

    fn hcl(&self, hardware: &[u8], runtime: &[u8]) -> Vec<u8> {
        let length = (runtime.len() as u32).wrapping_add(self.data_header[3]);
        let mut header = self.header;
        header[2] = header[2].wrapping_add(32 + 0x4A0 + 20 + runtime.len() as u32);
        let data_size = 20 + runtime.len() as u32;
        let [version, kind, hash, _] = self.data_header;
        let mut bytes: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
        bytes.extend(hardware);
        let numbers = [data_size, version, kind, hash, length];
        bytes.extend(numbers.into_iter().flat_map(u32::to_le_bytes));
        bytes.extend(runtime);
        bytes.extend(&self.padding);
        bytes
    }

    pub(crate) fn appraise(&self) -> EvidenceAppraisal<Claims> {
        self.appraise_pieces(&self.pieces())
    }

    pub(crate) fn appraise_pieces(&self, pieces: &Pieces) -> EvidenceAppraisal<Claims> {
        self.appraise_edited(pieces, |_| ())
    }

    /// Judges the evidence after `edit` has changed which parts there are.
    pub(crate) fn appraise_edited(
        &self,
        pieces: &Pieces,
        edit: impl FnOnce(&mut Evidence<'_>),
    ) -> EvidenceAppraisal<Claims> {
        let mut evidence = Evidence {
            report: &pieces.report,
            hardware: Some(Hardware::Snp(SnpEndorsement {
                kind: self.snp.kind,
                leaf: &self.signed.vcek,
                intermediate: &self.signed.ask,
                root: &self.signed.ark,
                revocation_list: Some(&self.signed.revocation_list),
            })),
            quote: Some(Quote {
                message: &pieces.message,
                signature: QuoteSignature::RsassaSha256(&pieces.signature),
                public: pieces.public.as_deref(),
                certificates: None,
                values: Some(values(0..=7)),
                event_log: None,
            }),
        };
        edit(&mut evidence);
        let anchors = Anchors::vendor().with_snp(self.snp.anchors());
        appraise(&evidence, &self.rules, &anchors, NOW)
    }

    pub(crate) fn code(&self) -> Option<Code> {
        self.appraise().verdict().err()
    }
}

/// A TDREPORT, which no reader but its own machine's can verify, and the zeros
/// behind it.
fn td_report(report_data: &[u8; 64]) -> Vec<u8> {
    let mut report = vec![0; 0x4A0];
    report[128..192].copy_from_slice(report_data);
    report
}

/// The finished bytes.
#[derive(Clone)]
pub(crate) struct Pieces {
    pub(crate) report: Vec<u8>,
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) public: Option<Vec<u8>>,
}

pub(crate) fn tpm_rules() -> tpm::Rules {
    tpm::Rules::default()
        .key_attributes(Requirement::IfPresent)
        .key_certificate(Requirement::IfPresent)
}

/// A JSON Web Key.
pub(crate) fn jwk(kid: &str, key: &TestKey) -> Value {
    let (TestKey::RsaPkcs1(key) | TestKey::RsaPss(key)) = key else {
        panic!("not an RSA key");
    };
    let modulus = URL_SAFE_NO_PAD.encode(key.to_public_key().n_bytes());
    json!({ "kid": kid, "kty": "RSA", "e": "AQAB", "n": modulus })
}
