//! The pinned kernel package: the kernel, and the modules of the list.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subrosa_init::layout::MODULES;

use crate::error::ImageError;
use crate::unsigned::unsigned;
use crate::{files, tool};

/// A Debian package, by name, version and contents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the constant below is the one")]
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The distribution's release that has it.
    pub release: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
}

/// The kernel of the image. 6.12 is the first of Debian's that has SEV-SNP guests,
/// TDX guests and `configfs-tsm`.
pub const PACKAGE: Package = Package {
    name: "linux-image-6.12.107+deb13-cloud-amd64",
    version: "6.12.107-1",
    release: "trixie",
    sha256: "04434ff520f860423eafe4203d986a35682ce73c2f71baa39e988ca0da93ac91",
};

/// A kernel with the modules that the image has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Kernel {
    /// The bootable kernel, without its signature.
    pub image: Vec<u8>,
    /// Names and contents of the modules, in the order of the list.
    pub modules: Vec<(&'static str, Vec<u8>)>,
}

impl Kernel {
    /// Takes the kernel from the package, which is fetched where it is not in the
    /// cache, and checked against its digest in any case.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn load(scratch: &Path, say: &dyn Fn(&str)) -> Result<Self, ImageError> {
        let package = PACKAGE.obtain(say)?;
        let folder = scratch.join("kernel");
        let arguments: [OsString; 3] = ["-x".into(), package.into(), folder.clone().into()];
        tool::run("dpkg-deb", arguments)?;
        let image = only_entry(&folder.join("boot"), "vmlinuz-")?;
        let release = only_entry(&folder.join("usr/lib/modules"), "")?;
        let files = list_modules(&release.join("kernel"))?;
        let mut modules = Vec::new();
        for module in MODULES {
            let wanted = format!("{}.ko.xz", module.name);
            let mut found = files.iter().filter(|path| path.ends_with(&wanted));
            let (Some(path), None) = (found.next(), found.next()) else {
                return Err(ImageError::Module {
                    name: module.name.to_owned(),
                    reason: "the package has none, or several".to_owned(),
                });
            };
            let arguments: [OsString; 3] = ["-d".into(), "-c".into(), path.into()];
            modules.push((module.name, tool::run("xz", arguments)?));
        }
        check_order(&modules)?;
        Ok(Self {
            image: unsigned(files::read(&image)?)?,
            modules,
        })
    }
}

impl Package {
    fn file_name(&self) -> String {
        format!("{}_{}_amd64.deb", self.name, self.version)
    }

    /// The file of the package.
    fn obtain(&self, say: &dyn Fn(&str)) -> Result<PathBuf, ImageError> {
        let folder = cache()?;
        let path = folder.join(self.file_name());
        if !path.exists() {
            say(&format!("fetching {} (34 MB, once)", self.file_name()));
            self.fetch(&folder, &path)?;
        }
        let got = files::sha256(&path)?;
        if got != self.sha256 {
            return Err(ImageError::Pinned {
                path,
                expected: self.sha256.to_owned(),
                got,
            });
        }
        Ok(path)
    }

    /// Has `apt-get` fetch it, with lists and a cache of its own: nothing of the
    /// system's is touched, and the system may be another release.
    fn fetch(&self, folder: &Path, path: &Path) -> Result<(), ImageError> {
        let apt = folder.join("apt");
        for part in ["lists/partial", "archives/partial"] {
            files::make_folder(&apt.join(part))?;
        }
        let sources = apt.join("sources.list");
        let line = format!(
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {} main\n",
            self.release
        );
        files::write(&sources, line.as_bytes(), 0o644)?;
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        let options = [
            option("Dir::Etc::sourcelist", &sources),
            option("Dir::Etc::sourceparts", Path::new("/dev/null")),
            option("Dir::State::lists", &apt.join("lists")),
            option("Dir::State::status", Path::new("/dev/null")),
            option("Dir::Cache", &apt),
        ];
        let apt_get = |arguments: &[&str]| {
            let mut command = tool::command("apt-get");
            command.current_dir(folder).arg("-qq");
            for option in &options {
                command.args(["-o", option]);
            }
            tool::finish("apt-get", command.args(arguments))
        };
        let fetched = apt_get(&["update"]).and_then(|_| {
            let wanted = format!("{}={}", self.name, self.version);
            apt_get(&["download", &wanted])
        });
        fetched.map_err(|error| ImageError::Missing {
            what: format!("{}: {error}", path.display()),
            hint: "the mirror may have moved on: put the file with the pinned SHA-256 there (snapshot.debian.org keeps old ones)",
        })?;
        Ok(())
    }
}

