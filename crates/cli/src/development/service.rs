//! The service as a child process.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Prepared;
use crate::enclave_program::explain_start;
use crate::failure::{Exit, Failure};
use crate::folders::read_text;
use crate::printer::Printer;

/// A service that runs for as long as this value lives.
pub(crate) struct Service {
    child: Child,
    url: String,
}

/// The one line that the service prints when it is ready.
#[derive(Deserialize)]
struct Ready {
    listening: std::net::SocketAddr,
}

impl Service {
    /// Starts the service and waits until it is ready.
    pub(crate) fn start(prepared: &Prepared, printer: &Printer) -> Result<Self, Failure> {
        let log = open_log(&prepared.log)?;
        let mut command = Command::new(&prepared.enclave);
        command
            .arg("--config")
            .arg(&prepared.configuration)
            .arg("--exit-with-parent")
            .env_clear()
            // The service stops when this ends, however this program ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        // Ctrl-C at the terminal is meant for the answer, not for the service.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("{} does not start", prepared.enclave.display()),
            )
            .because(&error)
        })?;
        let lines = child.stdout.take().map(first_line);
        // From here on dropping stops it.
        let mut service = Self {
            child,
            url: String::new(),
        };
        let ready = service.wait_until_ready(lines, prepared, printer)?;
        service.url = format!("http://{}", ready.listening);
        printer.detail(format!(
            "the service listens on {}; its log is {}",
            service.url,
            prepared.log.display()
        ));
        Ok(service)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn wait_until_ready(
        &mut self,
        lines: Option<Receiver<String>>,
        prepared: &Prepared,
        printer: &Printer,
    ) -> Result<Ready, Failure> {
        let started = Instant::now();
        let lines = lines.ok_or_else(|| stopped(prepared))?;
        loop {
            match lines.recv_timeout(SAY_AGAIN) {
                Ok(line) => {
                    return serde_json::from_str(&line).map_err(|error| {
                        stopped(prepared)
                            .cause("its first line is not what was expected")
                            .because(&error)
                    });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(stopped(prepared)),
                Err(RecvTimeoutError::Timeout) if !self.is_running() => {
                    return Err(stopped(prepared));
                }
                Err(RecvTimeoutError::Timeout) => {
                    printer.say(format!(
                        "still starting, {} s so far",
                        started.elapsed().as_secs()
                    ));
                }
            }
        }
    }
}

impl Drop for Service {
    /// Asks the service to stop, and stops it if it does not.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let asked = Instant::now();
        while self.is_running() {
            if asked.elapsed() > PATIENCE {
                let _gone = self.child.kill();
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _reaped = self.child.wait();
    }
}

/// The first line of `output`, and then everything else is thrown away, so that
/// the service never blocks on it.
fn first_line(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut line = String::new();
        let read = reader.by_ref().take(MAX_LINE).read_line(&mut line);
        if read.is_ok_and(|read| read > 0) {
            let _nobody_waits = sender.send(line);
        }
        drop(sender);
        let _ended = std::io::copy(&mut reader, &mut std::io::sink());
    });
    receiver
}

fn open_log(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| Failure::file("write", path, &error))
}

fn stopped(prepared: &Prepared) -> Failure {
    let failure = Failure::new(Exit::Failed, "the service did not start");
    let log = read_text(&prepared.log, MAX_LOG).unwrap_or_default();
    let failure = explain_start(failure, &log);
    if failure.next_step().is_some() {
        return failure;
    }
    failure.hint(format!(
        "its log is {}; build the service again with: make try",
        prepared.log.display()
    ))
}

/// Longer than the time that the configuration gives running answers.
const PATIENCE: Duration = Duration::from_secs(4);
const SAY_AGAIN: Duration = Duration::from_secs(10);
const MAX_LINE: u64 = 4096;
const MAX_LOG: u64 = 1024 * 1024;
