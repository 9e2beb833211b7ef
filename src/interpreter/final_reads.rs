//! The reads at the end: every key of interest on every node, until each has answered.
//!
//! Divergence shows here: a node that lost or invented something gives an answer that no order of the
//! history explains. To be sure of that, everything is read twice, and the second round begins when the
//! first has ended everywhere. In one round alone, a write of unknown outcome that only one node has
//! could still be taken for one that happened just then, after the other nodes were read. Each reader
//! is a process of its own; each attempt is an operation of its own. Which read comes next is said by
//! [`Rounds`]; here are the readers of real nodes.

use super::{Crew, FinalReads, Rounds};
use crate::cluster::NodeId;
use std::net::SocketAddr;
use tokio::time::Instant;
use workloads::{Completion, Invocation, Timeouts};

/// The stage of the final reads.
pub(super) struct FinalStage {
    until: Instant,
    /// Place of the first reader in the crew; those of a node stand together.
    first_place: usize,
    rounds: Rounds,
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
        let timeouts = Timeouts { operation: timeouts.operation.min(Rounds::ATTEMPT_MAX), ..timeouts };
        let readers =
            addresses.iter().flat_map(|reader| std::iter::repeat_n(reader, Rounds::READERS_PER_NODE));
        for (process, &(node, address)) in (first_process..).zip(readers) {
            crew.hire(node, address, process, timeouts);
        }
        let rounds = Rounds::new(addresses.iter().map(|&(node, _address)| node), wanted);
        Self { until: Instant::now() + Rounds::PATIENCE, first_place, rounds }
    }

    /// Whether there is nothing left to read, or no patience.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.until || self.rounds.are_over()
    }

    /// Begins the next round if this one has ended; returns the places of the readers that wait for it.
    pub(super) fn next_round(&mut self) -> Vec<usize> {
        self.rounds.next_round().into_iter().map(|reader| self.first_place + reader).collect()
    }

    /// What the reader at this place of the crew reads next. `None` as well for a worker of the load,
    /// which may report late.
    pub(super) fn next_for(&mut self, place: usize) -> Option<Invocation> {
        self.rounds.next_for(place.checked_sub(self.first_place)?)
    }

    /// A read ended.
    pub(super) fn completed(&mut self, place: usize, invocation: Invocation, completion: &Completion) {
        let Some(reader) = place.checked_sub(self.first_place) else { return };
        self.rounds.completed(reader, invocation, completion.status, completion.error.as_deref());
    }

    /// What it came to.
    pub(super) fn results(&self) -> Vec<FinalReads> {
        self.rounds.results()
    }
}
