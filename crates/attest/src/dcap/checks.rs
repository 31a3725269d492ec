//! The checks that TDX and SGX share, each with a row.

use sha2::{Digest, Sha256};

use super::Anchors;
use super::claims::PckClaims;
use super::collateral::Collateral;
use super::level::svn_level;
use super::pck::Platform;
use super::quote::{Certification, Quote, TDX};
use super::rules::TcbRules;
use super::signed::{self, SignedError, SignedJson, expect};
use super::tcb_info::{LevelVerdict, ModuleIdentity, QeIdentity, TcbInfo};
use crate::appraisal::Code;
use crate::appraisal::check::{Check, Recorder};
use crate::signature::{Hash, PublicKey, Scheme};
use crate::time::UnixSeconds;
use crate::x509::crl::{CrlError, RevocationList};
use crate::x509::path::{self, Links};
use crate::x509::{Certificate, PathError};

/// A quote that a genuine platform signed, and what is known about the platform.
/// It is acceptable only if no row failed.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedQuote<'a> {
    pub(crate) quote: Quote<'a>,
    pub(crate) pck: PckClaims,
    pub(super) platform: Platform,
    pub(super) tcb_info: Option<TcbInfo>,
    pub(super) enclave_level: Option<LevelVerdict>,
}

/// What is verified: a quote, and the platform's certificates where the quote
/// does not bring them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    pub(crate) quote: &'a [u8],
    pub(crate) pck_chain: Option<&'a [u8]>,
    pub(crate) collateral: &'a Collateral<'a>,
}

/// Verifies a quote and the collateral that judges it.
///
/// It ends early, with `None`, where the quote is not a genuine platform's;
/// otherwise every check runs, so that a person sees all that is wrong.
pub(crate) fn verify<'a>(
    input: Input<'a>,
    rules: &TcbRules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<VerifiedQuote<'a>> {
    let quote = parse(input.quote, recorder)?;
    // The three chains share the root, and the last two the signer.
    let mut links = Links::default();
    let chain = verify_chain(&quote, input.pck_chain, anchors, now, &mut links, recorder)?;
    verify_signatures(&quote, &chain.key, recorder)?;
    let collateral = input.collateral;
    let is_tdx = quote.header.tee_type == TDX;
    let tcb_info = verify_tcb_info(
        collateral,
        is_tdx,
        &chain.platform,
        anchors,
        now,
        &mut links,
    );
    let tcb_info = record(Check::TcbInfo, tcb_info, recorder);
    let identity = verify_identity(collateral, is_tdx, anchors, now, &mut links);
    let identity = record(Check::QeIdentity, identity, recorder);
    let windows = tcb_info.iter().map(|(info, _)| info.window);
    for window in windows.chain(identity.iter().map(|(identity, _)| identity.window)) {
        recorder.collateral_issued(window.issued);
    }
    let signers = tcb_info.iter().map(|(_, signer)| signer);
    let signers = signers.chain(identity.iter().map(|(_, signer)| signer));
    check_revocation(collateral, &chain, signers.collect(), now, recorder);
    let tcb_info = tcb_info.map(|(info, _)| info);
    let identity = identity.map(|(identity, _)| identity);
    check_evaluation_number(tcb_info.as_ref(), identity.as_ref(), rules, recorder);
    let enclave_level = identity.and_then(|identity| check_enclave(&quote, &identity, recorder));
    check_platform_flags(&chain.platform, rules, recorder);
    Some(VerifiedQuote {
        quote,
        pck: chain.claims,
        platform: chain.platform,
        tcb_info,
        enclave_level,
    })
}

fn parse<'a>(bytes: &'a [u8], recorder: &mut Recorder) -> Option<Quote<'a>> {
    match Quote::parse(bytes) {
        Ok(quote) => {
            let found = format!("version {}", quote.header.version);
            recorder.pass(Check::QuoteFormat, found);
            Some(quote)
        }
        Err(error) => {
            let text = error.to_string();
            recorder.fail(Check::QuoteFormat, Code::ReportMalformed, text);
            None
        }
    }
}

/// The verified certificates of a platform.
struct PckChain {
    key: PublicKey,
    leaf: Certificate,
    authority: Certificate,
    root: Certificate,
    platform: Platform,
    claims: PckClaims,
}

fn verify_chain(
    quote: &Quote<'_>,
    elsewhere: Option<&[u8]>,
    anchors: &Anchors,
    now: UnixSeconds,
    links: &mut Links,
    recorder: &mut Recorder,
) -> Option<PckChain> {
    let check = Check::QuoteCertificates;
    let text = match quote.certification {
        Certification::Chain(text) => Some(text),
        Certification::Identifier => elsewhere,
    };
    let Some(text) = text else {
        recorder.fail(check, Code::EvidenceMissing, "no platform certificate");
        return None;
    };
    match PckChain::verify(text, anchors, now, links) {
        Ok(chain) => {
            let found = format!("{} of {}", chain.claims.fmspc, chain.claims.ca);
            recorder.pass(check, found);
            Some(chain)
        }
        Err(error) => {
            recorder.fail(check, error.code(), error.to_string());
            None
        }
    }
}

