//! What the measurements share: interleaved pairs, medians with their
//! intervals, and tables.
//!
//! Machines are shared and noisy, so nothing here is compared across runs:
//! each round measures both sides, in turn, and the ratio is of one round.

pub mod node;
pub mod report;
pub mod stats;
