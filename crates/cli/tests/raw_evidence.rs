//! `subrosa verify` on raw evidence of real machines, without any network.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use serde_json::{Value, json};
use support::{Home, Outcome};

/// A folder of recorded evidence; none where there is none, which is said aloud and fails in CI.
fn evidence(case: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    let root = std::env::var_os("SUBROSA_EVIDENCE").map_or(beside, PathBuf::from);
    let folder = root.join(case);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is not there: set SUBROSA_EVIDENCE",
        folder.display()
    );
    eprintln!("skipped: {} is not there", folder.display());
    None
}

struct Sample {
    case: &'static str,
    evidence: &'static str,
    collateral: &'static [&'static str],
    at: &'static str,
    kind: &'static str,
}

const SAMPLES: [Sample; 4] = [
    Sample {
        case: "sev-snp/genoa-v5-confai",
        evidence: "report.bin",
        collateral: &["ask.pem", "vcek.der", "ark.pem"],
        at: "2026-03-19T23:01:36Z",
        kind: "sev-snp",
    },
    Sample {
        case: "tdx/v4-flashbots-gcp-eval19-uptodate",
        evidence: "quote.bin",
        collateral: &["collateral.json"],
        at: "2026-07-04T09:41:17Z",
        kind: "intel-tdx",
    },
    Sample {
        case: "nvidia-gpu/hopper-gonvtrust-full-match",
        evidence: "report.bin",
        collateral: &[
            "cert_chain.pem",
            "rims/Driver_RIM_test_no_gpu.swidtag",
            "rims/1010_0200_882_96005E0001_test_no_gpu.swidtag",
        ],
        at: "2024-06-01T00:00:00Z",
        kind: "nvidia-gpu",
    },
    Sample {
        case: "aws-nitro/fastcrypto-2025",
        evidence: "document.cbor",
        collateral: &[],
        at: "2025-11-10T17:20:10Z",
        kind: "aws-nitro",
    },
];

impl Sample {
    fn arguments(&self, folder: &Path) -> Vec<String> {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let mut arguments = vec!["verify".to_owned(), "--offline".to_owned()];
        arguments.extend(["--at".to_owned(), self.at.to_owned()]);
        arguments.extend(["--evidence".to_owned(), path(self.evidence)]);
        for name in self.collateral {
            arguments.extend(["--collateral".to_owned(), path(name)]);
        }
        arguments
    }

    fn run(&self, more: &[&str]) -> Option<Outcome> {
        let folder = evidence(self.case)?;
        let arguments = self.arguments(&folder);
        let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        arguments.extend(more);
        Some(Home::new().run(&arguments))
    }
}

/// A command in a network namespace of its own, whose only interface, loopback, is down.
fn without_interfaces(program: &Command) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--net", "--"])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(program.get_current_dir().unwrap());
    for (name, value) in program.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
}

fn namespaces_are_allowed() -> bool {
    let outcome = Command::new("unshare")
        .args(["--map-root-user", "--net", "--", "true"])
        .status();
    let allowed = outcome.is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("skipped: network namespaces cannot be made here");
    }
    allowed
}

#[cfg(target_os = "linux")]
#[test]
fn real_evidence_of_every_vendor_is_verified_where_there_is_no_network() {
    if !namespaces_are_allowed() {
        return;
    }
    for sample in SAMPLES {
        let Some(folder) = evidence(sample.case) else {
            continue;
        };
        let home = Home::new();
        let arguments = sample.arguments(&folder);
        let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        arguments.push("--json");
        let program = home.command(&arguments);
        let output = without_interfaces(&program).output().unwrap();
        let outcome = Outcome::of(output, home.path());
        assert_eq!(outcome.exit, Some(0), "{}: {outcome:#?}", sample.case);
        let json = outcome.json();
        assert_eq!(json["verdict"], json!("accept"));
        assert_eq!(json["kind"], json!(sample.kind));
        assert_eq!(json["bound_to_a_service"], json!(false));
    }
}

#[test]
fn what_is_said_is_what_was_checked_and_what_was_not() {
    for sample in SAMPLES {
        let Some(outcome) = sample.run(&["--explain"]) else {
            continue;
        };
        assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
        assert!(outcome.stdout.contains("ACCEPTED"), "{outcome:#?}");
        assert!(outcome.stdout.contains("What this does not prove:"));
        let why = "could be made up";
        assert!(outcome.stdout.contains(why), "{outcome:#?}");
        let plain = sample.run(&[]).unwrap();
        assert!(!plain.stdout.contains(why));
    }
}

