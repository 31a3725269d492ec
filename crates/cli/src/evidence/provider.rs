//! Attestation documents of other services: what they are, what they prove and what they do not.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::{Collateral, Demands, Kind};
use crate::failure::{Exit, Failure};

/// Whose document it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Provider {
    /// `/.well-known/tinfoil-attestation`
    Tinfoil,
    /// Answer of `GetQuote` of a dstack guest
    Dstack,
    /// Attestation document of an AWS Nitro enclave
    Nitro,
    /// Report of the paravisor of an Azure confidential VM
    Azure,
}

/// A document, read but not verified.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) kind: Kind,
    pub(crate) evidence: Vec<u8>,
}

impl Provider {
    /// Reads the document. What it brings along goes to `collateral` and `demands`.
    pub(crate) fn read(
        self,
        bytes: Vec<u8>,
        collateral: &mut Collateral,
        demands: &mut Demands,
    ) -> Result<Document, Failure> {
        match self {
            Self::Tinfoil => tinfoil(&bytes, collateral),
            Self::Dstack => dstack(&bytes, collateral, demands),
            Self::Nitro => Ok(Document {
                kind: Kind::AwsNitro,
                evidence: base64_or_raw(bytes),
            }),
            Self::Azure => Ok(Document {
                kind: Kind::Azure,
                evidence: base64_or_raw(bytes),
            }),
        }
    }

    /// What such a document proves, once it is accepted.
    pub(crate) const fn proves(self) -> &'static [&'static str] {
        match self {
            Self::Tinfoil => &[
                "A confidential VM on genuine hardware made the report, with the measurement above.",
                "That VM put the digest of a TLS key into bytes 0 to 31 of the report data, and a key for sealing requests into bytes 32 to 63: who \
                 talks to a holder of these keys talks to it.",
            ],
            Self::Dstack => &[
                "A trust domain on genuine hardware made the quote, with the registers above.",
                "The event log gives these registers, so the names and digests of what was started (compose file, application id) are what was measured.",
                "The trust domain put the report data into the quote.",
            ],
            Self::Nitro => &[
                "An enclave on AWS made the document, from an image with the registers above, not in debug mode.",
                "The enclave put public key, user data and nonce into it.",
            ],
            Self::Azure => &[
                "Genuine hardware runs the paravisor with the measurement above, and has bound what it says.",
                "The paravisor names the attestation key of its virtual TPM in the report.",
            ],
        }
    }

    /// What it does not prove, whatever the service says.
    pub(crate) const fn does_not_prove(self) -> &'static [&'static str] {
        match self {
            Self::Tinfoil => &[
                "That the measurement is that of published source: the release's Sigstore bundle says so, and is not in this document.",
                "That everybody is shown the same release, or that it is not an old one with a known hole.",
                "Which weights answer, unless the measured configuration names them.",
                "That it is new: nothing of the asker's is in the report.",
                "Anything about graphics processors.",
            ],
            Self::Dstack => &[
                "That the operating system's image is the published one, unless you compare MRTD and RTMR0 to 2 with values that you computed.",
                "That the compose file does what its name says: read it; its digest is in the log.",
                "Who holds the keys of the key service that gives the application its secrets.",
                "That it is new, unless the report data are what you sent.",
            ],
            Self::Nitro => &[
                "What the image was built from: compare PCR0 to 2 with values from a build of your own.",
                "That AWS itself is kept out: the hypervisor and the device that signs are Amazon's.",
                "Which physical machine it is.",
                "That it is new, unless the nonce is the one you sent.",
            ],
            Self::Azure => &[
                "What the guest started: that needs a quote of the virtual TPM with its event log.",
                "That Microsoft's paravisor is kept out: it runs inside the VM, above the guest, and is not built from published source by you.",
                "That it is new.",
            ],
        }
    }
}

#[derive(Deserialize)]
struct TinfoilDocument {
    format: String,
    body: String,
    /// The certificate of the processor, where a bundle brings it.
    vcek: Option<String>,
}

