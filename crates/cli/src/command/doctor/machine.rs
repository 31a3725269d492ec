//! What the kernel says about this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Finding;
use crate::folders::read_text;

/// A machine, seen through its files.
pub(super) struct Machine {
    root: PathBuf,
}

impl Machine {
    pub(super) fn here() -> Self {
        Self::at(Path::new("/"))
    }

    /// A machine whose files are below `root`.
    pub(super) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(super) fn graphics(&self) -> Finding {
        const NAME: &str = "graphics processor";
        let nvidia = self.count("proc/driver/nvidia/gpus");
        if nvidia > 0 {
            return Finding::passed(
                NAME,
                format!(
                    "{nvidia} from NVIDIA; the table `[gpus]` of an enclave attests them in confidential mode, the engine of \
                     this version uses the processor only"
                ),
            );
        }
        Finding::gap(
            NAME,
            "none with a driver that counts",
            "nothing to do: the engine runs on the processor",
        )
    }

    pub(super) fn landlock(&self) -> Finding {
        const NAME: &str = "Landlock";
        const NEXT: &str = "the engine's worker runs without it here and says so; for full isolation use Linux 5.13 or \
                            newer with lsm=landlock,… on the kernel's command line";
        match self.text("sys/kernel/security/lsm") {
            Some(list) if list.trim().split(',').any(|name| name == "landlock") => {
                Finding::passed(NAME, "the kernel can confine the engine's files")
            }
            Some(_) => Finding::gap(NAME, "the kernel has it switched off", NEXT),
            // Landlock works without securityfs; only the list is there.
            None => Finding::gap(
                NAME,
                "whether the kernel has it is not to be seen: securityfs is not mounted",
                "nothing to do: a service tries it when it starts and says which layer it lacks; to see it here, mount \
                 securityfs at /sys/kernel/security",
            ),
        }
    }

    pub(super) fn seccomp(&self) -> Finding {
        const NAME: &str = "seccomp";
        match self.text("proc/sys/kernel/seccomp/actions_avail") {
            Some(actions) if actions.contains("kill_process") => {
                Finding::passed(NAME, "the kernel can confine the engine's system calls")
            }
            None => Finding::gap(
                NAME,
                "whether the kernel can filter system calls is not to be seen: /proc is not there",
                "mount /proc, if a model is to be served here",
            ),
            Some(_) => Finding::gap(
                NAME,
                "the kernel cannot filter system calls",
                "the engine's worker runs without it here and says so; for full isolation use a Linux kernel with \
                 CONFIG_SECCOMP_FILTER",
            ),
        }
    }

    /// Whether something keeps the clock right; `None` where nothing tells.
    pub(super) fn clock_is_synchronised(&self) -> Option<bool> {
        self.has("run/systemd/timesync")
            .then(|| self.has("run/systemd/timesync/synchronized"))
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    fn count(&self, path: &str) -> usize {
        fs::read_dir(self.root.join(path)).map_or(0, Iterator::count)
    }

    pub(super) fn says_yes(&self, path: &str) -> bool {
        matches!(self.text(path).as_deref().map(str::trim), Some("Y" | "1"))
    }

    fn text(&self, path: &str) -> Option<String> {
        read_text(&self.root.join(path), MAX_LEN).ok()
    }
}

/// The C library that this build and the engine's need.
pub(super) fn c_library() -> Finding {
    const NAME: &str = "C library";
    if cfg!(not(all(target_os = "linux", target_env = "gnu"))) {
        return Finding::passed(NAME, "this build needs none of this system's");
    }
    c_library_of(NAME, glibc_version())
}

/// The instructions that the engine is compiled for.
#[cfg(target_arch = "x86_64")]
pub(super) fn vector_instructions() -> Finding {
    const NAME: &str = "vector instructions";
    if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
        return Finding::passed(NAME, "the engine's AVX2 and FMA are there");
    }
    Finding::gap(
        NAME,
        "no AVX2 or FMA: the engine would stop with an illegal instruction",
        "serve from a newer machine; verifying and chatting work here",
    )
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn vector_instructions() -> Finding {
    let words = format!("{} needs no special ones", std::env::consts::ARCH);
    Finding::passed("vector instructions", words)
}

fn c_library_of(name: &'static str, version: Option<(u32, u32)>) -> Finding {
    match version {
        Some(version) if version < OLDEST_GLIBC => Finding::failed(
            name,
            format!(
                "glibc {}.{}, older than {}.{}",
                version.0, version.1, OLDEST_GLIBC.0, OLDEST_GLIBC.1
            ),
            "use the static build of subrosa (x86_64-unknown-linux-musl), which needs no C library, or a newer system",
        ),
        Some((major, minor)) => Finding::passed(name, format!("glibc {major}.{minor}")),
        None => Finding::gap(
            name,
            "getconf did not say which glibc this is",
            "if a program does not start with a message about GLIBC, use the static build of subrosa",
        ),
    }
}

fn glibc_version() -> Option<(u32, u32)> {
    let output = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    parse_glibc(&String::from_utf8_lossy(&output.stdout))
}

fn parse_glibc(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The oldest that Rust's standard library supports on x86-64 Linux ("Platform
/// Support", rustc book).
const OLDEST_GLIBC: (u32, u32) = (2, 17);
const MAX_LEN: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Mark;

    #[test]
    fn an_old_c_library_must_be_repaired() {
        let finding = c_library_of("C library", parse_glibc("glibc 2.12\n"));
        assert_eq!(finding.mark, Mark::Failed);
        assert!(finding.next_step.unwrap().contains("static build"));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(parse_glibc("glibc 2.9"), Some((2, 9)));
        assert_eq!(parse_glibc("glibc 2.41.9000"), Some((2, 41)));
        assert_eq!(c_library_of("", Some((2, 9))).mark, Mark::Failed);
        assert_eq!(c_library_of("", Some((2, 41))).mark, Mark::Passed);
        assert_eq!(parse_glibc("musl 1.2"), None);
    }

    #[test]
    fn each_feature_is_read_from_its_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::at(folder.path());
        for (path, text) in [
            ("proc/driver/nvidia/gpus/0000:01:00.0", ""),
            ("sys/kernel/security/lsm", "lockdown,landlock,yama"),
            (
                "proc/sys/kernel/seccomp/actions_avail",
                "kill_process kill_thread",
            ),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(machine.graphics().mark, Mark::Passed);
        assert_eq!(machine.landlock().mark, Mark::Passed);
        assert_eq!(machine.seccomp().mark, Mark::Passed);
    }

    #[test]
    fn a_security_module_with_a_similar_name_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let lsm = folder.path().join("sys/kernel/security");
        fs::create_dir_all(&lsm).unwrap();
        fs::write(lsm.join("lsm"), "notlandlock,yama").unwrap();
        assert_eq!(Machine::at(folder.path()).landlock().mark, Mark::Gap);
    }

    /// The list lies in securityfs, which containers and small guests often do not mount.
    #[test]
    fn a_list_that_cannot_be_read_does_not_mean_that_landlock_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let finding = Machine::at(folder.path()).landlock();
        assert_eq!(finding.mark, Mark::Gap);
        assert!(finding.words.contains("not to be seen"));
    }
}
