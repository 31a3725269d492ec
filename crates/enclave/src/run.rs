//! The life of the service: start, serve, drain, stop.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use subrosa_evidence::{CollectError, Machine};
use subrosa_inference::SharedEngine;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::epochs::{EpochError, Epochs};
use crate::log::{Digest, Event, Log};
use crate::metrics::Metrics;
use crate::service::{Service, model_entries, serve, serve_metrics};
use crate::{engine, hardening};

/// What the command line decides.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Stop when stdin ends.
    pub exit_with_parent: bool,
}

impl Options {
    /// Serves with the configuration file at `config`.
    #[must_use]
    pub fn new(config: PathBuf, exit_with_parent: bool) -> Self {
        Self {
            config,
            exit_with_parent,
        }
    }
}

/// Why the service did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is taken, or the address is not one of this machine.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        reason: String,
    },
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The engine did not start.
    #[error("the engine did not start: {0}")]
    Engine(String),
    /// The first key could not be made.
    #[error("no key could be made: {0}")]
    Epoch(#[from] EpochError),
    /// The machine is not the one that the configuration names.
    #[error(transparent)]
    Evidence(#[from] CollectError),
    /// The system refuses what every program needs.
    #[error("cannot {action}: {reason}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The system's words.
        reason: String,
    },
}

impl StartError {
    /// The exit code: 2 for usage and configuration, 5 for the engine, 1
    /// otherwise.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Engine(_) => 5,
            _ => 1,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::Address { .. } => {
                "choose another port in `listen` (0 takes a free one), or stop the program that has it"
            }
            Self::Config(_) => {
                "every field is explained in spec/configuration.md; `--check` reads the file only"
            }
            Self::Engine(_) => {
                "check `engine` in the configuration: path and SHA-256 of the model, and memory"
            }
            Self::Epoch(EpochError::Evidence(error)) | Self::Evidence(error) => {
                return evidence_hint(error);
            }
            Self::Epoch(EpochError::Log(_)) => {
                "check the files that `log` names; `subrosa log staple` writes them"
            }
            Self::Epoch(_) => "check `shapes`, `keys` and `engine` in the configuration",
            Self::System { .. } => "check the limits of the account that the service runs under",
        };
        Cow::Borrowed(hint)
    }
}

fn evidence_hint(error: &CollectError) -> Cow<'static, str> {
    let hint = error.hint();
    if !matches!(error, CollectError::Missing { .. }) {
        return Cow::Borrowed(hint);
    }
    Cow::Owned(format!(
        "{hint}. `subrosa doctor` says what this machine has; on one that is no confidential VM only a development \
         build with `platform.kind = \"simulated\"` starts, and it protects nobody"
    ))
}

/// Serves until a signal or the parent's end, and drains.
///
/// # Errors
///
/// [`StartError`] when it cannot begin.
pub async fn run(options: Options, log: Log) -> Result<(), StartError> {
    hardening::harden(&log);
    let config = Config::load(&options.config)?;
    let mut stop = Stop::listen(options.exit_with_parent)?;
    let listener = bind(config.listen().address).await?;
    let service = Service::new(&config, log.clone());
    let network = tokio::spawn(serve(Arc::clone(&service), listener.0));
    if let Some(address) = config.listen().metrics {
        let (metrics, _) = bind(address).await?;
        tokio::spawn(serve_metrics(Arc::clone(&service), metrics));
    }
    let started = tokio::select! {
        started = start(&config, &service, listener.1, &log) => started,
        () = stop.requested() => return Ok(()),
    };
    let engine = started?;
    stop.requested().await;
    service.drain();
    log.write(&Event::Draining {
        running: service.exchanges(),
    });
    let drained = timeout(config.limits().drain_time(), async {
        service.idle().await;
        engine.drain().await;
    });
    let _ = drained.await;
    // What was just sealed may still be on its way to the kernel.
    sleep(LINGER).await;
    network.abort();
    log.write(&Event::Stopped {
        cut_off: service.exchanges(),
    });
    Ok(())
}

