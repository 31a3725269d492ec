//! What a transparency log has said, to go with the evidence: `spec/transparency.md`.

/// Proofs from a log, as they were read. Nothing of them is verified here: devices do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Stapled {
    /// A witnessed checkpoint, to which the evidence is bound.
    pub checkpoint: Option<Vec<u8>>,
    /// The record of the machine in the roster of admitted machines.
    pub machine_record: Option<Vec<u8>>,
    /// The log proof of that roster.
    pub machine_proof: Option<Vec<u8>>,
    /// The log proof of the release.
    pub release_proof: Option<Vec<u8>>,
}
