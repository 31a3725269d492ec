//! Platforms, quotes and collateral for tests: all good until a test spoils one
//! thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::body::{EnclaveReport, TdReport};
use super::{Anchors, Collateral, TcbRules};
use crate::appraisal::{Code, EvidenceAppraisal, Gap};
use crate::development::certificates::{
    CertificateDraft, ExtensionDraft, RevocationDraft, list_extensions,
};
use crate::development::der::{BOOLEAN, OCTET_STRING, SEQUENCE, element, identifier, unsigned};
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft};
use crate::time::UnixSeconds;
use crate::{sgx, tdx};

pub(crate) const NUMBER: u32 = 19;
pub(crate) const COMPONENTS: [u8; 16] = [7, 9, 3, 3, 200, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 4];
pub(crate) const PCE_SVN: u16 = 13;
pub(crate) const QE_SVN: u16 = 8;

/// Which quote is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Sgx3,
    Sgx5,
    Td4,
    Td5,
    Td15,
}

/// Everything an appraisal needs.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) kind: Kind,
    pub(crate) root_key: TestKey,
    pub(crate) authority_key: TestKey,
    pub(crate) pck_key: TestKey,
    pub(crate) attestation_key: TestKey,
    pub(crate) root: CertificateDraft,
    pub(crate) authority: CertificateDraft,
    pub(crate) pck: CertificateDraft,
    pub(crate) platform: PlatformDraft,
    pub(crate) signer: CertificateDraft,
    pub(crate) root_crl: RevocationDraft,
    pub(crate) root_crl_key: TestKey,
    pub(crate) pck_crl: RevocationDraft,
    pub(crate) pck_crl_key: TestKey,
    pub(crate) header: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) body_kind: u16,
    pub(crate) qe_report: Vec<u8>,
    /// Puts the attestation key's digest into the report of the quoting enclave.
    pub(crate) binds_key: bool,
    pub(crate) authentication_data: Vec<u8>,
    pub(crate) certification: (u16, Option<Vec<u8>>),
    pub(crate) tcb_info: Value,
    pub(crate) tcb_info_key: TestKey,
    pub(crate) qe_identity: Value,
    pub(crate) qe_identity_key: TestKey,
    pub(crate) pck_chain: Option<Vec<u8>>,
    pub(crate) event_log: Option<Vec<u8>>,
    pub(crate) tdx_rules: tdx::Rules,
    pub(crate) sgx_rules: sgx::Rules,
    pub(crate) now: UnixSeconds,
}

/// The SGX extension of a platform's certificate.
#[derive(Clone)]
pub(crate) struct PlatformDraft {
    pub(crate) components: [u8; 16],
    pub(crate) pce_svn: u16,
    pub(crate) pce_id: Vec<u8>,
    pub(crate) fmspc: Vec<u8>,
    pub(crate) flags: Option<[bool; 3]>,
}

