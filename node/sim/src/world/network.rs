//! How things travel: lanes in order, connections that are opened and end, votes, cuts.

use super::votes::VoteLine;
use super::wire::{End, Handle, Item, Lane, Side, Site, Wire, WireId};
use super::{Due, Record, World};
use zab_core::{ConnId, Event};
use zab_wire::election::Notification;

/// A refused connection is tried again so often, so long after the last time (`Learner.connectToLeader`).
const DIAL_TRIES: u8 = 5;
const DIAL_PAUSE_US: u64 = 100_000;
/// A lost SYN is sent again after this, …
const SYN_AGAIN_US: u64 = 1_000_000;
/// How long a link takes to carry again what waited at a cut: TCP sends it again by and by.
const RESUMES_WITHIN_US: u64 = 50_000;

impl World {
    // ---- connections

    /// A server opens a connection to a leader.
    pub(super) fn dial(&mut self, from: u16, conn: ConnId, to: u16) {
        let ends = [
            End {
                site: Site(from),
                process: self.hosts[usize::from(from)].process,
                handle: Handle::Quorum(conn),
                held: true,
            },
            End { site: Site(to), process: 0, handle: Handle::Quorum(conn), held: false },
        ];
        let wire = self.new_wire(ends);
        self.hosts[usize::from(from)].quorum.insert(conn, (wire, Side::Caller));
        let at_us = self.now_us + self.delay_us(Site(from), Site(to));
        self.agenda.note(at_us, Due::Dial(wire, 1));
    }

    pub(super) fn new_wire(&mut self, ends: [End; 2]) -> WireId {
        self.next_wire += 1;
        let wire = WireId(self.next_wire);
        self.wires.insert(wire, Wire { ends, lanes: [Lane::default(), Lane::default()] });
        wire
    }

    /// A connection attempt arrives, is lost, or is refused.
    pub(super) fn dial_arrives(&mut self, id: WireId, tries: u8) {
        let Some(wire) = self.wires.get(&id) else { return };
        let (caller, called) = (wire.end(Side::Caller).site, wire.end(Side::Called).site);
        if !wire.end(Side::Caller).held {
            self.wires.remove(&id);
            return;
        }
        let host = &self.hosts[called.index()];
        let unheard = self.cuts.blocks(caller, called) || self.cuts.blocks(called, caller) || !host.powered;
        if unheard {
            self.keeps_back(caller, called, 1);
            let patience_us = self.settings.tick_ms * self.settings.sync_limit * 1_000;
            let again_us = u64::from(tries) * SYN_AGAIN_US.min(patience_us.max(4) / 4);
            if again_us >= patience_us || tries == u8::MAX {
                self.sever(id, Side::Caller);
            } else {
                let pause_us = SYN_AGAIN_US.min(patience_us.max(4) / 4);
                self.agenda.note(self.now_us + pause_us, Due::Dial(id, tries + 1));
            }
            return;
        }
        if !host.runs() {
            if tries >= DIAL_TRIES {
                self.sever(id, Side::Caller);
            } else {
                self.agenda.note(self.now_us + DIAL_PAUSE_US, Due::Dial(id, tries + 1));
            }
            return;
        }
        // A stopped process does not accept, but its kernel does.
        let host = &mut self.hosts[called.index()];
        host.accepted += 1;
        let conn = ConnId::Inbound(host.accepted);
        host.quorum.insert(conn, (id, Side::Called));
        let process = host.process;
        let wire = self.wires.get_mut(&id).expect("it was there a moment ago");
        wire.ends[Side::Called.index()] =
            End { site: called, process, handle: Handle::Quorum(conn), held: true };
        self.send(id, Side::Called, Item::Accepted);
        self.give(called.0, Event::LearnerUp { conn });
    }

