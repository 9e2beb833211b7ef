//! An order of all blocks, when each of them begins, and changing it a little.

use crate::blocks::Zone;
use crate::model::RegAction;
use crate::monitors::register::chains::Chains;
use crate::monitors::register::collect::{NONE, Values};
use crate::monitors::register::refusals::{Placed, absent};
use crate::monitors::turns::{Due, Turns, Window};
use crate::{NEVER, Position};

/// Chains in an order, their blocks in that order, and the times.
pub(super) struct Plan {
    pub(super) chains: Chains,
    /// Chains, by what the block lemma sorts them by.
    order: Vec<u32>,
    turns: Vec<u32>,
    /// By block; [`NONE`] for those without a place.
    turn_of: Vec<u32>,
    times: Turns,
    refusals: Refusals,
}

impl Plan {
    pub(super) fn new(values: &Values<'_>, chains: Chains, order: Vec<u32>) -> Self {
        let turns = chains.turns(values, &order);
        let mut turn_of = vec![NONE; values.blocks.len()];
        (0..).zip(&turns).for_each(|(turn, &block)| turn_of[block as usize] = turn);
        let times = Turns::new((0..turns.len()).map(|turn| window(values, &turns, turn)).collect());
        let refusals = Refusals::new(values);
        Self { chains, order, turns, turn_of, times, refusals }
    }

    /// Decides the times; or gives the refusals that do not fit together, the one that finds no place last.
    pub(super) fn run(&mut self, values: &Values<'_>) -> Result<(), Vec<u32>> {
        let Self { times, turns, refusals, .. } = self;
        times.run(|turn, at| refusals.due(values, turns[turn], at)).map_err(|stuck| stuck.due)
    }

    /// What was decided.
    pub(super) fn placed(self, values: &Values<'_>) -> Placed {
        let begins = self.times.begins();
        let mut turn = 0;
        let block = |&id: &u32| {
            while turn + 1 < begins.len() && begins[turn + 1] <= values.ops[id as usize].call {
                turn += 1;
            }
            // At its call; or when the value that is there then is over.
            let taken = absent(values, id) == Some(self.turns[turn]);
            (id, self.turns[turn + usize::from(taken)])
        };
        let refused = values.refusals.iter().map(block).collect();
        // An update that nobody found out about and nobody needs may come last: it need not have happened.
        let begun = begins.partition_point(|&at| at != NEVER);
        Placed { turns: self.turns[..begun].to_vec(), refused }
    }

    /// Whether a chain with this zone would have to come both before and after another.
    pub(super) fn clashes(&self, chain: usize, zone: Zone) -> bool {
        let clashes = |other: &Zone| other.must_precede(zone) && zone.must_precede(*other);
        self.chains.zones.iter().enumerate().any(|(other, with)| other != chain && clashes(with))
    }

    /// Gives a chain another zone, and the place in the order that goes with it; gives the zone it had.
    pub(super) fn rezone(&mut self, values: &Values<'_>, chain: usize, zone: Zone) -> Zone {
        let from = self.place_of(chain);
        // Where it goes among the others: one less if it comes from ahead of it.
        let to = self.place_for(zone);
        let to = if to > from { to - 1 } else { to };
        if from != to {
            self.shift(values, from, to);
        }
        std::mem::replace(&mut self.chains.zones[chain], zone)
    }

    /// Moves a chain to another place in the order, and its blocks with it.
    fn shift(&mut self, values: &Values<'_>, from: usize, to: usize) {
        let (first, last) = (from.min(to), from.max(to));
        let (start, end) = (self.begin(first), self.begin(last + 1));
        let moved = self.begin(from + 1) - self.begin(from);
        if from < to {
            self.order[first..=last].rotate_left(1);
            self.turns[start..end].rotate_left(moved);
        } else {
            self.order[first..=last].rotate_right(1);
            self.turns[start..end].rotate_right(moved);
        }
        self.renumber(start, end);
        self.rewindow(values, start, end);
    }

    /// Adds a chain of one block.
    pub(super) fn add(&mut self, values: &Values<'_>, block: u32, zone: Zone) -> u32 {
        let place = self.place_for(zone);
        let turn = self.begin(place);
        let chain = u32::try_from(self.chains.roots.len()).expect("a chain for each block at most");
        self.order.insert(place, chain);
        self.chains.roots.push(block);
        self.chains.zones.push(zone);
        self.insert(values, turn, block);
        chain
    }