impl PckChain {
    /// Three certificates: PCK, one of Intel's two authorities, root.
    fn verify(
        text: &[u8],
        anchors: &Anchors,
        now: UnixSeconds,
        links: &mut Links,
    ) -> Result<Self, PathError> {
        let chain = signed::certificates(text)?;
        let key = path::verify_sharing(&chain, &anchors.root, now, links)?;
        let [leaf, authority, root] = <[Certificate; 3]>::try_from(chain)
            .map_err(|chain| PathError::Length { got: chain.len() })?;
        if leaf.common_name().as_deref() != Some(PCK) {
            return Err(PathError::Usage { at: 0 });
        }
        let name = authority.common_name();
        let name = name.filter(|name| PCK_AUTHORITIES.contains(&name.as_str()));
        let name = name.ok_or(PathError::Usage { at: 1 })?;
        let platform = Platform::read(&leaf).ok_or(PathError::Usage { at: 0 })?;
        let claims = PckClaims::new(&leaf, &platform, name);
        Ok(Self {
            key,
            leaf,
            authority,
            root,
            platform,
            claims,
        })
    }
}

/// The platform key signs the report of the quoting enclave, whose report data
/// are the digest of the attestation key and the authentication data, and 32
/// zeros; the attestation key signs the quote.
fn verify_signatures(
    quote: &Quote<'_>,
    platform_key: &PublicKey,
    recorder: &mut Recorder,
) -> Option<()> {
    let scheme = Scheme::EcdsaFixed(Hash::Sha256);
    let endorsed = Sha256::new()
        .chain_update(quote.attestation_key)
        .chain_update(quote.authentication_data)
        .finalize();
    let mut expected = [0; 64];
    expected[..32].copy_from_slice(&endorsed);
    let is_signed = platform_key.verifies(scheme, quote.qe_report_bytes, quote.qe_report_signature);
    let is_bound = quote.qe_report.report_data == expected;
    recorder.compare(
        Check::AttestationKey,
        is_signed && is_bound,
        Code::AttestationKeyNotEndorsed,
        "the digest of the attestation key, signed",
        match (is_signed, is_bound) {
            (false, _) => "signature does not verify",
            (true, false) => "the digest of another key",
            (true, true) => "the digest of the attestation key, signed",
        },
    );
    let point = [&[UNCOMPRESSED], quote.attestation_key].concat();
    let verifies = PublicKey::p256(&point)
        .is_some_and(|key| key.verifies(scheme, quote.signed, quote.signature));
    if verifies {
        recorder.pass(Check::QuoteSignature, "by the attestation key");
    } else {
        let found = "signature does not verify";
        recorder.fail(Check::QuoteSignature, Code::ReportSignature, found);
    }
    (is_signed && is_bound && verifies).then_some(())
}

fn verify_tcb_info(
    collateral: &Collateral<'_>,
    is_tdx: bool,
    platform: &Platform,
    anchors: &Anchors,
    now: UnixSeconds,
    links: &mut Links,
) -> Result<(TcbInfo, Certificate), SignedError> {
    let json = SignedJson {
        object: collateral.tcb_info,
        signature: collateral.tcb_info_signature,
        chain: collateral.tcb_info_issuer_chain,
    };
    let signer = json.verify(anchors, now, links)?;
    let info = TcbInfo::parse(collateral.tcb_info)?;
    expect("id", info.id, if is_tdx { "TDX" } else { "SGX" })?;
    let (found, expected) = (hex::encode(info.fmspc), hex::encode(platform.fmspc));
    expect("fmspc", &found, &expected)?;
    let (found, expected) = (hex::encode(info.pce_id), hex::encode(platform.pce_id));
    expect("pceId", &found, &expected)?;
    info.window.check(now)?;
    Ok((info, signer))
}

fn verify_identity(
    collateral: &Collateral<'_>,
    is_tdx: bool,
    anchors: &Anchors,
    now: UnixSeconds,
    links: &mut Links,
) -> Result<(QeIdentity, Certificate), SignedError> {
    let json = SignedJson {
        object: collateral.qe_identity,
        signature: collateral.qe_identity_signature,
        chain: collateral.qe_identity_issuer_chain,
    };
    let signer = json.verify(anchors, now, links)?;
    let identity = QeIdentity::parse(collateral.qe_identity)?;
    expect("id", &identity.id, if is_tdx { "TD_QE" } else { "QE" })?;
    identity.window.check(now)?;
    Ok((identity, signer))
}

fn record<T>(check: Check, result: Result<T, SignedError>, recorder: &mut Recorder) -> Option<T> {
    match result {
        Ok(value) => {
            recorder.pass(check, "signed and in date");
            Some(value)
        }
        Err(error) => {
            recorder.fail(check, error.code(), error.to_string());
            None
        }
    }
}

