//! `subrosa upgrade`: whether a downloaded file is of a logged release.

use std::cmp::Ordering;
use std::path::PathBuf;

use clap::Args;
use semver::Version;
use serde_json::json;
use subrosa_translog::entry::release::{Artefact, Manifest};

use crate::download::hash_file;
use crate::failure::{Exit, Failure};
use crate::printer::{Mark, Printer, Tone};
use crate::releases::LoggedFlags;

/// Check that a download is of a logged release
///
/// For a program or a package, before it is installed. The release must be signed and logged, for now, and not older than what
/// this device has seen or than this program; its manifest must list a
/// file with the very bytes that were downloaded. Nothing is installed: do that yourself when this has said yes.
/// Exits with 0 if it may be installed, and with 3 if not.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// The downloaded file
    #[arg(long, value_name = "FILE", required = true)]
    check: PathBuf,

    #[command(flatten)]
    logged: LoggedFlags,

    /// Accept a version older than this program's, where the service still accepts its release
    #[arg(long)]
    older: bool,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let found = flags.logged.find()?;
    let manifest = found.release.manifest();
    // First, because what is not of this release changes nothing on this device.
    let artefact = listed(flags, manifest)?;
    let (version, own) = (&manifest.version, env!("CARGO_PKG_VERSION"));
    let standing = Standing::of(version, own);
    if standing == Standing::Older && !flags.older {
        let message = format!("version {version} is older than this program, {own}");
        return Err(Failure::new(Exit::Refused, message)
            .hint("look for the page of the newest release, or go back on purpose with --older"));
    }
    found.remember()?;
    if printer.is_json() {
        printer.json(&json!({
            "service": manifest.service,
            "version": version,
            "sequence": manifest.sequence,
            "artefact": artefact.name,
            "this_version": own,
            "standing": standing.word(),
        }))?;
        return Ok(Exit::Done);
    }
    printer.row(Mark::Passed, "release-logged", &found.words())?;
    printer.row(
        Mark::Passed,
        "log-history",
        "not older than what this device has seen",
    )?;
    let words = format!("{} has the same {} bytes", artefact.name, artefact.bytes);
    printer.row(Mark::Passed, "artefact", &words)?;
    let words = match standing {
        Standing::Same => format!("LOGGED: it is version {version}, as this program is"),
        Standing::Newer => {
            format!("LOGGED: version {version} may be installed; this program is {own}")
        }
        Standing::Older => format!("LOGGED: version {version}, OLDER than this program, {own}"),
        Standing::Unordered => format!(
            "LOGGED: {version} may be installed; whether it is newer than this program, {own}, its name does not say"
        ),
    };
    let tone = match standing {
        Standing::Older => Tone::Bad,
        _ => Tone::Good,
    };
    printer.notice(tone, words);
    Ok(Exit::Done)
}

/// A release's version beside this program's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    Newer,
    Older,
    Same,
    /// The release's name is no version (<https://semver.org>).
    Unordered,
}

impl Standing {
    fn of(version: &str, own: &str) -> Self {
        let read = |text: &str| Version::parse(text.strip_prefix('v').unwrap_or(text)).ok();
        match (read(version), read(own)) {
            (Some(version), Some(own)) => match version.cmp_precedence(&own) {
                Ordering::Less => Self::Older,
                Ordering::Equal => Self::Same,
                Ordering::Greater => Self::Newer,
            },
            _ => Self::Unordered,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Newer => "newer",
            Self::Older => "older",
            Self::Same => "same",
            Self::Unordered => "unordered",
        }
    }
}

/// The file of the release that has these bytes.
fn listed<'a>(flags: &Flags, manifest: &'a Manifest) -> Result<&'a Artefact, Failure> {
    let path = &flags.check;
    let digest = hash_file(path)?;
    let about = std::fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
    let is_it = |file: &&Artefact| file.sha256 == digest && file.bytes == about.len();
    manifest.artefacts.iter().find(is_it).ok_or_else(|| {
        let message = format!("{} is not of this release", path.display());
        Failure::new(Exit::Refused, message)
            .cause(format!("its SHA-256 is {}", hex::encode(digest)))
            .hint("do not install it; download it again, from the page of that release")
    })
}

const EXAMPLE: &str = "\
Example:
  subrosa upgrade --check subrosa.new release.tlog-proof --policy policy.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, standing) in [
            ("0.2.0", Standing::Same),
            ("v0.2.0", Standing::Same),
            ("0.2.0+other-build", Standing::Same),
            ("0.10.0", Standing::Newer),
            ("1.0.0-rc.1", Standing::Newer),
            ("0.1.9", Standing::Older),
            ("0.2.0-rc.1", Standing::Older),
            ("summer", Standing::Unordered),
            ("0.3", Standing::Unordered),
        ] {
            assert_eq!(Standing::of(version, "0.2.0"), standing, "{version}");
        }
    }
}
