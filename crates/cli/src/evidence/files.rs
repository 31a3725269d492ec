//! Files that go with evidence, told apart by what is in them.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subrosa_attest::snp::SnpEvidence;
use subrosa_attest::x509::Certificate;
use subrosa_attest::{arm, collateral, dcap, tdx};

use super::missing;
use crate::failure::{Exit, Failure};
use crate::folders::read_bounded;

/// Everything that was brought to verify one piece of evidence. Nothing of it is verified.
#[derive(Debug, Default)]
pub(crate) struct Collateral {
    /// A file of `subrosa collateral`.
    gathered: Option<collateral::Collateral>,
    /// What Intel says about a platform.
    dcap: Option<dcap::CollateralFile>,
    /// Certificates, DER.
    certificates: Vec<Vec<u8>>,
    /// The text of certificates, as it came.
    pem: Option<Vec<u8>>,
    /// Revocation lists, or answers about revocation, DER.
    revocation: Vec<Vec<u8>>,
    /// NVIDIA's reference manifests.
    manifests: Vec<Vec<u8>>,
    /// Quote of a trust domain, beside a report that holds none.
    tdx_quote: Option<Vec<u8>>,
    /// Event log of a trust domain.
    event_log: Option<Vec<u8>>,
    /// Public key of an Arm platform, `SubjectPublicKeyInfo` in DER.
    public_key: Option<Vec<u8>>,
}

/// What goes with a quote of Intel's.
pub(crate) enum Dcap<'a> {
    Gathered(Box<collateral::DcapParts<'a>>),
    File(&'a dcap::CollateralFile),
}

impl Dcap<'_> {
    pub(crate) fn as_ref(&self) -> dcap::Collateral<'_> {
        match self {
            Self::Gathered(parts) => parts.collateral(),
            Self::File(file) => file.collateral(),
        }
    }
}

type Chain<'a> = (&'a [u8], &'a [u8], &'a [u8]);
type Files<'a> = Vec<&'a [u8]>;

