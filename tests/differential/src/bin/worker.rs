//! Verifies what it is told to and says how long that took. Reads lines
//! `VERIFIER TIMES CASE…` and answers each with `NANOSECONDS ACCEPTED`: the mean time
//! of one case, with files already read, and how many of the cases were accepted.
//!
//! The benchmark runs several of these side by side and asks them in turn.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::time::Instant;

use subrosa_differential::{amd, cases, intel};

fn main() -> Result<(), Box<dyn Error>> {
    let mut read = HashMap::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let (Some(verifier), Some(times)) = (words.next(), words.next()) else {
            return Err("expected: VERIFIER TIMES CASE…".into());
        };
        let times: u32 = times.parse()?;
        let names: Vec<&str> = words.collect();
        for name in &names {
            let key = format!("{verifier} {name}");
            if !read.contains_key(&key) {
                read.insert(key, Subject::read(verifier, name));
            }
        }
        let subjects = names
            .iter()
            .filter_map(|name| read.get(&format!("{verifier} {name}")));
        let subjects: Vec<&Subject> = subjects.collect();
        let mut accepted = 0;
        let start = Instant::now();
        for _ in 0..times {
            accepted = subjects.iter().filter(|one| one.is_accepted()).count();
        }
        let count = u128::from(times) * u128::try_from(subjects.len())?;
        let each = start.elapsed().as_nanos() / count.max(1);
        let mut out = io::stdout().lock();
        writeln!(out, "{each} {accepted}")?;
        out.flush()?;
    }
    Ok(())
}

enum Subject {
    Amd(amd::Case),
    Intel(intel::Case),
    Ours(Box<subrosa_attest_case::Case>),
    /// Not of a form that this verifier takes, so never accepted.
    Unreadable,
}

impl Subject {
    fn read(verifier: &str, name: &str) -> Self {
        let folder = cases::root().join(name);
        let read = match verifier {
            "dcap-qvl" => intel::Case::read(&folder).map(Self::Intel),
            "ours" => cases::read(&folder).map(|case| Self::Ours(Box::new(case))),
            "sev" => amd::Case::read(&folder).map(Self::Amd),
            _ => None,
        };
        read.unwrap_or(Self::Unreadable)
    }

    fn is_accepted(&self) -> bool {
        match self {
            Self::Amd(case) => case.theirs().is_ok(),
            Self::Intel(case) => case.theirs().is_ok(),
            Self::Ours(case) => cases::ours(case).is_ok(),
            Self::Unreadable => false,
        }
    }
}
