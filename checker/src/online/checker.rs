//! A whole history, watched line by line: one monitor per key, invocations paired with completions by process.
//!
//! What a key costs: some 10 KB while it is in use, and 1.2 KB once it has been left alone (its name, its last block; two
//! bytes more for each crashed write that nobody saw). Every few events, one of the keys in use is looked at, and
//! swept if nobody has used it since the last look.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

use serde_json::Value;

use crate::history::{Op, OpType, Process};
use crate::online::value::{Val, WordMap};
use crate::online::{Counter, List, Lock, Register, Set, Status, Ticket, Violation};
use crate::online::{counter, list, lock, register, set};

/// What the objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `read`, `write`, `cas`; initially null.
    Register,
    /// `read` of the whole list, `append`; initially empty.
    List,
    /// `read`, `increment` (also `inc`, `add`) by one; initially 0.
    Counter,
    /// `read` of the whole set, `add`; initially empty.
    Set,
    /// `acquire`, `release`, by process; initially free.
    Lock,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The value, list, set or count.
    Read,
    /// Store a value in the register.
    Write(Val),
    /// Replace the value `old` by `new`; `old` is `None` if the client learns it on the way.
    Cas {
        /// The value to be replaced.
        old: Option<Val>,
        /// The value to store.
        new: Val,
    },
    /// Add an element to the list or the set.
    Add(Val),
    /// Add one to the counter.
    Increment,
    /// Take the lock.
    Acquire,
    /// Give it back.
    Release,
}

/// What a completion tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Found<'a> {
    /// Nothing.
    #[default]
    Nothing,
    /// The value that was read, or that a compare-and-set replaced.
    Value(Val),
    /// The elements that were read.
    Elements(&'a [Val]),
    /// The count that was read.
    Count(i64),
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What<'a> {
    /// An operation was invoked.
    Invoke(Act),
    /// It took effect.
    Ok(Found<'a>),
    /// It did not, and never will.
    Fail,
    /// Nobody knows.
    Info(Found<'a>),
}

/// An event, in the form that costs nothing to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Position in the history; strictly increasing.
    pub index: u64,
    /// The logical client.
    pub process: i64,
    /// The key, as [`Checker::key`] numbers it.
    pub key: u32,
    /// What happened.
    pub what: What<'a>,
}

/// Events between two looks at a key that may be idle.
const EVENTS_PER_LOOK: u32 = 32;

/// Watches all keys of a run. Feed it every line, in the order of the history.
///
/// **Every operation must complete, or be declared `info`.** One that is left open holds its key's
/// window: nothing that happens on the key after its call can be forgotten.
#[derive(Debug)]
pub struct Checker {
    kind: Kind,
    keys: Vec<Key>,
    ids: HashMap<Box<str>, u32>,
    open: WordMap<i64, Open>,
    events: u32,
    /// Keys that have been used since they were swept, the one to be looked at next in front.
    used: VecDeque<u32>,
    elements: Vec<Val>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    key: u32,
    ticket: Ticket,
    act: Act,
}

#[derive(Debug)]
struct Key {
    name: Box<str>,
    watch: Watch,
    used: Use,
}

/// When a key was used last, in looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Since,
    Before,
    /// Not since it was swept.
    Swept,
}

#[derive(Debug)]
enum Watch {
    Register(Register),
    List(List),
    Counter(Counter),
    Set(Set),
    Lock(Lock),
}

/// The same for each kind of monitor.
macro_rules! each {
    ($watch:expr, $monitor:ident => $body:expr) => {
        match $watch {
            Watch::Register($monitor) => $body,
            Watch::List($monitor) => $body,
            Watch::Counter($monitor) => $body,
            Watch::Set($monitor) => $body,
            Watch::Lock($monitor) => $body,
        }
    };
}

