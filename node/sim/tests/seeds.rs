//! Drawn worlds: the honest server keeps every promise in each of them, each planted bug breaks one before
//! long, and everything repeats.
//!
//! `SEEDS=N` plays so many, `FROM=N` from this one on. A failure prints its seed; `zabchaos simulate --seed N`
//! plays it again, shrinks it, and writes it as a script.

use std::collections::BTreeSet;
use std::process::Command;
use zab_core::Bug;
use zab_sim::run::{Options, Outcome, Parameters, draw_safely, replay_safely, shrink};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

fn play(seed: u64, bug: Option<Bug>) -> Result<Outcome, String> {
    let parameters = Parameters::draw(seed).with_bug(bug);
    let outcome = draw_safely(&parameters, Options::default());
    match outcome {
        Ok(Outcome { broken: Some((at_us, violation)), .. }) => {
            Err(format!("{} at {at_us} us: {}", violation.property, violation.what))
        }
        Ok(outcome) => Ok(outcome),
        Err(panicked) => Err(format!("{}: {}", panicked.violation.property, panicked.violation.what)),
    }
}

#[test]
fn the_honest_server_keeps_every_promise() {
    let (from, count) = (number("FROM").unwrap_or(0), number("SEEDS").unwrap_or(200));
    let (mut steps, mut faults, mut writes, mut reads, mut moves, mut ops) = (0, 0, 0, 0, 0, 0);
    let mut unknown = Vec::new();
    for seed in from..from + count {
        let outcome = play(seed, None).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        steps += outcome.counters.steps;
        faults += outcome.faults;
        writes += outcome.tally.writes;
        reads += outcome.tally.synced_reads;
        moves += outcome.tally.moves;
        ops += outcome.history.len() as u64 / 2;
        unknown.extend(outcome.unknown.map(|why| (seed, why)));
    }
    println!(
        "{count} seeds: {steps} events, {faults} faults, {ops} operations, {writes} pipelined writes, \
         {reads} synced reads, {moves} moved sessions"
    );
    assert_eq!(unknown, [], "every history is decided");
    assert!(
        steps > 3_000 * count
            && faults > 20 * count
            && writes > 50 * count
            && reads > 20 * count
            && moves > count,
        "the worlds have become vacuous"
    );
}

/// How many seeds each bug may take: some ten times of what it takes on average (docs/SIMULATION.md).
#[test]
fn every_planted_bug_is_caught() {
    for bug in Bug::ALL {
        let caught = (0..400).find_map(|seed| Some((seed, play(seed, Some(bug)).err()?)));
        let (seed, what) = caught.unwrap_or_else(|| panic!("{} survives 400 seeds", bug.name()));
        println!("{:<22} seed {seed}: {what}", bug.name());
    }
}

fn hashes() -> Vec<u64> {
    (0..12).map(|seed| play(seed, None).expect("the honest server").trace_hash).collect()
}

/// Prints what another process has to find too.
#[test]
#[ignore = "the other half of 'the_same_seed_is_the_same_run'"]
fn print_hashes() {
    println!("hashes {:?}", hashes());
}

#[test]
fn the_same_seed_is_the_same_run() {
    let here = hashes();
    assert_eq!(here, hashes(), "twice in one process");
    let me = std::env::current_exe().expect("a test is a program");
    let other = Command::new(me).args(["--exact", "print_hashes", "--ignored", "--nocapture"]).output();
    let said = String::from_utf8(other.expect("it runs once more").stdout).expect("text");
    assert!(said.contains(&format!("hashes {here:?}")), "in another process: {said}");
    let different: BTreeSet<u64> = here.iter().copied().collect();
    assert_eq!(different.len(), here.len(), "seeds differ");
}

#[test]
fn the_list_of_a_runs_steps_repeats_it() {
    for seed in 0..40 {
        let parameters = Parameters::draw(seed);
        let drawn = play(seed, None).expect("the honest server");
        let replayed =
            replay_safely(&parameters, &drawn.steps, Options::default()).expect("the honest server");
        assert_eq!(replayed.trace_hash, drawn.trace_hash, "seed {seed}");
        assert_eq!(replayed.history, drawn.history, "seed {seed}");
    }
}

#[test]
fn failures_shrink_to_a_few_steps_that_fail_alike() {
    for bug in [Bug::SkipEpochCheck, Bug::SkipTruncate, Bug::DoubleApply, Bug::ElectAny] {
        let (parameters, steps, property) = (0..400)
            .find_map(|seed| {
                let parameters = Parameters::draw(seed).with_bug(Some(bug));
                let outcome = draw_safely(&parameters, Options::default()).ok()?;
                let (_, violation) = outcome.broken?;
                Some((parameters, outcome.steps, violation.property))
            })
            .unwrap_or_else(|| panic!("{} survives", bug.name()));
        let shrunk = shrink(&parameters, &steps, property, 2_000).expect("the list repeats the failure");
        println!(
            "{}: {} steps of {} after {} runs",
            bug.name(),
            shrunk.steps.len(),
            steps.len(),
            shrunk.runs
        );
        assert!(!shrunk.gave_up && shrunk.steps.len() <= 40, "{}: {:?}", bug.name(), shrunk.steps);
        let again = replay_safely(&shrunk.parameters, &shrunk.steps, Options::default()).expect("no panic");
        assert_eq!(again.broken.expect("it still fails").1, shrunk.violation);
        let honest = shrunk.parameters.clone().with_bug(None);
        let healthy = replay_safely(&honest, &shrunk.steps, Options::default()).expect("no panic");
        assert_eq!(healthy.broken, None, "{}: without the bug the same steps do no harm", bug.name());
    }
}

/// A world in which nothing goes wrong, with these parameters on top.
fn quiet(words: &[&str]) -> Option<&'static str> {
    let mut parameters = Parameters::draw(1);
    let common = [
        "voters=3",
        "observers=0",
        "tick_ms=100",
        "sync_limit=5",
        "init_limit=5",
        "faults=none",
        "load_ms=500",
    ];
    for word in common.iter().chain(words) {
        parameters.set(word).expect("a parameter");
    }
    draw_safely(&parameters, Options::default())
        .expect("no panic")
        .broken
        .map(|(_, violation)| violation.property)
}

/// The liveness phase says no to worlds that cannot live.
#[test]
fn a_world_that_cannot_recover_or_answer_is_told_so() {
    let usual = ["delay_us=100..1000", "disk_us=0..0", "straggle_permille=0", "op_timeout_ms=1000"];
    assert_eq!(quiet(&usual), None);
    let far = ["delay_us=3000000..3000000", "disk_us=0..0", "straggle_permille=0", "op_timeout_ms=60000"];
    assert_eq!(quiet(&far), Some("Recovers"), "messages take longer than anybody waits");
    let stuck =
        ["delay_us=100..1000", "disk_us=9000000..9000000", "straggle_permille=0", "op_timeout_ms=60000"];
    assert_eq!(quiet(&stuck), Some("Recovers"), "disks take longer than initLimit");
    let hasty = ["delay_us=2000..2000", "disk_us=0..0", "straggle_permille=0", "op_timeout_ms=1"];
    assert_eq!(quiet(&hasty), Some("Answers"), "clients hang up before an answer can be there");
}
