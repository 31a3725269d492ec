//! Starting a worker process and talking to it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt as _, FdMapping};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::embedded::config::EmbeddedConfig;
use crate::embedded::ipc::{self, MAX_FROM_WORKER, MAX_TO_WORKER};
use crate::embedded::sandbox::SandboxReport;
use crate::embedded::weights::{SealedWeights, WeightsError};
use crate::embedded::wire::{FromWorker, Ready, StartFailure, ToWorker};
use crate::embedded::worker::WEIGHTS_DESCRIPTOR;

/// A running worker.
pub(crate) struct WorkerProcess {
    /// Kills the process when dropped.
    child: Child,
    frames: mpsc::UnboundedSender<Vec<u8>>,
    /// What the worker says; closed when it is gone.
    pub(crate) messages: mpsc::Receiver<FromWorker>,
}

impl WorkerProcess {
    /// Starts a worker and waits until its model is loaded.
    pub(crate) async fn start(
        config: &EmbeddedConfig,
        weights: &SealedWeights,
    ) -> Result<(Self, Ready), StartError> {
        let (ours, theirs) = StdUnixStream::pair().map_err(StartError::Spawn)?;
        ours.set_nonblocking(true).map_err(StartError::Spawn)?;
        let weights = weights.descriptor().map_err(StartError::Spawn)?;
        let child = spawn(config, theirs, weights)?;
        let (reader, writer) = UnixStream::from_std(ours)
            .map_err(StartError::Spawn)?
            .into_split();
        let (frames, outgoing) = mpsc::unbounded_channel();
        let (incoming, messages) = mpsc::channel(INCOMING);
        tokio::spawn(send(writer, outgoing));
        tokio::spawn(receive(reader, incoming));
        let mut worker = Self {
            child,
            frames,
            messages,
        };
        worker.tell(&ToWorker::Configure(config.worker_settings()));
        let ready = worker.wait_until_ready(config).await?;
        Ok((worker, ready))
    }

    /// Sends a message. Whether the worker still lives shows in `messages`.
    /// False if the message is too large to be sent.
    pub(crate) fn tell(&self, message: &ToWorker) -> bool {
        match ipc::encode(message, MAX_TO_WORKER) {
            Ok(frame) => {
                let _ = self.frames.send(frame);
                true
            }
            Err(_) => false,
        }
    }

    /// The process id, while the process lives.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    async fn wait_until_ready(&mut self, config: &EmbeddedConfig) -> Result<Ready, StartError> {
        let first = tokio::time::timeout(config.start_timeout, self.messages.recv());
        match first.await {
            Ok(Some(FromWorker::Ready(ready))) => Ok(ready),
            Ok(Some(FromWorker::Failed(failure))) => Err(failure.into()),
            Ok(Some(_) | None) => Err(StartError::Died),
            Err(_) => Err(StartError::Timeout),
        }
    }
}

fn spawn(
    config: &EmbeddedConfig,
    pipe: StdUnixStream,
    weights: OwnedFd,
) -> Result<Child, StartError> {
    let mut command = Command::new(&config.worker_program);
    command
        .args(&config.worker_arguments)
        .env_clear()
        .env("OMP_WAIT_POLICY", wait_policy(config))
        .stdin(Stdio::from(OwnedFd::from(pipe)))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .fd_mappings(vec![FdMapping {
            parent_fd: weights,
            child_fd: WEIGHTS_DESCRIPTOR,
        }])
        .map_err(|_| StartError::Spawn(std::io::ErrorKind::InvalidInput.into()))?;
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    command.spawn().map_err(StartError::Spawn)
}

/// How the threads of the library's OpenMP runtime wait (OpenMP 5.2, §21.1.7):
/// the only environment a worker has.
fn wait_policy(config: &EmbeddedConfig) -> &'static str {
    if config.dedicated_processors {
        "active"
    } else {
        "passive"
    }
}

async fn send(mut writer: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        if ipc::write_async(&mut writer, &frame).await.is_err() {
            return;
        }
    }
}

/// Passes messages on until the pipe ends or holds something that is none.
async fn receive(reader: OwnedReadHalf, messages: mpsc::Sender<FromWorker>) {
    let mut reader = tokio::io::BufReader::with_capacity(READ_BUFFER, reader);
    while let Ok(Some(message)) = ipc::read_async(&mut reader, MAX_FROM_WORKER).await {
        if messages.send(message).await.is_err() {
            return;
        }
    }
}

/// Why an embedded engine did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// llama.cpp could not make room for the configured streams.
    #[error("worker cannot allocate memory for the configured number of streams and tokens")]
    Context,

    /// The worker ended before it was ready.
    #[error("worker ended while it was starting")]
    Died,

    /// The weights are not a model that llama.cpp can load.
    #[error("weights are not a model this engine can load")]
    Model,

    /// A required layer of the sandbox is missing on this machine.
    #[error("sandbox is required, but this machine gives only {0:?}")]
    Sandbox(SandboxReport),

    /// The worker program could not be started.
    #[error("cannot start worker")]
    Spawn(#[source] std::io::Error),

    /// The model's chat template does not parse.
    #[error("the model's chat template does not parse")]
    Template,

    /// The worker was not ready in time.
    #[error("worker did not start in time")]
    Timeout,

    /// The weights were not accepted.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl From<StartFailure> for StartError {
    fn from(failure: StartFailure) -> Self {
        match failure {
            StartFailure::Context => Self::Context,
            StartFailure::Model => Self::Model,
            StartFailure::Sandbox(report) => Self::Sandbox(report),
            StartFailure::Template => Self::Template,
        }
    }
}

/// Messages of the worker that may wait; it is slowed down beyond that.
const INCOMING: usize = 1024;
const READ_BUFFER: usize = 64 << 10;