/// Starts platform, engine and keys, and says that the service is ready.
async fn start(
    config: &Config,
    service: &Arc<Service>,
    address: SocketAddr,
    log: &Log,
) -> Result<SharedEngine, StartError> {
    let machine = open_machine(config).await?;
    let began = Instant::now();
    let started = engine::start(config, log).await?;
    let engine = Arc::clone(&started.engine);
    log.write(&Event::EngineReady {
        took: began.elapsed(),
    });
    let models = model_entries(&engine.models());
    let epochs = Arc::new(Epochs::new(
        config,
        models,
        machine,
        Clock::system(),
        log.clone(),
    ));
    let first = Arc::clone(&epochs);
    let key_id = blocking("make a key", move || first.renew()).await??;
    service.start(started, Arc::clone(&epochs));
    tokio::spawn(Arc::clone(&epochs).follow_directory());
    tokio::spawn(epochs.keep());
    tokio::spawn(observe(Arc::clone(service)));
    log.write(&Event::Started {
        configuration: Digest::new(*config.digest()),
        port: address.port(),
    });
    announce(address, &key_id.to_string())?;
    Ok(engine)
}

/// Better to fail now than after the engine has started: that the machine gives
/// evidence is tried with a key of nobody.
async fn open_machine(config: &Config) -> Result<Arc<Machine>, StartError> {
    let (platform, gpus) = (config.platform().clone(), config.gpus().cloned());
    let tpm = config.tpm().cloned();
    let open = move || {
        let machine = Machine::open(&platform, gpus.as_ref(), tpm.as_ref())?;
        machine.bundle(b"\0")?;
        Ok::<_, CollectError>(Arc::new(machine))
    };
    Ok(blocking("collect evidence", open).await??)
}

async fn observe(service: Arc<Service>) {
    let mut ticks = interval(Metrics::INTERVAL);
    loop {
        let _ = ticks.tick().await;
        service.observe();
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error: std::io::Error| StartError::Address {
        address,
        reason: error.to_string(),
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The one line on stdout.
#[derive(Serialize)]
struct Ready<'a> {
    listening: String,
    key_id: &'a str,
}

fn announce(address: SocketAddr, key_id: &str) -> Result<(), StartError> {
    let failed = |reason: String| StartError::System {
        action: "write to stdout",
        reason,
    };
    let listening = address.to_string();
    let mut line = serde_json::to_vec(&Ready { listening, key_id })
        .map_err(|error| failed(error.to_string()))?;
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(&line).and_then(|()| stdout.flush());
    written.map_err(|error| failed(error.to_string()))
}

async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StartError::System {
        action,
        reason: error.to_string(),
    })
}

/// Everything that asks the service to stop.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    parent: Option<oneshot::Receiver<()>>,
}

impl Stop {
    fn listen(with_parent: bool) -> Result<Self, StartError> {
        let handler = |kind| {
            signal(kind).map_err(|error| StartError::System {
                action: "listen for signals",
                reason: error.to_string(),
            })
        };
        Ok(Self {
            terminate: handler(SignalKind::terminate())?,
            interrupt: handler(SignalKind::interrupt())?,
            parent: with_parent.then(parent_gone),
        })
    }

    async fn requested(&mut self) {
        let parent = async {
            match &mut self.parent {
                Some(parent) => drop(parent.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = parent => {}
        }
    }
}

/// Resolves when stdin ends. The thread is not the runtime's, which would wait
/// for it when it shuts down.
fn parent_gone() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    let _ = std::thread::spawn(move || {
        let mut sink = [0; 256];
        let mut stdin = std::io::stdin().lock();
        while stdin.read(&mut sink).is_ok_and(|read| read > 0) {}
        let _ = sender.send(());
    });
    receiver
}

/// Time for the last bytes of an answer to reach the network.
const LINGER: std::time::Duration = std::time::Duration::from_millis(50);
