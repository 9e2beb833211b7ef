//! Breadth first by return: all configurations that get past one return, before any that get past the
//! next (Lowe's just-in-time linearization as a set of configurations). Where none is left the history
//! fails, however much could still be tried before it.

use std::collections::BTreeMap;

use crate::engine::config::{Candidate, Config, Placed, witness};
use crate::engine::mask::Mask;
use crate::engine::memo::Memo;
use crate::engine::race::{Control, Found, Runner};
use crate::engine::space::Space;
use crate::engine::trail::Trail;
use crate::model::Machine;

/// A configuration and the end of the way to it.
type Lead<K> = (Config<K>, u32);

/// The state of a search breadth first.
pub(super) struct Breadth<K> {
    memo: Memo<K>,
    /// Configurations to expand, by their p.
    queue: BTreeMap<u32, Vec<Lead<K>>>,
    queued: usize,
    trail: Trail,
    candidates: Vec<Candidate>,
    started: bool,
    /// The furthest configuration.
    reached: u32,
    furthest: u32,
    failing: u32,
    configs: u64,
    claimed: usize,
    /// Sizes at which to tidy up next.
    memo_limit: usize,
    trail_limit: usize,
}

impl<K: Mask> Breadth<K> {
    pub(super) fn new() -> Self {
        Self {
            memo: Memo::new(),
            queue: BTreeMap::new(),
            queued: 0,
            trail: Trail::default(),
            candidates: Vec::new(),
            started: false,
            reached: 0,
            furthest: Trail::START,
            failing: 0,
            configs: 0,
            claimed: 0,
            memo_limit: 1 << 12,
            trail_limit: 1 << 14,
        }
    }

    /// Adds a configuration unless it is no better than one there is. `Some`: it is the end.
    fn add<M: Machine>(
        &mut self,
        space: &mut Space<'_, M>,
        config: Config<K>,
        before: u32,
        placed: &[Placed],
    ) -> Option<Vec<u32>> {
        if config.p == space.prep.ranks() {
            let node = self.trail.push(before, placed);
            return Some(witness(&self.trail.path(node)));
        }
        if !self.memo.insert(&config, &space.regions(), &space.spent) {
            return None;
        }
        let node = self.trail.push(before, placed);
        if config.p > self.reached || self.furthest == Trail::START {
            (self.reached, self.furthest) = (config.p, node);
        }
        self.failing = self.failing.max(config.p);
        self.queue.entry(config.p).or_default().push((config, node));
        self.queued += 1;
        None
    }

    fn expand<M: Machine>(
        &mut self,
        space: &mut Space<'_, M>,
        (config, node): &Lead<K>,
        placed: &mut Vec<Placed>,
    ) -> Option<Vec<u32>> {
        space.seek(config.p);
        if let Some(rank) = space.out_of_reach(config) {
            self.failing = self.failing.max(rank);
            return None;
        }
        self.configs += 1;
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        space.offer(config, &mut candidates);
        let mut found = None;
        for &candidate in &candidates {
            let mut next = config.clone();
            placed.clear();
            match space.take(&mut next, candidate, placed) {
                Ok(()) => found = self.add(space, next, *node, placed),
                Err(rank) => self.failing = self.failing.max(rank),
            }
            if found.is_some() {
                break;
            }
        }
        self.candidates = candidates;
        found
    }

    /// Forgets what lies behind, and ways that lead nowhere.
    fn tidy<M: Machine>(&mut self, space: &Space<'_, M>, p: u32) {
        if self.memo.len() > self.memo_limit {
            self.memo.retain(&space.regions(), |config| config.p >= p);
            self.memo_limit = (self.memo.len() * 2).max(1 << 12);
        }
        if self.trail.len() > self.trail_limit {
            let ends = self.queue.values_mut().flatten().map(|(_, node)| node);
            self.trail.compact(ends.chain(std::iter::once(&mut self.furthest)));
            self.trail_limit = (self.trail.len() * 2).max(1 << 14);
        }
    }

    fn fit<M: Machine>(&mut self, space: &Space<'_, M>, control: &Control<'_>) -> bool {
        let bytes = self.memo.bytes_when_grown()
            + self.queued * (size_of::<Lead<K>>() + 8)
            + self.trail.heap_bytes()
            + space.heap_bytes();
        control.claim(&mut self.claimed, bytes)
    }
}

impl<K: Mask, M: Machine> Runner<M> for Breadth<K> {
    fn run(&mut self, space: &mut Space<'_, M>, control: &Control<'_>, quota: u64) -> Found {
        if let Some(stop) = control.stopped() {
            return stop;
        }
        let limit = self.configs.saturating_add(quota);
        let mut placed = Vec::new();
        if !std::mem::replace(&mut self.started, true) {
            match space.start(&mut placed) {
                Ok(config) => {
                    if let Some(witness) = self.add(space, config, Trail::START, &placed) {
                        return Found::Witness(witness);
                    }
                }
                Err(rank) => {
                    self.failing = rank;
                    return Found::Nothing;
                }
            }
        }
        while let Some(mut entry) = self.queue.first_entry() {
            let p = *entry.key();
            let Some(lead) = entry.get_mut().pop() else {
                entry.remove();
                self.tidy(space, p + 1);
                continue;
            };
            self.queued -= 1;
            // Something better may have come in the meantime.
            if !self.memo.contains(&lead.0, &space.regions()) {
                continue;
            }
            if let Some(witness) = self.expand(space, &lead, &mut placed) {
                return Found::Witness(witness);
            }
            if self.configs.is_multiple_of(1024) {
                if let Some(stop) = control.stopped() {
                    return stop;
                }
                if !self.fit(space, control) {
                    return Found::OutOfMemory;
                }
            }
            if self.configs >= limit {
                return Found::Paused;
            }
        }
        Found::Nothing
    }

    fn configs(&self) -> u64 {
        self.configs
    }

    fn reached(&self) -> u32 {
        self.reached
    }

    fn failing(&self) -> u32 {
        self.failing.max(self.reached)
    }

    fn longest(&self) -> Vec<u32> {
        witness(&self.trail.path(self.furthest))
    }

    fn frontier(&self) -> usize {
        self.queued
    }

    fn release(&mut self, control: &Control<'_>) {
        control.claim(&mut self.claimed, 0);
    }
}
