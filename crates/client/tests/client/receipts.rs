//! Receipts on disk, and their check.

use std::path::Path;

use subrosa_channel::{ReceiptError, Transcript};
use subrosa_client::receipt::{CheckError, ReceiptFileError};
use subrosa_client::{Config, ReceiptFile, SendOptions, Trust};

use crate::support::{CONFIGURATION, NOW, Server, World, chat, policy_text};

struct Kept {
    file: ReceiptFile,
    config: Config,
    world: World,
}

async fn kept(keep_transcript: bool) -> Kept {
    kept_of("canary", keep_transcript).await
}

async fn kept_of(text: &str, keep_transcript: bool) -> Kept {
    let world = World::new();
    let server = Server::honest(&world).await;
    let mut options = SendOptions::default();
    options.keep_transcript = keep_transcript;
    let exchange = world
        .client(&server)
        .send(&chat(text, false), &options)
        .await
        .unwrap();
    let answer = exchange.whole(1 << 20).await.unwrap();
    let file = ReceiptFile::new(&answer.node, *answer.completed);
    let config = world.config(&server);
    Kept {
        file,
        config,
        world,
    }
}

impl Kept {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.file.to_json()).unwrap()
    }

    /// The same file with one field changed.
    fn with(&self, field: &str, value: serde_json::Value) -> Result<ReceiptFile, ReceiptFileError> {
        let mut json = self.json();
        json[field] = value;
        ReceiptFile::parse(json.to_string().as_bytes())
    }

    fn check(&self, file: &ReceiptFile) -> Result<bool, CheckError> {
        file.check(&self.config.policy, &self.config.trust, None)
            .map(|checked| checked.opened)
    }
}

fn flipped(text: &serde_json::Value, at: usize) -> serde_json::Value {
    let mut text = text.as_str().unwrap().as_bytes().to_vec();
    text[at] = if text[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(text).unwrap().into()
}

#[tokio::test]
async fn a_receipt_passes_its_check_long_after_its_key_has_ended() {
    let kept = kept(true).await;
    kept.world.clock.advance(365 * 24 * 60 * 60);
    let folder = tempfile::tempdir().unwrap();
    let path = kept.file.save(folder.path()).unwrap();
    let file = ReceiptFile::load(&path).unwrap();
    let checked = file
        .check(&kept.config.policy, &kept.config.trust, None)
        .unwrap();
    assert!(checked.opened);
    assert_eq!(checked.receipt.minute(), NOW / 60);
    assert_eq!(checked.node.verdict_line(), file.shown_verdict());
    assert_eq!(file.bundle().as_bytes(), checked.node.bundle().as_bytes());
    assert_eq!(
        checked.node.key_configuration().configuration(),
        &CONFIGURATION
    );
}

#[tokio::test]
async fn without_being_asked_to_nothing_that_was_said_is_kept() {
    let kept = kept(false).await;
    let json = kept.json();
    assert!(json.get("message").is_none() && json.get("frames").is_none());
    assert!(
        !kept.check(&kept.file).unwrap(),
        "the commitments were not opened"
    );
}

#[tokio::test]
async fn a_receipt_opens_to_nothing_else_than_what_was_said() {
    let kept = kept(true).await;
    let transcript = kept.file.transcript().unwrap();
    let given = |message: &[u8], frames: &[u8]| {
        let (message, frames) = (message.to_vec().into(), frames.to_vec().into());
        let transcript = Transcript { message, frames };
        kept.file
            .check(&kept.config.policy, &kept.config.trust, Some(&transcript))
            .map(drop)
    };
    given(&transcript.message, &transcript.frames).unwrap();
    let error = given(b"another", &transcript.frames).unwrap_err();
    assert!(
        matches!(
            error,
            CheckError::Receipt(ReceiptError::Commitment("request"))
        ),
        "{error:?}"
    );
    let error = given(&transcript.message, b"another").unwrap_err();
    assert!(
        matches!(
            error,
            CheckError::Receipt(ReceiptError::Commitment("response"))
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn each_field_of_a_receipt_file_matters() {
    let kept = kept(true).await;
    let json = kept.json();
    for (field, at) in [
        ("key", 5),
        ("message", 9),
        ("frames", 9),
        ("receipt", 60),
        ("receipt", 200),
        ("receipt", 300),
    ] {
        let file = kept.with(field, flipped(&json[field], at)).unwrap();
        let error = kept.check(&file).unwrap_err();
        assert_eq!(error.code(), "receipt-invalid", "{field} {at}");
    }
    let other = kept_of("another", true).await;
    let file = kept.with("receipt", other.json()["receipt"].clone());
    assert!(kept.check(&file.unwrap()).is_err());
}

#[tokio::test]
async fn the_evidence_of_another_key_does_not_go_with_a_receipt() {
    let kept = kept(false).await;
    let other = kept.world.rotate();
    let bundle = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &other.bundle);
    let file = kept.with("bundle", bundle.into()).unwrap();
    let error = kept.check(&file).unwrap_err();
    assert!(
        matches!(
            error,
            CheckError::Receipt(ReceiptError::Mismatch("key configuration"))
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_simulated_receipt_is_refused_without_trust_in_its_root_whatever_the_file_says() {
    let kept = kept(false).await;
    let file = kept.with("verdict", "VERIFIED".into()).unwrap();
    let error = file
        .check(&kept.config.policy, &Trust::Vendor, None)
        .unwrap_err();
    assert_eq!(error.code(), "root-not-pinned");
    let checked = file
        .check(&kept.config.policy, &kept.config.trust, None)
        .unwrap();
    assert_eq!(
        checked.node.verdict_line(),
        "NOT PROTECTED (development): simulated platform"
    );
}

#[tokio::test]
async fn a_receipt_of_a_node_that_the_policy_does_not_list_is_refused() {
    let kept = kept(false).await;
    let other = policy_text().replace("5a5a5a5a", "5a5a5a5b");
    let policy = subrosa_attest::Policy::parse(&other).unwrap();
    let error = kept
        .file
        .check(&policy, &kept.config.trust, None)
        .unwrap_err();
    assert_eq!(error.code(), "measurement-not-allowed");
}

#[tokio::test]
async fn another_form_of_file_is_refused() {
    let kept = kept(true).await;
    for (field, value) in [
        ("version", 2.into()),
        ("extra", 1.into()),
        ("verdict", "VERIFIED\u{1b}[2J".into()),
        ("verdict", "x".repeat(2049).into()),
        ("key", "AAAA".into()),
        ("key", "not base64!".into()),
        ("receipt", "AAAA".into()),
        ("bundle", "AAAA".into()),
        ("message", serde_json::Value::Null),
        ("frames", serde_json::Value::Null),
    ] {
        assert!(kept.with(field, value.clone()).is_err(), "{field} {value}");
    }
    assert!(ReceiptFile::parse(b"").is_err());
    assert!(ReceiptFile::load(Path::new("/nonexistent")).is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn a_receipt_file_is_readable_by_its_owner_only_and_nothing_else_is_left_behind() {
    use std::os::unix::fs::PermissionsExt;

    let kept = kept(false).await;
    let folder = tempfile::tempdir().unwrap();
    let path = kept.file.save(folder.path()).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    kept.file.save(folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(kept.file.save(Path::new("/nonexistent")).is_err());
}

#[tokio::test]
async fn debug_output_shows_nothing_that_was_said() {
    let kept = kept(true).await;
    assert!(!format!("{:?} {:?}", kept.file, kept.config).contains("canary"));
}
