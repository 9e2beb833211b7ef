//! The election port: who is calling, and the votes (ZooKeeper's `QuorumCnxManager` and
//! `FastLeaderElection.Notification`).

use crate::ids::{ServerId, Zxid};
use crate::jute::{Reader, Record, WireError, Writer};

/// The largest frame the election port accepts (`PACKETMAXSIZE`).
pub const MAX_FRAME: usize = 524_288;

/// What the connecting side sends first: its id and its own election address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialMessage {
    /// Who calls.
    pub from: ServerId,
    /// Its election address, `host:port`.
    pub address: String,
}

impl InitialMessage {
    const VERSION: i64 = -65536;
    const VERSION_MULTI_ADDRESS: i64 = -65535;
}

impl Record for InitialMessage {
    fn encode(&self, out: &mut Writer) {
        out.long(Self::VERSION);
        out.server(self.from);
        out.string(&self.address);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        match input.long()? {
            Self::VERSION | Self::VERSION_MULTI_ADDRESS => {}
            code => return Err(WireError::UnknownCode { what: "election protocol version", code }),
        }
        Ok(Self { from: input.server()?, address: input.string()? })
    }
}

/// What a server is doing (`QuorumPeer.ServerState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// 0: searching a leader.
    Looking,
    /// 1
    Following,
    /// 2
    Leading,
    /// 3
    Observing,
}

impl PeerState {
    /// The name ZooKeeper logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Looking => "LOOKING",
            Self::Following => "FOLLOWING",
            Self::Leading => "LEADING",
            Self::Observing => "OBSERVING",
        }
    }
}

/// A vote and the state of its sender.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notification {
    /// The sender's state.
    pub state: PeerState,
    /// Whom the sender votes for.
    pub leader: ServerId,
    /// That server's last zxid.
    pub zxid: Zxid,
    /// The sender's election round (its logical clock).
    pub election_epoch: i64,
    /// That server's currentEpoch.
    pub peer_epoch: i64,
    /// The sender's view of the ensemble, as text.
    pub config: String,
}

impl Notification {
    const VERSION: i32 = 2;
}

impl Record for Notification {
    fn encode(&self, out: &mut Writer) {
        out.int(match self.state {
            PeerState::Looking => 0,
            PeerState::Following => 1,
            PeerState::Leading => 2,
            PeerState::Observing => 3,
        });
        out.server(self.leader);
        out.zxid(self.zxid);
        out.long(self.election_epoch);
        out.long(self.peer_epoch);
        out.int(Self::VERSION);
        out.string(&self.config);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let state = match input.int()? {
            0 => PeerState::Looking,
            1 => PeerState::Following,
            2 => PeerState::Leading,
            3 => PeerState::Observing,
            code => return Err(WireError::UnknownCode { what: "server state", code: code.into() }),
        };
        let mut notification = Self {
            state,
            leader: input.server()?,
            zxid: input.zxid()?,
            election_epoch: input.long()?,
            peer_epoch: input.long()?,
            config: String::new(),
        };
        // Notifications of old servers end here, or with four zeros to make 40 bytes.
        if !input.is_empty() {
            let version = input.int()?;
            if version >= 2 {
                notification.config = input.nullable_string()?.unwrap_or_default();
            }
        }
        Ok(notification)
    }
}
