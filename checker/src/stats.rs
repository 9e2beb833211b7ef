//! What a history exercised: counts by function, and reads that raced a write. The caller uses them to
//! tell a proof from a vacuous pass. Not a verdict.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::NEVER;
use crate::history::{History, OpType, Outcome};
use crate::objects::Functions;

/// Completed lines of one function, by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FnCounts {
    /// Invocations.
    pub invoke: u64,
    /// Completions that took effect.
    pub ok: u64,
    /// Completions that certainly had no effect.
    pub fail: u64,
    /// Completions with unknown effect (invocations without completion are not among them).
    pub info: u64,
}

/// Client lines by function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Function name to its counts.
    pub by_f: BTreeMap<String, FnCounts>,
}

impl FnCounts {
    pub(crate) fn line(&mut self, op_type: OpType) {
        match op_type {
            OpType::Invoke => self.invoke += 1,
            OpType::Ok => self.ok += 1,
            OpType::Fail => self.fail += 1,
            OpType::Info => self.info += 1,
        }
    }
}

impl Counts {
    /// Takes counts by function, leaving out functions that do not occur.
    pub(crate) fn set<'a>(&mut self, counts: impl Iterator<Item = (&'a str, FnCounts)>) {
        let used = counts.filter(|(_, counts)| *counts != FnCounts::default());
        self.by_f = used.map(|(f, counts)| (f.to_owned(), counts)).collect();
    }

    /// Sums over all functions.
    #[must_use]
    pub fn total(&self) -> FnCounts {
        self.by_f.values().fold(FnCounts::default(), |sum, c| FnCounts {
            invoke: sum.invoke + c.invoke,
            ok: sum.ok + c.ok,
            fail: sum.fail + c.fail,
            info: sum.info + c.info,
        })
    }
}

/// What a history exercised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Client lines by function and type.
    pub counts: Counts,
    /// Number of distinct keys.
    pub keys: u64,
    /// Ok reads (or gets) in the history.
    pub reads: u64,
    /// Ok reads that overlapped an ok update of the same key in real time, or during which an update of
    /// unknown outcome was called (such an update is open for ever and would else race every later read).
    pub reads_racing_writes: u64,
    /// Largest number of calls open at once on one key, never-completed ones not counted.
    pub max_concurrency: u64,
}

/// Gathers the statistics of a history in one sweep over its events.
#[must_use]
pub fn stats(history: &History) -> Stats {
    let columns = &history.columns;
    let mut stats = Stats { counts: history.counts.clone(), ..Stats::default() };
    let functions = Functions::of(history);
    let mut keys = vec![OfKey::default(); history.names.count()];
    let mut seen_at_call: Vec<(bool, u32)> = vec![(false, 0); history.len()];
    for (id, is_call) in events(history) {
        let at = id as usize;
        let key = &mut keys[columns.key[at] as usize];
        let reads = functions.get(history, id).only_observes();
        // A call that never returns would count as open for ever.
        let returns = columns.outcome[at] != Outcome::Info;
        if is_call {
            key.used = true;
            seen_at_call[at] = (key.open_updates > 0, key.updates_called);
            key.open += u64::from(returns);
            stats.max_concurrency = stats.max_concurrency.max(key.open);
            if !reads {
                key.open_updates += u32::from(returns);
                key.updates_called += 1;
            }
            continue;
        }
        key.open -= 1;
        if !reads {
            key.open_updates -= 1;
        } else if columns.outcome[at] == Outcome::Ok {
            let (raced_at_call, called_before) = seen_at_call[at];
            stats.reads += 1;
            stats.reads_racing_writes += u64::from(raced_at_call || key.updates_called > called_before);
        }
    }
    stats.keys = keys.iter().filter(|key| key.used).count() as u64;
    stats
}

/// A read races when an update is open at its call, or is called before its return.
#[derive(Debug, Clone, Copy, Default)]
struct OfKey {
    used: bool,
    open: u64,
    open_updates: u32,
    updates_called: u32,
}

/// Calls that count with their invocation (true) and completion (false), in order.
fn events(history: &History) -> impl Iterator<Item = (u32, bool)> {
    const RETURNS: u32 = 1 << 31;
    let columns = &history.columns;
    let count = usize::try_from(history.lines).expect("lines are fewer than 2^32");
    // Every event is of one call at most.
    let mut at = vec![NEVER; count];
    for id in history.ids().filter(|&id| columns.outcome[id as usize] != Outcome::Fail) {
        at[columns.invoked[id as usize] as usize] = id;
        if columns.outcome[id as usize] != Outcome::Info {
            at[columns.ended[id as usize] as usize] = id | RETURNS;
        }
    }
    at.into_iter().filter(|&id| id != NEVER).map(|id| (id & !RETURNS, id & RETURNS == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Op, Process};

    fn history(lines: &[(i64, OpType, &str, &str)]) -> History {
        let ops = (0..).zip(lines).map(|(index, &(process, op_type, f, key))| Op {
            key: Some(key.into()),
            ..Op::new(index, index, Process::Client(process), op_type, f)
        });
        History::from_ops(ops.collect()).unwrap()
    }

    #[test]
    fn a_read_races_only_writes_of_its_key() {
        use OpType::{Invoke, Ok};
        let stats = stats(&history(&[
            (0, Invoke, "write", "a"),
            (1, Invoke, "read", "a"),
            (1, Ok, "read", "a"),
            (1, Invoke, "read", "b"),
            (1, Ok, "read", "b"),
            (0, Ok, "write", "a"),
            (1, Invoke, "read", "a"),
            (1, Ok, "read", "a"),
            (1, Invoke, "read", "a"),
            (0, Invoke, "write", "a"),
            (1, Ok, "read", "a"),
        ]));
        assert_eq!((stats.reads, stats.reads_racing_writes), (4, 2));
        assert_eq!((stats.keys, stats.max_concurrency), (2, 2));
        assert_eq!(stats.counts.by_f["write"], FnCounts { invoke: 2, ok: 1, fail: 0, info: 0 });
    }
}
