//! The boot stub of systemd, and which version it says it is.

use std::path::Path;

use subrosa_measure::uefi::{PeImage, Stub};

use crate::error::ImageError;
use crate::files;

/// A boot stub.
#[derive(Clone, Debug)]
pub struct BootStub {
    bytes: Vec<u8>,
    version: Stub,
}

impl BootStub {
    /// Where Debian's package `systemd-boot-efi` has it.
    pub const PATH: &'static str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";

    /// Reads the stub of this machine.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn load(path: &Path) -> Result<Self, ImageError> {
        if !path.exists() {
            return Err(ImageError::Missing {
                what: path.display().to_string(),
                hint: "scripts/setup image installs the package systemd-boot-efi",
            });
        }
        Self::of(files::read(path)?)
    }

    /// Takes a stub whose version says what it measures.
    ///
    /// # Errors
    ///
    /// [`ImageError::Stub`] for another version.
    pub fn of(bytes: Vec<u8>) -> Result<Self, ImageError> {
        let said = said(&bytes);
        let version = match said.as_deref().and_then(major) {
            Some(252) => Stub::V252,
            Some(257) => Stub::V257,
            _ => {
                return Err(ImageError::Stub {
                    got: said.unwrap_or_default(),
                });
            }
        };
        Ok(Self { bytes, version })
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Stub {
        self.version
    }
}

/// What stands in `.sdmagic`: `#### LoaderInfo: systemd-stub 252.39-1 ####`.
fn said(bytes: &[u8]) -> Option<String> {
    // Debian's file ends with its last section, unpadded.
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let section = PeImage::parse(&bytes).ok()?.section(".sdmagic").ok()??;
    let text = String::from_utf8(section).ok()?;
    Some(text.trim_end_matches('\0').chars().take(128).collect())
}

fn major(said: &str) -> Option<u32> {
    let version = said.strip_prefix("#### LoaderInfo: systemd-stub ")?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_number_behind_the_name() {
        let said = |version| format!("#### LoaderInfo: systemd-stub {version} ####");
        assert_eq!(major(&said("252.39-1~deb12u2")), Some(252));
        assert_eq!(major(&said("257")), Some(257));
        assert_eq!(major(&said("v257")), None);
        assert_eq!(major("systemd-stub 252"), None);
    }

    #[test]
    fn a_stub_that_does_not_say_its_version_is_refused() {
        let found = BootStub::of(b"MZ".to_vec());
        assert!(matches!(found, Err(ImageError::Stub { .. })));
    }
}
