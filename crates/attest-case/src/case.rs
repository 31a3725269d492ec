//! The description of a case, and its files.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::DateTime;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subrosa_attest::UnixSeconds;

use crate::launch;

/// What `case.json` says that a verifier may know: not what is expected.
#[derive(Clone, Debug, Deserialize)]
pub struct Description {
    kind: String,
    #[serde(default)]
    real_hardware_evidence: bool,
    verify_at: Option<String>,
    files: BTreeMap<String, FileDescription>,
    #[serde(default)]
    params: Value,
}

#[derive(Clone, Debug, Deserialize)]
struct FileDescription {
    bytes: Option<u64>,
    sha256: Option<String>,
}

impl Description {
    /// Longest `case.json` that is read, in bytes.
    pub const MAX_LEN: usize = 1024 * 1024;
    /// Most files of a case.
    pub const MAX_FILES: usize = 64;
    /// Longest file, in bytes.
    pub const MAX_FILE_LEN: u64 = 16 * 1024 * 1024;

    /// Reads a `case.json`.
    ///
    /// # Errors
    ///
    /// [`CaseError::Description`] if it is not one.
    pub fn parse(json: &[u8]) -> Result<Self, CaseError> {
        let refused = |message: String| CaseError::Description { message };
        if json.len() > Self::MAX_LEN {
            return Err(refused(format!("longer than {} bytes", Self::MAX_LEN)));
        }
        let description: Self =
            serde_json::from_slice(json).map_err(|error| refused(error.to_string()))?;
        if description.files.len() > Self::MAX_FILES {
            return Err(refused(format!("more than {} files", Self::MAX_FILES)));
        }
        Ok(description)
    }

    /// Names of the files, which lie beside `case.json`.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

/// A described case with its files.
#[derive(Clone, Debug)]
pub struct Case {
    description: Description,
    verify_at: Option<UnixSeconds>,
    files: BTreeMap<String, Vec<u8>>,
    lent: BTreeSet<String>,
}

impl Case {
    /// Puts a case together.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if a file is missing or is not the described one, or if the
    /// time cannot be read.
    pub fn new(
        description: Description,
        mut files: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, CaseError> {
        for (name, described) in &description.files {
            let bytes = files
                .get(name)
                .ok_or_else(|| CaseError::Missing { name: name.clone() })?;
            described.check(name, bytes)?;
        }
        files.retain(|name, _| description.files.contains_key(name));
        let verify_at = description
            .verify_at
            .as_deref()
            .map(parse_time)
            .transpose()?;
        Ok(Self {
            description,
            verify_at,
            files,
            lent: BTreeSet::new(),
        })
    }

    /// Names of files that the case's own files speak of and that are not there.
    /// Another case may lend them.
    #[must_use]
    pub fn wanted(&self) -> Vec<String> {
        let text = self.file(launch::KNOWN_ANSWERS).unwrap_or_default();
        let mut names = launch::named_files(text);
        names.retain(|name| !self.files.contains_key(name));
        names
    }

    /// Adds a file that the case wants and the case `lender` has.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if the lender does not describe that file, or describes another
    /// one, or if the case does not want it.
    pub fn lend(
        &mut self,
        name: &str,
        lender: &Description,
        bytes: Vec<u8>,
    ) -> Result<(), CaseError> {
        let missing = || CaseError::Missing {
            name: name.to_owned(),
        };
        let described = lender.files.get(name).ok_or_else(missing)?;
        described.check(name, &bytes)?;
        if !self.wanted().iter().any(|wanted| wanted == name) {
            return Err(missing());
        }
        self.lent.insert(name.to_owned());
        self.files.insert(name.to_owned(), bytes);
        Ok(())
    }

    /// Whether another case lent this file, so that nothing here describes it.
    pub(crate) fn is_lent(&self, name: &str) -> bool {
        self.lent.contains(name)
    }

    pub(crate) fn kind(&self) -> &str {
        &self.description.kind
    }

    /// Whether the case brings a root of its own.
    pub(crate) fn is_synthetic(&self) -> bool {
        self.kind().ends_with("-synthetic")
    }

    /// Whether a machine made the evidence.
    pub(crate) fn is_real(&self) -> bool {
        self.description.real_hardware_evidence
    }

    /// The time at which to judge; `None` if the format carries none that matters.
    pub(crate) fn verify_at(&self) -> Option<UnixSeconds> {
        self.verify_at
    }

    pub(crate) fn param(&self, name: &str) -> &Value {
        self.description.params.get(name).unwrap_or(&Value::Null)
    }

    pub(crate) fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The first file whose name ends so.
    pub(crate) fn file_ending(&self, end: &str) -> Option<&[u8]> {
        let mut files = self.files.iter();
        files
            .find(|(name, _)| name.ends_with(end))
            .map(|(_, bytes)| bytes.as_slice())
    }

    /// The files in a folder, which ends in a slash, with their names in it.
    pub(crate) fn files_in(&self, folder: &str) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .filter_map(move |(name, bytes)| Some((name.strip_prefix(folder)?, bytes.as_slice())))
    }

