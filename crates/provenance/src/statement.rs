//! in-toto statements with SLSA provenance: <https://slsa.dev/spec/v1.0/provenance>.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::ProvenanceError;

/// What a builder states.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Statement {
    pub(crate) builder: String,
    pub(crate) sources: Vec<Source>,
    subjects: Vec<Subject>,
}

/// A repository and the commit of it that went into a build.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Source {
    pub(crate) repository: String,
    pub(crate) commit: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Subject {
    name: String,
    sha256: Option<Vec<u8>>,
    sha512: Option<Vec<u8>>,
}

impl Statement {
    const KIND: &str = "https://in-toto.io/Statement/v1";
    const PREDICATE: &str = "https://slsa.dev/provenance/v1";
    /// A release has at most 256 artefacts and some thousands of web assets.
    const MAX_SUBJECTS: usize = 4096;

    pub(crate) fn parse(payload: &[u8]) -> Result<Self, ProvenanceError> {
        let wrong = |reason: &str| Err(ProvenanceError::Statement(reason.to_owned()));
        let kind: Kind = serde_json::from_slice(payload)
            .map_err(|error| ProvenanceError::Statement(error.to_string()))?;
        if kind.kind != Self::KIND {
            return wrong("its type is another than in-toto's statement v1");
        }
        if kind.predicate_type != Self::PREDICATE {
            return wrong(&format!("it states {}", kind.predicate_type));
        }
        let wire: Wire = serde_json::from_slice(payload)
            .map_err(|error| ProvenanceError::Statement(error.to_string()))?;
        if wire.subject.is_empty() || wire.subject.len() > Self::MAX_SUBJECTS {
            return wrong("it is of no file, or of too many");
        }
        let subjects: Option<_> = wire.subject.into_iter().map(Subject::read).collect();
        let Some(subjects) = subjects else {
            return wrong("a digest is not one");
        };
        let dependencies = wire.predicate.build_definition.resolved_dependencies;
        Ok(Self {
            builder: wire.predicate.run_details.builder.id,
            sources: dependencies.iter().filter_map(Source::read).collect(),
            subjects,
        })
    }

    /// A digest of one of the files, of SHA-256 or SHA-512.
    pub(crate) fn any_digest(&self) -> Result<Vec<u8>, ProvenanceError> {
        let digests = self.subjects.iter();
        let mut digests =
            digests.filter_map(|one| one.sha256.clone().or_else(|| one.sha512.clone()));
        let none = || ProvenanceError::Statement("no file has a SHA-256 or SHA-512".to_owned());
        digests.next().ok_or_else(none)
    }

    /// Whether a file of this name and digest was built.
    pub(crate) fn built(&self, name: &str, sha256: &[u8; 32]) -> bool {
        let is_it = |one: &Subject| one.name == name && one.sha256.as_deref() == Some(sha256);
        self.subjects.iter().any(is_it)
    }

    pub(crate) fn sources_in_words(&self) -> String {
        let words: Vec<_> = self
            .sources
            .iter()
            .map(|one| format!("{} at {}", one.repository, one.commit))
            .collect();
        if words.is_empty() {
            "no repository".to_owned()
        } else {
            words.join(", ")
        }
    }
}

impl Subject {
    fn read(wire: WireSubject) -> Option<Self> {
        let digest = |name: &str, len: usize| match wire.digest.get(name) {
            None => Some(None),
            Some(text) => {
                let bytes = hex::decode(text).ok()?;
                (bytes.len() == len).then_some(Some(bytes))
            }
        };
        Some(Self {
            sha256: digest("sha256", 32)?,
            sha512: digest("sha512", 64)?,
            name: wire.name,
        })
    }
}

impl Source {
    /// `git+https://host/path@refs/heads/main` without what is before and after the URL.
    fn read(wire: &WireDependency) -> Option<Self> {
        let url = wire.uri.strip_prefix("git+")?;
        // An `@` before the host belongs to the URL.
        let end = url.rfind('@').filter(|at| {
            url.get(*at..)
                .is_some_and(|rest| rest.starts_with("@refs/"))
        });
        Some(Self {
            repository: url.get(..end.unwrap_or(url.len()))?.to_owned(),
            commit: wire.digest.get("gitCommit")?.clone(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Wire {
    subject: Vec<WireSubject>,
    predicate: WirePredicate,
}

#[derive(Deserialize)]
struct WireSubject {
    #[serde(default)]
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePredicate {
    build_definition: WireDefinition,
    run_details: WireRun,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDefinition {
    #[serde(default)]
    resolved_dependencies: Vec<WireDependency>,
}

#[derive(Deserialize)]
struct WireDependency {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct WireRun {
    builder: WireBuilder,
}

#[derive(Deserialize)]
struct WireBuilder {
    id: String,
}
