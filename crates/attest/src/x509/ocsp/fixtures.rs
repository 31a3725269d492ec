//! Answers for tests.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use crate::development::der::{
    BIT_STRING, CONTEXT_0, INTEGER, OCTET_STRING, SEQUENCE, element, identifier,
};
use crate::fixtures::NOW;
use crate::fixtures::pki::TestKey;
use crate::signature::Hash;
use crate::time::UnixSeconds;
use crate::x509::Certificate;
use der::{DateTime, Encode};

/// An answer about one certificate, good unless changed.
pub(crate) struct AnswerDraft {
    pub(crate) algorithm: &'static str,
    pub(crate) issuer_name: Vec<u8>,
    pub(crate) issuer_key: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    /// `[0]` good, `[1]` revoked with a date, `[2]` unknown.
    pub(crate) status: Vec<u8>,
    pub(crate) this_update: UnixSeconds,
    pub(crate) next_update: Option<UnixSeconds>,
    /// Behind the single response's dates.
    pub(crate) extensions: Vec<u8>,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) signer: TestKey,
}

impl AnswerDraft {
    /// `signer` is the issuer's key, or that of a responder.
    pub(crate) fn new(certificate: &[u8], issuer: &[u8], signer: &TestKey) -> Self {
        let certificate = Certificate::parse(certificate).unwrap();
        let issuer = Certificate::parse(issuer).unwrap();
        Self {
            algorithm: "2.16.840.1.101.3.4.2.2",
            issuer_name: Hash::Sha384.digest(&issuer.subject().to_der().unwrap()),
            issuer_key: Hash::Sha384.digest(issuer.public_key_bits()),
            serial: certificate.serial().to_vec(),
            status: element(0x80, &[]),
            this_update: NOW,
            next_update: Some(NOW.saturating_add(3600)),
            extensions: Vec::new(),
            certificates: Vec::new(),
            signer: signer.clone(),
        }
    }

    pub(crate) fn revoked(mut self) -> Self {
        self.status = element(0xA1, &[&generalized(NOW)]);
        self
    }

    pub(crate) fn sign(&self) -> Vec<u8> {
        let algorithm = element(SEQUENCE, &[&identifier(self.algorithm)]);
        let id = element(
            SEQUENCE,
            &[
                &algorithm,
                &element(OCTET_STRING, &[&self.issuer_name]),
                &element(OCTET_STRING, &[&self.issuer_key]),
                &element(INTEGER, &[&self.serial]),
            ],
        );
        let until = self.next_update.map(generalized);
        let until = until.map(|until| element(CONTEXT_0, &[&until]));
        let word = element(
            SEQUENCE,
            &[
                &id,
                &self.status,
                &generalized(self.this_update),
                &until.unwrap_or_default(),
                &self.extensions,
            ],
        );
        let content = element(
            SEQUENCE,
            &[
                &element(0xA2, &[&element(OCTET_STRING, &[&[7; 20]])]),
                &generalized(self.this_update),
                &element(SEQUENCE, &[&word]),
            ],
        );
        let ecdsa_sha384 = element(SEQUENCE, &[&identifier("1.2.840.10045.4.3.3")]);
        let signature = element(BIT_STRING, &[&[0], &self.signer.sign(&content)]);
        let certificates = if self.certificates.is_empty() {
            Vec::new()
        } else {
            let list = element(SEQUENCE, &[&self.certificates.concat()]);
            element(CONTEXT_0, &[&list])
        };
        let basic = element(
            SEQUENCE,
            &[&content, &ecdsa_sha384, &signature, &certificates],
        );
        response(0, &basic)
    }
}

/// An `OCSPResponse` with this status.
pub(crate) fn response(status: u8, basic: &[u8]) -> Vec<u8> {
    let bytes = element(
        SEQUENCE,
        &[
            &identifier("1.3.6.1.5.5.7.48.1.1"),
            &element(OCTET_STRING, &[basic]),
        ],
    );
    let bytes = element(CONTEXT_0, &[&bytes]);
    element(SEQUENCE, &[&element(0x0A, &[&[status]]), &bytes])
}

fn generalized(at: UnixSeconds) -> Vec<u8> {
    let date = DateTime::from_unix_duration(core::time::Duration::from_secs(at.get())).unwrap();
    let date = der::asn1::GeneralizedTime::from_date_time(date);
    date.to_der().unwrap()
}
