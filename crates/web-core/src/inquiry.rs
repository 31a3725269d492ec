//! Asking the transparency log: which tiles it takes, and what comes of them.

use std::collections::VecDeque;

use subrosa_client::{Entry, VerifiedNode};
use subrosa_translog::tiles::{TilePath, TiledProof, TiledStep};
use subrosa_translog::{ConsistencyProofs, DeviceState};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::failure::Failure;
use crate::node::{Node, refused};

/// A node whose evidence passed, and what is still to be asked of the log.
///
/// Bring every [`tile`](Inquiry::tile), then [`judge`](Inquiry::judge).
#[wasm_bindgen]
pub struct Inquiry {
    kind: Kind,
}

enum Kind {
    /// The policy names no log.
    Answered(Box<VerifiedNode>),
    Log(Box<Asked>),
}

struct Asked {
    entry: Entry,
    inquiry: subrosa_client::Inquiry,
    seen: DeviceState,
    left: VecDeque<(u64, u64)>,
    /// The proof that tiles are brought for.
    current: Option<(u64, u64, TiledProof)>,
    wanted: Option<TilePath>,
    done: Vec<(u64, u64)>,
    proofs: ConsistencyProofs,
}

/// A node that passed, and what this device has seen of the log then: to be kept before the node is used.
#[wasm_bindgen]
pub struct Judged {
    node: VerifiedNode,
    seen: Option<String>,
}

impl Inquiry {
    pub(crate) fn answered(node: VerifiedNode) -> Self {
        Self {
            kind: Kind::Answered(Box::new(node)),
        }
    }

    pub(crate) fn of_log(
        entry: Entry,
        inquiry: subrosa_client::Inquiry,
        seen: DeviceState,
    ) -> Self {
        let left = inquiry.steps(&seen).into_iter().take(MAX_STEPS).collect();
        Self {
            kind: Kind::Log(Box::new(Asked {
                entry,
                inquiry,
                seen,
                left,
                current: None,
                wanted: None,
                done: Vec::new(),
                proofs: ConsistencyProofs::new(),
            })),
        }
    }
}

impl Asked {
    fn next(&mut self) -> Option<TilePath> {
        loop {
            let (old, new, proof) = if let Some(current) = self.current.take() {
                current
            } else {
                let (old, new) = self.left.pop_front()?;
                self.done.push((old, new));
                (old, new, TiledProof::new(old, new))
            };
            match proof.next() {
                Ok(TiledStep::Tile(path)) => {
                    self.current = Some((old, new, proof));
                    return Some(path);
                }
                Ok(TiledStep::Done(hashes)) => {
                    self.proofs.insert((old, new), hashes);
                }
                // There is no such proof, which the judgement says.
                Err(_) => {}
            }
        }
    }
}

#[wasm_bindgen]
impl Inquiry {
    /// The tile that is needed next, such as `tile/0/x001/234.p/5`, until there is none.
    pub fn tile(&mut self) -> Option<String> {
        let Kind::Log(asked) = &mut self.kind else {
            return None;
        };
        asked.wanted = asked.next();
        asked.wanted.map(|path| path.to_string())
    }

    /// The same tile when it is full, to be asked for where the part is gone (c2sp.org/tlog-tiles, "Partial Tiles").
    #[must_use]
    pub fn full(&self) -> Option<String> {
        let Kind::Log(asked) = &self.kind else {
            return None;
        };
        let path = asked.wanted.filter(|path| *path != path.full())?;
        Some(path.full().to_string())
    }

    /// Brings the tile. Bytes that are none of it give no proof, which the judgement says.
    pub fn add(&mut self, bytes: &[u8]) {
        let Kind::Log(asked) = &mut self.kind else {
            return;
        };
        let added = match (&mut asked.current, asked.wanted.take()) {
            (Some((_, _, proof)), Some(path)) => proof.add(path, bytes),
            _ => None,
        };
        if added.is_none() {
            asked.current = None;
        }
    }

    /// Judges by evidence and log together.
    ///
    /// # Errors
    ///
    /// The code of the reason, with the appraisal and what of the log contradicts itself.
    pub fn judge(self) -> Result<Judged, Failure> {
        match self.kind {
            Kind::Answered(node) => Ok(Judged {
                node: *node,
                seen: None,
            }),
            Kind::Log(asked) => {
                let Asked {
                    entry,
                    mut inquiry,
                    seen,
                    done,
                    proofs,
                    ..
                } = *asked;
                inquiry.add(done, proofs);
                let (node, after) = inquiry.judge(&seen).map_err(refused)?;
                entry.check_node(&node, inquiry.now()).map_err(refused)?;
                let text = after.map(|state| state.to_text()).transpose();
                let seen = text.map_err(|error| Failure::new("log-state", &error))?;
                Ok(Judged { node, seen })
            }
        }
    }
}

#[wasm_bindgen]
impl Judged {
    /// What this device has seen of logs now, to be kept; none where no log is asked.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn seen(&self) -> Option<String> {
        self.seen.clone()
    }

    /// The node. Call it when what was seen is kept.
    #[must_use]
    pub fn node(self) -> Node {
        Node { node: self.node }
    }
}

/// Checkpoints of one node: of release, roster, evidence and directory, beside what was seen.
const MAX_STEPS: usize = 4;
