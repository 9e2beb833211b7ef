//! What a core must hold to be a *consequence* of the history: if all operations on the key had an order that
//! explains every result, so would the core. Then a core without an order proves that the history has none.
//!
//! **Cut.** Let T be the last return in the core of an operation that observed something. Take the history as
//! it was known at T: operations called later are not there, and those that return later have not returned:
//! they may take effect, or not. In an order of the whole history every operation takes effect at an instant
//! between its call and its return; those with an instant before T are an order of the history as known at T.
//! ∎ So, below, the history ends at T. (Any T would do. This one keeps every return that can contradict
//! something: what observes nothing fits anywhere.)
//!
//! **Observations** change nothing. Without one of them an order still explains the rest: the core may leave
//! them out. ∎ What remains are *updates*; those that are not in the core are called *left out*. For each
//! object there is a rule on which may be:
//!
//! **Register.** Take an order of the history. At a core operation that found `v`, `v` had been stored by the
//! last update before it, `u`, or was there from the start. `u` had been called before the operation
//! returned, and no completed update lies between them in real time (called after `u` returned, returned
//! before the operation was called), or it would be between them in the order. *Rule: each such source of `v`
//! is in the core.* Now do only the core, in that order. What is found is still there: `u` is in the core,
//! and what came between `u` and its finder were observations. (From the start: then no update came before.)
//! A refused compare-and-set that found another value than `a` may have found what something left out had
//! stored. So it is read as: there was another value, or from here on there is one that equals nothing. That
//! spoils no finding: where `u`'s value is found later, it was there at the refusal too, and was not `a`. ∎ A
//! compare-and-set for which the rule does not hold can stay as a mere write.
//!
//! **List, set, queue.** Take the elements that no update left out is about, and remove all others from every
//! state and every result: adding, removing or taking another element then does nothing, and everything else
//! does to the remaining elements what it did (a queue keeps its order; empty stays empty). So an order of
//! the history becomes one of the core. ∎ *Rule: a core operation is not about an element that an update left
//! out is about too.* A dequeue that never returned may have taken anything. *Rule: each of them is in the
//! core*; there it takes the first remaining element, or, if it took another, does nothing, which is as if it
//! had not happened.
//!
//! **Lock.** If each release follows an acquire of its own (the update before it of the same process is an
//! acquire that completed), then in every order each release comes right after its own acquire, updates only
//! counted. For take the first that does not: `r`, with its own acquire `a`. The update before `r` is another
//! acquire `b` (the lock was held), so `a` is before `b`, and between them a release came right after `a`.
//! That one's own acquire is `a`, as it is before `r`; but each acquire is the own one of one release at
//! most. ∎ So an order is a row of sessions (acquire, release), the last maybe without its release, and
//! without some of the sessions it still is one. *Rule: acquire and release of a session are both in the
//! core, or both left out.* Who found the lock free still does. Who found it held did so in a session: *rule:
//! each session that may have been then (its acquire called before the refusal returned, its release not
//! returned before the refused was called) is in the core.* ∎ If some release follows no acquire of its own,
//! *all updates are in the core*.
//!
//! **Counter.** Let A and B be reads in the core, A before B in the order; A may also be the start, which
//! found 0. What B found more than A is the sum of the additions between them. Those that were called after A
//! returned and returned before B was called certainly are; those that returned before A was called, or were
//! called after B returned, certainly are not; each other may be. *Rule: the difference is outside of all
//! such sums, both for A before B and for B before A,* as far as real time allows either. ∎ This is a
//! contradiction by itself. If there is none, *all updates are in the core*.
//!
//! **String.** *All updates are in the core.*

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::certificate::object::{Action, Model, Op};
use crate::certificate::{Broken, Rule};
use crate::history::Val;
use crate::{NEVER, Position};

/// What must hold if the history has an order.
pub(super) enum Consequence<'a> {
    /// These operations have one. They come in order of their calls.
    Core(Vec<Op<'a>>),
    /// Nothing can: the counts contradict each other.
    Miscount,
}

/// The core as a consequence of the history of its key.
///
/// # Errors
/// When it is none, because of an operation that is not in the core, or has no business in it.
pub(super) fn consequence<'a>(
    model: Model,
    ops: &BTreeMap<u64, Op<'a>>,
    core: &[u64],
) -> Result<Consequence<'a>, Broken> {
    let mut named = BTreeSet::new();
    if let Some(&index) = core.iter().find(|&index| !ops.contains_key(index) || !named.insert(*index)) {
        return Err((Some(index), Rule::Foreign));
    }
    let observed = |op: &&Op<'_>| named.contains(&op.index) && !op.action.is_blind() && op.ret != NEVER;
    let cut = ops.values().filter(observed).map(|op| op.ret).max().unwrap_or(0);
    let known = ops.values().filter(|op| op.call < cut).map(|op| {
        let ret = if op.ret > cut { NEVER } else { op.ret };
        Op { ret, ..op.clone() }
    });
    let (mut core, others): (Vec<Op<'_>>, Vec<Op<'_>>) = known.partition(|op| named.contains(&op.index));
    let left_out: Vec<Op<'_>> = others.into_iter().filter(|op| op.action.updates()).collect();
    match model {
        Model::Counter if !left_out.is_empty() && miscounted(ops, &core) => return Ok(Consequence::Miscount),
        Model::Counter | Model::Kv => none(&left_out, "nothing that changes the key may be left out")?,
        Model::Register => sources(ops, &mut core, &left_out)?,
        Model::List | Model::Set | Model::Queue => project(&mut core, &left_out)?,
        Model::Lock => sessions(&core, &left_out)?,
    }
    core.sort_by_key(|op| op.call);
    Ok(Consequence::Core(core))
}

