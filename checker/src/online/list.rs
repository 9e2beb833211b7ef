//! The append list, watched while it runs: appends of unique elements, reads of the whole list.
//!
//! **One chain.** What reads return must all be prefixes of the longest, so the order of the elements that were
//! read is known, and every operation on them has its step: append i is step 2i - 1, a read of length
//! i is step 2i. The order of operations is that of steps (within a step, any: the reads of one length), so it exists
//! iff none returned before one of an earlier step was called (the block lemma's inner condition). For an
//! operation that returns, that is: its step is no lower than the highest that had been reached before its
//! call (`Floor`).
//!
//! **Appends whose place is not known yet.** An acknowledged one comes after everything that was read. So it must be in
//! every read that is called after it returned, and must not have returned before an element was called
//! that a read shows without it. When a read shows it at last, the floor is told in retrospect: by then no read
//! that was called after it has returned, and the elements shown along with it are compared among themselves.
//! An append that did not return counts only once it was read; it took effect before that read returned.
//!
//! **Forgetting.** Of the floor, what lies before the oldest open operation is one number. Kept: the elements of
//! the list (8 bytes each; a read carries them all anyway), what has been acknowledged and not read, and
//! crashed appends that nobody read: their values alone, once everything that was called before them and
//! acknowledged has been read.
//!
//! An element may be appended again only after the first was read; else the monitor gives up.

use std::collections::BTreeMap;

use crate::Class;
use crate::online::crashed::CrashedValues;
use crate::online::floor::Floor;
use crate::online::monitor::{Halt, Monitor, Watched};
use crate::online::open::Open;
use crate::online::recent::Recent;
use crate::online::value::{Val, WordMap};
use crate::online::{Place, Ticket, Violation, name};

/// The monitor of one list.
pub type List = Monitor<Held>;

/// What is invoked on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Returns all elements in their order.
    Read,
    /// Adds an element at the end.
    Append(Val),
}

/// What is held of a list.
#[derive(Debug, Clone, Default)]
pub struct Held {
    open: Open<Pending>,
    /// Elements that were read, in their order.
    order: Vec<Val>,
    floor: Floor<usize>,
    /// Elements that were not read.
    unread: WordMap<Val, Unread>,
    /// Those of them that were acknowledged: return → element and call.
    acknowledged: BTreeMap<Place, (Val, Place)>,
    crashed: CrashedValues,
    failed: Recent<Val, Place>,
}

#[derive(Debug, Clone, Copy)]
enum Pending {
    Read,
    /// `read_by`: the call of the read that showed it first.
    Append {
        value: Val,
        read_by: Option<Place>,
    },
}

#[derive(Debug, Clone, Copy)]
enum Unread {
    /// Open, or crashed not long ago.
    Open(Ticket),
    /// Acknowledged by the return at this place.
    Acknowledged(Place),
}

/// An element that a read shows for the first time.
#[derive(Debug, Clone, Copy)]
struct Shown {
    call: Place,
    ret: Option<Place>,
}

impl Watched for Held {
    type Input = Input;
    /// The elements that a read returned.
    type Found<'a> = Option<&'a [Val]>;

    fn invoke(&mut self, at: Place, input: Input) -> Result<Ticket, Halt> {
        let Input::Append(value) = input else { return Ok(self.open.insert(at, Pending::Read)) };
        if self.unread.contains_key(&value) || self.crashed.contains(value) {
            return Err(Halt::Unclear("an element is appended twice"));
        }
        let ticket = self.open.insert(at, Pending::Append { value, read_by: None });
        self.unread.insert(value, Unread::Open(ticket));
        Ok(ticket)
    }

