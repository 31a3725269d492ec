//! What a policy demands of the transparency log: `spec/policy.md`, section "[log]".

use serde::Deserialize;
use subrosa_translog::entry::Authors;
use subrosa_translog::{LogPolicy, VerifierKey};

use super::file::check_range;
use super::{PolicyError, defaults};

/// The log that releases, machines and directories must be in, and who must have signed them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogRules {
    pub(crate) service: String,
    pub(crate) tiles: String,
    pub(crate) log: LogPolicy,
    pub(crate) max_evidence_age: u64,
    pub(crate) releases: Authors,
    pub(crate) machines: Authors,
    pub(crate) directories: Authors,
}

impl LogRules {
    /// The longest age of a checkpoint that evidence is bound to: an hour, and the life of a key.
    pub const MAX_EVIDENCE_AGE: u64 = 3600 + defaults::MAX_KEY_LIFETIME_SECONDS;
    const DEFAULT_AGE: u64 = 24 * 3600;

    /// The service whose releases count.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Where the log's tiles are read, to follow its growth: an address that starts with `http://` or `https://`.
    #[must_use]
    pub fn tiles(&self) -> &str {
        &self.tiles
    }

    /// The log, its witnesses, and how many of them must have cosigned.
    #[must_use]
    pub const fn log(&self) -> &LogPolicy {
        &self.log
    }

    /// Who must have signed releases.
    #[must_use]
    pub const fn releases(&self) -> &Authors {
        &self.releases
    }
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Section {
    service: String,
    key: String,
    tiles: String,
    witnesses: Vec<String>,
    quorum: usize,
    max_age_seconds: Option<u64>,
    max_evidence_age_seconds: Option<u64>,
    releases: Signers,
    machines: Signers,
    directories: Signers,
}

/// Who must have signed entries of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Signers {
    keys: Vec<String>,
    threshold: usize,
}

impl Section {
    pub(super) fn into_rules(self) -> Result<LogRules, PolicyError> {
        if !is_service(&self.service) {
            return Err(PolicyError::Text {
                what: "log.service",
            });
        }
        if !is_address(&self.tiles) {
            return Err(wrong("log.tiles", &"not an address of http or https"));
        }
        let max_age = self.max_age_seconds.unwrap_or(LogRules::DEFAULT_AGE);
        check_range("log.max-age-seconds", max_age, 1, LogPolicy::MAX_AGE)?;
        let max_evidence_age = self
            .max_evidence_age_seconds
            .unwrap_or(LogRules::MAX_EVIDENCE_AGE);
        check_range(
            "log.max-evidence-age-seconds",
            max_evidence_age,
            1,
            LogRules::MAX_EVIDENCE_AGE,
        )?;
        let log = LogPolicy::new(
            key("log.key", &self.key)?,
            keys("log.witnesses", &self.witnesses)?,
            self.quorum,
            max_age,
        )
        .map_err(|error| wrong("log", &error))?;
        Ok(LogRules {
            service: self.service,
            tiles: self.tiles,
            log,
            max_evidence_age,
            releases: self.releases.into_authors("log.releases")?,
            machines: self.machines.into_authors("log.machines")?,
            directories: self.directories.into_authors("log.directories")?,
        })
    }
}

impl Signers {
    fn into_authors(self, what: &'static str) -> Result<Authors, PolicyError> {
        Authors::new(keys(what, &self.keys)?, self.threshold).map_err(|error| wrong(what, &error))
    }
}

fn keys(what: &'static str, texts: &[String]) -> Result<Vec<VerifierKey>, PolicyError> {
    texts.iter().map(|text| key(what, text)).collect()
}

fn key(what: &'static str, text: &str) -> Result<VerifierKey, PolicyError> {
    text.parse().map_err(|error| wrong(what, &error))
}

fn wrong(what: &'static str, reason: &dyn core::fmt::Display) -> PolicyError {
    PolicyError::Log {
        what,
        reason: reason.to_string(),
    }
}

/// As in a manifest (spec/release.md).
fn is_service(text: &str) -> bool {
    (1..=defaults::MAX_TEXT_CHARS).contains(&text.chars().count())
        && !text.contains(char::is_control)
}

fn is_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic());
    rest.is_some_and(|rest| !rest.is_empty() && is_plain(rest))
        && text.len() <= defaults::MAX_TEXT_CHARS
}

#[cfg(test)]
mod tests;
