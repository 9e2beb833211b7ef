//! Clients that pipeline requests, take their session from server to server, and judge each answer by what
//! ZooKeeper promises a session: answers in order, its own writes, a view that never goes back, `sync` that
//! brings up to date; and by what all of them together know.
//!
//! A workload's history cannot show these: its clients do one thing at a time and never move a session.

use super::known::{Known, Seen, path};
use crate::properties::Violation;
use crate::world::{ClientEvent, Site, World};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use zab_wire::client::{
    Acl, ConnectRequest, ConnectResponse, ErrorCode, ReplyHeader, Request, RequestHeader, Response,
    session_password,
};
use zab_wire::jute::{Reader, Record, Writer};
use zab_wire::{SessionId, Zxid};

/// Something that such a client is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Connect to a server: with its session, if it has one.
    Connect(u16),
    /// Close the connection.
    HangUp,
    /// Forget the connection without a word.
    Vanish,
    /// Set the own node to a new value.
    Write,
    /// Set the own node and read it straight behind.
    WriteAndRead,
    /// Sync and read a node.
    SyncAndRead(u64),
    /// Sync, set the own node, and read a node.
    SyncWriteRead(u64),
    /// Read a node.
    Read(u64),
}

/// A request under way, and what its answer has to be measured by.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Create,
    Set(u64),
    /// The own node, straight behind this value.
    ReadOwn(u64),
    Sync,
    /// Any node. Behind a `sync`, it may not be older than what was acknowledged before the `sync`.
    Read {
        key: u64,
        acknowledged: Option<u64>,
    },
}

#[derive(Debug)]
struct Session {
    site: Site,
    /// The ConnectResponse is there.
    connected: bool,
    id: SessionId,
    last_zxid_seen: Zxid,
    /// The node that only this client writes, and the last value it sent.
    key: u64,
    created: bool,
    value: u64,
    /// The last value acknowledged on this connection.
    written: Option<u64>,
    asked: VecDeque<(i32, Request, Asked)>,
    /// The newest value read of each node.
    read: BTreeMap<u64, u64>,
    /// Starts again with each connection, as ZooKeeper's C and Java clients do; else it goes on.
    xid_per_connection: bool,
    xid: i32,
}

/// All of them.
#[derive(Debug)]
pub struct Sessions {
    sessions: Vec<Session>,
    /// What all know together.
    pub known: Known,
    violation: Option<Violation>,
}

impl Sessions {
    /// `count` clients with the sites from `first` on.
    #[must_use]
    pub fn new(world: &World, first: u16, count: u16) -> Self {
        let mut known = Known::default();
        let sessions = (0..count)
            .map(|number| Session::new(world.client(first + number), number.is_multiple_of(2), &mut known))
            .collect();
        Self { sessions, known, violation: None }
    }

    /// How many there are.
    ///
    /// # Panics
    /// Never: each has a site, and sites are numbered with 16 bits.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.sessions.len()).expect("sites are numbered with 16 bits")
    }

    /// The first promise that was broken, if any was.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Whether a client has a connection.
    #[must_use]
    pub fn is_connected(&self, world: &World, number: u16) -> bool {
        world.client_is_connected(self.sessions[usize::from(number)].site)
    }

    /// A client does something. What makes no sense now does nothing.
    pub fn act(&mut self, world: &mut World, number: u16, deed: Deed) {
        let session = &mut self.sessions[usize::from(number)];
        match deed {
            Deed::Connect(at) => session.connect(world, at),
            Deed::HangUp => {
                world.client_closes(session.site);
                session.disconnected();
            }
            Deed::Vanish => {
                world.client_vanishes(session.site);
                session.disconnected();
            }
            _ if !session.connected => {}
            _ if !session.created => {
                if session.asked.is_empty() {
                    session.send(world, create(session.key), Asked::Create);
                }
            }
            Deed::Write => session.write(world),
            Deed::WriteAndRead => {
                session.write(world);
                session.send(world, get(session.key), Asked::ReadOwn(session.value));
            }
            Deed::Read(key) => session.send(world, get(key), Asked::Read { key, acknowledged: None }),
            Deed::SyncAndRead(key) | Deed::SyncWriteRead(key) => {
                let acknowledged = self.known.acknowledged(key);
                session.send(world, Request::Sync { path: path(key) }, Asked::Sync);
                if matches!(deed, Deed::SyncWriteRead(_)) {
                    session.write(world);
                }
                session.send(world, get(key), Asked::Read { key, acknowledged });
            }
        }
    }

    /// A client hears something.
    pub fn hears(&mut self, site: Site, event: &ClientEvent) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.site == site) else { return };
        let heard = match event {
            ClientEvent::Lost => {
                session.disconnected();
                Ok(())
            }
            ClientEvent::Frame(frame) if session.connected => session.hears(frame, &mut self.known),
            ClientEvent::Frame(frame) => session.welcomed(frame, &mut self.known),
        };
        if let Err(violation) = heard {
            self.violation.get_or_insert(violation);
        }
    }
}

