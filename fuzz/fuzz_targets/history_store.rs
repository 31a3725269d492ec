//! A store's lies about a genuine history. The input is a list of edits, three bytes each: what, which record, where. Whatever
//! they are: a device that was there before follows only the genuine history, and one that was not follows only a beginning of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_fuzz::history::{account, records};
use subrosa_vault::{History, HistoryError, Pin};

fuzz_target!(init: { records(); }, |edits: &[u8]| {
    let mut shown = records().to_vec();
    for edit in edits.chunks_exact(3) {
        apply(&mut shown, edit[0], usize::from(edit[1]), usize::from(edit[2]));
    }
    let genuine = records();
    let followed = follow(&shown, &[]);
    let is_beginning = genuine.starts_with(&shown);
    assert_eq!(followed.is_ok(), is_beginning);
    let pin = follow(genuine, &[]).expect("it is genuine");
    assert_eq!(follow(&shown, &[pin]).is_ok(), shown == genuine);
});

fn follow(records: &[Vec<u8>], seen: &[Pin]) -> Result<Pin, HistoryError> {
    let mut history = History::new(account().id(), seen);
    for record in records {
        history.accept(account(), record)?;
    }
    history.check_newest(u64::try_from(records.len()).expect("a few"))?;
    history.check_followed()?;
    Ok(history.pin())
}

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
        4 => {
            // The content of another record.
            let content = records[other].get(98..).unwrap_or_default().to_vec();
            records[which].truncate(98);
            records[which].extend(content);
        }
        _ => records[which]
            .get_mut(at)
            .into_iter()
            .for_each(|byte| *byte ^= 1 << (what % 8)),
    }
}
