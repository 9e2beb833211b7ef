//! Times the register check on 100,000 operations generated in the process, seeded:
//! `cargo run --release -p checker --example bench_register`.
//!
//! Clients work in a closed loop against a perfect register per key; keys are retired after a random
//! number of operations, as the workload does. 2 % of the operations never complete.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::time::Instant;

use checker::history::{History, Op, OpType, Process};
use checker::{Options, check_order, check_register};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const OPERATIONS: u64 = 100_000;

/// What a client has open.
struct Open {
    op: Op,
    /// The completion, once it took effect.
    done: Option<Value>,
    zxid: Option<u64>,
}

struct World {
    rng: ChaCha8Rng,
    ops: Vec<Op>,
    values: Vec<i64>,
    left: Vec<u32>,
    next_value: i64,
    zxid: u64,
}

impl World {
    fn line(&mut self, mut op: Op) {
        op.index = self.ops.len() as u64;
        op.time = op.index * 1000;
        self.ops.push(op);
    }

    fn invoke(&mut self, process: i64, keys: usize) -> Open {
        // The last `keys` keys are in use; one that is used up makes room for a new one.
        let at = self.left.len() - 1 - self.rng.random_range(0..keys.min(self.left.len()));
        self.left[at] -= 1;
        if self.left[at] == 0 {
            self.left[at] = u32::MAX;
            self.left.push(self.rng.random_range(50..150));
            self.values.push(0);
        }
        let mut op = Op::new(0, 0, Process::Client(process), OpType::Invoke, "read");
        op.key = Some(format!("r{at}"));
        op.value = match self.rng.random_range(0..4) {
            0 | 1 => Value::Null,
            kind => {
                op.f = if kind == 2 { "write" } else { "cas" }.into();
                self.next_value += 1;
                if kind == 2 { json!(self.next_value) } else { json!([null, self.next_value]) }
            }
        };
        self.line(op.clone());
        Open { op, done: None, zxid: None }
    }

    fn take_effect(&mut self, open: &mut Open) {
        let key: usize = open.op.key.as_deref().unwrap_or("r0")[1..].parse().unwrap_or(0);
        let shown = |value: i64| if value == 0 { Value::Null } else { json!(value) };
        let old = self.values[key];
        open.done = Some(match open.op.f.as_str() {
            "write" => {
                self.values[key] = open.op.value.as_i64().unwrap_or(0);
                open.op.value.clone()
            }
            "cas" => {
                self.values[key] = open.op.value[1].as_i64().unwrap_or(0);
                json!([shown(old), self.values[key]])
            }
            _ => shown(old),
        });
        self.zxid += u64::from(open.op.f != "read");
        open.zxid = Some((1 << 32) + self.zxid);
    }
}

/// `keys` are in use at a time; each lasts 50 to 150 operations, or for ever if `for_ever`.
fn generate(clients: i64, keys: usize, for_ever: bool, seed: u64) -> Vec<Op> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let left =
        (0..keys).map(|_| if for_ever { u32::MAX } else { rng.random_range(50..150) }).collect::<Vec<_>>();
    let mut world = World { rng, ops: Vec::new(), values: vec![0; keys], left, next_value: 0, zxid: 0 };
    let mut process: Vec<i64> = (0..clients).collect();
    let mut open: Vec<Option<Open>> = (0..clients).map(|_| None).collect();
    let mut issued = 0;
    while issued < OPERATIONS || open.iter().any(Option::is_some) {
        let client = world.rng.random_range(0..open.len());
        match open[client].take() {
            None if issued < OPERATIONS => {
                open[client] = Some(world.invoke(process[client], keys));
                issued += 1;
            }
            None => {}
            Some(mut pending) if pending.done.is_none() => {
                if world.rng.random_bool(0.02) {
                    if world.rng.random_bool(0.5) {
                        world.take_effect(&mut pending);
                    }
                    let value = pending.op.value.clone();
                    world.line(Op { op_type: OpType::Info, value, ..pending.op });
                    process[client] += clients;
                } else {
                    world.take_effect(&mut pending);
                    open[client] = Some(pending);
                }
            }
            Some(pending) => {
                let value = pending.done.unwrap_or_default();
                world.line(Op { op_type: OpType::Ok, value, zxid: pending.zxid, ..pending.op });
            }
        }
    }
    world.ops
}

fn main() {
    println!("{OPERATIONS} operations, one line a case; milliseconds");
    for (name, clients, keys, for_ever) in [
        ("10 keys at a time, 10 clients", 10, 10, false),
        ("10 keys at a time, 20 clients", 20, 10, false),
        ("1 key at a time, 20 clients", 20, 1, false),
        ("one key for ever, 20 clients", 20, 1, true),
        ("one key for ever, 100 clients", 100, 1, true),
    ] {
        let ops = generate(clients, keys, for_ever, 7);
        let text: String =
            ops.iter().map(|op| serde_json::to_string(op).unwrap_or_default() + "\n").collect();
        let start = Instant::now();
        let history = History::parse("bench", text.as_bytes());
        let Ok(history) = history.inspect_err(|e| println!("{name}: {e}")) else { continue };
        let parsed = start.elapsed();
        print!("{name:32} parse {:7.1}", parsed.as_secs_f64() * 1000.0);
        for (method, fast_path) in [("blocks", true), ("search", false)] {
            let start = Instant::now();
            let options = Options { fast_path, ..Options::default() };
            match check_register(&history, &options) {
                Ok(checked) => {
                    let ms = start.elapsed().as_secs_f64() * 1000.0;
                    print!("  {method} {ms:7.1} {}", checked.verdict);
                }
                Err(e) => print!("  {method} {e}"),
            }
        }
        let start = Instant::now();
        let order = check_order(&history);
        println!("  order {:5.1} {}", start.elapsed().as_secs_f64() * 1000.0, order.verdict);
    }
}
