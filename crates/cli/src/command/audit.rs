//! `subrosa audit`: from a logged release to bytes that were built again.

#[cfg(feature = "provenance")]
mod provenance;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use serde_json::json;
use subrosa_release::{Contents, Finding, Outcome, compare, first_difference};
use subrosa_translog::entry::release::Manifest;

use crate::failure::{Exit, Failure};
use crate::printer::{Mark, Printer, Tone};
use crate::releases::{Checkout, LoggedFlags, read_plan};

/// Check that a release is what its source builds to
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Release(Box<ReleaseFlags>),
    #[cfg(feature = "provenance")]
    Provenance(Box<provenance::Flags>),
}

/// Build a logged release again, and compare every byte
///
/// The release must be signed, logged and for now; the checkout must be its commit, with nothing changed. Then everything
/// that release.toml lists is built and compared with the manifest: programs, image, what the platforms measure, weights, configuration.
/// Exits with 0 only if all of it is there and the same, and with 3 otherwise.
#[derive(Args, Debug)]
struct ReleaseFlags {
    #[command(flatten)]
    logged: LoggedFlags,

    /// Checkout of the source
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    source: PathBuf,

    /// Compare files that are built already; without it they are built (scripts/release --image), which takes many minutes
    #[arg(long, value_name = "FOLDER")]
    built: Option<PathBuf>,

    /// Folder of the published files, to show where one that differs begins to
    #[arg(long, value_name = "FOLDER")]
    published: Option<PathBuf>,
}

/// One line of the result.
struct Row {
    mark: Mark,
    name: String,
    words: String,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    match &flags.action {
        Action::Release(flags) => flags.run(printer),
        #[cfg(feature = "provenance")]
        Action::Provenance(flags) => provenance::run(flags, printer),
    }
}

impl ReleaseFlags {
    fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let found = self.logged.find()?;
        let manifest = found.release.manifest();
        let checkout = Checkout::of(&self.source)?;
        check_source(manifest, &checkout, &self.source)?;
        let plan = read_plan(&self.source)?;
        let built = if let Some(folder) = &self.built {
            folder.clone()
        } else {
            build(&self.source, printer)?
        };
        let read =
            |error| Failure::new(Exit::Failed, "what was built cannot be read").because(&error);
        let contents = Contents::read(&plan, &self.source, &built).map_err(read)?;
        let findings = compare(manifest, &contents);
        let mut rows = vec![
            passed("release-logged", found.words()),
            passed(
                "source",
                format!("commit {}, nothing changed", checkout.commit),
            ),
        ];
        for finding in &findings {
            rows.push(self.row(finding, &built)?);
        }
        let same = findings.iter().all(Finding::is_same);
        print(&rows, same, &findings, printer)?;
        Ok(if same { Exit::Done } else { Exit::Refused })
    }

    fn row(&self, finding: &Finding, built: &Path) -> Result<Row, Failure> {
        let mut words = format!("{}: {}", finding.name, finding.outcome);
        let is_artefact = finding.kind == "artefact";
        if let (Some(published), true, Outcome::Different { .. }) =
            (&self.published, is_artefact, &finding.outcome)
        {
            let (one, other) = (published.join(&finding.name), built.join(&finding.name));
            let difference = first_difference(&one, &other).map_err(|error| {
                Failure::new(Exit::Failed, "the published files cannot be read").because(&error)
            })?;
            let where_from = match difference {
                Some(difference) => format!("published and built differ from {difference}"),
                None => "the published file is the built one, and not the release's".to_owned(),
            };
            words = format!("{words}; {where_from}");
        }
        Ok(Row {
            mark: if finding.is_same() {
                Mark::Passed
            } else {
                Mark::Failed
            },
            name: finding.kind.to_owned(),
            words,
        })
    }
}

/// Refuses a checkout that is not the release's source.
fn check_source(manifest: &Manifest, checkout: &Checkout, source: &Path) -> Result<(), Failure> {
    let expected = &manifest.source.commit;
    if checkout.commit != *expected {
        let message = format!("{} is not the source of this release", source.display());
        return Err(Failure::new(Exit::Refused, message)
            .cause(format!(
                "it is at {}, the release is of {expected}",
                checkout.commit
            ))
            .hint(format!(
                "git clone {}, then git checkout {expected}",
                manifest.source.repository
            )));
    }
    if !checkout.is_clean {
        let message = format!("{} has changes", source.display());
        return Err(
            Failure::new(Exit::Refused, message).hint("git status shows them; audit a fresh clone")
        );
    }
    Ok(())
}

/// Builds everything, and says where it is.
fn build(source: &Path, printer: &Printer) -> Result<PathBuf, Failure> {
    printer.say("building the release: this takes many minutes");
    let failed = || Failure::new(Exit::Failed, "the release could not be built");
    let status = Command::new("bash")
        .args(["scripts/release", "--image"])
        .current_dir(source)
        .stdin(Stdio::null())
        // Standard output is for the result.
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .map_err(|error| failed().because(&error))?;
    if !status.success() {
        return Err(failed().cause(status).hint("its own words above say why"));
    }
    Ok(source.join("dist"))
}

fn passed(name: &str, words: String) -> Row {
    Row {
        mark: Mark::Passed,
        name: name.to_owned(),
        words,
    }
}

fn print(rows: &[Row], same: bool, findings: &[Finding], printer: &Printer) -> Result<(), Failure> {
    let first = findings.iter().find(|finding| !finding.is_same());
    if printer.is_json() {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let same = matches!(row.mark, Mark::Passed);
                json!({ "check": row.name, "passed": same, "words": row.words })
            })
            .collect();
        let first = first.map(|finding| format!("{} {}", finding.kind, finding.name));
        return printer.json(&json!({ "same": same, "first_difference": first, "rows": rows }));
    }
    for row in rows {
        printer.row(row.mark, &row.name, &row.words)?;
    }
    match first {
        None => printer.notice(
            Tone::Good,
            "REBUILT: every byte of the release is what its source builds to",
        ),
        Some(finding) => printer.notice(
            Tone::Bad,
            format!(
                "NOT THE SAME: first {} {}; {}",
                finding.kind, finding.name, finding.outcome
            ),
        ),
    }
    Ok(())
}

const EXAMPLE: &str = "\
Example:
  git clone https://github.com/subrosa-project/subrosa && cd subrosa && git checkout …
  subrosa audit release release.tlog-proof --policy policy.toml
  subrosa audit release release.tlog-proof --policy policy.toml --built dist --published downloads";
