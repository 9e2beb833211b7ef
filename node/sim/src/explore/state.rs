//! A world and what is left of its bounds: its ways on, its identity, and what must not be found in it.

use super::fingerprint::{Fingerprint, Fingerprinter};
use super::{Bounds, Finding, Move, Split};
use crate::world::{Action, Due, Settings, World};
use std::collections::BTreeSet;
use std::hash::Hash;
use zab_core::{ClientId, Event};
use zab_wire::client::ConnectRequest;
use zab_wire::{SessionId, Zxid};

/// Of the sessions whose beginning is what clients write: each other than the last, so that no two
/// transactions are the same bytes.
const FIRST_TIMEOUT_MS: i32 = 1_000;

/// What is left of the bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Budget {
    crashes: u8,
    partitions: u8,
    timeouts: u8,
    writes: u8,
}

/// A state of the exploration.
#[derive(Debug, Clone)]
pub(super) struct State {
    world: World,
    left: Budget,
    /// Writes so far, those of the scenario's start included.
    wrote: u8,
    split: bool,
    /// Servers that did not run in the starting state, and have not started since.
    absent: BTreeSet<u16>,
}

impl State {
    /// Nothing runs yet, and nothing is left of the bounds.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            world: World::new(settings),
            left: Budget::default(),
            wrote: 0,
            split: false,
            absent: BTreeSet::new(),
        }
    }

    /// From here on exploring counts.
    pub(super) fn begin(&mut self, bounds: &Bounds) {
        let Bounds { crashes, partitions, timeouts, writes, .. } = *bounds;
        self.left = Budget { crashes, partitions, timeouts, writes };
        let servers = 0..self.world.settings().servers();
        self.absent = servers.filter(|at| self.world.server(*at).is_none()).collect();
        self.world.take_reached();
    }

    pub(super) fn world(&self) -> &World {
        &self.world
    }

    pub(super) fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// Every way on, in a fixed order.
    pub(super) fn moves(&self) -> Vec<Move> {
        let servers = self.world.settings().servers();
        let mut moves: Vec<Move> = self.free_moves();
        for at in 0..servers {
            let Some(server) = self.world.server(at) else {
                if self.left.crashes > 0 || !self.absent.contains(&at) {
                    moves.push(Move::Start(at));
                }
                continue;
            };
            if self.left.writes > 0 && server.serving() && self.leads(at) {
                moves.push(Move::Write(at));
            }
            if self.left.timeouts > 0
                && let Some((due, false)) = self.world.deadline(at)
            {
                moves.push(Move::TimesOut(due));
            }
            if self.left.crashes > 0 {
                moves.push(Move::Crash { at, disk_done: false });
                if self.world.disk_works(at) {
                    moves.push(Move::Crash { at, disk_done: true });
                }
            }
        }
        if self.split {
            moves.push(Move::Heal);
        } else if self.left.partitions > 0 {
            moves.extend(Split::ways(servers).map(Move::Split));
        }
        moves
    }

    /// What happens by itself without a clock that moves.
    pub(super) fn free_moves(&self) -> Vec<Move> {
        let mut moves: Vec<Move> = self.world.happenings().into_iter().map(Move::Happens).collect();
        for at in 0..self.world.settings().servers() {
            if let Some((due, true)) = self.world.deadline(at) {
                moves.push(Move::Happens(due));
            }
        }
        moves
    }

    /// Makes a move.
    pub(super) fn make(&mut self, step: Move) {
        match step {
            Move::Happens(due) => self.world.happen(due),
            Move::TimesOut(due) => {
                self.left.timeouts = self.left.timeouts.saturating_sub(1);
                self.world.happen(due);
            }
            Move::Write(at) => self.write(at),
            Move::Start(at) => {
                if self.absent.remove(&at) {
                    self.left.crashes = self.left.crashes.saturating_sub(1);
                }
                self.world.act(Action::Start(at));
            }
            Move::Crash { at, disk_done } => {
                self.left.crashes = self.left.crashes.saturating_sub(1);
                self.world.act(Action::Kill(at, if disk_done { u32::MAX } else { 0 }));
                self.world.forget_clock(at);
            }
            Move::Split(split) => {
                self.left.partitions = self.left.partitions.saturating_sub(1);
                self.split = true;
                for (from, to) in split.links(self.world.settings().servers()) {
                    self.world.act(Action::Cut(from, to));
                }
            }
            Move::Heal => {
                self.split = false;
                self.world.act(Action::Heal);
            }
        }
        self.world.settle();
    }

    /// What must not be in any state, if this is one of those.
    pub(super) fn finding(&self) -> Option<Finding> {
        if let Some(violation) = self.world.violation() {
            return Some(Finding::Violation(violation.clone()));
        }
        if let Some((at, why)) = self.world.fatal().first() {
            return Some(Finding::Fatal { at: *at, why: why.clone() });
        }
        let servers = 0..self.world.settings().servers();
        servers.into_iter().find(|at| self.world.is_stuck(*at)).map(|at| Finding::Stuck { at })
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut hasher = Fingerprinter::new();
        self.world.identify(&mut hasher);
        (self.left, self.wrote, self.split, &self.absent).hash(&mut hasher);
        hasher.of()
    }

    /// A move in one line.
    pub(super) fn describe(&self, step: Move) -> String {
        match step {
            Move::Happens(due @ Due::Timer(..)) => format!("{}, due already", self.world.describe(due)),
            Move::Happens(due) => self.world.describe(due),
            Move::TimesOut(due) => format!("{} comes", self.world.describe(due)),
            Move::Write(at) => format!("a client writes at server {}", at + 1),
            Move::Start(at) => format!("server {} starts", at + 1),
            Move::Crash { at, disk_done: true } => {
                format!("server {} is killed, its disk had finished what it was doing", at + 1)
            }
            Move::Crash { at, disk_done: false } if self.world.disk_works(at) => {
                format!("server {} is killed, its disk had done nothing of what it was doing", at + 1)
            }
            Move::Crash { at, disk_done: false } => format!("server {} is killed", at + 1),
            Move::Split(Split::Alone(at)) => format!("server {} is cut off", at + 1),
            Move::Split(Split::Apart) => "all servers are cut off from each other".to_owned(),
            Move::Heal => "the network is whole again".to_owned(),
        }
    }

    fn leads(&self, at: u16) -> bool {
        let server = self.world.server(at);
        server.is_some_and(|server| server.peer_state() == zab_wire::election::PeerState::Leading)
    }

    /// The smallest of writes: a client that connects gets a session, which is a transaction. No wire leads to
    /// it, and nobody hears the answer; the properties hear of the delivery.
    fn write(&mut self, at: u16) {
        self.left.writes = self.left.writes.saturating_sub(1);
        self.wrote += 1;
        let request = ConnectRequest {
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: FIRST_TIMEOUT_MS + i32::from(self.wrote),
            session: SessionId(0),
            password: vec![0; 16],
            read_only: None,
        };
        self.world.tell(at, Event::ClientConnect { client: ClientId(self.wrote.into()), request });
    }
}
