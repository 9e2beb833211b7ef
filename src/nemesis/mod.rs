//! Faults: drawn by the planner or replayed, injected, proven, healed.
//!
//! A fault is inject + evidence + heal, one file a family. A fault counts only when its effect was seen. One
//! loop holds all of them, so whatever ends the loop, everything is healed behind it. What a fault did to the
//! cluster is not judged here.

mod active;
mod kill;
mod partition;
mod partitions;
mod pause;
mod planner;
mod record;
mod schedule;
mod targets;

pub(crate) use record::{FaultAction, FaultOutcome, FaultRecord, PlannedFault};
pub(crate) use schedule::Schedule;
pub(crate) use targets::View;

use crate::clock::RunClock;
use crate::cluster::{Cluster, NodeId, ProcessState};
use crate::election::LeaderView;
use crate::network::Network;
use crate::plan::{FaultFamily, Plan};
use active::Active;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// How often a partition that has not proven itself yet is looked at.
pub(crate) const PROOF_POLL: Duration = Duration::from_millis(5);
/// How long a fault that wants a leader waits until one is known.
pub(crate) const LEADER_WAIT: Duration = Duration::from_millis(1000);
/// How long a restarted node may take to serve, beyond its limits for finding and joining a leader.
pub(crate) const SERVING_WAIT: Duration = Duration::from_secs(3);

/// A line of the history that tells of a fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NemesisLine {
    /// The family: partition, pause, kill.
    pub(crate) f: String,
    /// `{id, phase: installed|healed|skipped|failed, fault, …, evidence}`.
    pub(crate) value: serde_json::Value,
}

/// What the nemesis works with.
#[derive(Debug)]
pub(crate) struct NemesisContext {
    /// What was asked for.
    pub(crate) plan: Plan,
    /// The schedule of an earlier run, to be run again.
    pub(crate) schedule: Option<Vec<PlannedFault>>,
    /// Whose processes are hurt.
    pub(crate) cluster: Cluster,
    /// Whose links are cut.
    pub(crate) network: Arc<dyn Network>,
    /// Who leads.
    pub(crate) leader: watch::Receiver<LeaderView>,
    /// Takes the lines for the history.
    pub(crate) journal: mpsc::UnboundedSender<NemesisLine>,
    /// Takes every fault before it is injected, so that the schedule survives the tool.
    pub(crate) planned: mpsc::UnboundedSender<PlannedFault>,
    /// Takes what is going on, for the status line.
    pub(crate) current: watch::Sender<Option<String>>,
    /// The run's clock.
    pub(crate) clock: RunClock,
    /// Ends the faults early when it becomes true.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Whether the cluster of this plan can have every fault that the plan asks for.
///
/// # Errors
/// Why not, and what would do, in one sentence.
pub(crate) fn check_plan(plan: &Plan) -> Result<(), String> {
    if plan.nemesis.is_empty() {
        return Ok(());
    }
    for target in &plan.targets {
        targets::check(target, plan.nodes)?;
    }
    if plan.nemesis.contains(&FaultFamily::Partition) {
        if plan.nodes < 2 {
            return Err("a partition needs at least 2 nodes, but --nodes is 1".to_owned());
        }
        for &shape in &plan.partitions {
            partitions::check(shape, plan.nodes)?;
        }
    }
    Ok(())
}

/// Injects and heals faults until the schedule is through or `stop` is set. Begin it with the load: times of
/// faults count from here. Everything is healed when this returns: links open, nodes running.
///
/// The records are in the order of the faults' numbers.
pub(crate) async fn run(context: NemesisContext) -> Vec<FaultRecord> {
    let schedule = Schedule::new(&context.plan, context.schedule.clone());
    let mut nemesis = Nemesis {
        began_ns: context.clock.now_ns(),
        schedule,
        active: Vec::new(),
        records: Vec::new(),
        restarts: JoinSet::new(),
        context,
    };
    nemesis.attack().await;
    nemesis.heal_everything().await;
    nemesis.into_records().await
}

struct Nemesis {
    context: NemesisContext,
    /// When the load began, ns of the run.
    began_ns: u64,
    schedule: Schedule,
    active: Vec<Active>,
    records: Vec<FaultRecord>,
    /// Watches restarted nodes until they serve: fault number and a sentence.
    restarts: JoinSet<(u32, String)>,
}

impl Nemesis {
    /// The loop: whatever is due first, until nothing is left to come.
    async fn attack(&mut self) {
        while !*self.context.stop.borrow() {
            let now_ns = self.context.clock.now_ns();
            let inject_ns = self.schedule.next_at_ns().map(|at_ns| self.began_ns + at_ns);
            let heal_ns = self.active.iter().map(|fault| fault.heal_at_ns).min();
            if heal_ns.is_some_and(|heal_ns| heal_ns <= now_ns) {
                self.heal_where(|fault| fault.heal_at_ns <= now_ns).await;
            } else if let Some(at_ns) = inject_ns.filter(|&inject_ns| inject_ns <= now_ns) {
                // What was planned to be over by then is over: injecting took its time, and healing one
                // partition after the next is in place would open that one, too.
                let at_ns = at_ns - self.began_ns;
                self.heal_where(|fault| fault.planned.at_ns + fault.planned.lasts_ns <= at_ns).await;
                self.inject_next().await;
            } else {
                let Some(due_ns) = [inject_ns, heal_ns].into_iter().flatten().min() else { return };
                self.rest(Duration::from_nanos(due_ns - now_ns)).await;
            }
        }
    }