impl Setup {
    pub(crate) fn new(kind: Kind) -> Self {
        let keys: Vec<_> = (1..=5).map(TestKey::p256).collect();
        let [
            root_key,
            authority_key,
            pck_key,
            signer_key,
            attestation_key,
        ] = keys.try_into().unwrap();
        let (root, authority) = ("Intel SGX Root CA", "Intel SGX PCK Platform CA");
        let list = |issuer: &str| RevocationDraft {
            issuer: issuer.to_owned(),
            this_update: NOW,
            next_update: NOW.saturating_add(1000),
            revoked: vec![vec![0x77]],
            entry_extensions: Vec::new(),
            extensions: list_extensions(),
        };
        let numbered = |draft: CertificateDraft, serial| CertificateDraft {
            serial: vec![serial],
            ..draft
        };
        let is_tdx = !matches!(kind, Kind::Sgx3 | Kind::Sgx5);
        Self {
            root: authority_draft(root, root, &root_key),
            authority: numbered(authority_draft(authority, root, &authority_key), 0x21),
            pck: numbered(
                leaf_draft("Intel SGX PCK Certificate", authority, &pck_key),
                0x31,
            ),
            platform: PlatformDraft {
                components: COMPONENTS,
                pce_svn: PCE_SVN,
                pce_id: vec![0, 1],
                fmspc: vec![0xC0, 0xFF, 0xEE, 0, 0, 1],
                flags: Some([false, true, false]),
            },
            signer: numbered(leaf_draft("Intel SGX TCB Signing", root, &signer_key), 0x41),
            root_crl: list(root),
            root_crl_key: root_key.clone(),
            pck_crl: list(authority),
            pck_crl_key: authority_key.clone(),
            header: header(kind),
            body: if is_tdx {
                td_report(kind == Kind::Td15)
            } else {
                enclave_report([5, 0, 0, 0, 0, 0, 0, 0], 0x51, 3, 4)
            },
            body_kind: match kind {
                Kind::Td5 => 2,
                Kind::Td15 => 3,
                _ => 1,
            },
            qe_report: enclave_report([0x15, 0, 0, 0, 0, 0, 0, 0], 0x61, 2, QE_SVN),
            binds_key: true,
            authentication_data: (0..32).collect(),
            certification: (5, None),
            tcb_info: tcb_info(is_tdx),
            tcb_info_key: signer_key.clone(),
            qe_identity: qe_identity(is_tdx),
            qe_identity_key: signer_key.clone(),
            pck_chain: None,
            event_log: None,
            tdx_rules: tdx::Rules::strict(),
            sgx_rules: sgx::Rules::strict(),
            now: NOW,
            kind,
            root_key,
            authority_key,
            pck_key,
            attestation_key,
        }
    }

    pub(crate) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Sets bytes of the body.
    pub(crate) fn body_field(mut self, at: usize, field: &[u8]) -> Self {
        self.body[at..at + field.len()].copy_from_slice(field);
        self
    }

    /// Sets bytes of the quoting enclave's report.
    pub(crate) fn qe_field(mut self, at: usize, field: &[u8]) -> Self {
        self.qe_report[at..at + field.len()].copy_from_slice(field);
        self
    }

    pub(crate) fn tcb_rules(mut self, rules: TcbRules) -> Self {
        self.tdx_rules = self.tdx_rules.tcb(rules.clone());
        self.sgx_rules = self.sgx_rules.tcb(rules);
        self
    }

    pub(crate) fn pck_chain_pem(&self) -> Vec<u8> {
        let mut pck = self.pck.clone();
        let extension = ExtensionDraft::new("1.2.840.113741.1.13.1", false, self.platform.der());
        pck.extensions.push(extension);
        pem(&[
            self.authority_key.certify(&pck),
            self.root_key.certify(&self.authority),
            self.root_key.certify(&self.root),
        ])
    }

    pub(crate) fn quote(&self) -> Vec<u8> {
        let mut signed = self.header.clone();
        if signed[0] == 5 {
            signed.extend(self.body_kind.to_le_bytes());
            signed.extend(u32::try_from(self.body.len()).unwrap().to_le_bytes());
        }
        signed.extend(&self.body);
        let point = &self.attestation_key.spki()[27..];
        let mut qe_report = self.qe_report.clone();
        if self.binds_key {
            let digest = Sha256::new()
                .chain_update(point)
                .chain_update(&self.authentication_data)
                .finalize();
            qe_report[320..352].copy_from_slice(&digest);
        }
        let (kind, data) = &self.certification;
        let data = data.clone().unwrap_or_else(|| self.pck_chain_pem());
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let auth_len = u16::try_from(self.authentication_data.len()).unwrap();
        let enclave = [
            &qe_report[..],
            &self.pck_key.sign_fixed(&qe_report),
            &auth_len.to_le_bytes(),
            &self.authentication_data,
            &kind.to_le_bytes(),
            &length(&data),
            &data,
        ]
        .concat();
        let mut signature = [self.attestation_key.sign_fixed(&signed), point.to_vec()].concat();
        if signed[0] > 3 {
            signature.extend(6_u16.to_le_bytes());
            signature.extend(length(&enclave));
        }
        signature.extend(enclave);
        [&signed[..], &length(&signature), &signature].concat()
    }

