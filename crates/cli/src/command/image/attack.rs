//! `subrosa image attack`: what the host can change, and that each change is refused.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use sha2::{Digest as _, Sha256};
use subrosa_image::ImageError;
use subrosa_image::build::{ROOT, Recipe, UNIFIED};
use subrosa_image::measurement::Measurements;
use subrosa_image::stub::BootStub;
use subrosa_image::uki::{Parts, assemble};
use subrosa_image::vm::{Machine, Options, SoftwareTpm};

use super::booted::{PATIENCE, Trusted};
use super::built::{CONFIGURATION, RecipeFlags, make};
use super::failed;
use crate::chat::Session;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::settings::Profile;
use crate::signals;

/// Change one thing after another as a host could, boot, and show that it is refused
///
/// Each case boots a virtual machine, which takes about 20 seconds.
#[derive(Args, Debug)]
pub(crate) struct Flags {
    #[command(flatten)]
    recipe: RecipeFlags,

    /// Only the cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// What a host did.
struct Case {
    name: &'static str,
    image: PathBuf,
    append: Option<String>,
    /// The image that the device expects.
    expected: PathBuf,
    other_tpm: bool,
    expectation: Expectation,
}

/// What is to come of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expectation {
    /// The device verifies it: nothing was changed.
    Accepted,
    /// It runs, and the device refuses it with this code.
    Refused(&'static str),
    /// It never offers a service.
    NoService,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let scratch = tempfile::tempdir().map_err(|error| {
        Failure::new(Exit::Failed, "a temporary folder cannot be made").because(&error)
    })?;
    let recipe = flags.recipe.prepare(printer)?;
    let cases = cases(&recipe, scratch.path(), printer)?;
    let wanted = |case: &&Case| {
        flags
            .only
            .as_ref()
            .is_none_or(|only| case.name.contains(only))
    };
    let mut wrong = Vec::new();
    for case in cases.iter().filter(wanted) {
        let started = Instant::now();
        let (is_right, found) = case.run(scratch.path(), printer)?;
        let mark = if is_right { "ok" } else { "WRONG" };
        let seconds = started.elapsed().as_secs();
        printer.line(format!("{mark:5} {}: {found} ({seconds} s)", case.name))?;
        if !is_right {
            wrong.push(case.name);
        }
    }
    if wrong.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::Failed,
        format!("not as it must be: {}", wrong.join(", ")),
    ))
}

/// Makes the images of all cases.
fn cases(recipe: &Recipe, scratch: &Path, printer: &Printer) -> Result<Vec<Case>, Failure> {
    let good = scratch.join("good");
    let measurements = make(recipe, &good, printer)?;
    let case = |name, image: &Path, expectation| Case {
        name,
        image: image.to_owned(),
        append: None,
        expected: good.clone(),
        other_tpm: false,
        expectation,
    };
    let mut cases = vec![case("nothing changed", &good, Expectation::Accepted)];

    let root = scratch.join("root");
    copy_image(&good, &root)?;
    flip(&root.join(ROOT), Place::Middle)?;
    cases.push(case("one byte of the root", &root, Expectation::NoService));

    let initrd = scratch.join("initrd");
    copy_image(&good, &initrd)?;
    flip(&initrd.join("initrd"), Place::End)?;
    unite(&initrd, &measurements.command_line)?;
    cases.push(case(
        "one byte of the initial RAM disk",
        &initrd,
        NOT_LISTED,
    ));

    // A second space: the same words, one byte more.
    let line = scratch.join("cmdline");
    copy_image(&good, &line)?;
    unite(&line, &measurements.command_line.replacen(' ', "  ", 1))?;
    cases.push(case("one byte of the command line", &line, NOT_LISTED));

    let configuration = scratch.join("configuration");
    let mut changed = recipe.clone();
    changed.configuration = changed.configuration.replacen("# The", "# the", 1);
    changed.configuration.push('\n');
    make(&changed, &configuration, printer)?;
    cases.push(case(
        "one byte of the configuration",
        &configuration,
        NOT_LISTED,
    ));

    cases.extend(model_cases(recipe, scratch, printer)?);

    let appended = |name, append: String, expectation| Case {
        append: Some(append),
        ..case(name, &good, expectation)
    };
    let Measurements { command_line, .. } = measurements;
    cases.push(appended(
        "the host gives the same command line",
        command_line.clone(),
        NOT_LISTED,
    ));
    cases.push(appended(
        "the host adds a word",
        format!("{command_line} init=/bin/sh"),
        Expectation::NoService,
    ));
    cases.push(Case {
        other_tpm: true,
        ..case(
            "another TPM",
            &good,
            Expectation::Refused("attestation-key-mismatch"),
        )
    });
    Ok(cases)
}

