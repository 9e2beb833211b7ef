//! Ordered sequential consistency against brute force, and what its findings are called.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::brute::brute;
use super::generate::{Shape, honest, lie};
use super::{Case, is_update};
use crate::decision::Piece;
use crate::model::{Machine, RegAction, RegMachine};
use crate::stamps::Mode;
use crate::stamps::osc::{OscDecision, OscInput, OscKind, OscReport, Stale, check, since_syncs};
use crate::{LinOp, NEVER};

use RegAction::{NotEqual, Read, Write};

#[derive(Debug, Default)]
struct Tally {
    valid: u32,
    invalid: u32,
    open: u32,
    stale: u64,
    crashed_used: u32,
    kinds: [u32; 8],
}

fn run(case: &Case, mode: Mode) -> OscReport {
    let input = OscInput {
        ops: &case.ops,
        keys: &case.keys,
        sessions: &case.sessions,
        stamps: &case.stamps,
        update: &case.update,
        since: &case.since,
        mode,
    };
    check(&mut RegMachine, &input)
}

/// The four rules, on an order.
fn verify(case: &Case, order: &[u32]) {
    let returned = case.ops.iter().filter(|op| op.returned()).count();
    assert_eq!(order.iter().filter(|&&id| case.ops[id as usize].returned()).count(), returned);
    let mut states = [0; 3];
    for (at, &id) in order.iter().enumerate() {
        let id = id as usize;
        let (op, key) = (case.ops[id], case.keys[id] as usize);
        states[key] = RegMachine.step(states[key], op.action).expect("every outcome is explained");
        let since = if is_update(op.action) { op.call } else { case.since[id] };
        for &later in &order[at + 1..] {
            let later = later as usize;
            assert_ne!(later, id);
            let later_op = case.ops[later];
            assert!(later_op.ret > since, "{case:?} {order:?}");
            let same_session = case.sessions[later] == case.sessions[id] && later_op.returned();
            assert!(!same_session || !op.returned() || op.ret < later_op.ret, "{case:?} {order:?}");
        }
    }
}

/// Stale reads by their definition, in O(n²).
fn count_stale(case: &Case, order: &[u32]) -> u64 {
    let stale = |&(at, &id): &(usize, &u32)| {
        let later = &order[at + 1..];
        let overwrites =
            |&other: &u32| case.keys[other as usize] == case.keys[id as usize] && case.update[other as usize];
        let Some(next) = later.iter().position(overwrites) else { return false };
        let called = case.ops[id as usize].call;
        !case.update[id as usize] && later[next..].iter().any(|&proof| case.ops[proof as usize].ret < called)
    };
    order.iter().enumerate().filter(stale).count() as u64
}

fn compare(case: &Case, mode: Mode, honest: bool, tally: &mut Tally) {
    let expected = brute(case, Some(mode));
    let plain = Case { since: vec![0; case.ops.len()], ..case.clone() };
    let crashed = case.ops.iter().any(|op| !op.returned());
    let report = run(case, mode);
    match &report.decision {
        OscDecision::Valid(order) => {
            verify(case, order);
            assert!(expected || crashed, "{mode:?} {case:?}");
            assert!(brute(case, None), "{mode:?} {case:?}");
            assert_eq!(report.stale_but_allowed(), count_stale(case, order), "{case:?} {order:?}");
            tally.valid += 1;
            tally.crashed_used += u32::from(order.iter().any(|&id| !case.ops[id as usize].returned()));
        }
        OscDecision::Violation(found) => {
            assert!(!expected && !honest, "{mode:?} {found:?} {case:?}");
            // Stale after sync means that all else holds.
            let permitted = found.kind.permitted_while_two_leaders();
            let osc = matches!(run(&plain, mode).decision, OscDecision::Valid(_));
            assert_eq!(permitted, osc, "{mode:?} {found:?} {case:?}");
            assert!(
                !found.ops.is_empty() && found.sentence.iter().any(|piece| !matches!(piece, Piece::Text(_)))
            );
            tally.invalid += 1;
            tally.kinds[found.kind as usize] += 1;
        }
        OscDecision::Open(_) => {
            assert!(crashed || mode == Mode::Values, "{mode:?} {case:?}");
            tally.open += 1;
        }
    }
    tally.stale += report.stale_but_allowed();
}

