//! The verifier's own idea of each object: what its operations do, and what they observed.
//!
//! Written apart from [`crate::history`]'s other readers on purpose: two accounts of what a `cas` means that
//! agree on every history are better than one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::Position;
use crate::certificate::{Refusal, Rule};
use crate::history::{Call, History, Outcome, Shape, Val};

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    Register,
    Kv,
    Counter,
    List,
    Set,
    Queue,
    Lock,
}

impl Model {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "register" | "cas-register" => Self::Register,
            "kv" => Self::Kv,
            "counter" => Self::Counter,
            "list" => Self::List,
            "set" | "element-set" => Self::Set,
            "queue" => Self::Queue,
            "lock" => Self::Lock,
            _ => return None,
        })
    }

    /// The operations of a history by key, and by the `index` of their invocation. Those that failed did
    /// nothing and say nothing: they are not among them.
    pub(super) fn operations(self, history: &History) -> Result<Keys<'_>, Refusal> {
        let mut keys = Keys::new();
        // A sync changes nothing and observes nothing.
        for call in history.ids().map(|id| history.call(id)).filter(|call| call.f() != "sync") {
            let (key, index) = (call.key().unwrap_or_default(), call.index_invoke());
            let refusal = |rule| Refusal::of(key, (Some(index), rule));
            let ops: &mut BTreeMap<u64, Op<'_>> = keys.entry(key).or_default();
            if call.outcome() == Outcome::Fail {
                continue;
            }
            let op = Op::of(self, call).ok_or_else(|| refusal(Rule::Shape))?;
            if ops.insert(index, op).is_some() {
                return Err(refusal(Rule::Ambiguous));
            }
        }
        Ok(keys)
    }
}

/// Operations by key, and by the `index` of their invocation.
pub(super) type Keys<'a> = BTreeMap<&'a str, BTreeMap<u64, Op<'a>>>;

/// An operation on one key.
#[derive(Debug, Clone)]
pub(super) struct Op<'a> {
    /// `index` of the invocation.
    pub(super) index: u64,
    pub(super) process: i64,
    pub(super) call: Position,
    /// [`NEVER`](crate::NEVER): it may take effect at any time after `call`, or never.
    pub(super) ret: Position,
    pub(super) action: Action<'a>,
}

