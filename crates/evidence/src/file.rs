//! Files of the kernel and of the operator, read with a bound.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use crate::error::CollectError;

/// Reads a file that cannot have more than `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, CollectError> {
    let failed = |error| CollectError::file("read", path, &error);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= limit) {
        Ok(bytes)
    } else {
        Err(CollectError::TooLong {
            path: path.to_owned(),
            limit,
        })
    }
}

/// As [`read`], but `None` where there is no such file.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, CollectError> {
    match read(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(CollectError::File {
            kind: ErrorKind::NotFound,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes to a file that is there, in one call: attributes of the kernel take
/// their value so.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CollectError> {
    let failed = |error| CollectError::file("write", path, &error);
    let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_limit_is_read_and_a_longer_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [7; 9]).unwrap();
        assert_eq!(read(&path, 9).unwrap(), [7; 9]);
        assert!(matches!(
            read(&path, 8),
            Err(CollectError::TooLong { limit: 8, .. })
        ));
    }

    /// It never ends; reading stops at the limit all the same.
    #[test]
    fn an_endless_file_is_refused() {
        let error = read(Path::new("/dev/zero"), 4096).unwrap_err();
        assert!(matches!(error, CollectError::TooLong { .. }));
    }

    #[test]
    fn only_a_file_that_is_not_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let none = read_if_there(&folder.path().join("file"), 9).unwrap();
        assert_eq!(none, None);
        assert!(read_if_there(folder.path(), 9).is_err());
    }

    #[test]
    fn writing_makes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("file"), b"x").is_err());
    }
}
