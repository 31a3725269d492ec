//! `subrosa config`: each setting and where it comes from.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::folders::{Folders, PlaceOrigin};
use crate::printer::Printer;
use crate::settings::{Origin, ProxyFlags, ServiceFlags, Setting, Settings, ShapeFlags};

/// Show each setting and where it comes from
///
/// A flag comes before the settings file, the file before the default. No setting is read from the
/// environment; only the folders follow the XDG variables.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// Print only the path of the settings file
    #[arg(long)]
    path: bool,

    #[command(flatten)]
    service: ServiceFlags,

    #[command(flatten)]
    shape: ShapeFlags,

    #[command(flatten)]
    proxy: ProxyFlags,
}

#[derive(Serialize)]
struct Report<'a> {
    settings_file: &'a Path,
    settings_file_exists: bool,
    settings: &'a Settings,
    folders: FolderReport<'a>,
}

#[derive(Serialize)]
struct FolderReport<'a> {
    config: &'a crate::folders::Place,
    data: &'a crate::folders::Place,
    state: &'a crate::folders::Place,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let folders = Folders::find()?;
    let file = flags
        .service
        .settings
        .clone()
        .unwrap_or_else(|| folders.settings_file());
    if flags.path {
        printer.line(file.display())?;
        return Ok(Exit::Done);
    }
    let settings = Settings::load(&folders, &flags.service)?
        .with_shape(&flags.shape)
        .with_proxy(&flags.proxy);
    if printer.is_json() {
        printer.json(&Report {
            settings_file: &file,
            settings_file_exists: file.exists(),
            settings: &settings,
            folders: FolderReport {
                config: &folders.config,
                data: &folders.data,
                state: &folders.state,
            },
        })?;
        return Ok(Exit::Done);
    }
    print_settings(&settings, &file, printer)?;
    print_folders(&folders, printer)?;
    Ok(Exit::Done)
}

fn print_settings(settings: &Settings, file: &Path, printer: &Printer) -> Result<(), Failure> {
    let there = if file.exists() {
        ""
    } else {
        " (not there; every setting has its default)"
    };
    printer.line(format!("settings file: {}{there}", file.display()))?;
    let path = |path: &Setting<Option<std::path::PathBuf>>| {
        let value = path.value.as_ref().map(|path| path.display().to_string());
        (value, path.origin)
    };
    let profile = clap::ValueEnum::to_possible_value(&settings.profile.value);
    for (name, (value, origin)) in [
        ("url", (settings.url.value.clone(), settings.url.origin)),
        ("policy", path(&settings.policy)),
        (
            "profile",
            (
                profile.map(|value| value.get_name().to_owned()),
                settings.profile.origin,
            ),
        ),
        (
            "listen",
            (
                Some(settings.listen.value.to_string()),
                settings.listen.origin,
            ),
        ),
        ("bearer-file", path(&settings.bearer_file)),
        ("save-receipts", path(&settings.save_receipts)),
    ] {
        let value = value.unwrap_or_else(|| "not set".to_owned());
        printer.line(format!("{name:<16}{value}  [{}]", origin_words(origin)))?;
    }
    Ok(())
}

fn print_folders(folders: &Folders, printer: &Printer) -> Result<(), Failure> {
    for (name, variable, place) in [
        ("config folder", "XDG_CONFIG_HOME", &folders.config),
        ("data folder", "XDG_DATA_HOME", &folders.data),
        ("state folder", "XDG_STATE_HOME", &folders.state),
    ] {
        let origin = match place.origin {
            PlaceOrigin::Default => "default",
            PlaceOrigin::Environment => variable,
        };
        printer.line(format!("{name:<16}{}  [{origin}]", place.path.display()))?;
    }
    Ok(())
}

fn origin_words(origin: Origin) -> &'static str {
    match origin {
        Origin::Default => "default",
        Origin::File => "file",
        Origin::Flag => "flag",
    }
}

const EXAMPLE: &str = "\
Example:
  subrosa config --profile strict";
