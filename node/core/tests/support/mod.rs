//! A small deterministic world around the core, for tests: servers, disks that lose what was not
//! synced, connections that keep order, links that can be cut, a clock that only moves when told.
//!
//! Not the simulator: nothing here is random, and a test says what happens when.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses its own part of the world")]
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test's helper fails as the test does"
)]

mod disk;

use bytes::Bytes;
use disk::Disk;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use zab_core::{Bug, ClientId, Config, ConnId, Effect, Ensemble, Event, Now, Server, Status, Timing, Trace};
use zab_wire::client::{Acl, ConnectRequest, ConnectResponse, ReplyHeader, Request, RequestHeader, Response};
use zab_wire::election::{Notification, PeerState};
use zab_wire::jute::{Reader, Record, Writer};
use zab_wire::quorum::QuorumMessage;
use zab_wire::{ServerId, SessionId, Zxid};

pub(crate) const TICK_MS: u64 = 100;

/// One end of a connection.
type End = (i64, ConnId);

/// A server, its disk, and what its clients got.
#[derive(Debug)]
struct Host {
    server: Option<Server>,
    paused: bool,
    disk: Disk,
    /// Events that arrived while it was paused.
    inbox: VecDeque<Event>,
    replies: BTreeMap<ClientId, VecDeque<Vec<u8>>>,
    closed: BTreeSet<ClientId>,
    bug: Option<Bug>,
}

/// A message under way.
#[derive(Debug)]
enum Flight {
    Vote { from: i64, to: i64, vote: Notification },
    Up { from: End, to: i64 },
    Packet { from: End, to: End, message: QuorumMessage },
    Down { from: i64, to: End },
}

/// A client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client {
    pub(crate) at: i64,
    pub(crate) id: ClientId,
    pub(crate) session: SessionId,
}

/// An answer: its zxid, and the body or error code.
pub(crate) type Answer = (Zxid, Result<Response, i32>);

pub(crate) struct World {
    pub(crate) now_ms: u64,
    hosts: BTreeMap<i64, Host>,
    /// Which of them have no vote.
    observers: BTreeSet<i64>,
    flights: VecDeque<Flight>,
    peers: BTreeMap<End, End>,
    cut: BTreeSet<(i64, i64)>,
    next_inbound: u64,
    next_client: u64,
    /// The last xid a client used; a test may set it back, as a client does that counts per connection.
    pub(crate) next_xid: i32,
    /// How many committed transactions a leader keeps for DIFF, of servers that start from now on.
    pub(crate) commit_log_count: usize,
    /// After how many transactions a snapshot is taken, of servers that start from now on.
    pub(crate) snap_count: usize,
    requests: BTreeMap<(ClientId, i32), Request>,
    /// Every trace so far: server, transition.
    pub(crate) traces: Vec<(i64, Trace)>,
    /// Every message delivered so far.
    pub(crate) deliveries: Vec<String>,
    pub(crate) fatal: Vec<(i64, String)>,
}

impl World {
    /// A world of `n` servers that have not started.
    pub(crate) fn new(n: i64) -> Self {
        Self::with_observers(n, 0)
    }

    /// A world of `n` voters and, numbered behind them, `k` observers that have not started.
    pub(crate) fn with_observers(n: i64, k: i64) -> Self {
        let host = || Host {
            server: None,
            paused: false,
            disk: Disk::default(),
            inbox: VecDeque::new(),
            replies: BTreeMap::new(),
            closed: BTreeSet::new(),
            bug: None,
        };
        Self {
            now_ms: 1_000,
            hosts: (1..=n + k).map(|id| (id, host())).collect(),
            observers: (n + 1..=n + k).collect(),
            flights: VecDeque::new(),
            peers: BTreeMap::new(),
            cut: BTreeSet::new(),
            next_inbound: 0,
            next_client: 0,
            next_xid: 0,
            commit_log_count: 8,
            snap_count: 1_000,
            requests: BTreeMap::new(),
            traces: Vec::new(),
            deliveries: Vec::new(),
            fatal: Vec::new(),
        }
    }

    /// A world of `n` servers that run, with a leader.
    pub(crate) fn established(n: i64) -> Self {
        Self::established_with_observers(n, 0)
    }

