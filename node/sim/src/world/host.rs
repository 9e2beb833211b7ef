//! A machine: a server's process on it, its disk, its clocks.

use super::clock::Clock;
use super::disk::Disk;
use super::wire::{Side, WireId};
use std::collections::{BTreeMap, VecDeque};
use zab_core::{ClientId, ConnId, Event, Server};

/// A machine with a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Host {
    /// The process; `None` while it does not run.
    pub(super) server: Option<Server>,
    /// Counts the processes that ran here.
    pub(super) process: u32,
    /// The machine has power: its kernel answers for processes that are gone.
    pub(super) powered: bool,
    /// SIGSTOP
    pub(super) paused: bool,
    /// The process dies when this many more effects of a step are carried out.
    pub(super) dies_after: Option<u32>,
    /// What arrived while it was paused, in order.
    pub(super) inbox: VecDeque<Event>,
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    /// The deadline that is on the agenda, ms on its own clock.
    pub(super) timer_ms: Option<u64>,
    pub(super) quorum: BTreeMap<ConnId, (WireId, Side)>,
    pub(super) clients: BTreeMap<ClientId, WireId>,
    /// Connections accepted so far, of servers and of clients.
    pub(super) accepted: u64,
}

impl Host {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            server: None,
            process: 0,
            powered: true,
            paused: false,
            dies_after: None,
            inbox: VecDeque::new(),
            disk: Disk::default(),
            clock,
            timer_ms: None,
            quorum: BTreeMap::new(),
            clients: BTreeMap::new(),
            accepted: 0,
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.server.is_some()
    }
}
