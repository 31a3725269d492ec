//! Which libraries a program asks for (System V ABI, "Dynamic Linking"; ELF-64 for
//! little-endian machines).

/// What a program needs to be started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Needs {
    /// The loader, by its path; `None` for a static program or a library.
    pub loader: Option<String>,
    /// Names of libraries, in the program's order.
    pub libraries: Vec<String>,
}

/// Reads what a program or a library asks for.
///
/// # Errors
///
/// [`ElfError`].
pub fn needs(bytes: &[u8]) -> Result<Needs, ElfError> {
    if array(bytes, 0)? != *b"\x7fELF\x02\x01" {
        return Err(ElfError::NotElf);
    }
    let headers = Headers::read(bytes)?;
    let mut needs = Needs::default();
    let mut dynamic: &[u8] = &[];
    for header in headers.iter(bytes) {
        let header = header?;
        match header.kind {
            DYNAMIC => dynamic = slice(bytes, header.offset, header.length)?,
            INTERPRETER => {
                let path = slice(bytes, header.offset, header.length)?;
                needs.loader = Some(text(path, 0)?);
            }
            _ => {}
        }
    }
    let entries = || {
        dynamic
            .chunks_exact(16)
            .map_while(|entry| Some((word(entry, 0).ok()?, word(entry, 8).ok()?)))
            .take_while(|&(tag, _)| tag != 0)
    };
    let Some((_, address)) = entries().find(|&(tag, _)| tag == STRING_TABLE) else {
        return Ok(needs);
    };
    let strings = headers.at_address(bytes, address)?;
    for (_, name) in entries().filter(|&(tag, _)| tag == NEEDED) {
        needs.libraries.push(text(strings, name)?);
    }
    Ok(needs)
}

struct Headers {
    offset: u64,
    count: u16,
}

struct Header {
    kind: u32,
    offset: u64,
    address: u64,
    length: u64,
}

impl Headers {
    fn read(bytes: &[u8]) -> Result<Self, ElfError> {
        if u16::from_le_bytes(array(bytes, 54)?) != 56 {
            return Err(ElfError::Malformed);
        }
        Ok(Self {
            offset: word(bytes, 32)?,
            count: u16::from_le_bytes(array(bytes, 56)?),
        })
    }

    fn iter<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = Result<Header, ElfError>> + 'a {
        let offset = self.offset;
        (0..u64::from(self.count)).map(move |number| {
            let at = number.saturating_mul(56).saturating_add(offset);
            let entry = slice(bytes, at, 56)?;
            Ok(Header {
                kind: u32::from_le_bytes(array(entry, 0)?),
                offset: word(entry, 8)?,
                address: word(entry, 16)?,
                length: word(entry, 32)?,
            })
        })
    }

    /// What is loaded at an address, up to the end of its segment.
    fn at_address<'a>(&self, bytes: &'a [u8], address: u64) -> Result<&'a [u8], ElfError> {
        for header in self.iter(bytes) {
            let header = header?;
            let into = address.checked_sub(header.address);
            let into = into.filter(|&into| header.kind == LOAD && into < header.length);
            if let Some(into) = into {
                let segment = slice(bytes, header.offset, header.length)?;
                return slice(segment, into, header.length.saturating_sub(into));
            }
        }
        Err(ElfError::Malformed)
    }
}

/// Why a program was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// Something points outside.
    #[error("a malformed program")]
    Malformed,

    /// It is no ELF file for a 64-bit little-endian machine.
    #[error("no program for this kind of machine")]
    NotElf,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ElfError> {
    let rest = bytes.get(at..).ok_or(ElfError::Malformed)?;
    rest.first_chunk().copied().ok_or(ElfError::Malformed)
}

fn word(bytes: &[u8], at: usize) -> Result<u64, ElfError> {
    array(bytes, at).map(u64::from_le_bytes)
}

