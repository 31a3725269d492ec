//! Draws the results of a folder as one picture: `plot RESULTS NAME…`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use subrosa_bench::{Failed, finish};

/// What is read of a row.
#[derive(Deserialize)]
struct Row {
    name: String,
    unit: String,
    found: Interval,
    goal: String,
}

#[derive(Deserialize)]
struct Interval {
    median: f64,
    low: f64,
    high: f64,
}

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String, Failed> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().ok_or("expected arguments: RESULTS NAME…")?;
    let folder = Path::new(&folder);
    let mut rows = Vec::new();
    for name in words {
        let file = folder.join(name).with_extension("json");
        // What was not measured is not drawn.
        if let Ok(text) = std::fs::read_to_string(file) {
            rows.extend(serde_json::from_str::<Vec<Row>>(&text)?);
        }
    }
    std::fs::write(folder.join("bench.svg"), draw(&rows)?)?;
    Ok(String::new())
}

/// One panel for each unit that is drawn.
fn draw(rows: &[Row]) -> Result<String, Failed> {
    let mut body = String::new();
    let mut top = 0.0;
    for (unit, title) in [
        ("ratio", "Ratios (line: 1.0, the same)"),
        ("ms", "Milliseconds"),
    ] {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.unit == unit).collect();
        if !rows.is_empty() {
            top = panel(&mut body, title, &rows, unit == "ratio", top)?;
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    ))
}

/// Draws rows below `top` and returns where the panel ends.
fn panel(
    out: &mut String,
    title: &str,
    rows: &[&Row],
    with_one: bool,
    top: f64,
) -> Result<f64, Failed> {
    let ends = rows.iter().flat_map(|row| [row.found.low, row.found.high]);
    let least = ends.clone().fold(0.0, f64::min);
    let most = ends.fold(if with_one { 1.0 } else { 0.0 }, f64::max) * 1.05;
    let x = |value: f64| LEFT + (value - least) / (most - least) * (RIGHT - LEFT);
    let mut y = top + 28.0;
    writeln!(
        out,
        "<text x=\"10\" y=\"{y}\" font-weight=\"bold\" font-size=\"14\">{title}</text>"
    )?;
    let begin = y + 8.0;
    for row in rows {
        y += LINE;
        let Interval { median, low, high } = row.found;
        let mut label = escape(&row.name);
        if !row.goal.is_empty() {
            write!(label, " (goal: {})", escape(&row.goal))?;
        }
        let middle = y - 4.0;
        writeln!(
            out,
            "<text x=\"10\" y=\"{y}\">{label}</text>\
             <rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"8\" fill=\"#8ab4d8\"/>\
             <circle cx=\"{:.1}\" cy=\"{middle}\" r=\"3.5\" fill=\"#12436d\"/>\
             <text x=\"{}\" y=\"{y}\">{median:.3} ({low:.3} to {high:.3})</text>",
            x(low),
            middle - 4.0,
            (x(high) - x(low)).max(1.0),
            x(median),
            RIGHT + 12.0,
        )?;
    }
    for (value, colour) in [(0.0, "#999"), (1.0, "#c0392b")] {
        if value > 0.0 && !with_one {
            continue;
        }
        writeln!(
            out,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{begin}\" y2=\"{1}\" stroke=\"{colour}\"/>",
            x(value),
            y + 6.0,
        )?;
    }
    Ok(y + 20.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const WIDTH: f64 = 1160.0;
const LEFT: f64 = 560.0;
const RIGHT: f64 = 980.0;
const LINE: f64 = 20.0;
