//! Ordered sequential consistency, the promise ZooKeeper makes (its documentation calls it OSC(U)): there is one order
//! of all operations in which
//!
//! 1. every outcome is explained, object by object;
//! 2. the operations of a session come in the order in which it issued them, so its view never goes back
//!    and it reads its own writes;
//! 3. whatever returned before an *update* was called comes before that update: updates are linearizable among
//!    themselves, and nobody reads from the future;
//! 4. and, for a read that must be current because a `sync` came before it, whatever returned before that sync was
//!    called comes before the read. ZooKeeper does not quite promise this one.
//!
//! All else about reads is free: they may be stale by any amount, as long as their session goes forward.
//!
//! With the stamps of the updates the order of updates is given. What is left is to place the reads, each as early as
//! its bounds allow, to replay, and to look for real time in one sweep. The order that comes out is the proof.
//! Without stamps on updates the question is as hard as sequential consistency (NP-complete), and left open.

use std::collections::HashMap;

use super::certify::{AMBIGUOUS, inapplicable, sentence};
use super::place::{Places, order, places};
use super::replay::{Failure, Log, Misfit, replay};
use super::resolve::{Unresolved, by_values};
use super::{Finding, Mode, shown};
use crate::decision::Piece;
use crate::model::Machine;
use crate::{LinOp, NEVER, Position};

/// The operations of a history on all objects, column by column.
#[derive(Debug, Clone, Copy)]
pub struct OscInput<'a, A> {
    /// Calls, returns and actions.
    pub ops: &'a [LinOp<A>],
    /// The object, counted from 0. Each starts in the machine's initial state.
    pub keys: &'a [u32],
    /// The session. One process that opens a second session must show as two: a new session may see an older state. A
    /// session's replies come in the order of its requests, so the order of its returns is the order of issue.
    pub sessions: &'a [i64],
    /// Stamps as the mode says; those of operations without return are not looked at.
    pub stamps: &'a [Option<u64>],
    /// True for what has a stamp of its own.
    pub update: &'a [bool],
    /// For reads: what returned before this position must be seen. The read's own call where it must be
    /// linearizable, the call of the sync before it where there was one ([`since_syncs`]), 0 where it may be stale.
    /// Empty: all reads may be stale.
    pub since: &'a [Position],
    /// What the stamps of reads say.
    pub mode: Mode,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OscReport {
    /// The answer.
    pub decision: OscDecision,
    /// Reads that are allowed, but returned what had been overwritten before they were called; filled where the plain
    /// promise (rules 1 to 3) holds.
    pub stale: Vec<Stale>,
}

impl OscReport {
    /// How many reads were stale, but allowed.
    #[must_use]
    pub fn stale_but_allowed(&self) -> u64 {
        self.stale.len() as u64
    }

    /// The stalest read. `lag` tells how much later the first operation was called than the second returned; positions
    /// have no unit, so only the caller knows.
    pub fn stalest(&self, lag: impl Fn(u32, u32) -> u64) -> Option<Stale> {
        self.stale.iter().copied().max_by_key(|stale| lag(stale.read, stale.known_by))
    }
}

/// The answer of the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OscDecision {
    /// This order (indices into the input) obeys all four rules. Updates without return that do not appear never took
    /// effect.
    Valid(Vec<u32>),
    /// No order does, given the order of the stamps.
    Violation(Finding<OscKind>),
    /// Not decided, for the reason given.
    Open(&'static str),
}

/// What was violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OscKind {
    /// In the order of stamps an operation cannot have had its outcome.
    Outcome,
    /// Two updates have the same stamp.
    Duplicate,
    /// A read saw what no update left.
    Phantom,
    /// An update returned before one with a lower stamp was called.
    UpdateOrder,
    /// A read saw an update that was called only when the read had returned.
    Future,
    /// A session saw a state older than one it had seen.
    WentBack,
    /// A session did not see its own update.
    OwnWrite,
    /// A read after a sync missed what had returned before that sync. Everything else holds.
    StaleAfterSync,
}

