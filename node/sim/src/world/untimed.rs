//! The world as the explorer sees it: nothing is ordered by time, and a state has an identity.
//!
//! The world's own time stands still. Each server's clock goes on alone, from one of its own deadlines to the
//! next, and begins again with each process; the agenda is not used. What may happen next is read off the
//! wires, the votes and the hosts. [`crate::explore`] says what that leaves out.

use super::agenda::Agenda;
use super::wire::{Handle, Item, Side, Site, Wire, WireId};
use super::{Due, Host, World, clock, describe};
use crate::run::Reached;
use std::hash::{Hash, Hasher};
use zab_core::{ConnId, Event, Server};

/// As if refused often enough already: a dial that is tried again later is one that arrives later.
const LAST_TRY: u8 = u8::MAX;

impl World {
    /// What may happen by itself, in a fixed order; deadlines are not among it.
    pub(crate) fn happenings(&self) -> Vec<Due> {
        let mut all = Vec::new();
        for (at, host) in (0..).zip(&self.hosts) {
            if host.runs() && host.disk.is_working() {
                all.push(Due::Disk(at, host.process));
            }
        }
        for ((from, to), line) in &self.votes {
            if !line.flying.is_empty() && !self.cuts.blocks(Site(*from), Site(*to)) {
                all.push(Due::Vote(*from, *to));
            }
        }
        for (id, wire) in self.wires_in_order() {
            if wire.is_dial() {
                all.push(Due::Dial(id, LAST_TRY));
            }
            for side in [Side::Caller, Side::Called] {
                let (from, to) = (wire.end(side).site, wire.end(side.other()).site);
                if !wire.lanes[side.index()].items.is_empty() && !self.cuts.blocks(from, to) {
                    all.push(Due::Lane(id, side));
                }
            }
        }
        all
    }

    /// A running server's next deadline, and whether its clock has reached it.
    pub(crate) fn deadline(&self, at: u16) -> Option<(Due, bool)> {
        let host = &self.hosts[usize::from(at)];
        let deadline_ms = host.server.as_ref().and_then(Server::next_deadline)?;
        Some((Due::Timer(at, host.process), host.clock.now(self.now_us).mono_ms >= deadline_ms))
    }

    /// Lets something happen. For a deadline, the server's clock jumps there first.
    pub(crate) fn happen(&mut self, due: Due) {
        match due {
            Due::Timer(at, _) => {
                let now_us = self.now_us;
                let host = &mut self.hosts[usize::from(at)];
                if let Some(deadline_ms) = host.server.as_ref().and_then(Server::next_deadline) {
                    host.clock.show_at_least(deadline_ms, now_us);
                }
            }
            Due::Dial(id, _) => self.name_connection(id),
            Due::Lane(..) | Due::Vote(..) | Due::Disk(..) => {}
        }
        self.fire(due);
    }

    /// The message between servers that would arrive: from where, to where, its name.
    pub(crate) fn says(&self, due: Due) -> Option<(Site, Site, &'static str)> {
        let Due::Lane(id, side) = due else { return None };
        let wire = self.wires.get(&id)?;
        let Some((_, Item::Quorum(message))) = wire.lanes[side.index()].items.front() else { return None };
        Some((wire.end(side).site, wire.end(side.other()).site, message.name()))
    }

    /// Whether what would arrive comes from this server.
    pub(crate) fn is_from(&self, due: Due, at: u16) -> bool {
        match due {
            Due::Lane(id, side) => self.wires.get(&id).is_some_and(|wire| wire.end(side).site == Site(at)),
            Due::Vote(from, _) => from == at,
            Due::Dial(id, _) => self.wires.get(&id).is_some_and(|wire| wire.ends[0].site == Site(at)),
            Due::Disk(..) | Due::Timer(..) => false,
        }
    }

    /// Loses what a server sent that has not arrived, but not the ends of its connections.
    pub(crate) fn lose(&mut self, at: u16) {
        self.lose_in_flight(Site(at));
    }

    /// Gives an event to a server from outside.
    pub(crate) fn tell(&mut self, at: u16, event: Event) {
        self.give(at, event);
    }

    /// The process of a server is gone: the next one's clock begins anew, nothing remembers the old one.
    pub(crate) fn forget_clock(&mut self, at: u16) {
        self.hosts[usize::from(at)].clock = clock(&self.settings, at);
    }

    /// Whether the disk of a server has a batch under way, so that a crash may leave it done or not.
    pub(crate) fn disk_works(&self, at: u16) -> bool {
        self.hosts[usize::from(at)].disk.is_working()
    }

    /// A server that runs, waits for no deadline and for no disk will never do anything again.
    pub(crate) fn is_stuck(&self, at: u16) -> bool {
        let host = &self.hosts[usize::from(at)];
        host.server.as_ref().is_some_and(|server| server.next_deadline().is_none()) && !host.disk.is_working()
    }

