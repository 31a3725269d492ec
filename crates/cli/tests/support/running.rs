//! Programs that stay in the foreground.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::Home;

/// A program in the foreground, with the first line it printed.
pub struct Running {
    child: Child,
    pub line: String,
}

impl Running {
    pub fn start(home: &Home, arguments: &[&str]) -> Self {
        Self::of(home.command(arguments))
    }

    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let line = line.trim_end().to_owned();
        Self { child, line }
    }
}

impl Running {
    /// Ends it at once, whatever it is doing.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
