//! A relay's changes to a genuine answer. The input is a list of edits, three bytes each: what, which record,
//! where. Whatever they are: the answer completes only if every byte up to its `complete` is untouched.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use subrosa_channel::ResponseEvent;
use subrosa_fuzz::exchange::{answer, opener};

fuzz_target!(init: { needed(); }, |edits: &[u8]| {
    let mut records = answer().to_vec();
    for edit in edits.chunks_exact(3) {
        apply(
            &mut records,
            edit[0],
            usize::from(edit[1]),
            usize::from(edit[2]),
        );
    }
    let wire = records.concat();
    let genuine = answer()[..needed()].concat();
    assert_eq!(completes(&wire), wire.starts_with(&genuine));
});

fn apply(records: &mut Vec<Vec<u8>>, what: u8, which: usize, place: usize) {
    if records.is_empty() {
        return;
    }
    let which = which % records.len();
    let other = place % records.len();
    let at = place * records[which].len() / 256;
    match what % 6 {
        0 => drop(records.remove(which)),
        1 => records.swap(which, other),
        2 => records.insert(which, records[other].clone()),
        3 => records[which].truncate(at),
        4 => records[which].insert(at, b'\n'),
        _ => records[which]
            .get_mut(at)
            .into_iter()
            .for_each(|byte| *byte ^= 1 << (what % 8)),
    }
}

/// Whether the device, given `wire`, sees a complete answer.
fn completes(wire: &[u8]) -> bool {
    let (mut device, mut events) = (opener(), Vec::new());
    let _ = device.push(wire, &mut events);
    let complete = matches!(events.last(), Some(ResponseEvent::Complete(_)));
    assert!(
        complete || device.finish().is_err(),
        "ended without `complete`"
    );
    complete
}

/// How many records of the genuine answer the device needs.
fn needed() -> usize {
    static NEEDED: OnceLock<usize> = OnceLock::new();
    *NEEDED.get_or_init(|| {
        (0..=answer().len())
            .find(|&records| completes(&answer()[..records].concat()))
            .expect("the genuine answer completes")
    })
}
