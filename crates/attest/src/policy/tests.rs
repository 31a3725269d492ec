//! Policies that are good but for one thing.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{policy, weakened};
use crate::snp::Product;

#[test]
fn the_smallest_policy_has_the_defaults() {
    let parsed = Policy::parse(SMALLEST).unwrap();
    let strict = Policy::strict_default();
    assert_eq!(parsed.snp, strict.snp);
    assert_eq!(parsed.expectations, strict.expectations);
    assert_eq!(parsed.required_parts, strict.required_parts);
    assert!(parsed.weakened.is_empty());
}

#[test]
fn the_defaults_are_strict() {
    let rules = Policy::strict_default().snp;
    assert!(!rules.products.contains(&Product::Milan));
    assert_eq!(rules.vmpl, 0..=0);
    assert!(rules.require_alias_check);
    assert!(!rules.allow_cxl && !rules.allow_provisional_firmware);
    assert_eq!(
        Policy::strict_default().expectations.max_lifetime_seconds,
        1200
    );
}

#[test]
fn the_strict_default_trusts_nothing() {
    let strict = Policy::strict_default();
    assert!(strict.measurements.is_empty());
    let digest = Sha256Digest::of(b"");
    assert!(!strict.expectations().allows_weights(&digest));
    assert!(!strict.expectations().allows_configuration(&digest));
    assert!(!strict.expectations().allows_release(&digest));
}

#[test]
fn listed_digests_are_allowed_and_no_others() {
    let parsed = Policy::parse(&policy("")).unwrap();
    let (listed, other) = (Sha256Digest::of(b"reference"), Sha256Digest::of(b"other"));
    let expectations = parsed.expectations();
    assert!(expectations.allows_weights(&listed) && !expectations.allows_weights(&other));
    assert!(expectations.allows_release(&listed) && !expectations.allows_release(&other));
    assert!(expectations.allows_configuration(&listed));
    assert!(!expectations.allows_configuration(&other));
    assert!(expectations.weights().eq([&listed]));
    assert!(expectations.releases().eq([&listed]));
    assert!(expectations.configurations().eq([&listed]));
}

#[test]
fn an_unknown_key_is_refused_at_every_level() {
    for (place, text) in [
        ("top", format!("wildcard = true\n{SMALLEST}")),
        ("section", policy("vmlp = 0")),
        (
            "reference value",
            format!(
                "{SMALLEST}[[weights]]\nname = \"w\"\nsha256 = \"{}\"\nany = true",
                digest()
            ),
        ),
        (
            "measurement",
            format!(
                "{SMALLEST}[[measurements]]\nname = \"m\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\nany = true",
                "5a".repeat(48)
            ),
        ),
        (
            "floor",
            format!("{}any = 1", policy(&floor("genoa", 10, 0, 23, 0x54))),
        ),
        (
            "statement",
            format!("{SMALLEST}{}any = 1", weakened(&["cxl"])),
        ),
    ] {
        let error = Policy::parse(&text).unwrap_err();
        assert!(
            matches!(error, PolicyError::Syntax { .. }),
            "{place}: {error}"
        );
    }
}

/// There is no way to write "any".
#[test]
fn a_wildcard_is_no_value() {
    for value in ["*", "any", "", "0x5a"] {
        let text = SMALLEST.to_owned()
            + &format!(
                "[[measurements]]\nname = \"m\"\nplatform = \"sev-snp\"\nvalue = \"{value}\""
            );
        assert!(Policy::parse(&text).is_err(), "{value}");
        let text = format!("{SMALLEST}[[weights]]\nname = \"w\"\nsha256 = \"{value}\"");
        assert!(Policy::parse(&text).is_err(), "{value}");
    }
    assert!(Policy::parse(&SMALLEST.replace("sev-snp", "*")).is_err());
    assert!(Policy::parse(&policy("products = [\"*\"]")).is_err());
}

