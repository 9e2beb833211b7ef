//! The block lemma against brute force: every order of the blocks, and every order within.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Zone, chain, order};
use crate::{NEVER, Position};

/// An operation: when it was called and when it returned.
type Interval = (Position, Position);

/// A block as steps, each of which is operations in any order.
type Steps = Vec<Vec<Interval>>;

fn zone(step: &[Interval]) -> Zone {
    let mut zone = Zone::EMPTY;
    step.iter().for_each(|&(call, ret)| zone.add(call, ret));
    zone
}

/// The operations can take effect one after the other: none returned before one ahead of it was called.
fn in_real_time(ops: impl IntoIterator<Item = Interval>) -> bool {
    let mut latest_call = 0;
    ops.into_iter().all(|(call, ret)| {
        latest_call = latest_call.max(call);
        latest_call <= ret
    })
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    let insert = |at: usize| shorter.iter().map(move |order| [&order[..at], &[n - 1], &order[at..]].concat());
    (0..n).flat_map(insert).collect()
}

/// Every order of every step; none of the library's own.
fn orders_within(steps: &[Vec<Interval>]) -> Vec<Vec<Interval>> {
    let Some((first, rest)) = steps.split_first() else { return vec![Vec::new()] };
    let rest = orders_within(rest);
    let pick = |order: &Vec<usize>| order.iter().map(|&at| first[at]).collect::<Vec<_>>();
    let heads: Vec<Vec<Interval>> = permutations(first.len()).iter().map(pick).collect();
    heads.iter().flat_map(|head| rest.iter().map(|tail| [head.as_slice(), tail].concat())).collect()
}

/// Up to four blocks of up to two steps of up to two operations; positions are a permutation.
fn random(rng: &mut ChaCha8Rng) -> Vec<Steps> {
    let shape: Vec<Vec<usize>> = (0..rng.random_range(1..=4_usize))
        .map(|_| (0..rng.random_range(1..=2_usize)).map(|_| rng.random_range(1..=2)).collect())
        .collect();
    let n: usize = shape.iter().flatten().sum();
    let mut positions: Vec<Position> = (1..=2 * u32::try_from(n).unwrap()).map(|at| 2 * at).collect();
    // Little concurrency, in the order of the steps or in none.
    let window = rng.random_range(1..=n + 1);
    positions.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
    let mut pairs: Vec<Interval> =
        positions.chunks(2).map(|at| (at[0].min(at[1]), at[0].max(at[1]))).collect();
    let window = rng.random_range(1..=n);
    pairs.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
    for pair in &mut pairs {
        if rng.random_bool(0.1) {
            pair.1 = NEVER;
        }
    }
    let mut pairs = pairs.into_iter();
    let mut step = |&len: &usize| pairs.by_ref().take(len).collect::<Vec<_>>();
    shape.iter().map(|block| block.iter().map(&mut step).collect()).collect()
}

#[test]
fn a_block_is_consistent_exactly_if_some_order_of_its_steps_is() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut good, mut bad) = (0, 0);
    for steps in (0..6_000).flat_map(|_| random(&mut rng)) {
        let possible = orders_within(&steps).into_iter().any(in_real_time);
        match chain(steps.iter().map(|step| zone(step))) {
            Ok(whole) => {
                assert!(possible, "{steps:?}");
                assert_eq!(whole, zone(&steps.concat()));
                good += 1;
            }
            Err((earlier, later)) => {
                assert!(!possible, "{steps:?}");
                assert!(earlier < later && zone(&steps[later]).must_precede(zone(&steps[earlier])));
                bad += 1;
            }
        }
    }
    assert!(good > 1_000 && bad > 1_000, "{good} {bad}");
}

#[test]
fn blocks_have_an_order_exactly_if_no_two_must_precede_each_other() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut good, mut bad) = (0, 0);
    while good + bad < 6_000 {
        let blocks = random(&mut rng);
        // Any consistent order within a block will do: what matters between blocks is f and s.
        let inner: Option<Vec<Vec<Interval>>> = blocks
            .iter()
            .map(|steps| orders_within(steps).into_iter().find(|ops| in_real_time(ops.iter().copied())))
            .collect();
        let Some(inner) = inner else { continue };
        let joined = |ids: &[usize]| in_real_time(ids.iter().flat_map(|&id| inner[id].iter().copied()));
        let possible = permutations(inner.len()).iter().any(|ids| joined(ids));
        let zones: Vec<Zone> = inner.iter().map(|ops| zone(ops)).collect();
        match order(&zones) {
            Ok(ids) => {
                let ids: Vec<usize> = ids.into_iter().map(|id| id as usize).collect();
                assert!(possible && joined(&ids), "{blocks:?} {ids:?}");
                good += 1;
            }
            Err((a, b)) => {
                let (a, b) = (zones[a as usize], zones[b as usize]);
                assert!(!possible && a.must_precede(b) && b.must_precede(a), "{blocks:?}");
                assert!(a.key() <= b.key());
                bad += 1;
            }
        }
    }
    assert!(good > 1_000 && bad > 1_000, "{good} {bad}");
}

#[test]
fn the_initial_state_comes_first() {
    let write = Zone { first_return: 3, last_call: 2 };
    assert_eq!(order(&[write, Zone::INITIAL]), Ok(vec![1, 0]));
    // Read after a write had returned.
    let initial = Zone::INITIAL.join(Zone { first_return: 5, last_call: 4 });
    assert_eq!(order(&[write, initial]), Err((1, 0)));
}

#[test]
fn a_backward_block_goes_before_a_forward_one_that_begins_where_it_does() {
    let backward = Zone { first_return: 10, last_call: 6 };
    let forward = Zone { first_return: 6, last_call: 9 };
    assert_eq!(order(&[forward, backward]), Ok(vec![1, 0]));
}

#[test]
fn sparse_positions_are_sorted_too() {
    let at = |position: Position| Zone { first_return: position + 1, last_call: position };
    let zones = [at(1 << 30), at(4), at(NEVER - 2), at(1 << 20)];
    assert_eq!(order(&zones), Ok(vec![1, 3, 0, 2]));
    assert_eq!(order(&[]), Ok(Vec::new()));
    assert_eq!(chain([]), Ok(Zone::EMPTY));
}
