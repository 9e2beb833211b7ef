//! The live part of a run: cluster up → load and faults side by side → heal → quiesce → final reads →
//! cluster down. Records everything and judges nothing.

use super::interrupt::Interrupt;
use super::recorded::{Recorded, Tell};
use crate::clock::RunClock;
use crate::cluster::{Cluster, UnexpectedExit};
use crate::election::{LeaderView, LeaderWatch, NodeTrace};
use crate::exit::{Exit, UsageError, exit_of};
use crate::interpreter::{self, LiveCounters, Load, LoadSummary, Phase, Spotted};
use crate::nemesis::{self, NemesisContext, PlannedFault};
use crate::plan::Plan;
use crate::report::{RunEvent, Stage, Status};
use crate::store::RunDir;
use anyhow::{Context as _, bail};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often the status is told.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// How long nodes may take to serve, beyond their own limits.
const SERVING_LIMIT: Duration = Duration::from_secs(10);

/// Runs the plan on a new cluster. Whatever happens, the cluster is gone when this returns.
///
/// # Errors
/// When the tool could not do its work: the cluster does not come up, a file cannot be written.
pub(super) async fn live(
    plan: &Plan,
    schedule: Option<Vec<PlannedFault>>,
    dir: &RunDir,
    clock: RunClock,
    interrupt: &mut Interrupt,
    tell: &mut Tell<'_>,
) -> anyhow::Result<Recorded> {
    let started = Cluster::start(plan, dir.path(), clock);
    // What cannot be leaves no trace: neither a folder nor the promise of one.
    if !started.as_ref().is_err_and(|error| exit_of(error) == Exit::Usage) {
        tell(RunEvent::Started { plan: Box::new(plan.clone()), folder: dir.path().to_owned() });
    }
    let (cluster, network) = started?;
    tell(RunEvent::Stage(Stage::Starting));
    let paths = cluster.nodes().into_iter().map(|node| (node, cluster.trace_path(node))).collect();
    let (leader, watch) = LeaderWatch::spawn(paths, clock).context("failed to follow the nodes' traces")?;
    let mut stage =
        Live { plan, dir, clock, cluster: &cluster, leader, counters: Arc::default(), spotted: None, tell };
    let recorded = stage.run(schedule, network, interrupt).await;
    // Before anything else, whatever went wrong: nothing must be left running.
    let stopped = cluster.stop().await;
    drop(watch);
    let mut recorded = recorded?;
    stopped.context("failed to stop the cluster")?;
    recorded.traces = read_traces(&cluster, clock, &recorded.exits)?;
    Ok(recorded)
}

fn read_traces(
    cluster: &Cluster,
    clock: RunClock,
    exits: &[UnexpectedExit],
) -> anyhow::Result<Vec<NodeTrace>> {
    let read = |node| {
        let path = cluster.trace_path(node);
        let trace = NodeTrace::read(node, &path, clock);
        let mut trace = trace.with_context(|| format!("failed to read {}", path.display()))?;
        trace.died_ns = exits.iter().filter(|exit| exit.node == node).map(|exit| exit.at_ns).collect();
        Ok(trace)
    };
    cluster.nodes().into_iter().map(read).collect()
}

struct Live<'a, 'b> {
    plan: &'a Plan,
    dir: &'a RunDir,
    clock: RunClock,
    cluster: &'a Cluster,
    leader: watch::Receiver<LeaderView>,
    counters: Arc<LiveCounters>,
    /// Where the first violation shows that the load sees.
    spotted: Option<watch::Receiver<Option<Spotted>>>,
    tell: &'a mut Tell<'b>,
}

