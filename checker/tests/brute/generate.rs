//! Random small histories: linearizable by construction, mutated, or made up.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};
use serde_json::{Value, json};

use crate::models::{Act, Kind, apply, initial, observes};

/// One to seven operations.
pub(crate) fn random(kind: Kind, rng: &mut impl Rng) -> Vec<Act> {
    let n = rng.random_range(1..=7_u32);
    let mut order: Vec<u32> = (0..2 * n).collect();
    // Neighbouring positions make little concurrency, shuffled ones a lot.
    let window = rng.random_range(2..=2 * n as usize);
    order.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
    let crash_rate = *[0.0, 0.1, 0.35].choose(rng).expect("not empty");
    let mut next = 0;
    let mut acts: Vec<Act> = (0..n)
        .map(|id| {
            let (a, b) = (order[2 * id as usize], order[2 * id as usize + 1]);
            let (f, input) = invocation(kind, rng, &mut next);
            let ret = (!rng.random_bool(crash_rate)).then_some(a.max(b));
            Act { process: id, call: a.min(b), ret, f, input, output: Value::Null }
        })
        .collect();
    acts.sort_by_key(|act| act.call);
    if kind == Kind::Lock {
        give_sessions(&mut acts);
    }
    answer(kind, rng, &mut acts);
    if rng.random_bool(0.75) {
        (0..rng.random_range(1..4)).for_each(|_| mutate(kind, rng, &mut acts));
    }
    acts
}

/// Who acquires also releases, one after the other, where intervals allow it; others are clients of their own.
fn give_sessions(acts: &mut [Act]) {
    for id in 0..acts.len() {
        if acts[id].f != "release" {
            continue;
        }
        let taken: Vec<u32> = acts.iter().filter(|act| act.f == "release").map(|act| act.process).collect();
        let call = acts[id].call;
        let own = acts.iter().find(|act| {
            act.f == "acquire" && act.ret.is_some_and(|ret| ret < call) && !taken.contains(&act.process)
        });
        if let Some(process) = own.map(|act| act.process) {
            acts[id].process = process;
        }
    }
}

fn invocation(kind: Kind, rng: &mut impl Rng, next: &mut i64) -> (&'static str, Value) {
    let few = |rng: &mut dyn FnMut(i64) -> i64| json!(rng(3));
    let mut below = |n: i64| rng.random_range(0..n);
    let choice = below(10);
    let mut fresh = || {
        *next += 1;
        json!(*next)
    };
    match (kind, choice) {
        (Kind::UniqueRegister | Kind::Register | Kind::Counter | Kind::List | Kind::Set, 0..5) => {
            ("read", Value::Null)
        }
        (Kind::UniqueRegister, 5..8) => ("write", fresh()),
        (Kind::UniqueRegister, _) => ("cas", json!([Value::Null, fresh()])),
        (Kind::Register, 5..8) => ("write", few(&mut below)),
        (Kind::Register, _) => ("cas", json!([few(&mut below), few(&mut below)])),
        // Seldom anything but one, which is what the monitor knows.
        (Kind::Counter, _) => ("add", json!(if below(40) == 0 { below(5) - 2 } else { 1 })),
        (Kind::List, _) => ("append", fresh()),
        (Kind::Set, _) if below(30) == 0 => ("remove", few(&mut below)),
        (Kind::Set, _) => ("add", fresh()),
        (Kind::Element, 0..5) => ("contains", json!(1)),
        (Kind::Element, 5..8) => ("add", json!(1)),
        (Kind::Element, _) => ("remove", json!(1)),
        (Kind::Queue, 0..5) => ("dequeue", Value::Null),
        (Kind::Queue, _) => ("enqueue", fresh()),
        (Kind::Lock, 0..5) => ("acquire", Value::Null),
        (Kind::Lock, _) => ("release", Value::Null),
        (Kind::Strings, 0..4) => ("get", Value::Null),
        (Kind::Strings, 4) => ("put", json!(["", "a", "ab"][usize::try_from(below(3)).expect("small")])),
        (Kind::Strings, _) => ("append", json!(["a", "b"][usize::try_from(below(2)).expect("small")])),
    }
}

/// Answers as an object would have, each operation taking effect at a random point of its interval (without
/// return: maybe late, maybe never). What an object would have refused keeps a made-up answer.
fn answer(kind: Kind, rng: &mut impl Rng, acts: &mut [Act]) {
    let mut points: Vec<(f64, usize)> = Vec::new();
    for (id, act) in acts.iter().enumerate() {
        let end = act.ret.map_or(f64::from(act.call) + 8.0, f64::from);
        if act.ret.is_some() || rng.random_bool(0.5) {
            points.push((rng.random_range(f64::from(act.call)..end), id));
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut state = initial(kind);
    for (_, id) in points {
        if acts[id].f == "cas" && rng.random_bool(0.8) {
            acts[id].input[0] = state.clone();
        }
        if let Some((next, output)) = apply(kind, &state, &acts[id]) {
            acts[id].output = output;
            state = next;
        }
    }
}

/// Changes an answer, a place in time, or what was asked.
fn mutate(kind: Kind, rng: &mut impl Rng, acts: &mut Vec<Act>) {
    let observing: Vec<usize> =
        (0..acts.len()).filter(|&id| observes(acts[id].f) && acts[id].ret.is_some()).collect();
    let any = rng.random_range(0..acts.len());
    let id = if rng.random_bool(0.7) { observing.choose(rng).copied().unwrap_or(any) } else { any };
    match rng.random_range(0..8) {
        0 if acts.len() > 1 => {
            acts.remove(id);
        }
        1..4 => {
            // Takes another's answer: stale, early, or twice.
            let f = acts[id].f;
            let others: Vec<Value> = acts
                .iter()
                .filter(|act| act.f == f && act.ret.is_some())
                .map(|act| act.output.clone())
                .collect();
            if observes(f) && acts[id].ret.is_some() {
                acts[id].output = others.choose(rng).expect("it is one of them itself").clone();
            }
        }
        4..7 if observes(acts[id].f) && acts[id].ret.is_some() => {
            acts[id].output = made_up(kind, rng, &acts[id].output)
        }
        _ => {
            // Swaps places in time with a neighbour.
            let other = rng.random_range(0..acts.len());
            let (a, b) = ((acts[id].call, acts[id].ret), (acts[other].call, acts[other].ret));
            if kind != Kind::Lock && a.1.is_some() == b.1.is_some() {
                (acts[id].call, acts[id].ret) = b;
                (acts[other].call, acts[other].ret) = a;
                acts.sort_by_key(|act| act.call);
            }
        }
    }
}

fn made_up(kind: Kind, rng: &mut impl Rng, now: &Value) -> Value {
    let mut items = now.as_array().cloned().unwrap_or_default();
    match kind {
        Kind::UniqueRegister | Kind::Register | Kind::Queue => {
            [Value::Null, json!(1), json!(2), json!(3)].choose(rng).expect("not empty").clone()
        }
        Kind::Counter => json!(rng.random_range(0..4)),
        Kind::Element | Kind::Lock => json!(rng.random_bool(0.5)),
        Kind::Strings => json!(["", "a", "ab", "ba", "aba"].choose(rng).expect("not empty")),
        Kind::List | Kind::Set => {
            match rng.random_range(0..3) {
                0 => {
                    items.pop();
                }
                1 if !items.is_empty() => {
                    items.remove(rng.random_range(0..items.len()));
                }
                _ => items.push(json!(rng.random_range(1..5))),
            }
            if kind == Kind::Set {
                items.sort_unstable_by_key(Value::as_i64);
                items.dedup();
            }
            items.into()
        }
    }
}
