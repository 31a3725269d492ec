//! Programs that verify recorded evidence and say how long that took.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::Failed;

/// A program that verifies what it is asked to.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts the program.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self, Failed> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("a worker has no input")?;
        let output = child.stdout.take().ok_or("a worker has no output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Mean milliseconds of one of `cases`, each verified `times` times, and how
    /// many of them were accepted.
    ///
    /// # Errors
    ///
    /// When the program ended or answered something else.
    pub fn ask(
        &mut self,
        verifier: &str,
        times: u32,
        cases: &[String],
    ) -> Result<(f64, usize), Failed> {
        writeln!(self.input, "{verifier} {times} {}", cases.join(" "))?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer = line.trim().split_once(' ');
        let (nanoseconds, accepted) = answer.ok_or("a worker ended without an answer")?;
        Ok((nanoseconds.parse::<f64>()? / 1e6, accepted.parse()?))
    }

    /// Those of `cases` that `verifier` accepts.
    ///
    /// # Errors
    ///
    /// As [`Worker::ask`].
    pub fn accepted(&mut self, verifier: &str, cases: &[String]) -> Result<Vec<String>, Failed> {
        let mut accepted = Vec::new();
        for case in cases {
            if self.ask(verifier, 1, core::slice::from_ref(case))?.1 == 1 {
                accepted.push(case.clone());
            }
        }
        Ok(accepted)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The cases in the folder `platform` of `evidence` that are labelled as good and
/// that no synthetic root signed, as `platform/case`.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn good_cases(evidence: &Path, platform: &str) -> Result<Vec<String>, Failed> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(evidence.join(platform))? {
        let folder = entry?.path();
        let Ok(description) = std::fs::read(folder.join("case.json")) else {
            continue;
        };
        let description: Value = serde_json::from_slice(&description)?;
        let kind = description.pointer("/kind").and_then(Value::as_str);
        let verdict = description
            .pointer("/expected/verdict")
            .and_then(Value::as_str);
        let is_synthetic = kind.is_none_or(|kind| kind.ends_with("-synthetic"));
        if let Some(name) = folder.file_name().and_then(|name| name.to_str())
            && verdict == Some("accept")
            && !is_synthetic
        {
            names.push(format!("{platform}/{name}"));
        }
    }
    names.sort();
    Ok(names)
}
