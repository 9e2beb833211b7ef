//! The order of zxids as the clients saw it: fencing, checked without a word from the nodes.
//!
//! A zxid's upper 32 bits are the epoch of the leader that proposed it. What holds in ZAB:
//! * once any operation showed epoch e, no update called later may be acknowledged with a lower epoch
//!   (the leader that acknowledged it was superseded, and should have been fenced);
//! * the zxids that one client sees never go back;
//! * no two acknowledged updates have the same zxid.
//!
//! Reads count as evidence because the workload reads after a `sync`. Says nothing about values: that
//! is the register check's.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use crate::history::{Call, History};
use crate::{CoreOp, Verdict};

/// Findings reported in full; further ones are only counted.
const MAX_FINDINGS: usize = 20;

/// Which rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// An update was acknowledged with an epoch lower than one seen before it was called.
    SupersededEpoch,
    /// One client saw a zxid lower than one it had seen before.
    WentBack,
    /// Two updates were acknowledged with the same zxid.
    DuplicateZxid,
}

impl FindingKind {
    /// The name in plain words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SupersededEpoch => "acknowledgement by a superseded epoch",
            Self::WentBack => "zxid went back",
            Self::DuplicateZxid => "zxid given out twice",
        }
    }
}

/// Two operations whose zxids contradict each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Which rule they break.
    pub kind: FindingKind,
    /// One sentence.
    pub why: String,
    /// The operation that completed first.
    pub first: CoreOp,
    /// The one that must not have completed so.
    pub second: CoreOp,
}

/// What the order check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderReport {
    /// *Invalid* if anything was found; *unknown* if no update carried a zxid.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Findings in the order in which they showed, at most 20.
    pub findings: Vec<Finding>,
    /// How many there were in all.
    pub findings_total: u64,
    /// Acknowledged updates that carried a zxid.
    pub updates: u64,
    /// Epochs seen by clients, ascending.
    pub epochs: Vec<u32>,
}

/// Checks the zxids of the acknowledged operations of a history, in one sweep.
#[must_use]
pub fn check_order(history: &History) -> OrderReport {
    let stamped: Vec<(&Call, u64, u64)> = history
        .calls
        .iter()
        .filter(|call| call.is_ok())
        .filter_map(|call| Some((call, call.ret?, call.zxid?)))
        .collect();
    let mut events: Vec<(u64, usize)> = Vec::with_capacity(stamped.len() * 2);
    for (id, (call, ret, _)) in stamped.iter().enumerate() {
        events.extend([(call.call, id), (*ret, id)]);
    }
    events.sort_unstable();
    let mut sweep = Sweep::new(history.timed, stamped.len());
    for (position, id) in events {
        let (call, ret, zxid) = stamped[id];
        if position == ret {
            sweep.completed(id, call, zxid, &stamped);
        } else {
            sweep.newest_at_call[id] = sweep.newest;
        }
    }
    sweep.report()
}

fn epoch(zxid: u64) -> u32 {
    u32::try_from(zxid >> 32).expect("a shift by 32 leaves 32 bits")
}

fn is_update(call: &Call) -> bool {
    matches!(call.f.as_str(), "write" | "cas")
}

struct Sweep {
    timed: bool,
    /// The completed operation with the highest epoch so far.
    newest: Option<usize>,
    newest_at_call: Vec<Option<usize>>,
    by_process: HashMap<i64, usize>,
    by_zxid: HashMap<u64, usize>,
    epochs: BTreeSet<u32>,
    updates: u64,
    findings: Vec<Finding>,
    findings_total: u64,
}

impl Sweep {
    fn new(timed: bool, calls: usize) -> Self {
        Self {
            timed,
            newest: None,
            newest_at_call: vec![None; calls],
            by_process: HashMap::new(),
            by_zxid: HashMap::new(),
            epochs: BTreeSet::new(),
            updates: 0,
            findings: Vec::new(),
            findings_total: 0,
        }
    }

