//! Depth first: follows the likeliest steps to the end, and comes back to the others. Finds witnesses.

use crate::engine::config::{Candidate, Config, Placed, witness};
use crate::engine::mask::Mask;
use crate::engine::memo::Memo;
use crate::engine::race::{Control, Found, Runner};
use crate::engine::space::Space;
use crate::model::Machine;

struct Frame<K> {
    config: Config<K>,
    /// Its candidates, in the shared stack.
    next: usize,
    end: usize,
    /// Length of the trace at the configuration.
    traced: usize,
}

/// The state of a search depth first.
pub(super) struct Depth<K> {
    memo: Memo<K>,
    frames: Vec<Frame<K>>,
    candidates: Vec<Candidate>,
    trace: Vec<Placed>,
    entering: Option<Config<K>>,
    best: Best,
    configs: u64,
    claimed: usize,
}

/// The trace that came furthest, copied lazily: only where it differs from the copy before.
#[derive(Default)]
struct Best {
    trace: Vec<Placed>,
    /// How much of it is known to be as in the present trace.
    shared: usize,
    p: u32,
    /// Length of the trace when `p` was reached; 0 once it was copied.
    to_copy: Option<usize>,
    /// The latest rank with which some configuration certainly fails.
    failing: u32,
}

impl Best {
    fn reach(&mut self, p: u32, traced: usize) {
        if p > self.p || self.trace.is_empty() && self.to_copy.is_none() {
            self.p = p;
            self.to_copy = Some(traced);
        }
    }

    fn fail(&mut self, rank: u32, trace: &[Placed]) {
        self.failing = self.failing.max(rank);
        if let Some(length) = self.to_copy.take() {
            self.trace.truncate(self.shared);
            self.trace.extend_from_slice(&trace[self.shared..length]);
            self.shared = length;
        }
    }
}

impl<K: Mask> Depth<K> {
    pub(super) fn new() -> Self {
        Self {
            memo: Memo::new(),
            frames: Vec::new(),
            candidates: Vec::new(),
            trace: Vec::new(),
            entering: None,
            best: Best::default(),
            configs: 0,
            claimed: 0,
        }
    }

    /// Enters a configuration: looks at it, and unless that ends it, lists its steps.
    fn enter<M: Machine>(&mut self, space: &mut Space<'_, M>, config: Config<K>) {
        self.best.reach(config.p, self.trace.len());
        space.seek(config.p);
        if let Some(rank) = space.out_of_reach(&config) {
            self.best.fail(rank, &self.trace);
            return;
        }
        if !self.memo.insert(&config, &space.regions(), &space.spent) {
            self.best.fail(config.p, &self.trace);
            return;
        }
        self.configs += 1;
        let next = self.candidates.len();
        space.offer(&config, &mut self.candidates);
        let end = self.candidates.len();
        if next == end {
            self.best.fail(config.p, &self.trace);
        }
        self.frames.push(Frame { config, next, end, traced: self.trace.len() });
    }

    /// Takes the next step there is; false if there is none.
    fn step<M: Machine>(&mut self, space: &mut Space<'_, M>) -> bool {
        loop {
            let Some(frame) = self.frames.last_mut() else { return false };
            self.trace.truncate(frame.traced);
            self.best.shared = self.best.shared.min(frame.traced);
            if frame.next == frame.end {
                self.frames.pop();
                self.candidates.truncate(self.frames.last().map_or(0, |frame| frame.end));
                continue;
            }
            let candidate = self.candidates[frame.next];
            frame.next += 1;
            let mut config = frame.config.clone();
            match space.take(&mut config, candidate, &mut self.trace) {
                Ok(()) => {
                    self.entering = Some(config);
                    return true;
                }
                Err(rank) => self.best.fail(rank, &self.trace),
            }
        }
    }

    /// Keeps within the memory budget, by forgetting what was visited longest ago; false if that is not enough.
    fn fit<M: Machine>(&mut self, space: &Space<'_, M>, control: &Control<'_>) -> bool {
        let fixed = self.frames.capacity() * size_of::<Frame<K>>()
            + self.frames.len() * self.frames.first().map_or(0, |frame| frame.config.done.heap_bytes())
            + self.candidates.capacity() * size_of::<Candidate>()
            + (self.trace.capacity() + self.best.trace.capacity()) * size_of::<Placed>()
            + space.heap_bytes();
        while !control.claim(&mut self.claimed, fixed + self.memo.bytes_when_grown()) {
            if self.memo.len() < 1024 {
                return false;
            }
            self.forget(space);
        }
        true
    }

    /// Forgets the older half of what was visited: that of the smaller p.
    fn forget<M: Machine>(&mut self, space: &Space<'_, M>) {
        let (cutoff, before) = (self.memo.median_p(), self.memo.len());
        self.memo.retain(&space.regions(), |config| config.p > cutoff);
        if self.memo.len() == before {
            self.memo = Memo::new();
        }
        self.memo.shrink();
    }
}

impl<K: Mask, M: Machine> Runner<M> for Depth<K> {
    fn run(&mut self, space: &mut Space<'_, M>, control: &Control<'_>, quota: u64) -> Found {
        if let Some(stop) = control.stopped() {
            return stop;
        }
        let limit = self.configs.saturating_add(quota);
        if self.configs == 0 && self.frames.is_empty() && self.entering.is_none() {
            match space.start(&mut self.trace) {
                Ok(config) => self.entering = Some(config),
                Err(rank) => {
                    self.best.fail(rank, &[]);
                    return Found::Nothing;
                }
            }
        }
        loop {
            if let Some(config) = self.entering.take() {
                if config.p == space.prep.ranks() {
                    return Found::Witness(witness(&self.trace));
                }
                self.enter(space, config);
                if self.memo.len() > control.remember {
                    self.forget(space);
                }
                if self.configs.is_multiple_of(1024) {
                    if let Some(stop) = control.stopped() {
                        return stop;
                    }
                    if !self.fit(space, control) {
                        return Found::OutOfMemory;
                    }
                }
            }
            if self.configs >= limit {
                return Found::Paused;
            }
            if !self.step(space) {
                return Found::Nothing;
            }
        }
    }

    fn configs(&self) -> u64 {
        self.configs
    }

    fn reached(&self) -> u32 {
        self.best.p
    }

    fn failing(&self) -> u32 {
        self.best.failing.max(self.best.p)
    }

    fn longest(&self) -> Vec<u32> {
        witness(&self.best.trace)
    }

    fn frontier(&self) -> usize {
        self.frames.len()
    }

    fn release(&mut self, control: &Control<'_>) {
        control.claim(&mut self.claimed, 0);
    }
}
