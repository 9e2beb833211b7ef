//! The life of a planned run: nodes up → load and faults side by side → heal → final reads. Records everything
//! and judges nothing, as `run/live.rs` does for real nodes.

use super::nemesis::{Nemesis, us};
use super::ns;
use super::stage::Stage;
use super::strikes::node;
use crate::clock::RunClock;
use crate::election::{LeaderView, NodeTrace};
use crate::interpreter::Rounds;
use crate::nemesis::PlannedFault;
use crate::panics;
use crate::plan::Plan;
use crate::report::{RunEvent, Simulated, Stage as Part, Status as Progress};
use crate::run::{Interrupt, Recorded, Tell};
use crate::store::RunDir;
use anyhow::bail;
use checker::Verdict;
use std::time::{Duration, Instant};
use workloads::Status;

/// How long nodes may take to serve, beyond their own limits: as for real ones.
const SERVING_LIMIT: Duration = Duration::from_secs(10);
/// How often the status is told, in real time.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// The real clock is looked at after so many events.
const EVENTS_PER_LOOK: u64 = 2_048;

/// Runs the plan in a world and stores its history and traces.
///
/// # Errors
/// When a file cannot be written, or no leader is ever found.
pub(crate) fn live(
    plan: &Plan,
    schedule: Option<Vec<PlannedFault>>,
    dir: &RunDir,
    interrupt: &Interrupt,
    tell: &mut Tell<'_>,
) -> anyhow::Result<Recorded> {
    tell(RunEvent::Started { plan: Box::new(plan.clone()), folder: dir.path().to_owned() });
    tell(RunEvent::Stage(Part::Starting));
    let mut life = Life {
        plan,
        stage: Stage::new(plan)?,
        moments: Moments::default(),
        watch: Watch { interrupt, tell, events: 0, told: Instant::now() },
    };
    let began = Instant::now();
    let began_us = life.stage.world.now_us();
    // A server that panics takes the world with it: what was recorded until then is judged.
    let panicked = match panics::catch(|| life.run(schedule)) {
        Ok(lived) => {
            lived?;
            None
        }
        Err(said) => Some(said),
    };
    let Life { mut stage, moments, .. } = life;
    let now_us = stage.world.now_us();
    if panicked.is_none() {
        stage.workers.abandon(&mut stage.world);
    }
    dir.save_history(stage.workers.history.ops())?;
    let counters = stage.world.counters();
    let simulated = Simulated {
        virtual_ns: ns(now_us - began_us),
        real_ns: u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
        events: counters.steps,
        messages: counters.messages,
        fingerprint: format!("{:016x}", stage.world.trace_hash()),
    };
    Ok(Recorded {
        served_ns: ns(moments.served_us.saturating_sub(began_us)),
        load_ns: (ns(moments.load_us), ns(moments.load_ended_us.unwrap_or(now_us))),
        traces: save_traces(plan, &stage, dir)?,
        protocol: Some(protocol(&stage, panicked)),
        interrupted_ns: moments.interrupted_us.map(ns),
        faults: stage.nemesis.map(Nemesis::into_records).unwrap_or_default(),
        exits: stage.exits,
        // A world is over in no time, and its history is judged at once.
        spotted: None,
        simulated: Some(simulated),
    })
}

/// Whether the nodes kept the protocol's properties, which were looked at after every step.
fn protocol(stage: &Stage, panicked: Option<String>) -> Verdict {
    if let Some(said) = panicked {
        return Verdict::Invalid(format!("Panic: {said}"));
    }
    match stage.world.violation() {
        Some(violation) => Verdict::Invalid(format!("{}: {}", violation.property, violation.what)),
        None => Verdict::Valid,
    }
}

