//! A manifest beside what was built.

use std::collections::BTreeMap;
use std::fmt;

use subrosa_translog::entry::release::{Artefact, Manifest, NamedDigest};

use crate::Contents;

/// One thing of a release, and whether it is the same.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing it is, as the manifest's member is called.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found of one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is another one.
    Different {
        /// What the manifest says.
        expected: String,
        /// What was built.
        actual: String,
    },
    /// The manifest has it, and it was not built.
    Missing,
    /// It is the same.
    Same,
    /// It was built, and the manifest does not have it.
    Unlisted,
}

impl Finding {
    /// Whether the thing is in both, and the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.outcome == Outcome::Same
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Different { expected, actual } => {
                write!(f, "the release has {expected}, here it is {actual}")
            }
            Self::Missing => f.write_str("was not built here"),
            Self::Same => f.write_str("the same"),
            Self::Unlisted => f.write_str("was built here, and the release does not list it"),
        }
    }
}

/// Everything of the manifest and everything that was built, each once, in the order of the manifest's members and of names.
#[must_use]
pub fn compare(manifest: &Manifest, built: &Contents) -> Vec<Finding> {
    let file = |file: &Artefact| {
        let words = format!("{} bytes, SHA-256 {}", file.bytes, hex::encode(file.sha256));
        (file.name.clone(), words)
    };
    let digest = |one: &NamedDigest| {
        let words = format!("SHA-256 {}", hex::encode(one.sha256));
        (one.name.clone(), words)
    };
    let measured = |one: &subrosa_translog::entry::release::Measurement| {
        let registers = one.registers.iter();
        let words: Vec<_> = registers
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        (
            one.name.clone(),
            format!("{}: {}", one.platform, words.join(", ")),
        )
    };
    let lists = [
        (
            "artefact",
            manifest.artefacts.iter().map(file).collect(),
            built.artefacts.iter().map(file).collect(),
        ),
        (
            "measurement",
            manifest.measurements.iter().map(measured).collect(),
            built.measurements.iter().map(measured).collect(),
        ),
        (
            "weights",
            manifest.weights.iter().map(digest).collect(),
            built.weights.iter().map(digest).collect(),
        ),
        (
            "configuration",
            manifest.configurations.iter().map(digest).collect(),
            built.configurations.iter().map(digest).collect(),
        ),
        (
            "web-asset",
            manifest.web_assets.iter().map(file).collect(),
            built.web_assets.iter().map(file).collect(),
        ),
    ];
    lists
        .into_iter()
        .flat_map(|(kind, expected, actual)| compare_list(kind, &expected, &actual))
        .collect()
}

fn compare_list(
    kind: &'static str,
    expected: &BTreeMap<String, String>,
    actual: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let mut names: Vec<_> = expected.keys().chain(actual.keys()).collect();
    names.sort();
    names.dedup();
    let outcome = |name: &String| match (expected.get(name), actual.get(name)) {
        (Some(expected), Some(actual)) if expected == actual => Outcome::Same,
        (Some(expected), Some(actual)) => Outcome::Different {
            expected: expected.clone(),
            actual: actual.clone(),
        },
        (Some(_), None) => Outcome::Missing,
        (None, _) => Outcome::Unlisted,
    };
    names
        .into_iter()
        .map(|name| Finding {
            kind,
            name: name.clone(),
            outcome: outcome(name),
        })
        .collect()
}
