//! Tiles of a log (c2sp.org/tlog-tiles), read to follow its growth.

use subrosa_translog::ConsistencyProofs;
use subrosa_translog::tiles::{MAX_HASHES, TilePath, TiledProof, TiledStep};

use crate::address::ServiceUrl;
use crate::config::Timeouts;
use crate::error::Error;
use crate::transport::{Document, Transport};

/// Reads the tiles of one log.
pub(crate) struct LogReader {
    transport: Transport,
    /// Path before those of tiles, without a slash at its end.
    prefix: String,
}

impl LogReader {
    /// A reader of the log at `address`, none if that is not an address that can be read.
    pub(crate) fn new(address: &str, timeouts: Timeouts) -> Option<Self> {
        let (scheme, rest) = address.split_once("://")?;
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let service: ServiceUrl = format!("{scheme}://{authority}").parse().ok()?;
        let prefix = prefix.trim_end_matches('/');
        if prefix.contains(['?', '#']) {
            return None;
        }
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("/{prefix}")
        };
        Some(Self {
            transport: Transport::new(service, timeouts),
            prefix,
        })
    }

    /// Proofs over these steps. One that cannot be made is left out: whoever needs it refuses.
    pub(crate) async fn proofs(&self, steps: &[(u64, u64)]) -> Result<ConsistencyProofs, Error> {
        let mut proofs = ConsistencyProofs::new();
        for (old, new) in steps.iter().take(MAX_STEPS) {
            let mut proof = TiledProof::new(*old, *new);
            while let Ok(step) = proof.next() {
                match step {
                    TiledStep::Done(hashes) => {
                        proofs.insert((*old, *new), hashes);
                        break;
                    }
                    TiledStep::Tile(path) => {
                        let bytes = self.tile(path).await?;
                        if proof.add(path, &bytes).is_none() {
                            break;
                        }
                    }
                }
            }
        }
        Ok(proofs)
    }

    /// A tile, or the same when it is full: a log may have deleted the parts of a full one.
    async fn tile(&self, path: TilePath) -> Result<Vec<u8>, Error> {
        match self.get(path).await {
            Err(Error::Problem { status: 404, .. }) if path != path.full() => {
                self.get(path.full()).await
            }
            other => other,
        }
    }

    async fn get(&self, path: TilePath) -> Result<Vec<u8>, Error> {
        let path = format!("{}/{path}", self.prefix);
        match self.transport.get(&path, MAX_HASHES).await? {
            Document::Bytes(bytes) => Ok(bytes),
            // Not a tile, so no proof is made of it.
            Document::TooLarge => Ok(Vec::new()),
        }
    }
}

/// Checkpoints of one node: of release, roster, evidence and directory, beside what was seen.
const MAX_STEPS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_may_lie_below_a_path() {
        let prefix = |address: &str| {
            let reader = LogReader::new(address, Timeouts::default());
            reader.map(|reader| reader.prefix)
        };
        assert_eq!(prefix("https://log.example"), Some(String::new()));
        assert_eq!(prefix("https://log.example/"), Some(String::new()));
        assert_eq!(prefix("http://127.0.0.1:80/a/b/"), Some("/a/b".to_owned()));
        for bad in [
            "log.example",
            "ftp://log.example",
            "https://",
            "https://a/?b",
        ] {
            assert_eq!(prefix(bad), None, "{bad}");
        }
    }
}
