//! Verifying recorded evidence: in Rust, with AWS-LC, as WebAssembly, and by other
//! verifiers, in turn; and refusing garbage.

use std::path::Path;
use std::process::{Command, ExitCode};

use subrosa_bench::arguments::Arguments;
use subrosa_bench::garbage::judge_with_garbage;
use subrosa_bench::report::{Row, write};
use subrosa_bench::verify::{Worker, good_cases};
use subrosa_bench::{Failed, finish, progress};

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String, Failed> {
    let arguments = Arguments::read(&["EVIDENCE", "RUST", "AWS_LC", "NODE_SCRIPT", "WASM"])?;
    let evidence = arguments.path(0);
    let mut workers = Workers::start(&arguments, &evidence)?;
    let mut rows = Vec::new();
    let mut slowest = Vec::new();
    let mut good = Vec::new();
    for platform in &PLATFORMS {
        let cases = good_cases(&evidence, platform.folder)?;
        let cases = workers.rust.accepted("ours", &cases)?;
        if cases.is_empty() {
            return Err(format!("no good case in {}", platform.folder).into());
        }
        progress(&format!("{}: {} cases", platform.name, cases.len()));
        workers.measure(platform, &cases, arguments.rounds, &mut rows)?;
        if platform.is_part_of_cold {
            // Not a certificate chain or a set of manifests alone.
            let has_report = |case: &&String| evidence.join(case).join("report.bin").is_file();
            let reports: Vec<_> = cases.iter().filter(has_report).cloned().collect();
            slowest.push(workers.slowest(&reports)?);
        }
        good.extend(cases);
    }
    workers.cold(&slowest, arguments.rounds, &mut rows)?;
    drop(workers);
    garbage(&evidence, &good, &mut rows)?;
    Ok(write(&arguments.results, "verify", &rows)?)
}

/// A folder of cases.
struct Platform {
    folder: &'static str,
    name: &'static str,
    peer: Option<&'static str>,
    is_part_of_cold: bool,
}

const fn platform(folder: &'static str, name: &'static str) -> Platform {
    Platform {
        folder,
        name,
        peer: None,
        is_part_of_cold: false,
    }
}

const PLATFORMS: [Platform; 9] = [
    Platform {
        peer: Some("sev"),
        is_part_of_cold: true,
        ..platform("sev-snp", "AMD SEV-SNP")
    },
    Platform {
        peer: Some("dcap-qvl"),
        ..platform("tdx", "Intel TDX")
    },
    Platform {
        peer: Some("dcap-qvl"),
        ..platform("sgx", "Intel SGX")
    },
    Platform {
        is_part_of_cold: true,
        ..platform("nvidia-gpu", "NVIDIA")
    },
    platform("aws-nitro", "AWS Nitro"),
    platform("arm-cca", "Arm CCA"),
    platform("arm-psa", "Arm PSA"),
    platform("azure-vtpm", "Azure vTPM"),
    platform("tpm2", "TPM 2.0"),
];

struct Workers {
    rust: Worker,
    aws_lc: Worker,
    wasm: Worker,
}

impl Workers {
    fn start(arguments: &Arguments, evidence: &Path) -> Result<Self, Failed> {
        let native = |program| {
            let mut command = Command::new(arguments.path(program));
            Worker::start(command.env("SUBROSA_EVIDENCE", evidence))
        };
        let mut node = Command::new("node");
        node.arg(arguments.path(3))
            .arg(evidence)
            .arg(arguments.path(4));
        Ok(Self {
            rust: native(1)?,
            aws_lc: native(2)?,
            wasm: Worker::start(&mut node)?,
        })
    }

    /// Milliseconds of each side in one round, in turn; who goes first changes.
    fn round(
        &mut self,
        turn: usize,
        peer: Option<&str>,
        cases: &[String],
    ) -> Result<Times, Failed> {
        let mut times = Times::default();
        for step in 0..4 {
            match turn.wrapping_add(step) % 4 {
                0 => times.rust = self.rust.ask("ours", 2, cases)?.0,
                1 => times.aws_lc = self.aws_lc.ask("ours", 2, cases)?.0,
                2 => times.wasm = self.wasm.ask("ours", 1, cases)?.0,
                _ => {
                    if let Some(peer) = peer {
                        times.peer = self.rust.ask(peer, 2, cases)?.0;
                    }
                }
            }
        }
        Ok(times)
    }

