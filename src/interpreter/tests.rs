//! The loop against clients made of memory: what it writes, whom it calls, how it ends.

use super::*;
use checker::history::{History, Op, OpType, Process};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use workloads::error::Cause;
use workloads::{BoxFuture, Client, Effect, Error};
use zab_wire::Zxid;

const DEADLINE: Duration = Duration::from_secs(20);

/// How the fake system behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As promised.
    Honest,
    /// Node 1 answers reads with the value before the last.
    Stale,
    /// Every fifth change is not answered; half of these happen.
    Lossy,
    /// Node 1 alone has a write of unknown outcome: it answers final reads with it.
    Diverged,
    /// Nothing is ever answered.
    Silent,
    /// Node 1 cannot be connected to.
    OneDead,
    /// As promised, but not twice: clients panic.
    Panicking,
}

/// What the fake nodes hold.
#[derive(Default)]
struct Data {
    /// All values that each key ever had.
    keys: BTreeMap<String, Vec<Value>>,
    /// The last value of each key that was lost on its way.
    lost: BTreeMap<String, Value>,
    changes: u32,
}

type Store = Mutex<Data>;

struct Fake {
    manner: Manner,
    store: Arc<Store>,
}

struct FakeClient {
    manner: Manner,
    store: Arc<Store>,
    node: u16,
    broken: bool,
}

impl Connector for Fake {
    fn connect(&self, address: SocketAddr, _: Timeouts) -> BoxFuture<'_, Result<Box<dyn Client>, Error>> {
        let node = address.port();
        let client: Box<dyn Client> =
            Box::new(FakeClient { manner: self.manner, store: Arc::clone(&self.store), node, broken: false });
        let dead = self.manner == Manner::OneDead && node == 1;
        Box::pin(async move { if dead { Err(Error::NotSent(Cause::Closed)) } else { Ok(client) } })
    }
}

impl FakeClient {
    fn carry_out(&self, invocation: &Invocation) -> Completion {
        let mut data = self.store.lock().unwrap();
        let key = invocation.key.as_deref().unwrap();
        let values = data.keys.get(key).expect("used keys are prepared");
        let last = values.last().unwrap().clone();
        if invocation.f == "read" {
            let diverged = self.manner == Manner::Diverged && invocation.final_read;
            let seen = if self.node != 1 {
                None
            } else if diverged {
                data.lost.get(key)
            } else {
                values.iter().rev().nth(1).filter(|_| self.manner == Manner::Stale)
            };
            return Completion::ok(seen.cloned().unwrap_or(last), Zxid::new(1, data.changes));
        }
        let (new, value) = match invocation.f {
            "cas" => (invocation.value[1].clone(), json!([last, invocation.value[1]])),
            _ => (invocation.value.clone(), invocation.value.clone()),
        };
        data.changes += 1;
        let changes = data.changes;
        let unlucky = match self.manner {
            Manner::Lossy => changes.is_multiple_of(5),
            Manner::Diverged => changes.is_multiple_of(50),
            Manner::Honest | Manner::Stale | Manner::Silent | Manner::OneDead | Manner::Panicking => false,
        };
        let happens = !unlucky || (self.manner == Manner::Lossy && changes.is_multiple_of(10));
        if happens {
            data.keys.get_mut(key).unwrap().push(new);
        } else {
            data.lost.insert(key.to_owned(), new);
        }
        if unlucky {
            Completion::failed(Effect::Changes, &Error::Lost(Cause::Closed), value)
        } else {
            Completion::ok(value, Zxid::new(1, changes))
        }
    }
}

impl Client for FakeClient {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion> {
        Box::pin(async move {
            match self.manner {
                Manner::Silent => std::future::pending().await,
                Manner::Panicking => panic!("a fake panic that this test asks for"),
                Manner::Honest | Manner::Stale | Manner::Lossy | Manner::Diverged | Manner::OneDead => {}
            }
            tokio::task::yield_now().await;
            let completion = self.carry_out(invocation);
            self.broken = completion.status == Status::Info;
            tokio::task::yield_now().await;
            completion
        })
    }