impl Collateral {
    /// Reads files of any of the kinds.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut collateral = Self::default();
        if paths.len() > MAX_FILES {
            let message = format!("at most {MAX_FILES} files of collateral are read");
            return Err(Failure::new(Exit::Usage, message));
        }
        for path in paths {
            let bytes = read_bounded(path, MAX_FILE)?;
            collateral.add(bytes).map_err(|()| unknown(path))?;
        }
        Ok(collateral)
    }

    /// Takes a certificate that a document brings along.
    pub(crate) fn add_certificate(&mut self, der: Vec<u8>) {
        self.certificates.push(der);
    }

    /// Takes an event log that a document brings along.
    pub(crate) fn add_event_log(&mut self, log: Vec<u8>) {
        self.event_log = Some(log);
    }

    fn add(&mut self, bytes: Vec<u8>) -> Result<(), ()> {
        if let Ok(gathered) = collateral::Collateral::parse(&bytes) {
            self.gathered = Some(gathered);
            return Ok(());
        }
        let start = bytes.trim_ascii_start();
        if start.starts_with(b"{") {
            self.dcap = Some(dcap::CollateralFile::parse(&bytes).map_err(drop)?);
        } else if start.starts_with(b"[") {
            self.event_log = Some(bytes);
        } else if start.starts_with(b"<") {
            self.manifests.push(bytes);
        } else if start.starts_with(PUBLIC_KEY) {
            self.public_key = Some(key_of_pem(start).ok_or(())?);
        } else if start.starts_with(b"-----BEGIN") {
            let certificates = collateral::certificates_of_pem(&bytes, MAX_FILES).ok_or(())?;
            self.certificates.extend(certificates);
            self.pem = Some(bytes);
        } else if Certificate::parse(&bytes).is_ok() {
            self.certificates.push(bytes);
        } else if tdx::quote_length(&bytes).is_some() {
            self.tdx_quote = Some(bytes);
        } else if bytes.starts_with(&[0x30]) {
            self.revocation.push(bytes);
        } else {
            return Err(());
        }
        Ok(())
    }

    /// What goes with a report of SEV-SNP, if it was gathered into one file.
    pub(crate) fn of_snp<'a>(
        &'a self,
        report: &'a [u8],
    ) -> Result<Option<SnpEvidence<'a>>, Failure> {
        self.gathered(|gathered| gathered.snp(report))
    }

    /// What goes with a quote.
    pub(crate) fn dcap(&self, quote: &[u8]) -> Result<Dcap<'_>, Failure> {
        if let Some(parts) = self.gathered(|gathered| gathered.dcap(quote))? {
            return Ok(Dcap::Gathered(Box::new(parts)));
        }
        self.dcap
            .as_ref()
            .map(Dcap::File)
            .ok_or_else(|| missing("what Intel says about the platform: TCB info, identity, lists"))
    }

    /// The quote of a trust domain.
    pub(crate) fn tdx_quote(&self) -> Option<&[u8]> {
        self.tdx_quote.as_deref()
    }

    /// Reference manifests, and answers about revocation.
    pub(crate) fn nvidia<'a>(&'a self, report: &[u8]) -> Result<(Files<'a>, Files<'a>), Failure> {
        if let Some(parts) = self.gathered(|gathered| gathered.nvidia(report))? {
            return Ok((parts.manifests, parts.revocation_answers));
        }
        let slices = |list: &'a [Vec<u8>]| list.iter().map(Vec::as_slice).collect();
        Ok((slices(&self.manifests), slices(&self.revocation)))
    }

    /// The certificates as text.
    pub(crate) fn pem(&self) -> Option<&[u8]> {
        self.pem.as_deref()
    }

    /// Three certificates in every order; none if there are not three.
    pub(crate) fn chains(&self) -> Result<Vec<Chain<'_>>, Failure> {
        match self.certificates.as_slice() {
            [] => Ok(Vec::new()),
            [a, b, c] => Ok([
                (a, b, c),
                (a, c, b),
                (b, a, c),
                (b, c, a),
                (c, a, b),
                (c, b, a),
            ]
            .map(|(a, b, c)| (a.as_slice(), b.as_slice(), c.as_slice()))
            .to_vec()),
            other => {
                let message = format!("three certificates go with this, not {}", other.len());
                Err(Failure::new(Exit::Usage, message)
                    .hint("name that of the processor's key, its issuer's and the root's"))
            }
        }
    }

    pub(crate) fn revocation_list(&self) -> Option<&[u8]> {
        self.revocation.first().map(Vec::as_slice)
    }

    pub(crate) fn event_log(&self) -> Option<tdx::Log<'_>> {
        self.event_log.as_deref().map(|log| {
            if log.trim_ascii_start().starts_with(b"[") {
                tdx::Log::Dstack(log)
            } else {
                tdx::Log::Ccel(log)
            }
        })
    }

    /// The key of an Arm platform. There is no vendor to pin: whoever verifies has it from its maker.
    pub(crate) fn arm_key(&self) -> Result<subrosa_attest::cca::Anchors, Failure> {
        let key = self
            .public_key
            .as_ref()
            .ok_or_else(|| missing("the public key of the platform, as PEM"))?;
        arm_anchors(key)
    }

    /// Takes what belongs to this evidence out of the gathered file.
    fn gathered<'a, T>(
        &'a self,
        take: impl FnOnce(&'a collateral::Collateral) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some(gathered) = &self.gathered else {
            return Ok(None);
        };
        take(gathered).map(Some).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "the collateral was gathered for other evidence",
            )
            .hint("gather it again for this one: subrosa collateral --evidence")
        })
    }
}

/// The key in a PEM text (RFC 7468).
fn key_of_pem(text: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(text).ok()?.trim_end();
    let body = text
        .strip_prefix("-----BEGIN PUBLIC KEY-----")?
        .strip_suffix("-----END PUBLIC KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

fn arm_anchors(key: &[u8]) -> Result<arm::Anchors, Failure> {
    arm::Anchors::with_key(key).map_err(|error| {
        Failure::new(Exit::Usage, "this is not a public key of a platform").because(&error)
    })
}

fn unknown(path: &Path) -> Failure {
    let message = format!("it is not clear what {} is", path.display());
    Failure::new(Exit::Usage, message).hint(
        "certificates and keys (PEM or DER), revocation lists and OCSP answers (DER), Intel's collateral (JSON), reference \
         manifests (XML), event logs (JSON), TDX quotes and files of `subrosa collateral` are read",
    )
}

const MAX_FILES: usize = 32;
const MAX_FILE: u64 = 1024 * 1024;
const PUBLIC_KEY: &[u8] = b"-----BEGIN PUBLIC KEY";
