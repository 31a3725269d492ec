//! Proofs, records of machines, notes, checkpoints, manifests and state files of a log from anywhere: what is read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_translog::entry::release::Manifest;
use subrosa_translog::entry::roster::RecordProof;
use subrosa_translog::{Checkpoint, DeviceState, LogProof, Note, VerifierKey};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = LogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
    }
    if let Ok(record) = RecordProof::parse(bytes) {
        assert_eq!(record.to_string().as_bytes(), bytes);
    }
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(manifest) = Manifest::parse(text) {
        let written = manifest.entry_text().expect("it was read");
        assert_eq!(Manifest::parse(&written), Ok(manifest));
    }
    if let Ok(state) = DeviceState::parse(text) {
        let written = state.to_text().expect("it was read");
        assert_eq!(DeviceState::parse(&written), Ok(state));
    }
});
