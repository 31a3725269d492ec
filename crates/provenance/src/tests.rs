#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use serde_json::{Value, json};
use sigstore_verify::trust_root::SIGSTORE_STAGING_TRUSTED_ROOT;

use super::*;

const BUNDLE: &[u8] = include_bytes!("../tests/data/sigstore-js-2.0.0.sigstore.json");
const COMMIT: &str = "f0b49a04e5a62250e0f60fb128004a73110fe311";

fn signer() -> Signer {
    let identity =
        "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main";
    Signer {
        identity: identity.to_owned(),
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
    }
}

fn verify(bundle: &[u8], signer: &Signer) -> Result<Provenance, ProvenanceError> {
    Provenance::verify(bundle, &Root::public().unwrap(), signer)
}

fn json() -> Value {
    serde_json::from_slice(BUNDLE).unwrap()
}

/// What the published statement says, of files with SHA-256 (that of npm has SHA-512 only).
fn stated() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            { "name": "subrosa", "digest": { "sha256": "11".repeat(32) } },
            { "name": "subrosa-enclave", "digest": { "sha256": "22".repeat(32), "sha512": "33".repeat(64) } },
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
                "externalParameters": {},
                "resolvedDependencies": [
                    { "uri": "https://files.example/compiler.tar", "digest": { "sha256": "44".repeat(32) } },
                    { "uri": "git+https://git.example/subrosa@refs/tags/v1", "digest": { "gitCommit": "c".repeat(40) } },
                ],
            },
            "runDetails": { "builder": { "id": "https://ci.example/builder@v1" } },
        },
    })
}

fn provenance(statement: &Value) -> Provenance {
    Provenance {
        signer: signer(),
        certified_commit: Some("c".repeat(40)),
        statement: Statement::parse(statement.to_string().as_bytes()).unwrap(),
    }
}

fn manifest() -> Manifest {
    let manifest = json!({
        "service": "subrosa.example/chat", "version": "0.1.0", "sequence": 1, "minimum-sequence": 1, "not-before": 1, "not-after": 2,
        "source": { "repository": "https://git.example/subrosa", "commit": "c".repeat(40) },
        "builder": { "id": "https://ci.example/builder@v1" },
        "artefacts": [
            { "name": "subrosa", "sha256": "11".repeat(32), "bytes": 1 },
            { "name": "subrosa-enclave", "sha256": "22".repeat(32), "bytes": 1 },
        ],
        "measurements": [], "weights": [], "configurations": [],
    });
    serde_json::from_value(manifest).unwrap()
}

fn differing(provenance: &Provenance, manifest: &Manifest) -> Vec<&'static str> {
    let findings = provenance.compare(manifest);
    let differing = findings.iter().filter(|finding| !finding.is_same);
    differing.map(|finding| finding.check).collect()
}

#[test]
fn a_published_statement_is_verified_and_read() {
    let provenance = verify(BUNDLE, &signer()).unwrap();
    assert_eq!(*provenance.signer(), signer());
    assert_eq!(provenance.certified_commit.as_deref(), Some(COMMIT));
    let mut manifest = manifest();
    manifest.builder.id = "https://github.com/actions/runner/github-hosted".to_owned();
    manifest.source.repository = "https://github.com/sigstore/sigstore-js".to_owned();
    manifest.source.commit = COMMIT.to_owned();
    assert_eq!(differing(&provenance, &manifest), ["artefact", "artefact"]);
    manifest.artefacts.clear();
    assert_eq!(differing(&provenance, &manifest), [""; 0]);
}

#[test]
fn another_signer_is_refused() {
    let good = signer();
    let with = |identity: &str, issuer: &str| Signer {
        identity: identity.to_owned(),
        issuer: issuer.to_owned(),
    };
    for other in [
        with(&good.identity.replace("main", "other"), &good.issuer),
        with(&good.identity[..good.identity.len() - 1], &good.issuer),
        with("", &good.issuer),
        with(&good.identity, "https://accounts.example"),
        with(&good.identity, ""),
    ] {
        let error = verify(BUNDLE, &other).unwrap_err();
        assert!(matches!(error, ProvenanceError::Refused(_)), "{error}");
    }
}

#[test]
fn another_instance_of_sigstore_is_refused() {
    let root = Root::parse(SIGSTORE_STAGING_TRUSTED_ROOT.as_bytes()).unwrap();
    let error = Provenance::verify(BUNDLE, &root, &signer()).unwrap_err();
    assert!(matches!(error, ProvenanceError::Refused(_)), "{error}");
    let error = Root::parse(b"{}").err().unwrap();
    assert!(matches!(error, ProvenanceError::Root(_)), "{error}");
}

/// Changes a character in the middle of a text.
fn change(bundle: &mut Value, pointer: &str) {
    let text = bundle.pointer(pointer).unwrap().as_str().unwrap();
    let middle = text.len() / 2;
    let other = if text.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let changed = format!("{}{other}{}", &text[..middle], &text[middle + 1..]);
    *bundle.pointer_mut(pointer).unwrap() = json!(changed);
}

