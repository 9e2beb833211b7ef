//! Seeded histories with known verdicts, of any size: clients in a closed loop against perfect objects.
//!
//! Latencies are exponential, and one in 50 is ten times as long. Each operation takes effect at some moment
//! between call and return. A crashed one never returns; half of those take effect, maybe much later, and the client goes on
//! under another process id. A planted violation is made once, by an operation at 70 % of the history.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use checker::history::{Builder, Line, PairRules, Val};
use checker::{History, OpType};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the clients work against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads and writes of unique values.
    Register,
    /// Reads and compare-and-sets from the value last seen to unique values.
    CasUnique,
    /// Reads, writes and compare-and-sets of five values.
    CasRegister,
    Counter,
    List,
    Set,
    Queue,
    Lock,
}

/// A load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) kind: Kind,
    pub(crate) clients: u32,
    /// Keys in use at a time.
    pub(crate) keys: usize,
    /// Updates after which a key makes room for a new one; 0: never.
    pub(crate) retire: u32,
    pub(crate) operations: usize,
    /// Share of operations that never return.
    pub(crate) crashed: f64,
    /// One operation answers what it must not.
    pub(crate) violation: bool,
    pub(crate) seed: u64,
}

impl Load {
    pub(crate) fn new(kind: Kind, clients: u32, operations: usize) -> Self {
        let (keys, retire) = if matches!(kind, Kind::List | Kind::Set) { (5, 50) } else { (1, 0) };
        Self { kind, clients, keys, retire, operations, crashed: 0.0, violation: false, seed: 11 }
    }

    pub(crate) fn crashed(self, crashed: f64) -> Self {
        Self { crashed, ..self }
    }

    pub(crate) fn violated(self) -> Self {
        Self { violation: true, ..self }
    }

    pub(crate) fn generate(self) -> History {
        World::new(self).run()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Call(u32),
    Effect(usize),
    Return(usize),
}

#[derive(Debug, Clone, Default)]
struct Operation {
    client: u32,
    key: usize,
    f: &'static str,
    input: (i64, i64),
    call: u64,
    crashes: bool,
    failed: bool,
    output: Output,
}

#[derive(Debug, Clone, Default)]
enum Output {
    #[default]
    None,
    Number(i64),
    Items(Vec<i64>),
}

/// One object, in whatever state its kind has.
#[derive(Debug, Default)]
struct Object {
    name: String,
    number: Option<i64>,
    items: VecDeque<i64>,
    updates: u32,
    /// Completed updates: (call, return, what they left).
    acked: Vec<(u64, u64, i64)>,
}

struct World {
    load: Load,
    rng: ChaCha8Rng,
    heap: BinaryHeap<Reverse<(u64, u64, Event)>>,
    events: u64,
    operations: Vec<Operation>,
    objects: Vec<Object>,
    /// Those in use.
    alive: Vec<usize>,
    process: Vec<i64>,
    /// What a client saw last, or the lock it holds.
    seen: Vec<Option<(usize, i64)>>,
    next_value: i64,
    armed: bool,
    builder: Builder,
    lines: u64,
}

const LATENCY_NS: f64 = 1_000_000.0;

impl World {
    fn new(load: Load) -> Self {
        let mut world = Self {
            load,
            rng: ChaCha8Rng::seed_from_u64(load.seed),
            heap: BinaryHeap::new(),
            events: 0,
            operations: Vec::with_capacity(load.operations),
            objects: Vec::new(),
            alive: Vec::new(),
            process: (0..i64::from(load.clients)).collect(),
            seen: vec![None; load.clients as usize],
            next_value: 0,
            armed: load.violation,
            builder: Builder::new(PairRules { failed_cas_is_mismatch: true }),
            lines: 0,
        };
        world.builder.reserve(load.operations);
        world.alive = (0..load.keys).map(|_| world.new_object()).collect();
        for client in 0..load.clients {
            let at = world.rng.random_range(0.0..LATENCY_NS);
            world.push(at, Event::Call(client));
        }
        world
    }

    fn new_object(&mut self) -> usize {
        let name = format!("k{}", self.objects.len());
        self.objects.push(Object { name, ..Object::default() });
        self.objects.len() - 1
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times are small and positive"
    )]
    fn push(&mut self, at: f64, event: Event) {
        self.events += 1;
        self.heap.push(Reverse((at as u64, self.events, event)));
    }