#[test]
fn an_all_zero_measurement_is_refused() {
    let text = policy("").replace(&"5a".repeat(48), &"00".repeat(48));
    assert_eq!(
        Policy::parse(&text).unwrap_err(),
        PolicyError::ZeroMeasurement
    );
}

/// A report without an ID block has such digests.
#[test]
fn an_all_zero_key_digest_is_refused() {
    for list in ["id-key-digests", "author-key-digests"] {
        let (zero, other) = ("00".repeat(48), "01".repeat(48));
        assert!(Policy::parse(&policy(&format!("{list} = [\"{other}\"]"))).is_ok());
        let text = policy(&format!("{list} = [\"{other}\", \"{zero}\"]"));
        let error = Policy::parse(&text).unwrap_err();
        assert_eq!(error, PolicyError::ZeroKeyDigest { list });
    }
}

#[test]
fn another_version_is_refused() {
    for got in [0, 2] {
        let text = SMALLEST.replace("version = 1", &format!("version = {got}"));
        assert_eq!(
            Policy::parse(&text).unwrap_err(),
            PolicyError::Version { got }
        );
    }
    assert!(Policy::parse(&SMALLEST.replace("version = 1\n", "")).is_err());
}

#[test]
fn an_empty_list_is_not_any() {
    let error = Policy::parse(&SMALLEST.replace("[\"sev-snp\"]", "[]")).unwrap_err();
    assert_eq!(error, PolicyError::Empty { list: "platforms" });
    for (line, list) in [
        ("products = []", "sev-snp.products"),
        ("id-key-digests = []", "id-key-digests"),
        ("author-key-digests = []", "author-key-digests"),
    ] {
        let error = Policy::parse(&policy(line)).unwrap_err();
        assert_eq!(error, PolicyError::Empty { list });
    }
}

#[test]
fn a_platform_that_cannot_be_verified_is_no_value() {
    assert!(Policy::parse(&SMALLEST.replace("sev-snp", "tdx")).is_err());
}

/// Every way to loosen a rule, without and with its statement.
#[test]
fn nothing_is_loosened_without_a_statement() {
    for (rule, lines) in loosenings() {
        let silent = policy(&lines);
        let error = Policy::parse(&silent).unwrap_err();
        assert_eq!(error, PolicyError::NotStated { rule });
        let stated = silent + &weakened(&[rule.as_str()]);
        let parsed = Policy::parse(&stated).unwrap();
        assert_eq!(parsed.weakened()[0].rule(), rule);
        assert_eq!(parsed.weakened()[0].reason(), "a test");
    }
}

#[test]
fn a_statement_for_another_rule_does_not_help() {
    for (rule, lines) in loosenings() {
        let other = match rule {
            WeakenedRule::Cxl => "vmpl",
            _ => "cxl",
        };
        let text = policy(&lines) + &weakened(&[other]);
        let error = Policy::parse(&text).unwrap_err();
        assert_eq!(error, PolicyError::NotStated { rule });
    }
}

#[test]
fn a_statement_in_vain_is_refused() {
    for (rule, _) in loosenings() {
        let text = policy("") + &weakened(&[rule.as_str()]);
        let error = Policy::parse(&text).unwrap_err();
        assert_eq!(error, PolicyError::StatedInVain { rule });
    }
}

#[test]
fn a_key_life_may_be_shortened_and_not_prolonged() {
    let with = |seconds: u64| format!("max-key-lifetime-seconds = {seconds}\n{SMALLEST}");
    for seconds in [1, 600, 1200] {
        let parsed = Policy::parse(&with(seconds)).unwrap();
        assert_eq!(parsed.expectations().max_lifetime_seconds(), seconds);
    }
    for got in [0, 1201, 86_400] {
        let error = Policy::parse(&with(got)).unwrap_err();
        assert!(matches!(error, PolicyError::Range { .. }), "{error}");
    }
}

