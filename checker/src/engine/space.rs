//! The step function that both strategies share: what a step makes of a configuration.

use crate::engine::config::{Candidate, Config, Cursor, Placed, Step};
use crate::engine::mask::{Mask, slots_of};
use crate::engine::memo::Regions;
use crate::engine::prep::{Kind, NONE, Prep};
use crate::engine::rules::Rules;
use crate::engine::spent::Spent;
use crate::hash::FastMap;
use crate::model::Machine;

/// A problem under search: the machine, and which operation holds which slot at the moment.
pub(super) struct Space<'a, M: Machine> {
    pub(super) machine: &'a mut M,
    pub(super) prep: &'a Prep<M::Action>,
    initial: u32,
    pub(super) rules: Rules,
    pub(super) spent: Spent,
    pub(super) window: Window,
    pub(super) scratch: Scratch,
    /// state → where that was asked, and a rank from there on that may need it or what can grow from it
    pub(super) needed_by: FastMap<u32, (u32, Option<u32>)>,
}

/// The operations open at one `p`.
pub(super) struct Window {
    p: u32,
    /// slot → rank
    pub(super) holder: Vec<u32>,
    /// Slots that are held.
    pub(super) open: Vec<u64>,
}

/// Buffers, and marks of what was offered already.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) ranks: Vec<u32>,
    pub(super) classes: Vec<u32>,
    pub(super) targets: Vec<u32>,
    pub(super) stamp: u64,
    /// action → stamp, for steps now by operations of before the gap, after it, and steps in the gap.
    pub(super) offered: [Vec<u64>; 3],
}

impl Window {
    fn set(&mut self, slot: u32, rank: u32) {
        self.holder[slot as usize] = rank;
        let bit = 1 << (slot % 64);
        if rank == NONE {
            self.open[slot as usize / 64] &= !bit;
        } else {
            self.open[slot as usize / 64] |= bit;
        }
    }
}

impl<'a, M: Machine> Space<'a, M> {
    pub(super) fn new(
        machine: &'a mut M,
        prep: &'a Prep<M::Action>,
        initial: Option<u32>,
        rules: Rules,
    ) -> Self {
        let window = Window { p: 0, holder: vec![NONE; prep.words * 64], open: vec![0; prep.words] };
        let actions = prep.actions.len();
        let scratch =
            Scratch { offered: [vec![0; actions], vec![0; actions], vec![0; actions]], ..Scratch::default() };
        let initial = initial.unwrap_or_else(|| machine.initial());
        let mut space = Self {
            machine,
            initial,
            prep,
            rules,
            spent: Spent::new(),
            window,
            scratch,
            needed_by: FastMap::default(),
        };
        if prep.ranks() > 0 {
            space.open(0);
        }
        space
    }

    /// The configuration before the first operation.
    pub(super) fn start<K: Mask>(&mut self, trace: &mut Vec<Placed>) -> Result<Config<K>, u32> {
        let mut config = Config {
            p: 0,
            state: self.initial,
            gap: 0,
            spent: Spent::NOTHING,
            cursor: Cursor::Still,
            done: K::empty(self.prep.words),
        };
        if self.prep.ranks() > 0 {
            self.seek(0);
            self.read_now(&mut config, trace);
            self.pass(&mut config, trace)?;
        }
        Ok(config)
    }

