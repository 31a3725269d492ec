//! Certificates as text (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Reads between one and `most` certificates, with nothing but white space between them, into their DER.
pub(crate) fn certificates(text: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
    let mut rest = core::str::from_utf8(text).ok()?.trim_ascii();
    let mut certificates = Vec::new();
    while !rest.is_empty() {
        if certificates.len() == most {
            return None;
        }
        let (body, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
        certificates.push(base64_lines(body)?);
        rest = after.trim_ascii_start();
    }
    (!certificates.is_empty()).then_some(certificates)
}

/// Decodes base64 that is broken into lines.
pub(crate) fn base64_lines(text: &str) -> Option<Vec<u8>> {
    let is_space = |character: char| character.is_ascii_whitespace();
    STANDARD.decode(text.replace(is_space, "")).ok()
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
