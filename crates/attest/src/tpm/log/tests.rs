//! Logs beside quotes, good but for one thing.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::semicolon_if_nothing_returned,
    clippy::type_complexity,
    reason = "tests"
)]

use sha2::{Digest, Sha256};

use super::*;
use crate::appraisal::Code;
use crate::tpm::Requirement;
use crate::tpm::fixtures::{Setup, digest_of};

/// An event before it is written: register, type, digest, data.
#[derive(Clone)]
struct Draft(u32, u32, [u8; 32], Vec<u8>);

fn hash(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

fn hashed(register: u32, kind: u32, data: &[u8]) -> Draft {
    Draft(register, kind, hash(data), data.to_vec())
}

/// `TCG_PCClientPCREvent` with `TCG_EfiSpecIdEvent` of one bank, then the events.
fn write(events: &[Draft]) -> Vec<u8> {
    let mut spec = b"Spec ID Event03\0".to_vec();
    spec.extend([0, 0, 0, 0, 0, 2, 0, 2]);
    spec.extend([1, 0, 0, 0, 0x0B, 0, 32, 0, 0]);
    let mut bytes = [[0, 0, 0, 0], [3, 0, 0, 0]].concat();
    bytes.extend([0; 20]);
    bytes.extend((spec.len() as u32).to_le_bytes());
    bytes.extend(spec);
    for Draft(register, kind, digest, data) in events {
        bytes.extend(register.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend([1, 0, 0, 0, 0x0B, 0]);
        bytes.extend(digest);
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
    }
    bytes
}

/// A boot: started at locality 3, a version, boot code, separators.
fn boot() -> Vec<Draft> {
    let mut events = vec![
        Draft(0, EV_NO_ACTION, [0; 32], b"StartupLocality\0\x03".to_vec()),
        hashed(0, 0x8, b"version 1"),
        // EV_EFI_BOOT_SERVICES_APPLICATION: the digest is that of the image.
        Draft(4, 0x8000_0003, [0xAB; 32], b"a path".to_vec()),
    ];
    events.extend((0..=7).map(|register| hashed(register, EV_SEPARATOR, &[0; 4])));
    events
}

/// The registers after these events, as a TPM would have them.
fn extend(events: &[Draft]) -> RegisterValues {
    (0..=7_u8).fold(RegisterValues::new(), |values, register| {
        let mut value = [0; 32];
        if register == 0 {
            value[31] = 3;
        }
        for Draft(at, kind, digest, _) in events {
            if *at == u32::from(register) && *kind != EV_NO_ACTION {
                value = hash(&[value, *digest].concat());
            }
        }
        values.with(register, &value)
    })
}

/// Judges a quote over the registers of `boot` beside `log`.
fn judge(boot: &[Draft], log: Option<Vec<u8>>) -> Result<Vec<MeasuredEvent>, Code> {
    let setup = Setup::new().with(|setup| {
        let values = extend(boot);
        setup.quote.digest = digest_of(&values);
        setup.values = Some(values);
        setup.rules = setup.rules.clone().event_log(Requirement::Required);
        setup.event_log = log;
    });
    let appraisal = setup.appraise();
    let claims = appraisal.verdict()?;
    Ok(claims.events().to_vec())
}

#[test]
fn a_log_that_gives_the_registers_is_accepted() {
    let events = judge(&boot(), Some(write(&boot()))).unwrap();
    assert_eq!(events.len(), 10);
    let version = hex::encode("version 1");
    assert_eq!(events[0].data(), Some(version.as_str()));
    assert_eq!((events[1].register(), events[1].data()), (4, None));
}

#[test]
fn a_log_that_is_demanded_must_be_there() {
    assert_eq!(judge(&boot(), None), Err(Code::EvidenceMissing));
}

#[test]
fn each_change_of_the_log_is_refused() {
    let cases: [(&str, fn(&mut Vec<Draft>)); 7] = [
        ("locality", |log| log[0].3[16] = 4),
        ("no locality", |log| drop(log.remove(0))),
        ("digest", |log| log[1].2[0] ^= 1),
        ("register", |log| log[1].0 = 1),
        ("left out", |log| drop(log.remove(2))),
        ("order", |log| log.swap(1, 3)),
        ("one more", |log| log.push(hashed(7, 0x5, b"more"))),
    ];
    for (name, edit) in cases {
        let mut log = boot();
        edit(&mut log);
        let found = judge(&boot(), Some(write(&log)));
        assert_eq!(found, Err(Code::EventLogMismatch), "{name}");
    }
}

/// Even where the registers have the values that the log gives.
#[test]
fn separators_are_strict() {
    let cases: [(&str, fn(&mut Vec<Draft>)); 3] = [
        ("second", |log| log.push(hashed(4, EV_SEPARATOR, &[0; 4]))),
        ("error", |log| {
            log[5] = hashed(2, EV_SEPARATOR, &[1, 0, 0, 0])
        }),
        ("other data", |log| log[5].3 = vec![0xFF; 4]),
    ];
    for (name, edit) in cases {
        let mut log = boot();
        edit(&mut log);
        let found = judge(&log, Some(write(&log)));
        assert_eq!(found, Err(Code::EventLogMismatch), "{name}");
    }
}

/// The data is believed only where its digest proves it.
#[test]
fn data_that_does_not_have_its_digest_is_left_out() {
    let mut log = boot();
    log[1].3 = b"version 2".to_vec();
    let events = judge(&boot(), Some(write(&log))).unwrap();
    assert_eq!(events[0].data(), None);
    // Data with the right digest, of a type that does not promise it.
    let mut unpromised = boot();
    unpromised[2] = hashed(4, 0x8000_0003, b"a path");
    let events = judge(&unpromised, Some(write(&unpromised))).unwrap();
    assert_eq!(events[1].data(), None);
}

#[test]
fn a_malformed_log_is_refused() {
    for log in [Vec::new(), vec![7; 100]] {
        assert_eq!(judge(&boot(), Some(log)), Err(Code::EventLogMalformed));
    }
}

#[test]
fn a_firmware_register_without_events_is_untouched() {
    let empty = write(&[]);
    let zeros = RegisterValues::new().with(1, &[0; 32]);
    assert_eq!(tie(&empty, HashAlgorithm::Sha256, &zeros), Ok(Vec::new()));
    let touched = RegisterValues::new().with(1, &[1; 32]);
    let register = LogError::Register { register: 1 };
    assert_eq!(tie(&empty, HashAlgorithm::Sha256, &touched), Err(register));
    let systems = RegisterValues::new().with(10, &[1; 32]);
    assert_eq!(tie(&empty, HashAlgorithm::Sha256, &systems), Ok(Vec::new()));
    let other = tie(&empty, HashAlgorithm::Other(4), &zeros);
    assert_eq!(other, Err(LogError::Format(EventLogError::Bank)));
}
