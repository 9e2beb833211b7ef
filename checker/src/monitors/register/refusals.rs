//! Places for refused compare-and-sets: each observed, at some time between its call and its return, that a
//! value was *not* there.
//!
//! In a given order of the blocks this is decided exactly (`turns.rs`). But chains that overlap can come in several
//! orders, and a refusal may fit only some of them. So one that does not fit is tied to another chain, as if it
//! had read there: then the block lemma gives an order with that, if there is one. Updates that nobody found
//! out about may help, too. What does not fit after a number of such attempts is left open, unless it is certain
//! that nothing could have been there but the value.

mod plan;

use crate::Position;
use crate::blocks::Zone;
use crate::model::RegAction;
use crate::monitors::register::chains::{Chains, follow};
use crate::monitors::register::collect::{Block, NONE, Values};
use crate::monitors::register::{Fault, RegOp};

use plan::Plan;

/// What attempts may cost, counted in chains or blocks gone through: so much, and more for each operation.
const BUDGET: usize = 1 << 16;
const BUDGET_PER_OPERATION: usize = 64;

/// Blocks in order, and refused operations each with a block in which it can take effect.
pub(super) struct Placed {
    pub(super) turns: Vec<u32>,
    pub(super) refused: Vec<(u32, u32)>,
}

/// No order was found.
pub(super) enum Unplaced {
    Invalid(Fault),
    Open,
}

/// Finds an order of the chains in which every refused operation has a place.
pub(super) fn place(values: &mut Values<'_>, chains: Chains, order: Vec<u32>) -> Result<Placed, Unplaced> {
    let mut plan = Plan::new(values, chains, order);
    match plan.run(values) {
        Ok(()) => Ok(plan.placed(values)),
        Err(stuck) => Repair::new(values, plan).run(stuck),
    }
}

/// The block of the value that a refused operation found to be absent, if the value was ever there.
fn absent(values: &Values<'_>, op: u32) -> Option<u32> {
    match values.ops[op as usize].action {
        RegAction::NotEqual(value) => Some(value).filter(|&value| values.blocks[value as usize].live),
        RegAction::Read(_) | RegAction::Write(_) | RegAction::Cas(..) => None,
    }
}

/// Changes to a plan in which a refused operation does not fit.
struct Repair<'a, 'b> {
    values: &'a mut Values<'b>,
    plan: Plan,
    /// The chain of each block.
    chain_of: Vec<u32>,
    /// Updates that nobody found out about (their blocks), by call.
    unnoticed: Vec<u32>,
    undos: Vec<Change>,
}

/// Something that may give a refused operation a place.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// This chain gets this zone.
    Rezone(usize, Zone),
    /// The last chain, of an update nobody found out about, is added (a block and its zone), or removed.
    Add(u32, Zone),
    Remove,
    /// An unnoticed compare-and-set ends the first block: the second follows it; the chain gets this zone.
    Link(u32, u32, usize, Zone),
    Unlink(u32, usize, Zone),
}

impl<'a, 'b> Repair<'a, 'b> {
    fn new(values: &'a mut Values<'b>, plan: Plan) -> Self {
        let mut chain_of = vec![NONE; values.blocks.len()];
        for (chain, &root) in (0..).zip(&plan.chains.roots) {
            follow(values, root).for_each(|block| chain_of[block as usize] = chain);
        }
        let is_unnoticed = |block: &Block| !block.live && block.source_op().is_some();
        let unnoticed = (0..).zip(&values.blocks).filter(|(_, block)| is_unnoticed(block)).map(|(at, _)| at);
        let mut unnoticed: Vec<u32> = unnoticed.collect();
        unnoticed.sort_unstable_by_key(|&at| values.blocks[at as usize].call);
        Self { values, plan, chain_of, unnoticed, undos: Vec::new() }
    }

    fn run(mut self, mut stuck: Vec<u32>) -> Result<Placed, Unplaced> {
        let mut budget = BUDGET + BUDGET_PER_OPERATION * self.values.ops.len();
        while let Some(change) = self.next_change(&mut stuck, &mut budget) {
            self.undos.push(change);
            if stuck.is_empty() {
                return Ok(self.plan.placed(self.values));
            }
        }
        while let Some(undo) = self.undos.pop() {
            self.apply(undo);
        }
        let certain = |&op: &u32| self.nothing_else_can_have_been_there(op);
        Err(stuck.into_iter().find(certain).map_or(Unplaced::Open, |op| Unplaced::Invalid(Fault::Absent(op))))
    }

    /// Makes a change after which all that returned up to the operation that is stuck fits. Gives what undoes
    /// it; `stuck` is then what does not fit next (nothing: all fits).
    fn next_change(&mut self, stuck: &mut Vec<u32>, budget: &mut usize) -> Option<Change> {
        let returned = |repair: &Self, stuck: &[u32]| -> Position {
            repair.values.ops[*stuck.last().expect("something is stuck") as usize].ret
        };
        let reached = returned(self, stuck);
        for &op in stuck.iter().rev() {
            for change in self.changes(op) {
                *budget = budget.checked_sub(self.cost(change))?;
                let Some(undo) = self.attempt(change) else { continue };
                match self.plan.run(self.values) {
                    Ok(()) => {
                        stuck.clear();
                        return Some(undo);
                    }
                    Err(next) if returned(self, &next) > reached => {
                        *stuck = next;
                        return Some(undo);
                    }
                    Err(_) => self.apply(undo),
                };
            }
        }
        None
    }

