//! The grow-only set, watched while it runs: adds, reads of the whole set.
//!
//! **A chain of layers.** What reads return must be nested, so the elements that were read fall into layers: those of
//! the smallest read, those that the next larger one has more, and so on. A read that fits in between splits a
//! layer. Operations come in the order: adds of a layer, reads of all up to it, adds of the next. As with the list
//! (`list`), it exists iff none returned before one of an earlier step was called. So a read is compared
//! with the elements that it lacks (none may have been acknowledged before its call) and with the larger reads
//! (none may have returned before), and elements that it tells apart are compared with each other. Whatever
//! was acknowledged and not read is above all layers; what neither returned nor was read does not count.
//!
//! **Forgetting.** All reads from now on are called after W, the call of the oldest open operation. So they must have
//! everything that a read had which returned before W: those layers become one, the base, of which only the
//! members are kept (16 bytes each; reads carry them all anyway).
//!
//! An element may be added twice only if it was read in between, when it changes nothing; else the monitor
//! gives up.

use std::collections::BTreeMap;

use crate::Class;
use crate::online::crashed::CrashedValues;
use crate::online::floor::Floor;
use crate::online::monitor::{Halt, Monitor, Watched};
use crate::online::open::Open;
use crate::online::recent::Recent;
use crate::online::value::{Val, WordMap};
use crate::online::{Place, Ticket, Violation, name};

/// The monitor of one set.
pub type Set = Monitor<Held>;

/// What is invoked on a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Returns all elements.
    Read,
    /// Adds an element.
    Add(Val),
}

/// What is held of a set.
#[derive(Debug, Clone, Default)]
pub struct Held {
    open: Open<Pending>,
    /// Every element that was read, and the read that counted it last.
    members: WordMap<Val, Place>,
    /// How many of them are the base.
    base: usize,
    /// The layers above it, the smallest read's first.
    layers: Vec<Vec<Element>>,
    /// Sizes of reads that returned.
    floor: Floor<usize>,
    unread: WordMap<Val, Unread>,
    /// Return → element and call.
    acknowledged: BTreeMap<Place, (Val, Place)>,
    crashed: CrashedValues,
    failed: Recent<Val, Place>,
}

#[derive(Debug, Clone, Copy)]
enum Pending {
    Read,
    /// `read_by`: the call of the read that showed it first.
    Add {
        value: Val,
        read_by: Option<Place>,
    },
    /// Of an element that had been read before: changes nothing.
    Again,
}

#[derive(Debug, Clone, Copy)]
enum Unread {
    Open(Ticket),
    /// Acknowledged by the return at this place.
    Acknowledged(Place),
}

/// An element above the base.
#[derive(Debug, Clone, Copy)]
struct Element {
    value: Val,
    call: Place,
    /// When its add returned, if it has.
    ret: Option<Place>,
}

impl Watched for Held {
    type Input = Input;
    /// The elements that a read returned, in any order.
    type Found<'a> = Option<&'a [Val]>;

