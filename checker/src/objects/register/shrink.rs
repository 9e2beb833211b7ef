//! Makes an invalid history of one key small, in steps of which each keeps it a consequence of the
//! original: if the original were linearizable, so would be every smaller history. A small one that is
//! invalid therefore proves the original invalid.
//!
//! Sound steps: cut the history after a return; drop an operation that changes nothing; drop updates
//! that no remaining operation can have observed (in any order its observers have another update as the
//! last before them, and keep it); forget what a compare-and-set found, which leaves a write.

use std::collections::HashMap;
use std::time::Instant;

use crate::engine::{Answer, Limits, Memory, until};
use crate::model::RegAction;
use crate::objects::register::decide;
use crate::objects::register::problem::{NIL, RegOp};
use crate::{Decision, Position, monitors};

/// A small invalid history. Indices are those of the original problem.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) ops: Vec<RegOp>,
    pub(crate) origin: Vec<usize>,
    /// No single sound step leaves it invalid.
    pub(crate) minimal: bool,
}

/// Configurations one attempt may visit: attempts are many and must stay cheap.
const ATTEMPT_CONFIGS: u64 = 20_000;

/// Shrinks `ops`, known to be invalid and to fail at the return of operation `failing`.
pub(crate) fn shrink(ops: &[RegOp], failing: usize, deadline: Instant) -> Core {
    let mut shrinker = Shrinker {
        core: Core { ops: ops.to_vec(), origin: (0..ops.len()).collect(), minimal: false },
        deadline,
        memory: Memory::new(256 << 20),
    };
    if ops[failing].returned() {
        let end = ops[failing].ret;
        let (cut, ids) = until(ops, end);
        shrinker.accept_if_invalid(cut, ids);
    }
    shrinker.jump_to_contradiction();
    while shrinker.round() {}
    let finished = Instant::now() < deadline;
    let mut core = shrinker.core;
    core.minimal = finished;
    core
}

struct Shrinker {
    core: Core,
    deadline: Instant,
    memory: Memory,
}

