//! `subrosa verify`: judge evidence, and say what it does not prove.

use std::path::PathBuf;

use clap::Args;
use subrosa_attest::{Policy, UnixSeconds};

use crate::failure::{Exit, Failure};
use crate::folders::Folders;
use crate::judgement::{Judgement, TrustFlags, read_bundle, read_policy};
use crate::printer::Printer;
use crate::settings::{ServiceFlags, Settings};
use crate::time;

/// Judge the evidence of a service or of a file
///
/// Prints what was checked, in order, what it comes to, and what it does not prove. Nothing is sent
/// to the service but the request for its evidence. Without a policy nothing is accepted. Exits with 0
/// for VERIFIED and VERIFIED WITH GAPS, with 3 for REFUSED, and with 6 for NOT PROTECTED (development).
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(flatten)]
    service: ServiceFlags,

    /// Judge the evidence bundle in this file, without any network
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    bundle: Option<PathBuf>,

    #[command(flatten)]
    trust: TrustFlags,

    /// Judge as of this time instead of now, such as 2026-11-22T22:15:00Z
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    at: Option<UnixSeconds>,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let settings = Settings::load(&Folders::find()?, &flags.service)?;
    let policy = if let Some(path) = &settings.policy.value {
        read_policy(path)?
    } else {
        printer.say("no policy was given, so nothing is accepted: name one with --policy");
        Policy::strict_default()
    };
    let trust = flags.trust.load()?;
    let at = flags.at.unwrap_or_else(time::now);
    let bundles = match &flags.bundle {
        Some(path) => vec![read_bundle(path)?],
        None => return Err(no_url()),
    };
    let mut exit = None;
    for bundle in &bundles {
        let judgement = Judgement::of(bundle, &policy, &trust, at);
        if printer.is_json() {
            printer.json(&judgement.to_json())?;
        } else {
            judgement.print(printer)?;
        }
        exit = Some(worse(exit, judgement.exit()));
    }
    Ok(exit.unwrap_or(Exit::Refused))
}

/// The exit of several judgements: a refusal counts before everything else.
fn worse(so_far: Option<Exit>, next: Exit) -> Exit {
    match (so_far, next) {
        (Some(Exit::Refused), _) | (_, Exit::Refused) => Exit::Refused,
        (Some(Exit::NotProtected), _) | (_, Exit::NotProtected) => Exit::NotProtected,
        _ => next,
    }
}

pub(crate) fn no_url() -> Failure {
    Failure::new(Exit::Usage, "no service was named")
        .hint("name one with --url, or in the settings file (subrosa config --path)")
}

const EXAMPLE: &str = "\
Example:
  subrosa verify --url https://ai.example.org --policy policy.toml";
