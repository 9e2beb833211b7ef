//! From a fault to the few operations that cannot all be true, and a sentence that proves it.

mod pair;
mod sentence;

use std::collections::HashSet;

use crate::blocks::Zone;
use crate::counterexample::Class;
use crate::model::RegAction;
use crate::monitors::register::Fault;
use crate::monitors::register::chains::follow;
use crate::monitors::register::collect::{NONE, Values};
use crate::{Conflict, Position};

use sentence::{Sentence, called, op, returned, text, value};

/// Puts a fault in words.
pub(super) fn explain(values: &Values<'_>, fault: &Fault) -> Conflict {
    let case = Case { values };
    let (class, ops, sentence) = match *fault {
        Fault::Unwritten(block) => case.unwritten(block),
        Fault::Twice(first, second) => case.twice(first, second),
        Fault::Within(root) => case.within(root),
        Fault::Circle(block) => case.circle(block),
        Fault::Between(a, b) => pair::between(&case, a, b),
        Fault::Inside(refused) => case.inside(refused),
        Fault::Absent(refused) => case.absent(refused),
    };
    Conflict { class, ops: case.closed(ops), sentence: sentence.0 }
}

/// Class, operations (to be closed), sentence.
type Explained = (Class, Vec<u32>, Sentence);

struct Case<'a> {
    values: &'a Values<'a>,
}

/// An operation, or the initial state, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    at: Position,
    op: Option<u32>,
}

/// A block in a chain, with the operations that make its extremes.
#[derive(Debug, Clone, Copy)]
struct Member {
    block: u32,
    first_return: Event,
    last_call: Event,
}

impl Member {
    fn zone(&self) -> Zone {
        Zone { first_return: self.first_return.at, last_call: self.last_call.at }
    }
}

