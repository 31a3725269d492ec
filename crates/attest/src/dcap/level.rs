//! Which level of the collateral a platform has (PCS API version 4, "Get TCB
//! info", the algorithm for the status of a platform).

use super::TcbStatus;
use super::checks::VerifiedQuote;
use super::claims::TcbClaims;
use super::pck::Platform;
use super::rules::TcbRules;
use super::tcb_info::{LevelVerdict, ModuleIdentity, PlatformLevel, SvnLevel, TcbInfo};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap, list};

impl TcbInfo {
    /// The first level that the platform reaches in every component.
    pub(super) fn platform_level(
        &self,
        platform: &Platform,
        tee_tcb_svn: Option<&[u8; 16]>,
    ) -> Option<&LevelVerdict> {
        self.levels
            .iter()
            .find(|level| level.is_reached(platform, tee_tcb_svn))
            .map(|level| &level.verdict)
    }

    /// The identity of the TDX module with this level: from the second byte on,
    /// modules have generations, each with an identity and levels.
    pub(super) fn module(&self, tee_tcb_svn: &[u8; 16]) -> Option<&ModuleIdentity> {
        match tee_tcb_svn[1] {
            0 => self.module.as_ref(),
            generation => {
                let id = format!("TDX_{generation:02X}");
                let mut found = self
                    .modules
                    .iter()
                    .filter(|module| module.id.as_ref() == Some(&id));
                let first = found.next()?;
                found.next().is_none().then_some(first)
            }
        }
    }
}

impl PlatformLevel {
    fn is_reached(&self, platform: &Platform, tee_tcb_svn: Option<&[u8; 16]>) -> bool {
        let reaches =
            |has: &[u8], needs: &[u8]| has.iter().zip(needs).all(|(has, needs)| has >= needs);
        let tdx = match (tee_tcb_svn, &self.tdx_components) {
            (None, None) => true,
            // From the second generation on, the module, whose are the first two
            // bytes, has levels of its own.
            (Some([_, 1..=u8::MAX, has @ ..]), Some([_, _, needs @ ..])) => reaches(has, needs),
            (Some(has), Some(needs)) => reaches(has, needs),
            _ => false,
        };
        tdx && platform.pce_svn >= self.pce_svn && reaches(&platform.components, &self.components)
    }
}

/// The first level that is reached.
pub(super) fn svn_level(levels: &[SvnLevel], isv_svn: u16) -> Option<&LevelVerdict> {
    levels
        .iter()
        .find(|level| isv_svn >= level.isv_svn)
        .map(|level| &level.verdict)
}

/// The level of a trust domain's platform and TDX module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TdLevels<'a> {
    /// At which the trust domain was started.
    pub(crate) tee_tcb_svn: &'a [u8; 16],
    /// That runs now, where the report says so.
    pub(crate) tee_tcb_svn2: Option<&'a [u8; 16]>,
}

/// Finds the levels and compares what Intel says about them with the rules.
pub(crate) fn check_level(
    verified: &VerifiedQuote<'_>,
    td: Option<TdLevels<'_>>,
    rules: &TcbRules,
    recorder: &mut Recorder,
) -> Option<TcbClaims> {
    let info = verified.tcb_info.as_ref()?;
    let enclave = verified.enclave_level.as_ref()?;
    let find = |svn: Option<&[u8; 16]>| {
        let platform = info.platform_level(&verified.platform, svn)?;
        let module = match svn {
            // The first generation of modules has no levels of its own.
            None | Some([_, 0, ..]) => None,
            Some(svn) => Some(svn_level(&info.module(svn)?.levels, u16::from(svn[0]))?),
        };
        let number = info.evaluation_number;
        Some(TcbClaims::new(platform, enclave, module, number))
    };
    let Some(mut claims) = find(td.map(|td| td.tee_tcb_svn)) else {
        recorder.fail(
            Check::TcbStatus,
            Code::TcbLevelMissing,
            "below every level that is known",
        );
        return None;
    };
    let now = td
        .and_then(|td| td.tee_tcb_svn2)
        .and_then(|svn| find(Some(svn)));
    if claims.tcb_status == TcbStatus::OutOfDate
        && now.is_some_and(|now| now.tcb_status == TcbStatus::UpToDate)
    {
        claims.tcb_status = TcbStatus::TDRelaunchAdvised;
    }
    record(&claims, rules, recorder);
    Some(claims)
}

fn record(claims: &TcbClaims, rules: &TcbRules, recorder: &mut Recorder) {
    let status = claims.tcb_status;
    if status == TcbStatus::Revoked || !rules.statuses.contains(&status) {
        recorder.compare(
            Check::TcbStatus,
            false,
            refusal(status),
            list(rules.statuses.iter()),
            status.to_string(),
        );
    } else if status == TcbStatus::UpToDate {
        recorder.pass(Check::TcbStatus, status.as_str());
    } else {
        for gap in gaps(status) {
            recorder.gap(Check::TcbStatus, gap.clone());
        }
    }
    let found = list(claims.advisory_ids.iter());
    match &rules.advisories {
        None => recorder.pass(Check::TcbAdvisories, found),
        Some(allowed) => recorder.compare(
            Check::TcbAdvisories,
            claims.advisory_ids.iter().all(|one| allowed.contains(one)),
            Code::AdvisoryNotAllowed,
            list(allowed.iter()),
            found,
        ),
    }
}

const fn refusal(status: TcbStatus) -> Code {
    match status {
        TcbStatus::OutOfDate
        | TcbStatus::OutOfDateConfigurationNeeded
        | TcbStatus::TDRelaunchAdvised => Code::TcbOutOfDate,
        TcbStatus::Revoked => Code::TcbRevoked,
        _ => Code::TcbStatusNotAllowed,
    }
}

const fn gaps(status: TcbStatus) -> &'static [Gap] {
    match status {
        TcbStatus::UpToDate | TcbStatus::Revoked => &[],
        TcbStatus::SWHardeningNeeded => &[Gap::TcbHardeningNeeded],
        TcbStatus::ConfigurationNeeded => &[Gap::TcbConfigurationNeeded],
        TcbStatus::ConfigurationAndSWHardeningNeeded => {
            &[Gap::TcbConfigurationNeeded, Gap::TcbHardeningNeeded]
        }
        TcbStatus::OutOfDate | TcbStatus::TDRelaunchAdvised => &[Gap::TcbOutOfDate],
        TcbStatus::OutOfDateConfigurationNeeded => {
            &[Gap::TcbConfigurationNeeded, Gap::TcbOutOfDate]
        }
    }
}
