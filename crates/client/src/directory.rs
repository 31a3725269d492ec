//! The node directory (spec/service.md): untrusted, it says where to look.

use serde::{Deserialize, Serialize};
use subrosa_attest::{Bundle, Sha256Digest, UnixSeconds};
use subrosa_channel::KeyConfiguration;
use thiserror::Error;

use crate::node::{Refusal, RefusalReason, VerifiedNode};

/// What a service says about its nodes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    version: u8,
    nodes: Vec<Entry>,
}

/// What a service says about one key. It is compared with the verified key configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    key_id: String,
    bundle: String,
    not_before: u64,
    not_after: u64,
    models: Vec<String>,
}

/// Why bytes are not a directory.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Not JSON of the specified form, or not in its one spelling.
    #[error("the directory of the service is malformed")]
    Format,
    /// Larger than a directory may be.
    #[error("the directory of the service is larger than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// More nodes than a directory may have.
    #[error("the directory of the service has {got} nodes, allowed are {limit}")]
    TooMany {
        /// Nodes listed.
        got: usize,
        /// Nodes allowed.
        limit: usize,
    },
    /// Another version.
    #[error("the directory of the service has version {got}, expected 1")]
    Version {
        /// The version it states.
        got: u8,
    },
}

impl Directory {
    /// Largest directory that is read, in bytes.
    pub const MAX_LEN: usize = 64 << 10;
    /// Most nodes of a directory.
    const MAX_NODES: usize = 64;

    /// Reads a directory, in the one spelling of the specification.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DirectoryError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(DirectoryError::TooLarge {
                limit: Self::MAX_LEN,
            });
        }
        let directory: Self = serde_json::from_slice(bytes).map_err(|_| DirectoryError::Format)?;
        if directory.version != 1 {
            return Err(DirectoryError::Version {
                got: directory.version,
            });
        }
        let got = directory.nodes.len();
        if got > Self::MAX_NODES {
            let limit = Self::MAX_NODES;
            return Err(DirectoryError::TooMany { got, limit });
        }
        let written = serde_json::to_vec(&directory).map_err(|_| DirectoryError::Format)?;
        let good = written == bytes && directory.nodes.iter().all(Entry::is_well_formed);
        good.then_some(directory).ok_or(DirectoryError::Format)
    }

    /// The bundles that it names. Their form was checked when it was read.
    #[must_use]
    pub fn bundles(&self) -> Vec<Sha256Digest> {
        let hashes = self.nodes.iter().map(|entry| entry.bundle.parse());
        hashes.filter_map(Result::ok).collect()
    }

    /// What it says about each node.
    #[must_use]
    pub fn into_nodes(self) -> Vec<Entry> {
        self.nodes
    }
}

impl Entry {
    /// SHA-256 of the bundle, 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// Reads the bundle, if these bytes are the ones that are named here.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn read_bundle(&self, bytes: &[u8]) -> Result<Bundle, Box<Refusal>> {
        let actual = Sha256Digest::of(bytes);
        if actual.to_string() != self.bundle {
            let expected = self.bundle.clone();
            return Err(Refusal::new(RefusalReason::BundleHash { expected, actual }));
        }
        Bundle::parse(bytes).map_err(|error| Refusal::new(RefusalReason::Bundle(error)))
    }

    /// Refuses a node that is another than what is said here, or whose key ends soon.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn check_node(&self, node: &VerifiedNode, now: UnixSeconds) -> Result<(), Box<Refusal>> {
        let kc = node.key_configuration();
        if let Some(field) = self.mismatch(kc) {
            return Err(Refusal::after(
                RefusalReason::DirectoryMismatch { field },
                node,
            ));
        }
        check_life(kc.not_after(), now).map_err(|reason| Refusal::after(reason, node))
    }

    /// The first thing said here that differs from the verified key configuration.
    fn mismatch(&self, kc: &KeyConfiguration) -> Option<&'static str> {
        let models = kc.models().iter().map(|model| &model.name);
        let fields = [
            ("key_id", self.key_id == kc.key_id().to_string()),
            ("not_before", self.not_before == kc.not_before()),
            ("not_after", self.not_after == kc.not_after()),
            ("models", models.eq(&self.models)),
        ];
        let wrong = fields.into_iter().find(|(_, holds)| !holds);
        wrong.map(|(name, _)| name)
    }

    fn is_well_formed(&self) -> bool {
        is_hex(&self.key_id, 32) && is_hex(&self.bundle, 64)
    }
}

