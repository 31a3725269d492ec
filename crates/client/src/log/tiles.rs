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
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        reason = "tests"
    )]

    use std::collections::BTreeMap;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use subrosa_translog::merkle::{HashSource as _, Leaves, consistency_proof};

    use super::*;

    fn leaves(size: u32) -> Leaves {
        let entries: Vec<_> = (0..size).map(u32::to_be_bytes).collect();
        Leaves::of(&entries)
    }

    /// A full tile of the lowest level.
    fn tile(leaves: &Leaves, index: u64) -> Vec<u8> {
        let first = index * 256;
        (first..first + 256)
            .flat_map(|at| *leaves.subtree(0, at).unwrap().as_bytes())
            .collect()
    }

    /// A server of these documents, and a reader of it.
    fn reader(documents: BTreeMap<&'static str, Vec<u8>>) -> LogReader {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/log", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                reader.read_line(&mut line).unwrap();
                let path = line.split(' ').nth(1).unwrap();
                let body = path
                    .strip_prefix("/log/")
                    .and_then(|path| documents.get(path));
                let (status, body) =
                    body.map_or(("404 Not Found", &[][..]), |body| ("200 OK", body));
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                // The reader may have left.
                let _ = stream.write_all(body);
            }
        });
        LogReader::new(&address, Timeouts::default()).unwrap()
    }

    #[tokio::test]
    async fn a_proof_is_made_of_tiles_also_where_their_parts_are_gone() {
        let grown = leaves(600);
        let full = [
            ("tile/0/000", tile(&grown, 0)),
            ("tile/0/001", tile(&grown, 1)),
        ];
        let proofs = reader(full.into()).proofs(&[(250, 300)]).await.unwrap();
        let expected = consistency_proof(&leaves(300), 250, 300).unwrap();
        assert_eq!(proofs, [((250, 300), expected)].into());
    }

    #[tokio::test]
    async fn what_is_no_tile_gives_no_proof() {
        for bad in [vec![1; 31], vec![1; MAX_HASHES + 32]] {
            let documents = [("tile/0/000.p/4", bad)];
            let proofs = reader(documents.into()).proofs(&[(3, 4)]).await.unwrap();
            assert_eq!(proofs, ConsistencyProofs::new());
        }
    }

    #[tokio::test]
    async fn a_log_without_the_tile_is_an_error() {
        let failed = reader(BTreeMap::new()).proofs(&[(3, 4)]).await;
        assert!(matches!(failed, Err(Error::Problem { status: 404, .. })));
    }

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
