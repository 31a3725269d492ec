//! The simulated platform: real formats, signed by a root made on this
//! machine. It protects nothing.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha384};
use subrosa_attest::Measurement;
use subrosa_attest::development::{Root, SimulatedPlatform};
use zeroize::Zeroizing;

use super::{Certificates, Evidence, Platform, PlatformError, read_file};

/// Signs with a simulated chip what real hardware would.
pub(super) struct Simulated {
    chip: SimulatedPlatform,
    measurement: Measurement,
}

impl Simulated {
    /// Reads the root's secret, and measures this program's own file: what a
    /// policy lists for it is SHA-384 of the executable.
    pub(super) fn open(root_secret: &Path) -> Result<Self, PlatformError> {
        let bytes = Zeroizing::new(read_file(root_secret, 64 * 1024)?);
        let root = core::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| Root::from_secret_file(text).ok())
            .ok_or(PlatformError::RootSecret {
                path: root_secret.to_owned(),
            })?;
        Ok(Self {
            chip: root.platform().clone(),
            measurement: measure_self()?,
        })
    }
}

impl Platform for Simulated {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Evidence, PlatformError> {
        let report = self.chip.report(report_data, &self.measurement);
        let snp = self.chip.evidence(&report);
        let certificates = Certificates {
            kind: snp.kind,
            leaf: snp.leaf.to_vec(),
            intermediate: snp.intermediate.to_vec(),
            root: snp.root.to_vec(),
            revocation_list: snp.revocation_list.map(<[u8]>::to_vec),
        };
        Ok(Evidence {
            report,
            certificates,
        })
    }
}

fn measure_self() -> Result<Measurement, PlatformError> {
    let path = Path::new("/proc/self/exe");
    let failed = |error: std::io::Error| PlatformError::File {
        action: "measure",
        path: path.to_owned(),
        reason: error.to_string(),
    };
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
