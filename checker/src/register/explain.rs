//! Turns a small invalid history into a class name and one sentence.
//!
//! The patterns are tried from the most telling to the least; each speaks only of operations in the
//! core, and only where a value has a single source, so each sentence is a proof.

use std::collections::BTreeMap;

use crate::counterexample::{Class, CoreOp, millis};
use crate::history::Call;
use crate::linear::Failure;
use crate::model::{RegAction, Values};
use crate::register::problem::{NIL, RegOp};
use crate::register::shrink::Core;

/// What the explanation is made from.
pub(crate) struct Evidence<'a> {
    pub(crate) core: &'a Core,
    /// The original problem.
    pub(crate) ops: &'a [RegOp],
    /// The call behind each operation of the original problem.
    pub(crate) calls: &'a [&'a Call],
    pub(crate) values: &'a Values,
    pub(crate) failure: &'a Failure,
    /// The history has a clock.
    pub(crate) timed: bool,
}

/// A class, the sentence, and the operations it speaks of (indices into the original problem).
pub(crate) fn explain(evidence: &Evidence<'_>) -> (Class, String, Vec<usize>) {
    if let Some(explained) = phantom(evidence).or_else(|| overwritten(evidence)) {
        return explained;
    }
    let (class, why) = double_replacement(evidence)
        .or_else(|| replaced_then_found(evidence))
        .or_else(|| two_orders(evidence))
        .unwrap_or_else(|| (Class::Other, no_place(evidence)));
    (class, why, evidence.core.origin.clone())
}

impl Evidence<'_> {
    /// Such as `read -> 7 (#91)`; of an operation of the core.
    fn name(&self, core_id: usize) -> String {
        self.name_of(self.core.origin[core_id])
    }

    fn returned(&self, core_id: usize) -> String {
        self.returned_of(self.core.origin[core_id])
    }

    fn was_called(&self, core_id: usize) -> String {
        self.was_called_of(self.core.origin[core_id])
    }

    /// As [`Self::name`], of an operation of the original problem.
    fn name_of(&self, id: usize) -> String {
        format!("{} (#{})", CoreOp::new(self.calls[id], self.timed).action(), self.calls[id].index_invoke)
    }

    fn returned_of(&self, id: usize) -> String {
        match self.calls[id].time_complete.filter(|_| self.timed) {
            Some(time) => format!("{} returned at {:.3} ms", self.name_of(id), millis(time)),
            None => format!("{} returned", self.name_of(id)),
        }
    }

    fn was_called_of(&self, id: usize) -> String {
        if self.timed {
            format!("{} was called at {:.3} ms", self.name_of(id), millis(self.calls[id].time_invoke))
        } else {
            format!("{} was called", self.name_of(id))
        }
    }

    fn value(&self, id: u32) -> String {
        if id == NIL { "the initial value nil".into() } else { self.values.value(id).to_string() }
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
        let value = op.action.finds().filter(|&value| value != NIL && op.ret.is_some())?;
        e.sources(value).is_empty().then_some((id, value))
    })
}

/// A value was found that nobody had begun to write.
fn phantom(e: &Evidence<'_>) -> Option<(Class, String, Vec<usize>)> {
    for (id, value) in finders_without_source(e) {
        let sources = || (0..e.ops.len()).filter(|&id| e.ops[id].action.stores() == Some(value));
        let Some(first) = sources().min_by_key(|&source| e.ops[source].call) else {
            let why = format!(
                "{} holds {}, which nobody wrote (writes that failed do not count)",
                e.name_of(id),
                e.value(value)
            );
            return Some((Class::PhantomRead, why, vec![id]));
        };
        if e.ops[id].ret.is_some_and(|ret| ret < e.ops[first].call) {
            let why = format!(
                "{} before {}, the first operation that wrote {}",
                e.returned_of(id),
                e.was_called_of(first),
                e.value(value)
            );
            return Some((Class::PhantomRead, why, vec![id, first]));
        }
    }
    None
}

/// A value was found although each of its sources had been overwritten by a completed update.
fn overwritten(e: &Evidence<'_>) -> Option<(Class, String, Vec<usize>)> {
    let (finder, value) = finders_without_source(e).next()?;
    let before = e.ops[finder].call;
    let returned_before = |id: &usize, position: u64| e.ops[*id].ret.is_some_and(|ret| ret < position);
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
    let why = format!(
        "{} before {}, and {} before {}; yet that found {} again, which nobody else had written since",
        e.returned_of(last_source),
        e.was_called_of(overwriter),
        e.returned_of(overwriter),
        e.was_called_of(finder),
        e.value(value)
    );
    Some((class, why, vec![last_source, overwriter, finder]))
}