fn slice(bytes: &[u8], at: u64, length: u64) -> Result<&[u8], ElfError> {
    let end = at.checked_add(length).ok_or(ElfError::Malformed)?;
    let (Ok(at), Ok(end)) = (usize::try_from(at), usize::try_from(end)) else {
        return Err(ElfError::Malformed);
    };
    bytes.get(at..end).ok_or(ElfError::Malformed)
}

/// Text that ends with a zero.
fn text(bytes: &[u8], at: u64) -> Result<String, ElfError> {
    let at = usize::try_from(at).map_err(|_| ElfError::Malformed)?;
    let rest = bytes.get(at..).ok_or(ElfError::Malformed)?;
    let name = rest.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| ElfError::Malformed)?;
    if name.is_empty() || name.len() > 255 {
        return Err(ElfError::Malformed);
    }
    Ok(name.to_owned())
}

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;
const NEEDED: u64 = 1;
const STRING_TABLE: u64 = 5;

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests"
    )]

    use super::*;

    /// A program with a loader and the libraries of `names`.
    fn program(names: &[&str]) -> Vec<u8> {
        let mut strings = vec![0];
        let mut dynamic = Vec::new();
        let mut entry = |tag: u64, value: u64| {
            dynamic.extend(tag.to_le_bytes());
            dynamic.extend(value.to_le_bytes());
        };
        for name in names {
            entry(NEEDED, strings.len().try_into().unwrap());
            strings.extend(name.bytes().chain([0]));
        }
        entry(STRING_TABLE, 0x1000 + 0x200);
        entry(0, 0);
        let mut bytes = vec![0; 0x400];
        let mut put = |at: usize, new: &[u8]| bytes[at..at + new.len()].copy_from_slice(new);
        put(0, b"\x7fELF\x02\x01\x01");
        put(32, &64_u64.to_le_bytes());
        put(54, &56_u16.to_le_bytes());
        put(56, &3_u16.to_le_bytes());
        for (number, (kind, offset, length)) in [
            (LOAD, 0, 0x400),
            (DYNAMIC, 0x300, dynamic.len()),
            (INTERPRETER, 0x280, 8),
        ]
        .into_iter()
        .enumerate()
        {
            let at = 64 + number * 56;
            let length = u64::try_from(length).unwrap();
            put(at, &kind.to_le_bytes());
            put(at + 8, &u64::to_le_bytes(offset));
            put(at + 16, &(offset + 0x1000).to_le_bytes());
            put(at + 32, &length.to_le_bytes());
        }
        put(0x200, &strings);
        put(0x280, b"/lib/ld\0");
        put(0x300, &dynamic);
        bytes
    }

    #[test]
    fn loader_and_libraries_are_found() {
        let found = needs(&program(&["libc.so.6", "libm.so.6"])).unwrap();
        assert_eq!(found.loader.as_deref(), Some("/lib/ld"));
        assert_eq!(found.libraries, ["libc.so.6", "libm.so.6"]);
    }

    /// The test itself is a program.
    #[test]
    fn a_program_of_this_machine_is_read() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        if cfg!(all(target_os = "linux", target_pointer_width = "64")) {
            assert!(needs(&bytes).is_ok());
        }
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert_eq!(needs(b"#!/bin/sh\n"), Err(ElfError::NotElf));
        assert_eq!(needs(b""), Err(ElfError::Malformed));
        let mut narrow = program(&[]);
        narrow[4] = 1;
        assert_eq!(needs(&narrow), Err(ElfError::NotElf));
    }

    #[test]
    fn a_name_outside_its_table_is_refused() {
        let mut bytes = program(&["libc.so.6"]);
        bytes[0x308..0x310].copy_from_slice(&0x4000_u64.to_le_bytes());
        assert_eq!(needs(&bytes), Err(ElfError::Malformed));
    }

    #[test]
    fn no_damaged_program_panics() {
        let good = program(&["libc.so.6"]);
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] = 0xff;
            let _refused = needs(&bytes);
            let _refused = needs(&good[..at]);
        }
    }
}