/// Each component alone below the default makes the floor a weaker one.
#[test]
fn each_component_of_a_floor_counts() {
    assert!(Policy::parse(&policy(&floor("genoa", 10, 0, 23, 0x54))).is_ok());
    assert!(Policy::parse(&policy(&floor("genoa", 11, 1, 24, 0x55))).is_ok());
    let rule = WeakenedRule::TcbFloor;
    for lines in [
        floor("genoa", 9, 0, 23, 0x54),
        floor("genoa", 10, 0, 22, 0x54),
        floor("genoa", 10, 0, 23, 0x53),
        floor("genoa", 9, 9, 99, 0xFF),
    ] {
        let error = Policy::parse(&policy(&lines)).unwrap_err();
        assert_eq!(error, PolicyError::NotStated { rule });
    }
}

#[test]
fn a_floor_replaces_that_of_its_part_only() {
    let rules = Policy::parse(&policy(&floor("genoa", 11, 0, 24, 0x60)))
        .unwrap()
        .snp;
    let strict = Policy::strict_default().snp;
    for (floor, default) in rules.floors.iter().zip(&strict.floors) {
        assert_eq!(floor.part, default.part);
        assert_eq!(floor.tcb == default.tcb, floor.part != Part::Genoa);
    }
}

#[test]
fn a_floor_has_the_components_of_its_part() {
    let genoa = floor("genoa", 10, 0, 23, 0x54).replace("tee", "fmc = 1\ntee");
    let error = Policy::parse(&policy(&genoa)).unwrap_err();
    assert_eq!(error, PolicyError::FloorComponents { part: Part::Genoa });
    let turin = floor("turin", 1, 1, 4, 0x51);
    let error = Policy::parse(&policy(&turin)).unwrap_err();
    assert_eq!(error, PolicyError::FloorComponents { part: Part::Turin });
}

#[test]
fn repetitions_are_refused() {
    let twice = floor("genoa", 10, 0, 23, 0x54) + &floor("genoa", 11, 0, 23, 0x54);
    let twice_the_key = |list| format!("{list} = [\"{0}\", \"{0}\"]", "01".repeat(48));
    let same_weights = format!("[[weights]]\nname = \"again\"\nsha256 = \"{}\"\n", digest());
    let same_measurement = format!(
        "[[measurements]]\nname = \"again\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n",
        "5a".repeat(48)
    );
    for text in [
        policy(&twice),
        policy("products = [\"genoa\", \"genoa\"]"),
        policy(&twice_the_key("id-key-digests")),
        policy(&twice_the_key("author-key-digests")),
        policy("") + &same_weights,
        policy("") + &same_measurement,
        policy("allow-cxl = true") + &weakened(&["cxl", "cxl"]),
    ] {
        let error = Policy::parse(&text).unwrap_err();
        assert!(matches!(error, PolicyError::Duplicate { .. }), "{error}");
    }
}

#[test]
fn a_statement_without_a_reason_is_refused() {
    for reason in ["", "  ", &"x".repeat(201)] {
        let text = policy("allow-cxl = true") + &weakened(&["cxl"]).replace("a test", reason);
        let error = Policy::parse(&text).unwrap_err();
        assert_eq!(error, PolicyError::Text { what: "reason" });
    }
}

#[test]
fn a_privilege_level_that_does_not_exist_is_refused() {
    let error = Policy::parse(&policy("vmpl = 4")).unwrap_err();
    assert!(
        matches!(error, PolicyError::Range { got: 4, .. }),
        "{error}"
    );
    assert!(Policy::parse(&policy("vmpl = 4294967295")).is_err());
}

#[test]
fn tightening_needs_no_statement() {
    let lines = "products = [\"turin\"]\nrevocation = \"required\"\n\
        require-machine-identity = true\n\
        guest-restrictions = [\"smt-forbidden\", \"single-socket\"]\n\
        platform-features = [\"ecc\"]\nminimum-abi = [1, 55]\n\
        minimum-firmware = [1, 55, 40]\nminimum-guest-svn = 3\nmitigations = 3";
    assert!(Policy::parse(&policy(lines)).is_ok());
}

