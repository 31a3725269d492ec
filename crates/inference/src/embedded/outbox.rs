//! Messages to the supervisor, gathered so that a step costs one system call.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::embedded::ipc::{self, IpcError, MAX_FROM_WORKER};
use crate::embedded::wire::FromWorker;

/// The worker's end of the pipe, shared by its threads.
pub(crate) struct Outbox(Mutex<Inner>);

struct Inner {
    pipe: File,
    frames: Vec<u8>,
}

impl Outbox {
    /// Writes to `pipe`.
    pub(crate) fn new(pipe: File) -> Self {
        Self(Mutex::new(Inner {
            pipe,
            frames: Vec::new(),
        }))
    }

    /// Adds a message. One that is too large is dropped; none of ours is.
    pub(crate) fn push(&self, message: &FromWorker) {
        if let Ok(frame) = ipc::encode(message, MAX_FROM_WORKER) {
            self.lock().frames.extend_from_slice(&frame);
        }
    }

    /// Sends what was added.
    pub(crate) fn flush(&self) -> Result<(), IpcError> {
        let mut inner = self.lock();
        if inner.frames.is_empty() {
            return Ok(());
        }
        let frames = std::mem::take(&mut inner.frames);
        ipc::write(&mut inner.pipe, &frames)?;
        // Keep the memory, not the text in it.
        inner.frames = frames;
        inner.frames.fill(0);
        inner.frames.clear();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in another thread ends the process anyway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