/// A promise to sessions that was broken.
pub(super) fn broken(property: &'static str, what: String) -> Violation {
    Violation { property, what }
}

impl Session {
    fn new(site: Site, xid_per_connection: bool, known: &mut Known) -> Self {
        Self {
            site,
            connected: false,
            id: SessionId(0),
            last_zxid_seen: Zxid::ZERO,
            key: known.new_key(),
            created: false,
            value: 0,
            written: None,
            asked: VecDeque::new(),
            read: BTreeMap::new(),
            xid_per_connection,
            xid: 0,
        }
    }

    fn connect(&mut self, world: &mut World, at: u16) {
        let hello = ConnectRequest {
            last_zxid_seen: self.last_zxid_seen,
            timeout_ms: 10_000,
            session: self.id,
            password: if self.id.0 == 0 { vec![0; 16] } else { session_password(self.id) },
            read_only: Some(false),
        };
        self.disconnected();
        world.client_connects(self.site, at, hello);
    }

    fn disconnected(&mut self) {
        self.connected = false;
        self.asked.clear();
        self.written = None;
        if self.xid_per_connection {
            self.xid = 0;
        }
    }

    fn write(&mut self, world: &mut World) {
        self.value += 1;
        let data = Some(self.value.to_string().into_bytes());
        let set = Request::SetData { path: path(self.key), data, version: -1 };
        self.send(world, set, Asked::Set(self.value));
    }

    fn send(&mut self, world: &mut World, request: Request, asked: Asked) {
        self.xid += 1;
        let mut body = Writer::new();
        request.encode_body(&mut body);
        let header = RequestHeader { xid: self.xid, op: request.op() };
        if world.client_sends(self.site, header, Bytes::from(body.into_inner())) {
            self.asked.push_back((self.xid, request, asked));
        }
    }

    fn welcomed(&mut self, frame: &[u8], known: &mut Known) -> Result<(), Violation> {
        let Ok(welcome) = ConnectResponse::from_slice(frame) else {
            return Err(broken("AnswersInOrder", "a connection was answered with something else".to_owned()));
        };
        if welcome.session.0 == 0 {
            // The session expired: what it sent may yet be found done, but nobody will be told.
            *self = Self::new(self.site, self.xid_per_connection, known);
            return Ok(());
        }
        if self.id.0 != 0 {
            if welcome.session != self.id {
                return Err(broken(
                    "SessionNeverGoesBack",
                    format!("session {} came back as another", self.id.0),
                ));
            }
            known.tally.moves += 1;
        }
        self.id = welcome.session;
        self.connected = true;
        Ok(())
    }

    fn hears(&mut self, frame: &[u8], known: &mut Known) -> Result<(), Violation> {
        let nonsense = |what: String| broken("AnswersInOrder", what);
        let mut input = Reader::new(frame);
        let header = ReplyHeader::decode(&mut input).map_err(|error| nonsense(error.to_string()))?;
        let Some((xid, request, asked)) = self.asked.pop_front() else {
            return Err(nonsense(format!("an answer to xid {} that nobody asked", header.xid)));
        };
        if header.xid != xid {
            return Err(nonsense(format!("xid {xid} was to be answered, {} was", header.xid)));
        }
        if header.zxid < self.last_zxid_seen {
            let what = format!("a session saw {} and then {}", self.last_zxid_seen, header.zxid);
            return Err(broken("SessionNeverGoesBack", what));
        }
        self.last_zxid_seen = header.zxid;
        if header.error != 0 {
            return self.refused(asked, ErrorCode::from_code(header.error));
        }
        let response =
            Response::decode(&request, input.rest()).map_err(|error| nonsense(error.to_string()))?;
        self.granted(asked, &response, known)
    }

