//! Where two files begin to differ.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use object::{Object as _, ObjectSection as _};

use crate::ReleaseError;

/// The first place where two files differ.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// How many bytes at the beginning are the same.
    pub offset: u64,
    /// In which section of a program (ELF, PE) or which file of a RAM disk (cpio) of the first file that is.
    pub part: Option<String>,
    /// Up to 16 bytes from there of both, in hexadecimal.
    pub bytes: (String, String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.offset)?;
        if let Some(part) = &self.part {
            write!(f, " ({part})")?;
        }
        let or_end = |text: &str| {
            if text.is_empty() {
                "the end".to_owned()
            } else {
                text.to_owned()
            }
        };
        write!(f, ": {} / {}", or_end(&self.bytes.0), or_end(&self.bytes.1))
    }
}

/// The first place where two files differ; none if they are the same.
///
/// # Errors
///
/// [`ReleaseError::Io`], or [`ReleaseError::TooLarge`] above 2 GiB.
pub fn first_difference(one: &Path, other: &Path) -> Result<Option<Difference>, ReleaseError> {
    Ok(between(&read(one)?, &read(other)?))
}

fn read(path: &Path) -> Result<Vec<u8>, ReleaseError> {
    let failed = |source| ReleaseError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > MAX_FILE {
        return Err(ReleaseError::TooLarge {
            path: path.to_owned(),
            max: MAX_FILE,
        });
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

fn between(one: &[u8], other: &[u8]) -> Option<Difference> {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    if same == one.len() && same == other.len() {
        return None;
    }
    let show = |bytes: &[u8]| {
        let rest = bytes.get(same..).unwrap_or_default();
        hex::encode(rest.get(..16).unwrap_or(rest))
    };
    let offset = u64::try_from(same).unwrap_or(u64::MAX);
    Some(Difference {
        offset,
        part: section_at(one, offset).or_else(|| member_at(one, same)),
        bytes: (show(one), show(other)),
    })
}

/// The section of a program that a place is in.
fn section_at(bytes: &[u8], offset: u64) -> Option<String> {
    let program = object::File::parse(bytes).ok()?;
    let section = program.sections().find(|section| {
        section
            .file_range()
            .is_some_and(|(start, size)| offset >= start && offset < start.saturating_add(size))
    })?;
    let name = printable(section.name_bytes().ok()?);
    // A RAM disk in a unified kernel has files of its own.
    let (start, _) = section.file_range()?;
    let inner = usize::try_from(offset.checked_sub(start)?).ok()?;
    let member = section.data().ok().and_then(|data| member_at(data, inner));
    Some(match member {
        Some(member) => format!("section {name}, {member}"),
        None => format!("section {name}"),
    })
}

/// The file of a cpio archive (newc) that a place is in.
fn member_at(bytes: &[u8], offset: usize) -> Option<String> {
    let mut at = 0_usize;
    loop {
        let header = bytes.get(at..at.checked_add(HEADER)?)?;
        if !header.starts_with(b"070701") {
            return None;
        }
        let field = |number: usize| {
            let start = number.checked_mul(8)?.checked_add(6)?;
            let digits = header.get(start..start.checked_add(8)?)?;
            usize::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
        };
        let (size, name_len) = (field(6)?, field(11)?);
        let name_at = at.checked_add(HEADER)?;
        let name_end = name_at.checked_add(name_len)?;
        let name = bytes.get(name_at..name_end)?;
        let data = name_end.checked_next_multiple_of(4)?;
        let next = data.checked_add(size)?.checked_next_multiple_of(4)?;
        if offset < next {
            let name = printable(name.strip_suffix(b"\0").unwrap_or(name));
            return Some(format!("file {name}"));
        }
        at = next;
    }
}

/// A name from a file that nobody has checked.
fn printable(name: &[u8]) -> String {
    let name = name.get(..64).unwrap_or(name);
    name.escape_ascii().to_string()
}

/// Bytes of a header of cpio's newc format.
const HEADER: usize = 110;
const MAX_FILE: u64 = 2 << 30;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, data) in files {
            let mut header = String::from("070701");
            for field in 0..13 {
                let value = match field {
                    6 => data.len(),
                    11 => name.len().checked_add(1).unwrap(),
                    _ => 0,
                };
                write!(header, "{value:08x}").unwrap();
            }
            out.extend(header.as_bytes());
            out.extend(name.as_bytes());
            out.push(0);
            out.resize(out.len().next_multiple_of(4), 0);
            out.extend(*data);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        out
    }

    #[test]
    fn equal_files_have_no_difference() {
        assert_eq!(between(b"", b""), None);
        assert_eq!(between(b"same", b"same"), None);
    }

    #[test]
    fn the_first_byte_that_differs_is_shown_from_both() {
        let found = between(b"abcdef", b"abXdef").unwrap();
        assert_eq!(found.to_string(), "byte 2: 63646566 / 58646566");
    }

    #[test]
    fn a_file_that_ends_earlier_differs_at_its_end() {
        assert_eq!(
            between(b"ab", b"abc").unwrap().to_string(),
            "byte 2: the end / 63"
        );
        assert_eq!(
            between(b"abc", b"ab").unwrap().to_string(),
            "byte 2: 63 / the end"
        );
    }

    #[test]
    fn in_a_ram_disk_the_file_is_named() {
        let one = cpio(&[("init", b"first"), ("lib/module.ko", b"second")]);
        let mut other = one.clone();
        let last = other.len().checked_sub(3).unwrap();
        *other.get_mut(last).unwrap() ^= 1;
        assert_eq!(
            between(&one, &other).unwrap().part.unwrap(),
            "file lib/module.ko"
        );
    }

    #[test]
    fn in_a_program_the_section_is_named() {
        let one = read(&std::env::current_exe().unwrap()).unwrap();
        let program = object::File::parse(&*one).unwrap();
        let text = program.section_by_name(".text").unwrap();
        let at = usize::try_from(text.file_range().unwrap().0).unwrap();
        let mut other = one.clone();
        *other.get_mut(at).unwrap() ^= 1;
        let found = between(&one, &other).unwrap();
        assert_eq!(found.part.as_deref(), Some("section .text"));
        assert_eq!(found.offset, text.file_range().unwrap().0);
    }

    #[test]
    fn what_only_looks_like_a_ram_disk_names_nothing() {
        let good = cpio(&[("init", b"first")]);
        for len in 0..good.len() {
            let cut = good.get(..len).unwrap();
            // Nothing panics; a name is only given to what is there.
            let _ = member_at(cut, len);
        }
        let mut endless = good;
        endless.splice(54..62, *b"ffffffff");
        assert_eq!(member_at(&endless, usize::MAX), None);
        assert_eq!(member_at(b"070701", 0), None);
    }
}