    /// A world of `n` voters with a leader, and `k` observers that serve.
    pub(crate) fn established_with_observers(n: i64, k: i64) -> Self {
        let mut world = Self::with_observers(n, k);
        for id in world.ids() {
            world.start(id);
        }
        world.run_until("a leader is established", |world| world.leader().is_some());
        world.run_for(2 * TICK_MS);
        world.run_until("the observers serve", |world| world.observers().iter().all(|id| world.serving(*id)));
        world
    }

    /// All servers.
    pub(crate) fn ids(&self) -> Vec<i64> {
        self.hosts.keys().copied().collect()
    }

    pub(crate) fn voters(&self) -> Vec<i64> {
        self.hosts.keys().copied().filter(|id| !self.observers.contains(id)).collect()
    }

    pub(crate) fn observers(&self) -> Vec<i64> {
        self.observers.iter().copied().collect()
    }

    /// Takes a server's vote away, for servers that start from now on.
    pub(crate) fn demote(&mut self, id: i64) {
        self.observers.insert(id);
    }

    /// Plants a bug in a server that has not started.
    pub(crate) fn plant(&mut self, bug: Bug) {
        for host in self.hosts.values_mut() {
            host.bug = Some(bug);
        }
    }

    /// Starts a server from its disk.
    pub(crate) fn start(&mut self, id: i64) {
        let named = |ids: Vec<i64>| ids.into_iter().map(ServerId);
        let host = self.hosts.get(&id).expect("a server of this world");
        let config = Config {
            me: ServerId(id),
            ensemble: Ensemble::with_observers(named(self.voters()), named(self.observers())),
            timing: Timing::new(TICK_MS, 10, 5),
            config_text: "version=0".to_owned(),
            commit_log_count: self.commit_log_count,
            snap_count: self.snap_count,
            bug: host.bug,
        };
        let recovered = host.disk.recovered(host.bug);
        let host = self.host(id);
        assert!(host.server.is_none(), "server {id} runs already");
        host.server = Some(Server::new(config));
        self.give(id, Event::Start(recovered));
    }

    /// Ends a server as SIGKILL and a power cut would: what was not synced is lost, its connections break.
    pub(crate) fn crash(&mut self, id: i64) {
        let host = self.host(id);
        host.server = None;
        host.paused = false;
        host.inbox.clear();
        host.disk.lose_unsynced();
        let ends: Vec<End> = self.peers.keys().filter(|(at, _)| *at == id).copied().collect();
        for end in ends {
            self.hang_up(end);
        }
        self.flights.retain(|flight| flight.to() != id);
    }

    /// Ends a server whose disk finished up to `points` more without saying so.
    pub(crate) fn crash_late(&mut self, id: i64, points: u64) {
        for _ in 0..points {
            self.host(id).disk.work_once();
        }
        self.crash(id);
    }

    pub(crate) fn pause(&mut self, id: i64) {
        self.host(id).paused = true;
    }

    /// Lets a paused server go on; what arrived meanwhile is waiting for it.
    pub(crate) fn resume(&mut self, id: i64) {
        self.host(id).paused = false;
        let waiting = std::mem::take(&mut self.host(id).inbox);
        for event in waiting {
            self.give(id, event);
        }
    }

    /// Holds everything from one server to another until [`World::heal`].
    pub(crate) fn cut_one_way(&mut self, from: i64, to: i64) {
        self.cut.insert((from, to));
    }

    /// Holds everything between two groups.
    pub(crate) fn cut(&mut self, one: &[i64], other: &[i64]) {
        for a in one {
            for b in other {
                self.cut_one_way(*a, *b);
                self.cut_one_way(*b, *a);
            }
        }
    }

    /// Lets one direction carry again what a cut held.
    pub(crate) fn heal_one_way(&mut self, from: i64, to: i64) {
        self.cut.remove(&(from, to));
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    /// Keeps a server's disk from finishing anything until [`World::release_disk`].
    pub(crate) fn hold_disk(&mut self, id: i64) {
        self.host(id).disk.held = true;
    }

    pub(crate) fn release_disk(&mut self, id: i64) {
        self.host(id).disk.held = false;
        let events = self.host(id).disk.work();
        for event in events {
            self.give(id, event);
        }
    }

    /// Delivers one message at a time, and lets time pass when there is none, until `condition` holds.
    pub(crate) fn step_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..20_000 {
            if condition(self) {
                return;
            }
            if !self.deliver_one() {
                self.pass(1);
            }
        }
        panic!("stepped in vain until {what}");
    }

