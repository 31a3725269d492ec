//! HTTP/1.1 by hand, so that a test decides about every byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use subrosa_channel::{OpenError, OpenedExchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::honest;
use super::world::World;

/// What is sent back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Each is sent on its own.
    pub pieces: Vec<Vec<u8>>,
    pub end: End,
    /// Waited for before each piece.
    pub pause: Duration,
}

/// How a reply ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// As if nothing was missing.
    Clean,
    /// The connection closes.
    Abrupt,
    /// Nothing more comes.
    Never,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
}

type OnExchange = dyn FnMut(&Seen, Result<OpenedExchange, OpenError>) -> Reply + Send;
type OnDocument = dyn Fn(&str) -> Option<Reply> + Send + Sync;

/// A running node. Dropping it makes it vanish.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Exchanges whose client went away before the reply ended.
    pub gone: Arc<Mutex<u32>>,
    /// Exchanges whose reply was sent to its end.
    pub finished: Arc<Mutex<u32>>,
    task: JoinHandle<()>,
}

impl Reply {
    pub fn sealed(pieces: Vec<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![(
                "content-type".to_owned(),
                "message/ohttp-chunked-res".to_owned(),
            )],
            pieces,
            end: End::Clean,
            pause: Duration::ZERO,
        }
    }

    pub fn plain(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            pieces: vec![body.into()],
            end: End::Clean,
            pause: Duration::ZERO,
        }
    }

    pub fn problem(code: &str) -> Self {
        let body = format!(r#"{{"type":"about:blank","title":"x","status":400,"code":"{code}"}}"#);
        Self::plain(400, body)
    }

    pub fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

impl Server {
    /// An honest node.
    pub async fn honest(world: &World) -> Self {
        Self::start(world, |_, opened| Reply::sealed(honest(opened.unwrap()))).await
    }

    /// A node whose exchanges go as `on_exchange` says.
    pub async fn start(
        world: &World,
        on_exchange: impl FnMut(&Seen, Result<OpenedExchange, OpenError>) -> Reply + Send + 'static,
    ) -> Self {
        Self::with(world, |_| None, on_exchange).await
    }

    /// A node whose documents are what `on_document` says, where it says something.
    pub async fn with(
        world: &World,
        on_document: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static,
        on_exchange: impl FnMut(&Seen, Result<OpenedExchange, OpenError>) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, world, on_document, on_exchange)
    }

    /// A node at an address that answers requests that do not open as an honest one does.
    pub async fn at(address: SocketAddr, world: &World) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self::on(
            listener,
            world,
            |_| None,
            |_, opened| match opened {
                Ok(opened) => Reply::sealed(honest(opened)),
                Err(error) => Reply::problem(error.code()),
            },
        )
    }

    fn on(
        listener: TcpListener,
        world: &World,
        on_document: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static,
        on_exchange: impl FnMut(&Seen, Result<OpenedExchange, OpenError>) -> Reply + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (seen, gone) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let finished = Arc::new(Mutex::new(0));
        let shared = Shared {
            world: world.clone(),
            seen: Arc::clone(&seen),
            gone: Arc::clone(&gone),
            finished: Arc::clone(&finished),
            on_document: Arc::new(on_document),
            on_exchange: Arc::new(Mutex::new(Box::new(on_exchange))),
        };
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(shared.clone().serve(stream));
            }
        });
        Self {
            address,
            seen,
            gone,
            finished,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn exchanges(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        let is_exchange = |seen: &&Seen| seen.head.starts_with("POST ");
        seen.iter().filter(is_exchange).cloned().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared {
    world: World,
    seen: Arc<Mutex<Vec<Seen>>>,
    gone: Arc<Mutex<u32>>,
    finished: Arc<Mutex<u32>>,
    on_document: Arc<OnDocument>,
    on_exchange: Arc<Mutex<Box<OnExchange>>>,
}

impl Shared {
    async fn serve(self, mut stream: TcpStream) {
        let Some(seen) = receive(&mut stream).await else {
            return;
        };
        self.seen.lock().unwrap().push(seen.clone());
        let path = seen.head.split(' ').nth(1).unwrap().to_owned();
        let is_exchange = path == "/subrosa/v1/exchange";
        let reply = if is_exchange {
            let opened = self.world.open(&seen.body);
            (self.on_exchange.lock().unwrap())(&seen, opened)
        } else {
            let document = (self.on_document)(&path).or_else(|| self.world.document(&path));
            document.unwrap_or(Reply::plain(404, "{}"))
        };
        match send(&mut stream, reply).await {
            Ok(()) if is_exchange => *self.finished.lock().unwrap() += 1,
            Ok(()) => {}
            Err(_) => *self.gone.lock().unwrap() += 1,
        }
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8(bytes[..head_len].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_len + length {
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    }
    Some(Seen {
        head,
        body: bytes[head_len..].to_vec(),
    })
}

async fn send(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} x\r\ntransfer-encoding: chunked\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    for piece in reply.pieces.iter().filter(|piece| !piece.is_empty()) {
        if reply.pause > Duration::ZERO {
            gone_within(stream, reply.pause).await?;
        }
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        stream.write_all(&chunk).await?;
    }
    match reply.end {
        End::Clean => stream.write_all(b"0\r\n\r\n").await,
        End::Abrupt => Ok(()),
        End::Never => gone_within(stream, Duration::from_secs(60)).await,
    }
}

/// Waits; an error if the client closes the connection meanwhile.
async fn gone_within(stream: &mut TcpStream, pause: Duration) -> std::io::Result<()> {
    let mut byte = [0];
    tokio::select! {
        () = sleep(pause) => Ok(()),
        read = stream.read(&mut byte) => match read {
            Ok(0) | Err(_) => Err(std::io::ErrorKind::ConnectionAborted.into()),
            Ok(_) => panic!("a client sends one request"),
        },
    }
}
