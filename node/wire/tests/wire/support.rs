//! Shared by the tests: reading test data, and values of every type.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use zab_wire::client::{Acl, Stat};
use zab_wire::snapshot::{NodeRecord, SnapshotData, StatPersisted};
use zab_wire::txn::{ForwardedRequest, Txn, TxnHeader};
use zab_wire::{ServerId, SessionId, Zxid};

/// Bytes from hex.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The words of each line that is no comment.
pub(crate) fn lines(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect())
}

pub(crate) fn zxid() -> impl Strategy<Value = Zxid> + Clone {
    any::<u64>().prop_map(Zxid::from_bits)
}

pub(crate) fn session() -> impl Strategy<Value = SessionId> {
    any::<i64>().prop_map(SessionId)
}

pub(crate) fn server() -> impl Strategy<Value = ServerId> + Clone {
    any::<i64>().prop_map(ServerId)
}

pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

pub(crate) fn data() -> impl Strategy<Value = Option<Vec<u8>>> {
    option::of(bytes())
}

/// A path, also with letters of several bytes; never "/", which ends a tree.
pub(crate) fn path() -> impl Strategy<Value = String> {
    "/[a-zé/]{1,12}"
}

pub(crate) fn acl() -> impl Strategy<Value = Vec<Acl>> {
    let entry = (any::<i32>(), "[a-z]{0,6}", "[a-zA-Z:=]{0,12}");
    vec(entry.prop_map(|(permissions, scheme, id)| Acl { permissions, scheme, id }), 0..3)
}

pub(crate) fn stat() -> impl Strategy<Value = Stat> {
    let longs = (zxid(), zxid(), any::<i64>(), any::<i64>(), any::<i64>(), zxid());
    (longs, any::<[i32; 5]>()).prop_map(|(longs, ints)| {
        let (czxid, mzxid, ctime_ms, mtime_ms, ephemeral_owner, pzxid) = longs;
        let [version, cversion, aversion, data_length, num_children] = ints;
        Stat {
            czxid,
            mzxid,
            ctime_ms,
            mtime_ms,
            version,
            cversion,
            aversion,
            ephemeral_owner,
            data_length,
            num_children,
            pzxid,
        }
    })
}

pub(crate) fn tree() -> impl Strategy<Value = SnapshotData> {
    let stat = stat().prop_map(|stat| StatPersisted {
        czxid: stat.czxid,
        mzxid: stat.mzxid,
        ctime_ms: stat.ctime_ms,
        mtime_ms: stat.mtime_ms,
        version: stat.version,
        cversion: stat.cversion,
        aversion: stat.aversion,
        ephemeral_owner: stat.ephemeral_owner,
        pzxid: stat.pzxid,
    });
    let node = (path(), data(), any::<i64>(), stat).prop_map(|(path, data, acl_key, stat)| NodeRecord {
        path,
        data,
        acl_key,
        stat,
    });
    (vec((session(), any::<i32>()), 0..3), vec((any::<i64>(), acl()), 0..3), vec(node, 0..5))
        .prop_map(|(sessions, acls, nodes)| SnapshotData { sessions, acls, nodes })
}

pub(crate) fn forwarded() -> impl Strategy<Value = ForwardedRequest> {
    (session(), any::<i32>(), any::<i32>(), bytes()).prop_map(|(session, cxid, op, body)| ForwardedRequest {
        session,
        cxid,
        op,
        body,
    })
}

pub(crate) fn txn_header() -> impl Strategy<Value = TxnHeader> {
    (session(), any::<i32>(), zxid(), any::<i64>()).prop_map(|(session, cxid, zxid, time_ms)| TxnHeader {
        session,
        cxid,
        zxid,
        time_ms,
    })
}

pub(crate) fn txn() -> impl Strategy<Value = Txn> {
    prop_oneof![
        any::<i32>().prop_map(|timeout_ms| Txn::CreateSession { timeout_ms }),
        vec(path(), 0..4).prop_map(|paths| Txn::CloseSession { paths }),
        (path(), data(), acl(), any::<bool>(), any::<i32>(), any::<bool>()).prop_map(
            |(path, data, acl, ephemeral, parent_cversion, with_stat)| Txn::Create {
                path,
                data,
                acl,
                ephemeral,
                parent_cversion,
                with_stat
            }
        ),
        path().prop_map(|path| Txn::Delete { path }),
        (path(), data(), any::<i32>()).prop_map(|(path, data, version)| Txn::SetData { path, data, version }),
        any::<i32>().prop_map(|code| Txn::Error { code }),
        (prop_oneof![Just(7), Just(14), Just(19), Just(21)], bytes())
            .prop_map(|(code, body)| Txn::Other { code, body }),
    ]
}
