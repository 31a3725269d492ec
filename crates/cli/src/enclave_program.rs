//! Where the program `subrosa-enclave` is, and whether it starts.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Exit, Failure};

/// Finds it next to this program, else on the PATH.
pub(crate) fn find() -> Result<PathBuf, Failure> {
    let name = format!("subrosa-enclave{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe()
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned));
    let path = env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(env::split_paths(&path).filter(|folder| folder.is_absolute()))
        .map(|folder| folder.join(&name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            Failure::new(Exit::Failed, "the program subrosa-enclave is not there")
                .cause("it is looked for next to this program, then on the PATH")
                .hint(BUILD)
        })
}

/// Runs `subrosa-enclave --version`.
pub(crate) fn version(program: &Path) -> Result<String, Failure> {
    let failed = || {
        Failure::new(
            Exit::Failed,
            format!("{} does not start", program.display()),
        )
    };
    let output = Command::new(program)
        .arg("--version")
        .output()
        .map_err(|error| failed().because(&error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let talk = String::from_utf8_lossy(&output.stderr);
    Err(explain_start(failed(), &talk))
}

/// Adds to `failure` why the program did not start, as far as its last words tell.
pub(crate) fn explain_start(failure: Failure, talk: &str) -> Failure {
    let is_word = |line: &&str| !line.trim().is_empty() && !line.starts_with('{');
    let words: Vec<_> = talk.lines().filter(is_word).collect();
    let last = words.len().saturating_sub(LAST_LINES);
    let mut failure = failure;
    for line in words.iter().skip(last) {
        failure = match line.strip_prefix("hint: ") {
            Some(hint) => failure.hint(hint),
            None => failure.cause(line.strip_prefix("error: ").unwrap_or(line)),
        };
    }
    match needed_glibc(talk) {
        Some(version) => failure.hint(format!(
            "this system's C library is older than {version}, for which subrosa-enclave was built: build it here \
             (make try), or use a newer system"
        )),
        None => failure,
    }
}

/// The version in the dynamic linker's ``version `GLIBC_2.38' not found``.
fn needed_glibc(talk: &str) -> Option<String> {
    let (_, rest) = talk.split_once("`GLIBC_")?;
    let (version, _) = rest.split_once('\'')?;
    rest.contains("not found")
        .then(|| format!("glibc {version}"))
}

const BUILD: &str = "in a checkout of the source, run: make try (or: cargo build -p subrosa-enclave --features development)";
const LAST_LINES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_c_library_is_named_with_the_next_step() {
        let talk = "subrosa-enclave: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by subrosa-enclave)";
        let failure = explain_start(Failure::new(Exit::Failed, "does not start"), talk);
        assert!(
            failure
                .next_step()
                .unwrap()
                .contains("older than glibc 2.38")
        );
    }

    #[test]
    fn other_last_words_are_shown_without_a_guess() {
        let failure = explain_start(
            Failure::new(Exit::Failed, "does not start"),
            "{}\none\n\nerror: two\n",
        );
        assert_eq!(failure.causes(), ["one", "two"]);
        assert_eq!(failure.next_step(), None);
    }

    #[test]
    fn a_hint_of_the_program_is_passed_on() {
        let failure = explain_start(
            Failure::new(Exit::Failed, "does not start"),
            "error: a\n\nhint: b\n",
        );
        assert_eq!(failure.causes(), ["a"]);
        assert_eq!(failure.next_step(), Some("b"));
    }
}
