//! What goes wrong the first time, each with its next step.
#![cfg(unix)]
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

use std::time::{Duration, Instant};

use support::{Home, Outcome};

#[test]
fn a_missing_enclave_program_names_how_to_build_it() {
    run(None, &["try"]).matches("missing-enclave", &[]);
    assert_eq!(run(None, &["serve", "--development"]).exit, Some(1));
}

#[test]
fn a_missing_model_names_how_to_get_one() {
    run(Some("exit 1"), &["try", "--model", "absent.gguf"]).matches("missing-model", &[]);
}

#[test]
fn an_enclave_built_for_a_newer_c_library_is_explained() {
    let script =
        "echo \"subrosa-enclave: /lib/libc.so.6: version \\`GLIBC_2.99' not found\" >&2; exit 1";
    run(Some(script), &["serve", "--development"]).matches("enclave-old-glibc", ROOT_WAS_MADE);
}

#[test]
fn an_enclave_that_stops_shows_its_last_words() {
    let script = "echo 'one' >&2; echo 'error: no memory' >&2; exit 1";
    run(Some(script), &["serve", "--development"]).matches("enclave-stops", ROOT_WAS_MADE);
}

#[test]
fn an_enclave_that_says_something_else_is_not_trusted() {
    let outcome = run(Some("echo hello; sleep 60"), &["serve", "--development"]);
    assert_eq!(outcome.exit, Some(1));
    assert!(
        outcome
            .stderr
            .contains("its first line is not what was expected"),
        "{outcome:?}"
    );
}

#[test]
fn the_service_gets_nothing_from_the_environment() {
    let home = Home::new();
    let mut command = home.command_beside(Some("env >&2; exit 1"), &["serve", "--development"]);
    command.env("SECRET_OF_THE_SHELL", "1");
    assert!(!command.output().unwrap().status.success());
    let log =
        std::fs::read_to_string(home.path().join(".local/state/subrosa/try/service.log")).unwrap();
    assert!(log.contains("PWD="), "{log}");
    assert!(
        !log.contains("SECRET_OF_THE_SHELL") && !log.contains("HOME="),
        "{log}"
    );
}

#[test]
fn a_service_that_runs_is_stopped_with_the_program() {
    use std::io::BufRead;
    let home = Home::new();
    let script =
        "echo $$ > pid; echo '{\"listening\":\"127.0.0.1:9\",\"key_id\":\"00\"}'; exec sleep 600";
    let mut child = home
        .command_beside(Some(script), &["serve", "--development"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(
        line.starts_with("subrosa chat --url http://127.0.0.1:9 --policy "),
        "{line}"
    );
    let pid: i32 = std::fs::read_to_string(home.path().join("pid"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    terminate(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    wait_until("the service is gone", || {
        !std::path::Path::new(&format!("/proc/{pid}")).exists()
    });
}

#[test]
fn serve_hands_over_to_the_enclave_program() {
    let home = Home::new();
    home.write("service.toml", "");
    let mut command = home.command_beside(
        Some("echo \"$@\"; exit 5"),
        &["serve", "--config", "service.toml"],
    );
    let outcome = Outcome::of(command.output().unwrap(), home.path());
    assert_eq!(outcome.stdout, "--config service.toml\n");
    assert_eq!(outcome.exit, Some(5));
    let absent = home
        .command_beside(None, &["serve", "--config", "absent.toml"])
        .output()
        .unwrap();
    assert_eq!(absent.status.code(), Some(2));
}

#[test]
fn state_is_private_to_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.command_beside(
        Some("exit 1"),
        &["serve", "--development", "--engine", "echo"],
    )
    .output()
    .unwrap();
    let state = home.path().join(".local/state/subrosa/try");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let files: Vec<_> = std::fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn the_root_is_made_once_and_the_files_say_the_same_again() {
    let home = Home::new();
    let run = || {
        home.command_beside(
            Some("exit 1"),
            &["serve", "--development", "--engine", "echo"],
        )
        .output()
        .unwrap();
        let state = home.path().join(".local/state/subrosa/try");
        let mut files: Vec<_> = std::fs::read_dir(state)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
            .into_iter()
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_damaged_root_is_an_error_with_the_next_step() {
    let home = Home::new();
    home.write(".local/state/subrosa/try/root-secret.json", "{}");
    let output = home
        .command_beside(Some("exit 1"), &["serve", "--development"])
        .output()
        .unwrap();
    Outcome::of(output, home.path()).matches("damaged-root", &[]);
}

/// A real full disk, where this system lets a user mount a tiny one.
#[test]
fn a_full_disk_is_an_error_with_the_next_step() {
    let home = Home::new();
    let disk = home.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=16k tmpfs disk && exec program/subrosa serve --development --engine echo";
    home.command_beside(Some("exit 1"), &[]);
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .env_clear()
        .env("HOME", home.path())
        .env("XDG_STATE_HOME", &disk)
        .env("PATH", "/usr/bin:/bin")
        .current_dir(home.path())
        .output();
    match output {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("unshare:") => {
            // 16 KiB hold the folders and not all files.
            Outcome::of(output, home.path()).matches("disk-full", &[]);
        }
        _ => eprintln!("skipped: this system lets no user mount a file system"),
    }
}

fn run(enclave: Option<&str>, arguments: &[&str]) -> Outcome {
    let home = Home::new();
    Outcome::of(
        home.command_beside(enclave, arguments).output().unwrap(),
        home.path(),
    )
}

fn terminate(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "not within 10 s: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

const ROOT_WAS_MADE: &[(&str, &str)] = &[];
