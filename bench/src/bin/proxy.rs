//! What the local proxy adds: an application's request through the proxy to the
//! sealed service, and through a relay that only passes bytes on to the same
//! engine behind plain HTTP, in turn. The test engine answers at once.
//!
//! `proxy RESULTS ROUNDS`

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::StatusCode;
use subrosa_bench::arguments::Arguments;
use subrosa_bench::load::chat;
use subrosa_bench::plain::{self, post};
use subrosa_bench::report::{Row, write};
use subrosa_bench::sealed::Sealed;
use subrosa_bench::{Failed, engines, finish, progress};
use subrosa_channel::Profile;
use subrosa_client::proxy::{Proxy, ProxyConfig};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    finish(run())
}

#[tokio::main]
async fn run() -> Result<String, Failed> {
    let arguments = Arguments::read(&[])?;
    let requests = arguments.rounds.saturating_mul(REQUESTS_PER_ROUND);
    let engine = engines::echo(Duration::ZERO, WORDS);
    let sealed = Sealed::serve(Arc::clone(&engine)).await?;
    let client = sealed.client(Profile::Off).await?;
    let proxy = Proxy::bind(client, ProxyConfig::new(([127, 0, 0, 1], 0).into())).await?;
    let ours = proxy.address();
    tokio::spawn(proxy.serve(std::future::pending()));
    let theirs = relay(plain::serve(engine).await?).await?;

    let (mut firsts, mut wholes) = (Vec::new(), Vec::new());
    let _warm = (once(ours).await?, once(theirs).await?);
    for number in 0..requests {
        if number % 100 == 0 {
            progress(&format!("proxy: request {number} of {requests}"));
        }
        let (a, b) = if number % 2 == 0 {
            let a = once(ours).await?;
            (a, once(theirs).await?)
        } else {
            let b = once(theirs).await?;
            (once(ours).await?, b)
        };
        firsts.push((a.0, b.0));
        wholes.push((a.1, b.1));
    }
    let rows = [
        Row::difference(
            "first byte of an answer: proxy − pass-through, p50",
            "ms",
            "",
            firsts,
        ),
        Row::difference("whole answer: proxy − pass-through, p50", "ms", "", wholes),
    ];
    Ok(write(&arguments.results, "proxy", &rows)?)
}

/// Milliseconds until the first and the last byte of an answer.
async fn once(server: SocketAddr) -> Result<(f64, f64), Failed> {
    let request = chat("a short message of eight words in all", 16);
    let start = Instant::now();
    let response = post(server, &request).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("a request was answered with {}", response.status()).into());
    }
    let mut body = response.into_body();
    let mut first = None;
    while let Some(frame) = body.frame().await {
        if frame?.is_data() && first.is_none() {
            first = Some(start.elapsed());
        }
    }
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let first = first.ok_or("an answer was empty")?;
    Ok((milliseconds(first), milliseconds(start.elapsed())))
}

/// Passes bytes on to `server`, as the least that a proxy can do.
async fn relay(server: SocketAddr) -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(server).await?;
                near.set_nodelay(true)?;
                far.set_nodelay(true)?;
                copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    Ok(address)
}

const REQUESTS_PER_ROUND: usize = 20;
const WORDS: usize = 16;