    /// Puts something on its way. What is sent on a connection whose other end is gone is lost.
    pub(super) fn send(&mut self, id: WireId, side: Side, item: Item) {
        let Some(wire) = self.wires.get(&id) else { return };
        let (from, to) = (wire.end(side).site, wire.end(side.other()).site);
        if let (Some(census), Item::Quorum(message)) = (&mut self.census, &item) {
            census.message(message);
        }
        let at_us = self.now_us + self.delay_us(from, to);
        let wire = self.wires.get_mut(&id).expect("it was there a moment ago");
        let lane = &mut wire.lanes[side.index()];
        let at_us = at_us.max(lane.last_at_us);
        lane.last_at_us = at_us;
        lane.items.push_back((at_us, item));
        if lane.blocked {
            self.keeps_back(from, to, 1);
            return;
        }
        if !lane.noted {
            lane.noted = true;
            self.agenda.note(at_us, Due::Lane(id, side));
        }
    }

    /// The head of a lane arrives, or waits at a cut.
    pub(super) fn lane_arrives(&mut self, id: WireId, side: Side) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (from, to) = (wire.end(side).site, wire.end(side.other()).site);
        let lane = &mut wire.lanes[side.index()];
        lane.noted = false;
        match lane.items.front() {
            None => return,
            // It was delayed meanwhile.
            Some((at_us, _)) if *at_us > self.now_us => {
                lane.noted = true;
                self.agenda.note(*at_us, Due::Lane(id, side));
                return;
            }
            Some(_) => {}
        }
        if self.cuts.blocks(from, to) {
            lane.blocked = true;
            let held = lane.items.len() as u64;
            self.keeps_back(from, to, held);
            return;
        }
        let Some((_, item)) = lane.items.pop_front() else { return };
        if let Some((at_us, _)) = lane.items.front() {
            lane.noted = true;
            self.agenda.note((*at_us).max(self.now_us), Due::Lane(id, side));
        }
        self.arrived(id, side, item);
    }

    fn arrived(&mut self, id: WireId, side: Side, item: Item) {
        let Some(wire) = self.wires.get(&id) else { return };
        let end = wire.end(side.other()).clone();
        let from = wire.end(side).site;
        if !end.held {
            // Its process has closed it, or is gone. A kernel that runs says so to whoever still sends.
            let answers = end.site.index() >= self.hosts.len() || self.hosts[end.site.index()].powered;
            if answers && wire.end(side).held && item != Item::Fin {
                self.send(id, side.other(), Item::Fin);
            }
            return;
        }
        if item == Item::Fin {
            self.sever(id, side.other());
            return;
        }
        match end.handle {
            Handle::Mine => self.client_hears(end.site, item),
            Handle::Quorum(conn) => match item {
                Item::Accepted => self.give(end.site.0, Event::LeaderUp { conn }),
                Item::Quorum(message) => {
                    self.counters.messages += 1;
                    let to = end.site;
                    self.journal.note(self.now_us, || Record::Message(from.0, to.0, message.clone()));
                    self.give(to.0, Event::Packet { conn, message });
                }
                Item::Connect(_) | Item::Request(..) | Item::Frame(_) | Item::Fin => {
                    unreachable!("servers exchange quorum messages")
                }
            },
            Handle::Client(client) => match item {
                Item::Connect(request) => self.give(end.site.0, Event::ClientConnect { client, request }),
                Item::Request(header, body) => {
                    self.give(end.site.0, Event::ClientRequest { client, header, body });
                }
                Item::Accepted | Item::Quorum(_) | Item::Frame(_) | Item::Fin => {
                    unreachable!("clients send requests")
                }
            },
        }
    }

    /// The holder of an end learns that the connection is no more.
    pub(super) fn sever(&mut self, id: WireId, side: Side) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let end = &mut wire.ends[side.index()];
        if !std::mem::take(&mut end.held) {
            return;
        }
        let end = end.clone();
        if wire.is_over() {
            self.wires.remove(&id);
        }
        match end.handle {
            Handle::Mine => self.client_lost(end.site),
            Handle::Quorum(conn) => {
                self.hosts[end.site.index()].quorum.remove(&conn);
                self.give(end.site.0, Event::ConnDown { conn });
            }
            Handle::Client(client) => {
                self.hosts[end.site.index()].clients.remove(&client);
                self.give(end.site.0, Event::ClientGone { client });
            }
        }
    }

    /// The holder of an end closes it; the other end learns of it behind everything sent before.
    pub(super) fn hang_up(&mut self, id: WireId, side: Side) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let end = &mut wire.ends[side.index()];
        if !std::mem::take(&mut end.held) {
            return;
        }
        if wire.end(side.other()).held {
            self.send(id, side, Item::Fin);
        } else {
            self.wires.remove(&id);
        }
    }

    /// A machine lost its power: nobody is told, and what its kernel had not sent is gone.
    pub(super) fn vanish(&mut self, id: WireId, side: Side, keeps: impl FnOnce(usize) -> usize) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.ends[side.index()].held = false;
        let lane = &mut wire.lanes[side.index()];
        lane.items.truncate(keeps(lane.items.len()));
        if wire.is_over() {
            self.wires.remove(&id);
        }
    }

    /// All connections between two sites break; both ends learn of it, what was under way is lost.
    pub(super) fn reset(&mut self, one: Site, other: Site) -> usize {
        let between = |wire: &Wire| {
            let sites = (wire.ends[0].site, wire.ends[1].site);
            sites == (one, other) || sites == (other, one)
        };
        let broken: Vec<WireId> =
            self.wires.iter().filter(|(_, wire)| between(wire)).map(|(id, _)| *id).collect();
        for id in &broken {
            if let Some(wire) = self.wires.get_mut(id) {
                wire.lanes.iter_mut().for_each(|lane| lane.items.clear());
            }
            self.sever(*id, Side::Caller);
            self.sever(*id, Side::Called);
        }
        for link in [(one, other), (other, one)] {
            self.links.entry(link).or_default().resets += broken.len() as u64;
        }
        for (from, to) in [(one.0, other.0), (other.0, one.0)] {
            self.line_is_new(from, to);
        }
        broken.len()
    }

    /// One end of each connection between two sites is told that it broke, the other is not.
    pub(super) fn half_open(&mut self, told: Site, untold: Site) -> usize {
        let of_told = |wire: &Wire| {
            let sites = (wire.ends[0].site, wire.ends[1].site);
            if sites == (told, untold) {
                Some(Side::Caller)
            } else {
                (sites == (untold, told)).then_some(Side::Called)
            }
        };
        let ends: Vec<(WireId, Side)> =
            self.wires.iter().filter_map(|(id, wire)| Some((*id, of_told(wire)?))).collect();
        for (id, side) in &ends {
            if let Some(wire) = self.wires.get_mut(id) {
                wire.lanes[side.index()].items.clear();
            }
            self.sever(*id, *side);
        }
        ends.len()
    }

    /// Everything under way from one site to another takes longer.
    pub(super) fn stall(&mut self, from: Site, to: Site, us: u64) {
        for wire in self.wires.values_mut() {
            for side in [Side::Caller, Side::Called] {
                if wire.end(side).site == from && wire.end(side.other()).site == to {
                    let lane = &mut wire.lanes[side.index()];
                    lane.last_at_us = lane.last_at_us.max(self.now_us) + us;
                    for (at_us, _) in &mut lane.items {
                        *at_us += us;
                    }
                }
            }
        }
    }

    /// Loses what a site has sent that has not arrived; its connections stay.
    pub(super) fn lose_in_flight(&mut self, from: Site) {
        for wire in self.wires.values_mut() {
            for side in [Side::Caller, Side::Called] {
                if wire.end(side).site == from {
                    wire.lanes[side.index()].items.retain(|(_, item)| *item == Item::Fin);
                }
            }
        }
        for ((sender, _), line) in &mut self.votes {
            if *sender == from.0 {
                line.flying.clear();
                line.held = None;
            }
        }
    }

    // ---- votes

    pub(super) fn vote(&mut self, from: u16, to: u16, vote: Notification) {
        let process = self.hosts[usize::from(from)].process;
        let line = self.votes.entry((from, to)).or_default();
        line.last = Some((process, vote.clone()));
        self.fly(from, to, vote, 0);
    }

    fn fly(&mut self, from: u16, to: u16, vote: Notification, later_us: u64) {
        if let Some(census) = &mut self.census {
            census.vote(&vote);
        }
        let at_us = self.now_us + self.delay_us(Site(from), Site(to)) + later_us;
        let line = self.votes.entry((from, to)).or_default();
        let at_us = at_us.max(line.last_at_us);
        line.last_at_us = at_us;
        line.flying.push_back((at_us, vote));
        self.agenda.note(at_us, Due::Vote(from, to));
    }

    pub(super) fn vote_arrives(&mut self, from: u16, to: u16) {
        let cut = self.cuts.blocks(Site(from), Site(to));
        let Some(line) = self.votes.get_mut(&(from, to)) else { return };
        let Some((_, vote)) = line.flying.pop_front() else { return };
        if cut {
            line.held = Some(vote);
            self.keeps_back(Site(from), Site(to), 1);
            return;
        }
        self.counters.messages += 1;
        self.counters.votes += 1;
        self.journal.note(self.now_us, || Record::Vote(from, to, vote.clone()));
        self.give(to, Event::Notification { from: super::id_of(from), message: vote });
    }

    /// A line was broken and stands again: its last vote is said once more, if who said it still runs.
    fn line_is_new(&mut self, from: u16, to: u16) {
        let Some(process) =
            self.hosts.get(usize::from(from)).filter(|host| host.runs()).map(|host| host.process)
        else {
            return;
        };
        let Some(VoteLine { last: Some((said_by, vote)), .. }) = self.votes.get(&(from, to)) else { return };
        if *said_by == process {
            let vote = vote.clone();
            let later_us = self.resumes_within_us(Site(from), Site(to));
            self.fly(from, to, vote, later_us);
        }
    }

    /// A process started: all others' lines to it are new.
    pub(super) fn lines_are_new(&mut self, to: u16) {
        for from in 0..self.settings.servers() {
            self.line_is_new(from, to);
        }
    }

    // ---- cuts

    /// A cut keeps something from going on: the evidence that it took effect.
    fn keeps_back(&mut self, from: Site, to: Site, how_much: u64) {
        self.links.entry((from, to)).or_default().held += how_much;
    }

    /// What waited at cuts that are healed goes on.
    pub(super) fn resume_lanes(&mut self) {
        let mut resumed = Vec::new();
        for (id, wire) in &mut self.wires {
            for side in [Side::Caller, Side::Called] {
                let (from, to) = (wire.end(side).site, wire.end(side.other()).site);
                let lane = &mut wire.lanes[side.index()];
                if lane.blocked && !self.cuts.blocks(from, to) {
                    lane.blocked = false;
                    lane.noted = true;
                    resumed.push((*id, side, from, to));
                }
            }
        }
        for (id, side, from, to) in resumed {
            let at_us = self.now_us + self.resumes_within_us(from, to);
            self.agenda.note(at_us, Due::Lane(id, side));
        }
        let mut votes = Vec::new();
        for ((from, to), line) in &mut self.votes {
            if !self.cuts.blocks(Site(*from), Site(*to)) {
                votes.extend(line.held.take().map(|vote| (*from, *to, vote)));
            }
        }
        for (from, to, vote) in votes {
            let later_us = self.resumes_within_us(Site(from), Site(to));
            self.fly(from, to, vote, later_us);
        }
    }

    fn resumes_within_us(&self, from: Site, to: Site) -> u64 {
        if self.settings.delay_us.1 == 0 {
            return 0;
        }
        self.delay_us(from, to) * 2 % RESUMES_WITHIN_US
    }
}
