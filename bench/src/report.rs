//! Tables and raw data.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::stats::{Interval, median};

/// One line of a table.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Unit of the interval: `ratio`, `ms`, `µs`, `MiB`, …
    pub unit: &'static str,
    /// What was found.
    pub found: Interval,
    /// What was hoped for, in words; empty where there is no goal.
    pub goal: String,
    /// Every round: ours and theirs.
    pub raw: Vec<(f64, f64)>,
}

impl Row {
    /// Ours divided by theirs, round by round.
    #[must_use]
    pub fn ratio(name: impl Into<String>, goal: &str, raw: Vec<(f64, f64)>) -> Self {
        let ratios: Vec<f64> = raw.iter().map(|(ours, theirs)| ours / theirs).collect();
        Self {
            name: name.into(),
            unit: "ratio",
            found: median(&ratios, &mut rand::rng()),
            goal: goal.to_owned(),
            raw,
        }
    }

    /// Ours minus theirs, round by round, in the unit of both.
    #[must_use]
    pub fn difference(
        name: impl Into<String>,
        unit: &'static str,
        goal: &str,
        raw: Vec<(f64, f64)>,
    ) -> Self {
        let differences: Vec<f64> = raw.iter().map(|(ours, theirs)| ours - theirs).collect();
        Self {
            name: name.into(),
            unit,
            found: median(&differences, &mut rand::rng()),
            goal: goal.to_owned(),
            raw,
        }
    }

    /// One number.
    #[must_use]
    pub fn single(name: impl Into<String>, unit: &'static str, goal: &str, value: f64) -> Self {
        Self {
            name: name.into(),
            unit,
            found: Interval {
                median: value,
                low: value,
                high: value,
            },
            goal: goal.to_owned(),
            raw: vec![(value, 0.0)],
        }
    }
}

/// Writes `<name>.json` (with raw data) and `<name>.md` (the table) into
/// `folder`, and returns the table.
///
/// # Errors
///
/// When the files cannot be written.
pub fn write(folder: &Path, name: &str, rows: &[Row]) -> io::Result<String> {
    std::fs::create_dir_all(folder)?;
    let json = serde_json::to_string_pretty(rows)?;
    std::fs::write(folder.join(name).with_extension("json"), json + "\n")?;
    let mut table = String::from("| measured | median | 95 % interval | unit | rounds | goal |\n");
    table.push_str("|---|---|---|---|---|---|\n");
    for row in rows {
        let Interval { median, low, high } = row.found;
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| {} | {median:.3} | {low:.3} to {high:.3} | {} | {} | {} |",
            row.name,
            row.unit,
            row.raw.len(),
            row.goal,
        );
    }
    std::fs::write(folder.join(name).with_extension("md"), &table)?;
    Ok(table)
}
