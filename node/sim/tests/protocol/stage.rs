//! The simulator's stage in the words of these tests: servers are called by their ids, what is waited for in vain
//! fails the test, and so does, at the end, a property that was broken or a server that ended itself.

use zab_core::{Bug, ConnId, Event, Server, Status, Trace};
use zab_sim::stage::PATIENCE_MS;
use zab_sim::world::{Action, Record, Settings, Site, at_of, describe, id_of};
use zab_wire::client::{ConnectResponse, Request, Response};
use zab_wire::election::Notification;
use zab_wire::{ServerId, SessionId, Zxid};

pub(crate) use zab_sim::stage::{Answer, create, get, set};

pub(crate) const TICK_MS: u64 = 100;

/// A client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    site: Site,
    pub(crate) session: SessionId,
}

pub(crate) struct Stage {
    stage: zab_sim::stage::Stage,
    /// The property that a planted bug is there to break.
    expected: Option<&'static str>,
}

fn at(id: i64) -> u16 {
    at_of(ServerId(id)).expect("a server of this world")
}

fn id(at: u16) -> i64 {
    id_of(at).0
}

impl Stage {
    /// `n` servers that have not started.
    pub(crate) fn new(n: u16) -> Self {
        Self::with_observers(n, 0)
    }

    /// `n` voters and, numbered behind them, `k` observers that have not started.
    pub(crate) fn with_observers(n: u16, k: u16) -> Self {
        Self::of(Settings { observers: k, ..Settings::instant(n) })
    }

    /// `n` servers with a bug that have not started.
    pub(crate) fn with_bug(n: u16, bug: Bug) -> Self {
        Self::of(Settings { bug: Some(bug), ..Settings::instant(n) })
    }

    fn of(settings: Settings) -> Self {
        assert_eq!(settings.tick_ms, TICK_MS);
        Self { stage: zab_sim::stage::Stage::new(settings), expected: None }
    }

    /// `n` servers that run, with a leader.
    pub(crate) fn established(n: u16) -> Self {
        Self::established_with_observers(n, 0)
    }

    /// `n` voters with a leader, and `k` observers that serve.
    pub(crate) fn established_with_observers(n: u16, k: u16) -> Self {
        let mut stage = Self::with_observers(n, k);
        for id in stage.ids() {
            stage.start(id);
        }
        stage.run_until("a leader is established", |stage| stage.leader().is_some());
        stage.run_for(2 * TICK_MS);
        stage.run_until("the observers serve", |stage| stage.observers().iter().all(|id| stage.serving(*id)));
        stage
    }

    /// All servers.
    pub(crate) fn ids(&self) -> Vec<i64> {
        (0..self.stage.world().settings().servers()).map(id).collect()
    }

    fn observers(&self) -> Vec<i64> {
        let settings = self.stage.world().settings();
        (settings.voters..settings.servers()).map(id).collect()
    }

    // ---- what is done to servers and links

    /// Starts a server from its disk.
    pub(crate) fn start(&mut self, id: i64) {
        assert_eq!(self.status(id), None, "server {id} runs already");
        self.stage.act(Action::Start(at(id)));
        assert!(self.status(id).is_some(), "server {id} refuses to start");
    }

    /// Ends a server by SIGKILL. Its disk does nothing more of what it was asked for; its connections break.
    pub(crate) fn crash(&mut self, id: i64) {
        self.stage.act(Action::Kill(at(id), 0));
    }

    pub(crate) fn pause(&mut self, id: i64) {
        self.stage.act(Action::Pause(at(id)));
    }

    /// Lets a paused server go on; what arrived meanwhile is waiting for it.
    pub(crate) fn resume(&mut self, id: i64) {
        self.stage.act(Action::Resume(at(id)));
    }

    /// Makes the last voter an observer, for servers that start from now on.
    pub(crate) fn demote(&mut self, id: i64) {
        assert_eq!(at(id) + 1, self.stage.world().settings().voters, "{id} is the last voter");
        self.stage.demote_last_voter();
    }

    /// Holds everything from one server to another until [`Stage::heal`].
    pub(crate) fn cut_one_way(&mut self, from: i64, to: i64) {
        self.stage.act(Action::Cut(Site(at(from)), Site(at(to))));
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
        self.stage.act(Action::HealLink(Site(at(from)), Site(at(to))));
    }

    pub(crate) fn heal(&mut self) {
        self.stage.act(Action::Heal);
    }

