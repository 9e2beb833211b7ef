//! What a server's process does: it starts, takes events, its effects are carried out, it ends.

use super::disk::{Alone, Work};
use super::wire::{Item, Side};
use super::{Due, Record, World, at_of, config};
use crate::dice::Dice;
use crate::properties::{Seen, digest};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use zab_core::{Effect, Event, Server, Trace};
use zab_wire::Zxid;
use zab_wire::election::PeerState;
use zab_wire::quorum::QuorumMessage;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// SIGKILL, or by itself: the kernel closes its connections.
    Killed,
    /// The machine lost its power: nobody hears anything.
    PowerLost,
}

impl World {
    /// Starts all servers at the same moment: no line between two of them has to be opened again, as it has
    /// to when one starts after the other.
    pub fn start_together(&mut self) {
        self.together = true;
        (0..self.settings.servers()).for_each(|at| self.start(at));
        self.together = false;
    }

    /// Starts a server on what its disk holds; nothing when it runs, or when it refuses to start.
    pub(super) fn start(&mut self, at: u16) {
        let bug = self.settings.bug;
        let host = &mut self.hosts[usize::from(at)];
        if host.runs() {
            return;
        }
        host.powered = true;
        let recovered = match host.disk.open(bug) {
            Ok(recovered) => recovered,
            Err(why) => {
                self.journal.note_milestone(self.now_us, || Record::Refused(at, why.clone()));
                return;
            }
        };
        let base = recovered.snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
        let last = recovered.entries.last().map_or(base, |entry| entry.zxid);
        let (accepted, current) = (recovered.accepted_epoch, recovered.current_epoch);
        let logged: Vec<Seen> = recovered
            .entries
            .iter()
            .map(|entry| Seen::Logged { at, zxid: entry.zxid, digest: digest(&entry.txn) })
            .collect();
        let text: Arc<str> = "version=0".into();
        let config = config(&self.settings, &self.ensemble, at, &text);
        let host = &mut self.hosts[usize::from(at)];
        host.process += 1;
        host.timer_ms = None;
        host.server = Some(Server::new(config));
        self.journal.note_milestone(self.now_us, || Record::Started(at, last));
        self.see(&Seen::Recovered { at, accepted, current, base, last });
        // Starting made durable what was found (`Storage::load` fsyncs the tail).
        logged.iter().for_each(|seen| self.see(seen));
        self.see(&Seen::Based { at, zxid: base });
        if !self.together {
            self.lines_are_new(at);
        }
        self.give(at, Event::Start(recovered));
    }

    /// Ends a process. Of what its disk was doing, the first `disk_steps` are done; of what was on its way
    /// out, all is sent (killed) or some part (power lost).
    pub(super) fn end(&mut self, at: u16, how: End, disk_steps: u32, chance: u64) {
        let host = &mut self.hosts[usize::from(at)];
        if how == End::PowerLost {
            host.powered = false;
        }
        let mut dice = Dice::new(chance, "end of a process");
        if host.server.take().is_some() {
            self.counters.deaths += 1;
            if let Some(to) = host.disk.die(disk_steps) {
                self.see(&Seen::Changing { at, to });
            }
        }
        let host = &mut self.hosts[usize::from(at)];
        host.paused = false;
        host.dies_after = None;
        host.timer_ms = None;
        host.inbox.clear();
        if how == End::PowerLost {
            host.disk.lose_power(&mut dice);
        }
        let quorum = std::mem::take(&mut host.quorum);
        let clients = std::mem::take(&mut host.clients);
        let wires = quorum.into_values().chain(clients.into_values().map(|wire| (wire, Side::Called)));
        for (wire, side) in wires.collect::<Vec<_>>() {
            match how {
                End::Killed => self.hang_up(wire, side),
                End::PowerLost => self.vanish(wire, side, |sent| dice.index(sent + 1)),
            }
        }
        self.journal.note_milestone(self.now_us, || Record::Ended(at, how == End::PowerLost));
        self.see(&Seen::LeadsNoMore { at });
    }

    /// Gives an event to a server, now or when it goes on; one that does not run hears nothing.
    pub(super) fn give(&mut self, at: u16, event: Event) {
        let host = &mut self.hosts[usize::from(at)];
        if host.paused && host.runs() {
            host.inbox.push_back(event);
        } else if host.runs() {
            self.step(at, event);
        }
    }

    /// Hands a server an event out of thin air: a message that no honest peer would send, a connection of a
    /// stranger. For tests of what a server does about broken peers; a world of honest servers needs it never.
    pub fn inject(&mut self, at: u16, event: Event) {
        self.give(at, event);
    }

    /// What arrived while a process was stopped has its turn.
    pub(super) fn go_on(&mut self, at: u16) {
        let host = &mut self.hosts[usize::from(at)];
        if !std::mem::take(&mut host.paused) {
            return;
        }
        let process = host.process;
        for event in std::mem::take(&mut host.inbox) {
            // It may die of one of them.
            if self.hosts[usize::from(at)].process == process {
                self.give(at, event);
            }
        }
        self.rearm(at);
        self.kick_disk(at);
    }

