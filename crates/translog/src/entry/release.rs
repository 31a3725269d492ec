//! Release manifests (spec/release.md).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Authors, EntryError, check_life, check_span, hex32, verify, write};
use crate::hash::digest;
use crate::{LogPolicy, LogProof, Timestamp, WitnessedCheckpoint};

/// What a release is: sources, artefacts, what they measure to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The name of the service, a schema-less URL.
    pub service: String,
    /// The version, as people call it.
    pub version: String,
    /// Which release of the service it is, from 1.
    pub sequence: u64,
    /// The lowest sequence that is still accepted by whoever has seen this release.
    pub minimum_sequence: u64,
    /// From when it may be used, in POSIX seconds.
    pub not_before: u64,
    /// Until when it may be used, in POSIX seconds; at most [`Manifest::MAX_LIFE`] later.
    pub not_after: u64,
    /// Where the source is.
    pub source: Source,
    /// Who built it.
    pub builder: Builder,
    /// Files that are published.
    pub artefacts: Vec<Artefact>,
    /// What the platforms measure.
    pub measurements: Vec<Measurement>,
    /// The weights of its models.
    pub weights: Vec<NamedDigest>,
    /// Its configurations.
    pub configurations: Vec<NamedDigest>,
    /// The files of the web application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub web_assets: Vec<Artefact>,
    /// What tightens the policy of a device.
    #[serde(default, skip_serializing_if = "ReleasePolicy::is_empty")]
    pub policy: ReleasePolicy,
}

/// Where the source of a release is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// The repository, a URL.
    pub repository: String,
    /// The commit, 40 or 64 lower-case hexadecimal digits.
    pub commit: String,
}

/// Who built a release.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Builder {
    /// The builder, as SLSA names it (`builder.id`).
    pub id: String,
    /// SHA-256 of the provenance bundle, in lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<String>,
}

/// A file of a release.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Artefact {
    /// Its name.
    pub name: String,
    /// Its digest.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
    /// Its size.
    pub bytes: u64,
}

/// What a platform measures when the release runs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Measurement {
    /// On which machine, in words.
    pub name: String,
    /// The platform, as a policy file names it.
    pub platform: String,
    /// Registers and their values, in lower-case hexadecimal.
    pub registers: BTreeMap<String, String>,
}

/// A digest with a name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NamedDigest {
    /// Its name.
    pub name: String,
    /// The digest.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
}

/// What a release demands beyond the policy of a device. It can only tighten.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleasePolicy {
    /// Per platform and product, the lowest version of each component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tcb_floors: BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>,
}

/// A release that a witnessed log holds. Only [`LoggedRelease::verify`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoggedRelease {
    manifest: Manifest,
    id: [u8; 32],
    checkpoint: WitnessedCheckpoint,
}

impl Manifest {
    /// The first line of the entry.
    pub const KIND: &'static str = "subrosa.dev/release@v1";
    /// The longest life, in seconds: 400 days.
    pub const MAX_LIFE: u64 = 400 * 24 * 3600;

    /// The text of the entry, to be signed and logged.
    ///
    /// # Errors
    ///
    /// [`EntryError::Field`] if the values are not a manifest's.
    pub fn entry_text(&self) -> Result<String, EntryError> {
        self.check()?;
        write(Self::KIND, self)
    }

