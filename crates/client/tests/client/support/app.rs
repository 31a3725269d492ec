//! An application that speaks to the proxy, byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use subrosa_client::Client;
use subrosa_client::proxy::{Proxy, ProxyConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A running proxy.
pub struct App {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

/// What came back, to the end of the connection.
pub struct Answer {
    pub status: u16,
    pub head: String,
    /// As it travelled: chunked where the head says so.
    pub raw: Vec<u8>,
}

impl App {
    pub async fn start(client: Client, edit: impl FnOnce(&mut ProxyConfig)) -> Self {
        let mut config = ProxyConfig::new("127.0.0.1:0".parse().unwrap());
        edit(&mut config);
        let proxy = Proxy::bind(client, config).await.unwrap();
        let address = proxy.address();
        let task = tokio::spawn(proxy.serve(std::future::pending()));
        Self { address, task }
    }

    /// Sends `head` as it is, with `host` and the length of `body` added.
    pub async fn call(&self, head: &str, body: &str) -> Answer {
        self.raw(&format!("{head}\r\nhost: {}", self.address), body)
            .await
    }

    /// Sends `head` as it is, with the length of `body` added.
    pub async fn raw(&self, head: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes));
        // A connection that breaks has given what it has.
        let _ = read.await.expect("the proxy answers");
        Answer::parse(&bytes)
    }

    /// A good chat request.
    pub async fn chat(&self, text: &str, stream: bool) -> Answer {
        self.call(POST_CHAT, &chat_body(text, stream)).await
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let raw = bytes[end + 4..].to_vec();
        Self { status, head, raw }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The content, and whether it came to its end.
    pub fn content(&self) -> (String, bool) {
        if let Some(length) = self.header("content-length") {
            let whole = self.raw.len() == length.parse::<usize>().unwrap();
            return (String::from_utf8(self.raw.clone()).unwrap(), whole);
        }
        let (mut rest, mut content) = (self.raw.as_slice(), Vec::new());
        loop {
            let Some(at) = rest.windows(2).position(|window| window == b"\r\n") else {
                return (String::from_utf8(content).unwrap(), false);
            };
            let len = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
            if len == 0 {
                return (String::from_utf8(content).unwrap(), true);
            }
            content.extend_from_slice(&rest[at + 2..][..len]);
            rest = &rest[at + 2 + len + 2..];
        }
    }

    pub fn text(&self) -> String {
        let (content, is_whole) = self.content();
        assert!(is_whole, "the answer is whole: {content}");
        content
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    pub fn code(&self) -> &str {
        self.header("subrosa-error").unwrap_or("none")
    }
}

pub const POST_CHAT: &str = "POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json";

pub fn chat_body(text: &str, stream: bool) -> String {
    String::from_utf8(super::chat(text, stream).body.clone()).unwrap()
}
