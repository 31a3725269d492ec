//! The root file system: programs, their libraries, configuration, model.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subrosa_init::layout::{CONFIGURATION, ENCLAVE, ROOT_FOLDERS};
use subrosa_init::verity::Verity;

use crate::error::ImageError;
use crate::verity::{self, BLOCK};
use crate::{elf, files, tool};

/// What goes into the root.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is another image"
)]
pub struct Contents {
    /// `subrosa-enclave`.
    pub enclave: PathBuf,
    /// The measured configuration.
    pub configuration: String,
    /// A model; it is `/models/` and its file's name there.
    pub model: Option<PathBuf>,
}

/// A root with its hash tree in one file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Root {
    /// How it is opened.
    pub verity: Verity,
    /// Paths inside and the SHA-256 of what is there.
    pub files: BTreeMap<String, String>,
}

/// Makes the root at `image`, with `scratch` for what is on the way.
///
/// # Errors
///
/// [`ImageError`].
pub fn make(contents: &Contents, scratch: &Path, image: &Path) -> Result<Root, ImageError> {
    let mut staged = Staged::new(scratch.join("root"))?;
    staged.copy(&contents.enclave, ENCLAVE, 0o755)?;
    staged.libraries_of(&contents.enclave)?;
    staged.write(CONFIGURATION, contents.configuration.as_bytes())?;
    if let Some(model) = &contents.model {
        let name = model.file_name().unwrap_or_default().to_string_lossy();
        staged.copy(model, &format!("/models/{name}"), 0o644)?;
    }
    for folder in ROOT_FOLDERS {
        files::make_folder(&staged.folder.join(folder))?;
    }
    squash(&staged.folder, image)?;
    let verity = seal(image)?;
    Ok(Root {
        verity,
        files: staged.files,
    })
}

/// A folder that becomes the root.
struct Staged {
    folder: PathBuf,
    files: BTreeMap<String, String>,
}

impl Staged {
    fn new(folder: PathBuf) -> Result<Self, ImageError> {
        files::make_folder(&folder)?;
        // Where programs expect what is in /usr.
        for (link, target) in [("lib", "usr/lib"), ("lib64", "usr/lib64")] {
            files::make_folder(&folder.join(target))?;
            let link = folder.join(link);
            symlink(target, &link)
                .map_err(|source| ImageError::system("cannot make", &link, source))?;
        }
        Ok(Self {
            folder,
            files: BTreeMap::new(),
        })
    }

    fn place(&mut self, at: &str) -> Result<PathBuf, ImageError> {
        let path = self.folder.join(at.trim_start_matches('/'));
        if let Some(parent) = path.parent() {
            files::make_folder(parent)?;
        }
        Ok(path)
    }

    fn copy(&mut self, from: &Path, at: &str, mode: u32) -> Result<(), ImageError> {
        let path = self.place(at)?;
        fs::copy(from, &path)
            .and_then(|_| fs::set_permissions(&path, Permissions::from_mode(mode)))
            .map_err(|source| ImageError::system("cannot copy", from, source))?;
        self.files.insert(at.to_owned(), files::sha256(&path)?);
        Ok(())
    }

    fn write(&mut self, at: &str, bytes: &[u8]) -> Result<(), ImageError> {
        let path = self.place(at)?;
        files::write(&path, bytes, 0o644)?;
        let digest = hex::encode(Sha256::digest(bytes));
        self.files.insert(at.to_owned(), digest);
        Ok(())
    }

    /// Copies every library that the program needs, and what those need.
    fn libraries_of(&mut self, program: &Path) -> Result<(), ImageError> {
        for library in libraries_of(program)? {
            self.copy(&library, &library.display().to_string(), 0o755)?;
        }
        Ok(())
    }
}

/// Every library that a program needs and what those need, loader included, at their places on this machine.
///
/// # Errors
///
/// [`ImageError::Program`] for what is no program, [`ImageError::Library`] for what is not here.
pub fn libraries_of(program: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let (mut open, mut found) = (vec![program.to_owned()], Vec::new());
    while let Some(path) = open.pop() {
        let needs = elf::needs(&files::read(&path)?).map_err(|source| ImageError::Program {
            path: path.clone(),
            source,
        })?;
        let loader = needs.loader.map(PathBuf::from);
        let libraries = needs.libraries.into_iter().map(|name| {
            let places = LIBRARIES.iter().map(|folder| Path::new(folder).join(&name));
            let found = places.into_iter().find(|path| path.exists());
            found.ok_or_else(|| ImageError::Library {
                program: path.clone(),
                library: name,
            })
        });
        for library in loader.map(Ok).into_iter().chain(libraries) {
            let library = library?;
            if !found.contains(&library) {
                found.push(library.clone());
                open.push(library);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Makes a squashfs of a folder: no times, no owners, no order but that of names.
fn squash(folder: &Path, image: &Path) -> Result<(), ImageError> {
    for path in [folder, &folder.join("usr"), &folder.join("etc")] {
        fs::set_permissions(path, Permissions::from_mode(0o755))
            .map_err(|source| ImageError::system("cannot set permissions of", path, source))?;
    }
    let mut command = tool::command("mksquashfs");
    command.arg(folder).arg(image).args(SQUASHFS);
    tool::finish("mksquashfs", &mut command)?;
    Ok(())
}

/// Fills the last block, and puts the hash tree behind the data.
fn seal(image: &Path) -> Result<Verity, ImageError> {
    let failed = |source| ImageError::system("cannot read or write", image, source);
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .open(image)
        .map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let block = u64::try_from(BLOCK).unwrap_or(u64::MAX);
    file.set_len(length.next_multiple_of(block))
        .map_err(failed)?;
    let mut data = BufReader::with_capacity(1 << 20, File::open(image).map_err(failed)?);
    let tree = verity::hash(&mut data, &SALT).map_err(failed)?;
    file.write_all(&tree.bytes).map_err(failed)?;
    Verity::new(tree.data_blocks, tree.root_hash, SALT).map_err(|error| ImageError::Measure {
        reason: error.to_string(),
    })
}

/// Where this machine keeps its libraries.
const LIBRARIES: &[&str] = &["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"];
const SQUASHFS: &[&str] = &[
    "-all-root",
    "-noappend",
    "-mkfs-time",
    "0",
    "-all-time",
    "0",
    "-no-xattrs",
    "-reproducible",
    "-comp",
    "zstd",
    "-processors",
    "2",
    "-quiet",
    "-no-progress",
];
/// Fixed, so that the same root has the same hash; it is no secret.
const SALT: [u8; 32] = *b"subrosa measured image, dm-verit";
