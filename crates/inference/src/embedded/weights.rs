//! Weights: read once, hashed, and sealed in memory.
//!
//! The disk may belong to somebody else, so a file that was hashed and then
//! opened again proves nothing. The bytes are hashed while they are copied into
//! a `memfd` that is then sealed against every change; only that copy is ever
//! parsed, and its digest is compared first.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use sha2::{Digest as _, Sha256};

/// A sealed copy of a weights file whose digest is the expected one.
///
/// Only [`SealedWeights::read`] makes one.
#[derive(Debug)]
pub struct SealedWeights {
    memory: File,
    sha256: [u8; 32],
    bytes: u64,
}

impl SealedWeights {
    /// Copies the file at `path` into sealed memory and checks its SHA-256.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Digest`] if the bytes are not the expected ones,
    /// [`WeightsError::Size`] over `max_bytes`, [`WeightsError::Read`] and
    /// [`WeightsError::Memory`] if the system refuses.
    pub fn read(
        path: &Path,
        expected_sha256: [u8; 32],
        max_bytes: u64,
    ) -> Result<Self, WeightsError> {
        let mut file = File::open(path).map_err(WeightsError::Read)?;
        let mut memory = File::from(create()?);
        let mut hash = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0_u64;
        loop {
            let got = file.read(&mut buffer).map_err(WeightsError::Read)?;
            let Some(chunk) = buffer.get(..got).filter(|chunk| !chunk.is_empty()) else {
                break;
            };
            bytes = bytes.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
            if bytes > max_bytes {
                return Err(WeightsError::Size { limit: max_bytes });
            }
            hash.update(chunk);
            memory.write_all(chunk).map_err(WeightsError::Memory)?;
        }
        seal(&memory)?;
        let sha256: [u8; 32] = hash.finalize().into();
        if sha256 != expected_sha256 {
            return Err(WeightsError::Digest {
                expected: expected_sha256,
                actual: sha256,
            });
        }
        Ok(Self {
            memory,
            sha256,
            bytes,
        })
    }

    /// SHA-256 of the sealed bytes.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Number of sealed bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A descriptor of the sealed memory for a worker process.
    pub(crate) fn descriptor(&self) -> std::io::Result<OwnedFd> {
        self.memory.as_fd().try_clone_to_owned()
    }
}

/// Why weights were not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file's digest is not the configured one.
    #[error("weights have SHA-256 {}, expected {}", hex(actual), hex(expected))]
    Digest {
        /// The configured digest.
        expected: [u8; 32],
        /// The file's digest.
        actual: [u8; 32],
    },

    /// Sealed memory could not be made or filled.
    #[error("cannot copy weights into sealed memory")]
    Memory(#[source] std::io::Error),

    /// The file could not be read.
    #[error("cannot read weights")]
    Read(#[source] std::io::Error),

    /// The file is larger than the configuration allows.
    #[error("weights are larger than the {limit} bytes allowed")]
    Size {
        /// Most bytes allowed.
        limit: u64,
    },
}

/// A memory file that can be sealed; not executable where the kernel knows how.
fn create() -> Result<OwnedFd, WeightsError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // MFD_NOEXEC_SEAL is known since Linux 6.3.
    memfd_create("weights", flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create("weights", flags))
        .map_err(|error| WeightsError::Memory(error.into()))
}

fn seal(memory: &File) -> Result<(), WeightsError> {
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(memory, seals).map_err(|error| WeightsError::Memory(error.into()))?;
    let set = fcntl_get_seals(memory).map_err(|error| WeightsError::Memory(error.into()))?;
    if set.contains(seals) {
        Ok(())
    } else {
        Err(WeightsError::Memory(std::io::ErrorKind::Unsupported.into()))
    }
}

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const CHUNK: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, SeekFrom};

    use super::*;

    #[test]
    fn the_copy_holds_the_bytes_that_were_hashed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        std::fs::write(&path, b"the real weights").unwrap();

        let sealed = SealedWeights::read(&path, digest(b"the real weights"), 100).unwrap();
        std::fs::write(&path, b"swapped on disk!").unwrap();

        assert_eq!(content(&sealed), b"the real weights");
        assert_eq!(sealed.bytes(), 16);
    }

    #[test]
    fn another_digest_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        std::fs::write(&path, b"other").unwrap();

        let refused = SealedWeights::read(&path, digest(b"expected"), 100).unwrap_err();

        assert!(
            matches!(refused, WeightsError::Digest { actual, .. } if actual == digest(b"other"))
        );
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        std::fs::write(&path, [0; 101]).unwrap();

        let refused = SealedWeights::read(&path, digest(&[0; 101]), 100).unwrap_err();

        assert!(matches!(refused, WeightsError::Size { limit: 100 }));
    }

    #[test]
    fn the_copy_cannot_be_written_grown_or_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        std::fs::write(&path, b"weights").unwrap();
        let sealed = SealedWeights::read(&path, digest(b"weights"), 100).unwrap();

        let mut file = File::from(sealed.descriptor().unwrap());

        file.seek(SeekFrom::Start(0)).unwrap();
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(3).is_err());
        assert!(file.set_len(300).is_err());
        assert!(fcntl_add_seals(&file, SealFlags::WRITE).is_err());
    }

    fn digest(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    fn content(sealed: &SealedWeights) -> Vec<u8> {
        let mut file = File::from(sealed.descriptor().unwrap());
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }
}
