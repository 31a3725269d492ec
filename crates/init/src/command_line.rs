//! The kernel's command line, as the image has it.

use crate::verity::{Verity, VerityError};

/// A command line that is understood to the last word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandLine {
    root: Verity,
}

impl CommandLine {
    /// Longest that is read, in bytes; the kernel's own limit.
    pub const MAX_LEN: usize = 2048;

    /// The command line of an image with this root.
    #[must_use]
    pub fn new(root: Verity) -> Self {
        Self { root }
    }

    /// Reads a command line.
    ///
    /// # Errors
    ///
    /// [`CommandLineError`] for a word that is not known, is there twice, or is
    /// missing.
    pub fn parse(text: &str) -> Result<Self, CommandLineError> {
        if text.len() > Self::MAX_LEN {
            return Err(CommandLineError::TooLong { got: text.len() });
        }
        let mut seen: Vec<&str> = Vec::new();
        let mut root = None;
        for word in text.split_ascii_whitespace() {
            if seen.contains(&word) {
                return Err(CommandLineError::Twice { word: shown(word) });
            }
            seen.push(word);
            match word.strip_prefix(ROOT) {
                Some(_) if root.is_some() => {
                    return Err(CommandLineError::Twice { word: shown(word) });
                }
                Some(value) => root = Some(Verity::parse(value)?),
                None if KERNEL_WORDS.contains(&word) || word == FIRMWARE_WORD => {}
                None => return Err(CommandLineError::Unknown { word: shown(word) }),
            }
        }
        if let Some(word) = KERNEL_WORDS.iter().find(|word| !seen.contains(word)) {
            return Err(CommandLineError::Missing { word });
        }
        let root = root.ok_or(CommandLineError::Missing { word: ROOT })?;
        Ok(Self { root })
    }

    /// The root that it names.
    #[must_use]
    pub fn root(&self) -> &Verity {
        &self.root
    }
}

impl core::fmt::Display for CommandLine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for word in KERNEL_WORDS {
            write!(f, "{word} ")?;
        }
        write!(f, "{ROOT}{}", self.root)
    }
}

/// Why the boot stops here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandLineError {
    /// A word that must be there is not.
    #[error("the command line lacks {word:?}")]
    Missing {
        /// The word, or how it begins.
        word: &'static str,
    },

    /// The root's description is malformed.
    #[error("the command line describes no root")]
    Root(#[from] VerityError),

    /// It is longer than [`CommandLine::MAX_LEN`].
    #[error(
        "the command line is {got} bytes long, at most {} are read",
        CommandLine::MAX_LEN
    )]
    TooLong {
        /// Its length.
        got: usize,
    },

    /// A word is there twice.
    #[error("the command line has {word:?} twice")]
    Twice {
        /// The word, cut to 64 characters.
        word: String,
    },

    /// A word that nobody put there who built the image.
    #[error("the command line has the unknown word {word:?}")]
    Unknown {
        /// The word, cut to 64 characters.
        word: String,
    },
}

fn shown(word: &str) -> String {
    word.chars().take(64).collect()
}

/// Words for the kernel: where it writes, and that it restarts when it panics, so
/// that a machine with a damaged root does not stay.
const KERNEL_WORDS: &[&str] = &["console=ttyS0", "panic=-1", "quiet"];
/// What firmware adds where the host gives it kernel and initial RAM disk apart
/// (EDK II, `OvmfPkg/Library/QemuBootOrderLib` and `X86QemuLoadImageLib`); it names
/// the RAM disk that is measured.
const FIRMWARE_WORD: &str = "initrd=initrd";
const ROOT: &str = "subrosa.root=";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn good() -> String {
        let root = Verity::new(2, [0xab; 32], [0xcd; 32]).unwrap();
        CommandLine::new(root).to_string()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = good();
        let read = CommandLine::parse(&text).unwrap();
        assert_eq!(read.to_string(), text);
        assert_eq!(read.root().data_blocks(), 2);
    }

    #[test]
    fn the_firmwares_word_and_a_final_newline_are_allowed() {
        let text = format!("{} initrd=initrd\n", good());
        assert!(CommandLine::parse(&text).is_ok());
    }

    #[test]
    fn a_word_nobody_knows_stops_the_boot() {
        for word in [
            "init=/bin/sh",
            "rdinit=/x",
            "debug",
            "quiet=1",
            "initrd=other",
            "systemd.unit=rescue",
            "--",
            "subrosa.debug",
            "console=tty0",
            "panic=0",
        ] {
            let text = format!("{} {word}", good());
            let expected = CommandLineError::Unknown {
                word: word.to_owned(),
            };
            assert_eq!(CommandLine::parse(&text), Err(expected), "{word}");
        }
    }

    #[test]
    fn a_second_root_or_a_repeated_word_stops_the_boot() {
        let other = Verity::new(3, [1; 32], [2; 32]).unwrap();
        for added in ["quiet".to_owned(), format!("subrosa.root={other}")] {
            let text = format!("{} {added}", good());
            let found = CommandLine::parse(&text);
            assert!(
                matches!(found, Err(CommandLineError::Twice { .. })),
                "{added}"
            );
        }
    }

    #[test]
    fn each_word_must_be_there() {
        let text = good();
        for word in text.split(' ') {
            let without: Vec<_> = text.split(' ').filter(|other| *other != word).collect();
            let found = CommandLine::parse(&without.join(" "));
            assert!(
                matches!(found, Err(CommandLineError::Missing { .. })),
                "{word}"
            );
        }
    }

    #[test]
    fn an_overlong_line_is_refused_before_it_is_read() {
        let text = " ".repeat(CommandLine::MAX_LEN + 1);
        let expected = CommandLineError::TooLong { got: text.len() };
        assert_eq!(CommandLine::parse(&text), Err(expected));
    }
}