impl Checker {
    /// Watches keys that hold such objects.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            keys: Vec::new(),
            ids: HashMap::new(),
            open: WordMap::default(),
            events: 0,
            used: VecDeque::new(),
            elements: Vec::new(),
        }
    }

    /// The number of a key, given out on first sight, counted from 0.
    ///
    /// # Panics
    /// After 2^32 keys.
    pub fn key(&mut self, name: &str) -> u32 {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = u32::try_from(self.keys.len()).expect("fewer than 2^32 keys fit in memory");
        self.ids.insert(name.into(), id);
        let watch = match self.kind {
            Kind::Register => Watch::Register(Register::default()),
            Kind::List => Watch::List(List::default()),
            Kind::Counter => Watch::Counter(Counter::default()),
            Kind::Set => Watch::Set(Set::default()),
            Kind::Lock => Watch::Lock(Lock::default()),
        };
        self.keys.push(Key { name: name.into(), watch, used: Use::Swept });
        id
    }

    /// Takes the next line of the history. Returns the key's first violation, at the line that makes it wrong.
    /// Lines that make no sense (a completion without invocation, a function that the object has not, a value
    /// of the wrong shape) leave the key inconclusive.
    pub fn feed(&mut self, op: &Op) -> Option<Violation> {
        let Process::Client(process) = op.process else { return None };
        let index = op.index;
        if op.op_type == OpType::Invoke {
            let key = self.key(op.key.as_deref().unwrap_or(""));
            return match act(self.kind, op) {
                Ok(act) => self.feed_event(&Event { index, process, key, what: What::Invoke(act) }),
                Err(reason) => {
                    self.give_up(key, reason);
                    None
                }
            };
        }
        let &Open { key, act, .. } = self.open.get(&process)?;
        let mut elements = std::mem::take(&mut self.elements);
        elements.clear();
        let read = found(self.kind, act, op, &mut elements);
        let what = read.map(|found| match op.op_type {
            OpType::Ok | OpType::Invoke => What::Ok(found),
            OpType::Fail => What::Fail,
            OpType::Info => What::Info(found),
        });
        let violation = match what {
            Ok(what) => self.feed_event(&Event { index, process, key, what }),
            Err(reason) => {
                self.open.remove(&process);
                self.give_up(key, reason);
                None
            }
        };
        self.elements = elements;
        violation
    }

    /// The same for an event whose values are known already.
    ///
    /// # Panics
    /// If the key was not given out by [`Checker::key`].
    pub fn feed_event(&mut self, event: &Event<'_>) -> Option<Violation> {
        let Event { index, process, key, what } = *event;
        self.look_for_idle(index);
        let found = match what {
            What::Invoke(act) => {
                let record = self.record(key);
                match invoke(&mut record.watch, index, process, act) {
                    Some(ticket) => {
                        if let Some(lost) = self.open.insert(process, Open { key, ticket, act }) {
                            self.give_up(lost.key, "a process invokes while its last operation is open");
                        }
                    }
                    None => self.give_up(key, "a function that the object does not have"),
                }
                return None;
            }
            What::Ok(found) | What::Info(found) => found,
            What::Fail => Found::Nothing,
        };
        let Open { key, ticket, act } = self.open.remove(&process)?;
        let record = self.record(key);
        let told = complete(&mut record.watch, index, ticket, what, found);
        if let (Act::Cas { old: None, .. }, What::Ok(Found::Nothing)) = (act, what) {
            self.give_up(key, "a compare-and-set does not tell what it replaced");
            return None;
        }
        told.err().map(|violation| Violation { key: self.keys[key as usize].name.to_string(), ..violation })
    }

    /// How a key stands.
    #[must_use]
    pub fn status(&self, key: &str) -> Option<Status> {
        let &id = self.ids.get(key)?;
        Some(each!(&self.keys[id as usize].watch, monitor => monitor.status()))
    }

    /// The keys that the offline check must decide, and why, in order of first use.
    pub fn inconclusive(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.keys.iter().filter_map(|key| match each!(&key.watch, monitor => monitor.status()) {
            Status::Inconclusive(reason) => Some((&*key.name, reason)),
            Status::Watching | Status::Violated => None,
        })
    }

    /// Records held at the moment, over all keys.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.keys.iter().map(|key| each!(&key.watch, monitor => monitor.retained())).sum()
    }

    /// The most records held at any time, as the sum over the keys: an upper bound. Crashed updates that nobody
    /// saw are not in it.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.keys.iter().map(|key| each!(&key.watch, monitor => monitor.peak())).sum()
    }

    fn give_up(&mut self, key: u32, reason: &'static str) {
        let watch = &mut self.keys[key as usize].watch;
        if each!(&*watch, monitor => monitor.status()) == Status::Watching {
            each!(watch, monitor => monitor.give_up(reason));
        }
    }

    fn look_for_idle(&mut self, index: u64) {
        self.events += 1;
        if self.events < EVENTS_PER_LOOK {
            return;
        }
        self.events = 0;
        let Some(id) = self.used.pop_front() else { return };
        let key = &mut self.keys[id as usize];
        if key.used == Use::Since {
            key.used = Use::Before;
            self.used.push_back(id);
            return;
        }
        each!(&mut key.watch, monitor => monitor.sweep(index));
        key.used = Use::Swept;
    }

    /// The record of a key that is used now.
    fn record(&mut self, key: u32) -> &mut Key {
        let record = &mut self.keys[key as usize];
        if record.used == Use::Swept {
            self.used.push_back(key);
        }
        record.used = Use::Since;
        record
    }
}

/// `None`: the object does not do that.
fn invoke(watch: &mut Watch, at: u64, process: i64, act: Act) -> Option<Ticket> {
    Some(match (watch, act) {
        (Watch::Register(register), Act::Read) => register.invoke(at, register::Input::Read),
        (Watch::Register(register), Act::Write(value)) => register.invoke(at, register::Input::Write(value)),
        (Watch::Register(register), Act::Cas { old, new }) => {
            register.invoke(at, register::Input::Cas { old, new })
        }
        (Watch::List(list), Act::Read) => list.invoke(at, list::Input::Read),
        (Watch::List(list), Act::Add(value)) => list.invoke(at, list::Input::Append(value)),
        (Watch::Counter(counter), Act::Read) => counter.invoke(at, counter::Input::Read),
        (Watch::Counter(counter), Act::Increment) => counter.invoke(at, counter::Input::Increment),
        (Watch::Set(set), Act::Read) => set.invoke(at, set::Input::Read),
        (Watch::Set(set), Act::Add(value)) => set.invoke(at, set::Input::Add(value)),
        (Watch::Lock(lock), Act::Acquire) => lock.invoke(at, lock::Input::Acquire(process)),
        (Watch::Lock(lock), Act::Release) => lock.invoke(at, lock::Input::Release(process)),
        (Watch::Register(_) | Watch::List(_) | Watch::Counter(_) | Watch::Set(_) | Watch::Lock(_), _) => {
            return None;
        }
    })
}

