//! What released builds refuse, and every build without the flag.
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

use support::Home;

#[test]
fn simulated_evidence_is_refused_without_the_flag() {
    let home = Home::new();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (bundle, policy) = (
        data.join("simulated.bundle"),
        data.join("simulated-policy.toml"),
    );
    let arguments = [
        "verify",
        "--json",
        "--bundle",
        bundle.to_str().unwrap(),
        "--policy",
        policy.to_str().unwrap(),
        "--at",
        "2026-11-22T22:00:00Z",
    ];
    let outcome = home.run(&arguments);
    assert_eq!(outcome.exit, Some(3), "{outcome:?}");
    assert_eq!(outcome.json()["verdict"], "REFUSED: root-not-pinned");
}

#[cfg(not(feature = "development"))]
#[test]
fn a_released_build_knows_no_simulated_root() {
    let home = Home::new();
    home.write("root.json", "{}");
    for command in ["verify", "chat", "proxy"] {
        let outcome = home.run(&[command, "--development-root", "root.json"]);
        assert_eq!(outcome.exit, Some(2), "{outcome:?}");
        assert!(
            outcome
                .stderr
                .contains("unexpected argument '--development-root'"),
            "{outcome:?}"
        );
    }
}

#[cfg(not(feature = "development"))]
#[test]
fn a_released_build_starts_no_simulated_service() {
    let home = Home::new();
    for arguments in [
        &["try"][..],
        &["try", "--engine", "echo"],
        &["serve", "--development"],
    ] {
        let outcome = home.run(arguments);
        assert_eq!(outcome.exit, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("a released build"), "{outcome:?}");
    }
    assert_eq!(
        home.run(&["proxy", "--start-development-service"]).exit,
        Some(2)
    );
}