    fn invoke(&mut self, at: Place, input: Input) -> Result<Ticket, Halt> {
        let Input::Add(value) = input else { return Ok(self.open.insert(at, Pending::Read)) };
        if self.members.contains_key(&value) {
            return Ok(self.open.insert(at, Pending::Again));
        }
        if self.unread.contains_key(&value) || self.crashed.contains(value) {
            return Err(Halt::Unclear("an element is added twice"));
        }
        let ticket = self.open.insert(at, Pending::Add { value, read_by: None });
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
            Pending::Add { value, read_by: None } => {
                self.open.remove(ticket);
                self.unread.insert(value, Unread::Acknowledged(at));
                self.acknowledged.insert(at, (value, call));
            }
            Pending::Add { value, read_by: Some(_) } => {
                self.open.remove(ticket);
                let above = self.layers.iter_mut().flatten();
                above.filter(|element| element.value == value).for_each(|element| element.ret = Some(at));
            }
            Pending::Again => {
                self.open.remove(ticket);
            }
        }
        Ok(())
    }

    fn fail(&mut self, at: Place, ticket: Ticket) -> Result<(), Halt> {
        let (call, Pending::Add { value, read_by }) = self.open.remove(ticket) else { return Ok(()) };
        if let Some(reader) = read_by {
            let why =
                format!("{} added {value} and certainly failed, yet {} read it", name(call), name(reader));
            return Err(Violation::new(Class::DirtyRead, at, [call, reader], why).into());
        }
        self.unread.remove(&value);
        self.failed.put(value, call);
        Ok(())
    }

    fn info(&mut self, _: Place, ticket: Ticket, _: Option<&[Val]>) -> Result<(), Halt> {
        match self.open.get(ticket) {
            Pending::Add { read_by: None, .. } => self.open.crash(ticket),
            Pending::Add { .. } | Pending::Read | Pending::Again => {
                self.open.remove(ticket);
            }
        }
        Ok(())
    }

    fn sweep(&mut self, now: Place) {
        let oldest = self.open.oldest(now);
        self.floor.forget(oldest);
        let reached = self.floor.below(oldest).map_or(0, |floor| floor.step);
        let settled = self
            .layers
            .iter()
            .take_while(|layer| {
                let fits = self.base + layer.len() <= reached;
                self.base += if fits { layer.len() } else { 0 };
                fits
            })
            .count();
        self.layers.drain(..settled);
        let settled = self.acknowledged.first_key_value().map_or(oldest, |(&ret, _)| ret.min(oldest));
        let Self { open, unread, crashed, .. } = self;
        open.take_crashed(settled, |pending| {
            if let Pending::Add { value, .. } = pending {
                unread.remove(&value);
                crashed.insert(value);
            }
        });
    }

    fn shrink(&mut self) {
        self.open.shrink();
        self.floor.shrink();
        self.unread.shrink_to_fit();
        self.layers.shrink_to_fit();
        self.failed = Recent::default();
    }

    fn passing(&self) -> usize {
        self.open.len() + self.floor.len() + self.acknowledged.len() + self.members.len() - self.base
    }

    fn lasting(&self) -> usize {
        self.base + self.crashed.len()
    }
}

impl Held {
    fn read(&mut self, call: Place, ret: Place, list: &[Val]) -> Result<(), Halt> {
        let mut size = 0;
        let mut new = Vec::new();
        for &value in list {
            match self.members.insert(value, ret) {
                // Twice in the list.
                Some(counted) if counted == ret => {}
                Some(_) => size += 1,
                None => {
                    size += 1;
                    new.push(self.show(call, ret, value)?);
                }
            }
        }
        if let Some(floor) = self.floor.below(call).filter(|floor| floor.step > size) {
            let why = format!(
                "{} read {size} elements, but {} had read {} before it was called",
                name(call),
                name(floor.call),
                floor.step
            );
            return Err(Violation::new(Class::StaleRead, ret, [floor.call, call], why).into());
        }
        self.nest(call, ret, size - new.len(), &new)?;
        if !new.is_empty() {
            self.layers.push(new);
        }
        self.floor.raise(ret, size, call);
        Ok(())
    }

    /// An element is read for the first time.
    fn show(&mut self, call: Place, ret: Place, value: Val) -> Result<Element, Halt> {
        match self.unread.remove(&value) {
            Some(Unread::Acknowledged(returned)) => {
                let (_, call) =
                    self.acknowledged.remove(&returned).expect("both say that it was acknowledged");
                Ok(Element { value, call, ret: Some(returned) })
            }
            Some(Unread::Open(ticket)) => {
                let added = self.open.call(ticket);
                if self.open.is_crashed(ticket) {
                    self.open.remove(ticket);
                } else {
                    *self.open.get_mut(ticket) = Pending::Add { value, read_by: Some(call) };
                }
                Ok(Element { value, call: added, ret: None })
            }
            // Called before everything that is open, and before all that was acknowledged and not read.
            None if self.crashed.remove(value) => Ok(Element { value, call: 0, ret: None }),
            None if self.crashed.incomplete() => {
                Err(Halt::Unclear("more crashed adds than can be remembered"))
            }
            None => Err(self.unknown(call, ret, value).into()),
        }
    }

