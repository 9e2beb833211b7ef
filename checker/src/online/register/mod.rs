//! The register, watched while it runs: reads, writes and compare-and-sets of unique values.
//!
//! **Blocks.** As in [`crate::blocks`]: a value, its source and the operations that found it are a block B; a
//! compare-and-set from a to b glues block b behind block a, so that a chain is one block. f(B) is its earliest
//! return, s(B) its latest call, and a prefix of the history is linearizable iff chains are consistent within
//! and there are no two blocks with f(A) < s(B) and f(B) < s(A). An operation without a return counts only once
//! somebody found its value: then it took effect before that somebody returned.
//!
//! **One event at a time.** Returns come in order, so f is settled by the first return on a block, and blocks are born
//! in the order of f. Only s grows, and a pair can only become a contradiction when one's s does. A new block has
//! s < f, and f later than every call so far: it contradicts nothing. Let s(v) grow past f(v).
//! * Every u with f(v) < f(u) < s(v) must come before v. Either it must also come after, f(v) < s(u), and that is a
//!   contradiction; or v *covers* u from now on: nothing in u may be called after f(v). That is written down
//!   with u.
//! * A u with f(u) < f(v) contradicts v iff f(v) < s(u) and f(u) < s(v): iff u covers v, and s(v) is past f(u).
//!
//! Two blocks that cover a third contradict each other, so writing down costs O(1) per block. And of the blocks that v
//! covers, each has an operation that was open at f(v), so a scan meets at most one per client.
//!
//! **Forgetting.** Let W be the call of the oldest open operation: whatever returns from now on was called at W or
//! later. If f(u) < W and s(u) > f(v) for some u ≠ v, every operation that will return on v closes a
//! contradiction with u. So v is forgotten, and an operation on an unknown value is a violation. Is
//! anything lost with v? Let w be a block that is kept, and let a later operation on w, called at c ≥ W, contradict
//! v: f(v) < c, f(w) < s(v). If f(v) < f(w), then v covers w and that is written down with w. Else f(w) < f(v) <
//! s(u), so w, unless it is u, was forgotten in the same sweep. And if it is u: f(u) < s(v) and f(v) < s(u) was
//! a contradiction before. If w is a chain that was joined later, the part with the smaller f was there at
//! the sweep, and the same holds for it. ∎
//!
//! Within a chain, an operation on link i must not be called after the first return on any later link, F(i). A
//! link with F(i) < W is forgotten likewise. What remains is one block and those that overlap with the oldest open
//! operation. **An operation that never completes must be declared `info`**, or W never moves again.
//!
//! **Crashed writes** that nobody has seen may show up at any time, so their values are kept for ever, but once W has
//! passed their call, the value alone: whoever finds it was called later. That takes two bytes for dense integers;
//! beyond 16 MiB for one key the oldest are given up, and from then on a value that is not known leaves
//! the monitor inconclusive.
//!
//! **Assumptions.** No value is written twice, as long as the first is held; when one is, the monitor gives up:
//! it never guesses. A value that had been forgotten may be written again: nothing that returns from then on can
//! be about the old one. A refused compare-and-set is decided only where it is obvious.

mod explain;
mod zones;

use crate::online::crashed::CrashedValues;
use crate::online::monitor::{Halt, Monitor, Watched};
use crate::online::open::Open;
use crate::online::recent::Recent;
use crate::online::value::{Val, WordMap};
use crate::online::{Place, Ticket};
use explain::Fate;
use zones::{NEVER, NONE, Zones};

/// What is invoked on a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Returns the value.
    Read,
    /// Stores a value.
    Write(Val),
    /// Replaces a value by `new`.
    Cas {
        /// The value to be replaced; `None` if the client learns it on the way.
        old: Option<Val>,
        /// The value to store.
        new: Val,
    },
}

/// What an open operation is about.
#[derive(Debug, Clone, Copy)]
enum Pending {
    Read,
    Update {
        value: Val,
        /// What a compare-and-set replaces, if known.
        finds: Option<Val>,
        /// Somebody found the value, in this operation.
        seen_by: Option<Place>,
    },
}

/// What is known of a value.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// An update may store it, and nobody has found it yet.
    Unseen(Ticket),
    /// It was stored.
    Link(u32),
}

/// A value that was stored, in the chain of its block.
#[derive(Debug, Clone, Copy)]
struct Link {
    value: Val,
    block: u32,
    next: u32,
    previous: u32,
    /// F: the earliest return on a later link of the chain.
    overtaken: Place,
}

/// A crashed compare-and-set of a known value that W has passed.
const MAX_CRASHED_CAS: usize = 1 << 16;

/// The monitor of one register.
pub type Register = Monitor<Held>;

