//! The loop over real, sleeping processes and a network that only counts.

use super::*;
use crate::cluster::tests::{plan, sleepers};
use crate::network::{Cut, Grudge, LinkCounters};
use crate::plan::{PartitionShape, TargetSpec};
use std::sync::Mutex;
use std::time::Instant;
use tempfile::TempDir;

/// A network whose cut links hold bytes, if the nodes chat.
#[derive(Debug, Default)]
struct Counting {
    chatty: bool,
    cut: Mutex<Option<(Grudge, Instant)>>,
}

impl Network for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn cut(&self, grudge: &Grudge, _how: Cut) {
        *self.cut.lock().unwrap() = Some((grudge.clone(), Instant::now()));
    }

    fn heal(&self) {
        *self.cut.lock().unwrap() = None;
    }

    fn counters(&self, from: NodeId, to: NodeId) -> LinkCounters {
        let cut = self.cut.lock().unwrap();
        let since = cut.as_ref().filter(|(grudge, _)| grudge.links().any(|link| link == (from, to)));
        let held = since.filter(|_| self.chatty).map_or(0, |(_, since)| since.elapsed().as_millis());
        LinkCounters { passed: 0, held: u64::try_from(held).unwrap(), resets: 0 }
    }
}

struct Bench {
    cluster: Cluster,
    network: Arc<Counting>,
    leader: watch::Sender<LeaderView>,
    journal: mpsc::UnboundedReceiver<NemesisLine>,
    current: watch::Receiver<Option<String>>,
    stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Bench {
    fn new(plan: Plan, schedule: Option<Vec<PlannedFault>>, chatty: bool) -> (Self, NemesisContext) {
        let (cluster, folder) = sleepers(plan.nodes);
        let network = Arc::new(Counting { chatty, cut: Mutex::new(None) });
        let leader = watch::Sender::new(LeaderView { leader: Some(NodeId::new(1)), epoch: 1 });
        let (journal_in, journal) = mpsc::unbounded_channel();
        let current = watch::Sender::new(None);
        let stop = watch::Sender::new(false);
        let context = NemesisContext {
            schedule,
            cluster: cluster.clone(),
            network: Arc::clone(&network) as Arc<dyn Network>,
            leader: leader.subscribe(),
            journal: journal_in,
            planned: mpsc::unbounded_channel().0,
            current: current.clone(),
            clock: RunClock::start(),
            stop: stop.subscribe(),
            plan,
        };
        let bench =
            Self { cluster, network, leader, journal, current: current.subscribe(), stop, _folder: folder };
        (bench, context)
    }

    fn assert_healed(&self) {
        for node in self.cluster.nodes() {
            assert_eq!(self.cluster.state(node), ProcessState::Running, "{node}");
        }
        assert!(self.network.cut.lock().unwrap().is_none(), "links are cut");
        assert_eq!(*self.current.borrow(), None);
        assert_eq!(self.cluster.unexpected_exits(), []);
    }

    /// The phases of one fault, in order.
    fn phases(&mut self) -> Vec<(u64, String)> {
        let mut phases = Vec::new();
        while let Ok(line) = self.journal.try_recv() {
            let phase = line.value["phase"].as_str().unwrap().to_owned();
            phases.push((line.value["id"].as_u64().unwrap(), phase));
        }
        phases
    }
}

fn asked(families: &[FaultFamily]) -> Plan {
    let mut plan = plan(5);
    plan.nemesis = families.to_vec();
    plan
}

fn fault(id: u32, at_ms: u64, lasts_ms: u64, action: FaultAction) -> PlannedFault {
    PlannedFault { id, at_ns: at_ms * 1_000_000, lasts_ns: lasts_ms * 1_000_000, action, impossible: None }
}

fn pause(node: u16) -> FaultAction {
    FaultAction::Pause { target: TargetSpec::One, nodes: vec![NodeId::new(node)] }
}

fn kill(nodes: &[u16]) -> FaultAction {
    FaultAction::Kill {
        target: TargetSpec::Minority,
        nodes: nodes.iter().copied().map(NodeId::new).collect(),
    }
}

fn leader_alone() -> FaultAction {
    let grudge = [(1, 2), (2, 1)].map(|(to, from)| (NodeId::new(to), [NodeId::new(from)].into()));
    FaultAction::Partition {
        shape: PartitionShape::LeaderAlone,
        grudge: Grudge(grudge.into()),
        how: Cut::Blackhole,
    }
}

#[tokio::test]
async fn drawn_faults_are_injected_proven_journalled_and_healed() {
    let mut plan = asked(&[FaultFamily::Partition, FaultFamily::Pause, FaultFamily::Kill]);
    plan.time_limit_ms = 5000;
    let (mut bench, context) = Bench::new(plan, None, true);
    let records = run(context).await;
    bench.assert_healed();
    assert!(records.len() >= 3, "{records:#?}");
    let phases = bench.phases();
    for record in &records {
        assert_eq!(record.outcome, FaultOutcome::Installed, "{record:#?}");
        assert!(record.leader_at_injection.is_none_or(|leader| leader == NodeId::new(1)));
        let (installed, healed) = (record.installed_ns.unwrap(), record.healed_ns.unwrap());
        assert!(healed - installed >= record.planned.lasts_ns.min(1_000_000), "{record:#?}");
        assert!(!record.evidence.is_empty());
        let own: Vec<&str> = phases
            .iter()
            .filter(|(id, _)| *id == u64::from(record.planned.id))
            .map(|(_, phase)| phase.as_str())
            .collect();
        assert_eq!(own, ["installed", "healed"], "{record:#?}");
    }
    let ids: Vec<u32> = records.iter().map(|record| record.planned.id).collect();
    assert!(ids.is_sorted());
}

#[tokio::test]
async fn a_partition_that_held_nothing_back_has_failed() {
    let schedule = vec![fault(1, 0, 50, leader_alone())];
    let (mut bench, context) = Bench::new(asked(&[FaultFamily::Partition]), Some(schedule), false);
    let records = run(context).await;
    bench.assert_healed();
    let why = "nothing was sent over the cut links".to_owned();
    assert_eq!(records[0].outcome, FaultOutcome::Failed { why });
    assert_eq!(records[0].installed_ns, None);
    assert_eq!(bench.phases(), [(1, "failed".to_owned())]);
}

#[tokio::test]
async fn a_fault_that_follows_at_once_begins_when_the_one_before_is_healed() {
    // Were the second injected first, healing the first would open it again.
    let schedule = vec![fault(1, 0, 60, leader_alone()), fault(2, 60, 60, leader_alone())];
    let (mut bench, context) = Bench::new(asked(&[FaultFamily::Partition]), Some(schedule), true);
    let records = run(context).await;
    bench.assert_healed();
    let phases: Vec<(u64, String)> = bench.phases();
    let expected = [(1, "installed"), (1, "healed"), (2, "installed"), (2, "healed")];
    assert_eq!(phases, expected.map(|(id, phase)| (id, phase.to_owned())));
    assert!(records[0].healed_ns <= records[1].injected_ns, "{records:#?}");
}

#[tokio::test]
async fn a_replay_injects_the_same_faults_on_the_same_nodes_at_the_same_times() {
    let schedule = vec![
        fault(1, 20, 60, pause(3)),
        fault(2, 40, 100, kill(&[1, 2])),
        // n1 is dead by then, and n3 goes on.
        fault(3, 100, 30, kill(&[1])),
        fault(4, 110, 20, leader_alone()),
    ];
    let (mut bench, context) = Bench::new(asked(&[FaultFamily::Kill]), Some(schedule.clone()), true);
    let clock = context.clock;
    let began_ns = clock.now_ns();
    bench.leader.send_replace(LeaderView::default());
    let records = run(context).await;
    bench.assert_healed();
    let planned: Vec<PlannedFault> = records.iter().map(|record| record.planned.clone()).collect();
    assert_eq!(planned, schedule);
    for record in &records {
        match record.planned.id {
            3 => {
                let FaultOutcome::Skipped { why } = &record.outcome else { panic!("{record:#?}") };
                assert!(why.contains("n1 left alone: it is dead (signal 9 (SIGKILL))"), "{why}");
            }
            _ => {
                assert_eq!(record.outcome, FaultOutcome::Installed, "{record:#?}");
                assert!(record.installed_ns.unwrap() - began_ns >= record.planned.at_ns);
            }
        }
    }
    let evidence = records[1].evidence.join("\n");
    assert!(evidence.contains("ended with signal 9") && evidence.contains("n2 started as pid"), "{evidence}");
    assert!(evidence.contains("n1 does not serve clients after"), "{evidence}");
    assert!(bench.phases().contains(&(3, "skipped".to_owned())));
}

#[tokio::test]
async fn stopping_heals_everything_at_once() {
    let long = 3_600_000;
    let schedule = vec![
        fault(1, 0, long, pause(3)),
        fault(2, 0, long, kill(&[4])),
        fault(3, 0, long, leader_alone()),
        fault(4, long, 1, pause(1)),
    ];
    let (mut bench, context) = Bench::new(asked(&[FaultFamily::Pause]), Some(schedule), true);
    let running = tokio::spawn(run(context));
    let all = bench
        .current
        .wait_for(|current| current.as_deref() == Some("pause n3 + kill n4 + partition leader-alone"));
    tokio::time::timeout(Duration::from_secs(10), all).await.unwrap().unwrap();
    // The partition is proven before it is healed early.
    while bench.journal.recv().await.unwrap().f != "partition" {}
    bench.stop.send_replace(true);
    let records = tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap();
    bench.assert_healed();
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.outcome == FaultOutcome::Installed), "{records:#?}");
}

