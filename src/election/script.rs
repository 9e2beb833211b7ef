//! Hand-written runs for the tests: what nodes traced, faults did and clients saw, in few words.
//! Times are µs of the run; everything else is in ns as in the real thing.

use super::trace::{NodeTrace, TraceEvent};
use crate::cluster::NodeId;
use crate::nemesis::{FaultAction, FaultOutcome, FaultRecord, PlannedFault};
use crate::network::{Cut, Grudge};
use crate::plan::{PartitionShape, TargetSpec};
use checker::history::{Op, OpType, Process};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The node of that number.
pub(crate) fn n(number: u16) -> NodeId {
    NodeId::new(number)
}

/// µs as ns.
pub(crate) fn ns(us: u64) -> u64 {
    us * 1_000
}

/// A trace event with number fields.
pub(crate) fn event(us: u64, name: &str, fields: &[(&str, i64)]) -> TraceEvent {
    let fields = fields.iter().map(|&(name, number)| (name.to_owned(), json!(number))).collect();
    TraceEvent { at_ns: ns(us), event: name.to_owned(), fields }
}

/// A server begins to look for a leader.
pub(crate) fn looking(us: u64) -> TraceEvent {
    let fields = Map::from_iter([
        ("state".to_owned(), json!("LOOKING")),
        ("reason".to_owned(), json!("leader is silent")),
    ]);
    TraceEvent { at_ns: ns(us), event: "state".to_owned(), fields }
}

/// A run being written. Everything may be told in any order.
pub(crate) struct Script {
    nodes: u16,
    events: Vec<(NodeId, TraceEvent)>,
    pub(crate) faults: Vec<FaultRecord>,
    ops: Vec<Op>,
    now_us: u64,
}

impl Script {
    pub(crate) fn new(nodes: u16) -> Self {
        Self { nodes, events: Vec::new(), faults: Vec::new(), ops: Vec::new(), now_us: 0 }
    }

    /// All nodes start, look from 1 ms on, and follow `leader`, who is established at 8 ms.
    pub(crate) fn start(&mut self, epoch: u32, leader: u16) {
        let followers: Vec<u16> = (1..=self.nodes).filter(|&node| node != leader).collect();
        for node in 1..=self.nodes {
            self.at(0).event(node, "process.started", &[("pid", 1), ("accepted_epoch", 0)]);
            self.at(1_000).looking(node);
        }
        self.elect(1_000, epoch, leader, &followers);
    }

    /// An election that succeeds: begins at `us`, decided 4 ms, proposed 5 ms, established 7 ms later.
    pub(crate) fn elect(&mut self, us: u64, epoch: u32, leader: u16, followers: &[u16]) {
        let (epoch, leader_id) = (i64::from(epoch), i64::from(leader));
        for &node in followers.iter().chain([&leader]) {
            self.at(us).event(node, "election.started", &[("round", epoch)]);
            self.at(us + 4_000).event(node, "election.decided", &[("leader", leader_id), ("round", epoch)]);
        }
        self.at(us + 5_000).event(leader, "leader.epoch_proposed", &[("epoch", epoch)]);
        for &node in followers {
            self.at(us + 6_000).event(node, "learner.newleader_acked", &[("epoch", epoch)]);
            self.at(us + 8_000).event(node, "learner.serving", &[("epoch", epoch), ("leader", leader_id)]);
        }
        self.at(us + 7_000).event(leader, "leader.established", &[("epoch", epoch)]);
    }

    /// What follows happens at this time.
    pub(crate) fn at(&mut self, us: u64) -> &mut Self {
        self.now_us = us;
        self
    }

    pub(crate) fn event(&mut self, node: u16, name: &str, fields: &[(&str, i64)]) -> &mut Self {
        self.events.push((n(node), event(self.now_us, name, fields)));
        self
    }

    pub(crate) fn looking(&mut self, node: u16) -> &mut Self {
        self.events.push((n(node), looking(self.now_us)));
        self
    }

    /// Steps down with two requests unanswered, and looks.
    pub(crate) fn stepped_down(&mut self, node: u16, epoch: u32, leading: bool) -> &mut Self {
        let mut event = event(
            self.now_us,
            "stepped_down",
            &[("epoch", epoch.into()), ("leading", leading.into()), ("pending", 2)],
        );
        event.fields.insert("reason".to_owned(), json!("no quorum of followers"));
        self.events.push((n(node), event));
        self.looking(node)
    }

