//! What NVIDIA's responders say about the certificates, where they were asked.

use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap};
use crate::nvidia::Evidence;
use crate::nvidia::rules::{RevocationRule, Rules};
use crate::time::UnixSeconds;
use crate::x509::Certificate;
use crate::x509::ocsp::{Answer, AnswerError};

use super::{SignedManifest, VerifiedDevice};

/// A certificate and the one above it.
type Issued<'a> = (&'a Certificate, &'a Certificate);

/// Every answer must be good and about a certificate here; the rule says whether every certificate needs one.
pub(super) fn check(
    evidence: &Evidence<'_>,
    devices: &[VerifiedDevice],
    manifests: &[SignedManifest],
    rules: &Rules,
    now: UnixSeconds,
    recorder: &mut Recorder,
) {
    let check = Check::GpuRevocation;
    let certificates = issued(devices, manifests);
    match judge(&evidence.revocation_answers, &certificates, now, recorder) {
        Err(error) => recorder.fail(check, error.code(), error.to_string()),
        Ok(0) => recorder.pass(check, format!("{} certificates", certificates.len())),
        Ok(missing) => match rules.revocation {
            RevocationRule::IfPresent => recorder.gap(check, Gap::RevocationNotChecked),
            RevocationRule::Required => {
                let found = format!("no answer for {missing} certificates");
                recorder.fail(check, Code::EvidenceMissing, found);
            }
        },
    }
}

/// The certificates that somebody answers for. The leaf of a device comes from the device itself, which does not.
fn issued<'a>(devices: &'a [VerifiedDevice], manifests: &'a [SignedManifest]) -> Vec<Issued<'a>> {
    fn pairs(certificates: &[Certificate]) -> impl Iterator<Item = Issued<'_>> {
        certificates.iter().zip(certificates.iter().skip(1))
    }
    let of_devices = devices
        .iter()
        .flat_map(|device| pairs(&device.chain.certificates).skip(1));
    let of_manifests = manifests
        .iter()
        .flat_map(|manifest| pairs(&manifest.certificates));
    of_devices.chain(of_manifests).collect()
}

/// How many certificates have no answer.
fn judge(
    answers: &[&[u8]],
    certificates: &[Issued<'_>],
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Result<usize, AnswerError> {
    if answers.len() > MAX_ANSWERS {
        return Err(AnswerError::Format);
    }
    let answers: Vec<_> = answers
        .iter()
        .map(|der| Answer::parse(der))
        .collect::<Result<_, _>>()?;
    let is_about =
        |answer: &Answer, (certificate, issuer): &Issued<'_>| answer.is_about(certificate, issuer);
    for answer in &answers {
        let mut about = certificates
            .iter()
            .filter(|pair| is_about(answer, pair))
            .peekable();
        about.peek().ok_or(AnswerError::Unknown)?;
        for (certificate, issuer) in about {
            recorder.collateral_issued(answer.check(certificate, issuer, now)?);
        }
    }
    let has_none = |pair: &&Issued<'_>| !answers.iter().any(|answer| is_about(answer, pair));
    Ok(certificates.iter().filter(has_none).count())
}

/// Certificates of the largest machine, and some to spare.
const MAX_ANSWERS: usize = 256;
