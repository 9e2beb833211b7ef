//! Small random histories of each model, made by clients of a real object, and every order of them.
//!
//! Shares nothing with the verifier: objects are JSON values, operations are words.

use rand::RngExt;
use rand::seq::{IndexedMutRandom, IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::history::{Builder, History, Op, OpType, Outcome, PairRules, Process};

pub(super) const MODELS: [&str; 9] =
    ["register", "cas-register", "kv", "counter", "list", "set", "element-set", "queue", "lock"];

#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) process: i64,
    pub(super) f: &'static str,
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) outcome: Outcome,
    /// Number of the event; also the `index` of the line.
    pub(super) call: u64,
    pub(super) ret: u64,
}

/// A history of one object.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) model: &'static str,
    /// A `cas` invokes with the old value that it expects.
    pub(super) explicit_cas: bool,
    pub(super) ops: Vec<Operation>,
}

impl World {
    /// Up to `n` operations by a few clients; linearizable.
    pub(super) fn simulate(rng: &mut ChaCha8Rng, model: &'static str, n: usize) -> Self {
        let mut world = Self { model, explicit_cas: rng.random_bool(0.5), ops: Vec::new() };
        let mut state = world.initial();
        let (unique, crashes) = (rng.random_bool(0.5), if rng.random_bool(0.4) { 0.25 } else { 0.0 });
        // Operations in progress, by client, and whether they took effect; crashed ones that may yet.
        let clients = rng.random_range(2..=4);
        let mut open: Vec<Option<(usize, bool)>> = vec![None; clients];
        let mut names: Vec<i64> = (0..4).collect();
        let mut crashed: Vec<usize> = Vec::new();
        let mut event = 0;
        while world.ops.len() < n || open.iter().any(Option::is_some) {
            let client = rng.random_range(0..clients);
            match open[client] {
                None if world.ops.len() < n => {
                    let (f, input) = world.invocation(rng, names[client], unique);
                    let (outcome, output) = (Outcome::Info, Value::Null);
                    let process = names[client];
                    open[client] = Some((world.ops.len(), false));
                    world.ops.push(Operation {
                        process,
                        f,
                        input,
                        output,
                        outcome,
                        call: event,
                        ret: u64::MAX,
                    });
                    event += 1;
                }
                None => {}
                Some((id, done)) if rng.random_bool(crashes) => {
                    let op = &mut world.ops[id];
                    (op.outcome, op.output, op.ret) = (Outcome::Info, Value::Null, event);
                    event += 1;
                    crashed.extend((!done).then_some(id));
                    open[client] = None;
                    // Jepsen's clients go on under a new name, others may not.
                    names[client] += if rng.random_bool(0.7) { 10 } else { 0 };
                }
                Some((id, false)) if rng.random_bool(0.05) => {
                    world.ops[id].outcome = Outcome::Fail;
                    open[client] = Some((id, true));
                }
                Some((id, false)) => {
                    let before = state.clone();
                    let (output, refused) = world.respond(&mut state, &world.ops[id]);
                    if refused && rng.random_bool(0.5) {
                        state = before;
                        continue;
                    }
                    world.ops[id].output = output;
                    world.ops[id].outcome = if refused { Outcome::Mismatch } else { Outcome::Ok };
                    open[client] = Some((id, true));
                }
                Some((id, true)) => {
                    world.ops[id].ret = event;
                    open[client] = None;
                    event += 1;
                }
            }
            if !crashed.is_empty() && rng.random_bool(0.2) {
                let late = crashed.swap_remove(rng.random_range(0..crashed.len()));
                world.respond(&mut state, &world.ops[late]);
            }
        }
        world
    }

    fn initial(&self) -> Value {
        match self.model {
            "register" | "cas-register" => Value::Null,
            "kv" => json!(""),
            "counter" => json!(0),
            "lock" => json!(false),
            _ => json!([]),
        }
    }

