//! The fencing report: whether anything of a superseded epoch was still believed. Pure.
//!
//! Per epoch: who led it, when a higher epoch was established, when its leader stopped claiming to lead,
//! and what became of the requests that reached that leader in between. ZAB promises at most one
//! established leader per epoch, and that a superseded leader cannot commit: a quorum has promised a
//! higher epoch (acceptedEpoch) before that is established. So an acknowledgement by an epoch to a
//! request that was invoked after that epoch was superseded breaks the promise.
//!
//! The *zombie window* is the time in which a superseded leader ran and claimed to lead. The time in
//! which its process was stopped is not part of it: a stopped process claims nothing.

use super::cause::hit_by;
use super::end_of;
use super::requests::{Ending, Request, StaleAck, requests};
use super::stays::{Establishment, Stay, StayEnd, establishments, stays};
use super::trace::NodeTrace;
use crate::cluster::NodeId;
use crate::nemesis::{FaultAction, FaultOutcome, FaultRecord};
use checker::Verdict;
use checker::history::Op;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What became of one epoch and of its leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EpochFencing {
    /// The epoch.
    pub(crate) epoch: u32,
    /// Its leader.
    pub(crate) leader: NodeId,
    /// When it was established, ns of the run.
    pub(crate) established_ns: u64,
    /// When a higher epoch was established; `None` for the last one.
    pub(crate) superseded_ns: Option<u64>,
    /// When its leader stopped claiming to lead; `None` if it still did when the run ended.
    pub(crate) stopped_ns: Option<u64>,
    /// Why it stopped, or `died`, or `still leads`.
    pub(crate) stopped_why: String,
    /// Its process was killed or died while it led.
    pub(crate) died: bool,
    /// When the leader's process ran again, or its links were healed, if a fault on it was in force when
    /// the epoch was superseded.
    pub(crate) resumed_ns: Option<u64>,
    /// How long the superseded leader ran and claimed to lead, ns.
    pub(crate) zombie_ns: u64,
    /// Client requests that it had not answered when it stepped down, by its own count.
    pub(crate) unanswered: u64,
    /// Messages of this epoch that nodes of higher epochs refused.
    pub(crate) refused_by_peers: u64,
    /// Requests that reached it after the epoch was superseded, by how they ended.
    pub(crate) requests: BTreeMap<Ending, u64>,
}

/// Refusals of one kind: something of an older epoch met a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusals {
    /// What was refused.
    pub(crate) what: String,
    /// Its epoch.
    pub(crate) stale: u32,
    /// The epoch that stood against it.
    pub(crate) current: u32,
    /// How often.
    pub(crate) count: u64,
}

/// The fencing report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FencingReport {
    /// Every established epoch, in order of time.
    pub(crate) epochs: Vec<EpochFencing>,
    /// Every kind of refusal, in order of epochs.
    pub(crate) refusals: Vec<Refusals>,
    /// How many acknowledgements by a superseded epoch there were.
    pub(crate) stale_acks: u64,
    /// The first twenty of them.
    pub(crate) first_stale_acks: Vec<StaleAck>,
    /// Broken promises, one sentence each. None may be: any makes the run invalid.
    pub(crate) violations: Vec<String>,
}

impl FencingReport {
    /// Invalid when a promise was broken, with every broken promise.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.violations.split_first() {
            None => Verdict::Valid,
            Some((first, [])) => Verdict::Invalid(first.clone()),
            Some((first, more)) => Verdict::Invalid(format!("{first}; {}", more.join("; "))),
        }
    }

    /// How long superseded leaders ran and claimed to lead: how many windows, and the longest, ns.
    pub(crate) fn zombie_windows(&self) -> (usize, u64) {
        let windows = self.epochs.iter().map(|epoch| epoch.zombie_ns).filter(|&ns| ns > 0);
        (windows.clone().count(), windows.max().unwrap_or(0))
    }
}

/// How many stale acknowledgements are listed one by one.
const STALE_ACKS_LISTED: usize = 20;