    fn completed(&mut self, id: usize, call: &Call, zxid: u64, stamped: &[(&Call, u64, u64)]) {
        self.epochs.insert(epoch(zxid));
        if is_update(call) {
            self.updates += 1;
            if let Some(first) =
                self.newest_at_call[id].filter(|&first| epoch(zxid) < epoch(stamped[first].2))
            {
                let (newer, _, seen) = stamped[first];
                let why = format!(
                    "#{} completed with epoch {} before #{} was called, yet that was acknowledged by epoch {}",
                    newer.index_invoke,
                    epoch(seen),
                    call.index_invoke,
                    epoch(zxid)
                );
                self.found(FindingKind::SupersededEpoch, why, newer, call);
            }
            if let Some(first) = self.by_zxid.insert(zxid, id) {
                let first = stamped[first].0;
                let why = format!(
                    "#{} and #{} were both acknowledged with zxid {zxid:#x}",
                    first.index_invoke, call.index_invoke
                );
                self.found(FindingKind::DuplicateZxid, why, first, call);
            }
        }
        if let Some(last) = self.by_process.insert(call.process, id).filter(|&last| zxid < stamped[last].2) {
            let (last, _, seen) = stamped[last];
            let why = format!(
                "process {} saw zxid {seen:#x} with #{} and then {zxid:#x} with #{}",
                call.process, last.index_invoke, call.index_invoke
            );
            self.found(FindingKind::WentBack, why, last, call);
        }
        if self.newest.is_none_or(|newest| epoch(zxid) > epoch(stamped[newest].2)) {
            self.newest = Some(id);
        }
    }

    fn found(&mut self, kind: FindingKind, why: String, first: &Call, second: &Call) {
        self.findings_total += 1;
        if self.findings.len() < MAX_FINDINGS {
            let (first, second) = (CoreOp::new(first, self.timed), CoreOp::new(second, self.timed));
            self.findings.push(Finding { kind, why, first, second });
        }
    }

    fn report(self) -> OrderReport {
        let verdict = match self.findings.first() {
            Some(finding) => Verdict::Invalid(format!("{}: {}", finding.kind.name(), finding.why)),
            None if self.updates == 0 => Verdict::Unknown("no acknowledged update carried a zxid".into()),
            None => Verdict::Valid,
        };
        OrderReport {
            verdict,
            findings: self.findings,
            findings_total: self.findings_total,
            updates: self.updates,
            epochs: self.epochs.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Op, OpType, Process};

    /// (process, type, f, zxid)
    fn check(lines: &[(i64, OpType, &str, u64)]) -> OrderReport {
        let ops = (0..).zip(lines).map(|(index, &(process, op_type, f, zxid))| Op {
            zxid: (zxid > 0).then_some(zxid),
            ..Op::new(index, index, Process::Client(process), op_type, f)
        });
        check_order(&History::from_ops(ops.collect()).unwrap())
    }

    use OpType::{Invoke, Ok};
    const E1: u64 = 1 << 32;
    const E2: u64 = 2 << 32;

    #[test]
    fn an_update_of_an_older_epoch_called_after_a_newer_one_was_seen() {
        let report = check(&[
            (0, Invoke, "read", 0),
            (0, Ok, "read", E2 + 1),
            (1, Invoke, "write", 0),
            (1, Ok, "write", E1 + 9),
        ]);
        assert_eq!(report.findings[0].kind, FindingKind::SupersededEpoch);
        assert!(report.verdict.is_invalid());
        assert_eq!(report.epochs, [1, 2]);
        let (first, second) = (&report.findings[0].first, &report.findings[0].second);
        assert_eq!((first.index_invoke, second.index_invoke), (0, 2));
    }

    #[test]
    fn concurrent_updates_and_older_reads_are_allowed() {
        let report = check(&[
            (1, Invoke, "write", 0),
            (0, Invoke, "write", 0),
            (0, Ok, "write", E2 + 1),
            (1, Ok, "write", E1 + 9),
            (2, Invoke, "read", 0),
            (2, Ok, "read", E1 + 9),
        ]);
        assert_eq!(report.verdict, Verdict::Valid, "a read acknowledges nothing");
    }

    #[test]
    fn a_process_goes_back() {
        let report = check(&[
            (0, Invoke, "write", 0),
            (0, Ok, "write", E1 + 2),
            (0, Invoke, "read", 0),
            (0, Ok, "read", E1 + 1),
        ]);
        assert_eq!(report.findings[0].kind, FindingKind::WentBack);
    }

    #[test]
    fn the_same_zxid_twice() {
        let report = check(&[
            (0, Invoke, "write", 0),
            (1, Invoke, "cas", 0),
            (0, Ok, "write", E1 + 2),
            (1, Ok, "cas", E1 + 2),
        ]);
        assert_eq!(report.findings[0].kind, FindingKind::DuplicateZxid);
    }

    #[test]
    fn nothing_stamped_proves_nothing() {
        assert!(matches!(
            check(&[(0, Invoke, "write", 0), (0, Ok, "write", 0)]).verdict,
            Verdict::Unknown(_)
        ));
    }
}
