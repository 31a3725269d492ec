//! `subrosa collateral`: what a verifier needs, in one file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use subrosa_attest::UnixSeconds;
use subrosa_attest::collateral::{Collateral, Kind, UnknownKind};
use subrosa_attest::snp::Product;

use crate::collateral::{Cache, Fetcher, Services, Subject, gather};
use crate::failure::{Exit, Failure};
use crate::folders::{Folders, read_bounded, write_private};
use crate::printer::{Printer, Tone};
use crate::time;

/// Gather what a verifier needs for a piece of evidence
///
/// Fetches certificates, revocation lists, firmware levels or reference manifests from the vendor's services and writes
/// them into one file. Verification itself then needs no network. Nothing that is fetched is trusted: it is verified with
/// the evidence. The services learn which machine you ask about. What is still good is taken from the cache folder
/// (XDG_CACHE_HOME). Exits with 4 if a service could not be reached or had no answer.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// The evidence, raw
    #[arg(long, value_name = "FILE")]
    evidence: PathBuf,

    /// What the evidence is, where its bytes do not say it: nvidia-report, sev-snp-report, sgx-quote or tdx-quote
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    kind: Option<Kind>,

    /// Where to write the collateral
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Generation of the processor, for SEV-SNP reports of version 2, which do not name it: milan, genoa or turin
    #[arg(long, value_name = "NAME", value_parser = parse_product)]
    product: Option<Product>,

    /// Certificate (DER) of the VLEK that signed the report; VCEKs are fetched
    #[arg(long, value_name = "FILE")]
    vlek: Option<PathBuf>,

    /// Certificates (PEM, leaf first) of the NVIDIA device
    #[arg(long, value_name = "FILE")]
    certificates: Option<PathBuf>,

    /// Seconds after which to give up
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    /// Fetch everything again, and keep nothing
    #[arg(long)]
    no_cache: bool,

    #[command(flatten)]
    services: Services,
}

#[derive(Serialize)]
struct Written<'a> {
    out: &'a Path,
    kind: &'static str,
    evidence: String,
    gathered_at: u64,
    expires_at: u64,
    expired: bool,
    bytes: usize,
    entries: Vec<EntryReport<'a>>,
}

#[derive(Serialize)]
struct EntryReport<'a> {
    label: String,
    source: &'a str,
    bytes: usize,
    expires_at: Option<u64>,
    from_cache: bool,
}

pub(crate) fn run(flags: Flags, printer: &Printer) -> Result<Exit, Failure> {
    let services = flags.services.check()?;
    check_out(&flags.out)?;
    let evidence = read_bounded(&flags.evidence, MAX_EVIDENCE)?;
    let read = |path: Option<PathBuf>| {
        path.map(|path| read_bounded(&path, MAX_CERTIFICATES))
            .transpose()
    };
    let subject = Subject {
        kind: kind(flags.kind, &evidence)?,
        evidence,
        product: flags.product,
        vlek: read(flags.vlek)?,
        certificates: read(flags.certificates)?,
    };
    let cache = if flags.no_cache {
        None
    } else {
        Some(Cache::new(Folders::collateral_cache()?))
    };
    let now = time::now();
    let timeout = Duration::from_secs(flags.timeout);
    let fetcher = Fetcher::new(cache, printer, now, timeout);
    let collateral = gather(&subject, &services, &fetcher, now)?;
    write_private(&flags.out, collateral.as_bytes())?;
    warn_if_expired(&collateral, now, printer);
    report(
        &collateral,
        &flags.out,
        &fetcher.cached_urls(),
        now,
        printer,
    )?;
    Ok(Exit::Done)
}

/// A file takes its place by renaming, which would replace a device or a folder.
fn check_out(out: &Path) -> Result<(), Failure> {
    match out.metadata() {
        Ok(metadata) if !metadata.is_file() => Err(Failure::new(
            Exit::Usage,
            format!("{} is there already, and is no file", out.display()),
        )
        .hint("name a file with --out")),
        _ => Ok(()),
    }
}

fn kind(named: Option<Kind>, evidence: &[u8]) -> Result<Kind, Failure> {
    let detected = Kind::detect(evidence);
    match (named, detected) {
        (Some(named), Some(detected)) if named != detected => Err(Failure::new(
            Exit::Usage,
            format!("this evidence is a {detected}, not a {named}"),
        )),
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => Err(Failure::new(
            Exit::Usage,
            "the bytes do not say what kind of evidence this is",
        )
        .hint("name it with --kind; the file has to hold the raw bytes, not hexadecimal or JSON")),
    }
}

/// Vendors go on publishing what has expired.
fn warn_if_expired(collateral: &Collateral, now: UnixSeconds, printer: &Printer) {
    for entry in collateral.entries() {
        if let Some(expired) = entry.expires_at().filter(|&expires| expires < now) {
            let label = entry.label();
            let text = format!("{label} expired at {expired}: the service has nothing newer");
            printer.notice(Tone::Careful, text);
        }
    }
}

fn report(
    collateral: &Collateral,
    out: &Path,
    from_cache: &[String],
    now: UnixSeconds,
    printer: &Printer,
) -> Result<(), Failure> {
    let entries = collateral.entries().iter().map(|entry| EntryReport {
        label: entry.label().to_string(),
        source: entry.source(),
        bytes: entry.content().len(),
        expires_at: entry.expires_at().map(UnixSeconds::get),
        from_cache: from_cache.iter().any(|url| url == entry.source()),
    });
    if printer.is_json() {
        return printer.json(&Written {
            out,
            kind: collateral.kind().as_str(),
            evidence: collateral.evidence_digest().to_string(),
            gathered_at: collateral.gathered_at().get(),
            expires_at: collateral.expires_at().get(),
            expired: collateral.is_expired(now),
            bytes: collateral.as_bytes().len(),
            entries: entries.collect(),
        });
    }
    for entry in collateral.entries() {
        let until = entry.expires_at().map(|at| at.to_string());
        printer.line(format!(
            "{:<26}{:>7} bytes  good until {}",
            entry.label().to_string(),
            entry.content().len(),
            until.unwrap_or_default()
        ))?;
    }
    printer.say(format!(
        "written to {}; good until {}",
        out.display(),
        collateral.expires_at()
    ));
    Ok(())
}

fn parse_kind(text: &str) -> Result<Kind, UnknownKind> {
    text.parse()
}

fn parse_product(text: &str) -> Result<Product, &'static str> {
    match text {
        "genoa" => Ok(Product::Genoa),
        "milan" => Ok(Product::Milan),
        "turin" => Ok(Product::Turin),
        _ => Err("one of milan, genoa and turin is expected"),
    }
}

/// More than the largest quote.
const MAX_EVIDENCE: u64 = 64 * 1024;
const MAX_CERTIFICATES: u64 = 64 * 1024;

const EXAMPLE: &str = "\
Example:
  subrosa collateral --evidence report.bin --out collateral.cbor
  subrosa collateral --evidence gpu.bin --certificates gpu.pem --out gpu-collateral.cbor
  subrosa collateral --evidence quote.bin --out collateral.cbor --intel-pcs https://pccs.example.org";
