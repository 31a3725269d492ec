//! A node of the simulated platform, in this process.

use std::time::{SystemTime, UNIX_EPOCH};

use subrosa_attest::development::{Root, appraise};
use subrosa_attest::{Bundle, Measurement, Policy, Sha256Digest, UnixSeconds, report_data};
use subrosa_channel::{
    DevelopmentNode, Epoch, Gateway, KeyConfigurationParams, ModelEntry, OpenedExchange,
    StreamShape, absent_release,
};

/// Both ends of the exchanges that are measured.
pub struct Node {
    gateway: Gateway,
    recipient: DevelopmentNode,
    now: u64,
}

impl Node {
    /// Makes a root, a key and its evidence, and verifies it.
    ///
    /// # Errors
    ///
    /// When any of it fails.
    pub fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut rng = rand::rng();
        let weights = [1; 32];
        let configuration = [2; 32];
        let measurement = Measurement::new([3; 48]);
        let params = KeyConfigurationParams {
            not_before: now,
            not_after: now.saturating_add(1200),
            release_id: absent_release(),
            configuration,
            balanced: StreamShape {
                tick_ms: 40,
                record_len: 256,
            },
            strict: StreamShape {
                tick_ms: 50,
                record_len: 512,
            },
            models: vec![ModelEntry {
                name: "bench".to_owned(),
                weights,
            }],
        };
        let epoch = Epoch::generate(&params, 1 << 20, &mut rng)?;
        let root = Root::generate(&mut rng, UnixSeconds::new(now))?;
        let kc = epoch.key_configuration().as_bytes();
        let report = root
            .platform()
            .report(&report_data(kc, None, None), &measurement);
        let bundle = Bundle::builder(kc)
            .snp(root.platform().evidence(&report))
            .build()?;
        let policy = format!(
            "version = 1\nname = \"bench\"\nplatforms = [\"sev-snp\"]\n\
             [[measurements]]\nname = \"bench\"\nplatform = \"sev-snp\"\nvalue = \"{measurement}\"\n\
             [[configurations]]\nname = \"bench\"\nsha256 = \"{}\"\n\
             [[releases]]\nname = \"bench\"\nsha256 = \"{}\"\n\
             [[weights]]\nname = \"bench\"\nsha256 = \"{}\"\n",
            Sha256Digest::new(configuration),
            Sha256Digest::new(absent_release()),
            Sha256Digest::new(weights),
        );
        let now_seconds = UnixSeconds::new(now);
        let attested = appraise(
            &bundle,
            &Policy::parse(&policy)?,
            root.public(),
            now_seconds,
        )?;
        let recipient = DevelopmentNode::new(attested, now_seconds)?;
        let mut gateway = Gateway::new();
        gateway.add(epoch);
        Ok(Self {
            gateway,
            recipient,
            now,
        })
    }

    /// What requests are sealed to.
    #[must_use]
    pub fn recipient(&self) -> &DevelopmentNode {
        &self.recipient
    }

    /// The time at which it is used.
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds::new(self.now)
    }

    /// Opens a request.
    #[must_use]
    pub fn open(&self, bytes: &[u8]) -> Option<OpenedExchange> {
        self.gateway.open(bytes, self.now).ok()
    }
}