    /// Finds where among the layers a read of so many known elements fits, splits a layer if it must, and
    /// compares what it has with what it lacks.
    fn nest(&mut self, call: Place, ret: Place, known: usize, new: &[Element]) -> Result<(), Halt> {
        // Layer by layer, until one is not all there; then nothing above it may be.
        let mut left = known;
        let has =
            |members: &WordMap<Val, Place>, element: &Element| members.get(&element.value) == Some(&ret);
        let above = self.layers.iter().flatten().filter(|element| has(&self.members, element)).count();
        if known - above < self.base {
            return Err(Self::lacks(call, ret, "elements that earlier reads had", &[]).into());
        }
        left -= self.base;
        let mut at = 0;
        while at < self.layers.len() && self.layers[at].len() <= left {
            if let Some(lacking) = self.layers[at].iter().find(|element| !has(&self.members, element)) {
                return Err(Self::crosses(call, ret, *lacking).into());
            }
            left -= self.layers[at].len();
            at += 1;
        }
        if left > 0 || (!new.is_empty() && at < self.layers.len()) {
            let Some(layer) = self.layers.get(at) else { unreachable!("all that is known is in a layer") };
            let (low, high): (Vec<Element>, Vec<Element>) =
                layer.iter().partition(|element| has(&self.members, element));
            if low.len() != left || !new.is_empty() {
                let lacking = high.first().copied().expect("a part of the layer is lacking");
                return Err(Self::crosses(call, ret, lacking).into());
            }
            Self::compare(
                call,
                ret,
                &low,
                high.iter().filter_map(|element| Some((element.ret?, element.call))),
            )?;
            self.layers.splice(at..=at, [low, high]);
            at += 1;
        }
        let lacking =
            self.layers[at..].iter().flatten().filter_map(|element| Some((element.ret?, element.call)));
        let unread = self.acknowledged.first_key_value().map(|(&ret, &(_, call))| (ret, call));
        let reader = Element { value: Val::NIL, call, ret: None };
        Self::compare(call, ret, &[reader], lacking.chain(unread))?;
        Self::compare(call, ret, new, unread.into_iter())?;
        Ok(())
    }

    /// None of those behind may have returned before one of those ahead was called.
    fn compare(
        call: Place,
        ret: Place,
        ahead: &[Element],
        behind: impl Iterator<Item = (Place, Place)>,
    ) -> Result<(), Violation> {
        let (Some(latest), Some((returned, early))) =
            (ahead.iter().map(|element| element.call).max(), behind.min())
        else {
            return Ok(());
        };
        if returned >= latest {
            return Ok(());
        }
        if latest == call {
            return Err(Self::lacks(
                call,
                ret,
                &format!("what {} had added and was acknowledged", name(early)),
                &[early],
            ));
        }
        let why = format!(
            "{} was acknowledged before {} was called, yet {} shows the latter without the former",
            name(early),
            name(latest),
            name(call)
        );
        Err(Violation::new(Class::OrderInversion, ret, [early, latest, call], why))
    }

    fn lacks(call: Place, ret: Place, what: &str, of: &[Place]) -> Violation {
        let why = format!("{} lacks {what} before it was called", name(call));
        Violation::new(Class::LostUpdate, ret, of.iter().copied().chain([call]), why)
    }

    fn crosses(call: Place, ret: Place, lacking: Element) -> Violation {
        let why = format!(
            "{} lacks {}, which another read has that in turn lacks something of it",
            name(call),
            lacking.value
        );
        Violation::new(Class::OrderInversion, ret, [lacking.call, call], why)
    }

    fn unknown(&self, call: Place, ret: Place, value: Val) -> Violation {
        match self.failed.get(&value) {
            Some(add) => {
                let why =
                    format!("{} read {value}, whose add {} had certainly failed", name(call), name(add));
                Violation::new(Class::DirtyRead, ret, [add, call], why)
            }
            None => {
                let why = format!("{} read {value}, which nobody had added", name(call));
                Violation::new(Class::PhantomRead, ret, [call], why)
            }
        }
    }
}
