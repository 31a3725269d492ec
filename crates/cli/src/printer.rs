//! The only way out: stdout carries data, stderr carries talk.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::arguments::OutputFlags;
use crate::failure::{Exit, Failure};
use crate::terminal::{harmless, harmless_json, one_line};

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verbosity {
    Quiet,
    Default,
    Verbose,
}

/// The outcome of one check, as a row shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mark {
    /// Checked and right.
    Passed,
    /// Checked and wrong.
    Failed,
    /// Not checked, or not there.
    Gap,
}

/// What a text means; colour follows meaning and never replaces it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tone {
    Bad,
    Careful,
    Faint,
    Good,
    Strong,
}

/// Prints everything this program prints.
pub(crate) struct Printer {
    verbosity: Verbosity,
    json: bool,
    colour_out: bool,
    colour_talk: bool,
    out: Mutex<Box<dyn Write + Send>>,
    talk: Mutex<Box<dyn Write + Send>>,
}

impl Printer {
    pub(crate) fn new(flags: &OutputFlags) -> Self {
        let verbosity = match (flags.quiet, flags.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Default,
            (false, _) => Verbosity::Verbose,
        };
        // https://no-color.org: any value but the empty one counts.
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            verbosity,
            json: flags.json,
            colour_out: colour && io::stdout().is_terminal(),
            colour_talk: colour && io::stderr().is_terminal(),
            out: Mutex::new(Box::new(io::stdout())),
            talk: Mutex::new(Box::new(io::stderr())),
        }
    }

    /// One that prints nothing, for tests.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self {
            verbosity: Verbosity::Quiet,
            json: false,
            colour_out: false,
            colour_talk: false,
            out: Mutex::new(Box::new(io::sink())),
            talk: Mutex::new(Box::new(io::sink())),
        }
    }

    /// Whether the output is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether more was asked for.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity >= Verbosity::Verbose
    }

    /// Whether talk is wanted, and goes to somebody who looks: then progress may move.
    pub(crate) fn is_watched(&self) -> bool {
        self.verbosity > Verbosity::Quiet && !self.json && io::stderr().is_terminal()
    }

    /// One line of data.
    pub(crate) fn line(&self, text: impl Display) -> Result<(), Failure> {
        self.data(&format!("{}\n", harmless(&text.to_string())))
    }

    /// A piece of data as it arrives, without a line feed.
    pub(crate) fn piece(&self, text: &str) -> Result<(), Failure> {
        self.data(&harmless(text))
    }

    /// One JSON document on one line.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string(value)
            .map_err(|error| Failure::new(Exit::Failed, "cannot write JSON").because(&error))?;
        self.data(&format!("{}\n", harmless_json(&json)))
    }

    /// Bytes that are not text for a person, such as a completion script.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|error| Failure::output(&error))
    }

    /// One row of a list of checks, as data.
    pub(crate) fn row(&self, mark: Mark, name: &str, words: &str) -> Result<(), Failure> {
        let (sign, tone) = match mark {
            Mark::Passed => ("✓", Tone::Good),
            Mark::Failed => ("✗", Tone::Bad),
            Mark::Gap => ("–", Tone::Careful),
        };
        let name = one_line(name);
        self.data(&format!(
            "{} {name:<NAME_WIDTH$} {}\n",
            self.out_tone(tone, sign),
            one_line(words)
        ))
    }

    /// A line of talk: what is being done and how long it takes.
    pub(crate) fn say(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Default {
            self.talk(&format!("{}\n", harmless(&text.to_string())));
        }
    }

    /// A line of talk for those who asked for more.
    pub(crate) fn detail(&self, text: impl Display) {
        if self.verbosity >= Verbosity::Verbose {
            let text = self.talk_tone(Tone::Faint, &harmless(&text.to_string()));
            self.talk(&format!("{text}\n"));
        }
    }

    /// A line that is shown even when little is said: a verdict, a warning.
    pub(crate) fn notice(&self, tone: Tone, text: impl Display) {
        let text = self.talk_tone(tone, &harmless(&text.to_string()));
        self.talk(&format!("{text}\n"));
    }

    /// A failure: `error:` line, causes, blank line, `hint:` line. With `--json`
    /// the same as one document on stdout's sibling, stderr.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let document = serde_json::json!({
                "error": failure.message(),
                "causes": failure.causes(),
                "hint": failure.next_step(),
                "exit": failure.exit().number(),
            });
            self.talk(&format!("{}\n", harmless_json(&document.to_string())));
            return;
        }
        let mut text = format!(
            "{} {}\n",
            self.talk_tone(Tone::Bad, "error:"),
            harmless(failure.message())
        );
        for cause in failure.causes() {
            let _infallible = writeln!(text, "  because: {}", harmless(cause));
        }
        if let Some(hint) = failure.next_step() {
            let label = self.talk_tone(Tone::Strong, "hint:");
            let _infallible = writeln!(text, "\n{label} {}", harmless(hint));
        }
        self.talk(&text);
    }

    /// `text` in the colour of `tone` on stdout, where that shows colours.
    pub(crate) fn out_tone(&self, tone: Tone, text: &str) -> String {
        paint(self.colour_out, tone, text)
    }

    fn talk_tone(&self, tone: Tone, text: &str) -> String {
        paint(self.colour_talk, tone, text)
    }

    fn data(&self, text: &str) -> Result<(), Failure> {
        self.raw(text.as_bytes())
    }

    /// Talk that cannot be written is lost: there is nobody to tell.
    fn talk(&self, text: &str) {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let _lost = talk.write_all(text.as_bytes()).and_then(|()| talk.flush());
    }
}

fn paint(colour: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        _ if !colour => return text.to_owned(),
        Tone::Bad => "1;31",
        Tone::Careful => "33",
        Tone::Faint => "2",
        Tone::Good => "32",
        Tone::Strong => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Columns that the name of a check takes.
const NAME_WIDTH: usize = 24;
