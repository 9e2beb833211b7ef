//! The order of stamps (zxids) as the clients saw it: fencing, checked without a word from the nodes.
//!
//! Columns of the history for [`crate::stamps::invariants`], and what they find as verdicts. A zxid's upper 32 bits
//! are the epoch of the leader that proposed it: once any operation showed epoch e, no update called later may be
//! acknowledged with a lower one, because the leader that did was superseded and should have been fenced. Says nothing
//! about the values of registers, but that one stamp never stands for two.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::explain::render;
use crate::history::{History, Outcome, Stamps, Val};
use crate::model::{RegAction, RegMachine};
use crate::objects::{Function, register};
use crate::stamps::invariants::{Findings, Invariants, Stamped, UNTOLD};
use crate::stamps::{Certified, Finding as Found, Mode, certify};
use crate::{CheckError, Class, CoreOp, LinOp, NEVER, Position, Verdict};

pub use crate::stamps::invariants::InvariantKind as FindingKind;

/// Two operations whose stamps contradict each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Which rule they break.
    #[serde(serialize_with = "by_name")]
    pub kind: FindingKind,
    /// One sentence.
    pub why: String,
    /// The operation that completed first.
    pub first: CoreOp,
    /// The one that must not have completed so.
    pub second: CoreOp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn by_name<S: serde::Serializer>(kind: &FindingKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

/// What the order check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderReport {
    /// *Invalid* if anything was found; *unknown* if no update carried a stamp.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Findings in the order in which they showed, at most 20 of each rule.
    pub findings: Vec<Finding>,
    /// How many there were in all.
    pub findings_total: u64,
    /// Acknowledged updates that carried a stamp.
    pub updates: u64,
    /// Epochs seen by clients, ascending.
    pub epochs: Vec<u32>,
}

/// Checks the stamps of the acknowledged operations of a history: epochs, sessions, uniqueness, one state per stamp.
#[must_use]
pub fn check_order(history: &History) -> OrderReport {
    let columns = Columns::of(history);
    let rules = Invariants::new(columns.stamped(history));
    let mut found = rules.epochs();
    for more in [rules.sessions(), rules.unique(), rules.same_state()] {
        found.join(more);
    }
    let epochs = rules.epochs_seen();
    OrderReport { epochs, ..report(history, &columns, &found, columns.updates()) }
}

/// Checks that what is called after something was acknowledged has no lower stamp, over all clients and keys,
/// whatever the values were; reads too, so they must be current (each behind a sync that asks a quorum). A stale server
/// is found here by any of its answers, also by one whose value happens to be right.
#[must_use]
pub fn check_real_time(history: &History) -> Verdict {
    let columns = Columns::of(history);
    let found = Invariants::new(columns.stamped(history)).real_time(true);
    report(history, &columns, &found, columns.updates()).verdict
}

/// Checks that what each session sees never goes back, and that it sees its own updates.
pub(crate) fn check_sessions(history: &History) -> Verdict {
    let columns = Columns::of(history);
    let found = Invariants::new(columns.stamped(history)).sessions();
    report(history, &columns, &found, columns.calls.len() as u64).verdict
}

/// Checks that the stamps' own order explains every value of a register; `None` where they cannot tell.
///
/// For histories whose values are linearizable: then a server whose stamps say otherwise lies about its order
/// ([`Class::StampLie`]), whatever it did to the values.
///
/// # Errors
/// When a value has the wrong shape, or an operation is of no register.
pub fn check_stamps(history: &History) -> Result<Option<Verdict>, CheckError> {
    let (calls, ops) = register::problem_of(history)?;
    let mut keys: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (place, &id) in calls.iter().enumerate() {
        keys.entry(history.columns.key[id as usize]).or_default().push(place);
    }
    let mut told = None;
    for places in keys.values() {
        let of_key: Vec<LinOp<RegAction>> = places.iter().map(|&place| ops[place]).collect();
        let ids: Vec<u32> = places.iter().map(|&place| calls[place]).collect();
        let stamps: Vec<Option<u64>> = ids.iter().map(|&id| history.call(id).zxid()).collect();
        let updates = |action: RegAction| action.stores().is_some();
        match certify(&mut RegMachine, &of_key, &stamps, updates, mode(history)) {
            Certified::Valid(_) => told = Some(Verdict::Valid),
            Certified::Inapplicable(_) => {}
            Certified::Mismatch(found) => {
                let value = |id: u32| history.values.display(Val::from_id(id)).to_string();
                let why = render(history, &ids, &found.sentence, value);
                return Ok(Some(Verdict::Invalid(format!("{}: {why}", Class::StampLie))));
            }
        }
    }
    Ok(told)
}

