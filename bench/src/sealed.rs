//! The service of the enclave with the simulated platform, in this process or
//! in one of its own, and devices that have verified it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sha2::{Digest as _, Sha384};
use subrosa_attest::development::Root;
use subrosa_attest::{Measurement, Policy, Sha256Digest, UnixSeconds};
use subrosa_channel::{ModelEntry, Profile, absent_release};
use subrosa_client::{Client, Config as ClientConfig, SystemClock, Trust};
use subrosa_enclave::clock::Clock;
use subrosa_enclave::config::Config;
use subrosa_enclave::engine::Started;
use subrosa_enclave::epochs::Epochs;
use subrosa_enclave::log::Log;
use subrosa_enclave::service::{Service, model_entries, serve};
use subrosa_evidence::Machine;
use subrosa_inference::SharedEngine;
use tokio::net::TcpListener;

use crate::Failed;

/// A root and a configuration file, and what a device needs to accept them.
pub struct Setup {
    folder: tempfile::TempDir,
    config: Config,
    root: String,
}

/// A service that runs in this process.
pub struct Sealed {
    setup: Setup,
    address: String,
    models: Vec<ModelEntry>,
}

impl Setup {
    /// Makes a root, and writes `configuration` and the root's secret (as
    /// `root`) into a folder that goes away with this.
    ///
    /// # Errors
    ///
    /// When the configuration is refused, or files cannot be written.
    pub fn new(configuration: &str) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let root = Root::generate(&mut rand::rng(), UnixSeconds::new(now.as_secs()))?;
        std::fs::write(folder.path().join("root"), root.to_secret_file().as_bytes())?;
        let file = folder.path().join(FILE);
        std::fs::write(&file, configuration)?;
        Ok(Self {
            config: Config::load(&file)?,
            root: root.public().to_public_file(),
            folder,
        })
    }

    /// The configuration file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// A device that has verified the service of this program at `address`.
    ///
    /// # Errors
    ///
    /// When verification fails.
    pub async fn client(
        &self,
        address: &str,
        models: &[ModelEntry],
        profile: Profile,
    ) -> Result<Client, Failed> {
        let policy = Policy::parse(&self.policy(models)?)?;
        let mut config = ClientConfig::new(address.parse()?, policy);
        config.trust = Trust::development(&self.root)?;
        config.profile = profile;
        Ok(Client::connect(config, SystemClock, UnwrapErr(SysRng)).await?)
    }

    fn policy(&self, models: &[ModelEntry]) -> Result<String, Failed> {
        let program = std::fs::read(std::env::current_exe()?)?;
        let measurement = Measurement::new(Sha384::digest(program).into());
        let mut policy = format!(
            "version = 1\nname = \"bench\"\nplatforms = [\"sev-snp\"]\n\
             [[measurements]]\nname = \"bench\"\nplatform = \"sev-snp\"\nvalue = \"{measurement}\"\n\
             [[configurations]]\nname = \"bench\"\nsha256 = \"{}\"\n\
             [[releases]]\nname = \"bench\"\nsha256 = \"{}\"\n",
            Sha256Digest::new(*self.config.digest()),
            Sha256Digest::new(absent_release()),
        );
        for model in models {
            let digest = Sha256Digest::new(model.weights);
            let name = &model.name;
            write!(
                policy,
                "[[weights]]\nname = \"{name}\"\nsha256 = \"{digest}\"\n"
            )?;
        }
        Ok(policy)
    }
}

impl Sealed {
    /// Serves `engine` on a loopback port until the program ends.
    ///
    /// # Errors
    ///
    /// When it cannot start.
    pub async fn serve(engine: SharedEngine) -> Result<Self, Failed> {
        let setup = Setup::new(CONFIGURATION)?;
        let config = &setup.config;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let log = Log::to(std::io::sink());
        let service = Service::new(config, log.clone());
        let machine = Arc::new(Machine::open(
            config.platform(),
            config.gpus(),
            config.tpm(),
        )?);
        let models = model_entries(&engine.models());
        let epochs = Epochs::new(config, models.clone(), machine, Clock::system(), log);
        let epochs = Arc::new(epochs);
        epochs.renew()?;
        service.start(Started::steady(engine), Arc::clone(&epochs));
        tokio::spawn(epochs.keep());
        tokio::spawn(serve(service, listener));
        Ok(Self {
            setup,
            address,
            models,
        })
    }

    /// A device that has verified the service.
    ///
    /// # Errors
    ///
    /// When verification fails.
    pub async fn client(&self, profile: Profile) -> Result<Client, Failed> {
        self.setup
            .client(&self.address, &self.models, profile)
            .await
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("file", &self.file())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

const FILE: &str = "enclave.toml";

/// The engine is given by the caller; what stands here is not started.
const CONFIGURATION: &str = r#"
listen.address = "127.0.0.1:0"
engine = { kind = "echo" }
platform = { kind = "simulated", root_secret = "root" }
"#;
