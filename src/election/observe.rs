//! Every election of a run, with its cause and its phases, told from the whole traces. Pure.
//!
//! An election begins with the loss of an established leader and ends when a leader of a higher epoch is
//! established. So these are no elections of their own:
//!
//! * a follower that goes LOOKING and comes back to the same epoch: a *rejoin*, counted per node;
//! * the old leader that goes LOOKING late, because it was paused or cut off: part of the one election;
//! * an epoch that was proposed and never established: a *failed attempt* within an election.
//!
//! When was the leader lost? The traces show when its epoch *collapsed*: the leader itself left it, or
//! fewer than a quorum were left in it. Which fault that was due to is [`super::cause`]'s judgement.

use super::cause::{self, Struck};
use super::end_of;
use super::stays::{Establishment, Stay, StayEnd, establishments, stays};
use super::trace::{NodeTrace, TraceEvent};
use crate::cluster::NodeId;
use crate::nemesis::FaultRecord;
use checker::history::{Op, OpType};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Why an election was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// The run began.
    Start,
    /// A fault of the nemesis.
    Fault {
        /// Its id.
        id: u32,
        /// What it did, such as `pause n2`.
        text: String,
    },
    /// No fault explains it.
    Unexplained,
}

/// When the phases of an election began, ns of the run; `None` where the traces do not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Phases {
    /// The fault was in place. `None` also when the fault had already caused an earlier election.
    pub(crate) fault_ns: Option<u64>,
    /// The first member of the new quorum (or, if none did, the first server) went LOOKING.
    pub(crate) detected_ns: u64,
    /// The new leader's election decided for it.
    pub(crate) elected_ns: Option<u64>,
    /// A quorum had acknowledged the new leader's NEWLEADER.
    pub(crate) established_ns: u64,
    /// The first write stamped with the new epoch was acknowledged to a client.
    pub(crate) first_ack_ns: Option<u64>,
}

/// How long the phases took, ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Durations {
    /// Fault → detected.
    pub(crate) detect_ns: Option<u64>,
    /// Detected → elected.
    pub(crate) elect_ns: Option<u64>,
    /// Elected → established.
    pub(crate) establish_ns: Option<u64>,
    /// Established → first acknowledged write.
    pub(crate) first_ack_ns: Option<u64>,
    /// Fault → first acknowledged write.
    pub(crate) total_ns: Option<u64>,
}

impl Phases {
    fn durations(&self) -> Durations {
        let between = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
        Durations {
            detect_ns: between(self.fault_ns, Some(self.detected_ns)),
            elect_ns: between(Some(self.detected_ns), self.elected_ns),
            establish_ns: between(self.elected_ns, Some(self.established_ns)),
            first_ack_ns: between(Some(self.established_ns), self.first_ack_ns),
            total_ns: between(self.fault_ns, self.first_ack_ns),
        }
    }
}

/// One election.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Election {
    /// Counts from 1.
    pub(crate) index: u32,
    /// Why it was held.
    pub(crate) cause: Cause,
    /// Who led before; `None` at the start.
    pub(crate) leader_before: Option<NodeId>,
    /// Who leads now.
    pub(crate) leader_after: NodeId,
    /// The epoch before; `None` at the start.
    pub(crate) epoch_before: Option<u32>,
    /// The epoch now.
    pub(crate) epoch_after: u32,
    /// Election rounds that the new leader began for it.
    pub(crate) rounds: u32,
    /// Epochs that were proposed meanwhile and never established.
    pub(crate) failed_epochs: Vec<u32>,
    /// When its phases began.
    pub(crate) phases: Phases,
    /// How long they took.
    pub(crate) durations: Durations,
}

/// An election that had not ended when the run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unfinished {
    /// When the last epoch collapsed, ns of the run.
    pub(crate) since_ns: u64,
    /// Epochs that were proposed since.
    pub(crate) failed_epochs: Vec<u32>,
}

/// What was seen of elections: the content of `elections.json` but for the histograms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Observation {
    /// The elections, in order.
    pub(crate) elections: Vec<Election>,
    /// How often each node left its epoch and came back to the same one; nodes that never did are absent.
    pub(crate) rejoins: BTreeMap<NodeId, u32>,
    /// The election that was going on when the history ended.
    pub(crate) unfinished: Option<Unfinished>,
}

impl Observation {
    /// The elections that a fault caused.
    pub(crate) fn under_faults(&self) -> impl Iterator<Item = &Election> {
        self.elections.iter().filter(|election| matches!(election.cause, Cause::Fault { .. }))
    }

