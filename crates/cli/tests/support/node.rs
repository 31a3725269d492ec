//! Evidence of a simulated node, as a service would publish it.

use getrandom::SysRng;
use rand_core::UnwrapErr;
use sha2::{Digest, Sha256};
use subrosa_attest::development::Root;
use subrosa_attest::{Bundle, Measurement, UnixSeconds, report_data};
use subrosa_channel::{Epoch, KeyConfigurationParams, ModelEntry, StreamShape, absent_release};

use super::Home;

/// When the key of the node begins: 2026-11-22T22:00:00Z.
pub const NOT_BEFORE: u64 = 1_795_384_800;
/// When it ends.
pub const NOT_AFTER: u64 = NOT_BEFORE + 1200;

/// A node with its root and the values that a policy lists for it.
pub struct Node {
    pub bundle: Vec<u8>,
    pub key_id: String,
    pub root: String,
}

impl Node {
    pub fn new() -> Self {
        Self::between(NOT_BEFORE, NOT_AFTER)
    }

    pub fn between(not_before: u64, not_after: u64) -> Self {
        let mut rng = UnwrapErr(SysRng);
        let root = Root::generate(&mut rng, UnixSeconds::new(NOT_BEFORE)).unwrap();
        let shape = StreamShape {
            tick_ms: 40,
            record_len: 256,
        };
        let params = KeyConfigurationParams {
            not_before,
            not_after,
            release_id: absent_release(),
            configuration: CONFIGURATION,
            balanced: shape,
            strict: shape,
            models: vec![ModelEntry {
                name: "test".to_owned(),
                weights: WEIGHTS,
            }],
        };
        let epoch = Epoch::generate(&params, 16, &mut rng).unwrap();
        let kc = epoch.key_configuration();
        let data = report_data(kc.as_bytes(), None, None);
        let report = root
            .platform()
            .report(&data, &Measurement::new(MEASUREMENT));
        let bundle = Bundle::builder(kc.as_bytes())
            .snp(root.platform().evidence(&report))
            .build()
            .unwrap();
        Self {
            bundle: bundle.as_bytes().to_vec(),
            key_id: kc.key_id().to_string(),
            root: root.public().to_public_file(),
        }
    }

    /// Writes bundle, root and a right policy into the home.
    pub fn write(&self, home: &Home) {
        home.write("bundle", &self.bundle);
        home.write("root.json", &self.root);
        home.write("policy.toml", policy());
    }

    /// The directory that names this node.
    pub fn directory(&self, not_before: u64, not_after: u64) -> String {
        format!(
            r#"{{"version":1,"nodes":[{{"key_id":"{}","bundle":"{}","not_before":{not_before},"not_after":{not_after},"models":["test"]}}]}}"#,
            self.key_id,
            hex::encode(Sha256::digest(&self.bundle)),
        )
    }
}

/// A policy that lists what the node has.
pub fn policy() -> String {
    format!(
        "version = 1\nname = \"test\"\nplatforms = [\"sev-snp\"]\n\
         [[measurements]]\nname = \"program\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n\
         [[weights]]\nname = \"weights\"\nsha256 = \"{}\"\n\
         [[configurations]]\nname = \"configuration\"\nsha256 = \"{}\"\n\
         [[releases]]\nname = \"release\"\nsha256 = \"{}\"\n",
        hex::encode(MEASUREMENT),
        hex::encode(WEIGHTS),
        hex::encode(CONFIGURATION),
        hex::encode(absent_release()),
    )
}

pub const MEASUREMENT: [u8; 48] = [1; 48];
pub const WEIGHTS: [u8; 32] = [2; 32];
pub const CONFIGURATION: [u8; 32] = [3; 32];