/// What an operation does to its object, and what it observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action<'a> {
    /// Says nothing: an observation without an answer.
    Nothing,
    /// Register: found the value.
    Read(Val),
    /// Register: found another value than this.
    NotEqual(Val),
    /// Register: found another value than this, or one that updates which are not told had put there.
    Disturbed(Val),
    /// Register: stored the value.
    Write(Val),
    /// Register: found the first value and stored the second.
    Cas(Val, Val),
    /// String: found the text.
    Get(&'a str),
    /// String: stored the text.
    Put(&'a str),
    /// String: added the text at its end.
    Append(&'a str),
    /// Counter: found the number.
    Count(i64),
    /// Counter: added the number.
    Add(i64),
    /// List: found these elements.
    Items(Vec<Val>),
    /// List: added an element at its end.
    Push(Val),
    /// Set: found these elements.
    Members(BTreeSet<Val>),
    /// Set: found that the element is in it, or that it is not.
    Contains(Val, bool),
    /// Set: put the element in, no matter whether it was.
    Insert(Val),
    /// Set: took the element out, no matter whether it was in.
    Remove(Val),
    /// Queue: added an element at its end.
    Enqueue(Val),
    /// Queue: took its first element, which was this.
    Take(Val),
    /// Queue: took its first element, if there was one.
    TakeAny,
    /// Queue: found nothing in it.
    Empty,
    /// Lock: took it, which was free.
    Acquire,
    /// Lock: gave it back, which was held.
    Release,
    /// Lock: found it held.
    Held,
    /// Lock: found it free.
    Free,
}

use Action::{
    Acquire, Add, Append, Cas, Contains, Count, Disturbed, Empty, Enqueue, Free, Get, Held, Insert, Items,
    Members, NotEqual, Nothing, Push, Put, Read, Release, Remove, Take, TakeAny, Write,
};

/// The state of an object, whatever its model: its operations touch one part, the others stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// Of a register; `None`: equal to nothing that an operation looks for.
    value: Option<Val>,
    /// Of a string.
    text: String,
    /// Of a counter.
    count: i128,
    /// Of a list or queue.
    items: VecDeque<Val>,
    /// Of a set.
    members: BTreeSet<Val>,
    /// Of a lock.
    held: bool,
}

impl State {
    pub(super) fn initial() -> Self {
        Self {
            value: Some(Val::NIL),
            text: String::new(),
            count: 0,
            items: VecDeque::new(),
            members: BTreeSet::new(),
            held: false,
        }
    }

    /// Lets an operation take effect. False: it cannot have observed this state, which is then spoilt.
    pub(super) fn step(&mut self, action: &Action<'_>) -> bool {
        let explained = match action {
            Read(value) => self.value == Some(*value),
            NotEqual(value) => self.value != Some(*value),
            Cas(old, _) => self.value == Some(*old),
            Get(text) => self.text == *text,
            Count(count) => self.count == i128::from(*count),
            Items(items) => self.items == *items,
            Members(members) => self.members == *members,
            Contains(element, found) => self.members.contains(element) == *found,
            Take(element) => self.items.front() == Some(element),
            Empty => self.items.is_empty(),
            Acquire | Free => !self.held,
            Release | Held => self.held,
            Nothing | Disturbed(_) | Write(_) | Put(_) | Append(_) | Add(_) | Push(_) | Insert(_)
            | Remove(_) | Enqueue(_) | TakeAny => true,
        };
        match action {
            Write(new) | Cas(_, new) => self.value = Some(*new),
            Disturbed(value) => self.value = self.value.filter(|now| now != value),
            Put(text) => (*text).clone_into(&mut self.text),
            Append(text) => self.text.push_str(text),
            Add(number) => self.count += i128::from(*number),
            Push(element) | Enqueue(element) => self.items.push_back(*element),
            Insert(element) => drop(self.members.insert(*element)),
            Remove(element) => drop(self.members.remove(element)),
            Take(_) | TakeAny => drop(self.items.pop_front()),
            Acquire => self.held = true,
            Release => self.held = false,
            Nothing | Read(_) | NotEqual(_) | Get(_) | Count(_) | Items(_) | Members(_) | Contains(..)
            | Empty | Held | Free => {}
        }
        explained
    }
}

impl Action<'_> {
    /// It may change the object.
    pub(super) fn updates(&self) -> bool {
        self.is_blind() || matches!(self, Cas(..) | Take(_) | Acquire | Release)
    }

    /// It changes the object whatever its state: it has a place in every order.
    pub(super) fn is_blind(&self) -> bool {
        let stores = matches!(self, Write(_) | Put(_) | Append(_) | Add(_));
        stores || matches!(self, Push(_) | Insert(_) | Remove(_) | Enqueue(_) | TakeAny)
    }

    /// The value it found in a register.
    pub(super) fn found(&self) -> Option<Val> {
        if let Read(value) | Cas(value, _) = self { Some(*value) } else { None }
    }

    /// The value it stored in a register.
    pub(super) fn stored(&self) -> Option<Val> {
        if let Write(value) | Cas(_, value) = self { Some(*value) } else { None }
    }

    /// The one element of a list, set or queue that it is about.
    pub(super) fn element(&self) -> Option<Val> {
        match self {
            Push(x) | Insert(x) | Remove(x) | Contains(x, _) | Enqueue(x) | Take(x) => Some(*x),
            Nothing | Read(_) | NotEqual(_) | Disturbed(_) | Write(_) | Cas(..) | Get(_) | Put(_)
            | Append(_) | Count(_) | Add(_) | Items(_) | Members(_) | TakeAny | Empty | Acquire | Release
            | Held | Free => None,
        }
    }
}

impl<'a> Op<'a> {
    /// What a call is to a model; `None` if it is no operation of it.
    pub(super) fn of(model: Model, call: Call<'a>) -> Option<Self> {
        let action = match call.outcome() {
            Outcome::Ok => completed(model, call),
            Outcome::Info => pending(model, call),
            Outcome::Mismatch => refused(model, call),
            Outcome::Fail => None,
        }?;
        let (process, index) = (call.process(), call.index_invoke());
        Some(Self { index, process, call: call.call(), ret: call.ret(), action })
    }
}

