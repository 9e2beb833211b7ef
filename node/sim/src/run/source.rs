//! Where the steps of a run come from: drawn as it goes, or a list.

use super::faults::{self, Kind};
use super::parameters::Parameters;
use super::step::{Step, What};
use crate::dice::Dice;
use crate::load::{Deed, Outcome, Sessions, Workers};
use crate::world::{Action, Range, World};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use workloads::{Generator, Next, Settings, Workload};

/// A source of steps.
pub(super) enum Source {
    /// Drawn from the seed; what is drawn depends on what happens.
    Drawn(Box<Drawn>),
    /// These, whatever happens.
    Listed(VecDeque<Step>),
}

/// Who has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// What was decided before, by its place in `ends`: a start, the end of a fault.
    End(usize),
    Faults,
    Worker(u16),
    Session(u16),
}

/// Draws.
pub(super) struct Drawn {
    generator: Box<dyn Generator>,
    agenda: BinaryHeap<Reverse<(u64, Who)>>,
    ends: Vec<Action>,
    worker_dice: Dice,
    session_dice: Dice,
    fault_dice: Dice,
    worker_rest_us: Range,
    session_rest_us: Range,
    kinds: Vec<(Kind, u64)>,
    every_us: u64,
    leader_permille: u64,
    until_us: u64,
}

/// The workload that worlds run.
pub(super) fn workload(parameters: &Parameters) -> Workload {
    let settings =
        Settings { seed: parameters.world.seed, keys: parameters.keys, ops_per_key: parameters.ops_per_key };
    workloads::by_name(workloads::register::NAME, &settings).expect("the workload is one of workloads::NAMES")
}

impl Source {
    /// Draws from now on, until `until_us`.
    pub(super) fn drawn(
        parameters: &Parameters,
        generator: Box<dyn Generator>,
        now_us: u64,
        until_us: u64,
    ) -> Self {
        let seed = parameters.world.seed;
        let mut fault_dice = Dice::new(seed, "faults");
        let every_us = parameters.fault_every_ms.max(1) * 1_000;
        let mut agenda = BinaryHeap::new();
        for worker in 0..parameters.workers {
            agenda.push(Reverse((now_us, Who::Worker(worker))));
        }
        for session in 0..parameters.sessions {
            agenda.push(Reverse((now_us, Who::Session(session))));
        }
        if !parameters.faults.is_empty() {
            agenda.push(Reverse((now_us + fault_dice.below(2 * every_us), Who::Faults)));
        }
        let mut ends = Vec::new();
        for (at_us, action) in starts(parameters, now_us) {
            agenda.push(Reverse((at_us, Who::End(ends.len()))));
            ends.push(action);
        }
        Self::Drawn(Box::new(Drawn {
            generator,
            agenda,
            ends,
            worker_dice: Dice::new(seed, "workers"),
            session_dice: Dice::new(seed, "sessions"),
            fault_dice,
            worker_rest_us: parameters.worker_rest_us,
            session_rest_us: parameters.session_rest_us,
            kinds: parameters.faults.clone(),
            every_us,
            leader_permille: parameters.leader_permille,
            until_us,
        }))
    }

    /// These steps. If no server starts in them, all start at once.
    pub(super) fn listed(parameters: &Parameters, steps: &[Step], now_us: u64) -> Self {
        let starts = |step: &Step| matches!(step.what, What::World(Action::Start(_)));
        let mut list = VecDeque::new();
        if !steps.iter().any(starts) {
            let all = (0..parameters.world.servers()).map(|at| What::World(Action::Start(at)));
            list.extend(all.map(|what| Step { at_us: now_us, what }));
        }
        list.extend(steps.iter().cloned());
        Self::Listed(list)
    }

    /// When the next step is due, us.
    pub(super) fn next_at_us(&self) -> Option<u64> {
        match self {
            Self::Drawn(drawn) => {
                let Reverse((at_us, _)) = drawn.agenda.peek()?;
                Some(*at_us).filter(|at_us| *at_us <= drawn.until_us)
            }
            Self::Listed(steps) => steps.front().map(|step| step.at_us),
        }
    }

