//! The journal in lines: `1 -> 2  PROPOSAL 0x1`, `2: leader.established epoch=1 …`.

use crate::world::{Entry, Record, describe};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use zab_wire::client::{ConnectResponse, ErrorCode, OpCode, ReplyHeader};
use zab_wire::jute::{Reader, Record as _};
use zab_wire::quorum::QuorumMessage;

/// What the sites are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names {
    /// The servers: `1`, `2`, …
    pub(crate) servers: u16,
    /// Behind them the workers: `w1`, …; and then the sessions: `s1`, …
    pub(crate) workers: u16,
}

impl Names {
    /// Whether a client is a worker: those connect by themselves, again and again, and nobody wants to read it.
    pub(crate) fn is_worker(&self, site: u16) -> bool {
        site.checked_sub(self.servers).is_some_and(|number| number < self.workers)
    }

    pub(crate) fn is_server(self, site: u16) -> bool {
        site < self.servers
    }

    pub(crate) fn of(self, site: u16) -> String {
        match (site.checked_sub(self.servers), site.checked_sub(self.servers + self.workers)) {
            (_, Some(session)) => format!("s{}", session + 1),
            (Some(worker), None) => format!("w{}", worker + 1),
            (None, None) => (site + 1).to_string(),
        }
    }
}

/// Which server each client is connected to, and what its next frame is: the journal does not repeat it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(BTreeMap<u16, (u16, bool)>);

impl Connections {
    /// A client connects.
    pub(crate) fn connects(&mut self, client: u16, server: u16) {
        self.0.insert(client, (server, true));
    }

    /// The server of a client.
    pub(crate) fn server(&self, client: u16) -> Option<u16> {
        self.0.get(&client).map(|(server, _)| *server)
    }

    /// What a frame says to a client.
    pub(crate) fn frame(&mut self, client: u16, frame: &[u8]) -> String {
        let first = self.0.get_mut(&client).is_some_and(|(_, first)| std::mem::take(first));
        if first {
            return match ConnectResponse::from_slice(frame) {
                Ok(welcome) if welcome.session.0 != 0 => "welcome".to_owned(),
                Ok(_) => "the session has expired".to_owned(),
                Err(error) => format!("nonsense ({error})"),
            };
        }
        match ReplyHeader::decode(&mut Reader::new(frame)) {
            Ok(header) => format!("answer {} {} at {}", header.xid, outcome(header.error), header.zxid),
            Err(error) => format!("nonsense ({error})"),
        }
    }
}

/// An answer's error code by name.
pub(super) fn outcome(code: i32) -> Cow<'static, str> {
    match ErrorCode::from_code(code) {
        _ if code == 0 => "ok".into(),
        Some(code) => code.name().into(),
        None => format!("error {code}").into(),
    }
}

/// An operation by name.
pub(crate) fn operation(op: i32) -> Cow<'static, str> {
    OpCode::from_code(op).map_or_else(|| format!("op {op}").into(), |op| op.name().into())
}

/// What is shown of votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Votes {
    Hidden,
    Counted,
    Each,
}

/// Turns entries into lines.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    names: Names,
    connections: Connections,
    pub(super) pings: bool,
    pub(super) votes: Votes,
    clients: bool,
    /// Nothing but a broken property is shown.
    pub(super) silent: bool,
    counted: u64,
    /// The last record was an action: that a killed server ends goes without saying.
    acted: bool,
    out: String,
}

impl Lines {
    /// Servers only; neither pings nor votes.
    pub(super) fn of_servers(servers: u16) -> Self {
        Self {
            names: Names { servers, workers: 0 },
            connections: Connections::default(),
            pings: false,
            votes: Votes::Hidden,
            clients: false,
            silent: false,
            counted: 0,
            acted: false,
            out: String::new(),
        }
    }

    /// Clients, too, and how many votes there were.
    pub(super) fn of_run(servers: u16, workers: u16) -> Self {
        let names = Names { servers, workers };
        Self { names, votes: Votes::Counted, clients: true, ..Self::of_servers(servers) }
    }

    /// The lines so far.
    pub(super) fn take(&mut self) -> String {
        self.tell_votes();
        std::mem::take(&mut self.out)
    }

    /// Any line.
    pub(super) fn say(&mut self, line: &str) {
        self.tell_votes();
        writeln!(self.out, "{line}").expect("a string takes everything");
    }

