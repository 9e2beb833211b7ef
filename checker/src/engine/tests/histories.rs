//! Small random histories, and brute force.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::model::{KvAction, KvMachine, RegAction};
use crate::{LinOp, NEVER, Position};

use RegAction::{Cas, NotEqual, Read, Write};

pub(super) type RegOp = LinOp<RegAction>;

/// Tries every order of every choice of operations without return.
fn any_order<A: Copy, S>(ops: &[LinOp<A>], done: u32, state: &S, step: &impl Fn(&S, A) -> Option<S>) -> bool {
    let todo = |id: usize| done & (1 << id) == 0;
    let left = || (0..ops.len()).filter(|&id| todo(id));
    if left().all(|id| !ops[id].returned()) {
        return true;
    }
    left().any(|id| {
        // Nothing still to come may have returned before this was called.
        if left().any(|other| ops[other].ret < ops[id].call) {
            return false;
        }
        step(state, ops[id].action).is_some_and(|next| any_order(ops, done | 1 << id, &next, step))
    })
}

pub(super) fn brute(ops: &[RegOp]) -> bool {
    any_order(ops, 0, &0, &|&value, action| match action {
        Read(seen) if seen == value => Some(value),
        NotEqual(other) if other != value => Some(value),
        Write(new) => Some(new),
        Cas(old, new) if old == value => Some(new),
        Read(_) | NotEqual(_) | Cas(..) => None,
    })
}

/// What a random history consists of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Three values.
    Few,
    /// Each value is stored once.
    Unique,
    /// Three values, and mostly writes.
    Overwrites,
}

/// Intervals with much or little overlap.
fn intervals(rng: &mut ChaCha8Rng, n: usize) -> Vec<(Position, Position)> {
    let mut order: Vec<Position> = (1..=2 * u32::try_from(n).unwrap()).map(|at| at * 2).collect();
    // Neighbouring positions make little concurrency, shuffled ones a lot.
    let window = rng.random_range(2..=2 * n);
    order.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
    order.chunks(2).map(|pair| (pair[0].min(pair[1]), pair[0].max(pair[1]))).collect()
}

/// Up to seven operations, some without return, linearizable by construction or not.
pub(super) fn random(rng: &mut ChaCha8Rng, kind: Kind) -> Vec<RegOp> {
    let n = rng.random_range(2..=7_usize);
    let (crashes, refusals) = (rng.random_bool(0.5), rng.random_bool(0.4));
    let mut next = 0;
    let mut ops: Vec<RegOp> = intervals(rng, n)
        .into_iter()
        .map(|(call, ret)| {
            next += 1;
            let stored = if kind == Kind::Unique { next } else { rng.random_range(0..3) };
            let writes = if kind == Kind::Overwrites { 8 } else { 6 };
            let action = match rng.random_range(0..10) {
                0..4 => Read(rng.random_range(0..4)),
                at if at < writes => Write(stored),
                9 if refusals => NotEqual(rng.random_range(0..3)),
                _ => Cas(rng.random_range(0..3), stored),
            };
            let ret = if crashes && rng.random_bool(0.3) { NEVER } else { ret };
            RegOp { call, ret, action }
        })
        .collect();
    if rng.random_bool(0.65) {
        make_valid(rng, &mut ops);
        if rng.random_bool(0.5) {
            mutate(rng, &mut ops);
        }
    }
    ops
}

/// Rewrites what was observed to what a register would have answered, each operation taking effect at a
/// random point of its interval (without return: maybe late, maybe never).
pub(super) fn make_valid(rng: &mut ChaCha8Rng, ops: &mut [RegOp]) {
    let mut points: Vec<(f64, usize)> = Vec::new();
    for (id, op) in ops.iter().enumerate() {
        let end = if op.returned() { f64::from(op.ret) } else { f64::from(op.call) + 16.0 };
        if op.returned() || rng.random_bool(0.5) {
            points.push((rng.random_range(f64::from(op.call)..end), id));
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut value = 0;
    for (_, id) in points {
        let action = &mut ops[id].action;
        match *action {
            Read(_) => *action = Read(value),
            NotEqual(other) if other == value => *action = Read(value),
            NotEqual(_) => {}
            Write(new) => value = new,
            Cas(old, new) if old == value => value = new,
            Cas(_, new) if rng.random_bool(0.5) => {
                *action = Cas(value, new);
                value = new;
            }
            Cas(old, _) => *action = NotEqual(old),
        }
    }
}

/// Changes one observation or one interval.
pub(super) fn mutate(rng: &mut ChaCha8Rng, ops: &mut [RegOp]) {
    let id = rng.random_range(0..ops.len());
    let value = rng.random_range(0..4);
    let op = &mut ops[id];
    match op.action {
        Read(_) => op.action = Read(value),
        Cas(_, new) => op.action = Cas(value, new),
        NotEqual(_) => op.action = NotEqual(value),
        Write(_) if op.returned() => op.ret = op.call + 1,
        Write(_) => {}
    }
}

/// An operation on a string: call, return, get or put or append, text.
pub(super) type KvOp = LinOp<(char, &'static str)>;

pub(super) fn brute_kv(ops: &[KvOp]) -> bool {
    any_order(ops, 0, &String::new(), &|value, (f, text)| match f {
        'g' => (text == value).then(|| value.clone()),
        'p' => Some(text.to_owned()),
        _ => Some(format!("{value}{text}")),
    })
}

pub(super) fn random_kv(rng: &mut ChaCha8Rng) -> Vec<KvOp> {
    let texts = ["", "a", "b", "ab", "ba", "aba"];
    let n = rng.random_range(2..=6_usize);
    let puts = rng.random_bool(0.5);
    let crash = rng.random_bool(0.5);
    intervals(rng, n)
        .into_iter()
        .map(|(call, ret)| {
            let f = ['g', if puts { 'p' } else { 'a' }, 'a', 'a'][rng.random_range(0..4)];
            let text = texts[rng.random_range(0..if f == 'g' { 6 } else { 3 })];
            let ret = if crash && rng.random_bool(0.3) { NEVER } else { ret };
            KvOp { call, ret, action: (f, text) }
        })
        .collect()
}

pub(super) fn kv_ops(machine: &mut KvMachine, history: &[KvOp]) -> Vec<LinOp<KvAction>> {
    let op = |&KvOp { call, ret, action: (f, text) }: &KvOp| {
        let id = machine.intern(text);
        let action = match f {
            'g' => KvAction::Get(id),
            'p' => KvAction::Put(id),
            _ => KvAction::Append(id),
        };
        LinOp { call, ret, action }
    };
    history.iter().map(op).collect()
}
