//! AMD's key distribution service (AMD 57230, chapter 4; 58369 for VLEKs).

use std::fmt::Write as _;

use subrosa_attest::collateral::{Builder, Label, certificates_of_pem, expiry};
use subrosa_attest::snp::{CollateralQuery, KeyKind, Product, Report};

use crate::failure::{Exit, Failure};

use super::fetcher::{Fetcher, Part};
use super::http::Media;
use super::{Services, Subject, another, unusable};

pub(super) fn gather(
    subject: &Subject,
    services: &Services,
    fetcher: &Fetcher<'_>,
    builder: Builder,
) -> Result<Builder, Failure> {
    let report = Report::parse(&subject.evidence).map_err(|error| unusable(&error))?;
    let query = report.collateral_query();
    let product = query.product().or(subject.product).ok_or_else(no_product)?;
    let kind = query.kind().ok_or_else(unsigned)?;
    let base = &services.amd_kds;
    let product_name = product_name(product)?;
    let (base, intermediate, builder) = if kind == KeyKind::Vlek {
        let base = format!("{base}/vlek/v1/{product_name}");
        (base, Label::SnpAsvk, vlek(subject, builder)?)
    } else {
        let base = format!("{base}/vcek/v1/{product_name}");
        let builder = vcek(&query, product, &base, fetcher, builder)?;
        (base, Label::SnpAsk, builder)
    };
    let builder = authorities(&base, intermediate, fetcher, builder)?;
    let crl = fetcher.get(Part {
        name: "snp-crl",
        url: format!("{base}/crl"),
        media: Media::Any,
        max_bytes: Label::SnpCrl.max_len(),
        issuers: &[],
        max_age: DAY,
        good_until: &|body| expiry(Label::SnpCrl, body),
    })?;
    Ok(builder.entry(Label::SnpCrl, crl.url, crl.body))
}

fn vcek(
    query: &CollateralQuery,
    product: Product,
    base: &str,
    fetcher: &Fetcher<'_>,
    builder: Builder,
) -> Result<Builder, Failure> {
    let part = fetcher.get(Part {
        name: "snp-vcek",
        url: format!("{base}/{}", vcek_path(query, product)?),
        media: Media::Any,
        max_bytes: Label::SnpVcek.max_len(),
        issuers: &[],
        max_age: MONTH,
        good_until: &|body| expiry(Label::SnpVcek, body),
    })?;
    if !query.is_answered_by(&part.body) {
        return Err(another("snp-vcek", "chip or firmware level"));
    }
    Ok(builder.entry(Label::SnpVcek, part.url, part.body))
}

/// The service hands VLEKs to cloud providers only; they hand them to their guests.
fn vlek(subject: &Subject, builder: Builder) -> Result<Builder, Failure> {
    let Some(vlek) = &subject.vlek else {
        return Err(Failure::new(
            Exit::Usage,
            "this report is signed with a VLEK, whose certificate no service hands out by chip",
        )
        .hint("name the certificate that came with the report with --vlek"));
    };
    if expiry(Label::SnpVlek, vlek).is_none() {
        return Err(Failure::new(Exit::Usage, "the VLEK is not a certificate")
            .hint("it has to be one certificate in DER"));
    }
    Ok(builder.entry(Label::SnpVlek, "local", vlek.as_slice()))
}

/// The intermediate certificate and the root, in that order, as text.
fn authorities(
    base: &str,
    intermediate: Label,
    fetcher: &Fetcher<'_>,
    builder: Builder,
) -> Result<Builder, Failure> {
    let read = |body: &[u8]| {
        let [low, high] = <[_; 2]>::try_from(certificates_of_pem(body, 2)?).ok()?;
        Some((low, high))
    };
    let part = fetcher.get(Part {
        name: "snp-ark and its intermediate",
        url: format!("{base}/cert_chain"),
        media: Media::Any,
        max_bytes: MAX_TEXT,
        issuers: &[],
        max_age: MONTH,
        good_until: &|body| {
            let (low, high) = read(body)?;
            Some(expiry(intermediate, &low)?.min(expiry(Label::SnpArk, &high)?))
        },
    })?;
    let (low, high) = read(&part.body).ok_or_else(unsigned)?;
    Ok(builder
        .entry(intermediate, part.url.as_str(), low)
        .entry(Label::SnpArk, part.url, high))
}

/// `{hwID}?{levels}`, where Turin has a level more.
fn vcek_path(query: &CollateralQuery, product: Product) -> Result<String, Failure> {
    let (Some(id), Some(tcb)) = (query.hardware_id(product), query.tcb(product)) else {
        return Err(Failure::new(
            Exit::Usage,
            "this report does not name its chip, so nobody can say which key signed it",
        )
        .hint("the host hides the chip (MASK_CHIP_ID): ask its operator for the VCEK"));
    };
    let mut path = format!(
        "{}?blSPL={:02}&teeSPL={:02}&snpSPL={:02}&ucodeSPL={:02}",
        hex::encode(id),
        tcb.bootloader,
        tcb.tee,
        tcb.snp,
        tcb.microcode
    );
    if let Some(fmc) = tcb.fmc {
        let _infallible = write!(path, "&fmcSPL={fmc:02}");
    }
    Ok(path)
}

fn product_name(product: Product) -> Result<&'static str, Failure> {
    match product {
        Product::Genoa => Ok("Genoa"),
        Product::Milan => Ok("Milan"),
        Product::Turin => Ok("Turin"),
        other => Err(Failure::new(
            Exit::Usage,
            format!("AMD's service is not known to have keys of {other}"),
        )),
    }
}

fn no_product() -> Failure {
    Failure::new(
        Exit::Usage,
        "this report is too old to name its processor's generation",
    )
    .hint("name it with --product: milan, genoa or turin")
}

fn unsigned() -> Failure {
    Failure::new(Exit::Usage, "this report says that no key signed it")
        .hint("the guest has to ask for a report that is signed with the VCEK or the VLEK")
}

/// Two certificates, as text.
const MAX_TEXT: usize = 32 * 1024;
const DAY: u64 = 24 * 3600;
const MONTH: u64 = 30 * DAY;

#[cfg(test)]
mod tests;
