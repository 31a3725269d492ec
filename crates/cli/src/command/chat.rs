//! `subrosa chat`: a private chat with a service that is running.

use clap::Args;

use crate::chat::{Chat, Session, SessionOptions, TranscriptFlags, prompt_from_stdin};
use crate::command::verify::no_url;
use crate::failure::{Exit, Failure};
use crate::folders::Folders;
use crate::judgement::{TrustFlags, read_policy};
use crate::printer::{Printer, Tone};
use crate::settings::{Profile, ServiceFlags, Settings, ShapeFlags};
use crate::signals;

/// Chat with a service, privately
///
/// The service is verified before anything is sent; a service that is refused gets nothing, and the
/// command exits with 3. When stdin is not a terminal, one prompt is read from it; answer, verdict and
/// receipt are printed on stdout.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(flatten)]
    service: ServiceFlags,

    #[command(flatten)]
    trust: TrustFlags,

    #[command(flatten)]
    shape: ShapeFlags,

    /// Name of the model, where a service has several
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    #[command(flatten)]
    transcript: TranscriptFlags,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let folders = Folders::find()?;
    let settings = Settings::load(&folders, &flags.service)?.with_shape(&flags.shape);
    let url = settings.url.value.ok_or_else(no_url)?;
    let policy = settings.policy.value.as_deref().ok_or_else(no_policy)?;
    let options = SessionOptions {
        url,
        policy: read_policy(policy)?,
        trust: flags.trust.load()?,
        profile: settings.profile.value,
    };
    let prompt = prompt_from_stdin(printer)?;
    printer.say(format!("verifying {}", options.url));
    let runtime = signals::runtime()?;
    let session = runtime.block_on(Session::connect(options))?;
    let chat = Chat {
        model: session.model(flags.model.as_deref())?,
        session,
        receipts: folders.receipts(),
        transcript: flags.transcript.keep_transcript.clone(),
        hide_end: settings.profile.value != Profile::Off,
        printer,
        runtime: &runtime,
    };
    if let Some(prompt) = prompt {
        return chat.once(&prompt).map(|_receipt| Exit::Done);
    }
    let protected = chat.session.is_protected();
    let tone = if protected { Tone::Good } else { Tone::Careful };
    printer.notice(tone, chat.session.verdict_line());
    chat.talk()
}

/// Without a policy nothing is accepted, so there is nothing to connect to.
pub(crate) fn no_policy() -> Failure {
    Failure::new(Exit::Usage, "no policy was named, and without one no service is accepted")
        .hint("name one with --policy, or in the settings file (subrosa config --path); spec/policy.md explains it")
}

const EXAMPLE: &str = "\
Example:
  subrosa chat --url https://ai.example.org --policy policy.toml";
