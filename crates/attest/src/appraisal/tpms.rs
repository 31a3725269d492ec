//! TPMs as a part of a node's evidence: behind the paravisor of an Azure confidential VM,
//! beside the processor, or alone.

use super::check::{Check, Group, Recorder};
use super::{Code, Gap, Roots, list};
use crate::azure::{self, Hardware, TdxEndorsement};
use crate::binding;
use crate::bundle::tpm::Quote;
use crate::bundle::{AzureEvidence, AzureHardware, Bundle};
use crate::dcap::CollateralFile;
use crate::identifiers::{Measurement, Sha256Digest};
use crate::policy::{Boot, Platform, Policy, RequiredPart};
use crate::tdx;
use crate::time::UnixSeconds;
use crate::tpm::{self, QuoteSignature, Requirement};

const QUOTE_GROUPS: [Group; 3] = [Group::Tpm, Group::TpmCertificates, Group::Boot];

/// An Azure confidential VM: the hardware vouches for the paravisor, the paravisor names
/// its virtual TPM's key, and that key signed for the node's key and for what was started.
pub(super) fn verify_azure(
    evidence: &AzureEvidence<'_>,
    bundle: &Bundle,
    policy: &Policy,
    roots: &Roots,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<azure::Claims> {
    recorder.expect(&[Group::Azure]);
    recorder.expect(&QUOTE_GROUPS);
    let (collateral, platform);
    let hardware = match evidence.hardware {
        AzureHardware::Snp(endorsement) => {
            recorder.expect(&[Group::Snp]);
            platform = Platform::AzureSevSnp;
            Hardware::Snp(endorsement)
        }
        AzureHardware::Tdx {
            quote,
            collateral: file,
        } => {
            recorder.expect(tdx::GROUPS);
            platform = Platform::AzureIntelTdx;
            collateral = read_collateral(file, recorder)?;
            Hardware::Tdx(TdxEndorsement {
                quote,
                collateral: Some(collateral.collateral()),
            })
        }
    };
    let quote = read_quote(bundle, recorder)?;
    let evidence = azure::Evidence {
        report: evidence.report,
        hardware: Some(hardware),
        quote: Some(azure::Quote {
            message: quote.message,
            signature: QuoteSignature::Structure(quote.signature),
            public: (!quote.public.is_empty()).then_some(quote.public),
            certificates: quote.certificates(),
            values: Some(quote.register_values()),
            event_log: bundle.tpm_event_log(),
        }),
    };
    let nonce = binding::short_report_data(
        bundle.key_configuration(),
        bundle.checkpoint(),
        bundle.gpu_evidence(),
    );
    let rules = azure::Rules::of_policy(policy)
        .paravisors(&paravisors(policy, platform))
        // The paravisor stands in for what a TPM would say of its key.
        .tpm(rules(&nonce).key_attributes(Requirement::IfPresent));
    let claims = azure::verify(&evidence, &rules, &roots.azure, now, recorder)?;
    check_boot(claims.tpm(), policy, Requirement::Required, recorder);
    Some(claims)
}

/// A TPM alone: what was started, and for which key, but not that anybody is kept out. Its
/// key must be certified, or be the one that a developer named.
pub(super) fn verify_alone(
    bundle: &Bundle,
    policy: &Policy,
    roots: &Roots,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<tpm::Claims> {
    recorder.expect(&QUOTE_GROUPS);
    let quote = read_quote(bundle, recorder)?;
    let nonce = binding::short_report_data(
        bundle.key_configuration(),
        bundle.checkpoint(),
        bundle.gpu_evidence(),
    );
    let named = roots.tpm_key.as_ref();
    let certificate = match named {
        Some(_) => Requirement::IfPresent,
        None => Requirement::Required,
    };
    let rules = rules(&nonce).key_certificate(certificate);
    let evidence = quote.evidence(bundle.tpm_event_log());
    let claims = tpm::verify(&evidence, named, &rules, &roots.tpm, now, recorder)?;
    check_boot(Some(&claims), policy, Requirement::Required, recorder);
    Some(claims)
}

/// A TPM beside the processor, if there is one or the policy asks for it. The processor's
/// report is bound to its quote, and the quote to the node's key.
pub(super) fn check_beside(
    platform: Platform,
    bundle: &Bundle,
    policy: &Policy,
    roots: &Roots,
    now: UnixSeconds,
    recorder: &mut Recorder,
) {
    let check = Check::TpmEvidence;
    let is_verified = matches!(
        platform,
        Platform::AzureIntelTdx | Platform::AzureSevSnp | Platform::Tpm
    );
    let is_required = policy.required_parts.contains(&RequiredPart::TpmEvidence);
    if bundle.tpm_evidence().is_none() {
        if is_required {
            recorder.fail(check, Code::EvidenceMissing, "absent");
        }
        return;
    }
    if !is_verified {
        recorder.expect(&QUOTE_GROUPS);
        let Some(quote) = read_quote(bundle, recorder) else {
            return;
        };
        let nonce = binding::tpm_nonce(bundle.key_configuration(), bundle.checkpoint());
        let evidence = quote.evidence(bundle.tpm_event_log());
        let claims = tpm::verify(&evidence, None, &rules(&nonce), &roots.tpm, now, recorder);
        check_boot(claims.as_ref(), policy, Requirement::IfPresent, recorder);
    }
    if !recorder.any_failed(&QUOTE_GROUPS) {
        recorder.pass(check, "a quote for this key");
    }
}

/// Registers of firmware and image, all of which a quote must cover.
fn rules(nonce: &[u8]) -> tpm::Rules {
    let registers: Vec<_> = (0..=7).chain(Boot::REGISTERS).chain(Boot::ZERO).collect();
    tpm::Rules::default()
        .nonce(nonce)
        .required_registers(&registers)
        .key_certificate(Requirement::IfPresent)
}

fn read_quote<'a>(bundle: &'a Bundle, recorder: &mut Recorder) -> Option<Quote<'a>> {
    let quote = bundle.tpm_evidence().and_then(Quote::parse);
    if quote.is_none() {
        let found = "not the encoding of a quote with its key";
        recorder.fail(Check::TpmQuoteFormat, Code::ReportMalformed, found);
    }
    quote
}

