//! What is encoded is decoded as the same, for every record and message, and however a stream is split.

use crate::support::*;
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Debug;
use zab_wire::client::{Acl, ConnectRequest, ConnectResponse, ReplyHeader, Request, RequestHeader, Response};
use zab_wire::election::{InitialMessage, Notification, PeerState};
use zab_wire::jute::{Reader, Record, Writer};
use zab_wire::quorum::{QuorumDecoder, QuorumMessage};
use zab_wire::snapshot::{SnapshotData, SnapshotScanner};
use zab_wire::{WireError, txn};

/// Decodes what was encoded, to the last byte; and what is cut short is never taken for whole.
fn same<T: Record + PartialEq + Debug>(record: &T) {
    let encoded = record.to_vec();
    let mut input = Reader::new(&encoded);
    assert_eq!(&T::decode(&mut input).unwrap(), record);
    assert!(input.is_empty());
    assert_eq!(&T::from_slice(&encoded).unwrap(), record);
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (path(), data(), acl(), any::<i32>(), any::<bool>()).prop_map(
            |(path, data, acl, flags, with_stat)| Request::Create { path, data, acl, flags, with_stat }
        ),
        (path(), any::<i32>()).prop_map(|(path, version)| Request::Delete { path, version }),
        (path(), any::<bool>()).prop_map(|(path, watch)| Request::Exists { path, watch }),
        (path(), any::<bool>()).prop_map(|(path, watch)| Request::GetData { path, watch }),
        (path(), data(), any::<i32>()).prop_map(|(path, data, version)| Request::SetData {
            path,
            data,
            version
        }),
        (path(), any::<bool>(), any::<bool>()).prop_map(|(path, watch, with_stat)| Request::GetChildren {
            path,
            watch,
            with_stat
        }),
        path().prop_map(|path| Request::Sync { path }),
        Just(Request::Ping),
        Just(Request::CloseSession),
        any::<i32>().prop_map(|timeout_ms| Request::CreateSession { timeout_ms }),
        prop_oneof![Just(6), Just(14), Just(106), Just(12_345)].prop_map(|op| Request::Other { op }),
    ]
}

/// A request and an answer of its form.
fn exchange() -> impl Strategy<Value = (Request, Response)> {
    let answer = (path(), stat(), data(), vec("[a-z]{1,8}", 0..4));
    (request(), answer).prop_map(|(request, (path, stat, data, names))| {
        let response = match &request {
            Request::Create { with_stat: true, .. } => Response::PathStat(path, stat),
            Request::Create { with_stat: false, .. } | Request::Sync { .. } => Response::Path(path),
            Request::Exists { .. } | Request::SetData { .. } => Response::Stat(stat),
            Request::GetData { .. } => Response::Data(data, stat),
            Request::GetChildren { with_stat: true, .. } => Response::ChildrenStat(names, stat),
            Request::GetChildren { with_stat: false, .. } => Response::Children(names),
            Request::Delete { .. }
            | Request::Ping
            | Request::CloseSession
            | Request::CreateSession { .. }
            | Request::Other { .. } => Response::Empty,
        };
        (request, response)
    })
}

fn notification() -> impl Strategy<Value = Notification> {
    let state = prop_oneof![
        Just(PeerState::Looking),
        Just(PeerState::Following),
        Just(PeerState::Leading),
        Just(PeerState::Observing)
    ];
    (state, server(), zxid(), any::<i64>(), any::<i64>(), "[a-z=:0-9\n]{0,40}").prop_map(
        |(state, leader, zxid, election_epoch, peer_epoch, config)| Notification {
            state,
            leader,
            zxid,
            election_epoch,
            peer_epoch,
            config,
        },
    )
}

/// Epochs above 2^31 do not fit ACKEPOCH's int.
fn current_epoch() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![Just(None), (0_u32..1 << 31).prop_map(Some)]
}

