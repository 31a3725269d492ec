//! What this device has seen of logs, in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use subrosa_attest::Sha256Digest;
use subrosa_translog::entry::release::LoggedRelease;
use subrosa_translog::{
    Conflict, ConsistencyProofs, DeviceState, Hash, StateError, StateFileError,
};
use thiserror::Error;

/// What this device has seen of logs: a file, or memory for as long as the program runs.
#[derive(Debug)]
pub struct LogHistory(Kept);

#[derive(Debug)]
enum Kept {
    File(PathBuf),
    Memory(Mutex<DeviceState>),
}

/// Why what was seen of logs cannot be read or kept. Nothing is sent then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file is not usable.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: StateFileError,
    },
    /// The file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// Why a release is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReleaseRefused {
    /// What was seen cannot be read or kept.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// It contradicts what was seen.
    #[error("{error}")]
    Seen {
        /// How.
        error: Box<StateError>,
        /// Where the two that contradict each other are kept.
        kept: Option<PathBuf>,
    },
}

impl LogHistory {
    /// What was seen is kept in this file, whose folder is there. It is made when it is needed.
    #[must_use]
    pub const fn file(path: PathBuf) -> Self {
        Self(Kept::File(path))
    }

    /// What was seen is kept until the program ends: a log that goes back between two runs is not noticed.
    #[must_use]
    pub fn memory() -> Self {
        Self(Kept::Memory(Mutex::default()))
    }