    /// Removes the chain that was added last.
    pub(super) fn remove(&mut self, values: &Values<'_>) -> (u32, Zone) {
        self.order.remove(self.place_of(self.chains.roots.len() - 1));
        let block = self.chains.roots.pop().expect("one was added");
        let zone = self.chains.zones.pop().expect("one was added");
        self.take_out(values, block);
        (block, zone)
    }

    /// Puts a block behind the last one of its chain.
    pub(super) fn link(&mut self, values: &Values<'_>, last: u32, block: u32) {
        self.insert(values, self.turn_of[last as usize] as usize + 1, block);
    }

    /// Where the chain begins now, among all blocks.
    pub(super) fn turn_of_chain(&self, chain: usize) -> Option<u32> {
        self.chains.roots.get(chain).map(|&root| self.turn_of[root as usize])
    }

    fn insert(&mut self, values: &Values<'_>, turn: usize, block: u32) {
        self.turns.insert(turn, block);
        self.times.insert(turn);
        self.renumber(turn, self.turns.len());
        self.rewindow(values, turn, turn + 1);
    }

    /// Takes a block out of the order.
    pub(super) fn take_out(&mut self, values: &Values<'_>, block: u32) {
        let turn = std::mem::replace(&mut self.turn_of[block as usize], NONE) as usize;
        self.turns.remove(turn);
        self.times.remove(turn);
        self.renumber(turn, self.turns.len());
        self.rewindow(values, turn, turn);
    }

    /// Where a chain is in the order.
    fn place_of(&self, chain: usize) -> usize {
        let equal = self.place_for(self.chains.zones[chain]);
        let among = self.order[equal..].iter().position(|&other| other as usize == chain);
        equal + among.expect("a chain is where it belongs")
    }

    /// Where in the order a chain with this zone goes.
    fn place_for(&self, zone: Zone) -> usize {
        let zones = &self.chains.zones;
        self.order.partition_point(|&other| zones[other as usize].rank() < zone.rank())
    }

    /// The first turn of the chain at this place in the order.
    fn begin(&self, place: usize) -> usize {
        match self.order.get(place) {
            Some(&chain) => self.turn_of[self.chains.roots[chain as usize] as usize] as usize,
            None => self.turns.len(),
        }
    }

    fn renumber(&mut self, start: usize, end: usize) {
        for turn in start..end {
            self.turn_of[self.turns[turn] as usize] = u32::try_from(turn).expect("a turn for each block");
        }
    }

    /// What a turn may begin after depends on the one ahead of it, so this takes the one at `end` in, too.
    fn rewindow(&mut self, values: &Values<'_>, start: usize, end: usize) {
        let end = self.turns.len().min(end + 1);
        let windows: Vec<Window> = (start..end).map(|turn| window(values, &self.turns, turn)).collect();
        self.times.replace(start, &windows);
    }
}

/// After its source was called, and all that belongs to the block ahead of it; before anything of its own returned.
fn window(values: &Values<'_>, turns: &[u32], turn: usize) -> Window {
    let block = &values.blocks[turns[turn] as usize];
    let ahead = turn.checked_sub(1).map_or(Zone::EMPTY, |ahead| values.blocks[turns[ahead] as usize].zone());
    Window { after: block.call.max(ahead.last_call), before: block.zone().first_return }
}

/// Refused operations by the block of the value that they found to be absent.
struct Refusals {
    by_block: Vec<u32>,
    /// Where those of each block end, by block.
    ends: Vec<u32>,
}

impl Refusals {
    fn new(values: &Values<'_>) -> Self {
        let block = |&id: &u32| match values.ops[id as usize].action {
            RegAction::NotEqual(value) => value as usize,
            RegAction::Read(_) | RegAction::Write(_) | RegAction::Cas(..) => {
                unreachable!("only refusals are refused")
            }
        };
        let mut ends = vec![0_u32; values.blocks.len() + 1];
        values.refusals.iter().for_each(|id| ends[block(id) + 1] += 1);
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        let mut by_block = vec![0; values.refusals.len()];
        for id in &values.refusals {
            let end = &mut ends[block(id)];
            by_block[*end as usize] = *id;
            *end += 1;
        }
        Self { by_block, ends }
    }

    /// Of those that found the value of `block` absent and were called at `at` or later, the first to return.
    fn due(&self, values: &Values<'_>, block: u32, at: Position) -> Due {
        let block = block as usize;
        let start = if block == 0 { 0 } else { self.ends[block - 1] };
        let ids = &self.by_block[start as usize..self.ends[block] as usize];
        let called = ids.iter().filter(|&&id| values.ops[id as usize].call >= at);
        called.map(|&op| Due { ret: values.ops[op as usize].ret, op }).min().unwrap_or(Due::NEVER)
    }
}
