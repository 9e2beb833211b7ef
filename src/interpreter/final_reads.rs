//! The reads at the end: every key of interest on every node, until each has answered.
//!
//! Divergence shows here: a node that lost or invented something gives an answer that no order of the
//! history explains. To be sure of that, everything is read twice, and the second round begins when the
//! first has ended everywhere. In one round alone, a write of unknown outcome that only one node has
//! could still be taken for one that happened just then, after the other nodes were read. Each reader
//! is a process of its own; each attempt is an operation of its own.

use super::{Crew, FinalReads};
use crate::cluster::NodeId;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;
use workloads::{Completion, Invocation, Status, Timeouts};

/// After this long, who has not answered has failed to.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often everything is read.
const ROUNDS: usize = 2;
/// Readers per node: the nodes commit their syncs in groups.
const READERS_PER_NODE: usize = 4;
/// A reader gives up an attempt sooner than a client of the load: patience holds several attempts.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// The stage of the final reads.
pub(super) struct FinalStage {
    until: Instant,
    /// Place of the first reader in the crew; those of a node stand together.
    first_place: usize,
    wanted: Vec<Invocation>,
    /// The one under way, from 1.
    round: usize,
    nodes: Vec<NodeReads>,
    /// Readers that wait for the next round.
    waiting: Vec<usize>,
}

struct NodeReads {
    left: VecDeque<Invocation>,
    in_flight: usize,
    result: FinalReads,
}

impl FinalStage {
    /// Hires readers for every node; they are given their reads when they report.
    pub(super) fn begin(
        crew: &mut Crew,
        addresses: &[(NodeId, SocketAddr)],
        wanted: Vec<Invocation>,
        timeouts: Timeouts,
    ) -> Self {
        let first_place = crew.slots.len();
        let first_process = crew.slots.iter().map(|slot| slot.process + 1).max().unwrap_or(0);
        let timeouts = Timeouts { operation: timeouts.operation.min(ATTEMPT_MAX), ..timeouts };
        let readers = addresses.iter().flat_map(|reader| std::iter::repeat_n(reader, READERS_PER_NODE));
        for (process, &(node, address)) in (first_process..).zip(readers) {
            crew.hire(node, address, process, timeouts);
        }
        let nodes = addresses.iter().map(|&(node, _address)| NodeReads {
            left: wanted.iter().cloned().collect(),
            in_flight: 0,
            result: FinalReads { node, wanted: ROUNDS * wanted.len(), ok: 0, last_error: None },
        });
        let nodes = nodes.collect();
        Self { until: Instant::now() + PATIENCE, first_place, wanted, round: 1, nodes, waiting: Vec::new() }
    }

    /// Whether there is nothing left to read, or no patience.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.until || (self.round == ROUNDS && self.round_has_ended())
    }

    fn round_has_ended(&self) -> bool {
        self.nodes.iter().all(|node| node.left.is_empty() && node.in_flight == 0)
    }

    /// Begins the next round if this one has ended; returns the readers that wait for it.
    pub(super) fn next_round(&mut self) -> Vec<usize> {
        if self.round == ROUNDS || !self.round_has_ended() {
            return Vec::new();
        }
        self.round += 1;
        for node in &mut self.nodes {
            node.left.extend(self.wanted.iter().cloned());
        }
        std::mem::take(&mut self.waiting)
    }

    /// What the reader at this place of the crew reads next. `None` as well for a worker of the load,
    /// which may report late.
    pub(super) fn next_for(&mut self, place: usize) -> Option<Invocation> {
        let node = self.node(place)?;
        let Some(next) = node.left.pop_front() else {
            self.waiting.push(place);
            return None;
        };
        node.in_flight += 1;
        Some(next)
    }

    /// A read ended.
    pub(super) fn completed(&mut self, place: usize, invocation: Invocation, completion: &Completion) {
        let Some(node) = self.node(place) else { return };
        node.in_flight -= 1;
        match completion.status {
            Status::Ok => node.result.ok += 1,
            Status::Fail | Status::Info => {
                node.result.last_error.clone_from(&completion.error);
                node.left.push_back(invocation);
            }
        }
    }

    /// What it came to.
    pub(super) fn results(&self) -> Vec<FinalReads> {
        self.nodes.iter().map(|node| node.result.clone()).collect()
    }

    fn node(&mut self, place: usize) -> Option<&mut NodeReads> {
        let reader = place.checked_sub(self.first_place)?;
        self.nodes.get_mut(reader / READERS_PER_NODE)
    }
}
