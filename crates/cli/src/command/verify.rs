//! `subrosa verify`: judge evidence, and say what it does not prove.

use std::path::PathBuf;

use clap::Args;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use subrosa_attest::{Policy, UnixSeconds};
use subrosa_client::{Client, Clock, Error};

use crate::chat::{SessionOptions, config};
use crate::client_failure::of_client;
use crate::failure::{Exit, Failure};
use crate::folders::Folders;
use crate::judgement::{Judgement, TrustFlags, read_bundle, read_policy};
use crate::printer::Printer;
use crate::settings::{ServiceFlags, Settings};
use crate::signals;
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
    let judgement = if let Some(path) = &flags.bundle {
        Judgement::of(read_bundle(path)?, &policy, &trust, at)
    } else {
        let url = settings.url.value.ok_or_else(no_url)?;
        printer.say(format!("fetching the evidence of {url}"));
        of_service(
            SessionOptions {
                url,
                policy,
                trust,
                profile: settings.profile.value,
            },
            at,
        )?
    };
    if printer.is_json() {
        printer.json(&judgement.to_json())?;
    } else {
        judgement.print(printer)?;
    }
    Ok(judgement.exit())
}

/// Judges a node of a service, as a conversation would begin with it.
fn of_service(options: SessionOptions, at: UnixSeconds) -> Result<Judgement, Failure> {
    let client = Client::new(config(options)?, Fixed(at), UnwrapErr(SysRng))
        .map_err(|error| of_client(&error))?;
    match signals::runtime()?.block_on(client.node()) {
        Ok(node) => Ok(Judgement::Passed(node)),
        Err(Error::Refused(refusal)) => Ok(Judgement::Refused(refusal)),
        Err(error) => Err(of_client(&error)),
    }
}

/// A clock that stands still.
struct Fixed(UnixSeconds);

impl Clock for Fixed {
    fn now(&self) -> UnixSeconds {
        self.0
    }
}

pub(crate) fn no_url() -> Failure {
    Failure::new(Exit::Usage, "no service was named")
        .hint("name one with --url, or in the settings file (subrosa config --path)")
}

const EXAMPLE: &str = "\
Example:
  subrosa verify --url https://ai.example.org --policy policy.toml";
