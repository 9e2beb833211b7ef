//! The world: machines, the network between them, and time that passes only from event to event.
//!
//! What happens is decided by three things: the [`Settings`], the [`Action`]s that are done to the world
//! from outside (crashes, cuts, clients' requests), and nothing else. How long a message travels is a
//! function of the seed, the link and the time, not the next number of a generator: leaving one action out
//! does not change what has nothing to do with it.
//!
//! Rooms: `agenda` what is due when · `wire` connections · `votes` election ports · `host`, `disk`, `clock`
//! a machine · `network` how things travel · `process` what a server's process does · `action` what is done
//! from outside · `clients` the clients' ends · `peek` what is under way · `journal` what is written down ·
//! `census` what is counted · `untimed` the same world without an order of time, for [`crate::explore`].
//!
//! What servers learn later joins here: new messages travel by themselves (a lane carries any
//! [`zab_wire::quorum::QuorumMessage`] and any frame), new effects are a case in `process`, new promises a
//! file in [`crate::properties`].

mod action;
mod agenda;
mod census;
mod clients;
mod clock;
mod cuts;
mod disk;
mod host;
mod journal;
mod network;
mod peek;
mod process;
mod settings;
mod store;
mod untimed;
mod votes;
mod wire;

pub use action::Action;
pub use agenda::Due;
pub use census::{Census, Purpose, Sent, Traffic};
pub use clients::ClientEvent;
pub use journal::{Entry, Record, describe};
pub use settings::{Range, Regions, Settings};
pub use wire::{Side, Site, WireId};
pub use zab_core::Bug;

pub(crate) use clock::BEGAN_WALL_MS;

use crate::dice::hash;
use crate::properties::{self, Ledger, Seen, Violation};
use agenda::Agenda;
use clock::Clock;
use cuts::Cuts;
use host::Host;
use journal::Journal;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use votes::VoteLine;
use wire::Wire;
use zab_core::{Effect, Ensemble, Server};
use zab_wire::ServerId;
use zab_wire::election::PeerState;

/// When the world begins, us. Not 0, so that no deadline lies before it.
const BEGIN_US: u64 = 1_000_000;

/// What has been done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events given to servers.
    pub steps: u64,
    /// Messages between servers that arrived, votes among them.
    pub messages: u64,
    /// Votes that arrived.
    pub votes: u64,
    /// Batches made durable.
    pub batches: u64,
    /// Processes that ended: by an action, or by themselves.
    pub deaths: u64,
}

/// What a link from one site to another has kept back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Messages, votes and connection attempts that waited at a cut or were lost there.
    pub held: u64,
    /// Connections that were reset.
    pub resets: u64,
}

/// A world.
#[derive(Debug, Clone)]
pub struct World {
    settings: Settings,
    ensemble: Ensemble,
    now_us: u64,
    agenda: Agenda,
    hosts: Vec<Host>,
    wires: BTreeMap<WireId, Wire>,
    next_wire: u32,
    votes: BTreeMap<(u16, u16), VoteLine>,
    cuts: Cuts,
    /// What faults of links came to: evidence, no part of the state.
    links: BTreeMap<(Site, Site), LinkCounts>,
    /// The wire of each client, if it has one.
    client_wires: BTreeMap<Site, WireId>,
    client_events: VecDeque<(Site, ClientEvent)>,
    ledger: Ledger,
    violation: Option<Violation>,
    /// Servers that ended themselves, and why.
    pub(crate) fatal: Vec<(u16, String)>,
    journal: Journal,
    census: Option<Census>,
    /// All servers start at this moment.
    together: bool,
    counters: Counters,
    trace_hash: u64,
    /// Kept to be used again.
    effects: Vec<Effect>,
    seen: Vec<Seen>,
}

