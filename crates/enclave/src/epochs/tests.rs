//! Lives of keys, on a clock that the tests move.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use subrosa_attest::development::{self, Root};
use subrosa_attest::{Bundle, Measurement, Policy, UnixSeconds};
use subrosa_channel::{DevelopmentNode, InnerRequest, SealOptions, absent_weights, seal_request};
use subrosa_evidence::{Challenge, Collector, Evidence, snp};
use tokio::time::advance;

use super::*;

const NOW: u64 = 1_800_000_000;
const CONFIG: &str = "listen.address = \"127.0.0.1:0\"\nengine.kind = \"echo\"\nkeys.replay_capacity = 2\nplatform = { kind = \"simulated\", root_secret = \"s\" }\n";

fn root() -> &'static Root {
    static ROOT: OnceLock<Root> = OnceLock::new();
    ROOT.get_or_init(|| Root::generate(&mut UnwrapErr(SysRng), UnixSeconds::new(NOW)).unwrap())
}

/// A simulated chip that can be switched off.
#[derive(Clone, Default)]
struct Chip {
    broken: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
}

impl Collector for Chip {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(CollectError::Conflict);
        }
        while self.silent.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let chip = root().platform();
        let report = chip.report(challenge.report_data(), &Measurement::new([7; 48]));
        let certificates = snp::Table::of(&chip.evidence(&report));
        Ok(Evidence::Snp {
            report,
            certificates,
        })
    }
}

struct Fixture {
    epochs: Arc<Epochs>,
    chip: Chip,
    wall: Arc<AtomicU64>,
}

fn fixture() -> Fixture {
    fixture_of(CONFIG, Path::new("/"))
}

fn fixture_of(config: &str, folder: &Path) -> Fixture {
    let config = Config::parse(config.as_bytes(), folder).unwrap();
    let models = vec![ModelEntry {
        name: "echo".to_owned(),
        weights: absent_weights(),
    }];
    let wall = Arc::new(AtomicU64::new(NOW));
    let read = Arc::clone(&wall);
    let clock = Clock::with_wall(move || read.load(Ordering::SeqCst));
    let chip = Chip::default();
    let log = Log::to(std::io::sink());
    let machine = Arc::new(Machine::new(Box::new(chip.clone())));
    let epochs = Arc::new(Epochs::new(&config, models, machine, clock, log));
    Fixture { epochs, chip, wall }
}

impl Fixture {
    fn named(&self) -> serde_json::Value {
        serde_json::from_slice(&self.epochs.directory()).unwrap()
    }

    /// Verifies the newest key as a device does.
    fn node(&self) -> DevelopmentNode {
        let directory = self.named();
        let mut hash = [0; 32];
        hex::decode_to_slice(directory["nodes"][0]["bundle"].as_str().unwrap(), &mut hash).unwrap();
        let bundle = Bundle::parse(&self.epochs.bundle(&hash).unwrap()).unwrap();
        let policy = format!(
            "version = 1\nname = \"t\"\nplatforms = [\"sev-snp\"]\n[[measurements]]\nname = \"m\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n\
             [[configurations]]\nname = \"c\"\nsha256 = \"{}\"\n[[releases]]\nname = \"r\"\nsha256 = \"{}\"\n[[weights]]\nname = \"w\"\nsha256 = \"{}\"\n",
            "07".repeat(48),
            hex::encode(self.epochs.template.configuration),
            hex::encode(absent_release()),
            hex::encode(absent_weights()),
        );
        let policy = Policy::parse(&policy).unwrap();
        let now = UnixSeconds::new(self.epochs.now());
        let attested = development::appraise(&bundle, &policy, root().public(), now).unwrap();
        DevelopmentNode::new(attested, now).unwrap()
    }