fn completed<'a>(model: Model, call: Call<'a>) -> Option<Action<'a>> {
    let values = &call.history().values;
    let output = call.output().unwrap_or(Val::NIL);
    let items = |value| match values.shape(value) {
        Shape::Nil => Some(Vec::new()),
        Shape::List(items) => Some(items.to_vec()),
        Shape::Int(_) | Shape::Bool(_) | Shape::Text(_) | Shape::Pair(..) | Shape::Other(_) => None,
    };
    Some(match (model, call.f()) {
        (Model::Register, "read") => Read(output),
        (Model::Register, "cas") => {
            let (old, new) = cas(call)?;
            // A value that replaces itself changes nothing, and nobody can have it from there.
            if old == new { Read(old) } else { Cas(old, new) }
        }
        (Model::Kv, "get" | "read") if output.is_nil() => Get(""),
        (Model::Kv, "get" | "read") => Get(text(call, output)?),
        (Model::Counter, "read" | "get") => Count(number(call, output, 0)?),
        (Model::List, "read") => Items(items(output)?),
        (Model::Set, "read") => Members(items(output)?.into_iter().collect()),
        (Model::Set, "contains") => {
            let (element, found) = values.as_pair(output).unwrap_or((call.input(), output));
            let Shape::Bool(found) = values.shape(found) else { return None };
            Contains(element, found)
        }
        (Model::Queue, "deq" | "dequeue") if output.is_nil() => Empty,
        (Model::Queue, "deq" | "dequeue") => Take(output),
        _ => update(model, call)?,
    })
}

fn pending<'a>(model: Model, call: Call<'a>) -> Option<Action<'a>> {
    Some(match (model, call.f()) {
        (Model::Register | Model::Counter | Model::List | Model::Set, "read") => Nothing,
        (Model::Kv, "get" | "read") | (Model::Counter, "get") | (Model::Set, "contains") => Nothing,
        (Model::Queue, "deq" | "dequeue") => TakeAny,
        (Model::Register, "cas") => {
            let (old, new) = cas(call)?;
            // Where it learns the old value on the way, null tells that nobody knows which it was.
            match old.is_nil() && !call.history().explicit_cas {
                true => Write(new),
                false if old == new => Read(old),
                false => Cas(old, new),
            }
        }
        _ => update(model, call)?,
    })
}

fn refused<'a>(model: Model, call: Call<'a>) -> Option<Action<'a>> {
    Some(match (model, call.f()) {
        (Model::Register, "cas") => NotEqual(cas(call)?.0),
        (Model::Lock, "acq" | "acquire" | "lock") => Held,
        (Model::Lock, "rel" | "release" | "unlock") => Free,
        _ => return None,
    })
}

/// Those that mean the same whether they completed or not.
fn update<'a>(model: Model, call: Call<'a>) -> Option<Action<'a>> {
    let input = call.input();
    Some(match (model, call.f()) {
        (Model::Register, "write") => Write(input),
        (Model::Kv, "put" | "write") => Put(text(call, input)?),
        (Model::Kv, "append") => Append(text(call, input)?),
        (Model::Counter, "inc" | "increment" | "add") => Add(number(call, input, 1)?),
        (Model::List, "append") => Push(input),
        (Model::Set, "add") => Insert(input),
        (Model::Set, "remove") => Remove(input),
        // Taking nothing is how an empty queue answers.
        (Model::Queue, "enq" | "enqueue") if !input.is_nil() => Enqueue(input),
        (Model::Lock, "acq" | "acquire" | "lock") => Acquire,
        (Model::Lock, "rel" | "release" | "unlock") => Release,
        _ => return None,
    })
}

/// Old and new value: as the completion tells them, if it does.
fn cas(call: Call<'_>) -> Option<(Val, Val)> {
    let values = &call.history().values;
    let told = call.output().and_then(|output| values.as_pair(output));
    told.or_else(|| values.as_pair(call.input()))
}

fn text<'a>(call: Call<'a>, value: Val) -> Option<&'a str> {
    match call.history().values.shape(value) {
        Shape::Text(text) => Some(text),
        Shape::Nil | Shape::Int(_) | Shape::Bool(_) | Shape::List(_) | Shape::Pair(..) | Shape::Other(_) => {
            None
        }
    }
}

fn number(call: Call<'_>, value: Val, absent: i64) -> Option<i64> {
    match call.history().values.shape(value) {
        Shape::Nil => Some(absent),
        Shape::Int(number) => Some(number),
        Shape::Bool(_) | Shape::Text(_) | Shape::List(_) | Shape::Pair(..) | Shape::Other(_) => None,
    }
}
