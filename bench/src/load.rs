//! The load: a number of streams at once, and what is seen of them.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};
use subrosa_api::endpoint;
use subrosa_api::event::Event;
use subrosa_api::request::Api;
use subrosa_channel::InnerRequest;
use subrosa_client::{Client, SendOptions, StreamItem};
use subrosa_inference::SharedEngine;
use tokio::task::JoinHandle;

use crate::Failed;
use crate::peer::PeerStream;
use crate::plain::PlainStream;

/// A way to the answer.
#[derive(Clone)]
#[non_exhaustive]
pub enum Way {
    /// The engine itself, in this process.
    Engine(SharedEngine),
    /// A server of another project that speaks the chat API of `OpenAI`.
    Peer(SocketAddr),
    /// The engine behind plain HTTP.
    Plain(SocketAddr),
    /// The engine behind the sealed exchange.
    Sealed(Client),
}

/// What one round showed. Times in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Mean over streams of the time to the first token.
    pub first_token: f64,
    /// Mean over all tokens of the time at which each arrived.
    pub mean_arrival: f64,
    /// Tokens of all streams, divided by the time until the last one ended.
    pub tokens_per_second: f64,
    /// Tokens of all streams.
    pub tokens: u32,
}

impl Measured {
    /// The median of each number.
    fn median(found: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| {
            let values: Vec<f64> = found.iter().map(of).collect();
            crate::stats::middle(values)
        };
        Self {
            first_token: median(|one| one.first_token),
            mean_arrival: median(|one| one.mean_arrival),
            tokens_per_second: median(|one| one.tokens_per_second),
            tokens: found.first().map_or(0, |one| one.tokens),
        }
    }
}

/// What one stream showed: when its texts arrived, in seconds after it began,
/// and how many tokens they were.
#[derive(Default)]
struct Arrivals {
    times: Vec<f64>,
    tokens: u32,
}

impl Way {
    /// One round of `streams` at once, each with a prompt of its own.
    ///
    /// # Errors
    ///
    /// When a stream fails.
    pub async fn run(&self, streams: usize) -> Result<Measured, Failed> {
        let start = Instant::now();
        let mut tasks = Vec::with_capacity(streams);
        for number in 0..streams {
            let way = self.clone();
            tasks.push(tokio::spawn(async move { way.one(number).await }));
        }
        collect(start, tasks).await
    }

    async fn one(&self, number: usize) -> Result<Arrivals, Failed> {
        let mut body = body(number);
        match self {
            Self::Engine(engine) => in_process(engine, &body).await,
            Self::Peer(server) => {
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("cache_prompt".to_owned(), Value::Bool(false));
                }
                peer(*server, &body).await
            }
            Self::Plain(server) => plain(*server, &body).await,
            Self::Sealed(client) => sealed(client, &body).await,
        }
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Engine(_) => "Engine",
            Self::Peer(_) => "Peer",
            Self::Plain(_) => "Plain",
            Self::Sealed(_) => "Sealed",
        })
    }
}

/// Measures every way, in turn. Who goes first changes each time, so that no way
/// always comes after the same other one. Few streams at once are soon done and
/// much disturbed by whatever else the machine does, so they are measured several
/// times and the medians taken.
///
/// # Errors
///
/// When a stream fails.
pub async fn round<const N: usize>(
    ways: &[Way; N],
    streams: usize,
    round: usize,
) -> Result<[Measured; N], Failed> {
    let mut found: [Vec<Measured>; N] = std::array::from_fn(|_| Vec::new());
    for turn in 0..repeats(streams) {
        let first = round.saturating_add(turn);
        for at in (0..N)
            .cycle()
            .skip(first.checked_rem(N).unwrap_or_default())
            .take(N)
        {
            if let (Some(way), Some(found)) = (ways.get(at), found.get_mut(at)) {
                found.push(way.run(streams).await?);
            }
        }
    }
    Ok(found.map(|found| Measured::median(&found)))
}