fn tinfoil(bytes: &[u8], collateral: &mut Collateral) -> Result<Document, Failure> {
    const EXPECTED: &str = "a document of tinfoil is JSON with `format` and `body`; format is \
        https://tinfoil.sh/predicate/sev-snp-guest/v1 or v2, or tdx-guest/v1 or v2";
    let refused = || Failure::new(Exit::Usage, "this is not a document of tinfoil").hint(EXPECTED);
    let json: Value = serde_json::from_slice(bytes).map_err(|_| refused())?;
    // A bundle holds the document, and certificates beside it.
    let vcek = json.get("vcek").cloned();
    let inner = json.get("enclaveAttestationReport").unwrap_or(&json);
    let mut document: TinfoilDocument =
        serde_json::from_value(inner.clone()).map_err(|_| refused())?;
    if document.vcek.is_none() {
        document.vcek = vcek.and_then(|text| text.as_str().map(str::to_owned));
    }
    let kind = document
        .format
        .strip_prefix("https://tinfoil.sh/predicate/");
    let (kind, is_compressed) = match kind {
        Some("sev-snp-guest/v1") => (Kind::SevSnp, false),
        Some("sev-snp-guest/v2") => (Kind::SevSnp, true),
        Some("tdx-guest/v1") => (Kind::IntelTdx, false),
        Some("tdx-guest/v2") => (Kind::IntelTdx, true),
        _ => return Err(refused()),
    };
    if let Some(vcek) = document.vcek {
        collateral.add_certificate(STANDARD.decode(vcek).map_err(|_| refused())?);
    }
    let body = STANDARD.decode(document.body).map_err(|_| refused())?;
    let evidence = if is_compressed {
        unpack(&body).ok_or_else(refused)?
    } else {
        body
    };
    Ok(Document { kind, evidence })
}

#[derive(Deserialize)]
struct DstackAnswer {
    quote: String,
    event_log: Option<Value>,
    report_data: Option<String>,
}

fn dstack(
    bytes: &[u8],
    collateral: &mut Collateral,
    demands: &mut Demands,
) -> Result<Document, Failure> {
    const EXPECTED: &str = "the answer of GetQuote is JSON with `quote` in hexadecimal and `event_log`, a list of events";
    let refused = || Failure::new(Exit::Usage, "this is not a quote of dstack").hint(EXPECTED);
    let answer: DstackAnswer = serde_json::from_slice(bytes).map_err(|_| refused())?;
    let decode = |text: &str| hex::decode(text.strip_prefix("0x").unwrap_or(text));
    let quote = decode(&answer.quote).map_err(|_| refused())?;
    match answer.event_log {
        None => {}
        // The log comes as text inside the JSON, or as a list.
        Some(Value::String(log)) => collateral.add_event_log(log.into_bytes()),
        Some(log @ Value::Array(_)) => collateral.add_event_log(log.to_string().into_bytes()),
        Some(_) => return Err(refused()),
    }
    // What the answer says to have asked for must be in the quote; what the caller demands comes first.
    if let (None, Some(data)) = (&demands.report_data, answer.report_data) {
        let data = decode(&data).map_err(|_| refused())?;
        if data.len() != 64 {
            return Err(refused());
        }
        demands.report_data = Some(data);
    }
    Ok(Document {
        kind: Kind::IntelTdx,
        evidence: quote,
    })
}

/// A document that was copied out of an answer is in base64.
fn base64_or_raw(bytes: Vec<u8>) -> Vec<u8> {
    let is_text = bytes.iter().all(u8::is_ascii_graphic)
        || bytes.is_ascii()
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if !is_text {
        return bytes;
    }
    let text: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(&text).unwrap_or(bytes)
}

/// Unpacks at most [`MAX_UNPACKED`] bytes.
fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MAX_UNPACKED).ok()?.saturating_add(1);
    GzDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut unpacked)
        .ok()?;
    (unpacked.len() <= MAX_UNPACKED).then_some(unpacked)
}

/// Quotes have some kilobytes.
const MAX_UNPACKED: usize = 64 * 1024;
