//! What every measurement is told: where results go, how many rounds, and what
//! it needs besides.

use std::path::PathBuf;

/// The arguments of a measurement: `RESULTS ROUNDS [MORE…]`.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// Folder of the results.
    pub results: PathBuf,
    /// Rounds of each comparison.
    pub rounds: usize,
    /// What follows.
    pub more: Vec<String>,
}

impl Arguments {
    /// Reads the arguments of this program.
    ///
    /// # Errors
    ///
    /// What is expected, as a message.
    pub fn read(more: &'static [&'static str]) -> Result<Self, String> {
        Self::parse(std::env::args().skip(1), more)
    }

    fn parse(
        mut words: impl Iterator<Item = String>,
        more: &'static [&'static str],
    ) -> Result<Self, String> {
        let usage = || format!("expected arguments: RESULTS ROUNDS {}", more.join(" "));
        let results = words.next().map(PathBuf::from).ok_or_else(usage)?;
        let rounds = words
            .next()
            .and_then(|rounds| rounds.parse().ok())
            .filter(|rounds| *rounds > 0)
            .ok_or_else(usage)?;
        let rest: Vec<String> = words.collect();
        if rest.len() != more.len() {
            return Err(usage());
        }
        Ok(Self {
            results,
            rounds,
            more: rest,
        })
    }

    /// The argument at `place` behind the common ones.
    #[must_use]
    pub fn path(&self, place: usize) -> PathBuf {
        self.more.get(place).map(PathBuf::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(words.iter().map(|word| (*word).to_owned()), &["MODEL"])
    }

    #[test]
    fn anything_but_the_expected_arguments_is_refused() {
        assert!(parse(&["out", "3", "model"]).is_ok());
        for wrong in [
            &[][..],
            &["out"],
            &["out", "3"],
            &["out", "0", "model"],
            &["out", "x", "model"],
            &["out", "3", "model", "more"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