/// What is held of a register.
#[derive(Debug, Clone)]
pub struct Held {
    open: Open<Pending>,
    values: WordMap<Val, Known>,
    links: Vec<Link>,
    free: Vec<u32>,
    zones: Zones,
    crashed: CrashedValues,
    /// Crashed compare-and-sets: the new value → the old.
    crashed_cas: WordMap<Val, Val>,
    fates: Recent<Val, Fate>,
    /// The highest integer written.
    highest: Val,
}

impl Default for Held {
    fn default() -> Self {
        let mut held = Self {
            open: Open::default(),
            values: WordMap::default(),
            links: Vec::new(),
            free: Vec::new(),
            zones: Zones::default(),
            crashed: CrashedValues::default(),
            crashed_cas: WordMap::default(),
            fates: Recent::default(),
            highest: Val::int(0),
        };
        // The initial value was there before the first event.
        held.store(Val::NIL, 0, 0, 0);
        held
    }
}

impl Register {
    /// A compare-and-set was refused because the register held something else than the expected value.
    /// Satisfied if that value had certainly gone, or not come yet, by its call; else the monitor gives up.
    pub fn refused(&mut self, ticket: Ticket) {
        if ticket != Ticket::VOID
            && let Some(held) = self.held()
            && !held.refused(ticket)
        {
            self.give_up("a refused compare-and-set of a value that may have been there");
        }
    }
}

impl Watched for Held {
    type Input = Input;
    /// The value of a read, or what a compare-and-set replaced.
    type Found<'a> = Option<Val>;

    fn invoke(&mut self, at: Place, input: Input) -> Result<Ticket, Halt> {
        let (value, finds) = match input {
            Input::Read => return Ok(self.open.insert(at, Pending::Read)),
            Input::Write(value) => (value, None),
            Input::Cas { old, new } => (new, old),
        };
        if self.is_held(value) {
            return Err(Halt::Unclear("a value is written twice"));
        }
        let ticket = self.open.insert(at, Pending::Update { value, finds, seen_by: None });
        self.values.insert(value, Known::Unseen(ticket));
        if value.is_count() {
            self.highest = self.highest.max(value);
        }
        Ok(ticket)
    }

    fn ok(&mut self, at: Place, ticket: Ticket, found: Option<Val>) -> Result<(), Halt> {
        let by = Actor { call: self.open.call(ticket), ret: at };
        match *self.open.get(ticket) {
            Pending::Read => {
                self.open.remove(ticket);
                self.find(found.unwrap_or(Val::NIL), by)
            }
            Pending::Update { value, finds, seen_by } => {
                let glued = finds.is_some() && seen_by.is_some();
                let old = found.or(finds);
                if glued && old != finds {
                    return Err(Halt::Unclear(OTHER_OLD));
                }
                let link = match self.values.get(&value) {
                    Some(&Known::Link(link)) => link,
                    Some(Known::Unseen(_)) | None => self.store(value, by.ret, by.call, by.call),
                };
                // Only now: while it is open, what it may have written is not forgotten.
                self.open.remove(ticket);
                match old {
                    Some(old) if !glued => self.glue(old, link, by),
                    Some(_) | None => Ok(()),
                }
            }
        }
    }

    fn fail(&mut self, at: Place, ticket: Ticket) -> Result<(), Halt> {
        let (call, pending) = self.open.remove(ticket);
        let Pending::Update { value, seen_by, .. } = pending else { return Ok(()) };
        if let Some(reader) = seen_by {
            return Err(explain::dirty(at, call, value, reader).into());
        }
        self.values.remove(&value);
        self.fates.put(value, Fate::Failed(call));
        Ok(())
    }

    fn info(&mut self, at: Place, ticket: Ticket, told: Option<Val>) -> Result<(), Halt> {
        let by = Actor { call: self.open.call(ticket), ret: at };
        let Pending::Update { value, finds, seen_by } = self.open.get_mut(ticket) else {
            self.open.remove(ticket);
            return Ok(());
        };
        let (value, known) = (*value, finds.is_some());
        if known && told.is_some() && told != *finds {
            return Err(Halt::Unclear(OTHER_OLD));
        }
        *finds = finds.or(told);
        if seen_by.is_none() {
            self.open.crash(ticket);
            return Ok(());
        }
        self.open.remove(ticket);
        match (known, told, self.values.get(&value)) {
            (false, Some(old), Some(&Known::Link(link))) => self.glue(old, link, by),
            (..) => Ok(()),
        }
    }

    fn sweep(&mut self, now: Place) {
        let oldest = self.open.oldest(now);
        self.forget_blocks(oldest);
        let Self { open, values, crashed, crashed_cas, .. } = self;
        open.take_crashed(oldest, |pending| {
            let Pending::Update { value, finds, .. } = pending else { return };
            values.remove(&value);
            match finds {
                None => crashed.insert(value),
                Some(_) if crashed_cas.len() >= MAX_CRASHED_CAS => crashed.give_up(),
                Some(old) => {
                    crashed_cas.insert(value, old);
                }
            }
        });
    }

