//! A kernel made of software, good and bad.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::cell::{Cell, RefCell};

use super::*;

/// Answers as the kernel does: `outblob` holds what `inblob` was given.
struct Kernel {
    provider: &'static [u8],
    generation: Cell<u64>,
    /// Writes of somebody else between our write and our read.
    others: u64,
    inblob: RefCell<Vec<u8>>,
    table: Vec<u8>,
}

impl Default for Kernel {
    fn default() -> Self {
        // A VCEK, an ASK and an ARK of one byte each.
        let mut table = Vec::new();
        for (number, guid) in [
            0x63da_758d_e664_4564_adc5_f4b9_3be8_accd_u128,
            0x4ab7_b379_bbac_4fe4_a02f_05ae_f327_c782,
            0xc0b4_06a4_a803_4952_9743_3fb6_014c_d0ae,
        ]
        .into_iter()
        .enumerate()
        {
            table.extend(guid.to_be_bytes());
            table.extend(u32::try_from(96 + number).unwrap().to_le_bytes());
            table.extend(1_u32.to_le_bytes());
        }
        table.extend([0; 24]);
        table.extend(*b"vsr");
        Self {
            provider: b"sev_guest\n",
            generation: Cell::new(41),
            others: 0,
            inblob: RefCell::default(),
            table,
        }
    }
}

impl Reports for Kernel {
    fn write(&self, attribute: &'static str, bytes: &[u8]) -> Result<(), PlatformError> {
        assert_eq!(attribute, "inblob");
        self.inblob.replace(bytes.to_vec());
        self.generation.set(self.generation.get() + 1);
        Ok(())
    }

    fn read(&self, attribute: &'static str) -> Result<Vec<u8>, PlatformError> {
        Ok(match attribute {
            "provider" => self.provider.to_vec(),
            "generation" => format!("{}\n", self.generation.get()).into_bytes(),
            "outblob" => {
                self.generation.set(self.generation.get() + self.others);
                [b"report of ", self.inblob.borrow().as_slice()].concat()
            }
            "auxblob" => self.table.clone(),
            other => panic!("{other}"),
        })
    }
}

fn evidence(kernel: Kernel) -> Result<Evidence, PlatformError> {
    Snp::with_reports(Box::new(kernel), Files::default()).evidence(&[b'd'; 64])
}

#[test]
fn a_report_is_over_the_data_that_was_given() {
    let evidence = evidence(Kernel::default()).unwrap();
    assert_eq!(evidence.report, [&b"report of "[..], &[b'd'; 64]].concat());
    assert_eq!(evidence.certificates.leaf, b"v");
    assert_eq!(evidence.certificates.root, b"r");
}

#[test]
fn a_report_that_somebody_else_asked_for_is_refused() {
    let kernel = Kernel {
        others: 1,
        ..Kernel::default()
    };
    assert!(matches!(evidence(kernel), Err(PlatformError::Conflict)));
}

#[test]
fn another_kind_of_platform_is_refused() {
    let kernel = Kernel {
        provider: b"tdx_guest\n",
        ..Kernel::default()
    };
    assert!(matches!(
        evidence(kernel),
        Err(PlatformError::OtherProvider)
    ));
}

#[test]
fn a_table_that_is_malformed_is_refused() {
    let kernel = Kernel {
        table: vec![1; 30],
        ..Kernel::default()
    };
    assert!(matches!(
        evidence(kernel),
        Err(PlatformError::CertificateTable)
    ));
}

fn settings(folder: &Path) -> SnpSettings {
    SnpSettings {
        tsm_folder: folder.to_owned(),
        certificates: None,
        revocation_list: None,
    }
}

#[test]
fn a_machine_without_reports_is_told_so() {
    let nowhere = tempfile::tempdir().unwrap().path().join("report");
    let error = Snp::open(&settings(&nowhere)).err().unwrap();
    assert!(matches!(error, PlatformError::NoReports { .. }));
    assert!(error.to_string().contains("confidential VM"));
}

/// A folder with the attributes, but a generation that never moves: what it
/// holds was not made for us.
#[test]
fn a_folder_whose_report_is_old_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(NAME);
    std::fs::create_dir(&own).unwrap();
    for (attribute, content) in [
        ("provider", "sev_guest\n"),
        ("generation", "1\n"),
        ("outblob", "old"),
        ("auxblob", ""),
    ] {
        std::fs::write(own.join(attribute), content).unwrap();
    }
    let error = Snp::open(&settings(folder.path())).err().unwrap();
    assert!(matches!(error, PlatformError::Conflict));
    assert_eq!(std::fs::read(own.join("inblob")).unwrap(), [0; 64]);
}
