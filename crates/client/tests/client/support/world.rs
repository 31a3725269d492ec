//! Keys, evidence and time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rand_core::{TryCryptoRng, TryRng};
use subrosa_attest::development::Root;
use subrosa_attest::{Bundle, Measurement, Policy, Sha256Digest, UnixSeconds, report_data};
use subrosa_channel::{
    Epoch, Gateway, KeyConfiguration, KeyConfigurationParams, ModelEntry, OpenError,
    OpenedExchange, StreamShape, absent_release,
};
use subrosa_client::{Clock, Config};

use super::http::{Reply, Server};

/// 2026-06-01T00:00:00Z.
pub const NOW: u64 = 1_780_272_000;
pub const WEIGHTS: [u8; 32] = [9; 32];
pub const CONFIGURATION: [u8; 32] = [3; 32];
pub const MEASUREMENT: [u8; 48] = [0x5A; 48];

/// SHA-256 in counter mode: the same on every run.
pub struct TestRng(pub u64);

/// A clock that a test sets.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicU64>);

/// What a service has: keys, evidence, directory.
#[derive(Clone)]
pub struct World {
    pub clock: TestClock,
    gateway: Arc<Mutex<Gateway>>,
    documents: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    seed: Arc<AtomicU64>,
}

/// A key and its evidence, published or not.
pub struct Keys {
    pub kc: KeyConfiguration,
    pub bundle: Vec<u8>,
    pub entry: String,
}

impl World {
    /// A service with one key that has just begun.
    pub fn new() -> Self {
        let world = Self::empty();
        world.rotate();
        world
    }

    pub fn empty() -> Self {
        let world = Self {
            clock: TestClock(Arc::new(AtomicU64::new(NOW))),
            gateway: Arc::default(),
            documents: Arc::default(),
            seed: Arc::new(AtomicU64::new(1)),
        };
        world.publish(&[]);
        world
    }

    /// A new key that lives for 20 minutes from now, the only one that is published.
    pub fn rotate(&self) -> Keys {
        let keys = self.keys(|_| {});
        self.publish(&[&keys]);
        keys
    }

    /// Erases all keys, as a restart does.
    pub fn forget_keys(&self) {
        *self.gateway.lock().unwrap() = Gateway::new();
    }

    /// Keys that the node accepts; `edit` changes what they say.
    pub fn keys(&self, edit: impl FnOnce(&mut KeyConfigurationParams)) -> Keys {
        let now = self.clock.now().get();
        let mut params = KeyConfigurationParams {
            not_before: now,
            not_after: now + 1200,
            release_id: absent_release(),
            configuration: CONFIGURATION,
            balanced: StreamShape {
                tick_ms: 40,
                record_len: 256,
            },
            strict: StreamShape {
                tick_ms: 50,
                record_len: 512,
            },
            models: vec![ModelEntry {
                name: "subrosa-demo".to_owned(),
                weights: WEIGHTS,
            }],
        };
        edit(&mut params);
        let seed = self.seed.fetch_add(1, Ordering::SeqCst);
        let epoch = Epoch::generate(&params, 4096, &mut TestRng(seed << 32)).unwrap();
        let kc = epoch.key_configuration().clone();
        self.gateway.lock().unwrap().add(epoch);
        let bundle = evidence(kc.as_bytes(), kc.as_bytes());
        let entry = entry(&kc, &bundle);
        Keys { kc, bundle, entry }
    }

