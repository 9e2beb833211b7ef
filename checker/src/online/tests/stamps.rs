//! The stamps' monitor against a comparison of all pairs.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::history::{History, OpType};
use crate::history::{Op, Process};
use crate::online::Stamps;
use crate::online::stamps::Stamped;
use crate::{Class, check_order};

/// Clients of a server that counts zxids up, and epochs now and then; some replies are bent.
fn lines(rng: &mut ChaCha8Rng, ops: usize) -> Vec<Stamped> {
    let clients = rng.random_range(1..=5_usize);
    let bent = [0.0, 0.01, 0.1][rng.random_range(0..3)];
    let mut processes: Vec<i64> = (0..).take(clients).collect();
    let mut running: Vec<Option<(bool, Option<u64>)>> = vec![None; clients];
    let mut zxid = 1_u64 << 32;
    let mut lines = Vec::new();
    while lines.len() < ops {
        let at = rng.random_range(0..clients);
        let index = u64::try_from(lines.len()).unwrap();
        let line = |op_type, update, zxid| Stamped { index, process: processes[at], op_type, update, zxid };
        match running[at].take() {
            None => {
                let update = rng.random_bool(0.5);
                lines.push(line(OpType::Invoke, update, None));
                running[at] = Some((update, None));
            }
            Some((update, None)) => {
                if rng.random_bool(0.02) {
                    zxid = ((zxid >> 32) + 1) << 32;
                }
                zxid += u64::from(update);
                match rng.random_range(0..20) {
                    0 => {
                        lines.push(line(OpType::Info, update, None));
                        processes[at] += i64::try_from(clients).unwrap();
                    }
                    1 => lines.push(line(OpType::Fail, update, None)),
                    _ => running[at] = Some((update, Some(zxid))),
                }
            }
            Some((update, Some(zxid))) => {
                let off = if rng.random_bool(bent) { rng.random_range(0..4) } else { 0 };
                lines.push(line(OpType::Ok, update, Some(zxid - off)));
            }
        }
    }
    lines
}

/// The lines that contradict one before them.
fn all_pairs(lines: &[Stamped]) -> Vec<u64> {
    struct Reply {
        ret: u64,
        process: i64,
        update: bool,
        zxid: u64,
    }
    let mut replies: Vec<Reply> = Vec::new();
    let mut wrong = Vec::new();
    for line in lines {
        let (OpType::Ok, Some(zxid)) = (line.op_type, line.zxid) else { continue };
        let before = lines[..usize::try_from(line.index).unwrap()].iter().rev();
        let call = before.clone().find(|other| other.process == line.process).unwrap().index;
        let one = Reply { ret: line.index, process: line.process, update: line.update, zxid };
        let contradicts = |other: &Reply| {
            let back = zxid < other.zxid && (other.ret < call || other.process == one.process);
            let same = one.update && zxid == other.zxid && (other.update || other.ret < call);
            back || same
        };
        if replies.iter().any(contradicts) {
            wrong.push(line.index);
        }
        replies.push(one);
    }
    wrong
}

#[test]
fn tells_every_line_that_contradicts_one_before_it() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut clean, mut wrong) = (0, 0);
    for _ in 0..3_000 {
        let lines = lines(&mut rng, 60);
        let mut stamps = Stamps::default();
        let told: Vec<u64> =
            lines.iter().filter_map(|&line| stamps.feed_stamped(line)).map(|found| found.at_index).collect();
        assert_eq!(told, all_pairs(&lines), "{lines:?}");
        *(if told.is_empty() { &mut clean } else { &mut wrong }) += 1;
    }
    assert!(clean > 500 && wrong > 500, "{clean} {wrong}");
}

#[test]
fn finds_whatever_the_order_check_finds() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut invalid = 0;
    for _ in 0..1_000 {
        let ops: Vec<Op> = lines(&mut rng, 60)
            .iter()
            .map(|line| Op {
                zxid: line.zxid,
                ..Op::new(
                    line.index,
                    line.index,
                    Process::Client(line.process),
                    line.op_type,
                    if line.update { "write" } else { "read" },
                )
            })
            .collect();
        let mut stamps = Stamps::default();
        let told = ops.iter().filter_map(|op| stamps.feed(op)).count();
        if check_order(&History::from_ops(ops).unwrap()).verdict.is_invalid() {
            invalid += 1;
            assert!(told > 0);
        }
    }
    assert!(invalid > 100, "{invalid}");
}

#[test]
fn keeps_no_more_than_what_is_open() {
    let mut stamps = Stamps::default();
    let mut feed = |index, process, op_type, zxid| {
        let violation = stamps.feed_stamped(Stamped { index, process, op_type, update: true, zxid });
        (violation, stamps.retained())
    };
    let mut most = 0;
    for n in 0..50_000_u64 {
        let process = i64::try_from(n % 7).unwrap();
        feed(2 * n, process, OpType::Invoke, None);
        let (violation, retained) = feed(2 * n + 1, process, OpType::Ok, Some((1 << 32) + n));
        assert_eq!(violation, None);
        most = most.max(retained);
    }
    assert!(most < 150, "{most}");
    feed(200_000, 8, OpType::Invoke, None);
    let (violation, _) = feed(200_001, 8, OpType::Ok, Some(9));
    let violation = violation.unwrap();
    assert_eq!(violation.class, Class::OrderInversion);
    assert!(violation.sentence.ends_with("yet carries 0x9, by a superseded epoch"), "{}", violation.sentence);
}
