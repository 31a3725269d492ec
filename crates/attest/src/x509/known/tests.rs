//! The list against the certificates that the evidence holds.
//!
//! The evidence is not part of the project. `SUBROSA_EVIDENCE` names its folder;
//! without it the tests are skipped aloud, except in CI.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::*;
use crate::x509::Certificate;
use crate::x509::pem::base64_lines;
use crate::{dcap, nitro, nvidia, snp, tpm};

/// An authority that lives shorter is replaced before a release is.
const YEAR: u64 = 365 * 24 * 60 * 60;

#[test]
fn every_listed_link_is_a_signature_that_verifies_and_leads_to_a_pinned_root() {
    let found = links();
    if found.is_empty() {
        return;
    }
    for link in LINKS {
        assert!(found.contains_key(&link), "no certificates for {link}");
    }
}

#[test]
fn every_lasting_authority_of_a_vendor_is_listed() {
    let found = links();
    let missing: Vec<_> = found.iter().filter(|(link, _)| !contains(link)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The links between authorities in the evidence that lead to a pinned root, with the names.
fn links() -> BTreeMap<Sha256Digest, String> {
    let mut open: Vec<Certificate> = certificates();
    let pins = [
        snp::anchors::Anchors::amd().roots(),
        dcap::Anchors::vendor().roots(),
        nvidia::Anchors::vendor().roots(),
        nitro::Anchors::vendor().public_keys(),
        tpm::Anchors::vendor().roots(),
    ]
    .concat();
    let mut links = BTreeMap::new();
    let is_root = |one: &Certificate| {
        let digest = one.public_key_digest();
        digest.is_some_and(|digest| pins.contains(&digest)) && one.subject() == one.issuer()
    };
    let mut above: Vec<_> = open.extract_if(.., |one| is_root(one)).collect();
    for root in &above {
        insert(&mut links, root, root);
    }
    while let Some(issuer) = above.pop() {
        let below: Vec<_> = open
            .extract_if(.., |one| {
                one.issuer() == issuer.subject() && is_signed(one, &issuer)
            })
            .collect();
        for one in &below {
            insert(&mut links, one, &issuer);
        }
        above.extend(below);
    }
    links
}

fn is_signed(certificate: &Certificate, issuer: &Certificate) -> bool {
    issuer
        .public_key()
        .is_some_and(|key| certificate.is_signed_by(&key))
}

fn insert(
    links: &mut BTreeMap<Sha256Digest, String>,
    certificate: &Certificate,
    issuer: &Certificate,
) {
    if is_signed(certificate, issuer) {
        let name = certificate.common_name().unwrap_or_default();
        let digest = issuer.public_key_digest().unwrap();
        links.insert(certificate.link_to(&digest), name);
    }
}

/// The lasting authorities in all files of the evidence: certificates alone, as text, and in base64 within XML.
fn certificates() -> Vec<Certificate> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    let root = env::var_os("SUBROSA_EVIDENCE").map_or(beside, PathBuf::from);
    if !root.is_dir() {
        let place = root.display();
        assert_ne!(
            env::var("CI").as_deref(),
            Ok("true"),
            "no evidence at {place}"
        );
        eprintln!("skipped: no evidence at {place}");
        return Vec::new();
    }
    let mut encoded = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                encoded.extend(certificates_in(&fs::read(path).unwrap()));
            }
        }
    }
    encoded.sort();
    encoded.dedup();
    let parsed = encoded
        .iter()
        .filter_map(|der| Certificate::parse(der).ok());
    parsed.filter(is_worth_a_place).collect()
}

/// Of a vendor, not of one device, and lasting.
fn is_worth_a_place(one: &Certificate) -> bool {
    let name = one.common_name().unwrap_or_default();
    let is_of_vendor = one.is_authority() && !name.ends_with(" BROM");
    let lasts = one.not_after() > one.not_before().saturating_add(YEAR);
    lasts && (is_of_vendor || name == "Intel SGX TCB Signing")
}

fn certificates_in(file: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(file);
    let text = text
        .replace("\\n", "\n")
        .replace("%0A", "\n")
        .replace("%2B", "+");
    let text = text
        .replace("%2F", "/")
        .replace("%3D", "=")
        .replace("%20", " ");
    let mut found = vec![file.to_vec()];
    for (begin, end) in [
        ("-----BEGIN CERTIFICATE-----", "-----END"),
        ("X509Certificate>", "</"),
    ] {
        let bodies = text.split(begin).skip(1);
        let bodies = bodies.filter_map(|rest| rest.split_once(end));
        found.extend(bodies.filter_map(|(body, _)| base64_lines(body)));
    }
    found
}
