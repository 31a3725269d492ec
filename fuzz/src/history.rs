//! The account and the history of `spec/vectors/history.json`.

use std::sync::OnceLock;

use serde_json::Value;
use subrosa_vault::{Account, RecoveryCode, SlotSecret};

/// An account that was opened by its recovery code.
pub fn account() -> &'static Account {
    static ACCOUNT: OnceLock<Account> = OnceLock::new();
    ACCOUNT.get_or_init(|| {
        let opened = Account::unlock(locked(), &secret(), roster(), None);
        opened.expect("the vectors are right").0
    })
}

/// The recovery code.
pub fn secret() -> SlotSecret {
    let words = vectors()["slots"][1]["words"].as_str().expect("words");
    SlotSecret::RecoveryCode(RecoveryCode::parse(words).expect("a code"))
}

/// Its locked key.
pub fn locked() -> &'static [u8] {
    static LOCKED: OnceLock<Vec<u8>> = OnceLock::new();
    LOCKED.get_or_init(|| bytes(&vectors()["slots"][1]["locked"]))
}

/// The newest list of slots.
pub fn roster() -> &'static [u8] {
    static ROSTER: OnceLock<Vec<u8>> = OnceLock::new();
    ROSTER.get_or_init(|| bytes(&vectors()["rosters"][2]["roster"]))
}

/// All records.
pub fn records() -> &'static [Vec<u8>] {
    static RECORDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let records = vectors()["records"].as_array().expect("records");
        records.iter().map(|one| bytes(&one["record"])).collect()
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("text")).expect("hexadecimal")
}

fn vectors() -> &'static Value {
    static VECTORS: OnceLock<Value> = OnceLock::new();
    let text = include_str!("../../spec/vectors/history.json");
    VECTORS.get_or_init(|| serde_json::from_str(text).expect("the vectors are JSON"))
}
