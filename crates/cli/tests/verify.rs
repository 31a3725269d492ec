//! `subrosa verify` on evidence of the simulated platform.
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

use support::node::{CONFIGURATION, MEASUREMENT, NOT_AFTER, NOT_BEFORE, Node, WEIGHTS, policy};
use support::{Home, Outcome};

#[test]
fn right_evidence_of_a_simulated_root_is_not_protected() {
    let home = home();
    let outcome = verify(&home, NOT_BEFORE, &[]);
    assert_eq!(outcome.exit, Some(6));
    outcome.matches("verify-development", &[]);
}

#[test]
fn without_the_flag_the_same_evidence_is_refused() {
    let home = home();
    let outcome = home.run(&[
        "verify",
        "--bundle",
        "bundle",
        "--policy",
        "policy.toml",
        "--at",
        &NOT_BEFORE.to_string(),
    ]);
    assert_eq!(outcome.exit, Some(3));
    assert!(outcome.stdout.contains("REFUSED ("), "{outcome:?}");
}

#[test]
fn evidence_of_another_root_is_refused() {
    let home = home();
    home.write("root.json", Node::new().root);
    assert_eq!(verify(&home, NOT_BEFORE, &[]).exit, Some(3));
}

#[test]
fn expired_evidence_names_the_next_step() {
    let outcome = verify(&home(), NOT_AFTER, &[]);
    assert_eq!(outcome.exit, Some(3));
    closing(outcome).matches("expired-evidence", &[]);
}

#[test]
fn a_clock_that_is_behind_is_named_as_the_likely_cause() {
    let outcome = verify(&home(), NOT_BEFORE - 61, &[]);
    assert_eq!(outcome.exit, Some(3));
    closing(outcome).matches("clock-wrong", &[]);
}

#[test]
fn a_minute_of_clock_difference_is_tolerated() {
    assert_eq!(verify(&home(), NOT_BEFORE - 60, &[]).exit, Some(6));
    assert_eq!(verify(&home(), NOT_AFTER - 1, &[]).exit, Some(6));
}

#[test]
fn no_policy_accepts_nothing() {
    let home = home();
    let outcome = home.run(&[
        "verify",
        "--bundle",
        "bundle",
        "--development-root",
        "root.json",
        "--at",
        &NOT_BEFORE.to_string(),
    ]);
    assert_eq!(outcome.exit, Some(3));
}

/// Each value that the policy lists, changed alone.
#[test]
fn a_policy_with_another_value_refuses() {
    let values = [
        hex::encode(MEASUREMENT),
        hex::encode(WEIGHTS),
        hex::encode(CONFIGURATION),
        hex::encode(subrosa_channel::absent_release()),
    ];
    for value in values {
        let home = home();
        let other = policy().replace(&value, &"9".repeat(value.len()));
        assert_ne!(other, policy());
        home.write("policy.toml", other);
        assert_eq!(verify(&home, NOT_BEFORE, &[]).exit, Some(3), "{value}");
    }
}

#[test]
fn a_changed_bundle_is_refused() {
    let home = home();
    let good = std::fs::read(home.path().join("bundle")).unwrap();
    for at in (0..good.len()).step_by(997) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        home.write("bundle", bad);
        assert_eq!(verify(&home, NOT_BEFORE, &[]).exit, Some(3), "byte {at}");
    }
}

#[test]
fn json_has_every_row_and_the_exit_code() {
    let outcome = verify(&home(), NOT_BEFORE, &["--json"]);
    let json = outcome.json();
    assert_eq!(json["exit"], 6);
    assert_eq!(
        json["verdict"],
        "NOT PROTECTED (development): simulated platform"
    );
    assert_eq!(json["key_configuration"]["outcome"], "pass");
    assert!(
        json["appraisal"]["submods"]["node"]["subrosa.checks"]
            .as_array()
            .unwrap()
            .len()
            > 20
    );
}

#[test]
fn an_unknown_key_in_a_policy_is_a_usage_error_with_its_line() {
    let home = home();
    home.write(
        "policy.toml",
        policy().replace(
            "name = \"test\"\n",
            "name = \"test\"\ntrust-everybody = true\n",
        ),
    );
    let outcome = verify(&home, NOT_BEFORE, &[]);
    assert_eq!(outcome.exit, Some(2));
    outcome.matches("policy-unknown-key", &[]);
}

#[test]
fn a_secret_root_file_is_no_public_one() {
    let home = home();
    home.write("root.json", "{}");
    assert_eq!(verify(&home, NOT_BEFORE, &[]).exit, Some(2));
}

/// The bundle that `tests/release.rs` shows to builds without the feature
/// `development`, which cannot make one.
#[test]
fn the_bundle_for_released_builds_is_still_one() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    if std::env::var_os("SUBROSA_UPDATE_SNAPSHOTS").is_some() && !data.exists() {
        let node = Node::new();
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("simulated.bundle"), &node.bundle).unwrap();
        std::fs::write(data.join("simulated-root.json"), &node.root).unwrap();
        std::fs::write(data.join("simulated-policy.toml"), policy()).unwrap();
    }
    let home = Home::new();
    for (from, to) in [
        ("simulated.bundle", "bundle"),
        ("simulated-root.json", "root.json"),
        ("simulated-policy.toml", "policy.toml"),
    ] {
        home.write(to, std::fs::read(data.join(from)).unwrap());
    }
    assert_eq!(verify(&home, NOT_BEFORE, &[]).exit, Some(6));
}

fn home() -> Home {
    let home = Home::new();
    Node::new().write(&home);
    home
}

fn verify(home: &Home, at: u64, more: &[&str]) -> Outcome {
    let at = at.to_string();
    let mut arguments = vec![
        "verify",
        "--bundle",
        "bundle",
        "--policy",
        "policy.toml",
        "--development-root",
        "root.json",
        "--at",
        &at,
    ];
    arguments.extend(more);
    home.run(&arguments)
}

/// Only what follows the rows of the appraisal.
fn closing(mut outcome: Outcome) -> Outcome {
    let at = outcome.stdout.rfind("✗").unwrap();
    outcome.stdout = outcome.stdout.split_off(at);
    outcome
}
