//! Evidence of this machine in files, for tools that look at it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use subrosa_evidence::Machine;

use crate::config::Config;
use crate::run::StartError;

/// Collects evidence about `bytes` with the configuration file at `config`, and
/// writes its parts into a new folder.
///
/// # Errors
///
/// [`StartError`] if there is none, or the folder cannot be made.
pub fn collect(config: &Path, folder: &Path, bytes: [u8; 64]) -> Result<(), StartError> {
    let config = Config::load(config)?;
    let machine = Machine::open(config.platform(), config.gpus(), config.tpm())?;
    let failed = |error: std::io::Error| StartError::System {
        action: "write the evidence into a new folder",
        reason: error.to_string(),
    };
    let evidence = machine.evidence(bytes)?;
    DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    for (name, content) in evidence.iter().flat_map(subrosa_evidence::Evidence::files) {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(failed)?;
        file.write_all(&content).map_err(failed)?;
    }
    Ok(())
}

#[cfg(all(test, feature = "development"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const CONFIG: &str = "listen.address = \"127.0.0.1:0\"\nengine.kind = \"echo\"\nplatform = { kind = \"simulated\", root_secret = \"root.secret\" }\n";

    fn machine() -> tempfile::TempDir {
        use getrandom::SysRng;
        use rand_core::UnwrapErr;
        use subrosa_attest::{UnixSeconds, development::Root};

        let folder = tempfile::tempdir().unwrap();
        let root = Root::generate(&mut UnwrapErr(SysRng), UnixSeconds::new(1_800_000_000)).unwrap();
        std::fs::write(folder.path().join("root.secret"), &*root.to_secret_file()).unwrap();
        std::fs::write(folder.path().join("config"), CONFIG).unwrap();
        folder
    }

    #[test]
    fn the_files_are_about_the_bytes_that_were_given() {
        let machine = machine();
        let folder = machine.path().join("evidence");
        collect(&machine.path().join("config"), &folder, [7; 64]).unwrap();
        let report = std::fs::read(folder.join("snp-report.bin")).unwrap();
        // AMD 56860, `ATTESTATION_REPORT`: `REPORT_DATA`.
        assert_eq!(report.get(0x50..0x90), Some(&[7; 64][..]));
    }

    #[test]
    fn a_folder_that_is_there_is_left_alone() {
        let machine = machine();
        let folder = machine.path();
        assert!(collect(&folder.join("config"), folder, [0; 64]).is_err());
        assert!(!folder.join("snp-report.bin").exists());
    }
}
