//! Collateral: what a verifier needs besides the evidence, in one file.
//!
//! Vendors publish certificates, revocation lists and firmware levels on the
//! network. A gatherer fetches them once; verification reads the file and never
//! the network. The format is `spec/collateral.md`:
//!
//! ```text
//! evidence ──detect, queries──▶ what to fetch ──(network, elsewhere)──▶ Builder ──build──▶ Collateral
//! file ─────────────────────────────────────────────Collateral::parse──────────────────▶ Collateral
//! Collateral ──snp(), dcap(), nvidia()──▶ the verifiers' inputs, unverified
//! ```
//!
//! Reading checks the form, and that the file does not claim to be good for
//! longer than its parts. The parts are verified with the evidence.

use core::fmt;

use crate::dcap;
use crate::identifiers::Sha256Digest;
use crate::snp::{KeyKind, SnpEvidence};
use crate::time::UnixSeconds;

mod error;
mod expiry;
mod kind;
mod label;
pub mod ocsp;
mod wire;

pub use error::CollateralError;
pub use expiry::{expiry, manifest_certificates, split_signed_json, tcb_info_fmspc};
pub use kind::{Kind, UnknownKind};
pub use label::Label;

/// Reads one to `most` certificates in text form (RFC 7468), with nothing but
/// white space around them, into their DER. `None` if the text is anything else.
#[must_use]
pub fn certificates_of_pem(text: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
    crate::x509::pem::certificates(text, most)
}

/// Everything needed to verify one piece of evidence, format checked, nothing
/// verified.
#[derive(Clone, Eq, PartialEq)]
pub struct Collateral {
    bytes: Vec<u8>,
    content: Content,
}

/// What a file says.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Content {
    kind: Kind,
    evidence: Sha256Digest,
    gathered_at: UnixSeconds,
    expires_at: UnixSeconds,
    /// In the order of the labels' encodings.
    entries: Vec<Entry>,
}

/// One part of the collateral.
#[derive(Clone, Eq, PartialEq)]
pub struct Entry {
    label: Label,
    source: String,
    content: Vec<u8>,
}

impl Collateral {
    /// Largest file that is read, in bytes.
    pub const MAX_LEN: usize = 1024 * 1024;