fn opaque() -> impl Strategy<Value = Bytes> {
    bytes().prop_map(Bytes::from)
}

fn message() -> impl Strategy<Value = QuorumMessage> {
    let ids = (any::<u32>(), server(), any::<i64>());
    prop_oneof![
        ids.clone().prop_map(|(accepted_epoch, server, config_version)| QuorumMessage::FollowerInfo {
            accepted_epoch,
            server,
            config_version
        }),
        ids.prop_map(|(accepted_epoch, server, config_version)| QuorumMessage::ObserverInfo {
            accepted_epoch,
            server,
            config_version
        }),
        any::<u32>().prop_map(|epoch| QuorumMessage::LeaderInfo { epoch }),
        (zxid(), current_epoch())
            .prop_map(|(last_zxid, current_epoch)| QuorumMessage::AckEpoch { last_zxid, current_epoch }),
        zxid().prop_map(|zxid| QuorumMessage::Diff { zxid }),
        zxid().prop_map(|zxid| QuorumMessage::Trunc { zxid }),
        (zxid(), tree()).prop_map(|(zxid, tree)| QuorumMessage::Snap { zxid, tree: tree.to_vec().into() }),
        (any::<u32>(), bytes()).prop_map(|(epoch, config)| QuorumMessage::NewLeader { epoch, config }),
        Just(QuorumMessage::UpToDate),
        (zxid(), opaque()).prop_map(|(zxid, txn)| QuorumMessage::Proposal { zxid, txn }),
        zxid().prop_map(|zxid| QuorumMessage::Ack { zxid }),
        zxid().prop_map(|zxid| QuorumMessage::Commit { zxid }),
        (zxid(), opaque()).prop_map(|(zxid, txn)| QuorumMessage::Inform { zxid, txn }),
        (zxid(), vec((session(), any::<i32>()), 0..4))
            .prop_map(|(zxid, touched)| QuorumMessage::Ping { zxid, touched }),
        forwarded().prop_map(QuorumMessage::Request),
        (session(), any::<i32>())
            .prop_map(|(session, timeout_ms)| QuorumMessage::Revalidate { session, timeout_ms }),
        (session(), any::<bool>()).prop_map(|(session, valid)| QuorumMessage::Revalidated { session, valid }),
        Just(QuorumMessage::Sync),
        prop_oneof![Just(9), Just(19)].prop_map(|kind| QuorumMessage::Unsupported { kind }),
    ]
}

fn encode_all(messages: &[QuorumMessage]) -> Vec<u8> {
    let mut out = Writer::new();
    for message in messages {
        message.encode(&mut out);
    }
    out.into_inner()
}

