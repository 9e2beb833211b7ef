//! The faults of a planned run: the same schedule as for real nodes, one thing after the other in virtual time.
//!
//! Faults strike at whole milliseconds, as the schedule stores them, so that a replay strikes at the same
//! moment.

use super::strikes::{Active, at, node, restart, resume};
use crate::cluster::NodeId;
use crate::nemesis::{
    FaultAction, FaultOutcome, FaultRecord, LEADER_WAIT, NemesisLine, PROOF_POLL, PlannedFault, SERVING_WAIT,
    Schedule, View, journal_line,
};
use crate::plan::{FaultFamily, Plan};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use zab_sim::world::World;

/// Waits for a leader and for proof look again this often at the least.
const LOOK_EVERY_US: u64 = 1_000;

/// The faults of a run.
#[derive(Debug)]
pub(super) struct Nemesis {
    schedule: Schedule,
    seed: u64,
    /// When the load began, us of the world.
    began_us: u64,
    active: Vec<Active>,
    records: Vec<FaultRecord>,
    /// A fault is due and waits for a leader until then.
    patience_us: Option<u64>,
    restarts: Vec<Restart>,
    /// How long a restarted node may take to serve.
    serving_us: u64,
    /// Nodes that ended by themselves.
    fallen: BTreeSet<u16>,
    /// What is to be told in the history.
    lines: Vec<NemesisLine>,
}

/// A restarted node that does not serve yet.
#[derive(Debug)]
struct Restart {
    id: u32,
    at: u16,
    since_us: u64,
}

impl Nemesis {
    /// The faults of this plan, from now on; those of `replayed`, if given.
    pub(super) fn new(plan: &Plan, replayed: Option<Vec<PlannedFault>>, began_us: u64) -> Self {
        let limits_ms = plan.tick_ms.saturating_mul(plan.init_limit.saturating_add(plan.sync_limit));
        Self {
            schedule: Schedule::new(plan, replayed),
            seed: plan.seed,
            began_us,
            active: Vec::new(),
            records: Vec::new(),
            patience_us: None,
            restarts: Vec::new(),
            serving_us: us(SERVING_WAIT) + limits_ms * 1_000,
            fallen: BTreeSet::new(),
            lines: Vec::new(),
        }
    }

    /// A node ended by itself, and stays dead.
    pub(super) fn falls(&mut self, at: u16) {
        self.fallen.insert(at);
    }

    /// When there is something to do, us; `None` when nothing is left to come.
    pub(super) fn next_at_us(&self, world: &World) -> Option<u64> {
        let inject_us = self.schedule.next_at_ns().map(|at_ns| self.began_us + at_ns.div_ceil(1_000));
        // A fault that waits for a leader looks again at the next whole millisecond.
        let inject_us = match self.patience_us {
            Some(_) => Some(self.next_multiple(world.now_us(), LOOK_EVERY_US)),
            None => inject_us,
        };
        let heal_us = self.active.iter().map(Active::heal_at_us).min();
        let unproven = self.active.iter().any(|fault| fault.outcome.is_none());
        let proof_us = unproven.then(|| self.next_multiple(world.now_us(), us(PROOF_POLL)));
        [inject_us, heal_us, proof_us].into_iter().flatten().min()
    }

    /// The next moment after `now_us` that lies a multiple of `step_us` behind the beginning of the load.
    fn next_multiple(&self, now_us: u64, step_us: u64) -> u64 {
        let since_us = now_us.saturating_sub(self.began_us);
        self.began_us + (since_us / step_us + 1) * step_us
    }

    /// Does what is due now.
    pub(super) fn act(&mut self, world: &mut World) {
        self.prove(world);
        let now_us = world.now_us();
        self.heal_where(world, |fault| fault.heal_at_us() <= now_us);
        let due =
            self.schedule.next_at_ns().is_some_and(|at_ns| self.began_us + at_ns.div_ceil(1_000) <= now_us);
        if due && !self.waits_for_leader(world) {
            self.patience_us = None;
            self.inject_next(world);
        }
    }

