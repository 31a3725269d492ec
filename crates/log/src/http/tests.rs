#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use subrosa_translog::{Checkpoint, Hash, KeyKind, KeyName, NoteSigner};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::log::Log;
use crate::sequencer::{Cosigners, Sequencer};
use crate::storage::DiskStorage;

const NOW: Timestamp = Timestamp::new(1_780_000_000);

fn signer(kind: KeyKind, name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), kind, &[seed; 32]).unwrap()
}

fn author(seed: u8) -> NoteSigner {
    signer(KeyKind::Ed25519, "author.example", seed)
}

fn entry(text: &str, by: &NoteSigner) -> Vec<u8> {
    let mut note = Note::new(text).unwrap();
    note.add(by.sign(text, NOW).unwrap()).unwrap();
    note.to_string().into_bytes()
}

struct Nobody;

impl Cosigners for Nobody {
    fn cosign(
        &mut self,
        _: &Note,
        _: &dyn Fn(u64) -> Result<AddCheckpoint, crate::LogError>,
    ) -> Vec<subrosa_translog::NoteSignature> {
        Vec::new()
    }

    fn quorum(&self) -> usize {
        0
    }
}

/// A log on a free port; its address.
async fn log() -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let key = signer(KeyKind::Ed25519, "example.com/log", 1);
    let log = Log::create(DiskStorage::open(folder.path()).unwrap(), key).unwrap();
    let (sequencer, submission) = Sequencer::new(log, Nobody);
    std::thread::spawn(move || sequencer.run());
    let service = LogService {
        storage: DiskStorage::read_only(folder.path()),
        submission,
        authors: vec![author(5).verifier_key().clone()],
    };
    (listen(service).await, folder)
}

async fn listen<T: Service>(service: T) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(serve(
        listener,
        Arc::new(service),
        std::future::pending::<()>(),
    ));
    address
}

/// Status, head and body of an answer.
async fn ask(address: &str, method: &str, path: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: log\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A body that is refused may not be read to its end.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let at = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[at + 4..].to_vec())
}

#[tokio::test]
async fn entries_of_authors_are_logged_and_everything_about_them_is_served() {
    let (log, _folder) = log().await;
    assert_eq!(ask(&log, "GET", "/checkpoint", b"").await.0, 404);
    for n in 0..3 {
        let entry = entry(&format!("entry {n}\n"), &author(5));
        let (status, _, proof) = ask(&log, "POST", "/add", &entry).await;
        assert_eq!(status, 200);
        LogProof::parse(&proof).unwrap();
    }
    let (_, head, checkpoint) = ask(&log, "GET", "/checkpoint", b"").await;
    assert!(head.contains("cache-control: no-store"));
    assert!(head.contains("content-type: text/plain; charset=utf-8"));
    let note = Note::parse(&checkpoint).unwrap();
    assert_eq!(Checkpoint::parse(note.text()).unwrap().size(), 3);
    let (_, head, hashes) = ask(&log, "GET", "/tile/0/000.p/3", b"").await;
    assert!(head.contains("immutable"));
    let first = Hash::of_leaf(&entry("entry 0\n", &author(5)));
    assert_eq!(hashes[..32], *first.as_bytes());
    assert_eq!(ask(&log, "GET", "/tile/entries/000.p/3", b"").await.0, 200);
}

#[tokio::test]
async fn what_is_not_an_authors_note_is_not_logged() {
    let (log, _folder) = log().await;
    let stranger = entry("entry\n", &author(6));
    let forged = entry("entry\n", &author(5));
    let forged = String::from_utf8(forged).unwrap().replace("entry", "other");
    for (body, expected) in [
        (&b"no note"[..], 400),
        (b"", 400),
        (&stranger, 403),
        (forged.as_bytes(), 400),
        (&vec![b'a'; 65_536], 413),
    ] {
        assert_eq!(ask(&log, "POST", "/add", body).await.0, expected);
    }
    assert_eq!(ask(&log, "GET", "/checkpoint", b"").await.0, 404);
}

#[tokio::test]
async fn nothing_else_of_the_folder_is_served() {
    let (log, _folder) = log().await;
    let entry = entry("entry\n", &author(5));
    assert_eq!(ask(&log, "POST", "/add", &entry).await.0, 200);
    for path in [
        "/",
        "/signed",
        "/lock",
        "/tile/0/000",
        "/tile/0/000.p/2",
        "/tile/0/../../signed",
        "/tile/0/%2e%2e/signed",
        "//checkpoint",
        "/checkpoint/",
        "/add",
    ] {
        assert_eq!(ask(&log, "GET", path, b"").await.0, 404, "{path}");
    }
    for method in ["PUT", "DELETE", "POST"] {
        assert_eq!(ask(&log, method, "/checkpoint", b"").await.0, 405);
    }
}

fn checkpoint(size: u64) -> Note {
    let key = signer(KeyKind::Ed25519, "example.com/log", 1);
    let root = Hash::of_leaf(&size.to_be_bytes());
    let name = key.verifier_key().name().clone();
    let text = Checkpoint::new(name, size, root).unwrap().to_string();
    let mut note = Note::new(text.clone()).unwrap();
    note.add(key.sign(&text, NOW).unwrap()).unwrap();
    note
}

#[tokio::test]
async fn a_witness_answers_as_its_protocol_says() {
    let folder = tempfile::tempdir().unwrap();
    let key = signer(KeyKind::MlDsa44Cosignature, "witness.example", 2);
    let log = signer(KeyKind::Ed25519, "example.com/log", 1);
    let storage = DiskStorage::open(folder.path()).unwrap();
    let witness = Witness::new(storage, key, vec![log.verifier_key().clone()]);
    let address = listen(WitnessService {
        witness: Mutex::new(witness),
        clock: || NOW,
    })
    .await;
    let add = |old, note| AddCheckpoint::new(old, vec![], note).to_body().into_bytes();
    let (status, _, line) = ask(&address, "POST", "/add-checkpoint", &add(0, checkpoint(5))).await;
    assert_eq!(status, 200);
    assert!(line.starts_with("\u{2014} witness.example ".as_bytes()));
    let (status, head, size) =
        ask(&address, "POST", "/add-checkpoint", &add(0, checkpoint(6))).await;
    assert_eq!((status, size.as_slice()), (409, &b"5\n"[..]));
    assert!(head.contains("content-type: text/x.tlog.size"));
    let unproven = add(5, checkpoint(6));
    assert_eq!(
        ask(&address, "POST", "/add-checkpoint", &unproven).await.0,
        422
    );
    assert_eq!(
        ask(&address, "POST", "/add-checkpoint", b"nonsense")
            .await
            .0,
        400
    );
    assert_eq!(ask(&address, "GET", "/add-checkpoint", b"").await.0, 404);
    assert_eq!(ask(&address, "POST", "/other", &unproven).await.0, 404);
    let large = vec![b'a'; AddCheckpoint::MAX + 1];
    assert_eq!(
        ask(&address, "POST", "/add-checkpoint", &large).await.0,
        413
    );
}
