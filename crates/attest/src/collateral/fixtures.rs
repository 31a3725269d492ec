//! Collateral of each platform under throw-away keys, good until a test spoils
//! one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::Encode;
use der::asn1::GeneralizedTime;
use serde_json::json;

use super::{Builder, Collateral, Kind, Label, certificates_of_pem, manifest_certificates, ocsp};
use crate::development::Root;
use crate::development::certificates::{CertificateDraft, ExtensionDraft};
use crate::development::der::{
    BIT_STRING, CONTEXT_0, OCTET_STRING, SEQUENCE, element, identifier, name, time, unsigned,
};
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft};
use crate::fixtures::{Keys, MEASUREMENT, NOW, TestRng};
use crate::nvidia;
use crate::time::UnixSeconds;

/// Ten years after [`NOW`].
pub(super) const LATER: UnixSeconds = UnixSeconds::new(NOW.get() + 3650 * 24 * 3600);
pub(crate) const FMSPC: [u8; 6] = [0x00, 0x80, 0x6F, 0x05, 0x00, 0x00];
pub(super) const CONTEXT_1: u8 = 0xA1;
const SOURCE: &str = "https://vendor.example/part";

/// Evidence, what goes with it, and for a device its certificates (PEM).
pub(crate) struct Sample {
    pub(super) kind: Kind,
    pub(crate) evidence: Vec<u8>,
    pub(super) certificates: Option<String>,
    pub(super) parts: Vec<(Label, Vec<u8>)>,
}

impl Sample {
    pub(super) fn all() -> [Self; 4] {
        [Self::snp(), Self::tdx(), Self::sgx(), Self::nvidia()]
    }

    pub(super) fn snp() -> Self {
        let keys = Keys::new();
        let root = Root::issue(&keys.ark, &keys.ask, &mut TestRng::new(42), NOW).unwrap();
        let report = root.platform().report(&[7; 64], &MEASUREMENT);
        let good = root.platform().evidence(&report);
        Self {
            kind: Kind::SevSnpReport,
            certificates: None,
            parts: vec![
                (Label::SnpVcek, good.leaf.to_vec()),
                (Label::SnpAsk, good.intermediate.to_vec()),
                (Label::SnpArk, good.root.to_vec()),
                (Label::SnpCrl, good.revocation_list.unwrap().to_vec()),
            ],
            evidence: report,
        }
    }

    pub(super) fn tdx() -> Self {
        let chain = pck_chain("Intel SGX PCK Platform CA", &sgx_extensions());
        Self {
            kind: Kind::TdxQuote,
            evidence: quote(4, 5, &chain),
            certificates: None,
            parts: dcap_parts("TDX", "TD_QE"),
        }
    }

    pub(crate) fn sgx() -> Self {
        let chain = pck_chain("Intel SGX PCK Processor CA", &sgx_extensions());
        Self {
            kind: Kind::SgxQuote,
            evidence: quote(3, 5, &chain),
            certificates: None,
            parts: dcap_parts("SGX", "QE"),
        }
    }

    pub(super) fn nvidia() -> Self {
        let (report, certificates, [driver, firmware]) = nvidia::fixtures::gpu_files();
        let chain = certificates_of_pem(certificates.as_bytes(), 5).unwrap();
        let chains = [chain[1..].to_vec()].into_iter().chain(
            [&driver, &firmware].map(|text| manifest_certificates(text.as_bytes()).unwrap()),
        );
        let mut ids = Vec::new();
        for pair in chains
            .collect::<Vec<_>>()
            .iter()
            .flat_map(|chain| chain.windows(2))
        {
            let question = ocsp::Question::new(&pair[0], &pair[1], [1; 32]).unwrap();
            if !ids.contains(&question.certificate_id().to_vec()) {
                ids.push(question.certificate_id().to_vec());
            }
        }
        let answers = ids.iter().map(|id| ocsp_answer(id, Some(&[1; 32]), GOOD));
        let labels = (1..).map(Label::NvidiaOcsp);
        let mut parts = vec![
            (Label::NvidiaRimDriver, driver.into_bytes()),
            (Label::NvidiaRimFirmware, firmware.into_bytes()),
        ];
        parts.extend(labels.zip(answers));
        Self {
            kind: Kind::NvidiaReport,
            evidence: report,
            certificates: Some(certificates),
            parts,
        }
    }

    /// Puts another part in the place of one.
    pub(super) fn with(mut self, label: Label, content: impl Into<Vec<u8>>) -> Self {
        self.parts.retain(|(other, _)| *other != label);
        self.parts.push((label, content.into()));
        self
    }

