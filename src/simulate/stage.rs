//! The world of a planned run and who uses it: lets virtual time pass, and gives every part its turn.

use super::nemesis::Nemesis;
use super::ns;
use super::strikes::node;
use crate::cluster::UnexpectedExit;
use crate::interpreter::Pace;
use crate::plan::Plan;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use workloads::{Generator, Invocation, Next, Operations, Settings, Status};
use zab_sim::Bug;
use zab_sim::dice::hash;
use zab_sim::load::{Outcome, Workers};
use zab_sim::traces::Traces;
use zab_sim::world::{Action, Regions, World};

/// How long a message travels, us: a quiet local network.
const DELAY_US: (u64, u64) = (100, 1_000);
/// Of a thousand messages so many are late…
const STRAGGLE_PERMILLE: u64 = 2;
/// … by up to this, us.
const STRAGGLE_US: u64 = 20_000;
/// How long a disk takes to make a batch durable, us.
const DISK_US: (u64, u64) = (300, 3_000);
/// How far clocks run fast or slow, millionths.
const DRIFT_PPM: u64 = 100;
/// How long an election waits for a better vote, ms, as real nodes do.
const FINALIZE_MS: u64 = 200;
/// Committed transactions that a leader keeps for DIFF, as real nodes of a run do.
const COMMIT_LOG_COUNT: usize = 5_000;
/// Nodes start within this, us.
const START_US: u64 = 20_000;

/// Counts of what has ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    pub(super) ok: u64,
    pub(super) fail: u64,
    pub(super) info: u64,
}

/// A world and its users.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) workers: Workers,
    pub(super) nemesis: Option<Nemesis>,
    pub(super) traces: Traces,
    pub(super) exits: Vec<UnexpectedExit>,
    pub(super) done: Done,
    operations: Arc<dyn Operations>,
    generator: Box<dyn Generator>,
    load: Option<Load>,
    /// What ended last, for the final reads: by whom, what, and how.
    ended: Vec<(u16, Invocation, Status)>,
}

/// The load while it goes on.
struct Load {
    pace: Pace,
    began_us: u64,
    /// Workers with nothing to do, the longest idle first.
    free: VecDeque<u16>,
    is_free: Vec<bool>,
    /// The generator has nothing before a preparation has ended.
    starved: bool,
}

/// The physics of the plan's world.
fn settings(plan: &Plan) -> zab_sim::world::Settings {
    zab_sim::world::Settings {
        seed: plan.seed,
        voters: plan.nodes,
        observers: 0,
        clients: plan.concurrency,
        tick_ms: plan.tick_ms,
        init_limit: plan.init_limit,
        sync_limit: plan.sync_limit,
        finalize_ms: FINALIZE_MS,
        commit_log_count: COMMIT_LOG_COUNT,
        snap_count: usize::try_from(plan.snap_count).unwrap_or(usize::MAX),
        delay_us: DELAY_US,
        straggle_permille: STRAGGLE_PERMILLE,
        straggle_us: STRAGGLE_US,
        disk_us: DISK_US,
        drift_ppm: DRIFT_PPM,
        bug: plan.bug.as_deref().and_then(Bug::from_name),
        regions: Regions::default(),
    }
}

impl Stage {
    /// A world in which no node has started.
    pub(super) fn new(plan: &Plan) -> anyhow::Result<Self> {
        let settings = Settings { seed: plan.seed, keys: plan.keys, ops_per_key: plan.ops_per_key };
        let workload = workloads::by_name(&plan.workload, &settings)
            .ok_or_else(|| anyhow::anyhow!("there is no workload '{}'", plan.workload))?;
        let mut world = World::new(self::settings(plan));
        world.keep_milestones();
        let timeout_us = plan.op_timeout_ms * 1_000;
        let operations = Arc::clone(&workload.operations);
        let workers = Workers::new(workload.operations, &world, 0, plan.concurrency, timeout_us);
        Ok(Self {
            workers,
            nemesis: None,
            traces: Traces::new(plan.nodes),
            exits: Vec::new(),
            done: Done::default(),
            operations,
            generator: workload.generator,
            load: None,
            ended: Vec::new(),
            world,
        })
    }

    /// Starts every node, one shortly after the other.
    pub(super) fn start(&mut self) {
        let (seed, began_us) = (self.world.settings().seed, self.world.now_us());
        let mut starts: Vec<(u64, u16)> = (0..self.world.settings().servers())
            .map(|at| (began_us + hash([seed, u64::from(at), 1, 9]) % START_US, at))
            .collect();
        starts.sort_unstable();
        for (at_us, at) in starts {
            self.world.run_until_us(at_us);
            self.world.act(Action::Start(at));
            self.settle();
        }
    }

    /// Whether every node that has not ended by itself serves.
    pub(super) fn all_serve(&self) -> bool {
        (0..self.world.settings().servers()).all(|at| self.world.serves(at))
    }

    /// Clients begin to work.
    pub(super) fn begin_load(&mut self, plan: &Plan) {
        self.load = Some(Load {
            pace: Pace::new(plan.rate, plan.seed),
            began_us: self.world.now_us(),
            free: VecDeque::new(),
            is_free: vec![false; usize::from(self.workers.count())],
            starved: false,
        });
    }

    /// No new operations.
    pub(super) fn end_load(&mut self) {
        self.load = None;
    }

    /// Whether an operation is under way.
    pub(super) fn is_busy(&self) -> bool {
        (0..self.workers.count()).any(|worker| self.workers.is_busy(worker))
    }

