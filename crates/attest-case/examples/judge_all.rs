//! Judges every case below a folder and prints one JSON object: for each case its
//! judgement and the milliseconds that judging took.
//!
//! `judge_all FOLDER [TIMES]`

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, io};

use serde_json::{Map, Value, json};
use subrosa_attest_case::{Case, Description, judge};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let root = PathBuf::from(arguments.next().ok_or("name the folder of the evidence")?);
    let times: u32 = match arguments.next() {
        Some(text) => text.parse()?,
        None => 1,
    };
    let mut found = Map::new();
    for platform in folders(&root)? {
        for folder in folders(&platform)? {
            if folder.join("case.json").is_file() {
                let name = folder.strip_prefix(&root)?.display().to_string();
                found.insert(name, judged(&root, &folder, times)?);
            }
        }
    }
    serde_json::to_writer(io::stdout().lock(), &found)?;
    Ok(())
}

fn judged(root: &Path, folder: &Path, times: u32) -> Result<Value, Box<dyn Error>> {
    let description = Description::parse(&fs::read(folder.join("case.json"))?)?;
    let mut files = BTreeMap::new();
    for name in description.files() {
        files.insert(name.to_owned(), fs::read(folder.join(name))?);
    }
    let mut case = Case::new(description, files)?;
    let lent = borrow(&mut case, root, folder)?;
    let start = Instant::now();
    for _ in 1..times {
        judge(&case)?;
    }
    let judgement = judge(&case)?;
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0 / f64::from(times.max(1));
    Ok(json!({ "judgement": judgement.to_json(), "milliseconds": milliseconds, "lent": lent }))
}

/// Adds what the case wants from the cases beside it; for each file the case that lent it.
fn borrow(case: &mut Case, root: &Path, folder: &Path) -> Result<Value, Box<dyn Error>> {
    let mut lent = Map::new();
    for name in case.wanted() {
        for beside in folders(&folder.join(".."))? {
            let lender = Description::parse(&fs::read(beside.join("case.json"))?)?;
            if lender.files().any(|file| file == name) {
                case.lend(&name, &lender, fs::read(beside.join(&name))?)?;
                let beside = fs::canonicalize(beside)?;
                let lender = beside.strip_prefix(fs::canonicalize(root)?)?;
                lent.insert(name, lender.display().to_string().into());
                break;
            }
        }
    }
    Ok(lent.into())
}

fn folders(of: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(of)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}
