//! The replay: an order of the returned operations goes through the model, object by object, with updates that never
//! returned put in where somebody saw them. What comes out is an order that explains every output, or the first
//! operation that does not fit.

use super::bridge::Crashed;
use crate::model::Machine;
use crate::{LinOp, Position};

/// Operations with what is known about them, column by column.
pub(super) struct Log<'a, A> {
    pub(super) ops: &'a [LinOp<A>],
    /// Empty: there is one object.
    pub(super) keys: &'a [u32],
    pub(super) update: &'a [bool],
    /// Own stamp, last modification seen, or reached: see [`super::Mode`].
    pub(super) stamps: &'a [Option<u64>],
}

impl<A: Copy> Log<'_, A> {
    pub(super) fn op(&self, id: u32) -> LinOp<A> {
        self.ops[id as usize]
    }

    pub(super) fn key(&self, id: u32) -> u32 {
        self.keys.get(id as usize).copied().unwrap_or(0)
    }

    pub(super) fn is_update(&self, id: u32) -> bool {
        self.update[id as usize]
    }

    pub(super) fn stamp(&self, id: u32) -> Option<u64> {
        self.stamps[id as usize]
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> + use<A> {
        0..u32::try_from(self.ops.len()).expect("a problem holds fewer than 2^32 operations")
    }
}

/// Why an operation does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The state before it allows another outcome only.
    Outcome,
    /// Another update has its stamp.
    Duplicate,
    /// It saw a modification that no update made.
    Missing,
    /// The object was modified after what it saw, before its place.
    Overtaken,
    /// It returned before `other`, which comes before it, was called.
    RealTime,
}

/// The first operation that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) misfit: Misfit,
    pub(super) op: u32,
    /// What it does not fit with: the last update of the object; for real time the operation called too late.
    pub(super) other: Option<u32>,
    /// False: another placement of updates without return might do.
    pub(super) certain: bool,
}

/// The last modification of an object.
#[derive(Clone, Copy, Default)]
struct Last {
    stamp: Option<u64>,
    /// None: made before the history.
    by: Option<u32>,
}

struct Replay<'a, 'l, M: Machine> {
    machine: &'a mut M,
    log: &'a Log<'l, M::Action>,
    exact: bool,
    states: Vec<u32>,
    last: Vec<Last>,
    crashed: Option<Crashed>,
    done: Vec<u32>,
}

/// Replays `order`. `exact`: the stamp of a read must be that of the last modification of its object (else it
/// only says where in the order it belongs). Real time: whatever comes after an operation must not have returned
/// before that one's `since`. Returns the order with updates without return in their places.
pub(super) fn replay<M: Machine>(
    machine: &mut M,
    log: &Log<'_, M::Action>,
    order: &[u32],
    exact: bool,
    since: impl Fn(u32) -> Position,
) -> Result<Vec<u32>, Failure> {
    let keys = log.keys.iter().max().map_or(1, |&key| key as usize + 1);
    let mut replay = Replay {
        states: vec![machine.initial(); keys],
        last: vec![Last::default(); keys],
        crashed: Crashed::of(machine, log),
        done: Vec::with_capacity(order.len()),
        machine,
        log,
        exact,
    };
    let mut latest: (Position, u32) = (0, 0);
    let mut judged = 0;
    let mut before: Option<(u64, u32)> = None;
    for at in 0..order.len() {
        let id = order[at];
        if log.is_update(id) {
            let stamp = log.stamp(id).expect("the caller made sure");
            if let Some((_, other)) = before.filter(|&(last, other)| {
                // The parts of one transaction share call, return and stamp.
                last == stamp && log.op(other).call != log.op(id).call
            }) {
                return Err(replay.failure(Misfit::Duplicate, id, Some(other)));
            }
            before = Some((stamp, id));
            replay.update(stamp, &order[at..])?;
        } else {
            replay.pure(&order[at..])?;
        }
        replay.done.push(id);
        for &id in &replay.done[judged..] {
            if log.op(id).ret < latest.0 {
                return Err(replay.failure(Misfit::RealTime, id, Some(latest.1)));
            }
            latest = latest.max((since(id), id));
        }
        judged = replay.done.len();
    }
    Ok(replay.done)
}

impl<M: Machine> Replay<'_, '_, M> {
    fn failure(&self, misfit: Misfit, op: u32, other: Option<u32>) -> Failure {
        let certain = self.crashed.as_ref().is_none_or(|crashed| crashed.is_certain(self.log.key(op)));
        Failure { misfit, op, other, certain }
    }

    /// Applies the operation if it fits.
    fn step(&mut self, id: u32) -> bool {
        let state = &mut self.states[self.log.key(id) as usize];
        let next = self.machine.step(*state, self.log.op(id).action);
        *state = next.unwrap_or(*state);
        next.is_some()
    }

    /// Puts in updates without return, at least one, after which the first of `ahead` fits; applies that too.
    fn bridge(&mut self, ahead: &[u32]) -> bool {
        let Some(crashed) = &mut self.crashed else { return false };
        let key = self.log.key(ahead[0]) as usize;
        let Some(path) = crashed.bridge(self.machine, self.log, self.states[key], ahead, self.exact) else {
            return false;
        };
        for id in path {
            assert!(self.step(id), "the bridge was walked when it was built");
            self.done.push(id);
        }
        self.last[key].by = self.done.last().copied();
        self.step(ahead[0])
    }

    fn update(&mut self, stamp: u64, ahead: &[u32]) -> Result<(), Failure> {
        let id = ahead[0];
        let key = self.log.key(id) as usize;
        if !self.step(id) && !self.bridge(ahead) {
            return Err(self.failure(Misfit::Outcome, id, self.last[key].by));
        }
        self.last[key] = Last { stamp: Some(stamp), by: Some(id) };
        Ok(())
    }

    fn pure(&mut self, ahead: &[u32]) -> Result<(), Failure> {
        let id = ahead[0];
        let key = self.log.key(id) as usize;
        let last = self.last[key];
        let Some(stamp) = self.log.stamp(id) else {
            // Nothing is known of its place, so nothing is certain if it does not fit there.
            let unplaced = Failure { misfit: Misfit::Outcome, op: id, other: last.by, certain: false };
            return if self.step(id) { Ok(()) } else { Err(unplaced) };
        };
        let same = last.stamp == Some(stamp) && last.by.is_some();
        if !self.exact || same {
            // The state at a stamp that an update has is the one it left.
            let fits = self.step(id) || (!same && self.bridge(ahead));
            return if fits { Ok(()) } else { Err(self.failure(Misfit::Outcome, id, last.by)) };
        }
        if last.stamp.is_some_and(|last| last > stamp) {
            return Err(self.failure(Misfit::Overtaken, id, last.by));
        }
        // What an object was like before the history was left by an update that is not in it.
        let untouched = last.by.is_none() && last.stamp.is_none_or(|last| last == stamp);
        if untouched && self.step(id) {
            self.last[key].stamp = Some(stamp);
            return Ok(());
        }
        if !self.bridge(ahead) {
            return Err(self.failure(Misfit::Missing, id, last.by));
        }
        self.last[key].stamp = Some(stamp);
        Ok(())
    }
}
