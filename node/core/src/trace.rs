//! The named transitions of the protocol: one enum, so that a report, a golden script and a coverage
//! list all speak of the same things.

pub mod catalogue;

use std::fmt;
use zab_wire::election::PeerState;
use zab_wire::{ServerId, Zxid};

/// How a leader brings a learner up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncMode {
    /// The learner's log is a prefix of the leader's: the rest follows.
    Diff,
    /// The learner's log has a tail the leader does not know: it is cut first.
    Trunc,
    /// The learner is too far behind or aside: it gets the whole tree.
    Snap,
}

impl SyncMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Diff, Self::Trunc, Self::Snap];

    /// The packet's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Diff => "DIFF",
            Self::Trunc => "TRUNC",
            Self::Snap => "SNAP",
        }
    }
}

/// Why a leader chose a [`SyncMode`]: every branch of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncReason {
    /// DIFF with nothing in it.
    NothingMissing,
    /// DIFF with the rest of the log.
    Prefix,
    /// DIFF, because nothing of its last epoch ever reached it.
    NothingOfItsEpoch,
    /// TRUNC, then the rest.
    Tail,
    /// TRUNC of an observer that holds what is not committed: it voted once, or follows another program.
    ObserverAhead,
    /// SNAP, because the leader's memory begins later.
    Forgotten,
    /// SNAP, because the leader knows nothing of the learner's last epoch.
    UnknownEpoch,
    /// SNAP, because the learner cannot use anything less.
    AskedFor,
}

impl SyncReason {
    /// Every branch.
    pub const ALL: [Self; 8] = [
        Self::NothingMissing,
        Self::Prefix,
        Self::NothingOfItsEpoch,
        Self::Tail,
        Self::ObserverAhead,
        Self::Forgotten,
        Self::UnknownEpoch,
        Self::AskedFor,
    ];

    /// The mode it leads to.
    #[must_use]
    pub const fn mode(self) -> SyncMode {
        match self {
            Self::NothingMissing | Self::Prefix | Self::NothingOfItsEpoch => SyncMode::Diff,
            Self::Tail | Self::ObserverAhead => SyncMode::Trunc,
            Self::Forgotten | Self::UnknownEpoch | Self::AskedFor => SyncMode::Snap,
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NothingMissing => "nothing is missing",
            Self::Prefix => "its log is a prefix of ours",
            Self::NothingOfItsEpoch => "it has no transaction of its last epoch",
            Self::Tail => "its log has a tail that ours has not",
            Self::ObserverAhead => "an observer keeps what is committed",
            Self::Forgotten => "it is behind what is in memory",
            Self::UnknownEpoch => "it has an epoch that ours has not",
            Self::AskedFor => "it asks for the whole tree",
        }
    }
}

