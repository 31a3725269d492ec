//! Reading and writing, with the path in every error.

use std::fs::{self, File, Permissions};
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::ImageError;

/// Reads a file of at most [`MAX_FILE`] bytes.
///
/// # Errors
///
/// [`ImageError::System`].
pub fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    let failed = |source| ImageError::system("cannot read", path, source);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_FILE.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// Writes a file with these permissions, whatever the process's mask is.
///
/// # Errors
///
/// [`ImageError::System`].
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ImageError> {
    fs::write(path, bytes)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|source| ImageError::system("cannot write", path, source))
}

/// Makes a folder and those above it, readable for everybody.
///
/// # Errors
///
/// [`ImageError::System`].
pub fn make_folder(path: &Path) -> Result<(), ImageError> {
    if path.is_dir() {
        return Ok(());
    }
    // Above a relative path is the current folder, whose name is empty.
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    if let Some(parent) = parent {
        make_folder(parent)?;
    }
    fs::create_dir(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)))
        .map_err(|source| ImageError::system("cannot make", path, source))
}

/// SHA-256 of a file of any length, in hexadecimal.
///
/// # Errors
///
/// [`ImageError::System`].
pub fn sha256(path: &Path) -> Result<String, ImageError> {
    let failed = |source| ImageError::system("cannot read", path, source);
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// Kernels and programs have some tens of megabytes.
pub const MAX_FILE: u64 = 512 << 20;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_below_the_current_one_too() {
        // A test runs in its crate's folder, below which nothing is to be left.
        let folder = tempfile::tempdir_in(".").unwrap();
        let name = folder.path().file_name().unwrap();
        let relative = Path::new(name).join("a/b");
        make_folder(&relative).unwrap();
        assert!(relative.is_dir());
        make_folder(&relative).unwrap();
        let gone = tempfile::tempdir_in(".").unwrap();
        let plain = Path::new(gone.path().file_name().unwrap()).to_owned();
        gone.close().unwrap();
        // Nothing above it but the current folder.
        make_folder(&plain).unwrap();
        fs::remove_dir(&plain).unwrap();
    }
}
