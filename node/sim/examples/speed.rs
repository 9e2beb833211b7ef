//! How fast worlds go: five servers under load and faults, every property looked at after every step.
//!
//! `cargo run --release -p zab-sim --example speed` prints, for several loads, events a second and how many times
//! faster than real time that is: medians of five runs, one thread.
#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(clippy::disallowed_types, reason = "it measures how long worlds take, outside of them")]

use std::time::Instant;
use zab_sim::run::{Options, Parameters, draw};

const RUNS: u64 = 5;
/// Clients; each rests so long that together they begin so many operations a second.
const WORKERS: u64 = 10;
const LOAD_MS: u64 = 120_000;

fn main() {
    println!(
        "| operations a second | events a second | times faster than real | events in a virtual second |"
    );
    println!("|--:|--:|--:|--:|");
    for rate in [10, 20, 50, 200, 1_000] {
        let mut rows: Vec<(f64, f64, f64)> = (1..=RUNS).map(|seed| measure(rate, seed)).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (events, faster, density) = rows[rows.len() / 2];
        println!("| {rate} | {events:.0} | {faster:.0} | {density:.0} |");
    }
}

fn measure(rate: u64, seed: u64) -> (f64, f64, f64) {
    let mut parameters = Parameters::draw(seed);
    let rest_us = WORKERS * 1_000_000 / rate;
    let words = [
        "voters=5".to_owned(),
        "observers=0".to_owned(),
        "tick_ms=200".to_owned(),
        "init_limit=10".to_owned(),
        "sync_limit=5".to_owned(),
        "snap_count=1000".to_owned(),
        "commit_log_count=500".to_owned(),
        "delay_us=100..1000".to_owned(),
        "straggle_permille=1".to_owned(),
        "straggle_us=50000".to_owned(),
        "disk_us=500..2000".to_owned(),
        "drift_ppm=1000".to_owned(),
        format!("workers={WORKERS}"),
        format!("worker_rest_us={}..{}", rest_us / 2, rest_us * 3 / 2),
        "sessions=0".to_owned(),
        "op_timeout_ms=3000".to_owned(),
        "keys=10".to_owned(),
        "ops_per_key=200".to_owned(),
        format!("load_ms={LOAD_MS}"),
        "fault_every_ms=3000".to_owned(),
        "leader_permille=600".to_owned(),
        "faults=kill:1,pause:1,split:1,one-way:1".to_owned(),
    ];
    for word in &words {
        parameters.set(word).expect("a parameter of a world");
    }
    let began = Instant::now();
    let outcome = draw(&parameters, Options::default());
    let seconds = began.elapsed().as_secs_f64();
    assert!(outcome.broken.is_none(), "{:?}", outcome.broken);
    let (events, virtual_s) = (outcome.counters.steps as f64, outcome.virtual_us as f64 / 1e6);
    (events / seconds, virtual_s / seconds, events / virtual_s)
}
