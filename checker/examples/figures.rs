//! The table of docs/PERFORMANCE.md: `cargo run --release -p checker --example figures`. Medians of five, on one
//! thread, after the history is in memory; and by how much the process grew at most meanwhile. Words choose among the
//! cases; `--files FILE...` takes registers from files instead, and tells the sum.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

#[path = "../benches/checks/cases.rs"]
mod cases;
#[path = "../benches/checks/world.rs"]
mod world;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use checker::formats::load;
use checker::{Methods, Model, Options};

const REPETITIONS: usize = 5;

fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--files", files)) = only.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return of_files(files);
    }
    println!("| history | verdict | decided in | memory beside the history | by |");
    println!("|---|---|---:|---:|---|");
    for case in cases::cases() {
        if !only.is_empty() && !only.iter().any(|word| case.name.contains(word.as_str())) {
            continue;
        }
        let history = case.load.generate();
        let mut times: Vec<Duration> = Vec::new();
        let mut last = None;
        let before = reset_peak_kib();
        for _ in 0..REPETITIONS {
            drop(last.take());
            let began = Instant::now();
            let checked = case.model().check(&history, &case.options()).expect("the shapes are right");
            times.push(began.elapsed());
            case.assert(&checked.verdict);
            last = Some(checked);
        }
        let grown_mib = status_kib("VmHWM").saturating_sub(before) / 1024;
        times.sort_unstable();
        let checked = last.expect("it was checked at least once");
        let by: Vec<String> = {
            let mut methods: Vec<String> =
                checked.keys.iter().map(|key| format!("{:?}", key.method).to_lowercase()).collect();
            methods.sort_unstable();
            methods.dedup();
            methods
        };
        let ms = times[REPETITIONS / 2].as_secs_f64() * 1000.0;
        println!(
            "| {} | {} | {ms:.1} ms | {grown_mib} MiB | {} |",
            case.name,
            checked.verdict.name(),
            by.join(", ")
        );
    }
}

/// The sum over files of registers of the medians, by whatever method is fastest and by the engine alone;
/// verdicts without explanations.
fn of_files(files: &[String]) {
    // Microseconds each: more repetitions, so that the caches are what they are in a long list of files.
    const OFTEN: usize = 101;
    for (name, methods) in [("all methods", Methods::ALL), ("engine", Methods::ENGINE)] {
        let options = Options { threads: 1, methods, max_counterexamples: 0, ..Options::default() };
        let (mut sum, mut valid, mut invalid) = (Duration::ZERO, 0, 0);
        for file in files {
            // An empty file is no history.
            let Ok((_, history)) = load(Path::new(file)) else { continue };
            let once = |_| {
                let began = Instant::now();
                let checked = Model::CasRegister.check(&history, &options).expect("the shapes are right");
                (began.elapsed(), checked.verdict.is_valid())
            };
            let mut times: Vec<(Duration, bool)> = (0..OFTEN).map(once).collect();
            times.sort_unstable();
            sum += times[OFTEN / 2].0;
            *(if times[0].1 { &mut valid } else { &mut invalid }) += 1;
        }
        println!("{name}: {valid} valid, {invalid} not, {:.2} ms in all", sum.as_secs_f64() * 1000.0);
    }
}

/// Begins a new count of the largest size; says the present one. Where there is no such file (not Linux) sizes are 0.
fn reset_peak_kib() -> u64 {
    let _counted_from_here = fs::write("/proc/self/clear_refs", "5");
    status_kib("VmRSS")
}

fn status_kib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