    /// Runs until a server reaches a transition once more, then keeps its disk from finishing anything.
    pub(crate) fn hold_disk_at(&mut self, id: i64, name: &str) {
        let before = self.traced(id, name);
        self.step_until(name, |world| world.traced(id, name) > before);
        self.hold_disk(id);
        self.settle();
    }

    /// Lets a held disk finish up to the next point that somebody waits for, and no further.
    pub(crate) fn release_disk_once(&mut self, id: i64) {
        for event in self.host(id).disk.work_once() {
            self.give(id, event);
        }
    }

    /// How often a message was delivered, by the beginning of its line.
    pub(crate) fn delivered(&self, beginning: &str) -> usize {
        self.deliveries.iter().filter(|delivery| delivery.starts_with(beginning)).count()
    }

    /// The votes a server has sent that have not arrived, and to whom.
    pub(crate) fn votes_under_way(&self, from: i64) -> Vec<(i64, Notification)> {
        self.flights
            .iter()
            .filter_map(|flight| match flight {
                Flight::Vote { from: sender, to, vote } if *sender == from => Some((*to, vote.clone())),
                _ => None,
            })
            .collect()
    }

    /// Loses everything a server has sent that has not arrived.
    pub(crate) fn lose_in_flight(&mut self, from: i64) {
        self.flights.retain(|flight| flight.route().0 != from || matches!(flight, Flight::Down { .. }));
    }

    /// Empties a stopped server's disk.
    pub(crate) fn wipe(&mut self, id: i64) {
        assert!(self.host(id).server.is_none(), "server {id} runs");
        self.host(id).disk = Disk::default();
    }

    /// The log on a server's disk: zxids in order.
    pub(crate) fn zxids_on_disk(&self, id: i64) -> Vec<Zxid> {
        self.hosts[&id].disk.zxids()
    }

    pub(crate) fn epochs_on_disk(&self, id: i64) -> (u32, u32) {
        self.hosts[&id].disk.epochs()
    }

    pub(crate) fn status(&self, id: i64) -> Option<Status> {
        self.hosts[&id].server.as_ref().map(Server::status)
    }

    /// The server that leads, is established and not paused, in the newest epoch.
    pub(crate) fn leader(&self) -> Option<i64> {
        self.hosts
            .iter()
            .filter(|(_, host)| !host.paused)
            .filter_map(|(id, host)| Some((*id, host.server.as_ref()?.status())))
            .filter(|(_, status)| status.state == PeerState::Leading && status.serving)
            .max_by_key(|(_, status)| status.current_epoch)
            .map(|(id, _)| id)
    }

    pub(crate) fn serving(&self, id: i64) -> bool {
        self.status(id).is_some_and(|status| status.serving)
    }

    /// Whether a server reached a transition, by name.
    pub(crate) fn traced(&self, id: i64, name: &str) -> usize {
        self.traces.iter().filter(|(at, trace)| *at == id && trace.name() == name).count()
    }

    pub(crate) fn last_trace(&self, id: i64, name: &str) -> Option<&Trace> {
        self.traces.iter().rev().find(|(at, trace)| *at == id && trace.name() == name).map(|(_, trace)| trace)
    }

    // ---- time and delivery