    /// Whether the fault that is due is to wait: it wants a leader, nothing else goes on, and none is known.
    fn waits_for_leader(&mut self, world: &World) -> bool {
        let wants = self.schedule.wants_leader() && self.active.is_empty() && world.leader().is_none();
        let now_us = world.now_us();
        wants && now_us < *self.patience_us.get_or_insert(now_us + us(LEADER_WAIT))
    }

    /// Journals partitions whose effect shows now.
    fn prove(&mut self, world: &World) {
        for fault in self.active.iter_mut().filter(|fault| fault.outcome.is_none()) {
            if fault.is_proven(world) {
                fault.outcome = Some(FaultOutcome::Installed);
                let (id, action) = (fault.planned.id, &fault.planned.action);
                self.lines.push(journal_line(id, "installed", action, &fault.evidence));
            }
        }
    }

    fn inject_next(&mut self, world: &mut World) {
        let view = self.view(world);
        let since_ns = (world.now_us() - self.began_us) * 1_000;
        let Some(fault) = self.schedule.draw(since_ns, &view) else { return };
        if let Some(why) = fault.impossible.clone() {
            self.skip(fault, view.leader, why);
            return;
        }
        let active = Active::inject(world, fault, view.leader, self.seed);
        let phase = match active.outcome.clone() {
            Some(FaultOutcome::Skipped { why }) => {
                let leader = active.leader();
                self.skip(active.planned, leader, why);
                return;
            }
            Some(FaultOutcome::Installed) => Some("installed"),
            Some(FaultOutcome::Failed { .. }) => Some("failed"),
            // A partition: journalled when its effect shows.
            None => None,
        };
        if let Some(phase) = phase {
            let (id, action) = (active.planned.id, &active.planned.action);
            self.lines.push(journal_line(id, phase, action, &active.evidence));
        }
        self.active.push(active);
    }

    fn skip(&mut self, planned: PlannedFault, leader: Option<NodeId>, why: String) {
        self.lines.push(journal_line(planned.id, "skipped", &planned.action, std::slice::from_ref(&why)));
        self.records.push(FaultRecord::skipped(planned, leader, why));
    }

    fn heal_where(&mut self, world: &mut World, is_over: impl Fn(&Active) -> bool) {
        let (due, remaining) = std::mem::take(&mut self.active).into_iter().partition(is_over);
        self.active = remaining;
        let due: Vec<Active> = due;
        for fault in due {
            self.heal(world, fault);
        }
    }

    fn heal(&mut self, world: &mut World, fault: Active) {
        let record = fault.heal(world, &self.fallen);
        let id = record.planned.id;
        if let FaultAction::Kill { nodes, .. } = &record.planned.action {
            let started = nodes.iter().map(|&node| at(node)).filter(|&at| world.server(at).is_some());
            let since_us = world.now_us();
            self.restarts.extend(started.map(|at| Restart { id, at, since_us }));
        }
        let unproven =
            record.planned.action.family() == FaultFamily::Partition && record.installed_ns.is_none();
        let phase = if unproven { "failed" } else { "healed" };
        self.lines.push(journal_line(id, phase, &record.planned.action, &record.evidence));
        self.records.push(record);
    }

    /// No more faults: heals what is under way, and whatever else one may have left.
    pub(super) fn heal_everything(&mut self, world: &mut World) {
        self.schedule = Schedule::Replayed(VecDeque::new());
        self.patience_us = None;
        self.prove(world);
        self.heal_where(world, |_| true);
        let nodes: Vec<NodeId> = (0..world.settings().servers()).map(node).collect();
        world.act(zab_sim::world::Action::Heal);
        resume(world, &nodes);
        restart(world, &nodes, &self.fallen);
    }

    /// Notes restarted nodes that serve now, or took too long.
    pub(super) fn watch_restarts(&mut self, world: &World) {
        let now_us = world.now_us();
        let mut over = Vec::new();
        self.restarts.retain(|restart| {
            let node = node(restart.at);
            let after_ms = (now_us - restart.since_us) / 1_000;
            let sentence = if world.serves(restart.at) {
                format!("{node} serves after {after_ms} ms")
            } else if world.server(restart.at).is_none() {
                format!("{node} ended before it served")
            } else if now_us - restart.since_us >= self.serving_us {
                format!("{node} does not serve after {after_ms} ms")
            } else {
                return true;
            };
            over.push((restart.id, sentence));
            false
        });
        for (id, sentence) in over {
            if let Some(record) = self.records.iter_mut().find(|record| record.planned.id == id) {
                record.evidence.push(sentence);
            }
        }
    }