    /// Most entries in a file.
    pub const MAX_ENTRIES: usize = 24;

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`CollateralError`]. Unknown keys and labels, a second spelling of the
    /// same content, missing parts and trailing bytes are errors.
    pub fn parse(bytes: &[u8]) -> Result<Self, CollateralError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(CollateralError::TooLong { got: bytes.len() });
        }
        let mut content = wire::decode(bytes)?;
        content.entries.sort_by_key(|entry| entry.label.sort_key());
        if wire::encode(&content)? != bytes {
            return Err(CollateralError::NotDeterministic);
        }
        content.check_complete()?;
        let expected = content.earliest_expiry()?;
        if content.expires_at != expected {
            return Err(CollateralError::Expiry {
                expected,
                got: content.expires_at,
            });
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            content,
        })
    }

    /// Starts a file for this evidence.
    #[must_use]
    pub fn builder(kind: Kind, evidence: &[u8], gathered_at: UnixSeconds) -> Builder {
        Builder {
            content: Content {
                kind,
                evidence: Sha256Digest::of(evidence),
                gathered_at,
                expires_at: gathered_at,
                entries: Vec::new(),
            },
        }
    }

    /// The bytes of the file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the evidence is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.content.kind
    }

    /// SHA-256 of the evidence the file says it was gathered for.
    #[must_use]
    pub fn evidence_digest(&self) -> Sha256Digest {
        self.content.evidence
    }

    /// Whether the file was gathered for these bytes.
    #[must_use]
    pub fn is_for(&self, evidence: &[u8]) -> bool {
        self.content.evidence == Sha256Digest::of(evidence)
    }

    /// When the file says that it was gathered.
    #[must_use]
    pub fn gathered_at(&self) -> UnixSeconds {
        self.content.gathered_at
    }

    /// The last second at which every part is in date.
    #[must_use]
    pub fn expires_at(&self) -> UnixSeconds {
        self.content.expires_at
    }

    /// Whether some part is out of date.
    #[must_use]
    pub fn is_expired(&self, now: UnixSeconds) -> bool {
        now > self.content.expires_at
    }

    /// The parts.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.content.entries
    }

    /// One part.
    #[must_use]
    pub fn get(&self, label: Label) -> Option<&[u8]> {
        self.content.get(label)
    }

    /// An SEV-SNP report together with its collateral.
    ///
    /// `None` if the file was gathered for other evidence.
    #[must_use]
    pub fn snp<'a>(&'a self, report: &'a [u8]) -> Option<SnpEvidence<'a>> {
        if self.kind() != Kind::SevSnpReport || !self.is_for(report) {
            return None;
        }
        let (kind, leaf, intermediate) = if let Some(vlek) = self.get(Label::SnpVlek) {
            (KeyKind::Vlek, vlek, self.get(Label::SnpAsvk)?)
        } else {
            let vcek = self.get(Label::SnpVcek)?;
            (KeyKind::Vcek, vcek, self.get(Label::SnpAsk)?)
        };
        Some(SnpEvidence {
            report,
            kind,
            leaf,
            intermediate,
            root: self.get(Label::SnpArk)?,
            revocation_list: self.get(Label::SnpCrl),
        })
    }

    /// What goes with an SGX or TDX quote.
    ///
    /// `None` if the file was gathered for other evidence.
    #[must_use]
    pub fn dcap(&self, quote: &[u8]) -> Option<DcapParts<'_>> {
        if !matches!(self.kind(), Kind::SgxQuote | Kind::TdxQuote) || !self.is_for(quote) {
            return None;
        }
        let signed = |label| split_signed_json(label, self.get(label)?);
        Some(DcapParts {
            tcb_info: signed(Label::DcapTcbInfo)?,
            tcb_info_issuers: self.get(Label::DcapTcbInfoIssuers)?,
            qe_identity: signed(Label::DcapQeIdentity)?,
            qe_identity_issuers: self.get(Label::DcapQeIdentityIssuers)?,
            pck_crl: self.get(Label::DcapPckCrl)?,
            root_crl: self.get(Label::DcapRootCrl)?,
        })
    }

    /// What goes with the report of an NVIDIA device: the reference manifests, and
    /// the answers about revocation.
    ///
    /// `None` if the file was gathered for other evidence.
    #[must_use]
    pub fn nvidia(&self, report: &[u8]) -> Option<NvidiaParts<'_>> {
        if self.kind() != Kind::NvidiaReport || !self.is_for(report) {
            return None;
        }
        let of = |wanted: fn(Label) -> bool| {
            let found = self.entries().iter().filter(|entry| wanted(entry.label));
            found.map(Entry::content).collect()
        };
        Some(NvidiaParts {
            manifests: of(|label| {
                matches!(label, Label::NvidiaRimDriver | Label::NvidiaRimFirmware)
            }),
            revocation_answers: of(|label| matches!(label, Label::NvidiaOcsp(_))),
        })
    }
}

/// Shows labels and sizes: the parts are long and say nothing to a reader.
impl fmt::Debug for Collateral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries().iter();
        f.debug_map()
            .entries(entries.map(|entry| (entry.label, entry.content.len())))
            .finish()
    }
}

impl Entry {
    /// What it is.
    #[must_use]
    pub fn label(&self) -> Label {
        self.label
    }

    /// Where it was fetched from, or `local`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The bytes.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The last second at which it is in date.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixSeconds> {
        expiry(self.label, &self.content)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("label", &self.label)
            .field("source", &self.source)
            .field("length", &self.content.len())
            .finish()
    }
}