/// Every module stands behind those that it depends on, and depends on nothing
/// that is not in the list.
///
/// # Errors
///
/// [`ImageError::Module`].
pub fn check_order(modules: &[(&'static str, Vec<u8>)]) -> Result<(), ImageError> {
    let canonical = |name: &str| name.replace('-', "_");
    let mut before: Vec<String> = Vec::new();
    for (name, contents) in modules {
        for dependency in dependencies(contents) {
            if !before.contains(&canonical(&dependency)) {
                return Err(ImageError::Module {
                    name: (*name).to_owned(),
                    reason: format!("depends on {dependency}, which does not stand before it"),
                });
            }
        }
        before.push(canonical(name));
    }
    Ok(())
}

/// What a module says in its section `.modinfo`: `depends=a,b`.
fn dependencies(module: &[u8]) -> Vec<String> {
    let marker = b"\0depends=";
    let found = module
        .windows(marker.len())
        .position(|window| window == marker);
    let Some(at) = found else {
        return Vec::new();
    };
    let rest = module.get(at.saturating_add(marker.len())..);
    let list = rest.unwrap_or_default().split(|&byte| byte == 0).next();
    let list = String::from_utf8_lossy(list.unwrap_or_default()).into_owned();
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// XDG Base Directory Specification.
fn cache() -> Result<PathBuf, ImageError> {
    let set = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let under_home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = set.or_else(under_home).ok_or(ImageError::Missing {
        what: "the home folder".to_owned(),
        hint: "set HOME or XDG_CACHE_HOME",
    })?;
    let folder = base.join("subrosa/image");
    files::make_folder(&folder)?;
    Ok(folder)
}

fn only_entry(folder: &Path, prefix: &str) -> Result<PathBuf, ImageError> {
    let entries = entries(folder)?;
    let mut named = entries.into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(prefix)
    });
    match (named.next(), named.next()) {
        (Some(path), None) => Ok(path),
        _ => Err(ImageError::Missing {
            what: format!("{}/{prefix}*", folder.display()),
            hint: "the kernel package holds exactly one",
        }),
    }
}

/// All files below, as paths.
fn list_modules(folder: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let failed = |source| ImageError::system("cannot read", folder, source);
    let entries: Result<Vec<_>, _> = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    entries.map_err(failed)
}

/// SHA-256 of the kernel and of each module, for the list of inputs.
#[must_use]
pub fn digests(kernel: &Kernel) -> Vec<(String, String)> {
    let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let modules = kernel.modules.iter();
    let modules = modules.map(|(name, bytes)| (format!("{name}.ko"), digest(bytes)));
    std::iter::once(("vmlinuz".to_owned(), digest(&kernel.image)))
        .chain(modules)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn module(depends: &str) -> Vec<u8> {
        format!("\x7fELF license=GPL\0depends={depends}\0name=x\0").into_bytes()
    }

    #[test]
    fn modules_stand_behind_what_they_depend_on() {
        let good = [
            ("dm-mod", module("")),
            ("dm-bufio", module("dm-mod")),
            ("dm-verity", module("dm-mod,dm_bufio")),
        ];
        check_order(&good).unwrap();
        let [first, second, third] = good;
        let error = check_order(&[first, third, second]).unwrap_err();
        assert!(matches!(error, ImageError::Module { name, .. } if name == "dm-verity"));
    }

    #[test]
    fn a_module_that_needs_one_outside_the_list_is_refused() {
        let error = check_order(&[("virtio_net", module("net_failover"))]).unwrap_err();
        assert!(error.to_string().contains("net_failover"));
    }

    #[test]
    fn the_list_names_each_module_once() {
        for (at, module) in MODULES.iter().enumerate() {
            let others = MODULES.iter().skip(at + 1);
            assert!(others.into_iter().all(|other| other.name != module.name));
        }
    }
}
