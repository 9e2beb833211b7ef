//! The interpreter: the one loop that owns time, process ids and the history.
//!
//! It asks the workload's generator what to do, hands that to a free worker, and writes down what was
//! asked and what came of it. An invocation is stamped and written *before* its worker hears of it, a
//! completion when the loop hears of it, both by this one loop: so the order of the lines is a sound
//! real-time order, and every interval in the history contains the true one.
//!
//! Life: load until told otherwise, then no new operations and patience for the open ones, then the
//! final reads on every node, then goodbye. It knows nothing of faults but their lines.

mod final_reads;
mod history;
mod lookout;
mod pace;
mod rounds;
#[cfg(test)]
mod tests;
mod worker;

pub(crate) use lookout::Spotted;
pub(crate) use pace::Pace;
pub(crate) use rounds::Rounds;

use crate::clock::RunClock;
use crate::cluster::NodeId;
use crate::nemesis::NemesisLine;
use crate::plan::Plan;
use anyhow::{Context, bail};
use final_reads::FinalStage;
use history::HistoryWriter;
use lookout::Lookout;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use worker::{Job, Report, Worker};
use workloads::{Completion, Connector, Generator, Invocation, Next, Settings, Status, Timeouts, Workload};

/// How often what was written goes to the file at the latest.
const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// How long opening a session may take: long for a node that lives, short beside a fault.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// The session timeout asked for, more than any server grants: a session should outlive its node's pause.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);
/// How much longer than its own timeout an operation may stay open at the end.
const GRACE: Duration = Duration::from_millis(500);
/// How long saying goodbye to all sessions may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What the load is doing, as the run tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Operations of the workload.
    Load,
    /// All is healed: no new operations, then each node is read.
    FinalReads,
    /// Stop at once; what is open is abandoned.
    Stop,
}

/// What the load is made of.
pub(crate) struct Load<'a> {
    /// The plan: workload, seed, concurrency, rate, keys, timeouts.
    pub(crate) plan: &'a Plan,
    /// The run's time.
    pub(crate) clock: RunClock,
    /// Where each node serves clients.
    pub(crate) addresses: Vec<(NodeId, SocketAddr)>,
    /// The file to write, `history.jsonl`; it must not exist yet.
    pub(crate) history_path: PathBuf,
    /// What the nemesis wants written.
    pub(crate) nemesis_lines: mpsc::UnboundedReceiver<NemesisLine>,
    /// Counters for the status line.
    pub(crate) live: Arc<LiveCounters>,
    /// Takes the first violation that shows in the lines.
    pub(crate) spotted: watch::Sender<Option<Spotted>>,
    /// What to do. A sender dropped during the load means [`Phase::Stop`].
    pub(crate) phases: watch::Receiver<Phase>,
}

/// Counters that may be read at any time.
#[derive(Debug, Default)]
pub(crate) struct LiveCounters {
    /// Operations invoked, final reads too.
    pub(crate) ops: AtomicU64,
    /// Completed ok.
    pub(crate) ok: AtomicU64,
    /// Completed as fail.
    pub(crate) fail: AtomicU64,
    /// Completed as info.
    pub(crate) info: AtomicU64,
}

/// What the load came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoadSummary {
    /// Operations invoked, final reads too.
    pub(crate) ops: u64,
    /// Completed ok.
    pub(crate) ok: u64,
    /// Completed as fail.
    pub(crate) fail: u64,
    /// Completed as info, abandoned ones too.
    pub(crate) info: u64,
    /// Lines in `history.jsonl`.
    pub(crate) lines: u64,
    /// Operations still open when patience ended.
    pub(crate) abandoned: u64,
    /// The final reads of each node; empty when the load was stopped before them.
    pub(crate) final_reads: Vec<FinalReads>,
}

/// One node's final reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FinalReads {
    /// The node.
    pub(crate) node: NodeId,
    /// How many reads it was to answer; each key is read twice.
    pub(crate) wanted: usize,
    /// How many it did.
    pub(crate) ok: usize,
    /// What the last failed attempt met.
    pub(crate) last_error: Option<String>,
}