fn save_traces(plan: &Plan, stage: &Stage, dir: &RunDir) -> anyhow::Result<Vec<NodeTrace>> {
    let save = |at: u16| {
        let (node, text) = (node(at), stage.traces.of(at));
        dir.save_trace(node, text.as_bytes())?;
        let mut trace = NodeTrace::parse(node, text.as_bytes(), RunClock::of_a_world());
        trace.died_ns = stage.exits.iter().filter(|exit| exit.node == node).map(|exit| exit.at_ns).collect();
        Ok(trace)
    };
    (0..plan.nodes).map(save).collect()
}

/// When the parts of the run began and ended, us of the world.
#[derive(Debug, Default)]
struct Moments {
    served_us: u64,
    load_us: u64,
    load_ended_us: Option<u64>,
    /// How long the load had gone on when the user asked for an early end.
    interrupted_us: Option<u64>,
}

struct Life<'a, 'b> {
    plan: &'a Plan,
    stage: Stage,
    moments: Moments,
    watch: Watch<'a, 'b>,
}

/// Looks at the real clock and at the user now and then.
struct Watch<'a, 'b> {
    interrupt: &'a Interrupt,
    tell: &'a mut Tell<'b>,
    events: u64,
    told: Instant,
}

impl Watch<'_, '_> {
    /// To be called after every event; says whether the user wants the run to end.
    fn look(&mut self, stage: &Stage) -> bool {
        self.events += 1;
        if !self.events.is_multiple_of(EVENTS_PER_LOOK) {
            return false;
        }
        if self.told.elapsed() >= STATUS_EVERY {
            self.told = Instant::now();
            (self.tell)(RunEvent::Status(status(stage)));
        }
        self.interrupt.is_asked()
    }
}

fn status(stage: &Stage) -> Progress {
    let leader = stage.world.leader();
    let epoch = leader.and_then(|at| stage.world.server(at)?.epoch());
    Progress {
        at_ns: ns(stage.world.now_us()),
        ok: stage.done.ok,
        fail: stage.done.fail,
        info: stage.done.info,
        fault: stage.nemesis.as_ref().and_then(Nemesis::current),
        leader: LeaderView { leader: leader.map(node), epoch: epoch.unwrap_or(0) },
    }
}

impl Life<'_, '_> {
    fn run(&mut self, schedule: Option<Vec<PlannedFault>>) -> anyhow::Result<()> {
        let began_us = self.stage.world.now_us();
        self.stage.start();
        if !self.wait_serving() {
            bail!("not every node serves within {} s of virtual time", self.serving_us() / 1_000_000);
        }
        self.moments.served_us = self.stage.world.now_us();
        self.part(Part::Serving { after_ns: ns(self.moments.served_us - began_us) });
        self.load(schedule);
        self.part(Part::Healing);
        self.heal();
        self.part(Part::FinalReads);
        self.read_everything();
        Ok(())
    }

    fn part(&mut self, part: Part) {
        (self.watch.tell)(RunEvent::Stage(part));
    }

    fn warn(&mut self, sentence: String) {
        (self.watch.tell)(RunEvent::Warning(sentence));
    }

    /// How long the nodes may take to serve, us.
    fn serving_us(&self) -> u64 {
        let ticks = self.plan.init_limit.saturating_add(self.plan.sync_limit);
        us(SERVING_LIMIT).saturating_add(self.plan.tick_ms.saturating_mul(ticks).saturating_mul(1_000))
    }

    /// Waits until every node serves; says whether they do.
    fn wait_serving(&mut self) -> bool {
        let until_us = self.stage.world.now_us().saturating_add(self.serving_us());
        let watch = &mut self.watch;
        self.stage.pass(until_us, |stage| {
            watch.look(stage);
            stage.all_serve()
        });
        self.stage.all_serve()
    }

