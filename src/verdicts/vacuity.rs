//! Vacuity: a run that exercised nothing proves nothing, however green it looks. Each rule names what
//! did not happen; none of them can make a run invalid.

use crate::cluster::NodeId;
use crate::nemesis::{FaultAction, FaultOutcome, FaultRecord};
use crate::network::{Cut, Grudge};
use crate::plan::Plan;
use checker::Verdict;
use checker::history::{Op, OpType, Process};
use checker::stats::Stats;
use std::collections::BTreeSet;

/// How long after a leader fault's end the election that it caused may still be under way, ns.
const ELECTION_GRACE_NS: u64 = 2_000_000_000;

/// What a run did, as far as the rules ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exercise<'a> {
    /// What was asked.
    pub(crate) plan: &'a Plan,
    /// The history's lines.
    pub(crate) ops: &'a [Op],
    /// What the history exercised.
    pub(crate) stats: &'a Stats,
    /// What became of the faults.
    pub(crate) faults: &'a [FaultRecord],
    /// When leaders were established, ns of the run.
    pub(crate) established_ns: &'a [u64],
}

/// Judges whether the run proves anything.
pub(crate) fn vacuity(exercise: &Exercise<'_>) -> Verdict {
    let rules = [
        no_update_succeeded,
        no_read_raced,
        no_fault_took_effect,
        nothing_succeeded_during_faults,
        no_election_under_a_leader_fault,
    ];
    let reasons: Vec<String> = rules.iter().filter_map(|rule| rule(exercise)).collect();
    if reasons.is_empty() { Verdict::Valid } else { Verdict::Unknown(reasons.join("; ")) }
}

fn no_update_succeeded(exercise: &Exercise<'_>) -> Option<String> {
    let counts = &exercise.stats.counts.by_f;
    let ok: u64 = counts.iter().filter(|(f, _)| f.as_str() != "read").map(|(_, counts)| counts.ok).sum();
    (ok == 0).then(|| "no update succeeded in the whole run".to_owned())
}

fn no_read_raced(exercise: &Exercise<'_>) -> Option<String> {
    let vacuous = exercise.stats.reads_racing_writes == 0;
    vacuous.then(|| {
        format!(
            "none of {} reads overlapped an update of its key: raise --concurrency or lower --keys",
            exercise.stats.reads
        )
    })
}

