//! The whole check, from lines of a history to verdict and certificate, against brute force on random small
//! histories of every model.
//!
//! Brute force shares nothing with the crate: it tries every order, with its own idea of each model.
//!
//! `cargo test -p checker --test brute` does 120,000. For the night, or for ten million:
//! `ZABCHAOS_FUZZ=10000000 cargo test --release -p checker --test brute -- --ignored --nocapture`.

mod generate;
mod models;

use std::sync::atomic::{AtomicU64, Ordering};

use checker::certificate::{self, Certificate};

use checker::{History, Methods, Model, Op, OpType, Options, Process, Verdict};
use generate::random;
use models::{Act, Kind, brute};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The history that a client of each operation would have left.
fn history(acts: &[Act]) -> History {
    let mut lines: Vec<(u32, usize, bool)> = Vec::new();
    for (id, act) in acts.iter().enumerate() {
        lines.push((act.call, id, true));
        lines.extend(act.ret.map(|ret| (ret, id, false)));
    }
    lines.sort_unstable();
    let ops = (0..).zip(lines).map(|(index, (_, id, invokes))| {
        let act = &acts[id];
        let op_type = if invokes { OpType::Invoke } else { OpType::Ok };
        let value = if invokes { act.input.clone() } else { act.completion() };
        let process = Process::Client(i64::from(act.process));
        Op { value, ..Op::new(index, index * 1000, process, op_type, act.f) }
    });
    let mut history = History::from_ops(ops.collect()).expect("the lines fit together");
    // A pending compare-and-set from null found null.
    history.explicit_cas = true;
    history
}

/// Counted so that a campaign that never said *invalid*, or never took a path, fails.
#[derive(Debug, Default)]
struct Tally {
    valid: AtomicU64,
    invalid: AtomicU64,
    monitors: AtomicU64,
    refused: AtomicU64,
}

fn one(kind: Kind, acts: &[Act], tally: &Tally) {
    let expected = brute(kind, acts);
    let history = history(acts);
    let model = kind.model();
    let methods = [Methods::ALL, Methods::ENGINE];
    for methods in methods {
        let options = Options { methods, threads: 1, ..Options::default() };
        let checked = model.check(&history, &options).expect("the shapes are right");
        match &checked.verdict {
            Verdict::Valid => assert!(expected, "{methods:?} accepts what brute force rejects: {acts:#?}"),
            Verdict::Invalid(why) => {
                assert!(!expected, "{methods:?} rejects what brute force accepts ({why}): {acts:#?}");
            }
            // Histories this small fit every budget, and something succeeded in most.
            Verdict::Unknown(why) => {
                assert!(why.contains("no operation succeeded"), "{methods:?} gives up ({why}): {acts:#?}");
                return;
            }
        }
        let certificate = Certificate::of(&history, model, &checked);
        if let Err(refusal) = certificate::verify(&history, &certificate) {
            assert!(!expected, "the order is refused ({refusal}): {acts:#?}");
            tally.refused.fetch_add(1, Ordering::Relaxed);
            if std::env::var_os("ZABCHAOS_STRICT").is_some() {
                panic!(
                    "{methods:?}: the contradiction is refused ({refusal}): {:?} {acts:#?}",
                    checked.counterexample
                );
            }
        }
        let by_monitor = checked.keys.iter().all(|key| key.method == checker::Method::Monitor);
        tally.monitors.fetch_add(u64::from(by_monitor), Ordering::Relaxed);
    }
    (if expected { &tally.valid } else { &tally.invalid }).fetch_add(1, Ordering::Relaxed);
}

fn campaign(kind: Kind, seed: u64, rounds: u64) -> Tally {
    let tally = Tally::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let tally = &tally;
            scope.spawn(move || {
                let mut rng = ChaCha8Rng::seed_from_u64(seed ^ thread << 32);
                for _ in 0..rounds.div_ceil(threads) {
                    one(kind, &random(kind, &mut rng), tally);
                }
            });
        }
    });
    tally
}

fn assert_exercised(kind: Kind, rounds: u64) {
    let tally = campaign(kind, 41, rounds);
    let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let (valid, invalid, monitors) = (count(&tally.valid), count(&tally.invalid), count(&tally.monitors));
    assert!(valid * 5 > rounds && invalid * 10 > rounds, "{kind:?}: {tally:?}");
    assert!(monitors >= rounds * kind.by_monitor() / 10, "{kind:?}: {tally:?}");
    // Every contradiction has a certificate that is accepted.
    assert_eq!(count(&tally.refused), 0, "{kind:?}: ZABCHAOS_STRICT=1 shows the first one");
}

#[test]
fn unique_registers() {
    assert_exercised(Kind::UniqueRegister, 20_000);
}

#[test]
fn registers_of_few_values() {
    assert_exercised(Kind::Register, 20_000);
}

#[test]
fn counters() {
    assert_exercised(Kind::Counter, 15_000);
}

#[test]
fn lists() {
    assert_exercised(Kind::List, 15_000);
}

#[test]
fn sets() {
    assert_exercised(Kind::Set, 15_000);
}

#[test]
fn elements() {
    assert_exercised(Kind::Element, 10_000);
}

#[test]
fn queues() {
    assert_exercised(Kind::Queue, 15_000);
}

#[test]
fn locks() {
    assert_exercised(Kind::Lock, 10_000);
}

#[test]
fn strings() {
    assert_exercised(Kind::Strings, 10_000);
}

/// `ZABCHAOS_FUZZ` histories over all models; see above.
#[test]
#[ignore = "as long as you like"]
fn more_of_it() {
    let rounds =
        std::env::var("ZABCHAOS_FUZZ").map_or(1_000_000, |n| n.parse().expect("a number of histories"));
    let seed = std::env::var("ZABCHAOS_SEED").map_or(7, |n| n.parse().expect("a seed"));
    for kind in Kind::ALL {
        let tally = campaign(kind, seed, rounds / Kind::ALL.len() as u64);
        println!("{kind:?}: {tally:?}");
    }
}

#[test]
fn every_model_is_fuzzed() {
    let fuzzed: Vec<Model> = Kind::ALL.into_iter().map(Kind::model).collect();
    let missing = Model::ALL.into_iter().find(|model| !fuzzed.contains(model) && *model != Model::Register);
    assert_eq!(missing, None, "a plain register is a cas-register without cas");
}
