//! What can be known of a configuration's future: rules 5 (supply), 6 (reach) and 7 (lazy crashes).

use crate::NEVER;
use crate::engine::config::{Config, Cursor};
use crate::engine::mask::Mask;
use crate::engine::prep::{ActionInfo, GARBAGE, Kind, NONE, small};
use crate::engine::space::Space;
use crate::model::Machine;

impl<M: Machine> Space<'_, M> {
    /// Rule 5. The first rank in need of `token` must get it from somewhere: the present state, a source
    /// that is open and not used up, or one that is called before that rank returns.
    pub(super) fn supplied<K: Mask>(&self, config: &Config<K>, token: u32) -> Result<(), u32> {
        if !self.rules.supply || self.prep.open_ended || config.state == token {
            return Ok(());
        }
        let Some(need) = self.next_need(config, token) else { return Ok(()) };
        let rank = need as usize;
        if config.cursor == Cursor::Gap(token)
            && self.prep.info(need).kind == Kind::Other
            && self.prep.call_of[rank] < config.gap
        {
            return Ok(());
        }
        let limit = self.prep.ret_of[rank];
        if self.has_source(config, token, limit) { Ok(()) } else { Err(need) }
    }

    /// The first rank that requires `token` and is not done.
    pub(super) fn next_need<K: Mask>(&self, config: &Config<K>, token: u32) -> Option<u32> {
        let needs = self.prep.needs(token);
        let from = needs.partition_point(|&rank| rank < config.p);
        let now = self.prep.ret_of[config.p as usize];
        needs[from..].iter().copied().find(|&rank| {
            // A slot is shared over time: only while its holder is open does the mask speak of it.
            let slot = self.prep.slot_of[rank as usize];
            let open = slot != NONE && self.prep.call_of[rank as usize] < now;
            !(open && config.done.has(slot))
        })
    }

    /// True when an operation called before `limit` may still bring about `token`.
    fn has_source<K: Mask>(&self, config: &Config<K>, token: u32, limit: u32) -> bool {
        let produces = |rank: u32| self.prep.info(rank).produces == Some(token);
        if self.pending(&config.done, &self.prep.blind).any(produces)
            || self.pending(&config.done, &self.prep.other).any(produces)
        {
            return true;
        }
        let now = self.prep.ret_of[config.p as usize];
        let sources = self.prep.sources(token);
        let later = sources.partition_point(|&call| call < now);
        sources.get(later).is_some_and(|&call| call < limit)
            || self
                .prep
                .crashed_sources(token)
                .iter()
                .any(|&class| self.next_crashed(config, class).is_some_and(|(call, _)| call < limit))
    }

    /// Rule 6, for the next few operations in need: what holds for later ones mostly follows. `Some` names
    /// a rank that cannot be reached.
    pub(super) fn out_of_reach<K: Mask>(&self, config: &Config<K>) -> Option<u32> {
        const NEXT: usize = 8;
        if !M::GROWS || !self.rules.reach {
            return None;
        }
        let now = self.prep.ret_of[config.p as usize];
        // Overwrites not yet open come too late for whoever returns before their call.
        let later = self.prep.blind_calls.partition_point(|&call| call < now);
        let horizon = self.prep.blind_calls.get(later).copied().unwrap_or(NEVER);
        let mut from = vec![config.state];
        if let Cursor::Gap(inside) = config.cursor {
            from.push(inside);
        }
        let region = if self.rules.gap { &self.prep.blind } else { &self.prep.other };
        let open = self.pending(&config.done, region).map(|rank| self.prep.info(rank));
        from.extend(open.filter(|info| info.overwrites).filter_map(|info| info.produces));
        let classes = 0..small(self.prep.classes.len());
        let crashed = classes.filter(|&class| self.next_crashed(config, class).is_some());
        let crashed = crashed.map(|class| self.prep.class_info(class));
        from.extend(crashed.filter(|info| info.overwrites).filter_map(|info| info.produces));
        from.retain(|&state| state != GARBAGE || !self.prep.collapses);
        let first = self.prep.finders.partition_point(|&rank| rank < config.p);
        let in_need = self.prep.finders[first..].iter().copied().filter(|&rank| {
            let slot = self.prep.slot_of[rank as usize];
            let open = slot != NONE && self.prep.call_of[rank as usize] < now;
            !(open && config.done.has(slot))
        });
        in_need.take(NEXT).take_while(|&rank| self.prep.ret_of[rank as usize] < horizon).find(|&rank| {
            let required = self.prep.info(rank).requires;
            required.is_some_and(|required| !from.iter().any(|&state| self.machine.reaches(state, required)))
        })
    }

    /// The state after an action, when rank `p` is the next to return.
    pub(super) fn step(&mut self, p: u32, state: u32, info: &ActionInfo<M::Action>) -> Option<u32> {
        if !self.prep.collapses {
            return self.machine.step(state, info.action);
        }
        if state == GARBAGE {
            return info.total.then(|| info.produces.unwrap_or(GARBAGE));
        }
        let next = self.machine.step(state, info.action)?;
        Some(self.collapsed(p, next))
    }

    /// The state, or [`GARBAGE`] if no operation from rank `p` on needs it or what can grow from it.
    pub(super) fn collapsed(&mut self, p: u32, state: u32) -> u32 {
        if !self.prep.collapses || state == GARBAGE {
            return state;
        }
        // The search goes back as well: what was not needed from some rank on may be from an earlier one.
        let needed_by = match self.needed_by.get(&state) {
            Some(&(from, known)) if known.map_or(from <= p, |rank| p <= rank) => known,
            Some(_) | None => {
                let found = self.find_need(p, state);
                self.needed_by.insert(state, (p, found));
                found
            }
        };
        if needed_by.is_some() { state } else { GARBAGE }
    }

    /// A rank from `p` on that may need the state, or what can grow from it. Looks at so many at most; past
    /// that the state counts as needed, until the search has come that far.
    fn find_need(&self, p: u32, state: u32) -> Option<u32> {
        const LOOK_AT: usize = 4096;
        let finders = &self.prep.finders;
        let left = &finders[finders.partition_point(|&rank| rank < p)..];
        let required = |rank: u32| self.prep.info(rank).requires;
        let needs = |rank: u32| required(rank).is_some_and(|required| self.machine.reaches(state, required));
        let found = left.iter().take(LOOK_AT).copied().find(|&rank| needs(rank));
        found.or_else(|| left.get(LOOK_AT).copied())
    }

    /// Rule 7: true when something that depends on the state could come directly after `next` arises.
    pub(super) fn is_needed<K: Mask>(&mut self, config: &Config<K>, next: u32) -> bool {
        for word in 0..self.prep.words {
            let regions = self.prep.pure[word] | self.prep.other[word];
            let pending = self.window.open[word] & !config.done.words()[word] & regions;
            for slot in crate::engine::mask::slots_of(word, pending) {
                let info = *self.prep.info(self.window.holder[slot]);
                if self.step(config.p, next, &info).is_some() {
                    return true;
                }
            }
        }
        self.crashed_others_fit(config, next)
    }

    /// True when a crashed operation, no overwrite, is left that is possible in the state.
    pub(super) fn crashed_others_fit<K: Mask>(&mut self, config: &Config<K>, state: u32) -> bool {
        let now = self.prep.ret_of[config.p as usize];
        let prep = self.prep;
        let known = prep.crashed_needs(state);
        known.iter().chain(&prep.crashed_needing_unknown).any(|&class| {
            self.next_crashed(config, class).is_some_and(|(call, _)| call < now)
                && self.step(config.p, state, prep.class_info(class)).is_some()
        })
    }
}
