//! Whether two builds are the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::ImageError;
use crate::files;

/// The first file, in the order of names, that two folders do not have in common
/// with the same bytes; `None` if they are the same.
///
/// # Errors
///
/// [`ImageError::System`].
pub fn first_difference(one: &Path, other: &Path) -> Result<Option<String>, ImageError> {
    let (one, other) = (list(one)?, list(other)?);
    let names = one.keys().chain(other.keys());
    let different = names.filter(|name| one.get(*name) != other.get(*name));
    Ok(different.min().cloned())
}

/// Names and digests of the files of a folder.
///
/// # Errors
///
/// [`ImageError::System`].
pub fn list(folder: &Path) -> Result<BTreeMap<String, String>, ImageError> {
    let failed = |source| ImageError::system("cannot read", folder, source);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.insert(name, files::sha256(&entry.path())?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            fs::write(folder.path().join(name), contents).unwrap();
        }
        folder
    }

    #[test]
    fn the_first_file_that_differs_is_named() {
        let one = folder(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let same = folder(&[("c", "3"), ("a", "1"), ("b", "2")]);
        let other = folder(&[("a", "1"), ("b", "x"), ("c", "y")]);
        let compare =
            |other: &tempfile::TempDir| first_difference(one.path(), other.path()).unwrap();
        assert_eq!(compare(&same), None);
        assert_eq!(compare(&other).as_deref(), Some("b"));
    }

    #[test]
    fn a_file_that_only_one_has_is_a_difference() {
        let one = folder(&[("a", "1")]);
        let more = folder(&[("a", "1"), ("z", "")]);
        for (left, right) in [(&one, &more), (&more, &one)] {
            let found = first_difference(left.path(), right.path()).unwrap();
            assert_eq!(found.as_deref(), Some("z"));
        }
    }
}
