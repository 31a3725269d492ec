//! Event logs, alone or with a quote whose registers they must give.
//!
//! A log proves nothing by itself: accepted means that it is well formed and fits
//! the quote beside it, whose signature these cases cannot verify.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use subrosa_attest::Code;
use subrosa_attest::eventlog::{Bank, DstackLog, EventLog};
use subrosa_attest::identifiers::Measurement;
use subrosa_attest::tdx::{Log, quote_length, replay, unverified_registers};

use crate::{Case, Judgement};

pub(crate) fn judge(case: &Case) -> Judgement {
    match (case.file("report.json"), case.file("eventlog.bin")) {
        (Some(report), _) => judge_dstack(report),
        (None, Some(log)) => judge_log(log, case.file("quote.bin")),
        (None, None) => Judgement::refused(Code::EvidenceMissing),
    }
}

fn judge_log(bytes: &[u8], quote: Option<&[u8]>) -> Judgement {
    let Ok(log) = EventLog::parse(bytes) else {
        return Judgement::refused(Code::EventLogMalformed);
    };
    // A trust domain has registers of one size only; a TPM has SHA-256 ones.
    let (algorithm, bank) = if log.has_bank(Bank::Sha256) {
        ("sha256", Bank::Sha256)
    } else {
        ("sha384", Bank::Sha384)
    };
    let Ok(replayed) = log.replay(bank) else {
        return Judgement::refused(Code::EventLogMalformed);
    };
    let replayed: BTreeMap<_, _> = replayed
        .into_iter()
        .map(|(register, value)| (register.to_string(), hex::encode(value)))
        .collect();
    let judgement = Judgement::accepted(json!({
        "algorithm": algorithm,
        "events": log.events().len(),
        "replayed": replayed,
    }));
    match quote {
        None => judgement,
        Some(quote) => fits(judgement, Log::Ccel(bytes), quote),
    }
}

/// What a dstack guest hands out.
#[derive(Deserialize)]
struct DstackReport {
    quote: String,
    event_log: String,
}

fn judge_dstack(report: &[u8]) -> Judgement {
    let Ok(report) = serde_json::from_slice::<DstackReport>(report) else {
        return Judgement::refused(Code::ReportMalformed);
    };
    let Ok(quote) = hex::decode(&report.quote) else {
        return Judgement::refused(Code::ReportMalformed);
    };
    let quote = without_padding(&quote);
    let bytes = report.event_log.as_bytes();
    let Ok(log) = DstackLog::parse(bytes) else {
        return Judgement::refused(Code::EventLogMalformed);
    };
    let [rtmr0, rtmr1, rtmr2, rtmr3] = log.replay().map(Measurement::new);
    let claims = json!({ "rtmr0": rtmr0, "rtmr1": rtmr1, "rtmr2": rtmr2, "rtmr3": rtmr3 });
    fits(Judgement::accepted(claims), Log::Dstack(bytes), quote)
}

/// The guest's driver hands out buffers of a fixed size, with zeros behind the quote.
fn without_padding(bytes: &[u8]) -> &[u8] {
    let length = quote_length(bytes).unwrap_or(bytes.len());
    match bytes.split_at_checked(length) {
        Some((quote, rest)) if rest.iter().all(|&byte| byte == 0) => quote,
        _ => bytes,
    }
}

fn fits(judgement: Judgement, log: Log<'_>, quote: &[u8]) -> Judgement {
    let Some(quoted) = unverified_registers(quote) else {
        return Judgement::refused(Code::ReportMalformed);
    };
    let fits = replay(log).is_ok_and(|replayed| replayed.map(Measurement::new) == quoted);
    judgement.unless(fits, Code::EventLogMismatch)
}
