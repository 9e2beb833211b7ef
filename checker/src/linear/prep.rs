//! Everything about a problem that does not depend on the order under trial.
//!
//! Returned operations are numbered by return order (*rank*). A configuration has linearized all ranks
//! below some `p` and some of the operations *open* at `p`: those called before rank p's return. Each
//! open operation holds a *slot* (the smallest free number), so that a configuration is a few words
//! whatever the length of the history.

use std::collections::{BTreeMap, HashMap};

use crate::linear::LinOp;
use crate::model::Machine;

/// An operation that can be linearized next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) slot: u32,
    pub(super) rank: u32,
}

/// Operations without return and with equal actions: interchangeable but for when they were called.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) action: u32,
    /// (call, operation), earliest call first: that is the order in which they are spent.
    pub(super) members: Vec<(u64, u32)>,
}

/// An interned action and what the model says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActionInfo<A> {
    pub(super) action: A,
    pub(super) pure: bool,
    pub(super) blind: bool,
    pub(super) requires: Option<u32>,
    pub(super) produces: Option<u32>,
}

/// What is known of a state token that operations produce or require.
#[derive(Debug)]
pub(super) struct Demand {
    /// Ranks that require it, in order.
    pub(super) ranks: Vec<u32>,
    /// Latest call among them.
    pub(super) last_call: u64,
    /// At most one operation can bring it about (none, if it is the initial state).
    pub(super) once: bool,
    /// If `once`: earliest return and latest call of its producer and all that require it.
    pub(super) zone: (u64, u64),
}

pub(super) struct Prep<A> {
    pub(super) actions: Vec<ActionInfo<A>>,
    /// rank → operation of the problem
    pub(super) op_of: Vec<u32>,
    /// rank → action
    pub(super) action_of: Vec<u32>,
    pub(super) call_of: Vec<u64>,
    pub(super) ret_of: Vec<u64>,
    /// rank → slot; `u32::MAX` for an operation that returned before it was called (never open).
    pub(super) slot_of: Vec<u32>,
    pub(super) slots: usize,
    open_start: Vec<usize>,
    open_items: Vec<Open>,
    pub(super) classes: Vec<Class>,
    /// Ranks that require one particular state.
    pub(super) finders: Vec<u32>,
    /// Calls of returned blind operations, in order.
    pub(super) blind_calls: Vec<u64>,
    pub(super) demand: HashMap<u32, Demand>,
}

fn small(n: usize) -> u32 {
    u32::try_from(n).expect("a history holds fewer than 2^32 operations")
}

impl<A: Copy + Eq + std::hash::Hash> Prep<A> {
    pub(super) fn new<M: Machine<Action = A>>(machine: &M, ops: &[LinOp<A>]) -> Self {
        let mut ids: HashMap<A, u32> = HashMap::new();
        let mut actions: Vec<ActionInfo<A>> = Vec::new();
        let mut action_of_op = Vec::with_capacity(ops.len());
        for op in ops {
            let id = *ids.entry(op.action).or_insert_with(|| {
                actions.push(ActionInfo {
                    action: op.action,
                    pure: machine.is_pure(op.action),
                    blind: machine.is_blind(op.action),
                    requires: machine.requires(op.action),
                    produces: machine.produces(op.action),
                });
                small(actions.len() - 1)
            });
            action_of_op.push(id);
        }
        let mut by_return: Vec<(u64, u32)> =
            ops.iter().enumerate().filter_map(|(id, op)| op.ret.map(|ret| (ret, small(id)))).collect();
        by_return.sort_unstable();
        let op_of: Vec<u32> = by_return.iter().map(|&(_, id)| id).collect();
        let mut prep = Self {
            action_of: op_of.iter().map(|&id| action_of_op[id as usize]).collect(),
            call_of: op_of.iter().map(|&id| ops[id as usize].call).collect(),
            ret_of: by_return.iter().map(|&(ret, _)| ret).collect(),
            slot_of: vec![u32::MAX; op_of.len()],
            op_of,
            slots: 0,
            open_start: Vec::new(),
            open_items: Vec::new(),
            classes: classes(ops, &action_of_op, &actions),
            finders: Vec::new(),
            blind_calls: Vec::new(),
            demand: HashMap::new(),
            actions,
        };
        let info = |rank: usize| &prep.actions[prep.action_of[rank] as usize];
        let ranks = prep.op_of.len();
        prep.finders = (0..ranks).filter(|&rank| info(rank).requires.is_some()).map(small).collect();
        prep.blind_calls =
            (0..ranks).filter(|&rank| info(rank).blind).map(|rank| prep.call_of[rank]).collect();
        prep.blind_calls.sort_unstable();
        prep.open_sets();
        prep.demands(machine.initial());
        prep
    }

