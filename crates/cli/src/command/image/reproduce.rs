//! `subrosa image reproduce`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use subrosa_image::reproduce::{first_difference, list};

use super::failed;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// Build the image twice, under different conditions, and compare
///
/// The source is copied to two folders with paths of different lengths; each is built in a target folder
/// of its own, with another time zone, locale and mask of permissions. The first file that differs is
/// named. Compiling the engine twice takes many minutes.
#[derive(Args, Debug)]
pub(crate) struct Flags {
    /// Checkout of the source
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    source: PathBuf,

    /// Compare only how the image is put together, from programs that are there
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

/// Conditions that no byte may depend on.
struct Conditions {
    folder: &'static str,
    time_zone: &'static str,
    locale: &'static str,
    mask: &'static str,
}

const CONDITIONS: [Conditions; 2] = [
    Conditions {
        folder: "a",
        time_zone: "Pacific/Kiritimati",
        locale: "C",
        mask: "022",
    },
    Conditions {
        folder: "another-folder/with-a-longer-path",
        time_zone: "America/St_Johns",
        locale: "de_DE.UTF-8",
        mask: "077",
    },
];

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let scratch = tempfile::tempdir().map_err(|error| {
        Failure::new(Exit::Failed, "a temporary folder cannot be made").because(&error)
    })?;
    let mut outputs = Vec::new();
    for (number, conditions) in (1..).zip(&CONDITIONS) {
        printer.say(format!(
            "build {number} of 2: TZ={}, LC_ALL={}, umask {}",
            conditions.time_zone, conditions.locale, conditions.mask
        ));
        outputs.push(conditions.build(flags, scratch.path())?);
    }
    let [one, other] = outputs.as_slice() else {
        return Err(Failure::new(Exit::Failed, "there are not two builds"));
    };
    if let Some(name) = first_difference(one, other).map_err(|error| failed(&error))? {
        let kept = scratch.keep();
        return Err(
            Failure::new(Exit::Failed, format!("the two builds differ: {name}"))
                .hint(format!("both are kept in {}", kept.display())),
        );
    }
    for (name, digest) in list(one).map_err(|error| failed(&error))? {
        printer.line(format!("{digest}  {name}"))?;
    }
    printer.line("the same bytes, twice")?;
    Ok(Exit::Done)
}

impl Conditions {
    fn build(&self, flags: &Flags, scratch: &Path) -> Result<PathBuf, Failure> {
        let folder = scratch.join(self.folder);
        let output = folder.join("image");
        let mut arguments: Vec<OsString> = ["--quiet", "image", "build", "--output"]
            .map(OsString::from)
            .to_vec();
        arguments.push(output.clone().into());
        if let Some(programs) = &flags.programs {
            arguments.extend(["--programs".into(), programs.into()]);
        } else {
            let source = folder.join("source");
            copy_source(&flags.source, &source)?;
            let target = folder.join("target");
            arguments.extend(["--source".into(), source.into()]);
            arguments.extend(["--target".into(), target.into()]);
        }
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failed, "the build does not start").because(&error)
        };
        let program = std::env::current_exe().map_err(failed)?;
        // A process cannot change the mask of another one but through a shell.
        let status = Command::new("sh")
            .args(["-c", &format!("umask {} && exec \"$@\"", self.mask), "sh"])
            .arg(program)
            .args(arguments)
            .env("TZ", self.time_zone)
            .env("LC_ALL", self.locale)
            .env_remove("CARGO_TARGET_DIR")
            .status()
            .map_err(failed)?;
        if status.success() {
            return Ok(output);
        }
        Err(Failure::new(
            Exit::Failed,
            "a build failed, as it says above",
        ))
    }
}

/// Copies what git knows of and what it does not ignore: what a build sees.
fn copy_source(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, "the source cannot be copied").because(&error)
    };
    let listed = Command::new("git")
        .arg("-C")
        .arg(from)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .map_err(failed)?;
    if !listed.status.success() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} is no checkout of the source", from.display()),
        ));
    }
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let (source, target) = (from.join(name), to.join(name));
        // Listed, but removed since.
        if !source.exists() {
            continue;
        }
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::copy(&source, &target).map_err(failed)?;
    }
    Ok(())
}
