//! Brute force, one event at a time: the set of all states the object can be in, each with the open operations
//! that have taken effect in it and what they answered. Shares nothing with the monitors, knows no blocks, forgets
//! nothing, and is exponential.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash};

use crate::online::value::WordHasher;

/// An object, as simply as can be.
pub(super) trait Object {
    type State: Clone + Eq + Hash + Debug;
    type Input: Clone + Debug;
    type Output: Clone + Eq + Hash + Debug;

    fn initial() -> Self::State;

    /// It changes nothing: without an answer it says nothing.
    fn is_read(input: &Self::Input) -> bool;

    /// What the operation does to the state, and answers; `None` if it is not possible there.
    fn apply(state: &Self::State, input: &Self::Input) -> Option<(Self::State, Self::Output)>;
}

/// What happens to operation `op`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event<I, O> {
    Invoke(usize, I),
    Ok(usize, O),
    Fail(usize),
    Info(usize),
}

/// A state, and the open operations that took effect, with what they are about to answer. A crashed one
/// answers no more.
type Config<M> = (<M as Object>::State, Vec<(usize, Option<<M as Object>::Output>)>);

type Set<T> = HashSet<T, BuildHasherDefault<WordHasher>>;

/// The position of the first event at which no configuration is left.
pub(super) fn first_violation<M: Object>(events: &[Event<M::Input, M::Output>]) -> Option<usize> {
    let mut configs: Set<Config<M>> = Set::from_iter([(M::initial(), Vec::new())]);
    let mut open: Vec<(usize, M::Input)> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Invoke(op, input) => {
                open.push((*op, input.clone()));
                continue;
            }
            Event::Info(op) => {
                let read = open.iter().any(|(other, input)| other == op && M::is_read(input));
                configs = configs.into_iter().map(|config| crashed::<M>(config, *op, read)).collect();
                open.retain(|(other, _)| !read || other != op);
                continue;
            }
            Event::Ok(op, answer) => {
                configs = close::<M>(configs, &open);
                configs =
                    configs.into_iter().filter_map(|config| returned::<M>(config, *op, answer)).collect();
                open.retain(|(other, _)| other != op);
            }
            Event::Fail(op) => {
                configs.retain(|(_, done)| done.iter().all(|(other, _)| other != op));
                open.retain(|(other, _)| other != op);
            }
        }
        if configs.is_empty() {
            return Some(at);
        }
    }
    None
}

/// All that can be reached by letting open operations take effect.
fn close<M: Object>(configs: Set<Config<M>>, open: &[(usize, M::Input)]) -> Set<Config<M>> {
    let mut work: Vec<Config<M>> = configs.iter().cloned().collect();
    let mut all = configs;
    while let Some((state, done)) = work.pop() {
        for (op, input) in open {
            if done.iter().any(|(other, _)| other == op) {
                continue;
            }
            let Some((next, answer)) = M::apply(&state, input) else { continue };
            let mut done = done.clone();
            let place = done.partition_point(|(other, _)| other < op);
            done.insert(place, (*op, Some(answer)));
            if all.insert((next.clone(), done.clone())) {
                work.push((next, done));
            }
        }
    }
    all
}

/// The configuration after `op` returned, if it had taken effect and answered so.
fn returned<M: Object>((state, mut done): Config<M>, op: usize, answer: &M::Output) -> Option<Config<M>> {
    let place = done.iter().position(|(other, given)| *other == op && given.as_ref() == Some(answer))?;
    done.remove(place);
    Some((state, done))
}

/// It will answer no more. A read need not be remembered.
fn crashed<M: Object>((state, mut done): Config<M>, op: usize, read: bool) -> Config<M> {
    done.retain(|(other, _)| !read || *other != op);
    done.iter_mut().filter(|(other, _)| *other == op).for_each(|(_, answer)| *answer = None);
    (state, done)
}

/// Tries every order of the operations of a whole history: the frontier is checked against this.
pub(super) fn any_order<M: Object>(events: &[Event<M::Input, M::Output>]) -> bool {
    struct Op<I, O> {
        call: usize,
        ret: Option<usize>,
        input: I,
        answer: Option<O>,
    }
    let mut ops: Vec<Op<M::Input, M::Output>> = Vec::new();
    let mut ids: Vec<usize> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let find = |ids: &[usize], op: &usize| ids.iter().position(|other| other == op).unwrap();
        match event {
            Event::Invoke(op, input) => {
                ids.push(*op);
                ops.push(Op { call: at, ret: None, input: input.clone(), answer: None });
            }
            Event::Ok(op, answer) => {
                let op = &mut ops[find(&ids, op)];
                (op.ret, op.answer) = (Some(at), Some(answer.clone()));
            }
            Event::Fail(op) => {
                let place = find(&ids, op);
                ids.remove(place);
                ops.remove(place);
            }
            Event::Info(_) => {}
        }
    }
    fn go<M: Object>(ops: &[Op<M::Input, M::Output>], done: u32, state: &M::State) -> bool {
        let left = || (0..ops.len()).filter(|&id| done & (1 << id) == 0);
        left().all(|id| ops[id].ret.is_none())
            || left().any(|id| {
                let late = left().any(|other| ops[other].ret.is_some_and(|ret| ret < ops[id].call));
                !late
                    && M::apply(state, &ops[id].input).is_some_and(|(next, answer)| {
                        ops[id].answer.as_ref().is_none_or(|told| *told == answer)
                            && go::<M>(ops, done | 1 << id, &next)
                    })
            })
    }
    go::<M>(&ops, 0, &M::initial())
}
