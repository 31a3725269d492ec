//! What logs, witnesses and monitors have in common: key files, lists of witnesses, and asking them.

mod monitor;
mod objects;
mod remote;

pub(crate) use monitor::{Finding, Monitor};
pub(crate) use objects::Bucket;
pub(crate) use remote::{Remote, RemoteLog};

use std::path::Path;
use std::time::Duration;

use getrandom::SysRng;
use rand_core::TryRng as _;
use serde::Deserialize;
use subrosa_log::{AddCheckpoint, Cosigners, LogError};
use subrosa_translog::{
    Checkpoint, KeyKind, KeyName, Note, NoteSignature, NoteSigner, Timestamp, VerifierKey,
};
use ureq::Agent;
use zeroize::Zeroizing;

use crate::download::check_address;
use crate::failure::{Exit, Failure};
use crate::folders::{read_text, write_private};
use crate::time;

/// Where the secret key of a log or a witness lies, in its folder.
const KEY_FILE: &str = "secret.key";
/// Where its data lie.
pub(crate) const DATA: &str = "data";

/// Whether a folder has a key.
pub(crate) fn has_key(folder: &Path) -> bool {
    folder.join(KEY_FILE).exists()
}

/// Makes a key of this kind, and the folder it lies in.
pub(crate) fn make_key(folder: &Path, name: &str, kind: KeyKind) -> Result<NoteSigner, Failure> {
    let path = folder.join(KEY_FILE);
    if has_key(folder) {
        let message = format!("{} has a key already", folder.display());
        return Err(Failure::new(Exit::Usage, message).hint("name another folder"));
    }
    let name = KeyName::new(name)
        .map_err(|error| Failure::new(Exit::Usage, "this cannot be a name").because(&error))?;
    let mut seed = Zeroizing::new([0; 32]);
    SysRng.try_fill_bytes(&mut *seed).map_err(|error| {
        Failure::new(Exit::Failed, "the system gives no random numbers").because(&error)
    })?;
    let (text, signer) = NoteSigner::secret_text(name, kind, &seed)
        .map_err(|error| Failure::new(Exit::Failed, "no key could be made").because(&error))?;
    write_private(&path, format!("{}\n", *text).as_bytes())?;
    Ok(signer)
}

/// Reads the key in a folder.
pub(crate) fn read_key(folder: &Path) -> Result<NoteSigner, Failure> {
    let path = folder.join(KEY_FILE);
    let text = Zeroizing::new(read_text(&path, 4096)?);
    NoteSigner::from_secret_text(&text).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{} is not a secret key", path.display()),
        )
        .because(&error)
    })
}

pub(crate) fn now() -> Timestamp {
    Timestamp::new(time::now().get())
}

pub(crate) fn parse_verifier_key(text: &str) -> Result<VerifierKey, String> {
    text.parse().map_err(|error| format!("{error}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    quorum: usize,
    #[serde(default)]
    witnesses: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    key: String,
}

/// The witnesses of a log, asked over the network.
pub(crate) struct Witnesses {
    quorum: usize,
    remotes: Vec<RemoteWitness>,
    agent: Agent,
}

struct RemoteWitness {
    url: String,
    key: VerifierKey,
    /// Entries of the last checkpoint it cosigned, as far as is known.
    size: u64,
}

impl Witnesses {
    /// Reads the list; without a file there are none, and none is demanded.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, Failure> {
        let mut quorum = 0;
        let mut witnesses = Vec::new();
        if let Some(path) = path {
            let wrong = || {
                Failure::new(
                    Exit::Usage,
                    format!("{} is no list of witnesses", path.display()),
                )
                .hint("it has `quorum = 2` and tables `[[witnesses]]` with `url` and `key`")
            };
            let file: File = toml::from_str(&read_text(path, 1 << 20)?)
                .map_err(|error| wrong().because(&error))?;
            for entry in file.witnesses {
                check_address(&entry.url)?;
                let key: VerifierKey =
                    entry.key.parse().map_err(|error| wrong().because(&error))?;
                if !key.kind().is_cosignature() {
                    return Err(
                        wrong().cause(format!("{} is not the key of a witness", key.name()))
                    );
                }
                witnesses.push(RemoteWitness {
                    url: entry.url.trim_end_matches('/').to_owned(),
                    key,
                    size: 0,
                });
            }
            quorum = file.quorum;
            if quorum <= witnesses.len() / 2 || quorum > witnesses.len() {
                return Err(
                    wrong().cause("the quorum is more than half of the witnesses, and at most all")
                );
            }
        }
        Ok(Self {
            quorum,
            remotes: witnesses,
            agent: agent(),
        })
    }
}

impl Cosigners for Witnesses {
    fn cosign(
        &mut self,
        signed: &Note,
        prove: &dyn Fn(u64) -> Result<AddCheckpoint, LogError>,
    ) -> Vec<NoteSignature> {
        let agent = &self.agent;
        self.remotes
            .iter_mut()
            .filter_map(|witness| witness.cosign(agent, signed, prove))
            .collect()
    }

    fn quorum(&self) -> usize {
        self.quorum
    }
}

impl RemoteWitness {
    /// Asks once, and once more where the witness says what it has seen.
    fn cosign(
        &mut self,
        agent: &Agent,
        signed: &Note,
        prove: &dyn Fn(u64) -> Result<AddCheckpoint, LogError>,
    ) -> Option<NoteSignature> {
        for _ in 0..2 {
            let body = prove(self.size).ok()?.to_body();
            let answer = agent
                .post(format!("{}/add-checkpoint", self.url))
                .content_type("text/plain; charset=utf-8")
                .send(body.as_bytes())
                .ok()?;
            let status = answer.status().as_u16();
            let text = answer
                .into_body()
                .into_with_config()
                .limit(MAX_ANSWER)
                .read_to_string()
                .ok()?;
            match status {
                200 => {
                    let line = self.verified(signed, &text)?;
                    self.size = Checkpoint::parse(signed.text()).ok()?.size();
                    return Some(line);
                }
                409 => self.size = text.trim_end().parse().ok()?,
                _ => return None,
            }
        }
        None
    }

    /// The witness's own line, if it verifies. Lines of other keys are left out.
    fn verified(&self, signed: &Note, answer: &str) -> Option<NoteSignature> {
        let line = answer
            .lines()
            .filter_map(|line| NoteSignature::parse(line).ok())
            .find(|line| line.name() == self.key.name() && line.id() == self.key.id())?;
        let mut note = signed.clone();
        note.add(line.clone()).ok()?;
        note.verify(&self.key).ok()?;
        Some(line)
    }
}

/// No proxy from the environment, no redirects, bounded times.
pub(crate) fn agent() -> Agent {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}

const MAX_ANSWER: u64 = 64 * 1024;