    /// Delivers everything that can be delivered, without time passing.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.deliver_one() {
                return;
            }
        }
        panic!("the world does not come to rest at {} ms", self.now_ms);
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        self.settle();
        while self.now_ms < end {
            self.pass(end - self.now_ms);
            self.settle();
        }
    }

    /// Lets time pass up to the next deadline, delivering nothing.
    fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        let next = self
            .hosts
            .values()
            .filter(|host| !host.paused)
            .filter_map(|host| host.server.as_ref()?.next_deadline())
            .min();
        match next {
            Some(at) if at <= end => {
                self.now_ms = self.now_ms.max(at);
                self.tick_all();
            }
            Some(_) | None => self.now_ms = end,
        }
    }

    /// Lets time pass until `condition` holds, at most a minute.
    pub(crate) fn run_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let end = self.now_ms + 60_000;
        while !condition(self) {
            assert!(self.now_ms < end, "waited a minute in vain until {what}");
            self.run_for(10);
        }
    }

    fn tick_all(&mut self) {
        for id in self.ids() {
            let due = self.hosts[&id].server.as_ref().and_then(Server::next_deadline);
            if !self.hosts[&id].paused && due.is_some_and(|at| at <= self.now_ms) {
                self.give(id, Event::Tick);
            }
        }
    }

    /// Delivers one message; false when there is none to deliver.
    pub(crate) fn deliver_next(&mut self) -> bool {
        self.deliver_one()
    }

    /// Delivers the first message of a pair of servers, which `draw` picks out of as many messages as
    /// can be delivered; false when there is none.
    pub(crate) fn deliver_drawn(&mut self, draw: impl FnOnce(u64) -> u64) -> bool {
        let open: Vec<(i64, i64)> =
            self.flights.iter().map(Flight::route).filter(|route| !self.cut.contains(route)).collect();
        if open.is_empty() {
            return false;
        }
        let route = open[usize::try_from(draw(open.len() as u64)).unwrap()];
        let first = self.flights.iter().position(|flight| flight.route() == route).expect("it is open");
        let flight = self.flights.remove(first).expect("it is there");
        self.flights.push_front(flight);
        self.deliver_one()
    }

    fn deliver_one(&mut self) -> bool {
        // Order is kept per pair of servers; a cut holds a pair's messages and lets others pass.
        let Some(at) = self.flights.iter().position(|flight| !self.cut.contains(&flight.route())) else {
            return false;
        };
        let Some(flight) = self.flights.remove(at) else { return false };
        if self.hosts[&flight.to()].server.is_none() {
            if let Flight::Up { from, .. } = flight {
                self.give(from.0, Event::ConnDown { conn: from.1 });
            }
            return true;
        }
        match flight {
            Flight::Vote { from, to, vote } => {
                self.give(to, Event::Notification { from: ServerId(from), message: vote });
            }
            Flight::Up { from, to } => {
                self.next_inbound += 1;
                let end = (to, ConnId::Inbound(self.next_inbound));
                self.peers.insert(from, end);
                self.peers.insert(end, from);
                self.give(to, Event::LearnerUp { conn: end.1 });
                self.give(from.0, Event::LeaderUp { conn: from.1 });
            }
            Flight::Packet { from, to, message } => {
                // An end that hung up hears nothing more.
                if self.peers.contains_key(&to) || self.peers.contains_key(&from) {
                    let route = format!("{} -> {}  {}", from.0, to.0, describe(&message));
                    self.deliveries.push(route);
                    self.give(to.0, Event::Packet { conn: to.1, message });
                }
            }
            Flight::Down { to, .. } => {
                self.peers.remove(&to);
                self.give(to.0, Event::ConnDown { conn: to.1 });
            }
        }
        true
    }

    /// The other end learns of it behind everything sent before.
    fn hang_up(&mut self, end: End) {
        if let Some(other) = self.peers.remove(&end) {
            self.flights.push_back(Flight::Down { from: end.0, to: other });
        }
    }

    fn host(&mut self, id: i64) -> &mut Host {
        self.hosts.get_mut(&id).expect("a server of this world")
    }

    fn give(&mut self, id: i64, event: Event) {
        let now =
            Now { mono_ms: self.now_ms, wall_ms: 1_700_000_000_000 + i64::try_from(self.now_ms).unwrap() };
        let host = self.host(id);
        let Some(server) = host.server.as_mut() else { return };
        if host.paused {
            host.inbox.push_back(event);
            return;
        }
        let mut effects = Vec::new();
        server.step(now, event, &mut effects);
        for effect in effects {
            self.carry_out(id, effect);
        }
        let events = self.host(id).disk.work();
        for event in events {
            self.give(id, event);
        }
    }

    fn carry_out(&mut self, id: i64, effect: Effect) {
        match effect {
            Effect::Notify { to, message } => {
                self.flights.push_back(Flight::Vote { from: id, to: to.0, vote: message });
            }
            Effect::Connect { conn, leader } => {
                self.flights.push_back(Flight::Up { from: (id, conn), to: leader.0 });
            }
            Effect::Send { conn, message } => {
                if let Some(to) = self.peers.get(&(id, conn)).copied() {
                    self.flights.push_back(Flight::Packet { from: (id, conn), to, message });
                }
            }
            Effect::Close { conn } => self.hang_up((id, conn)),
            Effect::Reply { client, frame } => {
                self.host(id).replies.entry(client).or_default().push_back(frame);
            }
            Effect::CloseClient { client } => {
                self.host(id).closed.insert(client);
            }
            Effect::Deliver(_) => {}
            Effect::Trace(trace) => {
                self.traces.push((id, trace));
            }
            Effect::Fatal { reason } => {
                self.fatal.push((id, reason));
                self.crash(id);
            }
            Effect::Append(_)
            | Effect::Truncate { .. }
            | Effect::SetAcceptedEpoch(_)
            | Effect::SetCurrentEpoch(_)
            | Effect::TakeSnapshot(_)
            | Effect::InstallSnapshot { .. }
            | Effect::Sync { .. } => self.host(id).disk.queue(effect),
        }
    }

    /// Forgets traces and deliveries, which a long random run would only pile up.
    pub(crate) fn forget_journal(&mut self) {
        self.traces.clear();
        self.deliveries.clear();
    }

    /// Hands a server a message out of thin air, as a broken peer would send it.
    pub(crate) fn inject(&mut self, id: i64, event: Event) {
        self.give(id, event);
    }

    /// The connection from a follower to its leader, as both ends call it.
    pub(crate) fn connection(&self, follower: i64, leader: i64) -> Option<(ConnId, ConnId)> {
        self.peers
            .iter()
            .filter(|((at, conn), (to, _))| {
                *at == follower && *to == leader && matches!(conn, ConnId::Outbound(_))
            })
            .map(|((_, ours), (_, theirs))| (*ours, *theirs))
            .next_back()
    }

    // ---- clients

    /// Opens a session at a server; it must serve.
    pub(crate) fn connect(&mut self, at: i64) -> Client {
        let mut client = self.open(at, SessionId(0), Zxid::ZERO);
        self.run_until("a session is created", |world| world.has_answer(client) || world.is_closed(client));
        let frame = self.host(at).replies.get_mut(&client.id).and_then(VecDeque::pop_front);
        let response = ConnectResponse::from_slice(&frame.expect("the server serves")).unwrap();
        client.session = response.session;
        client
    }

    /// Asks for a new session and waits for nothing.
    pub(crate) fn connect_without_waiting(&mut self, at: i64) -> Client {
        self.open(at, SessionId(0), Zxid::ZERO)
    }

    /// Sends a ConnectRequest and waits for nothing.
    pub(crate) fn open(&mut self, at: i64, session: SessionId, last_zxid_seen: Zxid) -> Client {
        self.next_client += 1;
        let id = ClientId(self.next_client);
        let password = if session.0 == 0 { vec![0; 16] } else { zab_wire::client::session_password(session) };
        let request =
            ConnectRequest { last_zxid_seen, timeout_ms: 2_000, session, password, read_only: Some(false) };
        self.give(at, Event::ClientConnect { client: id, request });
        Client { at, id, session }
    }

    /// The answer to a ConnectRequest, if it is there.
    pub(crate) fn connect_response(&mut self, client: Client) -> Option<ConnectResponse> {
        let frame = self.host(client.at).replies.get_mut(&client.id)?.pop_front()?;
        Some(ConnectResponse::from_slice(&frame).unwrap())
    }

    /// Tells the server that a client's connection broke.
    pub(crate) fn client_gone(&mut self, client: Client) {
        self.give(client.at, Event::ClientGone { client: client.id });
    }

    /// Sends a request and waits for nothing.
    pub(crate) fn send(&mut self, client: Client, request: Request) -> i32 {
        self.next_xid += 1;
        let xid = self.next_xid;
        let mut body = Writer::new();
        request.encode_body(&mut body);
        let header = RequestHeader { xid, op: request.op() };
        self.requests.insert((client.id, xid), request);
        let body = Bytes::from(body.into_inner());
        self.give(client.at, Event::ClientRequest { client: client.id, header, body });
        xid
    }

    pub(crate) fn has_answer(&self, client: Client) -> bool {
        self.hosts[&client.at].replies.get(&client.id).is_some_and(|replies| !replies.is_empty())
    }

    pub(crate) fn is_closed(&self, client: Client) -> bool {
        let host = &self.hosts[&client.at];
        host.server.is_none() || host.closed.contains(&client.id)
    }

    /// The next answer, if it is there, with its xid.
    pub(crate) fn answer(&mut self, client: Client) -> Option<(i32, Answer)> {
        let frame = self.host(client.at).replies.get_mut(&client.id)?.pop_front()?;
        let mut input = Reader::new(&frame);
        let header = ReplyHeader::decode(&mut input).unwrap();
        let outcome = if header.error == 0 {
            Ok(Response::decode(&self.requests[&(client.id, header.xid)], input.rest()).unwrap())
        } else {
            Err(header.error)
        };
        Some((header.xid, (header.zxid, outcome)))
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, client: Client, request: Request) -> Answer {
        let sent = self.send(client, request);
        self.run_until("the request is answered", |world| {
            world.has_answer(client) || world.is_closed(client)
        });
        let (xid, answer) = self.answer(client).expect("the server kept the connection");
        assert_eq!(xid, sent, "answers come in the order of the requests");
        answer
    }

    pub(crate) fn create(&mut self, client: Client, path: &str, data: &str) -> Answer {
        self.ask(client, create(path, data))
    }

    pub(crate) fn set(&mut self, client: Client, path: &str, data: &str) -> Answer {
        self.ask(client, set(path, data))
    }

    /// `sync`, then `getData`.
    pub(crate) fn read(&mut self, client: Client, path: &str) -> Result<String, i32> {
        self.ask(client, Request::Sync { path: path.to_owned() }).1?;
        self.read_local(client, path)
    }

    /// `getData` alone.
    pub(crate) fn read_local(&mut self, client: Client, path: &str) -> Result<String, i32> {
        match self.ask(client, Request::GetData { path: path.to_owned(), watch: false }).1? {
            Response::Data(data, _) => Ok(String::from_utf8(data.unwrap_or_default()).unwrap()),
            other => panic!("getData was answered with {other:?}"),
        }
    }
}