    /// How many epochs were proposed and never established.
    pub(crate) fn failed_attempts(&self) -> usize {
        let finished: usize = self.elections.iter().map(|election| election.failed_epochs.len()).sum();
        finished + self.unfinished.as_ref().map_or(0, |open| open.failed_epochs.len())
    }
}

/// Tells the elections of a run. What the nodes did after the history's last line is left out: by then
/// the tool was ending their processes. One trace for every node of the cluster is expected.
pub(crate) fn observe(traces: &[NodeTrace], faults: &[FaultRecord], history: &[Op]) -> Observation {
    let end_ns = end_of(history);
    let view = View { traces, faults, stays: stays(traces, faults, end_ns), first_acks: first_acks(history) };
    let all = establishments(traces, end_ns);
    let established: BTreeSet<u32> = all.iter().map(|one| one.epoch).collect();
    let mut elections: Vec<Election> = Vec::new();
    let mut before: Option<Establishment> = None;
    for &now in &all {
        // A lower or equal epoch ends no election. If it is a breach, the fencing report says so.
        if before.is_some_and(|before| now.epoch <= before.epoch) {
            continue;
        }
        let index = u32::try_from(elections.len()).unwrap_or(u32::MAX).saturating_add(1);
        elections.push(view.election(index, before, now, &established));
        before = Some(now);
    }
    let unfinished = before.and_then(|last| {
        let since_ns = view.collapse(last, end_ns)?;
        Some(Unfinished { since_ns, failed_epochs: view.proposed(since_ns, end_ns, &established) })
    });
    Observation { elections, rejoins: view.rejoins(), unfinished }
}

/// When the first write of each epoch was acknowledged to a client.
fn first_acks(history: &[Op]) -> BTreeMap<u32, u64> {
    let mut first = BTreeMap::new();
    for op in history.iter().filter(|op| op.op_type == OpType::Ok && op.f != "read") {
        if let Some(epoch) = op.zxid.and_then(super::epoch_of) {
            first.entry(epoch).or_insert(op.time);
        }
    }
    first
}

struct View<'a> {
    traces: &'a [NodeTrace],
    faults: &'a [FaultRecord],
    stays: Vec<Stay>,
    first_acks: BTreeMap<u32, u64>,
}

