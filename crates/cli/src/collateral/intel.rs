//! Intel's provisioning certification service, version 4.

use subrosa_attest::collateral::{Builder, Kind, Label, expiry, tcb_info_fmspc};
use subrosa_attest::dcap::PlatformQuery;

use crate::failure::Failure;

use super::fetcher::{Fetcher, Part};
use super::http::Media;
use super::{Services, Subject, another, unusable};

pub(super) fn gather(
    subject: &Subject,
    services: &Services,
    fetcher: &Fetcher<'_>,
    builder: Builder,
) -> Result<Builder, Failure> {
    let query = PlatformQuery::of_quote(&subject.evidence).map_err(|error| unusable(&error))?;
    let pcs = &services.intel_pcs;
    let platform = match subject.kind {
        Kind::TdxQuote => "tdx",
        _ => "sgx",
    };
    let fmspc = hex::encode_upper(query.fmspc());
    let parts = [
        Wanted {
            label: Label::DcapTcbInfo,
            url: format!("{pcs}/{platform}/certification/v4/tcb?fmspc={fmspc}"),
            media: Media::Json,
            // The second name is that of version 3, which caching services still use.
            issuers: &["TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"],
            issuers_label: Some(Label::DcapTcbInfoIssuers),
        },
        Wanted {
            label: Label::DcapQeIdentity,
            url: format!("{pcs}/{platform}/certification/v4/qe/identity"),
            media: Media::Json,
            issuers: &["SGX-Enclave-Identity-Issuer-Chain"],
            issuers_label: Some(Label::DcapQeIdentityIssuers),
        },
        Wanted {
            label: Label::DcapPckCrl,
            url: format!(
                "{pcs}/sgx/certification/v4/pckcrl?ca={}&encoding=der",
                query.authority().as_str()
            ),
            media: Media::Any,
            issuers: &["SGX-PCK-CRL-Issuer-Chain"],
            issuers_label: Some(Label::DcapPckCrlIssuers),
        },
        Wanted {
            label: Label::DcapRootCrl,
            url: services.intel_root_crl.clone(),
            media: Media::Any,
            issuers: &[],
            issuers_label: None,
        },
    ];
    let mut builder = builder;
    for part in parts {
        builder = part.fetch(query, fetcher, builder)?;
    }
    Ok(builder)
}

struct Wanted {
    label: Label,
    url: String,
    media: Media,
    issuers: &'static [&'static str],
    issuers_label: Option<Label>,
}

impl Wanted {
    fn fetch(
        self,
        query: PlatformQuery,
        fetcher: &Fetcher<'_>,
        builder: Builder,
    ) -> Result<Builder, Failure> {
        let label = self.label;
        let name = label.to_string();
        let answer = fetcher.get(Part {
            name: &name,
            url: self.url,
            media: self.media,
            max_bytes: label.max_len(),
            issuers: self.issuers,
            max_age: DAY,
            good_until: &|body| expiry(label, body),
        })?;
        let is_other = label == Label::DcapTcbInfo
            && tcb_info_fmspc(&answer.body).as_ref() != Some(query.fmspc());
        if is_other {
            return Err(another(&name, "family of platforms"));
        }
        let builder = builder.entry(label, answer.url.as_str(), answer.body);
        Ok(match self.issuers_label {
            Some(issuers) => builder.entry(issuers, answer.url, answer.issuers),
            None => builder,
        })
    }
}

const DAY: u64 = 24 * 3600;
