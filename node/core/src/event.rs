//! What goes into the core and what comes out: the whole contract between protocol and driver.
//!
//! # Contract
//!
//! * The driver calls [`crate::Server::step`] with one event at a time and carries out the effects
//!   **in the order they were pushed**, before the next event's effects.
//! * Disk effects ([`Effect::Append`] to [`Effect::InstallSnapshot`]) may be carried out lazily and in
//!   groups, but in order; [`Effect::Sync`] is answered by [`Event::Synced`] only when every disk
//!   effect before it is durable (written, fsynced, renamed, directory fsynced).
//! * [`Effect::Truncate`] is answered by [`Event::Truncated`] with the state as it is now on disk, or by
//!   [`Event::TruncationImpossible`] when the log does not contain the place.
//! * Nothing that promises durability to a peer is pushed before its `Synced`. A driver that sends
//!   early or forgets an effect is wrong in a way that can be seen here.
//! * Connections deliver messages in order or break. After `Effect::Close` or `Event::ConnDown` a
//!   `ConnId` is never used again.
//! * A failed disk effect is fatal: the driver ends the process; there is no event for it
//!   (ZOOKEEPER-2247, 4882: a server that outlives its disk error lies).

use crate::trace::Trace;
use bytes::Bytes;
use zab_wire::client::{ConnectRequest, RequestHeader};
use zab_wire::election::Notification;
use zab_wire::quorum::QuorumMessage;
use zab_wire::{ServerId, Zxid};

/// What the clocks say when an event happens. The core has no clock of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Now {
    /// Monotonic ms since an arbitrary start; drives every timeout.
    pub mono_ms: u64,
    /// Wall clock, ms since 1970; goes into transactions and is never compared.
    pub wall_ms: i64,
}

/// A connection between two servers' quorum ports, as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnId {
    /// Accepted on our quorum port; numbered by the driver, never reused.
    Inbound(u64),
    /// Opened by us because of [`Effect::Connect`]; numbered by the core, never reused.
    Outbound(u64),
}

/// A client's connection; numbered by the driver, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Names a point in the stream of disk effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncToken(pub u64);

/// One logged transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogEntry {
    /// Its place.
    pub zxid: Zxid,
    /// Header and body ([`zab_wire::txn`]), verbatim as received.
    pub txn: Bytes,
}

/// A serialised tree and the last transaction in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// The last transaction that is (surely) part of it.
    pub zxid: Zxid,
    /// The tree ([`zab_wire::snapshot::SnapshotData`]), without file header and seals.
    pub tree: Bytes,
}

/// What a server finds on its disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Recovered {
    /// The highest epoch promised to any leader.
    pub accepted_epoch: u32,
    /// The epoch whose initial history this log holds in full.
    pub current_epoch: u32,
    /// The newest valid snapshot; `None` stands for the empty tree at zxid 0.
    pub snapshot: Option<Snapshot>,
    /// The log behind the snapshot, in order and without gaps of our making.
    pub entries: Vec<LogEntry>,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The server starts with what its disk holds. First event, exactly once.
    Start(Recovered),
    /// Time has passed: to be sent when [`crate::Server::next_deadline`] is reached. Early or spurious
    /// ticks are harmless.
    Tick,
    /// A vote arrived on the election port.
    Notification {
        /// The connection's server.
        from: ServerId,
        /// Its vote.
        message: Notification,
    },
    /// A learner connected to our quorum port ([`ConnId::Inbound`]).
    LearnerUp {
        /// The connection.
        conn: ConnId,
    },
    /// The connection asked for by [`Effect::Connect`] stands.
    LeaderUp {
        /// The connection ([`ConnId::Outbound`]).
        conn: ConnId,
    },
    /// A connection broke or could not be opened (after the driver's own retries: 5 tries 100 ms apart,
    /// for connection refused). Not sent after [`Effect::Close`].
    ConnDown {
        /// The connection.
        conn: ConnId,
    },
    /// A message arrived.
    Packet {
        /// On which connection.
        conn: ConnId,
        /// The message.
        message: QuorumMessage,
    },
    /// Every disk effect before the [`Effect::Sync`] with this token is durable.
    Synced {
        /// The token.
        token: SyncToken,
    },
    /// [`Effect::Truncate`] is done and durable.
    Truncated {
        /// The state as it is on disk now.
        recovered: Recovered,
    },
    /// [`Effect::Truncate`] cannot be done: the log on disk begins behind `to`, or does not contain it.
    /// Nothing was changed.
    TruncationImpossible,
    /// A client's first frame.
    ClientConnect {
        /// Its connection.
        client: ClientId,
        /// The frame.
        request: ConnectRequest,
    },
    /// A client's later frame.
    ClientRequest {
        /// Its connection.
        client: ClientId,
        /// xid and operation.
        header: RequestHeader,
        /// The body, undecoded.
        body: Bytes,
    },
    /// A client's connection broke. Not sent after [`Effect::CloseClient`].
    ClientGone {
        /// Its connection.
        client: ClientId,
    },
}

/// Something is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Send a vote to another server's election port: newest wins, nothing queues behind a dead link.
    Notify {
        /// To whom.
        to: ServerId,
        /// The vote.
        message: Notification,
    },
    /// Open a connection to a leader's quorum port; answered by `LeaderUp` or `ConnDown`.
    Connect {
        /// What to call it ([`ConnId::Outbound`]).
        conn: ConnId,
        /// To whom.
        leader: ServerId,
    },
    /// Send a message, in order behind those sent before on the same connection.
    Send {
        /// On which connection.
        conn: ConnId,
        /// The message.
        message: QuorumMessage,
    },
    /// Close a connection (whatever is queued on it may be lost).
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Add a transaction to the end of the log.
    Append(LogEntry),
    /// Cut the log behind `to`, drop newer snapshots, make that durable, load the state again and
    /// answer with [`Event::Truncated`].
    Truncate {
        /// The last zxid to keep.
        to: Zxid,
    },
    /// Persist acceptedEpoch.
    SetAcceptedEpoch(u32),
    /// Persist currentEpoch.
    SetCurrentEpoch(u32),
    /// Write a snapshot beside the log, which goes on in a new file. The state does not change.
    TakeSnapshot(Snapshot),
    /// Replace the whole state (older snapshots, all of the log) by this snapshot and the log behind it,
    /// atomically over a crash: the old state may hold committed transactions that stand in `entries`, and at no
    /// moment may this server hold neither.
    InstallSnapshot {
        /// The tree.
        snapshot: Snapshot,
        /// What follows it, in order.
        entries: Vec<LogEntry>,
    },
    /// Report with [`Event::Synced`] when all disk effects before this are durable.
    Sync {
        /// The token to report.
        token: SyncToken,
    },
    /// A transaction was applied to the tree: ZAB's *deliver*. Nothing is to be done; whoever watches the
    /// protocol from outside (a simulated world, a property) needs to know.
    Deliver(LogEntry),
    /// Send a frame to a client (the driver adds the length).
    Reply {
        /// To whom.
        client: ClientId,
        /// The frame.
        frame: Vec<u8>,
    },
    /// Close a client's connection when what was replied before is sent.
    CloseClient {
        /// Which.
        client: ClientId,
    },
    /// Record a transition.
    Trace(Trace),
    /// The server cannot go on (its own state contradicts itself): end the process with this reason.
    Fatal {
        /// One sentence.
        reason: String,
    },
}
