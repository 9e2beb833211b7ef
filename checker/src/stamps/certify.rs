//! The certificate: an order by stamps that replays is a linearization.

use super::place::{Places, order, places, returns};
use super::replay::{Failure, Log, Misfit, replay};
use super::resolve::{Unresolved, by_values};
use super::{Finding, Mode, shown};
use crate::LinOp;
use crate::decision::Piece;
use crate::model::Machine;

/// What the stamps prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certified {
    /// Linearizable: this order (indices into the problem) explains every output and respects real time.
    Valid(Vec<u32>),
    /// No order that agrees with the stamps does: the object is wrong, or the stamps are. A method that does not
    /// look at stamps tells which.
    Mismatch(Finding<MismatchKind>),
    /// The stamps prove nothing, for the reason given.
    Inapplicable(&'static str),
}

/// How stamps and operations contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MismatchKind {
    /// In the order of stamps, an operation cannot have had its outcome.
    Replay,
    /// In the order of stamps, an operation comes after one that was called only when it had returned.
    RealTime,
    /// Two updates have the same stamp.
    Duplicate,
    /// A read saw a modification that no update made.
    Missing,
}

impl MismatchKind {
    /// The name in plain words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "outcome contradicts stamps",
            Self::RealTime => "stamps contradict real time",
            Self::Duplicate => "stamp given out twice",
            Self::Missing => "stamp of no update",
        }
    }
}

/// The reason when nothing carries a stamp.
const NO_STAMPS: &str = "no update carries a stamp";
/// The reason when an acknowledged update carries none.
const UPDATE_WITHOUT: &str = "an acknowledged update carries no stamp";
/// The reason when an acknowledged read carries none.
const READ_WITHOUT: &str = "an acknowledged read carries no stamp";
/// The reason when an order was tried in vain, but another one might do.
pub(super) const AMBIGUOUS: &str = "updates that never returned have several possible places";

/// Proves one object linearizable by its stamps, or finds where they contradict the history. `is_update` says which
/// actions have a stamp of their own (also one that stores what was there before). Stamps of operations that never
/// returned are not looked at. O(n) where stamps are dense within an epoch, else O(n log n).
///
/// A mismatch is exact: no places of the updates that never returned make an order with these stamps. Only where
/// such updates have several possible places, the answer may be [`Certified::Inapplicable`].
pub fn certify<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    stamps: &[Option<u64>],
    is_update: impl Fn(M::Action) -> bool,
    mode: Mode,
) -> Certified {
    let update: Vec<bool> = ops.iter().map(|op| is_update(op.action)).collect();
    with_resolved(machine, &Log { ops, keys: &[], update: &update, stamps }, mode, |machine, log, exact| {
        if log.ids().any(|id| log.op(id).returned() && log.stamp(id).is_none()) {
            return in_real_time(machine, log, exact);
        }
        let ids = if ops.is_sorted_by_key(|op| op.call) {
            log.ids().filter(|&id| log.op(id).returned()).collect()
        } else {
            returns(log)
        };
        let at = |id: u32| log.stamp(id).unwrap_or(0);
        match replay(machine, log, &order(log, at, ids), exact, |id| log.op(id).call) {
            Ok(witness) => Certified::Valid(witness),
            Err(failure) => mismatch(log, failure, None),
        }
    })
}

/// Proves all objects (`keys`, counted from 0) linearizable at once, each starting in the machine's initial state.
/// The order is global: it respects real time between operations on different objects too.
///
/// Stamps must come from one sequence, as ZooKeeper's zxids do. The operations of one transaction (ZooKeeper's `multi`)
/// share their stamp, call and return.
pub fn certify_all<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    keys: &[u32],
    stamps: &[Option<u64>],
    is_update: impl Fn(M::Action) -> bool,
    mode: Mode,
) -> Certified {
    let update: Vec<bool> = ops.iter().map(|op| is_update(op.action)).collect();
    with_resolved(machine, &Log { ops, keys, update: &update, stamps }, mode, in_real_time)
}

/// Reads are placed no earlier than what had returned when they were called: what was last modified long ago does not
/// say that the read was.
fn in_real_time<M: Machine>(machine: &mut M, log: &Log<'_, M::Action>, exact: bool) -> Certified {
    let places = places(log, &[], |id| log.op(id).call, !exact);
    let order = order(log, |id| places.at[id as usize], places.returns.clone());
    match replay(machine, log, &order, exact, |id| log.op(id).call) {
        Ok(witness) => Certified::Valid(witness),
        Err(failure) => mismatch(log, failure, Some(&places)),
    }
}