    pub(crate) fn material(&self) -> Material {
        let (tcb_info, qe_identity) = (self.tcb_info.to_string(), self.qe_identity.to_string());
        let chain = pem(&[
            self.root_key.certify(&self.signer),
            self.root_key.certify(&self.root),
        ]);
        Material {
            quote: self.quote(),
            pck_crl: self.pck_crl_key.revoke(&self.pck_crl),
            root_ca_crl: self.root_crl_key.revoke(&self.root_crl),
            tcb_info_issuer_chain: chain.clone(),
            tcb_info_signature: self.tcb_info_key.sign_fixed(tcb_info.as_bytes()),
            tcb_info: tcb_info.into_bytes(),
            qe_identity_issuer_chain: chain,
            qe_identity_signature: self.qe_identity_key.sign_fixed(qe_identity.as_bytes()),
            qe_identity: qe_identity.into_bytes(),
        }
    }

    pub(crate) fn anchors(&self) -> Anchors {
        Anchors::with_root(&self.root_key.certify(&self.root)).unwrap()
    }

    pub(crate) fn judge(&self) -> Judged {
        self.judge_material(&self.material())
    }

    pub(crate) fn judge_material(&self, material: &Material) -> Judged {
        let collateral = material.collateral();
        let pck_chain = self.pck_chain.as_deref();
        if matches!(self.kind, Kind::Sgx3 | Kind::Sgx5) {
            let evidence = sgx::Evidence {
                quote: &material.quote,
                pck_chain,
                collateral,
            };
            let found = sgx::appraise(&evidence, &self.sgx_rules, &self.anchors(), self.now);
            return Judged::of(&found);
        }
        let evidence = tdx::Evidence {
            quote: &material.quote,
            pck_chain,
            collateral,
            event_log: self.event_log.as_deref().map(tdx::Log::Ccel),
        };
        let found = tdx::appraise(&evidence, &self.tdx_rules, &self.anchors(), self.now);
        Judged::of(&found)
    }

    /// The refusal, and the check that it comes from.
    pub(crate) fn refusal(&self) -> (Code, String) {
        self.judge().refusal()
    }
}

/// The signed pieces.
#[derive(Clone)]
pub(crate) struct Material {
    pub(crate) quote: Vec<u8>,
    pub(crate) pck_crl: Vec<u8>,
    pub(crate) root_ca_crl: Vec<u8>,
    pub(crate) tcb_info_issuer_chain: Vec<u8>,
    pub(crate) tcb_info: Vec<u8>,
    pub(crate) tcb_info_signature: Vec<u8>,
    pub(crate) qe_identity_issuer_chain: Vec<u8>,
    pub(crate) qe_identity: Vec<u8>,
    pub(crate) qe_identity_signature: Vec<u8>,
}

impl Material {
    pub(crate) fn collateral(&self) -> Collateral<'_> {
        Collateral {
            pck_crl: &self.pck_crl,
            root_ca_crl: &self.root_ca_crl,
            tcb_info_issuer_chain: &self.tcb_info_issuer_chain,
            tcb_info: &self.tcb_info,
            tcb_info_signature: &self.tcb_info_signature,
            qe_identity_issuer_chain: &self.qe_identity_issuer_chain,
            qe_identity: &self.qe_identity,
            qe_identity_signature: &self.qe_identity_signature,
        }
    }
}

/// What came of an appraisal, of either platform.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) code: Option<Code>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) json: Value,
}

impl Judged {
    fn of<C: serde::Serialize>(appraisal: &EvidenceAppraisal<C>) -> Self {
        Self {
            code: appraisal.verdict().err(),
            gaps: appraisal.gaps(),
            json: appraisal.to_json(),
        }
    }