    /// Makes a change and gives what undoes it; `None` if it leads to no other order.
    fn attempt(&mut self, change: Change) -> Option<Change> {
        let (chain, zone) = match change {
            Change::Rezone(chain, zone) | Change::Link(_, _, chain, zone) => (chain, zone),
            Change::Add(_, zone) => (NONE as usize, zone),
            Change::Remove | Change::Unlink(..) => unreachable!("these only undo"),
        };
        if self.plan.clashes(chain, zone) {
            return None;
        }
        let turns_before = self.plan.turn_of_chain(chain);
        let undo = self.apply(change);
        if matches!(change, Change::Rezone(..)) && self.plan.turn_of_chain(chain) == turns_before {
            self.apply(undo);
            return None;
        }
        Some(undo)
    }

    /// Makes a change and gives what undoes it.
    fn apply(&mut self, change: Change) -> Change {
        let (values, plan) = (&mut *self.values, &mut self.plan);
        match change {
            Change::Rezone(chain, zone) => Change::Rezone(chain, plan.rezone(values, chain, zone)),
            Change::Add(block, zone) => {
                values.blocks[block as usize].live = true;
                self.chain_of[block as usize] = plan.add(values, block, zone);
                Change::Remove
            }
            Change::Remove => {
                let (block, zone) = plan.remove(values);
                values.blocks[block as usize].live = false;
                Change::Add(block, zone)
            }
            Change::Link(block, next, chain, zone) => {
                values.blocks[block as usize].next = next;
                values.blocks[next as usize].live = true;
                self.chain_of[next as usize] = self.chain_of[block as usize];
                plan.link(values, block, next);
                Change::Unlink(block, chain, plan.rezone(values, chain, zone))
            }
            Change::Unlink(block, chain, zone) => {
                let zone = plan.rezone(values, chain, zone);
                let next = std::mem::replace(&mut values.blocks[block as usize].next, NONE);
                values.blocks[next as usize].live = false;
                plan.take_out(values, next);
                Change::Link(block, next, chain, zone)
            }
        }
    }

    /// What a change costs: moving a chain is cheap, one more or less moves all behind it.
    fn cost(&self, change: Change) -> usize {
        match change {
            Change::Rezone(..) => self.plan.chains.zones.len(),
            Change::Add(..) | Change::Remove | Change::Link(..) | Change::Unlink(..) => self.chain_of.len(),
        }
    }

    /// The changes that may give `op` a place.
    fn changes(&self, op: u32) -> Vec<Change> {
        let (values, chains) = (&*self.values, &self.plan.chains);
        let RegOp { call, ret, .. } = values.ops[op as usize];
        let Some(block) = absent(values, op) else { return Vec::new() };
        let here = Zone { first_return: ret, last_call: call };
        let own = self.chain_of[block as usize] as usize;
        let own_zone = chains.zones[own];
        let clash = |a: Zone, b: Zone| a.must_precede(b) && b.must_precede(a);
        let mut changes = Vec::new();
        // The value comes only after the call.
        let later = Zone { last_call: own_zone.last_call.max(call), ..own_zone };
        if later != own_zone && call < values.blocks[block as usize].zone().first_return {
            changes.push(Change::Rezone(own, later));
        }
        // Another value is there at that time.
        for (chain, (&root, &zone)) in chains.roots.iter().zip(&chains.zones).enumerate() {
            let with = zone.join(here);
            if with != zone
                && chain != own
                && !clash(with, own_zone)
                && values.blocks[root as usize].call < ret
            {
                changes.push(Change::Rezone(chain, with));
            }
        }
        self.helpers(call, ret, &mut |helper, action| {
            let zone = values.blocks[helper as usize].source_zone();
            match action {
                RegAction::Write(_) if !clash(zone.join(here), own_zone) => {
                    changes.push(Change::Add(helper, zone.join(here)));
                }
                RegAction::Cas(old, _) if old == block && values.blocks[block as usize].next == NONE => {
                    changes.push(Change::Link(block, helper, own, own_zone.join(zone)));
                }
                RegAction::Cas(..) | RegAction::Read(_) | RegAction::NotEqual(_) | RegAction::Write(_) => {}
            }
        });
        changes
    }

    /// Updates that nobody found out about and that may have happened between `call` and `ret`. Of the writes called
    /// before `call` the last will do: it can do all that the others can, which are left to those who come earlier.
    fn helpers(&self, call: Position, ret: Position, each: &mut impl FnMut(u32, RegAction)) {
        let values = &*self.values;
        let mut written = false;
        let end = self.unnoticed.partition_point(|&at| values.blocks[at as usize].call < ret);
        for &at in self.unnoticed[..end].iter().rev().filter(|&&at| !values.blocks[at as usize].live) {
            let block = &values.blocks[at as usize];
            let action = values.ops[block.source_op().expect("an update") as usize].action;
            if matches!(action, RegAction::Write(_))
                && block.call < call
                && std::mem::replace(&mut written, true)
            {
                continue;
            }
            each(at, action);
        }
    }

    /// The value was there when `op` was called, and everything else that was called before it returned is
    /// certainly placed ahead of the value. (Of a plan without changes.)
    fn nothing_else_can_have_been_there(&self, op: u32) -> bool {
        let (values, chains) = (&*self.values, &self.plan.chains);
        let RegOp { call, ret, .. } = values.ops[op as usize];
        let Some(block) = absent(values, op) else { return false };
        let own = self.chain_of[block as usize] as usize;
        let block = &values.blocks[block as usize];
        block.zone().first_return < call
            && values.blocks.get(block.next as usize).is_none_or(|next| next.call > ret)
            && !self.unnoticed.iter().any(|&update| values.blocks[update as usize].call < ret)
            && chains.roots.iter().zip(&chains.zones).enumerate().all(|(chain, (&root, zone))| {
                chain == own
                    || values.blocks[root as usize].call > ret
                    || zone.must_precede(chains.zones[own])
            })
    }
}
