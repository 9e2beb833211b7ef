//! What is written comes back; what was cut off is read up to there; nothing else is believed.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{BLOCK_HEAD, HEADER, read};
use crate::formats::{Format, write};
use crate::history::{Builder, PairRules, Process, arbitrary};
use crate::{History, Op, OpType};

fn columns(history: &History) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(Format::Columns, history, &mut bytes).unwrap();
    bytes
}

fn lines(history: &History) -> Vec<Op> {
    history.events().map(|(event, what)| what.to_op(history, event)).collect()
}

fn history(ops: Vec<Op>, rules: PairRules) -> History {
    let mut builder = Builder::new(rules);
    ops.into_iter().for_each(|op| builder.op(op).unwrap());
    builder.finish()
}

/// Sixty lines of four clients, with all there is.
fn sample() -> History {
    let mut ops = Vec::new();
    for round in 0..8_u64 {
        for process in 0..4 {
            let index = ops.len() as u64 * 2;
            let value = match process {
                0 => json!(round),
                1 => json!(format!("v{round}")),
                2 => json!([null, [round, "x"], -1]),
                _ => json!({"map": round}),
            };
            let op = Op::new(index, index * 1000, Process::Client(process), OpType::Invoke, "write");
            ops.push(Op { value, key: Some(format!("k{}", round % 3)), node: Some("n1".into()), ..op });
        }
        ops.push(Op::new(ops.len() as u64 * 2, 7, Process::Nemesis, OpType::Info, "kill"));
        for process in 0..4 {
            let invoked = ops[ops.len() - 5].clone();
            let index = ops.len() as u64 * 2;
            let op_type = if process == 3 { OpType::Fail } else { OpType::Ok };
            let error = (process == 3).then(|| "refused".to_owned());
            let zxid = Some(round << 33 | index);
            let node = Some(if process == 0 { "n2" } else { "n1" }.to_owned());
            ops.push(Op { index, time: index * 1000, op_type, error, zxid, node, ..invoked });
        }
    }
    history(ops, PairRules::default())
}

proptest! {
    #[test]
    fn columns_lose_nothing(
        ops in arbitrary::ops(),
        flags in any::<[bool; 5]>(),
    ) {
        let [failed_cas_is_mismatch, explicit_cas, timed, truncated, modified] = flags;
        let mut history = history(ops, PairRules { failed_cas_is_mismatch });
        (history.explicit_cas, history.timed, history.truncated) = (explicit_cas, timed, truncated);
        if modified {
            history.stamps = crate::history::Stamps::LastModified;
        }
        let back = read("x", &columns(&history)).unwrap();
        prop_assert_eq!(lines(&back), lines(&history));
        prop_assert_eq!(format!("{:?}", back.columns), format!("{:?}", history.columns), "all ids as well");
        prop_assert_eq!(&back.odd, &history.odd);
        prop_assert_eq!(&back.indices, &history.indices);
        prop_assert_eq!(&back.counts, &history.counts);
        prop_assert_eq!(back.lines, history.lines);
        prop_assert_eq!((back.explicit_cas, back.timed, back.truncated), (explicit_cas, timed, truncated));
        prop_assert_eq!(back.stamps, history.stamps);
    }
}

#[test]
fn values_are_found_again() {
    let history = sample();
    let mut back = read("x", &columns(&history)).unwrap();
    let call = back.call(1);
    let (input, json) = (call.input(), call.input_json());
    assert_eq!(back.values.json(&json), input, "an equal value has the same id");
    assert_eq!(back.names.find("k2"), history.names.find("k2"));
    let pair = back.values.pair(input, input);
    assert_eq!(back.values.as_pair(pair), Some((input, input)));
    assert_eq!(back.values.json(&json!("v7")), history.call(29).input());
}

