//! Which fault brought a leader down. A judgement from the fault records and the moment of the loss;
//! it looks at no trace.

use crate::cluster::NodeId;
use crate::nemesis::{FaultAction, FaultOutcome, FaultRecord};
use crate::network::{Cut, Grudge};
use crate::plan::{PartitionShape, TargetSpec};
use std::collections::BTreeSet;

/// How long after it was healed a fault may still bring a leader down: held bytes arrive, timers run out.
const AFTERMATH_NS: u64 = 3_000_000_000;

/// How much later than the end of a fault its effect may show and still be that of a fault in force.
const EVIDENCE_NS: u64 = 200_000_000;

/// A fault that struck.
#[derive(Debug, Clone, Copy)]
pub(super) struct Struck<'a> {
    /// The fault.
    pub(super) fault: &'a FaultRecord,
    /// When its effect was seen in place, ns of the run.
    pub(super) installed_ns: u64,
    /// When its injection began.
    pub(super) earliest_ns: u64,
}

impl<'a> Struck<'a> {
    fn new(fault: &'a FaultRecord) -> Option<Self> {
        let installed_ns = fault.installed_ns.filter(|_| fault.outcome == FaultOutcome::Installed)?;
        let earliest_ns = fault.injected_ns.unwrap_or(installed_ns);
        Some(Self { fault, installed_ns, earliest_ns })
    }
}

/// The fault that best explains that `leader`, one of `nodes` and established at `since_ns`, lost its
/// epoch at `lost_ns`.
///
/// A fault that takes the leader from its quorum explains more than one that touches the leader, and that
/// more than any other. Faults overlap, and silence is noticed late: of several that take the leader from
/// its quorum the first did it. Of those that do not, the newest is the likeliest.
pub(super) fn find(
    faults: &[FaultRecord],
    leader: NodeId,
    nodes: usize,
    since_ns: u64,
    lost_ns: u64,
) -> Option<Struck<'_>> {
    let until = |fault: &FaultRecord, after_ns: u64| {
        fault.healed_ns.map_or(u64::MAX, |healed_ns| healed_ns.saturating_add(after_ns))
    };
    let struck = faults
        .iter()
        .filter_map(Struck::new)
        .filter(|struck| (struck.earliest_ns..=until(struck.fault, AFTERMATH_NS)).contains(&lost_ns));
    struck.max_by_key(|struck| {
        let weight = weight(&struck.fault.planned.action, leader, nodes);
        // What was in force before the leader was established did not keep it from that.
        let struck_it = struck.installed_ns >= since_ns;
        let in_force = lost_ns <= until(struck.fault, EVIDENCE_NS);
        let age = if weight == 2 { u64::MAX - struck.installed_ns } else { struck.installed_ns };
        (weight, struck_it, in_force, age)
    })
}

/// 2: takes the leader from every quorum; 1: touches the leader; 0: neither.
fn weight(action: &FaultAction, leader: NodeId, nodes: usize) -> u8 {
    let quorum = nodes / 2 + 1;
    let hit = hit_by(action);
    let takes = match action {
        FaultAction::Pause { .. } | FaultAction::Kill { .. } => {
            hit.contains(&leader) || nodes.saturating_sub(hit.len()) < quorum
        }
        FaultAction::Partition { grudge, how: Cut::Blackhole | Cut::Reset, .. } => {
            let lost = hit.iter().filter(|&&other| other != leader && is_cut(grudge, leader, other)).count();
            nodes.saturating_sub(lost) < quorum
        }
        FaultAction::Partition { how: Cut::Delay(_) | Cut::Throttle(_), .. } => false,
    };
    if takes { 2 } else { u8::from(hit.contains(&leader)) }
}

/// Whether bytes are lost on the way between two nodes; a connection needs both directions.
fn is_cut(grudge: &Grudge, one: NodeId, other: NodeId) -> bool {
    let deaf = |to: NodeId, from: NodeId| grudge.0.get(&to).is_some_and(|lost| lost.contains(&from));
    deaf(one, other) || deaf(other, one)
}

/// The nodes that a fault touches, in order.
pub(super) fn hit_by(action: &FaultAction) -> Vec<NodeId> {
    match action {
        FaultAction::Pause { nodes, .. } | FaultAction::Kill { nodes, .. } => nodes.clone(),
        FaultAction::Partition { grudge, .. } => {
            let mut nodes: Vec<NodeId> =
                grudge.0.iter().flat_map(|(to, from)| from.iter().copied().chain([*to])).collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes
        }
    }
}

/// A fault in a few words, with what its own words leave out: `pause n2 (leader)`,
/// `partition leader-alone (n3 | rest)`.
pub(crate) fn describe(action: &FaultAction) -> String {
    let detail = match action {
        FaultAction::Pause { target, .. } | FaultAction::Kill { target, .. } => match target {
            TargetSpec::One | TargetSpec::Nodes(_) => None,
            TargetSpec::Minority
            | TargetSpec::Majority
            | TargetSpec::Leader
            | TargetSpec::Followers
            | TargetSpec::All => Some(target.to_string()),
        },
        FaultAction::Partition { shape, grudge, .. } => sides(*shape, grudge),
    };
    detail.map_or_else(|| action.to_string(), |detail| format!("{action} ({detail})"))
}