    /// The bytes a parameter gives in hexadecimal; `None` if it is not there.
    pub(crate) fn bytes_param(&self, name: &str) -> Result<Option<Vec<u8>>, CaseError> {
        match self.param(name) {
            Value::Null => Ok(None),
            value => value
                .as_str()
                .and_then(|text| hex::decode(text).ok())
                .map(Some)
                .ok_or_else(|| CaseError::Parameter {
                    name: name.to_owned(),
                }),
        }
    }

    /// The first of these files that is there.
    pub(crate) fn first_file(&self, names: &[&str]) -> Option<&[u8]> {
        names.iter().find_map(|name| self.file(name))
    }

    /// The certificates of `STEM.der` or `STEM.pem`, each in DER.
    pub(crate) fn certificates(&self, stem: &str) -> Vec<Vec<u8>> {
        if let Some(der) = self.file(&format!("{stem}.der")) {
            return vec![der.to_vec()];
        }
        self.file(&format!("{stem}.pem"))
            .map(pem_certificates)
            .unwrap_or_default()
    }

    /// The public key of `STEM.pem`: a `SubjectPublicKeyInfo`, DER.
    pub(crate) fn public_key(&self, stem: &str) -> Option<Vec<u8>> {
        let text = self.file(&format!("{stem}.pem"))?;
        pem_blocks(text, "PUBLIC KEY").into_iter().next()
    }

    /// The one certificate of `STEM.der` or `STEM.pem`, in DER.
    pub(crate) fn certificate(&self, stem: &str) -> Option<Vec<u8>> {
        self.certificates(stem).into_iter().next()
    }
}

impl FileDescription {
    fn check(&self, name: &str, bytes: &[u8]) -> Result<(), CaseError> {
        let same_length = self
            .bytes
            .is_none_or(|expected| u64::try_from(bytes.len()) == Ok(expected));
        let same_digest = self
            .sha256
            .as_ref()
            .is_none_or(|expected| *expected == hex::encode(Sha256::digest(bytes)));
        if same_length && same_digest {
            Ok(())
        } else {
            Err(CaseError::Damaged {
                name: name.to_owned(),
            })
        }
    }
}

/// The certificates in PEM text, each in DER.
pub(crate) fn pem_certificates(text: &[u8]) -> Vec<Vec<u8>> {
    pem_blocks(text, "CERTIFICATE")
}

/// The same for blocks with another label.
pub(crate) fn pem_blocks(text: &[u8], label: &str) -> Vec<Vec<u8>> {
    if text.len() > MAX_PEM_LEN {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(text);
    text.split(&format!("-----BEGIN {label}-----"))
        .skip(1)
        .map(|block| {
            let body = block.split("-----END").next().unwrap_or_default();
            let body: String = body.split_whitespace().collect();
            STANDARD.decode(body).unwrap_or_default()
        })
        .collect()
}

/// Longest text of certificates or keys that is read, in bytes. Those in use have less than 10,000.
const MAX_PEM_LEN: usize = 256 * 1024;

fn parse_time(text: &str) -> Result<UnixSeconds, CaseError> {
    let date: DateTime = text.parse().map_err(|_| CaseError::Time {
        text: text.to_owned(),
    })?;
    Ok(UnixSeconds::new(date.unix_duration().as_secs()))
}

/// Why a case cannot be judged.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A file is not the one that the case describes.
    #[error("the file {name} is not the one that case.json describes")]
    Damaged {
        /// Its name.
        name: String,
    },

    /// `case.json` cannot be read.
    #[error("case.json: {message}")]
    Description {
        /// What is wrong.
        message: String,
    },

    /// A file is not there.
    #[error("the file {name}, which case.json names, is missing")]
    Missing {
        /// Its name.
        name: String,
    },

    /// A parameter is not of the form this kind of evidence needs.
    #[error("case.json: the parameter {name} cannot be used")]
    Parameter {
        /// Its name.
        name: String,
    },

    /// The time is not a date.
    #[error("case.json: verify_at is not a time in UTC: {text:?}")]
    Time {
        /// What is there.
        text: String,
    },
}
