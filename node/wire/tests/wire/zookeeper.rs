//! Bytes that Apache ZooKeeper sent (see `testdata/README.md`): understood, and written again the same.

use crate::support::{hex, lines};
use bytes::BytesMut;
use std::collections::BTreeMap;
use zab_wire::client::{
    ConnectRequest, ConnectResponse, ErrorCode, OpCode, ReplyHeader, Request, RequestHeader, Response,
    XID_NOTIFICATION, session_password,
};
use zab_wire::election::{InitialMessage, Notification, PeerState};
use zab_wire::jute::{Reader, Record, Writer};
use zab_wire::quorum::{QuorumDecoder, QuorumMessage};
use zab_wire::snapshot::SnapshotData;
use zab_wire::txn::{self, Txn};
use zab_wire::{ServerId, SessionId, Zxid};

const CLIENT: &str = include_str!("../../testdata/client.txt");
const ELECTION: &str = include_str!("../../testdata/election.txt");
const QUORUM: &str = include_str!("../../testdata/quorum.txt");
const FIRST_FROM_LEADER: &[u8] = include_bytes!("../../testdata/first-from-leader.bin");
const FIRST_TO_LEADER: &[u8] = include_bytes!("../../testdata/first-to-leader.bin");
const WIPED_FROM_LEADER: &[u8] = include_bytes!("../../testdata/wiped-from-leader.bin");
const WIPED_TO_LEADER: &[u8] = include_bytes!("../../testdata/wiped-to-leader.bin");

fn body_of(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new();
    encode(&mut out);
    out.into_inner()
}

#[test]
fn connecting_is_written_as_zookeeper_writes_it() {
    let mut sessions = Vec::new();
    for line in lines(CLIENT) {
        let [direction, "CONNECT", bytes] = line[..] else { continue };
        let bytes = hex(bytes);
        if direction == "->" {
            let request = ConnectRequest::from_slice(&bytes).unwrap();
            assert_eq!((request.timeout_ms, request.read_only), (6000, Some(false)));
            assert_eq!(request.to_vec(), bytes);
        } else {
            let response = ConnectResponse::from_slice(&bytes).unwrap();
            assert_eq!(response.password, session_password(response.session));
            assert_eq!(response.to_vec(), bytes);
            sessions.push(response.session);
        }
    }
    assert!(sessions.contains(&SessionId(0x0100_0025_4eda_0000)), "{sessions:?}");
}

#[test]
fn requests_and_answers_are_written_as_zookeeper_writes_them() {
    let mut waiting: BTreeMap<i32, Request> = BTreeMap::new();
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    for line in lines(CLIENT) {
        let [direction, bytes] = line[..] else {
            waiting.clear();
            continue;
        };
        let bytes = hex(bytes);
        let mut input = Reader::new(&bytes);
        if direction == "->" {
            let header = RequestHeader::decode(&mut input).unwrap();
            let request = Request::decode(header.op, input.rest()).unwrap();
            if !matches!(request, Request::Other { .. }) {
                let again = body_of(|out| {
                    header.encode(out);
                    request.encode_body(out);
                });
                assert_eq!(again, bytes, "{request:?}");
            }
            waiting.insert(header.xid, request);
        } else {
            let header = ReplyHeader::decode(&mut input).unwrap();
            if header.xid == XID_NOTIFICATION {
                continue;
            }
            let Some(request) = waiting.remove(&header.xid) else { continue };
            if header.error == 0 && !matches!(request, Request::Other { .. }) {
                let response = Response::decode(&request, input.rest()).unwrap();
                let again = body_of(|out| {
                    header.encode(out);
                    response.encode_body(out);
                });
                assert_eq!(again, bytes, "{request:?}: {response:?}");
                *seen.entry(OpCode::from_code(request.op()).unwrap().name()).or_default() += 1;
            } else if header.error != 0 {
                assert!(input.is_empty(), "nothing follows an error");
                *seen.entry(ErrorCode::from_code(header.error).unwrap().name()).or_default() += 1;
            }
        }
    }
    let all = [
        "Create",
        "Create2",
        "SetData",
        "GetData",
        "GetChildren",
        "GetChildren2",
        "Sync",
        "Ping",
        "CloseSession",
        "NoNode",
        "NodeExists",
    ];
    for name in all {
        assert!(seen.contains_key(name), "{name} in {seen:?}");
    }
}