fn installed<'a>(exercise: &Exercise<'a>) -> impl Iterator<Item = (&'a FaultRecord, u64, u64)> + use<'a> {
    let faults = exercise.faults.iter().filter(|fault| fault.outcome == FaultOutcome::Installed);
    faults.filter_map(|fault| Some((fault, fault.installed_ns?, fault.healed_ns.unwrap_or(u64::MAX))))
}

fn no_fault_took_effect(exercise: &Exercise<'_>) -> Option<String> {
    let asked = !exercise.plan.nemesis.is_empty();
    (asked && installed(exercise).next().is_none()).then(|| {
        format!(
            "none of {} faults took effect: give a longer --time-limit or a shorter --nemesis-interval",
            exercise.faults.len()
        )
    })
}

fn nothing_succeeded_during_faults(exercise: &Exercise<'_>) -> Option<String> {
    let nodes = exercise.plan.nodes;
    let (mut partial, mut total) = (Vec::new(), Vec::new());
    for (fault, from, until) in installed(exercise) {
        let windows = if leaves_quorum(&fault.planned.action, nodes) { &mut partial } else { &mut total };
        windows.push((from, until));
    }
    let succeeded_within = |windows: &[(u64, u64)]| {
        exercise.ops.iter().any(|op| {
            let client = matches!(op.process, Process::Client(_));
            let during = || windows.iter().any(|&(from, until)| from <= op.time && op.time <= until);
            client && op.op_type == OpType::Ok && !op.final_read && during()
        })
    };
    if !partial.is_empty() {
        let vacuous = !succeeded_within(&partial);
        return vacuous.then(|| "no operation succeeded while a fault was in place".to_owned());
    }
    // Faults that leave no quorum leave nobody to answer: then what counts is the time after them.
    let healed = total.iter().map(|&(_, until)| until).min()?;
    let vacuous = !succeeded_within(&[(healed, u64::MAX)]);
    vacuous.then(|| "every fault stopped the whole cluster, and no operation succeeded after one".to_owned())
}

/// Whether some quorum of nodes goes on undisturbed.
fn leaves_quorum(action: &FaultAction, nodes: u16) -> bool {
    let quorum = usize::from(nodes) / 2 + 1;
    match action {
        FaultAction::Pause { nodes: hit, .. } | FaultAction::Kill { nodes: hit, .. } => {
            usize::from(nodes) - hit.len() >= quorum
        }
        FaultAction::Partition { grudge, how, .. } => match how {
            Cut::Blackhole | Cut::Reset => {
                NodeId::all(nodes).any(|node| sees(grudge, node, nodes, None) >= quorum)
            }
            Cut::Delay(_) | Cut::Throttle(_) => true,
        },
    }
}

/// How many nodes a node is in touch with both ways, itself included, `without` left out.
fn sees(grudge: &Grudge, node: NodeId, nodes: u16, without: Option<NodeId>) -> usize {
    let others = NodeId::all(nodes).filter(|&other| other != node && Some(other) != without);
    others.filter(|&other| both_ways(grudge, node, other)).count() + 1
}

/// A fault that takes the leader from a majority of the others for longer than syncLimit must lead to
/// an election; if none of them did, either the faults or the observer are not what they seem.
fn no_election_under_a_leader_fault(exercise: &Exercise<'_>) -> Option<String> {
    let plan = exercise.plan;
    // Detection may take syncLimit and a tick, the election itself as long again.
    let long_enough_ns = (2 * plan.sync_limit + 2) * plan.tick_ms * 1_000_000;
    let mut tried = 0;
    for (fault, from, until) in installed(exercise) {
        let Some(leader) = fault.leader_at_injection else { continue };
        if until.saturating_sub(from) < long_enough_ns
            || !takes_leader(&fault.planned.action, leader, plan.nodes)
        {
            continue;
        }
        tried += 1;
        let until = until.saturating_add(ELECTION_GRACE_NS);
        if exercise.established_ns.iter().any(|&at| from <= at && at <= until) {
            return None;
        }
    }
    (tried > 0).then(|| format!("{tried} faults took the leader from its quorum, but no election followed"))
}

/// Whether the fault parts the leader from every quorum while the others still have one.
fn takes_leader(action: &FaultAction, leader: NodeId, nodes: u16) -> bool {
    let quorum = usize::from(nodes) / 2 + 1;
    match action {
        FaultAction::Pause { nodes: hit, .. } | FaultAction::Kill { nodes: hit, .. } => {
            hit.contains(&leader) && usize::from(nodes) - hit.len() >= quorum
        }
        FaultAction::Partition { grudge, how, .. } => match how {
            Cut::Blackhole | Cut::Reset => {
                // Whether the rest can elect: somebody must see a quorum that leaves the leader out.
                let others = NodeId::all(nodes).filter(|node| *node != leader);
                let elects = others.into_iter().any(|node| sees(grudge, node, nodes, Some(leader)) >= quorum);
                sees(grudge, leader, nodes, None) < quorum && elects
            }
            Cut::Delay(_) | Cut::Throttle(_) => false,
        },
    }
}

fn both_ways(grudge: &Grudge, one: NodeId, other: NodeId) -> bool {
    let hears = |to: NodeId, from: NodeId| {
        !grudge.0.get(&to).is_some_and(|deaf: &BTreeSet<NodeId>| deaf.contains(&from))
    };
    hears(one, other) && hears(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::PlannedFault;
    use crate::plan::{PartitionShape, TargetSpec};
    use checker::history::History;
    use std::collections::BTreeMap;

    const SECOND: u64 = 1_000_000_000;

    fn node(number: u16) -> NodeId {
        NodeId::new(number)
    }

    fn fault(action: FaultAction, from_s: u64, until_s: u64) -> FaultRecord {
        FaultRecord {
            planned: PlannedFault { id: 1, at_ns: 0, lasts_ns: 0, action, impossible: None },
            outcome: FaultOutcome::Installed,
            leader_at_injection: Some(node(3)),
            injected_ns: Some(from_s * SECOND),
            installed_ns: Some(from_s * SECOND),
            healing_ns: Some(until_s * SECOND),
            healed_ns: Some(until_s * SECOND),
            evidence: Vec::new(),
        }
    }

    fn kill(nodes: &[u16]) -> FaultAction {
        FaultAction::Kill {
            target: TargetSpec::Leader,
            nodes: nodes.iter().copied().map(NodeId::new).collect(),
        }
    }

    /// A write, and a read racing it, that end at this second.
    fn ops(end_s: u64) -> Vec<Op> {
        let op = |index, time, process, op_type, f: &str| Op {
            key: Some("a".into()),
            ..Op::new(index, time, Process::Client(process), op_type, f)
        };
        vec![
            op(0, 0, 0, OpType::Invoke, "write"),
            op(1, 0, 1, OpType::Invoke, "read"),
            op(2, end_s * SECOND, 0, OpType::Ok, "write"),
            op(3, end_s * SECOND, 1, OpType::Ok, "read"),
        ]
    }

    fn judge(ops: &[Op], faults: &[FaultRecord], established_ns: &[u64]) -> Verdict {
        let plan = crate::plan::tests::plan();
        let stats = checker::stats::stats(&History::from_ops(ops.to_vec()).unwrap());
        vacuity(&Exercise { plan: &plan, ops, stats: &stats, faults, established_ns })
    }

    fn reason(verdict: &Verdict) -> &str {
        assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict}");
        verdict.reason().unwrap()
    }

    #[test]
    fn a_run_that_did_everything_is_no_vacuous_one() {
        let faults = [fault(kill(&[3]), 5, 10)];
        assert_eq!(judge(&ops(6), &faults, &[7 * SECOND]), Verdict::Valid);
    }

    #[test]
    fn faults_that_never_took_effect() {
        let skipped = FaultRecord {
            outcome: FaultOutcome::Skipped { why: "all dead".into() },
            installed_ns: None,
            ..fault(kill(&[3]), 1, 2)
        };
        let verdict = judge(&ops(1), &[skipped], &[]);
        assert!(reason(&verdict).starts_with("none of 1 faults took effect"), "{verdict}");
    }

    #[test]
    fn success_only_in_quiet_times() {
        let verdict = judge(&ops(20), &[fault(kill(&[3]), 5, 10)], &[7 * SECOND]);
        assert_eq!(reason(&verdict), "no operation succeeded while a fault was in place");
    }

    #[test]
    fn an_outage_of_everything_is_judged_by_what_follows() {
        let everything = [fault(kill(&[1, 2, 3, 4, 5]), 5, 10)];
        assert_eq!(judge(&ops(12), &everything, &[]), Verdict::Valid);
        let verdict = judge(&ops(3), &everything, &[]);
        assert_eq!(
            reason(&verdict),
            "every fault stopped the whole cluster, and no operation succeeded after one"
        );
    }

    #[test]
    fn a_leader_fault_without_an_election() {
        let verdict = judge(&ops(6), &[fault(kill(&[3]), 5, 10)], &[SECOND]);
        assert_eq!(reason(&verdict), "1 faults took the leader from its quorum, but no election followed");
        let short = [fault(kill(&[3]), 5, 6)];
        assert_eq!(judge(&ops(6), &short, &[]), Verdict::Valid, "a short one need not");
        let all = [fault(kill(&[1, 2, 3]), 5, 10)];
        assert_eq!(judge(&ops(12), &all, &[]), Verdict::Valid, "nobody is left to elect");
    }

    #[test]
    fn reads_that_raced_nothing() {
        let mut quiet = ops(1);
        quiet.swap(1, 2);
        quiet[1].index = 1;
        quiet[2].index = 2;
        let verdict = judge(&quiet, &[fault(kill(&[3]), 0, 10)], &[SECOND]);
        assert!(reason(&verdict).starts_with("none of 1 reads overlapped an update"), "{verdict}");
    }

    #[test]
    fn which_partitions_take_the_leader() {
        let cut = |pairs: &[(u16, &[u16])]| {
            let deaf = |list: &[u16]| list.iter().copied().map(NodeId::new).collect();
            let grudge =
                Grudge(pairs.iter().map(|(to, from)| (node(*to), deaf(from))).collect::<BTreeMap<_, _>>());
            let action = FaultAction::Partition { shape: PartitionShape::One, grudge, how: Cut::Blackhole };
            takes_leader(&action, node(3), 5)
        };
        assert!(cut(&[(3, &[1, 2, 4, 5])]), "it hears nobody");
        assert!(cut(&[(1, &[3]), (2, &[3]), (4, &[3])]), "a majority does not hear it");
        assert!(!cut(&[(1, &[3]), (2, &[3])]), "it still has a quorum");
        assert!(!cut(&[(3, &[1, 2, 4, 5]), (1, &[2, 4, 5]), (2, &[1, 4, 5])]), "nobody else has one");
    }
}
