//! A client that pipelines requests, takes its session from server to server, and judges each answer.

use crate::dice::Dice;
use crate::ledger::{Ledger, Seen, path};
use crate::support::{Client, World, create, set};
use std::collections::{BTreeMap, VecDeque};
use zab_wire::client::{ErrorCode, Request, Response};
use zab_wire::{SessionId, Zxid};

/// A request under way, and what its answer has to be measured by.
#[derive(Debug, Clone, Copy)]
enum Asked {
    /// The client's own node.
    Create,
    /// The client's own node, to this value.
    Set(u64),
    /// The client's own node, straight behind this value.
    ReadOwn(u64),
    Sync,
    /// Any node. Behind a `sync`, it may not be older than what was acknowledged before the `sync`.
    Read {
        key: u64,
        acknowledged: Option<u64>,
    },
}

pub(crate) struct Actor {
    connection: Option<Client>,
    /// The ConnectResponse is there.
    connected: bool,
    session: SessionId,
    last_zxid_seen: Zxid,
    /// The node that only this client writes, and the last value it sent.
    key: u64,
    created: bool,
    value: u64,
    /// The last value acknowledged on this connection.
    written: Option<u64>,
    asked: VecDeque<(i32, Asked)>,
    /// The newest value read of each node.
    read: BTreeMap<u64, u64>,
    /// The last xid, if the client counts per connection, as ZooKeeper's does; else the world counts.
    xid: Option<i32>,
}

impl Actor {
    pub(crate) fn new(xid_per_connection: bool, ledger: &mut Ledger) -> Self {
        Self {
            connection: None,
            connected: false,
            session: SessionId(0),
            last_zxid_seen: Zxid::ZERO,
            key: ledger.new_key(),
            created: false,
            value: 0,
            written: None,
            asked: VecDeque::new(),
            read: BTreeMap::new(),
            xid: xid_per_connection.then_some(0),
        }
    }

    /// Takes the answers that are there, then connects, disconnects or asks for more.
    pub(crate) fn act(&mut self, world: &mut World, dice: &mut Dice, ledger: &mut Ledger) {
        self.collect(world, ledger);
        if let Some(client) = self.connection
            && (world.is_closed(client) || dice.once_in(25))
        {
            self.disconnect();
            // Or else the connection breaks without the server hearing of it.
            if dice.once_in(2) {
                world.client_gone(client);
            }
        }
        match self.connection {
            None => {
                let at = dice.one_of(&world.ids());
                if world.serving(at) {
                    self.connection = Some(world.open(at, self.session, self.last_zxid_seen));
                }
            }
            Some(client) if !self.connected => self.finish_connecting(client, world, ledger),
            Some(client) => {
                let xid = world.next_xid;
                world.next_xid = self.xid.unwrap_or(xid);
                for _ in 0..=dice.roll(4) {
                    self.ask(client, world, dice, ledger);
                }
                if let Some(own) = self.xid.as_mut() {
                    *own = std::mem::replace(&mut world.next_xid, xid);
                }
            }
        }
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.connected = false;
        self.asked.clear();
        self.written = None;
        self.xid = self.xid.map(|_| 0);
    }

    fn finish_connecting(&mut self, client: Client, world: &mut World, ledger: &mut Ledger) {
        let Some(response) = world.connect_response(client) else { return };
        if response.session.0 == 0 {
            // The session expired: what it sent may yet be found done, but nobody will be told.
            *self = Self::new(self.xid.is_some(), ledger);
            return;
        }
        if self.session.0 != 0 {
            assert_eq!(response.session, self.session, "a session keeps its id when it moves");
            ledger.tally.moves += 1;
        }
        self.session = response.session;
        self.connection = Some(Client { session: response.session, ..client });
        self.connected = true;
    }

