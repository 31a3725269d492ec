//! What a verifier asks of an attestation document.

use std::collections::BTreeMap;

/// A platform configuration register with a meaning (AWS Nitro Enclaves user
/// guide, "Where to get an enclave's measurements"). Others are the enclave's own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Register {
    /// PCR0: the enclave image.
    Image,
    /// PCR1: kernel and boot file system.
    Kernel,
    /// PCR2: the application, without the boot file system.
    Application,
    /// PCR3: the IAM role of the parent instance.
    Role,
    /// PCR4: the identifier of the parent instance.
    Instance,
    /// PCR8: the certificate the image file is signed with.
    ImageSigner,
    /// A register by its number, 0 to 31.
    Number(u8),
}

impl Register {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Image => 0,
            Self::Kernel => 1,
            Self::Application => 2,
            Self::Role => 3,
            Self::Instance => 4,
            Self::ImageSigner => 8,
            Self::Number(number) => number,
        }
    }
}

/// What is demanded of a document beyond its format, signature and certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    /// Values accepted in a register.
    pub(super) registers: BTreeMap<u8, Vec<Vec<u8>>>,
    /// Seconds since the document was made; `None` is as long as its certificate
    /// is valid.
    pub(super) maximum_age: Option<u64>,
    /// Seconds by which the clocks may differ.
    pub(super) clock_tolerance: u64,
    pub(super) nonce: Option<Vec<u8>>,
    pub(super) user_data: Option<Vec<u8>>,
    pub(super) public_key: Option<Vec<u8>>,
    pub(super) module_id: Option<String>,
    pub(super) require_machine_identity: bool,
}

impl Rules {
    /// The most a document may be old unless a caller says otherwise: as long as
    /// a key configuration is accepted.
    pub const MAXIMUM_AGE: u64 = 20 * 60;

    /// A document made in the last twenty minutes by an enclave that is not in
    /// debug mode, whatever it runs.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            registers: BTreeMap::new(),
            maximum_age: Some(Self::MAXIMUM_AGE),
            clock_tolerance: 0,
            nonce: None,
            user_data: None,
            public_key: None,
            module_id: None,
            require_machine_identity: false,
        }
    }

    /// Demands that a register holds one of these values; none of an empty list.
    #[must_use]
    pub fn register(mut self, register: Register, allowed: &[&[u8]]) -> Self {
        let allowed = allowed.iter().map(|value| value.to_vec()).collect();
        self.registers.insert(register.number(), allowed);
        self
    }

    /// Accepts a document for so many seconds; with `None`, as long as its
    /// certificate is valid, which is about three hours.
    #[must_use]
    pub fn maximum_age(mut self, seconds: Option<u64>) -> Self {
        self.maximum_age = seconds;
        self
    }

    /// Accepts a document from so many seconds in the future. The certificate
    /// must be valid all the same.
    #[must_use]
    pub fn clock_tolerance(mut self, seconds: u64) -> Self {
        self.clock_tolerance = seconds;
        self
    }

    /// Demands this nonce.
    #[must_use]
    pub fn nonce(mut self, expected: &[u8]) -> Self {
        self.nonce = Some(expected.to_vec());
        self
    }

    /// Demands this user data.
    #[must_use]
    pub fn user_data(mut self, expected: &[u8]) -> Self {
        self.user_data = Some(expected.to_vec());
        self
    }

    /// Demands this public key.
    #[must_use]
    pub fn public_key(mut self, expected: &[u8]) -> Self {
        self.public_key = Some(expected.to_vec());
        self
    }

    /// Demands this enclave: the instance's identifier and the enclave's.
    #[must_use]
    pub fn module_id(mut self, expected: &str) -> Self {
        self.module_id = Some(expected.to_owned());
        self
    }

    /// Refuses where the physical machine is not known, which no document says:
    /// an instance is moved between machines.
    #[must_use]
    pub fn machine_identity_required(mut self, required: bool) -> Self {
        self.require_machine_identity = required;
        self
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::strict()
    }
}