#[test]
fn a_flipped_bit_is_refused_with_its_code_and_exit_3() {
    for sample in SAMPLES {
        let Some(folder) = evidence(sample.case) else {
            continue;
        };
        let home = Home::new();
        let mut bytes = std::fs::read(folder.join(sample.evidence)).unwrap();
        let middle = bytes.len() / 3;
        bytes[middle] ^= 1;
        let changed = home.write("changed", &bytes);
        let mut arguments = sample.arguments(&folder);
        arguments[5] = changed.to_str().unwrap().to_owned();
        arguments.extend([
            "--kind".to_owned(),
            sample.kind.to_owned(),
            "--json".to_owned(),
        ]);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let outcome = home.run(&arguments);
        assert_eq!(outcome.exit, Some(3), "{}: {outcome:#?}", sample.case);
        assert!(outcome.json()["code"].is_string());
    }
}

#[test]
fn what_is_demanded_must_be_in_the_evidence() {
    for sample in SAMPLES {
        let (flag, other) = match sample.kind {
            "nvidia-gpu" => ("--nonce", "00".repeat(32)),
            _ => ("--report-data", "00".repeat(64)),
        };
        let Some(outcome) = sample.run(&[flag, &other, "--json"]) else {
            continue;
        };
        assert_eq!(outcome.exit, Some(3), "{}: {outcome:#?}", sample.case);
        let length = sample.run(&[flag, "00"]).unwrap();
        assert_ne!(length.exit, Some(0));
        if sample.kind != "nvidia-gpu" {
            let program = "11".repeat(48);
            let outcome = sample.run(&["--measurement", &program, "--json"]).unwrap();
            assert_eq!(outcome.exit, Some(3), "{outcome:#?}");
        }
    }
}

#[test]
fn an_attestation_result_has_the_words_of_its_standard() {
    let Some(outcome) = SAMPLES[0].run(&["--ear"]) else {
        return;
    };
    let json = outcome.json();
    let module = &json["submods"]["sev-snp"];
    assert!(["affirming", "warning"].contains(&module["ear.status"].as_str().unwrap()));
    assert!(module["ear.trustworthiness-vector"]["hardware"].is_i64());
    assert!(json["ear.verifier-id"]["developer"].is_string());
}

#[test]
fn without_what_goes_with_it_evidence_is_not_judged_and_the_hint_says_what_is_missing() {
    for sample in &SAMPLES[..3] {
        let Some(folder) = evidence(sample.case) else {
            continue;
        };
        let path = folder.join(sample.evidence);
        let arguments = ["verify", "--evidence", path.to_str().unwrap()];
        let outcome = Home::new().run(&arguments);
        assert_eq!(outcome.exit, Some(2), "{outcome:#?}");
        assert!(outcome.stderr.contains("--collateral"), "{outcome:#?}");
    }
}

#[test]
fn what_is_no_evidence_and_what_is_no_collateral_is_named() {
    let home = Home::new();
    home.write("nothing", "nothing");
    let outcome = home.run(&["verify", "--evidence", "nothing"]);
    assert_eq!(outcome.exit, Some(2));
    assert!(outcome.stderr.contains("--kind"), "{outcome:#?}");
    let outcome = home.run(&[
        "verify",
        "--evidence",
        "nothing",
        "--kind",
        "aws-nitro",
        "--collateral",
        "nothing",
    ]);
    assert_eq!(outcome.exit, Some(2));
    assert!(outcome.stderr.contains("nothing"), "{outcome:#?}");
}

#[test]
fn flags_of_raw_evidence_do_not_pass_unnoticed_elsewhere() {
    let home = Home::new();
    home.write("file", "");
    for arguments in [
        &["verify", "--bundle", "file", "--nonce", "00"][..],
        &["verify", "--bundle", "file", "--collateral", "file"],
        &["verify", "--evidence", "file", "--bundle", "file"],
        &[
            "verify",
            "--evidence",
            "file",
            "--url",
            "https://ai.example",
        ],
        &["verify", "--offline"],
        &["verify", "--offline", "--url", "https://ai.example"],
        &["verify", "--provider", "nitro"],
        &["verify", "--kind", "sev-snp", "--bundle", "file"],
    ] {
        let outcome = home.run(arguments);
        assert_eq!(outcome.exit, Some(2), "{outcome:#?}");
    }
}

/// Base64 of a gzip stream, as the document of tinfoil has it.
fn packed(bytes: &[u8]) -> String {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    base64::engine::general_purpose::STANDARD.encode(encoder.finish().unwrap())
}

fn tinfoil(home: &Home, document: &Value, folder: &Path) -> Outcome {
    home.write("document.json", document.to_string());
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    home.run(&[
        "verify",
        "--provider",
        "tinfoil",
        "document.json",
        "--at",
        SAMPLES[0].at,
        "--collateral",
        &path("vcek.der"),
        "--collateral",
        &path("ask.pem"),
        "--collateral",
        &path("ark.pem"),
    ])
}