impl OscKind {
    /// The name in plain words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcome => "wrong outcome",
            Self::Duplicate => "stamp given out twice",
            Self::Phantom => "phantom read",
            Self::UpdateOrder => "updates out of order",
            Self::Future => "read from the future",
            Self::WentBack => "session went back",
            Self::OwnWrite => "own write not seen",
            Self::StaleAfterSync => "stale after sync",
        }
    }

    /// ZooKeeper's documentation permits it: `sync` asks no quorum, so while a deposed leader has not noticed,
    /// there are two leaders, and the old one answers. A server that commits its syncs has no such excuse.
    #[must_use]
    pub fn permitted_while_two_leaders(self) -> bool {
        match self {
            Self::StaleAfterSync => true,
            Self::Outcome
            | Self::Duplicate
            | Self::Phantom
            | Self::UpdateOrder
            | Self::Future
            | Self::WentBack
            | Self::OwnWrite => false,
        }
    }
}

/// A read that returned what had been overwritten before it was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// The read.
    pub read: u32,
    /// The first update of its object that it did not see.
    pub overwritten_by: u32,
    /// The first operation whose return proves that this update had taken effect (it is that update, or has a place after
    /// it).
    pub known_by: u32,
}

/// For every operation the call of the last sync of its session before it, 0 if there was none: the column
/// [`OscInput::since`]. `syncs` are those that succeeded, as (session, call).
#[must_use]
pub fn since_syncs<A>(ops: &[LinOp<A>], sessions: &[i64], syncs: &[(i64, Position)]) -> Vec<Position> {
    let mut of_session: HashMap<i64, Vec<Position>> = HashMap::new();
    for &(session, call) in syncs {
        of_session.entry(session).or_default().push(call);
    }
    of_session.values_mut().for_each(|calls| calls.sort_unstable());
    let last = |(op, session): (&LinOp<A>, &i64)| {
        let calls = of_session.get(session)?;
        calls[..calls.partition_point(|&call| call < op.call)].last().copied()
    };
    ops.iter().zip(sessions).map(|op| last(op).unwrap_or(0)).collect()
}

