//! `subrosa-enclave`: serves sealed exchanges with one measured configuration.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use subrosa_enclave::collect::collect;
use subrosa_enclave::config::Config;
use subrosa_enclave::log::Log;
use subrosa_enclave::run::{Options, StartError, run};

#[derive(Parser)]
#[command(
    version,
    about = "Serves sealed exchanges with a measured configuration",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Arguments {
    /// The configuration file; every field is explained in spec/configuration.md
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Read and check the configuration, and do nothing else
    #[arg(long)]
    check: bool,
    /// Collect evidence of this machine into a new folder, and do nothing else
    #[arg(long, value_name = "FOLDER", conflicts_with = "check")]
    evidence: Option<PathBuf>,
    /// The 64 bytes in hexadecimal that the evidence is about; without it, zeros
    #[arg(long, value_name = "HEX", requires = "evidence", value_parser = parse_about)]
    about: Option<[u8; 64]>,
    /// Stop when stdin ends, so that the service never outlives its parent
    #[arg(long)]
    exit_with_parent: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// The model process; started by the service itself
    #[command(hide = true)]
    Worker,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    if let Some(Command::Worker) = arguments.command {
        return worker();
    }
    let config = arguments.config.unwrap_or_default();
    if arguments.check {
        return match Config::load(&config) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => explain(&error.into()),
        };
    }
    if let Some(folder) = arguments.evidence {
        return match collect(&config, &folder, arguments.about.unwrap_or([0; 64])) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => explain(&error),
        };
    }
    let log = Log::stderr();
    log.catch_panics();
    match serve(Options::new(config, arguments.exit_with_parent), log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => explain(&error),
    }
}

fn parse_about(text: &str) -> Result<[u8; 64], String> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(text, &mut bytes)
        .map(|()| bytes)
        .map_err(|_| "give 128 hexadecimal digits".to_owned())
}

fn serve(options: Options, log: Log) -> Result<(), StartError> {
    // Said here, since the runtime would otherwise ask the environment.
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|error| StartError::System {
            action: "start threads",
            reason: error.to_string(),
        })?;
    let served = runtime.block_on(run(options, log));
    runtime.shutdown_background();
    served
}

/// What happened and what to do next. It is about this machine and its
/// configuration; nothing has been served yet.
fn explain(error: &StartError) -> ExitCode {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "error: {error}\n\nhint: {}", error.hint());
    error.exit_code().into()
}

#[cfg(feature = "embedded")]
fn worker() -> ExitCode {
    subrosa_inference::embedded::worker::run()
}

#[cfg(not(feature = "embedded"))]
fn worker() -> ExitCode {
    USAGE.into()
}

const USAGE: u8 = 2;
const STACK: usize = 2 << 20;

const EXAMPLES: &str = "\
Examples:
  subrosa-enclave --config /etc/subrosa/enclave.toml --check
  subrosa-enclave --config /etc/subrosa/enclave.toml
  subrosa-enclave --config /etc/subrosa/enclave.toml --evidence /tmp/evidence

Exit codes: 0 stopped after a signal, 1 failed, 2 usage or configuration, 5 engine.
It prints one line on stdout when it is ready: {\"listening\":\"127.0.0.1:8443\",\"key_id\":\"…\"}";