#[test]
fn a_document_of_tinfoil_is_read_judged_and_its_limits_are_said() {
    let Some(folder) = evidence(SAMPLES[0].case) else {
        return;
    };
    let home = Home::new();
    let report = std::fs::read(folder.join("report.bin")).unwrap();
    let format = "https://tinfoil.sh/predicate/sev-snp-guest/v2";
    let document = json!({ "format": format, "body": packed(&report) });
    let outcome = tinfoil(&home, &document, &folder);
    assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
    assert!(outcome.stdout.contains("What this document proves:"));
    assert!(
        outcome
            .stdout
            .contains("What such a document never proves:")
    );
    for wrong in [
        json!({ "format": "https://tinfoil.sh/predicate/other/v1", "body": packed(&report) }),
        json!({ "format": format, "body": "not base64" }),
        json!({ "format": format, "body": packed(&vec![0; 1 << 20]) }),
        json!({ "body": packed(&report) }),
        json!([]),
    ] {
        let outcome = tinfoil(&home, &wrong, &folder);
        assert_eq!(outcome.exit, Some(2), "{outcome:#?}");
        assert!(outcome.stderr.contains("predicate"), "{outcome:#?}");
    }
}

#[test]
fn an_answer_of_dstack_is_judged_with_its_event_log() {
    let (Some(quote), Some(log)) = (
        evidence("tdx/v4-dstack-report-eval18-uptodate"),
        evidence("eventlog/dstack-quote-report"),
    ) else {
        return;
    };
    let home = Home::new();
    let collateral = quote.join("collateral.json");
    let answer: Value =
        serde_json::from_slice(&std::fs::read(log.join("report.json")).unwrap()).unwrap();
    let run = |answer: &Value| {
        home.write("answer.json", answer.to_string());
        home.run(&[
            "verify",
            "--provider",
            "dstack",
            "answer.json",
            "--json",
            "--at",
            "2026-03-05T10:50:03Z",
            "--collateral",
            collateral.to_str().unwrap(),
        ])
    };
    let outcome = run(&answer);
    assert!(matches!(outcome.exit, Some(0 | 3)), "{outcome:#?}");
    let rows = outcome.json()["checks"].as_array().unwrap().clone();
    let log_row = rows.iter().find(|row| row["check"] == "td-event-log");
    assert_eq!(log_row.unwrap()["outcome"], json!("pass"), "{outcome:#?}");
    // Another log does not give the registers.
    let mut other = answer.clone();
    let text = other["event_log"]
        .as_str()
        .unwrap()
        .replacen("\"imr\":0", "\"imr\":1", 1);
    other["event_log"] = json!(text);
    let outcome = run(&other);
    assert_eq!(outcome.exit, Some(3));
    other["event_log"] = json!(7);
    assert_eq!(run(&other).exit, Some(2));
}

#[test]
fn a_nitro_document_is_judged_raw_or_in_base64() {
    let Some(folder) = evidence(SAMPLES[3].case) else {
        return;
    };
    let home = Home::new();
    let bytes = std::fs::read(folder.join("document.cbor")).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
    for content in [bytes, text.into_bytes()] {
        home.write("document", content);
        let outcome = home.run(&[
            "verify",
            "--provider",
            "nitro",
            "document",
            "--at",
            SAMPLES[3].at,
        ]);
        assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
        assert!(outcome.stdout.contains("Amazon"));
    }
}

#[test]
fn a_report_of_azures_paravisor_proves_nothing_without_what_endorses_the_hardware() {
    let (Some(azure), Some(snp)) = (
        evidence("azure-vtpm/hcl-snp-openpcc-with-vcek"),
        evidence("sev-snp/genoa-azure-openpcc-crl"),
    ) else {
        return;
    };
    let home = Home::new();
    let path = |folder: &Path, name: &str| folder.join(name).to_str().unwrap().to_owned();
    let report = path(&azure, "hcl_report.bin");
    let run = |collateral: &[String]| {
        let mut arguments = vec!["verify", "--provider", "azure", &report];
        arguments.extend(["--at", "2025-09-01T00:00:00Z", "--json"]);
        for file in collateral {
            arguments.extend(["--collateral", file]);
        }
        home.run(&arguments)
    };
    let alone = run(&[]);
    assert_eq!(alone.exit, Some(2), "{alone:#?}");
    assert!(
        alone.stderr.contains("what endorses the hardware"),
        "{alone:#?}"
    );
    let authorities = [path(&snp, "ask.pem"), path(&snp, "ark.pem")];
    let own = [&authorities[..], &[path(&azure, "vcek.der")]].concat();
    let judged = run(&own);
    assert_eq!(judged.exit, Some(0), "{judged:#?}");
    let row = |outcome: &Outcome, name: &str| {
        let json = outcome.json();
        let rows = json["checks"].as_array().unwrap();
        let row = rows.iter().find(|row| row["check"] == name).unwrap();
        row["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(row(&judged, "azure-hardware"), "pass");
    let Some(other) = evidence("sev-snp/genoa-v5-confai") else {
        return;
    };
    let another = [&authorities[..], &[path(&other, "vcek.der")]].concat();
    let refused = run(&another);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
}