    fn run(mut self) -> History {
        while let Some(Reverse((now, _, event))) = self.heap.pop() {
            match event {
                Event::Call(client) if self.operations.len() < self.load.operations => self.call(now, client),
                Event::Call(_) => {}
                Event::Effect(id) => self.effect(id),
                Event::Return(id) => self.give_back(now, id),
            }
        }
        let mut history = self.builder.finish();
        history.explicit_cas = true;
        history.timed = true;
        history
    }

    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^52 ns")]
    fn call(&mut self, now: u64, client: u32) {
        let mut operation = self.invocation(client);
        operation.call = now;
        let mut latency = (0.2 - 0.8 * self.rng.random::<f64>().ln()) * LATENCY_NS;
        if self.rng.random_bool(0.02) {
            latency *= 10.0;
        }
        operation.crashes = self.load.crashed > 0.0 && self.rng.random_bool(self.load.crashed);
        let id = self.operations.len();
        let at = now as f64;
        if operation.crashes {
            if self.rng.random_bool(0.5) {
                let late = if self.rng.random_bool(0.7) { latency } else { 50.0 * LATENCY_NS };
                let delay = late * self.rng.random::<f64>();
                self.push(at + delay, Event::Effect(id));
            }
            self.push(at + 5.0 * LATENCY_NS, Event::Call(client));
        } else {
            let share = 0.05 + 0.9 * self.rng.random::<f64>();
            self.push(at + latency * share, Event::Effect(id));
            self.push(at + latency, Event::Return(id));
        }
        self.line(now, &operation, OpType::Invoke);
        if operation.crashes {
            self.process[client as usize] += i64::from(self.load.clients);
            self.seen[client as usize] = None;
        }
        self.operations.push(operation);
    }

    fn invocation(&mut self, client: u32) -> Operation {
        let at = self.rng.random_range(0..self.alive.len());
        let mut key = self.alive[at];
        let reads = self.rng.random_bool(0.5);
        let fresh = self.next_value + 1;
        let mut few = || self.rng.random_range(0..5_i64);
        let seen = self.seen[client as usize].filter(|&(of, _)| of == key || self.load.kind == Kind::Lock);
        let (f, input) = match self.load.kind {
            Kind::Lock if let Some((of, _)) = seen => {
                key = of;
                ("release", (0, 0))
            }
            Kind::Lock => ("acquire", (0, 0)),
            Kind::Queue if reads => ("dequeue", (0, 0)),
            Kind::Queue => ("enqueue", (fresh, 0)),
            Kind::CasRegister => match few() % 3 {
                0 => ("read", (0, 0)),
                1 => ("write", (few(), 0)),
                _ => ("cas", (few(), few())),
            },
            Kind::CasUnique => match seen {
                Some((_, value)) if !reads => ("cas", (value, fresh)),
                None if few() == 0 => ("write", (fresh, 0)),
                Some(_) | None => ("read", (0, 0)),
            },
            Kind::Register | Kind::Counter | Kind::List | Kind::Set if reads => ("read", (0, 0)),
            Kind::Register => ("write", (fresh, 0)),
            Kind::Counter => ("add", (1, 0)),
            Kind::List => ("append", (fresh, 0)),
            Kind::Set => ("add", (fresh, 0)),
        };
        if [input.0, input.1].contains(&fresh) {
            self.next_value = fresh;
        }
        Operation { client, key, f, input, ..Operation::default() }
    }