fn check_life(not_after: u64, now: UnixSeconds) -> Result<(), RefusalReason> {
    let now = now.get();
    if not_after.saturating_sub(now) >= MARGIN {
        Ok(())
    } else {
        Err(RefusalReason::Expiring { not_after, now })
    }
}

/// Seconds that a key must still live to be sealed to.
pub(crate) const MARGIN: u64 = 60;

fn is_hex(text: &str, len: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == len && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> String {
        let (key_id, bundle) = ("ab".repeat(16), "01".repeat(32));
        format!(
            r#"{{"key_id":"{key_id}","bundle":"{bundle}","not_before":5,"not_after":6,"models":["a"]}}"#
        )
    }

    fn directory(nodes: &[String]) -> String {
        format!(r#"{{"version":1,"nodes":[{}]}}"#, nodes.join(","))
    }

    fn refusal(text: &str) -> DirectoryError {
        Directory::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_directory_of_the_specified_form_is_read() {
        let directory = Directory::parse(directory(&[entry()]).as_bytes()).unwrap();
        let nodes = directory.into_nodes();
        assert_eq!(nodes[0].bundle(), "01".repeat(32));
    }

    #[test]
    fn another_spelling_of_the_same_directory_is_refused() {
        let good = directory(&[entry()]);
        for bad in [
            format!("{good}\n"),
            good.replace("\"version\":1", "\"version\": 1"),
            good.replace(r#""version":1,"#, r#""version":1,"x":0,"#),
            good.replace("\"not_before\":5,", "\"not_before\":5,\"not_before\":5,"),
            good.replace(r#"["a"]"#, r#"["\u0061"]"#),
            good.replace(
                "\"not_before\":5,\"not_after\":6",
                "\"not_after\":6,\"not_before\":5",
            ),
        ] {
            assert_eq!(refusal(&bad), DirectoryError::Format, "{bad}");
        }
    }

    #[test]
    fn names_that_are_not_lower_case_hexadecimal_are_refused() {
        for bad in [
            entry().replace("abab", "ABab"),
            entry().replace("abab", "ab"),
            entry().replacen("0101", "..%2f", 1),
            entry().replacen("0101", "01/1", 1),
        ] {
            assert_eq!(refusal(&directory(&[bad])), DirectoryError::Format);
        }
    }

    #[test]
    fn another_version_is_refused() {
        let bad = directory(&[]).replace("\"version\":1", "\"version\":2");
        assert_eq!(refusal(&bad), DirectoryError::Version { got: 2 });
    }

    #[test]
    fn too_many_nodes_are_refused() {
        let nodes = vec![entry(); 65];
        let (got, limit) = (65, 64);
        assert_eq!(
            refusal(&directory(&nodes)),
            DirectoryError::TooMany { got, limit }
        );
    }

    #[test]
    fn a_directory_over_the_limit_is_refused_unread() {
        let bad = " ".repeat(Directory::MAX_LEN + 1);
        let limit = Directory::MAX_LEN;
        assert_eq!(refusal(&bad), DirectoryError::TooLarge { limit });
    }

    #[test]
    fn a_key_with_less_than_a_minute_left_is_not_used() {
        let now = UnixSeconds::new(1000);
        assert!(check_life(1060, now).is_ok());
        assert!(check_life(1059, now).is_err());
        assert!(check_life(5, now).is_err());
    }
}
