//! `subrosa image command`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use subrosa_image::host::{Hardware, Host};

use super::ImageFlags;
use crate::failure::{Exit, Failure};
use crate::folders::read_text;
use crate::printer::Printer;

/// Print the command with which a host starts the image under SEV-SNP or TDX
///
/// It starts exactly what measurement.json predicts for these processors and this firmware. Nothing is started here.
#[derive(Args, Debug)]
pub(crate) struct Flags {
    #[command(flatten)]
    image: ImageFlags,

    /// Which hardware
    #[arg(long)]
    platform: Platform,

    /// Firmware: OVMF built as AmdSevX64 for SEV-SNP, with TDX's metadata for TDX
    #[arg(long, value_name = "FILE")]
    firmware: PathBuf,

    /// Model of processor for SEV-SNP, by QEMU's name
    #[arg(long, value_name = "NAME", default_value = "EPYC-Genoa")]
    model: String,

    /// Processors of the guest
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=512))]
    processors: u32,

    /// Memory of the guest, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    memory: u32,

    /// Port on 127.0.0.1 of the host that the service is reached at
    #[arg(long, default_value_t = 8443)]
    port: u16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Platform {
    SevSnp,
    IntelTdx,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let append = read_text(&flags.image.image.join("cmdline"), MAX_COMMAND_LINE)
        .map_err(|failure| failure.hint("make image builds it"))?;
    let host = Host {
        image: flags.image.image.clone(),
        firmware: flags.firmware.clone(),
        hardware: match flags.platform {
            Platform::SevSnp => Hardware::Snp {
                model: flags.model.clone(),
            },
            Platform::IntelTdx => Hardware::Tdx,
        },
        processors: flags.processors,
        memory: flags.memory,
        port: flags.port,
    };
    let append = append.trim_end_matches('\n');
    if printer.is_json() {
        let arguments = host.arguments(append).into_iter();
        let words: Vec<_> = arguments
            .flat_map(|(option, value)| [option.to_owned(), value])
            .filter(|word| !word.is_empty())
            .collect();
        printer.json(&words)?;
    } else {
        printer.raw(host.command(append).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// The kernel reads no longer one.
const MAX_COMMAND_LINE: u64 = 4096;
