//! Receipt files on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::ReceiptFileError;

/// Why a receipt could not be kept.
#[derive(Debug, Error)]
#[error("the receipt cannot be written to {}: {source}", path.display())]
pub struct StorageError {
    path: PathBuf,
    source: io::Error,
}

/// Reads a file of bounded size.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ReceiptFileError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path)?;
    let read = file
        .take(MAX_FILE.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(ReceiptFileError::TooLarge { limit: MAX_FILE });
    }
    Ok(bytes)
}

/// Writes beside the place, then renames: whoever looks sees all of the file or none.
pub(super) fn write(folder: &Path, id: &str, content: &[u8]) -> Result<PathBuf, StorageError> {
    let path = folder.join(format!("{id}.json"));
    let draft = folder.join(format!(".{id}.{}.new", std::process::id()));
    let written = create(&draft, content).and_then(|()| fs::rename(&draft, &path));
    match written {
        Ok(()) => Ok(path),
        Err(source) => {
            // It may not be there; the first error is the one to show.
            let _ = fs::remove_file(&draft);
            Err(StorageError { path, source })
        }
    }
}

fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let _ = options.write(true).create_new(true);
    #[cfg(unix)]
    let _ = std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A message, an answer and a bundle of the largest sizes, in base64.
const MAX_FILE: u64 = 128 << 20;
