//! What a fault does to a world, how it is undone, and what shows that it took effect.

use super::ns;
use crate::cluster::NodeId;
use crate::nemesis::{FaultAction, FaultOutcome, FaultRecord, PlannedFault, Struck};
use crate::network::{Cut, Grudge};
use std::collections::BTreeSet;
use zab_sim::dice::hash;
use zab_sim::world::{Action, LinkCounts, Site, World};

/// A disk that dies had taken fewer further steps than this of what it was doing.
const DISK_STEPS: u64 = 7;

/// The world's number of a node.
pub(super) fn at(node: NodeId) -> u16 {
    node.number() - 1
}

/// The node of this number.
pub(super) fn node(at: u16) -> NodeId {
    NodeId::new(at + 1)
}

fn site(node: NodeId) -> Site {
    Site(at(node))
}

/// A fault that is under way.
#[derive(Debug)]
pub(super) struct Active {
    /// What was planned.
    pub(super) planned: PlannedFault,
    /// How it ended, as far as that is known; a partition proves itself only by what it keeps back.
    pub(super) outcome: Option<FaultOutcome>,
    /// What shows that it took effect.
    pub(super) evidence: Vec<String>,
    leader: Option<NodeId>,
    injected_us: u64,
    /// Each cut link as it was before.
    before: Vec<(NodeId, NodeId, LinkCounts)>,
}

impl Active {
    /// Injects a fault. `seed` decides what of a killed node's disk is still done.
    pub(super) fn inject(
        world: &mut World,
        planned: PlannedFault,
        leader: Option<NodeId>,
        seed: u64,
    ) -> Self {
        let injected_us = world.now_us();
        let mut before = Vec::new();
        let (outcome, evidence) = match &planned.action {
            FaultAction::Partition { grudge, how, .. } => {
                before.extend(grudge.links().map(|(from, to)| (from, to, world.link(site(from), site(to)))));
                (cut(world, grudge, *how), Vec::new())
            }
            FaultAction::Pause { nodes, .. } => struck(pause(world, nodes)),
            FaultAction::Kill { nodes, .. } => struck(kill(world, nodes, seed ^ u64::from(planned.id) << 32)),
        };
        Self { planned, outcome, evidence, leader, injected_us, before }
    }

    /// When it is to be healed, us.
    pub(super) fn heal_at_us(&self) -> u64 {
        self.injected_us + self.planned.lasts_ns / 1_000
    }

    /// Who led when it was injected.
    pub(super) fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Whether a partition has kept anything back so far; it then notes what.
    pub(super) fn is_proven(&mut self, world: &World) -> bool {
        let FaultAction::Partition { how, .. } = self.planned.action else { return false };
        let (mut held, mut resets, mut hit) = (0, 0, 0);
        let mut silent = Vec::new();
        for &(from, to, before) in &self.before {
            let now = world.link(site(from), site(to));
            let (link_held, link_resets) = (now.held - before.held, now.resets - before.resets);
            held += link_held;
            resets += link_resets;
            // Another cut's resets prove nothing for one that only holds.
            let shows = match how {
                Cut::Reset => link_held + link_resets > 0,
                Cut::Blackhole | Cut::Delay(_) | Cut::Throttle(_) => link_held > 0,
            };
            if shows {
                hit += 1;
            } else {
                silent.push(format!("{from}→{to}"));
            }
        }
        if hit == 0 {
            return false;
        }
        let of = format!("on {hit} of {} cut links", self.before.len());
        self.evidence = vec![match how {
            Cut::Reset => format!("{resets} connections reset and {held} messages held {of}"),
            Cut::Blackhole | Cut::Delay(_) | Cut::Throttle(_) => format!("{held} messages held {of}"),
        }];
        if !silent.is_empty() {
            self.evidence.push(format!("no traffic on {}", silent.join(", ")));
        }
        true
    }