    /// Loses everything a server has sent that has not arrived.
    pub(crate) fn lose_in_flight(&mut self, from: i64) {
        self.stage.act(Action::Lose(Site(at(from))));
    }

    /// Hands a server what no honest peer would send.
    pub(crate) fn inject(&mut self, id: i64, event: Event) {
        self.stage.inject(at(id), event);
    }

    // ---- disks

    /// Keeps a server's disk from finishing anything until [`Stage::release_disk`].
    pub(crate) fn hold_disk(&mut self, id: i64) {
        assert!(self.status(id).is_some(), "a server that starts finds a disk that works");
        self.stage.act(Action::HoldDisk(at(id)));
    }

    pub(crate) fn release_disk(&mut self, id: i64) {
        self.stage.act(Action::ReleaseDisk(at(id)));
    }

    /// Lets a held disk finish the next thing that it makes durable, and no further.
    pub(crate) fn step_disk(&mut self, id: i64) {
        self.stage.act(Action::StepDisk(at(id)));
    }

    /// Runs until a server reaches a transition once more, then keeps its disk from finishing anything.
    pub(crate) fn hold_disk_at(&mut self, id: i64, name: &str) {
        let before = self.traced(id, name);
        self.step_until(name, |stage| stage.traced(id, name) > before);
        self.hold_disk(id);
        self.settle();
    }

    // ---- time

    /// Lets everything happen that is due now; no time passes.
    pub(crate) fn settle(&mut self) {
        self.stage.settle().unwrap();
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, ms: u64) {
        self.stage.run(ms).unwrap();
    }

    /// Lets one thing happen that is due now; false when there is none.
    pub(crate) fn step(&mut self) -> bool {
        self.stage.step_within(0)
    }