    fn step(&mut self, at: u16, event: Event) {
        self.counters.steps += 1;
        let mut hasher = TraceHasher(self.trace_hash);
        (at, self.now_us, &event).hash(&mut hasher);
        self.trace_hash = hasher.finish();
        let mut based = None;
        if let Event::Truncated { recovered } = &event {
            based = Some(recovered.snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid));
        }
        let host = &mut self.hosts[usize::from(at)];
        let Some(server) = host.server.as_mut() else { return };
        let mut effects = std::mem::take(&mut self.effects);
        let before = server.applied();
        let primary = primary_epoch(server);
        server.step(host.clock.now(self.now_us), event, &mut effects);
        if let Some(zxid) = based {
            self.see(&Seen::Based { at, zxid });
        }
        // A leader may propose and give up within one event.
        let primary = primary.or_else(|| self.server(at).and_then(primary_epoch));
        let mut left = self.hosts[usize::from(at)].dies_after.take();
        for effect in effects.drain(..) {
            if left == Some(0) {
                self.end(at, End::Killed, 0, 0);
                break;
            }
            left = left.map(|left| left - 1);
            self.see_broadcast(at, &effect, primary);
            self.carry_out(at, effect);
            if !self.hosts[usize::from(at)].runs() {
                break;
            }
        }
        effects.clear();
        self.effects = effects;
        let host = &mut self.hosts[usize::from(at)];
        let Some(server) = host.server.as_ref() else { return };
        // A step that was to be cut short and had fewer effects: then the next one.
        host.dies_after = left;
        if server.applied() != before {
            let seen = Seen::Tree { at, zxid: server.applied(), digest: server.tree_digest() };
            self.see(&seen);
        }
        self.rearm(at);
        self.kick_disk(at);
    }

    fn carry_out(&mut self, at: u16, effect: Effect) {
        match effect {
            Effect::Notify { to, message } => {
                let Some(to) = at_of(to).filter(|to| usize::from(*to) < self.hosts.len()) else { return };
                self.vote(at, to, message);
            }
            Effect::Connect { conn, leader } => {
                if let Some(to) = at_of(leader) {
                    self.dial(at, conn, to);
                }
            }
            Effect::Send { conn, message } => {
                if let Some((wire, side)) = self.hosts[usize::from(at)].quorum.get(&conn).copied() {
                    self.send(wire, side, Item::Quorum(message));
                }
            }
            Effect::Close { conn } => {
                if let Some((wire, side)) = self.hosts[usize::from(at)].quorum.remove(&conn) {
                    self.hang_up(wire, side);
                }
            }
            Effect::Append(entry) => {
                self.work(at, Work::Append(entry));
            }
            Effect::InstallSnapshot { snapshot, entries } => {
                self.see(&Seen::Based { at, zxid: snapshot.zxid });
                self.work(at, Work::Alone(Alone::InstallSnapshot { snapshot, entries }));
            }
            Effect::Sync { token } => self.work(at, Work::Sync(token)),
            Effect::Truncate { to } => self.work(at, Work::Alone(Alone::Truncate(to))),
            Effect::SetAcceptedEpoch(epoch) => self.work(at, Work::Alone(Alone::SetAcceptedEpoch(epoch))),
            Effect::SetCurrentEpoch(epoch) => self.work(at, Work::Alone(Alone::SetCurrentEpoch(epoch))),
            Effect::TakeSnapshot(snapshot) => self.work(at, Work::Alone(Alone::TakeSnapshot(snapshot))),
            Effect::Deliver(entry) => {
                self.see(&Seen::Delivered { at, zxid: entry.zxid, digest: digest(&entry.txn) });
            }
            Effect::Reply { client, frame } => {
                if let Some(wire) = self.hosts[usize::from(at)].clients.get(&client).copied() {
                    self.send(wire, Side::Called, Item::Frame(frame));
                }
            }
            Effect::CloseClient { client } => {
                if let Some(wire) = self.hosts[usize::from(at)].clients.remove(&client) {
                    self.hang_up(wire, Side::Called);
                }
            }
            Effect::Trace(trace) => self.trace(at, trace),
            Effect::Fatal { reason } => {
                self.journal.note_milestone(self.now_us, || Record::Fatal(at, reason.clone()));
                self.fatal.push((at, reason));
                self.end(at, End::Killed, 0, 0);
            }
        }
    }

    fn work(&mut self, at: u16, work: Work) {
        self.hosts[usize::from(at)].disk.push(work);
    }

    /// A leader broadcasts with the first of: sending a proposal of its own epoch, logging it.
    fn see_broadcast(&mut self, at: u16, effect: &Effect, primary: Option<u32>) {
        let (zxid, txn) = match effect {
            Effect::Send { message: QuorumMessage::Proposal { zxid, txn }, .. } => (*zxid, txn),
            Effect::Append(entry) => (entry.zxid, &entry.txn),
            Effect::Notify { .. }
            | Effect::Connect { .. }
            | Effect::Send { .. }
            | Effect::Close { .. }
            | Effect::Truncate { .. }
            | Effect::SetAcceptedEpoch(_)
            | Effect::SetCurrentEpoch(_)
            | Effect::TakeSnapshot(_)
            | Effect::InstallSnapshot { .. }
            | Effect::Sync { .. }
            | Effect::Deliver(_)
            | Effect::Reply { .. }
            | Effect::CloseClient { .. }
            | Effect::Trace(_)
            | Effect::Fatal { .. } => return,
        };
        if primary == Some(zxid.epoch) && !self.ledger.has_broadcast(at, zxid) {
            let digest = digest(txn);
            self.see(&Seen::Broadcast { by: at, zxid, digest });
        }
    }

    fn trace(&mut self, at: u16, trace: Trace) {
        match &trace {
            Trace::EpochAcknowledged { epoch } => self.see(&Seen::Leads { at, epoch: *epoch }),
            Trace::Established { epoch, .. } => self.see(&Seen::Established { at, epoch: *epoch }),
            Trace::SteppedDown { leading: true, .. } => self.see(&Seen::LeadsNoMore { at }),
            Trace::State { .. }
            | Trace::ElectionStarted { .. }
            | Trace::Elected { .. }
            | Trace::EpochProposed { .. }
            | Trace::EpochAccepted { .. }
            | Trace::SyncStarted { .. }
            | Trace::SyncReceived { .. }
            | Trace::NewLeaderAcked { .. }
            | Trace::Serving { .. }
            | Trace::SteppedDown { leading: false, .. }
            | Trace::Fenced { .. }
            | Trace::ProposalsAbandoned { .. }
            | Trace::LearnerDropped { .. }
            | Trace::LogTruncated { .. }
            | Trace::SnapshotInstalled { .. }
            | Trace::PeerMisbehaved { .. } => {}
        }
        self.journal.reach(&trace);
        if let Some(census) = &mut self.census {
            census.traces.push((self.now_us, at, trace.clone()));
        }
        self.journal.note_milestone(self.now_us, || Record::Trace(at, trace));
    }

    // ---- timers

    /// Notes the server's next deadline.
    fn rearm(&mut self, at: u16) {
        let host = &mut self.hosts[usize::from(at)];
        let Some(deadline_ms) = host.server.as_ref().and_then(Server::next_deadline) else { return };
        if host.timer_ms.is_some_and(|noted_ms| noted_ms == deadline_ms) {
            return;
        }
        host.timer_ms = Some(deadline_ms);
        let at_us = host.clock.reaches_at_us(deadline_ms).max(self.now_us);
        let process = host.process;
        self.agenda.note(at_us, Due::Timer(at, process));
    }

    pub(super) fn timer_rings(&mut self, at: u16, process: u32) {
        let host = &mut self.hosts[usize::from(at)];
        if host.process != process || host.paused {
            host.timer_ms = None;
            return;
        }
        let Some(deadline_ms) = host.server.as_ref().and_then(Server::next_deadline) else { return };
        // An earlier deadline that was given up; the present one has its own ring.
        if host.clock.now(self.now_us).mono_ms < deadline_ms {
            return;
        }
        host.timer_ms = None;
        self.give(at, Event::Tick);
    }

    // ---- disk

    pub(super) fn kick_disk(&mut self, at: u16) {
        let host = &mut self.hosts[usize::from(at)];
        if host.server.is_none() || host.paused || !host.disk.begin() {
            return;
        }
        let (least, most) = self.settings.disk_us;
        let chance = crate::dice::hash([self.settings.seed, u64::from(at), self.now_us, 3]);
        let takes_us = least + chance % (most - least + 1) + host.disk.slow_us;
        let process = host.process;
        self.agenda.note(self.now_us + takes_us, Due::Disk(at, process));
    }

    pub(super) fn disk_is_done(&mut self, at: u16, process: u32) {
        let host = &mut self.hosts[usize::from(at)];
        if host.process != process || !host.runs() || !host.disk.is_working() || host.disk.held {
            return;
        }
        let (mut events, mut seen) = (Vec::new(), std::mem::take(&mut self.seen));
        self.counters.batches += 1;
        let finished = host.disk.finish(at, &mut events, &mut seen);
        for seen in seen.drain(..) {
            self.see(&seen);
        }
        self.seen = seen;
        if let Err(why) = finished {
            // A server that outlives its disk's error lies (ZOOKEEPER-2247, 4882).
            self.journal.note_milestone(self.now_us, || Record::DiskFailed(at, why));
            self.end(at, End::Killed, 0, 0);
            return;
        }
        for event in events {
            self.give(at, event);
        }
        self.kick_disk(at);
    }
}

/// The epoch that a server leads.
fn primary_epoch(server: &Server) -> Option<u32> {
    server.epoch().filter(|_| server.peer_state() == PeerState::Leading)
}

/// Mixes everything that is hashed into one number; the same on every machine and in every process.
struct TraceHasher(u64);

impl Hasher for TraceHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(29) ^ digest(bytes);
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
