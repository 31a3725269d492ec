//! `subrosa serve`: run the service that answers.

#[cfg(feature = "development")]
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

#[cfg(feature = "development")]
use crate::development::{EngineFlags, Prepared, Service};
use crate::enclave_program;
use crate::failure::{Exit, Failure};
#[cfg(feature = "development")]
use crate::folders::Folders;
use crate::printer::Printer;
#[cfg(feature = "development")]
use crate::signals::{self, Stop};

/// Run the service that answers, in the foreground
///
/// Starts the program subrosa-enclave with a configuration file. Its SHA-256 is part of what devices
/// verify, so every byte of the file counts. Stop the service with Ctrl-C: running answers are finished.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// Configuration file of the service; spec/configuration.md explains every key
    #[arg(long, value_name = "FILE", required_unless_present = "development")]
    config: Option<PathBuf>,

    #[cfg(feature = "development")]
    #[command(flatten)]
    development: DevelopmentFlags,

    /// Not in this build: needs the feature `development`
    #[cfg(not(feature = "development"))]
    #[arg(long, hide = true)]
    development: bool,
}

/// A service on the simulated platform.
#[cfg(feature = "development")]
#[derive(Args, Debug)]
struct DevelopmentFlags {
    /// Serve on the simulated platform, which protects nothing
    ///
    /// Makes the configuration, the root and the policy as `subrosa try` does, and prints what to connect
    /// with. Loopback addresses only.
    #[arg(long, conflicts_with = "config")]
    development: bool,

    /// Loopback address and port of the development service; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:0",
        requires = "development"
    )]
    listen: SocketAddr,

    #[command(flatten)]
    engine: EngineFlags,
}

#[cfg_attr(
    not(feature = "development"),
    expect(unused_variables, reason = "it only prints in development")
)]
pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    #[cfg(feature = "development")]
    if flags.development.development {
        return serve_development(&flags.development, printer);
    }
    #[cfg(not(feature = "development"))]
    if flags.development {
        return Err(crate::command::no_development());
    }
    let Some(config) = &flags.config else {
        return Err(
            Failure::new(Exit::Usage, "no configuration was named").hint("name one with --config")
        );
    };
    if !config.is_file() {
        return Err(Failure::new(
            Exit::Usage,
            format!("the configuration {} is not there", config.display()),
        )
        .hint("check the path; spec/configuration.md explains every key"));
    }
    serve(&enclave_program::find()?, config)
}

/// Becomes the service: signals then reach it as they reach this program.
#[cfg(unix)]
fn serve(enclave: &Path, config: &Path) -> Result<Exit, Failure> {
    let error =
        std::os::unix::process::CommandExt::exec(Command::new(enclave).arg("--config").arg(config));
    Err(Failure::new(
        Exit::Failed,
        format!("{} does not start", enclave.display()),
    )
    .because(&error))
}

#[cfg(not(unix))]
fn serve(enclave: &Path, config: &Path) -> Result<Exit, Failure> {
    let failed = |error: &std::io::Error| {
        Failure::new(
            Exit::Failed,
            format!("{} does not start", enclave.display()),
        )
        .because(error)
    };
    let status = Command::new(enclave)
        .arg("--config")
        .arg(config)
        .status()
        .map_err(|error| failed(&error))?;
    Ok(if status.success() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

#[cfg(feature = "development")]
fn serve_development(flags: &DevelopmentFlags, printer: &Printer) -> Result<Exit, Failure> {
    use crate::printer::Tone;

    let runtime = signals::runtime()?;
    let enclave = enclave_program::find()?;
    let prepared = Prepared::new(
        enclave,
        flags.listen,
        &flags.engine,
        &Folders::find()?,
        printer,
    )?;
    printer.say(format!(
        "starting a service with {} (a few seconds)",
        prepared.engine_words
    ));
    let mut service = Service::start(&prepared, printer)?;
    // Not before: until here Ctrl-C simply ends the program, and the service with it.
    let mut stop = Stop::listen(&runtime)?;
    printer.notice(
        Tone::Careful,
        "NOT PROTECTED (development): simulated platform",
    );
    let (url, policy, root) = (service.url(), &prepared.policy_file, &prepared.root_file);
    if printer.is_json() {
        printer
            .json(&serde_json::json!({ "url": url, "policy": policy, "development_root": root }))?;
    } else {
        printer.say("connect with:");
        printer.line(format!(
            "subrosa chat --url {url} --policy {} --development-root {}",
            policy.display(),
            root.display()
        ))?;
    }
    printer.say("stop with Ctrl-C");
    runtime.block_on(async {
        tokio::select! {
            wished = stop.wished() => wished.map(|()| Exit::Done),
            failure = ended(&mut service, &prepared) => Err(failure),
        }
    })
}

/// Waits until the service ends by itself.
#[cfg(feature = "development")]
pub(crate) async fn ended(service: &mut Service, prepared: &Prepared) -> Failure {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(500));
    loop {
        looks.tick().await;
        if !service.is_running() {
            return Failure::new(Exit::Failed, "the service ended by itself")
                .hint(format!("its log is {}", prepared.log.display()));
        }
    }
}

const EXAMPLE: &str = "\
Example:
  subrosa serve --config /etc/subrosa/enclave.toml";