    /// Undoes the fault, whatever its outcome; what was not done is not undone. Those of `fallen` stay dead.
    pub(super) fn heal(mut self, world: &mut World, fallen: &BTreeSet<u16>) -> FaultRecord {
        match &self.planned.action {
            FaultAction::Partition { .. } => {
                let proven = self.is_proven(world);
                world.act(Action::Heal);
                if !proven {
                    let why = "nothing was sent over the cut links".to_owned();
                    self.outcome = Some(FaultOutcome::Failed { why });
                }
            }
            FaultAction::Pause { nodes, .. } => self.evidence.extend(resume(world, nodes)),
            FaultAction::Kill { nodes, .. } => self.evidence.extend(restart(world, nodes, fallen)),
        }
        let outcome = self.outcome.unwrap_or(FaultOutcome::Installed);
        let installed_ns = (outcome == FaultOutcome::Installed).then_some(ns(self.injected_us));
        let healed_ns = Some(ns(world.now_us()));
        FaultRecord {
            planned: self.planned,
            outcome,
            leader_at_injection: self.leader,
            injected_ns: installed_ns,
            installed_ns,
            healing_ns: healed_ns,
            healed_ns,
            evidence: self.evidence,
        }
    }
}

fn struck(struck: Struck) -> (Option<FaultOutcome>, Vec<String>) {
    (Some(struck.outcome()), struck.evidence)
}

/// Cuts links. A reset breaks the connections that stand, and no new one opens: it would need both directions.
fn cut(world: &mut World, grudge: &Grudge, how: Cut) -> Option<FaultOutcome> {
    let links: Vec<(Site, Site)> = grudge.links().map(|(from, to)| (site(from), site(to))).collect();
    match how {
        Cut::Blackhole => links.iter().for_each(|&(from, to)| world.act(Action::Cut(from, to))),
        Cut::Reset => {
            // Cut first: whoever hears of a broken connection opens the next at once.
            for &(from, to) in &links {
                world.act(Action::Cut(from, to));
                world.act(Action::Cut(to, from));
            }
            let pairs: BTreeSet<(Site, Site)> =
                links.iter().map(|&(from, to)| (from.min(to), from.max(to))).collect();
            pairs.iter().for_each(|&(one, other)| world.act(Action::Reset(one, other)));
        }
        Cut::Delay(_) | Cut::Throttle(_) => {
            let why = "a simulated network cuts and resets, and does neither delay nor throttle".to_owned();
            return Some(FaultOutcome::Skipped { why });
        }
    }
    None
}

/// Pauses those of `nodes` that run.
fn pause(world: &mut World, nodes: &[NodeId]) -> Struck {
    let (running, mut struck) = living(world, nodes);
    for node in running {
        world.act(Action::Pause(at(node)));
        struck.note(node, Ok(format!("{node} is stopped in process {}", world.processes(at(node)))));
    }
    struck
}

/// Lets those of `nodes` that are paused go on.
pub(super) fn resume(world: &mut World, nodes: &[NodeId]) -> Vec<String> {
    let mut sentences = Vec::new();
    for &node in nodes.iter().filter(|&&node| world.is_paused(at(node))).collect::<Vec<_>>() {
        let waited = world.waiting(at(node));
        world.act(Action::Resume(at(node)));
        sentences.push(format!("{node} goes on; {waited} events had waited for it"));
    }
    sentences
}

/// Kills those of `nodes` that run, wherever their disks are.
fn kill(world: &mut World, nodes: &[NodeId], chance: u64) -> Struck {
    let (running, mut struck) = living(world, nodes);
    for node in running {
        let steps = hash([chance, u64::from(node.number()), 0, 0]) % DISK_STEPS;
        world.act(Action::Kill(at(node), u32::try_from(steps).expect("a few")));
        struck.note(node, Ok(format!("{node} ended: process {} was killed", world.processes(at(node)))));
    }
    struck
}

/// Starts those of `nodes` that were killed. One that ended by itself stays dead: that is a finding, not
/// something to heal.
pub(super) fn restart(world: &mut World, nodes: &[NodeId], fallen: &BTreeSet<u16>) -> Vec<String> {
    let mut sentences = Vec::new();
    for &node in nodes {
        let at = at(node);
        if world.server(at).is_some() || fallen.contains(&at) {
            continue;
        }
        world.act(Action::Start(at));
        sentences.push(match world.server(at) {
            Some(_) => format!("{node} started again as process {}", world.processes(at)),
            None => format!("{node} does not start again"),
        });
    }
    sentences
}

