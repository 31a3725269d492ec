//! A private chat in the terminal, and one question from another program.

mod conversation;
mod input;
mod session;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tokio::runtime::Runtime;

pub(crate) use input::prompt_from_stdin;
pub(crate) use session::{Session, SessionOptions, client, config, history};

use conversation::{Conversation, HELP, SlashCommand};
use input::{Line, Lines};
use session::{Finished, Piece};

use crate::failure::{Exit, Failure};
use crate::printer::{Printer, Tone};
use crate::signals;

/// A verified service to talk to, and where things are kept.
pub(crate) struct Chat<'a> {
    pub(crate) session: Session,
    pub(crate) model: String,
    /// Where receipts are kept.
    pub(crate) receipts: PathBuf,
    /// Where the text is kept, if that was asked for.
    pub(crate) transcript: Option<PathBuf>,
    /// Whether the network shall not see where the last answer ends.
    pub(crate) hide_end: bool,
    pub(crate) printer: &'a Printer,
    pub(crate) runtime: &'a Runtime,
}

/// Whether text is kept.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TranscriptFlags {
    /// Add questions and answers to this file, one JSON document on a line
    ///
    /// The receipts then hold the text too, so that `subrosa receipt check` can compare it with them.
    /// Without this flag no text is ever written to a disk.
    #[arg(long, value_name = "FILE")]
    pub(crate) keep_transcript: Option<PathBuf>,
}

/// What came of a question.
enum Outcome {
    Stopped,
    Whole(Box<Answer>),
}

/// A whole answer with its receipt.
struct Answer {
    text: String,
    /// The model stopped because it reached the most tokens it may write.
    length_reached: bool,
    finished: Finished,
    receipt: PathBuf,
}

