//! The clients' ends of their connections. What clients want is not known here.

use super::wire::{End, Handle, Item, Side, Site, WireId};
use super::{Record, World};
use bytes::Bytes;
use zab_core::ClientId;
use zab_wire::client::{ConnectRequest, RequestHeader};

/// Something a client hears.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClientEvent {
    /// A frame of its server, without its length.
    Frame(Vec<u8>),
    /// Its connection is no more.
    Lost,
}

impl World {
    /// The site of a client, counted from 0.
    #[must_use]
    pub fn client(&self, number: u16) -> Site {
        Site(self.settings.servers() + number)
    }

    /// Connects a client to a server and sends its first frame; false when the server's machine refuses.
    /// A connection that the client had is closed.
    pub fn client_connects(&mut self, client: Site, at: u16, hello: ConnectRequest) -> bool {
        self.client_closes(client);
        if !self.hosts[usize::from(at)].runs() {
            return false;
        }
        self.journal.note(self.now_us, || Record::Connects(client.0, at, hello.session));
        let host = &mut self.hosts[usize::from(at)];
        host.accepted += 1;
        let handle = ClientId(host.accepted);
        let process = host.process;
        let ends = [
            End { site: client, process: 0, handle: Handle::Mine, held: true },
            End { site: Site(at), process, handle: Handle::Client(handle), held: true },
        ];
        let wire = self.new_wire(ends);
        self.hosts[usize::from(at)].clients.insert(handle, wire);
        self.client_wires.insert(client, wire);
        self.send(wire, Side::Caller, Item::Connect(hello));
        true
    }

    /// Sends a request; false when the client has no connection.
    pub fn client_sends(&mut self, client: Site, header: RequestHeader, body: Bytes) -> bool {
        let Some(wire) = self.client_wires.get(&client).copied() else { return false };
        self.journal.note(self.now_us, || Record::Request(client.0, header));
        self.send(wire, Side::Caller, Item::Request(header, body));
        true
    }

    /// Closes a client's connection, if it has one. It hears nothing more of it.
    pub fn client_closes(&mut self, client: Site) {
        if let Some(wire) = self.client_wires.remove(&client) {
            self.journal.note(self.now_us, || Record::Closes(client.0));
            self.hang_up(wire, Side::Caller);
        }
    }

    /// A client forgets its connection, and its server is not told.
    pub fn client_vanishes(&mut self, client: Site) {
        if let Some(wire) = self.client_wires.remove(&client) {
            self.journal.note(self.now_us, || Record::Closes(client.0));
            self.vanish(wire, Side::Caller, |sent| sent);
        }
    }

    /// The next thing that a client heard, if there is one.
    pub fn next_client_event(&mut self) -> Option<(Site, ClientEvent)> {
        self.client_events.pop_front()
    }

    pub(super) fn client_hears(&mut self, client: Site, item: Item) {
        let Item::Frame(frame) = item else { unreachable!("clients are sent frames") };
        self.journal.note(self.now_us, || Record::Frame(client.0, frame.clone()));
        self.client_events.push_back((client, ClientEvent::Frame(frame)));
    }

    pub(super) fn client_lost(&mut self, client: Site) {
        self.client_wires.remove(&client);
        self.journal.note(self.now_us, || Record::Lost(client.0));
        self.client_events.push_back((client, ClientEvent::Lost));
    }

    /// The wire of a client.
    #[must_use]
    pub fn client_is_connected(&self, client: Site) -> bool {
        self.client_wires.get(&client).is_some_and(|wire: &WireId| self.wires.contains_key(wire))
    }
}