    fn tell_votes(&mut self) {
        match std::mem::take(&mut self.counted) {
            0 => {}
            1 => self.out += "(1 vote)\n",
            votes => self.out += &format!("({votes} votes)\n"),
        }
    }

    /// An entry of the journal.
    pub(super) fn add(&mut self, entry: &Entry) {
        let acted = std::mem::replace(&mut self.acted, matches!(entry.record, Record::Action(_)));
        match &entry.record {
            Record::Vote(..) if self.votes == Votes::Hidden => {}
            Record::Vote(..) if self.votes == Votes::Counted => self.counted += 1,
            Record::Message(_, _, QuorumMessage::Ping { .. }) if !self.pings => {}
            // Each start says so itself; a client's end of a connection is told by what it asks and hears.
            Record::Action(_) | Record::Started(..) | Record::Closes(_) => {}
            Record::Message(..) | Record::Vote(..) | Record::Trace(..) | Record::Ended(..) if self.silent => {
            }
            Record::Ended(..) if acted => {}
            Record::Connects(client, server, _) => {
                self.connections.connects(*client, *server);
                if self.names.is_worker(*client) {
                    return;
                }
                self.add_of_client(*client, |names, _| {
                    format!("{} -> {}  connect", names.of(*client), names.of(*server))
                });
            }
            Record::Request(client, header) => self.add_of_client(*client, |names, connections| {
                let server = connections.server(*client).map_or_else(|| "?".to_owned(), |at| names.of(at));
                let name = operation(header.op);
                format!("{} -> {server}  {name} {}", names.of(*client), header.xid)
            }),
            Record::Frame(client, frame) => self.add_of_client(*client, |names, connections| {
                let server = connections.server(*client).map_or_else(|| "?".to_owned(), |at| names.of(at));
                format!("{server} -> {}  {}", names.of(*client), connections.frame(*client, frame))
            }),
            Record::Lost(client) if self.names.is_worker(*client) => {}
            Record::Lost(client) => {
                self.add_of_client(*client, |names, _| format!("{}: its connection broke", names.of(*client)))
            }
            record @ (Record::Refused(..)
            | Record::Ended(..)
            | Record::Fatal(..)
            | Record::DiskFailed(..)
            | Record::Trace(..)
            | Record::Message(..)
            | Record::Vote(..)
            | Record::Violated(_)) => {
                let line = line(self.names, record);
                self.say(&line);
            }
        }
    }

    fn add_of_client(&mut self, client: u16, line: impl FnOnce(Names, &mut Connections) -> String) {
        debug_assert!(!self.names.is_server(client), "clients come behind the servers");
        let line = line(self.names, &mut self.connections);
        if self.clients {
            self.say(&line);
        }
    }
}

/// A record in one line.
fn line(names: Names, record: &Record) -> String {
    let name = |site: u16| names.of(site);
    match record {
        Record::Action(action) => action.to_string(),
        Record::Started(at, last) => format!("{}: starts with {last}", name(*at)),
        Record::Refused(at, why) => format!("{}: refuses to start: {why}", name(*at)),
        Record::Ended(at, _) => format!("{}: is dead", name(*at)),
        Record::Fatal(at, why) => format!("{}: ends itself: {why}", name(*at)),
        Record::DiskFailed(at, why) => format!("{}: ends: {why}", name(*at)),
        Record::Trace(at, trace) => format!("{}: {trace}", name(*at)),
        Record::Message(from, to, message) => {
            format!("{} -> {}  {}", name(*from), name(*to), describe(message))
        }
        Record::Vote(from, to, vote) => format!(
            "{} -> {}  vote for {} round={} zxid={} epoch={} {}",
            name(*from),
            name(*to),
            vote.leader.0,
            vote.election_epoch,
            vote.zxid,
            vote.peer_epoch,
            vote.state.name(),
        ),
        Record::Connects(client, at, _) => format!("{} -> {}  connect", name(*client), name(*at)),
        Record::Closes(client) => format!("{}: closes its connection", name(*client)),
        Record::Lost(client) => format!("{}: its connection broke", name(*client)),
        Record::Frame(client, _) => format!("{}: is answered", name(*client)),
        Record::Request(client, header) => format!("{}: asks {}", name(*client), header.xid),
        Record::Violated(violation) => format!("broken: {}: {}", violation.property, violation.what),
    }
}