    fn measure(
        &mut self,
        platform: &Platform,
        cases: &[String],
        rounds: usize,
        rows: &mut Vec<Row>,
    ) -> Result<(), Failed> {
        let name = platform.name;
        let all = (0..rounds)
            .map(|turn| self.round(turn, None, cases))
            .collect::<Result<Vec<_>, _>>()?;
        let count = cases.len();
        push_times(
            &format!("{name}, mean of {count} cases"),
            "",
            "",
            &all,
            rows,
        );
        let Some(peer) = platform.peer else {
            return Ok(());
        };
        // Those that both can read and accept.
        let comparable = self.rust.accepted(peer, cases)?;
        let all = (0..rounds)
            .map(|turn| self.round(turn, Some(peer), &comparable))
            .collect::<Result<Vec<_>, _>>()?;
        let count = comparable.len();
        let pairs = |ours: fn(&Times) -> f64| all.iter().map(|one| (ours(one), one.peer)).collect();
        rows.push(Row::ratio(
            format!("time: {name} in Rust ÷ {peer} ({count} cases)"),
            "below 1",
            pairs(|one| one.rust),
        ));
        rows.push(Row::ratio(
            format!("time: {name} with AWS-LC ÷ {peer} ({count} cases)"),
            "below 1",
            pairs(|one| one.aws_lc),
        ));
        Ok(())
    }

    /// The case that takes longest.
    fn slowest(&mut self, cases: &[String]) -> Result<String, Failed> {
        let mut slowest = (0.0, String::new());
        for case in cases {
            let took = self.rust.ask("ours", 3, core::slice::from_ref(case))?.0;
            if took > slowest.0 {
                slowest = (took, case.clone());
            }
        }
        Ok(slowest.1)
    }

    /// All of `cases` one after the other, as a first verification does.
    fn cold(&mut self, cases: &[String], rounds: usize, rows: &mut Vec<Row>) -> Result<(), Failed> {
        progress(&format!("cold: {}", cases.join(" and ")));
        let mut all = Vec::new();
        for turn in 0..rounds {
            let mut sum = Times::default();
            // One each, since the answer is the mean of those asked for.
            for case in cases {
                let one = self.round(turn, None, core::slice::from_ref(case))?;
                sum.rust += one.rust;
                sum.aws_lc += one.aws_lc;
                sum.wasm += one.wasm;
            }
            all.push(sum);
        }
        let name = "a CPU and a GPU with its manifests, the slowest case of each";
        push_times(name, "5 or less", "40 or less", &all, rows);
        Ok(())
    }
}

/// Milliseconds of one case on each side.
#[derive(Clone, Copy, Default)]
struct Times {
    rust: f64,
    aws_lc: f64,
    wasm: f64,
    peer: f64,
}

fn push_times(name: &str, native_goal: &str, wasm_goal: &str, all: &[Times], rows: &mut Vec<Row>) {
    let of = |side: fn(&Times) -> f64| all.iter().map(|one| (side(one), 0.0)).collect();
    for (side, goal, raw) in [
        ("Rust", native_goal, of(|one| one.rust)),
        ("AWS-LC", native_goal, of(|one| one.aws_lc)),
        ("WebAssembly in Node", wasm_goal, of(|one| one.wasm)),
    ] {
        rows.push(Row::difference(format!("{name}: {side}"), "ms", goal, raw));
    }
}

/// Every file of every good case, replaced by garbage.
fn garbage(evidence: &Path, good: &[String], rows: &mut Vec<Row>) -> Result<(), Failed> {
    let mut rng = rand::rng();
    let (mut refused, mut unread) = (Vec::new(), 0_u32);
    for case in good {
        for outcome in judge_with_garbage(evidence, case, &mut rng)? {
            if outcome.is_accepted {
                unread = unread.saturating_add(1);
            } else {
                refused.push(outcome);
            }
        }
    }
    progress(&format!("garbage in files that no check reads: {unread}"));
    refused.sort_by(|a, b| b.milliseconds.total_cmp(&a.milliseconds));
    for outcome in refused.iter().take(8) {
        progress(&format!("{:.2} ms {}", outcome.milliseconds, outcome.what));
    }
    let most = refused.iter().map(|one| one.mebibytes).fold(0.0, f64::max);
    let (all, one): (Vec<_>, Vec<_>) = refused.iter().partition(|one| one.is_all_garbage);
    for (what, outcomes) in [
        ("evidence that is all garbage", all),
        (
            "one file of good evidence garbage, beyond the time of the good evidence",
            one,
        ),
    ] {
        let longest = outcomes.first().map_or(f64::NAN, |one| one.milliseconds);
        let name = format!("refusing {what}, the slowest of {}", outcomes.len());
        rows.push(Row::single(name, "ms", "10 or less", longest));
    }
    let name = format!("refusing garbage, {} inputs of up to 16 MiB", refused.len());
    let memory = format!("{name}: most memory beside the input");
    rows.push(Row::single(memory, "MiB", "bounded", most));
    Ok(())
}
