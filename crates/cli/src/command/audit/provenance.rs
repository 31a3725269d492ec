//! `subrosa audit provenance`: a builder's signed word beside a logged release.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use subrosa_attest::Sha256Digest;
use subrosa_provenance::{MAX_LEN, Provenance, ProvenanceError, Root, Signer};

use super::{Row, passed};
use crate::failure::{Exit, Failure};
use crate::folders::read_bounded;
use crate::printer::{Mark, Printer, Tone};
use crate::releases::LoggedFlags;

/// Hold a builder's signed provenance against a logged release
///
/// The release must be signed, logged and for now, and name this very bundle by its SHA-256. The bundle must be SLSA provenance (v1), signed by
/// the identity that is named and in Sigstore's log; builder, repository, commit and every artefact must be those of the release.
/// Nothing is asked of Sigstore. Exits with 0 only if all of it is so, and with 3 otherwise.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct Flags {
    #[command(flatten)]
    logged: LoggedFlags,

    /// The provenance: a Sigstore bundle, as the builder publishes it
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,

    /// Who must have signed it: the subject of the certificate, such as the URI of a workflow
    #[arg(long, value_name = "URI")]
    identity: String,

    /// Who must have vouched for the identity: the URL of the `OpenID` provider
    #[arg(long, value_name = "URL")]
    issuer: String,

    /// Sigstore's trusted root (`trusted_root.json`); without it, that of the public instance when this program was made
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
}

pub(super) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let found = flags.logged.find()?;
    let manifest = found.release.manifest();
    let limit = u64::try_from(MAX_LEN).unwrap_or(u64::MAX);
    let bundle = read_bounded(&flags.bundle, limit)?;
    check_named(flags, &bundle, manifest.builder.provenance.as_deref())?;
    let root = match &flags.trusted_root {
        None => Root::public(),
        Some(path) => Root::parse(&read_bounded(path, limit)?),
    };
    let root = root.map_err(|error| {
        Failure::new(Exit::Usage, "the trusted root cannot be used").because(&error)
    })?;
    let signer = Signer {
        identity: flags.identity.clone(),
        issuer: flags.issuer.clone(),
    };
    let provenance =
        Provenance::verify(&bundle, &root, &signer).map_err(|error| refused(&error))?;
    let mut rows = vec![
        passed("release-logged", found.words()),
        passed(
            "bundle",
            format!("{} is the one the release names", flags.bundle.display()),
        ),
        passed(
            "signer",
            format!("{}, says {}", signer.identity, signer.issuer),
        ),
    ];
    let findings = provenance.compare(manifest);
    rows.extend(findings.iter().map(|finding| Row {
        mark: if finding.is_same {
            Mark::Passed
        } else {
            Mark::Failed
        },
        name: finding.check.to_owned(),
        words: finding.words.clone(),
    }));
    let same = findings.iter().all(|finding| finding.is_same);
    print(&rows, same, printer)?;
    Ok(if same { Exit::Done } else { Exit::Refused })
}

/// Refuses a bundle that the release does not name: another run of the builder is another statement.
fn check_named(flags: &Flags, bundle: &[u8], named: Option<&str>) -> Result<(), Failure> {
    let digest = Sha256Digest::of(bundle).to_string();
    let refused = |cause: String| {
        let message = format!(
            "{} is not the provenance of this release",
            flags.bundle.display()
        );
        Err(Failure::new(Exit::Refused, message).cause(cause))
    };
    match named {
        None => refused("the release names none".to_owned()),
        Some(named) if named != digest => refused(format!(
            "its SHA-256 is {digest}, the release names {named}"
        )),
        Some(_) => Ok(()),
    }
}

fn refused(error: &ProvenanceError) -> Failure {
    Failure::new(Exit::Refused, "this provenance is not accepted").because(error)
}

fn print(rows: &[Row], same: bool, printer: &Printer) -> Result<(), Failure> {
    if printer.is_json() {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let passed = matches!(row.mark, Mark::Passed);
                json!({ "check": row.name, "passed": passed, "words": row.words })
            })
            .collect();
        return printer.json(&json!({ "same": same, "rows": rows }));
    }
    for row in rows {
        printer.row(row.mark, &row.name, &row.words)?;
    }
    if same {
        printer.notice(
            Tone::Good,
            "STATED: the builder says that it built this release from its source",
        );
    } else {
        printer.notice(
            Tone::Bad,
            "NOT THE SAME: the builder states something else than the release",
        );
    }
    Ok(())
}

const EXAMPLE: &str = "\
Example:
  subrosa audit provenance release.tlog-proof --policy policy.toml --bundle provenance.sigstore.json \\
    --identity https://github.com/subrosa-project/subrosa/.github/workflows/release.yml@refs/tags/v0.1.0 \\
    --issuer https://token.actions.githubusercontent.com";
