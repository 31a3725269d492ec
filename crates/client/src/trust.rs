//! Whose signature counts.

use core::fmt;

#[cfg(feature = "development")]
use subrosa_attest::development::{DevelopmentError, DevelopmentRoot};

/// The keys at the top of the certificates.
#[derive(Clone)]
#[non_exhaustive]
pub enum Trust {
    /// A root that somebody generated on this machine: the verdict is NOT PROTECTED
    /// (development). It works with loopback addresses only.
    #[cfg(feature = "development")]
    Development(DevelopmentRoot),
    /// The hardware vendors' keys.
    Vendor,
}

impl Trust {
    /// Trust in a simulated root, from the content of its public file.
    ///
    /// # Errors
    ///
    /// [`DevelopmentError::File`].
    #[cfg(feature = "development")]
    pub fn development(public_file: &str) -> Result<Self, DevelopmentError> {
        DevelopmentRoot::from_public_file(public_file).map(Self::Development)
    }

    /// Whether it may be used with loopback addresses only.
    #[must_use]
    pub fn is_for_loopback_only(&self) -> bool {
        match self {
            #[cfg(feature = "development")]
            Self::Development(_) => true,
            Self::Vendor => false,
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(feature = "development")]
            Self::Development(_) => "Development",
            Self::Vendor => "Vendor",
        })
    }
}
