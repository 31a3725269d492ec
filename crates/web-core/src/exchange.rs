//! One request and its answer.

use serde_json::{Value, json};
use subrosa_api::event::{CONTENT_TYPE, Event, EventDecoder, FinishReason};
use subrosa_channel::{ResponseEvent, ResponseOpener, SealedRequest};
use subrosa_client::{ReceiptFile, VerifiedNode};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::failure::Failure;

/// A sealed request, and the only way to open its answer.
#[wasm_bindgen]
pub struct Sent {
    request: Vec<u8>,
    opener: ResponseOpener,
    node: VerifiedNode,
    /// Once the head has said that events follow.
    decoder: Option<EventDecoder>,
    receipt: Option<ReceiptFile>,
}

impl Sent {
    pub(crate) fn new(sealed: SealedRequest, node: VerifiedNode) -> Self {
        Self {
            request: sealed.bytes,
            opener: sealed.opener,
            node,
            decoder: None,
            receipt: None,
        }
    }

    fn read(&mut self, event: ResponseEvent, events: &mut Vec<Value>) -> Result<(), Failure> {
        match event {
            ResponseEvent::Head(head) => {
                let is_events =
                    head.status == 200 && head.header("content-type") == Some(CONTENT_TYPE);
                self.decoder = is_events.then(EventDecoder::new);
                let headers: Vec<_> = head
                    .headers
                    .iter()
                    .map(|(name, value)| json!([name, value]))
                    .collect();
                events.push(json!({ "type": "head", "status": head.status, "headers": headers }));
            }
            ResponseEvent::Body(bytes) => {
                if let Some(decoder) = &mut self.decoder {
                    let pushed = decoder.push(&bytes.0);
                    let read = pushed.map_err(|error| Failure::new("malformed-stream", &error))?;
                    events.extend(read.iter().filter_map(shown));
                } else {
                    let text = String::from_utf8_lossy(&bytes.0);
                    events.push(json!({ "type": "body", "text": text }));
                }
            }
            ResponseEvent::Complete(completed) => {
                if self
                    .decoder
                    .as_ref()
                    .is_some_and(|decoder| !decoder.is_clean_end())
                {
                    let message = "the answer ended in the middle of its events";
                    return Err(Failure::new("truncated", &message));
                }
                let receipt = ReceiptFile::new(&self.node, *completed);
                events.push(json!({ "type": "complete", "receipt": receipt.receipt().id() }));
                self.receipt = Some(receipt);
            }
            _ => {
                return Err(Failure::new(
                    "malformed-stream",
                    "the answer has an unknown part",
                ));
            }
        }
        Ok(())
    }
}

#[wasm_bindgen]
impl Sent {
    /// The bytes to send (`message/ohttp-chunked-req`).
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        self.request.clone()
    }

    /// Takes bytes of the answer, and gives what they complete: a JSON array of `head`, `text`, `body`, `finish`, `usage`, `error` and `complete`. What came is
    /// an answer only when `complete` has come.
    ///
    /// # Errors
    ///
    /// The codes of spec/channel.md §6; the answer is lost then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<String, Failure> {
        let mut opened = Vec::new();
        let pushed = self.opener.push(bytes, &mut opened);
        let mut events = Vec::new();
        for event in opened {
            self.read(event, &mut events)?;
        }
        pushed.map_err(|error| Failure::new(error.code(), &error))?;
        Ok(Value::Array(events).to_string())
    }

    /// The network has no more bytes.
    ///
    /// # Errors
    ///
    /// `truncated`, unless the answer was complete.
    pub fn finish(&self) -> Result<(), Failure> {
        let finished = self.opener.finish();
        finished.map_err(|error| Failure::new(error.code(), &error))
    }

    /// The receipt of a complete answer, which `subrosa receipt check` reads. It holds the key that opens its commitments.
    #[must_use]
    pub fn receipt(&self) -> Option<Vec<u8>> {
        let receipt = self.receipt.as_ref()?;
        Some(receipt.to_json().to_vec())
    }
}

fn shown(event: &Event) -> Option<Value> {
    Some(match event {
        Event::TextDelta { choice, text } => {
            json!({ "type": "text", "choice": choice, "text": text })
        }
        Event::Finish { reason, .. } => {
            let reason = match reason {
                FinishReason::Cancelled => "cancelled",
                FinishReason::Error => "error",
                FinishReason::Length => "length",
                FinishReason::Stop => "stop",
                FinishReason::ToolCalls => "tool_calls",
            };
            json!({ "type": "finish", "reason": reason })
        }
        Event::Usage(usage) => {
            json!({ "type": "usage", "prompt": usage.prompt, "completion": usage.completion, "cached": usage.cached })
        }
        Event::Error(error) => {
            json!({ "type": "error", "code": error.code.as_str(), "message": error.message.as_str() })
        }
        _ => return None,
    })
}
