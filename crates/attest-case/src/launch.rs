//! Known answers for launch measurements: each entry of `kat.json` is computed again.
//!
//! An entry names its files. One that the case does not hold is lent by another case
//! ([`Case::lend`]); only the digest that the entry gives for its pages then says
//! that it is the right one, so the entry must give it.

use serde::Deserialize;
use serde_json::{Value, json};
use subrosa_attest::Code;
use subrosa_measure::Sha384Digest;
use subrosa_measure::snp::{
    Boot, Firmware, Guest, MeasureError, ProcessorSignature, Processors, Vmm, launch_digest_after,
    sev_es_launch_digest, sev_launch_digest, svsm_launch_digest,
};

use crate::{Case, CaseError, Judgement};

/// One known answer, by the names of `sev-snp-measure`.
#[derive(Debug, Deserialize)]
struct Entry {
    mode: Option<String>,
    vcpus: u32,
    vcpu_type: Option<String>,
    vcpu_sig: Option<String>,
    ovmf: String,
    kernel: Option<String>,
    initrd: Option<String>,
    append: Option<String>,
    guest_features: u64,
    vmm_type: Option<String>,
    snp_ovmf_hash: Option<String>,
    svsm: Option<String>,
    ovmf_vars_size: Option<u32>,
    /// The digest; null where a guest like this must not be predicted.
    result: Option<String>,
}

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    let Some(text) = case.file(KNOWN_ANSWERS) else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let entries = parse(text)?;
    if entries.is_empty() {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    }
    for (number, entry) in entries.iter().enumerate() {
        if let Err(code) = compare(case, entry).map_err(|failure| failure.at(number))? {
            return Ok(Judgement::refused(code));
        }
    }
    Ok(Judgement::accepted(json!({ "count": entries.len() })))
}

/// The files that the entries name.
pub(crate) fn named_files(text: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for entry in parse(text).unwrap_or_default() {
        let files = [Some(entry.ovmf), entry.kernel, entry.initrd, entry.svsm];
        names.extend(
            files
                .into_iter()
                .flatten()
                .filter(|name| name != EMPTY_FILE),
        );
    }
    names.sort();
    names.dedup();
    names
}

fn parse(text: &[u8]) -> Result<Vec<Entry>, CaseError> {
    let entries: Vec<Entry> = serde_json::from_slice(text).map_err(|error| {
        let message = format!("{KNOWN_ANSWERS}: {error}");
        CaseError::Description { message }
    })?;
    if entries.len() > MAX_ENTRIES {
        let message = format!("{KNOWN_ANSWERS}: more than {MAX_ENTRIES} entries");
        return Err(CaseError::Description { message });
    }
    Ok(entries)
}