#[test]
fn votes_are_written_as_zookeeper_writes_them() {
    let mut states = Vec::new();
    for line in lines(ELECTION) {
        let bytes = hex(line[2]);
        if line[0] == "INITIAL" {
            let initial = InitialMessage::from_slice(&bytes).unwrap();
            assert_eq!(initial.address, format!("127.0.0.1:2501{}", initial.from));
            assert_eq!(initial.to_vec(), bytes);
            continue;
        }
        let (length, payload) = bytes.split_at(4);
        assert_eq!(length, u32::try_from(payload.len()).unwrap().to_be_bytes());
        let vote = Notification::from_slice(payload).unwrap();
        assert_eq!(vote.state.name(), line[1]);
        assert!(vote.config.starts_with("server.1=") && vote.config.ends_with("version=0"));
        assert_eq!(vote.to_vec(), payload);
        states.push((vote.state, vote.leader));
    }
    let observers_vote = (PeerState::Looking, ServerId(i64::MIN));
    for expected in [observers_vote, (PeerState::Leading, ServerId(3)), (PeerState::Following, ServerId(3))] {
        assert!(states.contains(&expected), "{expected:?}");
    }
}

/// Old servers end their votes earlier; ids of observers and multiple addresses are understood.
#[test]
fn old_and_odd_forms_of_the_election_port() {
    let whole = hex(lines(ELECTION).find(|line| line[0] == "NOTIFICATION").unwrap()[2]);
    let vote = Notification::from_slice(&whole[4..]).unwrap();
    let old = Notification { config: String::new(), ..vote };
    assert_eq!(Notification::from_slice(&whole[4..4 + 36]), Ok(old.clone()));
    let padded = [&whole[4..4 + 36], &[0; 4]].concat();
    assert_eq!(Notification::from_slice(&padded), Ok(old));
    let multi = hex("ffffffffffff00010000000000000002000000076c3a317c6d3a32");
    let initial = InitialMessage::from_slice(&multi[..]).unwrap();
    assert_eq!((initial.from, initial.address.as_str()), (ServerId(2), "l:1|m:2"));
}

/// Takes every message off a stream.
fn decode(bytes: &[u8]) -> Vec<QuorumMessage> {
    let mut stream = BytesMut::from(bytes);
    let mut decoder = QuorumDecoder::default();
    let mut messages = Vec::new();
    while let Some(message) = decoder.decode(&mut stream).unwrap() {
        messages.push(message);
    }
    assert!(stream.is_empty(), "{} bytes are left behind {:?}", stream.len(), messages.last());
    messages
}

fn encode(message: &QuorumMessage) -> Vec<u8> {
    body_of(|out| message.encode(out))
}

/// What we write for a packet of ZooKeeper's: the same, but that a leader's PING has empty data and not null
/// (see `QuorumMessage::encode`), and that a REQUEST does not carry its client's ids.
fn assert_written_again(message: &QuorumMessage, original: &[u8]) {
    let ours = encode(message);
    match message {
        QuorumMessage::Ping { touched, .. } if touched.is_empty() => {
            assert_eq!(ours.len(), 20);
            assert_eq!(ours[..12], original[..12]);
        }
        QuorumMessage::Request(_) => {
            let ids = ours.len() - 4;
            assert_eq!(ours[..ids], original[..ids]);
        }
        QuorumMessage::FollowerInfo { .. }
        | QuorumMessage::ObserverInfo { .. }
        | QuorumMessage::LeaderInfo { .. }
        | QuorumMessage::AckEpoch { .. }
        | QuorumMessage::Diff { .. }
        | QuorumMessage::Trunc { .. }
        | QuorumMessage::Snap { .. }
        | QuorumMessage::NewLeader { .. }
        | QuorumMessage::UpToDate
        | QuorumMessage::Proposal { .. }
        | QuorumMessage::Ack { .. }
        | QuorumMessage::Commit { .. }
        | QuorumMessage::Inform { .. }
        | QuorumMessage::Ping { .. }
        | QuorumMessage::Revalidate { .. }
        | QuorumMessage::Revalidated { .. }
        | QuorumMessage::Sync
        | QuorumMessage::Unsupported { .. } => assert_eq!(ours, original, "{message:?}"),
    }
}

#[test]
fn quorum_packets_are_written_as_zookeeper_writes_them() {
    let mut names = Vec::new();
    for line in lines(QUORUM) {
        let [_, name, bytes] = line[..] else { panic!("{line:?}") };
        let bytes = hex(bytes);
        let messages = decode(&bytes);
        assert_eq!(messages.len(), 1, "{name}");
        assert_eq!(messages[0].name(), name);
        assert_written_again(&messages[0], &bytes);
        if let QuorumMessage::Proposal { zxid, txn } | QuorumMessage::Inform { zxid, txn } = &messages[0] {
            assert_eq!(txn::zxid_of(txn), Ok(*zxid));
            assert_transaction(txn);
        }
        names.push(name);
    }
    let all = [
        "FOLLOWERINFO",
        "OBSERVERINFO",
        "LEADERINFO",
        "ACKEPOCH",
        "DIFF",
        "TRUNC",
        "NEWLEADER",
        "UPTODATE",
        "PROPOSAL",
        "ACK",
        "COMMIT",
        "INFORM",
        "PING",
        "REQUEST",
        "REVALIDATE",
        "SYNC",
    ];
    for name in all {
        assert!(names.iter().filter(|seen| **seen == name).count() >= 2, "{name}, of both versions");
    }
}