    fn prepare<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        self.store.lock().unwrap().keys.entry(key.to_owned()).or_insert_with(|| vec![Value::Null]);
        Box::pin(async { Ok(()) })
    }

    fn idle(&mut self) -> BoxFuture<'_, Error> {
        Box::pin(std::future::pending())
    }

    fn is_broken(&self) -> bool {
        self.broken
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

fn plan(rate: u64, op_timeout_ms: u64) -> Plan {
    Plan {
        simulated: false,
        nodes: 3,
        workload: "register".to_owned(),
        nemesis: Vec::new(),
        nemesis_interval_ms: 1000,
        targets: Vec::new(),
        partitions: Vec::new(),
        time_limit_ms: 1000,
        rate,
        concurrency: 6,
        keys: 4,
        ops_per_key: 50,
        op_timeout_ms,
        seed: 5,
        tick_ms: 100,
        init_limit: 10,
        sync_limit: 5,
        snap_count: 1000,
        base_port: None,
        bug: None,
        results: PathBuf::new(),
    }
}

/// A run under way.
struct Run {
    folder: tempfile::TempDir,
    live: Arc<LiveCounters>,
    phases: watch::Sender<Phase>,
    nemesis: mpsc::UnboundedSender<NemesisLine>,
    task: tokio::task::JoinHandle<anyhow::Result<LoadSummary>>,
}

impl Run {
    fn start(manner: Manner, plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let live = Arc::new(LiveCounters::default());
        let (phases, told) = watch::channel(Phase::Load);
        let (nemesis, nemesis_lines) = mpsc::unbounded_channel();
        let history_path = folder.path().join("history.jsonl");
        let counters = Arc::clone(&live);
        let task = tokio::spawn(async move {
            let load = Load {
                plan: &plan,
                clock: RunClock::start(),
                addresses: NodeId::all(3).map(|n| (n, ([127, 0, 0, 1], n.number()).into())).collect(),
                history_path,
                nemesis_lines,
                live: counters,
                spotted: watch::channel(None).0,
                phases: told,
            };
            let settings = Settings { seed: plan.seed, keys: plan.keys, ops_per_key: plan.ops_per_key };
            let workload = workloads::by_name("register", &settings).unwrap();
            let connector = Arc::new(Fake { manner, store: Arc::default() });
            run_workload(load, Workload { connector, ..workload }).await
        });
        Self { folder, live, phases, nemesis, task }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("history.jsonl")).unwrap_or_default()
    }

    async fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !reached(self) {
            assert!(Instant::now() < deadline, "waited {DEADLINE:?} for {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn until_ops(&self, count: u64) {
        self.until("operations", |run| run.live.ops.load(Ordering::Relaxed) >= count).await;
    }

    async fn end(self, phase: Phase) -> (LoadSummary, Vec<Op>) {
        self.phases.send(phase).unwrap();
        let summary = timeout(DEADLINE, self.task).await.expect("the load ends").unwrap().unwrap();
        let text = std::fs::read_to_string(self.folder.path().join("history.jsonl")).unwrap();
        let ops: Vec<Op> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(u64::try_from(ops.len()).unwrap(), summary.lines);
        (summary, ops)
    }
}

fn verdict(ops: Vec<Op>) -> checker::Verdict {
    let history = History::from_ops(ops).unwrap();
    checker::check_register(&history, &checker::Options::default()).unwrap().verdict
}

fn process(op: &Op) -> i64 {
    match op.process {
        Process::Client(process) => process,
        Process::Nemesis => panic!("line {} is the nemesis'", op.index),
    }
}

#[tokio::test]
async fn an_honest_register_is_valid_and_nothing_is_lost() {
    let run = Run::start(Manner::Honest, plan(0, 5000));
    run.until_ops(3000).await;
    let (summary, ops) = run.end(Phase::FinalReads).await;
    assert_eq!((summary.fail, summary.info, summary.abandoned), (0, 0, 0));
    assert_eq!(summary.ok, summary.ops);
    assert_eq!(summary.lines, 2 * summary.ops, "every operation has its two lines");
    for (place, op) in (0..).zip(&ops) {
        assert_eq!(op.index, place);
    }
    assert!(ops.is_sorted_by_key(|op| op.time), "time never goes back");
    assert!(ops.iter().all(|op| op.zxid.is_some() == (op.op_type == OpType::Ok)));
    // Workers are pinned: process w talks to node w mod 3 only.
    for op in ops.iter().filter(|op| !op.final_read) {
        assert_eq!(op.node.as_deref(), Some(format!("n{}", process(op) % 3 + 1).as_str()));
    }
    assert_eq!(summary.final_reads.len(), 3);
    for node in &summary.final_reads {
        assert!(node.complete() && node.wanted > 4, "{node:?}");
        let name = node.node.to_string();
        let mut reads = BTreeMap::<_, usize>::new();
        for op in ops.iter().filter(|op| op.final_read && op.op_type == OpType::Ok) {
            *reads.entry(op.key.clone()).or_default() += usize::from(op.node.as_ref() == Some(&name));
        }
        assert_eq!(reads.len() * 2, node.wanted);
        assert!(reads.values().all(|&count| count == 2), "each key once a round: {reads:?}");
    }
    // The second round begins when the first has ended on every node.
    let finals: Vec<&Op> = ops.iter().filter(|op| op.final_read).collect();
    let (first, second) = finals.split_at(finals.len() / 2);
    for round in [first, second] {
        let invoked = round.iter().filter(|op| op.op_type == OpType::Invoke).count();
        assert_eq!(invoked * 2, round.len(), "a round ends with all its reads complete");
    }
    assert!(verdict(ops).is_valid());
}

#[tokio::test]
async fn a_stale_register_is_invalid() {
    let run = Run::start(Manner::Stale, plan(0, 5000));
    run.until_ops(500).await;
    let (_summary, ops) = run.end(Phase::FinalReads).await;
    let verdict = verdict(ops);
    assert!(verdict.is_invalid(), "{verdict}");
}

#[tokio::test]
async fn a_node_that_kept_what_the_others_never_had_is_found() {
    let run = Run::start(Manner::Diverged, plan(0, 5000));
    run.until_ops(500).await;
    let (summary, ops) = run.end(Phase::FinalReads).await;
    assert!(summary.info >= 2, "{summary:?}");
    let verdict = verdict(ops);
    assert!(verdict.is_invalid(), "{verdict}");
}

#[tokio::test]
async fn after_info_a_worker_is_another_process() {
    let run = Run::start(Manner::Lossy, plan(0, 5000));
    run.until_ops(2000).await;
    let (summary, ops) = run.end(Phase::FinalReads).await;
    assert!(summary.info > 50, "{summary:?}");
    let mut ended = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for op in ops.iter().filter(|op| !op.final_read) {
        let process = process(op);
        assert!(!ended.contains(&process), "line {}: process {process} is busy for ever", op.index);
        if begun.insert(process) && process >= 6 {
            assert!(ended.contains(&(process - 6)), "process {process} has no predecessor");
        }
        if op.op_type == OpType::Info {
            ended.insert(process);
        }
    }
    // Readers at the end are processes of their own.
    assert!(ops.iter().filter(|op| op.final_read).all(|op| !begun.contains(&process(op))));
    let verdict = verdict(ops);
    assert!(verdict.is_valid(), "{verdict}");
}

#[tokio::test]
async fn what_is_never_answered_is_abandoned_in_the_end() {
    let run = Run::start(Manner::Silent, plan(0, 50));
    run.until_ops(6).await;
    let (summary, ops) = run.end(Phase::Stop).await;
    assert_eq!((summary.abandoned, summary.ops, summary.ok), (6, 6, 0));
    assert!(summary.final_reads.is_empty());
    for op in ops.iter().filter(|op| op.op_type != OpType::Invoke) {
        let expected = if op.f == "read" { OpType::Fail } else { OpType::Info };
        assert_eq!((op.op_type, op.value.is_null()), (expected, true), "{op:?}");
        assert_eq!(op.error.as_deref(), Some("no answer: abandoned at the end of the run"));
    }
}

#[tokio::test]
async fn draining_waits_for_open_operations_only_so_long() {
    let run = Run::start(Manner::Silent, plan(0, 50));
    run.until_ops(6).await;
    let (phases, task) = (run.phases, run.task);
    phases.send(Phase::FinalReads).unwrap();
    let path = run.folder.path().join("history.jsonl");
    let deadline = Instant::now() + DEADLINE;
    // The final reads begin, although nothing was answered; they are not either.
    while !std::fs::read_to_string(&path).unwrap().contains("\"final\":true") {
        assert!(Instant::now() < deadline, "waited for the final reads");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    phases.send(Phase::Stop).unwrap();
    let summary = timeout(DEADLINE, task).await.unwrap().unwrap().unwrap();
    assert_eq!(summary.ok, 0);
    assert!(summary.final_reads.iter().all(|node| !node.complete()), "{summary:?}");
}

#[tokio::test]
async fn a_dead_node_does_not_fill_the_history() {
    let run = Run::start(Manner::OneDead, plan(0, 5000));
    run.until_ops(5000).await;
    run.until("a failed operation", |run| run.live.fail.load(Ordering::Relaxed) >= 4).await;
    let (summary, ops) = run.end(Phase::Stop).await;
    let took = Duration::from_nanos(ops.last().unwrap().time);
    // Two workers sit on n1 and rest at least 50 ms after each failure.
    let most = 2 * (took.as_millis() / 50 + 2);
    assert!(u128::from(summary.fail) <= most, "{} failures in {took:?}", summary.fail);
    for op in ops.iter().filter(|op| op.op_type == OpType::Fail) {
        assert_eq!(op.node.as_deref(), Some("n1"));
        assert_eq!(op.error.as_deref(), Some("no connection: the server closed the connection"));
    }
}

#[tokio::test]
async fn the_rate_is_kept() {
    let run = Run::start(Manner::Honest, plan(400, 5000));
    run.until_ops(200).await;
    let (_summary, ops) = run.end(Phase::Stop).await;
    let invoked: Vec<u64> = ops.iter().filter(|op| op.op_type == OpType::Invoke).map(|op| op.time).collect();
    let rate = 199.0 / (Duration::from_nanos(invoked[199] - invoked[0]).as_secs_f64());
    // Upwards it is exact; a busy machine may fall behind.
    assert!((100.0..520.0).contains(&rate), "{rate} operations a second where 400 were asked for");
}

#[tokio::test]
async fn the_nemesis_writes_into_the_same_file() {
    let run = Run::start(Manner::Honest, plan(200, 5000));
    run.until_ops(5).await;
    let line = NemesisLine { f: "pause".to_owned(), value: json!({"nodes": ["n2"]}) };
    run.nemesis.send(line).unwrap();
    // At once, and while the run goes on: kill -9 must leave it there.
    run.until("the line on disk", |run| run.text().contains("\"nemesis\"")).await;
    run.nemesis.send(NemesisLine { f: "resume".to_owned(), value: Value::Null }).unwrap();
    let (_summary, ops) = run.end(Phase::FinalReads).await;
    let lines: Vec<&Op> = ops.iter().filter(|op| op.process == Process::Nemesis).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0].f.as_str(), &lines[0].value), ("pause", &json!({"nodes": ["n2"]})));
    assert_eq!(lines[0].op_type, OpType::Info);
    assert_eq!(lines[1].f, "resume");
}