    pub(super) fn without(mut self, label: Label) -> Self {
        self.parts.retain(|(other, _)| *other != label);
        self
    }

    pub(super) fn builder(&self) -> Builder {
        let mut builder = Collateral::builder(self.kind, &self.evidence, NOW);
        for (label, content) in &self.parts {
            builder = builder.entry(*label, SOURCE, content.as_slice());
        }
        builder
    }

    pub(super) fn build(&self) -> Collateral {
        self.builder().build().unwrap()
    }
}

fn dcap_parts(platform: &str, enclave: &str) -> Vec<(Label, Vec<u8>)> {
    let root = TestKey::p256(1);
    let signer = TestKey::p256(2);
    let authority = TestKey::p256(3);
    let root_draft = lasting(authority_draft("Root", "Root", &root));
    let root_certificate = root.certify(&root_draft);
    let signer_certificate = root.certify(&lasting(leaf_draft("Signer", "Root", &signer)));
    let authority_certificate = root.certify(&lasting(authority_draft("CA", "Root", &authority)));
    let signers = pem(&[signer_certificate, root_certificate.clone()]);
    let authorities = pem(&[authority_certificate, root_certificate]);
    vec![
        (Label::DcapTcbInfo, tcb_info(platform, &LATER.to_string())),
        (Label::DcapTcbInfoIssuers, signers.clone().into_bytes()),
        (
            Label::DcapQeIdentity,
            qe_identity(enclave, &LATER.to_string()),
        ),
        (Label::DcapQeIdentityIssuers, signers.into_bytes()),
        (
            Label::DcapPckCrl,
            revocation_list("CA", &authority, Some(LATER)),
        ),
        (Label::DcapPckCrlIssuers, authorities.into_bytes()),
        (
            Label::DcapRootCrl,
            revocation_list("Root", &root, Some(LATER)),
        ),
    ]
}

/// An answer about levels, whose signature nobody checks here.
pub(super) fn tcb_info(id: &str, next_update: &str) -> Vec<u8> {
    let content = json!({
        "id": id, "version": 3, "issueDate": NOW.to_string(), "nextUpdate": next_update,
        "fmspc": hex::encode_upper(FMSPC), "pceId": "0000",
    });
    let signature = "ab".repeat(64);
    format!("{{\"tcbInfo\":{content},\"signature\":\"{signature}\"}}").into_bytes()
}

pub(super) fn qe_identity(id: &str, next_update: &str) -> Vec<u8> {
    let content = json!({ "id": id, "version": 2, "nextUpdate": next_update });
    let signature = "cd".repeat(64);
    format!("{{\"enclaveIdentity\":{content},\"signature\":\"{signature}\"}}").into_bytes()
}

/// A revocation list with nothing on it.
pub(super) fn revocation_list(
    issuer: &str,
    key: &TestKey,
    next_update: Option<UnixSeconds>,
) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[&identifier("1.2.840.10045.4.3.2")]);
    let content = element(
        SEQUENCE,
        &[
            &unsigned(&[1]),
            &algorithm,
            &name(issuer),
            &time(NOW),
            &next_update.map(time).unwrap_or_default(),
        ],
    );
    let signature = element(BIT_STRING, &[&[0], &key.sign(&content)]);
    element(SEQUENCE, &[&content, &algorithm, &signature])
}

/// The extension of a PCK certificate that names the platform.
pub(crate) fn sgx_extensions() -> Vec<ExtensionDraft> {
    const BASE: &str = "1.2.840.113741.1.13.1";
    let pair = |arc: &str, value: &[u8]| {
        let oid = identifier(&format!("{BASE}.{arc}"));
        element(SEQUENCE, &[&oid, value])
    };
    let octets = |bytes: &[u8]| element(OCTET_STRING, &[bytes]);
    let levels: Vec<u8> = (1..=17)
        .flat_map(|arc| pair(&format!("2.{arc}"), &unsigned(&[3])))
        .chain(pair("2.18", &octets(&[3; 16])))
        .collect();
    let value = element(
        SEQUENCE,
        &[
            &pair("1", &octets(&[9; 16])),
            &pair("2", &element(SEQUENCE, &[&levels])),
            &pair("3", &octets(&[0; 2])),
            &pair("4", &octets(&FMSPC)),
        ],
    );
    vec![ExtensionDraft::new(BASE, false, value)]
}

