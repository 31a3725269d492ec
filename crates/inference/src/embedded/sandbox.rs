//! Takes from the worker everything it does not need.
//!
//! ```text
//! Sandbox::enter   before anything is parsed: limits, Landlock, first filter
//!    │             (the first filter still lets the model file be opened, read-only)
//! Sandbox::close   after the model is loaded: second filter, nothing can be opened
//! ```
//!
//! A system call outside the list returns `EPERM`: a library that probes for a
//! feature carries on, one that attacks gets nothing. There is no way to leave.

use std::collections::BTreeMap;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};
use serde::{Deserialize, Serialize};

/// What to do where the kernel lacks a layer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMode {
    /// Start without it and say so.
    BestEffort,
    /// Refuse to start.
    Required,
}

/// Whether a layer protects the worker.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Layer {
    /// It does, in full.
    Enforced,
    /// It does, but the kernel knows only a part of it.
    Partial,
    /// It does not.
    Unavailable {
        /// Why not.
        reason: String,
    },
}

/// What the worker's sandbox consists of on this machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SandboxReport {
    /// No files, no TCP, no signals or abstract sockets outside.
    pub landlock: Layer,
    /// Only listed system calls.
    pub seccomp: Layer,
    /// No core dump, no file larger than zero, few descriptors.
    pub limits: Layer,
    /// Not traceable by processes of the same user.
    pub undumpable: Layer,
}

impl SandboxReport {
    /// Whether every layer protects the worker. A Landlock that an older kernel
    /// knows only in part still denies every file.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let present = |layer: &Layer| matches!(layer, Layer::Enforced | Layer::Partial);
        present(&self.landlock)
            && self.seccomp == Layer::Enforced
            && self.limits == Layer::Enforced
            && self.undumpable == Layer::Enforced
    }
}

/// Enters the sandbox. The caller must not have started a thread yet.
///
/// # Errors
///
/// The report, if `mode` is [`SandboxMode::Required`] and a layer is missing.
pub fn enter(mode: SandboxMode) -> Result<SandboxReport, SandboxReport> {
    let report = SandboxReport {
        limits: limits().map_or_else(|missing| missing, |()| Layer::Enforced),
        undumpable: set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_or_else(|error| unavailable(&error), |()| Layer::Enforced),
        landlock: restrict_files().unwrap_or_else(|error| unavailable(&error)),
        seccomp: filter(Stage::Loading).map_or_else(|missing| missing, |()| Layer::Enforced),
    };
    decide(mode, report)
}

fn decide(mode: SandboxMode, report: SandboxReport) -> Result<SandboxReport, SandboxReport> {
    match mode {
        SandboxMode::Required if !report.is_complete() => Err(report),
        _ => Ok(report),
    }
}

/// Takes away what only loading needed: from here on nothing can be opened.
///
/// # Errors
///
/// The missing layer, if the kernel refuses the filter.
pub fn close() -> Result<(), Layer> {
    filter(Stage::Running)
}

fn limits() -> Result<(), Layer> {
    let at_most = |limit: u64| Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    setrlimit(Resource::Core, at_most(0)).map_err(|error| unavailable(&error))?;
    setrlimit(Resource::Fsize, at_most(0)).map_err(|error| unavailable(&error))?;
    setrlimit(Resource::Nofile, at_most(MAX_DESCRIPTORS)).map_err(|error| unavailable(&error))
}

/// Denies every access Landlock knows, with no exception: the model is opened
/// through its descriptor, which Landlock does not govern because a `memfd`
/// lies in no mounted file system.
fn restrict_files() -> Result<Layer, landlock::RulesetError> {
    let abi = ABI::V6;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .no_new_privs(true)
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Layer::Enforced,
        RulesetStatus::PartiallyEnforced => Layer::Partial,
        RulesetStatus::NotEnforced => Layer::Unavailable {
            reason: "the kernel has no Landlock, or it is switched off".to_owned(),
        },
    })
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Stage {
    Loading,
    Running,
}

fn filter(stage: Stage) -> Result<(), Layer> {
    let programs = programs(stage).map_err(|error| unavailable(&error))?;
    for program in &programs {
        apply_filter_all_threads(program).map_err(|error| unavailable(&error))?;
    }
    Ok(())
}