/// Two compare-and-sets found the same value, which was there once.
fn double_replacement(e: &Evidence<'_>) -> Option<(Class, String)> {
    let mut replaced: BTreeMap<u32, usize> = BTreeMap::new();
    for (id, op) in e.core.ops.iter().enumerate() {
        let RegAction::Cas(old, _) = op.action else { continue };
        if op.ret.is_none() || !e.one_source(old) {
            continue;
        }
        if let Some(&first) = replaced.get(&old) {
            let why = format!(
                "{} and {} both replaced {}, which was there only once: one of the two updates is lost",
                e.name(first),
                e.name(id),
                e.value(old)
            );
            return Some((Class::LostUpdate, why));
        }
        replaced.insert(old, id);
    }
    None
}

/// A compare-and-set replaced a value that was there once, returned, and the value was found again.
fn replaced_then_found(e: &Evidence<'_>) -> Option<(Class, String)> {
    for (cas, op) in e.core.ops.iter().enumerate() {
        let RegAction::Cas(old, new) = op.action else { continue };
        if !e.one_source(old) {
            continue;
        }
        let since =
            e.core.ops.iter().enumerate().filter(|(id, other)| {
                *id == cas || (other.action == RegAction::Read(new) && e.one_source(new))
            });
        let returned = since.filter_map(|(id, other)| other.ret.map(|ret| (id, ret)));
        let Some((until, ended)) = returned.min_by_key(|&(_, ret)| ret) else { continue };
        let later = e.core.ops.iter().position(|o| o.action == RegAction::Read(old) && o.call > ended);
        if let Some(reader) = later {
            let why = format!(
                "{} replaced {}, and {} before {}, which yet found the old value",
                e.name(cas),
                e.value(old),
                e.returned(until),
                e.was_called(reader)
            );
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
fn two_orders(e: &Evidence<'_>) -> Option<(Class, String)> {
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
            let returned = ids.iter().copied().filter(|&id| ops[id].ret.is_some());
            let zone = Zone {
                first_return: returned.min_by_key(|&id| ops[id].ret),
                last_call: ids.iter().copied().max_by_key(|&id| ops[id].call),
            };
            (value, zone)
        })
        .collect();
    // `old` shows by an operation of its own (`late`) that was called after one of `new` had returned.
    let mut best: Option<((bool, u64), Class, String)> = None;
    for (old, a) in &zones {
        for (new, b) in zones.iter().filter(|(new, _)| new != old) {
            let (Some(late), Some(seen), Some(overwriter)) = (a.last_call, b.first_return, b.last_call)
            else {
                continue;
            };
            let precedes = *old == NIL
                || a.first_return.is_some_and(|first| ops[first].ret < Some(ops[overwriter].call));
            if !precedes || *new == NIL || ops[seen].ret >= Some(ops[late].call) {
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
) -> (Class, String) {
    let seen_by_update = e.core.ops[seen].action.stores().is_some();
    let late_reads = matches!(e.core.ops[late].action, RegAction::Read(_));
    let class = match (seen_by_update, late_reads) {
        (true, true) if !e.observed(new) => Class::LostUpdate,
        (true, true) => Class::StaleRead,
        (false, true) => Class::OrderInversion,
        (_, false) => Class::Other,
    };
    let before = match a.first_return.filter(|_| old != NIL) {
        None => format!("{} came before {}", e.value(old), e.name(overwriter)),
        Some(first) => format!("{} before {}", e.returned(first), e.was_called(overwriter)),
    };
    let source = e.only_source(new).filter(|&source| source != overwriter && source != seen);
    let written = source.map(|source| format!(" (written by {})", e.name(source))).unwrap_or_default();
    let after = format!("{}{written} before {}", e.returned(seen), e.was_called(late));
    let yet = if late_reads {
        format!("yet that read returned {}", e.value(old))
    } else {
        "so each would have to come before the other".to_owned()
    };
    (class, format!("{before}, and {after}; {yet}"))
}

fn no_place(e: &Evidence<'_>) -> String {
    let failing = e.calls[e.failure.op];
    format!(
        "no order of these {} operations explains every result; what returned before {} (#{}) fits one",
        e.core.ops.len(),
        CoreOp::new(failing, e.timed).action(),
        failing.index_invoke
    )
}