/// Who is cut off from whom, where that fits a few words.
fn sides(shape: PartitionShape, grudge: &Grudge) -> Option<String> {
    match shape {
        // Who hears whom is too much for a line; `schedule.json` has it.
        PartitionShape::MajoritiesRing | PartitionShape::Bridge => None,
        PartitionShape::OneWay => lost_way(grudge),
        PartitionShape::One
        | PartitionShape::Halves
        | PartitionShape::MajorityMinority
        | PartitionShape::LeaderAlone => {
            // The side that hears fewest others is the small one; it is named.
            let deaf = grudge.0.values().map(BTreeSet::len).max()?;
            let small = grudge.0.iter().filter(|(_, from)| from.len() == deaf).map(|(to, _)| to.to_string());
            Some(format!("{} | rest", small.collect::<Vec<_>>().join(",")))
        }
    }
}

/// `n2 →` when only what n2 sends is lost, `→ n2` when only what it is sent is.
fn lost_way(grudge: &Grudge) -> Option<String> {
    let mut receivers = grudge.0.iter().filter(|(_, from)| !from.is_empty());
    let (first, from) = receivers.next()?;
    if receivers.next().is_none() {
        return Some(format!("→ {first}"));
    }
    Some(format!("{} →", from.iter().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::election::script::{Script, n};

    #[test]
    fn a_fault_on_the_leader_explains_more_than_a_newer_one_elsewhere() {
        let mut script = Script::new(5);
        script.pause(1, "leader", &[2], 1_000_000, 9_000_000);
        script.kill(2, "one", &[4], 2_000_000, 9_000_000);
        let find = |leader, ms: u64| {
            find(&script.faults, leader, 5, 0, ms * 1_000_000).map(|struck| struck.fault.planned.id)
        };
        assert_eq!(find(n(2), 3_000), Some(1));
        assert_eq!(find(n(4), 3_000), Some(2));
        assert_eq!(find(n(1), 3_000), Some(2), "neither bears on n1: the newest");
        assert_eq!(find(n(2), 999), None, "before both");
        assert_eq!(find(n(2), 1_001), Some(1));
        assert_eq!(find(n(2), 12_000), Some(1), "in its aftermath");
        assert_eq!(find(n(2), 12_001), None);
    }

    #[test]
    fn of_overlapping_faults_the_first_that_took_the_quorum_did_it() {
        let mut script = Script::new(5);
        script.isolate(1, 4, 500_000, 6_000_000);
        script.isolate(2, 5, 1_200_000, 3_000_000);
        script.pause(3, "leader", &[5], 2_200_000, 4_000_000);
        let find = |leader, since_ms: u64, ms: u64| {
            let found = find(&script.faults, leader, 5, since_ms * 1_000_000, ms * 1_000_000);
            found.map(|struck| struck.fault.planned.id)
        };
        assert_eq!(find(n(5), 100, 2_300), Some(2), "n5 had lost its quorum before it was paused");
        assert_eq!(find(n(5), 100, 3_900), Some(3), "the one that is still in force");
        assert_eq!(find(n(5), 2_000, 2_300), Some(3), "a leader since after the second");
    }

    #[test]
    fn a_partition_takes_the_leader_when_no_quorum_is_left_to_it() {
        let weight = |pairs: &[(u16, &[u16])], how| {
            let deaf = |from: &[u16]| from.iter().map(|&from| n(from)).collect();
            let grudge = Grudge(pairs.iter().map(|&(to, from)| (n(to), deaf(from))).collect());
            let action = FaultAction::Partition { shape: PartitionShape::Halves, grudge, how };
            weight(&action, n(3), 5)
        };
        assert_eq!(weight(&[(1, &[3]), (2, &[3]), (4, &[3])], Cut::Reset), 2, "a majority is deaf to it");
        assert_eq!(weight(&[(1, &[3]), (2, &[3]), (4, &[3])], Cut::Delay(9)), 1);
        assert_eq!(weight(&[(1, &[3]), (3, &[1, 2])], Cut::Blackhole), 1, "two of four others are left");
        assert_eq!(weight(&[(1, &[2]), (2, &[1])], Cut::Blackhole), 0);
    }

    #[test]
    fn a_skipped_fault_explains_nothing() {
        let mut script = Script::new(3);
        script.pause(1, "leader", &[2], 1_000, 9_000);
        script.faults[0].outcome = FaultOutcome::Skipped { why: "it was dead".to_owned() };
        assert!(find(&script.faults, n(2), 3, 0, 2_000_000).is_none());
    }

    #[test]
    fn faults_are_described_in_a_few_words() {
        let mut script = Script::new(5);
        script.pause(1, "leader", &[2], 0, 1);
        script.kill(2, "one", &[4], 0, 1);
        script.isolate(3, 5, 0, 1);
        let texts: Vec<_> = script.faults.iter().map(|fault| describe(&fault.planned.action)).collect();
        assert_eq!(texts, ["pause n2 (leader)", "kill n4", "partition leader-alone (n5 | rest)"]);
        let one_way = |grudge: Grudge| {
            describe(&FaultAction::Partition { shape: PartitionShape::OneWay, grudge, how: Cut::Reset })
        };
        let incoming = Grudge([(n(2), BTreeSet::from([n(1), n(3)]))].into());
        assert_eq!(one_way(incoming), "partition one-way by reset (→ n2)");
        let outgoing = Grudge([(n(1), BTreeSet::from([n(2)])), (n(3), BTreeSet::from([n(2)]))].into());
        assert_eq!(one_way(outgoing), "partition one-way by reset (n2 →)");
    }
}