    fn invocation(&self, rng: &mut ChaCha8Rng, process: i64, unique: bool) -> (&'static str, Value) {
        let value = if unique { json!(self.ops.len()) } else { json!(rng.random_range(0..3)) };
        let mine = self.ops.iter().rfind(|op| op.process == process && op.outcome != Outcome::Mismatch);
        let holds = mine.is_some_and(|op| ["acq", "acquire", "lock"].contains(&op.f));
        let f = match self.model {
            "register" => ["read", "write"].choose(rng),
            "cas-register" => ["read", "write", "cas", "cas"].choose(rng),
            "kv" => ["get", "put", "append", "append"].choose(rng),
            "counter" => ["read", "inc", "increment", "add", "add"].choose(rng),
            "list" => ["read", "append"].choose(rng),
            "set" => ["read", "add", "add", "remove"].choose(rng),
            "element-set" => ["contains", "contains", "add", "remove"].choose(rng),
            "queue" => ["enq", "enqueue", "deq", "dequeue"].choose(rng),
            _ if holds == rng.random_bool(0.95) => ["rel", "release", "unlock"].choose(rng),
            _ => ["acq", "acquire", "lock"].choose(rng),
        };
        let &f = f.expect("none is empty");
        let input = match f {
            "read" | "get" | "deq" | "dequeue" | "inc" | "increment" => Value::Null,
            "put" | "append" if self.model == "kv" => json!(["a", "b", "ab"].choose(rng)),
            "add" if self.model == "counter" => json!(rng.random_range(-1..3)),
            "cas" if self.explicit_cas => {
                json!([([Value::Null, json!(0), json!(1), json!(2)].choose(rng)), value])
            }
            "cas" if rng.random_bool(0.5) => json!([rng.random_range(0..3), value]),
            "cas" => json!([null, value]),
            _ if self.model == "lock" => Value::Null,
            _ => value,
        };
        (f, input)
    }

    /// What the object answers, and whether it refuses (and stays as it was).
    fn respond(&self, state: &mut Value, op: &Operation) -> (Value, bool) {
        let input = &op.input;
        let number = |value: &Value| value.as_i64().unwrap_or(1);
        let items = |state: &mut Value| state.as_array_mut().map(std::mem::take).unwrap_or_default();
        match (self.model, op.f) {
            (_, "read" | "get") => return (state.clone(), false),
            (_, "write" | "put") => *state = input.clone(),
            (_, "cas") => {
                let learns = !self.explicit_cas && input[0].is_null();
                if !learns && *state != input[0] {
                    return (input.clone(), true);
                }
                let output = json!([*state, input[1]]);
                *state = input[1].clone();
                return (output, false);
            }
            ("kv", _) => {
                *state = json!([state.as_str(), input.as_str()].map(Option::unwrap_or_default).concat())
            }
            ("counter", _) => *state = json!(number(state) + number(input)),
            ("list", _) | (_, "enq" | "enqueue") => {
                *state = [items(state), vec![input.clone()]].concat().into()
            }
            (_, "contains") => return (items(&mut state.clone()).contains(input).into(), false),
            ("set" | "element-set", f) => {
                let mut members = items(state);
                members.retain(|member| member != input);
                members.extend((f == "add").then(|| input.clone()));
                members.sort_by_key(number);
                *state = members.into();
            }
            ("queue", _) => {
                let mut all = items(state);
                let first = if all.is_empty() { Value::Null } else { all.remove(0) };
                *state = all.into();
                return (first, false);
            }
            (_, f) => {
                let acquires = ["acq", "acquire", "lock"].contains(&f);
                let refused = *state == json!(acquires);
                *state = json!(acquires);
                return (Value::Null, refused);
            }
        }
        (Value::Null, false)
    }

    /// Does an operation, if that is how it can have answered.
    fn explains(&self, state: &mut Value, op: &Operation) -> bool {
        let (output, refused) = self.respond(state, op);
        match op.outcome {
            Outcome::Ok => !refused && output == op.output,
            Outcome::Mismatch => refused,
            Outcome::Info => !refused,
            Outcome::Fail => false,
        }
    }

    /// Makes a lie of what some operation observed, or of how it ended. It may by chance stay true.
    pub(super) fn mutate(&mut self, rng: &mut ChaCha8Rng) {
        let (model, explicit) = (self.model, self.explicit_cas);
        let Some(op) = self.ops.choose_mut(rng) else { return };
        let small = json!(rng.random_range(0..5));
        op.output = match (model, op.f, op.outcome) {
            (_, _, Outcome::Info | Outcome::Fail) => return,
            (_, "cas", _) if explicit || !op.input[0].is_null() => {
                let refused = op.outcome == Outcome::Mismatch;
                op.outcome = if refused { Outcome::Ok } else { Outcome::Mismatch };
                op.input.clone()
            }
            (_, "cas", _) => json!([small, op.input[1]]),
            ("lock", ..) => {
                let refused = op.outcome == Outcome::Mismatch;
                op.outcome = if refused { Outcome::Ok } else { Outcome::Mismatch };
                Value::Null
            }
            ("kv", "get", _) => json!(["", "a", "b", "ab", "aab"].choose(rng)),
            ("counter", "read", _)
            | ("register" | "cas-register", "read", _)
            | ("queue", "deq" | "dequeue", _) => {
                if model != "counter" && rng.random_bool(0.2) {
                    Value::Null
                } else {
                    small
                }
            }
            ("list" | "set", "read", _) => {
                let mut items = op.output.as_array().cloned().unwrap_or_default();
                if rng.random_bool(0.5) && !items.is_empty() {
                    items.remove(rng.random_range(0..items.len()));
                } else if !items.contains(&small) {
                    items.push(small);
                }
                if model == "set" {
                    items.sort_by_key(Value::as_i64);
                } else if rng.random_bool(0.3) {
                    items.shuffle(rng);
                }
                items.into()
            }
            (_, "contains", _) => (op.output == json!(false)).into(),
            _ => return,
        };
    }

