//! Files that belong to this machine, to another, and to none.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use serde_json::Value;
use subrosa_attest::dcap::CollateralFile;

use super::*;

const VECTORS: &str = include_str!("../../../../spec/vectors/collateral.json");
/// When the files of the vectors were gathered.
const NOW: UnixSeconds = UnixSeconds::new(1_780_272_000);

/// The good file of this kind.
fn vector(kind: Kind) -> Vec<u8> {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut good = vectors["good"].as_array().unwrap().iter();
    let file = good.find(|file| file["kind"] == kind.as_str()).unwrap();
    hex::decode(file["collateral"].as_str().unwrap()).unwrap()
}

/// A folder with the good file of this kind, under the name `file`.
fn folder(kind: Kind) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, vector(kind)).unwrap();
    (folder, path)
}

fn tdx(path: PathBuf) -> Files {
    Files {
        tdx: Some(path),
        ..Files::default()
    }
}

fn gpus(paths: Vec<PathBuf>) -> Files {
    Files {
        gpus: paths,
        ..Files::default()
    }
}

#[test]
fn collateral_of_a_quote_is_what_verifiers_read() {
    let (_folder, path) = folder(Kind::TdxQuote);
    let json = tdx(path).tdx(NOW).unwrap();
    let file = CollateralFile::parse(&json).unwrap();
    let gathered = Collateral::parse(&vector(Kind::TdxQuote)).unwrap();
    let part = |label| gathered.get(label).unwrap();
    let collateral = file.collateral();
    assert_eq!(collateral.pck_crl, part(Label::DcapPckCrl));
    assert_eq!(collateral.root_ca_crl, part(Label::DcapRootCrl));
    assert_eq!(
        collateral.tcb_info_issuer_chain,
        part(Label::DcapTcbInfoIssuers)
    );
    assert_eq!(
        collateral.qe_identity_issuer_chain,
        part(Label::DcapQeIdentityIssuers)
    );
    let (tcb_info, signature) =
        split_signed_json(Label::DcapTcbInfo, part(Label::DcapTcbInfo)).unwrap();
    assert_eq!(collateral.tcb_info, tcb_info);
    assert_eq!(collateral.tcb_info_signature, signature);
    let (identity, signature) =
        split_signed_json(Label::DcapQeIdentity, part(Label::DcapQeIdentity)).unwrap();
    assert_eq!(collateral.qe_identity, identity);
    assert_eq!(collateral.qe_identity_signature, signature);
}

#[test]
fn collateral_for_another_kind_of_evidence_is_refused() {
    let (_folder, path) = folder(Kind::SgxQuote);
    let error = tdx(path.clone()).tdx(NOW).unwrap_err();
    assert!(error.to_string().contains("sgx-quote"), "{error}");
    assert!(gpus(vec![path]).gpus(NOW).is_err());
}

#[test]
fn expired_collateral_is_refused_with_the_command_that_renews_it() {
    let (_folder, path) = folder(Kind::TdxQuote);
    let expiry = Collateral::parse(&vector(Kind::TdxQuote))
        .unwrap()
        .expires_at();
    assert!(tdx(path.clone()).tdx(expiry).is_ok());
    let error = tdx(path).tdx(expiry.saturating_add(1)).unwrap_err();
    assert!(matches!(error, CollectError::CollateralExpired { .. }));
    assert!(error.hint().contains("subrosa collateral"));
}

#[test]
fn a_file_that_is_missing_or_something_else_is_refused() {
    let (folder, path) = folder(Kind::TdxQuote);
    let error = tdx(folder.path().join("other")).tdx(NOW).unwrap_err();
    assert!(matches!(error, CollectError::File { .. }));
    std::fs::write(&path, b"{}").unwrap();
    let error = tdx(path.clone()).tdx(NOW).unwrap_err();
    assert!(matches!(error, CollectError::CollateralUnusable { .. }));
    std::fs::write(&path, vec![0; Collateral::MAX_LEN + 1]).unwrap();
    let error = tdx(path).tdx(NOW).unwrap_err();
    assert!(matches!(error, CollectError::TooLong { .. }));
}