    fn granted(&mut self, asked: Asked, response: &Response, known: &mut Known) -> Result<(), Violation> {
        match asked {
            Asked::Create => {
                self.created = true;
                known.acknowledge(self.key, 0)
            }
            Asked::Set(value) => {
                let Response::Stat(stat) = response else { return Ok(()) };
                self.written = Some(value);
                known.acknowledge(self.key, value)?;
                known.saw(self.key, Seen::new(value, stat))
            }
            Asked::ReadOwn(value) => {
                let Some(seen) = Seen::read(response) else { return Ok(()) };
                if self.written == Some(value) && seen.value != value {
                    let what = format!("/k{}: wrote {value}, then read {}", self.key, seen.value);
                    return Err(broken("ReadsItsOwnWrites", what));
                }
                known.saw(self.key, seen)
            }
            Asked::Sync => Ok(()),
            Asked::Read { key, acknowledged } => {
                let Some(seen) = Seen::read(response) else { return Ok(()) };
                known.saw(key, seen)?;
                if let Some(least) = acknowledged {
                    if seen.value < least {
                        let what = format!(
                            "/k{key}: {} was read, {least} was acknowledged before the sync",
                            seen.value
                        );
                        return Err(broken("SyncedReadIsFresh", what));
                    }
                    known.tally.synced_reads += 1;
                }
                match self.read.insert(key, seen.value) {
                    Some(before) if before > seen.value => Err(broken(
                        "SessionNeverGoesBack",
                        format!("/k{key}: the session read {before}, then {}", seen.value),
                    )),
                    Some(_) | None => Ok(()),
                }
            }
        }
    }

    fn refused(&mut self, asked: Asked, code: Option<ErrorCode>) -> Result<(), Violation> {
        match (asked, code) {
            (Asked::Create, Some(ErrorCode::NodeExists)) => {
                self.created = true;
                Ok(())
            }
            (Asked::Create | Asked::Set(_), Some(ErrorCode::SessionExpired | ErrorCode::SessionMoved)) => {
                Ok(())
            }
            (Asked::Read { key, acknowledged }, Some(ErrorCode::NoNode)) => {
                if acknowledged.is_some() {
                    let what = format!("/k{key}: acknowledged before the sync, and not there");
                    return Err(broken("SyncedReadIsFresh", what));
                }
                if self.read.contains_key(&key) {
                    let what = format!("/k{key}: the session read it, then it was not there");
                    return Err(broken("SessionNeverGoesBack", what));
                }
                Ok(())
            }
            (asked, code) => Err(broken("AnswersInOrder", format!("{asked:?} was refused with {code:?}"))),
        }
    }
}

fn create(key: u64) -> Request {
    let data = Some(b"0".to_vec());
    Request::Create { path: path(key), data, acl: Acl::open(), flags: 0, with_stat: false }
}

fn get(key: u64) -> Request {
    Request::GetData { path: path(key), watch: false }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(at) => write!(f, "connect {}", at + 1),
            Self::HangUp => f.write_str("hang-up"),
            Self::Vanish => f.write_str("vanish"),
            Self::Write => f.write_str("write"),
            Self::WriteAndRead => f.write_str("write-read"),
            Self::SyncAndRead(key) => write!(f, "sync-read {key}"),
            Self::SyncWriteRead(key) => write!(f, "sync-write-read {key}"),
            Self::Read(key) => write!(f, "read {key}"),
        }
    }
}

impl FromStr for Deed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |word: &str| word.parse::<u64>().ok().ok_or(());
        Ok(match *text.split_whitespace().collect::<Vec<_>>() {
            ["connect", at] => {
                Self::Connect(at.parse::<u16>().ok().and_then(|at| at.checked_sub(1)).ok_or(())?)
            }
            ["hang-up"] => Self::HangUp,
            ["vanish"] => Self::Vanish,
            ["write"] => Self::Write,
            ["write-read"] => Self::WriteAndRead,
            ["sync-read", key] => Self::SyncAndRead(number(key)?),
            ["sync-write-read", key] => Self::SyncWriteRead(number(key)?),
            ["read", key] => Self::Read(number(key)?),
            _ => return Err(()),
        })
    }
}
