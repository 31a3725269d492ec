//! Where a log is kept: in a folder, whose steps are small enough to fail between any two of them, or in an object store.

mod disk;
#[cfg(test)]
pub(crate) mod faulty;
mod objects;

pub use disk::DiskStorage;
pub use objects::ObjectStorage;

use std::io;

/// Small things by their names, which are relative, with `/` between their parts. One program at a time writes.
pub trait Storage {
    /// The bytes of a thing, or none if there is no such thing.
    ///
    /// # Errors
    ///
    /// What the system says, or [`io::ErrorKind::FileTooLarge`] above `max` bytes.
    fn get(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>>;

    /// Makes a thing or replaces it: it is there whole or as it was before, and durable when this returns.
    ///
    /// # Errors
    ///
    /// What the system says. It is then not known whether it was done.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// As [`Storage::get`] of the one thing that says what the others are. From then on no program that had taken it before
    /// can write.
    ///
    /// # Errors
    ///
    /// As [`Storage::get`], or [`io::ErrorKind::ResourceBusy`] if another program took it at the same time.
    fn take(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>>;

    /// As [`Storage::put`] of the thing that was taken.
    ///
    /// # Errors
    ///
    /// As [`Storage::put`], or [`io::ErrorKind::ResourceBusy`] if another program has taken it since.
    fn commit(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
}

impl Storage for Box<dyn Storage + Send + Sync> {
    fn get(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        (**self).get(name, max)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        (**self).put(name, bytes)
    }

    fn take(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        (**self).take(name, max)
    }

    fn commit(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        (**self).commit(name, bytes)
    }
}

/// A folder of small files, which is locked by the program that writes.
///
/// What was written is durable only after the calls that say so: a file's bytes after [`Files::sync`], its name after
/// [`Files::sync_folder`] of its folder.
pub trait Files {
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

impl<F: Files> Storage for F {
    fn get(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        self.read(name, max)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        make_folders(self, folder_of(name))?;
        let temporary = format!("{name}.tmp");
        self.write(&temporary, bytes)?;
        self.sync(&temporary)?;
        self.rename(&temporary, name)?;
        self.sync_folder(folder_of(name))
    }

    fn take(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        self.read(name, max)
    }

    fn commit(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, bytes)
    }
}

/// Makes a folder and those above it, durably.
fn make_folders<F: Files>(files: &F, name: &str) -> io::Result<()> {
    if name.is_empty() {
        return Ok(());
    }
    let above = folder_of(name);
    make_folders(files, above)?;
    files.make_folder(name)?;
    files.sync_folder(above)
}

/// The folder that a file or folder is in.
fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}
