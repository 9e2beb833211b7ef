//! Invariants against their definitions, pair by pair, on random columns.

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::generate::{Shape, honest};
use super::is_update;
use crate::NEVER;
use crate::model::RegAction;
use crate::stamps::Mode;
use crate::stamps::invariants::{Findings, InvariantKind, Invariants, Stamped, UNTOLD};

#[derive(Debug, Default, Clone)]
struct Columns {
    call: Vec<u32>,
    ret: Vec<u32>,
    session: Vec<i64>,
    key: Vec<u32>,
    update: Vec<bool>,
    stamp: Vec<Option<u64>>,
    value: Vec<u32>,
    version: Vec<Option<u64>>,
}

impl Columns {
    fn rules(&self, mode: Mode) -> Invariants<'_> {
        Invariants::new(Stamped {
            call: &self.call,
            ret: &self.ret,
            session: &self.session,
            key: &self.key,
            update: &self.update,
            stamp: &self.stamp,
            value: &self.value,
            version: &self.version,
            mode,
        })
    }

    fn random(rng: &mut ChaCha8Rng) -> Self {
        let n = rng.random_range(1..=6_usize);
        let mut events: Vec<u32> = (1..=2 * u32::try_from(n).unwrap()).map(|at| 2 * at).collect();
        let window = rng.random_range(2..=2 * n);
        events.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
        let mut this = Self::default();
        for pair in events.chunks(2) {
            this.call.push(pair[0].min(pair[1]));
            this.ret.push(if rng.random_bool(0.1) { NEVER } else { pair[0].max(pair[1]) });
            this.session.push(rng.random_range(0..3));
            this.key.push(rng.random_range(0..2));
            this.update.push(rng.random_bool(0.5));
            let stamp = (rng.random_range(0..2_u64) << 32) + rng.random_range(0..5);
            this.stamp.push(rng.random_bool(0.9).then_some(stamp));
            this.value.push(if rng.random_bool(0.1) { UNTOLD } else { rng.random_range(0..2) });
            this.version.push(Some(rng.random_range(0..4)));
        }
        this
    }

    /// Pairs (a, b), both returned with a stamp, for which `broken` holds.
    fn any(&self, broken: impl Fn(usize, usize) -> bool) -> bool {
        let told = |&id: &usize| self.ret[id] != NEVER && self.stamp[id].is_some();
        let ids = || (0..self.ret.len()).filter(told);
        ids().any(|a| ids().any(|b| a != b && broken(a, b)))
    }
}

#[test]
fn each_rule_is_its_definition() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let mut found = [[0_u32; 2]; 5];
    for round in 0..20_000 {
        let c = Columns::random(&mut rng);
        let mode = if round % 2 == 0 { Mode::Reached } else { Mode::LastModified };
        let s = c.rules(mode);
        let epoch = |id: usize| c.stamp[id].unwrap() >> 32;
        let by_object = mode == Mode::LastModified;
        let comparable = |b: usize, a: usize| c.update[b] || !by_object || c.key[a] == c.key[b];
        let low = |a: usize, b: usize| {
            comparable(b, a) && (c.stamp[b] < c.stamp[a] || (c.update[b] && c.stamp[b] == c.stamp[a]))
        };
        let rules: [(Findings, bool); 5] = [
            (s.unique(), c.any(|a, b| c.update[a] && c.update[b] && c.stamp[a] == c.stamp[b])),
            (s.sessions(), c.any(|a, b| c.session[a] == c.session[b] && c.ret[a] < c.ret[b] && low(a, b))),
            (s.epochs(), c.any(|a, b| c.update[b] && c.ret[a] < c.call[b] && epoch(b) < epoch(a))),
            (s.real_time(true), c.any(|a, b| c.ret[a] < c.call[b] && low(a, b))),
            (
                s.same_state(),
                c.any(|a, b| {
                    let told = c.value[a] != UNTOLD && c.value[b] != UNTOLD;
                    let both = c.update[a] && c.update[b];
                    told && !both
                        && (c.key[a], c.stamp[a]) == (c.key[b], c.stamp[b])
                        && c.value[a] != c.value[b]
                }),
            ),
        ];
        let duplicates = rules[0].1;
        for (rule, (findings, broken)) in rules.into_iter().enumerate() {
            if rule == 4 && duplicates {
                // Which of two updates with one stamp the others agree with is not its business.
                continue;
            }
            assert_eq!(findings.total > 0, broken, "rule {rule} {mode:?} {c:?}");
            assert_eq!(u64::try_from(findings.findings.len()).unwrap(), findings.total.min(20));
            found[rule][usize::from(broken)] += 1;
        }
        let reads_left_out = c.any(|a, b| c.update[b] && c.ret[a] < c.call[b] && low(a, b));
        assert_eq!(s.real_time(false).total > 0, reads_left_out, "{c:?}");
    }
    assert!(found.iter().flatten().all(|&n| n > 500), "{found:?}");
}

