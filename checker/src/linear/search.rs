//! The search itself: depth first over configurations, each visited at most once.
//!
//! A configuration is `(p, state, mask, spent)`: all ranks below `p` are linearized, `mask` says which
//! of the operations open at `p` are too, `spent` which operations without return were used. Six rules
//! keep the tree small; each loses no linearization:
//!
//! 1. *Eager reads*: a pure operation that fits the state is linearized at once. Moving it forward to
//!    here in any completion changes no state.
//! 2. *Just in time* (Lowe): rank `p` is the next return; nothing called after it may come before it.
//! 3. *Thrift*: of two configurations equal but for `spent`, the one that spent less can do all the
//!    other can.
//! 4. *Symmetry*: of open operations with equal actions the one that returns first goes first; one
//!    without return only if none with a return is open.
//! 5. *Once*: a state that cannot come again is not left while something still needs it.
//! 6. *Reach*: where states only grow, a configuration is given up when one of the next operations that
//!    need a certain state cannot get it, from here or from a blind operation still to come.
//! 7. *Lazy crashes*: an update without return is tried last, and only directly before an operation
//!    that needs the state it gives. (If what follows it would do as well without, so would the rest.)

use std::time::Instant;

use crate::linear::mask::Mask;
use crate::linear::prep::{Open, Prep};
use crate::linear::table::{Spent, Trail, Visited};
use crate::linear::{Answer, Limits, LinOp};
use crate::model::Machine;

/// Decides whether `ops` can be ordered so that `machine` explains every outcome.
///
/// The answer is exact unless it is [`Answer::Unknown`].
pub fn search<M: Machine>(machine: &mut M, ops: &[LinOp<M::Action>], limits: &Limits<'_>) -> Answer {
    if !limits.memory.holds(Prep::<M::Action>::bytes_needed(ops)) {
        let reason = format!("the memory limit of {} MiB is too small to start", limits.memory.max_mib());
        return Answer::Unknown { reason };
    }
    let prep = Prep::new(machine, ops);
    if prep.slots <= 64 {
        Search::<M, u64>::new(machine, &prep, limits).run()
    } else {
        Search::<M, Box<[u64]>>::new(machine, &prep, limits).run()
    }
}

#[derive(Debug, Clone)]
struct Config<K> {
    p: u32,
    state: u32,
    spent: u32,
    trail: u32,
    mask: K,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Open(Open),
    Crashed(u32),
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// Position before which it should happen; smallest first.
    urgency: u64,
    next: u32,
    step: Step,
}

struct Frame<K> {
    config: Config<K>,
    /// Its candidates, in the shared stack.
    next: usize,
    end: usize,
}

struct Search<'a, M: Machine, K> {
    machine: &'a mut M,
    prep: &'a Prep<M::Action>,
    limits: &'a Limits<'a>,
    visited: Visited<K>,
    spent: Spent,
    trail: Trail,
    frames: Vec<Frame<K>>,
    candidates: Vec<Candidate>,
    /// Action → the configuration number at which it was last offered (rule 4).
    offered: Vec<u64>,
    configs: u64,
    claimed: usize,
    furthest: u32,
}

impl<'a, M: Machine, K: Mask> Search<'a, M, K> {
    fn new(machine: &'a mut M, prep: &'a Prep<M::Action>, limits: &'a Limits<'a>) -> Self {
        Self {
            machine,
            prep,
            limits,
            visited: Visited::new(),
            spent: Spent::new(),
            trail: Trail::default(),
            frames: Vec::new(),
            candidates: Vec::new(),
            offered: vec![0; prep.actions.len()],
            configs: 0,
            claimed: 0,
            furthest: 0,
        }
    }

    fn run(mut self) -> Answer {
        let answer = self.explore();
        self.limits.memory.reclaim(self.claimed, 0);
        answer
    }

    fn explore(&mut self) -> Answer {
        let start = Config {
            p: 0,
            state: self.machine.initial(),
            spent: Spent::NONE,
            trail: Trail::START,
            mask: K::empty(self.prep.slots),
        };
        let mut entering = Some(start);
        loop {
            if let Some(mut config) = entering.take() {
                self.close(&mut config);
                if config.p as usize == self.prep.op_of.len() {
                    return Answer::Valid { witness: self.trail.path(config.trail) };
                }
                if !self.is_hopeless(&config)
                    && self.visited.insert(
                        config.p,
                        config.state,
                        config.mask.clone(),
                        config.spent,
                        &self.spent,
                    )
                {
                    if let Some(reason) = self.over_budget() {
                        return Answer::Unknown { reason };
                    }
                    self.offer(config);
                }
            }
            let Some(frame) = self.frames.last_mut() else { return Answer::Invalid };
            if frame.next == frame.end {
                self.frames.pop();
                let keep = self.frames.last().map_or(0, |frame| frame.end);
                self.candidates.truncate(keep);
                continue;
            }
            let candidate = self.candidates[frame.next];
            frame.next += 1;
            let config = frame.config.clone();
            entering = Some(self.take(config, candidate));
        }
    }

