//! The initial RAM disk: an archive in the format `newc` (Linux,
//! `Documentation/driver-api/early-userspace/buffer-format.rst`).

/// An archive that is being written. Owners are root, times are zero, and entries
/// stand in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a folder.
    ///
    /// # Errors
    ///
    /// [`CpioError`].
    pub fn folder(self, name: &str) -> Result<Self, CpioError> {
        self.entry(name, 0o040_755, [0, 0], &[])
    }

    /// Adds a file with these permissions.
    ///
    /// # Errors
    ///
    /// [`CpioError`].
    pub fn file(self, name: &str, permissions: u32, contents: &[u8]) -> Result<Self, CpioError> {
        self.entry(name, 0o100_000 | (permissions & 0o777), [0, 0], contents)
    }

    /// Adds a character device that only root uses.
    ///
    /// # Errors
    ///
    /// [`CpioError`].
    pub fn device(self, name: &str, major: u32, minor: u32) -> Result<Self, CpioError> {
        self.entry(name, 0o020_600, [major, minor], &[])
    }

    /// The whole archive.
    ///
    /// # Errors
    ///
    /// [`CpioError::TooLong`].
    pub fn finish(self) -> Result<Vec<u8>, CpioError> {
        let mut archive = self.entry(TRAILER, 0, [0, 0], &[])?;
        archive.pad(512);
        Ok(archive.bytes)
    }

    fn entry(
        mut self,
        name: &str,
        mode: u32,
        device: [u32; 2],
        contents: &[u8],
    ) -> Result<Self, CpioError> {
        if name.is_empty() || name.starts_with('/') || name.contains('\0') || name.len() > MAX_NAME
        {
            return Err(CpioError::Name {
                name: name.chars().take(64).collect(),
            });
        }
        let too_long = || CpioError::TooLong {
            name: name.to_owned(),
        };
        let length = u32::try_from(contents.len()).map_err(|_| too_long())?;
        let name_length = u32::try_from(name.len().saturating_add(1)).map_err(|_| too_long())?;
        self.entries = self.entries.checked_add(1).ok_or_else(too_long)?;
        let is_folder = mode & 0o170_000 == 0o040_000;
        let links = if is_folder { 2 } else { 1 };
        let inode = if name == TRAILER { 0 } else { self.entries };
        let [major, minor] = device;
        // inode, mode, owner, group, links, time, length, device (two numbers), the
        // device that it is (two numbers), length of the name, checksum
        let fields = [
            inode,
            mode,
            0,
            0,
            links,
            0,
            length,
            0,
            0,
            major,
            minor,
            name_length,
            0,
        ];
        self.bytes.extend_from_slice(MAGIC);
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad(4);
        self.bytes.extend_from_slice(contents);
        self.pad(4);
        Ok(self)
    }

    fn pad(&mut self, to: usize) {
        let length = self.bytes.len().next_multiple_of(to);
        self.bytes.resize(length, 0);
    }
}

/// Why an entry cannot be written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CpioError {
    /// Not a relative path of up to 4095 bytes.
    #[error("{name:?} is no name of an entry")]
    Name {
        /// The name, cut to 64 characters.
        name: String,
    },

    /// It has 4 GiB or more.
    #[error("{name:?} is too long for an archive")]
    TooLong {
        /// Its name.
        name: String,
    },
}

const MAGIC: &[u8] = b"070701";
const TRAILER: &str = "TRAILER!!!";
const MAX_NAME: usize = 4095;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn archive() -> Vec<u8> {
        Archive::default()
            .folder("dev")
            .and_then(|one| one.device("dev/console", 5, 1))
            .and_then(|one| one.file("init", 0o755, b"hello"))
            .and_then(Archive::finish)
            .unwrap()
    }

    /// What `cpio -o -H newc -R 0:0 --reproducible` writes for the same entries, but
    /// for times (zero here) and padding at the end.
    #[test]
    fn an_archive_is_that_of_the_standard_program() {
        let text = String::from_utf8(archive()).unwrap();
        let head = "070701\
            00000001000041ed000000000000000000000002000000000000000000000000\
            0000000000000000000000000000000400000000dev\0\0\0";
        assert_eq!(text.get(..head.len()), Some(head));
        let device = "0707010000000200002180000000000000000000000001000000000000000000000000\
            000000000000000500000001\
            0000000c00000000dev/console\0\0\0";
        assert!(text.contains(device));
        assert!(text.contains("init\0\0hello\0\0\x00070701"));
        assert!(text.trim_end_matches('\0').ends_with("TRAILER!!!"));
        assert_eq!(text.len() % 512, 0);
    }

    #[test]
    fn the_same_entries_give_the_same_bytes() {
        assert_eq!(archive(), archive());
    }

    #[test]
    fn names_that_leave_the_archive_are_refused() {
        for name in ["", "/init", "a\0b", &"n".repeat(4096)] {
            let found = Archive::default().folder(name).map(|_| ());
            assert!(matches!(found, Err(CpioError::Name { .. })), "{name:?}");
        }
    }
}
