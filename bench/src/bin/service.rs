//! What sealing costs a service: the same engine in the same process, once
//! behind the sealed exchange and once behind plain HTTP, in turn.
//!
//! The shapes `balanced` and `strict` are compared with `off` on the test
//! engine, which gives a word each 20 ms: a model's own jitter would hide the
//! milliseconds in question.
//!
//! `service RESULTS ROUNDS MODEL.gguf`; the same program is the engine's worker.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use subrosa_bench::arguments::Arguments;
use subrosa_bench::load::{Measured, Way, round};
use subrosa_bench::report::{Row, write};
use subrosa_bench::sealed::Sealed;
use subrosa_bench::{Failed, engines, finish, plain, progress};
use subrosa_channel::Profile;
use subrosa_inference::embedded::worker;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return worker::run();
    }
    finish(run())
}

#[tokio::main]
async fn run() -> Result<String, Failed> {
    let arguments = Arguments::read(&["MODEL.gguf"])?;
    let mut rows = sealed_and_plain(&arguments.path(0), arguments.rounds).await?;
    rows.extend(shapes(arguments.rounds).await?);
    Ok(write(&arguments.results, "service", &rows)?)
}

/// Sealed with profile `off`, divided by plain.
async fn sealed_and_plain(model: &Path, rounds: usize) -> Result<Vec<Row>, Failed> {
    let engine = engines::embedded(model).await?;
    let sealed = Sealed::serve(Arc::clone(&engine)).await?;
    let ways = [
        Way::Sealed(sealed.client(Profile::Off).await?),
        Way::Plain(plain::serve(engine).await?),
    ];
    let mut rows = Vec::new();
    for streams in STREAMS {
        let found = rounds_of(&ways, streams, rounds, "sealed and plain").await?;
        let pairs = |of: fn(&Measured) -> f64| -> Vec<(f64, f64)> {
            found.iter().map(|[a, b]| (of(a), of(b))).collect()
        };
        rows.push(Row::ratio(
            format!("time to first token: sealed (off) ÷ plain, {streams} streams"),
            "1.00, upper bound ≤ 1.03",
            pairs(|measured| measured.first_token),
        ));
        rows.push(Row::ratio(
            format!("tokens per second: sealed (off) ÷ plain, {streams} streams"),
            "1.00, lower bound ≥ 0.97",
            pairs(|measured| measured.tokens_per_second),
        ));
    }
    Ok(rows)
}

/// What the shapes add to `off`.
async fn shapes(rounds: usize) -> Result<Vec<Row>, Failed> {
    let sealed = Sealed::serve(engines::echo(Duration::from_millis(20), WORDS)).await?;
    let ways = [
        Way::Sealed(sealed.client(Profile::Off).await?),
        Way::Sealed(sealed.client(Profile::Balanced).await?),
        Way::Sealed(sealed.client(Profile::Strict).await?),
    ];
    let mut rows = Vec::new();
    for streams in STREAMS {
        let found = rounds_of(&ways, streams, rounds, "shapes").await?;
        for (shape, name, goal) in [(1, "balanced", "≤ 25 ms"), (2, "strict", "")] {
            let pairs = |of: fn(&Measured) -> f64| -> Vec<(f64, f64)> {
                let pair = |round: &[Measured; 3]| {
                    Some((of(round.get(shape)?) * 1000.0, of(&round[0]) * 1000.0))
                };
                found.iter().filter_map(pair).collect()
            };
            rows.push(Row::difference(
                format!("mean arrival of a token: {name} − off, {streams} streams"),
                "ms",
                goal,
                pairs(|measured| measured.mean_arrival),
            ));
            rows.push(Row::difference(
                format!("time to first token: {name} − off, {streams} streams"),
                "ms",
                "",
                pairs(|measured| measured.first_token),
            ));
        }
    }
    Ok(rows)
}

async fn rounds_of<const N: usize>(
    ways: &[Way; N],
    streams: usize,
    rounds: usize,
    what: &str,
) -> Result<Vec<[Measured; N]>, Failed> {
    // The first one fills caches and is not counted.
    let _ = round(ways, 1, 0).await?;
    let mut found = Vec::with_capacity(rounds);
    for number in 0..rounds {
        progress(&format!(
            "service: {what}, {streams} streams, round {} of {rounds}",
            number.saturating_add(1)
        ));
        found.push(round(ways, streams, number).await?);
    }
    Ok(found)
}

const STREAMS: [usize; 3] = [1, 8, 32];
/// Words of an answer of the test engine.
const WORDS: usize = 100;
