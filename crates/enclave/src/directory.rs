//! The node directory, in its canonical form (spec/service.md).

use bytes::Bytes;
use serde::Serialize;
use subrosa_attest::Sha256Digest;
use subrosa_channel::KeyId;

/// One key of this node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) key_id: KeyId,
    pub(crate) bundle: Sha256Digest,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) models: Vec<String>,
}

/// Members in the order of the specification; no white space.
#[derive(Serialize)]
struct Directory<'a> {
    version: u8,
    nodes: Vec<DirectoryNode<'a>>,
}

#[derive(Serialize)]
struct DirectoryNode<'a> {
    key_id: String,
    bundle: String,
    not_before: u64,
    not_after: u64,
    models: &'a [String],
}

/// Writes the directory of `nodes`, which stand in it in this order.
pub(crate) fn render(nodes: &[&Node]) -> Bytes {
    let nodes = nodes
        .iter()
        .map(|node| DirectoryNode {
            key_id: node.key_id.to_string(),
            bundle: node.bundle.to_string(),
            not_before: node.not_before,
            not_after: node.not_after,
            models: &node.models,
        })
        .collect();
    // Numbers and texts always serialise.
    serde_json::to_vec(&Directory { version: 1, nodes })
        .unwrap_or_default()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_has_the_bytes_of_the_specification() {
        let node = Node {
            key_id: KeyId([0xAB; 16]),
            bundle: Sha256Digest::new([1; 32]),
            not_before: 5,
            not_after: 6,
            models: vec!["a".to_owned(), "b".to_owned()],
        };
        let expected = format!(
            r#"{{"version":1,"nodes":[{{"key_id":"{}","bundle":"{}","not_before":5,"not_after":6,"models":["a","b"]}}]}}"#,
            "ab".repeat(16),
            "01".repeat(32),
        );
        assert_eq!(render(&[&node]), expected);
    }

    #[test]
    fn without_keys_the_directory_has_no_nodes() {
        assert_eq!(render(&[]), r#"{"version":1,"nodes":[]}"#);
    }
}
