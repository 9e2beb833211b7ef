//! Draws faults: which family, whom, in what shape, for how long, and when the next one.
//!
//! Every fault draws from its own generator, seeded by the plan's seed and the fault's number, so what one
//! fault found (who led, who was dead) does not change the dice of the next. Only running nodes are hit.

use super::partitions;
use super::record::{FaultAction, PlannedFault};
use super::targets::{self, View};
use crate::cluster::NodeId;
use crate::network::{Cut, Grudge};
use crate::plan::{FaultFamily, PartitionShape, Plan, TargetSpec};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const NS_PER_MS: u64 = 1_000_000;
/// What an election needs beyond the time in which followers notice that their leader is gone: finalize wait,
/// discovery, synchronization, and some room.
const ELECTION_MS: u64 = 700;
/// How much longer than that a fault may last when the interval leaves no room.
const EXTRA_MS: u64 = 500;
/// At least this long nothing is hurt between two faults, unless one follows the other at once.
const GAP_MS: (u64, u64) = (400, 800);
/// How often a fault strikes in the moment in which the one before is healed: a node that was away comes
/// back while the others elect, with what it missed still missing. Rest in between would hide that.
const AT_ONCE_CHANCE: f64 = 0.3;
/// How often a second fault of another family strikes while one lasts.
const OVERLAP_CHANCE: f64 = 0.15;
/// How often a pause of the leader is too short for anyone to notice.
const SHORT_PAUSE_CHANCE: f64 = 0.25;
/// How often a partition resets connections instead of holding their bytes.
const RESET_CHANCE: f64 = 0.15;
/// How often a random set of nodes is made to contain the leader.
const WITH_LEADER_CHANCE: f64 = 0.75;
/// The dice for processes when no target was asked for: leader-heavy, since elections are the subject.
const TARGETS: [(TargetSpec, u32); 6] = [
    (TargetSpec::Leader, 60),
    (TargetSpec::Minority, 16),
    (TargetSpec::One, 10),
    (TargetSpec::Majority, 8),
    (TargetSpec::Followers, 3),
    (TargetSpec::All, 3),
];
/// The dice for partitions when no shape was asked for.
const SHAPES: [(PartitionShape, u32); 7] = [
    (PartitionShape::LeaderAlone, 36),
    (PartitionShape::MajorityMinority, 18),
    (PartitionShape::OneWay, 15),
    (PartitionShape::Halves, 11),
    (PartitionShape::One, 6),
    (PartitionShape::MajoritiesRing, 7),
    (PartitionShape::Bridge, 7),
];

/// Draws the faults of one run.
#[derive(Debug)]
pub(crate) struct Planner {
    seed: u64,
    families: Vec<FaultFamily>,
    targets: Vec<TargetSpec>,
    shapes: Vec<PartitionShape>,
    interval_ms: u64,
    /// How long a fault must last so that the others elect another leader.
    force_ms: u64,
    /// How long a pause may last without anybody noticing.
    unnoticed_ms: u64,
    /// When the load ends.
    until_ms: u64,
    next: Option<Next>,
    /// When everything drawn so far is healed.
    busy_until_ms: u64,
}

/// The next fault, as far as it is decided before its time.
#[derive(Debug, Clone, Copy)]
struct Next {
    id: u32,
    at_ms: u64,
    /// The family that is under way, when this one strikes in the middle of another.
    during: Option<FaultFamily>,
}

impl Planner {
    /// The planner of a run; it has no faults when the plan names no family.
    pub(super) fn new(plan: &Plan) -> Self {
        let notice_ms = plan.sync_limit.saturating_mul(plan.tick_ms);
        let mut planner = Self {
            seed: plan.seed,
            families: plan.nemesis.clone(),
            targets: plan.targets.clone(),
            shapes: plan.partitions.clone(),
            interval_ms: plan.nemesis_interval_ms.max(1),
            force_ms: notice_ms + ELECTION_MS,
            unnoticed_ms: (notice_ms / 2).max(2),
            until_ms: plan.time_limit_ms,
            next: None,
            busy_until_ms: 0,
        };
        let mut rng = planner.rng(0, 0);
        let first_ms = jitter(&mut rng, planner.interval_ms / 3, planner.interval_ms * 2 / 3);
        planner.set_next(1, first_ms, None);
        planner
    }

    /// When the next fault is due, ns after the load began.
    pub(super) fn next_at_ns(&self) -> Option<u64> {
        self.next.map(|next| next.at_ms * NS_PER_MS)
    }

