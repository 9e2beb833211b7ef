//! What a history exercised: counts by function, and reads that raced a write. The caller uses them to
//! tell a proof from a vacuous pass. Not a verdict.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::history::{Call, History, OpType};

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

impl Counts {
    pub(crate) fn line(&mut self, f: &str, op_type: OpType) {
        if !self.by_f.contains_key(f) {
            self.by_f.insert(f.to_owned(), FnCounts::default());
        }
        let counts = self.by_f.get_mut(f).expect("inserted above when absent");
        match op_type {
            OpType::Invoke => counts.invoke += 1,
            OpType::Ok => counts.ok += 1,
            OpType::Fail => counts.fail += 1,
            OpType::Info => counts.info += 1,
        }
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

/// Gathers the statistics of a history in one sweep a key.
#[must_use]
pub fn stats(history: &History) -> Stats {
    let mut by_key: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in &history.calls {
        by_key.entry(call.key.as_deref().unwrap_or("")).or_default().push(call);
    }
    let mut stats = Stats { counts: history.counts.clone(), ..Stats::default() };
    stats.keys = by_key.len() as u64;
    for calls in by_key.values() {
        sweep(calls, &mut stats);
    }
    stats
}

/// A read races when an update is open at its call, or is called before its return.
fn sweep(calls: &[&Call], stats: &mut Stats) {
    let is_read = |call: &Call| matches!(call.f.as_str(), "read" | "get");
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(calls.len() * 2);
    for (number, call) in calls.iter().enumerate() {
        events.push((call.call, true, number));
        events.extend(call.ret.map(|ret| (ret, false, number)));
    }
    events.sort_unstable();
    let (mut open_updates, mut updates_called, mut open) = (0_u64, 0_u64, 0_u64);
    let mut seen_at_call: Vec<(bool, u64)> = vec![(false, 0); calls.len()];
    for (_, is_call, number) in events {
        let call = calls[number];
        if is_call {
            seen_at_call[number] = (open_updates > 0, updates_called);
            // A call that never returns would count as open for ever.
            open += u64::from(call.ret.is_some());
            stats.max_concurrency = stats.max_concurrency.max(open);
            if !is_read(call) {
                open_updates += u64::from(call.ret.is_some());
                updates_called += 1;
            }
            continue;
        }
        open -= 1;
        if !is_read(call) {
            open_updates -= 1;
        } else if call.is_ok() {
            let (raced_at_call, called_before) = seen_at_call[number];
            stats.reads += 1;
            stats.reads_racing_writes += u64::from(raced_at_call || updates_called > called_before);
        }
    }
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