#[test]
fn a_file_cut_anywhere_is_the_beginning_of_its_history() {
    let whole = sample();
    let bytes = columns(&whole);
    let all = lines(&whole);
    let mut lengths = Vec::new();
    for cut in 0..bytes.len() {
        let part = match read("x", &bytes[..cut]) {
            Ok(part) => part,
            Err(e) => {
                assert!(cut < HEADER, "cut at {cut}: {e}");
                assert_eq!(e.to_string(), "x: it ends within its header");
                continue;
            }
        };
        assert!(part.truncated, "cut at {cut}");
        let (part, lines) = (lines(&part), part.lines);
        assert_eq!(part.len() as u64, lines);
        // The invocation of a call knows the node of its completion only if that was read.
        let kept = |op: &Op| Op { node: None, ..op.clone() };
        assert!(part.iter().map(kept).eq(all[..part.len()].iter().map(kept)), "cut at {cut}");
        lengths.push(part.len());
    }
    lengths.dedup();
    assert!(lengths.len() > 6 && lengths.is_sorted(), "{lengths:?}");
    assert!(!read("x", &bytes).unwrap().truncated);
}

#[test]
fn damage_is_an_error_that_names_its_block() {
    let bytes = columns(&sample());
    let error = |bytes: &[u8]| read("x", bytes).unwrap_err().to_string();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let text = error(&damaged);
        match at {
            0..8 => assert_eq!(text, "x: it is no history in columns"),
            8..12 => assert!(text.contains("this program reads version 1"), "{text}"),
            12..HEADER => assert_eq!(text, "x: its header is damaged: the checksum is wrong"),
            _ => assert!(text.starts_with("x: block ") && text.contains("checksum is wrong"), "{at}: {text}"),
        }
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(error(&longer), "x: something follows the last block");
}

/// Damage with checksums that are right: what a reader that trusted checksums would fall for.
#[test]
fn forged_files_are_refused_or_read_but_never_panic() {
    let original = columns(&sample());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut read_well, mut refused) = (0, 0);
    for _ in 0..5_000 {
        let mut bytes = original.clone();
        let at = rng.random_range(16..bytes.len());
        for place in &mut bytes[at..(at + 1)] {
            *place = if rng.random_bool(0.5) { rng.random() } else { *place ^ 1 << rng.random_range(0..8) };
        }
        if rng.random_bool(0.2) {
            let from = rng.random_range(HEADER..bytes.len());
            let to = rng.random_range(from..bytes.len().min(from + 20));
            bytes.drain(from..to);
        }
        forge_checksums(&mut bytes);
        match read("x", &bytes) {
            Err(_) => refused += 1,
            Ok(history) => {
                read_well += 1;
                lines(&history);
                assert!(history.heap_bytes() < 1 << 20);
            }
        }
    }
    assert!(read_well > 500 && refused > 500, "{read_well} {refused}");
}

/// Lists that hold one list twice, sixty times over: a short file with an endless text.
#[test]
fn values_that_would_never_end_are_refused() {
    let mut history = sample();
    let mut value = history.values.list(&[]);
    for _ in 0..60 {
        value = history.values.list(&[value, value]);
    }
    history.columns.input[0] = value;
    let error = read("x", &columns(&history)).unwrap_err().to_string();
    assert!(error.contains("holds what no history has"), "{error}");
    let mut history = sample();
    let mut value = history.values.list(&[]);
    for _ in 0..200 {
        value = history.values.list(&[value]);
    }
    history.columns.input[0] = value;
    assert!(read("x", &columns(&history)).is_err());
}

fn forge_checksums(bytes: &mut [u8]) {
    let header = super::checksum::xxh64(0, &bytes[..HEADER - 8]);
    bytes[HEADER - 8..HEADER].copy_from_slice(&header.to_le_bytes());
    let mut at = HEADER;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u64::from_le_bytes(head.try_into().unwrap());
        let payload = at + BLOCK_HEAD;
        let end = usize::try_from(length).ok().and_then(|length| payload.checked_add(length));
        let Some(end) = end.filter(|&end| end <= bytes.len()) else { return };
        let checksum = super::checksum::xxh64(0, &bytes[payload..end]);
        bytes[at + 8..at + 16].copy_from_slice(&checksum.to_le_bytes());
        let check = super::checksum::xxh64(1, &bytes[at..at + 16]);
        bytes[at + 16..at + 24].copy_from_slice(&check.to_le_bytes());
        at = end;
    }
}
