//! The checks of a token, each with its row.

use subtle::ConstantTimeEq;

use super::claims::Claims;
use super::evidence::Evidence;
use super::platform::PlatformClaims;
use super::realm::RealmClaims;
use super::rules::Rules;
use super::token::Token;
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
    check_profiles(&token, rules, recorder)?;
    verify_platform(&token, anchors, recorder)?;
    check_lifecycle(&token.platform_claims, recorder);
    check_components(&token.platform_claims, rules, recorder);
    check_binding(&token, recorder)?;
    verify_realm(&token, recorder)?;
    check_realm(&token.realm_claims, rules, recorder);
    Some(Claims::new(&token))
}

fn parse<'a>(bytes: &'a [u8], recorder: &mut Recorder) -> Option<Token<'a>> {
    match Token::parse(bytes) {
        Ok(token) => {
            recorder.pass(Check::CcaFormat, format!("tag {}", token.tag));
            Some(token)
        }
        Err(error) => {
            let found = error.to_string();
            recorder.fail(Check::CcaFormat, Code::ReportMalformed, found);
            None
        }
    }
}

/// A profile says what the claims mean, so an unknown one ends the appraisal.
fn check_profiles(token: &Token<'_>, rules: &Rules, recorder: &mut Recorder) -> Option<()> {
    let platform = token.platform_claims.profile.as_str();
    let realm = token.realm_claims.profile.as_deref();
    let platform_is_known = PLATFORM_PROFILES.contains(&platform)
        || (rules.accept_old_profiles && platform == OLD_PLATFORM_PROFILE);
    let realm_is_known = match realm {
        Some(profile) => REALM_PROFILES.contains(&profile),
        None => rules.accept_old_profiles,
    };
    let holds = platform_is_known && realm_is_known;
    recorder.compare(
        Check::CcaProfile,
        holds,
        Code::ProfileNotAllowed,
        list(PLATFORM_PROFILES.iter().chain(&REALM_PROFILES)),
        format!("{platform}; {}", realm.unwrap_or("none")),
    );
    holds.then_some(())
}

/// The machine is looked up by what the token says of itself; that a key
/// endorsed for that machine signed it proves it.
fn verify_platform(token: &Token<'_>, anchors: &Anchors, recorder: &mut Recorder) -> Option<()> {
    let claims = &token.platform_claims;
    let keys = anchors.keys_of(claims.implementation_id, claims.instance_id);
    let machine = format!(
        "implementation {}, instance {}",
        claims.implementation_id, claims.instance_id
    );
    let is_endorsed = !keys.is_empty();
    recorder.compare(
        Check::CcaPlatformKey,
        is_endorsed,
        Code::RootNotPinned,
        "an endorsed key",
        machine,
    );
    if !is_endorsed {
        return None;
    }
    let verifies = keys.iter().any(|key| token.platform.is_signed_by(key));
    record_signature(Check::CcaPlatformSignature, verifies, recorder)
}

fn check_lifecycle(claims: &PlatformClaims, recorder: &mut Recorder) {
    recorder.compare(
        Check::CcaLifecycle,
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

fn check_components(claims: &PlatformClaims, rules: &Rules, recorder: &mut Recorder) {
    let check = Check::CcaComponents;
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

/// CCA, section "Binding": the platform signs the hash of the realm's key, over
/// the key's bytes as they stand in the realm token.
fn check_binding(token: &Token<'_>, recorder: &mut Recorder) -> Option<()> {
    let realm = &token.realm_claims;
    let expected = realm.public_key_hash.digest(&realm.public_key);
    let actual = &token.platform_claims.challenge;
    let holds = bool::from(expected.ct_eq(actual));
    recorder.compare(
        Check::CcaRealmKey,
        holds,
        Code::RealmKeyMismatch,
        hex::encode(&expected),
        hex::encode(actual),
    );
    holds.then_some(())
}

fn verify_realm(token: &Token<'_>, recorder: &mut Recorder) -> Option<()> {
    let check = Check::CcaRealmSignature;
    let Some(key) = token.realm_claims.key() else {
        recorder.fail(check, Code::ReportMalformed, "the realm's key is none");
        return None;
    };
    record_signature(check, token.realm.is_signed_by(&key), recorder)
}

fn check_realm(claims: &RealmClaims, rules: &Rules, recorder: &mut Recorder) {
    if let Some(expected) = &rules.challenge {
        recorder.compare(
            Check::CcaChallenge,
            bool::from(expected.as_bytes().ct_eq(claims.challenge.as_bytes())),
            Code::NonceMismatch,
            expected.to_string(),
            claims.challenge.to_string(),
        );
    }
    if let Some(accepted) = &rules.initial_measurements {
        recorder.compare(
            Check::CcaInitialMeasurement,
            accepted.contains(&claims.initial_measurement),
            Code::MeasurementNotAllowed,
            list(accepted.iter().map(hex::encode)),
            hex::encode(&claims.initial_measurement),
        );
    }
    if let Some(expected) = &rules.extensible_measurements {
        recorder.compare(
            Check::CcaExtensibleMeasurements,
            *expected == claims.extensible_measurements,
            Code::MeasurementNotAllowed,
            list(expected.iter().map(hex::encode)),
            list(claims.extensible_measurements.iter().map(hex::encode)),
        );
    }
    if let Some(expected) = &rules.personalization {
        recorder.compare(
            Check::CcaPersonalization,
            *expected == claims.personalization,
            Code::HostDataMismatch,
            hex::encode(expected),
            hex::encode(claims.personalization),
        );
    }
}

fn record_signature(check: Check, verifies: bool, recorder: &mut Recorder) -> Option<()> {
    recorder.compare(
        check,
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

const PLATFORM_PROFILES: [&str; 2] = [
    "tag:arm.com,2023:cca_platform#1.0.0",
    "tag:arm.com,2024:cca_platform#2.0.0",
];
const REALM_PROFILES: [&str; 2] = [
    "tag:arm.com,2023:realm#1.0.0",
    "tag:arm.com,2024:realm#2.0.0",
];
const OLD_PLATFORM_PROFILE: &str = "http://arm.com/CCA-SSD/1.0.0";