    fn effect(&mut self, id: usize) {
        let kind = self.load.kind;
        let due = self.armed && id * 10 > self.load.operations * 7 && !self.operations[id].crashes;
        let operation = &mut self.operations[id];
        let object = &mut self.objects[operation.key];
        let mut updates = true;
        match operation.f {
            "read" => {
                updates = false;
                operation.output = match kind {
                    Kind::List | Kind::Set => Output::Items(object.items.iter().copied().collect()),
                    Kind::Counter => Output::Number(object.number.unwrap_or(0)),
                    Kind::Register | Kind::CasUnique | Kind::CasRegister | Kind::Queue | Kind::Lock => {
                        object.number.map_or(Output::None, Output::Number)
                    }
                };
                if due && spoil(kind, object, operation) {
                    self.armed = false;
                }
            }
            "write" => object.number = Some(operation.input.0),
            "cas" if object.number == Some(operation.input.0) => object.number = Some(operation.input.1),
            "cas" => (operation.failed, updates) = (true, false),
            "add" if kind == Kind::Counter => object.number = Some(object.number.unwrap_or(0) + 1),
            "append" | "add" | "enqueue" => object.items.push_back(operation.input.0),
            "dequeue" => {
                updates = !object.items.is_empty();
                operation.output = object.items.pop_front().map_or(Output::None, Output::Number);
                if due && updates && object.acked.len() > 1 {
                    // Delivered once more.
                    operation.output = Output::Number(object.acked[object.acked.len() - 1].2);
                    self.armed = false;
                }
            }
            "acquire" if object.number.is_none() => object.number = Some(1),
            "acquire" if due => self.armed = false,
            "acquire" => (operation.failed, updates) = (true, false),
            _ => updates = object.number.take().is_some(),
        }
        if updates {
            object.updates += 1;
            if object.updates == self.load.retire {
                let key = operation.key;
                if let Some(at) = self.alive.iter().position(|&alive| alive == key) {
                    self.alive[at] = self.new_object();
                }
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^52 ns")]
    fn give_back(&mut self, now: u64, id: usize) {
        let operation = self.operations[id].clone();
        let client = operation.client as usize;
        let op_type = if operation.failed { OpType::Fail } else { OpType::Ok };
        self.line(now, &operation, op_type);
        let left = match (operation.f, &operation.output) {
            ("write" | "add" | "append", _) => Some(operation.input.0),
            ("cas", _) => Some(operation.input.1),
            ("dequeue", Output::Number(value)) => Some(*value),
            _ => None,
        };
        if let Some(left) = left.filter(|_| !operation.failed) {
            self.objects[operation.key].acked.push((operation.call, now, left));
        }
        self.seen[client] = match (operation.f, &operation.output) {
            ("acquire", _) if !operation.failed => Some((operation.key, 0)),
            ("read", Output::Number(value)) => Some((operation.key, *value)),
            ("write", _) => Some((operation.key, operation.input.0)),
            ("cas", _) if !operation.failed => Some((operation.key, operation.input.1)),
            _ => None,
        };
        self.push(now as f64 + 1.0, Event::Call(operation.client));
    }

    fn line(&mut self, time: u64, operation: &Operation, op_type: OpType) {
        let invokes = op_type == OpType::Invoke;
        let process = self.process[operation.client as usize];
        let values = self.builder.values();
        let value = match (operation.f, &operation.output) {
            ("cas", _) => {
                let (old, new) = (values.int(operation.input.0), values.int(operation.input.1));
                values.pair(old, new)
            }
            ("read" | "dequeue", _) if invokes => Val::NIL,
            (_, Output::Number(number)) => values.int(*number),
            (_, Output::Items(items)) => {
                let mut items: Vec<Val> = items.iter().map(|&item| values.int(item)).collect();
                if operation.f == "read" && self.load.kind == Kind::Set {
                    items.sort_unstable();
                }
                values.list(&items)
            }
            ("write" | "add" | "append" | "enqueue", Output::None) => values.int(operation.input.0),
            (_, Output::None) => Val::NIL,
        };
        let line = Line {
            index: self.lines,
            time,
            process,
            op_type,
            f: operation.f,
            key: Some(&self.objects[operation.key].name),
            value,
            error: None,
            node: None,
            zxid: None,
            final_read: false,
        };
        self.lines += 1;
        self.builder.line(&line).expect("a client does one thing after the other");
    }
}

/// Makes a read stale: it returns what an update had certainly overwritten before the read was called.
fn spoil(kind: Kind, object: &Object, read: &mut Operation) -> bool {
    let before = |call: u64| object.acked.iter().rev().find(move |&&(_, ret, _)| ret < call);
    let Some(&(call, _, last)) = before(read.call) else { return false };
    match &mut read.output {
        Output::Items(items) => {
            let at = items.iter().position(|&item| item == last);
            at.inspect(|&at| items.truncate(at)).is_some()
        }
        Output::Number(number) if kind == Kind::Counter => {
            let acked = object.acked.iter().filter(|&&(_, ret, _)| ret < read.call).count();
            *number = i64::try_from(acked).expect("few") - 1;
            true
        }
        output @ (Output::None | Output::Number(_)) => match before(call) {
            Some(&(.., old)) if old != last => {
                *output = Output::Number(old);
                true
            }
            Some(_) | None => false,
        },
    }
}
