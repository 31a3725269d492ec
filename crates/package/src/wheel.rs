//! A Python wheel that carries one static program (binary distribution format 1.0).

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{PackageError, read};

/// Writes the wheel into a folder, and gives its path. The program becomes the command `subrosa`.
///
/// # Errors
///
/// [`PackageError`]; a program that needs a loader is refused, because a wheel for every Linux must not.
pub fn write(program: &Path, version: &str, folder: &Path) -> Result<PathBuf, PackageError> {
    let bytes = read(program)?;
    if !is_static(&bytes) {
        return Err(PackageError::NotStatic(program.to_owned()));
    }
    let about = format!("subrosa-{version}.dist-info");
    let metadata = format!(
        "Metadata-Version: 2.1\nName: subrosa\nVersion: {version}\n\
         Summary: Private AI that anyone can check: the client\n\
         License: Apache-2.0 OR MIT\nRequires-Python: >=3.8\n"
    );
    let tags = TAGS.map(|tag| format!("Tag: py3-none-{tag}\n")).concat();
    let kind =
        format!("Wheel-Version: 1.0\nGenerator: subrosa-package\nRoot-Is-Purelib: false\n{tags}");
    let files = [
        (
            format!("subrosa-{version}.data/scripts/subrosa"),
            bytes,
            0o755,
        ),
        (format!("{about}/METADATA"), metadata.into_bytes(), 0o644),
        (format!("{about}/WHEEL"), kind.into_bytes(), 0o644),
    ];
    let record = format!("{about}/RECORD");
    let line = |(name, bytes, _): &(String, Vec<u8>, u32)| {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(bytes));
        format!("{name},sha256={digest},{}\n", bytes.len())
    };
    let mut lines = files.each_ref().map(line).concat();
    lines.push_str(&record);
    lines.push_str(",,\n");
    let archive = archive(
        files
            .into_iter()
            .chain([(record, lines.into_bytes(), 0o644)]),
    )?;
    let path = folder.join(format!("subrosa-{version}-py3-none-{}.whl", TAGS.join(".")));
    fs::write(&path, archive).map_err(PackageError::io("write", &path))?;
    Ok(path)
}

fn archive(files: impl Iterator<Item = (String, Vec<u8>, u32)>) -> Result<Vec<u8>, PackageError> {
    let failed = |error: &dyn std::fmt::Display| PackageError::Format(error.to_string());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, mode) in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(mode);
        archive
            .start_file(name, options)
            .map_err(|error| failed(&error))?;
        archive.write_all(&bytes).map_err(|error| failed(&error))?;
    }
    let written = archive.finish().map_err(|error| failed(&error))?;
    Ok(written.into_inner())
}

/// Whether a program needs no loader: no `PT_INTERP` among its program headers (ELF-64, little-endian).
fn is_static(bytes: &[u8]) -> bool {
    let number = |at: usize, len: usize| -> Option<usize> {
        let field = bytes.get(at..at.checked_add(len)?)?;
        let value = field
            .iter()
            .rev()
            .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        usize::try_from(value).ok()
    };
    let headers = || {
        let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        (0..count)
            .map(|index| number(start.checked_add(index.checked_mul(size)?)?, 4))
            .collect::<Option<Vec<_>>>()
    };
    bytes.starts_with(b"\x7fELF\x02\x01") && headers().is_some_and(|kinds| !kinds.contains(&3))
}

/// A static program runs with either C library.
const TAGS: [&str; 2] = ["manylinux_2_17_x86_64", "musllinux_1_1_x86_64"];

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// A program with one program header of this kind.
    fn program(kind: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (bytes[32], bytes[54], bytes[56], bytes[64]) = (64, 56, 1, kind);
        bytes
    }

    #[test]
    fn a_wheel_has_the_program_and_a_record_of_every_file() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("subrosa");
        fs::write(&from, program(1)).unwrap();
        let path = write(&from, "0.1.0", folder.path()).unwrap();
        assert!(
            path.ends_with("subrosa-0.1.0-py3-none-manylinux_2_17_x86_64.musllinux_1_1_x86_64.whl")
        );
        let mut archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
        let mut content = |name: &str| {
            let mut file = archive.by_name(name).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (bytes, file.unix_mode().unwrap() & 0o777)
        };
        assert_eq!(
            content("subrosa-0.1.0.data/scripts/subrosa"),
            (program(1), 0o755)
        );
        let (record, _) = content("subrosa-0.1.0.dist-info/RECORD");
        let record = String::from_utf8(record).unwrap();
        let (listed, last) = record.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(last, "subrosa-0.1.0.dist-info/RECORD,,");
        assert_eq!(listed.lines().count(), 3);
        for line in listed.lines() {
            let fields: Vec<_> = line.split(',').collect();
            let (bytes, _) = content(fields[0]);
            let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes));
            assert_eq!(fields[1], format!("sha256={digest}"));
            assert_eq!(fields[2], bytes.len().to_string());
        }
    }

    #[test]
    fn the_same_program_gives_the_same_wheel() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, other] = folders.map(|folder| {
            let from = folder.path().join("program");
            fs::write(&from, program(1)).unwrap();
            fs::read(write(&from, "0.1.0", folder.path()).unwrap()).unwrap()
        });
        assert_eq!(one, other);
    }

    #[test]
    fn a_program_that_needs_a_loader_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("subrosa");
        let mut cut = program(1);
        cut.truncate(64);
        for bytes in [program(3), cut, b"#!/bin/sh".to_vec(), Vec::new()] {
            fs::write(&from, bytes).unwrap();
            let error = write(&from, "0.1.0", folder.path()).unwrap_err();
            assert!(matches!(error, PackageError::NotStatic(_)), "{error}");
        }
    }
}
