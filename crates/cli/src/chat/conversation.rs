//! The turns of a conversation, and the request that continues it.

use serde::Serialize;
use serde_json::json;
use subrosa_api::request::ConversationKey;

use crate::failure::{Exit, Failure};

/// What was said so far. It lives in memory only.
pub(crate) struct Conversation {
    turns: Vec<Turn>,
    key: ConversationKey,
}

/// One message.
#[derive(Serialize)]
pub(crate) struct Turn {
    role: Role,
    content: String,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Assistant,
    User,
}

impl Conversation {
    /// An empty conversation with a secret of its own.
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| {
            Failure::new(Exit::Failed, "this system gives no random numbers").because(&error)
        })?;
        Ok(Self {
            turns: Vec::new(),
            key: ConversationKey::new(secret),
        })
    }

    /// Under which the service may keep this conversation's state, and no other's.
    pub(crate) fn key(&self) -> &ConversationKey {
        &self.key
    }

    /// Adds what the person asks.
    pub(crate) fn ask(&mut self, content: &str) {
        self.push(Role::User, content);
    }

    /// Adds a whole answer.
    pub(crate) fn answer(&mut self, content: &str) {
        self.push(Role::Assistant, content);
    }

    /// Takes back a question that got no whole answer, so that the next request
    /// does not send a cut one as history.
    pub(crate) fn take_back(&mut self) {
        let _question = self.turns.pop();
    }

    /// The two messages that were added last, for a transcript.
    pub(crate) fn last_exchange(&self) -> &[Turn] {
        let from = self.turns.len().saturating_sub(2);
        self.turns.get(from..).unwrap_or_default()
    }

    /// The body of a streamed chat completion that continues the conversation.
    pub(crate) fn request(&self, model: &str) -> Vec<u8> {
        let body = json!({
            "model": model,
            "messages": self.turns,
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        body.to_string().into_bytes()
    }

    fn push(&mut self, role: Role, content: &str) {
        self.turns.push(Turn {
            role,
            content: content.to_owned(),
        });
    }
}

/// A line that starts with a slash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SlashCommand {
    Help,
    New,
    Quit,
    Receipt,
    Verify,
}

impl SlashCommand {
    /// Reads a line: `None` for an ordinary one, an error for an unknown command.
    pub(crate) fn parse(line: &str) -> Option<Result<Self, String>> {
        let name = line.trim().strip_prefix('/')?;
        // A path or a double slash is text.
        if name.contains('/') || name.contains(char::is_whitespace) {
            return None;
        }
        Some(match name {
            "help" | "?" => Ok(Self::Help),
            "new" => Ok(Self::New),
            "quit" | "exit" => Ok(Self::Quit),
            "receipt" => Ok(Self::Receipt),
            "verify" => Ok(Self::Verify),
            other => Err(format!("/{other} is not a command; /help lists them")),
        })
    }
}

/// What `/help` prints.
pub(crate) const HELP: &str = "\
/new      start a new conversation; the old one is forgotten
/verify   show what was checked about the service, and what that does not prove
/receipt  show the receipt of the last answer
/help     this list
/quit     leave (also Ctrl-D)
Ctrl-C stops an answer, not the program.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_without_a_whole_answer_is_not_sent_again() {
        let mut conversation = Conversation::new().unwrap();
        conversation.ask("one");
        conversation.answer("1");
        conversation.ask("two");
        conversation.take_back();
        let body: serde_json::Value = serde_json::from_slice(&conversation.request("m")).unwrap();
        assert_eq!(body["messages"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn only_known_words_after_a_slash_are_commands() {
        assert_eq!(SlashCommand::parse("/quit "), Some(Ok(SlashCommand::Quit)));
        assert_eq!(SlashCommand::parse("hello"), None);
        assert_eq!(SlashCommand::parse("/etc/passwd says"), None);
        assert_eq!(SlashCommand::parse("/ is a slash"), None);
        assert!(matches!(SlashCommand::parse("/quiet"), Some(Err(_))));
    }
}
