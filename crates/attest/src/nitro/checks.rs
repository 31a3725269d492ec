//! The checks of an attestation document, each with its row.

use subtle::ConstantTimeEq;

use super::anchors::Anchors;
use super::claims::{Claims, is_zero, made_at};
use super::document::Document;
use super::evidence::Evidence;
use super::rules::Rules;
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap};
use crate::signature::PublicKey;
use crate::time::UnixSeconds;
use crate::x509::path;
use crate::x509::{Certificate, PathError};

/// Verifies the document and compares it with the rules.
///
/// It ends early, with `None`, where a later check would look at unverified
/// bytes; otherwise every check runs. What the document says is worth something
/// only if no row failed.
pub(crate) fn verify(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Claims> {
    let document = parse(evidence.document, recorder)?;
    let signer = verify_chain(&document, anchors, now, recorder)?;
    verify_signature(&document, &signer.key, recorder)?;
    check_time(&document, rules, now, recorder);
    check_debug(&document, recorder);
    check_machine(rules, recorder);
    check_registers(&document, rules, recorder);
    check_demands(&document, rules, recorder);
    Some(Claims::new(&document, signer.validity))
}

/// The certificate's key, once its path is verified.
struct Signer {
    key: PublicKey,
    validity: (UnixSeconds, UnixSeconds),
}

fn parse<'a>(bytes: &'a [u8], recorder: &mut Recorder) -> Option<Document<'a>> {
    let check = Check::NitroFormat;
    match Document::parse(bytes) {
        Ok(document) => {
            recorder.pass(check, format!("{} registers", document.registers.len()));
            Some(document)
        }
        Err(error) => {
            recorder.fail(check, Code::ReportMalformed, error.to_string());
            None
        }
    }
}

fn verify_chain(
    document: &Document<'_>,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Signer> {
    let check = Check::NitroChain;
    match chain(document, anchors, now) {
        Ok(signer) => {
            let found = format!("certificate is good until {}", signer.validity.1);
            recorder.pass(check, found);
            Some(signer)
        }
        Err(error) => {
            recorder.fail(check, error.code(), error.to_string());
            None
        }
    }
}

/// AWS, section 3.2.3: the bundle has the root first, a path has it last.
fn chain(
    document: &Document<'_>,
    anchors: &Anchors,
    now: UnixSeconds,
) -> Result<Signer, PathError> {
    let root = document.authorities.first().copied().unwrap_or_default();
    anchors.check_certificate(root)?;
    let path = core::iter::once(&document.certificate)
        .chain(document.authorities.iter().rev())
        .enumerate()
        .map(|(at, der)| {
            Certificate::parse(der).map_err(|source| PathError::Certificate { at, source })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let key = path::verify(&path, &anchors.public_keys(), now)?;
    let leaf = path.first().ok_or(PathError::Length { got: 0 })?;
    Ok(Signer {
        key,
        validity: (leaf.not_before(), leaf.not_after()),
    })
}

fn verify_signature(
    document: &Document<'_>,
    key: &PublicKey,
    recorder: &mut Recorder,
) -> Option<()> {
    let holds = document.is_signed_by(key);
    recorder.compare(
        Check::NitroSignature,
        holds,
        Code::ReportSignature,
        "ECDSA P-384 with SHA-384 by the certified key",
        if holds { "verifies" } else { "does not verify" },
    );
    holds.then_some(())
}

/// Replayed documents stay valid for as long as their certificate, so their own
/// time is looked at as well.
fn check_time(document: &Document<'_>, rules: &Rules, now: UnixSeconds, recorder: &mut Recorder) {
    let check = Check::NitroTime;
    let made = made_at(document);
    let latest = now.saturating_add(rules.clock_tolerance);
    let age = now.saturating_since(made);
    let actual = format!("made at {made}");
    let limit = rules.maximum_age.map(|most| {
        let most = most.saturating_add(rules.clock_tolerance);
        (age <= most, format!("at most {most} s old at {now}"))
    });
    let (is_young, expected) =
        limit.unwrap_or_else(|| (true, format!("not after {latest}, of any age")));
    if made > latest {
        let expected = format!("not after {latest}");
        recorder.compare(check, false, Code::ReportFromFuture, expected, actual);
    } else {
        recorder.compare(check, is_young, Code::ReportTooOld, expected, actual);
    }
}

/// AWS Nitro Enclaves user guide, "Working with enclaves": an enclave in debug
/// mode has registers of zeros, and its console shows everything.
fn check_debug(document: &Document<'_>, recorder: &mut Recorder) {
    let check = Check::NitroDebug;
    for index in 0..=2 {
        let code = match document.registers.get(&index) {
            Some(value) if !is_zero(value) => continue,
            Some(_) => Code::GuestDebugAllowed,
            None => Code::EvidenceMissing,
        };
        let found = match code {
            Code::EvidenceMissing => format!("register {index} is missing"),
            _ => format!("register {index} is zero"),
        };
        recorder.fail(check, code, found);
        return;
    }
    recorder.pass(check, "registers 0 to 2 are set");
}

/// Register 4 names an instance, which is not a machine.
fn check_machine(rules: &Rules, recorder: &mut Recorder) {
    let check = Check::NitroMachine;
    if rules.require_machine_identity {
        let found = "documents name an instance";
        recorder.fail(check, Code::MachineNotIdentified, found);
    } else {
        recorder.gap(check, Gap::MachineNotIdentified);
    }
}

fn check_registers(document: &Document<'_>, rules: &Rules, recorder: &mut Recorder) {
    for (index, allowed) in &rules.registers {
        let value = document.registers.get(index).copied();
        let holds = value.is_some_and(|value| allowed.iter().any(|one| one == value));
        recorder.compare(
            Check::NitroRegisters,
            holds,
            Code::MeasurementNotAllowed,
            format!(
                "register {index}: {}",
                crate::appraisal::list(allowed.iter().map(hex::encode))
            ),
            format!("register {index}: {}", shown(value)),
        );
    }
}

fn check_demands(document: &Document<'_>, rules: &Rules, recorder: &mut Recorder) {
    for (check, code, demand, found) in [
        (
            Check::NitroNonce,
            Code::NonceMismatch,
            &rules.nonce,
            document.nonce,
        ),
        (
            Check::NitroUserData,
            Code::ReportDataMismatch,
            &rules.user_data,
            document.user_data,
        ),
        (
            Check::NitroPublicKey,
            Code::ReportDataMismatch,
            &rules.public_key,
            document.public_key,
        ),
    ] {
        let Some(expected) = demand else { continue };
        recorder.compare(
            check,
            found.is_some_and(|found| bool::from(found.ct_eq(expected))),
            code,
            hex::encode(expected),
            shown(found),
        );
    }
    if let Some(expected) = &rules.module_id {
        recorder.compare(
            Check::NitroModule,
            document.module_id == expected,
            Code::ReportDataMismatch,
            expected.clone(),
            document.module_id,
        );
    }
}

fn shown(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "absent".to_owned(), hex::encode)
}