    /// The next fault, given what the cluster looks like at `now_ns`.
    pub(super) fn draw(&mut self, now_ns: u64, view: &View) -> Option<PlannedFault> {
        let next = self.next.take()?;
        let at_ms = (now_ns / NS_PER_MS).max(next.at_ms);
        let mut rng = self.rng(u64::from(next.id), 1);
        let family = self.family(next, &mut rng);
        let (action, impossible) = match family {
            FaultFamily::Partition => self.partition(view, &mut rng),
            FaultFamily::Pause => {
                let (target, nodes, why) = self.processes(next, view, &mut rng);
                (FaultAction::Pause { target, nodes }, why)
            }
            FaultFamily::Kill => {
                let (target, nodes, why) = self.processes(next, view, &mut rng);
                (FaultAction::Kill { target, nodes }, why)
            }
        };
        let left_ms = self.until_ms.saturating_sub(at_ms).max(1);
        let lasts_ms = self.duration_ms(&action, view, &mut rng).min(left_ms);
        self.plan_next(next, family, at_ms, lasts_ms);
        Some(PlannedFault {
            id: next.id,
            at_ns: at_ms * NS_PER_MS,
            lasts_ns: lasts_ms * NS_PER_MS,
            action,
            impossible,
        })
    }

    /// Decides when the next fault strikes: after this one is healed and some quiet, or in its middle.
    fn plan_next(&mut self, next: Next, family: FaultFamily, at_ms: u64, lasts_ms: u64) {
        let mut rng = self.rng(u64::from(next.id), 2);
        self.busy_until_ms = self.busy_until_ms.max(at_ms + lasts_ms);
        let overlap = next.during.is_none() && self.families.len() > 1 && rng.random_bool(OVERLAP_CHANCE);
        if overlap {
            let middle_ms = at_ms + jitter(&mut rng, lasts_ms * 3 / 10, lasts_ms * 7 / 10);
            self.set_next(next.id + 1, middle_ms, Some(family));
        } else if rng.random_bool(AT_ONCE_CHANCE) {
            self.set_next(next.id + 1, self.busy_until_ms, None);
        } else {
            let spaced_ms = at_ms + jitter(&mut rng, self.interval_ms * 3 / 4, self.interval_ms * 5 / 4);
            let quiet_ms = self.busy_until_ms + jitter(&mut rng, GAP_MS.0, GAP_MS.1);
            self.set_next(next.id + 1, spaced_ms.max(quiet_ms), None);
        }
    }

    /// Sets the next fault, unless it could not take effect before the load ends.
    fn set_next(&mut self, id: u32, at_ms: u64, during: Option<FaultFamily>) {
        // A dead leader is noticed at once; a silent one only after syncLimit.
        let kills_only = self.families.iter().all(|&family| family == FaultFamily::Kill);
        let needs_ms = if kills_only { ELECTION_MS } else { self.force_ms };
        let fits = at_ms + needs_ms <= self.until_ms;
        self.next = (fits && !self.families.is_empty()).then_some(Next { id, at_ms, during });
    }

    /// A generator for one purpose of one fault.
    fn rng(&self, id: u64, purpose: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(id * 4 + purpose);
        rng
    }

    /// Each family once in every round, in random order; in the middle of a fault, one of the others.
    fn family(&self, next: Next, rng: &mut ChaCha8Rng) -> FaultFamily {
        if let Some(during) = next.during {
            let others: Vec<FaultFamily> =
                self.families.iter().copied().filter(|&family| family != during).collect();
            return *others.choose(rng).expect("faults overlap only when there are several families");
        }
        let count = self.families.len() as u64;
        let turn = u64::from(next.id - 1);
        let mut round = self.families.clone();
        round.shuffle(&mut self.rng(turn / count, 3));
        let place = usize::try_from(turn % count).expect("below the number of families");
        round[place]
    }

    /// Whom a process fault hits.
    fn processes(
        &self,
        next: Next,
        view: &View,
        rng: &mut ChaCha8Rng,
    ) -> (TargetSpec, Vec<NodeId>, Option<String>) {
        // In the middle of another fault one bystander is enough; more would only stop everything.
        let bystander = next.during.is_some() && self.targets.is_empty();
        let (target, resolved) = if bystander {
            let mut followers = view.clone();
            followers.running.retain(|&node| Some(node) != view.leader);
            (TargetSpec::One, targets::resolve(&TargetSpec::One, &followers, rng))
        } else {
            let target = self.target(view, rng);
            let resolved = targets::resolve(&target, view, rng);
            (target, resolved)
        };
        match resolved {
            Ok(mut nodes) => {
                if self.targets.is_empty() && target == TargetSpec::Minority {
                    include_leader(&mut nodes, view, rng);
                }
                (target, nodes, None)
            }
            Err(why) => (target, Vec::new(), Some(why)),
        }
    }