#[test]
fn each_part_of_a_bundle_counts() {
    let entry = "/verificationMaterial/tlogEntries/0";
    for part in [
        "/dsseEnvelope/payload",
        "/dsseEnvelope/signatures/0/sig",
        "/verificationMaterial/x509CertificateChain/certificates/0/rawBytes",
        &format!("{entry}/canonicalizedBody"),
        &format!("{entry}/inclusionPromise/signedEntryTimestamp"),
        &format!("{entry}/inclusionProof/rootHash"),
        &format!("{entry}/inclusionProof/hashes/0"),
        &format!("{entry}/inclusionProof/checkpoint/envelope"),
        &format!("{entry}/logId/keyId"),
    ] {
        let mut bundle = json();
        change(&mut bundle, part);
        verify(bundle.to_string().as_bytes(), &signer()).unwrap_err();
    }
    for (part, value) in [
        ("integratedTime", json!("1692374736")),
        ("integratedTime", json!("1792374735")),
        ("logIndex", json!("1")),
    ] {
        let mut bundle = json();
        bundle.pointer_mut(entry).unwrap()[part] = value;
        verify(bundle.to_string().as_bytes(), &signer()).unwrap_err();
    }
    let mut bundle = json();
    bundle["verificationMaterial"]["tlogEntries"] = json!([]);
    verify(bundle.to_string().as_bytes(), &signer()).unwrap_err();
    let mut bundle = json();
    let without = bundle.pointer_mut(entry).unwrap().as_object_mut().unwrap();
    without.remove("inclusionProof").unwrap();
    verify(bundle.to_string().as_bytes(), &signer()).unwrap_err();
}

#[test]
fn what_is_no_provenance_is_refused() {
    let publish = include_bytes!("../tests/data/conda-publish.sigstore.json");
    let error = verify(publish, &signer()).unwrap_err().to_string();
    assert!(error.contains("schemas.conda.org"), "{error}");
    for (bundle, words) in [
        (&b"{}"[..], "no Sigstore bundle"),
        (b"\xff", "no Sigstore bundle"),
        (&vec![b' '; MAX_LEN + 1], "longer"),
    ] {
        let error = verify(bundle, &signer()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    for (pointer, value) in [
        ("/_type", json!("https://in-toto.io/Statement/v0.1")),
        ("/predicateType", json!("https://slsa.dev/provenance/v0.2")),
        ("/subject", json!([])),
        ("/subject/0/digest/sha256", json!("11")),
        ("/subject/1/digest/sha512", json!("xx")),
        ("/subject/0/digest", json!(1)),
        ("/predicate", json!({})),
        ("/predicate/runDetails/builder", json!({})),
    ] {
        let mut statement = stated();
        *statement.pointer_mut(pointer).unwrap() = value;
        let error = Statement::parse(statement.to_string().as_bytes()).unwrap_err();
        assert!(
            matches!(error, ProvenanceError::Statement(_)),
            "{pointer}: {error}"
        );
    }
    let mut statement = stated();
    statement["subject"] = json!([{ "name": "subrosa", "digest": { "md5": "11" } }]);
    let parsed = Statement::parse(statement.to_string().as_bytes()).unwrap();
    parsed.any_digest().unwrap_err();
}

#[test]
fn a_statement_of_this_release_is_found_the_same() {
    let provenance = provenance(&stated());
    assert_eq!(differing(&provenance, &manifest()), [""; 0]);
    assert_eq!(provenance.compare(&manifest()).len(), 5);
}

#[test]
fn each_thing_that_differs_is_found() {
    for (pointer, value, check) in [
        (
            "/predicate/runDetails/builder/id",
            json!("https://ci.example/builder@v2"),
            "builder",
        ),
        (
            "/predicate/buildDefinition/resolvedDependencies/1/uri",
            json!("git+https://git.example/other@refs/tags/v1"),
            "source",
        ),
        (
            "/predicate/buildDefinition/resolvedDependencies/1/uri",
            json!("https://git.example/subrosa"),
            "source",
        ),
        (
            "/predicate/buildDefinition/resolvedDependencies/1/digest/gitCommit",
            json!("d".repeat(40)),
            "source",
        ),
        (
            "/predicate/buildDefinition/resolvedDependencies/1/digest",
            json!({ "sha1": "c".repeat(40) }),
            "source",
        ),
        (
            "/predicate/buildDefinition/resolvedDependencies",
            json!([]),
            "source",
        ),
        ("/subject/0/name", json!("subrosa-enclave"), "artefact"),
        (
            "/subject/0/digest/sha256",
            json!("22".repeat(32)),
            "artefact",
        ),
        (
            "/subject/0/digest",
            json!({ "sha512": "11".repeat(64) }),
            "artefact",
        ),
    ] {
        let mut statement = stated();
        *statement.pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            differing(&provenance(&statement), &manifest()),
            [check],
            "{pointer}"
        );
    }
    // Repository and commit of two dependencies are not one source.
    let mut statement = stated();
    let dependencies = &mut statement["predicate"]["buildDefinition"]["resolvedDependencies"];
    *dependencies = json!([
        { "uri": "git+https://git.example/subrosa", "digest": { "gitCommit": "d".repeat(40) } },
        { "uri": "git+https://git.example/other", "digest": { "gitCommit": "c".repeat(40) } },
    ]);
    assert_eq!(differing(&provenance(&statement), &manifest()), ["source"]);
    let mut other = provenance(&stated());
    other.certified_commit = Some("d".repeat(40));
    assert_eq!(differing(&other, &manifest()), ["certificate"]);
}
