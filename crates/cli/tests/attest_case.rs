//! `subrosa attest-case` on cases made here.
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

use serde_json::json;
use support::Home;

fn case(file: &str) -> String {
    let sha256 = "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603";
    json!({
        "kind": "snp-synthetic",
        "verify_at": null,
        "files": { file: {"bytes": 2, "sha256": sha256} },
    })
    .to_string()
}

#[test]
fn the_verdict_is_one_json_object_and_no_exit_code() {
    let home = Home::new();
    home.write("case.json", case("report.bin"));
    home.write("report.bin", "ab");
    let outcome = home.run(&["attest-case", "."]);
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    let found: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let expected = json!({"verdict": "reject", "code": "report-malformed", "claims": {}});
    assert_eq!(found, expected);
}

#[test]
fn a_damaged_case_is_an_error_and_no_verdict() {
    let home = Home::new();
    home.write("case.json", case("report.bin"));
    home.write("report.bin", "ac");
    let outcome = home.run(&["attest-case", "."]);
    assert_eq!(outcome.exit, Some(2), "{outcome:?}");
    assert!(outcome.stdout.is_empty());
    assert!(outcome.stderr.contains("report.bin"), "{outcome:?}");
}

#[test]
fn a_case_reads_no_file_outside_its_folder() {
    let home = Home::new();
    home.write("secret", "ab");
    std::fs::create_dir(home.path().join("inner")).unwrap();
    home.write("inner/case.json", case("../secret"));
    let outcome = home.run(&["attest-case", "inner"]);
    assert_eq!(outcome.exit, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("outside its folder"), "{outcome:?}");
}
