//! Where a hand-written script is played: a world in which nothing takes time but what the protocol waits for.

use super::client::{Answer, Client, Link};
use super::command::{Command, server_of};
use super::lines::{Lines, Votes};
use crate::world::{Action, Entry, Record, Settings, World, describe};
use std::collections::BTreeMap;
use zab_wire::client::{Acl, Request, Response};
use zab_wire::quorum::QuorumMessage;
use zab_wire::{SessionId, Zxid};

/// How long is waited for anything, ms.
const PATIENCE_MS: u64 = 60_000;
/// No command takes so many events.
const EVENTS_MAX: u64 = 1_000_000;

pub(super) struct Stage {
    world: World,
    clients: BTreeMap<String, Client>,
    lines: Lines,
    entries: Vec<Entry>,
}

type Done = Result<(), String>;

impl Stage {
    pub(super) fn new(settings: Settings) -> Self {
        let lines = Lines::of_servers(settings.servers());
        let mut world = World::new(settings);
        world.keep_journal();
        Self { world, clients: BTreeMap::new(), lines, entries: Vec::new() }
    }

    /// The property that was broken, and what happened.
    pub(super) fn broken(&self) -> Option<(String, String)> {
        let violation =
            self.world.violation().map(|broken| (broken.property.to_owned(), broken.what.clone()));
        let fatal = self.world.fatal().first().map(|(at, why)| {
            ("NoServerContradictsItself".to_owned(), format!("server {} ended itself: {why}", at + 1))
        });
        violation.or(fatal)
    }

    /// Everything that happened so far.
    pub(super) fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    pub(super) fn servers(&self) -> u16 {
        self.world.settings().servers()
    }

    /// Does what a command says, and gives the journal of it.
    pub(super) fn perform(&mut self, command: &Command) -> Result<String, String> {
        match command {
            Command::Servers(_) => return Err("a script has one world".to_owned()),
            Command::Act(actions) => self.act(actions)?,
            Command::Run { ms } => self.run_until_us(self.world.now_us() + ms * 1_000)?,
            Command::Settle => self.run_until_us(self.world.now_us())?,
            Command::Until { server, words } => self.until(*server, words)?,
            Command::UntilMessage { from, to, words } => self.until_message(*from, *to, words)?,
            Command::BeforeMessage { from, to, words } => self.before_message(*from, *to, words)?,
            Command::Disk(at) => self.tell_disk(*at)?,
            Command::Open { client, server, session_of } => {
                self.open(client, *server, session_of.as_deref())?;
            }
            Command::Close(client) => {
                let (client, world) = self.client(client)?;
                client.close(world);
            }
            Command::Create { client, path, data } => {
                let data = Some(data.as_bytes().to_vec());
                let (path, acl) = (path.clone(), Acl::open());
                self.ask(client, Request::Create { path, data, acl, flags: 0, with_stat: false })?;
            }
            Command::Set { client, path, data } => {
                let data = Some(data.as_bytes().to_vec());
                self.ask(client, Request::SetData { path: path.clone(), data, version: -1 })?;
            }
            Command::Read { client, path } => {
                let synced = self.ask_and_wait(client, Request::Sync { path: path.clone() })?;
                match synced {
                    Some(Answer { response: Err(error), .. }) => {
                        self.lines.say(&format!("{client} sync {path}: {error}"));
                    }
                    Some(_) => self.get(client, "read", path)?,
                    None => self.lines.say(&format!("{client} is disconnected")),
                }
            }
            Command::Get { client, path } => self.get(client, "get", path)?,
            Command::Answers(client) => self.tell_answers(client)?,
            Command::ShowPings(on) => self.lines.pings = *on,
            Command::ShowJournal(on) => self.lines.silent = !*on,
            Command::ShowVotes(on) => self.lines.votes = if *on { Votes::Each } else { Votes::Hidden },
        }
        self.collect();
        match self.clients.iter().find_map(|(name, client)| Some((name, client.complaint.as_ref()?))) {
            Some((name, complaint)) => Err(format!("client {name} complains: {complaint}")),
            None => Ok(self.lines.take()),
        }
    }

    fn act(&mut self, actions: &[Action]) -> Done {
        for action in actions {
            if let Some(at) = server_of(*action) {
                self.known(at)?;
            }
            self.world.act(*action);
            self.collect();
        }
        Ok(())
    }

    /// A server of this world.
    fn known(&self, at: u16) -> Done {
        if at < self.servers() { Ok(()) } else { Err(format!("there is no server {}", at + 1)) }
    }

    // ---- time

    /// Clients hear what there is to hear, and the journal goes into lines.
    fn collect(&mut self) -> &[Entry] {
        while let Some((site, event)) = self.world.next_client_event() {
            if let Some(client) = self.clients.values_mut().find(|client| client.site == site) {
                client.hears(event);
            }
        }
        let known = self.entries.len();
        self.entries.append(&mut self.world.take_journal());
        self.entries[known..].iter().for_each(|entry| self.lines.add(entry));
        &self.entries[known..]
    }

