//! Random histories of a replicated store that keeps ZooKeeper's promise, and small lies about them.

use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Case, is_update};
use crate::model::RegAction::{self, Cas, NotEqual, Read, Write};
use crate::stamps::Mode;
use crate::{LinOp, NEVER};

#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) mode: Mode,
    pub(super) keys: u32,
    pub(super) unique: bool,
    pub(super) crashes: bool,
    /// Reads may be stale.
    pub(super) stale: bool,
    /// Some reads come after a sync.
    pub(super) syncs: bool,
}

/// An operation in progress.
#[derive(Clone, Copy)]
struct Open {
    id: usize,
    effective: bool,
    returns: bool,
}

struct Store {
    zxid: u64,
    /// (zxid, key, value), ascending.
    log: Vec<(u64, u32, u32)>,
    next_value: u32,
}

impl Store {
    /// Value and last modification of a key at a zxid.
    fn at(&self, key: u32, zxid: u64) -> (u32, u64) {
        let last = self.log.iter().rev().find(|entry| entry.0 <= zxid && entry.1 == key);
        last.map_or((0, 0), |&(zxid, _, value)| (value, zxid))
    }
}

/// A history of at most `most` operations, true in every respect.
pub(super) fn honest(rng: &mut ChaCha8Rng, shape: Shape, most: usize) -> Case {
    let n = rng.random_range(1..=most);
    let clients = rng.random_range(1..=4_usize);
    let mut store = Store { zxid: 0, log: Vec::new(), next_value: 0 };
    let mut case = Case::default();
    let mut session: Vec<i64> = (0..4).collect();
    let mut seen = [0_u64; 4];
    // The client's own operation, and what crashed ones left behind.
    let mut open: Vec<Option<Open>> = vec![None; clients];
    let mut adrift: Vec<Open> = Vec::new();
    let mut position = 0;
    while case.ops.len() < n || open.iter().any(Option::is_some) {
        let client = rng.random_range(0..clients);
        match open[client] {
            None if case.ops.len() < n => {
                position += 2;
                open[client] = Some(call(rng, shape, &mut case, &mut store, session[client], position));
            }
            None => {}
            Some(pending) if !pending.returns && rng.random_bool(0.5) => {
                adrift.push(pending);
                open[client] = None;
                session[client] += 4;
                seen[client] = 0;
            }
            Some(pending) if !pending.effective => {
                seen[client] = effect(rng, shape, &mut case, &mut store, pending.id, seen[client]);
                open[client] = Some(Open { effective: true, ..pending });
            }
            Some(pending) if pending.returns => {
                position += 2;
                case.ops[pending.id].ret = position;
                open[client] = None;
            }
            Some(_) => {}
        }
        if let Some(late) = adrift.pop_if(|_| rng.random_bool(0.2))
            && !late.effective
        {
            effect(rng, shape, &mut case, &mut store, late.id, 0);
        }
    }
    for id in 0..n {
        // What never returned told nothing.
        if !case.ops[id].returned() {
            case.stamps[id] = None;
        }
    }
    case
}

fn call(
    rng: &mut ChaCha8Rng,
    shape: Shape,
    case: &mut Case,
    store: &mut Store,
    session: i64,
    position: u32,
) -> Open {
    let fresh = if shape.unique {
        store.next_value += 1;
        store.next_value
    } else {
        rng.random_range(1..4)
    };
    let action = match rng.random_range(0..10) {
        0..5 => Read(0),
        5..8 => Write(fresh),
        8 => Cas(0, fresh),
        _ => NotEqual(rng.random_range(0..4)),
    };
    let id = case.ops.len();
    let crashes = shape.crashes && rng.random_bool(0.3);
    case.ops.push(LinOp { call: position, ret: NEVER, action });
    case.keys.push(rng.random_range(0..shape.keys));
    case.sessions.push(session);
    case.stamps.push(None);
    case.update.push(is_update(action));
    let current = !is_update(action) && (!shape.stale || (shape.syncs && rng.random_bool(0.4)));
    case.since.push(if current { position } else { 0 });
    Open { id, effective: false, returns: !crashes }
}

/// Returns the zxid that the session has seen.
fn effect(
    rng: &mut ChaCha8Rng,
    shape: Shape,
    case: &mut Case,
    store: &mut Store,
    id: usize,
    seen: u64,
) -> u64 {
    let key = case.keys[id];
    let stale = !case.update[id] && case.since[id] == 0;
    let at = if stale { rng.random_range(seen..=store.zxid) } else { store.zxid };
    let (value, modified) = store.at(key, at);
    let action = &mut case.ops[id].action;
    match action {
        Read(found) => *found = value,
        NotEqual(other) if *other == value => *action = Read(value),
        Cas(old, _) => *old = value,
        NotEqual(_) | Write(_) => {}
    }
    if let Some(new) = action.stores() {
        store.zxid += if rng.random_bool(0.1) { 1 << 32 } else { 1 };
        store.log.push((store.zxid, key, new));
        case.stamps[id] = Some(store.zxid);
        return store.zxid;
    }
    case.stamps[id] = match shape.mode {
        Mode::LastModified => Some(modified),
        Mode::Reached => Some(at),
        Mode::Values => None,
    };
    at
}

/// One small lie.
pub(super) fn lie(rng: &mut ChaCha8Rng, case: &mut Case) {
    let n = case.ops.len();
    let (a, b) = (rng.random_range(0..n), rng.random_range(0..n));
    match rng.random_range(0..5) {
        0 if case.stamps[a].min(case.stamps[b]) > Some(0) => case.stamps.swap(a, b),
        1 => {
            let least = u64::from(case.update[a]);
            let moved = |stamp: u64| (stamp + rng.random_range(0..4)).saturating_sub(2).max(least);
            case.stamps[a] = case.stamps[a].map(moved);
        }
        2 => case.ops[a].action = mutated(rng, case.ops[a].action),
        3 => case.sessions[a] = case.sessions[b],
        _ => {
            // Other intervals, in the same order of calls.
            let mut slots: Vec<u32> =
                case.ops.iter().flat_map(|op| [op.call, op.ret]).filter(|&at| at != NEVER).collect();
            slots.sort_unstable();
            let window = rng.random_range(2..=4);
            let mut moved = slots.clone();
            moved.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
            let to = |at: u32| slots.iter().position(|&slot| slot == at).map_or(NEVER, |place| moved[place]);
            for (op, since) in case.ops.iter_mut().zip(&mut case.since) {
                let (call, ret) = (to(op.call), to(op.ret));
                (op.call, op.ret) = (call.min(ret), if ret == NEVER { ret } else { call.max(ret) });
                *since = if *since > 0 { op.call } else { 0 };
            }
        }
    }
}

fn mutated(rng: &mut ChaCha8Rng, action: RegAction) -> RegAction {
    match action {
        Read(_) => Read(rng.random_range(0..4)),
        NotEqual(_) => NotEqual(rng.random_range(0..4)),
        Cas(_, new) => Cas(rng.random_range(0..4), new),
        Write(_) => action,
    }
}
