//! Every recorded case gets the verdict and the claims of its label.
//!
//! The evidence is not part of the project. `SUBROSA_EVIDENCE` names its folder;
//! without it the test is skipped aloud, except in CI.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use subrosa_attest_case::{Case, Description, Difference, compare_claims, judge};

/// Platforms whose cases must all be judged as labelled.
const PLATFORMS: &[&str] = &[
    "arm-cca",
    "arm-psa",
    "aws-nitro",
    "azure-vtpm",
    "eventlog",
    "launch-digest",
    "nvidia-gpu",
    "sev-snp",
    "sgx",
    "tdx",
    "tpm2",
];

/// Labels that hold only the first bytes of what the evidence says.
const CUT_SHORT: &[(&str, &str)] = &[
    ("aws-nitro/evervault-in-cert", "nonce"),
    ("aws-nitro/evervault-valid", "nonce"),
];

/// A case whose notes, and not its parameters, say which nonce it is judged with.
const NONCE_IN_NOTES: &str = "syn-challenge-mismatch";

#[derive(Default)]
struct Tally {
    cases: usize,
    right: usize,
    uncounted: usize,
    claims: usize,
}

#[test]
fn every_case_gets_its_labelled_verdict_and_claims() {
    let mut wrong = Vec::new();
    let mut table = BTreeMap::<String, Tally>::new();
    for folder in folders() {
        let label: Value = json(&folder);
        let platform = label["tee"].as_str().unwrap().to_owned();
        let id = label["id"].as_str().unwrap();
        let judgement = judge(&case(&folder)).unwrap();
        let tally = table.entry(platform.clone()).or_default();
        let expected = label["expected"]["verdict"].as_str().unwrap();
        let accepted = judgement.is_accepted();
        match expected {
            "accept" | "kat" | "reject" => {
                tally.cases += 1;
                if (expected != "reject") == accepted {
                    tally.right += 1;
                } else if PLATFORMS.contains(&platform.as_str()) {
                    wrong.push(format!("{platform}/{id}: {}", judgement.to_json()));
                }
            }
            _ => tally.uncounted += 1,
        }
        if accepted {
            let (compared, differences) = compare_claims(&label["claims"], judgement.claims());
            tally.claims += compared;
            for one in differences {
                if is_cut_short(&format!("{platform}/{id}"), &one) {
                    continue;
                }
                wrong.push(format!(
                    "{platform}/{id}: {} is {}, expected {}",
                    one.path, one.found, one.expected
                ));
            }
        }
    }
    eprintln!(
        "{:<14}{:>6}{:>7}{:>11}{:>8}",
        "", "cases", "right", "uncounted", "claims"
    );
    for (platform, tally) in &table {
        let Tally {
            cases,
            right,
            uncounted,
            claims,
        } = tally;
        eprintln!("{platform:<14}{cases:>6}{right:>7}{uncounted:>11}{claims:>8}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for platform in PLATFORMS {
        assert!(
            table.is_empty() || table[*platform].claims > 0,
            "{platform}"
        );
    }
}

fn is_cut_short(case: &str, one: &Difference) -> bool {
    CUT_SHORT.contains(&(case, &one.path))
        && one.found.starts_with(one.expected.trim_end_matches('"'))
}

#[test]
fn synthetic_evidence_is_refused_under_the_vendors_roots() {
    for folder in folders() {
        let label = json(&folder);
        let kind = label["kind"].as_str().unwrap();
        let Some(platform) = kind.strip_suffix("-synthetic") else {
            continue;
        };
        let mut described = label.clone();
        described["kind"] = format!("{platform}-negative").into();
        let description = Description::parse(described.to_string().as_bytes()).unwrap();
        let case = Case::new(description.clone(), files(&folder, &description)).unwrap();
        assert!(!judge(&case).unwrap().is_accepted(), "{}", label["id"]);
    }
}

fn case(folder: &Path) -> Case {
    let mut described = json(folder);
    if described["id"] == NONCE_IN_NOTES {
        described["params"]["expected_nonce"] = "5a".repeat(64).into();
    }
    let description = Description::parse(described.to_string().as_bytes()).unwrap();
    let files = files(folder, &description);
    let mut case = Case::new(description, files).unwrap();
    for name in case.wanted() {
        let (lender, description) = lender(folder, &name);
        let bytes = fs::read(lender.join(&name)).unwrap();
        case.lend(&name, &description, bytes).unwrap();
    }
    case
}

/// The case beside this one that has the file.
fn lender(folder: &Path, name: &str) -> (PathBuf, Description) {
    let beside = fs::read_dir(folder.join("..")).unwrap();
    beside
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read(path.join("case.json")).ok()?;
            Some((path, Description::parse(&text).unwrap()))
        })
        .find(|(_, description)| description.files().any(|file| file == name))
        .unwrap()
}

fn files(folder: &Path, description: &Description) -> BTreeMap<String, Vec<u8>> {
    description
        .files()
        .map(|name| (name.to_owned(), fs::read(folder.join(name)).unwrap()))
        .collect()
}

fn json(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap()
}

fn folders() -> Vec<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    let root = env::var_os("SUBROSA_EVIDENCE").map_or(beside, PathBuf::from);
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut folders: Vec<_> = entries(&root)
        .iter()
        .flat_map(|platform| entries(platform))
        .filter(|folder| folder.join("case.json").is_file())
        .collect();
    folders.sort();
    if folders.is_empty() {
        let root = root.display();
        assert_ne!(
            env::var("CI").as_deref(),
            Ok("true"),
            "no evidence at {root}"
        );
        eprintln!("skipped: no evidence at {root}");
    }
    folders
}
