//! Engines that misbehave, and clients that leave: the service in this process.

#![cfg(feature = "development")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _};
use sha2::{Digest as _, Sha256, Sha384};
use subrosa_api::endpoint::embeddings::EmbeddingsRequest;
use subrosa_api::event::{Event, FinishReason};
use subrosa_api::request::GenerateRequest;
use subrosa_attest::Policy;
use subrosa_channel::{Profile, absent_release, absent_weights};
use subrosa_enclave::clock::Clock;
use subrosa_enclave::config::Config;
use subrosa_enclave::engine::Started;
use subrosa_enclave::epochs::Epochs;
use subrosa_enclave::log::Log;
use subrosa_enclave::service::{Service, model_entries, serve};
use subrosa_evidence::Machine;
use subrosa_inference::{Embeddings, Engine, EngineError, EventStream, Load, ModelInfo};
use support::device::chat;
use support::process::root;
use support::{Connection, Device};
use tokio::sync::mpsc;

/// Says what a test wants, and counts what was cancelled.
struct Scripted {
    events: Vec<Event>,
    /// Whether the stream ends after the events, or waits for ever.
    ends: bool,
    cancelled: Arc<AtomicUsize>,
}

impl Engine for Scripted {
    fn models(&self) -> Vec<ModelInfo> {
        vec![ModelInfo::new("echo", 100)]
    }

    fn generate(&self, _: GenerateRequest) -> BoxFuture<'_, Result<EventStream, EngineError>> {
        let (sender, events) = mpsc::unbounded_channel();
        for event in &self.events {
            sender.send(event.clone()).unwrap();
        }
        let cancelled = Arc::clone(&self.cancelled);
        let kept = (!self.ends).then_some(sender);
        let stream = EventStream::new(events, move || {
            drop(kept);
            cancelled.fetch_add(1, Ordering::SeqCst);
        });
        async move { Ok(stream) }.boxed()
    }

    fn embed(&self, _: EmbeddingsRequest) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        async { Err(EngineError::Internal) }.boxed()
    }

    fn load(&self) -> Load {
        Load::default()
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

/// A service with this engine, for as long as its runtime lives.
struct Running {
    device: Device,
    cancelled: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

fn run(events: Vec<Event>, ends: bool) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let secret = root().to_secret_file();
    std::fs::write(folder.path().join("root.secret"), secret.as_bytes()).unwrap();
    let text = "listen.address = \"127.0.0.1:0\"\nengine.kind = \"echo\"\nplatform = { kind = \"simulated\", root_secret = \"root.secret\" }\n";
    let config = Config::parse(text.as_bytes(), folder.path()).unwrap();
    let cancelled = Arc::new(AtomicUsize::new(0));
    let engine = Arc::new(Scripted {
        events,
        ends,
        cancelled: Arc::clone(&cancelled),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let address = runtime.block_on(begin(&config, engine));
    Running {
        device: Device::at(address, &policy(text)).profile(Profile::Off),
        cancelled,
        _runtime: runtime,
        _folder: folder,
    }
}

async fn begin(config: &Config, engine: Arc<Scripted>) -> SocketAddr {
    let log = Log::to(std::io::sink());
    let machine = Arc::new(Machine::open(config.platform(), None, None).unwrap());
    let models = model_entries(&engine.models());
    let epochs = Epochs::new(config, models, machine, Clock::system(), log.clone());
    epochs.renew().unwrap();
    let service = Service::new(config, log);
    service.start(Started::steady(engine), Arc::new(epochs));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(service, listener));
    address
}

/// The program that runs is this one.
fn policy(config: &str) -> Policy {
    let program = std::fs::read("/proc/self/exe").unwrap();
    let text = format!(
        "version = 1\nname = \"t\"\nplatforms = [\"sev-snp\"]\n\
         [[measurements]]\nname = \"m\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n\
         [[configurations]]\nname = \"c\"\nsha256 = \"{}\"\n\
         [[releases]]\nname = \"r\"\nsha256 = \"{}\"\n[[weights]]\nname = \"w\"\nsha256 = \"{}\"\n",
        hex::encode(Sha384::digest(program)),
        hex::encode(Sha256::digest(config)),
        hex::encode(absent_release()),
        hex::encode(absent_weights()),
    );
    Policy::parse(&text).unwrap()
}

fn text(text: &str) -> Event {
    Event::TextDelta {
        choice: 0,
        text: text.to_owned(),
    }
}

fn finish() -> Event {
    Event::Finish {
        choice: 0,
        reason: FinishReason::Stop,
        stop_sequence: None,
    }
}

/// The code that a streamed answer ends with, and that a whole one has.
fn codes(running: &Running) -> (Option<String>, String) {
    let events = running.device.chat("x", true).events();
    assert_eq!(events.last(), Some(&Event::End));
    let streamed = events.iter().find_map(|event| match event {
        Event::Error(error) => Some(error.code.as_str().to_owned()),
        _ => None,
    });
    (streamed, running.device.chat("x", false).code())
}

#[test]
fn an_engine_that_breaks_the_order_of_events_ends_with_an_error() {
    let failed = (Some("engine_failed".to_owned()), "engine_failed".to_owned());
    for events in [
        vec![text("a"), Event::End],
        vec![finish(), text("a"), Event::End],
        vec![text("a"), finish(), finish(), Event::End],
        vec![Event::Finish {
            choice: 9,
            reason: FinishReason::Stop,
            stop_sequence: None,
        }],
    ] {
        assert_eq!(codes(&run(events, true)), failed);
    }
}

#[test]
fn an_engine_that_stops_in_the_middle_ends_with_an_error() {
    let failed = (Some("engine_failed".to_owned()), "engine_failed".to_owned());
    for events in [vec![], vec![text("a")], vec![text("a"), finish()]] {
        assert_eq!(codes(&run(events, true)), failed);
    }
}

#[test]
fn a_client_that_leaves_cancels_its_answer() {
    for (stream, profile) in [
        (true, Profile::Off),
        (true, Profile::Balanced),
        (false, Profile::Off),
    ] {
        let mut running = run(vec![text("a")], false);
        running.device.options.profile = profile;
        let body = chat("x", stream).to_string();
        let (sealed, _) = running
            .device
            .seal("POST", "/v1/chat/completions", body.as_bytes());
        let mut connection = Connection::open(running.device.address);
        connection.post(&sealed);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(running.cancelled.load(Ordering::SeqCst), 0);
        drop(connection);
        let left = Instant::now();
        while running.cancelled.load(Ordering::SeqCst) == 0 {
            assert!(
                left.elapsed() < Duration::from_secs(5),
                "{stream} {profile}: it still runs"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