fn needed(op: &Op<'_>, why: &'static str) -> Broken {
    (Some(op.index), Rule::Needed(why))
}

fn none(left_out: &[Op<'_>], why: &'static str) -> Result<(), Broken> {
    left_out.first().map_or(Ok(()), |op| Err(needed(op, why)))
}

fn sources(ops: &BTreeMap<u64, Op<'_>>, core: &mut [Op<'_>], left_out: &[Op<'_>]) -> Result<(), Broken> {
    for op in core.iter_mut().filter(|_| !left_out.is_empty()) {
        let overwritten = |by: &&Op<'_>| by.action.updates() && by.ret < op.call;
        let overwritten = ops.values().filter(overwritten).map(|by| by.call).max().unwrap_or(0);
        let is_source = |source: &&Op<'_>| {
            let stored = source.action.stored();
            stored == op.action.found() && source.call < op.ret && source.ret >= overwritten
        };
        let source = left_out.iter().find(is_source);
        op.action = match (&op.action, source) {
            (Action::NotEqual(value), _) => Action::Disturbed(*value),
            (Action::Cas(_, new), Some(_)) => Action::Write(*new),
            (_, Some(source)) => return Err(needed(source, "it may be what the core read")),
            (_, None) => continue,
        };
    }
    Ok(())
}

fn project(core: &mut [Op<'_>], left_out: &[Op<'_>]) -> Result<(), Broken> {
    if let Some(op) = left_out.iter().find(|op| op.action == Action::TakeAny) {
        return Err(needed(op, "it may have taken anything"));
    }
    let by_element = left_out.iter().filter_map(|op| Some((op.action.element()?, op)));
    let hidden: BTreeMap<Val, &Op<'_>> = by_element.collect();
    for op in core {
        if let Some(other) = op.action.element().and_then(|element| hidden.get(&element)) {
            return Err(needed(other, "the core is about its element"));
        }
        if let Action::Items(items) = &mut op.action {
            items.retain(|item| !hidden.contains_key(item));
        } else if let Action::Members(members) = &mut op.action {
            members.retain(|member| !hidden.contains_key(member));
        }
    }
    Ok(())
}

fn sessions(core: &[Op<'_>], left_out: &[Op<'_>]) -> Result<(), Broken> {
    let mut updates: Vec<&Op<'_>> = core.iter().filter(|op| op.action.updates()).chain(left_out).collect();
    updates.sort_by_key(|op| op.call);
    // The last update of each process so far, and the release of each acquire.
    let (mut last, mut releases) = (BTreeMap::new(), BTreeMap::new());
    for &op in &updates {
        let before = last.insert(op.process, op);
        if op.action == Action::Release {
            let own = before.filter(|acquire| acquire.action == Action::Acquire && acquire.ret != NEVER);
            let Some(own) = own else { return none(left_out, "some release follows no acquire of its own") };
            releases.insert(own.index, op);
        }
    }
    let left_out: BTreeSet<u64> = left_out.iter().map(|op| op.index).collect();
    let is_out = |op: &Op<'_>| left_out.contains(&op.index);
    for &acquire in updates.iter().filter(|op| op.action == Action::Acquire) {
        let release = releases.get(&acquire.index);
        if let Some(release) = release.filter(|release| is_out(release) != is_out(acquire)) {
            let other = if is_out(acquire) { acquire } else { release };
            return Err(needed(other, "a session is in the core with both its ends"));
        }
        let held_then = |refused: &&Op<'_>| {
            let over = release.is_some_and(|release| release.ret < refused.call);
            refused.action == Action::Held && acquire.call < refused.ret && !over
        };
        if is_out(acquire) && core.iter().any(|op| held_then(&op)) {
            return Err(needed(acquire, "it may be why the lock was found held"));
        }
    }
    Ok(())
}

/// A read of a counter: its interval, and what it found.
struct Reading {
    call: Position,
    ret: Position,
    found: i128,
}

/// Whether two reads contradict each other, or a read and the start.
fn miscounted(ops: &BTreeMap<u64, Op<'_>>, core: &[Op<'_>]) -> bool {
    let mut reads = vec![Reading { call: 0, ret: 0, found: 0 }];
    for op in core {
        if let Action::Count(found) = op.action {
            reads.push(Reading { call: op.call, ret: op.ret, found: found.into() });
        }
    }
    let in_order =
        |a: &Reading, b: &Reading| a.call < b.ret && added_between(ops, a, b).contains(&(b.found - a.found));
    let agree = |a: &Reading, b: &Reading| in_order(a, b) || in_order(b, a);
    reads.len() <= 3 && reads.iter().enumerate().any(|(n, a)| reads[..n].iter().any(|b| !agree(a, b)))
}

/// The least and the most that can have been added between two reads, the first being before the second.
fn added_between(ops: &BTreeMap<u64, Op<'_>>, first: &Reading, second: &Reading) -> RangeInclusive<i128> {
    let (mut least, mut most) = (0, 0);
    for op in ops.values().filter(|op| op.ret > first.call && op.call < second.ret) {
        let Action::Add(number) = op.action else { continue };
        let certain = op.call > first.ret && op.ret < second.call;
        least += if certain { number.into() } else { i128::from(number).min(0) };
        most += if certain { number.into() } else { i128::from(number).max(0) };
    }
    least..=most
}
