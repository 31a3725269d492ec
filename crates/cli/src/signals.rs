//! Ctrl-C and its relatives.

use tokio::runtime::Runtime;

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

/// Waits for Ctrl-C or, on Unix, for the request to end.
pub(crate) async fn stop() -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| no_signals(&error))?;
        tokio::select! {
            interrupted = interrupt() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    interrupt().await
}

fn no_signals(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, "cannot wait for Ctrl-C").because(error)
}
