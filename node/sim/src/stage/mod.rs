//! A stage: a world, clients that do what they are told to, and everything that has happened so far. Whoever
//! directs it says what is done, stops it where something happens, looks around, and goes on.
//!
//! Two direct it: the hand-written scripts ([`crate::script`]) and the tests of the protocol's clauses
//! (`tests/protocol`). Nothing is drawn here; worlds that are come from [`crate::run`].

mod client;

pub use client::{Answer, Client, Link};

use crate::world::{Action, Entry, Settings, Site, World};
use std::collections::BTreeMap;
use zab_core::Event;
use zab_wire::client::{Acl, Request};
use zab_wire::{SessionId, Zxid};

/// How long is waited for anything, ms.
pub const PATIENCE_MS: u64 = 60_000;
/// Nothing takes so many events.
const EVENTS_MAX: u64 = 1_000_000;

/// What is waited for happens, or does not: then what it was, in one sentence.
pub type Done = Result<(), String>;

/// A world and its clients.
#[derive(Debug, Clone)]
pub struct Stage {
    world: World,
    clients: BTreeMap<Site, Client>,
    entries: Vec<Entry>,
}

impl Stage {
    /// A world in which no server has started.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut world = World::new(settings);
        world.keep_journal();
        Self { world, clients: BTreeMap::new(), entries: Vec::new() }
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Everything that has happened so far.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Everything that has happened, for who is done.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The property that was broken, and what happened.
    #[must_use]
    pub fn broken(&self) -> Option<(String, String)> {
        let violation =
            self.world.violation().map(|broken| (broken.property.to_owned(), broken.what.clone()));
        let fatal = self.world.fatal().first().map(|(at, why)| {
            ("NoServerContradictsItself".to_owned(), format!("server {} ended itself: {why}", at + 1))
        });
        violation.or(fatal)
    }

    // ---- what is done

    /// Does something to the world.
    pub fn act(&mut self, action: Action) {
        self.world.act(action);
        self.collect();
    }

    /// Hands a server what no honest peer would send ([`World::inject`]).
    pub fn inject(&mut self, at: u16, event: Event) {
        self.world.inject(at, event);
        self.collect();
    }

    /// Takes the last voter's vote away ([`World::demote_last_voter`]).
    pub fn demote_last_voter(&mut self) {
        self.world.demote_last_voter();
    }

    // ---- time

    /// Clients hear what there is to hear. Gives what happened since the last time.
    fn collect(&mut self) -> &[Entry] {
        while let Some((site, event)) = self.world.next_client_event() {
            if let Some(client) = self.clients.get_mut(&site) {
                client.hears(event);
            }
        }
        let known = self.entries.len();
        self.entries.append(&mut self.world.take_journal());
        &self.entries[known..]
    }

    /// Lets the next thing happen, if it is due within so much time; says whether it was.
    pub fn step_within(&mut self, ms: u64) -> bool {
        let until_us = self.world.now_us() + ms * 1_000;
        let due = self.world.next_at_us().is_some_and(|at_us| at_us <= until_us);
        if due {
            self.world.fire_next();
            self.collect();
        }
        due
    }

