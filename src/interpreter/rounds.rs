//! Which final read comes next, for whom: every key of interest on every node, in rounds. Knows no clock and no
//! connection, so that real and simulated runs read alike.

use super::FinalReads;
use crate::cluster::NodeId;
use std::collections::VecDeque;
use std::time::Duration;
use workloads::{Invocation, Status};

/// How often everything is read.
const ROUNDS: usize = 2;

/// The final reads of a run.
#[derive(Debug)]
pub(crate) struct Rounds {
    wanted: Vec<Invocation>,
    /// The one under way, from 1.
    round: usize,
    nodes: Vec<NodeReads>,
    /// Readers that wait for the next round.
    waiting: Vec<usize>,
}

#[derive(Debug)]
struct NodeReads {
    left: VecDeque<Invocation>,
    in_flight: usize,
    result: FinalReads,
}

impl Rounds {
    /// Readers per node: the nodes commit their syncs in groups. Readers are numbered node by node.
    pub(crate) const READERS_PER_NODE: usize = 4;
    /// After this long, who has not answered has failed to.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
    /// A reader gives up an attempt sooner than a client of the load: patience holds several attempts.
    pub(crate) const ATTEMPT_MAX: Duration = Duration::from_secs(3);

    /// Nothing was read yet.
    pub(crate) fn new(nodes: impl IntoIterator<Item = NodeId>, wanted: Vec<Invocation>) -> Self {
        let reads = |node| NodeReads {
            left: wanted.iter().cloned().collect(),
            in_flight: 0,
            result: FinalReads { node, wanted: ROUNDS * wanted.len(), ok: 0, last_error: None },
        };
        let nodes = nodes.into_iter().map(reads).collect();
        Self { wanted, round: 1, nodes, waiting: Vec::new() }
    }

    /// Whether there is nothing left to read.
    pub(crate) fn are_over(&self) -> bool {
        self.round == ROUNDS && self.round_has_ended()
    }

    fn round_has_ended(&self) -> bool {
        self.nodes.iter().all(|node| node.left.is_empty() && node.in_flight == 0)
    }

    /// Begins the next round if this one has ended; returns the readers that wait for it.
    pub(crate) fn next_round(&mut self) -> Vec<usize> {
        if self.round == ROUNDS || !self.round_has_ended() {
            return Vec::new();
        }
        self.round += 1;
        for node in &mut self.nodes {
            node.left.extend(self.wanted.iter().cloned());
        }
        std::mem::take(&mut self.waiting)
    }

    /// What a reader reads next; `None` when it has to wait for the next round.
    pub(crate) fn next_for(&mut self, reader: usize) -> Option<Invocation> {
        let node = self.nodes.get_mut(reader / Self::READERS_PER_NODE)?;
        let Some(next) = node.left.pop_front() else {
            self.waiting.push(reader);
            return None;
        };
        node.in_flight += 1;
        Some(next)
    }

    /// A read ended; one that was not answered is asked again.
    pub(crate) fn completed(
        &mut self,
        reader: usize,
        invocation: Invocation,
        status: Status,
        error: Option<&str>,
    ) {
        let Some(node) = self.nodes.get_mut(reader / Self::READERS_PER_NODE) else { return };
        node.in_flight -= 1;
        match status {
            Status::Ok => node.result.ok += 1,
            Status::Fail | Status::Info => {
                node.result.last_error = error.map(str::to_owned);
                node.left.push_back(invocation);
            }
        }
    }

    /// What it came to.
    pub(crate) fn results(&self) -> Vec<FinalReads> {
        self.nodes.iter().map(|node| node.result.clone()).collect()
    }
}
