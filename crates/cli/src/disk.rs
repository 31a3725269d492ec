//! Free space.

use std::path::Path;

/// Bytes that this user may still write where `path` is or will be; `None` where
/// the system does not say.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|folder| folder.exists())?;
    free_bytes_of(there)
}

#[cfg(unix)]
fn free_bytes_of(path: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(path).ok()?;
    Some(status.f_bavail.saturating_mul(status.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes_of(_path: &Path) -> Option<u64> {
    None
}

/// A size for people.
pub(crate) fn size_words(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut scaled = bytes;
    let mut rest = 0;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"B");
    while scaled >= 1000 {
        let Some(next) = units.next() else { break };
        unit = next;
        rest = scaled % 1000 / 100;
        scaled /= 1000;
    }
    match *unit {
        "B" => format!("{scaled} B"),
        unit => format!("{scaled}.{rest} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 KB"),
            (5_873_210, "5.8 MB"),
            (u64::MAX, "18446744.0 TB"),
        ] {
            assert_eq!(size_words(bytes), words);
        }
    }
}
