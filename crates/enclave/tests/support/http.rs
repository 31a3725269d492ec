//! As much of an HTTP/1.1 client as the tests need, without any library that
//! the service uses too.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection that is kept open between requests.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// An answer whose body is read piece by piece.
pub struct Reply<'a> {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    stream: &'a mut BufReader<TcpStream>,
    left: Left,
}

enum Left {
    Chunks,
    Bytes(usize),
    Nothing,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn get(&mut self, path: &str) -> Reply<'_> {
        self.request(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"), &[])
    }

    pub fn exchange(&mut self, sealed: &[u8]) -> Reply<'_> {
        self.post(sealed);
        self.reply().unwrap()
    }

    /// Sends a sealed request and does not wait for the answer.
    pub fn post(&mut self, sealed: &[u8]) {
        let head = format!(
            "POST /subrosa/v1/exchange HTTP/1.1\r\nhost: x\r\ncontent-type: message/ohttp-chunked-req\r\ncontent-length: {}\r\n\r\n",
            sealed.len()
        );
        // The service may answer, and close, before it has read everything.
        let _ = self.send(&[head.as_bytes(), sealed].concat());
    }

    /// Sends exactly these bytes.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn request(&mut self, head: &str, body: &[u8]) -> Reply<'_> {
        self.send(head.as_bytes()).unwrap();
        // The service may answer, and close, before it has read everything.
        let _ = self.send(body);
        self.reply().unwrap()
    }

    pub fn reply(&mut self) -> std::io::Result<Reply<'_>> {
        let status = line(&mut self.stream)?;
        let broken = || std::io::Error::other("no answer");
        let status = status.split(' ').nth(1).ok_or_else(broken)?;
        let status = status.parse().map_err(|_| broken())?;
        let mut headers = Vec::new();
        loop {
            let line = line(&mut self.stream)?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let find = |name| headers.iter().find(|(key, _)| key == name);
        let left = match find("content-length") {
            Some((_, length)) => Left::Bytes(length.parse().unwrap()),
            None if find("transfer-encoding").is_some() => Left::Chunks,
            None => Left::Nothing,
        };
        Ok(Reply {
            status,
            headers,
            stream: &mut self.stream,
            left,
        })
    }
}

impl Reply<'_> {
    /// The next piece of the body; `None` after the last. An error is a cut.
    pub fn piece(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        match self.left {
            Left::Nothing => Ok(None),
            Left::Bytes(len) => {
                self.left = Left::Nothing;
                let mut bytes = vec![0; len];
                self.stream.read_exact(&mut bytes)?;
                Ok(Some(bytes))
            }
            Left::Chunks => {
                let size = line(self.stream)?;
                let len = usize::from_str_radix(&size, 16).map_err(std::io::Error::other)?;
                let mut bytes = vec![0; len + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(len);
                if len == 0 {
                    self.left = Left::Nothing;
                    return Ok(None);
                }
                Ok(Some(bytes))
            }
        }
    }

    pub fn body(mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().unwrap() {
            body.extend(piece);
        }
        body
    }

    pub fn json(self) -> serde_json::Value {
        serde_json::from_slice(&self.body()).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        Some(value)
    }
}

fn line(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.ends_with("\r\n") {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.len() - 2);
    Ok(line)
}