    fn sealed(&self) -> Vec<u8> {
        let request = InnerRequest {
            method: "GET".to_owned(),
            path: "/v1/models".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let options = SealOptions::default();
        let now = UnixSeconds::new(self.epochs.now());
        seal_request(
            &self.node(),
            &request,
            &options,
            now,
            &mut UnwrapErr(SysRng),
        )
        .unwrap()
        .bytes
    }

    /// Lets the keeper work through the next seconds.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            advance(Duration::from_secs(1)).await;
            self.epochs.erase_expired();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_erased_opens_nothing_any_more() {
    let fixture = fixture();
    fixture.epochs.renew().unwrap();
    let (first, second) = (fixture.sealed(), fixture.sealed());
    fixture.pass(1199).await;
    assert!(fixture.epochs.open(&first).is_ok());
    fixture.pass(1).await;
    assert!(matches!(
        fixture.epochs.open(&second),
        Err(OpenError::UnknownKey)
    ));
    assert_eq!(fixture.epochs.counts(), KeyCounts { living: 0, made: 1 });
    assert_eq!(fixture.named()["nodes"], serde_json::json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_turned_back_keeps_no_key_alive() {
    let fixture = fixture();
    fixture.epochs.renew().unwrap();
    let sealed = fixture.sealed();
    fixture.wall.store(NOW - 10_000, Ordering::SeqCst);
    fixture.pass(1200).await;
    assert!(matches!(
        fixture.epochs.open(&sealed),
        Err(OpenError::UnknownKey)
    ));
}

#[tokio::test(start_paused = true)]
async fn an_old_key_opens_beside_the_new_one_that_the_directory_names() {
    let fixture = fixture();
    fixture.epochs.renew().unwrap();
    let old = fixture.sealed();
    fixture.pass(600).await;
    assert!(fixture.epochs.is_due());
    let new = fixture.epochs.renew().unwrap();
    assert_eq!(fixture.named()["nodes"][0]["key_id"], new.to_string());
    assert_eq!(fixture.named()["nodes"].as_array().unwrap().len(), 1);
    assert!(fixture.epochs.open(&old).is_ok());
    assert!(fixture.epochs.open(&fixture.sealed()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_bundle_of_an_old_key_is_served_until_it_is_erased() {
    let fixture = fixture();
    fixture.epochs.renew().unwrap();
    let mut hash = [0; 32];
    let named = fixture.named();
    hex::decode_to_slice(named["nodes"][0]["bundle"].as_str().unwrap(), &mut hash).unwrap();
    fixture.pass(600).await;
    fixture.epochs.renew().unwrap();
    assert!(fixture.epochs.bundle(&hash).is_some());
    fixture.pass(600).await;
    assert!(fixture.epochs.bundle(&hash).is_none());
}

#[tokio::test(start_paused = true)]
async fn without_a_quote_there_is_no_new_key_and_the_old_one_still_ends() {
    let fixture = fixture();
    fixture.epochs.renew().unwrap();
    let sealed = fixture.sealed();
    fixture.chip.broken.store(true, Ordering::SeqCst);
    fixture.pass(600).await;
    assert!(matches!(
        fixture.epochs.renew(),
        Err(EpochError::Evidence(_))
    ));
    assert!(fixture.epochs.is_failing());
    assert!(fixture.epochs.has_key());
    fixture.pass(600).await;
    assert!(!fixture.epochs.has_key());
    assert!(matches!(
        fixture.epochs.open(&sealed),
        Err(OpenError::UnknownKey)
    ));
    fixture.chip.broken.store(false, Ordering::SeqCst);
    fixture.epochs.renew().unwrap();
    assert!(!fixture.epochs.is_failing());
}

#[tokio::test(start_paused = true)]
async fn a_key_from_the_future_is_replaced_at_once() {
    let fixture = fixture();
    fixture.wall.store(NOW + 5000, Ordering::SeqCst);
    fixture.epochs.renew().unwrap();
    assert!(!fixture.epochs.is_due());
    fixture.wall.store(NOW, Ordering::SeqCst);
    assert!(fixture.epochs.is_due());
}

#[tokio::test(start_paused = true)]
async fn a_replayed_request_is_refused_and_a_full_register_refuses_sealed() {
    let fixture = fixture();
    fixture.epochs.renew().unwrap();
    let (first, second, third) = (fixture.sealed(), fixture.sealed(), fixture.sealed());
    assert!(fixture.epochs.open(&first).is_ok());
    assert!(matches!(
        fixture.epochs.open(&first),
        Err(OpenError::Replayed)
    ));
    assert!(fixture.epochs.open(&second).is_ok());
    assert!(matches!(
        fixture.epochs.open(&third),
        Err(OpenError::RegisterFull(_))
    ));
}

/// The real task on the paused clock: it renews and erases without being asked.
#[tokio::test]
async fn the_keeper_renews_keys_and_erases_them() {
    let fixture = fixture();
    fixture.epochs.renew().unwrap();
    let keeper = tokio::spawn(Arc::clone(&fixture.epochs).keep());
    fixture.wall.store(NOW + 600, Ordering::SeqCst);
    let wait = |living, made| {
        let epochs = Arc::clone(&fixture.epochs);
        async move {
            while epochs.counts() != (KeyCounts { living, made }) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait(2, 2))
        .await
        .unwrap();
    fixture.wall.store(NOW + 1200, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(30), wait(2, 3))
        .await
        .unwrap();
    keeper.abort();
}

/// The host decides when evidence comes; it does not decide how long keys live.
#[tokio::test]
async fn keys_are_erased_while_the_platform_is_silent() {
    let fixture = fixture();
    fixture.epochs.renew().unwrap();
    fixture.chip.silent.store(true, Ordering::SeqCst);
    let keeper = tokio::spawn(Arc::clone(&fixture.epochs).keep());
    fixture.wall.store(NOW + 600, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(fixture.epochs.has_key());
    fixture.wall.store(NOW + 1200, Ordering::SeqCst);
    let epochs = Arc::clone(&fixture.epochs);
    let erased = async move {
        while epochs.has_key() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), erased)
        .await
        .unwrap();
    fixture.chip.silent.store(false, Ordering::SeqCst);
    keeper.abort();
}

/// What a log would say of an entry with this text. Nobody verifies it here.
fn proof_of(text: &str) -> String {
    use subrosa_translog::{Checkpoint, Hash, KeyKind, KeyName, Note, NoteSigner, Timestamp};
    let name = KeyName::new("log.example").unwrap();
    let signer = NoteSigner::from_seed(name.clone(), KeyKind::Ed25519, &[1; 32]).unwrap();
    let note_of = |text: &str| {
        let mut note = Note::new(text).unwrap();
        note.add(signer.sign(text, Timestamp::new(1)).unwrap())
            .unwrap();
        note
    };
    let entry = note_of(text).to_string().into_bytes();
    let checkpoint = Checkpoint::new(name, 1, Hash::of_leaf(&entry)).unwrap();
    let checkpoint = note_of(&checkpoint.to_string());
    let proof = LogProof::new(entry, 0, Vec::new(), checkpoint);
    proof.unwrap().to_string()
}

/// A node whose log has said these things.
fn logged() -> (tempfile::TempDir, Fixture) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("release", proof_of("a release\n")),
        ("machines", proof_of("a roster\n")),
        ("machine", "a record".to_owned()),
        ("checkpoint", "a checkpoint".to_owned()),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let config = format!(
        "{CONFIG}[log]\nrelease = \"release\"\ncheckpoint = \"checkpoint\"\ndirectory = \"directory\"\n\
         machines = \"machines\"\nmachine = \"machine\"\n"
    );
    let fixture = fixture_of(&config, folder.path());
    (folder, fixture)
}

/// The only bundle of a directory.
fn bundle_of(directory: &[u8]) -> [u8; 32] {
    let directory: serde_json::Value = serde_json::from_slice(directory).unwrap();
    let mut hash = [0; 32];
    hex::decode_to_slice(directory["nodes"][0]["bundle"].as_str().unwrap(), &mut hash).unwrap();
    hash
}

#[tokio::test(start_paused = true)]
async fn what_the_log_has_said_goes_with_the_evidence() {
    let (folder, fixture) = logged();
    fixture.epochs.renew().unwrap();
    let hash = bundle_of(&fixture.epochs.directory());
    let bundle = Bundle::parse(&fixture.epochs.bundle(&hash).unwrap()).unwrap();
    let read = |name| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bundle.release_proof(), Some(&read("release")[..]));
    assert_eq!(bundle.machine_proof(), Some(&read("machines")[..]));
    assert_eq!(bundle.machine_record(), Some(&b"a record"[..]));
    assert_eq!(bundle.checkpoint(), Some(&b"a checkpoint"[..]));
    let kc = subrosa_channel::KeyConfiguration::parse(bundle.key_configuration()).unwrap();
    let id = subrosa_translog::entry::release::release_id("a release\n");
    assert_eq!(kc.release_id(), &id);
    // The report is bound to the checkpoint.
    let report = bundle.snp().unwrap().report;
    let data = subrosa_attest::report_data(kc.as_bytes(), Some(b"a checkpoint"), None);
    assert_eq!(report[0x50..0x90], data);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_published_when_its_directory_is_logged_and_the_old_one_until_then() {
    use subrosa_translog::Timestamp;
    let (folder, fixture) = logged();
    let epochs = &fixture.epochs;
    let log_next = || {
        let now = Timestamp::new(NOW);
        let bundles = vec![bundle_of(&epochs.next_directory())];
        let directory = Directory::new(1, now, now, bundles).unwrap();
        let proof = proof_of(&directory.entry_text().unwrap());
        std::fs::write(folder.path().join("directory"), &proof).unwrap();
        epochs.read_directory_proof();
        proof
    };
    epochs.renew().unwrap();
    // Nothing is logged yet: the newest is shown, without proof.
    assert_eq!(epochs.directory(), epochs.next_directory());
    assert_eq!(epochs.directory_proof(), None);
    let proof = log_next();
    let first = epochs.directory();
    assert_eq!(epochs.directory_proof(), Some(proof.into()));
    fixture.pass(600).await;
    epochs.renew().unwrap();
    assert_eq!(epochs.directory(), first);
    assert_ne!(epochs.next_directory(), first);
    // What is no proof changes nothing.
    std::fs::write(folder.path().join("directory"), "x").unwrap();
    epochs.read_directory_proof();
    assert_eq!(epochs.directory(), first);
    let proof = log_next();
    assert_eq!(epochs.directory(), epochs.next_directory());
    assert_eq!(epochs.directory_proof(), Some(proof.into()));
    // The key of the last proof has ended, and the next one is not logged.
    epochs.renew().unwrap();
    fixture.pass(1200).await;
    epochs.renew().unwrap();
    assert_eq!(epochs.directory(), epochs.next_directory());
    assert_eq!(epochs.directory_proof(), None);
}

#[tokio::test(start_paused = true)]
async fn without_the_files_of_the_log_no_key_is_made() {
    for missing in ["release", "checkpoint", "machines", "machine"] {
        let (folder, fixture) = logged();
        std::fs::remove_file(folder.path().join(missing)).unwrap();
        let error = fixture.epochs.renew().unwrap_err();
        assert_eq!(error.step(), "log", "{missing}");
        assert!(fixture.epochs.is_failing());
    }
    let (folder, fixture) = logged();
    for bad in [
        String::new(),
        proof_of("x\n").replacen("extra", "other", 1),
        "x".repeat(LogProof::MAX + 1),
    ] {
        std::fs::write(folder.path().join("release"), bad).unwrap();
        assert_eq!(fixture.epochs.renew().unwrap_err().step(), "log");
    }
}