    /// Whether nothing is due now.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.world.next_at_us().is_none_or(|at_us| at_us > self.world.now_us())
    }

    /// Lets everything happen that is due now; no time passes.
    ///
    /// # Errors
    /// The world does not come to rest.
    pub fn settle(&mut self) -> Done {
        self.run(0)
    }

    /// Lets so much time pass, and everything happen that is due in it.
    ///
    /// # Errors
    /// The world does not come to rest.
    pub fn run(&mut self, ms: u64) -> Done {
        let until_us = self.world.now_us() + ms * 1_000;
        let mut events = 0;
        while self.world.next_at_us().is_some_and(|at_us| at_us <= until_us) {
            self.world.fire_next();
            self.collect();
            events += 1;
            if events > EVENTS_MAX {
                return Err(format!("the world does not come to rest at {} ms", self.world.now_us() / 1_000));
            }
        }
        self.world.advance_to_us(until_us);
        Ok(())
    }

    /// Goes on, event by event, until `done` says so of what the last one left in the journal.
    ///
    /// # Errors
    /// It was waited for in vain.
    pub fn go_on(&mut self, what: &str, mut done: impl FnMut(&Self, &[Entry]) -> bool) -> Done {
        let until_us = self.world.now_us() + PATIENCE_MS * 1_000;
        let mut events = 0;
        let mut known = self.entries.len();
        while !done(self, &self.entries[known..]) {
            let comes = self.world.next_at_us().is_some_and(|at_us| at_us <= until_us);
            events += 1;
            if !comes || events > EVENTS_MAX {
                let rests = self.world.next_at_us().is_none();
                let how =
                    if rests { "nothing more is to come".to_owned() } else { format!("{PATIENCE_MS} ms") };
                return Err(format!("waited in vain ({how}) until {what}"));
            }
            known = self.entries.len();
            self.world.fire_next();
            self.collect();
        }
        Ok(())
    }

    // ---- clients

    /// A new client; it is not connected.
    ///
    /// # Panics
    /// There are 65,536 clients.
    pub fn enter(&mut self) -> Site {
        let number = u16::try_from(self.clients.len()).expect("no story has so many clients");
        let site = self.world.client(number);
        self.clients.insert(site, Client::new(site));
        site
    }

    /// A client.
    ///
    /// # Panics
    /// No such client has entered.
    #[must_use]
    pub fn client(&self, site: Site) -> &Client {
        self.clients.get(&site).expect("clients enter before they do anything")
    }

    fn client_mut(&mut self, site: Site) -> (&mut Client, &mut World) {
        let client = self.clients.get_mut(&site).expect("clients enter before they do anything");
        (client, &mut self.world)
    }

    /// A client connects, and waits for nothing. The session is one that it knows, with the newest zxid seen
    /// in it, or `(0, 0)` for a new one.
    pub fn open(&mut self, site: Site, at: u16, session: (SessionId, Zxid)) {
        let (client, world) = self.client_mut(site);
        client.open(world, at, session);
        self.collect();
    }

    /// A client closes its connection.
    pub fn close(&mut self, site: Site) {
        let (client, world) = self.client_mut(site);
        client.close(world);
        self.collect();
    }

    /// A client asks, and waits for nothing; gives the request's xid. What is asked without a connection is
    /// lost.
    pub fn ask(&mut self, site: Site, request: Request) -> i32 {
        let (client, world) = self.client_mut(site);
        let xid = client.ask(world, request);
        self.collect();
        xid
    }

    /// Goes on until a client has every answer, or will get no more.
    ///
    /// # Errors
    /// Neither comes about.
    pub fn wait_for(&mut self, site: Site, what: &str) -> Done {
        self.go_on(what, |stage, _| !stage.client(site).waits())
    }

    /// The next answer that nobody has taken.
    pub fn take_answer(&mut self, site: Site) -> Option<Answer> {
        self.client_mut(site).0.answers.pop_front()
    }

    /// The first client whose server broke the rules, and which.
    #[must_use]
    pub fn complaint(&self) -> Option<(Site, &str)> {
        self.clients.iter().find_map(|(site, client)| Some((*site, client.complaint()?)))
    }
}

/// A request to create a node.
#[must_use]
pub fn create(path: &str, data: &str) -> Request {
    let data = Some(data.as_bytes().to_vec());
    Request::Create { path: path.to_owned(), data, acl: Acl::open(), flags: 0, with_stat: false }
}

/// A request to set a node's data, whatever its version.
#[must_use]
pub fn set(path: &str, data: &str) -> Request {
    Request::SetData { path: path.to_owned(), data: Some(data.as_bytes().to_vec()), version: -1 }
}

/// A request for a node's data.
#[must_use]
pub fn get(path: &str) -> Request {
    Request::GetData { path: path.to_owned(), watch: false }
}
