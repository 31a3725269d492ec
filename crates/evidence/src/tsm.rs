//! Evidence from the Linux kernel, through configfs: AMD SEV-SNP, Intel TDX and
//! Arm CCA.
//!
//! The kernel's `Documentation/ABI/testing/configfs-tsm-report`: one folder for
//! each user; writing `inblob` asks, reading `outblob` and `auxblob` answers,
//! `generation` counts the writes so that a second user is noticed, `provider`
//! names the driver, and `privlevel` chooses the level that a report is for.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::challenge::Challenge;
use crate::error::CollectError;
use crate::file;
use crate::machine::{Collector, Evidence};
use crate::settings::{CcaSettings, SnpSettings, TdxSettings};
use crate::snp::Table;
use crate::tdx::without_padding;

/// SEV-SNP on this machine.
pub struct Snp(Reporter);

/// TDX on this machine.
pub struct Tdx {
    reporter: Reporter,
    event_log: PathBuf,
}

/// A realm of Arm CCA on this machine.
pub struct Cca(Reporter);

impl Snp {
    /// Finds the kernel's interface.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when it is not there.
    pub fn open(settings: &SnpSettings) -> Result<Self, CollectError> {
        let folder = Folder::open(&settings.tsm_folder)?;
        Ok(Self(Reporter {
            level: settings.privilege_level,
            ..Reporter::new(Box::new(folder), "sev_guest")
        }))
    }
}

impl Collector for Snp {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        let Blobs { out, auxiliary } = self.0.report(challenge.report_data())?;
        Ok(Evidence::Snp {
            report: out,
            certificates: Table::parse(&auxiliary)?,
        })
    }
}

impl Tdx {
    /// Finds the kernel's interface.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when it is not there.
    pub fn open(settings: &TdxSettings) -> Result<Self, CollectError> {
        let folder = Folder::open(&settings.tsm_folder)?;
        Ok(Self {
            reporter: Reporter::new(Box::new(folder), "tdx_guest"),
            event_log: settings.event_log.clone(),
        })
    }
}

impl Collector for Tdx {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        let Blobs { out, .. } = self.reporter.report(challenge.report_data())?;
        let event_log = file::read_if_there(&self.event_log, MAX_EVENT_LOG)?;
        Ok(Evidence::Tdx {
            quote: without_padding(out)?,
            event_log: event_log.map(without_unused_rest),
        })
    }
}

impl Cca {
    /// Finds the kernel's interface.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when it is not there.
    pub fn open(settings: &CcaSettings) -> Result<Self, CollectError> {
        let folder = Folder::open(&settings.tsm_folder)?;
        Ok(Self(Reporter::new(Box::new(folder), "arm_cca_guest")))
    }
}

impl Collector for Cca {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        let Blobs { out, .. } = self.0.report(challenge.report_data())?;
        Ok(Evidence::Cca { token: out })
    }
}

/// What the kernel answered.
#[derive(Debug)]
struct Blobs {
    out: Vec<u8>,
    /// Empty where the driver has none.
    auxiliary: Vec<u8>,
}

/// Asks one driver for reports.
struct Reporter {
    folder: Box<dyn Attributes>,
    provider: &'static str,
    level: Option<u32>,
    pause: Duration,
}