/// A transition, with the numbers that explain it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Trace {
    /// The server entered a state.
    State {
        /// The state.
        state: PeerState,
        /// Why it was entered.
        reason: &'static str,
    },
    /// An election round began.
    ElectionStarted {
        /// The logical clock.
        round: i64,
        /// Own last zxid.
        zxid: Zxid,
        /// Own currentEpoch.
        epoch: u32,
    },
    /// The election decided (a hint; the epoch decides).
    Elected {
        /// Whom.
        leader: ServerId,
        /// The logical clock.
        round: i64,
    },
    /// A leader has FOLLOWERINFO of a quorum and proposes this epoch.
    EpochProposed {
        /// The epoch.
        epoch: u32,
    },
    /// A follower or observer promised an epoch durably.
    EpochAccepted {
        /// The epoch.
        epoch: u32,
        /// To whom.
        leader: ServerId,
    },
    /// A leader has ACKEPOCH of a quorum.
    EpochAcknowledged {
        /// The epoch.
        epoch: u32,
    },
    /// A leader begins to synchronize a learner.
    SyncStarted {
        /// Whom.
        learner: ServerId,
        /// How, and why so.
        reason: SyncReason,
        /// The learner's last zxid.
        from: Zxid,
        /// The leader's last committed zxid.
        to: Zxid,
    },
    /// A learner was told how it is synchronized.
    SyncReceived {
        /// How.
        mode: SyncMode,
        /// Up to or back to here.
        zxid: Zxid,
    },
    /// A learner took over the initial history of an epoch durably and acknowledged NEWLEADER.
    NewLeaderAcked {
        /// The epoch.
        epoch: u32,
    },
    /// A quorum acknowledged NEWLEADER: this leader is established.
    Established {
        /// The epoch.
        epoch: u32,
        /// Last zxid of the initial history.
        history: Zxid,
    },
    /// A learner was told UPTODATE and serves.
    Serving {
        /// The epoch.
        epoch: u32,
        /// The leader.
        leader: ServerId,
    },
    /// A leader, follower or observer gave up its role.
    SteppedDown {
        /// The epoch it had (0: none yet).
        epoch: u32,
        /// Whether it led.
        leading: bool,
        /// Why.
        reason: &'static str,
        /// Client requests it had not answered.
        pending: usize,
    },
    /// Something of an older epoch was refused because of its epoch.
    Fenced {
        /// What was refused.
        what: &'static str,
        /// Whose it was, if known.
        peer: Option<ServerId>,
        /// The refused epoch.
        stale: u32,
        /// The epoch that stands against it.
        current: u32,
    },
    /// Proposals of an older epoch that this server had logged, and that no quorum had, are given up.
    ProposalsAbandoned {
        /// The epoch that proposed the last of them.
        stale: u32,
        /// The epoch whose history has no place for them.
        current: u32,
        /// How many (of those still in memory).
        count: usize,
    },
    /// A leader dropped a learner.
    LearnerDropped {
        /// Whom.
        learner: ServerId,
        /// Why.
        reason: &'static str,
    },
    /// The log was cut.
    LogTruncated {
        /// The last zxid kept.
        to: Zxid,
        /// Last zxid before.
        from: Zxid,
    },
    /// A snapshot replaced the state.
    SnapshotInstalled {
        /// The last zxid in it.
        zxid: Zxid,
    },
    /// A peer broke the protocol and was disconnected.
    PeerMisbehaved {
        /// What it did.
        what: &'static str,
    },
}