#[test]
fn collateral_of_devices_is_what_verifiers_read_and_holds_nothing_twice() {
    let (_folder, path) = folder(Kind::NvidiaReport);
    let one = gpus(vec![path.clone()]).gpus(NOW).unwrap().unwrap();
    let parsed = gpu::parse_collateral(&one).unwrap();
    assert_eq!(parsed.manifests.len(), 2);
    assert!(!parsed.revocation_answers.is_empty());
    let both = gpus(vec![path.clone(), path]).gpus(NOW).unwrap().unwrap();
    assert_eq!(both, one);
    assert_eq!(gpus(Vec::new()).gpus(NOW).unwrap(), None);
}

/// Manifests outlive their certificates; answers about revocation do not count
/// for longer than they say.
#[test]
fn of_device_collateral_only_the_answers_expire() {
    let (_folder, path) = folder(Kind::NvidiaReport);
    let file = Collateral::parse(&vector(Kind::NvidiaReport)).unwrap();
    let answers = expiry(&file);
    assert!(answers >= file.expires_at());
    assert!(gpus(vec![path.clone()]).gpus(answers).is_ok());
    let error = gpus(vec![path.clone()])
        .gpus(answers.saturating_add(1))
        .unwrap_err();
    assert!(matches!(error, CollectError::CollateralExpired { .. }));
    let nodes = include_str!("../../../../spec/vectors/nodes.json");
    let nodes: Value = serde_json::from_str(nodes).unwrap();
    let manifests = nodes["nodes"][2]["gpu"]["collateral"].as_str().unwrap();
    let manifests = hex::decode(manifests).unwrap();
    let expired = Collateral::parse(&manifests).unwrap().expires_at();
    std::fs::write(&path, manifests).unwrap();
    assert!(gpus(vec![path]).gpus(expired.saturating_add(1)).is_ok());
}

#[test]
fn what_is_too_much_for_a_bundle_is_refused_with_the_reason() {
    let long = vec![0; 130 * 1024];
    for (manifests, answers, reason) in [
        (vec![&b"m"[..]; 16], vec![&b"a"[..]; 64], None),
        (vec![&b"m"[..]; 17], Vec::new(), Some("manifests")),
        (Vec::new(), vec![&b"a"[..]; 65], Some("answers")),
        (vec![&long[..]], Vec::new(), Some("long")),
    ] {
        let collateral = gpu::Collateral {
            manifests,
            revocation_answers: answers,
        };
        let error = encode_for_bundle(&collateral).err();
        assert_eq!(error.is_some(), reason.is_some());
        assert!(
            error
                .unwrap_or_default()
                .contains(reason.unwrap_or_default())
        );
    }
}

#[test]
fn certificates_of_a_report_come_from_the_gathered_file() {
    let (_folder, path) = folder(Kind::SevSnpReport);
    let settings = serde_json::json!({ "collateral": path });
    let files = Files {
        snp: Some(serde_json::from_value(settings).unwrap()),
        ..Files::default()
    };
    let certificates = files.snp(&Table::default(), NOW).unwrap();
    let gathered = Collateral::parse(&vector(Kind::SevSnpReport)).unwrap();
    let evidence = certificates.with_report(b"report");
    assert_eq!(Some(evidence.leaf), gathered.get(Label::SnpVcek));
    assert_eq!(Some(evidence.intermediate), gathered.get(Label::SnpAsk));
    assert_eq!(Some(evidence.root), gathered.get(Label::SnpArk));
    assert_eq!(evidence.revocation_list, gathered.get(Label::SnpCrl));
    assert!(Files::default().snp(&Table::default(), NOW).is_err());
}
