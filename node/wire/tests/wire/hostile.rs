//! Bytes from anywhere: an error or a value, never a panic, and never memory for a count that is only claimed.

use crate::support::*;
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use zab_wire::client::{
    Acl, ConnectRequest, ConnectResponse, ReplyHeader, Request, RequestHeader, Response, Stat,
};
use zab_wire::election::{InitialMessage, Notification};
use zab_wire::jute::{MAX_BUFFER, Reader, Record};
use zab_wire::quorum::{QuorumDecoder, QuorumMessage};
use zab_wire::snapshot::{SnapshotData, SnapshotScanner};
use zab_wire::txn::{self, ForwardedRequest};
use zab_wire::{WireError, Zxid};

/// Every decoder there is; results do not matter here.
fn decode_as_everything(bytes: &[u8]) {
    let _ = ConnectRequest::from_slice(bytes);
    let _ = ConnectResponse::from_slice(bytes);
    let _ = RequestHeader::from_slice(bytes);
    let _ = ReplyHeader::from_slice(bytes);
    let _ = Acl::from_slice(bytes);
    let _ = Stat::from_slice(bytes);
    let _ = InitialMessage::from_slice(bytes);
    let _ = Notification::from_slice(bytes);
    let _ = SnapshotData::from_slice(bytes);
    let _ = ForwardedRequest::from_slice(bytes);
    let _ = SnapshotScanner::default().scan(bytes);
    let _ = txn::decode(bytes);
    let _ = txn::zxid_of(bytes);
    for op in -12..110 {
        if let Ok(request) = Request::decode(op, bytes) {
            let _ = Response::decode(&request, bytes);
        }
    }
    decode_as_stream(bytes);
}

/// A decoder never keeps a stream waiting for what can be answered, nor takes the same bytes twice.
fn decode_as_stream(bytes: &[u8]) {
    let mut stream = BytesMut::from(bytes);
    let mut decoder = QuorumDecoder::default();
    let mut left = stream.len();
    while let Ok(Some(_)) = decoder.decode(&mut stream) {
        assert!(stream.len() < left, "a message takes bytes");
        left = stream.len();
    }
}

/// Encodings of everything: what a small change does to them reaches further than noise does.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let quorum = (0..20_i32, zxid(), data(), vec(acl(), 0..2)).prop_map(|(kind, zxid, data, ids)| {
        let mut out = zab_wire::jute::Writer::new();
        out.int(kind);
        out.zxid(zxid);
        out.buffer(data.as_deref());
        out.count(ids.len());
        out.into_inner()
    });
    let snap = (zxid(), tree()).prop_map(|(zxid, tree)| {
        let mut out = zab_wire::jute::Writer::new();
        QuorumMessage::Snap { zxid, tree: tree.to_vec().into() }.encode(&mut out);
        out.into_inner()
    });
    prop_oneof![
        quorum,
        snap,
        tree().prop_map(|tree| tree.to_vec()),
        (txn_header(), txn()).prop_map(|(header, change)| txn::encode(&header, &change)),
        (path(), data(), acl()).prop_map(|(path, data, acl)| {
            let mut out = zab_wire::jute::Writer::new();
            Request::Create { path, data, acl, flags: 0, with_stat: true }.encode_body(&mut out);
            out.into_inner()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise(bytes in vec(any::<u8>(), 0..200)) {
        decode_as_everything(&bytes);
    }

    /// Small numbers look like counts, lengths and codes.
    #[test]
    fn small_numbers(ints in vec(-2_i32..24, 0..60)) {
        let bytes: Vec<u8> = ints.iter().flat_map(|int| int.to_be_bytes()).collect();
        decode_as_everything(&bytes);
    }

    #[test]
    fn valid_bytes_with_a_few_changed_or_cut(
        mut bytes in valid(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), cut in any::<prop::sample::Index>(),
    ) {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        decode_as_everything(&bytes);
        bytes.truncate(cut.index(bytes.len() + 1));
        decode_as_everything(&bytes);
    }
}

/// A count is believed only as far as its elements are there.
#[test]
fn hostile_counts_are_errors_at_once() {
    let max = i32::try_from(MAX_BUFFER).unwrap();
    for (count, expected) in [
        (max, WireError::Truncated { available: 4 }),
        (max + 1, WireError::BadLength(i64::from(max) + 1)),
        (i32::MAX, WireError::BadLength(i32::MAX.into())),
        (-2, WireError::BadLength(-2)),
        (i32::MIN, WireError::BadLength(i32::MIN.into())),
    ] {
        let bytes = [count.to_be_bytes(), [0; 4]].concat();
        assert_eq!(Reader::new(&bytes).buffer(), Err(expected.clone()), "buffer of {count}");
        assert_eq!(Reader::new(&bytes).string(), Err(expected.clone()), "string of {count}");
        // The vector's one element is an empty string; then nothing is left.
        let expected = if count == max { WireError::Truncated { available: 0 } } else { expected };
        assert_eq!(Reader::new(&bytes).strings(), Err(expected), "strings of {count}");
    }
    // The tables of a tree may be longer than a buffer, but not longer than the bytes.
    let sessions = i32::MAX.to_be_bytes();
    assert_eq!(SnapshotData::from_slice(&sessions), Err(WireError::Truncated { available: 0 }));
    assert_eq!(SnapshotScanner::default().scan(&sessions), Ok(None));
    assert_eq!(SnapshotScanner::default().scan(&[0xff; 4]), Err(WireError::BadLength(-1)));
}

/// A packet may be as large as its data may be; what claims more does not get to be collected.
#[test]
fn an_endless_packet_is_refused() {
    let packet = |len: i32| {
        let mut bytes = 2_i32.to_be_bytes().to_vec();
        bytes.extend_from_slice(&Zxid::new(1, 1).to_bits().to_be_bytes());
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes
    };
    let decode = |bytes: &[u8]| QuorumDecoder::default().decode(&mut BytesMut::from(bytes));
    let max = i32::try_from(MAX_BUFFER).unwrap();
    assert_eq!(decode(&packet(max)), Ok(None));
    assert_eq!(decode(&packet(max + 1)), Err(WireError::BadLength(i64::from(max) + 1)));
    // Ids without end.
    let mut ids = packet(-1);
    ids.extend_from_slice(&max.to_be_bytes());
    ids.resize(2 * MAX_BUFFER + 1, 0);
    assert!(decode(&ids).is_err());
}

#[test]
fn packets_of_unknown_type_or_without_their_data_are_refused() {
    let decode = |text: &str| QuorumDecoder::default().decode(&mut BytesMut::from(&hex(text)[..]));
    let unknown = decode("00000063");
    assert_eq!(unknown, Ok(None), "not all there yet");
    let unknown = decode("000000630000000000000000ffffffffffffffff");
    assert_eq!(unknown, Err(WireError::UnknownCode { what: "quorum packet type", code: 99 }));
    let proposal_of_nothing = decode("000000020000000100000001ffffffffffffffff");
    assert_eq!(proposal_of_nothing, Err(WireError::Null("a transaction")));
    let follower_info_of_nothing = decode("0000000b0000000100000001ffffffffffffffff");
    assert_eq!(follower_info_of_nothing, Err(WireError::Truncated { available: 0 }));
}
