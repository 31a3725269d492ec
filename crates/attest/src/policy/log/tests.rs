//! Sections about the log that are good but for one thing.

use super::super::{Policy, PolicyError};
use super::LogRules;
use crate::fixtures::log::{author, policy};

fn refusal(text: &str) -> PolicyError {
    Policy::parse(text).unwrap_err()
}

#[test]
fn a_section_about_the_log_has_strict_defaults() {
    let parsed = Policy::parse(&policy("")).unwrap();
    let rules = parsed.log().unwrap();
    assert_eq!(rules.service(), "subrosa.example/chat");
    assert_eq!(rules.tiles(), "https://log.example");
    assert_eq!(rules.log().log().name().as_str(), "example.com/log");
    assert_eq!(rules.log().witnesses().len(), 3);
    assert_eq!(rules.max_evidence_age, 4800);
    assert!(Policy::strict_default().log().is_none());
}

#[test]
fn an_unknown_or_missing_key_of_the_section_is_refused() {
    let good = policy("");
    assert!(matches!(
        refusal(&policy("any = true")),
        PolicyError::Syntax { .. }
    ));
    let nested = good.replacen("threshold = 2 }", "threshold = 2, any = true }", 1);
    assert!(matches!(refusal(&nested), PolicyError::Syntax { .. }));
    for key in [
        "service",
        "key",
        "tiles",
        "witnesses",
        "quorum",
        "releases",
        "machines",
        "directories",
    ] {
        let start = good.find(&format!("\n{key} = ")).unwrap();
        let end = good[start + 1..].find('\n').unwrap() + start + 1;
        let without = format!("{}{}", &good[..start], &good[end..]);
        assert!(
            matches!(refusal(&without), PolicyError::Syntax { .. }),
            "{key}"
        );
    }
}

#[test]
fn each_value_of_the_section_keeps_its_bounds() {
    let good = policy("");
    let stranger = author(99).verifier_key().to_string();
    let key_line = good.lines().find(|line| line.starts_with("key")).unwrap();
    for (what, bad) in [
        ("log", good.replacen("quorum = 2", "quorum = 1", 1)),
        ("log", good.replacen("quorum = 2", "quorum = 4", 1)),
        ("log.key", good.replacen(key_line, "key = \"none\"", 1)),
        (
            "log.witnesses",
            good.replacen("witnesses = [\"", "witnesses = [\"x", 1),
        ),
        // The key of an author is no witness's.
        (
            "log",
            good.replacen("witnesses = [", &format!("witnesses = [\"{stranger}\","), 1),
        ),
        (
            "log.releases",
            good.replacen("threshold = 2", "threshold = 1", 1),
        ),
        (
            "log.machines",
            good.replacen("threshold = 1", "threshold = 2", 1),
        ),
        (
            "log.machines",
            good.replacen("machines = { keys = [", "machines = { keys = [\"x\",", 1),
        ),
        ("log.directories", {
            let at = good.find("directories").unwrap();
            let (head, tail) = good.split_at(at);
            format!(
                "{head}{}",
                tail.replacen("threshold = 1", "threshold = 0", 1)
            )
        }),
        ("log.tiles", good.replacen("https://log", "ftp://log", 1)),
        ("log.tiles", good.replacen("https://log", "https://log ", 1)),
        (
            "log.tiles",
            good.replacen("https://log.example", "https://", 1),
        ),
    ] {
        assert_ne!(bad, good);
        let error = refusal(&bad);
        assert!(
            matches!(&error, PolicyError::Log { what: got, .. } if *got == what),
            "{what}: {error:?}"
        );
    }
    for name in [String::new(), "x".repeat(201), "a\\u0007b".to_owned()] {
        let bad = good.replacen("subrosa.example/chat", &name, 1);
        let what = "log.service";
        assert_eq!(refusal(&bad), PolicyError::Text { what });
    }
}

#[test]
fn ages_keep_their_bounds() {
    for (key, most) in [
        ("max-age-seconds", 7 * 24 * 3600),
        ("max-evidence-age-seconds", LogRules::MAX_EVIDENCE_AGE),
    ] {
        for (age, good) in [(0, false), (1, true), (most, true), (most + 1, false)] {
            let parsed = Policy::parse(&policy(&format!("{key} = {age}")));
            assert_eq!(parsed.is_ok(), good, "{key} {age}");
        }
    }
}

#[test]
fn releases_are_listed_by_the_log_or_by_the_file_and_not_by_both() {
    let both = format!(
        "{}[[releases]]\nname = \"one\"\nsha256 = \"{}\"\n",
        policy(""),
        "01".repeat(32)
    );
    assert_eq!(refusal(&both), PolicyError::ReleasesBesideLog);
}