    fn load(&mut self, schedule: Option<Vec<PlannedFault>>) {
        self.part(Part::Load);
        let began_us = self.stage.world.now_us();
        self.moments.load_us = began_us;
        self.stage.nemesis = Some(Nemesis::new(self.plan, schedule, began_us));
        self.stage.begin_load(self.plan);
        let watch = &mut self.watch;
        let mut asked = false;
        self.stage.pass(began_us + self.plan.time_limit_ms * 1_000, |stage| {
            asked |= watch.look(stage);
            asked
        });
        self.stage.end_load();
        let ended_us = self.stage.world.now_us();
        self.moments.load_ended_us = Some(ended_us);
        self.moments.interrupted_us = asked.then_some(ended_us - began_us);
    }

    /// Heals everything and waits until all serve and nothing is under way.
    fn heal(&mut self) {
        if let Some(nemesis) = &mut self.stage.nemesis {
            nemesis.heal_everything(&mut self.stage.world);
        }
        self.stage.settle();
        if !self.wait_serving() {
            self.warn(
                "the healed cluster does not serve everywhere, so final reads will be missing".to_owned(),
            );
        }
        // Every operation ends by itself, in vain if need be.
        let until_us = self.stage.world.now_us() + 2 * self.plan.op_timeout_ms * 1_000;
        let watch = &mut self.watch;
        self.stage.pass(until_us, |stage| {
            watch.look(stage);
            !stage.is_busy()
        });
        self.stage.workers.abandon(&mut self.stage.world);
        self.stage.settle();
    }

    /// Every key of interest on every node, in rounds.
    fn read_everything(&mut self) {
        let wanted = self.stage.final_reads();
        let nodes = self.plan.nodes;
        let timeout_us = (self.plan.op_timeout_ms * 1_000).min(us(Rounds::ATTEMPT_MAX));
        let per_node = u16::try_from(Rounds::READERS_PER_NODE).expect("a few");
        self.stage.hire_readers(per_node, timeout_us);
        let mut rounds = Rounds::new((0..nodes).map(node), wanted);
        let mut hands = vec![Hands::Free; usize::from(per_node * nodes)];
        let until_us = self.stage.world.now_us() + us(Rounds::PATIENCE);
        let watch = &mut self.watch;
        self.stage.pass(until_us, |stage| {
            watch.look(stage);
            read_on(stage, &mut rounds, &mut hands, nodes);
            rounds.are_over()
        });
        for reads in rounds.results().into_iter().filter(|reads| !reads.complete()) {
            let why = reads.last_error.as_deref().unwrap_or("no attempt ended");
            self.warn(format!(
                "{} answered {} of {} final reads ({why})",
                reads.node, reads.ok, reads.wanted
            ));
        }
    }
}

/// What a reader is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hands {
    Free,
    Reading,
    /// It waits for the next round.
    Waiting,
}

/// Takes what readers have read and gives the free ones something to read.
fn read_on(stage: &mut Stage, rounds: &mut Rounds, hands: &mut [Hands], nodes: u16) {
    // Workers go round the nodes in turn; readers are numbered node by node.
    let per_node = Rounds::READERS_PER_NODE;
    let nodes = usize::from(nodes);
    let reader_of = |worker: usize| worker % nodes * per_node + worker / nodes;
    let worker_of = |reader: usize| reader % per_node * nodes + reader / per_node;
    for (worker, invocation, status) in stage.take_ended() {
        let worker = usize::from(worker);
        let failed = (status != Status::Ok).then(|| stage.workers.history.ops().iter().rev());
        let error = failed.and_then(|mut ops| ops.find_map(|op| op.error.clone()));
        rounds.completed(reader_of(worker), invocation, status, error.as_deref());
        hands[worker] = Hands::Free;
    }
    for reader in rounds.next_round() {
        hands[worker_of(reader)] = Hands::Free;
    }
    for number in 0..stage.workers.count() {
        let worker = usize::from(number);
        if hands[worker] != Hands::Free || !stage.workers.is_idle(number) {
            continue;
        }
        hands[worker] = match rounds.next_for(reader_of(worker)) {
            Some(invocation) => {
                stage.workers.invoke(&mut stage.world, number, invocation);
                Hands::Reading
            }
            None => Hands::Waiting,
        };
    }
}
