//! The programs of the image, compiled from this source.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::ImageError;
use crate::{files, tool};

/// The two programs.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers may have built them")]
pub struct Programs {
    /// `subrosa-init`, static.
    pub init: PathBuf,
    /// `subrosa-enclave`.
    pub enclave: PathBuf,
}

/// Compiles both in `source`, with `target` for what is on the way.
///
/// Paths are replaced by fixed names, and the processor is one that all machines
/// with the hardware have: what comes out depends on the source, the compilers and
/// the libraries they bring, and on nothing else.
///
/// # Errors
///
/// [`ImageError::Tool`] with the compiler's last words.
pub fn compile(source: &Path, target: &Path, say: &dyn Fn(&str)) -> Result<Programs, ImageError> {
    files::make_folder(target)?;
    let canonical = |path: &Path| {
        let found = path.canonicalize();
        let found = found.map_err(|error| ImageError::system("cannot find", path, error))?;
        // Compilers are told of it in a list that is separated by spaces.
        if found.to_string_lossy().contains(char::is_whitespace) {
            let error = std::io::Error::from(std::io::ErrorKind::InvalidFilename);
            return Err(ImageError::system(
                "cannot compile, for its spaces, in",
                path,
                error,
            ));
        }
        Ok(found)
    };
    let (source, target) = (canonical(source)?, canonical(target)?);
    say("compiling subrosa-init (some seconds)");
    build(&source, &target, &INIT)?;
    say("compiling subrosa-enclave with its engine (minutes the first time)");
    build(&source, &target, &ENCLAVE)?;
    let at = |build: &Build| {
        target
            .join(build.triple)
            .join("release")
            .join(build.package)
    };
    Ok(Programs {
        init: at(&INIT),
        enclave: at(&ENCLAVE),
    })
}

struct Build {
    package: &'static str,
    triple: &'static str,
    flags: &'static str,
    arguments: &'static [&'static str],
}

const INIT: Build = Build {
    package: "subrosa-init",
    triple: "x86_64-unknown-linux-musl",
    flags: " -C target-feature=+crt-static",
    arguments: &[],
};
const ENCLAVE: Build = Build {
    package: "subrosa-enclave",
    triple: "x86_64-unknown-linux-gnu",
    flags: "",
    arguments: &["--no-default-features", "--features", "demo-model,embedded"],
};

fn build(source: &Path, target: &Path, build: &Build) -> Result<(), ImageError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.unwrap_or_else(|| home.join(".cargo"));
    // The last one that fits counts.
    let names = [
        (cargo_home.as_path(), "/cargo"),
        (source, "/source"),
        (target, "/target"),
    ];
    let rename = |flag: &str| -> String {
        let of = |(path, name): &(&Path, &str)| format!(" {flag}={}={name}", path.display());
        names.iter().map(of).collect()
    };
    let rust = format!(
        "-C target-cpu={PROCESSOR} -C link-arg=-Wl,--build-id=none{}{}",
        build.flags,
        rename("--remap-path-prefix")
    );
    let native = rename("-ffile-prefix-map");
    let mut command = Command::new(cargo);
    command
        .current_dir(source)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", &home)
        .env("CARGO_HOME", &cargo_home)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", "0")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env("RUSTFLAGS", rust.trim())
        .env("CFLAGS", native.trim())
        .env("CXXFLAGS", native.trim());
    for name in KEPT {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--target", build.triple, "-p", build.package])
        .args(build.arguments);
    tool::finish("cargo", &mut command).map(|_| ())
}

/// Every server processor with SEV-SNP or TDX has it.
const PROCESSOR: &str = "x86-64-v3";
/// How fast it is built, and which compiler is used; nothing of what comes out but
/// through the compiler's version.
const KEPT: &[&str] = &[
    "CARGO_BUILD_JOBS",
    "CMAKE_BUILD_PARALLEL_LEVEL",
    "LIBCLANG_PATH",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_folder_with_spaces_is_refused_before_anything_is_compiled() {
        let folder = tempfile::tempdir().unwrap();
        let spaced = folder.path().join("a folder");
        files::make_folder(&spaced).unwrap();
        for (source, target) in [(&*spaced, folder.path()), (folder.path(), &*spaced)] {
            let error = compile(source, target, &|_| ()).unwrap_err();
            assert!(matches!(error, ImageError::System { .. }), "{error}");
        }
    }
}