/// Calls `then` with the stamps that the mode stands for, and whether a read's is that of the last modification.
fn with_resolved<M: Machine>(
    machine: &mut M,
    log: &Log<'_, M::Action>,
    mode: Mode,
    then: impl FnOnce(&mut M, &Log<'_, M::Action>, bool) -> Certified,
) -> Certified {
    if let Some(reason) = inapplicable(log, mode) {
        return Certified::Inapplicable(reason);
    }
    match mode {
        Mode::LastModified => then(machine, log, true),
        Mode::Reached => then(machine, log, false),
        Mode::Values => match by_values(machine, log) {
            Ok(stamps) => then(machine, &Log { stamps: &stamps, ..*log }, true),
            Err(Unresolved::Open(reason)) => Certified::Inapplicable(reason),
            Err(Unresolved::Phantom(read)) => {
                let sentence = vec![Piece::Op(read), Piece::Text(" returned what nobody wrote")];
                Certified::Mismatch(Finding { kind: MismatchKind::Replay, ops: vec![read], sentence })
            }
        },
    }
}

/// Why these stamps prove nothing, if so.
pub(super) fn inapplicable<A: Copy>(log: &Log<'_, A>, mode: Mode) -> Option<&'static str> {
    let (mut with, mut update, mut read) = (false, false, false);
    for id in log.ids().filter(|&id| log.op(id).returned()) {
        with |= log.stamp(id).is_some();
        update |= log.is_update(id) && log.stamp(id).is_none();
        read |= !log.is_update(id) && log.stamp(id).is_none();
    }
    if update {
        return Some(if with { UPDATE_WITHOUT } else { NO_STAMPS });
    }
    match mode {
        Mode::LastModified | Mode::Reached => read.then_some(READ_WITHOUT),
        Mode::Values => None,
    }
}

fn mismatch<A: Copy>(log: &Log<'_, A>, failure: Failure, places: Option<&Places>) -> Certified {
    if !failure.certain {
        return Certified::Inapplicable(AMBIGUOUS);
    }
    let Failure { misfit, op, other, certain: _ } = failure;
    let kind = match misfit {
        Misfit::Outcome => MismatchKind::Replay,
        Misfit::Duplicate => MismatchKind::Duplicate,
        Misfit::Missing => MismatchKind::Missing,
        Misfit::RealTime | Misfit::Overtaken => MismatchKind::RealTime,
    };
    let cause = places.and_then(|places| places.cause(op)).filter(|_| misfit == Misfit::Overtaken);
    let mut ops = vec![op];
    ops.extend([other, cause].into_iter().flatten());
    ops.dedup();
    Certified::Mismatch(Finding { kind, ops, sentence: sentence(log, misfit, op, other, cause) })
}

/// Why `op` does not fit, in words that suit every rule.
pub(super) fn sentence<A: Copy>(
    log: &Log<'_, A>,
    misfit: Misfit,
    op: u32,
    other: Option<u32>,
    cause: Option<u32>,
) -> Vec<Piece> {
    let stamp = |id: u32| log.stamp(id).filter(|_| log.op(id).returned()).map(shown);
    let with = |id: u32| match stamp(id) {
        Some(stamp) => Piece::Words(format!(" (stamp {stamp})")),
        None => Piece::Text(" (which never returned)"),
    };
    match (misfit, other) {
        (Misfit::Outcome, Some(other)) => vec![
            Piece::Op(op),
            with(op),
            Piece::Text(" comes right after "),
            Piece::Op(other),
            with(other),
            Piece::Text(" in the order of stamps, and cannot have had its outcome there"),
        ],
        (Misfit::Outcome, None) => vec![
            Piece::Op(op),
            with(op),
            Piece::Text(
                " comes before every update of its object in the order of stamps, and cannot have had its outcome there",
            ),
        ],
        (Misfit::Missing, _) => {
            vec![
                Piece::Op(op),
                Piece::Text(" saw a modification"),
                with(op),
                Piece::Text(" that no update made"),
            ]
        }
        (Misfit::Duplicate, other) => {
            let mut pieces = vec![Piece::Op(op)];
            pieces.extend(other.into_iter().flat_map(|other| [Piece::Text(" and "), Piece::Op(other)]));
            pieces.extend([Piece::Text(" are different updates with the same stamp"), with(op)]);
            pieces
        }
        (Misfit::RealTime, other) => {
            let mut pieces = vec![Piece::Returned(op), with(op)];
            pieces.extend(
                other
                    .into_iter()
                    .flat_map(|later| [Piece::Text(" before "), Piece::Called(later), with(later)]),
            );
            pieces.push(Piece::Text(", which the order of stamps places before it"));
            pieces
        }
        (Misfit::Overtaken, other) => {
            let mut pieces = Vec::new();
            if let Some(cause) = cause {
                pieces.extend([Piece::Returned(cause), with(cause), Piece::Text(" before ")]);
                pieces.extend([Piece::Called(op), Piece::Text(", and yet ")]);
            }
            pieces.extend([Piece::Op(op), Piece::Text(" saw its object as last modified"), with(op)]);
            pieces
                .extend(other.into_iter().flat_map(|by| [Piece::Text(", before "), Piece::Op(by), with(by)]));
            pieces
        }
    }
}
