//! Predicted measurements of a trust domain on Google Compute Engine.
//!
//! The quote's signature is not verified here: these cases hold no collateral.
//! Accepted means that the quote has the measurement of that firmware, and that its
//! RTMR 0 follows from the firmware's own events and the tables of a known machine.
//! What the disk held is not in the case, so RTMR 1 and 2 are only reported.

use serde_json::{Value, json};
use subrosa_attest::Code;
use subrosa_attest::appraisal::Gap;
use subrosa_attest::tdx::{unverified_measurement, unverified_registers};
use subrosa_measure::tdx::HobTemplate;
use subrosa_measure::tdx::google::{KNOWN_MACHINES, Platform, rtmr0};

use crate::launch::digest_field;
use crate::{Case, Judgement};

pub(crate) fn judge(case: &Case) -> Judgement {
    let (Some(quote), Some(text)) = (case.file("quote.bin"), case.file("firmware.json")) else {
        return Judgement::refused(Code::EvidenceMissing);
    };
    let (Some(mrtd), Some(registers)) =
        (unverified_measurement(quote), unverified_registers(quote))
    else {
        return Judgement::refused(Code::ReportMalformed);
    };
    let Some(firmware) = Firmware::parse(text) else {
        return Judgement::refused(Code::FirmwareMalformed);
    };
    let [quoted, rtmr1, rtmr2, _] = registers;
    let predicted = KNOWN_MACHINES.iter().any(|&machine| {
        let platform = Platform {
            memory_list: &firmware.memory_list,
            configuration: firmware.configuration,
            machine,
        };
        rtmr0(&platform).is_some_and(|value| value.as_bytes() == quoted.as_bytes())
    });
    Judgement::accepted(json!({
        "mr_td": mrtd,
        "rtmr0": quoted,
        "rtmr1": rtmr1,
        "rtmr2": rtmr2,
    }))
    .unless(
        firmware.mrtd.as_bytes() == mrtd.as_bytes(),
        Code::LaunchDigestMismatch,
    )
    .unless(predicted, Code::RegisterMismatch)
    .with_gap(&Gap::HardwareReportNotVerified)
    .with_gap(&Gap::SoftwareNotCompared)
}

/// What Google endorses of a firmware, and what is read from the firmware itself.
struct Firmware {
    mrtd: subrosa_measure::Sha384Digest,
    configuration: subrosa_measure::Sha384Digest,
    memory_list: HobTemplate,
}

impl Firmware {
    fn parse(text: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(text).ok()?;
        let list = json.get("hob")?;
        let bytes = hex::decode(list.get("bytes")?.as_str()?).ok()?;
        let length_at = usize::try_from(list.get("length_offset")?.as_u64()?).ok()?;
        let below = list.get("ram_threshold")?.as_u64()?;
        Some(Self {
            mrtd: digest_field(&json, "mrtd")?,
            configuration: digest_field(&json, "cfv_sha384")?,
            memory_list: HobTemplate::new(&bytes, length_at, below).ok()?,
        })
    }
}