impl View<'_> {
    fn election(
        &self,
        index: u32,
        before: Option<Establishment>,
        now: Establishment,
        established: &BTreeSet<u32>,
    ) -> Election {
        let since_ns = before.map_or(0, |before| before.at_ns);
        let mut span = self.events(now.leader, since_ns, now.at_ns);
        let elected_ns = span
            .rfind(|event| event.event == "election.decided" && event.node("leader") == Some(now.leader))
            .map(|event| event.at_ns);
        let struck = before.and_then(|before| {
            let lost_ns = self.collapse(before, now.at_ns).or(elected_ns).unwrap_or(now.at_ns);
            cause::find(self.faults, before.leader, self.traces.len(), since_ns, lost_ns)
        });
        let detected_ns = self.detected(before, now, struck.map_or(since_ns, |struck| struck.earliest_ns));
        let rounds = self
            .events(now.leader, detected_ns.max(since_ns), now.at_ns)
            .filter(|event| event.event == "election.started")
            .count();
        let phases = Phases {
            fault_ns: struck.and_then(|struck| fault_ns(struck, since_ns, detected_ns)),
            detected_ns,
            elected_ns,
            established_ns: now.at_ns,
            first_ack_ns: self.first_acks.get(&now.epoch).copied(),
        };
        Election {
            index,
            cause: match (before, struck) {
                (None, _) => Cause::Start,
                (Some(_), None) => Cause::Unexplained,
                (Some(_), Some(Struck { fault, .. })) => {
                    let planned = &fault.planned;
                    Cause::Fault { id: planned.id, text: cause::describe(&planned.action) }
                }
            },
            leader_before: before.map(|before| before.leader),
            leader_after: now.leader,
            epoch_before: before.map(|before| before.epoch),
            epoch_after: now.epoch,
            rounds: u32::try_from(rounds).unwrap_or(u32::MAX).max(1),
            failed_epochs: self.proposed(since_ns, now.at_ns, established),
            phases,
            durations: phases.durations(),
        }
    }

    /// A node's events in a span of time, in order.
    fn events(
        &self,
        node: NodeId,
        from_ns: u64,
        until_ns: u64,
    ) -> impl DoubleEndedIterator<Item = &TraceEvent> {
        let of_node = self.traces.iter().find(|trace| trace.node == node);
        let events = of_node.map_or(&[][..], |trace| &trace.events);
        events.iter().filter(move |event| (from_ns..=until_ns).contains(&event.at_ns))
    }

    /// When an epoch lost its leader or its quorum for good, seen from `until_ns`; `None` while it stands.
    fn collapse(&self, epoch: Establishment, until_ns: u64) -> Option<u64> {
        let quorum = self.traces.len() / 2 + 1;
        let members: Vec<&Stay> = self.stays.iter().filter(|stay| stay.epoch == epoch.epoch).collect();
        let mut changes: BTreeSet<u64> = members
            .iter()
            .flat_map(|stay| [stay.from_ns, stay.until_ns])
            .filter(|&at_ns| epoch.at_ns < at_ns && at_ns <= until_ns && at_ns < u64::MAX)
            .collect();
        changes.insert(epoch.at_ns);
        let mut collapsed = None;
        for at_ns in changes {
            let here = |stay: &&&Stay| stay.covers(at_ns);
            let led = members.iter().filter(here).any(|stay| stay.leading);
            let stands = led && members.iter().filter(here).count() >= quorum;
            collapsed = if stands { None } else { collapsed.or(Some(at_ns)) };
        }
        collapsed
    }

    /// The first LOOKING that belongs to this election.
    fn detected(&self, before: Option<Establishment>, now: Establishment, earliest_ns: u64) -> u64 {
        let members: BTreeSet<NodeId> = self
            .traces
            .iter()
            .filter(|trace| trace.node == now.leader || self.acknowledged(trace.node, now))
            .map(|trace| trace.node)
            .collect();
        let span = earliest_ns..=now.at_ns;
        // The last time each node left the old epoch by itself; an earlier leave was a rejoin.
        let mut left: BTreeMap<NodeId, u64> = BTreeMap::new();
        for stay in self.stays.iter().filter(|stay| before.is_some_and(|before| stay.epoch == before.epoch)) {
            let by_itself = matches!(stay.end, StayEnd::Left { .. }) && span.contains(&stay.until_ns);
            left.remove(&stay.node);
            left.extend(by_itself.then_some((stay.node, stay.until_ns)));
        }
        let of_members =
            left.iter().filter(|(node, _)| members.contains(node)).map(|(_, &at_ns)| at_ns).min();
        of_members.or_else(|| left.values().copied().min()).unwrap_or_else(|| {
            let looking = |trace: &NodeTrace| {
                trace
                    .events
                    .iter()
                    .find(|event| event.is_looking() && span.contains(&event.at_ns))
                    .map(|e| e.at_ns)
            };
            self.traces.iter().filter_map(looking).min().unwrap_or(now.at_ns)
        })
    }

    fn acknowledged(&self, node: NodeId, now: Establishment) -> bool {
        let until_ns = now.at_ns;
        self.stays.iter().any(|stay| stay.node == node && stay.epoch == now.epoch && stay.from_ns <= until_ns)
    }

    /// Epochs proposed in a span of time that nobody was ever established in.
    fn proposed(&self, from_ns: u64, until_ns: u64, established: &BTreeSet<u32>) -> Vec<u32> {
        let proposed: BTreeSet<u32> = self
            .traces
            .iter()
            .flat_map(|trace| self.events(trace.node, from_ns, until_ns))
            .filter(|event| event.event == "leader.epoch_proposed")
            .filter_map(|event| event.epoch("epoch"))
            .collect();
        proposed.difference(established).copied().collect()
    }

    fn rejoins(&self) -> BTreeMap<NodeId, u32> {
        let mut rejoins = BTreeMap::new();
        for pair in self.stays.windows(2) {
            let [left, back] = pair else { continue };
            let same = left.node == back.node && left.epoch == back.epoch;
            if same && !back.leading {
                *rejoins.entry(back.node).or_insert(0) += 1;
            }
        }
        rejoins
    }
}

/// Where the phases begin. A fault older than the leader it brought down had its effect on the leader
/// before: its age says nothing about this election.
fn fault_ns(struck: Struck<'_>, since_ns: u64, detected_ns: u64) -> Option<u64> {
    (struck.earliest_ns >= since_ns).then_some(struck.earliest_ns.min(detected_ns))
}

#[cfg(test)]
#[path = "observe_tests.rs"]
mod tests;
