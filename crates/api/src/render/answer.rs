//! An answer put together from its events.

use std::collections::BTreeMap;

use crate::event::{Event, FinishReason, Start, TokenLogprob, Usage};

/// Everything the events of an answer have said.
pub(crate) struct Answer {
    pub(crate) start: Start,
    pub(crate) usage: Usage,
    pub(crate) choices: BTreeMap<u8, Choice>,
}

/// One choice of an answer.
#[derive(Default)]
pub(crate) struct Choice {
    /// Text and calls in the order the model made them.
    pub(crate) items: Vec<Item>,
    /// Of all text.
    pub(crate) logprobs: Vec<TokenLogprob>,
    /// Not yet beside text.
    pub(crate) pending: Vec<TokenLogprob>,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) stop_sequence: Option<String>,
}

/// A piece of a choice that APIs show as one thing.
pub(crate) enum Item {
    Text {
        text: String,
        logprobs: Vec<TokenLogprob>,
    },
    Call {
        id: String,
        name: String,
        arguments: String,
    },
}

impl Answer {
    pub(crate) fn new(start: Start) -> Self {
        Self {
            start,
            usage: Usage::default(),
            choices: BTreeMap::new(),
        }
    }

    /// Adds an event.
    pub(crate) fn push(&mut self, event: &Event) {
        match event {
            Event::TextDelta { choice, .. }
            | Event::Logprobs { choice, .. }
            | Event::ToolCallStart { choice, .. }
            | Event::ToolCallArguments { choice, .. }
            | Event::Finish { choice, .. } => self.choices.entry(*choice).or_default().push(event),
            Event::Usage(usage) => self.usage = *usage,
            Event::Start(_) | Event::Error(_) | Event::End => {}
        }
    }

    /// The only choice of APIs that have one.
    pub(crate) fn first(&self) -> Option<&Choice> {
        self.choices.get(&0)
    }
}

impl Choice {
    /// Adds an event of this choice.
    pub(crate) fn push(&mut self, event: &Event) {
        match event {
            Event::TextDelta { text, .. } => self.push_text(text),
            Event::Logprobs { tokens, .. } => self.pending.extend_from_slice(tokens),
            Event::ToolCallStart { id, name, .. } => self.items.push(Item::Call {
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
            }),
            Event::ToolCallArguments { text, .. } => {
                if let Some(Item::Call { arguments, .. }) = self.items.last_mut() {
                    arguments.push_str(text);
                }
            }
            Event::Finish {
                reason,
                stop_sequence,
                ..
            } => {
                self.finish = Some(*reason);
                self.stop_sequence.clone_from(stop_sequence);
                // Tokens without text of their own, such as those of a stop sequence.
                self.logprobs.append(&mut self.pending);
            }
            Event::Start(_) | Event::Usage(_) | Event::Error(_) | Event::End => {}
        }
    }

    fn push_text(&mut self, delta: &str) {
        self.logprobs.extend_from_slice(&self.pending);
        let mut pending = std::mem::take(&mut self.pending);
        if let Some(Item::Text { text, logprobs }) = self.items.last_mut() {
            text.push_str(delta);
            logprobs.append(&mut pending);
        } else {
            self.items.push(Item::Text {
                text: delta.to_owned(),
                logprobs: pending,
            });
        }
    }

    /// All text, one piece after the other.
    pub(crate) fn text(&self) -> String {
        let texts = self.items.iter().map(|item| match item {
            Item::Text { text, .. } => text.as_str(),
            Item::Call { .. } => "",
        });
        texts.collect()
    }

    /// Whether there is no call.
    pub(crate) fn has_text_only(&self) -> bool {
        self.items
            .iter()
            .all(|item| matches!(item, Item::Text { .. }))
    }
}
