//! `subrosa image boot` and `subrosa image chat`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use subrosa_attest::development::DevelopmentRoot;
use subrosa_attest::{Policy, Sha256Digest};
use subrosa_channel::absent_release;
use subrosa_client::Trust;
use subrosa_evidence::{Evidence, Machine as EvidenceMachine, settings::PlatformSettings};
use subrosa_image::build::MEASUREMENTS;
use subrosa_image::vm::{Machine, Options, SoftwareTpm};

use super::{ImageFlags, built, failed};
use crate::chat::{Chat, Session, SessionOptions, TranscriptFlags, prompt_from_stdin};
use crate::development::named;
use crate::failure::{Exit, Failure};
use crate::folders::{Folders, make_private_folder, read_text, write_private};
use crate::printer::{Printer, Tone};
use crate::settings::{Profile, ShapeFlags};
use crate::signals::{self, Stop};

/// Start the image and keep it running until Ctrl-C
#[derive(Args, Debug)]
pub(crate) struct BootFlags {
    #[command(flatten)]
    image: ImageFlags,

    /// Port on 127.0.0.1 that the service is reached at; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

/// Start the image, verify it, ask it, and stop it
///
/// When stdin is not a terminal, one prompt is read from it; answer, verdict and receipt are printed.
#[derive(Args, Debug)]
pub(crate) struct ChatFlags {
    #[command(flatten)]
    image: ImageFlags,

    #[command(flatten)]
    shape: ShapeFlags,

    #[command(flatten)]
    transcript: TranscriptFlags,
}

/// What a device needs to trust an image with this machine's TPM in software.
pub(super) struct Trusted {
    pub(super) tpm: SoftwareTpm,
    pub(super) policy: Policy,
    pub(super) policy_file: PathBuf,
    pub(super) root: DevelopmentRoot,
    pub(super) root_file: PathBuf,
}

pub(crate) fn boot(flags: &BootFlags, printer: &Printer) -> Result<Exit, Failure> {
    let folders = Folders::find()?;
    let trusted = Trusted::prepare(&flags.image.image, &state(&folders), printer)?;
    let runtime = signals::runtime()?;
    let mut stop = Stop::listen(&runtime)?;
    let machine = start(&flags.image.image, &trusted, flags.port, printer)?;
    printer.line(format!("listening: {}", machine.url()))?;
    printer.line(format!(
        "subrosa chat --url {} --policy {} --development-root {}",
        machine.url(),
        trusted.policy_file.display(),
        trusted.root_file.display()
    ))?;
    printer.say("Ctrl-C stops it");
    runtime.block_on(stop.wished())?;
    Ok(Exit::Done)
}

pub(crate) fn chat(flags: &ChatFlags, printer: &Printer) -> Result<Exit, Failure> {
    let prompt = prompt_from_stdin(printer)?;
    let folders = Folders::find()?;
    let trusted = Trusted::prepare(&flags.image.image, &state(&folders), printer)?;
    let machine = start(&flags.image.image, &trusted, 0, printer)?;
    let runtime = signals::runtime()?;
    let profile = flags.shape.profile.unwrap_or(Profile::Balanced);
    let started = Instant::now();
    let session = runtime.block_on(Session::connect(trusted.options(&machine, profile)))?;
    printer.say(format!(
        "verified in {}: registers 4, 9 and 11 are the predicted ones, 12 and 13 zero",
        seconds(started)
    ));
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
    let started = Instant::now();
    let _receipt = chat.once(&prompt)?;
    printer.say(format!("answered in {}", seconds(started)));
    Ok(Exit::Done)
}

impl Trusted {
    /// Makes the TPM where there is none, reads its attestation key, and writes the
    /// policy that the image's predictions come to.
    pub(super) fn prepare(image: &Path, state: &Path, printer: &Printer) -> Result<Self, Failure> {
        let policy_text = policy(image)?;
        let policy = Policy::parse(&policy_text).map_err(|error| {
            Failure::new(Exit::Failed, "the policy that was made here is wrong").because(&error)
        })?;
        make_private_folder(state)?;
        let tpm = SoftwareTpm::open(&state.join("tpm")).map_err(|error| failed(&error))?;
        let root = attestation_key(&tpm)?;
        let root_file = state.join("tpm-public.json");
        let policy_file = state.join(named("policy", &policy_text));
        write_private(&root_file, root.to_public_file().as_bytes())?;
        write_private(&policy_file, policy_text.as_bytes())?;
        printer.detail(format!("policy: {}", policy_file.display()));
        Ok(Self {
            tpm,
            policy,
            policy_file,
            root,
            root_file,
        })
    }