#[tokio::test]
async fn a_node_that_died_by_itself_stays_dead() {
    let schedule = vec![fault(1, 0, 300, pause(2))];
    let (bench, context) = Bench::new(asked(&[FaultFamily::Pause]), Some(schedule), true);
    let cluster = bench.cluster.clone();
    let mut current = bench.current.clone();
    let running = tokio::spawn(run(context));
    current.wait_for(Option::is_some).await.unwrap();
    let evidence = cluster.resume(NodeId::new(2)).await.unwrap();
    let pid = evidence.split_once("pid ").unwrap().1.split(')').next().unwrap().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    let records = running.await.unwrap();
    assert_eq!(records[0].outcome, FaultOutcome::Installed);
    assert!(records[0].evidence.iter().any(|line| line.contains("while it was paused")), "{records:#?}");
    assert!(matches!(cluster.state(NodeId::new(2)), ProcessState::Dead { by_us: false, .. }));
    assert_eq!(cluster.unexpected_exits().len(), 1);
}

#[test]
fn records_and_schedules_survive_their_files() {
    for action in [pause(3), kill(&[1, 2]), leader_alone()] {
        let record = FaultRecord {
            planned: fault(7, 20, 60, action),
            outcome: FaultOutcome::Skipped { why: "every target is down".to_owned() },
            leader_at_injection: Some(NodeId::new(3)),
            injected_ns: None,
            installed_ns: None,
            healing_ns: None,
            healed_ns: Some(9),
            evidence: vec!["one sentence".to_owned()],
        };
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<FaultRecord>(&json).unwrap(), record, "{json}");
        let schedule = serde_json::to_string(&[&record.planned]).unwrap();
        assert_eq!(serde_json::from_str::<Vec<PlannedFault>>(&schedule).unwrap(), [record.planned]);
    }
}

#[test]
fn plans_that_this_cluster_cannot_have_are_refused() {
    let mut plan = asked(&[FaultFamily::Partition]);
    assert_eq!(check_plan(&plan), Ok(()));
    plan.partitions = vec![PartitionShape::MajoritiesRing];
    assert_eq!(check_plan(&plan), Ok(()));
    plan.nodes = 4;
    assert!(check_plan(&plan).unwrap_err().contains("'majorities-ring' needs an odd number of nodes"));
    plan.nemesis = vec![FaultFamily::Kill];
    assert_eq!(check_plan(&plan), Ok(()), "no partition is asked for");
    plan.targets = vec![TargetSpec::Nodes(vec![NodeId::new(9)])];
    assert!(check_plan(&plan).unwrap_err().contains("there is no n9"));
    plan.nemesis.clear();
    assert_eq!(check_plan(&plan), Ok(()));
    plan = asked(&[FaultFamily::Partition]);
    plan.nodes = 1;
    assert_eq!(check_plan(&plan).unwrap_err(), "a partition needs at least 2 nodes, but --nodes is 1");
}
