//! Watching a log: everything in it is read, and what it was is never forgotten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subrosa_log::{MAX_ENTRIES, TilePath, WIDTH, parse_entries};
use subrosa_translog::merkle::Frontier;
use subrosa_translog::{Checkpoint, Hash, Note, VerifierKey};
use ureq::Agent;

use super::agent;
use crate::failure::{Exit, Failure};
use crate::folders::{read_text, write_private};

/// Watches one log.
pub(crate) struct Monitor {
    url: String,
    key: VerifierKey,
    state_file: PathBuf,
    state: State,
    agent: Agent,
}

/// Something that was seen.
pub(crate) enum Finding {
    /// An entry.
    Entry(Value),
    /// The log contradicts itself. Both checkpoints are kept in this file.
    Misbehaviour { what: &'static str, kept: PathBuf },
}

#[derive(Deserialize)]
struct Schema {
    schema: u64,
}

/// What was seen before.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct State {
    schema: u64,
    /// The last checkpoint, as it was signed.
    checkpoint: Option<String>,
    size: u64,
    /// Hashes of the tree's complete subtrees.
    subtrees: Vec<String>,
    /// Which entry the directory of an epoch is.
    epochs: BTreeMap<u64, u64>,
}

impl Monitor {
    pub(crate) fn open(url: &str, key: VerifierKey, state_file: &Path) -> Result<Self, Failure> {
        let state = if state_file.exists() {
            let text = read_text(state_file, MAX_STATE)?;
            let damaged = || {
                let message = format!("{} is not what a monitor keeps", state_file.display());
                Failure::new(Exit::Usage, message)
                    .hint("name another file with --state, or restore it")
            };
            // First this alone: what else is in a newer one is not known here.
            let Schema { schema } =
                serde_json::from_str(&text).map_err(|error| damaged().because(&error))?;
            if schema > SCHEMA {
                let message = format!("{} has schema {schema}", state_file.display());
                return Err(Failure::new(Exit::Usage, message)
                    .cause(format!("a newer version wrote it; this one reads {SCHEMA}"))
                    .hint("update this program"));
            }
            if schema != SCHEMA {
                return Err(damaged());
            }
            serde_json::from_str(&text).map_err(|error| damaged().because(&error))?
        } else {
            State {
                schema: SCHEMA,
                ..State::default()
            }
        };
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            key,
            state_file: state_file.to_owned(),
            state,
            agent: agent(),
        })
    }

    /// Looks once: reads what is new, and says what it is.
    pub(crate) fn look(&mut self) -> Result<Vec<Finding>, Failure> {
        let bytes = self.fetch("checkpoint", Note::MAX)?;
        let unsigned = |cause: String| {
            Failure::new(Exit::Refused, "what the log shows is not its checkpoint").cause(cause)
        };
        let note = Note::parse(&bytes).map_err(|error| unsigned(error.to_string()))?;
        note.verify(&self.key)
            .map_err(|error| unsigned(error.to_string()))?;
        let checkpoint =
            Checkpoint::parse(note.text()).map_err(|error| unsigned(error.to_string()))?;
        if checkpoint.origin() != self.key.name() {
            return Err(unsigned("it is of another log".to_owned()));
        }
        if checkpoint.size() < self.state.size {
            return self.contradiction("the log is shorter than it was", &note);
        }
        let mut frontier = self.frontier()?;
        let mut findings = Vec::new();
        let mut epochs = self.state.epochs.clone();
        let mut index = frontier.size();
        while index < checkpoint.size() {
            for entry in self.entries(index, checkpoint.size())? {
                frontier.append(Hash::of_leaf(&entry), |_, _, _| ());
                findings.push(Finding::Entry(described(index, &entry, &mut epochs)));
                index = index.saturating_add(1);
            }
        }
        if frontier.root() != *checkpoint.root() {
            return self.contradiction("the entries do not give the root that was signed", &note);
        }
        self.state.checkpoint = Some(note.to_string());
        self.state.size = frontier.size();
        self.state.subtrees = frontier.subtrees().iter().map(Hash::to_base64).collect();
        self.state.epochs = epochs;
        let text = serde_json::to_vec_pretty(&self.state).map_err(|error| {
            Failure::new(Exit::Failed, "the state cannot be written").because(&error)
        })?;
        write_private(&self.state_file, &text)?;
        Ok(findings)
    }

    /// How many entries were seen.
    pub(crate) const fn size(&self) -> u64 {
        self.state.size
    }

    fn frontier(&self) -> Result<Frontier, Failure> {
        let hashes = self
            .state
            .subtrees
            .iter()
            .map(|text| Hash::from_base64(text));
        hashes
            .collect::<Option<Vec<_>>>()
            .and_then(|hashes| Frontier::of_parts(self.state.size, hashes))
            .ok_or_else(|| {
                let message = format!("{} is damaged", self.state_file.display());
                Failure::new(Exit::Usage, message)
                    .hint("restore it, or begin again with another file")
            })
    }

    /// The entries from `index` to the end of their bundle.
    fn entries(&self, index: u64, size: u64) -> Result<Vec<Vec<u8>>, Failure> {
        let malformed = || {
            Failure::new(
                Exit::Refused,
                format!("the bundle with entry {index} is malformed"),
            )
        };
        let path = TilePath::entries(index / WIDTH, size).ok_or_else(malformed)?;
        let bytes = self.fetch(&path.to_string(), MAX_ENTRIES)?;
        let mut entries = parse_entries(&bytes, path.width()).ok_or_else(malformed)?;
        let seen = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        Ok(entries.split_off(seen.min(entries.len())))
    }

    fn fetch(&self, path: &str, max: usize) -> Result<Vec<u8>, Failure> {
        let url = format!("{}/{path}", self.url);
        let failed = |cause: String| {
            Failure::new(Exit::Network, format!("cannot read {url}"))
                .cause(cause)
                .hint("check the address, and that the log is running")
        };
        let answer = self
            .agent
            .get(&url)
            .call()
            .map_err(|error| failed(error.to_string()))?;
        if answer.status().as_u16() != 200 {
            return Err(failed(format!("the log answered {}", answer.status())));
        }
        let limit = u64::try_from(max).unwrap_or(u64::MAX);
        let body = answer.into_body().into_with_config().limit(limit);
        body.read_to_vec()
            .map_err(|error| failed(error.to_string()))
    }

    /// Keeps both checkpoints. What was believed before is still believed.
    fn contradiction(&self, what: &'static str, now: &Note) -> Result<Vec<Finding>, Failure> {
        let kept = self.state_file.with_extension("misbehaviour.json");
        let before = self.state.checkpoint.clone();
        let both = json!({ "what": what, "seen": before, "refused": now.to_string() });
        write_private(&kept, format!("{both:#}\n").as_bytes())?;
        Ok(vec![Finding::Misbehaviour { what, kept }])
    }
}

