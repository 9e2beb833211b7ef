//! Brute force: tries every order of every choice of operations without return, with its own idea of a register and
//! its own reading of the rules.

use std::collections::HashSet;

use super::{Case, is_update};
use crate::model::RegAction::{Cas, NotEqual, Read, Write};
use crate::stamps::Mode;

/// What is known of the last modification of an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Last {
    /// None yet; the stamp that somebody saw.
    Before(Option<u64>),
    At(u64),
    /// By an update without return, whose stamp is between these.
    Between(u64, u64),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    done: u32,
    values: [u32; 3],
    last: [Last; 3],
    /// Highest stamp of an update so far, of anything so far.
    updates: u64,
    highest: u64,
    /// Stamps must now be above this: an update without return has one in between.
    above: Option<u64>,
}

/// Whether an order exists that obeys the rules, and the stamps as `mode` reads them (none: not at all).
pub(super) fn brute(case: &Case, mode: Option<Mode>) -> bool {
    let start =
        Node { done: 0, values: [0; 3], last: [Last::Before(None); 3], updates: 0, highest: 0, above: None };
    go(case, mode, start, &mut HashSet::new())
}

fn go(case: &Case, mode: Option<Mode>, node: Node, dead: &mut HashSet<Node>) -> bool {
    let left = || (0..case.ops.len()).filter(|&id| node.done & (1 << id) == 0);
    if left().all(|id| !case.ops[id].returned()) {
        return true;
    }
    if dead.contains(&node) {
        return false;
    }
    let counts = |&id: &usize| case.ops[id].returned() || is_update(case.ops[id].action);
    let found = left().filter(counts).any(|id| {
        let next = may_come_next(case, mode, &node, id).then(|| after(case, mode, node.clone(), id));
        next.flatten().is_some_and(|next| go(case, mode, next, dead))
    });
    if !found {
        dead.insert(node);
    }
    found
}

/// Nothing that is left has to come before.
fn may_come_next(case: &Case, mode: Option<Mode>, node: &Node, id: usize) -> bool {
    let op = case.ops[id];
    let update = is_update(op.action);
    let since = if update { op.call } else { case.since[id] };
    (0..case.ops.len()).filter(|&other| other != id && node.done & (1 << other) == 0).all(|other| {
        let before = case.ops[other];
        let issued_before = case.sessions[other] == case.sessions[id] && op.returned() && before.ret < op.ret;
        let lower_stamp = before.returned()
            && op.returned()
            && update
            && is_update(before.action)
            && case.stamps[other] <= case.stamps[id]
            && mode.is_some();
        before.ret >= since && !issued_before && !lower_stamp
    })
}

fn after(case: &Case, mode: Option<Mode>, mut node: Node, id: usize) -> Option<Node> {
    let op = case.ops[id];
    let key = case.keys[id] as usize;
    let value = &mut node.values[key];
    match op.action {
        Read(seen) if seen == *value => {}
        NotEqual(other) if other != *value => {}
        Write(new) => *value = new,
        Cas(old, new) if old == *value => *value = new,
        Read(_) | NotEqual(_) | Cas(..) => return None,
    }
    node.done |= 1 << id;
    let Some(mode) = mode else { return Some(node) };
    let update = is_update(op.action);
    let last = &mut node.last[key];
    if update && !op.returned() {
        let seen = match *last {
            Last::Before(seen) => seen.unwrap_or(0),
            Last::At(stamp) | Last::Between(stamp, _) => stamp,
        };
        *last = Last::Between(seen.max(node.updates), u64::MAX);
        node.above = Some(node.highest);
        return Some(node);
    }
    let stamp = case.stamps[id];
    match mode {
        Mode::Values if !update => return Some(node),
        Mode::LastModified if !update => {
            let stamp = stamp.unwrap();
            // What it saw happened after all updates with lower stamps.
            if lower_left(case, node.done, stamp) {
                return None;
            }
            *last = match *last {
                Last::Before(None) => Last::Before(Some(stamp)),
                Last::Between(floor, ceiling) if floor < stamp && stamp < ceiling => Last::At(stamp),
                same @ (Last::Before(Some(at)) | Last::At(at)) if at == stamp => same,
                Last::Before(_) | Last::Between(..) | Last::At(_) => return None,
            };
            return Some(node);
        }
        Mode::LastModified | Mode::Values | Mode::Reached => {}
    }
    let stamp = stamp.unwrap();
    if mode == Mode::Reached {
        if stamp < node.highest
            || node.above.is_some_and(|above| stamp <= above)
            || (update && stamp == node.highest && node.done.count_ones() > 1)
        {
            return None;
        }
        if !update && lower_left(case, node.done, stamp) {
            return None;
        }
        node.highest = stamp;
    }
    if update {
        let known = match *last {
            Last::Before(seen) => seen,
            Last::At(at) | Last::Between(at, _) => Some(at),
        };
        if stamp <= node.updates || known.is_some_and(|known| mode == Mode::LastModified && stamp <= known) {
            return None;
        }
        node.updates = stamp;
        *last = Last::At(stamp);
        for last in &mut node.last {
            if let Last::Between(_, ceiling) = last {
                *ceiling = stamp.min(*ceiling);
            }
        }
    }
    Some(node)
}

fn is_returned_update(case: &Case, id: usize) -> bool {
    case.ops[id].returned() && is_update(case.ops[id].action)
}

/// Some update up to this stamp is still to come.
fn lower_left(case: &Case, done: u32, stamp: u64) -> bool {
    (0..case.ops.len()).any(|other| {
        is_returned_update(case, other) && done & (1 << other) == 0 && case.stamps[other].unwrap() <= stamp
    })
}
