//! How good a level of firmware is, in Intel's words (PCS API version 4,
//! "tcbStatus").

use core::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Status of a platform, a quoting enclave or a TDX module.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
pub enum TcbStatus {
    /// The newest, if the software it runs is hardened against known attacks and
    /// the platform is configured against others.
    ConfigurationAndSWHardeningNeeded,
    /// The newest, but the platform needs to be configured.
    ConfigurationNeeded,
    /// Known to be vulnerable: newer firmware is there.
    OutOfDate,
    /// As before, and the platform needs to be configured.
    OutOfDateConfigurationNeeded,
    /// Compromised.
    Revoked,
    /// The newest, if the software it runs is hardened against known attacks.
    SWHardeningNeeded,
    /// The platform is good, but the trust domain was started before the TDX
    /// module was updated.
    #[serde(skip_deserializing)]
    TDRelaunchAdvised,
    /// The newest.
    UpToDate,
}

impl TcbStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigurationAndSWHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::Revoked => "Revoked",
            Self::SWHardeningNeeded => "SWHardeningNeeded",
            Self::TDRelaunchAdvised => "TDRelaunchAdvised",
            Self::UpToDate => "UpToDate",
        }
    }

    /// The status of a platform of which a part has the status `part`: the worse
    /// of the two, and what is out of date stays to be configured.
    #[must_use]
    pub(super) const fn with(self, part: Self) -> Self {
        use TcbStatus::{
            ConfigurationAndSWHardeningNeeded, ConfigurationNeeded, OutOfDate,
            OutOfDateConfigurationNeeded, Revoked, SWHardeningNeeded, TDRelaunchAdvised, UpToDate,
        };
        match (self, part) {
            (Revoked, _) | (_, Revoked) => Revoked,
            (OutOfDateConfigurationNeeded, _)
            | (_, OutOfDateConfigurationNeeded)
            | (OutOfDate, ConfigurationNeeded | ConfigurationAndSWHardeningNeeded)
            | (ConfigurationNeeded | ConfigurationAndSWHardeningNeeded, OutOfDate) => {
                OutOfDateConfigurationNeeded
            }
            (OutOfDate, _) | (_, OutOfDate) => OutOfDate,
            (TDRelaunchAdvised, _) | (_, TDRelaunchAdvised) => TDRelaunchAdvised,
            (ConfigurationAndSWHardeningNeeded, _)
            | (_, ConfigurationAndSWHardeningNeeded)
            | (ConfigurationNeeded, SWHardeningNeeded)
            | (SWHardeningNeeded, ConfigurationNeeded) => ConfigurationAndSWHardeningNeeded,
            (ConfigurationNeeded, _) | (_, ConfigurationNeeded) => ConfigurationNeeded,
            (SWHardeningNeeded, _) | (_, SWHardeningNeeded) => SWHardeningNeeded,
            (UpToDate, UpToDate) => UpToDate,
        }
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for TcbStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