    /// Waits for the next thing to do; meanwhile partitions prove themselves.
    async fn rest(&mut self, at_most: Duration) {
        let unproven = self.prove();
        let nap = if unproven { at_most.min(PROOF_POLL) } else { at_most };
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            // Also when whoever could stop us is gone.
            _ = self.context.stop.wait_for(|&stop| stop) => {}
        }
    }

    /// Journals partitions whose effect shows now; says whether some have yet to.
    fn prove(&mut self) -> bool {
        let mut unproven = false;
        for fault in self.active.iter_mut().filter(|fault| fault.outcome.is_none()) {
            if fault.is_proven(&*self.context.network) {
                fault.outcome = Some(FaultOutcome::Installed);
                let line = journal_line(fault.id(), "installed", &fault.planned.action, &fault.evidence);
                // Without a reader there is no history to complete.
                let _ = self.context.journal.send(line);
            } else {
                unproven = true;
            }
        }
        unproven
    }

    /// Draws the next fault and injects it.
    async fn inject_next(&mut self) {
        if self.schedule.wants_leader() && self.active.is_empty() && self.view().leader.is_none() {
            self.wait_for_leader().await;
        }
        if *self.context.stop.borrow() {
            return;
        }
        let now_ns = self.context.clock.now_ns();
        let view = self.view();
        let Some(fault) = self.schedule.draw(now_ns - self.began_ns, &view) else {
            return;
        };
        // Without a reader there is no schedule to complete.
        let _ = self.context.planned.send(fault.clone());
        if let Some(why) = fault.impossible.clone() {
            self.skip(fault, view.leader, why);
            return;
        }
        let active = active::inject(
            &self.context.cluster,
            &self.context.network,
            &self.context.clock,
            fault,
            view.leader,
        )
        .await;
        match active.outcome.clone() {
            Some(FaultOutcome::Skipped { why }) => self.skip(active.planned, view.leader, why),
            Some(FaultOutcome::Installed) => self.start(active, "installed"),
            Some(FaultOutcome::Failed { .. }) => self.start(active, "failed"),
            // A partition: journalled when its effect shows.
            None => {
                self.active.push(active);
                self.show_current();
            }
        }
    }

    /// Waits until a leader is known, for a while.
    async fn wait_for_leader(&mut self) {
        let NemesisContext { leader, stop, cluster, .. } = &mut self.context;
        let known = |view: &LeaderView| view.leader.is_some_and(|node| is_running(cluster, node));
        tokio::select! {
            _ = leader.wait_for(known) => {}
            _ = stop.wait_for(|&stop| stop) => {}
            () = tokio::time::sleep(LEADER_WAIT) => {}
        }
    }

    fn start(&mut self, fault: Active, phase: &str) {
        self.journal(journal_line(fault.id(), phase, &fault.planned.action, &fault.evidence));
        self.active.push(fault);
        self.show_current();
    }

    fn skip(&mut self, planned: PlannedFault, leader: Option<NodeId>, why: String) {
        self.journal(journal_line(planned.id, "skipped", &planned.action, std::slice::from_ref(&why)));
        self.records.push(FaultRecord::skipped(planned, leader, why));
    }

    /// Heals the faults whose time is over.
    async fn heal_where(&mut self, is_over: impl Fn(&Active) -> bool) {
        let (due, remaining): (Vec<Active>, Vec<Active>) =
            std::mem::take(&mut self.active).into_iter().partition(is_over);
        self.active = remaining;
        if due.is_empty() {
            return;
        }
        for fault in due {
            self.heal(fault).await;
        }
        self.show_current();
    }

    async fn heal(&mut self, fault: Active) {
        let record = fault.heal(&self.context.cluster, &self.context.network, &self.context.clock).await;
        let id = record.planned.id;
        if let FaultAction::Kill { nodes, .. } = &record.planned.action {
            self.watch_restart(id, nodes);
        }
        // A partition fails only here; other failures were journalled when they showed, and their rest is healed.
        let unproven =
            record.planned.action.family() == FaultFamily::Partition && record.installed_ns.is_none();
        let phase = if unproven { "failed" } else { "healed" };
        self.journal(journal_line(id, phase, &record.planned.action, &record.evidence));
        self.records.push(record);
    }

