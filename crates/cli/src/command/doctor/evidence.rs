//! What this machine can prove, and how: the interfaces that a service collects
//! evidence from.

use super::Finding;
use super::machine::Machine;

impl Machine {
    /// Whether a service here can prove that its host is locked out.
    pub(super) fn guest(&self) -> Finding {
        const NAME: &str = "confidential VM";
        if let Some(guest) = self.tsm_guest() {
            return guest;
        }
        if self.has("dev/nsm") {
            return Finding::passed(NAME, "AWS Nitro enclave with its secure module");
        }
        if self.has("dev/attestation/quote") {
            return Finding::gap(
                NAME,
                "Intel SGX enclave under Gramine; evidence can be collected, but a service on it is not verified by this version",
                "collect it with subrosa-enclave --evidence; serve from AMD SEV-SNP, Intel TDX or AWS Nitro",
            );
        }
        Finding::gap(
            NAME,
            "none: no /dev/sev-guest, /dev/tdx_guest or /dev/nsm, and no driver of Arm CCA, so a service here is NOT \
             PROTECTED (development)",
            "serve from an AMD SEV-SNP or Intel TDX guest or an AWS Nitro enclave; verifying and chatting need no such hardware",
        )
    }

    /// The guests whose evidence comes through configfs-tsm.
    fn tsm_guest(&self) -> Option<Finding> {
        const NAME: &str = "confidential VM";
        let platform = TSM_GUESTS.iter().find(|(path, _)| self.has(path));
        let &(path, platform) = platform?;
        let words = |more: &str| format!("{platform} guest{more}");
        if !self.has("sys/kernel/config/tsm/report") {
            return Some(Finding::gap(
                NAME,
                words(", but configfs-tsm is not mounted"),
                "mount -t configfs none /sys/kernel/config, and load the module tsm",
            ));
        }
        Some(match path {
            CCA => Finding::gap(
                NAME,
                words(" with configfs-tsm; a service on it is not verified by this version"),
                "collect evidence with subrosa-enclave --evidence; serve from AMD SEV-SNP, Intel TDX or AWS Nitro",
            ),
            TDX if self.has("sys/firmware/acpi/tables/data/CCEL") => {
                Finding::passed(NAME, words(" with configfs-tsm and an event log"))
            }
            TDX => Finding::passed(NAME, words(" with configfs-tsm, without an event log")),
            _ => Finding::passed(NAME, words(" with configfs-tsm")),
        })
    }

    /// Whether this machine can start guests of that kind.
    pub(super) fn host(&self) -> Finding {
        const NAME: &str = "confidential host";
        let can = |parameter| self.says_yes(parameter);
        let words = match (can(HOSTS_SNP), can(HOSTS_TDX)) {
            (true, _) => "this machine can start AMD SEV-SNP guests",
            (false, true) => "this machine can start Intel TDX guests",
            (false, false) => {
                return Finding::gap(
                    NAME,
                    "this machine cannot start AMD SEV-SNP or Intel TDX guests",
                    "only an operator's machine needs that: EPYC 9004 or Xeon 6 or newer, on in the firmware and in KVM",
                );
            }
        };
        Finding::passed(NAME, words)
    }

    /// Whether there is a TPM that quotes.
    pub(super) fn tpm(&self) -> Finding {
        const NAME: &str = "TPM";
        let log = self.has("sys/kernel/security/tpm0/binary_bios_measurements");
        match (self.has("dev/tpmrm0"), log) {
            (true, true) => Finding::passed(NAME, "TPM 2.0 at /dev/tpmrm0, with an event log"),
            (true, false) => Finding::passed(
                NAME,
                "TPM 2.0 at /dev/tpmrm0; no event log is to be seen, which takes root and a mounted securityfs",
            ),
            (false, _) => Finding::gap(
                NAME,
                "none: no /dev/tpmrm0",
                "nothing to do: a TPM alone protects nobody from its host",
            ),
        }
    }
}

/// What shows a guest of each kind, and its name.
const TSM_GUESTS: [(&str, &str); 3] = [
    ("dev/sev-guest", "AMD SEV-SNP"),
    (TDX, "Intel TDX"),
    (CCA, "Arm CCA"),
];
const TDX: &str = "dev/tdx_guest";
const CCA: &str = "sys/module/arm_cca_guest";
const HOSTS_SNP: &str = "sys/module/kvm_amd/parameters/sev_snp";
const HOSTS_TDX: &str = "sys/module/kvm_intel/parameters/tdx";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::printer::Mark;

    /// A machine with these files.
    fn machine(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "Y\n").unwrap();
        }
        folder
    }

    fn guest(paths: &[&str]) -> Finding {
        Machine::at(machine(paths).path()).guest()
    }

    const TSM: &str = "sys/kernel/config/tsm/report/entry";

    #[test]
    fn each_platform_that_can_serve_is_found_by_its_own_file() {
        for (paths, platform) in [
            (&["dev/sev-guest", TSM][..], "AMD SEV-SNP"),
            (&["dev/tdx_guest", TSM], "Intel TDX"),
            (&["dev/nsm"], "AWS Nitro"),
        ] {
            let finding = guest(paths);
            assert_eq!(finding.mark, Mark::Passed, "{platform}");
            assert!(finding.words.contains(platform), "{}", finding.words);
        }
    }

    #[test]
    fn a_guest_without_its_interface_is_told_what_to_load() {
        for path in ["dev/sev-guest", "dev/tdx_guest", "sys/module/arm_cca_guest"] {
            let finding = guest(&[path]);
            assert_eq!(finding.mark, Mark::Gap);
            assert!(finding.next_step.unwrap().contains("module tsm"), "{path}");
        }
    }

    #[test]
    fn a_platform_that_only_collects_is_a_gap() {
        for paths in [
            &["sys/module/arm_cca_guest", TSM][..],
            &["dev/attestation/quote"],
        ] {
            let finding = guest(paths);
            assert_eq!(finding.mark, Mark::Gap);
            assert!(finding.next_step.unwrap().contains("--evidence"));
        }
        assert!(guest(&[TSM]).words.contains("NOT PROTECTED"));
    }

    #[test]
    fn the_event_log_of_a_guest_is_looked_for() {
        let log = "sys/firmware/acpi/tables/data/CCEL";
        let with = guest(&["dev/tdx_guest", TSM, log]);
        assert!(with.words.contains("and an event log"), "{}", with.words);
        let without = guest(&["dev/tdx_guest", TSM]);
        assert!(without.words.contains("without"), "{}", without.words);
    }

    #[test]
    fn hosts_and_tpms_are_found_by_their_own_files() {
        for (paths, host, tpm) in [
            (&[][..], Mark::Gap, Mark::Gap),
            (&[HOSTS_SNP], Mark::Passed, Mark::Gap),
            (&[HOSTS_TDX], Mark::Passed, Mark::Gap),
            (&["dev/tpmrm0"], Mark::Gap, Mark::Passed),
        ] {
            let folder = machine(paths);
            let machine = Machine::at(folder.path());
            assert_eq!((machine.host().mark, machine.tpm().mark), (host, tpm));
        }
    }
}
