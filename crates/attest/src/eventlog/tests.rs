//! Logs made here, and what must not be read as one.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use proptest::prelude::*;
use sha2::{Digest, Sha256, Sha384};

use super::*;

const SHA1: (u16, u16) = (0x0004, 20);
const SHA256: (u16, u16) = (0x000B, 32);
const SHA384: (u16, u16) = (0x000C, 48);

fn header(banks: &[(u16, u16)]) -> Vec<u8> {
    let mut event = [SPEC_ID, &[0; 4], &[0, 2, 0, 2]].concat();
    event.extend(u32::try_from(banks.len()).unwrap().to_le_bytes());
    for (id, length) in banks {
        event.extend(id.to_le_bytes());
        event.extend(length.to_le_bytes());
    }
    event.push(0);
    let mut log = [[0; 4], 3_u32.to_le_bytes()].concat();
    log.extend([0; 20]);
    log.extend(u32::try_from(event.len()).unwrap().to_le_bytes());
    log.extend(event);
    log
}

fn event(register: u32, kind: u32, digests: &[(u16, &[u8])], data: &[u8]) -> Vec<u8> {
    let mut event = [register.to_le_bytes(), kind.to_le_bytes()].concat();
    event.extend(u32::try_from(digests.len()).unwrap().to_le_bytes());
    for (id, digest) in digests {
        event.extend(id.to_le_bytes());
        event.extend(*digest);
    }
    event.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    event.extend(data);
    event
}

fn log(events: &[Vec<u8>]) -> Vec<u8> {
    [header(&[SHA1, SHA256]), events.concat()].concat()
}

fn measured(register: u32, text: &[u8]) -> Vec<u8> {
    let digest = Sha256::digest(text);
    event(register, 0xD, &[(0x4, &[7; 20]), (0xB, &digest)], text)
}

fn extended(texts: &[&[u8]], initial: [u8; 32]) -> Vec<u8> {
    let mut register = initial.to_vec();
    for text in texts {
        register = Sha256::digest([&register, &Sha256::digest(text)[..]].concat()).to_vec();
    }
    register
}

#[test]
fn events_extend_their_register_in_order() {
    let bytes = log(&[measured(1, b"a"), measured(2, b"b"), measured(1, b"c")]);
    let registers = EventLog::parse(&bytes)
        .unwrap()
        .replay(Bank::Sha256)
        .unwrap();
    assert_eq!(registers.len(), 2);
    assert_eq!(registers[&1], extended(&[b"a", b"c"], [0; 32]));
    assert_eq!(registers[&2], extended(&[b"b"], [0; 32]));
}

#[test]
fn an_event_that_is_no_action_extends_nothing() {
    let note = event(1, 3, &[(0x4, &[0; 20]), (0xB, &[0; 32])], b"note");
    let bytes = log(&[note, measured(1, b"a")]);
    let registers = EventLog::parse(&bytes)
        .unwrap()
        .replay(Bank::Sha256)
        .unwrap();
    assert_eq!(registers[&1], extended(&[b"a"], [0; 32]));
}

#[test]
fn register_0_starts_at_the_locality_that_is_named_before_it_is_extended() {
    let data = [STARTUP_LOCALITY, &[3]].concat();
    let start = event(0, 3, &[(0xB, &[0; 32])], &data);
    let mut initial = [0; 32];
    initial[31] = 3;
    let bytes = log(&[start.clone(), measured(0, b"a")]);
    let registers = EventLog::parse(&bytes)
        .unwrap()
        .replay(Bank::Sha256)
        .unwrap();
    assert_eq!(registers[&0], extended(&[b"a"], initial));

    let bytes = log(&[measured(0, b"a"), start]);
    let registers = EventLog::parse(&bytes)
        .unwrap()
        .replay(Bank::Sha256)
        .unwrap();
    assert_eq!(registers[&0], extended(&[b"a"], [0; 32]));
}

#[test]
fn the_unused_rest_of_the_table_ends_the_log() {
    let plain = log(&[measured(1, b"a"), measured(1, &[0; 4])]);
    let expected = EventLog::parse(&plain).unwrap();
    for fill in [0, 0xFF] {
        let bytes = [plain.clone(), vec![fill; 100]].concat();
        assert_eq!(EventLog::parse(&bytes).unwrap().events(), expected.events());
    }
    let mixed = [plain, vec![0; 50], vec![0xFF; 50]].concat();
    assert!(matches!(
        EventLog::parse(&mixed),
        Err(EventLogError::Event { .. })
    ));
}

#[test]
fn a_log_without_digests_of_the_bank_is_not_replayed() {
    let bytes = log(&[measured(1, b"a")]);
    let parsed = EventLog::parse(&bytes).unwrap();
    assert!(parsed.has_bank(Bank::Sha256) && !parsed.has_bank(Bank::Sha384));
    assert_eq!(parsed.replay(Bank::Sha384), Err(EventLogError::Bank));
    let partly = log(&[measured(1, b"a"), event(1, 0xD, &[(0x4, &[7; 20])], b"b")]);
    let replayed = EventLog::parse(&partly).unwrap().replay(Bank::Sha256);
    assert_eq!(replayed, Err(EventLogError::Bank));
}