impl Shrinker {
    fn accept_if_invalid(&mut self, ops: Vec<RegOp>, origin: Vec<usize>) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        let limits =
            Limits { deadline: Some(self.deadline), max_configs: ATTEMPT_CONFIGS, memory: &self.memory };
        let invalid = matches!(decide(&ops, &limits), Answer::Invalid { .. });
        if invalid {
            self.core.ops = ops;
            self.core.origin = origin;
        }
        invalid
    }

    /// Where the near-linear method applies it names the few operations that matter. What they read
    /// needs its source; what a compare-and-set found is forgotten if its source is not among them.
    fn jump_to_contradiction(&mut self) {
        let Decision::Invalid(conflict) = monitors::register::decide(&self.core.ops) else { return };
        let mut named: Vec<usize> = conflict.ops.iter().map(|&op| op as usize).collect();
        let mut source: HashMap<u32, usize> = HashMap::new();
        for (id, op) in self.core.ops.iter().enumerate() {
            // With a second source of a value, what the conflict leaves out could have been the one.
            if op.action.stores().is_some_and(|value| source.insert(value, id).is_some()) {
                return;
            }
        }
        let read = |&id: &usize| match self.core.ops[id].action {
            RegAction::Read(value) => source.get(&value).copied(),
            RegAction::Write(_) | RegAction::Cas(..) | RegAction::NotEqual(_) => None,
        };
        named.extend(named.iter().filter_map(read).collect::<Vec<_>>());
        named.sort_unstable();
        named.dedup();
        let (mut ops, origin) = self.pick(&named);
        for op in &mut ops {
            if let RegAction::Cas(old, new) = op.action {
                let known = old == NIL || source.get(&old).is_some_and(|id| named.binary_search(id).is_ok());
                if !known {
                    op.action = RegAction::Write(new);
                }
            }
        }
        self.accept_if_invalid(ops, origin);
    }

    fn pick(&self, ids: &[usize]) -> (Vec<RegOp>, Vec<usize>) {
        (
            ids.iter().map(|&id| self.core.ops[id]).collect(),
            ids.iter().map(|&id| self.core.origin[id]).collect(),
        )
    }

    /// One pass over all kinds of steps; true if any made the core smaller or weaker.
    fn round(&mut self) -> bool {
        let mut progress = false;
        let mut chunk = self.core.ops.len().max(1);
        while chunk > 0 && Instant::now() < self.deadline {
            progress |= self.forget_found(chunk);
            progress |= self.drop_chunks(chunk);
            chunk /= 2;
        }
        progress
    }

    fn drop_chunks(&mut self, chunk: usize) -> bool {
        let mut progress = false;
        let mut end = self.core.ops.len();
        // From the back, so that positions not yet visited keep their place.
        while end > 0 && Instant::now() < self.deadline {
            let start = end.saturating_sub(chunk);
            let keep = self.without(start..end);
            if keep.len() < self.core.ops.len() {
                let (ops, origin) = self.pick(&keep);
                progress |= self.accept_if_invalid(ops, origin);
            }
            end = start;
        }
        progress
    }

    /// What is left when everything in the range that may be dropped is dropped.
    fn without(&self, range: std::ops::Range<usize>) -> Vec<usize> {
        let ops = &self.core.ops;
        let mut observers = observers(ops);
        let mut keep = vec![true; ops.len()];
        for id in range.clone().filter(|&id| ops[id].action.stores().is_none()) {
            keep[id] = false;
            observers[id] = None;
        }
        // A dropped compare-and-set no longer observes: repeat until nothing changes.
        let mut changed = true;
        while changed {
            changed = false;
            for id in range.clone().rev().filter(|&id| ops[id].action.stores().is_some()) {
                let value = ops[id].action.stores().unwrap_or(NIL);
                let observed = observers.iter().enumerate().any(|(other, o)| {
                    other != id && o.as_ref().is_some_and(|o| o.may_observe(&ops[id], value))
                });
                if keep[id] && !observed {
                    keep[id] = false;
                    observers[id] = None;
                    changed = true;
                }
            }
        }
        (0..ops.len()).filter(|&id| keep[id]).collect()
    }

    /// Replaces compare-and-sets by writes, a chunk at a time.
    fn forget_found(&mut self, chunk: usize) -> bool {
        let found: Vec<usize> = (0..self.core.ops.len())
            .filter(|&id| matches!(self.core.ops[id].action, RegAction::Cas(..)))
            .collect();
        let mut progress = false;
        for ids in found.chunks(chunk) {
            let mut ops = self.core.ops.clone();
            for &id in ids {
                if let RegAction::Cas(_, new) = ops[id].action {
                    ops[id].action = RegAction::Write(new);
                }
            }
            progress |= self.accept_if_invalid(ops, self.core.origin.clone());
        }
        progress
    }
}

/// An operation that depends on the update before it.
struct Observer {
    action: RegAction,
    ret: Position,
    /// Latest call of an update that returned before this was called: whatever returned before that call
    /// was overwritten by then.
    overwritten: Position,
}

impl Observer {
    /// It may have observed the update `op`, which stores `value`.
    fn may_observe(&self, op: &RegOp, value: u32) -> bool {
        let fits = match self.action {
            RegAction::Read(found) | RegAction::Cas(found, _) => found == value,
            // It depends on the update before it, whichever that is.
            RegAction::NotEqual(_) => true,
            RegAction::Write(_) => false,
        };
        fits && op.call < self.ret && op.ret >= self.overwritten
    }
}

/// Everything that observes, by index; `None` for what does not.
fn observers(ops: &[RegOp]) -> Vec<Option<Observer>> {
    let mut updates: Vec<(Position, Position)> = ops
        .iter()
        .filter(|op| op.action.stores().is_some())
        .filter(|op| op.returned())
        .map(|op| (op.ret, op.call))
        .collect();
    updates.sort_unstable();
    // By return; second: latest call so far.
    let mut latest = 0;
    for update in &mut updates {
        latest = latest.max(update.1);
        update.1 = latest;
    }
    let observer = |op: &RegOp| {
        let before = updates.partition_point(|&(ret, _)| ret < op.call);
        let overwritten = before.checked_sub(1).map_or(0, |at| updates[at].1);
        let observes = !matches!(op.action, RegAction::Write(_));
        observes.then_some(Observer { action: op.action, ret: op.ret, overwritten })
    };
    ops.iter().map(observer).collect()
}