    /// Heals what is under way, and whatever else a fault may have left, in whatever state the loop ended.
    async fn heal_everything(&mut self) {
        for fault in std::mem::take(&mut self.active) {
            self.heal(fault).await;
        }
        self.context.network.heal();
        let nodes = self.context.cluster.nodes();
        pause::heal(&self.context.cluster, &nodes).await;
        kill::heal(&self.context.cluster, &nodes);
        self.show_current();
    }

    /// Watches restarted nodes until they serve, beside the loop.
    fn watch_restart(&mut self, id: u32, nodes: &[NodeId]) {
        let plan = &self.context.plan;
        let limits_ms = plan.tick_ms.saturating_mul(plan.init_limit.saturating_add(plan.sync_limit));
        let deadline = SERVING_WAIT + Duration::from_millis(limits_ms);
        for &node in nodes.iter().filter(|&&node| is_running(&self.context.cluster, node)) {
            let cluster = self.context.cluster.clone();
            self.restarts.spawn(async move {
                let served = cluster.wait_node_serving(node, deadline).await;
                (id, served.unwrap_or_else(|error| first_line(&format!("{error:#}"))))
            });
        }
    }

    /// The records, each restart with what became of it.
    async fn into_records(mut self) -> Vec<FaultRecord> {
        while let Some(watched) = self.restarts.join_next().await {
            let Ok((id, sentence)) = watched else { continue };
            if let Some(record) = self.records.iter_mut().find(|record| record.planned.id == id) {
                record.evidence.push(sentence);
            }
        }
        self.records.sort_by_key(|record| record.planned.id);
        self.records
    }

    fn view(&self) -> View {
        let cluster = &self.context.cluster;
        let nodes = cluster.nodes();
        let running: Vec<NodeId> = nodes.iter().copied().filter(|&node| is_running(cluster, node)).collect();
        let leader = self.context.leader.borrow().leader.filter(|leader| running.contains(leader));
        View { nodes, running, leader }
    }

    fn journal(&self, line: NemesisLine) {
        // Without a reader there is no history to complete.
        let _ = self.context.journal.send(line);
    }

    fn show_current(&self) {
        let names: Vec<String> = self.active.iter().map(|fault| fault.planned.action.to_string()).collect();
        self.context.current.send_replace((!names.is_empty()).then(|| names.join(" + ")));
    }
}

/// What became of the nodes of a process fault.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    /// Nodes on which the effect was seen.
    pub(crate) hit: usize,
    /// What shows it, or why a node was left alone; one sentence a node.
    pub(crate) evidence: Vec<String>,
    /// What went wrong instead.
    pub(crate) errors: Vec<String>,
}

impl Struck {
    /// Installed when every node that ran shows the effect.
    pub(crate) fn outcome(&self) -> FaultOutcome {
        if !self.errors.is_empty() {
            FaultOutcome::Failed { why: self.errors.join("; ") }
        } else if self.hit == 0 {
            FaultOutcome::Skipped { why: format!("every target is down: {}", self.evidence.join("; ")) }
        } else {
            FaultOutcome::Installed
        }
    }

    /// Notes how it went with a node.
    pub(crate) fn note(&mut self, node: NodeId, result: anyhow::Result<String>) {
        match result {
            Ok(sentence) => {
                self.hit += 1;
                self.evidence.push(sentence);
            }
            Err(error) => self.errors.push(format!("{node}: {error:#}")),
        }
    }
}

/// Those of `nodes` that run, and a sentence for each other.
fn living(cluster: &Cluster, nodes: &[NodeId]) -> (Vec<NodeId>, Struck) {
    let mut struck = Struck::default();
    let mut running = Vec::new();
    for &node in nodes {
        match cluster.state(node) {
            ProcessState::Running => running.push(node),
            ProcessState::Paused => struck.evidence.push(format!("{node} left alone: it is paused already")),
            ProcessState::Dead { how, .. } => {
                struck.evidence.push(format!("{node} left alone: it is dead ({how})"));
            }
        }
    }
    (running, struck)
}

fn is_running(cluster: &Cluster, node: NodeId) -> bool {
    cluster.state(node) == ProcessState::Running
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The line of the history that tells of a fault.
pub(crate) fn journal_line(id: u32, phase: &str, action: &FaultAction, evidence: &[String]) -> NemesisLine {
    NemesisLine {
        f: action.family().to_string(),
        value: json!({ "id": id, "phase": phase, "what": action.to_string(), "action": action, "evidence": evidence }),
    }
}

#[cfg(test)]
mod tests;
