#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{Finding, Outcome, compare};
use subrosa_translog::entry::release::{Builder, Manifest, ReleasePolicy, Source};

const PLAN: &str = r#"
    schema = 1
    artefacts = ["subrosa", "image/uki.efi"]
    measurements = "image/measurement.json"
    web-assets = "web"

    [[weights]]
    name = "demo"
    file = "models/demo.gguf"
"#;

const MEASURED: &str = r#"{
    "version": 1,
    "configuration": "CC",
    "root": "…",
    "tpm": { "pcr4": "44", "pcr9": "99", "pcr11": "11", "pcr12": "00", "pcr13": "00" },
    "snp": { "vmm": "QEMU", "launch_digests": [
        { "model": "EPYC-Genoa", "processors": 4, "sev_features": 1, "unified": "UU", "split": "SS" }
    ] },
    "tdx": {}
}"#;

fn measured() -> String {
    MEASURED
        .replace("CC", &"c".repeat(64))
        .replace("\"44\"", &format!("\"{}\"", "4".repeat(64)))
        .replace("\"99\"", &format!("\"{}\"", "9".repeat(64)))
        .replace("\"11\"", &format!("\"{}\"", "1".repeat(64)))
        .replace("UU", &"a".repeat(96))
        .replace("SS", &"b".repeat(96))
}

fn built(files: &[(&str, &str)]) -> (Plan, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (Plan::parse(PLAN).unwrap(), folder)
}

fn contents(files: &[(&str, &str)]) -> Contents {
    let (plan, folder) = built(files);
    Contents::read(&plan, folder.path(), folder.path()).unwrap()
}

fn whole() -> Contents {
    contents(&[
        ("subrosa", "client"),
        ("image/uki.efi", "kernel"),
        ("image/measurement.json", &measured()),
        ("models/demo.gguf", "weights"),
        ("web/index.html", "page"),
        ("web/assets/app.js", "code"),
    ])
}

fn manifest(contents: Contents) -> Manifest {
    Manifest {
        service: "subrosa.example/chat".to_owned(),
        version: "0.1.0".to_owned(),
        sequence: 1,
        minimum_sequence: 1,
        not_before: 1,
        not_after: 2,
        source: Source {
            repository: "https://git.example/subrosa".to_owned(),
            commit: "0".repeat(40),
        },
        builder: Builder {
            id: "https://ci.example".to_owned(),
            provenance: None,
        },
        artefacts: contents.artefacts,
        measurements: contents.measurements,
        weights: contents.weights,
        configurations: contents.configurations,
        web_assets: contents.web_assets,
        policy: ReleasePolicy::default(),
    }
}

/// Everything that is not the same.
fn changes(change: impl FnOnce(&mut Contents)) -> Vec<(&'static str, String, Outcome)> {
    let mut other = whole();
    change(&mut other);
    let found = compare(&manifest(whole()), &other);
    assert_eq!(found.len(), 9, "{found:#?}");
    let changed = found.into_iter().filter(|one| !one.is_same());
    changed
        .map(
            |Finding {
                 kind,
                 name,
                 outcome,
             }| (kind, name, outcome),
        )
        .collect()
}

#[test]
fn what_is_built_is_a_manifest_that_its_own_reader_reads() {
    let text = manifest(whole()).entry_text().unwrap();
    let read = Manifest::parse(&text).unwrap();
    let names = |list: &[Artefact]| {
        let names = list.iter().map(|file| file.name.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&read.artefacts), ["image/uki.efi", "subrosa"]);
    assert_eq!(names(&read.web_assets), ["assets/app.js", "index.html"]);
    assert_eq!(read.artefacts.get(1).unwrap().bytes, 6);
    let digest: [u8; 32] = Sha256::digest("client").into();
    assert_eq!(read.artefacts.get(1).unwrap().sha256, digest);
    let digest: [u8; 32] = Sha256::digest("weights").into();
    assert_eq!(read.weights.first().unwrap().sha256, digest);
    assert_eq!(read.configurations.first().unwrap().sha256, [0xcc; 32]);
    let measured: Vec<_> = read.measurements.iter().map(|one| &*one.name).collect();
    assert_eq!(
        measured,
        [
            "SEV-SNP, EPYC-Genoa, 4 processors, split",
            "SEV-SNP, EPYC-Genoa, 4 processors, unified",
            "TPM, QEMU",
        ]
    );
}

#[test]
fn an_equal_build_differs_in_nothing() {
    assert_eq!(changes(|_| {}), []);
}

#[test]
fn each_thing_that_differs_is_found() {
    let digest_of = |one: &mut NamedDigest| one.sha256 = [7; 32];
    let found = [
        changes(|built| built.artefacts.first_mut().unwrap().sha256 = [7; 32]),
        changes(|built| built.artefacts.first_mut().unwrap().bytes = 7),
        changes(|built| built.weights.iter_mut().for_each(digest_of)),
        changes(|built| built.configurations.iter_mut().for_each(digest_of)),
        changes(|built| built.web_assets.first_mut().unwrap().sha256 = [7; 32]),
        changes(|built| built.measurements.first_mut().unwrap().platform = "tdx".to_owned()),
        changes(|built| {
            let registers = &mut built.measurements.last_mut().unwrap().registers;
            registers.insert("pcr9".to_owned(), "8".repeat(64)).unwrap();
        }),
    ];
    let kinds = found.map(|changed| {
        let [(kind, _, Outcome::Different { expected, actual })] = &*changed else {
            panic!("{changed:#?}");
        };
        assert_ne!(expected, actual);
        *kind
    });
    let expected = [
        "artefact",
        "artefact",
        "weights",
        "configuration",
        "web-asset",
        "measurement",
        "measurement",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn what_is_missing_and_what_is_more_is_found() {
    let missing = compare(&manifest(whole()), &Contents::default());
    assert_eq!(missing.len(), 9);
    assert!(missing.iter().all(|one| one.outcome == Outcome::Missing));
    let none = manifest(Contents::default());
    let more = compare(&none, &whole());
    assert_eq!(more.len(), 9);
    assert!(more.iter().all(|one| one.outcome == Outcome::Unlisted));
}

#[test]
fn what_was_not_built_is_left_out() {
    let found = contents(&[("subrosa", "client")]);
    assert_eq!(found.artefacts.len(), 1);
    assert!(found.measurements.is_empty() && found.configurations.is_empty());
    assert!(found.weights.is_empty() && found.web_assets.is_empty());
}

#[test]
fn another_file_of_measurements_is_refused() {
    let cut = measured();
    for (wrong, words) in [
        (
            measured().replace("\"version\": 1", "\"version\": 2"),
            "version",
        ),
        (measured().replace("\"pcr9\"", "\"pcr8\""), "pcr9"),
        (measured().replace(&"c".repeat(64), "c"), "digest"),
        (cut.get(..100).unwrap().to_owned(), "EOF"),
    ] {
        let (plan, folder) = built(&[("image/measurement.json", &wrong)]);
        let error = Contents::read(&plan, folder.path(), folder.path()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let long = " ".repeat(
        usize::try_from(MAX_MEASUREMENTS)
            .unwrap()
            .checked_add(1)
            .unwrap(),
    );
    let (plan, folder) = built(&[("image/measurement.json", &long)]);
    let error = Contents::read(&plan, folder.path(), folder.path()).unwrap_err();
    assert!(matches!(error, ReleaseError::TooLarge { .. }));
}