/// A task that ends with its handle.
struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    fn spawn(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Stores every fault as it is drawn: a run whose tool was killed can be replayed as far as it came.
async fn keep_schedule(dir: RunDir, mut drawn: mpsc::UnboundedReceiver<PlannedFault>) {
    let mut schedule = Vec::new();
    while let Some(fault) = drawn.recv().await {
        schedule.push(fault);
        // The whole schedule is stored once more when the faults are over; that must succeed.
        let _ = dir.save_schedule(&schedule);
    }
}

/// The first violation, once; never comes back if there is none.
async fn next_spotted(receiver: &mut Option<watch::Receiver<Option<Spotted>>>) -> Spotted {
    if let Some(first) = receiver
        && first.changed().await.is_ok()
        && let Some(spotted) = first.borrow_and_update().clone()
    {
        return spotted;
    }
    // The load is over, or nothing can be seen yet.
    std::future::pending().await
}

impl Live<'_, '_> {
    async fn run(
        &mut self,
        schedule: Option<Vec<PlannedFault>>,
        network: Arc<dyn crate::network::Network>,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<Recorded> {
        tokio::select! {
            served = self.cluster.wait_serving(self.serving_limit()) => served.map_err(|error| self.unserved(error))?,
            () = interrupt.asked() => bail!("interrupted before every node served"),
        }
        self.dir.make_latest()?;
        let served_ns = self.clock.now_ns();
        (self.tell)(RunEvent::Stage(Stage::Serving { after_ns: served_ns }));

        let (journal, nemesis_lines) = mpsc::unbounded_channel();
        let (phase, phases) = watch::channel(Phase::Load);
        let (stop_faults, stop) = watch::channel(false);
        let (fault, mut current) = watch::channel(None);
        let (planned, drawn) = mpsc::unbounded_channel();
        let mut schedule_keeper = Task::spawn(keep_schedule(self.dir.clone(), drawn));
        let (spotted, first_spotted) = watch::channel(None);
        self.spotted = Some(first_spotted);
        let mut load = self.spawn_load(nemesis_lines, phases, spotted);
        let mut faults = Task::spawn(nemesis::run(NemesisContext {
            plan: self.plan.clone(),
            schedule,
            cluster: self.cluster.clone(),
            network,
            leader: self.leader.clone(),
            journal,
            planned,
            current: fault,
            clock: self.clock,
            stop,
        }));
        let began_ns = self.clock.now_ns();
        (self.tell)(RunEvent::Stage(Stage::Load));
        let time_limit = Duration::from_millis(self.plan.time_limit_ms);
        let over = async {
            tokio::select! {
                () = sleep(time_limit) => Ok(false),
                () = interrupt.asked() => Ok(true),
                ended = &mut load.0 => {
                    // It ends by itself only when it cannot go on.
                    ended.context("the load panicked")?.context("the load failed")?;
                    bail!("the load ended before its time")
                }
            }
        };
        let interrupted = self.with_status(&mut current, over).await?;
        let ended_ns = self.clock.now_ns();

        (self.tell)(RunEvent::Stage(Stage::Healing));
        stop_faults.send_replace(true);
        let faults = self.with_status(&mut current, &mut faults.0).await.context("the nemesis panicked")?;
        // The nemesis is gone and with it the sender, so this ends.
        (&mut schedule_keeper.0).await.context("storing the schedule panicked")?;
        if let Err(error) =
            self.with_status(&mut current, self.cluster.wait_serving(self.serving_limit())).await
        {
            (self.tell)(RunEvent::Warning(format!(
                "the healed cluster does not serve everywhere, so final reads will be missing: {error:#}"
            )));
        }

        (self.tell)(RunEvent::Stage(Stage::FinalReads));
        phase.send_replace(Phase::FinalReads);
        let summary = self.with_status(&mut current, &mut load.0).await;
        let summary = summary.context("the load panicked")?.context("the load failed")?;
        for reads in summary.final_reads.iter().filter(|reads| !reads.complete()) {
            let why = reads.last_error.as_deref().unwrap_or("no attempt ended");
            (self.tell)(RunEvent::Warning(format!(
                "{} answered {} of {} final reads ({why}): its log in the run's folder may say more",
                reads.node, reads.ok, reads.wanted
            )));
        }
        Ok(Recorded {
            served_ns,
            load_ns: (began_ns, ended_ns),
            faults,
            exits: self.cluster.unexpected_exits(),
            traces: Vec::new(),
            interrupted_ns: interrupted.then(|| ended_ns.saturating_sub(began_ns)),
            protocol: None,
            spotted: self.spotted.as_ref().and_then(|first| first.borrow().clone()),
            simulated: None,
        })
    }

    /// Why the nodes do not serve. Another program may have been faster at the ports that were asked for.
    fn unserved(&self, error: anyhow::Error) -> anyhow::Error {
        // The nodes' configurations are ours: what they can refuse in them is only a port.
        let port_taken = format!("exit status {}", Exit::Usage.status());
        let exits = self.cluster.unexpected_exits();
        match (self.plan.base_port, exits.iter().find(|exit| exit.how == port_taken)) {
            (Some(base), Some(exit)) => UsageError(format!(
                "another program took a port of {} meanwhile; choose another --base-port than {base}, \
                 or leave it out and free ports are found",
                exit.node
            ))
            .into(),
            (Some(_) | None, _) => error,
        }
    }

    fn spawn_load(
        &self,
        nemesis_lines: mpsc::UnboundedReceiver<nemesis::NemesisLine>,
        phases: watch::Receiver<Phase>,
        spotted: watch::Sender<Option<Spotted>>,
    ) -> Task<anyhow::Result<LoadSummary>> {
        let plan = self.plan.clone();
        let clock = self.clock;
        let addresses =
            self.cluster.nodes().into_iter().map(|node| (node, self.cluster.client_address(node))).collect();
        let history_path = self.dir.history_path();
        let live = Arc::clone(&self.counters);
        Task::spawn(async move {
            let plan = &plan;
            let load = Load { plan, clock, addresses, history_path, nemesis_lines, live, spotted, phases };
            interpreter::run(load).await
        })
    }

    /// How long the nodes may take to serve: to find a leader, to follow it, and some for slow machines.
    fn serving_limit(&self) -> Duration {
        let ticks = self.plan.init_limit.saturating_add(self.plan.sync_limit);
        SERVING_LIMIT + Duration::from_millis(self.plan.tick_ms.saturating_mul(ticks))
    }

    /// Waits, and meanwhile tells how it goes.
    async fn with_status<T>(
        &mut self,
        fault: &mut watch::Receiver<Option<String>>,
        work: impl Future<Output = T>,
    ) -> T {
        let mut ticks = interval(STATUS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                spotted = next_spotted(&mut self.spotted) => (self.tell)(RunEvent::Spotted(spotted)),
                _ = ticks.tick() => {
                    let status = self.status(fault.borrow().clone());
                    (self.tell)(RunEvent::Status(status));
                }
            }
        }
    }

    fn status(&self, fault: Option<String>) -> Status {
        let counters = &self.counters;
        Status {
            at_ns: self.clock.now_ns(),
            ok: counters.ok.load(Ordering::Relaxed),
            fail: counters.fail.load(Ordering::Relaxed),
            info: counters.info.load(Ordering::Relaxed),
            fault,
            leader: *self.leader.borrow(),
        }
    }
}
