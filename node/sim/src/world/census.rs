//! What is sent between servers, counted by what it is for, and the transitions it leads to: for those who
//! measure. Off unless asked for, and without influence on what happens.

use zab_core::Trace;
use zab_wire::election::Notification;
use zab_wire::jute::{Record, Writer};
use zab_wire::quorum::QuorumMessage;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Votes, and observers' questions for them.
    Election,
    /// FOLLOWERINFO and OBSERVERINFO, LEADERINFO, ACKEPOCH.
    Discovery,
    /// DIFF, TRUNC or SNAP, NEWLEADER and its ACK, UPTODATE.
    Synchronization,
    /// Requests, PROPOSAL, ACK, COMMIT, INFORM.
    Broadcast,
    /// PING, both ways.
    Ping,
    /// Sessions that move, syncs.
    Other,
}

impl Purpose {
    /// All of them, in the order of [`Sent`].
    pub const ALL: [Self; 6] =
        [Self::Election, Self::Discovery, Self::Synchronization, Self::Broadcast, Self::Ping, Self::Other];

    fn of(message: &QuorumMessage) -> Self {
        match message {
            QuorumMessage::FollowerInfo { .. }
            | QuorumMessage::ObserverInfo { .. }
            | QuorumMessage::LeaderInfo { .. }
            | QuorumMessage::AckEpoch { .. } => Self::Discovery,
            QuorumMessage::Diff { .. }
            | QuorumMessage::Trunc { .. }
            | QuorumMessage::Snap { .. }
            | QuorumMessage::NewLeader { .. }
            | QuorumMessage::UpToDate => Self::Synchronization,
            // NEWLEADER's: no transaction has the counter 0.
            QuorumMessage::Ack { zxid } if zxid.counter == 0 => Self::Synchronization,
            QuorumMessage::Proposal { .. }
            | QuorumMessage::Ack { .. }
            | QuorumMessage::Commit { .. }
            | QuorumMessage::Inform { .. }
            | QuorumMessage::Request(_) => Self::Broadcast,
            QuorumMessage::Ping { .. } => Self::Ping,
            QuorumMessage::Revalidate { .. }
            | QuorumMessage::Revalidated { .. }
            | QuorumMessage::Sync
            | QuorumMessage::Unsupported { .. } => Self::Other,
        }
    }
}

/// Messages, and their bytes as encoded (without TCP's and IP's own).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many.
    pub messages: u64,
    /// How long together.
    pub bytes: u64,
}

/// What was sent, by [`Purpose`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent([Traffic; 6]);

impl Sent {
    /// For one purpose.
    #[must_use]
    pub fn of(&self, purpose: Purpose) -> Traffic {
        self.0[purpose as usize]
    }

    /// For all purposes.
    #[must_use]
    pub fn total(&self) -> Traffic {
        self.0.iter().fold(Traffic::default(), |sum, one| Traffic {
            messages: sum.messages + one.messages,
            bytes: sum.bytes + one.bytes,
        })
    }

    fn add(&mut self, purpose: Purpose, bytes: usize) {
        let traffic = &mut self.0[purpose as usize];
        traffic.messages += 1;
        traffic.bytes += bytes as u64;
    }
}

/// The census.
#[derive(Debug, Clone, Default)]
pub struct Census {
    /// How long the ensemble's configuration is as text: votes and NEWLEADER carry it. A world's servers
    /// have a short one, so that it need not be copied about.
    pub config_bytes: usize,
    /// What was sent.
    pub sent: Sent,
    /// Transitions: when (us), of which server, and which.
    pub traces: Vec<(u64, u16, Trace)>,
    buffer: Vec<u8>,
}

impl Census {
    /// Nothing counted.
    #[must_use]
    pub fn new(config_bytes: usize) -> Self {
        Self { config_bytes, ..Self::default() }
    }

    pub(super) fn vote(&mut self, vote: &Notification) {
        let text = vote.config.len();
        let bytes = self.length(|out| vote.encode(out));
        // Framed by their length.
        self.sent.add(Purpose::Election, 4 + bytes - text + self.config_bytes);
    }

    pub(super) fn message(&mut self, message: &QuorumMessage) {
        let mut bytes = self.length(|out| message.encode(out));
        if let QuorumMessage::NewLeader { config, .. } = message {
            bytes += self.config_bytes - config.len().min(self.config_bytes);
        }
        self.sent.add(Purpose::of(message), bytes);
    }

    fn length(&mut self, encode: impl FnOnce(&mut Writer)) -> usize {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut out = Writer::append_to(buffer);
        encode(&mut out);
        self.buffer = out.into_inner();
        self.buffer.len()
    }
}
