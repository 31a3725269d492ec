//! One call of an application that speaks a public API, and its answer in that API's own form.

use std::mem::take;

use serde_json::json;
use subrosa_api::endpoint;
use subrosa_api::event::{CONTENT_TYPE, Event, EventDecoder};
use subrosa_api::render::{Options, Sse};
use subrosa_api::request::Api;
use subrosa_channel::{ResponseEvent, ResponseHead, ResponseOpener, SealedRequest};
use subrosa_client::{InnerRequest, ReceiptFile, VerifiedNode};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::failure::Failure;

/// A sealed call, and the only way to open its answer.
///
/// What tells an application that its answer is finished is held back until the answer is known to be whole, so that
/// no application acts on one that is not.
#[wasm_bindgen]
pub struct Call {
    request: Vec<u8>,
    opener: ResponseOpener,
    node: VerifiedNode,
    /// Writes events as the application expects them.
    sse: Option<Sse>,
    decoder: Option<EventDecoder>,
    head: Option<String>,
    body: Vec<u8>,
    held: Vec<Event>,
    receipt: Option<ReceiptFile>,
}

impl Call {
    pub(crate) fn new(sealed: SealedRequest, node: VerifiedNode, request: &InnerRequest) -> Self {
        // A request that cannot be read here goes to the service all the same, which says what is wrong with it.
        let sse = |api: Api| match endpoint::parse(api, &request.body) {
            Ok(parsed) => Sse::for_request(&parsed),
            Err(_) => Sse::new(api, Options::default()),
        };
        Self {
            request: sealed.bytes,
            opener: sealed.opener,
            node,
            sse: Api::from_path(&request.path).map(sse),
            decoder: None,
            head: None,
            body: Vec::new(),
            held: Vec::new(),
            receipt: None,
        }
    }

    fn read(&mut self, event: ResponseEvent) -> Result<(), Failure> {
        match event {
            ResponseEvent::Head(head) => self.read_head(&head),
            ResponseEvent::Body(bytes) => {
                let (Some(decoder), Some(sse)) = (&mut self.decoder, &mut self.sse) else {
                    if self.body.len().saturating_add(bytes.0.len()) > MAX_WHOLE {
                        let message = "the answer is larger than this program takes";
                        return Err(Failure::new("too-large", message));
                    }
                    self.body.extend_from_slice(&bytes.0);
                    return Ok(());
                };
                let read = decoder.push(&bytes.0);
                for event in read.map_err(|error| Failure::new("malformed-stream", &error))? {
                    if matches!(event, Event::Finish { .. } | Event::End) {
                        self.held.push(event);
                    } else {
                        self.body.extend(sse.push(&event));
                    }
                }
                Ok(())
            }
            ResponseEvent::Complete(completed) => {
                let is_cut = |decoder: &EventDecoder| !decoder.is_clean_end();
                if self.decoder.as_ref().is_some_and(is_cut) {
                    let message = "the answer ended in the middle of its events";
                    return Err(Failure::new("truncated", message));
                }
                let receipt = ReceiptFile::new(&self.node, *completed);
                let id = receipt.receipt().id();
                for event in take(&mut self.held) {
                    if event == Event::End {
                        // A comment, which clients skip.
                        let line = format!(": subrosa-receipt {id}\n\n");
                        self.body.extend_from_slice(line.as_bytes());
                    }
                    if let Some(sse) = &mut self.sse {
                        self.body.extend(sse.push(&event));
                    }
                }
                self.receipt = Some(receipt);
                Ok(())
            }
            _ => {
                let message = "the answer has an unknown part";
                Err(Failure::new("malformed-stream", message))
            }
        }
    }

    fn read_head(&mut self, head: &ResponseHead) -> Result<(), Failure> {
        let media = head.header("content-type").unwrap_or("application/json");
        let is_events = head.status == 200 && media == CONTENT_TYPE;
        if is_events && self.sse.is_none() {
            let message = "the answer has events, which were not asked for";
            return Err(Failure::new("malformed-stream", message));
        }
        self.decoder = is_events.then(EventDecoder::new);
        let media = if is_events { Sse::CONTENT_TYPE } else { media };
        let mut headers = vec![("content-type", media)];
        for name in PASSED_BACK {
            headers.extend(head.header(name).map(|value| (name, value)));
        }
        let head = json!({ "status": head.status, "headers": headers, "events": is_events });
        self.head = Some(head.to_string());
        Ok(())
    }
}

#[wasm_bindgen]
impl Call {
    /// The bytes to send (`message/ohttp-chunked-req`).
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        self.request.clone()
    }

    /// Takes bytes of the answer.
    ///
    /// # Errors
    ///
    /// The codes of spec/channel.md §6; the answer is lost then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut opened = Vec::new();
        let pushed = self.opener.push(bytes, &mut opened);
        for event in opened {
            self.read(event)?;
        }
        pushed.map_err(|error| Failure::new(error.code(), &error))
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

    /// JSON with `status`, `headers` and whether the body are server-sent `events`, once it is known.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn head(&self) -> Option<String> {
        self.head.clone()
    }

    /// What came of the body since the last time. Of an answer without events it counts only when the answer is complete.
    pub fn take(&mut self) -> Vec<u8> {
        take(&mut self.body)
    }

    /// Whether the answer is whole, and its receipt has verified.
    #[wasm_bindgen(getter, js_name = isComplete)]
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.receipt.is_some()
    }

    /// The receipt of a complete answer, which `subrosa receipt check` reads. It holds the key that opens its commitments.
    #[must_use]
    pub fn receipt(&self) -> Option<Vec<u8>> {
        let receipt = self.receipt.as_ref()?;
        Some(receipt.to_json().to_vec())
    }
}

/// Headers of a sealed answer that an application gets.
const PASSED_BACK: [&str; 3] = ["retry-after", "subrosa-error", "x-should-retry"];
/// Bytes of an answer without events.
const MAX_WHOLE: usize = 16 << 20;
