//! The quorum port: what leaders and learners say to each other (`QuorumPacket`, `Leader`, `Learner`).
//!
//! Packets stand back to back on the stream, without a length; [`QuorumDecoder`] finds their ends.

use crate::ids::{ServerId, SessionId, Zxid};
use crate::jute::{MAX_BUFFER, Reader, Record, WireError, Writer};
use crate::snapshot::SnapshotScanner;
use crate::txn::ForwardedRequest;
use bytes::{Buf, Bytes, BytesMut};

/// The protocol version that both sides announce.
pub const PROTOCOL_VERSION: i32 = 0x10000;

/// Ends the tree of a SNAP stream.
const SNAP_SIGNATURE: &str = "BenWasHere";

/// One message between a leader and a learner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum QuorumMessage {
    /// 11: a follower introduces itself and the highest epoch it has promised.
    FollowerInfo {
        /// acceptedEpoch
        accepted_epoch: u32,
        /// Who it is.
        server: ServerId,
        /// Version of the configuration it knows.
        config_version: i64,
    },
    /// 16: the same from an observer.
    ObserverInfo {
        /// acceptedEpoch
        accepted_epoch: u32,
        /// Who it is.
        server: ServerId,
        /// Version of the configuration it knows.
        config_version: i64,
    },
    /// 17: the leader's new epoch.
    LeaderInfo {
        /// The epoch.
        epoch: u32,
    },
    /// 18: the learner's promise, and what it has.
    AckEpoch {
        /// Last zxid of its log.
        last_zxid: Zxid,
        /// Its currentEpoch; `None` (-1) when it had promised this epoch before.
        current_epoch: Option<u32>,
    },
    /// 13: your log is a prefix of mine up to here; the rest follows.
    Diff {
        /// The leader's last committed zxid.
        zxid: Zxid,
    },
    /// 14: cut your log behind this zxid.
    Trunc {
        /// The last zxid to keep.
        zxid: Zxid,
    },
    /// 15: replace your state by this tree.
    Snap {
        /// The last zxid in the tree.
        zxid: Zxid,
        /// The serialised tree ([`crate::snapshot`]).
        tree: Bytes,
    },
    /// 10: end of the initial history of this epoch.
    NewLeader {
        /// The epoch.
        epoch: u32,
        /// The leader's view of the ensemble, as text.
        config: Vec<u8>,
    },
    /// 12: a quorum has taken over the initial history; you may serve.
    UpToDate,
    /// 2: the next transaction.
    Proposal {
        /// Its zxid.
        zxid: Zxid,
        /// Header and body ([`crate::txn`]), verbatim.
        txn: Bytes,
    },
    /// 3: everything up to here is on my disk.
    Ack {
        /// A transaction's zxid, or `epoch << 32` for NEWLEADER and UPTODATE.
        zxid: Zxid,
    },
    /// 4: apply it.
    Commit {
        /// Its zxid.
        zxid: Zxid,
    },
    /// 8: a committed transaction, to an observer.
    Inform {
        /// Its zxid.
        zxid: Zxid,
        /// Header and body, verbatim.
        txn: Bytes,
    },
    /// 5: are you there; the answer copies the zxid and tells which sessions were heard of.
    Ping {
        /// The leader's last proposed zxid.
        zxid: Zxid,
        /// Sessions heard of since the last ping, with their timeouts in ms (answers only).
        touched: Vec<(SessionId, i32)>,
    },
    /// 1: a client's write or sync, forwarded.
    Request(ForwardedRequest),
    /// 6: is this session alive (to the leader).
    Revalidate {
        /// Which session.
        session: SessionId,
        /// Its timeout in ms.
        timeout_ms: i32,
    },
    /// 6: the answer (from the leader).
    Revalidated {
        /// Which session.
        session: SessionId,
        /// Whether it is alive.
        valid: bool,
    },
    /// 7: the learner's oldest pending sync is done.
    Sync,
    /// 9, 19: parts of reconfiguration, which this build does not speak.
    Unsupported {
        /// The packet's type.
        kind: i32,
    },
}

