//! The checks of a quote, each with its row.

use subtle::ConstantTimeEq;

use super::Evidence;
use super::anchors::Anchors;
use super::certificate::{Certification, KeyCertificates};
use super::claims::{CertificateClaims, Claims};
use super::public::{AttestationKey, Public};
use super::quote::Quote;
use super::rules::{NonceRule, Requirement, Rules};
use super::signature::Signature;
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap};
use crate::signature::PublicKey;
use crate::time::UnixSeconds;

mod registers;

/// Verifies the quote and compares it with the rules.
///
/// It ends with `None` where the signature is not verified; otherwise every check
/// runs, so that a person sees all that is wrong. What the quote says is worth
/// something only if no row failed.
///
/// `named` is the only key that may have made it, where that is known.
pub(crate) fn verify(
    evidence: &Evidence<'_>,
    named: Option<&PublicKey>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Claims> {
    let quote = parse_quote(evidence.quote, recorder);
    let key = parse_key(evidence.key, named, recorder);
    let signature = parse_signature(evidence, recorder);
    let (quote, key, signature) = (quote?, key?, signature?);
    check_signature(&signature, &quote, &key, recorder)?;
    check_attributes(&key, rules, recorder);
    check_certificate(evidence, &key, rules, anchors, now, recorder);
    check_nonce(&quote, rules, recorder);
    let mut claims = Claims::new(&quote, key.public.as_ref());
    registers::check(
        evidence,
        &quote,
        signature.hash,
        rules,
        &mut claims,
        recorder,
    );
    Some(claims)
}

/// Verifies only the certificates of an attestation key.
pub(super) fn verify_certificates(
    certificates: &KeyCertificates<'_>,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<CertificateClaims> {
    let check = Check::TpmKeyCertificate;
    match certificates.verify(anchors, now) {
        Ok(Certification::Good(key)) => {
            recorder.pass(check, "a path to a pinned root");
            recorder.gap(Check::TpmKeyRevocation, Gap::RevocationNotChecked);
            Some(CertificateClaims::new(&key))
        }
        Ok(Certification::Incomplete(_)) => {
            recorder.fail(check, Code::EvidenceMissing, INCOMPLETE);
            None
        }
        Err(error) => {
            recorder.fail(check, error.code(), error.to_string());
            None
        }
    }
}

/// The attestation key and, where it is known, what it may do.
struct Key {
    key: PublicKey,
    public: Option<Public>,
}

fn parse_quote(bytes: &[u8], recorder: &mut Recorder) -> Option<Quote> {
    match Quote::parse(bytes) {
        Ok(quote) => {
            recorder.pass(Check::TpmQuoteFormat, "TPMS_ATTEST of a quote");
            Some(quote)
        }
        Err(error) => {
            let found = error.to_string();
            recorder.fail(Check::TpmQuoteFormat, Code::ReportMalformed, found);
            None
        }
    }
}

fn parse_key(
    key: AttestationKey<'_>,
    named: Option<&PublicKey>,
    recorder: &mut Recorder,
) -> Option<Key> {
    let known = |public: Public| Key {
        key: public.key.clone(),
        public: Some(public),
    };
    let key = match key {
        AttestationKey::Public(bytes) => Public::parse(bytes).map(known),
        AttestationKey::SizedPublic(bytes) => Public::parse_sized(bytes).map(known),
        AttestationKey::RsaModulus(modulus) => PublicKey::rsa(modulus)
            .map(|key| Key { key, public: None })
            .ok_or(super::PublicError::Key),
        AttestationKey::SubjectPublicKeyInfo(der) => PublicKey::from_spki(der)
            .map(|key| Key { key, public: None })
            .ok_or(super::PublicError::Key),
    };
    match key {
        Ok(key) if named.is_some_and(|named| *named != key.key) => {
            let found = "another key than the one that is named";
            recorder.fail(Check::TpmKeyFormat, Code::AttestationKeyMismatch, found);
            None
        }
        Ok(key) => {
            let found = if key.public.is_some() {
                "TPMT_PUBLIC"
            } else {
                "a plain public key"
            };
            recorder.pass(Check::TpmKeyFormat, found);
            Some(key)
        }
        Err(error) => {
            let found = error.to_string();
            recorder.fail(Check::TpmKeyFormat, Code::ReportMalformed, found);
            None
        }
    }
}

fn parse_signature(evidence: &Evidence<'_>, recorder: &mut Recorder) -> Option<Signature> {
    match Signature::read(evidence.signature) {
        Ok(signature) => Some(signature),
        Err(error) => {
            let found = error.to_string();
            recorder.fail(Check::TpmSignature, error.code(), found);
            None
        }
    }
}

/// Over the bytes as they came, with a hash of the SHA-2 family and the scheme
/// that the key is bound to, if it is.
fn check_signature(
    signature: &Signature,
    quote: &Quote,
    key: &Key,
    recorder: &mut Recorder,
) -> Option<()> {
    let check = Check::TpmSignature;
    let scheme = (signature.algorithm, signature.hash);
    let bound_to = key.public.as_ref().and_then(|public| public.scheme);
    let found = format!("{:#06x} with {}", signature.algorithm, signature.hash);
    let code = if signature.hash.function().is_none() || bound_to.is_some_and(|one| one != scheme) {
        Code::SignatureAlgorithmNotAllowed
    } else if signature.verifies(&key.key, quote.message()) {
        recorder.pass(check, found);
        return Some(());
    } else {
        Code::ReportSignature
    };
    recorder.fail(check, code, found);
    None
}

/// A key that is not restricted signs a structure that the TPM did not make.
fn check_attributes(key: &Key, rules: &Rules, recorder: &mut Recorder) {
    let check = Check::TpmKeyAttributes;
    let Some(public) = &key.public else {
        if rules.key_attributes == Requirement::Required {
            recorder.fail(check, Code::EvidenceMissing, "no TPMT_PUBLIC");
        } else {
            recorder.gap(check, Gap::TpmKeyAttributesUnknown);
        }
        return;
    };
    let missing = public.attributes.missing();
    recorder.compare(
        check,
        missing.is_empty(),
        Code::AttestationKeyNotRestricted,
        "fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign, not decrypt",
        if missing.is_empty() {
            format!("{:#x}", public.attributes.0)
        } else {
            format!("lacks {}", missing.join(", "))
        },
    );
}

fn check_certificate(
    evidence: &Evidence<'_>,
    key: &Key,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) {
    let check = Check::TpmKeyCertificate;
    let certified = match &evidence.certificates {
        None => Ok(None),
        Some(certificates) => certificates.verify(anchors, now).map(Some),
    };
    let is_required = rules.key_certificate == Requirement::Required;
    match certified {
        Err(error) => recorder.fail(check, error.code(), error.to_string()),
        Ok(Some(Certification::Good(certified) | Certification::Incomplete(certified)))
            if certified != key.key =>
        {
            let found = "a certificate for another key";
            recorder.fail(check, Code::AttestationKeyMismatch, found);
        }
        Ok(Some(Certification::Good(_))) => recorder.pass(check, "a path to a pinned root"),
        Ok(Some(Certification::Incomplete(_))) if is_required => {
            recorder.fail(check, Code::EvidenceMissing, INCOMPLETE);
        }
        Ok(None) if is_required => recorder.fail(check, Code::EvidenceMissing, "no certificate"),
        Ok(Some(Certification::Incomplete(_)) | None) => {
            recorder.gap(check, Gap::TpmKeyNotCertified);
        }
    }
    recorder.gap(Check::TpmKeyRevocation, Gap::RevocationNotChecked);
}

fn check_nonce(quote: &Quote, rules: &Rules, recorder: &mut Recorder) {
    let check = Check::TpmNonce;
    let found = hex::encode(&quote.extra_data);
    match &rules.nonce {
        NonceRule::Any => recorder.gap(check, Gap::TpmNonceNotCompared),
        NonceRule::Exactly(expected) => recorder.compare(
            check,
            bool::from(expected.ct_eq(&quote.extra_data)),
            Code::NonceMismatch,
            hex::encode(expected),
            found,
        ),
        NonceRule::Unknown => {
            let expected = "nobody said which";
            recorder.compare(check, false, Code::NonceMismatch, expected, found);
        }
    }
}

const INCOMPLETE: &str = "a certificate between it and a root is missing";
