//! Unified kernel images: a stub, a kernel and what belongs to it, in one PE image.

use super::{ACTION_BOOT, ACTION_EXIT, ACTION_EXITED, PeError, PeImage, SEPARATOR};
use crate::tdx::google::Disk;
use crate::{Bank, Register, Sha384Digest};

/// A unified kernel image.
#[derive(Clone, Debug)]
pub struct UnifiedKernel<'a> {
    image: PeImage<'a>,
    kernel: Vec<u8>,
    command_line: String,
    initrd: Vec<u8>,
    sections: Vec<(&'static str, Vec<u8>)>,
}

/// How the firmware gets the image. The order of events in PCR 4 depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BootMethod {
    /// As the kernel that QEMU is given: loaded before a boot option is.
    Direct,
    /// From the EFI system partition of a disk.
    SystemPartition,
}

/// Which systemd-stub is in front.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stub {
    /// Of systemd 252: it measures neither `.uname` nor `.sbat`, and knows no
    /// trust domain's registers.
    V252,
    /// Of systemd 257.
    V257,
}

impl<'a> UnifiedKernel<'a> {
    /// Reads an image.
    ///
    /// # Errors
    ///
    /// [`UnifiedKernelError`] if a part is missing, or if nobody could say what would
    /// be measured.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, UnifiedKernelError> {
        let image = PeImage::parse(bytes)?;
        let mut sections = Vec::new();
        for &name in SECTIONS {
            if let Some(contents) = image.section(name)? {
                sections.push((name, contents));
            }
        }
        let section = |wanted: &'static str| {
            let found = sections.iter().find(|(name, _)| *name == wanted);
            let missing = UnifiedKernelError::Missing { name: wanted };
            found.map(|(_, contents)| contents.clone()).ok_or(missing)
        };
        let command_line = String::from_utf8(section(".cmdline")?).ok();
        let command_line = command_line
            .map(|text| text.trim_end_matches('\0').to_owned())
            .filter(|text| !text.ends_with(' ') && !text.chars().any(char::is_control))
            .ok_or(UnifiedKernelError::CommandLine)?;
        Ok(Self {
            kernel: section(".linux")?,
            initrd: section(".initrd")?,
            command_line,
            image,
            sections,
        })
    }

    /// PCR 4: the images that the firmware started.
    ///
    /// # Errors
    ///
    /// [`UnifiedKernelError::Image`] if the kernel inside is no PE image.
    pub fn pcr4(&self, method: BootMethod) -> Result<Register, UnifiedKernelError> {
        self.started(Bank::Sha256, method)
    }

    /// PCR 9: the command line and the initial RAM disk, by the kernel's stub.
    ///
    /// # Errors
    ///
    /// [`UnifiedKernelError::Unpredictable`] if the stub adds a file to the RAM disk.
    pub fn pcr9(&self, stub: Stub) -> Result<Register, UnifiedKernelError> {
        self.loaded(Bank::Sha256, stub)
    }

    /// PCR 11: each section that is there, its name and its contents, in the order
    /// that systemd fixed.
    #[must_use]
    pub fn pcr11(&self, stub: Stub) -> Register {
        let mut register = Register::new(Bank::Sha256);
        for (name, contents) in &self.sections {
            if stub == Stub::V252 && [".uname", ".sbat"].contains(name) {
                continue;
            }
            register.measure(&[name.as_bytes(), &[0]].concat());
            register.measure(contents);
        }
        register
    }

    /// RTMR 1 of a trust domain that QEMU starts with the image as its kernel: the
    /// events of PCR 4, and that the firmware let go.
    ///
    /// # Errors
    ///
    /// As [`Self::pcr4`].
    pub fn rtmr1_direct(&self) -> Result<Register, UnifiedKernelError> {
        let mut register = self.started(Bank::Sha384, BootMethod::Direct)?;
        register.measure(ACTION_EXIT);
        register.measure(ACTION_EXITED);
        Ok(register)
    }

    /// RTMR 2 behind a stub that does not measure for trust domains: command line and
    /// initial RAM disk.
    ///
    /// # Errors
    ///
    /// [`UnifiedKernelError::Unpredictable`] for a stub that does.
    pub fn rtmr2(&self, stub: Stub) -> Result<Register, UnifiedKernelError> {
        if stub != Stub::V252 {
            return Err(UnifiedKernelError::Unpredictable { stub });
        }
        self.loaded(Bank::Sha384, stub)
    }

    /// The digests for a disk on Google Compute Engine, with that of its partition
    /// table's event.
    ///
    /// # Errors
    ///
    /// As [`Self::pcr4`].
    pub fn google_disk(&self, partitions: Sha384Digest) -> Result<Disk, UnifiedKernelError> {
        let kernel = PeImage::parse(&self.kernel)?;
        Ok(Disk {
            partitions,
            image: sha384(&self.image.authenticode(Bank::Sha384)),
            kernel: sha384(&kernel.authenticode(Bank::Sha384)),
            command_line: Sha384Digest::of(&self.load_options()),
            initrd: Sha384Digest::of(&self.initrd),
        })
    }

    /// The kernel in it.
    #[must_use]
    pub fn kernel(&self) -> &[u8] {
        &self.kernel
    }

    /// The initial RAM disk in it.
    #[must_use]
    pub fn initrd(&self) -> &[u8] {
        &self.initrd
    }

    /// The command line in it.
    #[must_use]
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    fn started(&self, bank: Bank, method: BootMethod) -> Result<Register, UnifiedKernelError> {
        let image = self.image.authenticode(bank);
        let kernel = PeImage::parse(&self.kernel)?.authenticode(bank);
        let (action, separator) = (bank.digest(ACTION_BOOT), bank.digest(&SEPARATOR));
        let events = match method {
            BootMethod::Direct => [image, action, separator, kernel],
            BootMethod::SystemPartition => [action, separator, image, kernel],
        };
        let mut register = Register::new(bank);
        for event in &events {
            let _same_length = register.extend_digest(event);
        }
        Ok(register)
    }

    fn loaded(&self, bank: Bank, stub: Stub) -> Result<Register, UnifiedKernelError> {
        let has_release = self.sections.iter().any(|(name, _)| *name == ".osrel");
        if stub != Stub::V252 && has_release {
            return Err(UnifiedKernelError::Unpredictable { stub });
        }
        let mut register = Register::new(bank);
        register.measure(&self.load_options());
        register.measure(&self.initrd);
        Ok(register)
    }

    /// The command line as the kernel's stub finds it: UTF-16, with a final zero.
    fn load_options(&self) -> Vec<u8> {
        let units = self.command_line.encode_utf16().chain([0]);
        units.flat_map(u16::to_le_bytes).collect()
    }
}

fn sha384(digest: &[u8]) -> Sha384Digest {
    digest
        .try_into()
        .map_or(Sha384Digest::ZERO, Sha384Digest::new)
}

/// Why nothing is predicted for an image.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UnifiedKernelError {
    /// The command line is no text, has control characters, or ends with spaces,
    /// which stubs treat differently.
    #[error("the command line is no plain text")]
    CommandLine,

    /// It, or the kernel inside, is no image.
    #[error(transparent)]
    Image(#[from] PeError),

    /// A part is missing.
    #[error("the image has no section {name}")]
    Missing {
        /// Name of its section.
        name: &'static str,
    },

    /// The stub measures something that is not in the image.
    #[error("what the stub {stub:?} measures of this image is not known")]
    Unpredictable {
        /// The stub.
        stub: Stub,
    },
}

/// systemd, `src/fundamental/uki.c`: the order of measurement.
const SECTIONS: &[&str] = &[
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
    ".pcrpkey",
];

#[cfg(test)]
mod tests;
