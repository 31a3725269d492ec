//! The files of a development service: root, configuration, policy.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use sha2::{Digest, Sha256, Sha384};
use subrosa_attest::development::{DevelopmentRoot, Root};
use subrosa_attest::{Measurement, Policy, Sha256Digest};
use subrosa_channel::{absent_release, absent_weights};

use super::{Engine, EngineFlags};
use crate::disk::size_words;
use crate::download::hash_file;
use crate::failure::{Exit, Failure};
use crate::folders::{Folders, make_private_folder, read_text, write_private};
use crate::printer::Printer;
use crate::time;

/// A development service that can be started, and what a device needs to trust it.
pub(crate) struct Prepared {
    /// The program.
    pub(crate) enclave: PathBuf,
    /// Its measured configuration.
    pub(crate) configuration: PathBuf,
    /// The policy with the values that were computed here.
    pub(crate) policy: Policy,
    pub(crate) policy_file: PathBuf,
    /// The public half of the root.
    pub(crate) root: DevelopmentRoot,
    pub(crate) root_file: PathBuf,
    /// Where the service writes its log.
    pub(crate) log: PathBuf,
    /// What answers, in words.
    pub(crate) engine_words: String,
}

/// The engine, as the configuration and the policy name it.
struct Model {
    configuration: String,
    /// What a request that leaves it open gets.
    sampling: &'static str,
    weights: [u8; 32],
    name: String,
    words: String,
}

impl Prepared {
    /// Writes what is missing and computes the reference values.
    pub(crate) fn new(
        enclave: PathBuf,
        listen: SocketAddr,
        engine: &EngineFlags,
        folders: &Folders,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        let model = Model::of(engine, printer)?;
        let folder = folders.state.path.join("try");
        make_private_folder(&folder)?;
        let root_file = folder.join("root-public.json");
        let root = root(&folder, &root_file, printer)?;
        let configuration_text = configuration(listen, &model);
        let configuration = folder.join(named("service", &configuration_text));
        let policy_text = policy(&enclave, &configuration_text, &model)?;
        let policy_file = folder.join(named("policy", &policy_text));
        let policy = Policy::parse(&policy_text).map_err(|error| {
            Failure::new(Exit::Failed, "the policy that was made here is wrong").because(&error)
        })?;
        write_private(&configuration, configuration_text.as_bytes())?;
        write_private(&policy_file, policy_text.as_bytes())?;
        Ok(Self {
            enclave,
            configuration,
            policy,
            policy_file,
            root,
            root_file,
            log: folder.join("service.log"),
            engine_words: model.words,
        })
    }
}

impl Model {
    fn of(flags: &EngineFlags, printer: &Printer) -> Result<Self, Failure> {
        match (&flags.model, flags.engine) {
            (Some(path), _) => Self::file(path, printer),
            (None, Some(Engine::Echo)) => Ok(Self {
                configuration: "kind = \"echo\"\n".to_owned(),
                sampling: "",
                // The test engine has no weights; a key configuration says so.
                weights: absent_weights(),
                name: "echo".to_owned(),
                words: "the echo engine, which repeats what it is told".to_owned(),
            }),
            (None, _) => Ok(Self {
                configuration: format!(
                    "kind = \"embedded\"\nmodel = \"demo\"\ncontext_tokens = 1024\n{EMBEDDED}"
                ),
                // As its score was measured (models/demo/README.md).
                sampling: "[sampling]\ntemperature = 0.0\n\n",
                weights: demo_weights()?,
                name: "subrosa-demo".to_owned(),
                words: "the demo model (a toy of a few million parameters)".to_owned(),
            }),
        }
    }

    fn file(path: &Path, printer: &Printer) -> Result<Self, Failure> {
        let missing = |error: &std::io::Error| {
            Failure::new(Exit::Usage, format!("the model {} cannot be read", path.display()))
                .because(error)
                .hint("check the path; `subrosa models list` shows what was fetched, `subrosa models pull` fetches one")
        };
        let path = fs::canonicalize(path).map_err(|error| missing(&error))?;
        let bytes = fs::metadata(&path).map_err(|error| missing(&error))?.len();
        let seconds = bytes
            .checked_div(HASHED_PER_SECOND)
            .unwrap_or_default()
            .saturating_add(1);
        printer.say(format!(
            "hashing the model, {} (about {seconds} s)",
            size_words(bytes)
        ));
        let weights = hash_file(&path)?;
        let name = model_name(&path);
        let path = path.to_str().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("the path {} is not UTF-8", path.display()),
            )
            .hint("rename the file")
        })?;
        let table = format!(
            "model = {{ name = {}, path = {}, sha256 = \"{}\" }}\n",
            quoted(&name),
            quoted(path),
            hex::encode(weights)
        );
        Ok(Self {
            configuration: format!("kind = \"embedded\"\n{table}{EMBEDDED}"),
            sampling: "",
            weights,
            words: format!("the model {name}"),
            name,
        })
    }
}

