//! The disk thread with a real data directory.

use super::*;
use crate::testing::{LOG, next, on_one_thread};
use bytes::Bytes;
use std::path::Path;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use zab_core::Recovered;
use zab_wire::SessionId;
use zab_wire::jute::Writer;

/// A transaction that the log can read back: a header, and a body of no interest.
fn entry_at(zxid: Zxid) -> LogEntry {
    let mut txn = Writer::new();
    txn.session(SessionId(1));
    txn.int(1);
    txn.zxid(zxid);
    txn.long(0);
    txn.int(-1);
    txn.int(0);
    LogEntry { zxid, txn: Bytes::from(txn.into_inner()) }
}

fn entry(counter: u32) -> LogEntry {
    entry_at(Zxid::new(1, counter))
}

fn start(folder: &Path) -> (Disk, Recovered, UnboundedReceiver<Input>) {
    let (storage, recovered) = Storage::open(folder).unwrap();
    let (inputs, events) = unbounded_channel();
    (Disk::start(storage, inputs, LOG).unwrap(), recovered, events)
}

async fn synced(events: &mut UnboundedReceiver<Input>, token: u64) {
    assert_eq!(next(events).await, Event::Synced { token: SyncToken(token) });
}

#[test]
fn every_token_is_reported_in_order_however_appends_are_grouped() {
    on_one_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let (disk, recovered, mut events) = start(folder.path());
        assert_eq!(recovered, Recovered::default());
        disk.push(Job::Sync(SyncToken(0)));
        synced(&mut events, 0).await;
        for counter in 1..=1000 {
            disk.push(Job::Append(entry(counter)));
            disk.push(Job::Sync(SyncToken(counter.into())));
        }
        for token in 1..=1000 {
            synced(&mut events, token).await;
        }
        // What nobody asked about is durable, too, when the server stops.
        disk.push(Job::Append(entry(1001)));
        disk.finish();
        let (disk, recovered, _events) = start(folder.path());
        assert_eq!(recovered.entries, (1..=1001).map(entry).collect::<Vec<_>>());
        disk.finish();
    });
}

#[test]
fn jobs_are_done_in_their_order() {
    on_one_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _, mut events) = start(folder.path());
        let all = [
            Job::Alone(Alone::SetAcceptedEpoch(1)),
            Job::Append(entry(1)),
            Job::Append(entry(2)),
            Job::Alone(Alone::SetCurrentEpoch(1)),
            Job::Sync(SyncToken(1)),
            Job::Append(entry(3)),
            Job::Alone(Alone::Truncate(Zxid::new(1, 1))),
            Job::Append(entry(2)),
            Job::Sync(SyncToken(2)),
        ];
        for job in all {
            disk.push(job);
        }
        synced(&mut events, 1).await;
        let cut = Recovered { accepted_epoch: 1, current_epoch: 1, snapshot: None, entries: vec![entry(1)] };
        assert_eq!(next(&mut events).await, Event::Truncated { recovered: cut.clone() });
        synced(&mut events, 2).await;
        disk.finish();
        let (disk, recovered, _events) = start(folder.path());
        assert_eq!(recovered, Recovered { entries: vec![entry(1), entry(2)], ..cut });
        disk.finish();
    });
}

#[test]
fn a_place_that_is_not_in_the_log_is_no_disk_error() {
    on_one_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _, mut events) = start(folder.path());
        for job in [
            Job::Append(entry(1)),
            Job::Append(entry_at(Zxid::new(2, 1))),
            Job::Alone(Alone::Truncate(Zxid::new(1, 3))),
            Job::Append(entry_at(Zxid::new(2, 2))),
            Job::Sync(SyncToken(1)),
        ] {
            disk.push(job);
        }
        assert_eq!(next(&mut events).await, Event::TruncationImpossible);
        synced(&mut events, 1).await;
        disk.finish();
    });
}
