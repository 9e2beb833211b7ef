//! Times the online checks on operations generated in the process, seeded:
//! `cargo run --release -p checker --example bench_online [OPERATIONS [PART]]` (default: 2,000,000 per line; the
//! parts are monitor, events, lines and idle).
//!
//! Clients work in a closed loop against perfect registers: half reads, a quarter writes, a quarter compare-and-sets
//! that learn the old value; 1 % of the operations crash, half of those after they took effect. Events are made in
//! chunks, and only the checking is timed. The resident size is that of the whole process, chunk included.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::time::{Duration, Instant};

use checker::history::{Op, OpType, Process};
use checker::online::{Act, Checker, Event, Found, Kind, Register, Ticket, Val, What, register};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Events per chunk.
const CHUNK: usize = 100_000;

/// What a client is doing.
#[derive(Clone, Copy)]
struct Client {
    process: i64,
    /// Key and act, and what it found, once it took effect.
    open: Option<(u32, Act, Option<Val>)>,
}

struct World {
    rng: ChaCha8Rng,
    clients: Vec<Client>,
    registers: Vec<Val>,
    next_value: i64,
    index: u64,
    issued: u64,
}

impl World {
    fn new(clients: i64, keys: usize, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            clients: (0..clients).map(|process| Client { process, open: None }).collect(),
            registers: vec![Val::NIL; keys],
            next_value: 0,
            index: 0,
            issued: 0,
        }
    }

    fn act(&mut self) -> Act {
        let act = self.rng.random_range(0..4);
        if act < 2 {
            return Act::Read;
        }
        self.next_value += 1;
        let new = Val::int(self.next_value);
        if act == 2 { Act::Write(new) } else { Act::Cas { old: None, new } }
    }

    fn take_effect(&mut self, key: u32, act: Act) -> Val {
        let register = &mut self.registers[key as usize];
        match act {
            Act::Write(new) | Act::Cas { new, .. } => std::mem::replace(register, new),
            Act::Read | Act::Add(_) | Act::Increment | Act::Acquire | Act::Release => *register,
        }
    }

    /// One more event, if this step of the simulation makes one.
    fn step(&mut self) -> Option<Event<'static>> {
        let at = self.rng.random_range(0..self.clients.len());
        let Client { process, open } = self.clients[at];
        let (key, what, now) = match open {
            None => {
                let key = u32::try_from(self.rng.random_range(0..self.registers.len())).ok()?;
                let act = self.act();
                self.issued += 1;
                (key, What::Invoke(act), Some((key, act, None)))
            }
            Some((key, act, None)) => {
                if !self.rng.random_bool(0.01) {
                    let found = self.take_effect(key, act);
                    self.clients[at].open = Some((key, act, Some(found)));
                    return None;
                }
                if self.rng.random_bool(0.5) {
                    self.take_effect(key, act);
                }
                self.clients[at].process += i64::try_from(self.clients.len()).ok()?;
                (key, What::Info(Found::Nothing), None)
            }
            Some((key, Act::Write(_), Some(_))) => (key, What::Ok(Found::Nothing), None),
            Some((key, _, Some(found))) => (key, What::Ok(Found::Value(found)), None),
        };
        self.clients[at].open = now;
        self.index += 1;
        Some(Event { index: self.index, process, key, what })
    }

    fn chunk(&mut self) -> Vec<Event<'static>> {
        let mut chunk = Vec::with_capacity(CHUNK);
        while chunk.len() < CHUNK {
            chunk.extend(self.step());
        }
        chunk
    }
}

/// One monitor, without the pairing by process.
fn monitor(world: &mut World, operations: u64) -> (Duration, usize, usize) {
    let mut register = Register::default();
    let clients = world.clients.len();
    let mut tickets: Vec<Option<Ticket>> = vec![None; clients];
    let mut spent = Duration::ZERO;
    while world.issued < operations {
        let chunk = world.chunk();
        let start = Instant::now();
        for event in &chunk {
            let client = usize::try_from(event.process).unwrap_or(0) % clients;
            let step = match (event.what, tickets[client].take()) {
                (What::Invoke(act), _) => {
                    let input = match act {
                        Act::Write(value) => register::Input::Write(value),
                        Act::Cas { old, new } => register::Input::Cas { old, new },
                        Act::Read | Act::Add(_) | Act::Increment | Act::Acquire | Act::Release => {
                            register::Input::Read
                        }
                    };
                    tickets[client] = Some(register.invoke(event.index, input));
                    continue;
                }
                (What::Ok(Found::Value(found)), Some(ticket)) => {
                    register.ok(event.index, ticket, Some(found))
                }
                (What::Ok(_), Some(ticket)) => register.ok(event.index, ticket, None),
                (What::Info(_), Some(ticket)) => register.info(event.index, ticket, None),
                (What::Fail, Some(ticket)) => register.fail(event.index, ticket),
                (What::Ok(_) | What::Info(_) | What::Fail, None) => Ok(()),
            };
            if let Err(violation) = step {
                println!("a perfect register is said to be wrong: {violation}");
            }
        }
        spent += start.elapsed();
    }
    (spent, register.peak(), register.retained())
}

