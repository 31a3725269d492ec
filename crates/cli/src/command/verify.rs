//! `subrosa verify`: judge evidence, and say what it does not prove.

use std::path::{Path, PathBuf};

use clap::Args;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use subrosa_attest::{Policy, UnixSeconds};
use subrosa_client::{Client, Clock, Error};

use crate::chat::{SessionOptions, config};
use crate::client_failure::of_client;
use crate::evidence::{Collateral, Demands, Judged, Kind, Provider, judge};
use crate::failure::{Exit, Failure};
use crate::folders::{Folders, read_bounded};
use crate::judgement::{Judgement, TrustFlags, read_bundle, read_policy};
use crate::printer::Printer;
use crate::settings::{ServiceFlags, Settings};
use crate::signals;
use crate::time;

/// Judge the evidence of a service, of a bundle file, or raw evidence of any platform
///
/// Prints what was checked, in order, what it comes to, and what it does not prove. Nothing is sent
/// to the service but the request for its evidence. Without a policy no service is accepted. Raw evidence
/// (--evidence, --provider) is judged alone, by the strict rules or those of --policy: it says what a machine
/// is, not whose key you talk to. Exits with 0 for VERIFIED, VERIFIED WITH GAPS and accepted evidence, with 3
/// for REFUSED, and with 6 for NOT PROTECTED (development).
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(flatten)]
    service: ServiceFlags,

    /// Judge the evidence bundle in this file, without any network
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    bundle: Option<PathBuf>,

    /// Judge this raw report, quote, document or token, without any network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "bundle"], help_heading = "Raw evidence")]
    evidence: Option<PathBuf>,

    /// What the raw evidence is, where its bytes do not say it
    #[arg(
        long,
        value_name = "KIND",
        requires = "evidence",
        help_heading = "Raw evidence"
    )]
    kind: Option<Kind>,

    /// Judge the public attestation document of another service, and say what it proves and what not
    #[arg(long, value_name = "NAME", requires = "document", conflicts_with_all = ["url", "bundle", "evidence"], help_heading = "Raw evidence")]
    provider: Option<Provider>,

    /// The document of --provider
    #[arg(
        value_name = "DOCUMENT",
        requires = "provider",
        help_heading = "Raw evidence"
    )]
    document: Option<PathBuf>,

    /// What goes with raw evidence, repeated: a file of `subrosa collateral`, certificates, lists, manifests, event log
    #[arg(long, value_name = "FILE", help_heading = "Raw evidence")]
    collateral: Vec<PathBuf>,

    /// What raw evidence must be bound to: report data or user data, hexadecimal
    #[arg(long, value_name = "HEX", value_parser = parse_hex, help_heading = "Raw evidence")]
    report_data: Option<Hex>,

    /// The nonce or challenge that must be in raw evidence, hexadecimal
    #[arg(long, value_name = "HEX", value_parser = parse_hex, help_heading = "Raw evidence")]
    nonce: Option<Hex>,

    /// A program that is accepted in raw evidence, repeated: measurement, MRTD, MRENCLAVE or PCR0, hexadecimal
    #[arg(long, value_name = "HEX", value_parser = parse_hex, help_heading = "Raw evidence")]
    measurement: Vec<Hex>,

    /// Say of every check why it is made
    #[arg(long)]
    explain: bool,

    /// Print an attestation result (draft-ietf-rats-ear) as JSON, not signed
    #[arg(long)]
    ear: bool,

    /// Refuse to use any network: evidence must come from a file
    #[arg(long, conflicts_with = "url")]
    offline: bool,

    #[command(flatten)]
    trust: TrustFlags,

    /// Judge as of this time instead of now, such as 2026-11-22T22:15:00Z
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    at: Option<UnixSeconds>,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    if flags.evidence.is_some() || flags.provider.is_some() {
        return run_raw(flags, printer);
    }
    let raw = !flags.collateral.is_empty()
        || flags.kind.is_some()
        || flags.report_data.is_some()
        || flags.nonce.is_some()
        || !flags.measurement.is_empty();
    if raw {
        return Err(Failure::new(
            Exit::Usage,
            "--kind, --collateral, --report-data, --nonce and --measurement go with raw evidence",
        )
        .hint("name it with --evidence; a service or a bundle is judged by --policy"));
    }
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
    } else if flags.offline {
        return Err(Failure::new(
            Exit::Usage,
            "--offline was asked for, and no file was named",
        )
        .hint("name one with --bundle or --evidence"));
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
    if flags.ear {
        printer.json(&judgement.to_ear())?;
    } else if printer.is_json() {
        printer.json(&judgement.to_json())?;
    } else {
        judgement.print(printer, flags.explain)?;
    }
    Ok(judgement.exit())
}

