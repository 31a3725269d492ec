//! The checks of a token, each with its row.

use subtle::ConstantTimeEq;

use super::claims::{Claims, ClaimsSet};
use super::evidence::Evidence;
use super::rules::Rules;
use super::token::{Token, TokenError};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap, list};
use crate::arm::{Anchors, State, unknown_component};

/// Verifies the token and compares it with the rules.
///
/// It ends early, with `None`, where a later check would look at unverified
/// bytes; otherwise every check runs. What the token says is worth something
/// only if no row failed.
pub(crate) fn verify(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    recorder: &mut Recorder,
) -> Option<Claims> {
    let token = parse(evidence.token, recorder)?;
    check_profile(&token.claims, rules, recorder)?;
    verify_signature(&token, anchors, recorder)?;
    check_lifecycle(&token.claims, recorder);
    check_components(&token.claims, rules, recorder);
    recorder.gap(Check::PsaHost, Gap::HostNotExcluded);
    check_demands(&token.claims, rules, recorder);
    Some(Claims::new(token))
}

fn parse<'a>(bytes: &'a [u8], recorder: &mut Recorder) -> Option<Token<'a>> {
    let check = Check::PsaFormat;
    match Token::parse(bytes) {
        Ok(token) => {
            recorder.pass(
                check,
                format!("{} components", token.claims.components.len()),
            );
            Some(token)
        }
        Err(error) => {
            let code = match error {
                TokenError::Symmetric => Code::SigningKeyMismatch,
                _ => Code::ReportMalformed,
            };
            recorder.fail(check, code, error.to_string());
            None
        }
    }
}

/// A profile says what the claims mean, so an unknown one ends the appraisal.
/// What the old labels call profile is the name of some document.
fn check_profile(claims: &ClaimsSet, rules: &Rules, recorder: &mut Recorder) -> Option<()> {
    let profile = claims.profile.as_deref().unwrap_or("none");
    let (holds, found) = if claims.is_old() {
        (rules.accept_old_claims, format!("old labels; {profile}"))
    } else {
        (PROFILES.contains(&profile), profile.to_owned())
    };
    recorder.compare(
        Check::PsaProfile,
        holds,
        Code::ProfileNotAllowed,
        list(PROFILES.iter()),
        found,
    );
    holds.then_some(())
}

/// The device is looked up by what the token says of itself; that a key endorsed
/// for that device signed it proves it.
fn verify_signature(token: &Token<'_>, anchors: &Anchors, recorder: &mut Recorder) -> Option<()> {
    let claims = &token.claims;
    let keys = anchors.keys_of(claims.implementation_id, claims.instance_id);
    let is_endorsed = !keys.is_empty();
    recorder.compare(
        Check::PsaKey,
        is_endorsed,
        Code::RootNotPinned,
        "an endorsed key",
        format!(
            "implementation {}, instance {}",
            claims.implementation_id, claims.instance_id
        ),
    );
    if !is_endorsed {
        return None;
    }
    let verifies = keys.iter().any(|key| token.envelope.is_signed_by(key));
    recorder.compare(
        Check::PsaSignature,
        verifies,
        Code::ReportSignature,
        "ECDSA with the algorithm of the protected header",
        if verifies {
            "verifies"
        } else {
            "does not verify"
        },
    );
    verifies.then_some(())
}

fn check_lifecycle(claims: &ClaimsSet, recorder: &mut Recorder) {
    recorder.compare(
        Check::PsaLifecycle,
        claims.lifecycle.state == State::Secured,
        Code::LifecycleNotSecured,
        "secured (0x3000 to 0x30ff)",
        format!(
            "{} ({:#06x})",
            claims.lifecycle_state(),
            claims.lifecycle.value
        ),
    );
}

fn check_components(claims: &ClaimsSet, rules: &Rules, recorder: &mut Recorder) {
    let check = Check::PsaComponents;
    let Some(accepted) = &rules.components else {
        recorder.gap(check, Gap::SoftwareNotCompared);
        return;
    };
    match unknown_component(&claims.components, accepted) {
        None => recorder.pass(check, format!("{} components", claims.components.len())),
        Some(component) => {
            let kind = component.kind().unwrap_or("component");
            let found = format!("{kind} {}", hex::encode(component.measurement()));
            recorder.fail(check, Code::MeasurementNotAllowed, found);
        }
    }
}

fn check_demands(claims: &ClaimsSet, rules: &Rules, recorder: &mut Recorder) {
    let seed = claims.boot_seed.as_deref();
    for (check, code, demand, found) in [
        (
            Check::PsaNonce,
            Code::NonceMismatch,
            &rules.nonce,
            Some(claims.nonce.as_slice()),
        ),
        (
            Check::PsaBootSeed,
            Code::ReportDataMismatch,
            &rules.boot_seed,
            seed,
        ),
    ] {
        let Some(expected) = demand else { continue };
        recorder.compare(
            check,
            found.is_some_and(|found| bool::from(found.ct_eq(expected))),
            code,
            hex::encode(expected),
            found.map_or_else(|| "absent".to_owned(), hex::encode),
        );
    }
}

/// The first is that of PSA, section 5.1; the second that of its drafts since 2022.
const PROFILES: [&str; 2] = [
    "tag:psacertified.org,2023:psa#tfm",
    "http://arm.com/psa/2.0.0",
];