/// A model beside the program: as it is, with one byte changed in the image that the
/// device expects, and with one byte changed by somebody who then made a new root.
fn model_cases(recipe: &Recipe, scratch: &Path, printer: &Printer) -> Result<Vec<Case>, Failure> {
    let model = scratch.join("model.gguf");
    let bytes = std::fs::read(DEMO_MODEL).map_err(|error| {
        Failure::file("read", Path::new(DEMO_MODEL), &error)
            .hint("run it in a checkout of the source")
    })?;
    write(&model, &bytes)?;
    let digest = hex::encode(Sha256::digest(&bytes));
    let named = CONFIGURATION.replace(
        "model = \"demo\"",
        &format!(
            "model = {{ name = \"beside\", path = \"/models/model.gguf\", sha256 = \"{digest}\" }}"
        ),
    );
    let recipe = Recipe {
        configuration: named,
        model: Some(model.clone()),
        ..recipe.clone()
    };
    let good = scratch.join("model-good");
    make(&recipe, &good, printer)?;
    flip(&model, Place::Middle)?;
    let other = scratch.join("model-other");
    make(&recipe, &other, printer)?;
    let case = |name, image: &Path, expectation| Case {
        name,
        image: image.to_owned(),
        append: None,
        expected: good.clone(),
        other_tpm: false,
        expectation,
    };
    Ok(vec![
        case("a model beside the program", &good, Expectation::Accepted),
        case("one byte of the model", &other, Expectation::NoService),
    ])
}

impl Case {
    /// Boots it, and says what came of it.
    fn run(&self, scratch: &Path, printer: &Printer) -> Result<(bool, String), Failure> {
        let state = scratch.join("state");
        let trusted = Trusted::prepare(&self.expected, &state, printer)?;
        let other =
            SoftwareTpm::open(&scratch.join("other-tpm")).map_err(|error| failed(&error))?;
        let options = Options {
            image: &self.image,
            tpm: if self.other_tpm { &other } else { &trusted.tpm },
            port: 0,
            append: self.append.as_deref(),
            patience: PATIENCE,
        };
        let machine = match Machine::start(&options, &|text| printer.detail(text)) {
            Ok(machine) => machine,
            Err(ImageError::NotReady { what, console }) => {
                let last = console.lines().rev().find(|line| is_telling(line));
                let found = format!("the machine {what}: {}", last.unwrap_or_default().trim());
                return Ok((self.expectation == Expectation::NoService, found));
            }
            Err(error) => return Err(failed(&error)),
        };
        let runtime = signals::runtime()?;
        let options = trusted.options(&machine, Profile::Balanced);
        Ok(match runtime.block_on(Session::connect(options)) {
            Ok(session) => (
                self.expectation == Expectation::Accepted,
                session.verdict_line(),
            ),
            Err(failure) if failure.exit() == Exit::Refused => {
                let causes = failure.causes().join("; ");
                let found = format!("{} {causes}", failure.message());
                let is_right = match self.expectation {
                    Expectation::Refused(code) => found.contains(code),
                    Expectation::Accepted | Expectation::NoService => false,
                };
                (is_right, found)
            }
            Err(failure) => return Err(failure),
        })
    }
}

/// Where a byte is changed.
#[derive(Clone, Copy)]
enum Place {
    Middle,
    End,
}

fn flip(path: &Path, place: Place) -> Result<(), Failure> {
    let mut bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let at = match place {
        Place::Middle => bytes.len() / 2,
        Place::End => bytes.len().saturating_sub(1),
    };
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    write(path, &bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::file("write", path, &error))
}

fn copy_image(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file("copy", from, &error);
    std::fs::create_dir_all(to).map_err(failed)?;
    for name in [ROOT, UNIFIED, "initrd", "vmlinuz"] {
        std::fs::copy(from.join(name), to.join(name)).map_err(failed)?;
    }
    Ok(())
}

/// Makes the unified image anew from the parts in a folder.
fn unite(folder: &Path, command_line: &str) -> Result<(), Failure> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))
    };
    let stub = BootStub::load(Path::new(BootStub::PATH)).map_err(|error| failed(&error))?;
    let (initrd, kernel) = (read("initrd")?, read("vmlinuz")?);
    let parts = Parts {
        command_line,
        initrd: &initrd,
        kernel: &kernel,
    };
    let image = assemble(stub.bytes(), &parts).map_err(|error| failed(&error.into()))?;
    write(&folder.join(UNIFIED), &image)
}

/// A line that says why, and not how the machine went off.
fn is_telling(line: &str) -> bool {
    ["FATAL", "panic", "error:", "verity"]
        .iter()
        .any(|word| line.contains(word))
}

const NOT_LISTED: Expectation = Expectation::Refused("measurement-not-allowed");
const DEMO_MODEL: &str = "models/demo/subrosa-demo.gguf";
