//! Memory and limits of processes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Failed;

/// Resident memory of a process in MiB.
///
/// # Errors
///
/// When the process is gone.
pub fn resident_mib(process: u32) -> Result<f64, Failed> {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages: u32 = text
        .split_whitespace()
        .nth(1)
        .ok_or("no resident size")?
        .parse()?;
    let page = u32::try_from(rustix::param::page_size())?;
    Ok(f64::from(pages) * f64::from(page) / f64::from(1 << 20))
}

/// Takes all file descriptors that the system allows, and refuses if these are
/// fewer than `needed`.
///
/// # Errors
///
/// What to do about it.
pub fn take_descriptors(needed: u64) -> Result<(), Failed> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if maximum.is_some_and(|maximum| maximum < needed) {
        return Err(format!("{needed} open files are needed; try: ulimit -Hn {needed}").into());
    }
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, all)?)
}
