//! The command lines with which a host starts the image under SEV-SNP or TDX.
//!
//! They start exactly what [`crate::measurement`] predicts: the same firmware, the same parts, the same number and
//! model of processors. Nothing here was run on such hardware.

use std::path::PathBuf;

use subrosa_init::layout::PORT;

use crate::build::ROOT;

/// How a host starts the image.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers make it")]
pub struct Host {
    /// The folder with the image.
    pub image: PathBuf,
    /// Firmware: for SEV-SNP one that measures the kernel (OVMF, `AmdSevX64`), for TDX one with TDX's metadata.
    pub firmware: PathBuf,
    /// Which hardware.
    pub hardware: Hardware,
    /// Processors of the guest; under SEV-SNP its measurement depends on their number.
    pub processors: u32,
    /// Memory of the guest, in GiB.
    pub memory: u32,
    /// Where its service is reached on the host, on loopback.
    pub port: u16,
}

/// What keeps the host out.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Hardware {
    /// AMD SEV-SNP, with a model of processor by QEMU's name; the measurement depends on it.
    Snp {
        /// Such as `EPYC-Genoa`.
        model: String,
    },
    /// Intel TDX, whose quotes the host's quote generation service makes (vsock, port 4050).
    Tdx,
}

impl Host {
    /// QEMU's arguments, each an option with its value or an option alone. `append` is the image's command line.
    #[must_use]
    pub fn arguments(&self, append: &str) -> Vec<(&'static str, String)> {
        let file = |name: &str| self.image.join(name).display().to_string();
        let memory = self.memory;
        let (processor, guest, machine) = match &self.hardware {
            Hardware::Snp { model } => (
                model.clone(),
                "sev-snp-guest,id=guest,cbitpos=51,reduced-phys-bits=1,policy=0x30000,kernel-hashes=on"
                    .to_owned(),
                "q35,confidential-guest-support=guest,memory-backend=ram",
            ),
            Hardware::Tdx => (
                "host".to_owned(),
                concat!(
                    r#"{"qom-type":"tdx-guest","id":"guest","#,
                    r#""quote-generation-socket":{"type":"vsock","cid":"2","port":"4050"}}"#
                )
                .to_owned(),
                "q35,kernel-irqchip=split,smm=off,confidential-guest-support=guest,memory-backend=ram",
            ),
        };
        // What is shared with the host goes through buffers that the guest chooses.
        let shared = "disable-legacy=on,iommu_platform=on";
        vec![
            ("-accel", "kvm".to_owned()),
            ("-cpu", processor),
            ("-smp", self.processors.to_string()),
            ("-m", format!("{memory}G")),
            (
                "-object",
                format!("memory-backend-memfd,id=ram,size={memory}G,share=on"),
            ),
            ("-object", guest),
            ("-machine", machine.to_owned()),
            ("-bios", self.firmware.display().to_string()),
            ("-kernel", file("vmlinuz")),
            ("-initrd", file("initrd")),
            ("-append", append.to_owned()),
            (
                "-drive",
                format!("if=none,id=root,format=raw,readonly=on,file={}", file(ROOT)),
            ),
            ("-device", format!("virtio-blk-pci,drive=root,{shared}")),
            (
                "-netdev",
                format!(
                    "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{}-:{PORT}",
                    self.port
                ),
            ),
            // Without a boot ROM, which would be measured.
            (
                "-device",
                format!("virtio-net-pci,netdev=net,romfile=,{shared}"),
            ),
            ("-nodefaults", String::new()),
            ("-no-reboot", String::new()),
            ("-display", "none".to_owned()),
            ("-serial", "stdio".to_owned()),
        ]
    }

    /// The whole command as a shell reads it, an argument on each line.
    #[must_use]
    pub fn command(&self, append: &str) -> String {
        let lines = self.arguments(append).into_iter().map(|(option, value)| {
            if value.is_empty() {
                option.to_owned()
            } else {
                format!("{option} {}", quoted(&value))
            }
        });
        let lines: Vec<_> = lines.collect();
        format!("qemu-system-x86_64 \\\n  {}\n", lines.join(" \\\n  "))
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./,=:+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const APPEND: &str = "console=ttyS0 root=abc";

    fn host(hardware: Hardware) -> Host {
        Host {
            image: "dist/image".into(),
            firmware: "OVMF.fd".into(),
            hardware,
            processors: 4,
            memory: 8,
            port: 8443,
        }
    }

    fn snp() -> Host {
        host(Hardware::Snp {
            model: "EPYC-Genoa".to_owned(),
        })
    }

    /// The command in a guide, without its indentation.
    fn in_guide(guide: &str) -> &str {
        let start = guide.find("qemu-system-x86_64 \\").unwrap();
        let rest = guide.get(start..).unwrap();
        rest.split("```").next().unwrap()
    }

    #[test]
    fn the_guides_show_the_commands_that_are_printed() {
        let snp_guide = include_str!("../../../docs/deploy/sev-snp.md");
        assert_eq!(in_guide(snp_guide), snp().command(APPEND));
        let tdx_guide = include_str!("../../../docs/deploy/tdx.md");
        assert_eq!(in_guide(tdx_guide), host(Hardware::Tdx).command(APPEND));
    }

    #[test]
    fn under_sev_snp_kernel_and_command_line_are_measured_and_debugging_is_off() {
        let command = snp().command(APPEND);
        assert!(command.contains("kernel-hashes=on"));
        // AMD 56860, guest policy: bit 17 is always one, bit 16 allows SMT, bit 19 would allow debugging.
        assert!(command.contains("policy=0x30000"));
        assert!(command.contains("-append 'console=ttyS0 root=abc'"));
    }

    #[test]
    fn a_shell_reads_each_word_as_it_is() {
        let mut host = snp();
        host.image = "a folder/it's".into();
        let printed =
            host.command("x='1' $HOME `id`")
                .replacen("qemu-system-x86_64", "printf '%s\\n'", 1);
        let output = std::process::Command::new("sh")
            .args(["-c", &printed])
            .output()
            .unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        let expected = host.arguments("x='1' $HOME `id`").into_iter();
        let expected: String = expected
            .flat_map(|(option, value)| [option.to_owned(), value])
            .filter(|word| !word.is_empty())
            .map(|word| word + "\n")
            .collect();
        assert_eq!(words, expected);
    }
}