/// What an entry is, in one object. A second directory of one epoch is said to be one.
fn described(index: u64, entry: &[u8], epochs: &mut BTreeMap<u64, u64>) -> Value {
    let Ok(note) = Note::parse(entry) else {
        return json!({ "index": index, "kind": "unknown", "warning": "it is not a signed note" });
    };
    let (kind, content) = note.text().split_once('\n').unwrap_or_default();
    let signers: Vec<_> = note
        .signatures()
        .iter()
        .map(|line| line.name().as_str())
        .collect();
    let content: Value = serde_json::from_str(content).unwrap_or_default();
    let known = ["release@v1", "machines@v1", "directory@v1"];
    let is_known = kind
        .strip_prefix("subrosa.dev/")
        .is_some_and(|kind| known.contains(&kind));
    let mut warning = (!is_known).then_some("this kind of entry is not known");
    if let (true, Some(epoch)) = (
        kind.ends_with("/directory@v1"),
        content.get("epoch").and_then(Value::as_u64),
    ) {
        if epochs.insert(epoch, index).is_some() {
            warning = Some(
                "the epoch has another directory already: somebody may have been shown his own",
            );
        }
        while epochs.len() > MAX_EPOCHS {
            epochs.pop_first();
        }
    }
    json!({
        "index": index,
        "kind": kind,
        "signers": signers,
        "content": content,
        "warning": warning,
    })
}

const SCHEMA: u64 = 1;
const MAX_STATE: u64 = 16 << 20;
/// Two months of epochs of ten minutes.
const MAX_EPOCHS: usize = 10_000;