    /// What each node is to be asked in the end.
    pub(super) fn final_reads(&mut self) -> Vec<Invocation> {
        self.generator.final_reads()
    }

    /// Other clients take the place of those of the load, so many a node, and go on with the history.
    pub(super) fn hire_readers(&mut self, per_node: u16, timeout_us: u64) {
        let first = self.workers.count();
        let count = per_node * self.world.settings().servers();
        let mut readers = Workers::new(Arc::clone(&self.operations), &self.world, first, count, timeout_us);
        readers.number_from(self.workers.next_process());
        readers.history = std::mem::take(&mut self.workers.history);
        self.workers = readers;
    }

    /// Lets time pass up to `until_us` or until `enough`, which is asked after every event.
    pub(super) fn pass(&mut self, until_us: u64, mut enough: impl FnMut(&mut Self) -> bool) {
        loop {
            self.dispatch();
            if enough(self) {
                return;
            }
            let load_us = self.load_at_us();
            let nemesis_us = self.nemesis.as_ref().and_then(|nemesis| nemesis.next_at_us(&self.world));
            let worker_us = self.workers.next_at_us();
            let times = [load_us, nemesis_us, worker_us, self.world.next_at_us()];
            let Some(next_us) = times.into_iter().flatten().min().filter(|&next_us| next_us <= until_us)
            else {
                self.world.run_until_us(until_us);
                return;
            };
            let is_due = |at_us: Option<u64>| at_us.is_some_and(|at_us| at_us <= next_us);
            if is_due(nemesis_us) {
                self.world.advance_to_us(next_us);
                if let Some(nemesis) = &mut self.nemesis {
                    nemesis.act(&mut self.world);
                }
            } else if is_due(load_us) {
                self.world.advance_to_us(next_us);
            } else if is_due(worker_us) {
                self.world.advance_to_us(next_us);
                self.workers.tick(&mut self.world);
            } else {
                self.world.fire_next();
            }
            self.settle();
        }
    }

    /// When the next operation of the load is due, if somebody could begin it.
    fn load_at_us(&self) -> Option<u64> {
        let load = self.load.as_ref().filter(|load| !load.starved && !load.free.is_empty())?;
        Some(load.due_us(self.world.now_us()))
    }

    /// Gives free workers what is due.
    fn dispatch(&mut self) {
        let Some(load) = &mut self.load else { return };
        for worker in 0..self.workers.count() {
            if self.workers.is_idle(worker) && !load.is_free[usize::from(worker)] {
                load.is_free[usize::from(worker)] = true;
                load.free.push_back(worker);
            }
        }
        let now_us = self.world.now_us();
        while !load.starved && load.due_us(now_us) <= now_us {
            let Some(worker) = load.free.pop_front() else { return };
            load.is_free[usize::from(worker)] = false;
            if !self.workers.is_idle(worker) {
                // It lost its connection meanwhile.
                continue;
            }
            match self.generator.next() {
                Next::Invoke(invocation) => {
                    load.pace.spend(Duration::from_micros(now_us - load.began_us));
                    self.workers.invoke(&mut self.world, worker, invocation);
                }
                Next::Prepare(key) => self.workers.prepare(&mut self.world, worker, &key),
                Next::Wait => {
                    load.starved = true;
                    load.is_free[usize::from(worker)] = true;
                    load.free.push_front(worker);
                }
            }
        }
    }

    /// Everybody hears what there is to hear, and what happened is written down.
    pub(super) fn settle(&mut self) {
        for entry in self.world.take_journal() {
            let Some(fall) = self.traces.note(&self.world, &entry) else { continue };
            self.falls(fall.at, fall.at_us, fall.how, fall.why);
        }
        while let Some((site, event)) = self.world.next_client_event() {
            self.workers.hears(&mut self.world, site, &event);
        }
        while let Some((worker, outcome)) = self.workers.next_outcome_of() {
            self.ended(worker, outcome);
        }
        let Some(nemesis) = &mut self.nemesis else { return };
        nemesis.watch_restarts(&self.world);
        for line in nemesis.take_lines() {
            self.generator.disturbed();
            self.workers.history.nemesis(self.world.now_us(), &line.f, line.value);
        }
    }

    /// A node ended by itself.
    fn falls(&mut self, at: u16, at_us: u64, how: &str, why: String) {
        if let Some(nemesis) = &mut self.nemesis {
            nemesis.falls(at);
        }
        let (node, at_ns) = (node(at), ns(at_us));
        self.exits.push(UnexpectedExit { node, at_ns, how: how.to_owned(), last_log_lines: vec![why] });
    }

    fn ended(&mut self, worker: u16, outcome: Outcome) {
        if let Some(load) = &mut self.load {
            load.starved = false;
        }
        match outcome {
            Outcome::Prepared(key, done) => self.generator.prepared(&key, done),
            Outcome::Invoked(invocation, status) => {
                match status {
                    Status::Ok => self.done.ok += 1,
                    Status::Fail => self.done.fail += 1,
                    Status::Info => self.done.info += 1,
                }
                self.generator.completed(&invocation, status);
                if invocation.final_read {
                    self.ended.push((worker, invocation, status));
                }
            }
        }
    }

    /// Final reads that ended since this was last asked.
    pub(super) fn take_ended(&mut self) -> Vec<(u16, Invocation, Status)> {
        std::mem::take(&mut self.ended)
    }
}

impl Load {
    /// When the next operation is due, us.
    fn due_us(&self, now_us: u64) -> u64 {
        let due =
            |due: Duration| self.began_us + u64::try_from(due.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX);
        self.pace.due().map_or(now_us, due)
    }
}