    /// Goes on event by event until `condition` holds: in the middle of a moment, perhaps.
    pub(crate) fn step_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let end_us = self.stage.world().now_us() + PATIENCE_MS * 1_000;
        while !condition(self) {
            assert!(self.stage.world().now_us() < end_us, "waited in vain until {what}");
            assert!(self.stage.step_within(PATIENCE_MS), "nothing more is to come: in vain until {what}");
        }
    }

    /// Lets time pass until `condition` holds and nothing more is due at that moment.
    pub(crate) fn run_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        self.step_until(what, |stage| stage.stage.is_at_rest() && condition(stage));
    }

    // ---- what is to be seen

    pub(crate) fn status(&self, id: i64) -> Option<Status> {
        self.stage.world().server(at(id)).map(Server::status)
    }

    /// The server that leads, is established and not paused, in the newest epoch.
    pub(crate) fn leader(&self) -> Option<i64> {
        self.stage.world().leader().map(id)
    }

    /// Whether a server serves clients; it may be paused.
    pub(crate) fn serving(&self, id: i64) -> bool {
        self.stage.world().server(at(id)).is_some_and(Server::serving)
    }

    /// The log on a server's disk: zxids in order.
    pub(crate) fn zxids_on_disk(&self, id: i64) -> Vec<Zxid> {
        self.stage.world().ledger().server(at(id)).durable.keys().copied().collect()
    }

    /// The last transaction of the snapshot on a server's disk.
    pub(crate) fn snapshot_on_disk(&self, id: i64) -> Zxid {
        self.stage.world().ledger().server(at(id)).durable_base
    }

    /// acceptedEpoch and currentEpoch on a server's disk.
    pub(crate) fn epochs_on_disk(&self, id: i64) -> (u32, u32) {
        self.stage.world().ledger().server(at(id)).epochs
    }

    /// Every transition so far, and whose.
    pub(crate) fn traces(&self) -> impl DoubleEndedIterator<Item = (i64, &Trace)> {
        self.stage.entries().iter().filter_map(|entry| {
            let Record::Trace(at, trace) = &entry.record else { return None };
            Some((id(*at), trace))
        })
    }

    /// How often a server reached a transition, by name.
    pub(crate) fn traced(&self, id: i64, name: &str) -> usize {
        self.traces().filter(|(at, trace)| *at == id && trace.name() == name).count()
    }

    pub(crate) fn last_trace(&self, id: i64, name: &str) -> Option<&Trace> {
        self.traces().rev().find(|(at, trace)| *at == id && trace.name() == name).map(|(_, trace)| trace)
    }

    /// Every message that arrived so far, votes aside, in a line each.
    pub(crate) fn deliveries(&self) -> Vec<String> {
        let lines = self.stage.entries().iter().filter_map(|entry| {
            let Record::Message(from, to, message) = &entry.record else { return None };
            Some(format!("{} -> {}  {}", id(*from), id(*to), describe(message)))
        });
        lines.collect()
    }

    /// How often a message arrived, by the beginning of its line.
    pub(crate) fn delivered(&self, beginning: &str) -> usize {
        self.deliveries().iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// The votes a server has sent that have not arrived, and to whom.
    pub(crate) fn votes_under_way(&self, from: i64) -> Vec<(i64, Notification)> {
        let votes = self.stage.world().votes_under_way(at(from)).into_iter();
        votes.map(|(to, vote)| (id(to), vote.clone())).collect()
    }

    /// The connection from a learner to its leader, as both ends call it.
    pub(crate) fn connection(&self, learner: i64, leader: i64) -> Option<(ConnId, ConnId)> {
        self.stage.world().connection(at(learner), at(leader))
    }

    /// A planted bug has broken this property, as it is there to.
    pub(crate) fn breaks(&mut self, property: &'static str) {
        let broken = self.stage.broken().map(|(property, _)| property);
        assert_eq!(broken.as_deref(), Some(property));
        self.expected = Some(property);
    }

    // ---- clients

    /// Opens a session at a server; it must serve.
    pub(crate) fn connect(&mut self, at: i64) -> Client {
        let mut client = self.open_new(at);
        self.stage.wait_for(client.site, "a session is created").unwrap();
        self.settle();
        client.session = self.connect_response(client).expect("the server serves").session;
        client
    }

    /// Asks for a new session and waits for nothing.
    pub(crate) fn open_new(&mut self, at: i64) -> Client {
        self.open(at, SessionId(0), Zxid::ZERO)
    }

    /// Connects with a session and waits for nothing.
    pub(crate) fn open(&mut self, server: i64, session: SessionId, last_zxid_seen: Zxid) -> Client {
        let site = self.stage.enter();
        self.stage.open(site, at(server), (session, last_zxid_seen));
        Client { site, session }
    }

    /// How a client was let in, or not, if it has been told.
    pub(crate) fn connect_response(&self, client: Client) -> Option<ConnectResponse> {
        self.stage.client(client.site).welcome().cloned()
    }

    /// The client closes its connection.
    pub(crate) fn close(&mut self, client: Client) {
        self.stage.close(client.site);
    }

    /// Whether a client's connection is no more.
    pub(crate) fn is_closed(&self, client: Client) -> bool {
        !self.stage.world().client_is_connected(client.site)
    }

    /// Sends a request and waits for nothing.
    pub(crate) fn send(&mut self, client: Client, request: Request) -> i32 {
        self.stage.ask(client.site, request)
    }

    pub(crate) fn has_answer(&self, client: Client) -> bool {
        self.stage.client(client.site).answers().next().is_some()
    }

    /// The next answer, if it is there.
    pub(crate) fn answer(&mut self, client: Client) -> Option<Answer> {
        self.stage.take_answer(client.site)
    }

    /// Sends a request and waits for its answer, and until nothing more is due at that moment.
    pub(crate) fn ask(&mut self, client: Client, request: Request) -> Answer {
        let sent = self.send(client, request);
        self.stage.wait_for(client.site, "the request is answered").unwrap();
        self.settle();
        let answer = self.answer(client).expect("the server kept the connection");
        assert_eq!(answer.xid, sent, "answers come in the order of the requests");
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
        self.ask(client, Request::Sync { path: path.to_owned() }).response?;
        self.read_local(client, path)
    }

    /// `getData` alone.
    pub(crate) fn read_local(&mut self, client: Client, path: &str) -> Result<String, i32> {
        let response = self.ask(client, get(path)).response?;
        let Response::Data(data, _) = response else { panic!("getData was answered with {response:?}") };
        Ok(String::from_utf8(data.unwrap_or_default()).unwrap())
    }
}

impl Drop for Stage {
    /// Whatever a test is about: no property is broken but the one that a planted bug is there to break, no server
    /// ends itself, no client is lied to.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert_eq!(self.stage.complaint(), None);
        let broken = self.stage.broken();
        let property = broken.as_ref().map(|(property, _)| property.as_str());
        assert_eq!(property, self.expected, "{broken:?}");
    }
}
