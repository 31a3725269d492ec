//! Writing DER, as much of it as a certificate needs (ITU-T X.690).

use der::oid::ObjectIdentifier;
use der::{DateTime, Encode};
use x509_cert::time::Time;

use crate::time::UnixSeconds;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const UTF8_STRING: u8 = 0x0C;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const CONTEXT_0: u8 = 0xA0;
pub(crate) const CONTEXT_3: u8 = 0xA3;

/// One element: tag, length, and the parts one after the other.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    let length = u32::try_from(content.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    match length {
        [0, 0, 0, short @ 0..=0x7F] => element.push(short),
        [0, 0, 0, one] => element.extend([0x81, one]),
        [0, 0, high, low] => element.extend([0x82, high, low]),
        [0, a, b, c] => element.extend([0x83, a, b, c]),
        [a, b, c, d] => element.extend([0x84, a, b, c, d]),
    }
    element.extend(content);
    element
}

/// A non-negative integer from its big-endian bytes.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().take_while(|&&byte| byte == 0).count();
    let significant = bytes.get(start..).unwrap_or_default();
    match significant.first() {
        None => element(INTEGER, &[&[0]]),
        Some(0x80..) => element(INTEGER, &[&[0], significant]),
        Some(_) => element(INTEGER, &[significant]),
    }
}

/// An object identifier. One that cannot be written becomes an empty element,
/// which no reader accepts.
pub(crate) fn identifier(oid: &str) -> Vec<u8> {
    ObjectIdentifier::new(oid)
        .ok()
        .and_then(|oid| oid.to_der().ok())
        .unwrap_or_default()
}

/// A date; before 2050 as `UTCTime`, then as `GeneralizedTime` (RFC 5280, section
/// 4.1.2.5).
pub(crate) fn time(at: UnixSeconds) -> Vec<u8> {
    let since_epoch = core::time::Duration::from_secs(at.get());
    DateTime::from_unix_duration(since_epoch)
        .ok()
        .and_then(|date| Time::from(date).to_der().ok())
        .unwrap_or_default()
}

/// `Name` with an organisation and a common name.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    let attribute = |oid: &str, text: &str| {
        let pair = [identifier(oid), element(UTF8_STRING, &[text.as_bytes()])].concat();
        element(SET, &[&element(SEQUENCE, &[&pair])])
    };
    element(
        SEQUENCE,
        &[
            &attribute("2.5.4.10", ORGANISATION),
            &attribute("2.5.4.3", common_name),
        ],
    )
}

const ORGANISATION: &str = "Subrosa development root, not AMD";