/// A known change is written again as it was but for the digest; an unknown one keeps every byte.
fn assert_transaction(bytes: &[u8]) {
    let (header, change) = txn::decode(bytes).unwrap();
    let ours = txn::encode(&header, &change);
    let digest = &bytes[ours.len()..];
    assert_eq!(ours, bytes[..ours.len()], "{change:?}");
    match change {
        Txn::Other { .. } => assert_eq!(digest, b""),
        // The failed request of the capture has none.
        Txn::Error { .. } => assert!(digest.is_empty() || digest.len() == 12),
        Txn::CreateSession { .. }
        | Txn::CloseSession { .. }
        | Txn::Create { .. }
        | Txn::Delete { .. }
        | Txn::SetData { .. } => {
            assert_eq!(digest.len(), 12);
            assert_eq!(digest[..4], 2_i32.to_be_bytes());
        }
    }
}

#[test]
fn whole_conversations_are_understood() {
    let names = |bytes| decode(bytes).iter().map(QuorumMessage::name).collect::<Vec<_>>();
    let from_leader = names(FIRST_FROM_LEADER);
    assert_eq!(from_leader[..4], ["LEADERINFO", "SNAP", "NEWLEADER", "UPTODATE"]);
    assert_eq!(names(FIRST_TO_LEADER)[..4], ["FOLLOWERINFO", "ACKEPOCH", "ACK", "ACK"]);
    assert_eq!(from_leader.iter().filter(|name| **name == "PROPOSAL").count(), 10);
    assert_eq!(from_leader.iter().filter(|name| **name == "COMMIT").count(), 10);
    assert_eq!(names(WIPED_FROM_LEADER)[..4], ["LEADERINFO", "SNAP", "NEWLEADER", "UPTODATE"]);
    assert!(names(WIPED_TO_LEADER).contains(&"REQUEST"));
    for stream in [FIRST_FROM_LEADER, FIRST_TO_LEADER, WIPED_FROM_LEADER, WIPED_TO_LEADER] {
        let mut at = 0;
        for message in decode(stream) {
            // Ids behind a REQUEST and null in a PING make the only differences in length.
            let rest = &stream[at..];
            assert_written_again(&message, &rest[..rest.len().min(encode(&message).len())]);
            at += length_of_first(rest);
        }
        assert_eq!(at, stream.len());
    }
}

fn length_of_first(stream: &[u8]) -> usize {
    let mut rest = BytesMut::from(stream);
    QuorumDecoder::default().decode(&mut rest).unwrap().unwrap();
    stream.len() - rest.len()
}

#[test]
fn conversations_are_the_same_however_they_are_split() {
    for stream in [FIRST_FROM_LEADER, FIRST_TO_LEADER, WIPED_FROM_LEADER, WIPED_TO_LEADER] {
        let whole = decode(stream);
        for size in [1, 2, 3, 5, 7, 16, 64, 1000] {
            let mut decoder = QuorumDecoder::default();
            let mut buffer = BytesMut::new();
            let mut messages = Vec::new();
            for piece in stream.chunks(size) {
                buffer.extend_from_slice(piece);
                while let Some(message) = decoder.decode(&mut buffer).unwrap() {
                    messages.push(message);
                }
            }
            assert_eq!(messages, whole, "in pieces of {size}");
        }
    }
}

#[test]
fn the_tree_of_a_snap_is_understood_and_written_again() {
    let messages = decode(WIPED_FROM_LEADER);
    let Some(QuorumMessage::Snap { zxid, tree }) = messages.get(1) else { panic!("{messages:?}") };
    assert_eq!(*zxid, Zxid::new(1, 10));
    let data = SnapshotData::from_slice(tree).unwrap();
    assert_eq!(data.to_vec(), tree[..]);
    assert_eq!(data.sessions.len(), 1);
    let paths: Vec<_> = data.nodes.iter().map(|node| node.path.as_str()).collect();
    assert_eq!(paths[0], "");
    for path in ["/reg", "/eph", "/acl", "/parent", "/parent/child", "/zookeeper/config"] {
        assert!(paths.contains(&path), "{path} in {paths:?}");
    }
    let find = |path| data.nodes.iter().find(|node| node.path == path).unwrap();
    assert_eq!(find("/reg").data.as_deref(), Some(&b"three"[..]));
    assert_eq!(find("/reg").stat.version, 3);
    assert_eq!(find("/eph").stat.ephemeral_owner, data.sessions[0].0.0);
    assert_eq!(find("/parent").stat.cversion, 1);
    let acl = data.acls.iter().find(|(key, _)| *key == find("/acl").acl_key).unwrap();
    assert_eq!((acl.1[0].permissions, acl.1[0].id.as_str()), (19, "anyone"));
}
