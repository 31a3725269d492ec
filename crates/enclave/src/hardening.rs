//! Protections of the process itself.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

use crate::log::{Event, Log};

/// Switches off core dumps and debugging of this process by its own user, and
/// takes all file descriptors that the system allows. The memory holds keys and
/// conversations; a dump of it would put them on a disk that the host owns.
pub fn harden(log: &Log) {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let files = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: files.maximum,
        maximum: files.maximum,
    };
    for (what, done) in [
        ("core-limit", setrlimit(Resource::Core, none)),
        (
            "not-dumpable",
            set_dumpable_behavior(DumpableBehavior::NotDumpable),
        ),
        ("file-limit", setrlimit(Resource::Nofile, all)),
    ] {
        if done.is_err() {
            log.write(&Event::HardeningMissing { what });
        }
    }
}