    /// Makes the directory list these keys.
    pub fn publish(&self, keys: &[&Keys]) {
        let entries: Vec<_> = keys.iter().map(|keys| keys.entry.clone()).collect();
        let directory = format!(r#"{{"version":1,"nodes":[{}]}}"#, entries.join(","));
        let mut documents = self.documents.lock().unwrap();
        documents.insert("/subrosa/v1/directory".to_owned(), directory.into_bytes());
        for keys in keys {
            let path = format!("/subrosa/v1/bundles/{}", Sha256Digest::of(&keys.bundle));
            documents.insert(path, keys.bundle.clone());
        }
    }

    pub fn document(&self, path: &str) -> Option<Reply> {
        let documents = self.documents.lock().unwrap();
        documents
            .get(path)
            .map(|bytes| Reply::plain(200, bytes.clone()))
    }

    pub fn open(&self, bytes: &[u8]) -> Result<OpenedExchange, OpenError> {
        self.gateway
            .lock()
            .unwrap()
            .open(bytes, self.clock.now().get())
    }

    /// How a device that trusts the vendors alone would speak to `server`.
    pub fn vendor_config(&self, server: &Server) -> Config {
        Config::new(
            server.url().parse().unwrap(),
            Policy::parse(&policy_text()).unwrap(),
        )
    }

    /// How a developer would.
    #[cfg(feature = "development")]
    pub fn config(&self, server: &Server) -> Config {
        let mut config = self.vendor_config(server);
        config.trust =
            subrosa_client::Trust::development(&root().public().to_public_file()).unwrap();
        config
    }

    #[cfg(feature = "development")]
    pub fn client(&self, server: &Server) -> subrosa_client::Client {
        self.client_of(self.config(server))
    }

    pub fn client_of(&self, config: Config) -> subrosa_client::Client {
        subrosa_client::Client::new(config, self.clock.clone(), TestRng(1 << 60)).unwrap()
    }
}

/// Evidence that binds `bound`, in a bundle that holds `shown`.
pub fn evidence(bound: &[u8], shown: &[u8]) -> Vec<u8> {
    let root = root();
    let data = report_data(bound, None, None);
    let report = root
        .platform()
        .report(&data, &Measurement::new(MEASUREMENT));
    let snp = root.platform().evidence(&report);
    let bundle = Bundle::builder(shown).snp(snp).build().unwrap();
    bundle.as_bytes().to_vec()
}

pub fn entry(kc: &KeyConfiguration, bundle: &[u8]) -> String {
    let models: Vec<_> = kc
        .models()
        .iter()
        .map(|model| format!("{:?}", model.name))
        .collect();
    format!(
        r#"{{"key_id":"{}","bundle":"{}","not_before":{},"not_after":{},"models":[{}]}}"#,
        kc.key_id(),
        Sha256Digest::of(bundle),
        kc.not_before(),
        kc.not_after(),
        models.join(",")
    )
}

/// A throw-away root. It protects nothing.
pub fn root() -> Root {
    Root::from_secret_file(include_str!("root-secret.json")).unwrap()
}

pub fn policy_text() -> String {
    format!(
        "version = 1\nname = \"test\"\nplatforms = [\"sev-snp\"]\n\
         [[measurements]]\nname = \"program\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n\
         [[weights]]\nname = \"model\"\nsha256 = \"{}\"\n\
         [[configurations]]\nname = \"configuration\"\nsha256 = \"{}\"\n\
         [[releases]]\nname = \"none\"\nsha256 = \"{}\"\n",
        hex::encode(MEASUREMENT),
        hex::encode(WEIGHTS),
        hex::encode(CONFIGURATION),
        hex::encode(absent_release()),
    )
}

impl TestClock {
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds::new(self.0.load(Ordering::SeqCst))
    }
}

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for block in out.chunks_mut(32) {
            self.0 = self.0.wrapping_add(1);
            let digest = Sha256Digest::of(&self.0.to_be_bytes());
            block.copy_from_slice(&digest.as_bytes()[..block.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

#[test]
#[ignore = "writes support/root-secret.json: a throw-away root, valid for ten years from the tests' time"]
fn make_another_root() {
    let root = Root::generate(
        &mut rand_core::UnwrapErr(getrandom::SysRng),
        UnixSeconds::new(NOW),
    )
    .unwrap();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/client/support/root-secret.json"
    );
    std::fs::write(path, root.to_secret_file().as_bytes()).unwrap();
}
