//! The times of turns against brute force (every choice of times), also after changes in place.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Due, Turns, Window};
use crate::{NEVER, Position};

/// An operation that observed *not in this turn*, from its call to its return.
type Try = (usize, Position, Position);

/// Events have even positions up to this one; times are odd.
const END: Position = 16;

fn random_window(rng: &mut ChaCha8Rng) -> Window {
    let after = 2 * rng.random_range(0..END / 2);
    let before = if rng.random_bool(0.2) { NEVER } else { 2 * rng.random_range(after / 2 + 1..=END / 2) };
    Window { after, before }
}

fn random_tries(rng: &mut ChaCha8Rng, turns: usize) -> Vec<Try> {
    let one = |_| {
        let call = 2 * rng.random_range(1..END / 2);
        (rng.random_range(0..turns), call, 2 * rng.random_range(call / 2 + 1..=END / 2))
    };
    (0..4).map(one).collect()
}

/// Tries all odd times, up to one later than everything, for one turn after the other.
fn brute(windows: &[Window], tries: &[Try], begins: &mut Vec<Position>) -> bool {
    if begins.len() == windows.len() {
        let begin = |turn: usize| begins.get(turn).copied().unwrap_or(NEVER);
        return tries.iter().all(|&(turn, call, ret)| call < begin(turn) || begin(turn + 1) < ret);
    }
    let Window { after, before } = windows[begins.len()];
    let earliest = begins.last().copied().unwrap_or(0);
    (1..=END + 1).step_by(2).filter(|&at| at >= earliest && after < at && at < before).any(|at| {
        begins.push(at);
        let found = brute(windows, tries, begins);
        begins.pop();
        found
    })
}

fn run(turns: &mut Turns, tries: &[Try]) -> bool {
    let called =
        |turn: usize, at: Position| tries.iter().filter(move |&&(of, call, _)| of == turn && call >= at);
    let due = |turn: usize, at: Position| {
        called(turn, at).map(|&(op, _, ret)| Due { ret, op: u32::try_from(op).unwrap() })
    };
    let decided = turns.run(|turn, at| due(turn, at).min().unwrap_or(Due::NEVER)).is_ok();
    if decided {
        assert!(turns.begins().is_sorted());
    }
    decided
}

#[test]
fn turns_find_times_exactly_if_there_are_any() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let first = Window { after: 0, before: 0 };
    let (mut found, mut stuck) = (0, 0);
    for _ in 0..6_000 {
        let mut windows: Vec<Window> = (0..rng.random_range(0..4)).map(|_| random_window(&mut rng)).collect();
        windows.insert(0, first);
        let mut turns = Turns::new(windows.clone());
        let tries = random_tries(&mut rng, windows.len() + 1);
        run(&mut turns, &tries);
        // Change a turn, insert one, take one out.
        if windows.len() > 1 && rng.random_bool(0.5) {
            let turn = rng.random_range(1..windows.len());
            windows[turn] = random_window(&mut rng);
            turns.replace(turn, &windows[turn..=turn]);
            run(&mut turns, &tries);
        }
        if rng.random_bool(0.5) {
            let turn = rng.random_range(1..=windows.len());
            windows.insert(turn, random_window(&mut rng));
            turns.insert(turn);
            turns.replace(turn, &windows[turn..=turn]);
            run(&mut turns, &tries);
        }
        if windows.len() > 1 && rng.random_bool(0.5) {
            let turn = rng.random_range(1..windows.len());
            windows.remove(turn);
            turns.remove(turn);
            turns.replace(turn, &[]);
        }
        let possible = brute(&windows, &tries, &mut vec![0]);
        assert_eq!(run(&mut turns, &tries), possible, "{windows:?} {tries:?}");
        *(if possible { &mut found } else { &mut stuck }) += 1;
    }
    assert!(found > 1_000 && stuck > 1_000, "{found} {stuck}");
}
