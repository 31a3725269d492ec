//! Who built a release, from what: SLSA provenance in a Sigstore bundle, verified offline.
//!
//! ```text
//! bundle + trusted root + who must have signed ─▶ Provenance ─▶ held against a release's manifest ─▶ findings
//! ```
//!
//! Sigstore's part (certificate chain, certificate transparency, entry and checkpoint of its log, signature) is `sigstore-verify`'s. What
//! is here: a bundle that is signed by somebody else, or that states something else than provenance, is refused, and what it states must be
//! what the logged manifest says. A device does not look at provenance: it says how a release came to be, not what runs.

mod statement;

use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};
use sigstore_verify::types::{Artifact, ArtifactDigest, Bundle, HashAlgorithm, SignatureContent};
use sigstore_verify::{VerificationPolicy, Verifier};
use subrosa_translog::entry::release::Manifest;
use thiserror::Error;

use statement::Statement;

/// The longest bundle or trusted root, in bytes.
pub const MAX_LEN: usize = 1 << 20;

/// Whose signature is accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signer {
    /// The subject of the signing certificate, such as the URI of a workflow, compared exactly.
    pub identity: String,
    /// Who vouched for the identity: the URL of an `OpenID` provider.
    pub issuer: String,
}

/// The authorities and logs of a Sigstore instance.
pub struct Root(Verifier);

/// A statement of who built what from which source, whose signature and log entry were verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Provenance {
    signer: Signer,
    /// The commit that the certificate names, if it names one.
    certified_commit: Option<String>,
    statement: Statement,
}

/// One thing that provenance and manifest both say.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing it is.
    pub check: &'static str,
    /// Whether both say the same.
    pub is_same: bool,
    /// What was found, for people.
    pub words: String,
}

/// Why a bundle is not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProvenanceError {
    /// It is no Sigstore bundle, or a file of another kind.
    #[error("this is no Sigstore bundle: {0}")]
    Malformed(String),
    /// It is longer than any bundle.
    #[error("longer than {MAX_LEN} bytes")]
    TooLong,
    /// The trusted root cannot be used.
    #[error("this is no trusted root: {0}")]
    Root(String),
    /// Signature, certificate, log entry or identity are not right.
    #[error("the bundle is not verified: {0}")]
    Refused(String),
    /// It is signed, and states something else.
    #[error("this is no SLSA provenance (v1): {0}")]
    Statement(String),
}

impl Root {
    /// Reads a trusted root, as `sigstore-trusted-root` files have it (media type `application/vnd.dev.sigstore.trustedroot+json`).
    ///
    /// # Errors
    ///
    /// [`ProvenanceError::TooLong`], [`ProvenanceError::Root`].
    pub fn parse(text: &[u8]) -> Result<Self, ProvenanceError> {
        let text = utf8(text, ProvenanceError::Root)?;
        let root = TrustedRoot::from_json(text)
            .map_err(|error| ProvenanceError::Root(error.to_string()))?;
        Self::of(&root)
    }

    /// Sigstore's public instance, as this version of the program knows it.
    ///
    /// # Errors
    ///
    /// [`ProvenanceError::Root`]: never, for the root that is built in.
    pub fn public() -> Result<Self, ProvenanceError> {
        Self::parse(SIGSTORE_PRODUCTION_TRUSTED_ROOT.as_bytes())
    }

    fn of(root: &TrustedRoot) -> Result<Self, ProvenanceError> {
        let verifier = Verifier::new(root);
        verifier
            .map(Self)
            .map_err(|error| ProvenanceError::Root(error.to_string()))
    }
}

