//! Writes and reads `spec/vectors/history.json`.

use std::path::PathBuf;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::fixtures::{TestRng, code, opened, passkey};
use crate::{
    Account, History, HistoryError, ObjectId, Pin, RecordHeader, RecoveryCode, ShareKey,
    SlotSecret, Write, open_share, prf_input, seal_share,
};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/history.json")
}

fn object(n: u8) -> ObjectId {
    ObjectId([n; 16])
}

/// One account, a history with each kind of write, a removal, and what must be refused.
fn generate() -> Value {
    let ours = opened();
    let rng = &mut TestRng(1_000_000);
    let mut account = ours.account.clone();
    let mut history = History::new(account.id(), &[]);
    let mut records = Vec::new();
    let writes = [
        (Write::Append(object(1)), "one"),
        (Write::Replace(object(2)), "folder"),
        (Write::Append(object(1)), "two"),
        (Write::Append(object(3)), "other"),
        (Write::Rewrite(object(1)), "one two"),
        (Write::Append(object(1)), "three"),
        (Write::Delete(object(3)), ""),
    ];
    let mut put = |history: &mut History, account: &Account, record: Vec<u8>| {
        let entry = history.accept(account, &record).unwrap();
        let is_manifest = entry.header.kind == crate::ObjectKind::Manifest;
        records.push(json!({
            "record": hex::encode(record),
            "content": (!is_manifest).then(|| String::from_utf8(entry.content.to_vec()).unwrap()),
            "pin_after": hex::encode(history.pin().to_bytes()),
        }));
    };
    for (write, content) in writes {
        let record = history
            .seal(&account, write, content.as_bytes(), rng)
            .unwrap();
        put(&mut history, &account, record);
    }
    let record = history.seal_manifest(&account, rng).unwrap();
    put(&mut history, &account, record);
    let pin = history.pin();
    let (by_code, _) = Account::unlock(&ours.by_code, &code(9), &ours.roster, None).unwrap();
    let removed = by_code.remove_slot(account.slot(), rng).unwrap();
    let added = removed.account.add_slot(&passkey(7), &pin, rng).unwrap();
    account = added.account;
    let record = history
        .seal(
            &account,
            Write::Append(object(1)),
            b"under the next key",
            rng,
        )
        .unwrap();
    put(&mut history, &account, record);
    let words = RecoveryCode::generate(&mut TestRng(9)).words();
    let key = ShareKey::generate(rng);
    let share = seal_share(&key, object(5), b"shared", rng).unwrap();
    json!({
        "format": "subrosa history, version 1",
        "note": "hexadecimal; everything is made from a repeatable generator and protects nothing",
        "prf_input": hex::encode(prf_input()),
        "account": account.id().to_string(),
        "slots": [
            { "kind": 1, "secret": "01".repeat(32), "locked": hex::encode(&ours.by_passkey) },
            { "kind": 2, "words": *words, "locked": hex::encode(&ours.by_code) },
            { "kind": 1, "secret": "07".repeat(32), "locked": hex::encode(added.locked.unwrap().1) },
        ],
        "rosters": [
            { "roster": hex::encode(&ours.roster), "version": 2, "epoch": 1, "opened_by": [0, 1] },
            { "roster": hex::encode(&removed.roster), "version": 3, "epoch": 2, "opened_by": [1] },
            { "roster": hex::encode(&added.roster), "version": 4, "epoch": 2, "opened_by": [1, 2] },
        ],
        "records": records,
        "share": {
            "share": object(5).to_string(), "key": hex::encode(*key.to_bytes()), "sealed": hex::encode(share), "content": "shared",
        },
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn secret(slot: &Value) -> SlotSecret {
    match slot["words"].as_str() {
        Some(words) => SlotSecret::RecoveryCode(RecoveryCode::parse(words).unwrap()),
        None => SlotSecret::Passkey(Zeroizing::new(array(&slot["secret"]))),
    }
}

#[test]
#[ignore = "writes the vectors: make vectors"]
fn write_history_vectors() {
    let text = serde_json::to_string_pretty(&generate()).unwrap();
    std::fs::write(path(), text + "\n").unwrap();
}

#[test]
fn the_vectors_are_read() {
    let vectors: Value = serde_json::from_slice(&std::fs::read(path()).unwrap()).unwrap();
    assert_eq!(vectors["prf_input"], hex::encode(prf_input()));
    let slots = vectors["slots"].as_array().unwrap();
    let mut newest = None;
    for roster in vectors["rosters"].as_array().unwrap() {
        let opened_by = roster["opened_by"].as_array().unwrap();
        for (n, slot) in slots.iter().enumerate() {
            let list = bytes(&roster["roster"]);
            let opened = Account::unlock(&bytes(&slot["locked"]), &secret(slot), &list, None);
            if !opened_by.contains(&json!(n)) {
                // Removed, not yet there, or remembering a newer list.
                assert!(opened.is_err());
                continue;
            }
            let (account, _) = opened.unwrap();
            assert_eq!(account.id().to_string(), vectors["account"]);
            assert_eq!(account.roster().version(), roster["version"]);
            assert_eq!(account.roster().epoch(), roster["epoch"]);
            newest = Some(account);
        }
    }
    let account = newest.unwrap();
    let mut history = History::new(account.id(), &[]);
    let (mut live, mut manifest) = (Vec::new(), Vec::new());
    for one in vectors["records"].as_array().unwrap() {
        let record = bytes(&one["record"]);
        let entry = history.accept(&account, &record).unwrap();
        match one["content"].as_str() {
            Some(content) => {
                assert_eq!(*entry.content, content.as_bytes());
                live.push((entry.header.sequence, record));
            }
            None => manifest = record,
        }
        assert_eq!(hex::encode(history.pin().to_bytes()), one["pin_after"]);
        let pin = Pin::from_bytes(&bytes(&one["pin_after"])).unwrap();
        let kept = live
            .iter()
            .filter(|(sequence, _)| history.is_live(*sequence));
        let kept = kept.map(|(_, record)| record.as_slice());
        History::resume(&account, &pin, kept).unwrap();
    }
    let sequence = RecordHeader::parse(&manifest).unwrap().sequence;
    let before = live
        .iter()
        .filter(|(own, _)| *own < sequence && history.is_live(*own));
    let before = before.map(|(_, record)| record.as_slice());
    let (begun, entries) = History::begin(&account, &[], &manifest, before).unwrap();
    assert_eq!(begun.pin().sequence, sequence);
    assert_eq!(entries.len(), 4);
    let share = &vectors["share"];
    let key = ShareKey::from_bytes(array(&share["key"]));
    let name = ObjectId(array(&share["share"]));
    let opened = open_share(&key, name, &bytes(&share["sealed"])).unwrap();
    assert_eq!(*opened, share["content"].as_str().unwrap().as_bytes());
}

#[test]
fn every_code_is_explained() {
    let text = std::fs::read_to_string(
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/history.md"),
    );
    let text = text.unwrap();
    for error in [
        HistoryError::Malformed(""),
        HistoryError::OtherAccount,
        HistoryError::SlotRefused,
        HistoryError::RecoveryCode(""),
        HistoryError::NoSuchSlot,
        HistoryError::SlotInUse,
        HistoryError::TooMany(""),
        HistoryError::RosterUnsigned,
        HistoryError::RosterRolledBack { found: 1, known: 2 },
        HistoryError::RosterForked,
        HistoryError::WrapRefused,
        HistoryError::OneSlot,
        HistoryError::RolledBack { found: 1, known: 2 },
        HistoryError::Forked(1),
        HistoryError::Forged(1),
        HistoryError::Version(1),
        HistoryError::Epoch(1),
        HistoryError::Incomplete,
        HistoryError::TooLong,
        HistoryError::ShareRefused,
    ] {
        let row = format!("| `{}` |", error.code());
        assert!(text.contains(&row), "{row}");
    }
}
