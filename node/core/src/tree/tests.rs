//! Tests of the tree: what each transaction moves, replay, snapshots, paths.

use super::*;
use zab_wire::client::Acl;

fn header(counter: u32) -> TxnHeader {
    TxnHeader {
        session: SessionId(7),
        cxid: 1,
        zxid: Zxid::new(1, counter),
        time_ms: 1000 + i64::from(counter),
    }
}

fn create(path: &str, parent_cversion: i32) -> Txn {
    Txn::Create {
        path: path.to_owned(),
        data: Some(b"x".to_vec()),
        acl: Acl::open(),
        ephemeral: false,
        parent_cversion,
        with_stat: false,
    }
}

fn stat(tree: &Tree, path: &str) -> Stat {
    match tree.exists(path) {
        Ok(Response::Stat(stat)) => stat,
        other => panic!("no stat of {path}: {other:?}"),
    }
}

#[test]
fn a_create_counts_in_its_parent_and_a_delete_counts_again_for_clients() {
    let mut tree = Tree::default();
    tree.apply(&header(1), &create("/a", 1)).unwrap();
    tree.apply(&header(2), &create("/a/b", 1)).unwrap();
    let a = stat(&tree, "/a");
    assert_eq!((a.czxid, a.pzxid, a.cversion, a.num_children), (Zxid::new(1, 1), Zxid::new(1, 2), 1, 1));
    tree.apply(&header(3), &Txn::Delete { path: "/a/b".to_owned() }).unwrap();
    let a = stat(&tree, "/a");
    assert_eq!((a.pzxid, a.cversion, a.num_children), (Zxid::new(1, 3), 2, 0));
    assert_eq!(tree.exists("/a/b"), Err(ErrorCode::NoNode));
}

#[test]
fn set_data_moves_version_mzxid_and_mtime_only() {
    let mut tree = Tree::default();
    tree.apply(&header(1), &create("/a", 1)).unwrap();
    tree.apply(&header(2), &Txn::SetData { path: "/a".to_owned(), data: None, version: 1 }).unwrap();
    let a = stat(&tree, "/a");
    assert_eq!((a.version, a.mzxid, a.mtime_ms, a.data_length), (1, Zxid::new(1, 2), 1002, 0));
    assert_eq!((a.czxid, a.ctime_ms, a.pzxid), (Zxid::new(1, 1), 1001, Zxid::new(1, 1)));
}

#[test]
fn replaying_a_log_over_its_own_result_changes_nothing() {
    let txns = [
        create("/a", 1),
        create("/a/b", 1),
        Txn::SetData { path: "/a".to_owned(), data: Some(b"new".to_vec()), version: 1 },
        create("/a/c", 2),
        Txn::CreateSession { timeout_ms: 4000 },
    ];
    let mut tree = Tree::default();
    for (counter, txn) in (1..).zip(&txns) {
        tree.apply(&header(counter), txn).unwrap();
    }
    let before = tree.clone();
    for (counter, txn) in (1..).zip(&txns) {
        // Answers differ (NodeExists); nobody waits for them.
        let _ = tree.apply(&header(counter), txn);
    }
    assert_eq!(tree, before);
}

#[test]
fn a_snapshot_carries_everything() {
    let mut tree = Tree::default();
    tree.apply(&header(1), &create("/a", 1)).unwrap();
    tree.apply(&header(2), &Txn::CreateSession { timeout_ms: 4000 }).unwrap();
    let acl = vec![Acl { permissions: 1, scheme: "world".to_owned(), id: "anyone".to_owned() }];
    let restricted = Txn::Create {
        path: "/a/r".to_owned(),
        data: None,
        acl,
        ephemeral: false,
        parent_cversion: 1,
        with_stat: true,
    };
    tree.apply(&header(3), &restricted).unwrap();
    assert_eq!(Tree::from_snapshot(&tree.to_snapshot()), Ok(tree));
}

#[test]
fn a_tree_without_a_parent_is_refused() {
    use zab_wire::jute::Record;
    use zab_wire::snapshot::{NodeRecord, SnapshotData};
    let orphan =
        NodeRecord { path: "/a/b".to_owned(), data: None, acl_key: -1, stat: StatPersisted::default() };
    let root = NodeRecord { path: String::new(), ..orphan.clone() };
    let data = SnapshotData { nodes: vec![root, orphan], ..SnapshotData::default() };
    assert!(Tree::from_snapshot(&data.to_vec()).is_err());
}

#[test]
fn paths_that_zookeeper_refuses_are_refused() {
    for good in ["/", "/a", "/a/b.c", "/a/..b", "/ä/\u{10000}"] {
        assert_eq!(validate(good), Ok(()), "{good:?}");
    }
    for bad in [
        "",
        "a",
        "/a/",
        "//",
        "/a//b",
        "/a/./b",
        "/a/..",
        "/a\0",
        "/\u{1}",
        "/\u{80}",
        "/\u{e000}",
        "/\u{fff0}",
    ] {
        assert_eq!(validate(bad), Err(ErrorCode::BadArguments), "{bad:?}");
    }
}

/// The digest is kept change by change; a tree that was restored from bytes computes it anew.
#[test]
fn the_digest_kept_change_by_change_is_that_of_the_tree() {
    let mut tree = Tree::default();
    let mut seen = vec![tree.digest()];
    let txns = [
        Txn::CreateSession { timeout_ms: 4_000 },
        create("/a", 1),
        create("/a/b", 1),
        Txn::SetData { path: "/a".to_owned(), data: Some(b"longer than eight bytes".to_vec()), version: 1 },
        Txn::SetData { path: "/a".to_owned(), data: None, version: 2 },
        Txn::Delete { path: "/a/b".to_owned() },
        Txn::CloseSession { paths: vec!["/a".to_owned()] },
    ];
    for (counter, txn) in (1..).zip(txns) {
        tree.apply(&header(counter), &txn).unwrap();
        let restored = Tree::from_snapshot(&tree.to_snapshot()).unwrap();
        assert_eq!(tree.digest(), restored.digest(), "after {txn:?}");
        assert!(!seen.contains(&tree.digest()), "{txn:?} shows in the digest");
        seen.push(tree.digest());
    }
    let before = tree.digest();
    tree.apply(&header(9), &Txn::CreateSession { timeout_ms: 4_000 }).unwrap();
    tree.apply(&header(10), &Txn::CloseSession { paths: Vec::new() }).unwrap();
    assert_eq!(tree.digest(), before, "what came and went left nothing");
}
