//! Settings: a flag comes before the file, the file before the default.
//!
//! Nothing here is read from the environment, so that no variable can point a
//! device at another service or at another policy. The simulated platform's root
//! is not a setting at all: only a flag names it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure};
use crate::folders::{Folders, read_text};

/// How sizes and times are hidden on the network.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    /// Nothing is hidden and nothing waits
    Off,
    /// Records of one size on a steady tick; about 20 ms for each token
    Balanced,
    /// Larger steps; about 25 ms for each token
    Strict,
}

impl From<Profile> for subrosa_channel::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Off => Self::Off,
            Profile::Balanced => Self::Balanced,
            Profile::Strict => Self::Strict,
        }
    }
}

/// The settings that flags can set.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServiceFlags {
    /// Address of the service, such as https://ai.example.org
    ///
    /// Plain http is accepted for loopback addresses only.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// Policy file: which software, weights and machines are accepted
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// Settings file to read instead of the default one
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
}

/// How a conversation looks from outside.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ShapeFlags {
    /// How sizes and times are hidden on the network
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Profile>,
}

/// The flags of the local proxy.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ProxyFlags {
    /// Loopback address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,

    /// File whose first line programs must send as the bearer token
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// Folder in which the receipt of each answer is kept
    #[arg(long, value_name = "FOLDER")]
    pub(crate) save_receipts: Option<PathBuf>,
}

/// A value and where it comes from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Default,
    File,
    Flag,
}

/// All settings in force.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) url: Setting<Option<String>>,
    pub(crate) policy: Setting<Option<PathBuf>>,
    pub(crate) profile: Setting<Profile>,
    pub(crate) listen: Setting<SocketAddr>,
    pub(crate) bearer_file: Setting<Option<PathBuf>>,
    pub(crate) save_receipts: Setting<Option<PathBuf>>,
}

impl Settings {
    /// The settings file, or the one that a flag names, under the flags of `service`.
    pub(crate) fn load(folders: &Folders, service: &ServiceFlags) -> Result<Self, Failure> {
        let file = match &service.settings {
            Some(path) => SettingsFile::read(path)?,
            None => SettingsFile::read_if_there(&folders.settings_file())?,
        };
        Ok(Self {
            url: choose(service.url.clone(), file.url),
            policy: choose(service.policy.clone(), file.policy),
            profile: choose(None, file.profile).or(Profile::Balanced),
            listen: choose(None, file.listen).or(DEFAULT_LISTEN),
            bearer_file: choose(None, file.bearer_file),
            save_receipts: choose(None, file.save_receipts),
        })
    }

    /// The same under the flags of `shape`.
    pub(crate) fn with_shape(mut self, shape: &ShapeFlags) -> Self {
        self.profile.override_with(shape.profile);
        self
    }

    /// The same under the flags of `proxy`.
    pub(crate) fn with_proxy(mut self, proxy: &ProxyFlags) -> Self {
        self.listen.override_with(proxy.listen);
        self.bearer_file
            .override_with(proxy.bearer_file.clone().map(Some));
        self.save_receipts
            .override_with(proxy.save_receipts.clone().map(Some));
        self
    }
}

impl<T> Setting<T> {
    fn override_with(&mut self, flag: Option<T>) {
        if let Some(value) = flag {
            *self = Self {
                value,
                origin: Origin::Flag,
            };
        }
    }
}

impl<T> Setting<Option<T>> {
    fn or(self, default: T) -> Setting<T> {
        Setting {
            value: self.value.unwrap_or(default),
            origin: self.origin,
        }
    }
}

/// The settings file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SettingsFile {
    url: Option<String>,
    policy: Option<PathBuf>,
    profile: Option<Profile>,
    listen: Option<SocketAddr>,
    bearer_file: Option<PathBuf>,
    save_receipts: Option<PathBuf>,
}

impl SettingsFile {
    fn read_if_there(path: &Path) -> Result<Self, Failure> {
        if path.exists() {
            Self::read(path)
        } else {
            Ok(Self::default())
        }
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_text(path, MAX_LEN)?;
        let mut file: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map(|span| {
                text.get(..span.start)
                    .map_or(1, |before| before.split('\n').count())
            });
            let at = line.map(|line| format!(" line {line}")).unwrap_or_default();
            Failure::new(Exit::Usage, format!("{}{at} is wrong", path.display()))
                .cause(error.message())
                .hint(format!(
                    "correct that line or remove it; the settings are: {KEYS}"
                ))
        })?;
        // A relative path means the same wherever the program is started.
        let folder = path.parent().unwrap_or(Path::new(""));
        for relative in [
            &mut file.policy,
            &mut file.bearer_file,
            &mut file.save_receipts,
        ]
        .into_iter()
        .flatten()
        {
            *relative = folder.join(&*relative);
        }
        Ok(file)
    }
}

fn choose<T>(flag: Option<T>, file: Option<T>) -> Setting<Option<T>> {
    let origin = match (&flag, &file) {
        (Some(_), _) => Origin::Flag,
        (None, Some(_)) => Origin::File,
        (None, None) => Origin::Default,
    };
    Setting {
        value: flag.or(file),
        origin,
    }
}

/// Where the local proxy listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8787);

const KEYS: &str = "url, policy, profile, listen, bearer-file, save-receipts";
const MAX_LEN: u64 = 64 * 1024;
