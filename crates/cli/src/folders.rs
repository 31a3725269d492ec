//! Where things are kept: the XDG base directories, private to their owner.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::{Exit, Failure};

/// The folders of this program.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// Settings, written by the owner.
    pub(crate) config: Place,
    /// Models.
    pub(crate) data: Place,
    /// Receipts, and what `try` makes for itself.
    pub(crate) state: Place,
}

/// A folder and why it is this one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) origin: PlaceOrigin,
}

/// Where the choice of a folder comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PlaceOrigin {
    Default,
    Environment,
}

impl Folders {
    /// # Errors
    ///
    /// When this system does not say where the home folder is.
    pub(crate) fn find() -> Result<Self, Failure> {
        Ok(Self {
            config: Place::find("XDG_CONFIG_HOME", ".config")?,
            data: Place::find("XDG_DATA_HOME", ".local/share")?,
            state: Place::find("XDG_STATE_HOME", ".local/state")?,
        })
    }

    /// Collateral that was fetched; it may be removed at any time.
    ///
    /// # Errors
    ///
    /// When this system does not say where the home folder is.
    pub(crate) fn collateral_cache() -> Result<PathBuf, Failure> {
        let cache = Place::find("XDG_CACHE_HOME", ".cache")?;
        Ok(cache.path.join("collateral"))
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.config.path.join("config.toml")
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.data.path.join("models")
    }

    pub(crate) fn receipts(&self) -> PathBuf {
        self.state.path.join("receipts")
    }
}

impl Place {
    fn find(variable: &str, under_home: &str) -> Result<Self, Failure> {
        // XDG Base Directory Specification: a relative path is invalid and ignored.
        let set = env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        if let Some(path) = set {
            return Ok(Self {
                path: path.join(PROGRAM),
                origin: PlaceOrigin::Environment,
            });
        }
        let home = env::home_dir()
            .filter(|home| home.is_absolute())
            .ok_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    "this system does not say where your home folder is",
                )
                .hint(format!(
                    "set HOME or {variable} to a folder that can be written"
                ))
            })?;
        Ok(Self {
            path: home.join(under_home).join(PROGRAM),
            origin: PlaceOrigin::Default,
        })
    }
}

/// Makes a folder, and those above it, that only its owner can read.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|error| Failure::file("make the folder", path, &error))
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".unfinished-{}-{name}", std::process::id()));
    let written = create_private(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| {
        // It may not be there; the first error is the one to show.
        let _gone = fs::remove_file(&draft);
        Failure::file("write", path, &error)
    })
}

/// Whether this user can write in a folder, found out by doing it.
pub(crate) fn try_writing_in(folder: &Path) -> Result<(), Failure> {
    make_private_folder(folder)?;
    let draft = folder.join(format!(".doctor-{}", std::process::id()));
    let written = create_private(&draft, b"doctor")
        .map_err(|error| Failure::file("write in", folder, &error));
    let _gone = fs::remove_file(&draft);
    written
}

fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::file("read", path, &error);
    let file = fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let read = io::Read::read_to_end(
        &mut io::Read::take(file, limit.saturating_add(1)),
        &mut bytes,
    );
    read.map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= limit) {
        return Ok(bytes);
    }
    Err(Failure::new(
        Exit::Usage,
        format!("{} is longer than {limit} bytes", path.display()),
    )
    .hint("this is not the kind of file that was expected; check the path"))
}

/// Reads a text file of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, Failure> {
    String::from_utf8(read_bounded(path, limit)?)
        .map_err(|_| Failure::new(Exit::Usage, format!("{} is not UTF-8 text", path.display())))
}

/// A file name made of what a name may hold; anything else is an error.
pub(crate) fn file_name(name: &str) -> Option<OsString> {
    let right = !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    right.then(|| name.into())
}

const PROGRAM: &str = "subrosa";