/// Why an entry cannot be computed, which says nothing about its answer.
enum Failure {
    Missing(String),
    Field(&'static str),
}

impl Failure {
    fn at(self, number: usize) -> CaseError {
        match self {
            Self::Missing(name) => CaseError::Missing { name },
            Self::Field(field) => CaseError::Description {
                message: format!("{KNOWN_ANSWERS}: entry {number}: {field} cannot be used"),
            },
        }
    }
}

/// The outer error is one of the case, the inner one a wrong answer.
fn compare(case: &Case, entry: &Entry) -> Result<Result<(), Code>, Failure> {
    let image = file(case, &entry.ovmf)?;
    let Ok(firmware) = Firmware::parse(image) else {
        return Ok(Err(Code::FirmwareMalformed));
    };
    let mode = Mode::of(entry.mode.as_deref()).ok_or(Failure::Field("mode"))?;
    let boot = boot(case, entry)?;
    let processors = Processors::new(entry.vcpus).ok_or(Failure::Field("vcpus"))?;
    let vmm = vmm(entry.vmm_type.as_deref()).ok_or(Failure::Field("vmm_type"))?;
    let signature = signature(entry, mode, vmm)?;
    let own = firmware.pages_digest();
    let pages = match &entry.snp_ovmf_hash {
        Some(text) => digest(text).ok_or(Failure::Field("snp_ovmf_hash"))?,
        None => own,
    };
    if case.is_lent(&entry.ovmf) && (entry.snp_ovmf_hash.is_none() || pages != own) {
        return Ok(Err(Code::LaunchDigestMismatch));
    }
    let predicted = match mode {
        Mode::Sev => sev_launch_digest(&firmware, boot.as_ref()).map(|found| found.to_string()),
        Mode::SevEs => sev_es_launch_digest(&firmware, boot.as_ref(), processors, signature, vmm)
            .map(|found| found.to_string()),
        Mode::SevSnp => {
            let guest = Guest {
                processors,
                signature,
                features: entry.guest_features,
                vmm,
                boot,
            };
            launch_digest_after(pages, &firmware, &guest).map(|found| found.to_string())
        }
        Mode::Svsm => {
            let name = entry.svsm.as_deref().ok_or(Failure::Field("svsm"))?;
            let variables = entry.ovmf_vars_size.unwrap_or(0);
            let Ok(svsm) = Firmware::parse(file(case, name)?) else {
                return Ok(Err(Code::FirmwareMalformed));
            };
            if vmm != Vmm::Qemu || boot.is_some() {
                return Err(Failure::Field("mode"));
            }
            svsm_launch_digest(&svsm, &firmware, variables, processors, signature)
                .map(|found| found.to_string())
        }
    };
    Ok(agree(&predicted, entry.result.as_deref()))
}

/// An answer of null says that the kernel would be started unmeasured; any other
/// reason for not predicting is not that one.
fn agree(predicted: &Result<String, MeasureError>, expected: Option<&str>) -> Result<(), Code> {
    match (predicted, expected) {
        (Ok(found), Some(expected)) if found.eq_ignore_ascii_case(expected) => Ok(()),
        (Err(MeasureError::HashesTableAbsent), None) => Ok(()),
        _ => Err(Code::LaunchDigestMismatch),
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    Sev,
    SevEs,
    SevSnp,
    Svsm,
}

impl Mode {
    fn of(name: Option<&str>) -> Option<Self> {
        match name {
            Some("SEV") => Some(Self::Sev),
            Some("SEV_ES") => Some(Self::SevEs),
            None | Some("SEV_SNP") => Some(Self::SevSnp),
            Some("SEV_SNP_SVSM") => Some(Self::Svsm),
            Some(_) => None,
        }
    }
}

fn vmm(name: Option<&str>) -> Option<Vmm> {
    match name.map(str::to_ascii_uppercase).as_deref() {
        None | Some("QEMU") => Some(Vmm::Qemu),
        Some("EC2") => Some(Vmm::Ec2),
        Some("GCE") => Some(Vmm::GoogleCompute),
        Some(_) => None,
    }
}

/// The signature, or that of the named model; where both are given they agree. Where
/// nothing measured depends on it, it may be absent.
fn signature(entry: &Entry, mode: Mode, vmm: Vmm) -> Result<ProcessorSignature, Failure> {
    let given = match entry.vcpu_sig.as_deref() {
        None => None,
        Some(text) => Some(
            text.strip_prefix("0x")
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .map(ProcessorSignature::new)
                .ok_or(Failure::Field("vcpu_sig"))?,
        ),
    };
    let model = match entry.vcpu_type.as_deref() {
        None => None,
        Some(name) => Some(ProcessorSignature::of_model(name).ok_or(Failure::Field("vcpu_type"))?),
    };
    match (given, model) {
        (Some(given), Some(model)) if given != model => Err(Failure::Field("vcpu_sig")),
        (Some(signature), _) | (None, Some(signature)) => Ok(signature),
        (None, None) if mode == Mode::Sev || vmm != Vmm::Qemu => Ok(ProcessorSignature::new(0)),
        (None, None) => Err(Failure::Field("vcpu_sig")),
    }
}

fn boot(case: &Case, entry: &Entry) -> Result<Option<Boot>, Failure> {
    let Some(kernel) = &entry.kernel else {
        return Ok(None);
    };
    let initrd = match &entry.initrd {
        Some(name) => file(case, name)?,
        None => &[],
    };
    let command_line = entry.append.as_deref().unwrap_or_default();
    Ok(Some(Boot::new(file(case, kernel)?, initrd, command_line)))
}

fn file<'a>(case: &'a Case, name: &str) -> Result<&'a [u8], Failure> {
    if name == EMPTY_FILE {
        return Ok(&[]);
    }
    case.file(name)
        .ok_or_else(|| Failure::Missing(name.to_owned()))
}

fn digest(text: &str) -> Option<Sha384Digest> {
    let bytes = hex::decode(text).ok()?;
    bytes.try_into().ok().map(Sha384Digest::new)
}

/// The hexadecimal digest in a field of a file.
pub(crate) fn digest_field(value: &Value, name: &str) -> Option<Sha384Digest> {
    digest(value.get(name)?.as_str()?)
}

pub(crate) const KNOWN_ANSWERS: &str = "kat.json";
const EMPTY_FILE: &str = "<empty file>";
const MAX_ENTRIES: usize = 1024;