fn campaign(seed: u64, rounds: u32, mode: Mode) -> (Tally, Tally) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut truth, mut lies) = (Tally::default(), Tally::default());
    for _ in 0..rounds {
        let shape = Shape {
            mode,
            keys: rng.random_range(1..=2),
            unique: mode == Mode::Values || rng.random_bool(0.6),
            crashes: rng.random_bool(0.4),
            stale: rng.random_bool(0.8),
            syncs: rng.random_bool(0.5),
        };
        let mut case = honest(&mut rng, shape, 7);
        compare(&case, mode, true, &mut truth);
        for _ in 0..rng.random_range(1..3) {
            lie(&mut rng, &mut case);
        }
        compare(&case, mode, false, &mut lies);
    }
    (truth, lies)
}

#[test]
fn agrees_with_brute_force() {
    for (seed, mode) in [(11, Mode::LastModified), (12, Mode::Reached), (13, Mode::Values)] {
        let (truth, lies) = campaign(seed, 6_000, mode);
        assert!(truth.valid > 5_000 && truth.invalid == 0 && truth.stale > 150, "{mode:?} {truth:?}");
        assert!(lies.valid > 1_000 && lies.invalid > 1_000, "{mode:?} {lies:?}");
        if mode != Mode::Values {
            assert!(truth.crashed_used > 150, "{mode:?} {truth:?}");
            let seldom = |kind: OscKind| mode == Mode::Reached && kind == OscKind::Phantom;
            let kinds = [
                OscKind::Outcome,
                OscKind::Duplicate,
                OscKind::Phantom,
                OscKind::UpdateOrder,
                OscKind::Future,
                OscKind::WentBack,
                OscKind::OwnWrite,
                OscKind::StaleAfterSync,
            ];
            for kind in kinds.into_iter().filter(|&kind| !seldom(kind)) {
                assert!(lies.kinds[kind as usize] > 4, "{mode:?} {} {lies:?}", kind.name());
            }
        }
    }
}

/// For the night: `ZABCHAOS_FUZZ=1000000 cargo test --release -p checker -- --ignored more_sessions`.
#[test]
#[ignore = "as long as you like"]
fn more_sessions() {
    let rounds = std::env::var("ZABCHAOS_FUZZ").map_or(200_000, |n| n.parse().unwrap());
    for mode in [Mode::LastModified, Mode::Reached, Mode::Values] {
        println!("{mode:?} {:?}", campaign(78, rounds, mode));
    }
}

/// Rows of (session, key, call, ret, action, stamp); 0: no return, no stamp. Reads may be stale.
type Row = (i64, u32, u32, u32, RegAction, u64);

fn case(rows: &[Row]) -> Case {
    let mut case = Case::default();
    for &(session, key, call, ret, action, stamp) in rows {
        case.ops.push(LinOp { call, ret: if ret > 0 { ret } else { NEVER }, action });
        case.keys.push(key);
        case.sessions.push(session);
        case.stamps.push((stamp > 0).then_some(stamp));
        case.update.push(is_update(action));
        case.since.push(0);
    }
    case
}

fn kind(rows: &[Row], mode: Mode) -> OscKind {
    match run(&case(rows), mode).decision {
        OscDecision::Violation(found) => found.kind,
        other @ (OscDecision::Valid(_) | OscDecision::Open(_)) => panic!("{other:?}"),
    }
}

const WRITES: [Row; 2] = [(1, 0, 2, 4, Write(1), 5), (1, 0, 6, 8, Write(2), 6)];