    fn shrink(&mut self) {
        self.open.shrink();
        self.fates = Recent::default();
        if self.links.len() > 2 * (self.links.len() - self.free.len()) {
            self.compact();
        }
        self.values.shrink_to_fit();
    }

    fn passing(&self) -> usize {
        self.links.len() - self.free.len() + self.open.len()
    }

    fn lasting(&self) -> usize {
        self.crashed.len() + self.crashed_cas.len()
    }
}

const OTHER_OLD: &str = "a compare-and-set tells another old value than it was given";

/// The operation that completes.
#[derive(Clone, Copy)]
struct Actor {
    call: Place,
    ret: Place,
}

impl Held {
    fn is_held(&self, value: Val) -> bool {
        self.values.contains_key(&value)
            || self.crashed.contains(value)
            || (!self.crashed_cas.is_empty() && self.crashed_cas.contains_key(&value))
    }

    /// An operation found this value.
    fn find(&mut self, value: Val, by: Actor) -> Result<(), Halt> {
        let link = self.reveal(value, by)?;
        let Link { block, overtaken, .. } = self.links[link as usize];
        if overtaken < by.call {
            return Err(explain::replaced(by.ret, by.call, value, overtaken).into());
        }
        self.zones.get_mut(block).seen = true;
        self.zones.raise(block, by.call).map_err(|clash| explain::clash(by.ret, by.call, clash).into())
    }

    /// The link of a value that was certainly stored by now. If that is news, what a compare-and-set replaced to
    /// store it was stored as well, and so on.
    fn reveal(&mut self, value: Val, by: Actor) -> Result<u32, Halt> {
        if let Some(&Known::Link(link)) = self.values.get(&value) {
            return Ok(link);
        }
        let (revealed, mut finds) = self.reveal_one(value, by)?;
        let mut trail = Vec::new();
        let mut later = revealed;
        while let Some(old) = finds {
            let (link, before) = match self.values.get(&old) {
                Some(&Known::Link(link)) => (link, None),
                Some(Known::Unseen(_)) | None => self.reveal_one(old, by)?,
            };
            trail.push((link, later));
            (later, finds) = (link, before);
        }
        while let Some((old, new)) = trail.pop() {
            self.join(old, new, by)?;
        }
        Ok(revealed)
    }

    /// Makes a block of a value that nobody had seen. Returns what its source replaced, too.
    fn reveal_one(&mut self, value: Val, by: Actor) -> Result<(u32, Option<Val>), Halt> {
        if let Some(&Known::Unseen(ticket)) = self.values.get(&value) {
            let source = self.open.call(ticket);
            let crashed = self.open.is_crashed(ticket);
            let Pending::Update { finds, seen_by, .. } = self.open.get_mut(ticket) else {
                unreachable!("only updates store values");
            };
            *seen_by = Some(by.call);
            let finds = *finds;
            if crashed {
                self.open.remove(ticket);
            }
            return Ok((self.store(value, by.ret, by.call, source), finds));
        }
        if self.crashed.remove(value) {
            // Its call, wherever it was, came before that of the operation that found it.
            return Ok((self.store(value, by.ret, by.call, 0), None));
        }
        if let Some(old) = self.crashed_cas.remove(&value) {
            return Ok((self.store(value, by.ret, by.call, 0), Some(old)));
        }
        if self.crashed.incomplete() {
            return Err(Halt::Unclear("more crashed writes than can be remembered"));
        }
        let fate = self.fates.get(&value).unwrap_or(Fate::Unknown { written: value <= self.highest });
        Err(explain::unknown(by.ret, by.call, value, fate).into())
    }

    /// A block of its own for a value. Its latest call so far is that of its source.
    fn store(&mut self, value: Val, first_return: Place, first_call: Place, source: Place) -> u32 {
        let block = self.zones.push(value, first_return, first_call, source);
        let link = Link { value, block, next: NONE, previous: NONE, overtaken: NEVER };
        let id = if let Some(id) = self.free.pop() {
            self.links[id as usize] = link;
            id
        } else {
            self.links.push(link);
            u32::try_from(self.links.len() - 1).expect("fewer than 2^32 values are held at once")
        };
        self.zones.get_mut(block).ends = (id, id);
        self.values.insert(value, Known::Link(id));
        id
    }

    /// A compare-and-set replaced `old` by what is at `link`.
    fn glue(&mut self, old: Val, link: u32, by: Actor) -> Result<(), Halt> {
        let replaced = self.reveal(old, by)?;
        self.join(replaced, link, by)
    }