    /// Linearizes a candidate.
    fn take(&mut self, mut config: Config<K>, candidate: Candidate) -> Config<K> {
        config.state = candidate.next;
        match candidate.step {
            Step::Open(open) => {
                config.mask.set(open.slot as usize);
                config.trail = self.trail.push(config.trail, self.prep.op_of[open.rank as usize]);
            }
            Step::Crashed(class) => {
                let nth = self.spent.count(config.spent, class) as usize;
                let (_, op) = self.prep.classes[class as usize].members[nth];
                config.spent = self.spent.plus_one(config.spent, class);
                config.trail = self.trail.push(config.trail, op);
            }
        }
        config
    }

    /// Rules 1 and 2: eager reads, then past every return that is accounted for, until neither applies.
    fn close(&mut self, config: &mut Config<K>) {
        let ranks = self.prep.op_of.len();
        loop {
            let p = config.p as usize;
            if p == ranks {
                break;
            }
            for &open in self.prep.open(p) {
                let info = &self.prep.actions[self.prep.action_of[open.rank as usize] as usize];
                if info.pure
                    && !config.mask.has(open.slot as usize)
                    && self.machine.step(config.state, info.action).is_some()
                {
                    config.mask.set(open.slot as usize);
                    config.trail = self.trail.push(config.trail, self.prep.op_of[open.rank as usize]);
                }
            }
            let slot = self.prep.slot_of[p];
            if slot == u32::MAX || !config.mask.has(slot as usize) {
                break;
            }
            config.mask.clear(slot as usize);
            config.p += 1;
        }
        self.furthest = self.furthest.max(config.p);
    }

    /// Rule 6, for the next few operations in need: what holds for later ones mostly follows.
    fn is_hopeless(&self, config: &Config<K>) -> bool {
        const NEXT: usize = 8;
        if !M::GROWS {
            return false;
        }
        let p = config.p as usize;
        let now = self.prep.ret_of[p];
        // Blind operations not yet open come too late for whoever returns before their call.
        let later = self.prep.blind_calls.partition_point(|&call| call < now);
        let horizon = self.prep.blind_calls.get(later).copied().unwrap_or(u64::MAX);
        let mut from = vec![config.state];
        for &open in self.prep.open(p) {
            let info = &self.prep.actions[self.prep.action_of[open.rank as usize] as usize];
            if info.blind && !config.mask.has(open.slot as usize) {
                from.extend(info.produces);
            }
        }
        for class in 0..self.prep.classes.len() {
            let info = &self.prep.actions[self.prep.classes[class].action as usize];
            if info.blind && self.available(config, class, u64::MAX) {
                from.extend(info.produces);
            }
        }
        let first = self.prep.finders.partition_point(|&rank| (rank as usize) < p);
        let in_need = self.prep.finders[first..].iter().map(|&rank| rank as usize).filter(|&rank| {
            let is_open = self.prep.call_of[rank] < now;
            !(is_open && config.mask.has(self.prep.slot_of[rank] as usize))
        });
        in_need.take(NEXT).take_while(|&rank| self.prep.ret_of[rank] < horizon).any(|rank| {
            let info = &self.prep.actions[self.prep.action_of[rank] as usize];
            info.requires.is_some_and(|to| !from.iter().any(|&from| self.machine.reaches(from, to)))
        })
    }

    /// Pushes a frame with everything that may be linearized next, most urgent first.
    fn offer(&mut self, config: Config<K>) {
        let start = self.candidates.len();
        if let Leave::Only(only) = self.may_leave(&config) {
            self.offer_open(&config, only);
            self.candidates[start..].sort_unstable_by_key(|c| c.urgency);
            if only.is_none() {
                self.offer_crashed(&config);
            }
        }
        let end = self.candidates.len();
        self.frames.push(Frame { config, next: start, end });
    }

    /// Rule 5. `Only(None)`: anything goes; `Only(rank)`: nothing but that one.
    fn may_leave(&self, config: &Config<K>) -> Leave {
        let Some(demand) = self.prep.demand.get(&config.state).filter(|demand| demand.once) else {
            return Leave::Only(None);
        };
        let p = config.p as usize;
        if demand.last_call > self.prep.ret_of[p] {
            return Leave::Never;
        }
        // Whoever still needs the state is open; the pure ones are done, so these replace the state.
        let from = demand.ranks.partition_point(|&rank| (rank as usize) < p);
        let mut waiting = demand.ranks[from..].iter().filter(|&&rank| {
            let slot = self.prep.slot_of[rank as usize];
            slot == u32::MAX || !config.mask.has(slot as usize)
        });
        match (waiting.next(), waiting.next()) {
            (only, None) => Leave::Only(only.copied()),
            (_, Some(_)) => Leave::Never,
        }
    }