    /// An order that explains every result: all are tried.
    pub(super) fn an_order(&self) -> Option<Vec<u64>> {
        let mut order = Vec::new();
        self.search(&mut order, &self.initial()).then_some(order)
    }

    fn search(&self, order: &mut Vec<u64>, state: &Value) -> bool {
        let left: Vec<&Operation> = self.ops.iter().filter(|op| !order.contains(&op.call)).collect();
        if !left.iter().any(|op| op.completed()) {
            return true;
        }
        let first_return = left.iter().map(|op| op.end()).min().unwrap_or(u64::MAX);
        left.iter().filter(|op| op.call < first_return && op.outcome != Outcome::Fail).any(|op| {
            let mut state = state.clone();
            order.push(op.call);
            let found = self.explains(&mut state, op) && self.search(order, &state);
            if !found {
                order.pop();
            }
            found
        })
    }

    /// Whether this very order explains every result: each pair is compared.
    pub(super) fn is_explained_by(&self, order: &[u64]) -> bool {
        let find = |index: &u64| self.ops.iter().position(|op| op.call == *index);
        let Some(ids) = order.iter().map(find).collect::<Option<Vec<usize>>>() else { return false };
        let twice = ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id));
        let lacks = (0..self.ops.len()).any(|id| self.ops[id].completed() && !ids.contains(&id));
        let inverted = ids.iter().enumerate().any(|(at, &later)| {
            ids[..at].iter().any(|&earlier| self.ops[later].end() < self.ops[earlier].call)
        });
        let mut state = self.initial();
        let failed = ids.iter().any(|&id| self.ops[id].outcome == Outcome::Fail);
        !twice
            && !lacks
            && !failed
            && !inverted
            && ids.iter().all(|&id| self.explains(&mut state, &self.ops[id]))
    }

    /// As a history of one key.
    pub(super) fn history(&self, key: Option<&str>) -> History {
        let mut events: Vec<(u64, OpType, &Operation)> = Vec::new();
        for op in &self.ops {
            let op_type = match op.outcome {
                Outcome::Ok => OpType::Ok,
                Outcome::Info => OpType::Info,
                Outcome::Fail | Outcome::Mismatch => OpType::Fail,
            };
            events.extend([(op.call, OpType::Invoke, op), (op.ret, op_type, op)]);
        }
        events.sort_by_key(|event| event.0);
        let mut builder = Builder::new(PairRules { failed_cas_is_mismatch: true });
        for (index, op_type, op) in events {
            let value =
                if op_type == OpType::Invoke { op.input.clone() } else { op.told(self.model == "set") };
            let line = Op::new(index, index, Process::Client(op.process), op_type, op.f);
            builder.op(Op { value, key: key.map(str::to_owned), ..line }).expect("the lines fit together");
        }
        for (id, op) in (0..).zip(&self.ops) {
            if op.outcome == Outcome::Mismatch {
                builder.mark_mismatch(id);
            }
        }
        let mut history = builder.finish();
        history.explicit_cas = self.explicit_cas;
        history
    }
}

impl Operation {
    pub(super) fn completed(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::Mismatch)
    }

    /// When it had certainly taken effect; a crashed or failed one never had.
    fn end(&self) -> u64 {
        if self.completed() { self.ret } else { u64::MAX }
    }

    /// The value of its completion. A set may come in any order, and `contains` in two shapes.
    fn told(&self, set: bool) -> Value {
        match (self.f, &self.output) {
            ("contains", Value::Bool(_)) if self.call % 4 < 2 => json!([self.input, self.output]),
            ("read", Value::Array(items)) if set && self.call % 4 < 2 => {
                items.iter().rev().cloned().collect()
            }
            ("cas", _) if self.outcome == Outcome::Mismatch => self.input.clone(),
            (_, output) => output.clone(),
        }
    }
}