fn programs(stage: Stage) -> Result<Vec<BpfProgram>, seccompiler::Error> {
    let arch = std::env::consts::ARCH.try_into()?;
    let mut programs = Vec::new();
    if stage == Stage::Loading {
        // Flags of clone3 lie in memory, where a filter cannot look. ENOSYS
        // makes the C library use clone instead.
        let clone3 = SeccompFilter::new(
            BTreeMap::from([(libc::SYS_clone3, vec![])]),
            SeccompAction::Allow,
            SeccompAction::Errno(errno(libc::ENOSYS)),
            arch,
        )?;
        programs.push(clone3.try_into()?);
    }
    let allowed = SeccompFilter::new(
        rules(stage)?,
        SeccompAction::Errno(errno(libc::EPERM)),
        SeccompAction::Allow,
        arch,
    )?;
    programs.push(allowed.try_into()?);
    Ok(programs)
}

fn rules(stage: Stage) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALWAYS.iter().map(|number| (*number, vec![])).collect();
    let thread = u64_of(libc::CLONE_THREAD | libc::CLONE_VM);
    rules.insert(
        libc::SYS_clone,
        vec![when(0, SeccompCmpOp::MaskedEq(thread), thread)?],
    );
    // Reading a limit, not setting one: the new value must be absent.
    rules.insert(libc::SYS_prlimit64, vec![when(2, SeccompCmpOp::Eq, 0)?]);
    // No executable memory, neither mapped nor made so later.
    let executable = u64_of(libc::PROT_EXEC);
    for number in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(
            number,
            vec![when(2, SeccompCmpOp::MaskedEq(executable), 0)?],
        );
    }
    // Only to name threads, and to install the second filter.
    let mut prctl = vec![when(0, SeccompCmpOp::Eq, u64_of(libc::PR_SET_NAME))?];
    if stage == Stage::Loading {
        prctl.push(when(
            0,
            SeccompCmpOp::Eq,
            u64_of(libc::PR_SET_NO_NEW_PRIVS),
        )?);
        rules.insert(libc::SYS_seccomp, vec![]);
        let writing = u64_of(libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC);
        rules.insert(
            libc::SYS_openat,
            vec![when(2, SeccompCmpOp::MaskedEq(writing), 0)?],
        );
        for number in LOADING {
            rules.insert(*number, vec![]);
        }
    }
    rules.insert(libc::SYS_prctl, prctl);
    Ok(rules)
}

fn when(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    SeccompRule::new(vec![condition])
}

fn unavailable(error: &impl std::fmt::Display) -> Layer {
    Layer::Unavailable {
        reason: error.to_string(),
    }
}

fn u64_of(flags: i32) -> u64 {
    u64::try_from(flags).unwrap_or(u64::MAX)
}

fn errno(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(1)
}

/// Pipe, weights, a few for the C library.
const MAX_DESCRIPTORS: u64 = 32;

/// Computing, memory, threads, time, and the pipe that is already open.
const ALWAYS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    // Answered with ENOSYS by the filter above.
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
];

/// What opening and reading the model file takes besides `openat`.
const LOADING: &[i64] = &[libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_sandbox_with_any_layer_missing_is_refused() {
        let change: [fn(&mut SandboxReport, Layer); 4] = [
            |report, layer| report.landlock = layer,
            |report, layer| report.seccomp = layer,
            |report, layer| report.limits = layer,
            |report, layer| report.undumpable = layer,
        ];
        for change in change {
            let mut report = complete();
            change(&mut report, unavailable(&"missing"));

            assert!(decide(SandboxMode::Required, report.clone()).is_err());
            assert!(decide(SandboxMode::BestEffort, report).is_ok());
        }
        assert!(decide(SandboxMode::Required, complete()).is_ok());
    }

    #[test]
    fn a_partial_filter_is_not_enough() {
        let report = SandboxReport {
            seccomp: Layer::Partial,
            ..complete()
        };

        assert!(decide(SandboxMode::Required, report).is_err());
    }

    #[test]
    fn nothing_that_opens_is_allowed_after_loading() {
        let rules = rules(Stage::Running).unwrap();

        for number in [
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_io_uring_setup,
            libc::SYS_memfd_create,
            libc::SYS_kill,
            libc::SYS_bpf,
            libc::SYS_seccomp,
        ] {
            assert!(!rules.contains_key(&number), "system call {number}");
        }
    }

    fn complete() -> SandboxReport {
        SandboxReport {
            landlock: Layer::Enforced,
            seccomp: Layer::Enforced,
            limits: Layer::Enforced,
            undumpable: Layer::Enforced,
        }
    }
}
