//! Certificates and revocation lists in the form AMD issues them.

use rand_core::CryptoRng;
use rsa::RsaPrivateKey;
use rsa::pss::SigningKey;
use rsa::signature::{RandomizedSigner, SignatureEncoding};
use sha2::Sha384;

use super::der::{
    BIT_STRING, BOOLEAN, CONTEXT_0, CONTEXT_3, IA5_STRING, OCTET_STRING, SEQUENCE, element,
    identifier, name, time, unsigned,
};
use crate::snp::Tcb;
use crate::snp::extensions as oid;
use crate::time::UnixSeconds;
use crate::x509::signed::{PSS_SHA384_WITH_TRAILER, SALT_BYTES};

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub(crate) struct CertificateDraft {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial: Vec<u8>,
    pub(crate) not_before: UnixSeconds,
    pub(crate) not_after: UnixSeconds,
    /// `SubjectPublicKeyInfo`, DER.
    pub(crate) public_key: Vec<u8>,
    pub(crate) extensions: Vec<ExtensionDraft>,
}

/// One extension.
#[derive(Clone, Debug)]
pub(crate) struct ExtensionDraft {
    pub(crate) oid: String,
    pub(crate) critical: bool,
    pub(crate) value: Vec<u8>,
}

impl ExtensionDraft {
    pub(crate) fn new(oid: &str, critical: bool, value: impl Into<Vec<u8>>) -> Self {
        Self {
            oid: oid.to_owned(),
            critical,
            value: value.into(),
        }
    }

    fn to_der(&self) -> Vec<u8> {
        let critical = if self.critical {
            element(BOOLEAN, &[&[0xFF]])
        } else {
            Vec::new()
        };
        let value = element(OCTET_STRING, &[&self.value]);
        element(SEQUENCE, &[&identifier(&self.oid), &critical, &value])
    }
}

impl CertificateDraft {
    /// Signs the certificate. `None` if the key cannot sign.
    pub(crate) fn sign<R: CryptoRng + ?Sized>(
        &self,
        issuer_key: &RsaPrivateKey,
        rng: &mut R,
    ) -> Option<Vec<u8>> {
        sign(&self.content(PSS_SHA384_WITH_TRAILER), issuer_key, rng)
    }

    /// What is signed: `TBSCertificate`, which names the signature's algorithm.
    pub(crate) fn content(&self, algorithm: &[u8]) -> Vec<u8> {
        let validity = [time(self.not_before), time(self.not_after)].concat();
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(ExtensionDraft::to_der)
            .collect();
        element(
            SEQUENCE,
            &[
                &element(CONTEXT_0, &[&unsigned(&[2])]),
                &unsigned(&self.serial),
                algorithm,
                &name(&self.issuer),
                &element(SEQUENCE, &[&validity]),
                &name(&self.subject),
                &self.public_key,
                &element(CONTEXT_3, &[&element(SEQUENCE, &[&extensions])]),
            ],
        )
    }
}

/// What a revocation list is to say.
#[derive(Clone, Debug)]
pub(crate) struct RevocationDraft {
    pub(crate) issuer: String,
    pub(crate) this_update: UnixSeconds,
    pub(crate) next_update: UnixSeconds,
    pub(crate) revoked: Vec<Vec<u8>>,
    /// Extensions of each entry.
    pub(crate) entry_extensions: Vec<ExtensionDraft>,
    pub(crate) extensions: Vec<ExtensionDraft>,
}

impl RevocationDraft {
    /// Signs the list. `None` if the key cannot sign.
    pub(crate) fn sign<R: CryptoRng + ?Sized>(
        &self,
        issuer_key: &RsaPrivateKey,
        rng: &mut R,
    ) -> Option<Vec<u8>> {
        sign(&self.content(PSS_SHA384_WITH_TRAILER), issuer_key, rng)
    }

    /// What is signed: `TBSCertList`, which names the signature's algorithm.
    pub(crate) fn content(&self, algorithm: &[u8]) -> Vec<u8> {
        let sequence = |extensions: &[ExtensionDraft]| {
            let extensions: Vec<_> = extensions.iter().flat_map(ExtensionDraft::to_der).collect();
            if extensions.is_empty() {
                return extensions;
            }
            element(SEQUENCE, &[&extensions])
        };
        let of_entry = sequence(&self.entry_extensions);
        let entry = |serial: &Vec<u8>| {
            let (serial, date) = (unsigned(serial), time(self.this_update));
            element(SEQUENCE, &[&serial, &date, &of_entry])
        };
        let entries: Vec<u8> = self.revoked.iter().flat_map(entry).collect();
        let revoked = if entries.is_empty() {
            Vec::new()
        } else {
            element(SEQUENCE, &[&entries])
        };
        element(
            SEQUENCE,
            &[
                &unsigned(&[1]),
                algorithm,
                &name(&self.issuer),
                &time(self.this_update),
                &time(self.next_update),
                &revoked,
                &element(CONTEXT_0, &[&sequence(&self.extensions)]),
            ],
        )
    }
}

/// Extensions of an authority's certificate.
pub(crate) fn authority_extensions() -> Vec<ExtensionDraft> {
    // BasicConstraints { cA TRUE }; KeyUsage { keyCertSign, cRLSign }.
    let constraints = element(SEQUENCE, &[&element(BOOLEAN, &[&[0xFF]])]);
    let usage = element(BIT_STRING, &[&[1, 0b0000_0110]]);
    vec![
        ExtensionDraft::new("2.5.29.19", true, constraints),
        ExtensionDraft::new("2.5.29.15", true, usage),
    ]
}

/// Extensions of a revocation list: its number.
pub(crate) fn list_extensions() -> Vec<ExtensionDraft> {
    vec![ExtensionDraft::new("2.5.29.20", false, unsigned(&[1]))]
}

/// Extensions of a VCEK certificate (AMD 57230).
pub(crate) fn vcek_extensions(product: &str, tcb: Tcb, chip_id: &[u8]) -> Vec<ExtensionDraft> {
    let product = element(IA5_STRING, &[product.as_bytes()]);
    let level = |oid, value: u8| ExtensionDraft::new(oid, false, unsigned(&[value]));
    let mut extensions = vec![
        level(oid::STRUCT_VERSION, u8::from(tcb.fmc.is_some())),
        ExtensionDraft::new(oid::PRODUCT_NAME, false, product),
        level(oid::BOOTLOADER, tcb.bootloader),
        level(oid::TEE, tcb.tee),
        level(oid::SNP, tcb.snp),
        level(oid::MICROCODE, tcb.microcode),
        ExtensionDraft::new(oid::HARDWARE_ID, false, chip_id),
    ];
    extensions.extend(tcb.fmc.map(|fmc| level(oid::FMC, fmc)));
    extensions
}

fn sign<R: CryptoRng + ?Sized>(
    content: &[u8],
    key: &RsaPrivateKey,
    rng: &mut R,
) -> Option<Vec<u8>> {
    let key = SigningKey::<Sha384>::new_with_salt_len(key.clone(), SALT_BYTES);
    let signature = key.try_sign_with_rng(rng, content).ok()?;
    let signature = element(BIT_STRING, &[&[0], &signature.to_bytes()]);
    Some(element(
        SEQUENCE,
        &[content, PSS_SHA384_WITH_TRAILER, &signature],
    ))
}