    /// The steps that are due at the next time there are any.
    pub(super) fn next(&mut self, world: &World, workers: &Workers, sessions: &Sessions) -> Vec<What> {
        match self {
            Self::Drawn(drawn) => drawn.next(world, workers, sessions),
            Self::Listed(steps) => steps.pop_front().map(|step| step.what).into_iter().collect(),
        }
    }

    /// Something that a worker was told has ended.
    pub(super) fn ended(&mut self, outcome: &Outcome) {
        let Self::Drawn(drawn) = self else { return };
        match outcome {
            Outcome::Invoked(invocation, status) => drawn.generator.completed(invocation, *status),
            Outcome::Prepared(key, done) => drawn.generator.prepared(key, *done),
        }
    }
}

/// Servers start in some order, some of them late.
fn starts(parameters: &Parameters, now_us: u64) -> Vec<(u64, Action)> {
    let mut dice = Dice::new(parameters.world.seed, "start");
    let late_us = dice.pick(&[0, 1_000, 500_000]);
    let servers = 0..parameters.world.servers();
    servers.map(|at| (now_us + dice.below(late_us + 1), Action::Start(at))).collect()
}

impl Drawn {
    fn next(&mut self, world: &World, workers: &Workers, sessions: &Sessions) -> Vec<What> {
        let Some(Reverse((at_us, who))) = self.agenda.pop() else { return Vec::new() };
        match who {
            Who::Worker(worker) => {
                let rest_us = self.worker_dice.between(self.worker_rest_us.0, self.worker_rest_us.1);
                self.agenda.push(Reverse((at_us + rest_us.max(1), who)));
                if !workers.is_idle(worker) {
                    return Vec::new();
                }
                match self.generator.next() {
                    Next::Invoke(invocation) => vec![What::Invoke(worker, invocation)],
                    Next::Prepare(key) => vec![What::Prepare(worker, key)],
                    Next::Wait => Vec::new(),
                }
            }
            Who::Session(session) => {
                let rest_us = self.session_dice.between(self.session_rest_us.0, self.session_rest_us.1);
                self.agenda.push(Reverse((at_us + rest_us.max(1), who)));
                let deeds = self.deeds(session, world, sessions);
                deeds.into_iter().map(|deed| What::Session(session, deed)).collect()
            }
            Who::Faults => {
                let every_us = self.fault_dice.between(self.every_us / 4, self.every_us * 7 / 4);
                self.agenda.push(Reverse((at_us + every_us.max(1), who)));
                self.fault(at_us, world)
            }
            Who::End(place) => vec![What::World(self.ends[place])],
        }
    }

    fn fault(&mut self, at_us: u64, world: &World) -> Vec<What> {
        let Some(kind) = self.fault_dice.weighted(&self.kinds) else { return Vec::new() };
        self.generator.disturbed();
        let mut now = Vec::new();
        for (later_us, action) in faults::draw(kind, world, self.leader_permille, &mut self.fault_dice) {
            if later_us == 0 {
                now.push(What::World(action));
            } else {
                self.agenda.push(Reverse((at_us + later_us, Who::End(self.ends.len()))));
                self.ends.push(action);
            }
        }
        now
    }

    /// What a session client does next.
    fn deeds(&mut self, session: u16, world: &World, sessions: &Sessions) -> Vec<Deed> {
        let dice = &mut self.session_dice;
        let servers = world.settings().servers();
        let any = |dice: &mut Dice| u16::try_from(dice.below(servers.into())).expect("below a u16");
        if !sessions.is_connected(world, session) {
            return vec![Deed::Connect(any(dice))];
        }
        // Moving without closing the former connection is what brings late requests to a former owner.
        match dice.below(50) {
            0 => return vec![Deed::HangUp],
            1 => return vec![Deed::Vanish, Deed::Connect(any(dice))],
            _ => {}
        }
        let many = dice.below(4) + 1;
        let key = |dice: &mut Dice| 1 + dice.below(sessions.known.keys());
        (0..many)
            .map(|_| match dice.below(12) {
                0..=2 => Deed::Write,
                3..=5 => Deed::WriteAndRead,
                6 | 7 => Deed::SyncAndRead(key(dice)),
                8 => Deed::SyncWriteRead(key(dice)),
                _ => Deed::Read(key(dice)),
            })
            .collect()
    }
}