/// Tells the fencing report of a run. What the nodes did after the history's last line is left out: by
/// then the tool was ending their processes.
pub(crate) fn fencing(traces: &[NodeTrace], faults: &[FaultRecord], history: &[Op]) -> FencingReport {
    let end_ns = end_of(history);
    let all = establishments(traces, end_ns);
    let superseded: BTreeMap<u32, u64> =
        all.iter().filter_map(|one| Some((one.epoch, superseded_ns(*one, &all)?))).collect();
    let stays = stays(traces, faults, end_ns);
    let requests = requests(history);
    let acks: Vec<StaleAck> =
        requests.iter().filter_map(|request| request.stale_ack(&superseded, &stays)).collect();
    let stale = acks.iter().map(|ack| ack.invoke_index).collect();
    let refusals = refusals(traces, end_ns);
    let view = View { traces, faults, end_ns, stays, requests, superseded, stale };

    let epochs = all.iter().map(|one| EpochFencing {
        refused_by_peers: refusals.iter().filter(|of| of.stale == one.epoch).map(|of| of.count).sum(),
        ..view.epoch(*one)
    });
    let epochs = epochs.collect();
    let mut violations = led_twice(&all);
    violations.extend(stale_sentence(&acks, &view.superseded));
    FencingReport {
        epochs,
        refusals,
        stale_acks: u64::try_from(acks.len()).unwrap_or(u64::MAX),
        first_stale_acks: acks.into_iter().take(STALE_ACKS_LISTED).collect(),
        violations,
    }
}

/// When a higher epoch was established. A leader that was stopped with its quorum's acknowledgements
/// already received may be established later than that: then its epoch is superseded from the first.
fn superseded_ns(one: Establishment, all: &[Establishment]) -> Option<u64> {
    let higher = all.iter().filter(|other| other.epoch > one.epoch).map(|other| other.at_ns).min()?;
    Some(higher.max(one.at_ns))
}

/// A run, folded.
struct View<'a> {
    traces: &'a [NodeTrace],
    faults: &'a [FaultRecord],
    /// When the history ends.
    end_ns: u64,
    stays: Vec<Stay>,
    requests: Vec<Request<'a>>,
    /// When each epoch was superseded.
    superseded: BTreeMap<u32, u64>,
    /// The invocations that were acknowledged by a superseded epoch, by their `index`.
    stale: BTreeSet<u64>,
}

impl View<'_> {
    fn epoch(&self, one: Establishment) -> EpochFencing {
        let stay = self.stays.iter().find(|stay| {
            let same = stay.node == one.leader && stay.epoch == one.epoch;
            same && stay.leading && stay.from_ns == one.at_ns
        });
        let superseded_ns = self.superseded.get(&one.epoch).copied();
        let stopped_ns = stay.filter(|stay| stay.end != StayEnd::Open).map(|stay| stay.until_ns);
        let (stopped_why, unanswered) = match stay.map(|stay| &stay.end) {
            Some(StayEnd::Left { reason, pending }) => (reason.clone(), *pending),
            Some(StayEnd::Died) => ("died".to_owned(), 0),
            Some(StayEnd::Open) | None => ("still leads".to_owned(), 0),
        };
        let trace = self.traces.iter().find(|trace| trace.node == one.leader);
        let pauses = trace.map_or_else(Vec::new, |trace| pauses(trace, self.faults));
        // One that never stopped is a zombie to the end.
        let until_ns = stopped_ns.unwrap_or(self.end_ns);
        EpochFencing {
            epoch: one.epoch,
            leader: one.leader,
            established_ns: one.at_ns,
            superseded_ns,
            stopped_ns,
            stopped_why,
            died: stay.is_some_and(|stay| stay.end == StayEnd::Died),
            resumed_ns: superseded_ns.and_then(|at_ns| resumed_ns(one.leader, at_ns, &pauses, self.faults)),
            zombie_ns: superseded_ns.map_or(0, |from_ns| running_ns(from_ns, until_ns, &pauses)),
            unanswered,
            refused_by_peers: 0,
            requests: match (stay, superseded_ns) {
                (Some(stay), Some(superseded_ns)) => self.late_requests(stay, superseded_ns),
                (_, _) => BTreeMap::new(),
            },
        }
    }

    /// Requests that reached a superseded leader, by how they ended.
    fn late_requests(&self, stay: &Stay, superseded_ns: u64) -> BTreeMap<Ending, u64> {
        let mut ended = BTreeMap::new();
        for request in self.requests.iter().filter(|request| request.reached(stay, superseded_ns)) {
            let ending = request.ending(stay, self.stale.contains(&request.invoke.index));
            *ended.entry(ending).or_insert(0) += 1;
        }
        ended
    }
}

/// When the node's process was stopped: until SIGCONT was about to be sent, or until it wrote a trace,
/// which a stopped process does not.
fn pauses(trace: &NodeTrace, faults: &[FaultRecord]) -> Vec<(u64, u64)> {
    installed(faults)
        .filter(|(fault, _)| match &fault.planned.action {
            FaultAction::Pause { nodes, .. } => nodes.contains(&trace.node),
            FaultAction::Kill { .. } | FaultAction::Partition { .. } => false,
        })
        .map(|(fault, from_ns)| {
            let first_sign = trace
                .events
                .iter()
                .map(|event| event.at_ns)
                .find(|&at_ns| at_ns > from_ns)
                .unwrap_or(u64::MAX);
            (from_ns, fault.healing_ns.unwrap_or(u64::MAX).min(first_sign))
        })
        .collect()
}