    fn run_until_us(&mut self, until_us: u64) -> Done {
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
    fn go_on(&mut self, what: &str, mut done: impl FnMut(&Self, &[Entry]) -> bool) -> Done {
        let until_us = self.world.now_us() + PATIENCE_MS * 1_000;
        let mut events = 0;
        self.collect();
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

    fn until(&mut self, server: u16, words: &[String]) -> Done {
        self.known(server)?;
        let what = format!("server {} reaches {}", server + 1, words.join(" "));
        let reached = |entry: &Entry| {
            let Record::Trace(at, trace) = &entry.record else { return false };
            let line = trace.to_string();
            *at == server
                && trace.name() == words[0]
                && words[1..].iter().all(|word| line.split(' ').any(|other| other == word))
        };
        self.go_on(&what, |_, entries| entries.iter().any(reached))
    }

    fn until_message(&mut self, from: u16, to: u16, words: &str) -> Done {
        self.known(from).and(self.known(to))?;
        let what = format!("{words} gets from server {} to {}", from + 1, to + 1);
        let arrived = |entry: &Entry| {
            let Record::Message(by, at, message) = &entry.record else { return false };
            (*by, *at) == (from, to) && is(message, words)
        };
        self.go_on(&what, |_, entries| entries.iter().any(arrived))
    }

    fn before_message(&mut self, from: u16, to: u16, words: &str) -> Done {
        self.known(from).and(self.known(to))?;
        let what = format!("{words} is to get from server {} to {}", from + 1, to + 1);
        self.go_on(&what, |stage, _| {
            let next = stage.world.next_message();
            next.is_some_and(|(by, at, message)| (by, at) == (from, to) && is(message, words))
        })
    }

    // ---- disks

    fn tell_disk(&mut self, at: u16) -> Done {
        self.known(at)?;
        let page = self.world.ledger().server(at);
        let log = match (page.durable.first_key_value(), page.durable.last_key_value()) {
            (Some((first, _)), Some((last, _))) => format!("{first} to {last}"),
            _ => "nothing".to_owned(),
        };
        let base = match page.durable_base {
            Zxid::ZERO => String::new(),
            base => format!("a snapshot of {base}, "),
        };
        let (accepted, current) = page.epochs;
        self.lines.say(&format!(
            "{} has on disk: {base}log {log}, acceptedEpoch {accepted}, currentEpoch {current}",
            at + 1
        ));
        Ok(())
    }

    // ---- clients

    fn client(&mut self, name: &str) -> Result<(&mut Client, &mut World), String> {
        let client = self.clients.get_mut(name);
        let client =
            client.ok_or_else(|| format!("there is no client '{name}': 'open {name} N' makes one"))?;
        Ok((client, &mut self.world))
    }

    fn open(&mut self, name: &str, server: u16, session_of: Option<&str>) -> Done {
        self.known(server)?;
        let session = match session_of {
            Some(other) => self.client(other)?.0.session(),
            None => (SessionId(0), Zxid::ZERO),
        };
        if !self.clients.contains_key(name) {
            let number = u16::try_from(self.clients.len()).map_err(|_many| "too many clients".to_owned())?;
            self.clients.insert(name.to_owned(), Client::new(self.world.client(number)));
        }
        let (client, world) = self.client(name)?;
        client.open(world, server, session);
        self.go_on(&format!("server {} lets client {name} in", server + 1), |stage, _| {
            !stage.clients[name].waits()
        })?;
        match self.clients[name].link {
            Link::Opening | Link::Open => {}
            Link::Expired => self.lines.say(&format!("{name} is told that its session has expired")),
            Link::Gone => self.lines.say(&format!("{name} is turned away")),
        }
        Ok(())
    }

    fn ask(&mut self, name: &str, request: Request) -> Done {
        let (client, world) = self.client(name)?;
        client.ask(world, request);
        Ok(())
    }

    /// The answer, or nothing when the connection broke. Answers that nobody has looked at are told first.
    fn ask_and_wait(&mut self, name: &str, request: Request) -> Result<Option<Answer>, String> {
        let what = format!("client {name} is answered");
        self.go_on(&what, |stage, _| !stage.clients.get(name).is_some_and(Client::waits))?;
        if !self.client(name)?.0.answers.is_empty() {
            self.tell_answers(name)?;
        }
        self.ask(name, request)?;
        self.go_on(&what, |stage, _| !stage.clients[name].waits())?;
        Ok(self.client(name)?.0.answers.pop_front())
    }

    fn get(&mut self, name: &str, verb: &str, path: &str) -> Done {
        let answer = self.ask_and_wait(name, Request::GetData { path: path.to_owned(), watch: false })?;
        let said = match answer.map(|answer| answer.response) {
            None => format!("{name} is disconnected"),
            Some(Err(error)) => format!("{name} {verb} {path}: {error}"),
            Some(Ok(Response::Data(data, _))) => {
                format!("{name} {verb} {path}: {:?}", String::from_utf8_lossy(&data.unwrap_or_default()))
            }
            Some(Ok(other)) => return Err(format!("getData was answered with {other:?}")),
        };
        self.lines.say(&said);
        Ok(())
    }

    fn tell_answers(&mut self, name: &str) -> Done {
        let (client, _) = self.client(name)?;
        let link = client.link;
        for Answer { zxid, response } in std::mem::take(&mut client.answers) {
            let outcome = response.err().unwrap_or_else(|| "ok".to_owned());
            self.lines.say(&format!("{name} got {outcome} at {zxid}"));
        }
        if matches!(link, Link::Gone | Link::Expired) {
            self.lines.say(&format!("{name} is disconnected"));
        }
        Ok(())
    }
}

/// Whether a message's line begins with these words.
fn is(message: &QuorumMessage, words: &str) -> bool {
    let line = describe(message);
    line.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
