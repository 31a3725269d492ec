//! The embedded engine and llama.cpp's own server on the same file: the same
//! threads, prompts and lengths of answers, prompt caches off, in turn.
//!
//! `peer RESULTS ROUNDS MODEL.gguf PYTHON SERVE.py`, where PYTHON has the
//! package `xllamacpp`; the same program is the engine's worker.

use std::process::ExitCode;
use std::sync::Arc;

use subrosa_bench::arguments::Arguments;
use subrosa_bench::load::{Measured, TOKENS, Way, round};
use subrosa_bench::peer::{Peer, Settings};
use subrosa_bench::report::{Row, write};
use subrosa_bench::{Failed, engines, finish, plain, progress};
use subrosa_inference::embedded::worker;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return worker::run();
    }
    finish(run())
}

#[tokio::main]
async fn run() -> Result<String, Failed> {
    let arguments = Arguments::read(&["MODEL.gguf", "PYTHON", "SERVE.py"])?;
    let model = arguments.path(0);
    let settings = Settings {
        streams: engines::STREAMS,
        threads: engines::THREADS,
        context_tokens: engines::CONTEXT,
    };
    let peer = Peer::start(&arguments.path(1), &arguments.path(2), &model, settings).await?;
    progress(&format!("peer: {}", peer.build()));
    let engine = engines::embedded(&model).await?;
    let ways = [
        Way::Engine(Arc::clone(&engine)),
        Way::Plain(plain::serve(engine).await?),
        Way::Peer(peer.address()?),
    ];
    let mut rows = Vec::new();
    // The first one fills caches and is not counted.
    let _ = round(&ways, 1, 0).await?;
    for streams in [1, 8, 32] {
        rows.extend(compare(&ways, streams, arguments.rounds).await?);
    }
    Ok(write(&arguments.results, "peer", &rows)?)
}

async fn compare(ways: &[Way; 3], streams: usize, rounds: usize) -> Result<Vec<Row>, Failed> {
    let mut found = Vec::with_capacity(rounds);
    for number in 0..rounds {
        progress(&format!(
            "peer: {streams} streams, round {} of {rounds}",
            number.saturating_add(1)
        ));
        let measured = round(ways, streams, number).await?;
        same_work(&measured, streams)?;
        found.push(measured);
    }
    let pairs = |way: usize, of: fn(&Measured) -> f64| -> Vec<(f64, f64)> {
        let pair = |round: &[Measured; 3]| Some((of(round.get(way)?), of(&round[2])));
        found.iter().filter_map(pair).collect()
    };
    let goal = if streams == 1 { "≥ 1.0" } else { "above 1.0" };
    let mut rows = Vec::new();
    for (way, name) in [(0, "embedded, in process"), (1, "embedded, plain HTTP")] {
        rows.push(Row::ratio(
            format!("tokens per second: {name} ÷ llama.cpp's server, {streams} streams"),
            goal,
            pairs(way, |measured| measured.tokens_per_second),
        ));
        rows.push(Row::ratio(
            format!("time to first token: {name} ÷ llama.cpp's server, {streams} streams"),
            "",
            pairs(way, |measured| measured.first_token),
        ));
    }
    Ok(rows)
}

/// A ratio means something only where all have written as many tokens.
fn same_work(measured: &[Measured; 3], streams: usize) -> Result<(), Failed> {
    let expected = u32::try_from(streams)?.saturating_mul(TOKENS);
    match measured.iter().find(|way| way.tokens != expected) {
        Some(way) => Err(format!("{} tokens instead of {expected}", way.tokens).into()),
        None => Ok(()),
    }
}
