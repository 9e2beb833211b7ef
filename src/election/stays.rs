//! Who was in which epoch from when to when: the traces folded into intervals.
//!
//! The common ground of [`super::observe()`] and [`super::fencing()`]; judges nothing.

use super::trace::{NodeTrace, TraceEvent};
use crate::cluster::NodeId;
use crate::nemesis::{FaultAction, FaultOutcome, FaultRecord};

/// A leader's establishment: a quorum has acknowledged its NEWLEADER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Establishment {
    pub(super) epoch: u32,
    pub(super) leader: NodeId,
    pub(super) at_ns: u64,
}

/// Every establishment up to `end_ns`, in order of time.
pub(super) fn establishments(traces: &[NodeTrace], end_ns: u64) -> Vec<Establishment> {
    let mut all: Vec<Establishment> = traces
        .iter()
        .flat_map(|trace| trace.events.iter().map(|event| (trace.node, event)))
        .filter(|(_, event)| event.event == "leader.established" && event.at_ns <= end_ns)
        .filter_map(|(leader, event)| {
            Some(Establishment { epoch: event.epoch("epoch")?, leader, at_ns: event.at_ns })
        })
        .collect();
    all.sort_by_key(|one| (one.at_ns, one.epoch));
    all
}

/// How a stay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StayEnd {
    /// By the node itself, for this reason.
    Left {
        reason: String,
        /// Client requests it had not answered.
        pending: u64,
    },
    /// The process was killed or died.
    Died,
    /// The traces know of no end.
    Open,
}

/// A node in an epoch: from its leader's establishment, or as a follower from its acknowledgement of
/// NEWLEADER, until it gives up the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) node: NodeId,
    pub(super) epoch: u32,
    pub(super) leading: bool,
    pub(super) from_ns: u64,
    /// `u64::MAX` while open.
    pub(super) until_ns: u64,
    pub(super) end: StayEnd,
}

impl Stay {
    /// Whether the node was in the epoch at that time.
    pub(super) fn covers(&self, at_ns: u64) -> bool {
        self.from_ns <= at_ns && at_ns < self.until_ns
    }
}

/// The stays of all nodes, as known at `end_ns`; those of one node are together and in order of time.
pub(super) fn stays(traces: &[NodeTrace], faults: &[FaultRecord], end_ns: u64) -> Vec<Stay> {
    traces.iter().flat_map(|trace| of_one_node(trace, &deaths(trace, faults), end_ns)).collect()
}

/// Where a fault record says that a node's process was killed, and where it died by itself.
fn deaths(trace: &NodeTrace, faults: &[FaultRecord]) -> Vec<u64> {
    let killed =
        faults.iter().filter(|fault| fault.outcome == FaultOutcome::Installed).filter_map(
            |fault| match &fault.planned.action {
                FaultAction::Kill { nodes, .. } if nodes.contains(&trace.node) => fault.installed_ns,
                FaultAction::Kill { .. } | FaultAction::Pause { .. } | FaultAction::Partition { .. } => None,
            },
        );
    let mut deaths: Vec<u64> = killed.chain(trace.died_ns.iter().copied()).collect();
    deaths.sort_unstable();
    deaths
}

fn of_one_node(trace: &NodeTrace, deaths: &[u64], end_ns: u64) -> Vec<Stay> {
    let mut fold = Fold { node: trace.node, done: Vec::new(), open: None };
    let mut deaths = deaths.iter().copied().filter(|&died_ns| died_ns <= end_ns).peekable();
    for event in trace.events.iter().filter(|event| event.at_ns <= end_ns) {
        while let Some(died_ns) = deaths.next_if(|&died_ns| died_ns <= event.at_ns) {
            fold.close(died_ns, StayEnd::Died);
        }
        fold.note(event);
    }
    for died_ns in deaths {
        fold.close(died_ns, StayEnd::Died);
    }
    fold.done.extend(fold.open);
    fold.done
}

struct Fold {
    node: NodeId,
    done: Vec<Stay>,
    open: Option<Stay>,
}

impl Fold {
    fn note(&mut self, event: &TraceEvent) {
        let at_ns = event.at_ns;
        match event.event.as_str() {
            "leader.established" => self.enter(event, true),
            "learner.newleader_acked" | "learner.serving" => self.enter(event, false),
            "stepped_down" => {
                let reason = event.text("reason").unwrap_or("gave up its role").to_owned();
                let pending = event.number("pending").and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
                self.close(at_ns, StayEnd::Left { reason, pending });
            }
            "state" if event.is_looking() => {
                let reason = event.text("reason").unwrap_or("went looking").to_owned();
                self.close(at_ns, StayEnd::Left { reason, pending: 0 });
            }
            "process.started" => self.close(at_ns, StayEnd::Died),
            // The other transitions change no role.
            _ => {}
        }
    }

    fn enter(&mut self, event: &TraceEvent, leading: bool) {
        let Some(epoch) = event.epoch("epoch") else { return };
        if self.open.as_ref().is_some_and(|open| open.epoch == epoch && open.leading == leading) {
            return;
        }
        let replaced = format!("entered epoch {epoch}");
        self.close(event.at_ns, StayEnd::Left { reason: replaced, pending: 0 });
        let from_ns = event.at_ns;
        self.open =
            Some(Stay { node: self.node, epoch, leading, from_ns, until_ns: u64::MAX, end: StayEnd::Open });
    }

    fn close(&mut self, at_ns: u64, end: StayEnd) {
        if let Some(open) = self.open.take() {
            self.done.push(Stay { until_ns: at_ns.max(open.from_ns), end, ..open });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::election::script::{self, Script, n};

    #[test]
    fn leader_and_followers_stay_until_they_leave_or_die() {
        let mut script = Script::new(3);
        script.start(1, 3);
        script.at(20_000).stepped_down(3, 1, true);
        script.at(21_000).looking(2);
        script.kill(1, "one", &[1], 22_000, 30_000);
        let stays = stays(&script.traces(), &script.faults, u64::MAX);
        let brief: Vec<_> = stays.iter().map(|stay| (stay.node, stay.leading, stay.until_ns)).collect();
        let ns = script::ns;
        assert_eq!(
            brief,
            vec![(n(1), false, ns(22_000)), (n(2), false, ns(21_000)), (n(3), true, ns(20_000))]
        );
        assert_eq!(stays[0].end, StayEnd::Died);
        assert!(matches!(&stays[2].end, StayEnd::Left { pending: 2, .. }));
    }

    #[test]
    fn a_node_that_is_there_at_the_end_stays() {
        let mut script = Script::new(3);
        script.start(1, 3);
        let stays = stays(&script.traces(), &[], u64::MAX);
        assert!(stays.iter().all(|stay| stay.end == StayEnd::Open && stay.covers(u64::MAX - 1)));
        assert_eq!(establishments(&script.traces(), u64::MAX).len(), 1);
    }
}
