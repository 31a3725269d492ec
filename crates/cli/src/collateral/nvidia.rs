//! NVIDIA's service of reference manifests, and its OCSP responder.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use getrandom::SysRng;
use rand_core::TryRng as _;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subrosa_attest::collateral::ocsp::{Answer, Question};
use subrosa_attest::collateral::{Builder, Label, expiry, manifest_certificates};
use subrosa_attest::nvidia::CollateralQuery;

use crate::failure::{Exit, Failure};

use super::fetcher::{Fetcher, Part};
use super::http::Media;
use super::{Services, Subject, unusable};

pub(super) fn gather(
    subject: &Subject,
    services: &Services,
    fetcher: &Fetcher<'_>,
    builder: Builder,
) -> Result<Builder, Failure> {
    let certificates = subject.certificates.as_ref().ok_or_else(no_certificates)?;
    let query = CollateralQuery::of_device(&subject.evidence, certificates)
        .map_err(|error| unusable(&error))?;
    let mut chains = vec![device_chain(&query)];
    let mut builder = builder;
    for (label, id) in [
        (Label::NvidiaRimDriver, query.driver_manifest()),
        (Label::NvidiaRimFirmware, Some(query.firmware_manifest())),
    ] {
        let Some(id) = id else { continue };
        let (url, manifest) = manifest(label, id, services, fetcher)?;
        chains.push(manifest_certificates(&manifest).unwrap_or_default());
        builder = builder.entry(label, url, manifest);
    }
    revocation(&chains, &services.nvidia_ocsp, fetcher, builder)
}

/// The certificates of the device that the responder knows. It does not know the first: a device issues that itself,
/// for the firmware it started.
fn device_chain(query: &CollateralQuery) -> Vec<Vec<u8>> {
    query.certificates().iter().skip(1).cloned().collect()
}

fn manifest(
    label: Label,
    id: &str,
    services: &Services,
    fetcher: &Fetcher<'_>,
) -> Result<(String, Vec<u8>), Failure> {
    let name = label.to_string();
    let read = |body: &[u8]| Answered::manifest(body, id);
    let part = fetcher.get(Part {
        name: &name,
        url: format!("{}/v1/rim/{id}", services.nvidia_rim),
        media: Media::Json,
        // Base64 in JSON.
        max_bytes: label.max_len().saturating_mul(2),
        issuers: &[],
        max_age: DAY,
        good_until: &|body| expiry(label, &read(body)?),
    })?;
    let manifest = read(&part.body).unwrap_or_default();
    Ok((part.url, manifest))
}

/// Asks about every certificate but the last of each chain, once.
fn revocation(
    chains: &[Vec<Vec<u8>>],
    url: &str,
    fetcher: &Fetcher<'_>,
    mut builder: Builder,
) -> Result<Builder, Failure> {
    let mut asked = Vec::new();
    for pair in chains.iter().flat_map(|chain| chain.windows(2)) {
        let [subject, issuer] = pair else { continue };
        let question = Question::new(subject, issuer, nonce()?).ok_or_else(disorder)?;
        if asked.contains(&question.certificate_id().to_vec()) {
            continue;
        }
        asked.push(question.certificate_id().to_vec());
        let number = u8::try_from(asked.len()).unwrap_or(u8::MAX);
        let label = Label::NvidiaOcsp(number);
        let name = label.to_string();
        let answer = fetcher.ask(&name, url, &question, label.max_len())?;
        if Answer::parse(&answer).is_ok_and(|answer| !answer.is_good()) {
            fetcher.notice(&format!(
                "{name} says that a certificate is revoked or unknown: verification will refuse this evidence"
            ));
        }
        builder = builder.entry(label, url, answer);
    }
    Ok(builder)
}

/// The service's answer, as far as it is used.
#[derive(Deserialize)]
struct Answered {
    id: String,
    rim: String,
    rim_format: String,
    /// Of the manifest.
    sha256: String,
}

impl Answered {
    /// The manifest, if it is the one with this identifier, as an XML document.
    fn manifest(body: &[u8], id: &str) -> Option<Vec<u8>> {
        let answer: Self = serde_json::from_slice(body).ok()?;
        let manifest = STANDARD.decode(answer.rim).ok()?;
        let is_it = answer.id == id && answer.rim_format == "TCG";
        let is_whole = hex::encode(Sha256::digest(&manifest)) == answer.sha256;
        (is_it && is_whole).then_some(manifest)
    }
}

fn nonce() -> Result<[u8; 32], Failure> {
    let mut nonce = [0; 32];
    SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(|error| Failure::new(Exit::Failed, "there is no randomness").because(&error))?;
    Ok(nonce)
}

fn no_certificates() -> Failure {
    Failure::new(
        Exit::Usage,
        "the report of an NVIDIA device does not carry the device's certificates",
    )
    .hint("name the file that holds them, in PEM and leaf first, with --certificates")
}

fn disorder() -> Failure {
    Failure::new(
        Exit::Refused,
        "the certificates are not in order: each has to be issued by the next",
    )
}

const DAY: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: &str, format: &str, rim: &str) -> Vec<u8> {
        let answer = serde_json::json!({
            "id": id,
            "rim": rim,
            "rim_format": format,
            "sha256": hex::encode(Sha256::digest(b"<a>")),
            "request_id": "1",
        });
        answer.to_string().into_bytes()
    }

    #[test]
    fn a_manifest_comes_as_base64_under_its_identifier() {
        let good = answer("NV_A", "TCG", "PGE+");
        assert_eq!(Answered::manifest(&good, "NV_A").unwrap(), b"<a>");
        for (bad, why) in [
            (answer("NV_B", "TCG", "PGE+"), "another identifier"),
            (answer("NV_A", "CORIM", "PGE+"), "another format"),
            (answer("NV_A", "TCG", "<a>"), "not base64"),
            (answer("NV_A", "TCG", "PGI+"), "another digest"),
            (b"{}".to_vec(), "no members"),
            (b"".to_vec(), "nothing"),
        ] {
            assert_eq!(Answered::manifest(&bad, "NV_A"), None, "{why}");
        }
    }
}