    fn ask(&mut self, client: Client, world: &mut World, dice: &mut Dice, ledger: &Ledger) {
        if !self.created {
            if self.asked.is_empty() {
                self.send(client, world, create(&path(self.key), "0"), Asked::Create);
            }
            return;
        }
        let key = 1 + dice.roll(ledger.keys());
        match dice.roll(6) {
            0..=2 => {
                self.write(client, world);
                if dice.once_in(2) {
                    self.send(client, world, get(self.key), Asked::ReadOwn(self.value));
                }
            }
            3 | 4 => {
                let acknowledged = ledger.acknowledged(key);
                self.send(client, world, Request::Sync { path: path(key) }, Asked::Sync);
                if dice.once_in(3) {
                    self.write(client, world);
                }
                self.send(client, world, get(key), Asked::Read { key, acknowledged });
            }
            _ => self.send(client, world, get(key), Asked::Read { key, acknowledged: None }),
        }
    }

    fn write(&mut self, client: Client, world: &mut World) {
        self.value += 1;
        let request = set(&path(self.key), &self.value.to_string());
        self.send(client, world, request, Asked::Set(self.value));
    }

    fn send(&mut self, client: Client, world: &mut World, request: Request, asked: Asked) {
        let xid = world.send(client, request);
        self.asked.push_back((xid, asked));
    }

    /// Takes the answers that are there.
    pub(crate) fn collect(&mut self, world: &mut World, ledger: &mut Ledger) {
        let Some(client) = self.connection.filter(|_| self.connected) else { return };
        while let Some((xid, (zxid, outcome))) = world.answer(client) {
            let (expected, asked) = self.asked.pop_front().expect("an answer has its request");
            assert_eq!(xid, expected, "answers come in the order of the requests");
            assert!(zxid >= self.last_zxid_seen, "the session saw {}, then {zxid}", self.last_zxid_seen);
            self.last_zxid_seen = zxid;
            match outcome {
                Ok(response) => self.granted(asked, &response, ledger),
                Err(code) => self.refused(asked, ErrorCode::from_code(code)),
            }
        }
    }

    fn granted(&mut self, asked: Asked, response: &Response, ledger: &mut Ledger) {
        match asked {
            Asked::Create => {
                self.created = true;
                ledger.acknowledge(self.key, 0);
            }
            Asked::Set(value) => {
                let Response::Stat(stat) = response else {
                    panic!("setData was answered with {response:?}");
                };
                ledger.acknowledge(self.key, value);
                ledger.saw(self.key, Seen::new(value, stat));
                self.written = Some(value);
            }
            Asked::ReadOwn(value) => {
                let seen = Seen::read(response);
                if self.written == Some(value) {
                    assert_eq!(seen.value, value, "/k{}: a client reads its own write", self.key);
                }
                ledger.saw(self.key, seen);
            }
            Asked::Sync => {}
            Asked::Read { key, acknowledged } => {
                let seen = Seen::read(response);
                ledger.saw(key, seen);
                if let Some(least) = acknowledged {
                    assert!(
                        seen.value >= least,
                        "/k{key}: {} is stale, {least} was acknowledged before the sync",
                        seen.value
                    );
                    ledger.tally.synced_reads += 1;
                }
                let before = self.read.insert(key, seen.value);
                assert!(
                    before <= Some(seen.value),
                    "/k{key}: the session read {before:?}, then {}",
                    seen.value
                );
            }
        }
    }

    fn refused(&mut self, asked: Asked, code: Option<ErrorCode>) {
        match (asked, code) {
            (Asked::Create, Some(ErrorCode::NodeExists)) => self.created = true,
            (Asked::Create | Asked::Set(_), Some(ErrorCode::SessionExpired | ErrorCode::SessionMoved)) => {}
            (Asked::Read { key, acknowledged }, Some(ErrorCode::NoNode)) => {
                assert_eq!(acknowledged, None, "/k{key}: acknowledged before the sync, and not there");
                assert_eq!(self.read.get(&key), None, "/k{key}: the session read it, then it was not there");
            }
            (asked, code) => panic!("{asked:?} was refused with {code:?}"),
        }
    }
}

fn get(key: u64) -> Request {
    Request::GetData { path: path(key), watch: false }
}