    pub(super) fn options(&self, machine: &Machine, profile: Profile) -> SessionOptions {
        SessionOptions {
            url: machine.url(),
            policy: self.policy.clone(),
            trust: Trust::Development(self.root.clone()),
            profile,
        }
    }
}

/// Where what belongs to this machine's virtual machine is kept.
pub(super) fn state(folders: &Folders) -> PathBuf {
    folders.state.path.join("image")
}

fn start(
    image: &Path,
    trusted: &Trusted,
    port: u16,
    printer: &Printer,
) -> Result<Machine, Failure> {
    printer.say("booting the image (about 20 seconds)");
    let started = Instant::now();
    let options = Options {
        image,
        tpm: &trusted.tpm,
        port,
        append: None,
        patience: PATIENCE,
    };
    let machine =
        Machine::start(&options, &|text| printer.say(text)).map_err(|error| failed(&error))?;
    printer.say(format!("ready after {}", seconds(started)));
    Ok(machine)
}

/// The attestation key of a TPM in software, read from itself before any machine uses
/// it. This is what makes it this TPM and no other.
fn attestation_key(tpm: &SoftwareTpm) -> Result<DevelopmentRoot, Failure> {
    let failure = || Failure::new(Exit::Failed, "the TPM in software gives no attestation key");
    let folder = tempfile::tempdir().map_err(|error| failure().because(&error))?;
    let socket = folder.path().join("tpm.sock");
    let _running = tpm.serve(&socket).map_err(|error| failed(&error))?;
    let settings = format!(
        "kind = \"tpm\"\nregisters = [0]\ndevice = {}\nevent_log = {}\n",
        toml::Value::from(socket.display().to_string()),
        toml::Value::from(folder.path().join("none").display().to_string()),
    );
    let settings: PlatformSettings =
        toml::from_str(&settings).map_err(|error| failure().because(&error))?;
    let machine =
        EvidenceMachine::open(&settings, None, None).map_err(|error| failure().because(&error))?;
    let evidence = machine.evidence([0; 64]);
    let evidence = evidence.map_err(|error| failure().because(&error))?;
    let Some(Evidence::Tpm(evidence)) = evidence.first() else {
        return Err(failure());
    };
    DevelopmentRoot::software_tpm(&evidence.key).map_err(|error| failure().because(&error))
}

/// The policy for an image: its predictions, its configuration, its weights.
fn policy(image: &Path) -> Result<String, Failure> {
    let path = image.join(MEASUREMENTS);
    if !path.exists() {
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no image in {}", image.display()),
        )
        .hint("build one: make image, or subrosa image build"));
    }
    let damaged = || Failure::new(Exit::Usage, format!("{} is damaged", path.display()));
    let text = read_text(&path, MAX_MEASUREMENTS)?;
    let values: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| damaged().because(&error))?;
    let value = |pointer: &str| {
        let text = values.pointer(pointer).and_then(serde_json::Value::as_str);
        let is_digest = |text: &&str| text.parse::<Sha256Digest>().is_ok();
        text.filter(is_digest).ok_or_else(damaged)
    };
    let configuration = read_text(&image.join("enclave.toml"), MAX_MEASUREMENTS)?;
    Ok(format!(
        "# Made by subrosa for development, from the predictions of an image.\n\
         version = 1\nname = \"measured image on this machine\"\nplatforms = [\"tpm\"]\n\n\
         [[boots]]\nname = \"predicted\"\npcr4 = \"{}\"\npcr9 = \"{}\"\npcr11 = \"{}\"\n\n\
         [[weights]]\nname = \"the image's model\"\nsha256 = \"{}\"\n\n\
         [[configurations]]\nname = \"the image's configuration\"\nsha256 = \"{}\"\n\n\
         [[releases]]\nname = \"not released\"\nsha256 = \"{}\"\n",
        value("/tpm/pcr4")?,
        value("/tpm/pcr9")?,
        value("/tpm/pcr11")?,
        built::weights(&configuration)?,
        value("/configuration")?,
        Sha256Digest::new(absent_release()),
    ))
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

/// Software emulation on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(3);
const MAX_MEASUREMENTS: u64 = 1 << 20;