impl FinalReads {
    /// Whether the node answered every read.
    pub(crate) fn complete(&self) -> bool {
        self.ok == self.wanted
    }
}

/// Runs the plan's workload, writes its history, and reads every node at the end.
///
/// # Errors
/// When the history cannot be written, and when a client panicked: harness failures, both.
pub(crate) async fn run(load: Load<'_>) -> anyhow::Result<LoadSummary> {
    let plan = load.plan;
    let settings = Settings { seed: plan.seed, keys: plan.keys, ops_per_key: plan.ops_per_key };
    let workload = workloads::by_name(&plan.workload, &settings)
        .with_context(|| format!("there is no workload '{}'", plan.workload))?;
    run_workload(load, workload).await
}

/// [`run`] with a workload at hand.
async fn run_workload(load: Load<'_>, workload: Workload) -> anyhow::Result<LoadSummary> {
    let Load { plan, clock, addresses, history_path, nemesis_lines, live, spotted, phases } = load;
    let operation = Duration::from_millis(plan.op_timeout_ms);
    let timeouts = Timeouts { connect: CONNECT_LIMIT.min(operation), operation, session: SESSION_TIMEOUT };
    let history = HistoryWriter::create(&history_path, clock)
        .with_context(|| format!("failed to create {}", history_path.display()))?;
    let (reports, inbox) = mpsc::unbounded_channel();
    let mut interpreter = Interpreter {
        history,
        lookout: Lookout::new(clock, spotted),
        generator: workload.generator,
        pace: Pace::new(plan.rate, plan.seed),
        began: Instant::now(),
        live,
        crew: Crew { connector: workload.connector, reports, slots: Vec::new(), tasks: JoinSet::new() },
        free: VecDeque::new(),
        concurrency: i64::from(plan.concurrency),
        timeouts,
        addresses,
        open: 0,
        abandoned: 0,
        stage: Stage::Load,
    };
    for (process, &(node, address)) in (0..interpreter.concurrency).zip(interpreter.addresses.iter().cycle())
    {
        interpreter.crew.hire(node, address, process, timeouts);
    }
    interpreter.work(inbox, nemesis_lines, phases).await.context("failed to write the history")?;
    interpreter.finish().await
}

/// The state of the loop.
struct Interpreter {
    history: HistoryWriter,
    lookout: Lookout,
    generator: Box<dyn Generator>,
    pace: Pace,
    /// When the load began.
    began: Instant,
    live: Arc<LiveCounters>,
    crew: Crew,
    /// Load workers with nothing to do, the longest idle first.
    free: VecDeque<usize>,
    concurrency: i64,
    timeouts: Timeouts,
    addresses: Vec<(NodeId, SocketAddr)>,
    /// Operations invoked and not completed.
    open: usize,
    abandoned: u64,
    stage: Stage,
}

/// Where in its life the load is.
enum Stage {
    Load,
    /// No new operations; the open ones have until then.
    Draining {
        until: Instant,
        then_read: bool,
    },
    Final(FinalStage),
    Done(Vec<FinalReads>),
}

/// All workers, those of the load first, then those of the final reads.
struct Crew {
    connector: Arc<dyn Connector>,
    reports: mpsc::UnboundedSender<Report>,
    slots: Vec<Slot>,
    tasks: JoinSet<()>,
}

/// A worker as the loop sees it.
struct Slot {
    /// The node it is pinned to, as the history names it.
    node: String,
    /// Under which process id it acts now.
    process: i64,
    /// `None` once it was dismissed.
    jobs: Option<mpsc::UnboundedSender<Job>>,
    open: Option<Invocation>,
    task: tokio::task::AbortHandle,
}

impl Crew {
    /// Starts a worker pinned to `node`; returns its place.
    fn hire(&mut self, node: NodeId, address: SocketAddr, process: i64, timeouts: Timeouts) -> usize {
        let place = self.slots.len();
        let (jobs, orders) = mpsc::unbounded_channel();
        let worker = Worker {
            place,
            address,
            timeouts,
            connector: Arc::clone(&self.connector),
            reports: self.reports.clone(),
        };
        let task = self.tasks.spawn(worker.run(orders));
        let node = node.to_string();
        self.slots.push(Slot { node, process, jobs: Some(jobs), open: None, task });
        place
    }

