//! Puts an image together in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subrosa_init::command_line::CommandLine;
use subrosa_init::layout::{CONFIGURATION, INITIAL_FOLDERS};

use crate::cpio::Archive;
use crate::error::ImageError;
use crate::files;
use crate::kernel::{Kernel, PACKAGE, digests};
use crate::measurement::{self, Measurements};
use crate::programs::Programs;
use crate::root::{self, Contents};
use crate::stub::BootStub;
use crate::uki::{self, Parts};

/// What an image is made of.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is another image"
)]
pub struct Recipe {
    /// The programs.
    pub programs: Programs,
    /// The measured configuration.
    pub configuration: String,
    /// A model that the configuration names.
    pub model: Option<PathBuf>,
    /// The boot stub.
    pub stub: PathBuf,
    /// Firmware for SEV-SNP that measures what it starts, for its launch digests.
    pub snp_firmware: Option<PathBuf>,
    /// Firmware for TDX, for `MRTD`.
    pub tdx_firmware: Option<PathBuf>,
}

/// Makes the image in `folder`, which need not be there.
///
/// # Errors
///
/// [`ImageError`].
pub fn build(
    recipe: &Recipe,
    folder: &Path,
    say: &dyn Fn(&str),
) -> Result<Measurements, ImageError> {
    files::make_folder(folder)?;
    let scratch = tempfile::tempdir().map_err(|source| {
        ImageError::system("cannot make a folder in", Path::new("/tmp"), source)
    })?;
    let kernel = Kernel::load(scratch.path(), say)?;
    let stub = BootStub::load(&recipe.stub)?;
    say("making the root and its hash tree");
    let contents = Contents {
        enclave: recipe.programs.enclave.clone(),
        configuration: recipe.configuration.clone(),
        model: recipe.model.clone(),
    };
    let root = root::make(&contents, scratch.path(), &folder.join(ROOT))?;
    let init = files::read(&recipe.programs.init)?;
    let initrd = initrd(&init, &kernel)?;
    let command_line = CommandLine::new(root.verity).to_string();
    let parts = Parts {
        command_line: &command_line,
        initrd: &initrd,
        kernel: &kernel.image,
    };
    let unified = uki::assemble(stub.bytes(), &parts)?;
    let mut outputs = BTreeMap::new();
    for (name, bytes) in [
        (UNIFIED, unified.as_slice()),
        ("vmlinuz", &kernel.image),
        ("initrd", &initrd),
        ("cmdline", command_line.as_bytes()),
        ("enclave.toml", recipe.configuration.as_bytes()),
    ] {
        files::write(&folder.join(name), bytes, 0o644)?;
        outputs.insert(name.to_owned(), hex::encode(Sha256::digest(bytes)));
    }
    outputs.insert(ROOT.to_owned(), files::sha256(&folder.join(ROOT))?);
    let mut inputs: BTreeMap<_, _> = digests(&kernel).into_iter().collect();
    inputs.insert(PACKAGE.name.to_owned(), PACKAGE.sha256.to_owned());
    inputs.insert(
        "subrosa-init".to_owned(),
        hex::encode(Sha256::digest(&init)),
    );
    inputs.insert("stub".to_owned(), hex::encode(Sha256::digest(stub.bytes())));
    let configuration = root.files.get(CONFIGURATION).cloned().unwrap_or_default();
    inputs.extend(root.files);
    let read = |path: &Option<PathBuf>| path.as_deref().map(files::read).transpose();
    let (snp_firmware, tdx_firmware) = (read(&recipe.snp_firmware)?, read(&recipe.tdx_firmware)?);
    for (name, firmware) in [
        ("snp-firmware", &snp_firmware),
        ("tdx-firmware", &tdx_firmware),
    ] {
        if let Some(bytes) = firmware {
            inputs.insert(name.to_owned(), hex::encode(Sha256::digest(bytes)));
        }
    }
    let snp = snp_firmware.map(|firmware| measurement::snp(&firmware, &unified));
    let measurements = Measurements {
        version: 1,
        configuration,
        root: root.verity.to_string(),
        command_line,
        tpm: measurement::tpm(&unified, stub.version())?,
        snp: snp.transpose()?,
        tdx: measurement::tdx(tdx_firmware.as_deref(), &unified, stub.version())?,
        outputs,
        inputs,
    };
    files::write(
        &folder.join(MEASUREMENTS),
        measurements.to_json().as_bytes(),
        0o644,
    )?;
    Ok(measurements)
}

/// The initial RAM disk: init, the modules, and where things are mounted.
fn initrd(init: &[u8], kernel: &Kernel) -> Result<Vec<u8>, ImageError> {
    let mut archive = Archive::default();
    for folder in INITIAL_FOLDERS {
        archive = archive.folder(folder)?;
    }
    // Without it the kernel gives the first program nowhere to write.
    archive = archive.device("dev/console", 5, 1)?;
    archive = archive.file("init", 0o755, init)?;
    for (name, contents) in &kernel.modules {
        archive = archive.file(&format!("modules/{name}.ko"), 0o644, contents)?;
    }
    Ok(archive.finish()?)
}

/// The unified kernel image.
pub const UNIFIED: &str = "uki.efi";
/// The root with its hash tree.
pub const ROOT: &str = "root.img";
/// The predictions.
pub const MEASUREMENTS: &str = "measurement.json";
