//! What was built, read from files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subrosa_translog::entry::release::{Artefact, Measurement, NamedDigest};

use crate::{Plan, ReleaseError};

/// What a release consists of, as it was built. Lists are in the order of names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Contents {
    /// Files that are published.
    pub artefacts: Vec<Artefact>,
    /// What the platforms measure.
    pub measurements: Vec<Measurement>,
    /// The weights of its models.
    pub weights: Vec<NamedDigest>,
    /// Its configurations.
    pub configurations: Vec<NamedDigest>,
    /// The files of the web application.
    pub web_assets: Vec<Artefact>,
}

impl Contents {
    /// Reads what the list names, from `source` and the folder of built files. What is not there is left out.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`].
    pub fn read(plan: &Plan, source: &Path, built: &Path) -> Result<Self, ReleaseError> {
        let mut contents = Self::default();
        for name in &plan.artefacts {
            contents
                .artefacts
                .extend(artefact(name, &built.join(name))?);
        }
        contents
            .artefacts
            .sort_by(|one, other| one.name.cmp(&other.name));
        for weights in &plan.weights {
            let found = artefact(&weights.name, &source.join(&weights.file))?;
            contents.weights.extend(found.map(|file| NamedDigest {
                name: file.name,
                sha256: file.sha256,
            }));
        }
        let path = built.join(&plan.measurements);
        if let Some(measured) = Measured::read(&path)? {
            contents.configurations.push(measured.configuration(&path)?);
            contents.measurements = measured.measurements();
        }
        if let Some(folder) = &plan.web_assets {
            let folder = built.join(folder);
            for path in files_below(&folder)? {
                let name = path.strip_prefix(&folder).unwrap_or(&path);
                let name = name.to_string_lossy().replace('\\', "/");
                contents.web_assets.extend(artefact(&name, &path)?);
            }
        }
        Ok(contents)
    }
}

/// A file's name, size and digest, or none if it is not there.
fn artefact(name: &str, path: &Path) -> Result<Option<Artefact>, ReleaseError> {
    let failed = |source| ReleaseError::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut hash = Sha256::new();
    let mut bytes = 0_u64;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok(Some(Artefact {
        name: name.to_owned(),
        sha256: hash.finalize().into(),
        bytes,
    }))
}

/// All files below a folder, in the order of their paths; none if there is no folder.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, ReleaseError> {
    let failed = |source| ReleaseError::Io {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        // A link is read as what it leads to only if that is a file.
        if entry.file_type().map_err(failed)?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// What of the image builder's file goes into a manifest.
#[derive(Deserialize)]
struct Measured {
    version: u32,
    configuration: String,
    tpm: Tpm,
    snp: Option<Snp>,
}

#[derive(Deserialize)]
struct Tpm {
    pcr4: String,
    pcr9: String,
    pcr11: String,
}

#[derive(Deserialize)]
struct Snp {
    launch_digests: Vec<LaunchDigest>,
}

#[derive(Deserialize)]
struct LaunchDigest {
    model: String,
    processors: u32,
    unified: String,
    split: String,
}

impl Measured {
    fn read(path: &Path) -> Result<Option<Self>, ReleaseError> {
        let failed = |source| ReleaseError::Io {
            path: path.to_owned(),
            source,
        };
        let wrong = |reason: String| ReleaseError::Measurements {
            path: path.to_owned(),
            reason,
        };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_MEASUREMENTS.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_MEASUREMENTS {
            return Err(ReleaseError::TooLarge {
                path: path.to_owned(),
                max: MAX_MEASUREMENTS,
            });
        }
        let measured: Self =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if measured.version != 1 {
            return Err(wrong(format!("its version is {}, not 1", measured.version)));
        }
        Ok(Some(measured))
    }

    fn configuration(&self, path: &Path) -> Result<NamedDigest, ReleaseError> {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&self.configuration, &mut sha256).map_err(|_| {
            ReleaseError::Measurements {
                path: path.to_owned(),
                reason: "the configuration has no digest".to_owned(),
            }
        })?;
        Ok(NamedDigest {
            name: "image".to_owned(),
            sha256,
        })
    }

    /// What a policy can compare. `RTMR0` of TDX is not predicted, so no trust domain is among them.
    fn measurements(self) -> Vec<Measurement> {
        let registers = |values: &[(&str, String)]| {
            let owned = values.iter().cloned();
            owned
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<BTreeMap<_, _>>()
        };
        let digests = self.snp.map(|snp| snp.launch_digests).unwrap_or_default();
        let snp = digests.into_iter().flat_map(|digest| {
            let LaunchDigest {
                model,
                processors,
                unified,
                split,
            } = digest;
            [("unified", unified), ("split", split)].map(|(boot, value)| Measurement {
                name: format!("SEV-SNP, {model}, {processors} processors, {boot}"),
                platform: "sev-snp".to_owned(),
                registers: registers(&[("value", value)]),
            })
        });
        let tpm = Measurement {
            name: "TPM, QEMU".to_owned(),
            platform: "tpm".to_owned(),
            registers: registers(&[
                ("pcr4", self.tpm.pcr4),
                ("pcr9", self.tpm.pcr9),
                ("pcr11", self.tpm.pcr11),
            ]),
        };
        let mut measurements: Vec<_> = snp.chain([tpm]).collect();
        measurements.sort_by(|one, other| one.name.cmp(&other.name));
        measurements
    }
}

const MAX_MEASUREMENTS: u64 = 1 << 20;

#[cfg(test)]
mod tests;