    fn offer_open(&mut self, config: &Config<K>, only: Option<u32>) {
        let p = config.p as usize;
        for &open in self.prep.open(p) {
            let action = self.prep.action_of[open.rank as usize] as usize;
            let info = self.prep.actions[action];
            if info.pure || only.is_some_and(|only| only != open.rank) || config.mask.has(open.slot as usize)
            {
                continue;
            }
            if self.offered[action] == self.configs {
                continue;
            }
            self.offered[action] = self.configs;
            if let Some(next) = self.machine.step(config.state, info.action) {
                let urgency = self.urgency(config, open.rank as usize, next);
                self.candidates.push(Candidate { urgency, next, step: Step::Open(open) });
            }
        }
    }

    /// When the state an operation gives should be there: by the block lemma's order, min(earliest
    /// return, latest call) over the operation and who needs it. Exact where the state comes once, a
    /// guess by the next in need otherwise. A state nobody needs is best over with early.
    fn urgency(&self, config: &Config<K>, rank: usize, next: u32) -> u64 {
        let (call, ret) = (self.prep.call_of[rank], self.prep.ret_of[rank]);
        let Some(demand) = self.prep.demand.get(&next) else { return call };
        if demand.once {
            return demand.zone.0.min(demand.zone.1);
        }
        let from = demand.ranks.partition_point(|&rank| rank < config.p);
        let needs = demand.ranks[from..].iter().map(|&rank| rank as usize).find(|&rank| {
            let slot = self.prep.slot_of[rank];
            // A slot is shared over time: only while its holder is open does the mask speak of it.
            let open = self.prep.call_of[rank] < self.prep.ret_of[config.p as usize];
            !(open && slot != u32::MAX && config.mask.has(slot as usize))
        });
        match needs {
            None => call,
            Some(reader) => ret.min(self.prep.ret_of[reader]).min(call.max(self.prep.call_of[reader])),
        }
    }

    /// Rule 7.
    fn offer_crashed(&mut self, config: &Config<K>) {
        let now = self.prep.ret_of[config.p as usize];
        for class in 0..self.prep.classes.len() {
            if !self.available(config, class, now) {
                continue;
            }
            let info = self.prep.actions[self.prep.classes[class].action as usize];
            if self.offered[self.prep.classes[class].action as usize] == self.configs {
                continue;
            }
            let Some(next) = self.machine.step(config.state, info.action) else { continue };
            if next != config.state && self.is_needed(config, next, now) {
                let class = u32::try_from(class).expect("classes are fewer than operations");
                self.candidates.push(Candidate { urgency: u64::MAX, next, step: Step::Crashed(class) });
            }
        }
    }

    /// True when a crashed operation of the class is left that was called before `now`.
    fn available(&self, config: &Config<K>, class: usize, now: u64) -> bool {
        let id = u32::try_from(class).expect("classes are fewer than operations");
        let nth = self.spent.count(config.spent, id) as usize;
        self.prep.classes[class].members.get(nth).is_some_and(|&(call, _)| call < now)
    }

    /// True when something that depends on the state could come directly after `next` arises.
    fn is_needed(&mut self, config: &Config<K>, next: u32, now: u64) -> bool {
        for &open in self.prep.open(config.p as usize) {
            let info = self.prep.actions[self.prep.action_of[open.rank as usize] as usize];
            if !info.blind
                && !config.mask.has(open.slot as usize)
                && self.machine.step(next, info.action).is_some()
            {
                return true;
            }
        }
        (0..self.prep.classes.len()).any(|class| {
            let info = self.prep.actions[self.prep.classes[class].action as usize];
            !info.blind
                && self.machine.step(next, info.action).is_some()
                && self.available(config, class, now)
        })
    }

    fn over_budget(&mut self) -> Option<String> {
        self.configs += 1;
        if self.configs > self.limits.max_configs {
            return Some(self.gave_up(&format!("the budget of {} configurations", self.limits.max_configs)));
        }
        if self.configs % 1024 != 1 {
            return None;
        }
        if self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Some(self.gave_up("the time limit"));
        }
        let bytes = self.visited.heap_bytes()
            + self.visited.len() * self.frames.first().map_or(0, |frame| frame.config.mask.heap_bytes())
            + self.spent.heap_bytes()
            + self.trail.heap_bytes()
            + self.frames.capacity() * size_of::<Frame<K>>()
            + self.candidates.capacity() * size_of::<Candidate>()
            + self.prep.heap_bytes()
            + self.machine.heap_bytes();
        let fits = self.limits.memory.reclaim(self.claimed, bytes);
        self.claimed = bytes;
        (!fits).then(|| self.gave_up(&format!("the memory limit of {} MiB", self.limits.memory.max_mib())))
    }

    fn gave_up(&self, budget: &str) -> String {
        format!(
            "{budget} ran out after {} configurations, with {} of {} operations ordered",
            self.configs - 1,
            self.furthest,
            self.prep.op_of.len()
        )
    }
}

enum Leave {
    Never,
    Only(Option<u32>),
}
