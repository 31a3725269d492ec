//! `subrosa try`: the whole way through, on one machine.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use subrosa_client::Trust;

use crate::chat::{Chat, Session, SessionOptions, TranscriptFlags, prompt_from_stdin};
use crate::development::{EngineFlags, Prepared, Service};
use crate::enclave_program;
use crate::failure::{Exit, Failure};
use crate::folders::Folders;
use crate::printer::{Printer, Tone};
use crate::settings::{Profile, ShapeFlags};
use crate::signals;

/// Start a service on this machine and open a private chat with it
///
/// Everything is as with a real service but the hardware: the evidence is signed by a root made on this
/// machine, so the verdict is NOT PROTECTED (development), and that is not an error here. When stdin is
/// not a terminal, one prompt is read from it; answer, verdict and receipt are printed on stdout.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(flatten)]
    engine: EngineFlags,

    #[command(flatten)]
    shape: ShapeFlags,

    #[command(flatten)]
    transcript: TranscriptFlags,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let prompt = prompt_from_stdin(printer)?;
    let folders = Folders::find()?;
    let enclave = enclave_program::find()?;
    let prepared = Prepared::new(enclave, LISTEN, &flags.engine, &folders, printer)?;
    printer.say(format!(
        "starting a service with {} (a few seconds)",
        prepared.engine_words
    ));
    let service = Service::start(&prepared, printer)?;
    printer.say("verifying its evidence");
    let runtime = signals::runtime()?;
    let options = SessionOptions {
        url: service.url().to_owned(),
        policy: prepared.policy.clone(),
        trust: Trust::Development(prepared.root.clone()),
        profile: flags.shape.profile.unwrap_or(Profile::Balanced),
    };
    let session = runtime.block_on(Session::connect(options))?;
    let chat = Chat {
        model: session.model(None)?,
        session,
        receipts: folders.receipts(),
        transcript: flags.transcript.keep_transcript.clone(),
        hide_end: false,
        printer,
        runtime: &runtime,
    };
    let Some(prompt) = prompt else {
        printer.notice(Tone::Careful, chat.session.verdict_line());
        return chat.talk();
    };
    let id = chat.once(&prompt)?;
    printer.say(format!(
        "check it: subrosa receipt check {id} --policy {} --development-root {}",
        prepared.policy_file.display(),
        prepared.root_file.display()
    ));
    Ok(Exit::Done)
}

const EXAMPLE: &str = "\
Example:
  echo 'Hello, who are you?' | subrosa try";
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