impl QuorumMessage {
    /// The message's name in ZooKeeper.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::FollowerInfo { .. } => "FOLLOWERINFO",
            Self::ObserverInfo { .. } => "OBSERVERINFO",
            Self::LeaderInfo { .. } => "LEADERINFO",
            Self::AckEpoch { .. } => "ACKEPOCH",
            Self::Diff { .. } => "DIFF",
            Self::Trunc { .. } => "TRUNC",
            Self::Snap { .. } => "SNAP",
            Self::NewLeader { .. } => "NEWLEADER",
            Self::UpToDate => "UPTODATE",
            Self::Proposal { .. } => "PROPOSAL",
            Self::Ack { .. } => "ACK",
            Self::Commit { .. } => "COMMIT",
            Self::Inform { .. } => "INFORM",
            Self::Ping { .. } => "PING",
            Self::Request(_) => "REQUEST",
            Self::Revalidate { .. } | Self::Revalidated { .. } => "REVALIDATE",
            Self::Sync => "SYNC",
            Self::Unsupported { .. } => "UNSUPPORTED",
        }
    }

    /// Appends the packet, for SNAP with the tree and its signature behind it.
    pub fn encode(&self, out: &mut Writer) {
        match self {
            Self::FollowerInfo { accepted_epoch, server, config_version } => {
                learner_info(out, 11, *accepted_epoch, *server, *config_version);
            }
            Self::ObserverInfo { accepted_epoch, server, config_version } => {
                learner_info(out, 16, *accepted_epoch, *server, *config_version);
            }
            Self::LeaderInfo { epoch } => {
                packet(out, 17, Zxid::of_epoch(*epoch), Some(&PROTOCOL_VERSION.to_be_bytes()));
            }
            Self::AckEpoch { last_zxid, current_epoch } => {
                // -1 on the wire is all bits set, which is no epoch that was ever led.
                let epoch = current_epoch.unwrap_or(u32::MAX);
                packet(out, 18, *last_zxid, Some(&epoch.to_be_bytes()));
            }
            Self::Diff { zxid } => packet(out, 13, *zxid, None),
            Self::Trunc { zxid } => packet(out, 14, *zxid, None),
            Self::Snap { zxid, tree } => {
                packet(out, 15, *zxid, None);
                out.raw(tree);
                out.string(SNAP_SIGNATURE);
            }
            Self::NewLeader { epoch, config } => packet(out, 10, Zxid::of_epoch(*epoch), Some(config)),
            Self::UpToDate => packet(out, 12, Zxid::from_bits(u64::MAX), None),
            Self::Proposal { zxid, txn } => packet(out, 2, *zxid, Some(txn)),
            Self::Ack { zxid } => packet(out, 3, *zxid, None),
            Self::Commit { zxid } => packet(out, 4, *zxid, None),
            Self::Inform { zxid, txn } => packet(out, 8, *zxid, Some(txn)),
            Self::Ping { zxid, touched } => {
                let mut data = Writer::new();
                for (session, timeout_ms) in touched {
                    data.session(*session);
                    data.int(*timeout_ms);
                }
                // Empty rather than null when nobody was heard of: ZooKeeper's leader reads the answer's data
                // without asking whether there is any, and its learner ignores the question's.
                packet(out, 5, *zxid, Some(&data.into_inner()));
            }
            Self::Request(request) => packet(out, 1, Zxid::from_bits(u64::MAX), Some(&request.to_vec())),
            Self::Revalidate { session, timeout_ms } => {
                let mut data = Writer::new();
                data.session(*session);
                data.int(*timeout_ms);
                packet(out, 6, Zxid::from_bits(u64::MAX), Some(&data.into_inner()));
            }
            Self::Revalidated { session, valid } => {
                let mut data = Writer::new();
                data.session(*session);
                data.boolean(*valid);
                packet(out, 6, Zxid::from_bits(u64::MAX), Some(&data.into_inner()));
            }
            Self::Sync => packet(out, 7, Zxid::ZERO, None),
            Self::Unsupported { kind } => packet(out, *kind, Zxid::ZERO, None),
        }
    }

    fn from_packet(packet: RawPacket<'_>) -> Result<Self, WireError> {
        let RawPacket { kind, zxid, data } = packet;
        let bytes = data.unwrap_or_default();
        let mut input = Reader::new(bytes);
        Ok(match kind {
            1 => Self::Request(ForwardedRequest::decode(&mut input)?),
            2 => Self::Proposal { zxid, txn: required(data)? },
            3 => Self::Ack { zxid },
            4 => Self::Commit { zxid },
            5 => {
                let mut touched = Vec::new();
                while !input.is_empty() {
                    touched.push((input.session()?, input.int()?));
                }
                Self::Ping { zxid, touched }
            }
            // The question has 12 bytes, the answer 9.
            6 if bytes.len() == 9 => Self::Revalidated { session: input.session()?, valid: input.boolean()? },
            6 => Self::Revalidate { session: input.session()?, timeout_ms: input.int()? },
            7 => Self::Sync,
            8 => Self::Inform { zxid, txn: required(data)? },
            9 | 19 => Self::Unsupported { kind },
            10 => Self::NewLeader { epoch: zxid.epoch, config: bytes.to_vec() },
            11 | 16 => {
                let server = input.server()?;
                let _protocol_version = input.int()?;
                // Learners before 3.5 know no configuration version.
                let config_version = if input.is_empty() { 0 } else { input.long()? };
                let accepted_epoch = zxid.epoch;
                if kind == 11 {
                    Self::FollowerInfo { accepted_epoch, server, config_version }
                } else {
                    Self::ObserverInfo { accepted_epoch, server, config_version }
                }
            }
            12 => Self::UpToDate,
            13 => Self::Diff { zxid },
            14 => Self::Trunc { zxid },
            15 => Self::Snap { zxid, tree: Bytes::new() },
            17 => Self::LeaderInfo { epoch: zxid.epoch },
            18 => Self::AckEpoch { last_zxid: zxid, current_epoch: u32::try_from(input.int()?).ok() },
            code => return Err(WireError::UnknownCode { what: "quorum packet type", code: code.into() }),
        })
    }
}