impl World {
    /// A world in which no server has started.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let hosts = (0..settings.servers()).map(|at| Host::new(clock(&settings, at))).collect();
        Self {
            ensemble: ensemble(&settings),
            now_us: BEGIN_US,
            agenda: Agenda::default(),
            hosts,
            wires: BTreeMap::new(),
            next_wire: 0,
            votes: BTreeMap::new(),
            cuts: Cuts::default(),
            links: BTreeMap::new(),
            client_wires: BTreeMap::new(),
            client_events: VecDeque::new(),
            ledger: Ledger::new(settings.voters, settings.servers()),
            violation: None,
            fatal: Vec::new(),
            journal: Journal::default(),
            census: None,
            together: false,
            counters: Counters::default(),
            trace_hash: 0,
            effects: Vec::new(),
            seen: Vec::new(),
            settings,
        }
    }

    /// Makes the last voter an observer, for processes that start from now on; until all have, nobody knows
    /// what is a quorum. The properties go on to count it as a voter: its log may hold what was given up.
    pub fn demote_last_voter(&mut self) {
        self.settings.voters -= 1;
        self.settings.observers += 1;
        self.ensemble = ensemble(&self.settings);
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The time, us; it begins with a second.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// What has been done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Stands for everything that has happened: two runs with the same number were the same.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace_hash
    }

    /// The first property that was broken, if any was.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// What the properties know.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Servers that ended themselves because their own state contradicted itself, and why.
    #[must_use]
    pub fn fatal(&self) -> &[(u16, String)] {
        &self.fatal
    }

    /// A server's process, if it runs.
    #[must_use]
    pub fn server(&self, at: u16) -> Option<&Server> {
        self.hosts[usize::from(at)].server.as_ref()
    }

    /// Whether a server's process is stopped (SIGSTOP).
    #[must_use]
    pub fn is_paused(&self, at: u16) -> bool {
        self.hosts[usize::from(at)].paused
    }

    /// The server that leads, is established and not paused, in the newest epoch.
    #[must_use]
    pub fn leader(&self) -> Option<u16> {
        (0..self.settings.voters)
            .filter(|at| !self.is_paused(*at))
            .filter_map(|at| Some((at, self.server(at)?)))
            .filter(|(_, server)| server.peer_state() == PeerState::Leading && server.serving())
            .max_by_key(|(_, server)| server.epoch())
            .map(|(at, _)| at)
    }

    /// Whether a server serves clients and is not paused.
    #[must_use]
    pub fn serves(&self, at: u16) -> bool {
        !self.is_paused(at) && self.server(at).is_some_and(Server::serving)
    }

    /// What the link from one site to another has kept back so far.
    #[must_use]
    pub fn link(&self, from: Site, to: Site) -> LinkCounts {
        self.links.get(&(from, to)).copied().unwrap_or_default()
    }

    /// How many processes have run on a server's machine so far.
    #[must_use]
    pub fn processes(&self, at: u16) -> u32 {
        self.hosts[usize::from(at)].process
    }

    /// How many events wait for a paused server to go on.
    #[must_use]
    pub fn waiting(&self, at: u16) -> usize {
        self.hosts[usize::from(at)].inbox.len()
    }

    /// When the next thing happens by itself, us.
    #[must_use]
    pub fn next_at_us(&self) -> Option<u64> {
        self.agenda.next_at_us()
    }

    /// Lets the next thing happen; false when nothing is to come.
    pub fn fire_next(&mut self) -> bool {
        let Some((at_us, due)) = self.agenda.take() else { return false };
        self.now_us = self.now_us.max(at_us);
        self.fire(due);
        true
    }

    /// Lets everything happen that is due up to a time, and moves the time there.
    pub fn run_until_us(&mut self, until_us: u64) {
        while self.next_at_us().is_some_and(|at_us| at_us <= until_us) {
            self.fire_next();
        }
        self.now_us = self.now_us.max(until_us);
    }

    /// Moves the time to `us`; nothing may be due before.
    pub fn advance_to_us(&mut self, us: u64) {
        debug_assert!(self.next_at_us().is_none_or(|at_us| at_us >= us), "something is due before {us} us");
        self.now_us = self.now_us.max(us);
    }

    fn fire(&mut self, due: Due) {
        match due {
            Due::Lane(wire, side) => self.lane_arrives(wire, side),
            Due::Vote(from, to) => self.vote_arrives(from, to),
            Due::Dial(wire, tries) => self.dial_arrives(wire, tries),
            Due::Disk(at, process) => self.disk_is_done(at, process),
            Due::Timer(at, process) => self.timer_rings(at, process),
        }
    }

    /// Something that the properties have an opinion on.
    fn see(&mut self, seen: &Seen) {
        if let Err(violation) = properties::see(&mut self.ledger, seen) {
            self.journal.note(self.now_us, || Record::Violated(violation.clone()));
            self.violation.get_or_insert(violation);
        }
    }

    /// How long something takes from one site to another, now.
    fn delay_us(&self, from: Site, to: Site) -> u64 {
        let Settings { seed, delay_us: (least, most), straggle_permille, straggle_us, .. } = self.settings;
        let chance = hash([seed, u64::from(from.0) << 16 | u64::from(to.0), self.now_us, 1]);
        let mut delay_us = least + chance % (most - least + 1);
        if straggle_permille > 0 && (chance >> 32) % 1_000 < straggle_permille {
            delay_us += (chance >> 42) % (straggle_us + 1);
        }
        delay_us + self.settings.regions.distance_us(from.0, to.0)
    }

    /// Follows what happens closely, for scripts and diagrams.
    pub fn keep_journal(&mut self) {
        self.journal.keep();
    }

    /// Writes down what servers tell of themselves: starts, transitions, ends. Cheap enough for long runs.
    pub fn keep_milestones(&mut self) {
        self.journal.keep_milestones();
    }

    /// Counts from now on what is sent; what was counted before is given back.
    pub fn take_census(&mut self, next: Census) -> Option<Census> {
        self.census.replace(next)
    }

    /// What was counted, if anything is.
    #[must_use]
    pub fn census(&self) -> Option<&Census> {
        self.census.as_ref()
    }

    /// What has happened since this was last asked.
    pub fn take_journal(&mut self) -> Vec<Entry> {
        self.journal.take()
    }

    /// How often each transition was reached, by name and branch.
    #[must_use]
    pub fn reached(&self) -> &BTreeMap<(&'static str, &'static str), u64> {
        self.journal.reached()
    }

    fn hash_in(&mut self, words: [u64; 3]) {
        self.trace_hash = hash([self.trace_hash, words[0], words[1], words[2]]);
    }
}

