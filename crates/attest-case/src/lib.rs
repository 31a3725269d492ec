//! Judges recorded evidence: a description of the case and its files go in, a
//! verdict comes out.
//!
//! A case is a folder with a `case.json`, which names the kind of evidence, its
//! files with their digests, the time at which to judge it and what is demanded
//! of it. The appraisal is the plain one for evidence that is not bound to a key
//! of ours: strict format, signatures and certificates up to the pinned vendor
//! root, collateral in date, no debugging, the demands hold. Synthetic cases
//! bring a root of their own; nothing that is judged here is ever sealed to.
//!
//! Known answers for launch measurements are cases too: every answer is computed
//! again. They prove nothing about any machine.
//!
//! The crate does no I/O, so the same judgement runs in a browser.

mod azure;
mod case;
mod cca;
mod compare;
mod dcap;
mod eventlog;
mod id_block;
mod judgement;
mod launch;
mod nitro;
mod nvidia;
mod psa;
mod sgx;
mod snp;
mod tdx;
mod tdx_measurement;
mod tpm;

pub use case::{Case, CaseError, Description};
pub use compare::{Difference, compare_claims};
pub use judgement::Judgement;

/// Judges a case.
///
/// # Errors
///
/// [`CaseError`] if the case itself is damaged, which says nothing about the
/// evidence.
pub fn judge(case: &Case) -> Result<Judgement, CaseError> {
    let kind = case.kind();
    match kind {
        "snp-id-block" => return Ok(id_block::judge(case)),
        "snp-launch-digest" => return launch::judge(case),
        "tdx-measurement" => return Ok(tdx_measurement::judge(case)),
        _ => {}
    }
    // Each platform has its own kinds; what none of them knows is never a pass.
    match kind.split_once('-').map_or(kind, |(platform, _)| platform) {
        "cca" => cca::judge(case),
        "eventlog" => Ok(eventlog::judge(case)),
        "nitro" => nitro::judge(case),
        "azure" => azure::judge(case),
        "nvidia" => nvidia::judge(case),
        "psa" => psa::judge(case),
        "sgx" => sgx::judge(case),
        "snp" => snp::judge(case),
        "tdx" => tdx::judge(case),
        "tpm2" => tpm::judge(case),
        _ => Ok(Judgement::unsupported()),
    }
}
