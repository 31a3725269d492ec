//! Where files are kept, in steps small enough to fail between any two of them.

mod disk;
#[cfg(test)]
pub(crate) mod faulty;

pub use disk::DiskStorage;

use std::io;

/// A folder of small files. Names are relative, with `/` between their parts.
///
/// What was written is durable only after the calls that say so: a file's bytes after [`Storage::sync`], its name after
/// [`Storage::sync_folder`] of its folder.
pub trait Storage {
    /// The bytes of a file, or none if there is no such file.
    ///
    /// # Errors
    ///
    /// What the system says, or [`io::ErrorKind::FileTooLarge`] above `max` bytes.
    fn read(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>>;

    /// Makes a file, or empties it, and writes these bytes.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes of a file durable.
    ///
    /// # Errors
    ///
    /// What the system says. The bytes must then be taken for lost.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name in the same folder, in place of the file that has it.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes a folder, unless it is there. Its parent must be.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn make_folder(&self, name: &str) -> io::Result<()>;

    /// Makes the names in a folder durable; the folder itself is named `""`.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn sync_folder(&self, name: &str) -> io::Result<()>;

    /// Takes a file away, if it is there. Nothing may depend on whether it is.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// Writes a file so that it is there whole or as it was before, and durable when this returns.
///
/// # Errors
///
/// What the system says.
pub fn replace<S: Storage>(storage: &S, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!("{name}.tmp");
    storage.write(&temporary, bytes)?;
    storage.sync(&temporary)?;
    storage.rename(&temporary, name)?;
    storage.sync_folder(folder_of(name))
}

/// Makes a folder and those above it, durably.
///
/// # Errors
///
/// What the system says.
pub fn make_folders<S: Storage>(storage: &S, name: &str) -> io::Result<()> {
    if name.is_empty() {
        return Ok(());
    }
    let above = folder_of(name);
    make_folders(storage, above)?;
    storage.make_folder(name)?;
    storage.sync_folder(above)
}

/// The folder that a file or folder is in.
#[must_use]
pub fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}