    /// Reads the text of an entry. Nothing is verified.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        let manifest: Self = super::read(text, Self::KIND)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), EntryError> {
        check_span(self.not_before, self.not_after, Self::MAX_LIFE)?;
        let must = |holds: bool, words| holds.then_some(()).ok_or(EntryError::Field(words));
        must(self.sequence >= 1, "sequences begin with 1")?;
        must(
            (1..=self.sequence).contains(&self.minimum_sequence),
            "the minimum sequence is between 1 and the release's own",
        )?;
        must(is_name(&self.service), "the service has no name")?;
        must(
            is_name(&self.version) && self.version.len() <= 64,
            "the version has 1 to 64 characters",
        )?;
        must(is_name(&self.source.repository), "the source has no name")?;
        must(
            matches!(self.source.commit.len(), 40 | 64) && is_hex(&self.source.commit),
            "a commit has 40 or 64 lower-case hexadecimal digits",
        )?;
        must(is_name(&self.builder.id), "the builder has no name")?;
        let provenance = self.builder.provenance.as_deref();
        must(
            provenance.is_none_or(|text| hex32::read(text).is_some()),
            "the provenance is a SHA-256 digest",
        )?;
        self.check_lists(must)
    }

    fn check_lists(
        &self,
        must: impl Fn(bool, &'static str) -> Result<(), EntryError>,
    ) -> Result<(), EntryError> {
        fn unique<'a>(names: impl ExactSizeIterator<Item = &'a String> + Clone) -> bool {
            let count = names.len();
            names.clone().all(|name| is_name(name)) && names.collect::<BTreeSet<_>>().len() == count
        }
        must(
            (1..=256).contains(&self.artefacts.len())
                && unique(self.artefacts.iter().map(|file| &file.name)),
            "a release has 1 to 256 artefacts of different names",
        )?;
        must(
            self.web_assets.len() <= 2048 && unique(self.web_assets.iter().map(|file| &file.name)),
            "a release has at most 2048 web assets of different names",
        )?;
        must(
            (1..=256).contains(&self.measurements.len())
                && unique(self.measurements.iter().map(|one| &one.name)),
            "a release has 1 to 256 measurements of different names",
        )?;
        must(
            self.measurements.iter().all(Measurement::is_well_formed),
            "a measurement has registers with digests of 48 or 32 bytes",
        )?;
        for (list, words) in [
            (
                &self.weights,
                "a release has 1 to 64 weights of different names",
            ),
            (
                &self.configurations,
                "a release has 1 to 64 configurations of different names",
            ),
        ] {
            must(
                (1..=64).contains(&list.len()) && unique(list.iter().map(|one| &one.name)),
                words,
            )?;
        }
        Ok(())
    }
}

impl Measurement {
    fn is_well_formed(&self) -> bool {
        is_name(&self.platform)
            && (1..=32).contains(&self.registers.len())
            && self.registers.iter().all(|(name, value)| {
                is_name(name) && matches!(value.len(), 64 | 96) && is_hex(value)
            })
    }
}

impl ReleasePolicy {
    fn is_empty(&self) -> bool {
        self.tcb_floors.is_empty()
    }
}

impl LoggedRelease {
    /// Verifies that a release is logged, signed by its authors, and for now.
    ///
    /// Whether it is too old for a device that has seen a newer one is for [`crate::DeviceState`] to say.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn verify(
        proof: &LogProof,
        authors: &Authors,
        log: &LogPolicy,
        now: Timestamp,
    ) -> Result<Self, EntryError> {
        let statement = verify::<Manifest>(proof, Manifest::KIND, authors, log, now)?;
        let manifest = statement.content;
        manifest.check()?;
        check_life(
            manifest.not_before,
            manifest.not_after,
            Manifest::MAX_LIFE,
            now,
        )?;
        Ok(Self {
            manifest,
            id: release_id(&statement.text),
            checkpoint: statement.logged.checkpoint().clone(),
        })
    }

    /// What is logged.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The release id: SHA-256 of the note's text.
    #[must_use]
    pub const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The checkpoint that proves it.
    #[must_use]
    pub const fn checkpoint(&self) -> &WitnessedCheckpoint {
        &self.checkpoint
    }
}

/// The release id of a manifest: SHA-256 of its text, without signatures.
#[must_use]
pub fn release_id(text: &str) -> [u8; 32] {
    digest(&[text.as_bytes()])
}

fn is_name(text: &str) -> bool {
    (1..=200).contains(&text.chars().count()) && !text.contains(char::is_control)
}

fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
