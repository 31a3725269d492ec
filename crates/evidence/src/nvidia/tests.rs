//! A driver that answers from memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::*;

/// What a GPU answers to a nonce.
type Attested = fn([u8; 32]) -> Result<Vec<u8>, NvmlError>;

struct Fake {
    count: u32,
    /// Which GPU is not in confidential mode.
    open: Option<u32>,
    report: Attested,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            count: 2,
            open: None,
            report: |nonce| Ok([&[0x11, 0xE0, 1, 0xFF], &nonce[..], b" and more"].concat()),
        }
    }
}

impl Library for Fake {
    fn count(&mut self) -> Result<u32, NvmlError> {
        Ok(self.count)
    }

    fn is_confidential(&mut self, index: u32) -> Result<bool, NvmlError> {
        Ok(self.open != Some(index))
    }

    fn attest(&mut self, index: u32, nonce: [u8; 32]) -> Result<NvidiaDevice, NvmlError> {
        Ok(NvidiaDevice {
            report: (self.report)(nonce)?,
            certificates: vec![u8::try_from(index).unwrap()],
        })
    }
}

/// A driver that has this report about this nonce, and no other.
struct Recorded {
    nonce: Vec<u8>,
    device: NvidiaDevice,
}

impl Library for Recorded {
    fn count(&mut self) -> Result<u32, NvmlError> {
        Ok(1)
    }

    fn is_confidential(&mut self, _: u32) -> Result<bool, NvmlError> {
        Ok(true)
    }

    fn attest(&mut self, _: u32, nonce: [u8; 32]) -> Result<NvidiaDevice, NvmlError> {
        if nonce.as_slice() == self.nonce {
            Ok(self.device.clone())
        } else {
            Err(NvmlError::InvalidArg)
        }
    }
}

pub(crate) fn answering(nonce: Vec<u8>, device: NvidiaDevice) -> Box<dyn Collector> {
    let recorded = Recorded { nonce, device };
    Box::new(Nvidia::with(Box::new(recorded)).unwrap())
}

fn collect(fake: Fake) -> Result<Vec<NvidiaDevice>, CollectError> {
    let challenge = Challenge::of_bytes([6; 64]);
    match Nvidia::with(Box::new(fake))?.collect(&challenge)? {
        Evidence::Nvidia { devices } => Ok(devices),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_gpu_signs_the_nonce() {
    let devices = collect(Fake::default()).unwrap();
    assert_eq!(devices.len(), 2);
    for (index, device) in devices.iter().enumerate() {
        assert_eq!(device.report[4..36], [6; 32]);
        assert_eq!(device.certificates, [u8::try_from(index).unwrap()]);
    }
}

#[test]
fn a_report_over_another_nonce_is_refused() {
    let fake = Fake {
        report: |_| Ok([&[0x11, 0xE0, 1, 0xFF], &[9; 32][..]].concat()),
        ..Fake::default()
    };
    assert!(matches!(
        collect(fake),
        Err(CollectError::Malformed { what: "GPU report" })
    ));
    let short = Fake {
        report: |nonce| Ok(nonce[..20].to_vec()),
        ..Fake::default()
    };
    assert!(collect(short).is_err());
}

#[test]
fn a_gpu_outside_of_confidential_mode_is_named() {
    let fake = Fake {
        open: Some(1),
        ..Fake::default()
    };
    let error = collect(fake).unwrap_err();
    assert!(error.to_string().contains("GPU 1"), "{error}");
}

#[test]
fn no_gpu_and_more_than_a_bundle_holds_are_refused() {
    for (count, good) in [(0, false), (1, true), (32, true), (33, false)] {
        let fake = Fake {
            count,
            ..Fake::default()
        };
        assert_eq!(collect(fake).is_ok(), good, "{count}");
    }
}

#[test]
fn what_the_driver_refuses_says_what_to_do() {
    let cases: [(Attested, &str); 3] = [
        (|_| Err(NvmlError::NoPermission), "root"),
        (|_| Err(NvmlError::NotSupported), "Hopper"),
        (|_| Err(NvmlError::GpuLost), "nvidia-smi"),
    ];
    for (report, hint) in cases {
        let error = collect(Fake {
            report,
            ..Fake::default()
        });
        assert!(error.unwrap_err().hint().contains(hint), "{hint}");
    }
}

#[test]
fn without_the_drivers_library_there_are_no_gpus() {
    let folder = tempfile::tempdir().unwrap();
    let settings = serde_json::json!({ "library": folder.path().join("libnvidia-ml.so.1") });
    let error = Nvidia::open(&serde_json::from_value(settings).unwrap())
        .err()
        .unwrap();
    assert!(matches!(error, CollectError::Missing { .. }), "{error}");
}

#[test]
fn the_end_of_a_text_in_c_is_no_part_of_it() {
    assert_eq!(without_end(b"text\0\0".to_vec()), b"text");
    assert_eq!(without_end(b"te\0xt".to_vec()), b"te\0xt");
}
