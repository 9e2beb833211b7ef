//! Turns a small invalid history into a class name and one sentence.
//!
//! The patterns are tried from the most telling to the least; each speaks only of operations in the
//! core, and only where a value has a single source, so each sentence is a proof.

use std::collections::BTreeMap;

use crate::decision::sentence;
use crate::model::RegAction;
use crate::objects::register::problem::{NIL, RegOp};
use crate::objects::register::shrink::Core;
use crate::{Class, Conflict, Piece, Position};

/// What the explanation is made from.
pub(crate) struct Evidence<'a> {
    pub(crate) core: &'a Core,
    /// The original problem.
    pub(crate) ops: &'a [RegOp],
    /// The operation with whose return it fails.
    pub(crate) failing: u32,
}

/// A class, the sentence, and the operations it speaks of (indices into the original problem).
type Found = (Class, Vec<Piece>, Vec<usize>);

/// Names the contradiction.
pub(crate) fn explain(evidence: &Evidence<'_>) -> Conflict {
    let of_core = |(class, sentence)| (class, sentence, evidence.core.origin.clone());
    let (class, sentence, ops) = phantom(evidence)
        .or_else(|| overwritten(evidence))
        .or_else(|| double_replacement(evidence).map(of_core))
        .or_else(|| replaced_then_found(evidence).map(of_core))
        .or_else(|| two_orders(evidence).map(of_core))
        .unwrap_or_else(|| of_core((Class::Other, no_place(evidence))));
    Conflict { class, sentence, ops: ops.into_iter().map(id).collect() }
}

fn id(id: usize) -> u32 {
    u32::try_from(id).expect("a problem holds fewer than 2^32 operations")
}

impl Evidence<'_> {
    /// Such as `read -> 7 (#91)`; of an operation of the core.
    fn name(&self, core_id: usize) -> Piece {
        Piece::Op(id(self.core.origin[core_id]))
    }

    fn returned(&self, core_id: usize) -> Piece {
        Piece::Returned(id(self.core.origin[core_id]))
    }

    fn was_called(&self, core_id: usize) -> Piece {
        Piece::Called(id(self.core.origin[core_id]))
    }

    fn sources(&self, value: u32) -> Vec<usize> {
        let stores = |&id: &usize| self.core.ops[id].action.stores() == Some(value);
        (0..self.core.ops.len()).filter(stores).collect()
    }

    fn observed(&self, value: u32) -> bool {
        self.ops.iter().any(|op| op.action.finds() == Some(value))
    }

    /// The operation could have been the only source of `value`.
    fn only_source(&self, value: u32) -> Option<usize> {
        match (value, self.sources(value).as_slice()) {
            (NIL, _) => None,
            (_, &[only]) => Some(only),
            _ => None,
        }
    }

    fn one_source(&self, value: u32) -> bool {
        self.sources(value).len() == usize::from(value != NIL)
    }
}

/// Operations of the core that found a value (not the initial one) of which the core has no source:
/// the shrinker dropped those that cannot have been the one.
fn finders_without_source<'a>(e: &'a Evidence<'_>) -> impl Iterator<Item = (usize, u32)> + 'a {
    e.core.ops.iter().zip(&e.core.origin).filter_map(|(op, &id)| {
        let value = op.action.finds().filter(|&value| value != NIL && op.returned())?;
        e.sources(value).is_empty().then_some((id, value))
    })
}

/// A value was found that nobody had begun to write.
fn phantom(e: &Evidence<'_>) -> Option<Found> {
    for (at, value) in finders_without_source(e) {
        let sources = || (0..e.ops.len()).filter(|&id| e.ops[id].action.stores() == Some(value));
        let Some(first) = sources().min_by_key(|&source| e.ops[source].call) else {
            let why = sentence![
                Piece::Op(id(at)),
                " holds ",
                Piece::Value(value),
                ", which nobody wrote (writes that failed do not count)"
            ];
            return Some((Class::PhantomRead, why, vec![at]));
        };
        if e.ops[at].precedes(&e.ops[first]) {
            let why = sentence![
                Piece::Returned(id(at)),
                " before ",
                Piece::Called(id(first)),
                ", the first operation that wrote ",
                Piece::Value(value)
            ];
            return Some((Class::PhantomRead, why, vec![at, first]));
        }
    }
    None
}

/// A value was found although each of its sources had been overwritten by a completed update.
fn overwritten(e: &Evidence<'_>) -> Option<Found> {
    let (finder, value) = finders_without_source(e).next()?;
    let before = e.ops[finder].call;
    let returned_before = |id: &usize, position: Position| e.ops[*id].ret < position;
    let updates = |id: &usize| e.ops[*id].action.stores().is_some();
    let overwriter = (0..e.ops.len())
        .filter(|id| updates(id) && returned_before(id, before))
        .max_by_key(|&id| e.ops[id].call)?;
    let started = e.ops[overwriter].call;
    let last_source = (0..e.ops.len())
        .filter(|id| e.ops[*id].action.stores() == Some(value) && returned_before(id, started))
        .max_by_key(|&id| e.ops[id].ret)?;
    let new = e.ops[overwriter].action.stores()?;
    let class = if e.observed(new) { Class::StaleRead } else { Class::LostUpdate };
    let why = sentence![
        Piece::Returned(id(last_source)),
        " before ",
        Piece::Called(id(overwriter)),
        ", and ",
        Piece::Returned(id(overwriter)),
        " before ",
        Piece::Called(id(finder)),
        "; yet that found ",
        Piece::Value(value),
        " again, which nobody else had written since"
    ];
    Some((class, why, vec![last_source, overwriter, finder]))
}

