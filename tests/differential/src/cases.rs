//! Where the cases lie, and what our verifier says of one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use subrosa_attest_case::{Case, Description, judge};

/// The folder of the evidence.
pub fn root() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    env::var_os("SUBROSA_EVIDENCE").map_or(beside, PathBuf::from)
}

/// The cases of these platforms. None at all is a failure in CI, and elsewhere said aloud.
pub fn folders(platforms: &[&str]) -> Vec<PathBuf> {
    let root = root();
    let mut folders: Vec<_> = platforms
        .iter()
        .filter_map(|platform| fs::read_dir(root.join(platform)).ok())
        .flat_map(|entries| entries.map(|entry| entry.unwrap().path()))
        .filter(|path| path.join("case.json").is_file())
        .collect();
    folders.sort();
    if folders.is_empty() {
        let root = root.display();
        let is_ci = env::var("CI").as_deref() == Ok("true");
        assert!(!is_ci, "no evidence at {root}");
        eprintln!("skipped: no evidence at {root}");
    }
    folders
}

/// Reads a case as our verifier takes it; `None` if it is damaged.
pub fn read(folder: &Path) -> Option<Case> {
    let description = Description::parse(&fs::read(folder.join("case.json")).ok()?).ok()?;
    let mut files = BTreeMap::new();
    for name in description.files() {
        files.insert(name.to_owned(), fs::read(folder.join(name)).ok()?);
    }
    Case::new(description, files).ok()
}

/// Whether our verifier accepts; the stable code if it refuses.
pub fn ours(case: &Case) -> Result<(), String> {
    match judge(case) {
        Ok(judgement) => judgement
            .code()
            .map_or(Ok(()), |code| Err(code.as_str().to_owned())),
        Err(error) => Err(error.to_string()),
    }
}