    /// The target: one of those asked for, or leader-heavy dice.
    fn target(&self, view: &View, rng: &mut ChaCha8Rng) -> TargetSpec {
        if let Some(target) = self.targets.choose(rng) {
            return target.clone();
        }
        let count = u16::try_from(view.nodes.len()).unwrap_or(u16::MAX);
        let possible: Vec<&(TargetSpec, u32)> = TARGETS
            .iter()
            .filter(|(target, _)| targets::check(target, count).is_ok())
            .filter(|(target, _)| view.leader.is_some() || !needs_leader(target))
            .collect();
        let (target, _) =
            possible.choose_weighted(rng, |(_, weight)| *weight).expect("'one' is always possible");
        target.clone()
    }

    /// A partition around the target.
    fn partition(&self, view: &View, rng: &mut ChaCha8Rng) -> (FaultAction, Option<String>) {
        let shape = self.shape(view, rng);
        let how = if rng.random_bool(RESET_CHANCE) { Cut::Reset } else { Cut::Blackhole };
        let anchor = match self.targets.choose(rng) {
            Some(target) => targets::resolve(target, view, rng),
            None => match view.leader {
                Some(leader) if rng.random_bool(WITH_LEADER_CHANCE) => Ok(vec![leader]),
                Some(_) | None => targets::resolve(&TargetSpec::One, view, rng),
            },
        };
        let drawn = anchor.and_then(|anchor| partitions::draw(shape, view, &anchor, rng));
        match drawn {
            Ok(grudge) => (FaultAction::Partition { shape, grudge, how }, None),
            Err(why) => (FaultAction::Partition { shape, grudge: Grudge::default(), how }, Some(why)),
        }
    }

    /// The shape: one of those asked for, or dice.
    fn shape(&self, view: &View, rng: &mut ChaCha8Rng) -> PartitionShape {
        if let Some(&shape) = self.shapes.choose(rng) {
            return shape;
        }
        let count = u16::try_from(view.nodes.len()).unwrap_or(u16::MAX);
        let possible: Vec<(PartitionShape, u32)> = SHAPES
            .into_iter()
            .filter(|&(shape, _)| partitions::check(shape, count).is_ok())
            .filter(|&(shape, _)| view.leader.is_some() || shape != PartitionShape::LeaderAlone)
            // A target that was asked for is what the shapes without one would ignore.
            .filter(|&(shape, _)| self.targets.is_empty() || shape.has_target())
            .collect();
        // A cluster of one has no links to cut; check_plan refuses it before.
        possible.choose_weighted(rng, |&(_, weight)| weight).map_or(PartitionShape::One, |&(shape, _)| shape)
    }

    /// How long a fault lasts: long enough for its effect, jittered, within the interval where that is possible.
    fn duration_ms(&self, action: &FaultAction, view: &View, rng: &mut ChaCha8Rng) -> u64 {
        let roomy_ms = self.interval_ms * 3 / 5;
        let pause = action.family() == FaultFamily::Pause;
        if pause && rng.random_bool(SHORT_PAUSE_CHANCE) {
            return jitter(rng, self.unnoticed_ms / 4, self.unnoticed_ms);
        }
        match action {
            // A dead leader is noticed at once, by its closed connections.
            FaultAction::Kill { .. } => jitter(rng, roomy_ms / 4, roomy_ms.max(ELECTION_MS)),
            FaultAction::Partition { .. } | FaultAction::Pause { .. } if unseats(action, view) => {
                jitter(rng, self.force_ms, roomy_ms.max(self.force_ms + EXTRA_MS))
            }
            FaultAction::Partition { .. } | FaultAction::Pause { .. } => jitter(rng, roomy_ms / 2, roomy_ms),
        }
    }
}

/// Whether a fault takes the leader away from a majority, so that another must be elected.
pub(super) fn unseats(action: &FaultAction, view: &View) -> bool {
    let Some(leader) = view.leader else { return true };
    let running = match action {
        FaultAction::Partition { grudge, .. } => partitions::sees(&view.running, grudge, leader),
        FaultAction::Pause { nodes, .. } | FaultAction::Kill { nodes, .. } => {
            if nodes.contains(&leader) {
                return true;
            }
            view.running.iter().copied().filter(|node| !nodes.contains(node)).collect()
        }
    };
    running.len() < view.majority()
}

/// Puts the leader, often, in the place of one of the nodes.
fn include_leader(nodes: &mut [NodeId], view: &View, rng: &mut ChaCha8Rng) {
    let wanted = rng.random_bool(WITH_LEADER_CHANCE);
    let Some(leader) = view.leader.filter(|leader| wanted && !nodes.contains(leader)) else { return };
    if let Some(first) = nodes.first_mut() {
        *first = leader;
        nodes.sort_unstable();
    }
}

fn needs_leader(target: &TargetSpec) -> bool {
    matches!(target, TargetSpec::Leader | TargetSpec::Followers)
}

/// A number between the two, ends included.
fn jitter(rng: &mut ChaCha8Rng, low: u64, high: u64) -> u64 {
    rng.random_range(low..=high.max(low))
}

#[cfg(test)]
mod tests;
