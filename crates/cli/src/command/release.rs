//! `subrosa release`: the manifest of a release, from what was built.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use subrosa_release::Contents;
use subrosa_translog::entry::release::{Builder, Manifest, ReleasePolicy, Source};

use crate::failure::{Exit, Failure};
use crate::folders::{read_bounded, write_private};
use crate::printer::Printer;
use crate::releases::{Checkout, read_plan};
use crate::transparency::now;

/// Say what a release consists of, to be signed and logged
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Manifest(Box<ManifestFlags>),
}

/// Write the manifest of what was built (spec/release.md)
///
/// Reads release.toml of the source, and everything that it lists. The source must be a commit, with nothing changed.
#[derive(Args, Debug)]
struct ManifestFlags {
    /// The service that will run it, such as ai.example.org/chat
    #[arg(long, value_name = "NAME")]
    service: String,

    /// Which release of the service it is: one more than the last
    #[arg(long)]
    sequence: u64,

    /// The lowest sequence that devices accept once they have seen this release; this one's, if it is not said
    #[arg(long, value_name = "SEQUENCE")]
    minimum_sequence: Option<u64>,

    /// For how many days it may be used
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=400))]
    days: u64,

    /// Its version, as people call it
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    name: String,

    /// Where the source can be had
    #[arg(long, value_name = "URL", default_value = env!("CARGO_PKG_REPOSITORY"))]
    repository: String,

    /// Who built it, as SLSA names builders
    #[arg(long, value_name = "URL")]
    builder: String,

    /// The provenance bundle, whose digest is put into the manifest
    #[arg(long, value_name = "FILE")]
    provenance: Option<PathBuf>,

    /// Checkout of the source
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    source: PathBuf,

    /// Folder of the built files; dist in the source, if it is not said
    #[arg(long, value_name = "FOLDER")]
    built: Option<PathBuf>,

    /// Where to write the manifest
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let Action::Manifest(flags) = &flags.action;
    let manifest = flags.manifest()?;
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| {
        Failure::new(Exit::Failed, "the manifest cannot be written").because(&error)
    })?;
    write_private(&flags.output, format!("{text}\n").as_bytes())?;
    if printer.is_json() {
        printer.json(&json!({ "manifest": flags.output }))?;
    } else {
        printer.line(format!("manifest  {}", flags.output.display()))?;
        printer.say("look at it; then sign it with: subrosa log release MANIFEST --key …");
    }
    Ok(Exit::Done)
}

impl ManifestFlags {
    fn manifest(&self) -> Result<Manifest, Failure> {
        let plan = read_plan(&self.source)?;
        let checkout = Checkout::of(&self.source)?;
        if !checkout.is_clean {
            let message = format!(
                "{} has changes that are not committed",
                self.source.display()
            );
            return Err(Failure::new(Exit::Usage, message)
                .hint("commit them, and build again: nobody else could build what is released"));
        }
        let built = self
            .built
            .clone()
            .unwrap_or_else(|| self.source.join("dist"));
        let read =
            |error| Failure::new(Exit::Failed, "what was built cannot be read").because(&error);
        let contents = Contents::read(&plan, &self.source, &built).map_err(read)?;
        let missing = plan.missing_from(&contents);
        if !missing.is_empty() {
            let message = format!("not everything is in {}", built.display());
            return Err(Failure::new(Exit::Usage, message)
                .cause(format!("missing: {}", missing.join(", ")))
                .hint("build it with: scripts/release --image"));
        }
        let provenance = self.provenance.as_deref();
        let provenance = provenance
            .map(|path| read_bounded(path, MAX_PROVENANCE))
            .transpose()?
            .map(|bytes| subrosa_attest::Sha256Digest::of(&bytes).to_string());
        let begins = now().get();
        let manifest = Manifest {
            service: self.service.clone(),
            version: self.name.clone(),
            sequence: self.sequence,
            minimum_sequence: self.minimum_sequence.unwrap_or(self.sequence),
            not_before: begins,
            not_after: begins.saturating_add(self.days.saturating_mul(24 * 3600)),
            source: Source {
                repository: self.repository.clone(),
                commit: checkout.commit,
            },
            builder: Builder {
                id: self.builder.clone(),
                provenance,
            },
            artefacts: contents.artefacts,
            measurements: contents.measurements,
            weights: contents.weights,
            configurations: contents.configurations,
            web_assets: contents.web_assets,
            policy: ReleasePolicy::default(),
        };
        // What its own reader would refuse is not written.
        let text = manifest.entry_text();
        text.map_err(|error| Failure::new(Exit::Usage, "this is no manifest").because(&error))?;
        Ok(manifest)
    }
}

/// A bundle has some tens of kilobytes.
const MAX_PROVENANCE: u64 = 4 << 20;

const EXAMPLE: &str = "\
Example:
  scripts/release --image
  subrosa release manifest --service ai.example.org/chat --sequence 1 --builder https://ci.example.org --output manifest.json
  subrosa log release manifest.json --key /srv/release1 --output release.note";
