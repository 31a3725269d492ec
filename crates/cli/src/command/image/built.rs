//! `subrosa image build`.

use std::path::{Path, PathBuf};

use clap::Args;
use subrosa_attest::Sha256Digest;
use subrosa_image::build::{Recipe, build};
use subrosa_image::measurement::Measurements;
use subrosa_image::programs::{self, Programs};
use subrosa_image::stub::BootStub;

use super::failed;
use crate::development::demo_weights;
use crate::failure::{Exit, Failure};
use crate::folders::read_text;
use crate::printer::Printer;

/// Build the image: kernel, root, predictions (measurement.json)
#[derive(Args, Clone, Debug)]
pub(crate) struct BuildFlags {
    /// Folder that the image is made in
    #[arg(long, value_name = "FOLDER", default_value = "dist/image")]
    pub(super) output: PathBuf,

    #[command(flatten)]
    pub(super) recipe: RecipeFlags,
}

/// What the image is made of.
#[derive(Args, Clone, Debug)]
pub(crate) struct RecipeFlags {
    /// Checkout of the source
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    source: PathBuf,

    /// Folder in which the programs are compiled; without it, image/ below the compiler's own
    #[arg(long, value_name = "FOLDER")]
    target: Option<PathBuf>,

    /// Take subrosa-init and subrosa-enclave from this folder instead of compiling them
    #[arg(long, value_name = "FOLDER", conflicts_with = "target")]
    pub(super) programs: Option<PathBuf>,

    /// Measured configuration of the service; without it, the demo model behind a TPM
    #[arg(long, value_name = "FILE")]
    configuration: Option<PathBuf>,

    /// A model to put into the image at /models/, where the configuration names it
    #[arg(long, value_name = "FILE", requires = "configuration")]
    model: Option<PathBuf>,

    /// Firmware for SEV-SNP that measures the kernel, for launch digests (OVMF, AmdSevX64)
    #[arg(long, value_name = "FILE")]
    snp_firmware: Option<PathBuf>,

    /// Firmware for TDX, for MRTD
    #[arg(long, value_name = "FILE")]
    tdx_firmware: Option<PathBuf>,
}

pub(crate) fn run(flags: &BuildFlags, printer: &Printer) -> Result<Exit, Failure> {
    let recipe = flags.recipe.prepare(printer)?;
    let measurements = make(&recipe, &flags.output, printer)?;
    if printer.is_json() {
        printer.json(&measurements)?;
        return Ok(Exit::Done);
    }
    let tpm = &measurements.tpm;
    for (name, value) in [
        ("PCR 4 ", &tpm.pcr4),
        ("PCR 9 ", &tpm.pcr9),
        ("PCR 11", &tpm.pcr11),
    ] {
        printer.line(format!("{name} {value}"))?;
    }
    printer.line("PCR 12 and 13 zero")?;
    printer.line(format!(
        "image: {} (measurement.json has every prediction and every input)",
        flags.output.display()
    ))?;
    Ok(Exit::Done)
}

pub(super) fn make(
    recipe: &Recipe,
    output: &Path,
    printer: &Printer,
) -> Result<Measurements, Failure> {
    // What an earlier build left would be read as part of this one.
    if output.join(subrosa_image::build::MEASUREMENTS).exists() {
        std::fs::remove_dir_all(output).map_err(|error| Failure::file("remove", output, &error))?;
    }
    build(recipe, output, &|text| printer.say(text)).map_err(|error| failed(&error))
}

impl RecipeFlags {
    /// Compiles what must be compiled.
    pub(super) fn prepare(&self, printer: &Printer) -> Result<Recipe, Failure> {
        let programs = if let Some(folder) = &self.programs {
            Programs {
                init: folder.join("subrosa-init"),
                enclave: folder.join("subrosa-enclave"),
            }
        } else {
            let target = self.target.clone().unwrap_or_else(default_target);
            let target = if target.is_absolute() {
                target
            } else {
                self.source.join(target)
            };
            programs::compile(&self.source, &target, &|text| printer.say(text))
                .map_err(|error| failed(&error))?
        };
        let configuration = match &self.configuration {
            Some(path) => read_text(path, MAX_CONFIGURATION)?,
            None => CONFIGURATION.to_owned(),
        };
        Ok(Recipe {
            programs,
            configuration,
            model: self.model.clone(),
            stub: PathBuf::from(BootStub::PATH),
            snp_firmware: self.snp_firmware.clone(),
            tdx_firmware: self.tdx_firmware.clone(),
        })
    }
}

fn default_target() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    set.unwrap_or_else(|| PathBuf::from("target")).join("image")
}

/// Digest of the weights that a configuration names.
pub(super) fn weights(configuration: &str) -> Result<Sha256Digest, Failure> {
    let unknown = || {
        Failure::new(
            Exit::Usage,
            "the image's configuration names no embedded model",
        )
    };
    let table: toml::Table = configuration.parse().map_err(|_| unknown())?;
    let model = table.get("engine").and_then(|engine| engine.get("model"));
    match model {
        Some(toml::Value::String(name)) if name == "demo" => Ok(Sha256Digest::new(demo_weights()?)),
        Some(toml::Value::Table(model)) => {
            let digest = model.get("sha256").and_then(toml::Value::as_str);
            let mut bytes = [0; 32];
            hex::decode_to_slice(digest.unwrap_or_default(), &mut bytes).map_err(|_| unknown())?;
            Ok(Sha256Digest::new(bytes))
        }
        _ => Err(unknown()),
    }
}

/// The demo model, sampled as its score was measured (models/demo/README.md).
pub(super) const CONFIGURATION: &str = "\
# The measured image's own configuration: the demo model, evidence from a TPM.
[listen]
address = \"0.0.0.0:8443\"

[limits]
buffered_bytes = 67108864
drain_seconds = 2

[engine]
kind = \"embedded\"
model = \"demo\"
context_tokens = 1024

[sampling]
temperature = 0.0

[platform]
kind = \"tpm\"
";
const MAX_CONFIGURATION: u64 = 1 << 20;
