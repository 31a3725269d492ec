//! llama.cpp's own server, from a Python package, as something to compare with.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use subrosa_api::event::{Event, Usage};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::Failed;
use crate::plain::post;

/// The server; it stops when this is dropped.
#[derive(Debug)]
pub struct Peer {
    ready: Ready,
    _child: Child,
}

/// Its first line.
#[derive(Debug, Deserialize)]
struct Ready {
    listening: String,
    version: String,
    system: String,
}

/// What it serves with; the same as ours.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Streams at once.
    pub streams: u16,
    /// Threads that compute.
    pub threads: u16,
    /// Tokens of a prompt and its answer.
    pub context_tokens: u32,
}

impl Peer {
    /// Starts `python script model …` and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start(
        python: &Path,
        script: &Path,
        model: &Path,
        settings: Settings,
    ) -> Result<Self, Failed> {
        let mut child = Command::new(python)
            .arg(script)
            .arg(model)
            .args([
                settings.streams.to_string(),
                settings.threads.to_string(),
                settings.context_tokens.to_string(),
            ])
            // As our worker has it: threads that wait sleep.
            .env("OMP_WAIT_POLICY", "passive")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let first = BufReader::new(stdout).lines().next_line().await?;
        let first = first.ok_or("llama.cpp's server did not start")?;
        Ok(Self {
            ready: serde_json::from_str(&first)?,
            _child: child,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// When it said something else.
    pub fn address(&self) -> Result<SocketAddr, Failed> {
        let listening = &self.ready.listening;
        let address = listening.strip_prefix("http://").unwrap_or(listening);
        Ok(address.parse()?)
    }

    /// Version and instruction sets.
    #[must_use]
    pub fn build(&self) -> String {
        format!("{}; {}", self.ready.version, self.ready.system)
    }
}

/// An answer as it streams: server-sent events with one JSON document each.
pub(crate) struct PeerStream {
    body: Incoming,
    text: Vec<u8>,
    ready: VecDeque<Event>,
    ended: bool,
}

impl PeerStream {
    pub(crate) async fn open(server: SocketAddr, body: &Value) -> Result<Self, Failed> {
        let response = post(server, body).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("llama.cpp's server answered {}", response.status()).into());
        }
        Ok(Self {
            body: response.into_body(),
            text: Vec::new(),
            ready: VecDeque::new(),
            ended: false,
        })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failed> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match self.body.frame().await {
                None if self.ended => return Ok(None),
                None => return Err("the stream of llama.cpp's server was cut".into()),
                Some(frame) => {
                    if let Ok(bytes) = frame?.into_data() {
                        self.text.extend_from_slice(&bytes);
                        self.read_lines()?;
                    }
                }
            }
        }
    }

    fn read_lines(&mut self) -> Result<(), Failed> {
        while let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            let Some(data) = line.strip_prefix(b"data: ") else {
                continue;
            };
            if data.trim_ascii() == b"[DONE]" {
                self.ended = true;
            } else {
                self.ready.extend(events(&serde_json::from_slice(data)?));
            }
        }
        Ok(())
    }
}

/// What of a chunk is measured.
fn events(chunk: &Value) -> Vec<Event> {
    let mut events = Vec::new();
    let text = chunk.pointer("/choices/0/delta/content");
    if let Some(text) = text.and_then(Value::as_str) {
        events.push(Event::TextDelta {
            choice: 0,
            text: text.to_owned(),
        });
    }
    let count = |path: &str| {
        let number = chunk.pointer(path).and_then(Value::as_u64)?;
        u32::try_from(number).ok()
    };
    if let Some(completion) = count("/usage/completion_tokens") {
        events.push(Event::Usage(Usage {
            prompt: count("/usage/prompt_tokens").unwrap_or_default(),
            completion,
            cached: count("/usage/prompt_tokens_details/cached_tokens").unwrap_or_default(),
        }));
    }
    events
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chunk_without_text_is_no_token() {
        let first = json!({"choices": [{"delta": {"role": "assistant", "content": null}}]});
        assert!(events(&first).is_empty());
        let text = json!({"choices": [{"delta": {"content": "a"}}]});
        assert_eq!(events(&text).len(), 1);
        let last = json!({"choices": [], "usage": {"completion_tokens": 8, "prompt_tokens": 3}});
        let expected = Usage {
            prompt: 3,
            completion: 8,
            cached: 0,
        };
        assert_eq!(events(&last), [Event::Usage(expected)]);
    }
}
