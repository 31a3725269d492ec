//! Event logs, which are the host's word until their replay fits signed registers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::eventlog::{Bank, DstackLog, EventLog};
use subrosa_attest::tdx::{Log, replay};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(log) = EventLog::parse(bytes) {
        for bank in [Bank::Sha256, Bank::Sha384, Bank::Sha512] {
            for value in log.replay(bank).unwrap_or_default().values() {
                assert_eq!(value.len(), bank.len());
            }
        }
    }
    let _ = replay(Log::Ccel(bytes));
    if DstackLog::parse(bytes).is_ok() {
        assert!(replay(Log::Dstack(bytes)).is_ok());
    }
});