/// Why there is no valid order.
enum Stop {
    Violation(Finding<OscKind>),
    Open(&'static str),
}

/// Decides ordered sequential consistency, given the order of the updates' stamps; O(n) where stamps are dense within an
/// epoch, else O(n log n).
pub fn check<M: Machine>(machine: &mut M, input: &OscInput<'_, M::Action>) -> OscReport {
    let log = Log { ops: input.ops, keys: input.keys, update: input.update, stamps: input.stamps };
    let stop = |stop| OscReport { decision: decided(stop), stale: Vec::new() };
    if let Some(reason) = inapplicable(&log, input.mode) {
        return stop(Stop::Open(reason));
    }
    match input.mode {
        Mode::LastModified | Mode::Reached => judge(machine, &log, input),
        Mode::Values => match by_values(machine, &log) {
            Ok(stamps) => judge(machine, &Log { stamps: &stamps, ..log }, input),
            Err(Unresolved::Open(reason)) => stop(Stop::Open(reason)),
            Err(Unresolved::Phantom(read)) => {
                let sentence = vec![Piece::Op(read), Piece::Text(" returned what nobody wrote")];
                stop(Stop::Violation(Finding { kind: OscKind::Phantom, ops: vec![read], sentence }))
            }
        },
    }
}

fn decided(stop: Stop) -> OscDecision {
    match stop {
        Stop::Violation(found) => OscDecision::Violation(found),
        Stop::Open(reason) => OscDecision::Open(reason),
    }
}

/// First with the reads that must be current; where that fails, what holds without them decides how bad it is.
fn judge<M: Machine>(
    machine: &mut M,
    log: &Log<'_, M::Action>,
    input: &OscInput<'_, M::Action>,
) -> OscReport {
    let found = match place_and_replay(machine, log, input, input.since) {
        Ok(order) => return OscReport { stale: stale(log, &order), decision: OscDecision::Valid(order) },
        Err(Stop::Violation(found)) if !input.since.is_empty() => found,
        Err(stop) => return OscReport { decision: decided(stop), stale: Vec::new() },
    };
    match place_and_replay(machine, log, input, &[]) {
        Ok(order) => {
            let found = Finding { kind: OscKind::StaleAfterSync, ..found };
            OscReport { decision: OscDecision::Violation(found), stale: stale(log, &order) }
        }
        Err(stop) => OscReport { decision: decided(stop), stale: Vec::new() },
    }
}

fn place_and_replay<M: Machine>(
    machine: &mut M,
    log: &Log<'_, M::Action>,
    input: &OscInput<'_, M::Action>,
    held: &[Position],
) -> Result<Vec<u32>, Stop> {
    let since = |id: u32| {
        let read = || held.get(id as usize).copied().unwrap_or(0);
        if log.is_update(id) { log.op(id).call } else { read() }
    };
    let reached = input.mode == Mode::Reached;
    let places = places(log, input.sessions, since, reached);
    if let Some((seen, id)) = places.went_back {
        return Err(Stop::Violation(went_back(log, seen, id)));
    }
    let order = order(log, |id| places.at[id as usize], places.returns.clone());
    replay(machine, log, &order, !reached, since).map_err(|failure| {
        if failure.certain {
            Stop::Violation(violation(log, input.sessions, failure, &places))
        } else {
            Stop::Open(AMBIGUOUS)
        }
    })
}

fn went_back<A: Copy>(log: &Log<'_, A>, seen: u32, id: u32) -> Finding<OscKind> {
    let own = log.is_update(seen) && !log.is_update(id);
    let stamp = |id| Piece::Words(format!(" (stamp {})", log.stamp(id).map(shown).unwrap_or_default()));
    let pieces = [Piece::Op(seen), stamp(seen), Piece::Text(", and later "), Piece::Op(id), stamp(id)];
    Finding {
        kind: if own { OscKind::OwnWrite } else { OscKind::WentBack },
        ops: vec![seen, id],
        sentence: [Piece::Text("one session saw ")].into_iter().chain(pieces).collect(),
    }
}

fn violation<A: Copy>(
    log: &Log<'_, A>,
    sessions: &[i64],
    failure: Failure,
    places: &Places,
) -> Finding<OscKind> {
    let Failure { misfit, op, other, certain: _ } = failure;
    let cause = places.cause(op).filter(|_| misfit == Misfit::Overtaken);
    let later_is_update = other.is_some_and(|other| log.is_update(other));
    let kind = match misfit {
        Misfit::Outcome => OscKind::Outcome,
        Misfit::Duplicate => OscKind::Duplicate,
        Misfit::Missing => OscKind::Phantom,
        Misfit::RealTime if !later_is_update => OscKind::StaleAfterSync,
        Misfit::RealTime if log.is_update(op) => OscKind::UpdateOrder,
        Misfit::RealTime => OscKind::Future,
        Misfit::Overtaken => match cause {
            Some(cause) if sessions[cause as usize] != sessions[op as usize] => OscKind::StaleAfterSync,
            Some(cause) if log.is_update(cause) => OscKind::OwnWrite,
            Some(_) | None => OscKind::WentBack,
        },
    };
    let mut ops = vec![op];
    ops.extend([other, cause].into_iter().flatten().filter(|&id| id != op));
    ops.dedup();
    Finding { kind, ops, sentence: sentence(log, misfit, op, other, cause) }
}

/// One sweep from the end: of each object the next update, and the first return that proves it.
fn stale<A: Copy>(log: &Log<'_, A>, order: &[u32]) -> Vec<Stale> {
    let keys = log.keys.iter().max().map_or(1, |&key| key as usize + 1);
    // (the update, who proves it, when)
    let mut next: Vec<Option<(u32, u32, Position)>> = vec![None; keys];
    let mut first: (Position, u32) = (NEVER, 0);
    let mut stale = Vec::new();
    for &id in order.iter().rev() {
        let op = log.op(id);
        first = first.min((op.ret, id));
        let next = &mut next[log.key(id) as usize];
        if log.is_update(id) {
            *next = Some((id, first.1, first.0));
        } else if let Some((overwritten_by, known_by, known)) = *next
            && known < op.call
        {
            stale.push(Stale { read: id, overwritten_by, known_by });
        }
    }
    stale.reverse();
    stale
}
