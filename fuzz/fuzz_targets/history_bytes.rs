//! Bytes of a store in every place where a device reads some: nothing but the genuine ones is accepted, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_fuzz::history::{account, locked, records, roster, secret};
use subrosa_vault::{
    Account, History, ObjectId, Pin, RecordHeader, RecoveryCode, ShareKey, Stub, open_share,
};

fuzz_target!(init: { records(); }, |bytes: &[u8]| {
    if Account::unlock(bytes, &secret(), roster(), None).is_ok() {
        assert_eq!(bytes, locked());
    }
    if account().refresh(bytes).is_ok() {
        assert_eq!(bytes, roster());
    }
    let mut history = History::new(account().id(), &[]);
    if history.accept(account(), bytes).is_ok() {
        assert_eq!(bytes, records()[0]);
    }
    assert!(History::begin(account(), &[], bytes, [bytes]).is_err());
    if let Ok(stub) = Stub::parse(bytes) {
        let _ = History::new(account().id(), &[]).accept_stub(&stub);
    }
    let _ = RecordHeader::parse(bytes);
    if let Ok(pin) = Pin::from_bytes(bytes) {
        assert_eq!(pin.to_bytes(), *bytes);
    }
    let key = ShareKey::from_bytes([7; 32]);
    assert!(open_share(&key, ObjectId([7; 16]), bytes).is_err());
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(code) = RecoveryCode::parse(text) {
        let again = RecoveryCode::parse(&code.words()).expect("its own words");
        assert_eq!(*again.words(), *code.words());
    }
});