impl Trace {
    /// The transition's name, stable over versions.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::State { .. } => "state",
            Self::ElectionStarted { .. } => "election.started",
            Self::Elected { .. } => "election.decided",
            Self::EpochProposed { .. } => "leader.epoch_proposed",
            Self::EpochAccepted { .. } => "learner.epoch_accepted",
            Self::EpochAcknowledged { .. } => "leader.epoch_acknowledged",
            Self::SyncStarted { .. } => "leader.sync_started",
            Self::SyncReceived { .. } => "learner.sync_received",
            Self::NewLeaderAcked { .. } => "learner.newleader_acked",
            Self::Established { .. } => "leader.established",
            Self::Serving { .. } => "learner.serving",
            Self::SteppedDown { .. } => "stepped_down",
            Self::Fenced { .. } => "fenced",
            Self::ProposalsAbandoned { .. } => "learner.proposals_abandoned",
            Self::LearnerDropped { .. } => "leader.learner_dropped",
            Self::LogTruncated { .. } => "learner.log_truncated",
            Self::SnapshotInstalled { .. } => "learner.snapshot_installed",
            Self::PeerMisbehaved { .. } => "peer_misbehaved",
        }
    }

    /// The branch that was taken where a transition has several: its reason, its mode, what was refused.
    #[must_use]
    pub fn branch(&self) -> &'static str {
        match self {
            Self::SyncStarted { reason, .. } => reason.sentence(),
            Self::SyncReceived { mode, .. } => mode.name(),
            Self::State { reason, .. }
            | Self::SteppedDown { reason, .. }
            | Self::LearnerDropped { reason, .. } => reason,
            Self::Fenced { what, .. } | Self::PeerMisbehaved { what } => what,
            Self::ElectionStarted { .. }
            | Self::Elected { .. }
            | Self::EpochProposed { .. }
            | Self::EpochAccepted { .. }
            | Self::EpochAcknowledged { .. }
            | Self::NewLeaderAcked { .. }
            | Self::Established { .. }
            | Self::Serving { .. }
            | Self::ProposalsAbandoned { .. }
            | Self::LogTruncated { .. }
            | Self::SnapshotInstalled { .. } => "",
        }
    }

    /// The numbers of the transition, by name, in a fixed order: for JSON and for golden scripts.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, TraceValue)> {
        use TraceValue::{Number, Text};
        let id = |server: &ServerId| Number(server.0);
        let epoch = |epoch: &u32| Number((*epoch).into());
        let zxid = |zxid: &Zxid| Text(zxid.to_string());
        let text = |text: &str| Text(text.to_owned());
        match self {
            Self::State { state, reason } => vec![("state", text(state.name())), ("reason", text(reason))],
            Self::ElectionStarted { round, zxid: last, epoch: e } => {
                vec![("round", Number(*round)), ("zxid", zxid(last)), ("epoch", epoch(e))]
            }
            Self::Elected { leader, round } => vec![("leader", id(leader)), ("round", Number(*round))],
            Self::EpochProposed { epoch: e }
            | Self::EpochAcknowledged { epoch: e }
            | Self::NewLeaderAcked { epoch: e } => vec![("epoch", epoch(e))],
            Self::EpochAccepted { epoch: e, leader } | Self::Serving { epoch: e, leader } => {
                vec![("epoch", epoch(e)), ("leader", id(leader))]
            }
            Self::SyncStarted { learner, reason, from, to } => vec![
                ("learner", id(learner)),
                ("mode", text(reason.mode().name())),
                ("from", zxid(from)),
                ("to", zxid(to)),
                ("reason", text(reason.sentence())),
            ],
            Self::SyncReceived { mode, zxid: at } => vec![("mode", text(mode.name())), ("zxid", zxid(at))],
            Self::Established { epoch: e, history } => vec![("epoch", epoch(e)), ("history", zxid(history))],
            Self::SteppedDown { epoch: e, leading, reason, pending } => vec![
                ("epoch", epoch(e)),
                ("leading", Number(i64::from(*leading))),
                ("reason", text(reason)),
                ("pending", Number(i64::try_from(*pending).unwrap_or(i64::MAX))),
            ],
            Self::Fenced { what, peer, stale, current } => {
                let mut fields = vec![("what", text(what))];
                fields.extend(peer.as_ref().map(|peer| ("peer", id(peer))));
                fields.extend([("stale", epoch(stale)), ("current", epoch(current))]);
                fields
            }
            Self::ProposalsAbandoned { stale, current, count } => vec![
                ("stale", epoch(stale)),
                ("current", epoch(current)),
                ("count", Number(i64::try_from(*count).unwrap_or(i64::MAX))),
            ],
            Self::LearnerDropped { learner, reason } => {
                vec![("learner", id(learner)), ("reason", text(reason))]
            }
            Self::LogTruncated { to, from } => vec![("to", zxid(to)), ("from", zxid(from))],
            Self::SnapshotInstalled { zxid: at } => vec![("zxid", zxid(at))],
            Self::PeerMisbehaved { what } => vec![("what", text(what))],
        }
    }
}

/// A field of a [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceValue {
    /// An epoch, id, round or flag.
    Number(i64),
    /// A zxid in hex, or a name.
    Text(String),
}

impl fmt::Display for TraceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        for (name, value) in self.fields() {
            let value = value.to_string();
            if value.contains(' ') {
                write!(f, " {name}=\"{value}\"")?;
            } else {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}