impl Flight {
    fn route(&self) -> (i64, i64) {
        match self {
            Self::Vote { from, to, .. } | Self::Up { from: (from, _), to } => (*from, *to),
            Self::Packet { from, to, .. } => (from.0, to.0),
            Self::Down { from, to } => (*from, to.0),
        }
    }

    fn to(&self) -> i64 {
        self.route().1
    }
}

pub(crate) fn create(path: &str, data: &str) -> Request {
    let data = Some(data.as_bytes().to_vec());
    Request::Create { path: path.to_owned(), data, acl: Acl::open(), flags: 0, with_stat: false }
}

pub(crate) fn set(path: &str, data: &str) -> Request {
    Request::SetData { path: path.to_owned(), data: Some(data.as_bytes().to_vec()), version: -1 }
}

/// A message in one line.
pub(crate) fn describe(message: &QuorumMessage) -> String {
    let name = message.name();
    match message {
        QuorumMessage::FollowerInfo { accepted_epoch, .. }
        | QuorumMessage::ObserverInfo { accepted_epoch, .. } => {
            format!("{name} accepted={accepted_epoch}")
        }
        QuorumMessage::LeaderInfo { epoch } | QuorumMessage::NewLeader { epoch, .. } => {
            format!("{name} epoch={epoch}")
        }
        QuorumMessage::AckEpoch { last_zxid, current_epoch } => match current_epoch {
            Some(epoch) => format!("{name} current={epoch} last={last_zxid}"),
            None => format!("{name} current=-1 last={last_zxid}"),
        },
        QuorumMessage::Diff { zxid }
        | QuorumMessage::Trunc { zxid }
        | QuorumMessage::Snap { zxid, .. }
        | QuorumMessage::Proposal { zxid, .. }
        | QuorumMessage::Ack { zxid }
        | QuorumMessage::Commit { zxid }
        | QuorumMessage::Inform { zxid, .. }
        | QuorumMessage::Ping { zxid, .. } => format!("{name} {zxid}"),
        QuorumMessage::Request(request) => format!("{name} op={}", request.op),
        QuorumMessage::UpToDate
        | QuorumMessage::Revalidate { .. }
        | QuorumMessage::Revalidated { .. }
        | QuorumMessage::Sync
        | QuorumMessage::Unsupported { .. } => name.to_owned(),
    }
}