    /// The operations that can be linearized while rank `p` is the next to return, by rank.
    pub(super) fn open(&self, p: usize) -> &[Open] {
        &self.open_items[self.open_start[p]..self.open_start[p + 1]]
    }

    /// Bytes [`Prep::new`] will take, from the number of operations open at each return.
    pub(super) fn bytes_needed(ops: &[LinOp<A>]) -> usize {
        let mut calls: Vec<u64> = ops.iter().filter(|op| op.ret.is_some()).map(|op| op.call).collect();
        let mut rets: Vec<u64> = ops.iter().filter_map(|op| op.ret).collect();
        calls.sort_unstable();
        rets.sort_unstable();
        let (mut called, mut open) = (0_usize, 0_usize);
        for (returned, ret) in rets.iter().enumerate() {
            called += calls[called..].iter().take_while(|&call| call < ret).count();
            open += called.saturating_sub(returned);
        }
        open * size_of::<Open>() + ops.len() * 64
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.open_items.len() * size_of::<Open>() + self.op_of.len() * 40
    }

    fn open_sets(&mut self) {
        let ranks = self.op_of.len();
        let mut by_call: Vec<u32> = (0..small(ranks)).collect();
        by_call.sort_unstable_by_key(|&rank| self.call_of[rank as usize]);
        let mut next = by_call.into_iter().peekable();
        // Slots freed, smallest last.
        let mut free: Vec<u32> = Vec::new();
        let mut current: Vec<Open> = Vec::new();
        self.open_start.push(0);
        for p in 0..ranks {
            while let Some(rank) = next.next_if(|&rank| self.call_of[rank as usize] < self.ret_of[p]) {
                if (rank as usize) < p {
                    continue;
                }
                let slot = free.pop().unwrap_or_else(|| {
                    self.slots += 1;
                    small(self.slots - 1)
                });
                self.slot_of[rank as usize] = slot;
                let at = current.partition_point(|open| open.rank < rank);
                current.insert(at, Open { slot, rank });
            }
            self.open_items.extend_from_slice(&current);
            self.open_start.push(self.open_items.len());
            if current.first().is_some_and(|first| first.rank as usize == p) {
                let slot = current.remove(0).slot;
                let at = free.partition_point(|&other| other > slot);
                free.insert(at, slot);
            }
        }
    }

    fn demands(&mut self, initial: u32) {
        let mut producers: HashMap<u32, u32> = HashMap::from([(initial, 1)]);
        let mut open_ended = false;
        let classes = self.classes.iter().flat_map(|c| std::iter::repeat_n(c.action, c.members.len()));
        for action in self.action_of.iter().copied().chain(classes) {
            let info = &self.actions[action as usize];
            match info.produces {
                Some(token) => *producers.entry(token).or_default() += 1,
                None => open_ended |= !info.pure,
            }
        }
        for (rank, &action) in self.action_of.iter().enumerate() {
            let info = &self.actions[action as usize];
            let (call, ret) = (self.call_of[rank], self.ret_of[rank]);
            if let Some(token) = info.requires {
                let demand = self.demand.entry(token).or_default();
                demand.ranks.push(small(rank));
                demand.last_call = demand.last_call.max(call);
                demand.zone = (demand.zone.0.min(ret), demand.zone.1.max(call));
                demand.once = !open_ended && producers.get(&token).is_none_or(|&count| count <= 1);
            }
            if let Some(token) = info.produces {
                let demand = self.demand.entry(token).or_default();
                demand.zone = (demand.zone.0.min(ret), demand.zone.1.max(call));
            }
        }
    }
}

impl Default for Demand {
    fn default() -> Self {
        Self { ranks: Vec::new(), last_call: 0, once: false, zone: (u64::MAX, 0) }
    }
}

/// Pure operations without a return say nothing and are left out.
fn classes<A>(ops: &[LinOp<A>], action_of_op: &[u32], actions: &[ActionInfo<A>]) -> Vec<Class> {
    let mut members: BTreeMap<u32, Vec<(u64, u32)>> = BTreeMap::new();
    for (id, op) in ops.iter().enumerate() {
        let action = action_of_op[id];
        if op.ret.is_none() && !actions[action as usize].pure {
            members.entry(action).or_default().push((op.call, small(id)));
        }
    }
    members
        .into_iter()
        .map(|(action, mut members)| {
            members.sort_unstable();
            Class { action, members }
        })
        .collect()
}