/// Feeds a stream piece by piece and takes out whatever is whole.
fn decode_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<QuorumMessage> {
    let mut decoder = QuorumDecoder::default();
    let mut stream = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        stream.extend_from_slice(piece);
        while let Some(message) = decoder.decode(&mut stream).unwrap() {
            messages.push(message);
        }
    }
    assert!(stream.is_empty(), "{} bytes are left over", stream.len());
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn connecting(
        zxid in zxid(), timeout_ms in any::<i32>(), session in session(), password in bytes(),
        read_only in proptest::option::of(any::<bool>()),
    ) {
        let last_zxid_seen = zxid;
        same(&ConnectRequest { last_zxid_seen, timeout_ms, session, password: password.clone(), read_only });
        same(&ConnectResponse { timeout_ms, session, password, read_only });
    }

    #[test]
    fn headers_and_parts(
        xid in any::<i32>(), op in any::<i32>(), zxid in zxid(), stat in stat(), acl in acl(), request in forwarded(),
    ) {
        same(&RequestHeader { xid, op });
        same(&ReplyHeader { xid, zxid, error: op });
        same(&stat);
        acl.iter().for_each(same::<Acl>);
        same(&request);
    }

    #[test]
    fn requests_and_answers((request, response) in exchange()) {
        let mut body = Writer::new();
        request.encode_body(&mut body);
        prop_assert_eq!(&Request::decode(request.op(), &body.into_inner()).unwrap(), &request);
        let mut body = Writer::new();
        response.encode_body(&mut body);
        prop_assert_eq!(Response::decode(&request, &body.into_inner()).unwrap(), response);
    }

    #[test]
    fn votes(from in server(), address in "[a-z.]{1,20}:[0-9]{1,5}", notification in notification()) {
        same(&InitialMessage { from, address });
        same(&notification);
    }

    #[test]
    fn transactions(header in txn_header(), change in txn(), digest in any::<[u8; 12]>()) {
        let mut encoded = txn::encode(&header, &change);
        prop_assert_eq!(txn::decode(&encoded).unwrap(), (header, change.clone()));
        prop_assert_eq!(txn::zxid_of(&encoded).unwrap(), header.zxid);
        // A digest behind a known change does not matter.
        if !matches!(change, txn::Txn::Other { .. }) {
            encoded.extend_from_slice(&digest);
            prop_assert_eq!(txn::decode(&encoded).unwrap(), (header, change));
        }
    }

    #[test]
    fn trees_and_where_they_end(tree in tree(), behind in bytes()) {
        let mut encoded = tree.to_vec();
        prop_assert_eq!(&SnapshotData::from_slice(&encoded).unwrap(), &tree);
        let len = encoded.len();
        encoded.extend_from_slice(&behind);
        let mut scanner = SnapshotScanner::default();
        for end in 0..len {
            prop_assert_eq!(scanner.scan(&encoded[..end]).unwrap(), None);
        }
        prop_assert_eq!(scanner.scan(&encoded[..len]).unwrap(), Some(len));
        prop_assert_eq!(scanner.scan(&encoded).unwrap(), Some(len), "asked again, it says the same");
        prop_assert_eq!(SnapshotScanner::default().scan(&encoded).unwrap(), Some(len));
    }

    #[test]
    fn quorum_messages_byte_by_byte(messages in vec(message(), 1..6)) {
        let stream = encode_all(&messages);
        prop_assert_eq!(decode_pieces(stream.chunks(1)), messages);
    }

    #[test]
    fn quorum_messages_in_random_pieces(messages in vec(message(), 1..12), lens in vec(1_usize..200, 1..40)) {
        let stream = encode_all(&messages);
        let mut rest = &stream[..];
        let pieces = lens.iter().cycle().map_while(|len| {
            let (piece, tail) = rest.split_at(rest.len().min(*len));
            rest = tail;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(decode_pieces(pieces), messages);
    }
}

/// A record cut short is *truncated*, so that a reader of a stream knows to wait.
#[test]
fn every_cut_of_a_packet_asks_for_more() {
    let message = QuorumMessage::Request(txn::ForwardedRequest {
        session: zab_wire::SessionId(5),
        cxid: 1,
        op: 5,
        body: b"body".to_vec(),
    });
    let whole = encode_all(&[message]);
    for len in 0..whole.len() {
        let mut stream = BytesMut::from(&whole[..len]);
        assert_eq!(QuorumDecoder::default().decode(&mut stream), Ok(None), "{len} bytes");
        assert_eq!(stream.len(), len, "nothing is taken from an unfinished packet");
    }
}

#[test]
fn a_tree_that_does_not_end_with_the_signature_is_refused() {
    let tree = SnapshotData::default().to_vec();
    let mut out = Writer::new();
    QuorumMessage::Snap { zxid: zab_wire::Zxid::ZERO, tree: tree.into() }.encode(&mut out);
    let mut stream = BytesMut::from(&out.into_inner()[..]);
    *stream.last_mut().unwrap() = b'!';
    let error = QuorumDecoder::default().decode(&mut stream).unwrap_err();
    assert!(matches!(error, WireError::Invalid(_)), "{error}");
}