/// What the server is called in the protocol.
#[must_use]
pub fn id_of(at: u16) -> ServerId {
    ServerId(i64::from(at) + 1)
}

/// The number of the server of this name.
#[must_use]
pub fn at_of(id: ServerId) -> Option<u16> {
    u16::try_from(id.0 - 1).ok()
}

fn clock(settings: &Settings, at: u16) -> Clock {
    let chance = hash([settings.seed, u64::from(at), 0, 2]);
    let drift_ppm = settings.drift_ppm.min(900_000);
    let rate_ppm = 1_000_000 - drift_ppm + chance % (2 * drift_ppm + 1);
    let offset_us = if drift_ppm == 0 { 0 } else { (chance >> 32) % 10_000_000 };
    Clock::new(rate_ppm, offset_us)
}

/// Who votes, and who observes.
fn ensemble(settings: &Settings) -> Ensemble {
    let ids = |range: std::ops::Range<u16>| range.map(id_of);
    Ensemble::with_observers(ids(0..settings.voters), ids(settings.voters..settings.servers()))
}

/// The configuration of a server.
fn config(settings: &Settings, ensemble: &Ensemble, at: u16, text: &Arc<str>) -> zab_core::Config {
    zab_core::Config {
        me: id_of(at),
        ensemble: ensemble.clone(),
        timing: settings.timing(),
        config_text: text.to_string(),
        commit_log_count: settings.commit_log_count,
        snap_count: settings.snap_count,
        bug: settings.bug,
    }
}
