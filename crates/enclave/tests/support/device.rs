//! A device: it finds the enclave's key, verifies it, seals, and opens.

use std::net::SocketAddr;

use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::Value;
use subrosa_api::event::{Event, EventDecoder};
use subrosa_attest::{Bundle, Policy, development};
use subrosa_channel::{
    DevelopmentNode, InnerRequest, Profile, ResponseEvent, ResponseHead, ResponseOpener,
    SealOptions, VerifiedReceipt, seal_request,
};

use super::http::{Connection, Reply};
use super::process::{Enclave, now, root};

/// A device that has verified one enclave.
pub struct Device {
    pub address: SocketAddr,
    pub node: DevelopmentNode,
    pub options: SealOptions,
    pub headers: Vec<(String, String)>,
}

/// An answer that is complete and whose receipt verified.
pub struct Answer {
    pub head: ResponseHead,
    pub body: Vec<u8>,
    pub receipt: VerifiedReceipt,
    /// Bytes that travelled.
    pub wire: usize,
}

impl Device {
    pub fn new(enclave: &Enclave) -> Self {
        Self::at(enclave.address, &enclave.policy())
    }

    /// Verifies the enclave behind `address`.
    pub fn at(address: SocketAddr, policy: &Policy) -> Self {
        let mut connection = Connection::open(address);
        let directory = connection.get("/subrosa/v1/directory").json();
        let hash = directory["nodes"][0]["bundle"].as_str().unwrap();
        let bundle = connection
            .get(&format!("/subrosa/v1/bundles/{hash}"))
            .body();
        let bundle = Bundle::parse(&bundle).unwrap();
        let attested = development::appraise(&bundle, policy, root().public(), now()).unwrap();
        Self {
            address,
            node: DevelopmentNode::new(attested, now()).unwrap(),
            options: SealOptions::default(),
            headers: Vec::new(),
        }
    }

    pub fn profile(mut self, profile: Profile) -> Self {
        self.options.profile = profile;
        self
    }

    pub fn seal(&self, method: &str, path: &str, body: &[u8]) -> (Vec<u8>, ResponseOpener) {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend(self.headers.clone());
        let request = InnerRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            body: body.to_vec(),
        };
        let sealed = seal_request(
            &self.node,
            &request,
            &self.options,
            now(),
            &mut UnwrapErr(SysRng),
        )
        .unwrap();
        (sealed.bytes, sealed.opener)
    }

    pub fn call(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let (sealed, opener) = self.seal(method, path, body);
        let mut connection = Connection::open(self.address);
        Answer::read(connection.exchange(&sealed), opener)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, body.to_string().as_bytes())
    }

    /// Sends a message to the test engine.
    pub fn chat(&self, text: &str, stream: bool) -> Answer {
        self.post("/v1/chat/completions", &chat(text, stream))
    }
}

/// A chat request to the test engine.
pub fn chat(text: &str, stream: bool) -> Value {
    serde_json::json!({
        "model": "echo",
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    })
}

impl Answer {
    pub fn read(reply: Reply<'_>, opener: ResponseOpener) -> Self {
        Self::try_read(reply, opener).unwrap()
    }

    /// Reads an answer; an error says why it is not complete.
    pub fn try_read(mut reply: Reply<'_>, mut opener: ResponseOpener) -> Result<Self, String> {
        if reply.status != 200 {
            let status = reply.status;
            return Err(format!(
                "status {status}: {}",
                String::from_utf8_lossy(&reply.body())
            ));
        }
        assert_eq!(
            reply.header("content-type"),
            Some("message/ohttp-chunked-res")
        );
        let (mut events, mut wire) = (Vec::new(), 0);
        // What a cut means is for the opener to say.
        while let Ok(Some(piece)) = reply.piece() {
            wire += piece.len();
            opener
                .push(&piece, &mut events)
                .map_err(|error| error.to_string())?;
        }
        opener.finish().map_err(|error| error.to_string())?;
        let (mut head, mut body, mut receipt) = (None, Vec::new(), None);
        for event in events {
            match event {
                ResponseEvent::Head(it) => head = Some(it),
                ResponseEvent::Body(bytes) => body.extend_from_slice(&bytes.0),
                ResponseEvent::Complete(completed) => receipt = Some(completed.receipt),
                other => panic!("{other:?}"),
            }
        }
        Ok(Self {
            head: head.unwrap(),
            body,
            receipt: receipt.unwrap(),
            wire,
        })
    }

    pub fn status(&self) -> u16 {
        self.head.status
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn events(&self) -> Vec<Event> {
        let mut decoder = EventDecoder::new();
        let events = decoder.push(&self.body).unwrap();
        assert!(decoder.is_clean_end(), "the events do not end");
        events
    }

    /// The text of a streamed answer.
    pub fn text(&self) -> String {
        let text = |event: Event| match event {
            Event::TextDelta { text, .. } => Some(text),
            _ => None,
        };
        self.events().into_iter().filter_map(text).collect()
    }
}