/// Those of `nodes` that run, and a sentence for each other.
fn living(world: &World, nodes: &[NodeId]) -> (Vec<NodeId>, Struck) {
    let mut struck = Struck::default();
    let mut running = Vec::new();
    for &node in nodes {
        if world.server(at(node)).is_none() {
            struck.evidence.push(format!("{node} left alone: it is dead"));
        } else if world.is_paused(at(node)) {
            struck.evidence.push(format!("{node} left alone: it is paused already"));
        } else {
            running.push(node);
        }
    }
    (running, struck)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PartitionShape, TargetSpec};
    use zab_sim::world::Settings;

    /// Three servers that serve.
    fn world() -> World {
        let mut world = World::new(Settings::instant(3));
        (0..3).for_each(|at| world.act(Action::Start(at)));
        world.run_until_us(5_000_000);
        assert!((0..3).all(|at| world.serves(at)));
        world
    }

    fn fault(action: FaultAction) -> PlannedFault {
        PlannedFault { id: 1, at_ns: 0, lasts_ns: 2_000_000_000, action, impossible: None }
    }

    fn from_all_others(node: u16) -> Grudge {
        let n = NodeId::new;
        Grudge((1..=3).filter(|&to| to != node).map(|to| (n(to), [n(node)].into())).collect())
    }

    fn strike(world: &mut World, action: FaultAction, for_us: u64) -> FaultRecord {
        let mut active = Active::inject(world, fault(action), None, 7);
        world.run_until_us(world.now_us() + for_us);
        active.is_proven(world);
        active.heal(world, &BTreeSet::new())
    }

    #[test]
    fn a_cut_counts_what_it_keeps_back() {
        let shape = PartitionShape::OneWay;
        let cut = |how| FaultAction::Partition { shape, grudge: from_all_others(3), how };
        let record = strike(&mut world(), cut(Cut::Blackhole), 400_000);
        assert_eq!(record.outcome, FaultOutcome::Installed);
        assert!(record.evidence[0].ends_with("messages held on 2 of 2 cut links"), "{:?}", record.evidence);
        let record = strike(&mut world(), cut(Cut::Reset), 400_000);
        assert!(record.evidence[0].starts_with("2 connections reset and "), "{:?}", record.evidence);
        let record = strike(&mut world(), cut(Cut::Blackhole), 0);
        assert!(matches!(record.outcome, FaultOutcome::Failed { .. }), "nothing was sent");
        assert_eq!(record.installed_ns, None);
        let record = strike(&mut world(), cut(Cut::Delay(5)), 400_000);
        assert!(!matches!(record.outcome, FaultOutcome::Installed));
    }

    #[test]
    fn processes_are_stopped_and_killed_and_come_back() {
        let mut world = world();
        let nodes = vec![NodeId::new(1), NodeId::new(2)];
        let pause = FaultAction::Pause { target: TargetSpec::Minority, nodes: nodes.clone() };
        let mut paused = Active::inject(&mut world, fault(pause.clone()), None, 7);
        assert!(world.is_paused(0) && paused.outcome == Some(FaultOutcome::Installed));
        assert!(!paused.is_proven(&world), "only partitions have to prove themselves");
        let again = Active::inject(&mut world, fault(pause), None, 7);
        assert!(matches!(again.outcome, Some(FaultOutcome::Skipped { .. })), "{again:?}");
        world.run_until_us(world.now_us() + 300_000);
        let record = paused.heal(&mut world, &BTreeSet::new());
        assert_eq!(record.evidence.len(), 4, "{:?}", record.evidence);
        let kill = FaultAction::Kill { target: TargetSpec::Minority, nodes };
        let killed = Active::inject(&mut world, fault(kill), None, 7);
        assert!(world.server(0).is_none() && world.server(1).is_none());
        let record = killed.heal(&mut world, &BTreeSet::from([1]));
        assert!(world.server(0).is_some() && world.server(1).is_none(), "what fell by itself stays dead");
        assert_eq!(record.evidence.last().unwrap(), "n1 started again as process 2");
    }
}
