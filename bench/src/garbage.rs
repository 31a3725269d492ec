//! Evidence that is none: how long it takes to refuse it, and how much memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use rand::Rng;
use serde_json::{Value, json};
use subrosa_attest_case::{Case, Description, judge};

use crate::Failed;

/// What came of one piece of garbage.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case, the file that was replaced, and by what.
    pub what: String,
    /// Whether nothing of the case was left.
    pub is_all_garbage: bool,
    /// How long judging took; where only one file was replaced, beyond what the whole case takes.
    pub milliseconds: f64,
    /// How far the peak of memory rose above what was in use, input included, in MiB.
    pub mebibytes: f64,
    /// Whether it was accepted all the same: the file was one that no check reads.
    pub is_accepted: bool,
}

/// Judges the good case `name` with each of its files in turn, and with all of them,
/// replaced by random bytes of 1 KiB to 16 MiB, by its beginning, and by itself many
/// times over.
///
/// # Errors
///
/// When the case cannot be read.
pub fn judge_with_garbage(
    evidence: &Path,
    name: &str,
    rng: &mut impl Rng,
) -> Result<Vec<Outcome>, Failed> {
    let folder = evidence.join(name);
    let mut description: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json"))?)?;
    let mut files = BTreeMap::new();
    let described = description
        .get_mut("files")
        .and_then(Value::as_object_mut)
        .ok_or("a case without files")?;
    for (file, about) in described {
        files.insert(file.clone(), std::fs::read(folder.join(file))?);
        // The digests are of the real files.
        *about = json!({});
    }
    let description = Description::parse(&serde_json::to_vec(&description)?)?;
    let whole = Case::new(description.clone(), files.clone())?;
    // What the files that are not garbage cost: nobody can refuse before reading them.
    let usual = measure(&whole).0;
    let mut outcomes = Vec::new();
    let mut all = BTreeMap::<String, BTreeMap<String, Vec<u8>>>::new();
    for file in files.keys() {
        let real = files.get(file).map_or(&[][..], Vec::as_slice);
        for (kind, (how, bytes)) in garbage(real, rng).into_iter().enumerate() {
            let mut replaced = files.clone();
            replaced.insert(file.clone(), bytes.clone());
            // Sixteen files of 16 MiB would measure the memory of this machine.
            if bytes.len() < LONGEST / 2 {
                all.entry(kind.to_string())
                    .or_default()
                    .insert(file.clone(), bytes);
            }
            let case = Case::new(description.clone(), replaced)?;
            let (milliseconds, mebibytes, is_accepted) = measure(&case);
            outcomes.push(Outcome {
                what: format!("{name}/{file}: {how}"),
                is_all_garbage: false,
                milliseconds: (milliseconds - usual).max(0.0),
                mebibytes,
                is_accepted,
            });
        }
    }
    for (kind, replaced) in all {
        if replaced.len() == files.len() {
            let case = Case::new(description.clone(), replaced)?;
            let (milliseconds, mebibytes, is_accepted) = measure(&case);
            outcomes.push(Outcome {
                what: format!("{name}: all files, kind {kind}"),
                is_all_garbage: true,
                milliseconds,
                mebibytes,
                is_accepted,
            });
        }
    }
    Ok(outcomes)
}

/// Milliseconds, MiB beside the input, and whether it was accepted. The work is the
/// same each time, so the best of three is what it takes without other programs' share.
fn measure(case: &Case) -> (f64, f64, bool) {
    let (first, second, third) = (once(case), once(case), once(case));
    let milliseconds = first.0.min(second.0).min(third.0);
    (milliseconds, first.1.max(second.1).max(third.1), first.2)
}

fn once(case: &Case) -> (f64, f64, bool) {
    let before = reset_peak();
    let start = Instant::now();
    // A parameter that cannot be read is a refusal too.
    let is_accepted = judge(case).is_ok_and(|judgement| judgement.is_accepted());
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    (milliseconds, (peak() - before).max(0.0), is_accepted)
}

fn garbage(real: &[u8], rng: &mut impl Rng) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for kibibytes in [1_usize, 64, 1024, LONGEST >> 10] {
        let mut bytes = vec![0; kibibytes << 10];
        rng.fill_bytes(&mut bytes);
        all.push((format!("{kibibytes} KiB at random"), bytes));
    }
    let half = real.get(..real.len() / 2).unwrap_or_default();
    all.push(("its first half".to_owned(), half.to_vec()));
    for longest in [1 << 20, LONGEST] {
        let times = longest.checked_div(real.len()).unwrap_or(0);
        all.push((format!("{times} times over"), real.repeat(times)));
    }
    all
}

/// Sets the peak of this process back to what is in use now, and says what that is.
fn reset_peak() -> f64 {
    // Linux, proc_pid_clear_refs(5): 5 resets the peak resident set size.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    status("VmRSS:")
}

fn peak() -> f64 {
    status("VmHWM:")
}

/// MiB, of a line of `/proc/self/status`; none elsewhere than on Linux.
fn status(line: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = text.lines().find_map(|text| text.strip_prefix(line));
    let kibibytes = found.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.unwrap_or(f64::NAN) / 1024.0
}

/// Longest file of a case.
const LONGEST: usize = 16 << 20;