    /// What is to be told in the history since this was last asked.
    pub(super) fn take_lines(&mut self) -> Vec<NemesisLine> {
        std::mem::take(&mut self.lines)
    }

    /// What is going on, in a few words.
    pub(super) fn current(&self) -> Option<String> {
        let names: Vec<String> = self.active.iter().map(|fault| fault.planned.action.to_string()).collect();
        (!names.is_empty()).then(|| names.join(" + "))
    }

    /// What became of the faults, in the order of their numbers.
    pub(super) fn into_records(mut self) -> Vec<FaultRecord> {
        self.records.sort_by_key(|record| record.planned.id);
        self.records
    }

    fn view(&self, world: &World) -> View {
        let nodes: Vec<NodeId> = (0..world.settings().servers()).map(node).collect();
        let runs = |node: &NodeId| world.server(at(*node)).is_some() && !world.is_paused(at(*node));
        let running = nodes.iter().copied().filter(runs).collect();
        View { running, nodes, leader: world.leader().map(node) }
    }
}

/// A duration in us.
pub(super) fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zab_sim::world::{Action, Settings};

    fn plan(families: &[FaultFamily]) -> Plan {
        Plan { nodes: 3, nemesis: families.to_vec(), seed: 11, ..crate::plan::tests::plan() }
    }

    /// Lets the faults of a plan happen to a world without clients; hands back what became of them.
    fn play(
        plan: &Plan,
        replayed: Option<Vec<PlannedFault>>,
        started: u16,
    ) -> (Vec<FaultRecord>, Vec<NemesisLine>) {
        let mut world = World::new(Settings::instant(plan.nodes));
        (0..started).for_each(|at| world.act(Action::Start(at)));
        world.run_until_us(4_000_123);
        let mut nemesis = Nemesis::new(plan, replayed, world.now_us());
        let until_us = world.now_us() + plan.time_limit_ms * 1_000;
        let mut lines = Vec::new();
        while let Some(at_us) = nemesis.next_at_us(&world).filter(|&at_us| at_us <= until_us) {
            world.run_until_us(at_us);
            nemesis.act(&mut world);
            nemesis.watch_restarts(&world);
            lines.extend(nemesis.take_lines());
        }
        nemesis.heal_everything(&mut world);
        assert_eq!(nemesis.next_at_us(&world), None, "nothing is left to come");
        lines.extend(nemesis.take_lines());
        assert!((0..started).all(|at| world.server(at).is_some() && !world.is_paused(at)), "all is healed");
        (nemesis.into_records(), lines)
    }

    #[test]
    fn a_replay_strikes_the_same_in_the_same_moments() {
        let plan = plan(&FaultFamily::ALL);
        let (records, lines) = play(&plan, None, 3);
        assert!(records.len() >= 5, "{records:?}");
        let installed = records.iter().filter(|record| record.outcome == FaultOutcome::Installed);
        assert!(installed.clone().count() + 1 >= records.len(), "{records:?}");
        assert!(installed.clone().all(|record| !record.evidence.is_empty()));
        let schedule: Vec<PlannedFault> = records.iter().map(|record| record.planned.clone()).collect();
        let (again, told) = play(&plan, Some(schedule), 3);
        assert_eq!(again, records);
        assert_eq!(told, lines);
    }

    #[test]
    fn without_a_leader_a_fault_waits_and_then_strikes_whom_it_can() {
        let plan = plan(&[FaultFamily::Pause]);
        // One of three never finds a leader.
        let (records, lines) = play(&plan, None, 1);
        let first = &records[0].planned;
        assert!(first.at_ns >= 2_000_000_000 && first.at_ns.is_multiple_of(1_000_000), "{first:?}");
        let schedule: Vec<PlannedFault> = records.iter().map(|record| record.planned.clone()).collect();
        assert_eq!(play(&plan, Some(schedule), 1), (records, lines), "skipped faults, too");
    }
}