    pub(crate) fn fenced(&mut self, node: u16, what: &str, peer: i64, stale: i64, current: i64) -> &mut Self {
        let mut event =
            event(self.now_us, "fenced", &[("peer", peer), ("stale", stale), ("current", current)]);
        event.fields.insert("what".to_owned(), json!(what));
        self.events.push((n(node), event));
        self
    }

    pub(crate) fn kill(&mut self, id: u32, target: &str, nodes: &[u16], from_us: u64, healed_us: u64) {
        let action = FaultAction::Kill { target: target_spec(target), nodes: ids(nodes) };
        self.fault(id, action, from_us, healed_us, "exit status: signal 9");
    }

    pub(crate) fn pause(&mut self, id: u32, target: &str, nodes: &[u16], from_us: u64, healed_us: u64) {
        let action = FaultAction::Pause { target: target_spec(target), nodes: ids(nodes) };
        self.fault(id, action, from_us, healed_us, "state T in /proc");
    }

    /// Cuts one node off from all others, both ways.
    pub(crate) fn isolate(&mut self, id: u32, node: u16, from_us: u64, healed_us: u64) {
        let others: BTreeSet<NodeId> = NodeId::all(self.nodes).filter(|&other| other != n(node)).collect();
        let mut grudge = Grudge::default();
        for &other in &others {
            grudge.0.insert(other, BTreeSet::from([n(node)]));
        }
        grudge.0.insert(n(node), others);
        let action =
            FaultAction::Partition { shape: PartitionShape::LeaderAlone, grudge, how: Cut::Blackhole };
        self.fault(id, action, from_us, healed_us, "4096 bytes held");
    }

    fn fault(&mut self, id: u32, action: FaultAction, from_us: u64, healed_us: u64, evidence: &str) {
        let (at_ns, healed_ns) = (ns(from_us), ns(healed_us));
        self.faults.push(FaultRecord {
            planned: PlannedFault { id, at_ns, lasts_ns: healed_ns - at_ns, action, impossible: None },
            outcome: FaultOutcome::Installed,
            leader_at_injection: None,
            injected_ns: Some(at_ns),
            installed_ns: Some(at_ns),
            healing_ns: Some(healed_ns),
            healed_ns: Some(healed_ns),
            evidence: vec![evidence.to_owned()],
        });
    }

    /// A client's operation on a node. `end`: when, how, the reply's zxid or the error.
    pub(crate) fn op(
        &mut self,
        process: i64,
        f: &str,
        node: u16,
        us: u64,
        end: Option<(u64, OpType, Result<u64, &str>)>,
    ) {
        let line = |us: u64, op_type: OpType| Op {
            key: Some("r1".to_owned()),
            value: json!(process),
            node: Some(n(node).to_string()),
            ..Op::new(0, ns(us), Process::Client(process), op_type, f)
        };
        self.ops.push(Op { value: Value::Null, ..line(us, OpType::Invoke) });
        if let Some((us, op_type, reply)) = end {
            let (zxid, error) = (reply.ok(), reply.err().map(str::to_owned));
            self.ops.push(Op { zxid, error, ..line(us, op_type) });
        }
    }

    pub(crate) fn into_events(mut self) -> Vec<(NodeId, TraceEvent)> {
        self.events.sort_by_key(|(_, event)| event.at_ns);
        self.events
    }

    pub(crate) fn traces(&self) -> Vec<NodeTrace> {
        NodeId::all(self.nodes)
            .map(|node| {
                let own = self.events.iter().filter(|(of, _)| *of == node);
                let mut events: Vec<TraceEvent> = own.map(|(_, event)| event.clone()).collect();
                events.sort_by_key(|event| event.at_ns);
                NodeTrace { node, events, died_ns: Vec::new(), damaged: 0 }
            })
            .collect()
    }

    pub(crate) fn history(&self) -> Vec<Op> {
        let mut ops = self.ops.clone();
        ops.sort_by_key(|op| op.time);
        for (index, op) in (0..).zip(&mut ops) {
            op.index = index;
        }
        ops
    }
}

/// The zxid of that epoch and counter.
pub(crate) fn zxid(epoch: u32, counter: u32) -> u64 {
    (u64::from(epoch) << 32) | u64::from(counter)
}

fn ids(nodes: &[u16]) -> Vec<NodeId> {
    nodes.iter().map(|&node| n(node)).collect()
}

fn target_spec(name: &str) -> TargetSpec {
    match name {
        "one" => TargetSpec::One,
        "minority" => TargetSpec::Minority,
        "majority" => TargetSpec::Majority,
        "leader" => TargetSpec::Leader,
        "followers" => TargetSpec::Followers,
        "all" => TargetSpec::All,
        other => panic!("no target is called {other}"),
    }
}