fn required(data: Option<&[u8]>) -> Result<Bytes, WireError> {
    data.map(Bytes::copy_from_slice).ok_or(WireError::Null("a transaction"))
}

fn learner_info(out: &mut Writer, kind: i32, epoch: u32, server: ServerId, config_version: i64) {
    let mut data = Writer::new();
    data.server(server);
    data.int(PROTOCOL_VERSION);
    data.long(config_version);
    packet(out, kind, Zxid::of_epoch(epoch), Some(&data.into_inner()));
}

fn packet(out: &mut Writer, kind: i32, zxid: Zxid, data: Option<&[u8]>) {
    out.int(kind);
    out.zxid(zxid);
    out.buffer(data);
    // authinfo: nobody. Requests of authenticated clients carry their ids here.
    out.int(-1);
}

#[derive(Clone, Copy)]
struct RawPacket<'a> {
    kind: i32,
    zxid: Zxid,
    data: Option<&'a [u8]>,
}

impl<'a> RawPacket<'a> {
    fn read(input: &mut Reader<'a>) -> Result<Self, WireError> {
        let packet = Self { kind: input.int()?, zxid: input.zxid()?, data: input.buffer()? };
        let ids = input.count()?.unwrap_or(0);
        for _ in 0..ids {
            let _scheme = input.buffer()?;
            let _id = input.buffer()?;
        }
        Ok(packet)
    }
}

/// Cuts a stream into messages.
#[derive(Debug, Default)]
pub struct QuorumDecoder {
    /// A SNAP whose tree is still arriving.
    snap: Option<(Zxid, SnapshotScanner)>,
}

impl QuorumDecoder {
    /// Takes the next whole message from the front of `stream`; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`WireError`] when the bytes cannot become a message: the connection is to be dropped.
    pub fn decode(&mut self, stream: &mut BytesMut) -> Result<Option<QuorumMessage>, WireError> {
        if self.snap.is_none() {
            let mut input = Reader::new(stream);
            let message = match RawPacket::read(&mut input) {
                Err(WireError::Truncated { .. }) if stream.len() <= 2 * MAX_BUFFER => return Ok(None),
                Err(error) => return Err(error),
                Ok(packet) => QuorumMessage::from_packet(packet)?,
            };
            let used = stream.len() - input.rest().len();
            stream.advance(used);
            let QuorumMessage::Snap { zxid, .. } = message else { return Ok(Some(message)) };
            self.snap = Some((zxid, SnapshotScanner::default()));
        }
        let Some((zxid, scanner)) = &mut self.snap else { return Ok(None) };
        let Some(length) = scanner.scan(stream)? else { return Ok(None) };
        let mut behind = Reader::new(&stream[length..]);
        match behind.string() {
            Err(WireError::Truncated { .. }) => return Ok(None),
            Err(error) => return Err(error),
            Ok(signature) if signature == SNAP_SIGNATURE => {}
            Ok(_) => return Err(WireError::Invalid("the tree of a SNAP does not end with its signature")),
        }
        let zxid = *zxid;
        self.snap = None;
        let tree = stream.split_to(length).freeze();
        stream.advance(4 + SNAP_SIGNATURE.len());
        Ok(Some(QuorumMessage::Snap { zxid, tree }))
    }
}