    fn ok(&mut self, at: Place, ticket: Ticket, found: Option<&[Val]>) -> Result<(), Halt> {
        let (call, pending) = (self.open.call(ticket), *self.open.get(ticket));
        match pending {
            Pending::Read => {
                self.read(call, at, found.unwrap_or(&[]))?;
                self.open.remove(ticket);
            }
            Pending::Append { value, read_by } => {
                self.open.remove(ticket);
                if read_by.is_none() {
                    self.unread.insert(value, Unread::Acknowledged(at));
                    self.acknowledged.insert(at, (value, call));
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, at: Place, ticket: Ticket) -> Result<(), Halt> {
        let (call, Pending::Append { value, read_by }) = self.open.remove(ticket) else { return Ok(()) };
        if let Some(reader) = read_by {
            let why =
                format!("{} appended {value} and certainly failed, yet {} read it", name(call), name(reader));
            return Err(Violation::new(Class::DirtyRead, at, [call, reader], why).into());
        }
        self.unread.remove(&value);
        self.failed.put(value, call);
        Ok(())
    }

    fn info(&mut self, _: Place, ticket: Ticket, _: Option<&[Val]>) -> Result<(), Halt> {
        match self.open.get(ticket) {
            Pending::Append { read_by: None, .. } => self.open.crash(ticket),
            Pending::Append { .. } | Pending::Read => {
                self.open.remove(ticket);
            }
        }
        Ok(())
    }

    fn sweep(&mut self, now: Place) {
        let oldest = self.open.oldest(now);
        self.floor.forget(oldest);
        let settled = self.acknowledged.first_key_value().map_or(oldest, |(&ret, _)| ret.min(oldest));
        let Self { open, unread, crashed, .. } = self;
        open.take_crashed(settled, |pending| {
            if let Pending::Append { value, .. } = pending {
                unread.remove(&value);
                crashed.insert(value);
            }
        });
    }

    fn shrink(&mut self) {
        self.open.shrink();
        self.floor.shrink();
        self.unread.shrink_to_fit();
        self.failed = Recent::default();
    }

    fn passing(&self) -> usize {
        self.open.len() + self.floor.len() + self.acknowledged.len()
    }

    fn lasting(&self) -> usize {
        self.order.len() + self.crashed.len()
    }
}

impl Held {
    fn read(&mut self, call: Place, ret: Place, list: &[Val]) -> Result<(), Halt> {
        let known = self.order.len().min(list.len());
        if let Some(at) = (0..known).find(|&at| self.order[at] != list[at]) {
            return Err(self.diverges(call, ret, list, at).into());
        }
        if let Some(floor) = self.floor.below(call).filter(|floor| floor.step > 2 * list.len()) {
            let why = format!(
                "{} read {} elements, but {} had shown that there were {} before it was called",
                name(call),
                list.len(),
                name(floor.call),
                floor.step.div_ceil(2)
            );
            return Err(Violation::new(Class::StaleRead, ret, [floor.call, call], why).into());
        }
        let mut shown = Vec::new();
        for at in known..list.len() {
            shown.push(self.show(call, ret, list, at)?);
        }
        self.compare(call, ret, &shown)?;
        for (step, one) in (2 * known + 1..).step_by(2).zip(&shown) {
            if let Some(returned) = one.ret {
                self.floor.raise(returned, step, one.call);
            }
        }
        self.floor.raise(ret, 2 * list.len(), call);
        Ok(())
    }

    /// An element beyond those known becomes known.
    fn show(&mut self, call: Place, ret: Place, list: &[Val], at: usize) -> Result<Shown, Halt> {
        let value = list[at];
        self.order.push(value);
        match self.unread.remove(&value) {
            Some(Unread::Acknowledged(returned)) => {
                let (_, call) =
                    self.acknowledged.remove(&returned).expect("both say that it was acknowledged");
                Ok(Shown { call, ret: Some(returned) })
            }
            Some(Unread::Open(ticket)) => {
                let shown = Shown { call: self.open.call(ticket), ret: None };
                if self.open.is_crashed(ticket) {
                    self.open.remove(ticket);
                } else {
                    *self.open.get_mut(ticket) = Pending::Append { value, read_by: Some(call) };
                }
                Ok(shown)
            }
            // Called before everything that is open, and before all that was acknowledged and not read.
            None if self.crashed.remove(value) => Ok(Shown { call: 0, ret: None }),
            None if self.crashed.incomplete() => {
                Err(Halt::Unclear("more crashed appends than can be remembered"))
            }
            None => Err(self.unknown(call, ret, list, at).into()),
        }
    }

    /// What is shown now against each other and against what was acknowledged and is still not shown: none may
    /// have returned before one ahead of it was called.
    fn compare(&self, call: Place, ret: Place, shown: &[Shown]) -> Result<(), Halt> {
        let mut earliest = self.acknowledged.first_key_value().map(|(&ret, &(_, call))| (ret, call));
        if let Some((_, missing)) = earliest.filter(|&(returned, _)| returned < call) {
            let why = format!(
                "{} was acknowledged before {} was called, which does not show it",
                name(missing),
                name(call)
            );
            return Err(Violation::new(Class::LostUpdate, ret, [missing, call], why).into());
        }
        for one in shown.iter().rev() {
            if let Some((_, behind)) = earliest.filter(|&(returned, _)| returned < one.call) {
                let why = format!(
                    "{} was acknowledged before {} was called, yet {} shows the latter without or ahead of the former",
                    name(behind),
                    name(one.call),
                    name(call)
                );
                return Err(Violation::new(Class::OrderInversion, ret, [behind, one.call, call], why).into());
            }
            if let Some(returned) = one.ret
                && earliest.is_none_or(|(other, _)| returned < other)
            {
                earliest = Some((returned, one.call));
            }
        }
        Ok(())
    }

    fn diverges(&self, call: Place, ret: Place, list: &[Val], at: usize) -> Violation {
        if !self.order.contains(&list[at])
            && !self.unread.contains_key(&list[at])
            && !self.crashed.contains(list[at])
        {
            return self.unknown(call, ret, list, at);
        }
        let class = if list.contains(&self.order[at]) { Class::OrderInversion } else { Class::LostUpdate };
        let why = format!(
            "{} read {} at place {at}, where others had read {}",
            name(call),
            list[at],
            self.order[at]
        );
        Violation::new(class, ret, [call], why)
    }

    fn unknown(&self, call: Place, ret: Place, list: &[Val], at: usize) -> Violation {
        let value = list[at];
        if list[..at].contains(&value) {
            let why = format!("{} read {value} twice", name(call));
            return Violation::new(Class::DuplicateDelivery, ret, [call], why);
        }
        match self.failed.get(&value) {
            Some(append) => {
                let why = format!(
                    "{} read {value}, whose append {} had certainly failed",
                    name(call),
                    name(append)
                );
                Violation::new(Class::DirtyRead, ret, [append, call], why)
            }
            None => {
                let why = format!("{} read {value}, which nobody had appended", name(call));
                Violation::new(Class::PhantomRead, ret, [call], why)
            }
        }
    }
}
