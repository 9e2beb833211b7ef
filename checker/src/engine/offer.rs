//! Which steps are worth trying from a configuration, and in which order. See [`engine`](crate::engine)
//! for why the others are not.

use crate::engine::config::{Candidate, Config, Cursor, Step};
use crate::engine::mask::{Mask, slots_of};
use crate::engine::prep::{GARBAGE, Kind};
use crate::engine::space::Space;
use crate::model::Machine;

/// Indices into `Scratch::offered`.
const OLD: usize = 0;
const NEW: usize = 1;
const GAP: usize = 2;

impl<M: Machine> Space<'_, M> {
    /// Appends the steps from a configuration, best first.
    pub(super) fn offer<K: Mask>(&mut self, config: &Config<K>, out: &mut Vec<Candidate>) {
        let start = out.len();
        self.seek(config.p);
        self.scratch.stamp += 1;
        let p = config.p;
        if let Cursor::Gap(inside) = config.cursor {
            if config.done.has(self.prep.slot_of[p as usize]) {
                out.push(Candidate { urgency: 0, next: config.state, step: Step::Leave });
            }
            self.offer_others_in_gap(config, inside, out);
            return;
        }
        let info = *self.prep.info(p);
        let stay = self.rules.order && self.stays(config, info.requires.or(info.produces));
        match info.kind {
            Kind::Blind => self.offer_due_overwrite(config, stay, out),
            Kind::Pure | Kind::Other => self.offer_overwrites(config, stay, out),
        }
        self.offer_others(config, info.kind, out);
        self.offer_crashed_others(config, info.kind, out);
        if self.rules.order {
            out[start..].sort_by_key(|candidate| candidate.urgency);
        }
    }

    /// True if the present state looks more useful than `wanted`: it is needed, and sooner.
    fn stays<K: Mask>(&self, config: &Config<K>, wanted: Option<u32>) -> bool {
        let Some(need) = self.next_need(config, config.state) else { return false };
        let Some(wanted) = wanted else { return true };
        let now = self.prep.ret_of[config.p as usize];
        let needs = self.prep.needs(wanted);
        let from = needs.partition_point(|&rank| rank <= config.p);
        let other = needs[from..].iter().find(|&&rank| self.prep.call_of[rank as usize] > now);
        other.is_none_or(|&other| need < other)
    }

    /// An overwrite is due: it takes effect now, or it did in the gap.
    fn offer_due_overwrite<K: Mask>(&mut self, config: &Config<K>, stay: bool, out: &mut Vec<Candidate>) {
        let p = config.p;
        let next = self.prep.info(p).produces.expect("known of overwrites");
        let covered = self.prep.call_of[p as usize] < config.gap;
        // Back to the same state: the gap moves up, and nothing is lost.
        if config.cursor == Cursor::Still && covered && next != config.state {
            out.push(Candidate { urgency: if stay { 0 } else { 40 }, next, step: Step::Before(p) });
        }
        out.push(Candidate { urgency: 30, next, step: Step::Now(p) });
    }

    /// Something is due that depends on the state: overwrites may bring that about, now or in the gap.
    fn offer_overwrites<K: Mask>(&mut self, config: &Config<K>, stay: bool, out: &mut Vec<Candidate>) {
        let p = config.p as usize;
        let may_now = config.cursor != Cursor::Overwrote;
        let may_before = config.cursor == Cursor::Still && self.prep.call_of[p] < config.gap;
        if may_before && self.prep.info(config.p).total {
            let step = Step::Unseen(config.p);
            out.push(Candidate { urgency: 0, next: config.state, step });
        }
        if !may_now && !may_before {
            return;
        }
        let any = self.find_targets(config);
        let mut ranks = std::mem::take(&mut self.scratch.ranks);
        ranks.clear();
        ranks.extend(self.pending(&config.done, &self.prep.blind));
        ranks.sort_unstable();
        let (before, at) = if stay { (10, 30) } else { (40, 30) };
        for &rank in &ranks {
            let info = self.prep.info(rank);
            let next = info.produces.expect("known of overwrites");
            if !self.leads_on(config, next, any) {
                continue;
            }
            let action = self.prep.action_of[rank as usize];
            if may_now && self.first(NEW, action) {
                out.push(Candidate { urgency: at, next, step: Step::Now(rank) });
            }
            if may_before && self.prep.call_of[rank as usize] < config.gap && self.first(GAP, action) {
                out.push(Candidate { urgency: before, next, step: Step::Before(rank) });
            }
        }
        self.scratch.ranks = ranks;
        self.offer_crashed_overwrites(config, any, (may_now, may_before), out);
    }

    fn offer_crashed_overwrites<K: Mask>(
        &mut self,
        config: &Config<K>,
        any: bool,
        (may_now, may_before): (bool, bool),
        out: &mut Vec<Candidate>,
    ) {
        let now = self.prep.ret_of[config.p as usize];
        let mut classes = std::mem::take(&mut self.scratch.classes);
        classes.clear();
        if any {
            classes.extend_from_slice(&self.prep.crashed_blind);
        } else {
            let sources = |&target: &u32| self.prep.crashed_sources(target);
            classes.extend(self.scratch.targets.iter().flat_map(sources));
        }
        for &class in &classes {
            let info = *self.prep.class_info(class);
            let (Kind::Blind, Some(next)) = (info.kind, info.produces) else { continue };
            let Some((call, _)) = self.next_crashed(config, class) else { continue };
            if call >= now || !self.leads_on(config, next, any) {
                continue;
            }
            let action = self.prep.classes[class as usize].action;
            if may_now && self.first(NEW, action) {
                out.push(Candidate { urgency: 60, next, step: Step::NowCrashed(class) });
            }
            if may_before && call < config.gap && self.first(GAP, action) {
                out.push(Candidate { urgency: 50, next, step: Step::BeforeCrashed(class) });
            }
        }
        self.scratch.classes = classes;
    }

    /// The states from which what is due can be reached without another overwrite, found backwards;
    /// true if the model does not tell enough for that.
    fn find_targets<K: Mask>(&mut self, config: &Config<K>) -> bool {
        let mut targets = std::mem::take(&mut self.scratch.targets);
        targets.clear();
        let mut any = !self.prep.crashed_giving_unknown.is_empty();
        match self.prep.info(config.p).requires {
            Some(required) => targets.push(required),
            None => any = true,
        }
        let mut at = 0;
        while at < targets.len() && !any {
            let target = targets[at];
            at += 1;
            let mut reach = |requires: Option<u32>| match requires {
                Some(required) if !targets.contains(&required) => targets.push(required),
                Some(_) => {}
                None => any = true,
            };
            for rank in self.pending(&config.done, &self.prep.other) {
                let info = self.prep.info(rank);
                if info.produces.is_none_or(|product| product == target) {
                    reach(info.requires.filter(|_| info.produces.is_some()));
                }
            }
            let crashed = self.prep.crashed_sources(target);
            for &class in crashed {
                let info = self.prep.class_info(class);
                if info.kind == Kind::Other && self.next_crashed(config, class).is_some() {
                    reach(info.requires);
                }
            }
        }
        self.scratch.targets = targets;
        any
    }

    /// True when something that depends on the state, and may lead to what is due, can follow `next`.
    fn leads_on<K: Mask>(&mut self, config: &Config<K>, next: u32, any: bool) -> bool {
        if !any {
            return self.scratch.targets.contains(&next);
        }
        let prep = self.prep;
        if self.step(config.p, next, prep.info(config.p)).is_some() {
            return true;
        }
        for word in 0..self.prep.words {
            let pending = self.window.open[word] & !config.done.words()[word] & self.prep.other[word];
            for slot in slots_of(word, pending) {
                if self.step(config.p, next, prep.info(self.window.holder[slot])).is_some() {
                    return true;
                }
            }
        }
        self.crashed_others_fit(config, next)
    }

    /// Rule 4: true for the first of an action; marks it.
    fn first(&mut self, group: usize, action: u32) -> bool {
        let seen = std::mem::replace(&mut self.scratch.offered[group][action as usize], self.scratch.stamp);
        seen != self.scratch.stamp || !self.rules.symmetry
    }

    /// What leaves garbage behind can wait until it is due: anything that is possible in garbage is
    /// possible anywhere.
    fn is_idle<K>(&self, config: &Config<K>, rank: u32, next: u32) -> bool {
        self.prep.collapses && next == GARBAGE && rank != config.p
    }

    fn sorted_others<K: Mask>(&mut self, config: &Config<K>) -> Vec<u32> {
        let mut ranks = std::mem::take(&mut self.scratch.ranks);
        ranks.clear();
        ranks.extend(self.pending(&config.done, &self.prep.other));
        ranks.sort_unstable();
        ranks
    }

    /// Others may take effect now.
    fn offer_others<K: Mask>(&mut self, config: &Config<K>, due: Kind, out: &mut Vec<Candidate>) {
        let any = config.cursor != Cursor::Overwrote || due == Kind::Blind || self.find_targets(config);
        let ranks = self.sorted_others(config);
        for &rank in &ranks {
            let info = *self.prep.info(rank);
            let is_due = rank == config.p;
            if !any && !is_due && !info.produces.is_some_and(|next| self.scratch.targets.contains(&next)) {
                continue;
            }
            let Some(next) = self.step(config.p, config.state, &info) else { continue };
            if self.is_idle(config, rank, next) {
                continue;
            }
            let group = if self.prep.call_of[rank as usize] < config.gap { OLD } else { NEW };
            if self.first(group, self.prep.action_of[rank as usize]) {
                out.push(Candidate { urgency: if is_due { 5 } else { 20 }, next, step: Step::Now(rank) });
            }
        }
        self.scratch.ranks = ranks;
    }

    /// Crashed others may take effect now, if something needs that.
    fn offer_crashed_others<K: Mask>(&mut self, config: &Config<K>, due: Kind, out: &mut Vec<Candidate>) {
        let now = self.prep.ret_of[config.p as usize];
        let any = config.cursor != Cursor::Overwrote || due == Kind::Blind || self.find_targets(config);
        for class in self.crashed_others(config.state) {
            let info = *self.prep.class_info(class);
            let Some((call, _)) = self.next_crashed(config, class).filter(|&(call, _)| call < now) else {
                continue;
            };
            if !any && !info.produces.is_some_and(|next| self.scratch.targets.contains(&next)) {
                continue;
            }
            let Some(next) = self.step(config.p, config.state, &info) else { continue };
            if next == config.state || (self.rules.lazy && !self.is_needed(config, next)) {
                continue;
            }
            let group = if call < config.gap { OLD } else { NEW };
            if self.first(group, self.prep.classes[class as usize].action) {
                out.push(Candidate { urgency: 70, next, step: Step::NowCrashed(class) });
            }
        }
    }

    fn crashed_others(&self, state: u32) -> Vec<u32> {
        let known = self.prep.crashed_needs(state);
        known.iter().chain(&self.prep.crashed_needing_unknown).copied().collect()
    }

    /// Others may have followed in the gap.
    fn offer_others_in_gap<K: Mask>(&mut self, config: &Config<K>, inside: u32, out: &mut Vec<Candidate>) {
        let ranks = self.sorted_others(config);
        for &rank in &ranks {
            if self.prep.call_of[rank as usize] >= config.gap {
                continue;
            }
            let info = *self.prep.info(rank);
            let Some(next) = self.step(config.p, inside, &info) else { continue };
            if self.is_idle(config, rank, next) {
                continue;
            }
            if self.first(GAP, self.prep.action_of[rank as usize]) {
                let urgency = if rank == config.p { 0 } else { 20 };
                out.push(Candidate { urgency, next, step: Step::Before(rank) });
            }
        }
        self.scratch.ranks = ranks;
        for class in self.crashed_others(inside) {
            let info = *self.prep.class_info(class);
            let available = self.next_crashed(config, class).is_some_and(|(call, _)| call < config.gap);
            let Some(next) = self.step(config.p, inside, &info).filter(|_| available) else { continue };
            if next == inside || (self.rules.lazy && !self.is_needed(config, next)) {
                continue;
            }
            if self.first(GAP, self.prep.classes[class as usize].action) {
                out.push(Candidate { urgency: 70, next, step: Step::BeforeCrashed(class) });
            }
        }
    }

    /// True when an operation other than an overwrite could follow in the gap.
    pub(super) fn goes_on_in_gap<K: Mask>(&mut self, config: &Config<K>, inside: u32) -> bool {
        for word in 0..self.prep.words {
            let pending = self.window.open[word] & !config.done.words()[word] & self.prep.other[word];
            for slot in slots_of(word, pending) {
                let rank = self.window.holder[slot];
                let info = *self.prep.info(rank);
                if self.prep.call_of[rank as usize] < config.gap
                    && self
                        .step(config.p, inside, &info)
                        .is_some_and(|next| !self.is_idle(config, rank, next))
                {
                    return true;
                }
            }
        }
        self.crashed_others_fit(config, inside)
    }
}
