//! Every transition is reached by drawn worlds, but for those that no honest world can reach.

use std::thread;
use zab_sim::coverage::Coverage;
use zab_sim::run::{Options, Parameters, draw};

/// The rarest transitions occur in about one of a thousand worlds.
const SEEDS: u64 = 8_000;

fn cover(seeds: impl Iterator<Item = u64>) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        let outcome = draw(&Parameters::draw(seed), Options::default());
        assert_eq!(outcome.broken, None, "seed {seed}");
        coverage.add(&outcome.reached);
    }
    coverage
}

#[test]
#[ignore = "8,000 worlds: a minute in a release build; .ci/run runs it"]
fn every_possible_transition_is_reached() {
    let coverage = thread::scope(|scope| {
        let other = scope.spawn(|| cover((1..SEEDS).step_by(2)));
        let mut coverage = cover((0..SEEDS).step_by(2));
        coverage.merge(&other.join().expect("the other half"));
        coverage
    });
    for (name, branch, times, runs) in coverage.rows() {
        println!("{name:<28} {branch:<60} {times:>9} in {runs} worlds");
    }
    assert_eq!(coverage.missing(), []);
    assert_eq!(coverage.surprises(), []);
}

/// A few worlds reach the bulk of them.
#[test]
fn a_hundred_worlds_reach_most_transitions() {
    let coverage = cover(0..100);
    assert!(coverage.missing().len() <= 8, "{:?}", coverage.missing());
    assert_eq!(coverage.surprises(), []);
}