fn read_collateral(file: &[u8], recorder: &mut Recorder) -> Option<CollateralFile> {
    match CollateralFile::parse(file) {
        Ok(collateral) => Some(collateral),
        Err(error) => {
            recorder.fail(Check::TcbInfo, Code::CollateralMalformed, error.to_string());
            None
        }
    }
}

fn paravisors(policy: &Policy, platform: Platform) -> Vec<Measurement> {
    let references = policy.measurements.iter();
    references
        .filter(|reference| reference.platform == platform)
        .flat_map(|reference| reference.registers.iter().copied())
        .collect()
}

/// The registers hold what one of the listed images measures, and nothing that a host added.
fn check_boot(
    claims: Option<&tpm::Claims>,
    policy: &Policy,
    requirement: Requirement,
    recorder: &mut Recorder,
) {
    let check = Check::BootMeasurement;
    let Some(values) = claims.and_then(tpm::Claims::registers) else {
        return;
    };
    if policy.boots.is_empty() {
        match requirement {
            Requirement::IfPresent => recorder.gap(check, Gap::BootNotCompared),
            Requirement::Required => {
                recorder.fail(check, Code::ReferenceValuesEmpty, "no image is listed");
            }
        }
        return;
    }
    let digest = |number| Some(Sha256Digest::new(values.get(number)?.try_into().ok()?));
    let found = Boot::REGISTERS.map(digest);
    let added = Boot::ZERO.map(digest);
    let is_clean = added.iter().all(|one| one.is_some_and(|one| one.is_zero()));
    let image = policy
        .boots
        .iter()
        .find(|boot| boot.registers.map(Some) == found);
    let shown = list(
        Boot::REGISTERS
            .iter()
            .chain(&Boot::ZERO)
            .map(|&number| {
                (
                    number,
                    values.get(number).map_or_else(String::new, hex::encode),
                )
            })
            .map(|(number, value)| format!("pcr{number} {value}")),
    );
    recorder.compare(
        check,
        image.is_some() && is_clean,
        Code::MeasurementNotAllowed,
        list(policy.boots.iter().map(|boot| &boot.name)),
        match image {
            Some(boot) => format!("{}: {shown}", boot.name),
            None => shown,
        },
    );
}
