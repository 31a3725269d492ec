//! A folder on a disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Files;

/// A folder that one program at a time may open for writing.
#[derive(Debug)]
pub struct DiskStorage {
    folder: PathBuf,
    /// Locked as long as this lives. Without it only reading is allowed.
    lock: Option<File>,
}

impl DiskStorage {
    /// Opens a folder that exists, and locks it.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::ResourceBusy`] if another program has it open.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another program has it open")
            }
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            lock: Some(lock),
        })
    }

    /// A folder that is only read, whoever writes it.
    #[must_use]
    pub fn read_only(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            lock: None,
        }
    }

    fn writable(&self, name: &str) -> io::Result<PathBuf> {
        if self.lock.is_none() {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        self.path(name)
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
        let is_plain = name.split('/').all(plain);
        if is_plain {
            Ok(self.folder.join(name))
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

impl Files for DiskStorage {
    fn read(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(name)?) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        if bytes.len() > max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        File::create(self.writable(name)?)?.write_all(bytes)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .open(self.writable(name)?)?
            .sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.writable(from)?, self.writable(to)?)
    }

    fn make_folder(&self, name: &str) -> io::Result<()> {
        match fs::create_dir(self.writable(name)?) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome,
        }
    }

    fn sync_folder(&self, name: &str) -> io::Result<()> {
        // Elsewhere a folder cannot be opened as a file; the system keeps names in its journal.
        if cfg!(unix) {
            let path = if name.is_empty() {
                self.folder.clone()
            } else {
                self.path(name)?
            };
            File::open(path)?.sync_all()?;
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.writable(name)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests;
