//! Connections as TCP gives them: two lanes, each in order, that deliver, stall, or end.

use bytes::Bytes;
use std::collections::VecDeque;
use zab_core::{ClientId, ConnId};
use zab_wire::client::{ConnectRequest, RequestHeader};
use zab_wire::quorum::QuorumMessage;

/// A place in the network: servers are numbered from 0, clients follow behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(pub u16);

impl Site {
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A connection of the world; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireId(pub u32);

/// One end of a connection, and the lane that begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Who opened the connection.
    Caller,
    /// Who accepted it.
    Called,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Caller => Self::Called,
            Self::Called => Self::Caller,
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::Called => 1,
        }
    }
}

/// What a process calls its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Handle {
    /// A connection between two servers.
    Quorum(ConnId),
    /// A server's end of a client's connection.
    Client(ClientId),
    /// A client's own end.
    Mine,
}

/// One end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct End {
    pub(super) site: Site,
    /// Which process of that site holds it; 0 for clients.
    pub(super) process: u32,
    pub(super) handle: Handle,
    /// Whether that process still holds it.
    pub(super) held: bool,
}

/// Something on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Item {
    /// The connection stands.
    Accepted,
    Quorum(QuorumMessage),
    Connect(ConnectRequest),
    Request(RequestHeader, Bytes),
    Frame(Vec<u8>),
    /// The other side has closed.
    Fin,
}

/// One direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    /// What is under way, with the time of its arrival; times never decrease.
    pub(super) items: VecDeque<(u64, Item)>,
    /// Nothing sent later arrives before this.
    pub(super) last_at_us: u64,
    /// The head's arrival is on the agenda.
    pub(super) noted: bool,
    /// The head has arrived at a link that is cut.
    pub(super) blocked: bool,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wire {
    pub(super) ends: [End; 2],
    /// By the side on which the lane begins.
    pub(super) lanes: [Lane; 2],
}

impl Wire {
    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side.index()]
    }

    /// Whether nobody holds an end any more and nothing is to come of it.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| !end.held)
    }
}
