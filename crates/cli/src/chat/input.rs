//! What a person types, or what another program sends.

use std::io::{self, IsTerminal, Read};

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// One line of a person.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// Ctrl-D: leave.
    End,
    /// Ctrl-C: forget the line.
    Interrupted,
    Text(String),
}

/// A line editor. What is typed stays in memory, and leaves it with the program.
pub(crate) struct Lines {
    editor: Editor<(), MemHistory>,
}

impl Lines {
    pub(crate) fn new() -> Result<Self, Failure> {
        let config = Config::builder().bracketed_paste(true).build();
        let editor =
            Editor::with_history(config, MemHistory::new()).map_err(|error| no_terminal(&error))?;
        Ok(Self { editor })
    }

    /// Reads a line. It blocks.
    pub(crate) fn read(&mut self, prompt: &str) -> Result<Line, Failure> {
        match self.editor.readline(prompt) {
            Ok(line) if line.len() > MAX_PROMPT => Err(too_long()),
            Ok(line) => {
                let _kept_in_memory = self.editor.add_history_entry(&line);
                Ok(Line::Text(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(no_terminal(&error)),
        }
    }
}

/// The one prompt on stdin, unless a person sits in front of this program.
pub(crate) fn prompt_from_stdin(printer: &Printer) -> Result<Option<String>, Failure> {
    let typed = io::stdin().is_terminal();
    if typed && io::stdout().is_terminal() && !printer.is_json() {
        return Ok(None);
    }
    if typed {
        printer.say("type one prompt and end it with Ctrl-D");
    }
    read_prompt().map(Some)
}

/// Everything on stdin, as one prompt.
fn read_prompt() -> Result<String, Failure> {
    let limit = u64::try_from(MAX_PROMPT).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    io::stdin()
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| {
            Failure::new(Exit::Failed, "cannot read the prompt from standard input").because(&error)
        })?;
    if bytes.len() > MAX_PROMPT {
        return Err(too_long());
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            Exit::Usage,
            "the prompt on standard input is not UTF-8 text",
        )
        .hint("convert it first, for instance with iconv")
    })?;
    let prompt = text.trim_end_matches(['\n', '\r']);
    if prompt.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "there is no prompt on standard input")
            .hint("send one: echo 'Hello, who are you?' | subrosa chat …; or start it from a terminal"));
    }
    Ok(prompt.to_owned())
}

fn too_long() -> Failure {
    Failure::new(
        Exit::Usage,
        format!("the prompt is longer than {MAX_PROMPT} bytes"),
    )
    .hint("send a shorter one; a service has its own, often smaller, limit")
}

fn no_terminal(error: &ReadlineError) -> Failure {
    Failure::new(Exit::Failed, "cannot read from this terminal")
        .because(error)
        .hint("send the prompt on standard input instead: echo 'Hello' | subrosa …")
}

/// Longest prompt, in bytes.
const MAX_PROMPT: usize = 256 * 1024;