    pub(crate) fn refusal(&self) -> (Code, String) {
        let rows = self.json["checks"].as_array().unwrap();
        let first = rows.iter().find(|row| row["outcome"] == "fail");
        let name = first.map_or("", |row| row["check"].as_str().unwrap());
        (self.code.expect("refused"), name.to_owned())
    }
}

impl PlatformDraft {
    pub(crate) fn der(&self) -> Vec<u8> {
        let member = |arc: &str, value: Vec<u8>| {
            let oid = identifier(&format!("1.2.840.113741.1.13.1.{arc}"));
            element(SEQUENCE, &[&oid, &value])
        };
        let octets = |bytes: &[u8]| element(OCTET_STRING, &[bytes]);
        let mut tcb: Vec<_> = (1..)
            .zip(&self.components)
            .map(|(at, component)| member(&format!("2.{at}"), unsigned(&[*component])))
            .collect();
        tcb.push(member("2.17", unsigned(&self.pce_svn.to_be_bytes())));
        tcb.push(member("2.18", octets(&self.components)));
        let mut members = vec![
            member("1", octets(&[0xAB; 16])),
            member("2", element(SEQUENCE, &[&tcb.concat()])),
            member("3", octets(&self.pce_id)),
            member("4", octets(&self.fmspc)),
            member("5", element(0x0A, &[&[1]])),
        ];
        if let Some(flags) = self.flags {
            let boolean = |flag| element(BOOLEAN, &[&[if flag { 0xFF } else { 0 }]]);
            let flags: Vec<_> = (1..)
                .zip(flags)
                .map(|(at, flag)| member(&format!("7.{at}"), boolean(flag)))
                .collect();
            members.push(member("7", element(SEQUENCE, &[&flags.concat()])));
        }
        element(SEQUENCE, &[&members.concat()])
    }
}

pub(crate) fn pem(certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut text = String::new();
    for der in certificates {
        let body = STANDARD.encode(der);
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        text.push_str(&body);
        text.push_str("\n-----END CERTIFICATE-----\n");
    }
    text.into_bytes()
}

fn header(kind: Kind) -> Vec<u8> {
    let (version, tee) = match kind {
        Kind::Sgx3 => (3, 0),
        Kind::Sgx5 => (5, 0),
        Kind::Td4 => (4, 0x81),
        Kind::Td5 | Kind::Td15 => (5, 0x81),
    };
    let mut header = vec![version, 0, 2, 0, tee, 0, 0, 0, 0, 0, 0, 0];
    header.extend([
        0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06,
        0x07,
    ]);
    header.extend([0; 20]);
    header
}

fn enclave_report(flags: [u8; 8], signer: u8, product: u16, svn: u16) -> Vec<u8> {
    let mut report = vec![0; EnclaveReport::LEN];
    report[48..56].copy_from_slice(&flags);
    report[56..64].copy_from_slice(&[7, 0, 0, 0, 0, 0, 0, 0]);
    report[64..96].copy_from_slice(&[0x3E; 32]);
    report[128..160].copy_from_slice(&[signer; 32]);
    report[256..258].copy_from_slice(&product.to_le_bytes());
    report[258..260].copy_from_slice(&svn.to_le_bytes());
    report
}

/// Positions of fields in the report of a trust domain.
pub(crate) mod td {
    pub(crate) const TEE_TCB_SVN: usize = 0;
    pub(crate) const MR_SEAM: usize = 16;
    pub(crate) const MR_SIGNER_SEAM: usize = 64;
    pub(crate) const SEAM_ATTRIBUTES: usize = 112;
    pub(crate) const TD_ATTRIBUTES: usize = 120;
    pub(crate) const XFAM: usize = 128;
    pub(crate) const MR_TD: usize = 136;
    pub(crate) const MR_CONFIG_ID: usize = 184;
    pub(crate) const RTMR_0: usize = 328;
    pub(crate) const REPORT_DATA: usize = 520;
    pub(crate) const TEE_TCB_SVN2: usize = 584;
    pub(crate) const MR_SERVICE_TD: usize = 600;
}

