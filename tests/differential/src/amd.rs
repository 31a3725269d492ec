//! AMD's reports, as the crate `sev` judges them.

use std::fs;
use std::path::Path;

use sev::certs::snp::{Chain, Verifiable as _};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser as _;

/// What the other verifier takes: a report and three certificates.
pub struct Case {
    report: Vec<u8>,
    root: Vec<u8>,
    intermediate: Vec<u8>,
    leaf: Vec<u8>,
}

impl Case {
    /// Reads a case; `None` if it lacks a report or a certificate.
    pub fn read(folder: &Path) -> Option<Self> {
        let one_of = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| fs::read(folder.join(name)).ok())
        };
        Some(Self {
            report: one_of(&["report.bin", "snp_report.bin"])?,
            root: one_of(&["ark.der", "ark.pem"])?,
            intermediate: one_of(&["ask.der", "ask.pem", "asvk.der", "asvk.pem"])?,
            leaf: one_of(&["vcek.der", "vcek.pem", "vlek.der", "vlek.pem"])?,
        })
    }

    /// Whether theirs accepts.
    pub fn theirs(&self) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let [root, intermediate, leaf] =
            [&self.root, &self.intermediate, &self.leaf].map(|bytes| certificate(bytes));
        let chain = Chain {
            ca: sev::certs::snp::ca::Chain {
                ark: root.map_err(text)?,
                ask: intermediate.map_err(text)?,
            },
            vek: leaf.map_err(text)?,
        };
        let report = AttestationReport::from_bytes(&self.report).map_err(text)?;
        (&chain, &report).verify().map_err(text)
    }
}

fn certificate(bytes: &[u8]) -> std::io::Result<sev::certs::snp::Certificate> {
    if bytes.starts_with(b"-----") {
        sev::certs::snp::Certificate::from_pem(bytes)
    } else {
        sev::certs::snp::Certificate::from_der(bytes)
    }
}
