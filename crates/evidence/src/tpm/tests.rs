//! Quotes of a real TPM in software (swtpm), judged by crate `attest`; and a TPM
//! that answers nonsense.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sha2::Sha256;
use subrosa_attest::UnixSeconds;
use subrosa_attest::tpm::{
    Anchors, AttestationKey, QuoteSignature, RegisterValues, Requirement, Rules, appraise,
};

use super::wire::Writer;
use super::*;

/// A TPM in software, as long as the test lasts.
struct Swtpm {
    process: Child,
    folder: tempfile::TempDir,
}

impl Swtpm {
    /// `None`, said aloud, where the program is not installed; CI installs it.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let started = Program::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg("--tpmstate")
            .arg(format!("dir={}", folder.path().display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}", socket.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "swtpm does not start: {error}"
                );
                eprintln!("SKIPPED: swtpm does not start: {error}");
                return None;
            }
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !socket.exists() {
            assert!(Instant::now() < deadline, "swtpm made no socket");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { process, folder })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn open(&self, more: &serde_json::Value) -> Tpm {
        let mut settings = serde_json::json!({
            "device": self.socket(),
            "event_log": self.folder.path().join("log"),
        });
        for (field, value) in more.as_object().unwrap() {
            settings[field] = value.clone();
        }
        Tpm::open(&serde_json::from_value(settings).unwrap()).unwrap()
    }

    fn collect(&self, more: &serde_json::Value) -> Result<TpmEvidence, CollectError> {
        match self.open(more).collect(&CHALLENGE())? {
            Evidence::Tpm(evidence) => Ok(evidence),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const CHALLENGE: fn() -> Challenge = || Challenge::binding(b"kc", None, None);

fn none() -> serde_json::Value {
    serde_json::json!({})
}

/// What a device says about the evidence, with its one refusal if there is one.
fn verdict(evidence: &TpmEvidence, nonce: &[u8], log: Requirement) -> Result<(), String> {
    let values = evidence.registers.iter();
    let values = values.fold(RegisterValues::new(), |values, (register, value)| {
        values.with(*register, value)
    });
    let judged = appraise(
        &subrosa_attest::tpm::Evidence {
            quote: &evidence.quote,
            signature: QuoteSignature::Structure(&evidence.signature),
            key: AttestationKey::Public(&evidence.key),
            certificates: None,
            values: Some(values),
            event_log: evidence.event_log.as_deref(),
        },
        &Rules::default()
            .nonce(nonce)
            .required_registers(&[0, 4, 7, 11])
            .values(Requirement::Required)
            .key_attributes(Requirement::Required)
            .key_certificate(Requirement::IfPresent)
            .event_log(log),
        &Anchors::vendor(),
        UnixSeconds::new(1_800_000_000),
    );
    match judged.verdict() {
        Ok(_) => Ok(()),
        Err(code) => Err(format!("{code:?}\n{}", judged.to_json())),
    }
}

#[test]
fn a_quote_of_a_real_tpm_is_accepted_by_the_verifier() {
    let Some(swtpm) = Swtpm::start() else { return };
    let evidence = swtpm.collect(&none()).unwrap();
    assert_eq!(evidence.registers.len(), 15);
    let nonce = CHALLENGE();
    verdict(&evidence, nonce.short(), Requirement::IfPresent).unwrap();
    let refused = verdict(&evidence, &[1; 32], Requirement::IfPresent).unwrap_err();
    assert!(refused.contains("NonceMismatch"), "{refused}");
}

/// The memory of a TPM holds three keys.
#[test]
fn many_quotes_are_made_with_the_same_key_and_none_is_left_behind() {
    let Some(swtpm) = Swtpm::start() else { return };
    let first = swtpm.collect(&none()).unwrap();
    let mut tpm = swtpm.open(&none());
    for number in 0..8 {
        let challenge = Challenge::of_bytes([number; 64]);
        let Evidence::Tpm(evidence) = tpm.collect(&challenge).unwrap() else {
            panic!("another kind");
        };
        assert_eq!(evidence.key, first.key);
        verdict(&evidence, &[number; 32], Requirement::IfPresent).unwrap();
    }
}

#[test]
fn an_event_log_that_gives_the_quoted_registers_is_accepted_and_another_is_not() {
    let Some(swtpm) = Swtpm::start() else { return };
    let events: Vec<(u32, &[u8])> = vec![(0, b"version"), (4, b"boot loader"), (7, b"keys")];
    let mut transport = transport::open(&swtpm.socket()).unwrap();
    for (register, data) in &events {
        extend(transport.as_mut(), *register, data);
    }
    drop(transport);
    std::fs::write(swtpm.folder.path().join("log"), log(&events)).unwrap();
    let evidence = swtpm.collect(&none()).unwrap();
    let nonce = CHALLENGE();
    verdict(&evidence, nonce.short(), Requirement::Required).unwrap();
    let other = TpmEvidence {
        event_log: Some(log(&events[..2])),
        ..evidence.clone()
    };
    let refused = verdict(&other, nonce.short(), Requirement::Required).unwrap_err();
    assert!(refused.contains("EventLogMismatch"), "{refused}");
    let without = TpmEvidence {
        event_log: None,
        ..evidence
    };
    assert!(verdict(&without, nonce.short(), Requirement::Required).is_err());
}

#[test]
fn values_of_other_registers_than_the_quoted_are_refused_by_the_verifier() {
    let Some(swtpm) = Swtpm::start() else { return };
    let mut evidence = swtpm.collect(&none()).unwrap();
    evidence.registers[3].1[0] ^= 1;
    let nonce = CHALLENGE();
    assert!(verdict(&evidence, nonce.short(), Requirement::IfPresent).is_err());
}

#[test]
fn a_stored_key_and_its_certificate_are_used() {
    let Some(swtpm) = Swtpm::start() else { return };
    let (handle, index) = (0x8100_0003, 0x0180_0001);
    // Longer than one piece, and not a multiple of it.
    let certificate: Vec<u8> = (0..1300_u32).map(|at| at.to_le_bytes()[0]).collect();
    let mut transport = transport::open(&swtpm.socket()).unwrap();
    store_key(transport.as_mut(), handle);
    store(transport.as_mut(), index, &certificate);
    drop(transport);
    let settings = serde_json::json!({ "key_handle": handle, "certificate_index": index });
    let evidence = swtpm.collect(&settings).unwrap();
    assert_eq!(evidence.certificate.as_deref(), Some(&certificate[..]));
    let nonce = CHALLENGE();
    verdict(&evidence, nonce.short(), Requirement::IfPresent).unwrap();
    // It is still there.
    assert_eq!(swtpm.collect(&settings).unwrap().key, evidence.key);
}

#[test]
fn the_report_of_a_paravisor_comes_out_of_the_storage_with_a_quote_by_its_key() {
    let Some(swtpm) = Swtpm::start() else { return };
    // Azure's is longer; this TPM takes no more.
    let report: Vec<u8> = (0..2000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let mut transport = transport::open(&swtpm.socket()).unwrap();
    store_key(transport.as_mut(), 0x8100_0003);
    store(transport.as_mut(), 0x0140_0001, &report);
    drop(transport);
    let settings = serde_json::json!({ "kind": "azure", "device": swtpm.socket() });
    let settings = serde_json::from_value(settings).unwrap();
    let crate::settings::PlatformSettings::Azure(settings) = settings else {
        panic!("another platform");
    };
    let mut azure = Azure::open(&settings).unwrap();
    let Evidence::Azure {
        report: found,
        quote,
    } = azure.collect(&CHALLENGE()).unwrap()
    else {
        panic!("another kind");
    };
    assert_eq!(found, report);
    verdict(&quote, CHALLENGE().short(), Requirement::IfPresent).unwrap();
}

#[test]
fn a_machine_that_is_none_of_azures_is_told_what_is_missing() {
    let Some(swtpm) = Swtpm::start() else { return };
    let mut transport = transport::open(&swtpm.socket()).unwrap();
    store_key(transport.as_mut(), 0x8100_0003);
    drop(transport);
    let settings = serde_json::json!({ "device": swtpm.socket() });
    let mut azure = Azure::open(&serde_json::from_value(settings).unwrap()).unwrap();
    let error = azure.collect(&CHALLENGE()).unwrap_err();
    assert!(
        matches!(
            error,
            CollectError::Refused {
                what: "TPM2_NV_ReadPublic",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_key_is_made_by_the_template_that_the_provider_stored() {
    let Some(swtpm) = Swtpm::start() else { return };
    let index = 0x01C1_0001;
    // Data that make it another key than the one without: TPMS_ECC_POINT is unique.
    let mut template = command::key_template();
    let last = template.len() - 4;
    template.truncate(last);
    template.extend([0, 1, 7, 0, 0]);
    let mut transport = transport::open(&swtpm.socket()).unwrap();
    store(transport.as_mut(), index, &template);
    drop(transport);
    let own = swtpm.collect(&none()).unwrap();
    let settings = serde_json::json!({ "template_index": index });
    let provided = swtpm.collect(&settings).unwrap();
    assert_ne!(own.key, provided.key);
    verdict(&provided, CHALLENGE().short(), Requirement::IfPresent).unwrap();
    assert_eq!(swtpm.collect(&settings).unwrap().key, provided.key);
}

#[test]
fn what_is_not_in_the_tpm_is_refused_with_the_command_and_its_code() {
    let Some(swtpm) = Swtpm::start() else { return };
    for (settings, command) in [
        (
            serde_json::json!({ "key_handle": 0x8100_0009_u32 }),
            "TPM2_ReadPublic",
        ),
        (
            serde_json::json!({ "certificate_index": 0x0180_0009 }),
            "TPM2_NV_ReadPublic",
        ),
    ] {
        let error = swtpm.collect(&settings).unwrap_err();
        assert!(
            matches!(error, CollectError::Refused { what, .. } if what == command),
            "{error}"
        );
    }
}

#[test]
fn a_machine_without_a_tpm_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = transport::open(&folder.path().join("tpmrm0"))
        .err()
        .unwrap();
    assert!(matches!(error, CollectError::Missing { .. }), "{error}");
}

/// A TPM that says what a test lets it say.
struct Script(VecDeque<Vec<u8>>);

impl Transport for Script {
    fn exchange(&mut self, _: &[u8]) -> Result<Vec<u8>, CollectError> {
        self.0.pop_front().ok_or(CollectError::Stopped)
    }
}

fn response(code: u32, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(10 + body.len()).unwrap();
    let head = Writer::default().u16(0x8001).u32(size).u32(code);
    head.bytes(body).finish()
}

fn scripted(responses: Vec<Vec<u8>>) -> Result<Evidence, CollectError> {
    let mut tpm = Tpm {
        transport: Box::new(Script(responses.into())),
        event_log: PathBuf::from("/nonexistent"),
        registers: vec![0],
        key_handle: Some(0x8100_0003),
        template_index: None,
        certificate_index: None,
        authorities: Vec::new(),
    };
    tpm.collect(&CHALLENGE())
}

/// `TPM2_ReadPublic`, `TPM2_PCR_Read` and `TPM2_Quote` over `digest`.
fn good_script(digest: &[u8]) -> Vec<Vec<u8>> {
    let values = Writer::default().u32(1).u32(0).u32(1).sized(&[3; 32]);
    let message = [b"attested", &[0, 32][..], digest].concat();
    let quote = Writer::default()
        .sized(&message)
        .bytes(b"signature")
        .finish();
    let size = u32::try_from(quote.len()).unwrap();
    vec![
        response(0, &Writer::default().sized(b"public").finish()),
        response(0, &values.finish()),
        response(
            0,
            &Writer::default()
                .u32(size)
                .bytes(&quote)
                .bytes(b"auth")
                .finish(),
        ),
    ]
}

#[test]
fn registers_that_change_while_they_are_read_are_read_again() {
    let right = Sha256::digest([3; 32]);
    let wrong = good_script(&[0; 32]);
    let once = [&wrong[..], &good_script(&right)[1..]].concat();
    let Evidence::Tpm(evidence) = scripted(once).unwrap() else {
        panic!("another kind");
    };
    assert_eq!(evidence.signature, b"signature");
    let mut always = wrong.clone();
    for _ in 0..10 {
        always.extend_from_slice(&wrong[1..]);
    }
    assert!(matches!(scripted(always), Err(CollectError::Conflict)));
}

#[test]
fn a_busy_tpm_is_asked_again_and_a_locked_one_says_what_to_do() {
    let mut busy = vec![response(0x922, &[]), response(0x90A, &[])];
    busy.extend(good_script(&Sha256::digest([3; 32])));
    assert!(scripted(busy).is_ok());
    let error = scripted(vec![response(0x921, &[])]).unwrap_err();
    assert!(error.hint().contains("locked"), "{error}");
}

#[test]
fn a_bank_without_values_is_named() {
    let mut script = good_script(&[0; 32]);
    script[1] = response(0, &Writer::default().u32(1).u32(0).u32(0).finish());
    let error = scripted(script).unwrap_err();
    assert!(error.hint().contains("SHA-256 bank"), "{error}");
}

#[test]
fn a_response_cut_anywhere_is_an_error() {
    let good = good_script(&Sha256::digest([3; 32]));
    assert!(scripted(good.clone()).is_ok());
    for (number, whole) in good.iter().enumerate() {
        for cut in 0..whole.len() {
            let mut script = good.clone();
            script[number].truncate(cut);
            assert!(scripted(script).is_err(), "{number} {cut}");
        }
    }
}

proptest! {
    #[test]
    fn no_response_makes_it_panic(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..6)
    ) {
        let _ = scripted(bodies.iter().map(|body| response(0, body)).collect());
        let _ = scripted(bodies);
    }
}

/// A stream that gives its bytes in pieces.
struct Pieces(VecDeque<Vec<u8>>);

impl std::io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let piece = self.0.pop_front().unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

#[test]
fn a_response_that_comes_in_pieces_is_put_together() {
    let whole = response(0, b"body");
    let pieces = whole.iter().map(|byte| vec![*byte]).collect();
    assert_eq!(
        transport::read_response(&mut Pieces(pieces)).unwrap(),
        whole
    );
}

#[test]
fn a_response_that_ends_early_or_claims_too_much_is_an_error() {
    let whole = response(0, b"body");
    let early = Pieces([whole[..12].to_vec()].into());
    let huge = Pieces([[0x80, 1, 0, 0, 0x10, 1, 0, 0, 0, 0].to_vec()].into());
    for (mut pieces, kind) in [
        (early, ErrorKind::UnexpectedEof),
        (huge, ErrorKind::InvalidData),
        (Pieces(VecDeque::new()), ErrorKind::UnexpectedEof),
    ] {
        let error = transport::read_response(&mut pieces).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

/// Certificate storage of `size` bytes, read as `pieces`.
fn stored(size: u16, pieces: &[&[u8]]) -> Result<Evidence, CollectError> {
    let mut script = good_script(&Sha256::digest([3; 32]));
    let public = Writer::default().u32(1).u16(0x000B).u32(0).sized(&[]);
    let public = public.u16(size).finish();
    script.push(response(0, &Writer::default().sized(&public).finish()));
    for piece in pieces {
        let buffer = Writer::default().sized(piece).finish();
        let length = u32::try_from(buffer.len()).unwrap();
        let body = Writer::default().u32(length).bytes(&buffer).finish();
        script.push(response(0, &body));
    }
    let mut tpm = Tpm {
        transport: Box::new(Script(script.into())),
        event_log: PathBuf::from("/nonexistent"),
        registers: vec![0],
        key_handle: Some(0x8100_0003),
        template_index: None,
        certificate_index: Some(0x0180_0001),
        authorities: Vec::new(),
    };
    tpm.collect(&CHALLENGE())
}

#[test]
fn storage_that_is_too_long_or_gives_more_or_nothing_is_malformed() {
    assert!(stored(5, &[b"abc", b"de"]).is_ok());
    for (size, pieces) in [
        (5, &[&b"abc"[..], b"def"][..]),
        (5, &[b"abcdef"]),
        (5, &[b"abc", b""]),
        (9000, &[]),
    ] {
        let collected = stored(size, pieces);
        assert!(
            matches!(collected, Err(CollectError::Malformed { .. })),
            "{size} {pieces:?}: {collected:?}"
        );
    }
}

/// Takes a byte less than it is given.
struct Short;

impl std::io::Read for Short {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("nothing is read after half a command");
    }
}

impl std::io::Write for Short {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len() - 1)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn half_a_command_is_an_error() {
    let mut stream = transport::Stream {
        stream: Short,
        path: PathBuf::from("tpm"),
    };
    let error = stream.exchange(&[0; 10]).unwrap_err();
    assert!(matches!(error, CollectError::File { .. }), "{error}");
}

/// Sends a command that only tests need, authorised by empty passwords.
fn send(
    transport: &mut dyn Transport,
    code: u32,
    handles: &[u32],
    passwords: u32,
    parameters: &[u8],
) -> Vec<u8> {
    let mut body = Writer::default();
    for handle in handles {
        body = body.u32(*handle);
    }
    body = body.u32(9 * passwords);
    for _ in 0..passwords {
        body = body.u32(0x4000_0009).u16(0).u8(0).u16(0);
    }
    let body = body.bytes(parameters).finish();
    let size = u32::try_from(10 + body.len()).unwrap();
    let command = Writer::default()
        .u16(0x8002)
        .u32(size)
        .u32(code)
        .bytes(&body);
    let response = transport.exchange(&command.finish()).unwrap();
    assert_eq!(response[6..10], [0; 4], "{code:#x}: {response:02x?}");
    response
}

/// `TPM2_PCR_Extend`.
fn extend(transport: &mut dyn Transport, register: u32, data: &[u8]) {
    let digest = Sha256::digest(data);
    let digests = Writer::default().u32(1).u16(0x000B).bytes(&digest).finish();
    send(transport, 0x182, &[register], 1, &digests);
}

/// `TPM2_EvictControl` of the key that is made otherwise.
fn store_key(transport: &mut dyn Transport, handle: u32) {
    let key = Session::new(transport).create_key(None).unwrap();
    let owner = 0x4000_0001;
    let parameters = Writer::default().u32(handle).finish();
    send(transport, 0x120, &[owner, key.handle()], 1, &parameters);
    Session::new(transport).flush(&key).unwrap();
}

/// `TPM2_NV_DefineSpace` and `TPM2_NV_Write`: storage that its empty password
/// opens.
fn store(transport: &mut dyn Transport, index: u32, content: &[u8]) {
    let owner = 0x4000_0001;
    // AUTHWRITE, AUTHREAD, NO_DA.
    let attributes = 1 << 2 | 1 << 18 | 1 << 25;
    let size = u16::try_from(content.len()).unwrap();
    let public = Writer::default()
        .u32(index)
        .u16(0x000B)
        .u32(attributes)
        .sized(&[])
        .u16(size)
        .finish();
    let parameters = Writer::default().sized(&[]).sized(&public).finish();
    send(transport, 0x12A, &[owner], 1, &parameters);
    for (number, piece) in content.chunks(512).enumerate() {
        let offset = u16::try_from(number * 512).unwrap();
        let parameters = Writer::default().sized(piece).u16(offset).finish();
        send(transport, 0x137, &[index, index], 1, &parameters);
    }
}

/// A log in the crypto-agile format (PC Client Platform Firmware Profile, section
/// 10.4) with events of the type `EV_EVENT_TAG`.
fn log(events: &[(u32, &[u8])]) -> Vec<u8> {
    let mut header = b"Spec ID Event03\0".to_vec();
    header.extend([0, 0, 0, 0, 0, 2, 0, 2]);
    header.extend([1, 0, 0, 0, 0x0B, 0, 32, 0, 0]);
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let mut log = [
        &[0, 0, 0, 0, 3, 0, 0, 0][..],
        &[0; 20],
        &length(&header),
        &header,
    ]
    .concat();
    for (register, data) in events {
        log.extend(register.to_le_bytes());
        log.extend([6, 0, 0, 0, 1, 0, 0, 0, 0x0B, 0]);
        log.extend(Sha256::digest(data));
        log.extend(length(data));
        log.extend(*data);
    }
    log
}

#[test]
fn a_path_that_is_no_tpm_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(transport::open(folder.path()).is_err());
    let mut transport = transport::open(Path::new("/dev/null")).unwrap();
    assert!(transport.exchange(&[0; 10]).is_err());
}
