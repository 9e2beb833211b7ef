//! The verifier against brute force: whatever it accepts is true.

mod files;
mod world;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Class;
use crate::certificate::{Certificate, KeyCertificate, complete, verify};
use crate::history::History;
use world::{MODELS, World};

fn valid(model: &str, order: &[u64]) -> Certificate {
    Certificate::new(model, vec![KeyCertificate::valid("", order.to_vec())])
}

fn invalid(model: &str, core: &[u64]) -> Certificate {
    Certificate::new(model, vec![KeyCertificate::invalid("", Class::Other, core.to_vec(), "")])
}

/// A history that is linearizable, or nearly.
fn random(rng: &mut ChaCha8Rng, model: &'static str, most: usize) -> World {
    let n = rng.random_range(2..=most);
    let mut world = World::simulate(rng, model, n);
    for _ in 0..[0, 1, 2, 3].choose(rng).copied().unwrap_or(0) {
        world.mutate(rng);
    }
    world
}

/// Tries random cores of random histories. Returns how many were accepted, of true ones and in all.
fn attack(rng: &mut ChaCha8Rng, model: &'static str, histories: u32, most: usize) -> Figures {
    let mut figures = Figures::default();
    for _ in 0..histories {
        let world = random(rng, model, most);
        let history = world.history(None);
        let linearizable = world.an_order().is_some();
        let all: Vec<u64> = history.calls().map(|call| call.index_invoke()).collect();
        figures.invalid += u32::from(!linearizable);
        let whole = verify(&history, &invalid(model, &all)).is_ok();
        assert_eq!(whole, !linearizable, "the whole history as core: {world:#?}");
        let kept = [0.3, 0.5, 0.7, 0.9].choose(rng).copied().unwrap_or(0.5);
        for _ in 0..10 {
            let core: Vec<u64> = all.iter().copied().filter(|_| rng.random_bool(kept)).collect();
            let accepted = verify(&history, &invalid(model, &core)).is_ok();
            assert!(!accepted || !linearizable, "core {core:?} of {world:#?}");
            figures.cores += 1;
            figures.accepted += u32::from(accepted);
            if let Ok(core) = complete(&history, model, "", &core) {
                assert!(!linearizable, "completed core {core:?} of {world:#?}");
                assert!(verify(&history, &invalid(model, &core)).is_ok());
                figures.completed += 1;
            }
        }
        if !linearizable {
            figures.operations += all.len();
            figures.minimal += shrunk(&history, model, all).len();
        }
    }
    figures
}

#[derive(Debug, Default)]
struct Figures {
    /// Histories that are not linearizable.
    invalid: u32,
    cores: u32,
    accepted: u32,
    completed: u32,
    /// Of the invalid histories.
    operations: usize,
    /// Of cores of them from which nothing can be left out.
    minimal: usize,
}

/// Leaves out operations while the verifier accepts the rest.
fn shrunk(history: &History, model: &str, mut core: Vec<u64>) -> Vec<u64> {
    let mut at = 0;
    while at < core.len() {
        let mut less = core.clone();
        less.remove(at);
        if verify(history, &invalid(model, &less)).is_ok() {
            (core, at) = (less, 0);
        } else {
            at += 1;
        }
    }
    core
}

#[test]
fn no_core_of_a_linearizable_history_is_accepted() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for model in MODELS {
        let figures = attack(&mut rng, model, 1_000, 6);
        assert!(figures.invalid > 60 && figures.accepted > 200, "{model}: {figures:?}");
        assert!(figures.completed > figures.accepted, "{model}: {figures:?}");
        assert!(figures.minimal < figures.operations, "{model}: {figures:?}");
    }
}

#[test]
#[ignore = "minutes: millions of cores, in release"]
fn no_core_of_a_linearizable_history_is_accepted_in_millions() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for model in MODELS {
        println!("{model}: {:?}", attack(&mut rng, model, 40_000, 7));
    }
}

#[test]
fn an_order_is_accepted_exactly_if_it_explains_the_history() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for model in MODELS {
        let (mut accepted, mut refused) = (0, 0);
        for _ in 0..1_200 {
            let world = random(&mut rng, model, 6);
            let history = world.history(None);
            let order = world.an_order();
            let mut order = order.unwrap_or_else(|| world.ops.iter().map(|op| op.call).collect());
            for _ in 0..6 {
                let explains = world.is_explained_by(&order);
                let verified = verify(&history, &valid(model, &order));
                assert_eq!(verified.is_ok(), explains, "{verified:?} of {order:?} of {world:#?}");
                if explains {
                    accepted += 1
                } else {
                    refused += 1
                }
                tamper(&mut rng, &world, &mut order);
            }
        }
        assert!(accepted > 1_000 && refused > 1_000, "{model}: {accepted} accepted, {refused} refused");
    }
}

fn tamper(rng: &mut ChaCha8Rng, world: &World, order: &mut Vec<u64>) {
    let place = |rng: &mut ChaCha8Rng, order: &[u64]| rng.random_range(0..order.len().max(1));
    let (a, b) = (place(rng, order), place(rng, order));
    match rng.random_range(0..6) {
        0..2 if !order.is_empty() => order.swap(a, b),
        2 if !order.is_empty() => drop(order.remove(a)),
        3 if !order.is_empty() => order.insert(b, order[a]),
        4 => order.insert(a.min(order.len()), rng.random_range(0..20)),
        5 => order.shuffle(rng),
        _ => order.extend(world.ops.choose(rng).map(|op| op.call)),
    }
}

#[test]
fn the_verifier_can_be_read_whole() {
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//") && !line.starts_with("use ")
    };
    let lines = include_str!("../verify.rs").lines().filter(is_code).count();
    assert!(lines < 60, "{lines} lines of code");
}
