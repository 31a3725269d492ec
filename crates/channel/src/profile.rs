//! Shapes: how much size and pace of a conversation an observer may see
//! (spec/channel.md §5).

use core::fmt;

use crate::key_configuration::{KeyConfiguration, StreamShape};

/// How sizes and pace are hidden. Chosen by the device, inside the seal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "complete in version 1 of the format"
)]
pub enum Profile {
    /// Nothing is hidden: exact sizes, records as they are produced.
    Off,
    /// Power-of-two sizes and a fixed tick.
    #[default]
    Balanced,
    /// As balanced, with larger smallest sizes.
    Strict,
}

/// The two public kinds of answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "complete in version 1 of the format"
)]
pub enum ResponseClass {
    /// Records on a clock while the answer is made.
    Stream,
    /// One body of a power-of-two size.
    Whole,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 3] = [Self::Off, Self::Balanced, Self::Strict];

    /// The name used in configuration files and flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Balanced => "balanced",
            Self::Strict => "strict",
        }
    }

    /// Finds a profile by its [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Balanced => 1,
            Self::Strict => 2,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.code() == code)
    }

    /// Bytes that a request of `len` bytes (length field included) becomes.
    pub(crate) fn request_bucket(self, len: usize) -> usize {
        self.bucket(len)
    }

    /// Bytes that the frames of a whole answer become.
    pub(crate) fn whole_bucket(self, len: usize) -> usize {
        self.bucket(len)
    }

    /// Whether a stream may end after `records` records.
    pub(crate) fn stream_may_end(self, records: u64) -> bool {
        match self {
            Self::Off => true,
            Self::Balanced => records >= 16 && records.is_power_of_two(),
            Self::Strict => records >= 64 && records.is_power_of_two(),
        }
    }

    /// Size and pace of stream records; `None` for [`Self::Off`].
    #[must_use]
    pub fn stream_shape(self, kc: &KeyConfiguration) -> Option<StreamShape> {
        match self {
            Self::Off => None,
            Self::Balanced => Some(kc.balanced()),
            Self::Strict => Some(kc.strict()),
        }
    }

    fn bucket(self, len: usize) -> usize {
        let smallest = match self {
            Self::Off => return len,
            Self::Balanced => 1024,
            Self::Strict => 4096,
        };
        len.max(smallest).checked_next_power_of_two().unwrap_or(len)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ResponseClass {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Stream => 1,
            Self::Whole => 2,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Stream),
            2 => Some(Self::Whole),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_powers_of_two_from_the_smallest() {
        assert_eq!(Profile::Off.request_bucket(700), 700);
        assert_eq!(Profile::Balanced.request_bucket(700), 1024);
        assert_eq!(Profile::Balanced.request_bucket(1025), 2048);
        assert_eq!(Profile::Strict.request_bucket(1025), 4096);
        assert_eq!(Profile::Balanced.whole_bucket(5000), 8192);
    }

    #[test]
    fn a_padded_stream_ends_only_on_a_power_of_two() {
        let ends = |profile: Profile| (0..300).filter(move |n| profile.stream_may_end(*n));
        assert_eq!(
            ends(Profile::Balanced).collect::<Vec<_>>(),
            [16, 32, 64, 128, 256]
        );
        assert_eq!(ends(Profile::Strict).collect::<Vec<_>>(), [64, 128, 256]);
    }

    #[test]
    fn names_and_codes_find_their_profile() {
        for profile in Profile::ALL {
            assert_eq!(Profile::from_name(profile.name()), Some(profile));
            assert_eq!(Profile::from_code(profile.code()), Some(profile));
        }
        assert_eq!(Profile::from_code(3), None);
        assert_eq!(Profile::from_name("none"), None);
    }
}