fn td_report(is_15: bool) -> Vec<u8> {
    let length = if is_15 {
        TdReport::LEN_15
    } else {
        TdReport::LEN_10
    };
    let mut report = vec![0; length];
    let tcb_svn = [5, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    report[..16].copy_from_slice(&tcb_svn);
    report[td::MR_SEAM..td::MR_SIGNER_SEAM].fill(0x5E);
    report[td::TD_ATTRIBUTES + 3] = 0x10;
    report[td::XFAM..td::XFAM + 3].copy_from_slice(&[0xE7, 0x00, 0x06]);
    report[td::MR_TD..td::MR_CONFIG_ID].fill(0x7D);
    for register in 0..4 {
        let at = td::RTMR_0 + 48 * register;
        report[at..at + 48].fill(0xA0 + u8::try_from(register).unwrap());
    }
    report[td::REPORT_DATA..td::TEE_TCB_SVN2].fill(0xDA);
    if is_15 {
        report[td::TEE_TCB_SVN2..td::MR_SERVICE_TD].copy_from_slice(&tcb_svn);
    }
    report
}

fn date(at: UnixSeconds) -> String {
    at.to_string()
}

fn tcb_info(is_tdx: bool) -> Value {
    let mut info = json!({
        "id": if is_tdx { "TDX" } else { "SGX" },
        "version": 3,
        "issueDate": date(NOW),
        "nextUpdate": date(NOW.saturating_add(1000)),
        "fmspc": "C0FFEE000001",
        "pceId": "0001",
        "tcbType": 0,
        "tcbEvaluationDataNumber": NUMBER,
        "tcbLevels": [level(COMPONENTS, PCE_SVN, "UpToDate", &[]), level([0; 16], 0, "OutOfDate", &["INTEL-SA-00001"])],
    });
    if is_tdx {
        let identity = json!({
            "mrsigner": "00".repeat(48),
            "attributes": "00".repeat(8),
            "attributesMask": "FF".repeat(8),
        });
        let mut first = identity.clone();
        first["id"] = "TDX_01".into();
        first["tcbLevels"] = json!([svn_level(5, "UpToDate"), svn_level(2, "OutOfDate")]);
        info["tdxModule"] = identity;
        info["tdxModuleIdentities"] = json!([first]);
        for level in info["tcbLevels"].as_array_mut().unwrap() {
            level["tcb"]["tdxtcbcomponents"] =
                svns([5, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        info["tcbLevels"][1]["tcb"]["tdxtcbcomponents"] = svns([0; 16]);
    }
    info
}

pub(crate) fn svns(components: [u8; 16]) -> Value {
    components.iter().map(|svn| json!({ "svn": svn })).collect()
}

pub(crate) fn level(
    components: [u8; 16],
    pce_svn: u16,
    status: &str,
    advisories: &[&str],
) -> Value {
    json!({
        "tcb": { "sgxtcbcomponents": svns(components), "pcesvn": pce_svn },
        "tcbDate": date(NOW),
        "tcbStatus": status,
        "advisoryIDs": advisories,
    })
}

pub(crate) fn svn_level(svn: u16, status: &str) -> Value {
    json!({ "tcb": { "isvsvn": svn }, "tcbDate": date(NOW), "tcbStatus": status })
}

fn qe_identity(is_tdx: bool) -> Value {
    json!({
        "id": if is_tdx { "TD_QE" } else { "QE" },
        "version": 2,
        "issueDate": date(NOW),
        "nextUpdate": date(NOW.saturating_add(1000)),
        "tcbEvaluationDataNumber": NUMBER,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": "61".repeat(32),
        "isvprodid": 2,
        "tcbLevels": [svn_level(QE_SVN, "UpToDate"), svn_level(4, "OutOfDate")],
    })
}