    pub(super) fn regions(&self) -> Regions<'a> {
        let Prep { pure, blind, other, .. } = self.prep;
        Regions { pure, blind, other, dominance: self.rules.dominance }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.spent.heap_bytes()
            + self.needed_by.capacity() * 16
            + self.prep.heap_bytes()
            + self.machine.heap_bytes()
    }

    fn open(&mut self, p: u32) {
        for &rank in self.prep.opened(p) {
            self.window.set(self.prep.slot_of[rank as usize], rank);
        }
    }

    /// Makes the window that of `p`.
    pub(super) fn seek(&mut self, p: u32) {
        while self.window.p < p {
            let slot = self.prep.slot_of[self.window.p as usize];
            if slot != NONE {
                self.window.set(slot, NONE);
            }
            self.window.p += 1;
            self.open(self.window.p);
        }
        while self.window.p > p {
            for &rank in self.prep.opened(self.window.p) {
                self.window.set(self.prep.slot_of[rank as usize], NONE);
            }
            self.window.p -= 1;
            let slot = self.prep.slot_of[self.window.p as usize];
            if slot != NONE {
                self.window.set(slot, self.window.p);
            }
        }
    }

    /// The ranks in a region that are open and not done.
    pub(super) fn pending<'s, K: Mask>(
        &'s self,
        done: &'s K,
        region: &'s [u64],
    ) -> impl Iterator<Item = u32> + 's {
        let words = self.window.open.iter().zip(done.words()).zip(region).enumerate();
        words
            .flat_map(|(word, ((open, done), region))| slots_of(word, open & !done & region))
            .map(|slot| self.window.holder[slot])
    }

    /// The next member of a class: its call and operation.
    pub(super) fn next_crashed<K>(&self, config: &Config<K>, class: u32) -> Option<(u32, u32)> {
        let nth = self.spent.count(config.spent, class) as usize;
        self.prep.classes[class as usize].members.get(nth).copied()
    }

    /// Takes a step, and with it everything that follows without a choice. `Err` names a rank that cannot be
    /// accounted for any more.
    pub(super) fn take<K: Mask>(
        &mut self,
        config: &mut Config<K>,
        candidate: Candidate,
        trace: &mut Vec<Placed>,
    ) -> Result<(), u32> {
        self.seek(config.p);
        let Candidate { next, step, .. } = candidate;
        let left = config.state;
        match step {
            Step::Now(rank) => {
                let op = self.mark(config, rank);
                self.happen(config, self.prep.info(rank).kind, op, next, trace);
                self.supplied(config, left)?;
            }
            Step::NowCrashed(class) => {
                let op = self.spend(config, class);
                self.happen(config, self.prep.class_info(class).kind, op, next, trace);
                self.supplied(config, left)?;
            }
            Step::Before(rank) => {
                let op = self.mark(config, rank);
                self.happen_before(config, op, next, trace);
                self.supplied(config, next)?;
            }
            Step::BeforeCrashed(class) => {
                let op = self.spend(config, class);
                self.happen_before(config, op, next, trace);
                self.supplied(config, next)?;
            }
            Step::Unseen(rank) => {
                let op = self.mark(config, rank);
                trace.push(Placed::Before(op));
            }
            Step::Leave => config.cursor = Cursor::Still,
        }
        self.pass(config, trace)?;
        config.state = self.collapsed(config.p, config.state);
        Ok(())
    }

    fn mark<K: Mask>(&self, config: &mut Config<K>, rank: u32) -> u32 {
        config.done.set(self.prep.slot_of[rank as usize]);
        self.prep.op_of[rank as usize]
    }

    fn spend<K>(&mut self, config: &mut Config<K>, class: u32) -> u32 {
        let (_, op) = self.next_crashed(config, class).expect("only what is available is offered");
        config.spent = self.spent.plus_one(config.spent, class);
        op
    }

    fn happen<K: Mask>(
        &mut self,
        config: &mut Config<K>,
        kind: Kind,
        op: u32,
        next: u32,
        trace: &mut Vec<Placed>,
    ) {
        config.state = next;
        if config.cursor == Cursor::Still {
            config.cursor = Cursor::Now;
        }
        if kind == Kind::Blind {
            config.cursor = Cursor::Overwrote;
            config.gap = self.prep.ret_of[config.p as usize];
            trace.push(Placed::Overwrite(op));
        } else {
            trace.push(Placed::Now(op));
        }
        self.read_now(config, trace);
    }

    fn happen_before<K: Mask>(
        &mut self,
        config: &mut Config<K>,
        op: u32,
        next: u32,
        trace: &mut Vec<Placed>,
    ) {
        config.cursor = Cursor::Gap(next);
        trace.push(Placed::Before(op));
        self.read_where(config, next, config.gap, |op| trace.push(Placed::Before(op)));
    }

    fn read_now<K: Mask>(&mut self, config: &mut Config<K>, trace: &mut Vec<Placed>) {
        self.read_where(config, config.state, u32::MAX, |op| trace.push(Placed::Now(op)));
    }

    /// Rule 1: the reads that were called before `end` and fit the state.
    fn read_where<K: Mask>(
        &mut self,
        config: &mut Config<K>,
        state: u32,
        end: u32,
        mut read: impl FnMut(u32),
    ) {
        for word in 0..self.prep.words {
            let pending = self.window.open[word] & !config.done.words()[word] & self.prep.pure[word];
            for slot in slots_of(word, pending) {
                let rank = self.window.holder[slot];
                if self.prep.call_of[rank as usize] < end && self.fits(rank, state) {
                    config.done.words_mut()[word] |= 1 << (slot % 64);
                    read(self.prep.op_of[rank as usize]);
                }
            }
        }
    }

    fn fits(&mut self, rank: u32, state: u32) -> bool {
        let prep = self.prep;
        let info = prep.info(rank);
        match info.requires {
            Some(required) => required == state,
            None => self.step(0, state, info).is_some(),
        }
    }

    /// Passes every return that is accounted for.
    fn pass<K: Mask>(&mut self, config: &mut Config<K>, trace: &mut Vec<Placed>) -> Result<(), u32> {
        while config.p < self.prep.ranks() {
            let slot = self.prep.slot_of[config.p as usize];
            if slot == NONE {
                return Err(config.p);
            }
            if !config.done.has(slot) {
                break;
            }
            if let Cursor::Gap(inside) = config.cursor
                && self.goes_on_in_gap(config, inside)
            {
                break;
            }
            config.done.clear(slot);
            config.cursor = Cursor::Still;
            config.p += 1;
            if config.p == self.prep.ranks() {
                break;
            }
            self.seek(config.p);
            for &rank in self.prep.opened(config.p) {
                if self.prep.info(rank).kind == Kind::Pure && self.fits(rank, config.state) {
                    trace.push(Placed::Now(self.mark(config, rank)));
                }
            }
        }
        Ok(())
    }
}
