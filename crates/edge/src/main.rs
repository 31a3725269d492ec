//! `subrosa-edge`: the untrusted front of a service.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use subrosa_edge::{Address, Config, Origin, Service};
use tokio::signal;

/// The front of a service: passkeys, a store for ciphertext, the web application, and the way to the node
///
/// It is not trusted: devices check what it says, and it can read nothing that it keeps (spec/store.md). It logs no request.
#[derive(Debug, Parser)]
#[command(name = "subrosa-edge", version, after_help = EXAMPLE)]
struct Flags {
    /// Where to listen; TLS is the task of a proxy before it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8790")]
    listen: SocketAddr,

    /// The database: `sqlite://FILE`, or `postgres://USER@HOST/NAME`
    #[arg(long, value_name = "URL", required_unless_present = "database_file")]
    database: Option<String>,

    /// A file with the database's URL, which may hold a password: others can read a command line
    #[arg(long, value_name = "FILE", conflicts_with = "database")]
    database_file: Option<PathBuf>,

    /// The address that people see, such as `https://chat.example.org`; passkeys belong to its host
    #[arg(long, value_name = "ORIGIN")]
    origin: Origin,

    /// The node that sealed requests are passed to, such as `http://10.0.0.2:8788`
    #[arg(long, value_name = "URL")]
    node: Option<Address>,

    /// The transparency log that the page's policy names; the page asks this service for its tiles
    #[arg(long, value_name = "URL")]
    log: Option<Address>,

    /// Folder of the built web application
    #[arg(long, value_name = "FOLDER")]
    web: Option<PathBuf>,

    /// What one account may have, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    quota: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    let database = match (flags.database, flags.database_file) {
        (Some(url), _) => url,
        (None, Some(file)) => std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?
            .trim_end()
            .to_owned(),
        (None, None) => return Err("name the database with --database".into()),
    };
    let mut config = Config::new(flags.listen, database, flags.origin);
    config.node = flags.node;
    config.log = flags.log;
    config.web = flags.web;
    config.limits.quota = flags.quota.saturating_mul(1 << 20);
    let origin = config.origin.clone();
    let service = Service::start(config).await?;
    // The one line on standard output, for who started it.
    writeln!(
        std::io::stdout(),
        "http://{} for {origin}",
        service.address()?
    )?;
    service.serve(stopped()).await?;
    Ok(())
}

/// Waits for the signal to stop.
async fn stopped() {
    #[cfg(unix)]
    {
        let terminate = signal::unix::signal(signal::unix::SignalKind::terminate());
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = signal::ctrl_c().await;
}

const EXAMPLE: &str = "\
Example:
  subrosa-edge --origin https://chat.example.org --database sqlite:///srv/edge/store.db --web web/dist --node http://10.0.0.2:8788
  subrosa-edge --origin http://localhost:8790 --database sqlite://store.db --web web/dist --node http://127.0.0.1:8788";
