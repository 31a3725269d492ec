//! What a quote says about platform configuration registers.

use subtle::ConstantTimeEq;

use super::super::Evidence;
use super::super::algorithm::HashAlgorithm;
use super::super::claims::Claims;
use super::super::log;
use super::super::pcrs::RegisterValues;
use super::super::quote::{Quote, Selection};
use super::super::rules::{Requirement, Rules};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap, list};

pub(super) fn check(
    evidence: &Evidence<'_>,
    quote: &Quote,
    hash: HashAlgorithm,
    rules: &Rules,
    claims: &mut Claims,
    recorder: &mut Recorder,
) {
    let Some(selection) = check_bank(quote, rules, recorder) else {
        return;
    };
    check_selection(selection, rules, recorder);
    let values = if let Some(values) = &evidence.values {
        check_digest(values, selection, quote, hash, claims, recorder)
    } else {
        check_absence(rules, recorder);
        None
    };
    check_values(values.as_ref(), rules, recorder);
    check_log(
        evidence,
        selection,
        values.as_ref(),
        rules,
        claims,
        recorder,
    );
    claims.pcrs = values;
}

/// One bank, so that nothing can be said twice, and an accepted one.
fn check_bank<'a>(
    quote: &'a Quote,
    rules: &Rules,
    recorder: &mut Recorder,
) -> Option<&'a Selection> {
    let check = Check::TpmPcrBank;
    let expected = list(rules.banks.iter());
    let [selection] = quote.selections.as_slice() else {
        let found = format!("{} banks", quote.selections.len());
        recorder.compare(check, false, Code::PcrBankNotAllowed, expected, found);
        return None;
    };
    let is_allowed = rules.banks.contains(&selection.bank) && selection.bank.function().is_some();
    let found = selection.bank.to_string();
    recorder.compare(check, is_allowed, Code::PcrBankNotAllowed, expected, found);
    is_allowed.then_some(selection)
}

fn check_selection(selection: &Selection, rules: &Rules, recorder: &mut Recorder) {
    let registers = &selection.registers;
    let covers = |register: &u8| registers.contains(register);
    recorder.compare(
        Check::TpmPcrSelection,
        !registers.is_empty() && rules.required_registers.iter().all(covers),
        Code::PcrSelectionIncomplete,
        format!(
            "at least one, and {}",
            list(rules.required_registers.iter())
        ),
        list(registers.iter()),
    );
}

/// The digest over the selected registers' values in ascending order (TPM 2.0
/// Library, Part 1, "PCR Attestation"), made with the hash of the signature. Gives
/// back the values if they are those that were quoted.
fn check_digest(
    values: &RegisterValues,
    selection: &Selection,
    quote: &Quote,
    hash: HashAlgorithm,
    claims: &mut Claims,
    recorder: &mut Recorder,
) -> Option<RegisterValues> {
    let check = Check::TpmPcrDigest;
    let expected = hex::encode(&quote.pcr_digest);
    let mut quoted = RegisterValues::new();
    let mut concatenated = Vec::new();
    for &register in &selection.registers {
        let value = values.get(register).unwrap_or_default();
        if Some(value.len()) != selection.bank.digest_len() {
            let found = format!("register {register} has {} bytes", value.len());
            recorder.compare(check, false, Code::PcrDigestMismatch, expected, found);
            return None;
        }
        concatenated.extend_from_slice(value);
        quoted = quoted.with(register, value);
    }
    let digest = hash.function()?.digest(&concatenated);
    let holds = bool::from(digest.ct_eq(&quote.pcr_digest));
    claims.pcr_digest_ok = Some(holds);
    let found = hex::encode(&digest);
    recorder.compare(check, holds, Code::PcrDigestMismatch, expected, found);
    holds.then_some(quoted)
}

fn check_absence(rules: &Rules, recorder: &mut Recorder) {
    if rules.values == Requirement::Required {
        recorder.fail(Check::TpmPcrDigest, Code::EvidenceMissing, "no values");
    } else {
        recorder.gap(Check::TpmPcrDigest, Gap::PcrValuesAbsent);
    }
}

/// Registers whose values the rules name must be quoted and hold one of them.
fn check_values(values: Option<&RegisterValues>, rules: &Rules, recorder: &mut Recorder) {
    for (&register, allowed) in &rules.allowed_values {
        let found = values.and_then(|values| values.get(register));
        recorder.compare(
            Check::TpmPcrValues,
            found.is_some_and(|found| allowed.iter().any(|one| one == found)),
            Code::PcrValueNotAllowed,
            format!("{register}: {}", list(allowed.iter().map(hex::encode))),
            found.map_or_else(|| "not quoted".to_owned(), hex::encode),
        );
    }
}

/// A log counts only beside values that were quoted.
fn check_log(
    evidence: &Evidence<'_>,
    selection: &Selection,
    values: Option<&RegisterValues>,
    rules: &Rules,
    claims: &mut Claims,
    recorder: &mut Recorder,
) {
    let check = Check::TpmEventLog;
    match (evidence.event_log, values) {
        (None, _) if rules.event_log == Requirement::Required => {
            recorder.fail(check, Code::EvidenceMissing, "no event log");
        }
        (None, _) => {}
        (Some(_), None) => recorder.fail(check, Code::EvidenceMissing, "no quoted values"),
        (Some(log), Some(values)) => match log::tie(log, selection.bank, values) {
            Ok(events) => {
                recorder.pass(check, format!("{} events", events.len()));
                claims.events = events;
            }
            Err(error) => recorder.fail(check, error.code(), error.to_string()),
        },
    }
}
