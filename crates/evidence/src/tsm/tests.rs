//! A kernel made of software, good and bad.
//!
//! It follows `drivers/virt/coco/tsm.c`: a write of `inblob` or `privlevel`
//! counts; `inblob` is taken when the file is closed, so that its errors are
//! lost; `outblob` is made when it is read; attributes that a driver does not
//! have are not there.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const ENOENT: i32 = 2;
const ETIMEDOUT: i32 = 110;

/// What a report about some data is.
type Report = Box<dyn Fn(&[u8]) -> Vec<u8> + Send>;

struct State {
    provider: &'static str,
    generation: u64,
    inblob: Vec<u8>,
    level: Option<u64>,
    floor: u64,
    /// Writes of somebody else before each of our reads of `outblob`.
    others: VecDeque<u64>,
    /// Errors of the next reads of `outblob`.
    errors: VecDeque<i32>,
    /// Whether writes are ignored until somebody reads.
    is_full: bool,
    reads: usize,
    report: Report,
    auxiliary: Option<Vec<u8>>,
}

#[derive(Clone)]
struct Kernel(Arc<Mutex<State>>);

impl Kernel {
    fn new(provider: &'static str) -> Self {
        Self::with(provider, |_| ())
    }

    fn with(provider: &'static str, edit: impl FnOnce(&mut State)) -> Self {
        let mut state = State {
            provider,
            generation: 41,
            inblob: Vec::new(),
            level: None,
            floor: 0,
            others: VecDeque::new(),
            errors: VecDeque::new(),
            is_full: false,
            reads: 0,
            report: Box::new(|data| [b"report of ", data].concat()),
            auxiliary: None,
        };
        edit(&mut state);
        Self(Arc::new(Mutex::new(state)))
    }

    fn reporter(&self) -> Reporter {
        let provider = self.0.lock().unwrap().provider;
        Reporter {
            pause: Duration::ZERO,
            ..Reporter::new(Box::new(self.clone()), provider)
        }
    }
}

impl State {
    fn take(&mut self, edit: impl FnOnce(&mut Self)) {
        if !self.is_full {
            edit(self);
            self.generation += 1;
        }
    }

    fn outblob(&mut self) -> Result<Vec<u8>, i32> {
        self.reads += 1;
        self.is_full = false;
        if self.inblob.is_empty() {
            return Err(EINVAL);
        }
        if let Some(error) = self.errors.pop_front() {
            return Err(error);
        }
        if let Some(others) = self.others.pop_front().filter(|&others| others > 0) {
            self.generation += others;
            self.inblob = vec![b'o'; 64];
        }
        Ok((self.report)(&self.inblob))
    }
}

impl Attributes for Kernel {
    fn write(&self, attribute: &'static str, bytes: &[u8]) -> Result<(), CollectError> {
        let mut state = self.0.lock().unwrap();
        let failed = |code| failure("write", attribute, code);
        match attribute {
            "inblob" if bytes.is_empty() || bytes.len() > 64 => return Err(failed(EINVAL)),
            "inblob" => state.take(|state| state.inblob = bytes.to_vec()),
            "privlevel" => {
                let level: u64 = core::str::from_utf8(bytes).unwrap().parse().unwrap();
                if level < state.floor {
                    return Err(failed(EINVAL));
                }
                if state.is_full {
                    return Err(failed(EBUSY));
                }
                state.take(|state| state.level = Some(level));
            }
            _ => return Err(failed(ENOENT)),
        }
        Ok(())
    }

    fn read(&self, attribute: &'static str) -> Result<Vec<u8>, CollectError> {
        let mut state = self.0.lock().unwrap();
        let read = match attribute {
            "provider" => Ok(format!("{}\n", state.provider).into_bytes()),
            "generation" => Ok(format!("{}\n", state.generation).into_bytes()),
            "privlevel_floor" => Ok(format!("{}\n", state.floor).into_bytes()),
            "outblob" => state.outblob(),
            "auxblob" => state.auxiliary.clone().ok_or(ENOENT),
            _ => Err(ENOENT),
        };
        read.map_err(|code| failure("read", attribute, code))
    }
}

/// TDX on a kernel that has this quote about this data, and no other.
pub(crate) fn answering(data: Vec<u8>, quote: Vec<u8>) -> Box<dyn Collector> {
    let kernel = Kernel::with("tdx_guest", |state| {
        state.report = Box::new(move |asked| {
            if asked == data {
                quote.clone()
            } else {
                Vec::new()
            }
        });
    });
    Box::new(Tdx {
        reporter: kernel.reporter(),
        event_log: PathBuf::from("/nonexistent"),
    })
}

fn failure(action: &'static str, attribute: &str, code: i32) -> CollectError {
    CollectError::file(
        action,
        Path::new(attribute),
        &io::Error::from_raw_os_error(code),
    )
}

fn report(kernel: &Kernel) -> Result<Blobs, CollectError> {
    kernel.reporter().report(&[b'd'; 64])
}

fn of(data: u8) -> Vec<u8> {
    [&b"report of "[..], &[data; 64]].concat()
}