    fn join(&mut self, old: u32, new: u32, by: Actor) -> Result<(), Halt> {
        let [a, b] = [old, new].map(|link| self.links[link as usize]);
        let values = [a.value, b.value];
        if a.block == b.block {
            return Err(explain::circular(by.ret, by.call, values).into());
        }
        if a.next != NONE {
            let other = self.links[a.next as usize].value;
            return Err(explain::twice(by.ret, by.call, values, other).into());
        }
        debug_assert_eq!(b.previous, NONE, "a value has one source, and that is glued once");
        let (early, late) = (self.zones.get(a.block), self.zones.get(b.block));
        let first_return = late.first_return;
        if first_return < early.last_call {
            let (reader, late) = (late.first_call, early.last_call);
            return Err(explain::inner(by.ret, by.call, values, reader, late).into());
        }
        let ends = (early.ends.0, late.ends.1);
        self.links[old as usize].next = new;
        self.links[new as usize].previous = old;
        let mut overtaken = old;
        while overtaken != NONE && self.links[overtaken as usize].overtaken > first_return {
            self.links[overtaken as usize].overtaken = first_return;
            overtaken = self.links[overtaken as usize].previous;
        }
        let chains = [self.zones.get(a.block).ends, self.zones.get(b.block).ends];
        self.zones.get_mut(a.block).seen = true;
        let joined = self.zones.join(a.block, b.block);
        let (kept, gone) = joined.map_err(|clash| explain::clash(by.ret, by.call, clash))?;
        let (mut moved, last) = chains[usize::from(gone == b.block)];
        loop {
            self.links[moved as usize].block = kept;
            if moved == last {
                break;
            }
            moved = self.links[moved as usize].next;
        }
        self.zones.get_mut(kept).ends = ends;
        Ok(())
    }

    /// True if there certainly was a moment at which the register did not hold the expected value.
    fn refused(&mut self, ticket: Ticket) -> bool {
        let call = self.open.call(ticket);
        let Pending::Update { value, finds, seen_by } = *self.open.get(ticket) else { return false };
        self.open.remove(ticket);
        let Some(old) = finds.filter(|_| seen_by.is_none()) else { return false };
        self.values.remove(&value);
        match self.values.get(&old) {
            // Either never written, so far, or certainly overwritten before the call.
            None => !self.crashed.contains(old) && !self.crashed_cas.contains_key(&old),
            Some(&Known::Unseen(source)) => self.open.call(source) > call,
            Some(&Known::Link(link)) => {
                let Link { block, overtaken, .. } = self.links[link as usize];
                overtaken < call || self.zones.is_past(block, call)
            }
        }
    }

    fn forget_blocks(&mut self, oldest: Place) {
        let (horizon, latest, for_latest) = self.zones.horizon(oldest);
        let mut id = self.zones.first();
        while id != NONE {
            let next = self.zones.after(id);
            let block = self.zones.get(id);
            let forgotten = block.first_return < if id == latest { for_latest } else { horizon };
            let ends = block.ends;
            if block.first_return >= horizon {
                break;
            }
            if forgotten {
                self.forget_links(ends.0, NEVER);
                self.zones.remove(id);
            } else {
                let first = self.forget_links(ends.0, oldest);
                self.zones.get_mut(id).ends.0 = first;
            }
            id = next;
        }
    }

    /// Forgets the links from `id` on as long as their F lies before `place`. Returns the first that is kept.
    fn forget_links(&mut self, mut id: u32, before: Place) -> u32 {
        while id != NONE {
            let Link { value, block, next, overtaken, .. } = self.links[id as usize];
            if overtaken >= before && before != NEVER {
                self.links[id as usize].previous = NONE;
                break;
            }
            self.fates.put(value, Fate::Overwritten(self.zones.get(block).last_call));
            self.values.remove(&value);
            self.free.push(id);
            id = next;
        }
        id
    }

    /// Moves what is left to the front, so that the room behind it can be given back.
    fn compact(&mut self) {
        let old = std::mem::take(&mut self.links);
        self.free = Vec::new();
        for (block, first) in self.zones.compact() {
            let mut last = NONE;
            let mut next = first;
            while next != NONE {
                let link = old[next as usize];
                next = link.next;
                let id = u32::try_from(self.links.len()).expect("fewer than before");
                if last != NONE {
                    self.links[last as usize].next = id;
                }
                self.links.push(Link { block, next: NONE, previous: last, ..link });
                self.values.insert(link.value, Known::Link(id));
                let ends = &mut self.zones.get_mut(block).ends;
                *ends = (if last == NONE { id } else { ends.0 }, id);
                last = id;
            }
        }
        self.links.shrink_to_fit();
    }
}