/// Two compare-and-sets found the same value, which was there once.
fn double_replacement(e: &Evidence<'_>) -> Option<(Class, Vec<Piece>)> {
    let mut replaced: BTreeMap<u32, usize> = BTreeMap::new();
    for (id, op) in e.core.ops.iter().enumerate() {
        let RegAction::Cas(old, _) = op.action else { continue };
        if !op.returned() || !e.one_source(old) {
            continue;
        }
        if let Some(&first) = replaced.get(&old) {
            let why = sentence![
                e.name(first),
                " and ",
                e.name(id),
                " both replaced ",
                Piece::Value(old),
                ", which was there only once: one of the two updates is lost"
            ];
            return Some((Class::LostUpdate, why));
        }
        replaced.insert(old, id);
    }
    None
}

/// A compare-and-set replaced a value that was there once, returned, and the value was found again.
fn replaced_then_found(e: &Evidence<'_>) -> Option<(Class, Vec<Piece>)> {
    for (cas, op) in e.core.ops.iter().enumerate() {
        let RegAction::Cas(old, new) = op.action else { continue };
        if !e.one_source(old) {
            continue;
        }
        let since =
            e.core.ops.iter().enumerate().filter(|(id, other)| {
                *id == cas || (other.action == RegAction::Read(new) && e.one_source(new))
            });
        let returned = since.filter(|(_, other)| other.returned()).map(|(id, other)| (id, other.ret));
        let Some((until, ended)) = returned.min_by_key(|&(_, ret)| ret) else { continue };
        let later = e.core.ops.iter().position(|o| o.action == RegAction::Read(old) && o.call > ended);
        if let Some(reader) = later {
            let why = sentence![
                e.name(cas),
                " replaced ",
                Piece::Value(old),
                ", and ",
                e.returned(until),
                " before ",
                e.was_called(reader),
                ", which yet found the old value"
            ];
            let class = if e.observed(new) { Class::StaleRead } else { Class::LostUpdate };
            return Some((class, why));
        }
    }
    None
}

/// For a value: who returned first and who was called last, among its source and its finders.
struct Zone {
    first_return: Option<usize>,
    last_call: Option<usize>,
}

/// Of two values with one source each, each must have come before the other.
fn two_orders(e: &Evidence<'_>) -> Option<(Class, Vec<Piece>)> {
    let ops = &e.core.ops;
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::from([(NIL, Vec::new())]);
    for (id, op) in ops.iter().enumerate() {
        match op.action {
            RegAction::Read(value) | RegAction::Write(value) => members.entry(value).or_default().push(id),
            RegAction::Cas(_, new) => members.entry(new).or_default().push(id),
            RegAction::NotEqual(_) => {}
        }
    }
    let zones: Vec<(u32, Zone)> = members
        .into_iter()
        .filter(|&(value, _)| e.one_source(value))
        .map(|(value, ids)| {
            let returned = ids.iter().copied().filter(|&id| ops[id].returned());
            let zone = Zone {
                first_return: returned.min_by_key(|&id| ops[id].ret),
                last_call: ids.iter().copied().max_by_key(|&id| ops[id].call),
            };
            (value, zone)
        })
        .collect();
    // `old` shows by an operation of its own (`late`) that was called after one of `new` had returned.
    let mut best: Option<((bool, Position), Class, Vec<Piece>)> = None;
    for (old, a) in &zones {
        for (new, b) in zones.iter().filter(|(new, _)| new != old) {
            let (Some(late), Some(seen), Some(overwriter)) = (a.last_call, b.first_return, b.last_call)
            else {
                continue;
            };
            let precedes =
                *old == NIL || a.first_return.is_some_and(|first| ops[first].ret < ops[overwriter].call);
            if !precedes || *new == NIL || ops[seen].ret >= ops[late].call {
                continue;
            }
            let is_read = matches!(ops[late].action, RegAction::Read(_));
            let rank = (is_read, ops[late].call);
            if best.as_ref().is_none_or(|(known, ..)| *known < rank) {
                let (class, why) = two_orders_text(e, (*old, a), (*new, seen, overwriter), late);
                best = Some((rank, class, why));
            }
        }
    }
    best.map(|(_, class, why)| (class, why))
}

fn two_orders_text(
    e: &Evidence<'_>,
    (old, a): (u32, &Zone),
    (new, seen, overwriter): (u32, usize, usize),
    late: usize,
) -> (Class, Vec<Piece>) {
    let seen_by_update = e.core.ops[seen].action.stores().is_some();
    let late_reads = matches!(e.core.ops[late].action, RegAction::Read(_));
    let class = match (seen_by_update, late_reads) {
        (true, true) if !e.observed(new) => Class::LostUpdate,
        (true, true) => Class::StaleRead,
        (false, true) => Class::OrderInversion,
        (_, false) => Class::Other,
    };
    let mut why = match a.first_return.filter(|_| old != NIL) {
        None => sentence![Piece::Value(old), " came before ", e.name(overwriter)],
        Some(first) => sentence![e.returned(first), " before ", e.was_called(overwriter)],
    };
    why.extend(sentence![", and ", e.returned(seen)]);
    if let Some(source) = e.only_source(new).filter(|&source| source != overwriter && source != seen) {
        why.extend(sentence![" (written by ", e.name(source), ")"]);
    }
    why.extend(sentence![" before ", e.was_called(late)]);
    if late_reads {
        why.extend(sentence!["; yet that read returned ", Piece::Value(old)]);
    } else {
        why.extend(sentence!["; so each would have to come before the other"]);
    }
    (class, why)
}

fn no_place(e: &Evidence<'_>) -> Vec<Piece> {
    sentence![
        format!(
            "no order of these {} operations explains every result; what returned before ",
            e.core.ops.len()
        ),
        Piece::Op(e.failing),
        " fits one"
    ]
}