#[test]
fn digests_that_the_header_does_not_announce_are_refused() {
    let twice = event(1, 0xD, &[(0xB, &[1; 32]), (0xB, &[2; 32])], b"");
    let unknown = event(1, 0xD, &[(0xC, &[1; 48])], b"");
    let three = event(
        1,
        0xD,
        &[(0x4, &[1; 20]), (0xB, &[1; 32]), (0xC, &[1; 48])],
        b"",
    );
    for bad in [twice, unknown, three] {
        let bytes = log(&[bad]);
        let at = header(&[SHA1, SHA256]).len();
        assert_eq!(EventLog::parse(&bytes), Err(EventLogError::Event { at }));
    }
}

#[test]
fn a_header_that_describes_no_log_is_refused() {
    let good = header(&[SHA256]);
    assert!(EventLog::parse(&good).is_ok());
    let wrong_kind = [&good[..4], &[4], &good[5..]].concat();
    let wrong_name = [&good[..32], b"X", &good[33..]].concat();
    let behind_vendor = {
        let mut header = good.clone();
        header[28] += 1;
        header.push(0);
        header
    };
    for bad in [
        wrong_kind,
        wrong_name,
        behind_vendor,
        header(&[]),
        header(&[SHA256, SHA256]),
        header(&[(0xB, 20)]),
        header(&[SHA1; EventLog::MAX_BANKS + 1]),
        good[..good.len() - 1].to_vec(),
        Vec::new(),
    ] {
        assert_eq!(EventLog::parse(&bad), Err(EventLogError::Header));
    }
}

#[test]
fn a_log_cut_anywhere_in_an_event_is_refused() {
    let first = header(&[SHA1, SHA256]).len();
    let bytes = log(&[measured(1, b"abc")]);
    for length in first + 1..bytes.len() {
        // Zeros at the cut would be the unused rest of the table.
        let is_padding = bytes[first..length].iter().all(|&byte| byte == 0);
        assert_eq!(EventLog::parse(&bytes[..length]).is_ok(), is_padding);
    }
}

#[test]
fn a_length_beyond_the_log_is_refused_before_memory_is_reserved() {
    let mut bytes = log(&[measured(1, b"abc")]);
    let at = bytes.len() - 7;
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(EventLog::parse(&bytes).is_err());
    let long = vec![0; EventLog::MAX_LEN + 1];
    let got = long.len();
    assert_eq!(EventLog::parse(&long), Err(EventLogError::TooLong { got }));
}

fn runtime(register: usize, name: &str, payload: &[u8], digest: &str) -> String {
    format!(
        r#"[{{"imr":{register},"event_type":134217729,"digest":"{digest}","event":"{name}","event_payload":"{}"}}]"#,
        hex::encode(payload)
    )
}

fn dstack_digest(name: &str, payload: &[u8]) -> [u8; 48] {
    Sha384::digest(
        [
            &0x0800_0001_u32.to_le_bytes()[..],
            b":",
            name.as_bytes(),
            b":",
            payload,
        ]
        .concat(),
    )
    .into()
}

#[test]
fn a_dstack_event_without_a_digest_gets_that_of_its_text() {
    let digest = dstack_digest("app-id", b"xyz");
    let full = runtime(3, "app-id", b"xyz", &hex::encode(digest));
    let lite = runtime(3, "app-id", b"xyz", "");
    let full = DstackLog::parse(full.as_bytes()).unwrap();
    assert_eq!(full, DstackLog::parse(lite.as_bytes()).unwrap());
    let event = &full.events()[0];
    assert_eq!(event.runtime(), Some(("app-id", &b"xyz"[..])));
    let extended: [u8; 48] = Sha384::digest([&[0; 48], &digest[..]].concat()).into();
    assert_eq!(full.replay(), [[0; 48], [0; 48], [0; 48], extended]);
}

#[test]
fn a_dstack_event_whose_text_was_changed_is_refused() {
    let digest = hex::encode(dstack_digest("app-id", b"xyz"));
    for changed in [
        runtime(3, "app-ie", b"xyz", &digest),
        runtime(3, "app-id", b"xyy", &digest),
    ] {
        let refused = DstackLog::parse(changed.as_bytes());
        assert_eq!(refused, Err(DstackError::Digest { at: 0 }));
    }
}

#[test]
fn a_dstack_log_that_breaks_the_format_is_refused() {
    let event = |register: i64, kind: u32, digest: &str, payload: &str| {
        format!(
            r#"[{{"imr":{register},"event_type":{kind},"digest":"{digest}","event":"","event_payload":"{payload}"}}]"#
        )
    };
    let good = "ab".repeat(48);
    assert!(DstackLog::parse(event(0, 1, &good, "").as_bytes()).is_ok());
    for (bad, expected) in [
        (event(4, 1, &good, ""), DstackError::Event { at: 0 }),
        (event(0, 1, "", ""), DstackError::Event { at: 0 }),
        (event(0, 1, &good[2..], ""), DstackError::Event { at: 0 }),
        (event(0, 0x0800_0001, "", "x"), DstackError::Event { at: 0 }),
        (event(-1, 1, &good, ""), DstackError::Format),
        ("{}".into(), DstackError::Format),
    ] {
        assert_eq!(DstackLog::parse(bad.as_bytes()), Err(expected));
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = EventLog::parse(&bytes);
        let bytes = [header(&[SHA256, SHA384]), bytes].concat();
        if let Ok(log) = EventLog::parse(&bytes) {
            let _ = log.replay(Bank::Sha384);
        }
    }
}