    /// Does what has no alternative: drops what can reach nobody any more, and lets the newest vote wait at a
    /// cut as the election port does.
    pub(crate) fn settle(&mut self) {
        for wire in self.wires.values_mut() {
            for side in [Side::Caller, Side::Called] {
                let receiver = wire.end(side.other());
                // Closing sent a FIN already, so the sender hears of it all the same.
                if !receiver.held && receiver.process > 0 {
                    wire.lanes[side.index()].items.clear();
                }
            }
        }
        for ((from, to), line) in &mut self.votes {
            if !self.hosts[usize::from(*to)].runs() {
                line.flying.clear();
                line.held = None;
            } else if self.cuts.blocks(Site(*from), Site(*to))
                && let Some((_, newest)) = line.flying.drain(..).next_back()
            {
                line.held = Some(newest);
            }
        }
        self.agenda = Agenda::default();
    }

    /// What was reached since this was last asked.
    pub(crate) fn take_reached(&mut self) -> Reached {
        self.journal.take_reached()
    }

    /// Hashes what tells this state from others: not when something was sent, what the agenda says, how much
    /// was counted or written down, nor in which order connections were named.
    pub(crate) fn identify(&self, into: &mut impl Hasher) {
        for Host { server, process, powered, paused, dies_after, inbox, disk, clock, .. } in &self.hosts {
            (server, process, powered, paused, dies_after, inbox, disk, clock).hash(into);
        }
        for (_, wire) in self.wires_in_order() {
            wire.ends.hash(into);
            for lane in &wire.lanes {
                lane.items.len().hash(into);
                lane.items.iter().for_each(|(_, item)| item.hash(into));
            }
        }
        for (link, line) in &self.votes {
            (link, line.flying.len(), &line.held, &line.last).hash(into);
            line.flying.iter().for_each(|(_, vote)| vote.hash(into));
        }
        self.cuts.hash(into);
        self.ledger.identify(into);
    }

    /// In one line, what would happen.
    pub(crate) fn describe(&self, due: Due) -> String {
        match due {
            Due::Disk(at, _) => format!("the disk of server {} finishes", at + 1),
            Due::Vote(from, to) => {
                let head = self.votes.get(&(from, to)).and_then(|line| line.flying.front());
                let vote = head.map_or(String::new(), |(_, vote)| {
                    format!(
                        "{} for {} (zxid {}, epoch {}, round {})",
                        vote.state.name(),
                        vote.leader.0,
                        vote.zxid,
                        vote.peer_epoch,
                        vote.election_epoch
                    )
                });
                format!("{} -> {} vote {vote}", from + 1, to + 1)
            }
            Due::Timer(at, _) => format!("a deadline of server {}", at + 1),
            Due::Dial(id, _) => match self.wires.get(&id) {
                Some(wire) => format!("{} -> {} dials", wire.ends[0].site, wire.ends[1].site),
                None => "a dial of nobody".to_owned(),
            },
            Due::Lane(id, side) => {
                let Some(wire) = self.wires.get(&id) else { return "nothing arrives".to_owned() };
                let what = match wire.lanes[side.index()].items.front() {
                    Some((_, Item::Quorum(message))) => describe(message),
                    Some((_, Item::Accepted)) => "accepts".to_owned(),
                    Some((_, Item::Fin)) => "closes".to_owned(),
                    Some((_, Item::Connect(_) | Item::Request(..) | Item::Frame(_))) | None => {
                        "speaks as a client".to_owned()
                    }
                };
                format!("{} -> {} {what}", wire.end(side).site, wire.end(side.other()).site)
            }
        }
    }

    /// Wires by who opened them: ids tell in which order servers did, which makes no difference.
    fn wires_in_order(&self) -> Vec<(WireId, &Wire)> {
        let mut wires: Vec<(WireId, &Wire)> = self.wires.iter().map(|(id, wire)| (*id, wire)).collect();
        wires.sort_by_key(|(_, wire)| wire.name());
        wires
    }

    /// Lets the called server number a connection by its caller, not by the order in which they come.
    fn name_connection(&mut self, id: WireId) {
        let Some(wire) = self.wires.get(&id) else { return };
        let (site, process, dial) = wire.name();
        let number = (u64::from(site.0) << 48) | (u64::from(process) << 32) | dial;
        // The number before it: accepting counts one up.
        self.hosts[wire.ends[1].site.index()].accepted = number;
    }
}

impl Wire {
    /// Whether it is an attempt that the called server has not heard of.
    fn is_dial(&self) -> bool {
        self.ends[1].process == 0 && self.ends[0].held
    }

    /// Who opened it, in which life, and what it called it.
    fn name(&self) -> (Site, u32, u64) {
        let dial = match self.ends[0].handle {
            Handle::Quorum(ConnId::Outbound(number) | ConnId::Inbound(number)) => number,
            Handle::Client(_) | Handle::Mine => 0,
        };
        (self.ends[0].site, self.ends[0].process, dial)
    }
}