impl Chat<'_> {
    /// Asks one thing, prints the answer, the verdict and the receipt; returns the
    /// receipt's id.
    pub(crate) fn once(&self, prompt: &str) -> Result<String, Failure> {
        let mut conversation = Conversation::new()?;
        conversation.ask(prompt);
        let json = self.printer.is_json();
        let show = |piece: &str| {
            if json {
                Ok(())
            } else {
                self.printer.piece(piece)
            }
        };
        match self.answer(&mut conversation, show)? {
            Outcome::Stopped => Err(Failure::new(Exit::Failed, "the answer was stopped")),
            Outcome::Whole(answer) => {
                self.show_end(&answer)?;
                if self.hide_end {
                    self.runtime.block_on(self.session.drain());
                }
                Ok(answer.finished.receipt_id())
            }
        }
    }

    /// Talks with a person until they leave.
    pub(crate) fn talk(&self) -> Result<Exit, Failure> {
        self.printer
            .say("/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves");
        let mut lines = Lines::new()?;
        let mut conversation = Conversation::new()?;
        let mut last = None;
        loop {
            match lines.read(&self.prompt())? {
                Line::End => return Ok(Exit::Done),
                Line::Interrupted => self.printer.say("Ctrl-D leaves"),
                Line::Text(line) if line.trim().is_empty() => {}
                Line::Text(line) => match SlashCommand::parse(&line) {
                    Some(Ok(SlashCommand::Quit)) => return Ok(Exit::Done),
                    Some(Ok(SlashCommand::New)) => {
                        conversation = Conversation::new()?;
                        self.printer
                            .say("a new conversation; the old one is forgotten");
                    }
                    Some(Ok(command)) => self.obey(command, last.as_deref())?,
                    Some(Err(unknown)) => self.printer.say(unknown),
                    None => last = self.turn(&mut conversation, &line)?.or(last),
                },
            }
        }
    }

    /// One question of a person, and its answer.
    fn turn(
        &self,
        conversation: &mut Conversation,
        line: &str,
    ) -> Result<Option<Box<Answer>>, Failure> {
        conversation.ask(line);
        let outcome = self.answer(conversation, |piece| self.printer.piece(piece));
        match outcome {
            Ok(Outcome::Whole(answer)) => {
                self.printer.line("")?;
                self.say_length(&answer);
                self.printer.detail(receipt_line(&answer));
                Ok(Some(answer))
            }
            Ok(Outcome::Stopped) => {
                self.printer.line("")?;
                self.printer
                    .say("stopped; question and answer are not part of the conversation");
                conversation.take_back();
                Ok(None)
            }
            // Nothing more may be sent to a service that is refused.
            Err(failure) if failure.exit() == Exit::Refused => Err(failure),
            Err(failure) => {
                self.printer.line("")?;
                self.printer.failure(&failure);
                conversation.take_back();
                Ok(None)
            }
        }
    }

    /// Sends the conversation and shows the answer as it comes.
    fn answer(
        &self,
        conversation: &mut Conversation,
        mut show: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<Outcome, Failure> {
        let body = conversation.request(&self.model);
        let streamed = self.runtime.block_on(async {
            let (mut text, mut length_reached) = (String::new(), false);
            tokio::select! {
                stopped = signals::interrupt() => stopped.map(|()| None),
                finished = async {
                    let mut answering = self.session.ask(body, conversation.key(), self.transcript.is_some()).await?;
                    while let Some(piece) = answering.next().await? {
                        match piece {
                            Piece::Text(piece) => {
                                text.push_str(&piece);
                                show(&piece)?;
                            }
                            Piece::LengthReached => length_reached = true,
                        }
                    }
                    answering.finish()
                } => finished.map(|finished| Some((text, length_reached, finished))),
            }
        })?;
        let Some((text, length_reached, finished)) = streamed else {
            return Ok(Outcome::Stopped);
        };
        conversation.answer(&text);
        let receipt = finished.save(&self.receipts)?;
        self.keep(conversation)?;
        Ok(Outcome::Whole(Box::new(Answer {
            text,
            length_reached,
            finished,
            receipt,
        })))
    }

    /// What follows an answer to another program.
    fn show_end(&self, answer: &Answer) -> Result<(), Failure> {
        if self.printer.is_json() {
            return self.print_json(answer);
        }
        self.printer.line("")?;
        self.say_length(answer);
        self.printer.line(&answer.finished.verdict_line)?;
        self.printer.line(receipt_line(answer))
    }

    fn say_length(&self, answer: &Answer) {
        if answer.length_reached {
            self.printer
                .say("the answer ends here because it reached its longest length");
        }
    }

    fn obey(&self, command: SlashCommand, last: Option<&Answer>) -> Result<(), Failure> {
        match (command, last) {
            (SlashCommand::Verify, _) => self.session.print_appraisal(self.printer),
            (SlashCommand::Receipt, Some(answer)) => {
                self.printer.line(receipt_line(answer))?;
                self.printer.line(&answer.finished.verdict_line)
            }
            (SlashCommand::Receipt, None) => {
                self.printer.say("there is no answer yet");
                Ok(())
            }
            _ => self.printer.line(HELP),
        }
    }

    /// Adds the last exchange to the transcript, if one was asked for.
    fn keep(&self, conversation: &Conversation) -> Result<(), Failure> {
        let Some(path) = &self.transcript else {
            return Ok(());
        };
        append(path, conversation).map_err(|error| Failure::file("write", path, &error))
    }

    fn prompt(&self) -> String {
        let verdict = self.session.verdict_class();
        let tone = if self.session.is_protected() {
            Tone::Good
        } else {
            Tone::Careful
        };
        format!("{} > ", self.printer.out_tone(tone, verdict))
    }

    fn print_json(&self, answer: &Answer) -> Result<(), Failure> {
        self.printer.json(&json!({
            "answer": answer.text,
            "model": self.model,
            "length_reached": answer.length_reached,
            "verdict": answer.finished.verdict_line,
            "receipt": { "id": answer.finished.receipt_id(), "path": answer.receipt },
        }))
    }
}

fn receipt_line(answer: &Answer) -> String {
    format!(
        "receipt: {} saved to {}",
        answer.finished.receipt_id(),
        answer.receipt.display()
    )
}

fn append(path: &Path, conversation: &Conversation) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    for turn in conversation.last_exchange() {
        serde_json::to_writer(&mut file, turn)?;
        file.write_all(b"\n")?;
    }
    file.sync_all()
}