#[test]
fn stale_but_allowed() {
    let rows = [WRITES[0], WRITES[1], (2, 0, 10, 12, Read(1), 5), (2, 0, 14, 16, Read(2), 6)];
    for mode in [Mode::LastModified, Mode::Reached, Mode::Values] {
        let report = run(&case(&rows), mode);
        assert_eq!(report.decision, OscDecision::Valid(vec![0, 2, 1, 3]));
        assert_eq!(report.stale, [Stale { read: 2, overwritten_by: 1, known_by: 1 }]);
        assert_eq!(report.stalest(|_, _| 1), Some(report.stale[0]));
    }
}

#[test]
fn a_session_does_not_go_back() {
    let rows = [WRITES[0], WRITES[1], (2, 0, 10, 12, Read(2), 6), (2, 0, 14, 16, Read(1), 5)];
    for mode in [Mode::LastModified, Mode::Reached, Mode::Values] {
        assert_eq!(kind(&rows, mode), OscKind::WentBack);
    }
    // Not on another object either: what it saw there came later than the overwriting here.
    let rows = [
        WRITES[0],
        WRITES[1],
        (1, 1, 9, 10, Write(7), 7),
        (2, 1, 11, 12, Read(7), 7),
        (2, 0, 14, 16, Read(1), 5),
    ];
    for mode in [Mode::LastModified, Mode::Reached, Mode::Values] {
        assert_eq!(kind(&rows, mode), OscKind::WentBack);
    }
}

#[test]
fn own_writes_are_read_and_nothing_from_the_future() {
    let own = [WRITES[0], WRITES[1], (1, 0, 10, 12, Read(1), 5)];
    let future = [(2, 0, 2, 4, Read(1), 5), (1, 0, 6, 8, Write(1), 5)];
    for mode in [Mode::LastModified, Mode::Reached, Mode::Values] {
        assert_eq!(kind(&own, mode), OscKind::OwnWrite);
        assert_eq!(kind(&future, mode), OscKind::Future);
    }
}

#[test]
fn updates_keep_real_time() {
    let rows = [(1, 0, 2, 4, Write(1), 6), (2, 1, 6, 8, Write(2), 5)];
    assert_eq!(kind(&rows, Mode::Reached), OscKind::UpdateOrder);
    let rows = [(1, 0, 2, 4, Write(1), 5), (2, 1, 3, 8, Write(2), 5)];
    assert_eq!(kind(&rows, Mode::LastModified), OscKind::Duplicate);
}

#[test]
fn stale_after_sync_is_told_apart() {
    let mut case = case(&[WRITES[0], WRITES[1], (2, 0, 12, 14, Read(1), 5)]);
    for (sync, since) in [(5, 5), (10, 10)] {
        case.since = since_syncs(&case.ops, &case.sessions, &[(2, sync), (1, 3)]);
        assert_eq!(case.since, [0, 3, since], "the last sync of its own session");
        for mode in [Mode::LastModified, Mode::Reached, Mode::Values] {
            let report = run(&case, mode);
            assert_eq!(report.stale_but_allowed(), 1);
            match report.decision {
                OscDecision::Valid(_) => assert_eq!(sync, 5, "overwritten only after the sync"),
                OscDecision::Violation(found) => {
                    assert_eq!((sync, found.kind), (10, OscKind::StaleAfterSync));
                    assert!(found.kind.permitted_while_two_leaders());
                }
                OscDecision::Open(reason) => panic!("{reason}"),
            }
        }
    }
}

#[test]
fn what_it_leaves_open() {
    let open = |rows: &[Row], mode| match run(&case(rows), mode).decision {
        OscDecision::Open(reason) => reason,
        other @ (OscDecision::Valid(_) | OscDecision::Violation(_)) => panic!("{other:?}"),
    };
    assert_eq!(open(&[(1, 0, 2, 4, Write(1), 0)], Mode::Values), "no update carries a stamp");
    let unknown = [(1, 0, 2, 0, Write(1), 0), (2, 0, 4, 6, Read(1), 0)];
    assert!(open(&unknown, Mode::Values).contains("never returned"));
    let refused = [(1, 0, 2, 4, Write(1), 5), (1, 0, 6, 8, NotEqual(1), 0)];
    assert!(open(&refused, Mode::Values).contains("several possible places"));
}