fn complete(
    watch: &mut Watch,
    at: u64,
    ticket: Ticket,
    what: What<'_>,
    found: Found<'_>,
) -> Result<(), Violation> {
    macro_rules! tell {
        ($monitor:ident, $found:expr) => {
            match what {
                What::Ok(_) | What::Invoke(_) => $monitor.ok(at, ticket, $found),
                What::Fail => $monitor.fail(at, ticket),
                What::Info(_) => $monitor.info(at, ticket, $found),
            }
        };
    }
    let value = if let Found::Value(value) = found { Some(value) } else { None };
    let elements = if let Found::Elements(elements) = found { Some(elements) } else { None };
    let count = if let Found::Count(count) = found { Some(count) } else { None };
    match watch {
        Watch::Register(monitor) => tell!(monitor, value),
        Watch::List(monitor) => tell!(monitor, elements),
        Watch::Counter(monitor) => tell!(monitor, count),
        Watch::Set(monitor) => tell!(monitor, elements),
        Watch::Lock(monitor) => tell!(monitor, ()),
    }
}

/// What an invocation asks for.
fn act(kind: Kind, op: &Op) -> Result<Act, &'static str> {
    Ok(match (kind, op.f.as_str()) {
        (Kind::Register | Kind::List | Kind::Counter | Kind::Set, "read") => Act::Read,
        (Kind::Register, "write") => Act::Write(Val::of(&op.value)),
        (Kind::Register, "cas") => {
            let [old, new] = pair(&op.value).ok_or("a compare-and-set without a value [old,new]")?;
            Act::Cas { old: (!old.is_null()).then(|| Val::of(old)), new: Val::of(new) }
        }
        (Kind::List, "append") | (Kind::Set, "add") => Act::Add(Val::of(&op.value)),
        (Kind::Counter, "increment" | "inc" | "add") if op.value.is_null() || op.value == 1 => Act::Increment,
        (Kind::Counter, "increment" | "inc" | "add") => return Err("an increment by other than one"),
        (Kind::Lock, "acquire") => Act::Acquire,
        (Kind::Lock, "release") => Act::Release,
        (Kind::Register | Kind::List | Kind::Counter | Kind::Set | Kind::Lock, _) => {
            return Err("a function that the object does not have");
        }
    })
}

/// What a completion tells.
fn found<'a>(kind: Kind, act: Act, op: &Op, elements: &'a mut Vec<Val>) -> Result<Found<'a>, &'static str> {
    if op.op_type == OpType::Fail {
        return Ok(Found::Nothing);
    }
    match (act, kind) {
        (Act::Read, _) if op.op_type != OpType::Ok => Ok(Found::Nothing),
        (Act::Read, Kind::List | Kind::Set) => {
            match &op.value {
                Value::Null => {}
                Value::Array(values) => elements.extend(values.iter().map(Val::of)),
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                    return Err("a read of elements without an array");
                }
            }
            Ok(Found::Elements(elements))
        }
        (Act::Read, Kind::Counter) if op.value.is_null() => Ok(Found::Count(0)),
        (Act::Read, Kind::Counter) => {
            op.value.as_i64().map(Found::Count).ok_or("a count that is not an integer")
        }
        (Act::Read, Kind::Register | Kind::Lock) => Ok(Found::Value(Val::of(&op.value))),
        (Act::Cas { old: expected, new }, _) => {
            let Some([old, stored]) = pair(&op.value) else { return Ok(Found::Nothing) };
            if Val::of(stored) != new {
                return Err("a compare-and-set stored something else than it was given");
            }
            // Without a clear success, null is what the client has not learnt, rather than what was there.
            let learnt = op.op_type == OpType::Ok || !old.is_null();
            Ok(if learnt && (expected.is_none() || op.op_type == OpType::Ok) {
                Found::Value(Val::of(old))
            } else {
                Found::Nothing
            })
        }
        (Act::Write(_) | Act::Add(_) | Act::Increment | Act::Acquire | Act::Release, _) => Ok(Found::Nothing),
    }
}

fn pair(value: &Value) -> Option<[&Value; 2]> {
    match value.as_array()?.as_slice() {
        [old, new] => Some([old, new]),
        _ => None,
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.class)?;
        if !self.key.is_empty() {
            write!(f, " on key {}", self.key)?;
        }
        write!(f, " at index {}: ", self.at_index)?;
        f.write_str(&self.sentence)?;
        f.write_char('.')
    }
}
