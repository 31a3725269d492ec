//! The simulated platform: real formats, signed by a root made on this
//! machine. It protects nothing.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha384};
use subrosa_attest::Measurement;
use subrosa_attest::development::{Root, SimulatedPlatform};
use zeroize::Zeroizing;

use crate::challenge::Challenge;
use crate::error::CollectError;
use crate::file;
use crate::machine::{Collector, Evidence};
use crate::snp::Table;

/// Signs with a simulated chip what real hardware would.
pub struct Simulated {
    chip: SimulatedPlatform,
    measurement: Measurement,
}

impl Simulated {
    /// Reads the root's secret, and measures this program's own file: what a
    /// policy lists for it is SHA-384 of the executable.
    ///
    /// # Errors
    ///
    /// [`CollectError`] if it is no such file.
    pub fn open(root_secret: &Path) -> Result<Self, CollectError> {
        let bytes = Zeroizing::new(file::read(root_secret, 64 * 1024)?);
        let root = core::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| Root::from_secret_file(text).ok())
            .ok_or(CollectError::RootSecret {
                path: root_secret.to_owned(),
            })?;
        Ok(Self {
            chip: root.platform().clone(),
            measurement: measure_self()?,
        })
    }
}

impl Collector for Simulated {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        let report = self.chip.report(challenge.report_data(), &self.measurement);
        let certificates = Table::of(&self.chip.evidence(&report));
        Ok(Evidence::Snp {
            report,
            certificates,
        })
    }
}

fn measure_self() -> Result<Measurement, CollectError> {
    let path = Path::new("/proc/self/exe");
    let failed = |error| CollectError::file("measure", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha384::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(Measurement::new(hash.finalize().into())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
