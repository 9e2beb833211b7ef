//! Random sequences of operations against the simplest model of a log: a list.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Op {
    Append(u8),
    NewEpoch,
    Sync,
    /// Closes without a sync, as a kill does, and opens again.
    Crash,
    /// At this share of the synced history, in 256ths.
    Snapshot(u8),
    Truncate(u8),
    Install(u8),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (1_u8..6).prop_map(Op::Append),
        1 => Just(Op::NewEpoch),
        4 => Just(Op::Sync),
        3 => Just(Op::Crash),
        2 => any::<u8>().prop_map(Op::Snapshot),
        2 => any::<u8>().prop_map(Op::Truncate),
        1 => any::<u8>().prop_map(Op::Install),
    ];
    proptest::collection::vec(op, 1..40)
}

/// The history as a list, with the place before which it is only known as a snapshot.
#[derive(Debug, Default)]
struct Model {
    durable: Vec<Zxid>,
    appended: Vec<Zxid>,
    epoch: u32,
    counter: u32,
    /// What was installed, and thus the least place to truncate to.
    floor: Zxid,
}

impl Model {
    fn last(&self) -> Zxid {
        *self.appended.last().or(self.durable.last()).unwrap_or(&self.floor)
    }

    fn pick(&self, share: u8) -> Option<Zxid> {
        self.durable.get(self.durable.len() * usize::from(share) / 256).copied()
    }

    /// Whatever snapshot was chosen, with the entries behind it the state must be the whole durable list.
    fn check(&self, recovered: &Recovered) {
        let base = recovered.snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
        assert!(base >= self.floor && base <= self.durable.last().copied().unwrap_or(self.floor));
        let behind: Vec<_> = self.durable.iter().filter(|at| **at > base).map(|at| entry(*at)).collect();
        assert_eq!(recovered.entries, behind);
    }
}

fn run(ops: Vec<Op>) {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    let mut model = Model { epoch: 1, ..Model::default() };
    let mut snapshots: Vec<Zxid> = Vec::new();
    for op in ops {
        match op {
            Op::Append(count) => {
                for _ in 0..count {
                    model.counter += 1;
                    let at = zxid(model.epoch, model.counter);
                    storage.append(&entry(at)).unwrap();
                    model.appended.push(at);
                }
            }
            Op::NewEpoch => {
                model.epoch += 1;
                model.counter = 0;
            }
            Op::Sync => {
                storage.sync().unwrap();
                model.durable.append(&mut model.appended);
            }
            Op::Crash => {
                drop(storage);
                model.appended.clear();
                let recovered;
                (storage, recovered) = open(&dir);
                model.check(&recovered);
                model.epoch += 1;
                model.counter = 0;
            }
            Op::Snapshot(share) => {
                let Some(at) = model.pick(share) else { continue };
                storage.take_snapshot(&snapshot(at, "taken")).unwrap();
                model.durable.append(&mut model.appended);
                snapshots.retain(|other| *other != at);
                snapshots.push(at);
                snapshots.sort();
                if snapshots.len() > 3 {
                    snapshots.remove(0);
                    // The log in front of the oldest kept snapshot may be gone.
                    model.floor = snapshots[0];
                    model.durable.retain(|at| *at > model.floor);
                }
            }
            Op::Truncate(share) => {
                let Some(to) = model.pick(share) else { continue };
                let recovered = match storage.truncate(to) {
                    // In front of every snapshot, a log that begins in a later epoch may not be the whole history.
                    Err(StorageError::NotInLog { .. })
                        if snapshots.first().is_some_and(|first| to < *first) =>
                    {
                        model.durable.append(&mut model.appended);
                        continue;
                    }
                    result => result.unwrap(),
                };
                model.appended.clear();
                model.durable.retain(|at| *at <= to);
                snapshots.retain(|at| *at <= to);
                model.check(&recovered);
                model.epoch += 1;
                model.counter = 0;
            }
            Op::Install(share) => {
                let at = model.pick(share).unwrap_or(model.floor);
                storage.install_snapshot(&snapshot(at, "installed"), &[]).unwrap();
                snapshots = vec![at];
                model.appended.clear();
                model.durable.clear();
                model.floor = at;
                model.epoch += 1;
                model.counter = 0;
            }
        }
        assert_eq!(storage.last_zxid(), model.last());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_storage_is_a_list_that_survives_crashes(ops in ops()) {
        run(ops);
    }
}