    /// Lets all workers go: each ends its session when it has nothing to do.
    fn dismiss(&mut self) {
        for slot in &mut self.slots {
            slot.jobs = None;
        }
    }
}

impl Interpreter {
    async fn work(
        &mut self,
        mut inbox: mpsc::UnboundedReceiver<Report>,
        mut nemesis_lines: mpsc::UnboundedReceiver<NemesisLine>,
        mut phases: watch::Receiver<Phase>,
    ) -> std::io::Result<()> {
        let mut flush = interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(64);
        let mut nemesis_lives = true;
        let mut told = *phases.borrow_and_update();
        let mut teller_lives = true;
        loop {
            self.advance(told);
            if matches!(self.stage, Stage::Done(_)) {
                break;
            }
            let wake = self.dispatch();
            tokio::select! {
                count = inbox.recv_many(&mut batch, 64) => {
                    debug_assert!(count > 0, "the crew holds a sender");
                    for report in batch.drain(..) {
                        self.take(report)?;
                    }
                }
                line = nemesis_lines.recv(), if nemesis_lives => match line {
                    Some(line) => self.nemesis_line(&line)?,
                    None => nemesis_lives = false,
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                _ = flush.tick() => self.history.flush()?,
                changed = phases.changed(), if teller_lives => {
                    teller_lives = changed.is_ok();
                    told = *phases.borrow_and_update();
                    if !teller_lives && told == Phase::Load {
                        // Nobody is left to end the load.
                        told = Phase::Stop;
                    }
                }
            }
        }
        while let Ok(line) = nemesis_lines.try_recv() {
            self.nemesis_line(&line)?;
        }
        self.history.flush()
    }

    /// Moves from stage to stage when it is time.
    fn advance(&mut self, told: Phase) {
        let now = Instant::now();
        let overdue = told == Phase::Stop;
        match &mut self.stage {
            Stage::Load => match told {
                Phase::Load => {}
                Phase::FinalReads => {
                    let until = now + self.timeouts.connect + self.timeouts.operation * 2 + GRACE;
                    self.stage = Stage::Draining { until, then_read: true };
                }
                Phase::Stop => self.stage = Stage::Draining { until: now, then_read: false },
            },
            Stage::Draining { until, then_read } => {
                if self.open > 0 && now < *until && !overdue {
                    return;
                }
                let then_read = *then_read && !overdue;
                self.abandon();
                self.crew.dismiss();
                self.free.clear();
                self.stage = if then_read {
                    let wanted = self.generator.final_reads();
                    Stage::Final(FinalStage::begin(&mut self.crew, &self.addresses, wanted, self.timeouts))
                } else {
                    Stage::Done(Vec::new())
                };
            }
            Stage::Final(stage) => {
                if !stage.is_over(now) && !overdue {
                    for place in stage.next_round() {
                        self.ready(place);
                    }
                    return;
                }
                let results = stage.results();
                self.abandon();
                self.crew.dismiss();
                self.stage = Stage::Done(results);
            }
            Stage::Done(_) => {}
        }
    }

    /// Gives free workers what there is to do; returns when the next operation is due, if one waits
    /// for its time only.
    fn dispatch(&mut self) -> Option<Instant> {
        if !matches!(self.stage, Stage::Load) {
            return None;
        }
        let now = Instant::now();
        while let Some(&place) = self.free.front() {
            if let Some(due) = self.pace.due().map(|due| self.began + due).filter(|due| *due > now) {
                return Some(due);
            }
            match self.generator.next() {
                Next::Wait => return None,
                Next::Prepare(key) => {
                    self.free.pop_front();
                    self.crew.slots[place].give(Job::Prepare(key));
                }
                Next::Invoke(invocation) => {
                    self.free.pop_front();
                    self.pace.spend(now - self.began);
                    self.invoke(place, invocation);
                }
            }
        }
        None
    }

    fn invoke(&mut self, place: usize, invocation: Invocation) {
        let slot = &mut self.crew.slots[place];
        debug_assert!(slot.open.is_none(), "a free worker has no open operation");
        let index = self.history.invoke(slot.process, &slot.node, &invocation);
        self.lookout.invoke(index, slot.process, &invocation);
        slot.open = Some(invocation.clone());
        slot.give(Job::Invoke(invocation));
        self.open += 1;
        self.live.ops.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&mut self, report: Report) -> std::io::Result<()> {
        match report {
            Report::Ready { place } => self.ready(place),
            Report::Prepared { place, key, done, ready } => {
                self.generator.prepared(&key, done);
                if ready {
                    self.ready(place);
                }
            }
            Report::Done { place, completion, ready } => {
                // Without an open operation it was abandoned, and its end is written already.
                let Some(invocation) = self.crew.slots[place].open.take() else { return Ok(()) };
                self.complete(place, &invocation, &completion)?;
                if let Stage::Final(stage) = &mut self.stage {
                    stage.completed(place, invocation, &completion);
                }
                if ready {
                    self.ready(place);
                }
            }
        }
        Ok(())
    }

    fn ready(&mut self, place: usize) {
        match &mut self.stage {
            Stage::Load | Stage::Draining { .. } => self.free.push_back(place),
            Stage::Final(stage) => {
                if let Some(invocation) = stage.next_for(place) {
                    self.invoke(place, invocation);
                }
            }
            Stage::Done(_) => {}
        }
    }

    fn complete(
        &mut self,
        place: usize,
        invocation: &Invocation,
        completion: &Completion,
    ) -> std::io::Result<()> {
        let slot = &mut self.crew.slots[place];
        let index = self.history.complete(slot.process, &slot.node, invocation, completion);
        self.lookout.complete(index, slot.process, invocation, completion);
        self.open -= 1;
        let counter = match completion.status {
            Status::Ok => &self.live.ok,
            Status::Fail => &self.live.fail,
            Status::Info => &self.live.info,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.generator.completed(invocation, completion.status);
        if completion.status == Status::Info {
            // That process is busy for ever; its worker goes on as another.
            slot.process += self.concurrency;
            self.history.flush()?;
        }
        Ok(())
    }

    /// Ends what is open, without waiting for it any longer.
    fn abandon(&mut self) {
        for place in 0..self.crew.slots.len() {
            let Some(invocation) = self.crew.slots[place].open.take() else { continue };
            self.crew.slots[place].task.abort();
            self.abandoned += 1;
            let end = Completion::abandoned(invocation.effect);
            // A failed write of the history shows up again at the last flush.
            let _written = self.complete(place, &invocation, &end);
        }
    }

    fn nemesis_line(&mut self, line: &NemesisLine) -> std::io::Result<()> {
        self.generator.disturbed();
        self.history.nemesis(&line.f, &line.value);
        self.history.flush()
    }

    /// Ends all sessions and the file.
    async fn finish(mut self) -> anyhow::Result<LoadSummary> {
        let mut panicked = false;
        let goodbyes = async {
            while let Some(end) = self.crew.tasks.join_next().await {
                panicked |= end.is_err_and(|error| error.is_panic());
            }
        };
        // Who is not done by then is cut off; the servers expire the sessions.
        let _in_time = timeout(CLOSE_LIMIT, goodbyes).await;
        self.crew.tasks.shutdown().await;
        let lines = self.history.finish().await.context("failed to write the history")?;
        if panicked {
            bail!("a client panicked (see the message above)");
        }
        let Stage::Done(final_reads) = self.stage else { unreachable!("work() ends in this stage") };
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(LoadSummary {
            ops: count(&self.live.ops),
            ok: count(&self.live.ok),
            fail: count(&self.live.fail),
            info: count(&self.live.info),
            lines,
            abandoned: self.abandoned,
            final_reads,
        })
    }
}

impl Slot {
    fn give(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // Only a worker that panicked hears nothing; finish() reports that.
            let _heard = jobs.send(job);
        }
    }
}
