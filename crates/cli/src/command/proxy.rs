//! `subrosa proxy`: let unchanged OpenAI and Anthropic clients use a verified service.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use subrosa_client::proxy::{Proxy, ProxyConfig, ProxyError, Token};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::chat::{SessionOptions, client};
use crate::client_failure::of_client;
use crate::command::chat::no_policy;
use crate::command::verify::no_url;
#[cfg(feature = "development")]
use crate::development::{EngineFlags, Prepared, Service};
use crate::failure::{Exit, Failure};
use crate::folders::{Folders, make_private_folder, read_text};
use crate::judgement::{TrustFlags, read_policy};
use crate::printer::{Printer, Tone};
use crate::settings::{ProxyFlags, ServiceFlags, Settings, ShapeFlags};
use crate::signals::{self, Stop};

/// Offer a verified service to OpenAI and Anthropic clients on this machine
///
/// Listens on a loopback address, in the foreground. The service is verified before anything is sent;
/// an answer that is cut off or not authentic ends as an error, never as a shorter answer. Web pages
/// cannot use the proxy. Any program on this machine can, unless --bearer-file is given.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(flatten)]
    service: ServiceFlags,

    #[command(flatten)]
    trust: TrustFlags,

    #[command(flatten)]
    shape: ShapeFlags,

    #[command(flatten)]
    proxy: ProxyFlags,

    #[cfg(feature = "development")]
    #[command(flatten)]
    development: DevelopmentFlags,
}

/// A service of one's own behind the proxy.
#[cfg(feature = "development")]
#[derive(Args, Debug)]
struct DevelopmentFlags {
    /// Start a service on the simulated platform, as `subrosa try` does, and use it
    #[arg(long, conflicts_with_all = ["url", "policy", "development_root"])]
    start_development_service: bool,

    #[command(flatten)]
    engine: EngineFlags,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let folders = Folders::find()?;
    let settings = Settings::load(&folders, &flags.service)?
        .with_shape(&flags.shape)
        .with_proxy(&flags.proxy);
    let runtime = signals::runtime()?;
    #[cfg(feature = "development")]
    if flags.development.start_development_service {
        let engine = &flags.development.engine;
        return behind_development_service(engine, &settings, &folders, &runtime, printer);
    }
    let policy = settings.policy.value.as_deref().ok_or_else(no_policy)?;
    let options = SessionOptions {
        url: settings.url.value.clone().ok_or_else(no_url)?,
        policy: read_policy(policy)?,
        trust: flags.trust.load()?,
        profile: settings.profile.value,
    };
    let (proxy, stop) = open(options, &settings, &runtime, printer)?;
    runtime.block_on(proxy.serve(wished(stop)));
    Ok(Exit::Done)
}

#[cfg(feature = "development")]
fn behind_development_service(
    engine: &EngineFlags,
    settings: &Settings,
    folders: &Folders,
    runtime: &Runtime,
    printer: &Printer,
) -> Result<Exit, Failure> {
    // A port in use is found before anything is started.
    let address = settings.listen.value;
    std::net::TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    let any_port = SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), 0);
    let enclave = crate::enclave_program::find()?;
    let prepared = Prepared::new(enclave, any_port, engine, folders, printer)?;
    printer.say(format!(
        "starting a service with {} (a few seconds)",
        prepared.engine_words
    ));
    let mut service = Service::start(&prepared, printer)?;
    let options = SessionOptions {
        url: service.url().to_owned(),
        policy: prepared.policy.clone(),
        trust: subrosa_client::Trust::Development(prepared.root.clone()),
        profile: settings.profile.value,
    };
    let (proxy, stop) = open(options, settings, runtime, printer)?;
    runtime.block_on(async {
        tokio::select! {
            () = proxy.serve(wished(stop)) => Ok(Exit::Done),
            failure = crate::command::serve::ended(&mut service, &prepared) => Err(failure),
        }
    })
}

/// Verifies the service and says what applications connect to.
fn open(
    options: SessionOptions,
    settings: &Settings,
    runtime: &Runtime,
    printer: &Printer,
) -> Result<(Proxy, Stop), Failure> {
    let url = options.url.clone();
    let client = client(options)?;
    let mut config = ProxyConfig::new(settings.listen.value);
    config.token = settings
        .bearer_file
        .value
        .as_deref()
        .map(read_bearer)
        .transpose()?;
    config.receipts.clone_from(&settings.save_receipts.value);
    if let Some(folder) = &config.receipts {
        make_private_folder(folder)?;
    }
    let needs_token = config.token.is_some();
    let proxy = runtime
        .block_on(Proxy::bind(client.clone(), config))
        .map_err(|error| of_proxy(&error))?;
    printer.say(format!("verifying {url}"));
    let node = runtime
        .block_on(client.node())
        .map_err(|error| of_client(&error))?;
    // Not before: until here Ctrl-C simply ends the program.
    let stop = Stop::listen(runtime)?;
    printer.notice(Tone::Strong, node.verdict_line());
    let address = proxy.address();
    let base = format!("http://{address}/v1");
    if printer.is_json() {
        printer.json(&serde_json::json!({ "base_url": base, "verdict": node.verdict_line() }))?;
    } else {
        printer.line(&base)?;
    }
    let key = if needs_token {
        "the token of the bearer file"
    } else {
        "any word; it is not looked at"
    };
    printer.say(format!("OpenAI clients: base_url {base}, api_key {key}"));
    printer.say(format!("Anthropic clients: base_url http://{address}"));
    printer.say("stop with Ctrl-C");
    Ok((proxy, stop))
}

async fn wished(mut stop: Stop) {
    // Not being able to wait for a signal is no reason to end.
    if stop.wished().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn of_proxy(error: &ProxyError) -> Failure {
    match error {
        ProxyError::Listen { address, source } => cannot_listen(*address, source),
        error => Failure::new(Exit::Usage, "the proxy does not listen there")
            .because(error)
            .cause("whoever reaches it uses your service in your name")
            .hint("use a loopback address, such as 127.0.0.1:8787"),
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program, perhaps another proxy, has this port: stop it, or choose another with --listen 127.0.0.1:8788"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are for the system: choose another with --listen 127.0.0.1:8787"
        }
        _ => "choose another address with --listen 127.0.0.1:8787",
    };
    Failure::new(Exit::Network, format!("cannot listen on {address}"))
        .because(error)
        .hint(hint)
}

/// The first line of the bearer file.
fn read_bearer(path: &Path) -> Result<Token, Failure> {
    let text = Zeroizing::new(read_text(path, MAX_BEARER)?);
    let token = text.lines().next().unwrap_or_default().trim();
    let long_enough = Some(token).filter(|token| token.len() >= SHORTEST_BEARER);
    long_enough.and_then(Token::new).ok_or_else(|| {
        let message = format!(
            "the token in {} is shorter than {SHORTEST_BEARER} characters",
            path.display()
        );
        Failure::new(Exit::Usage, message)
            .hint("make one: openssl rand -hex 32 > FILE, and chmod 600 FILE")
    })
}

const EXAMPLE: &str = "\
Example:
  subrosa proxy --url https://ai.example.org --policy policy.toml
  curl http://127.0.0.1:8787/v1/models";
const MAX_BEARER: u64 = 4096;
/// Nobody guesses 16 random characters over a loopback port.
const SHORTEST_BEARER: usize = 16;