/// The attributes of one report folder.
trait Attributes: Send {
    fn write(&self, attribute: &'static str, bytes: &[u8]) -> Result<(), CollectError>;
    fn read(&self, attribute: &'static str) -> Result<Vec<u8>, CollectError>;
}

impl Reporter {
    fn new(folder: Box<dyn Attributes>, provider: &'static str) -> Self {
        Self {
            folder,
            provider,
            level: None,
            pause: PAUSE,
        }
    }

    fn report(&self, data: &[u8; 64]) -> Result<Blobs, CollectError> {
        let mut attempt = 1;
        loop {
            match self.attempt(data) {
                Err(error) if is_passing(&error) && attempt < ATTEMPTS => {
                    attempt = attempt.saturating_add(1);
                    // The kernel takes no more writes until what was asked for is
                    // read, whoever asked.
                    let _ = self.folder.read("outblob");
                    sleep(self.pause);
                }
                done => return done,
            }
        }
    }

    fn attempt(&self, data: &[u8; 64]) -> Result<Blobs, CollectError> {
        self.check_provider()?;
        let before = self.number("generation")?;
        let mut writes = 1;
        if let Some(level) = self.level {
            self.check_level(level)?;
            self.folder
                .write("privlevel", level.to_string().as_bytes())?;
            writes = 2;
        }
        // The kernel takes the bytes when the file is closed, so that it cannot
        // say no: the generation does, by standing still.
        self.folder.write("inblob", data)?;
        let out = self.folder.read("outblob")?;
        let auxiliary = match self.folder.read("auxblob") {
            Err(CollectError::File {
                kind: ErrorKind::NotFound,
                ..
            }) => Vec::new(),
            read => read?,
        };
        if self.number("generation")? != before.wrapping_add(writes) {
            return Err(CollectError::Conflict);
        }
        if out.is_empty() {
            return Err(CollectError::Malformed { what: "report" });
        }
        Ok(Blobs { out, auxiliary })
    }

    fn check_provider(&self) -> Result<(), CollectError> {
        let name = self.folder.read("provider")?;
        if name.trim_ascii() == self.provider.as_bytes() {
            return Ok(());
        }
        let got = String::from_utf8_lossy(&name);
        Err(CollectError::OtherProvider {
            expected: self.provider,
            got: got.trim().chars().take(64).collect(),
        })
    }

    fn check_level(&self, got: u32) -> Result<(), CollectError> {
        let floor = self.number("privlevel_floor")?;
        if u64::from(got) < floor {
            return Err(CollectError::Level { got, floor });
        }
        Ok(())
    }

    fn number(&self, attribute: &'static str) -> Result<u64, CollectError> {
        let text = self.folder.read(attribute)?;
        let number = core::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        number.ok_or(CollectError::Malformed { what: attribute })
    }
}

/// Whether trying again may help.
fn is_passing(error: &CollectError) -> bool {
    match error {
        CollectError::Conflict => true,
        CollectError::File { kind, .. } => matches!(
            kind,
            ErrorKind::Interrupted | ErrorKind::ResourceBusy | ErrorKind::WouldBlock
        ),
        _ => false,
    }
}

/// A report folder of the kernel.
struct Folder(PathBuf);

impl Folder {
    fn open(reports: &Path) -> Result<Self, CollectError> {
        let folder = reports.join(NAME);
        let missing = |what, hint| CollectError::Missing {
            what,
            path: reports.to_owned(),
            hint,
        };
        match std::fs::create_dir(&folder) {
            Ok(()) => Ok(Self(folder)),
            Err(error) => match (error.kind(), error.raw_os_error()) {
                // Left behind by an earlier run of this program.
                (ErrorKind::AlreadyExists, _) => Ok(Self(folder)),
                (ErrorKind::NotFound, _) => Err(missing(
                    "configfs-tsm",
                    "use Linux 6.7 or newer, mount -t configfs none /sys/kernel/config, and load the module `tsm`",
                )),
                (_, Some(NO_DRIVER)) => Err(missing(
                    "driver of a confidential VM",
                    "this must be a confidential VM with the module `sev-guest`, `tdx-guest` or `arm-cca-guest` loaded",
                )),
                _ => Err(CollectError::file("make", &folder, &error)),
            },
        }
    }
}

impl Attributes for Folder {
    fn write(&self, attribute: &'static str, bytes: &[u8]) -> Result<(), CollectError> {
        file::write(&self.0.join(attribute), bytes)
    }

    fn read(&self, attribute: &'static str) -> Result<Vec<u8>, CollectError> {
        file::read(&self.0.join(attribute), MAX_ATTRIBUTE)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// The table has a fixed size; behind the last event it is filled with ones, by
/// some firmware with zeros. Bundles have no room for that.
fn without_unused_rest(mut log: Vec<u8>) -> Vec<u8> {
    for filler in [0xFF, 0x00] {
        let used = log.iter().rposition(|&byte| byte != filler);
        let used = used.map_or(0, |last| last.saturating_add(1));
        // Fewer may be the end of an event.
        if log.len().saturating_sub(used) >= FILLER {
            // An event's own last bytes may look the same.
            log.truncate(used.saturating_add(FILLER));
            break;
        }
    }
    log
}

const NAME: &str = "subrosa-enclave";
/// `ENXIO`: the kernel knows no provider of reports.
const NO_DRIVER: i32 = 6;
/// Blobs of the kernel are at most 32 KiB; certificate tables of SNP 16 KiB more.
const MAX_ATTRIBUTE: u64 = 64 * 1024;
/// Firmware reserves 64 KiB or 256 KiB for it.
const MAX_EVENT_LOG: u64 = 4 * 1024 * 1024;
const FILLER: usize = 64;
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
pub(crate) use tests::answering;

#[cfg(test)]
mod tests;