/// What goes with an SGX or TDX quote, all unverified.
///
/// The certificates above the PCK list are not among it: the verifier takes them
/// from the quote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DcapParts<'a> {
    tcb_info: (&'a [u8], [u8; 64]),
    tcb_info_issuers: &'a [u8],
    qe_identity: (&'a [u8], [u8; 64]),
    qe_identity_issuers: &'a [u8],
    pck_crl: &'a [u8],
    root_crl: &'a [u8],
}

impl DcapParts<'_> {
    /// The parts, as the verifier takes them.
    #[must_use]
    pub fn collateral(&self) -> dcap::Collateral<'_> {
        let (tcb_info, tcb_info_signature) = &self.tcb_info;
        let (qe_identity, qe_identity_signature) = &self.qe_identity;
        dcap::Collateral {
            pck_crl: self.pck_crl,
            root_ca_crl: self.root_crl,
            tcb_info_issuer_chain: self.tcb_info_issuers,
            tcb_info,
            tcb_info_signature,
            qe_identity_issuer_chain: self.qe_identity_issuers,
            qe_identity,
            qe_identity_signature,
        }
    }
}

/// What goes with the report of an NVIDIA device, all unverified.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NvidiaParts<'a> {
    /// Reference manifests.
    pub manifests: Vec<&'a [u8]>,
    /// Answers about revocation (OCSP), DER.
    pub revocation_answers: Vec<&'a [u8]>,
}

/// Collects the parts of a [`Collateral`].
#[derive(Clone, Debug)]
pub struct Builder {
    content: Content,
}

impl Builder {
    /// Adds a part; `source` is the address it came from, or `local`.
    #[must_use]
    pub fn entry(
        mut self,
        label: Label,
        source: impl Into<String>,
        content: impl Into<Vec<u8>>,
    ) -> Self {
        self.content.entries.push(Entry {
            label,
            source: source.into(),
            content: content.into(),
        });
        self
    }

    /// Encodes the file, with the expiry its parts have.
    ///
    /// # Errors
    ///
    /// [`CollateralError`], for example when a part is missing, was added twice or
    /// is not what its label says.
    pub fn build(mut self) -> Result<Collateral, CollateralError> {
        self.content.expires_at = self.content.earliest_expiry()?;
        let entries = &mut self.content.entries;
        entries.sort_by_key(|entry| entry.label.sort_key());
        Collateral::parse(&wire::encode(&self.content)?)
    }
}

impl Content {
    fn get(&self, label: Label) -> Option<&[u8]> {
        let found = self.entries.iter().find(|entry| entry.label == label)?;
        Some(&found.content)
    }

    fn check_complete(&self) -> Result<(), CollateralError> {
        let has = |label| self.get(label).is_some();
        let required: &[Label] = match self.kind {
            Kind::SevSnpReport if has(Label::SnpVlek) => &label::SNP_VLEK,
            Kind::SevSnpReport => &label::SNP_VCEK,
            Kind::SgxQuote | Kind::TdxQuote => &label::DCAP,
            Kind::NvidiaReport => &label::NVIDIA,
        };
        if let Some(&label) = required.iter().find(|label| !has(**label)) {
            return Err(CollateralError::Missing { label });
        }
        let mut answers = 0;
        for Entry { label, .. } in &self.entries {
            if let Label::NvidiaOcsp(number) = *label {
                answers = u8::saturating_add(answers, 1);
                if number != answers {
                    let label = Label::NvidiaOcsp(answers);
                    return Err(CollateralError::Missing { label });
                }
            }
            let belongs = required.contains(label)
                || (self.kind == Kind::NvidiaReport && label.is_optional());
            if !belongs {
                return Err(CollateralError::Stranger {
                    label: *label,
                    kind: self.kind,
                });
            }
        }
        expiry::check_identities(self)
    }

    /// The earliest expiry of the parts.
    fn earliest_expiry(&self) -> Result<UnixSeconds, CollateralError> {
        let mut earliest = None;
        for entry in &self.entries {
            let label = entry.label;
            let expires = entry.expires_at();
            let expires = expires.ok_or(CollateralError::Content { label })?;
            earliest =
                Some(earliest.map_or(expires, |earliest: UnixSeconds| earliest.min(expires)));
        }
        earliest.ok_or(CollateralError::Empty)
    }
}

#[cfg(test)]
mod evidence_tests;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vector_tests;