/// The certificates of a PCK, as text.
pub(crate) fn pck_chain(issuer: &str, extensions: &[ExtensionDraft]) -> String {
    let [root, authority, pck] = [1, 3, 4].map(TestKey::p256);
    let mut leaf = lasting(leaf_draft("PCK", issuer, &pck));
    leaf.extensions.extend(extensions.iter().cloned());
    pem(&[
        authority.certify(&leaf),
        root.certify(&lasting(authority_draft(issuer, "Root", &authority))),
        root.certify(&lasting(authority_draft("Root", "Root", &root))),
    ])
}

/// `QE_VENDOR_ID`.
const INTEL_QE_VENDOR: &[u8] = &[
    0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07,
];

/// A quote of this version that carries certification data of this type, signed
/// by nobody. Version 3 is SGX; 4 and 5 are TDX.
pub(crate) fn quote(version: u16, data_type: u16, data: &str) -> Vec<u8> {
    let sized = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        [&length, bytes].concat()
    };
    let tee_type: u32 = if version == 3 { 0 } else { 0x81 };
    let header = [
        version.to_le_bytes().as_slice(),
        &2_u16.to_le_bytes(),
        &tee_type.to_le_bytes(),
        &[0; 4],
        INTEL_QE_VENDOR,
        &[0x11; 20],
    ]
    .concat();
    let body = match version {
        3 => vec![0; 384],
        4 => vec![0x22; 584],
        _ => [2_u16.to_le_bytes().as_slice(), &sized(&[0x22; 584])].concat(),
    };
    let certification = [&data_type.to_le_bytes(), sized(data.as_bytes()).as_slice()].concat();
    let authentication = [&32_u16.to_le_bytes(), [0x33; 32].as_slice()].concat();
    let report = [&[0; 384 + 64], authentication.as_slice(), &certification].concat();
    let report = match version {
        3 => report,
        _ => [6_u16.to_le_bytes().as_slice(), &sized(&report)].concat(),
    };
    let signature = [&[0x55; 128], report.as_slice()].concat();
    [header, body, sized(&signature)].concat()
}

pub(super) const GOOD: &[u8] = &[0x80, 0];

/// An answer about one certificate, signed by nobody.
pub(super) fn ocsp_answer(id: &[u8], nonce: Option<&[u8]>, status: &[u8]) -> Vec<u8> {
    let next = element(CONTEXT_0, &[&generalized(LATER)]);
    ocsp_answer_of(&[id, status, &generalized(NOW), &next].concat(), nonce)
}

/// The same around the content of a `SingleResponse`.
pub(super) fn ocsp_answer_of(single: &[u8], nonce: Option<&[u8]>) -> Vec<u8> {
    let responses = element(SEQUENCE, &[&element(SEQUENCE, &[single])]);
    let responder = element(CONTEXT_1, &[&name("Responder")]);
    let extensions = nonce.map(|nonce| {
        let value = element(OCTET_STRING, &[&element(OCTET_STRING, &[nonce])]);
        let nonce = element(SEQUENCE, &[&identifier("1.3.6.1.5.5.7.48.1.2"), &value]);
        element(CONTEXT_1, &[&element(SEQUENCE, &[&nonce])])
    });
    let data = element(
        SEQUENCE,
        &[
            &responder,
            &generalized(NOW),
            &responses,
            &extensions.unwrap_or_default(),
        ],
    );
    let algorithm = element(SEQUENCE, &[&identifier("1.2.840.10045.4.3.3")]);
    let signature = element(BIT_STRING, &[&[0, 1, 2, 3]]);
    let basic = element(SEQUENCE, &[&data, &algorithm, &signature]);
    let basic = element(OCTET_STRING, &[&basic]);
    let bytes = element(SEQUENCE, &[&identifier("1.3.6.1.5.5.7.48.1.1"), &basic]);
    element(SEQUENCE, &[&[0x0A, 1, 0], &element(CONTEXT_0, &[&bytes])])
}

pub(super) fn generalized(at: UnixSeconds) -> Vec<u8> {
    let since_epoch = core::time::Duration::from_secs(at.get());
    GeneralizedTime::from_unix_duration(since_epoch)
        .unwrap()
        .to_der()
        .unwrap()
}

pub(super) fn lasting(draft: CertificateDraft) -> CertificateDraft {
    CertificateDraft {
        not_after: LATER,
        ..draft
    }
}

pub(crate) fn pem(certificates: &[Vec<u8>]) -> String {
    let text = |der: &Vec<u8>| {
        let body = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    };
    certificates.iter().map(text).collect()
}