#[test]
fn a_report_is_over_the_data_that_was_given() {
    let kernel = Kernel::with("sev_guest", |state| state.auxiliary = Some(vec![1, 2]));
    let blobs = report(&kernel).unwrap();
    assert_eq!(blobs.out, of(b'd'));
    assert_eq!(blobs.auxiliary, [1, 2]);
}

#[test]
fn a_driver_without_an_auxiliary_blob_has_none() {
    let blobs = report(&Kernel::new("arm_cca_guest")).unwrap();
    assert!(blobs.auxiliary.is_empty());
}

#[test]
fn a_report_that_somebody_else_asked_for_is_asked_for_again() {
    let kernel = Kernel::with("sev_guest", |state| state.others = [1, 0, 1].into());
    assert_eq!(report(&kernel).unwrap().out, of(b'd'));
}

#[test]
fn when_somebody_else_never_stops_there_is_no_report() {
    let kernel = Kernel::with("sev_guest", |state| state.others = [1; 20].into());
    assert!(matches!(report(&kernel), Err(CollectError::Conflict)));
}

/// The kernel takes no writes when it counted too many without a read, and does
/// not say so.
#[test]
fn a_write_that_was_ignored_is_noticed_and_repeated() {
    let kernel = Kernel::with("sev_guest", |state| {
        state.inblob = vec![b'x'; 64];
        state.is_full = true;
    });
    assert_eq!(report(&kernel).unwrap().out, of(b'd'));
    // A level is taken at once, and an error not lost.
    kernel.0.lock().unwrap().is_full = true;
    let reporter = Reporter {
        level: Some(0),
        ..kernel.reporter()
    };
    assert_eq!(reporter.report(&[b'e'; 64]).unwrap().out, of(b'e'));
}

#[test]
fn what_may_pass_is_tried_again() {
    for code in [EINTR, EAGAIN, EBUSY] {
        // A failed attempt reads twice: once for us, once to clear the way.
        let kernel = Kernel::with("tdx_guest", |state| state.errors = [code; 3].into());
        assert_eq!(report(&kernel).unwrap().out, of(b'd'), "{code}");
        let kernel = Kernel::with("tdx_guest", |state| state.errors = [code; 50].into());
        assert!(matches!(report(&kernel), Err(CollectError::File { .. })));
    }
}

#[test]
fn what_will_not_pass_is_an_error_at_once_and_says_what_to_do() {
    let kernel = Kernel::with("tdx_guest", |state| state.errors = [ETIMEDOUT; 2].into());
    let error = report(&kernel).unwrap_err();
    assert!(error.hint().contains("quoting service"), "{error}");
    assert_eq!(kernel.0.lock().unwrap().reads, 1);
}

#[test]
fn another_driver_is_refused_by_name() {
    for (wanted, there) in [
        ("sev_guest", "tdx_guest"),
        ("tdx_guest", "arm_cca_guest"),
        ("arm_cca_guest", "sev_guest"),
        ("sev_guest", "sev_guest2"),
    ] {
        let reporter = Reporter {
            provider: wanted,
            ..Kernel::new(there).reporter()
        };
        let error = reporter.report(&[0; 64]).unwrap_err();
        assert!(
            matches!(&error, CollectError::OtherProvider { expected, got } if *expected == wanted && got == there),
            "{error}"
        );
    }
}

#[test]
fn a_privilege_level_is_set_and_counted() {
    let kernel = Kernel::with("sev_guest", |state| state.floor = 1);
    let reporter = Reporter {
        level: Some(2),
        ..kernel.reporter()
    };
    assert_eq!(reporter.report(&[b'd'; 64]).unwrap().out, of(b'd'));
    assert_eq!(kernel.0.lock().unwrap().level, Some(2));
}

#[test]
fn a_privilege_level_below_the_guests_is_refused() {
    let kernel = Kernel::with("sev_guest", |state| state.floor = 2);
    let reporter = Reporter {
        level: Some(1),
        ..kernel.reporter()
    };
    let error = reporter.report(&[0; 64]).unwrap_err();
    assert!(matches!(error, CollectError::Level { got: 1, floor: 2 }));
}

#[test]
fn an_empty_report_is_none() {
    let kernel = Kernel::with("sev_guest", |state| state.report = Box::new(|_| Vec::new()));
    assert!(matches!(
        report(&kernel),
        Err(CollectError::Malformed { what: "report" })
    ));
}

#[test]
fn a_host_table_that_is_malformed_is_refused() {
    let kernel = Kernel::with("sev_guest", |state| state.auxiliary = Some(vec![1; 30]));
    let collected = Snp(kernel.reporter()).collect(&Challenge::of_bytes([0; 64]));
    assert!(matches!(collected, Err(CollectError::CertificateTable)));
}

