//! Ctrl-C and its relatives.

use tokio::runtime::Runtime;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Exit, Failure};

/// The runtime of the commands that wait for a network.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, "cannot start the network").because(&error))
}

/// Waits for Ctrl-C.
pub(crate) async fn interrupt() -> Result<(), Failure> {
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| no_signals(&error))
}

/// The wish to end: Ctrl-C or, on Unix, the signal to terminate.
pub(crate) struct Stop {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

impl Stop {
    /// Notes the wish from now on, whenever it is waited for.
    pub(crate) fn listen(runtime: &Runtime) -> Result<Self, Failure> {
        let _context = runtime.enter();
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt()).map_err(|error| no_signals(&error))?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate()).map_err(|error| no_signals(&error))?,
        })
    }

    /// Waits until somebody wishes it.
    pub(crate) async fn wished(&mut self) -> Result<(), Failure> {
        #[cfg(unix)]
        {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            Ok(())
        }
        #[cfg(not(unix))]
        interrupt().await
    }
}

fn no_signals(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, "cannot wait for Ctrl-C").because(error)
}