#[tokio::test]
async fn nobody_left_to_end_the_load_ends_it() {
    let run = Run::start(Manner::Honest, plan(200, 5000));
    run.until_ops(5).await;
    drop(run.phases);
    let summary = timeout(DEADLINE, run.task).await.expect("the load ends").unwrap().unwrap();
    assert!(summary.ops >= 5 && summary.final_reads.is_empty());
}

#[tokio::test]
async fn a_panic_of_a_client_is_a_harness_failure() {
    let run = Run::start(Manner::Panicking, plan(0, 50));
    run.until_ops(6).await;
    run.phases.send(Phase::Stop).unwrap();
    let error = timeout(DEADLINE, run.task).await.unwrap().unwrap().unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error:#}");
}

#[tokio::test]
async fn a_run_given_up_half_way_leaves_what_it_knows() {
    let run = Run::start(Manner::Honest, plan(100, 5000));
    run.until_ops(5).await;
    run.task.abort();
    let Run { folder, live, task, .. } = run;
    assert!(task.await.unwrap_err().is_cancelled());
    let text = std::fs::read_to_string(folder.path().join("history.jsonl")).unwrap();
    let invoked = text.lines().filter(|line| line.contains("\"invoke\"")).count();
    assert_eq!(u64::try_from(invoked).unwrap(), live.ops.load(Ordering::Relaxed));
    assert!(text.ends_with("}\n"), "whole lines");
}

#[tokio::test]
async fn a_disk_that_is_full_ends_the_run() {
    let clock = RunClock::start();
    let mut history = HistoryWriter::append_to(std::fs::File::create("/dev/full").unwrap(), clock).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let error = loop {
        history.nemesis("pause", &Value::Null);
        match history.flush() {
            Err(error) => break error,
            Ok(()) => assert!(Instant::now() < deadline, "waited for the error of the disk"),
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

#[tokio::test]
async fn a_history_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    std::fs::write(&path, "precious").unwrap();
    assert!(HistoryWriter::create(&path, RunClock::start()).is_err());
}