#[test]
fn a_machine_without_configfs_is_told_what_to_load() {
    let nowhere = tempfile::tempdir().unwrap().path().join("report");
    let error = Folder::open(&nowhere).err().unwrap();
    assert!(matches!(error, CollectError::Missing { .. }));
    assert!(error.hint().contains("`tsm`"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Folder::open(file.path()).err().unwrap();
    assert!(matches!(error, CollectError::File { action: "make", .. }));
}

/// A folder with the attributes, but a generation that never moves: what it
/// holds was not made for us.
#[test]
fn a_folder_whose_report_is_old_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(NAME);
    fs::create_dir(&own).unwrap();
    for (attribute, content) in [
        ("provider", "sev_guest\n"),
        ("generation", "1\n"),
        ("inblob", ""),
        ("outblob", "old"),
        ("auxblob", ""),
    ] {
        fs::write(own.join(attribute), content).unwrap();
    }
    let reporter = Reporter {
        pause: Duration::ZERO,
        ..Reporter::new(Box::new(Folder::open(folder.path()).unwrap()), "sev_guest")
    };
    let error = reporter.report(&[7; 64]).unwrap_err();
    assert!(matches!(error, CollectError::Conflict));
    assert_eq!(fs::read(own.join("inblob")).unwrap(), [7; 64]);
}

/// A report folder of files, in which a thread does the kernel's part: pipes make
/// a write or a read wait for it, as the kernel's attributes do.
fn tree(
    provider: &str,
    auxiliary: Option<&[u8]>,
    report: fn(&[u8]) -> Vec<u8>,
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(NAME);
    fs::create_dir(&own).unwrap();
    fs::write(own.join("provider"), format!("{provider}\n")).unwrap();
    fs::write(own.join("generation"), "7\n").unwrap();
    if let Some(bytes) = auxiliary {
        fs::write(own.join("auxblob"), bytes).unwrap();
    }
    for pipe in ["inblob", "outblob"] {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, own.join(pipe), FileType::Fifo, mode, 0).unwrap();
    }
    let _kernel = std::thread::spawn(move || {
        for generation in 8.. {
            let asked = fs::read(own.join("inblob")).unwrap();
            fs::write(own.join("generation"), format!("{generation}\n")).unwrap();
            fs::write(own.join("outblob"), report(&asked)).unwrap();
        }
    });
    folder
}

fn toml<T: serde::de::DeserializeOwned>(folder: &Path, more: &serde_json::Value) -> T {
    let mut settings = serde_json::json!({ "tsm_folder": folder });
    for (field, value) in more.as_object().unwrap() {
        settings[field] = value.clone();
    }
    serde_json::from_value(settings).unwrap()
}

/// A quote of version 4 about `data`, filled up as some hosts do.
fn td_quote(data: &[u8]) -> Vec<u8> {
    let mut quote = vec![0; 48 + 584];
    quote[0] = 4;
    quote[4] = 0x81;
    quote[48 + 520..].copy_from_slice(data);
    quote.extend([3, 0, 0, 0, 9, 9, 9]);
    quote.extend([0; 500]);
    quote
}

#[test]
fn every_platform_is_collected_through_files() {
    let challenge = Challenge::of_bytes([b'd'; 64]);
    let plain = |data: &[u8]| [b"report of ", data].concat();

    let folder = tree("sev_guest", Some(&[]), plain);
    let settings = toml(folder.path(), &serde_json::json!({}));
    let mut snp = Snp::open(&settings).unwrap();
    for _ in 0..2 {
        let evidence = snp.collect(&challenge).unwrap();
        assert_eq!(evidence.files(), [("snp-report.bin".to_owned(), of(b'd'))]);
    }

    let folder = tree("arm_cca_guest", None, plain);
    let settings = toml(folder.path(), &serde_json::json!({}));
    let evidence = Cca::open(&settings).unwrap().collect(&challenge).unwrap();
    assert_eq!(evidence.files(), [("cca-token.cbor".to_owned(), of(b'd'))]);

    let folder = tree("tdx_guest", None, td_quote);
    let log = folder.path().join("CCEL");
    let settings = toml(
        folder.path(),
        &serde_json::json!({ "collateral": "c", "event_log": log }),
    );
    let mut tdx = Tdx::open(&settings).unwrap();
    let Evidence::Tdx { quote, event_log } = tdx.collect(&challenge).unwrap() else {
        panic!("another kind");
    };
    assert_eq!(quote, td_quote(&[b'd'; 64])[..48 + 584 + 7]);
    assert_eq!(event_log, None);
    fs::write(&log, [vec![5; 100], vec![0xFF; 60_000]].concat()).unwrap();
    let Evidence::Tdx { event_log, .. } = tdx.collect(&challenge).unwrap() else {
        panic!("another kind");
    };
    assert_eq!(event_log.unwrap(), [&[5; 100][..], &[0xFF; 64]].concat());
}

#[test]
fn only_the_unused_rest_of_a_log_is_cut_off() {
    for (log, kept) in [
        ([vec![1; 10], vec![0; 1000]].concat(), 74),
        ([vec![1; 10], vec![0xFF; 1000]].concat(), 74),
        ([vec![1; 10], vec![0; 63]].concat(), 73),
        ([vec![1; 10], vec![0; 1000], vec![2]].concat(), 1011),
        (vec![], 0),
    ] {
        let cut = without_unused_rest(log.clone());
        assert_eq!(cut, log[..kept]);
    }
}