/// The authority lists platforms; the root lists authorities and signers.
fn check_revocation(
    collateral: &Collateral<'_>,
    chain: &PckChain,
    signers: Vec<&Certificate>,
    now: UnixSeconds,
    recorder: &mut Recorder,
) {
    let mut by_root = signers;
    by_root.push(&chain.authority);
    let check = |list: &[u8], issuer, certificates: &[&Certificate]| {
        let list = RevocationList::parse(list)?;
        Ok::<_, CrlError>((list.check(issuer, certificates, now)?, list.this_update()))
    };
    let checked = check(collateral.root_ca_crl, &chain.root, &by_root).and_then(|root| {
        let pck = check(collateral.pck_crl, &chain.authority, &[&chain.leaf])?;
        Ok((root, pck))
    });
    match checked {
        Ok(((root, root_issued), (pck, pck_issued))) => {
            recorder.collateral_issued(root_issued.min(pck_issued));
            let found = format!("lists are good until {}", root.min(pck));
            recorder.pass(Check::PlatformRevocation, found);
        }
        Err(error) => recorder.fail(Check::PlatformRevocation, error.code(), error.to_string()),
    }
}

/// An older issue of collateral that is still in date says nothing about what was
/// found since, and two issues may contradict each other.
fn check_evaluation_number(
    info: Option<&TcbInfo>,
    identity: Option<&QeIdentity>,
    rules: &TcbRules,
    recorder: &mut Recorder,
) {
    let Some((info, identity)) = info.zip(identity) else {
        return;
    };
    let (found, other) = (info.evaluation_number, identity.evaluation_number);
    if found != other {
        recorder.compare(
            Check::TcbEvaluation,
            false,
            Code::CollateralMismatch,
            found.to_string(),
            format!("{other} for the quoting enclave"),
        );
        return;
    }
    recorder.compare(
        Check::TcbEvaluation,
        found >= rules.minimum_evaluation_number,
        Code::EvaluationNumberBelowMinimum,
        format!("{} or more", rules.minimum_evaluation_number),
        found.to_string(),
    );
}

/// The quoting enclave is the one Intel names, and has one of its levels.
fn check_enclave(
    quote: &Quote<'_>,
    identity: &QeIdentity,
    recorder: &mut Recorder,
) -> Option<LevelVerdict> {
    let report = &quote.qe_report;
    let masked = |found: &[u8], mask: &[u8], expected: &[u8]| {
        let pairs = found.iter().zip(mask).zip(expected);
        pairs
            .into_iter()
            .all(|((found, mask), expected)| found & mask == *expected)
    };
    let differs = [
        ("MRSIGNER", report.mr_signer == identity.mr_signer),
        ("ISVPRODID", report.isv_prod_id == identity.isv_prod_id),
        (
            "MISCSELECT",
            masked(
                &report.misc_select,
                &identity.misc_select_mask,
                &identity.misc_select,
            ),
        ),
        (
            "ATTRIBUTES",
            masked(
                &report.attributes,
                &identity.attributes_mask,
                &identity.attributes,
            ),
        ),
    ]
    .into_iter()
    .find_map(|(field, is_same)| (!is_same).then_some(field));
    let check = Check::QuotingEnclave;
    if let Some(field) = differs {
        let found = format!("another {field}");
        recorder.fail(check, Code::QuotingEnclaveMismatch, found);
        return None;
    }
    let Some(level) = svn_level(&identity.levels, report.isv_svn) else {
        let found = format!("ISVSVN {} has no level", report.isv_svn);
        recorder.fail(check, Code::TcbLevelMissing, found);
        return None;
    };
    recorder.pass(
        check,
        format!("ISVSVN {}: {}", report.isv_svn, level.status),
    );
    Some(level.clone())
}

fn check_platform_flags(platform: &Platform, rules: &TcbRules, recorder: &mut Recorder) {
    let flags = platform.flags;
    for (is_forbidden, name, flag) in [
        (
            rules.forbid_smt,
            "smtEnabled",
            flags.and_then(|flags| flags.smt_enabled),
        ),
        (
            rules.forbid_dynamic_platform,
            "dynamicPlatform",
            flags.and_then(|flags| flags.dynamic_platform),
        ),
        (
            rules.forbid_cached_keys,
            "cachedKeys",
            flags.and_then(|flags| flags.cached_keys),
        ),
    ] {
        if is_forbidden {
            recorder.compare(
                Check::PlatformConfiguration,
                flag == Some(false),
                Code::PlatformFeatureMissing,
                format!("{name}: false"),
                flag.map_or("not named".to_owned(), |flag| format!("{name}: {flag}")),
            );
        }
    }
}

impl VerifiedQuote<'_> {
    /// Whether there is collateral to judge the platform by.
    pub(crate) fn has_tcb_info(&self) -> bool {
        self.tcb_info.is_some()
    }

    /// The collateral's word about the TDX module with this level.
    pub(crate) fn module(&self, tee_tcb_svn: &[u8; 16]) -> Option<&ModuleIdentity> {
        self.tcb_info.as_ref()?.module(tee_tcb_svn)
    }
}

/// Common names in the profile specification.
const PCK: &str = "Intel SGX PCK Certificate";
const PCK_AUTHORITIES: [&str; 2] = ["Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"];
/// SEC 1, section 2.3.3: x and y follow.
const UNCOMPRESSED: u8 = 0x04;