/// How often a way is measured in a round.
const fn repeats(streams: usize) -> usize {
    match streams {
        0..=1 => 7,
        2..=8 => 3,
        _ => 1,
    }
}

/// The request for a chat of `words` with an answer of at most `tokens`.
#[must_use]
pub fn chat(words: &str, tokens: u32) -> Value {
    json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": words}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": true,
        "stream_options": {"include_usage": true},
    })
}

/// A sealed request with `body`.
#[must_use]
pub fn sealed_request(body: &Value) -> InnerRequest {
    InnerRequest {
        method: "POST".to_owned(),
        path: Api::Chat.path().to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

fn body(number: usize) -> Value {
    let words = format!("stream {number} says the same words as every other one");
    chat(&words, TOKENS)
}

async fn in_process(engine: &SharedEngine, body: &Value) -> Result<Arrivals, Failed> {
    let start = Instant::now();
    let request = endpoint::parse(Api::Chat, body.to_string().as_bytes())?;
    let mut events = engine.generate(request).await?;
    let mut arrivals = Arrivals::default();
    while let Some(event) = events.next().await {
        arrivals.take(start, event)?;
    }
    Ok(arrivals)
}

async fn plain(server: SocketAddr, body: &Value) -> Result<Arrivals, Failed> {
    let start = Instant::now();
    let mut stream = PlainStream::open(server, body).await?;
    let mut arrivals = Arrivals::default();
    while let Some(event) = stream.next().await? {
        arrivals.take(start, event)?;
    }
    Ok(arrivals)
}

async fn sealed(client: &Client, body: &Value) -> Result<Arrivals, Failed> {
    let start = Instant::now();
    let exchange = client
        .send(&sealed_request(body), &SendOptions::default())
        .await?;
    let mut stream = exchange.into_events()?;
    let mut arrivals = Arrivals::default();
    while let StreamItem::Event(event) = stream.next().await? {
        arrivals.take(start, event)?;
    }
    Ok(arrivals)
}

async fn peer(server: SocketAddr, body: &Value) -> Result<Arrivals, Failed> {
    let start = Instant::now();
    let mut stream = PeerStream::open(server, body).await?;
    let mut arrivals = Arrivals::default();
    while let Some(event) = stream.next().await? {
        arrivals.take(start, event)?;
    }
    Ok(arrivals)
}

impl Arrivals {
    fn take(&mut self, start: Instant, event: Event) -> Result<(), Failed> {
        match event {
            Event::TextDelta { .. } => self.times.push(start.elapsed().as_secs_f64()),
            Event::Usage(usage) => self.tokens = usage.completion,
            Event::Error(error) => return Err(error.into()),
            _ => {}
        }
        Ok(())
    }
}

async fn collect(
    start: Instant,
    tasks: Vec<JoinHandle<Result<Arrivals, Failed>>>,
) -> Result<Measured, Failed> {
    let (mut firsts, mut all, mut tokens) = (Vec::new(), Vec::new(), 0_u32);
    for task in tasks {
        let arrivals = task.await??;
        firsts.push(*arrivals.times.first().ok_or("a stream gave no text")?);
        all.extend(arrivals.times);
        tokens = tokens.saturating_add(arrivals.tokens);
    }
    let wall = start.elapsed().as_secs_f64();
    if tokens == 0 {
        return Err("the streams counted no tokens".into());
    }
    Ok(Measured {
        first_token: mean(&firsts),
        mean_arrival: mean(&all),
        tokens_per_second: f64::from(tokens) / wall,
        tokens,
    })
}

fn mean(values: &[f64]) -> f64 {
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
    values.iter().sum::<f64>() / f64::from(count.max(1))
}

/// The name that the model has everywhere.
pub const MODEL: &str = "bench";
/// Tokens of each answer, unless the model ends it.
pub const TOKENS: u32 = 32;