impl Provenance {
    /// Verifies a bundle: that this signer stated, at a time at which the certificate was valid, what the bundle says, and that the
    /// statement is in the instance's log.
    ///
    /// # Errors
    ///
    /// [`ProvenanceError`].
    pub fn verify(bundle: &[u8], root: &Root, signer: &Signer) -> Result<Self, ProvenanceError> {
        let malformed =
            |error: &dyn std::fmt::Display| ProvenanceError::Malformed(error.to_string());
        let text = utf8(bundle, ProvenanceError::Malformed)?;
        let bundle = Bundle::from_json(text).map_err(|error| malformed(&error))?;
        let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
            return Err(ProvenanceError::Statement("it signs a file".to_owned()));
        };
        // Old bundles may have the log's promise alone: that it would add the entry.
        if !bundle.has_inclusion_proof() {
            let reason = "it has no proof that the log contains it".to_owned();
            return Err(ProvenanceError::Refused(reason));
        }
        let statement = Statement::parse(envelope.payload.as_bytes())?;
        // The library asks for a file of the statement. Which files it must be of is compared with the manifest below.
        let first = statement.any_digest()?;
        let algorithm = match first.len() {
            32 => HashAlgorithm::Sha2256,
            _ => HashAlgorithm::Sha2512,
        };
        let digest = ArtifactDigest::new(algorithm, first).map_err(|error| malformed(&error))?;
        let policy = VerificationPolicy::new(signer.identity.as_str(), signer.issuer.as_str());
        let verified = root
            .0
            .verify(Artifact::from_digest(digest), &bundle, &policy);
        let verified = verified.map_err(|error| ProvenanceError::Refused(error.to_string()))?;
        let is_whole = verified.certificate_verified()
            && verified.sct_verified()
            && verified.tlog_verified()
            && verified.identity_policy_checked();
        if !is_whole {
            let reason = "not every check was made".to_owned();
            return Err(ProvenanceError::Refused(reason));
        }
        let certificate = verified.certificate();
        Ok(Self {
            signer: signer.clone(),
            certified_commit: certificate
                .and_then(|certificate| certificate.ci_claims.source_repository_digest.clone()),
            statement,
        })
    }

    /// Holds the statement against a release: builder, repository and commit must be the manifest's, and every artefact must be one that
    /// was built, with its name and its SHA-256.
    #[must_use]
    pub fn compare(&self, manifest: &Manifest) -> Vec<Finding> {
        let statement = &self.statement;
        let mut findings = vec![Finding {
            check: "builder",
            is_same: statement.builder == manifest.builder.id,
            words: format!(
                "{}; the release names {}",
                statement.builder, manifest.builder.id
            ),
        }];
        let source = &manifest.source;
        let built_from = statement
            .sources
            .iter()
            .find(|one| one.repository == source.repository && one.commit == source.commit);
        findings.push(Finding {
            check: "source",
            is_same: built_from.is_some(),
            words: match built_from {
                Some(_) => format!("{} at {}", source.repository, source.commit),
                None => format!(
                    "built from {}; the release is of {} at {}",
                    statement.sources_in_words(),
                    source.repository,
                    source.commit
                ),
            },
        });
        findings.extend(self.certified_commit.as_ref().map(|commit| Finding {
            check: "certificate",
            is_same: *commit == source.commit,
            words: format!("the signer was certified while building commit {commit}"),
        }));
        findings.extend(manifest.artefacts.iter().map(|artefact| {
            let is_same = statement.built(&artefact.name, &artefact.sha256);
            let words = if is_same {
                format!(
                    "{}: built, SHA-256 {}",
                    artefact.name,
                    hex::encode(artefact.sha256)
                )
            } else {
                format!(
                    "{}: the statement has no file of this name and SHA-256",
                    artefact.name
                )
            };
            Finding {
                check: "artefact",
                is_same,
                words,
            }
        }));
        findings
    }

    /// Who signed the statement.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }
}

fn utf8(bytes: &[u8], wrong: impl Fn(String) -> ProvenanceError) -> Result<&str, ProvenanceError> {
    if bytes.len() > MAX_LEN {
        return Err(ProvenanceError::TooLong);
    }
    std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests;
