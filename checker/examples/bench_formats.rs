//! Reads and writes a million operations in every format: `cargo run --release -p checker --example bench_formats`
//!
//! Prints, per format, bytes an operation and the median time of five reads and writes, from memory to memory. Time
//! is that on the processor where the system tells it, so that what else runs on the machine hardly counts.
//! `bench_formats N FORMAT...` takes another number of operations, and those formats.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::time::Instant;

use checker::formats::{Format, loses, parse, write};
use checker::{History, Op, OpType, Process};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const CLIENTS: i64 = 20;
const ROUNDS: usize = 5;

fn main() {
    let calls = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let mut formats: Vec<Format> = std::env::args().skip(2).filter_map(|word| word.parse().ok()).collect();
    if formats.is_empty() {
        formats = Format::ALL.to_vec();
    }
    println!("{calls} operations of {CLIENTS} clients on 10 keys, median of {ROUNDS}");
    for (what, cas, keys) in [("reads and writes", false, 10), ("reads and cas", true, 1)] {
        let history = History::from_ops(generate(calls, cas, keys)).expect("it is made of pairs");
        println!("\n{what}{:12} bytes/op   read ms   write ms   read MB/s", "");
        for format in &formats {
            measure(*format, &history);
        }
    }
    // One object without a name, as a log has it.
    let history = History::from_ops(generate(calls, false, 0)).expect("it is made of pairs");
    println!("\nreads and writes of one object");
    for format in [Format::JepsenLog, Format::Columns].iter().filter(|format| formats.contains(format)) {
        measure(*format, &history);
    }
}

fn measure(format: Format, history: &History) {
    let mut bytes = Vec::new();
    if let Err(e) = write(format, history, &mut bytes) {
        println!("{:28} {e}", format.name());
        return;
    }
    let clock = Clock(Instant::now());
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bytes.clear();
        let start = clock.now_ms();
        write(format, history, &mut bytes).expect("it could be written before");
        writes.push(clock.now_ms() - start);
        let start = clock.now_ms();
        let back = parse(format, "bench", &bytes).expect("what was written can be read");
        reads.push(clock.now_ms() - start);
        assert_eq!(back.len(), history.len(), "the same operations");
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    let (read, write) = (median(&mut reads), median(&mut writes));
    let size = bytes.len() as f64;
    let per_op = size / history.len() as f64;
    println!("{:28} {per_op:8.1} {read:9.1} {write:10.1} {:11.0}", format.name(), size / read / 1e3);
    for lost in loses(format, history) {
        println!("{:28} (loses {lost})", "");
    }
}

/// Time of this thread.
struct Clock(Instant);

impl Clock {
    fn now_ms(&self) -> f64 {
        let on_processor = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
        let ns = on_processor.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        ns.map_or_else(|| self.0.elapsed().as_secs_f64() * 1e3, |ns| ns / 1e6)
    }
}

/// A closed loop of clients, each with an operation at a time; unique values.
fn generate(calls: u64, cas: bool, keys: u64) -> Vec<Op> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut open: Vec<Option<Op>> = (0..CLIENTS).map(|_| None).collect();
    let (mut ops, mut invoked, mut time, mut zxid) = (Vec::new(), 0, 0, 1_u64 << 32);
    let mut last = vec![Value::Null; 10];
    while invoked < calls || open.iter().any(Option::is_some) {
        let client = rng.random_range(0..open.len());
        time += rng.random_range(1_000..100_000);
        let (index, process) =
            (ops.len() as u64, Process::Client(i64::try_from(client).expect("few clients")));
        if let Some(call) = open[client].take() {
            let object = call.key.as_deref().and_then(|key| key[1..].parse::<usize>().ok()).unwrap_or(0);
            let value = match call.f.as_str() {
                "read" => last[object].clone(),
                "cas" => json!([last[object], call.value[1]]),
                _ => call.value.clone(),
            };
            if call.f != "read" {
                zxid += 1;
                last[object] = if call.f == "cas" { value[1].clone() } else { value.clone() };
            }
            ops.push(Op { index, time, op_type: OpType::Ok, value, zxid: Some(zxid), ..call });
        } else if invoked < calls {
            invoked += 1;
            let f = if rng.random() {
                "read"
            } else if cas {
                "cas"
            } else {
                "write"
            };
            let value = match f {
                "read" => Value::Null,
                "cas" => json!([null, invoked]),
                _ => json!(invoked),
            };
            let key = (keys > 0).then(|| format!("r{}", rng.random_range(0..keys)));
            let node = Some(format!("n{}", rng.random_range(1..6)));
            let op = Op { key, node, value, ..Op::new(index, time, process, OpType::Invoke, f) };
            ops.push(op.clone());
            open[client] = Some(op);
        }
    }
    ops
}