/// The root, made once and kept.
fn root(folder: &Path, public: &Path, printer: &Printer) -> Result<DevelopmentRoot, Failure> {
    let secret = folder.join("root-secret.json");
    if secret.exists() {
        let text = read_text(&secret, MAX_ROOT)?;
        let root = Root::from_secret_file(&text).map_err(|error| {
            Failure::new(Exit::Failed, format!("{} is damaged", secret.display()))
                .because(&error)
                .hint(format!(
                    "remove {} and run the command again; a new root is made",
                    secret.display()
                ))
        })?;
        write_private(public, root.public().to_public_file().as_bytes())?;
        return Ok(root.public().clone());
    }
    printer.say("making a simulated root on this machine (once, a few seconds)");
    let root = Root::generate(&mut UnwrapErr(SysRng), time::now()).map_err(|error| {
        Failure::new(Exit::Failed, "the simulated root could not be made").because(&error)
    })?;
    write_private(public, root.public().to_public_file().as_bytes())?;
    write_private(&secret, root.to_secret_file().as_bytes())?;
    Ok(root.public().clone())
}

/// The measured configuration. The path of the root's secret starts at its folder.
fn configuration(listen: SocketAddr, model: &Model) -> String {
    format!(
        "# Made by subrosa for development; the service refuses keys it does not know.\n\
         [listen]\naddress = \"{listen}\"\n\n\
         [limits]\ndrain_seconds = 2\n\n\
         [engine]\n{}\n{}\
         [platform]\nkind = \"simulated\"\nroot_secret = \"root-secret.json\"\n",
        model.configuration, model.sampling
    )
}

fn policy(enclave: &Path, configuration: &str, model: &Model) -> Result<String, Failure> {
    let digest = |bytes: [u8; 32]| Sha256Digest::new(bytes).to_string();
    Ok(format!(
        "# Made by subrosa for development: these values were computed on this machine.\n\
         version = 1\nname = \"development on this machine\"\nplatforms = [\"sev-snp\"]\n\n\
         [[measurements]]\nname = \"subrosa-enclave on this machine\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n\n\
         [[weights]]\nname = {}\nsha256 = \"{}\"\n\n\
         [[configurations]]\nname = \"configuration made by subrosa\"\nsha256 = \"{}\"\n\n\
         [[releases]]\nname = \"not released\"\nsha256 = \"{}\"\n",
        measure(enclave)?,
        quoted(&model.name),
        digest(model.weights),
        digest(Sha256::digest(configuration.as_bytes()).into()),
        digest(absent_release()),
    ))
}

/// What stands in for a launch measurement on the simulated platform: SHA-384
/// of the program.
fn measure(program: &Path) -> Result<Measurement, Failure> {
    let failed = |error: std::io::Error| Failure::file("read", program, &error);
    let mut file = fs::File::open(program).map_err(failed)?;
    let mut hash = Sha384::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).map_err(failed)? {
            0 => return Ok(Measurement::new(hash.finalize().into())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// The first field of the file that the demo model comes with.
pub(crate) fn demo_weights() -> Result<[u8; 32], Failure> {
    let mut digest = [0; 32];
    let text = DEMO_SHA256.split_whitespace().next().unwrap_or_default();
    hex::decode_to_slice(text, &mut digest).map_err(|error| {
        Failure::new(Exit::Failed, "the demo model's hash is damaged").because(&error)
    })?;
    Ok(digest)
}

/// A file name that changes with the content, so that what an earlier receipt
/// was checked with stays there.
pub(crate) fn named(kind: &str, text: &str) -> String {
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    format!("{kind}-{}.toml", digest.get(..12).unwrap_or_default())
}

/// A name that fits a key configuration (spec/channel.md §1).
fn model_name(path: &Path) -> String {
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().to_lowercase());
    let fit = |char: char| {
        if char.is_ascii_lowercase() || char.is_ascii_digit() || "._-".contains(char) {
            char
        } else {
            '-'
        }
    };
    let name: String = stem.unwrap_or_default().chars().map(fit).take(64).collect();
    if name.is_empty() {
        "model".to_owned()
    } else {
        name
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

const DEMO_SHA256: &str = include_str!("../../../../models/demo/subrosa-demo.sha256");
const EMBEDDED: &str = "sandbox = \"best-effort\"\n";
const HASHED_PER_SECOND: u64 = 400_000_000;
const MAX_ROOT: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_fits_a_key_configuration() {
        for (path, name) in [
            ("/a/Some Model_Q8.GGUF", "some-model_q8"),
            ("/a/ü.gguf", "-"),
            ("/", "model"),
        ] {
            assert_eq!(model_name(Path::new(path)), name);
        }
        assert_eq!(model_name(Path::new(&"a".repeat(200))).len(), 64);
    }

    #[test]
    fn a_path_cannot_add_settings() {
        let model = Model {
            configuration: format!(
                "kind = \"embedded\"\nmodel = {{ path = {} }}\n",
                quoted("a\"\n[limits]\nqueue = 1")
            ),
            sampling: "",
            weights: [0; 32],
            name: String::new(),
            words: String::new(),
        };
        let text = configuration("127.0.0.1:0".parse().unwrap(), &model);
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert!(table["limits"].get("queue").is_none());
    }

    #[test]
    fn the_policy_made_here_is_one() {
        let model = Model::of(&EngineFlags::default(), &Printer::silent()).unwrap();
        let text = policy(&std::env::current_exe().unwrap(), "", &model).unwrap();
        Policy::parse(&text).unwrap();
    }
}
