//! Many sealed streams open at the same time against the service in a process
//! of its own, with the test engine: that none fails, and what each costs.
//!
//! `streams RESULTS STREAMS`; with `serve FILE` the program is the service.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use subrosa_api::event::{Event, FinishReason};
use subrosa_bench::arguments::Arguments;
use subrosa_bench::load::{MODEL, chat, sealed_request};
use subrosa_bench::process::{resident_mib, take_descriptors};
use subrosa_bench::report::{Row, write};
use subrosa_bench::sealed::Setup;
use subrosa_bench::{Failed, finish, progress};
use subrosa_channel::{ModelEntry, Profile, absent_weights};
use subrosa_client::{Client, SendOptions, StreamItem};
use subrosa_enclave::log::Log;
use subrosa_enclave::run::{self, Options};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some("serve") {
        return finish(serve(words.next().unwrap_or_default().into()));
    }
    finish(measure())
}

#[tokio::main]
async fn serve(file: PathBuf) -> Result<String, Failed> {
    run::run(Options::new(file, true), Log::to(std::io::sink())).await?;
    Ok(String::new())
}

#[tokio::main]
async fn measure() -> Result<String, Failed> {
    let arguments = Arguments::read(&[])?;
    let rows = timeout(LONGEST, many(arguments.rounds)).await;
    let rows = rows.map_err(|_| format!("not finished within {} s", LONGEST.as_secs()))??;
    Ok(write(&arguments.results, "streams", &rows)?)
}

/// How many streams are where.
#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    ended: AtomicUsize,
    late_ms: AtomicU64,
    failed: AtomicUsize,
}

async fn many(streams: usize) -> Result<Vec<Row>, Failed> {
    take_descriptors(u64::try_from(streams)?.saturating_add(200))?;
    let setup = Setup::new(&configuration())?;
    let (service, address) = start(&setup).await?;
    let process = service.id().ok_or("the service has stopped")?;
    let models = [ModelEntry {
        name: MODEL.to_owned(),
        weights: absent_weights(),
    }];
    let client = setup.client(&address, &models, Profile::Balanced).await?;
    let before = (resident_mib(process)?, resident_mib(std::process::id())?);

    let began = Instant::now();
    let counts = Arc::new(Counts::default());
    let connecting = Arc::new(Semaphore::new(CONNECTING));
    let mut tasks = JoinSet::new();
    for _ in 0..streams {
        let (client, counts) = (client.clone(), Arc::clone(&counts));
        let connecting = Arc::clone(&connecting);
        tasks.spawn(async move {
            if one(&client, &counts, &connecting).await.is_err() {
                let _ = counts.failed.fetch_add(1, Ordering::SeqCst);
            }
            let _ = counts.ended.fetch_add(1, Ordering::SeqCst);
        });
    }
    let (all_open, at_once) = plateau(&counts, streams, began).await;
    let after = (resident_mib(process)?, resident_mib(std::process::id())?);
    while tasks.join_next().await.is_some() {}
    let failed = counts.failed.load(Ordering::SeqCst);
    progress(&format!(
        "streams: all over after {:.0} s, {failed} failed",
        began.elapsed().as_secs_f64()
    ));
    let late = usize::try_from(counts.late_ms.load(Ordering::SeqCst))?;
    let late = number(late)? / 1000.0 / number(streams.saturating_sub(failed).max(1))?;
    let thousands = number(at_once)? / 1000.0;
    let per_thousand = |after: f64, before: f64| (after - before) / thousands;
    Ok(vec![
        Row::single(
            "sealed streams open at once",
            "streams",
            "5000",
            number(at_once)?,
        ),
        Row::single("streams that failed", "streams", "0", number(failed)?),
        Row::single("time until all were open", "s", "", all_open.as_secs_f64()),
        Row::single("mean delay of an answer of 80 s", "s", "", late),
        Row::single("service before", "MiB RSS", "", before.0),
        Row::single(
            "service per 1000 streams",
            "MiB RSS",
            "",
            per_thousand(after.0, before.0),
        ),
        Row::single(
            "client per 1000 streams",
            "MiB RSS",
            "",
            per_thousand(after.1, before.1),
        ),
    ])
}

/// Waits until all streams are open, or one has ended, and returns when and
/// how many they were.
async fn plateau(counts: &Counts, streams: usize, began: Instant) -> (Duration, usize) {
    let mut said = Instant::now();
    loop {
        sleep(Duration::from_millis(50)).await;
        let open = counts.open.load(Ordering::SeqCst);
        let ended = counts.ended.load(Ordering::SeqCst);
        if said.elapsed() > Duration::from_secs(2) || open == streams || ended > 0 {
            progress(&format!("streams: {open} of {streams} open"));
            said = Instant::now();
        }
        if open == streams || ended > 0 {
            return (began.elapsed(), open.saturating_sub(ended));
        }
    }
}

/// One stream, from its request to its receipt.
async fn one(client: &Client, counts: &Counts, connecting: &Semaphore) -> Result<(), Failed> {
    let turn = connecting.acquire().await?;
    let request: Value = chat("all streams are told the same", WORDS);
    let exchange = client
        .send(&sealed_request(&request), &SendOptions::default())
        .await?;
    let mut stream = exchange.into_events()?;
    let _ = counts.open.fetch_add(1, Ordering::SeqCst);
    drop(turn);
    let opened = Instant::now();
    let (mut words, mut reason) = (0_u32, None);
    loop {
        match stream.next().await? {
            StreamItem::Event(Event::TextDelta { .. }) => words = words.saturating_add(1),
            StreamItem::Event(Event::Finish { reason: why, .. }) => reason = Some(why),
            StreamItem::Event(Event::Error(error)) => return Err(error.into()),
            StreamItem::Complete(_) if words == WORDS && reason == Some(FinishReason::Stop) => {
                let late = opened.elapsed().saturating_sub(ANSWER).as_millis();
                let _ = counts
                    .late_ms
                    .fetch_add(u64::try_from(late)?, Ordering::SeqCst);
                return Ok(());
            }
            StreamItem::Complete(_) => return Err("the answer is not what was said".into()),
            StreamItem::Event(_) => {}
        }
    }
}

/// Starts the service and waits until it says where it listens.
async fn start(setup: &Setup) -> Result<(Child, String), Failed> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(setup.file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("the service has no output")?;
    let first = BufReader::new(stdout).lines().next_line().await?;
    let ready: Value = serde_json::from_str(&first.ok_or("the service did not start")?)?;
    let listening = ready.get("listening").and_then(Value::as_str);
    let address = listening.ok_or("the service does not say where it listens")?;
    Ok((child, format!("http://{address}")))
}

/// Limits beyond the streams; the answers last longer than opening them all.
fn configuration() -> String {
    format!(
        r#"
listen.address = "127.0.0.1:0"
engine = {{ kind = "echo", name = "{MODEL}", tokens = {WORDS}, delay_ms = {DELAY_MS} }}
limits.exchanges = 16384
limits.connections = 16384
platform = {{ kind = "simulated", root_secret = "root" }}
"#
    )
}

fn number(count: usize) -> Result<f64, Failed> {
    Ok(f64::from(u32::try_from(count)?))
}

/// Requests on their way at the same time.
const CONNECTING: usize = 256;
/// Words of an answer.
const WORDS: u32 = 20;
/// Milliseconds before each word.
const DELAY_MS: u32 = 4000;
/// Time that an answer takes by itself.
const ANSWER: Duration = Duration::from_secs(80);
const LONGEST: Duration = Duration::from_mins(3);
