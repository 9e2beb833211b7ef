//! Who plays a hand-written script: tells the stage what to do, and writes down what comes of it.

use super::command::{Command, server_of};
use super::lines::{Lines, Votes, outcome};
use crate::stage::{Answer, Done, Link, Stage, create, get, set};
use crate::world::{Action, Entry, Record, Settings, Site, describe};
use std::collections::BTreeMap;
use zab_wire::client::{Request, Response};
use zab_wire::quorum::QuorumMessage;
use zab_wire::{SessionId, Zxid};

pub(super) struct Player {
    stage: Stage,
    /// The clients by name.
    clients: BTreeMap<String, Site>,
    lines: Lines,
    /// So many entries of the journal are in lines.
    told: usize,
}

impl Player {
    pub(super) fn new(settings: Settings) -> Self {
        let lines = Lines::of_servers(settings.servers());
        Self { stage: Stage::new(settings), clients: BTreeMap::new(), lines, told: 0 }
    }

    /// The property that was broken, and what happened.
    pub(super) fn broken(&self) -> Option<(String, String)> {
        self.stage.broken()
    }

    /// Everything that happened.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.stage.into_entries()
    }

    pub(super) fn servers(&self) -> u16 {
        self.stage.world().settings().servers()
    }

    /// Does what a command says, and gives the journal of it.
    pub(super) fn perform(&mut self, command: &Command) -> Result<String, String> {
        match command {
            Command::Servers(_) => return Err("a script has one world".to_owned()),
            Command::Act(actions) => self.act(actions)?,
            Command::Run { ms } => self.stage.run(*ms)?,
            Command::Settle => self.stage.settle()?,
            Command::Until { server, words } => self.until(*server, words)?,
            Command::UntilMessage { from, to, words } => self.until_message(*from, *to, words)?,
            Command::BeforeMessage { from, to, words } => self.before_message(*from, *to, words)?,
            Command::Disk(at) => self.tell_disk(*at)?,
            Command::Open { client, server, session_of } => {
                self.open(client, *server, session_of.as_deref())?;
            }
            Command::Close(client) => {
                let site = self.site(client)?;
                self.stage.close(site);
            }
            Command::Create { client, path, data } => self.ask(client, create(path, data))?,
            Command::Set { client, path, data } => self.ask(client, set(path, data))?,
            Command::Read { client, path } => {
                let synced = self.ask_and_wait(client, Request::Sync { path: path.clone() })?;
                match synced {
                    Some(Answer { response: Err(error), .. }) => {
                        self.say(&format!("{client} sync {path}: {}", outcome(error)));
                    }
                    Some(_) => self.get(client, "read", path)?,
                    None => self.say(&format!("{client} is disconnected")),
                }
            }
            Command::Get { client, path } => self.get(client, "get", path)?,
            Command::Answers(client) => self.tell_answers(client)?,
            Command::ShowPings(on) => self.lines.pings = *on,
            Command::ShowJournal(on) => self.lines.silent = !*on,
            Command::ShowVotes(on) => self.lines.votes = if *on { Votes::Each } else { Votes::Hidden },
        }
        self.tell();
        match self.stage.complaint() {
            Some((site, complaint)) => {
                let name = self.clients.iter().find(|(_, known)| **known == site).map(|(name, _)| name);
                let name = name.expect("clients enter by name");
                Err(format!("client {name} complains: {complaint}"))
            }
            None => Ok(self.lines.take()),
        }
    }

    /// What has happened goes into lines.
    fn tell(&mut self) {
        let entries = self.stage.entries();
        entries[self.told..].iter().for_each(|entry| self.lines.add(entry));
        self.told = entries.len();
    }

    /// A line behind all that has happened.
    fn say(&mut self, line: &str) {
        self.tell();
        self.lines.say(line);
    }

    fn act(&mut self, actions: &[Action]) -> Done {
        for action in actions {
            if let Some(at) = server_of(*action) {
                self.known(at)?;
            }
            self.stage.act(*action);
        }
        Ok(())
    }

    /// A server of this world.
    fn known(&self, at: u16) -> Done {
        if at < self.servers() { Ok(()) } else { Err(format!("there is no server {}", at + 1)) }
    }

    // ---- places to stop at

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
        self.stage.go_on(&what, |_, entries| entries.iter().any(reached))
    }

    fn until_message(&mut self, from: u16, to: u16, words: &str) -> Done {
        self.known(from).and(self.known(to))?;
        let what = format!("{words} gets from server {} to {}", from + 1, to + 1);
        let arrived = |entry: &Entry| {
            let Record::Message(by, at, message) = &entry.record else { return false };
            (*by, *at) == (from, to) && is(message, words)
        };
        self.stage.go_on(&what, |_, entries| entries.iter().any(arrived))
    }

    fn before_message(&mut self, from: u16, to: u16, words: &str) -> Done {
        self.known(from).and(self.known(to))?;
        let what = format!("{words} is to get from server {} to {}", from + 1, to + 1);
        self.stage.go_on(&what, |stage, _| {
            let next = stage.world().next_message();
            next.is_some_and(|(by, at, message)| (by, at) == (from, to) && is(message, words))
        })
    }

    // ---- disks

    fn tell_disk(&mut self, at: u16) -> Done {
        self.known(at)?;
        let page = self.stage.world().ledger().server(at);
        let log = match (page.durable.first_key_value(), page.durable.last_key_value()) {
            (Some((first, _)), Some((last, _))) => format!("{first} to {last}"),
            _ => "nothing".to_owned(),
        };
        let base = match page.durable_base {
            Zxid::ZERO => String::new(),
            base => format!("a snapshot of {base}, "),
        };
        let (accepted, current) = page.epochs;
        self.say(&format!(
            "{} has on disk: {base}log {log}, acceptedEpoch {accepted}, currentEpoch {current}",
            at + 1
        ));
        Ok(())
    }

    // ---- clients

    fn site(&self, name: &str) -> Result<Site, String> {
        let site = self.clients.get(name).copied();
        site.ok_or_else(|| format!("there is no client '{name}': 'open {name} N' makes one"))
    }

    fn open(&mut self, name: &str, server: u16, session_of: Option<&str>) -> Done {
        self.known(server)?;
        let session = match session_of {
            Some(other) => self.stage.client(self.site(other)?).session(),
            None => (SessionId(0), Zxid::ZERO),
        };
        let site = *self.clients.entry(name.to_owned()).or_insert_with(|| self.stage.enter());
        self.stage.open(site, server, session);
        self.stage.wait_for(site, &format!("server {} lets client {name} in", server + 1))?;
        match self.stage.client(site).link() {
            Link::Opening | Link::Open => {}
            Link::Expired => self.say(&format!("{name} is told that its session has expired")),
            Link::Gone => self.say(&format!("{name} is turned away")),
        }
        Ok(())
    }

    fn ask(&mut self, name: &str, request: Request) -> Done {
        let site = self.site(name)?;
        self.stage.ask(site, request);
        Ok(())
    }

    /// The answer, or nothing when the connection broke. Answers that nobody has looked at are told first.
    fn ask_and_wait(&mut self, name: &str, request: Request) -> Result<Option<Answer>, String> {
        let site = self.site(name)?;
        let what = format!("client {name} is answered");
        self.stage.wait_for(site, &what)?;
        if self.stage.client(site).answers().next().is_some() {
            self.tell_answers(name)?;
        }
        self.stage.ask(site, request);
        self.stage.wait_for(site, &what)?;
        Ok(self.stage.take_answer(site))
    }

    fn get(&mut self, name: &str, verb: &str, path: &str) -> Done {
        let answer = self.ask_and_wait(name, get(path))?;
        let said = match answer.map(|answer| answer.response) {
            None => format!("{name} is disconnected"),
            Some(Err(error)) => format!("{name} {verb} {path}: {}", outcome(error)),
            Some(Ok(Response::Data(data, _))) => {
                format!("{name} {verb} {path}: {:?}", String::from_utf8_lossy(&data.unwrap_or_default()))
            }
            Some(Ok(other)) => return Err(format!("getData was answered with {other:?}")),
        };
        self.say(&said);
        Ok(())
    }

    fn tell_answers(&mut self, name: &str) -> Done {
        let site = self.site(name)?;
        while let Some(Answer { zxid, response, .. }) = self.stage.take_answer(site) {
            let outcome = outcome(response.err().unwrap_or_default());
            self.say(&format!("{name} got {outcome} at {zxid}"));
        }
        if matches!(self.stage.client(site).link(), Link::Gone | Link::Expired) {
            self.say(&format!("{name} is disconnected"));
        }
        Ok(())
    }
}

/// Whether a message's line begins with these words.
fn is(message: &QuorumMessage, words: &str) -> bool {
    let line = describe(message);
    line.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
