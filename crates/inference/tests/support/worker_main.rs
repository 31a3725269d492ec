//! The worker program for this crate's own tests. Services run the same
//! function from a subcommand of theirs, and have no `probe`.
#![expect(clippy::print_stdout, reason = "the probe reports to its test")]

use std::fs::{File, OpenOptions};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, ExitCode};

use subrosa_inference::embedded::sandbox::{self, SandboxMode};
use subrosa_inference::embedded::worker;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => worker::run(),
        Some("probe") => probe(),
        Some(_) => ExitCode::from(2),
    }
}

/// Enters the sandbox and prints the system's answer to what must not work:
/// one line `stage action error-number`, 0 where it worked.
fn probe() -> ExitCode {
    let report = sandbox::enter(SandboxMode::BestEffort);
    println!("report {report:?}");
    attempt_all("loading");
    println!("close {:?}", sandbox::close());
    attempt_all("running");
    ExitCode::SUCCESS
}

fn attempt_all(stage: &str) {
    let mut writing = OpenOptions::new();
    writing.write(true);
    let attempts: [(&str, std::io::Result<()>); 11] = [
        ("read", File::open("/etc/passwd").map(drop)),
        ("list", std::fs::read_dir("/").map(drop)),
        ("write", writing.open("/dev/null").map(drop)),
        ("create", File::create("/tmp/subrosa-probe").map(drop)),
        ("remove", std::fs::remove_file("/tmp/subrosa-nothing")),
        ("exec", Command::new("/bin/true").status().map(drop)),
        ("tcp-connect", TcpStream::connect("127.0.0.1:9").map(drop)),
        ("tcp-listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        ("udp", UdpSocket::bind("127.0.0.1:0").map(drop)),
        ("unix", UnixStream::connect("/run/nothing").map(drop)),
        (
            "unix-listen",
            UnixListener::bind("/tmp/subrosa-probe.sock").map(drop),
        ),
    ];
    for (action, result) in attempts {
        let number = result.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |()| 0);
        println!("{stage} {action} {number}");
    }
    let threads = std::thread::Builder::new()
        .spawn(|| 7)
        .map(std::thread::JoinHandle::join);
    println!("{stage} thread {}", i32::from(threads.is_err()));
}