fn report(history: &History, columns: &Columns, found: &Findings, updates: u64) -> OrderReport {
    let op = |id: u32| CoreOp::new(history.call(columns.calls[id as usize]));
    let finding = |found: &Found<FindingKind>| Finding {
        kind: found.kind,
        why: render(history, &columns.calls, &found.sentence, |value| value.to_string()),
        first: op(found.ops[0]),
        second: op(found.ops[found.ops.len() - 1]),
    };
    let findings: Vec<Finding> = found.findings.iter().map(finding).collect();
    let verdict = match findings.first() {
        Some(first) => {
            let more = match found.total {
                1 => String::new(),
                total => format!(" (and {} more)", total - 1),
            };
            Verdict::Invalid(format!("{}: {}{more}", first.kind.name(), first.why))
        }
        None if updates == 0 => Verdict::Unknown("no acknowledged update carries a stamp".into()),
        None => Verdict::Valid,
    };
    OrderReport { verdict, findings, findings_total: found.total, updates, epochs: Vec::new() }
}

/// What of a history the stamps are held against: acknowledged operations with a stamp.
struct Columns {
    /// The call of each.
    calls: Vec<u32>,
    call: Vec<Position>,
    ret: Vec<Position>,
    session: Vec<i64>,
    key: Vec<u32>,
    update: Vec<bool>,
    stamp: Vec<Option<u64>>,
    value: Vec<u32>,
}

impl Columns {
    fn of(history: &History) -> Self {
        let stamped = |call: &crate::Call<'_>| {
            call.zxid().is_some() && matches!(call.outcome(), Outcome::Ok | Outcome::Mismatch)
        };
        let calls: Vec<u32> = history.calls().filter(stamped).map(crate::Call::id).collect();
        let each = || calls.iter().map(|&id| history.call(id));
        Self {
            call: each().map(crate::Call::call).collect(),
            ret: each().map(crate::Call::ret).collect(),
            session: each().map(crate::Call::process).collect(),
            key: each().map(|call| history.columns.key[call.id() as usize]).collect(),
            update: each().map(is_update).collect(),
            stamp: each().map(crate::Call::zxid).collect(),
            value: each().map(value).collect(),
            calls,
        }
    }

    fn stamped(&self, history: &History) -> Stamped<'_> {
        Stamped {
            call: &self.call,
            ret: &self.ret,
            session: &self.session,
            key: &self.key,
            update: &self.update,
            stamp: &self.stamp,
            value: &self.value,
            version: &[],
            mode: mode(history),
        }
    }

    fn updates(&self) -> u64 {
        debug_assert!(self.ret.iter().all(|&ret| ret != NEVER), "only completed operations are here");
        self.update.iter().filter(|&&update| update).count() as u64
    }
}

/// What the stamps of reads say.
pub(crate) fn mode(history: &History) -> Mode {
    match history.stamps {
        Stamps::Reached => Mode::Reached,
        Stamps::LastModified => Mode::LastModified,
    }
}

/// It has a stamp of its own.
pub(crate) fn is_update(call: crate::Call<'_>) -> bool {
    let function = Function::named(call.f());
    let observes = function.only_observes();
    let empty = function == Function::DEQUEUE && call.output().unwrap_or_default().is_nil();
    call.outcome() == Outcome::Ok && !observes && !empty
}

/// The state that a register's operation tells.
fn value(call: crate::Call<'_>) -> u32 {
    let values = &call.history().values;
    match Function::named(call.f()) {
        Function::READ if call.is_ok() => call.output().unwrap_or_default().id(),
        Function::WRITE => call.input().id(),
        Function::CAS if call.is_ok() => {
            let pair = call.output().or(Some(call.input())).and_then(|output| values.as_pair(output));
            pair.map_or(UNTOLD, |(_, new)| new.id())
        }
        _ => UNTOLD,
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
        assert_eq!(report.findings[0].kind, FindingKind::Duplicate);
    }

    #[test]
    fn nothing_stamped_proves_nothing() {
        assert!(matches!(
            check(&[(0, Invoke, "write", 0), (0, Ok, "write", 0)]).verdict,
            Verdict::Unknown(_)
        ));
    }
}
