//! Gathers what a verifier needs for a piece of evidence from the vendors'
//! services.
//!
//! ```text
//! evidence ──query──▶ amd, intel, nvidia ──▶ Fetcher ──cache, retries──▶ http
//!                          └──▶ subrosa_attest::collateral::Builder ──▶ file
//! ```
//!
//! Nothing that is fetched is trusted: it is checked for being what was asked for,
//! so that a wrong answer is noticed here and not when there is no network.

mod amd;
mod cache;
mod fetcher;
mod http;
mod intel;
mod nvidia;
mod retry;
mod services;

use subrosa_attest::UnixSeconds;
use subrosa_attest::collateral::{Collateral, CollateralError, Kind};
use subrosa_attest::snp::Product;

use crate::failure::{Exit, Failure};

pub(crate) use cache::Cache;
pub(crate) use fetcher::Fetcher;
pub(crate) use services::Services;

/// What to gather collateral for.
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) evidence: Vec<u8>,
    /// The generation of a processor whose report names none.
    pub(crate) product: Option<Product>,
    /// The certificate of a VLEK (DER), which no service hands out.
    pub(crate) vlek: Option<Vec<u8>>,
    /// The certificates of an NVIDIA device (PEM).
    pub(crate) certificates: Option<Vec<u8>>,
}

/// Gathers everything. It fails if a part cannot be had.
pub(crate) fn gather(
    subject: &Subject,
    services: &Services,
    fetcher: &Fetcher<'_>,
    now: UnixSeconds,
) -> Result<Collateral, Failure> {
    let builder = Collateral::builder(subject.kind, &subject.evidence, now);
    let builder = match subject.kind {
        Kind::SevSnpReport => amd::gather(subject, services, fetcher, builder)?,
        Kind::SgxQuote | Kind::TdxQuote => intel::gather(subject, services, fetcher, builder)?,
        Kind::NvidiaReport => nvidia::gather(subject, services, fetcher, builder)?,
        kind => {
            let message = format!("collateral of a {kind} cannot be gathered");
            return Err(Failure::new(Exit::Usage, message));
        }
    };
    builder.build().map_err(|error| useless(&error))
}

fn useless(error: &CollateralError) -> Failure {
    Failure::new(Exit::Refused, "what was fetched is not what was asked for")
        .because(error)
        .hint("check the addresses of the services; try again with --no-cache")
}

/// An answer that is about something else.
fn another(name: &str, about: &str) -> Failure {
    Failure::new(Exit::Refused, format!("{name} is about another {about}"))
        .hint("check the addresses of the services; try again with --no-cache")
}

/// Evidence that does not say what it needs.
fn unusable(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(
        Exit::Usage,
        "this evidence does not say what collateral it needs",
    )
    .because(error)
}
