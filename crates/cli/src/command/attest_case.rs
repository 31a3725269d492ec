//! `subrosa attest-case`: judge a folder of recorded evidence.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use subrosa_attest_case::{Case, CaseError, Description, judge};

use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// Judge a folder of recorded evidence, without any network
///
/// The folder holds a case.json, which names the kind of evidence, its files, the time at which to
/// judge it and what is demanded of it. Prints one JSON object with "verdict" ("accept" or "reject"),
/// "code" and "claims". Exits with 0 whatever the verdict, with 2 if the case itself is damaged.
///
/// A known answer for a launch measurement may name a file that another case holds: it is looked for
/// in the folders beside this one, and in the cases below the folder that SUBROSA_EVIDENCE names.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let mut case = read(&flags.folder)?;
    borrow(&mut case, &flags.folder)?;
    let judgement = judge(&case).map_err(|error| damaged(&error))?;
    printer.json(&judgement.to_json())?;
    Ok(Exit::Done)
}

fn read(folder: &Path) -> Result<Case, Failure> {
    let limit = u64::try_from(Description::MAX_LEN).unwrap_or(u64::MAX);
    let text = read_file(&folder.join("case.json"), limit)?;
    let description = Description::parse(&text).map_err(|error| damaged(&error))?;
    let mut files = BTreeMap::new();
    for name in description.files() {
        if !is_plain_name(name) {
            let message = format!("case.json names a file outside its folder: {name:?}");
            return Err(Failure::new(Exit::Usage, message));
        }
        let bytes = read_file(&folder.join(name), Description::MAX_FILE_LEN)?;
        files.insert(name.to_owned(), bytes);
    }
    Case::new(description, files).map_err(|error| damaged(&error))
}

/// Adds what the case speaks of and another case has, with the digest that one gives.
/// What nobody has is left out, and then missing.
fn borrow(case: &mut Case, folder: &Path) -> Result<(), Failure> {
    let wanted = case.wanted();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut lenders = folders_in(&folder.join(".."));
    if let Some(root) = env::var_os("SUBROSA_EVIDENCE") {
        let platforms = folders_in(Path::new(&root));
        lenders.extend(platforms.iter().flat_map(|platform| folders_in(platform)));
    }
    let limit = u64::try_from(Description::MAX_LEN).unwrap_or(u64::MAX);
    for name in wanted.iter().filter(|name| is_plain_name(name)) {
        for folder in &lenders {
            let Ok(text) = read_file(&folder.join("case.json"), limit) else {
                continue;
            };
            let Ok(lender) = Description::parse(&text) else {
                continue;
            };
            if !lender.files().any(|file| file == name) {
                continue;
            }
            let bytes = read_file(&folder.join(name), Description::MAX_FILE_LEN)?;
            case.lend(name, &lender, bytes)
                .map_err(|error| damaged(&error))?;
            break;
        }
    }
    Ok(())
}

/// The folders in a folder, by name; none if it cannot be read.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut folders: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .take(MAX_LENDERS)
        .collect();
    folders.sort();
    folders
}

fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::file("read", path, &error);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let enough = limit.saturating_add(1);
    file.take(enough).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        let message = format!("{} is longer than {limit} bytes", path.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(bytes)
}

/// A file beside `case.json` or in a folder below it, never elsewhere.
fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn damaged(error: &CaseError) -> Failure {
    Failure::new(Exit::Usage, "this is not a case that can be judged").because(error)
}

const MAX_LENDERS: usize = 10_000;
const EXAMPLE: &str = "\
Example:
  subrosa attest-case evidence/sev-snp/genoa";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_outside_the_folder_are_not_named() {
        for name in ["", "/etc/passwd", "../x", "a/../../x", "./x", "a/.."] {
            assert!(!is_plain_name(name), "{name}");
        }
        for name in ["report.bin", "sub/report.bin"] {
            assert!(is_plain_name(name), "{name}");
        }
    }
}