/// What a real store answers breaks no rule, with versions.
#[test]
fn a_store_that_keeps_its_promise_breaks_none() {
    let mut rng = ChaCha8Rng::seed_from_u64(22);
    for round in 0..5_000 {
        let mode = if round % 2 == 0 { Mode::Reached } else { Mode::LastModified };
        let stale = round % 3 == 0;
        let shape = Shape { mode, keys: 2, unique: true, crashes: round % 5 == 0, stale, syncs: false };
        let case = honest(&mut rng, shape, 12);
        let n = case.ops.len();
        let value = |action: RegAction| action.stores().or(action.finds()).unwrap_or(UNTOLD);
        // Its version is the number of values written to the object up to its stamp; crashed ones count if seen.
        let written = |id: usize| {
            let mut stamps: Vec<u64> = (0..n)
                .filter(|&other| case.keys[other] == case.keys[id] && case.update[other])
                .filter_map(|other| case.stamps[other])
                .filter(|&stamp| Some(stamp) <= case.stamps[id])
                .collect();
            stamps.sort_unstable();
            stamps.len() as u64
        };
        let columns = Columns {
            call: case.ops.iter().map(|op| op.call).collect(),
            ret: case.ops.iter().map(|op| op.ret).collect(),
            session: case.sessions.clone(),
            key: case.keys.clone(),
            update: case.update.clone(),
            stamp: case.stamps.clone(),
            value: case.ops.iter().map(|op| value(op.action)).collect(),
            version: (0..n).map(|id| case.ops[id].returned().then(|| written(id))).collect(),
        };
        assert!(case.ops.iter().zip(&case.update).all(|(op, &update)| is_update(op.action) == update));
        let findings = columns.rules(mode).all(!stale);
        assert_eq!(findings, Findings::default(), "{mode:?} {columns:?}");
    }
}

const E1: u64 = 1 << 32;
const E2: u64 = 2 << 32;

/// Rows of (session, key, call, ret, update, stamp).
fn columns(rows: &[(i64, u32, u32, u32, bool, u64)]) -> Columns {
    let mut columns = Columns::default();
    for &(session, key, call, ret, update, stamp) in rows {
        columns.call.push(call);
        columns.ret.push(ret);
        columns.session.push(session);
        columns.key.push(key);
        columns.update.push(update);
        columns.stamp.push(Some(stamp));
        columns.value.push(UNTOLD);
    }
    columns
}

#[test]
fn an_update_of_an_older_epoch_called_after_a_newer_one_was_seen() {
    let late = columns(&[(0, 0, 2, 4, false, E2 + 1), (1, 0, 6, 8, true, E1 + 9)]);
    let findings = late.rules(Mode::Reached).epochs();
    assert_eq!(findings.findings[0].kind, InvariantKind::SupersededEpoch);
    assert_eq!((&findings.findings[0].ops[..], findings.total), (&[0, 1][..], 1));
    assert_eq!(late.rules(Mode::Reached).epochs_seen(), [1, 2]);
    let concurrent = columns(&[(1, 0, 2, 8, true, E1 + 9), (0, 0, 4, 6, true, E2 + 1)]);
    assert_eq!(concurrent.rules(Mode::Reached).epochs().total, 0);
    let read = columns(&[(0, 0, 2, 4, false, E2 + 1), (1, 0, 6, 8, false, E1 + 9)]);
    assert_eq!(read.rules(Mode::Reached).epochs().total, 0, "a read acknowledges nothing");
}

#[test]
fn a_later_update_takes_a_higher_stamp_and_a_later_read_is_no_staler() {
    let equal = columns(&[(0, 0, 2, 4, true, 9), (1, 1, 6, 8, true, 9)]);
    assert_eq!(equal.rules(Mode::Reached).real_time(false).total, 1);
    let read = columns(&[(0, 0, 2, 4, true, 9), (1, 1, 6, 8, false, 8)]);
    assert_eq!(read.rules(Mode::Reached).real_time(true).total, 1);
    assert_eq!(read.rules(Mode::Reached).real_time(false).total, 0);
    assert_eq!(read.rules(Mode::LastModified).real_time(true).total, 0, "another object");
}

#[test]
fn versions_count_updates() {
    let mut three = columns(&[(0, 0, 2, 4, true, 5), (0, 0, 6, 8, true, 6), (1, 0, 7, NEVER, true, 0)]);
    for (second, broken) in [(1, true), (2, false), (3, false), (4, true)] {
        three.version = vec![Some(1), Some(second), None];
        let findings = three.rules(Mode::LastModified).versions();
        assert_eq!(findings.total, u64::from(broken), "{second}: one update never returned");
    }
}

#[test]
fn only_twenty_are_told_in_full() {
    let mut rows = vec![(0, 0, 2, 4, true, 9)];
    rows.extend(
        (1..=30).map(|at| {
            (at, 0, 4 + 4 * u32::try_from(at).unwrap(), 6 + 4 * u32::try_from(at).unwrap(), false, 1)
        }),
    );
    let findings = columns(&rows).rules(Mode::Reached).all(true);
    assert_eq!((findings.findings.len(), findings.total), (20, 30));
}
