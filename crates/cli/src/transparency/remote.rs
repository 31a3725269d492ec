//! A log that is served over HTTP: its checkpoint, proofs from its tiles, and new entries.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use subrosa_log::{MAX_ENTRIES, TilePath, WIDTH, parse_entries};
use subrosa_translog::merkle::{HashSource, ProofError, inclusion_proof};
use subrosa_translog::tiles::{MAX_HASHES, parse_hashes, reduce};
use subrosa_translog::{Checkpoint, Hash, LogProof, Note};
use ureq::Agent;

use super::agent;
use crate::download::check_address;
use crate::failure::{Exit, Failure};

/// Documents below one address.
pub(crate) struct Remote {
    url: String,
    agent: Agent,
}

/// A log at one of its checkpoints.
pub(crate) struct RemoteLog<'a> {
    remote: &'a Remote,
    checkpoint: Note,
    size: u64,
    read: RefCell<BTreeMap<TilePath, Vec<Hash>>>,
}

impl Remote {
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        check_address(url)?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            agent: agent(),
        })
    }

    /// The log at the checkpoint that it shows now.
    pub(crate) fn log(&self) -> Result<RemoteLog<'_>, Failure> {
        let bytes = self.fetch("checkpoint", Note::MAX)?;
        let wrong = || Failure::new(Exit::Refused, format!("{} shows no checkpoint", self.url));
        let checkpoint = Note::parse(&bytes).map_err(|error| wrong().because(&error))?;
        let size = Checkpoint::parse(checkpoint.text())
            .map_err(|error| wrong().because(&error))?
            .size();
        Ok(RemoteLog {
            remote: self,
            checkpoint,
            size,
            read: RefCell::default(),
        })
    }

    /// Hands an entry in, and gives the proof that it is logged.
    pub(crate) fn add(&self, entry: &Note) -> Result<LogProof, Failure> {
        let url = format!("{}/add", self.url);
        let failed = |cause: String| {
            Failure::new(Exit::Network, format!("{url} does not take the entry"))
                .cause(cause)
                .hint("check that the log runs, and that it was started with this key as --author")
        };
        let answer = self
            .agent
            .post(&url)
            .content_type("text/plain; charset=utf-8")
            .send(entry.to_string().as_bytes())
            .map_err(|error| failed(error.to_string()))?;
        let status = answer.status().as_u16();
        let limit = u64::try_from(LogProof::MAX).unwrap_or(u64::MAX);
        let body = answer.into_body().into_with_config().limit(limit);
        let bytes = body
            .read_to_vec()
            .map_err(|error| failed(error.to_string()))?;
        if status != 200 {
            let words = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            return Err(failed(format!("it answered {status}: {words}")));
        }
        LogProof::parse(&bytes).map_err(|error| failed(error.to_string()))
    }

    /// A document of at most `max` bytes.
    pub(crate) fn fetch(&self, path: &str, max: usize) -> Result<Vec<u8>, Failure> {
        let url = format!("{}/{path}", self.url);
        let failed = |cause: String| {
            Failure::new(Exit::Network, format!("cannot read {url}"))
                .cause(cause)
                .hint("check the address, and that what it belongs to is running")
        };
        let answer = self
            .agent
            .get(&url)
            .call()
            .map_err(|error| failed(error.to_string()))?;
        if answer.status().as_u16() != 200 {
            return Err(failed(format!("it answered {}", answer.status())));
        }
        let limit = u64::try_from(max).unwrap_or(u64::MAX);
        let body = answer.into_body().into_with_config().limit(limit);
        body.read_to_vec()
            .map_err(|error| failed(error.to_string()))
    }
}

impl RemoteLog<'_> {
    pub(crate) fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// The proof of an entry at this checkpoint. Devices verify it.
    pub(crate) fn proof(&self, index: u64) -> Result<LogProof, Failure> {
        let wrong = |cause: String| {
            let message = format!("the log gives no proof of entry {index}");
            Failure::new(Exit::Usage, message).cause(cause)
        };
        let path = TilePath::entries(index / WIDTH, self.size)
            .ok_or_else(|| wrong(format!("it has {} entries", self.size)))?;
        let bytes = self.remote.fetch(&path.to_string(), MAX_ENTRIES)?;
        let entries = parse_entries(&bytes, path.width());
        let at = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        let entry = entries
            .and_then(|entries| entries.into_iter().nth(at))
            .ok_or_else(|| wrong("a tile is malformed".to_owned()))?;
        let hashes = inclusion_proof(self, index, self.size).map_err(|error| match error {
            Unread::Failed(failure) => *failure,
            Unread::Proof(error) => wrong(error.to_string()),
        })?;
        LogProof::new(entry, index, hashes, self.checkpoint.clone())
            .map_err(|error| wrong(error.to_string()))
    }
}

/// Why a hash is not there.
pub(crate) enum Unread {
    Failed(Box<Failure>),
    Proof(ProofError),
}

impl From<ProofError> for Unread {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

impl HashSource for RemoteLog<'_> {
    type Error = Unread;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Unread> {
        let size = self.size;
        let outside = || Unread::Proof(ProofError::Index { index, size });
        let (tile_level, height) = (level / 8, level % 8);
        let first = index.checked_shl(height.into()).ok_or_else(outside)?;
        let path = TilePath::hashes(tile_level, first / WIDTH, size).ok_or_else(outside)?;
        let mut read = self.read.borrow_mut();
        let hashes = match read.entry(path) {
            Entry::Occupied(have) => have.into_mut(),
            Entry::Vacant(place) => {
                let bytes = self
                    .remote
                    .fetch(&path.to_string(), MAX_HASHES)
                    .map_err(|failure| Unread::Failed(Box::new(failure)))?;
                place.insert(parse_hashes(&bytes, path.width()).ok_or_else(outside)?)
            }
        };
        let start = usize::try_from(first % WIDTH).map_err(|_| outside())?;
        let end = start.saturating_add(1 << height);
        hashes.get(start..end).map(reduce).ok_or_else(outside)
    }
}