/// Judges one piece of evidence alone. There is no network here, and no settings file is read.
fn run_raw(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let policy = match &flags.service.policy {
        Some(path) => read_policy(path)?,
        None => Policy::strict_default(),
    };
    let bytes = |hex: &Hex| hex.0.clone();
    let mut demands = Demands {
        report_data: flags.report_data.as_ref().map(bytes),
        nonce: flags.nonce.as_ref().map(bytes),
        measurements: flags.measurement.iter().map(bytes).collect(),
    };
    let mut collateral = Collateral::read(&flags.collateral)?;
    let (kind, evidence) = match (flags.provider, &flags.document, &flags.evidence) {
        (Some(provider), Some(path), _) => {
            let bytes = read_bounded(path, MAX_EVIDENCE)?;
            let document = provider.read(bytes, &mut collateral, &mut demands)?;
            (document.kind, document.evidence)
        }
        (_, _, Some(path)) => {
            let evidence = read_bounded(path, MAX_EVIDENCE)?;
            let kind = flags.kind.or_else(|| Kind::detect(&evidence));
            (kind.ok_or_else(|| unknown_kind(path))?, evidence)
        }
        _ => return Err(no_url()),
    };
    let at = flags.at.unwrap_or_else(time::now);
    let judged = judge(kind, &evidence, &collateral, &demands, &policy, at)?;
    if flags.ear {
        printer.json(&judged.to_ear())?;
        return Ok(judged.exit());
    }
    if printer.is_json() {
        let mut json = judged.to_json();
        if let (Some(provider), Some(object)) = (flags.provider, json.as_object_mut()) {
            object.insert("proves".to_owned(), provider.proves().into());
            object.insert(
                "does_not_prove".to_owned(),
                provider.does_not_prove().into(),
            );
        }
        printer.json(&json)?;
        return Ok(judged.exit());
    }
    judged.print(printer, flags.explain)?;
    if let Some(provider) = flags.provider {
        print_provider(provider, &judged, printer)?;
    }
    Ok(judged.exit())
}

/// What such a document says, and what it leaves open.
fn print_provider(provider: Provider, judged: &Judged, printer: &Printer) -> Result<(), Failure> {
    if judged.exit() == Exit::Done {
        printer.line("\nWhat this document proves:")?;
        for line in provider.proves() {
            printer.line(format!("- {line}"))?;
        }
    }
    printer.line("\nWhat such a document never proves:")?;
    for line in provider.does_not_prove() {
        printer.line(format!("- {line}"))?;
    }
    Ok(())
}

fn unknown_kind(path: &Path) -> Failure {
    let message = format!("it is not clear what {} is evidence of", path.display());
    Failure::new(Exit::Usage, message)
        .hint("say it with --kind; subrosa verify --help lists the kinds")
}

/// Bytes on the command line.
#[derive(Clone, Debug)]
struct Hex(Vec<u8>);

fn parse_hex(text: &str) -> Result<Hex, String> {
    if text.len() > 2 * 1024 {
        return Err("it is too long".to_owned());
    }
    hex::decode(text)
        .map(Hex)
        .map_err(|_| "expected an even number of hexadecimal digits".to_owned())
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
  subrosa verify --url https://ai.example.org --policy policy.toml
  subrosa verify --bundle node.bundle --policy policy.toml --explain
  subrosa verify --evidence report.bin --collateral report.collateral --offline
  subrosa verify --evidence quote.bin --collateral collateral.json --at 2026-03-31T07:22:37Z
  subrosa verify --provider tinfoil attestation.json --collateral vcek.der --collateral chain.pem

What goes with each kind: `subrosa collateral` gathers it; docs/verify/ says what is checked.";

/// Evidence has some kilobytes; documents bring logs along.
const MAX_EVIDENCE: u64 = 1024 * 1024;