/// The specification spells each choice as the file does.
#[test]
fn every_choice_of_the_specification_is_read() {
    for line in include_str!("../../../../spec/policy.md").lines() {
        let key = line.trim_start_matches("| `").split('`').next();
        if !matches!(key, Some("guest-restrictions" | "platform-features")) {
            continue;
        }
        let key = key.unwrap();
        let cell = line.split('|').nth(2).unwrap();
        let choices: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(choices.len() >= 5, "{key}");
        for choice in choices {
            let lines = format!("{key} = [\"{choice}\"]");
            assert!(Policy::parse(&policy(&lines)).is_ok(), "{lines}");
        }
    }
}

#[test]
fn an_overlong_policy_is_refused_before_it_is_read() {
    let got = Policy::MAX_LEN.saturating_add(1);
    let error = Policy::parse(&"#".repeat(got)).unwrap_err();
    assert_eq!(error, PolicyError::TooLong { got });
}

#[test]
fn a_policy_of_64_kibibytes_is_read() {
    let mut text = policy("");
    text.push_str("\n#");
    text.push_str(&"x".repeat(64 * 1024 - text.len()));
    assert_eq!(text.len(), Policy::MAX_LEN);
    assert!(Policy::parse(&text).is_ok());
}

#[test]
fn an_error_names_the_line() {
    let error = Policy::parse("version = 1\nname = 2\n").unwrap_err();
    let line = match error {
        PolicyError::Syntax { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(line, Some(2));
}

#[test]
fn the_example_of_the_specification_is_a_policy() {
    let text = include_str!("../../../../spec/policy.md");
    let example = text.split("```toml\n").nth(1).unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let parsed = Policy::parse(example).unwrap();
    assert!(!parsed.measurements.is_empty());
}

#[test]
fn the_specification_names_every_rule_that_can_be_loosened() {
    let text = include_str!("../../../../spec/policy.md");
    for (rule, _) in loosenings() {
        assert!(text.contains(&format!("| `{rule}` |")), "{rule}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_the_parser(text: String) {
        let _ = Policy::parse(&text);
    }

    #[test]
    fn no_change_of_a_policy_panics(at in any::<proptest::sample::Index>(), c: char) {
        let mut text: Vec<char> = policy("vmpl = 0").chars().collect();
        let at = at.index(text.len());
        text[at] = c;
        let _ = Policy::parse(&text.into_iter().collect::<String>());
    }
}

const SMALLEST: &str = "version = 1\nname = \"smallest\"\nplatforms = [\"sev-snp\"]\n";

fn digest() -> Sha256Digest {
    Sha256Digest::of(b"reference")
}

fn floor(part: &str, bootloader: u8, tee: u8, snp: u8, microcode: u8) -> String {
    format!(
        "[[sev-snp.tcb-floors]]\npart = \"{part}\"\nas-of = \"2026-01-01\"\n\
         bootloader = {bootloader}\ntee = {tee}\nsnp = {snp}\nmicrocode = {microcode}\n"
    )
}

fn loosenings() -> Vec<(WeakenedRule, String)> {
    vec![
        (
            WeakenedRule::AliasCheck,
            "require-alias-check = false\n".into(),
        ),
        (WeakenedRule::Cxl, "allow-cxl = true\n".into()),
        (
            WeakenedRule::ProductMilan,
            "products = [\"milan\", \"genoa\"]\n".into(),
        ),
        (
            WeakenedRule::ProvisionalFirmware,
            "allow-provisional-firmware = true\n".into(),
        ),
        (
            WeakenedRule::StaleRevocation,
            "revocation = \"stale-tolerated\"\n".into(),
        ),
        (WeakenedRule::TcbFloor, floor("genoa", 0, 0, 0, 0)),
        (WeakenedRule::Vmpl, "vmpl = 1\n".into()),
    ]
}
