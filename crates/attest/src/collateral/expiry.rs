//! How long a part of the collateral is good, by what it says itself.
//!
//! Nothing is verified here. A forged part can claim any date; it does not pass
//! the verifier afterwards.

use core::str::FromStr;

use der::{DateTime, Decode};
use serde::Deserialize;
use serde_json::value::RawValue;
use x509_cert::certificate::Raw;
use x509_cert::crl::TbsCertList;

use super::{CollateralError, Content, Kind, Label, ocsp};
use crate::time::UnixSeconds;
use crate::x509::signed::SignedObject;
use crate::x509::{Certificate, pem};

/// Last second at which a part is in date. `None` if it is not what its label
/// says.
#[must_use]
pub fn expiry(label: Label, content: &[u8]) -> Option<UnixSeconds> {
    if content.len() > label.max_len() {
        return None;
    }
    match label {
        Label::SnpArk | Label::SnpAsk | Label::SnpAsvk | Label::SnpVcek | Label::SnpVlek => {
            Some(Certificate::parse(content).ok()?.not_after())
        }
        Label::DcapPckCrl | Label::DcapRootCrl | Label::SnpCrl => next_update_of_list(content),
        Label::DcapPckCrlIssuers | Label::DcapQeIdentityIssuers | Label::DcapTcbInfoIssuers => {
            earliest(&pem::certificates(content, MAX_ISSUERS)?)
        }
        Label::DcapQeIdentity | Label::DcapTcbInfo => signed_json(label, content)?.next_update(),
        Label::NvidiaOcsp(_) => Some(ocsp::Answer::parse(content).ok()?.next_update()),
        Label::NvidiaRimDriver | Label::NvidiaRimFirmware => {
            earliest(&manifest_certificates(content)?)
        }
    }
}

/// The certificates in a reference manifest's signature, as they stand there.
///
/// They are found by their element's name, without reading the rest of the
/// document: this is good for asking about them, not for trusting them.
#[must_use]
pub fn manifest_certificates(document: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = core::str::from_utf8(document).ok()?;
    let mut certificates = Vec::new();
    // `<ds:X509Certificate>` or `<X509Certificate>` (XML Signature, section 4.5.4).
    while let Some((_, after)) = rest.split_once("X509Certificate>") {
        let (body, after) = after.split_once('<')?;
        let (_, after) = after.split_once("X509Certificate>")?;
        if certificates.len() == MAX_ISSUERS {
            return None;
        }
        certificates.push(pem::base64_lines(body)?);
        rest = after;
    }
    (!certificates.is_empty()).then_some(certificates)
}

/// TCB info and identity of the quoting enclave must be those of the kind of
/// quote.
pub(super) fn check_identities(content: &Content) -> Result<(), CollateralError> {
    let (tcb_info, qe_identity) = match content.kind {
        Kind::SgxQuote => ("SGX", "QE"),
        Kind::TdxQuote => ("TDX", "TD_QE"),
        Kind::NvidiaReport | Kind::SevSnpReport => return Ok(()),
    };
    for (label, expected) in [
        (Label::DcapTcbInfo, tcb_info),
        (Label::DcapQeIdentity, qe_identity),
    ] {
        let part = content.get(label).unwrap_or_default();
        if signed_json(label, part).is_none_or(|signed| signed.id != expected) {
            return Err(CollateralError::Content { label });
        }
    }
    Ok(())
}

/// The platforms that TCB info is for, as its text says it.
#[must_use]
pub fn tcb_info_fmspc(content: &[u8]) -> Option<[u8; 6]> {
    let fmspc = signed_json(Label::DcapTcbInfo, content)?.fmspc?;
    let mut bytes = [0; 6];
    hex::decode_to_slice(fmspc, &mut bytes).ok()?;
    Some(bytes)
}

fn earliest(certificates: &[Vec<u8>]) -> Option<UnixSeconds> {
    let mut earliest = None;
    for der in certificates {
        let not_after = Certificate::parse(der).ok()?.not_after();
        earliest =
            Some(earliest.map_or(not_after, |earliest: UnixSeconds| earliest.min(not_after)));
    }
    earliest
}

fn next_update_of_list(der: &[u8]) -> Option<UnixSeconds> {
    let object = SignedObject::split(der)?;
    let list = TbsCertList::<Raw>::from_der(object.content).ok()?;
    let next_update = list.next_update?.to_unix_duration();
    Some(UnixSeconds::new(next_update.as_secs()))
}

/// The few members that are read of Intel's signed JSON (PCS version 4, "Get TCB
/// Info" and "Get Quote Identity").
#[derive(Deserialize)]
struct SignedPart {
    id: String,
    #[serde(rename = "nextUpdate")]
    next_update: String,
    fmspc: Option<String>,
}

impl SignedPart {
    fn next_update(&self) -> Option<UnixSeconds> {
        let date = DateTime::from_str(&self.next_update).ok()?;
        Some(UnixSeconds::new(date.unix_duration().as_secs()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TcbInfoAnswer<'a> {
    #[serde(borrow, rename = "tcbInfo")]
    content: &'a RawValue,
    signature: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityAnswer<'a> {
    #[serde(borrow, rename = "enclaveIdentity")]
    content: &'a RawValue,
    signature: String,
}

/// A signed JSON answer, split into the exact bytes that are signed and the
/// signature (`r ‖ s`), which is not checked.
#[must_use]
pub fn split_signed_json(label: Label, answer: &[u8]) -> Option<(&[u8], [u8; 64])> {
    let (content, signature) = match label {
        Label::DcapTcbInfo => {
            let answer: TcbInfoAnswer<'_> = serde_json::from_slice(answer).ok()?;
            (answer.content, answer.signature)
        }
        Label::DcapQeIdentity => {
            let answer: IdentityAnswer<'_> = serde_json::from_slice(answer).ok()?;
            (answer.content, answer.signature)
        }
        _ => return None,
    };
    let mut bytes = [0; 64];
    hex::decode_to_slice(signature, &mut bytes).ok()?;
    Some((content.get().as_bytes(), bytes))
}

fn signed_json(label: Label, answer: &[u8]) -> Option<SignedPart> {
    let (content, _) = split_signed_json(label, answer)?;
    serde_json::from_slice(content).ok()
}

/// More certificates than any of the services sends.
const MAX_ISSUERS: usize = 8;