    /// What was seen.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; a damaged file, or one of a newer version, is never taken for an empty one.
    pub fn read(&self) -> Result<DeviceState, HistoryError> {
        match &self.0 {
            Kept::File(path) => read(path),
            Kept::Memory(state) => Ok(state.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    /// Judges by what was seen, and keeps what is seen then. No other program changes it in between.
    pub(crate) fn update<T>(
        &self,
        judge: impl FnOnce(&DeviceState) -> (T, Option<DeviceState>),
    ) -> Result<T, HistoryError> {
        match &self.0 {
            Kept::File(path) => {
                let _lock = lock(&path.with_extension("lock"))?;
                let before = read(path)?;
                let (outcome, after) = judge(&before);
                if let Some(after) = after.filter(|after| *after != before) {
                    let text = after.to_text().map_err(|source| HistoryError::File {
                        path: path.clone(),
                        source,
                    })?;
                    write(path, text.as_bytes())?;
                }
                Ok(outcome)
            }
            Kept::Memory(state) => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let (outcome, after) = judge(&state);
                if let Some(after) = after {
                    *state = after;
                }
                Ok(outcome)
            }
        }
    }

    /// Takes a release and the checkpoint that proves it, if they continue what was seen.
    ///
    /// `prove` gives the proof that the log of the second size begins with that of the first. What contradicts each other
    /// is kept beside the file.
    ///
    /// # Errors
    ///
    /// [`ReleaseRefused`]; what was seen is then as before.
    pub fn see_release(
        &self,
        release: &LoggedRelease,
        prove: impl Fn(u64, u64) -> Option<Vec<Hash>>,
    ) -> Result<(), ReleaseRefused> {
        let outcome = self.update(|state| {
            let mut after = state.clone();
            let shown = [release.checkpoint()];
            let steps = after.steps(&shown).into_iter();
            let proofs: ConsistencyProofs = steps
                .filter_map(|step| Some((step, prove(step.0, step.1)?)))
                .collect();
            let taken = after.see_all(&shown, &proofs);
            match taken.and_then(|()| after.see_release(release)) {
                Ok(()) => (Ok(()), Some(after)),
                Err(error) => (Err(error), None),
            }
        })?;
        let Err(error) = outcome else { return Ok(()) };
        let kept = error.conflict().map(|conflict| self.keep(conflict));
        Err(ReleaseRefused::Seen {
            error: Box::new(error),
            kept: kept.transpose()?.flatten(),
        })
    }

    /// Keeps two signed notes that contradict each other beside the file, each pair once. Gives where they are.
    pub(crate) fn keep(&self, conflict: &Conflict) -> Result<Option<PathBuf>, HistoryError> {
        let Kept::File(path) = &self.0 else {
            return Ok(None);
        };
        let text = serde_json::json!({ "seen": conflict.seen, "refused": conflict.refused });
        let text = format!("{text:#}\n");
        let digest = Sha256Digest::of(text.as_bytes()).to_string();
        let name: String = digest.chars().take(16).collect();
        let kept = path.with_extension(format!("misbehaviour-{name}.json"));
        // Whoever sends contradictions must not fill a disk with them.
        if kept.exists() || count_kept(path) >= MAX_KEPT {
            return Ok(kept.exists().then_some(kept));
        }
        write(&kept, text.as_bytes())?;
        Ok(Some(kept))
    }
}

fn count_kept(path: &Path) -> usize {
    let Some(folder) = path.parent() else {
        return 0;
    };
    let is_kept = |name: &str| name.contains(".misbehaviour-");
    fs::read_dir(folder).map_or(0, |entries| {
        entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(is_kept))
            .count()
    })
}

fn read(path: &Path) -> Result<DeviceState, HistoryError> {
    let failed = |source| failure("read", path, source);
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DeviceState::new()),
        other => other.map_err(failed)?,
    };
    let limit = u64::try_from(DeviceState::MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    file.take(limit.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(failed)?;
    DeviceState::parse(&text).map_err(|source| HistoryError::File {
        path: path.to_owned(),
        source,
    })
}

/// Held until it is dropped.
fn lock(path: &Path) -> Result<File, HistoryError> {
    let failed = |source| failure("lock", path, source);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    private(&mut options);
    let file = options.open(path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Writes beside the place, then renames: whoever looks sees all of the file or none.
fn write(path: &Path, content: &[u8]) -> Result<(), HistoryError> {
    let failed = |source| failure("write", path, source);
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    private(&mut options);
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        // The name too must survive a crash.
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    });
    written.map_err(|source| {
        // It may not be there; the first error is the one to show.
        let _ = fs::remove_file(&draft);
        failed(source)
    })
}

/// Readable by its owner alone: it says which services are used.
fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    let _ = std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

fn failure(action: &'static str, path: &Path, source: io::Error) -> HistoryError {
    HistoryError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Contradictions that are kept.
const MAX_KEPT: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// A state that has seen something, as its file.
    const SEEN: &str =
        r#"{"schema":1,"latest":7,"logs":{},"minimum-sequences":{"s":3},"roster-sequences":{}}"#;

    fn history() -> (tempfile::TempDir, PathBuf, LogHistory) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.json");
        let history = LogHistory::file(path.clone());
        (folder, path, history)
    }

    #[test]
    fn a_file_of_the_previous_version_is_upgraded_when_it_is_written() {
        let (_folder, path, history) = history();
        fs::write(&path, SEEN).unwrap();
        let seen = history.read().unwrap();
        history
            .update(|before| {
                assert_eq!(*before, seen);
                ((), Some(DeviceState::new()))
            })
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"schema\": 2"), "{text}");
        assert_eq!(history.read().unwrap(), DeviceState::new());
    }

    #[test]
    fn a_newer_or_damaged_file_is_refused_and_left_as_it_is() {
        for text in [SEEN.replace("\"schema\":1", "\"schema\":3"), String::new()] {
            let (_folder, path, history) = history();
            fs::write(&path, &text).unwrap();
            assert!(matches!(history.read(), Err(HistoryError::File { .. })));
            let written = history.update(|_| ((), Some(DeviceState::new())));
            assert!(written.is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let (_folder, path, history) = history();
        fs::write(&path, SEEN.replace("\"schema\":1", "\"schema\":3")).unwrap();
        let words = history.read().unwrap_err().to_string();
        assert!(words.contains("update this program"), "{words}");
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let (_folder, path, history) = history();
        fs::write(&path, SEEN).unwrap();
        history.update(|_| ((), None)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), SEEN);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let history = LogHistory::file(folder.path().join("absent/log.json"));
        assert!(history.update(|_| ((), None)).is_err());
    }

    #[test]
    fn writers_wait_for_each_other() {
        let (_folder, path, history) = history();
        fs::write(&path, SEEN).unwrap();
        let count = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let entered = history.update(|before| {
                            use std::sync::atomic::Ordering::SeqCst;
                            assert_eq!(count.fetch_add(1, SeqCst), 0);
                            std::thread::yield_now();
                            count.fetch_sub(1, SeqCst);
                            ((), Some(before.clone()))
                        });
                        entered.unwrap();
                    }
                });
            }
        });
    }

    #[test]
    fn contradictions_are_kept_each_once_and_not_without_end() {
        let (folder, _path, history) = history();
        let conflict = |n: usize| Conflict {
            seen: "seen".to_owned(),
            refused: format!("refused {n}"),
        };
        let first = history.keep(&conflict(0)).unwrap().unwrap();
        assert_eq!(history.keep(&conflict(0)).unwrap(), Some(first.clone()));
        let text = fs::read_to_string(&first).unwrap();
        assert!(text.contains("\"seen\"") && text.contains("refused 0"));
        for n in 1..40 {
            history.keep(&conflict(n)).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), MAX_KEPT);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, path, history) = history();
        fs::write(&path, SEEN).unwrap();
        let cleared = |_: &DeviceState| ((), Some(DeviceState::new()));
        history.update(cleared).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