fn events(world: &mut World, operations: u64) -> (Duration, usize, usize) {
    let mut checker = Checker::new(Kind::Register);
    (0..world.registers.len()).for_each(|key| {
        checker.key(&format!("r{key}"));
    });
    let mut spent = Duration::ZERO;
    while world.issued < operations {
        let chunk = world.chunk();
        let start = Instant::now();
        for event in &chunk {
            if let Some(violation) = checker.feed_event(event) {
                println!("a perfect register is said to be wrong: {violation}");
            }
        }
        spent += start.elapsed();
    }
    (spent, checker.peak(), checker.retained())
}

/// The event as a line of the history.
fn line(event: &Event<'_>, open: &mut [Act]) -> Op {
    let shown = |value: Val| value.to_string().parse().map_or(Value::Null, |number: i64| json!(number));
    let client = usize::try_from(event.process).unwrap_or(0) % open.len();
    let (op_type, found) = match event.what {
        What::Invoke(act) => {
            open[client] = act;
            (OpType::Invoke, Value::Null)
        }
        What::Ok(Found::Value(value)) => (OpType::Ok, shown(value)),
        What::Ok(_) => (OpType::Ok, Value::Null),
        What::Fail => (OpType::Fail, Value::Null),
        What::Info(_) => (OpType::Info, Value::Null),
    };
    let (f, value) = match open[client] {
        Act::Write(value) => ("write", shown(value)),
        Act::Cas { new, .. } => ("cas", json!([found, shown(new)])),
        Act::Read | Act::Add(_) | Act::Increment | Act::Acquire | Act::Release => ("read", found),
    };
    let mut op = Op::new(event.index, event.index, Process::Client(event.process), op_type, f);
    op.key = Some(format!("r{}", event.key));
    op.value = value;
    op
}

fn lines(world: &mut World, operations: u64) -> (Duration, usize, usize) {
    let mut checker = Checker::new(Kind::Register);
    let mut open = vec![Act::Read; world.clients.len()];
    let mut spent = Duration::ZERO;
    while world.issued < operations {
        let chunk: Vec<Op> = world.chunk().iter().map(|event| line(event, &mut open)).collect();
        let start = Instant::now();
        for op in &chunk {
            if let Some(violation) = checker.feed(op) {
                println!("a perfect register is said to be wrong: {violation}");
            }
        }
        spent += start.elapsed();
    }
    (spent, checker.peak(), checker.retained())
}

/// Resident memory, where the system tells.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.map_or_else(|| "?".to_owned(), |line| line["VmRSS:".len()..].trim().to_owned())
}

type Run = fn(&mut World, u64) -> (Duration, usize, usize);

fn main() {
    let operations = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2_000_000);
    let part = std::env::args().nth(2);
    let wanted = |name: &str| part.as_ref().is_none_or(|part| part == name);
    println!("{operations} operations a line");
    println!("                                     ns/op      op/s  peak records  held at end  resident");
    let runs: [(&str, Run); 3] = [("monitor", monitor), ("events", events), ("lines", lines)];
    for (name, run) in runs {
        for (clients, keys) in [(10, 1), (100, 1), (10, 1000), (100, 1000)] {
            if !wanted(name) || (name == "monitor" && keys > 1) {
                continue;
            }
            let (spent, peak, held) = run(&mut World::new(clients, keys, 7), operations);
            #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
            let each = spent.as_secs_f64() / operations as f64;
            println!(
                "{name:8} {clients:4} clients {keys:5} keys  {:8.0}  {:8.2} M  {peak:12}  {held:11}  {}",
                each * 1e9,
                1e-6 / each,
                resident()
            );
        }
    }
    if wanted("idle") {
        idle(operations / 50);
    }
}

/// Keys that are used for 50 operations each, one after the other, and then left alone.
fn idle(keys: u64) {
    let before = resident();
    let mut checker = Checker::new(Kind::Register);
    let mut world = World::new(10, 1, 7);
    for key in 0..keys {
        let key = checker.key(&format!("r{key}"));
        world.registers[0] = Val::NIL;
        for client in &mut world.clients {
            client.open = None;
            client.process += 10;
        }
        let until = world.issued + 50;
        while world.issued < until || world.clients.iter().any(|client| client.open.is_some()) {
            if world.issued >= until {
                world.clients.retain(|client| client.open.is_some());
            }
            let Some(event) = world.step() else { continue };
            if let Some(violation) = checker.feed_event(&Event { key, ..event }) {
                println!("a perfect register is said to be wrong: {violation}");
            }
        }
        world.clients = (0..10).map(|client| Client { process: client, open: None }).collect();
    }
    println!(
        "{keys} keys used and left alone: {} records, {before} before, {} after",
        checker.retained(),
        resident()
    );
}
