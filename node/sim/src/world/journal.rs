//! What is written down of a world: nothing, or everything; and always which transitions were reached.

use super::{Action, Violation};
use std::collections::BTreeMap;
use zab_core::Trace;
use zab_wire::client::RequestHeader;
use zab_wire::election::Notification;
use zab_wire::quorum::QuorumMessage;
use zab_wire::{SessionId, Zxid};

/// Something that happened. Servers are numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Something was done to the world.
    Action(Action),
    /// A server's process started; the last zxid on its disk.
    Started(u16, Zxid),
    /// A server refused to start on what its disk holds.
    Refused(u16, String),
    /// A process ended; whether its machine lost its power.
    Ended(u16, bool),
    /// A server ended itself.
    Fatal(u16, String),
    /// A disk failed, and its server ended.
    DiskFailed(u16, String),
    /// A transition.
    Trace(u16, Trace),
    /// A message arrived.
    Message(u16, u16, QuorumMessage),
    /// A vote arrived.
    Vote(u16, u16, Notification),
    /// A client connects to a server, with a session (0: a new one).
    Connects(u16, u16, SessionId),
    /// A client closes its connection.
    Closes(u16),
    /// A client heard that its connection is no more.
    Lost(u16),
    /// A client was sent a frame.
    Frame(u16, Vec<u8>),
    /// A client sent a request; its site.
    Request(u16, RequestHeader),
    /// A property was broken.
    Violated(Violation),
}

/// When, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The world's time, us.
    pub at_us: u64,
    /// What happened.
    pub record: Record,
}

/// The journal.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    kept: Option<Vec<Entry>>,
    /// Everything is kept, not only milestones.
    all: bool,
    reached: BTreeMap<(&'static str, &'static str), u64>,
}

impl Journal {
    pub(super) fn keep(&mut self) {
        self.kept.get_or_insert_default();
        self.all = true;
    }

    pub(super) fn keep_milestones(&mut self) {
        self.kept.get_or_insert_default();
    }

    pub(super) fn note(&mut self, at_us: u64, record: impl FnOnce() -> Record) {
        if self.all {
            self.note_milestone(at_us, record);
        }
    }

    pub(super) fn note_milestone(&mut self, at_us: u64, record: impl FnOnce() -> Record) {
        if let Some(kept) = &mut self.kept {
            kept.push(Entry { at_us, record: record() });
        }
    }

    pub(super) fn take(&mut self) -> Vec<Entry> {
        self.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn reach(&mut self, trace: &Trace) {
        *self.reached.entry((trace.name(), trace.branch())).or_default() += 1;
    }

    pub(super) fn take_reached(&mut self) -> BTreeMap<(&'static str, &'static str), u64> {
        std::mem::take(&mut self.reached)
    }

    pub(super) fn reached(&self) -> &BTreeMap<(&'static str, &'static str), u64> {
        &self.reached
    }
}

/// A message in one line, without what only a machine reads.
#[must_use]
pub fn describe(message: &QuorumMessage) -> String {
    let name = message.name();
    match message {
        QuorumMessage::FollowerInfo { accepted_epoch, .. }
        | QuorumMessage::ObserverInfo { accepted_epoch, .. } => {
            format!("{name} accepted={accepted_epoch}")
        }
        QuorumMessage::LeaderInfo { epoch } | QuorumMessage::NewLeader { epoch, .. } => {
            format!("{name} epoch={epoch}")
        }
        QuorumMessage::AckEpoch { last_zxid, current_epoch } => match current_epoch {
            Some(epoch) => format!("{name} current={epoch} last={last_zxid}"),
            None => format!("{name} current=-1 last={last_zxid}"),
        },
        QuorumMessage::Diff { zxid }
        | QuorumMessage::Trunc { zxid }
        | QuorumMessage::Snap { zxid, .. }
        | QuorumMessage::Proposal { zxid, .. }
        | QuorumMessage::Ack { zxid }
        | QuorumMessage::Commit { zxid }
        | QuorumMessage::Inform { zxid, .. }
        | QuorumMessage::Ping { zxid, .. } => format!("{name} {zxid}"),
        QuorumMessage::Request(request) => format!("{name} op={}", request.op),
        QuorumMessage::UpToDate
        | QuorumMessage::Revalidate { .. }
        | QuorumMessage::Revalidated { .. }
        | QuorumMessage::Sync
        | QuorumMessage::Unsupported { .. } => name.to_owned(),
    }
}