fn installed(faults: &[FaultRecord]) -> impl Iterator<Item = (&FaultRecord, u64)> {
    faults
        .iter()
        .filter(|fault| fault.outcome == FaultOutcome::Installed)
        .filter_map(|fault| Some((fault, fault.installed_ns?)))
}

/// When the leader ran again or was connected again after the fault that was in force at `at_ns`.
fn resumed_ns(leader: NodeId, at_ns: u64, pauses: &[(u64, u64)], faults: &[FaultRecord]) -> Option<u64> {
    let covers = |from_ns: u64, until_ns: u64| from_ns <= at_ns && at_ns < until_ns && until_ns < u64::MAX;
    let paused = pauses.iter().find(|&&(from_ns, until_ns)| covers(from_ns, until_ns)).map(|pause| pause.1);
    paused.or_else(|| {
        installed(faults)
            .filter(|(fault, _)| match &fault.planned.action {
                action @ FaultAction::Partition { .. } => hit_by(action).contains(&leader),
                FaultAction::Pause { .. } | FaultAction::Kill { .. } => false,
            })
            .filter_map(|(fault, from_ns)| fault.healed_ns.filter(|&healed| covers(from_ns, healed)))
            .max()
    })
}

/// The length of a span less the pauses in it, which may overlap.
fn running_ns(from_ns: u64, until_ns: u64, pauses: &[(u64, u64)]) -> u64 {
    let mut pauses: Vec<(u64, u64)> = pauses.to_vec();
    pauses.sort_unstable();
    let (mut at_ns, mut ran_ns) = (from_ns, 0_u64);
    for (stop, go) in pauses {
        let stop = stop.clamp(from_ns, until_ns.max(from_ns));
        ran_ns += stop.saturating_sub(at_ns);
        at_ns = at_ns.max(go);
    }
    ran_ns + until_ns.saturating_sub(at_ns)
}

fn refusals(traces: &[NodeTrace], end_ns: u64) -> Vec<Refusals> {
    let mut counts: BTreeMap<(u32, u32, &str), u64> = BTreeMap::new();
    let events = traces.iter().flat_map(|trace| &trace.events).filter(|event| event.at_ns <= end_ns);
    for event in events {
        let (what, count) = match event.event.as_str() {
            "fenced" => (event.text("what").unwrap_or("message"), 1),
            "learner.proposals_abandoned" => ("logged proposals", event.number("count").unwrap_or(1)),
            // The other transitions refuse nothing.
            _ => continue,
        };
        if let (Some(stale), Some(current)) = (event.epoch("stale"), event.epoch("current")) {
            *counts.entry((stale, current, what)).or_insert(0) += u64::try_from(count).unwrap_or(0);
        }
    }
    let refusal = |((stale, current, what), count): ((u32, u32, &str), u64)| Refusals {
        what: what.to_owned(),
        stale,
        current,
        count,
    };
    counts.into_iter().map(refusal).collect()
}

fn led_twice(all: &[Establishment]) -> Vec<String> {
    let mut by_epoch: BTreeMap<u32, Vec<NodeId>> = BTreeMap::new();
    for one in all {
        by_epoch.entry(one.epoch).or_default().push(one.leader);
    }
    let twice = by_epoch.into_iter().filter(|(_, leaders)| leaders.len() > 1);
    twice
        .map(|(epoch, leaders)| {
            let names: Vec<String> = leaders.iter().map(NodeId::to_string).collect();
            format!("epoch {epoch} was established {} times, by {}", leaders.len(), names.join(" and "))
        })
        .collect()
}

fn stale_sentence(acks: &[StaleAck], superseded: &BTreeMap<u32, u64>) -> Option<String> {
    let first = acks.first()?;
    let late_ns = first.invoked_ns.saturating_sub(superseded.get(&first.epoch).copied().unwrap_or(0));
    let node = first.node.map_or_else(|| "a node".to_owned(), |node| node.to_string());
    let others = match acks.len() {
        1 => String::new(),
        many => format!(" ({} such acknowledgements in all)", many),
    };
    Some(format!(
        "{node} acknowledged a {} in epoch {} that was invoked {} ms after that epoch was superseded \
         (history index {}){others}",
        first.f,
        first.epoch,
        late_ns / 1_000_000,
        first.ok_index,
    ))
}

#[cfg(test)]
#[path = "fencing_tests.rs"]
mod tests;