impl Case<'_> {
    fn value_of(&self, block: u32) -> u32 {
        let source = self.values.blocks[block as usize].source_op();
        source.and_then(|id| self.values.ops[id as usize].action.stores()).unwrap_or(block)
    }

    fn source(&self, block: u32) -> Option<u32> {
        self.values.blocks[block as usize].source_op()
    }

    fn returned(&self, id: u32) -> bool {
        self.values.ops[id as usize].returned()
    }

    /// Which value a read found, as a block; also of a refused compare-and-set.
    fn read(&self, id: u32) -> Option<u32> {
        match self.values.ops[id as usize].action {
            RegAction::Read(value) => Some(value),
            RegAction::Cas(old, new) if old == new => Some(old),
            RegAction::NotEqual(_) | RegAction::Write(_) | RegAction::Cas(..) => None,
        }
    }

    /// Returned reads, with the values they found.
    fn reads(&self) -> impl Iterator<Item = (u32, u32)> {
        let ids = (0..).zip(self.values.ops).filter(|(_, op)| op.returned()).map(|(id, _)| id);
        ids.filter_map(|id| self.read(id).map(|value| (id, value)))
    }

    /// The chain from `root` on.
    fn members(&self, root: u32) -> Vec<Member> {
        let mut place = vec![NONE; self.values.blocks.len()];
        let mut members: Vec<Member> = Vec::new();
        for (at, block) in (0..).zip(follow(self.values, root)) {
            place[block as usize] = at;
            let source = &self.values.blocks[block as usize];
            let event = |at| Event { at, op: source.source_op() };
            members.push(Member { block, first_return: event(source.ret), last_call: event(source.call) });
        }
        for (id, value) in self.reads() {
            let Some(member) = members.get_mut(place[value as usize] as usize) else { continue };
            let read = &self.values.ops[id as usize];
            if read.ret < member.first_return.at {
                member.first_return = Event { at: read.ret, op: Some(id) };
            }
            if read.call > member.last_call.at {
                member.last_call = Event { at: read.call, op: Some(id) };
            }
        }
        members
    }

    /// The sources of these blocks.
    fn sources<'b>(&self, members: &'b [Member]) -> impl Iterator<Item = u32> + 'b
    where
        Self: 'b,
    {
        let values = self.values;
        members.iter().filter_map(|member| values.blocks[member.block as usize].source_op())
    }

    /// `ops` by call, with the source of each value that was read, and for each update without return
    /// someone who found its value.
    fn closed(&self, ops: Vec<u32>) -> Vec<u32> {
        let mut closed = Vec::new();
        let mut known = HashSet::new();
        let mut work = ops;
        while let Some(id) = work.pop() {
            if !known.insert(id) {
                continue;
            }
            closed.push(id);
            if let RegAction::NotEqual(value) = self.values.ops[id as usize].action {
                work.extend(self.source(value));
            }
            work.extend(self.read(id).and_then(|value| self.source(value)));
            if !self.returned(id) {
                let value = self.values.ops[id as usize].action.stores();
                let found = |&other: &u32| self.values.ops[other as usize].action.finds() == value;
                if !closed.iter().chain(&work).any(found) {
                    work.extend(value.and_then(|value| self.finder(value)));
                }
            }
        }
        closed.sort_unstable();
        closed
    }

    /// The operation that found this value and returned first, or else one without return that happened.
    fn finder(&self, value: u32) -> Option<u32> {
        let happened = |id: u32| match self.values.ops[id as usize].action {
            RegAction::Cas(_, new) => {
                let block = &self.values.blocks[new as usize];
                block.linked && block.source == id
            }
            RegAction::Read(_) | RegAction::NotEqual(_) | RegAction::Write(_) => false,
        };
        let finders = (0..).zip(self.values.ops).filter(|(_, op)| op.action.finds() == Some(value));
        let finders = finders.filter(|&(id, op)| op.returned() || happened(id));
        finders.min_by_key(|(_, op)| op.ret).map(|(id, _)| id)
    }

    /// A value was found that nobody wrote.
    fn unwritten(&self, block: u32) -> Explained {
        let finder = self.finder(block).expect("somebody found it");
        let sentence = Sentence(vec![
            op(finder),
            text(" found "),
            value(block),
            text(", which nobody wrote (writes that failed do not count)"),
        ]);
        (Class::PhantomRead, vec![finder], sentence)
    }

    /// A value was replaced twice, though it was there once.
    fn twice(&self, first: u32, second: u32) -> Explained {
        let old = self.values.replaces(second).expect("a compare-and-set replaced it");
        let [first, second] =
            [first, second].map(|block| self.source(block).expect("a compare-and-set replaced it"));
        let sentence = Sentence(vec![
            op(first),
            text(" and "),
            op(second),
            text(" both replaced "),
            value(self.value_of(old)),
            text(", which was there only once: one of the two updates is lost"),
        ]);
        let ops = [first, second].into_iter().chain(self.source(old)).collect();
        (Class::LostUpdate, ops, sentence)
    }

    /// Something in a chain returned before something ahead of it was called.
    fn within(&self, root: u32) -> Explained {
        let members = self.members(root);
        let (late, seen) = self.contradiction(&members).expect("the chain contradicts itself");
        let between = &members[late + 1..=seen];
        let late_op =
            if late == seen { self.source(members[late].block) } else { members[late].last_call.op };
        let late_op = late_op.expect("only an operation is called");
        let called_at = self.values.ops[late_op as usize].call;
        let seen_event = self.sooner(&members[seen], called_at).unwrap_or(members[seen].first_return);
        let seen_op = seen_event.op.expect("the initial value comes first");
        let [old, new] = [late, seen].map(|at| value(self.value_of(members[at].block)));
        let mut sentence = Sentence(Vec::new());
        let class = if self.read(late_op).is_none() {
            // The late one is a source: what came of it was there before it.
            sentence.extend([returned(seen_op), text(" before "), called(late_op)]);
            if late == seen {
                sentence.extend([text(", the only operation that wrote "), new]);
            } else {
                sentence.extend([text("; yet "), new, text(" came of "), old, text(": ")]);
                sentence.replacements(self.replacements(between));
            }
            Class::PhantomRead
        } else {
            sentence.replacements(self.replacements(between));
            sentence.extend([text(", and "), returned(seen_op), text(" before "), called(late_op)]);
            sentence.extend([text("; yet that read returned "), old]);
            self.lateness(seen_op, members[seen].block)
        };
        let ops = self.sources(&members[late..=seen]).chain([late_op, seen_op]).collect();
        (class, ops, sentence)
    }

    /// The first block of a chain that contradicts itself or one ahead of it, and the nearest such one ahead.
    fn contradiction(&self, members: &[Member]) -> Option<(usize, usize)> {
        let mut ahead = Zone::EMPTY;
        for (seen, member) in members.iter().enumerate() {
            if member.zone().must_precede(ahead) {
                let late = members[..seen].iter().rposition(|other| member.zone().must_precede(other.zone()));
                return late.map(|late| (late, seen));
            }
            let block = &self.values.blocks[member.block as usize];
            if block.reads.must_precede(block.source_zone()) {
                return Some((seen, seen));
            }
            ahead = ahead.join(member.zone());
        }
        None
    }

    /// The compare-and-sets behind these blocks, and what they replaced.
    fn replacements<'b>(&'b self, members: &'b [Member]) -> impl Iterator<Item = (u32, u32)> + 'b {
        members.iter().filter_map(|member| {
            let old = self.values.replaces(member.block)?;
            Some((self.source(member.block)?, old))
        })
    }

    /// The source of a block, if it returned before `at`: it tells more than a read does.
    fn sooner(&self, member: &Member, at: Position) -> Option<Event> {
        let block = &self.values.blocks[member.block as usize];
        (block.ret < at).then_some(Event { at: block.ret, op: block.source_op() })
    }

    /// The class of an old value found after `seen`, an operation of the new one's block, had returned.
    fn lateness(&self, seen: u32, new: u32) -> Class {
        match (self.read(seen).is_some(), self.values.blocks[new as usize].found) {
            (true, _) => Class::OrderInversion,
            (false, true) => Class::StaleRead,
            (false, false) => Class::LostUpdate,
        }
    }

    /// Compare-and-sets that replaced each other's values in a circle.
    fn circle(&self, block: u32) -> Explained {
        let mut ops = Vec::new();
        let mut at = block;
        while ops.first() != self.source(at).as_ref() {
            ops.extend(self.source(at));
            at = self.values.blocks[at as usize].next;
        }
        let mut sentence = Sentence(Vec::new());
        let old = |&id: &u32| self.values.ops[id as usize].action.finds().map(|old| (id, old));
        sentence.replacements(ops.iter().filter_map(old));
        sentence.extend([text(": a circle, of which none can have been the first")]);
        if !ops.iter().any(|&id| self.returned(id)) {
            // That these happened is known from somebody who read one of their values.
            let read = |&(_, value): &(u32, u32)| {
                ops.iter().any(|&id| self.values.ops[id as usize].action.stores() == Some(value))
            };
            let reader = self.reads().find(read);
            ops.extend(reader.map(|(id, _)| id));
        }
        (Class::PhantomRead, ops, sentence)
    }

    /// A value found absent that was there from before the call until after the return.
    fn inside(&self, refused: u32) -> Explained {
        let refusal = &self.values.ops[refused as usize];
        let RegAction::NotEqual(absent) = refusal.action else { unreachable!("only refusals are refused") };
        let block = self.values.blocks[absent as usize];
        let members = self.members(absent);
        let here = members[0];
        let first = self.sooner(&here, refusal.call).unwrap_or(here.first_return);
        // Until it was read for the last time, or until what replaced it was called.
        let replaced = Some(block.next).filter(|&next| next != NONE).and_then(|next| self.source(next));
        let last = match replaced.map(|id| (id, self.values.ops[id as usize].call)) {
            Some((id, call)) if call > here.last_call.at => Some(id),
            Some(_) | None => here.last_call.op,
        }
        .expect("the value was there until something was called");
        let mut sentence = Sentence(Vec::new());
        match first.op {
            Some(first) => sentence.extend([returned(first), text(" before "), called(refused)]),
            None => sentence.extend([value(absent), text(" was there from the beginning")]),
        }
        sentence.extend([text(", and "), returned(refused), text(" before "), called(last)]);
        sentence.extend([text(": "), value(absent), text(" was there all the time, yet "), op(refused)]);
        sentence.extend([text(" did not find it")]);
        let ops = [refused, last].into_iter().chain(first.op).chain(self.source(absent)).collect();
        (Class::WrongRefusal, ops, sentence)
    }

    /// A value found absent although nothing can have replaced it by then.
    fn absent(&self, refused: u32) -> Explained {
        let refusal = &self.values.ops[refused as usize];
        let RegAction::NotEqual(absent) = refusal.action else { unreachable!("only refusals are refused") };
        let here = self.members(absent)[0];
        let first = self.sooner(&here, refusal.call).unwrap_or(here.first_return);
        let mut sentence = Sentence(Vec::new());
        match first.op {
            Some(first) => sentence.extend([returned(first), text(" before "), called(refused)]),
            None => sentence.extend([value(absent), text(" was there from the beginning")]),
        }
        sentence.extend([text(", and every other update either came before "), value(absent)]);
        sentence.extend([text(" or was called only after "), returned(refused)]);
        sentence.extend([text("; yet "), op(refused), text(" did not find it")]);
        let ops = [refused].into_iter().chain(first.op).chain(self.source(absent)).collect();
        (Class::WrongRefusal, ops, sentence)
    }
}
