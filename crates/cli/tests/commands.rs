//! The commands that need no service.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::format_collect,
    clippy::format_push_string,
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
fn every_command_explains_itself_with_an_example() {
    let home = Home::new();
    let help = home.run(&["--help"]);
    assert_eq!(help.exit, Some(0));
    let commands = help
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1);
    let commands: Vec<_> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        let help = home.run(&[command, "--help"]);
        assert_eq!(help.exit, Some(0), "{command}");
        let (_, example) = help
            .stdout
            .split_once("\nExample:\n")
            .unwrap_or_else(|| panic!("{command} has no example"));
        assert!(
            example.contains(&format!("subrosa {command}")),
            "{command}: {example}"
        );
    }
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let outcome = Home::new().run(&["doctor", "--lucky"]);
    assert_eq!(outcome.exit, Some(2));
    assert!(outcome.stdout.is_empty());
}

#[test]
fn an_unknown_configuration_key_names_its_line_and_the_next_step() {
    let home = Home::new();
    home.write(
        ".config/subrosa/config.toml",
        "profile = \"strict\"\nskip-verification = true\n",
    );
    home.run(&["config"])
        .matches("unknown-configuration-key", &[]);
}

#[test]
fn a_flag_comes_before_the_file_and_the_file_before_the_default() {
    let home = Home::new();
    home.write(
        ".config/subrosa/config.toml",
        "profile = \"strict\"\nurl = \"https://file.example\"\n",
    );
    home.run(&["config", "--url", "https://flag.example"])
        .matches("config-origins", &[]);
}

#[test]
fn no_setting_is_taken_from_the_environment() {
    let home = Home::new();
    let mut command = home.command(&["config", "--json"]);
    for name in [
        "URL",
        "POLICY",
        "PROFILE",
        "LISTEN",
        "DEVELOPMENT_ROOT",
        "BEARER_FILE",
    ] {
        command
            .env(format!("SUBROSA_{name}"), "strict")
            .env(name, "strict");
    }
    let outcome = support::Outcome::of(command.output().unwrap(), home.path());
    for (name, setting) in outcome.json()["settings"].as_object().unwrap() {
        assert_eq!(setting["origin"], "default", "{name}");
    }
}

#[test]
fn folders_follow_xdg_and_relative_ones_are_ignored() {
    let home = Home::new();
    let mut command = home.command(&["config", "--json"]);
    command
        .env("XDG_STATE_HOME", "/elsewhere/state")
        .env("XDG_DATA_HOME", "relative");
    let outcome = support::Outcome::of(command.output().unwrap(), home.path());
    let folders = &outcome.json()["folders"];
    assert_eq!(folders["state"]["path"], "/elsewhere/state/subrosa");
    assert_eq!(folders["state"]["origin"], "environment");
    assert_eq!(folders["data"]["origin"], "default");
}

#[test]
fn config_path_is_one_line_of_data() {
    let home = Home::new();
    let outcome = home.run(&["config", "--path"]);
    assert_eq!(
        outcome.stdout,
        format!("{}/.config/subrosa/config.toml\n", home.path().display())
    );
    assert_eq!(outcome.stderr, "");
}

#[test]
fn doctor_gives_one_row_for_each_thing_it_looked_at() {
    let outcome = Home::new().run(&["doctor", "--json"]);
    let rows = outcome.json();
    let names: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    for name in [
        "C library",
        "subrosa-enclave",
        "confidential VM",
        "TPM",
        "Landlock",
        "seccomp",
        "disk",
        "clock",
    ] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}

/// `getconf` is what says which C library this is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn an_old_c_library_is_named_by_doctor_with_the_next_step() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let getconf = home.write("bin/getconf", "#!/bin/sh\necho glibc 2.12\n");
    std::fs::set_permissions(&getconf, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = home.command(&["doctor"]);
    command.env(
        "PATH",
        format!("{}:/usr/bin:/bin", home.path().join("bin").display()),
    );
    let mut outcome = support::Outcome::of(command.output().unwrap(), home.path());
    let rows = outcome
        .stdout
        .lines()
        .skip_while(|line| !line.contains("C library"))
        .take(2);
    outcome.stdout = rows.map(|line| format!("{line}\n")).collect();
    outcome.matches("old-glibc", &[]);
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let outcome = Home::new().run(&["completions", shell]);
        assert_eq!(outcome.exit, Some(0));
        assert!(outcome.stdout.contains("subrosa"), "{shell}");
    }
}

/// `/dev/full` takes no byte: the disk is full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_an_error_with_the_next_step() {
    let home = Home::new();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = home
        .command(&["config", "--path"])
        .stdout(full)
        .output()
        .unwrap();
    support::Outcome::of(output, home.path()).matches("disk-full-stdout", &[]);
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_gone_is_no_error_to_speak_of() {
    let home = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = home
        .command(&["config", "--path"])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn errors_are_json_too_when_asked() {
    let home = Home::new();
    home.write(".config/subrosa/config.toml", "x = 1");
    let outcome = home.run(&["config", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!(error["exit"], 2);
    assert!(error["hint"].is_string());
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_file_name_from_outside_cannot_write_escape_sequences() {
    let outcome = Home::new().run(&["config", "--settings", "\u{1b}[2Jno\u{202e}such"]);
    assert_eq!(outcome.exit, Some(1));
    assert!(outcome.stderr.contains("␛[2J"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn a_receipt_of_a_newer_version_is_refused_with_a_hint() {
    let home = Home::new();
    for (text, hint) in [
        (r#"{"version":2,"more":[]}"#, "update this program"),
        (
            r#"{"version":1,"more":[]}"#,
            "is not a receipt, or was changed",
        ),
        ("{}", "is not a receipt, or was changed"),
    ] {
        home.write("receipt.json", text);
        let outcome = home.run(&["receipt", "show", "receipt.json"]);
        assert_eq!(outcome.exit, Some(1), "{outcome:#?}");
        assert!(outcome.stderr.contains(hint), "{outcome:#?}");
    }
}
