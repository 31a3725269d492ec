//! One test in a program of its own, since it changes the process.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
use subrosa_enclave::hardening::harden;
use subrosa_enclave::log::Log;

#[test]
fn a_hardened_process_cannot_be_dumped_or_debugged_by_its_user() {
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable);
    harden(&Log::to(std::io::sink()));
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
}
