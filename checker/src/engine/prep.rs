//! Everything about a problem that does not depend on the order under trial.
//!
//! Returned operations are numbered by return order (*rank*). A configuration has accounted for all ranks
//! below some `p` and for some of the operations *open* at `p`: those called before rank p's return. Each
//! open operation holds a *slot*, given back when it returns, so that a configuration is a few words
//! whatever the length of the history. Slots are numbered by kind (reads, overwrites, others), so that
//! what is asked of all reads is asked of a few words.

use std::collections::BTreeMap;

use crate::engine::rules::Rules;
use crate::hash::FastMap;
use crate::model::Machine;
use crate::{LinOp, Position};

/// Stands for every state that no operation to come can need, where [`Prep::collapses`].
pub(super) const GARBAGE: u32 = u32::MAX - 1;

/// No rank, no slot.
pub(super) const NONE: u32 = u32::MAX;

/// What an action may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changes nothing: a read.
    Pure,
    /// Possible in every state, and leaves the same state behind whatever was before: an overwrite.
    Blind,
    /// Anything else.
    Other,
}

/// An interned action and what the model says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActionInfo<A> {
    pub(super) action: A,
    pub(super) kind: Kind,
    /// Possible in every state.
    pub(super) total: bool,
    /// Possible in every state, and what it leaves does not depend on it.
    pub(super) overwrites: bool,
    pub(super) requires: Option<u32>,
    pub(super) produces: Option<u32>,
}

/// Operations without return and with equal actions: interchangeable but for when they were called.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) action: u32,
    /// (call, operation), earliest call first: that is the order in which they are spent.
    pub(super) members: Vec<(Position, u32)>,
}

/// Lists by token: a state that operations produce or require.
#[derive(Debug, Default)]
struct ByToken {
    /// Token (dense) → where its list starts.
    start: Vec<u32>,
    items: Vec<u32>,
}

impl ByToken {
    /// Groups (token, item) pairs, in the order in which they come.
    fn new(tokens: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut start = vec![0_u32; tokens + 1];
        pairs.clone().for_each(|(token, _)| start[token as usize + 1] += 1);
        for token in 0..tokens {
            start[token + 1] += start[token];
        }
        let mut items = vec![0; start[tokens] as usize];
        let mut at = start.clone();
        for (token, item) in pairs {
            items[at[token as usize] as usize] = item;
            at[token as usize] += 1;
        }
        Self { start, items }
    }

    fn get(&self, token: Option<&u32>) -> &[u32] {
        token.map_or(&[], |&token| {
            let token = token as usize;
            &self.items[self.start[token] as usize..self.start[token + 1] as usize]
        })
    }
}

pub(super) struct Prep<A> {
    pub(super) actions: Vec<ActionInfo<A>>,
    /// rank → operation of the problem
    pub(super) op_of: Vec<u32>,
    /// rank → action
    pub(super) action_of: Vec<u32>,
    pub(super) call_of: Vec<Position>,
    pub(super) ret_of: Vec<Position>,
    /// rank → slot; [`NONE`] for an operation that returned before it was called (never open).
    pub(super) slot_of: Vec<u32>,
    /// Words of a mask.
    pub(super) words: usize,
    /// Slots of reads, of overwrites, of others.
    pub(super) pure: Vec<u64>,
    pub(super) blind: Vec<u64>,
    pub(super) other: Vec<u64>,
    /// Ranks in the order in which they open; those that open when rank p becomes the next to return are
    /// `opened(p)`.
    by_call: Vec<u32>,
    open_at: Vec<u32>,
    pub(super) classes: Vec<Class>,
    /// Classes of overwrites; of others that do not tell what they require; that do not tell what they produce.
    pub(super) crashed_blind: Vec<u32>,
    pub(super) crashed_needing_unknown: Vec<u32>,
    pub(super) crashed_giving_unknown: Vec<u32>,
    /// state → dense number, if operations produce or require it
    tokens: FastMap<u32, u32>,
    /// Ranks that require it, in order.
    needs: ByToken,
    /// Calls of the returned operations that produce it, in order.
    sources: ByToken,
    /// Classes that produce it.
    crashed_sources: ByToken,
    /// Classes, other than overwrites, that require it.
    crashed_needs: ByToken,
    /// Some update does not tell what state it leaves: the sources of a token are not all known.
    pub(super) open_ended: bool,
    /// Ranks that require one particular state.
    pub(super) finders: Vec<u32>,
    /// Calls of returned overwrites, in order.
    pub(super) blind_calls: Vec<Position>,
    /// States from which nothing that is still needed can be reached are all the same ([`GARBAGE`]).
    pub(super) collapses: bool,
}

pub(super) fn small(n: usize) -> u32 {
    u32::try_from(n).expect("a history holds fewer than 2^32 operations")
}

impl<A: Copy + Eq + std::hash::Hash> Prep<A> {
    pub(super) fn new<M: Machine<Action = A>>(machine: &M, ops: &[LinOp<A>], rules: Rules) -> Self {
        let (actions, action_of_op) = intern(machine, ops, rules);
        let mut by_return: Vec<(Position, u32)> = ops
            .iter()
            .enumerate()
            .filter(|(_, op)| op.returned())
            .map(|(id, op)| (op.ret, small(id)))
            .collect();
        by_return.sort_unstable();
        let op_of: Vec<u32> = by_return.iter().map(|&(_, id)| id).collect();
        let mut prep = Self {
            action_of: op_of.iter().map(|&id| action_of_op[id as usize]).collect(),
            call_of: op_of.iter().map(|&id| ops[id as usize].call).collect(),
            ret_of: by_return.iter().map(|&(ret, _)| ret).collect(),
            slot_of: vec![NONE; op_of.len()],
            op_of,
            words: 0,
            pure: Vec::new(),
            blind: Vec::new(),
            other: Vec::new(),
            by_call: Vec::new(),
            open_at: Vec::new(),
            classes: classes(ops, &action_of_op, &actions),
            crashed_blind: Vec::new(),
            crashed_needing_unknown: Vec::new(),
            crashed_giving_unknown: Vec::new(),
            tokens: FastMap::default(),
            needs: ByToken::default(),
            sources: ByToken::default(),
            crashed_sources: ByToken::default(),
            crashed_needs: ByToken::default(),
            open_ended: false,
            finders: Vec::new(),
            blind_calls: Vec::new(),
            collapses: false,
            actions,
        };
        prep.give_slots();
        prep.find_tokens();
        prep.index_classes();
        if M::GROWS {
            let ranks = 0..small(prep.op_of.len());
            prep.finders = ranks.clone().filter(|&rank| prep.info(rank).requires.is_some()).collect();
            let blind = ranks.filter(|&rank| prep.info(rank).overwrites);
            prep.blind_calls = blind.map(|rank| prep.call_of[rank as usize]).collect();
            prep.blind_calls.sort_unstable();
            // Impossible in garbage, or possible everywhere.
            let tells = |info: &ActionInfo<A>| info.requires.is_some() || info.total;
            prep.collapses = rules.reach
                && rules.gap
                && prep.actions.iter().all(tells)
                && prep.classes.iter().all(|class| prep.actions[class.action as usize].total);
        }
        prep
    }

    pub(super) fn ranks(&self) -> u32 {
        small(self.op_of.len())
    }

    pub(super) fn info(&self, rank: u32) -> &ActionInfo<A> {
        &self.actions[self.action_of[rank as usize] as usize]
    }

    pub(super) fn class_info(&self, class: u32) -> &ActionInfo<A> {
        &self.actions[self.classes[class as usize].action as usize]
    }

    /// The ranks that open when rank `p` becomes the next to return.
    pub(super) fn opened(&self, p: u32) -> &[u32] {
        let p = p as usize;
        &self.by_call[self.open_at[p] as usize..self.open_at[p + 1] as usize]
    }

    /// Bytes that [`Prep::new`] will take for so many operations, roughly.
    pub(super) fn bytes_needed(ops: usize) -> usize {
        ops * 64
    }

    pub(super) fn heap_bytes(&self) -> usize {
        Self::bytes_needed(self.op_of.len()) + self.tokens.len() * 128
    }

    fn give_slots(&mut self) {
        let ranks = self.ranks();
        let mut by_call: Vec<u32> = (0..ranks).collect();
        by_call.sort_unstable_by_key(|&rank| self.call_of[rank as usize]);
        let mut next = by_call.into_iter().peekable();
        // Per kind: slots free, and how many there are.
        let mut free: [Vec<u32>; 3] = Default::default();
        let mut count = [0_u32; 3];
        self.by_call.reserve_exact(self.op_of.len());
        self.open_at.reserve_exact(self.op_of.len() + 1);
        self.open_at.push(0);
        for p in 0..ranks {
            let now = self.ret_of[p as usize];
            while let Some(rank) = next.next_if(|&rank| self.call_of[rank as usize] < now) {
                if rank >= p {
                    let kind = self.info(rank).kind as usize;
                    self.slot_of[rank as usize] = free[kind].pop().unwrap_or_else(|| {
                        count[kind] += 1;
                        count[kind] - 1
                    });
                    self.by_call.push(rank);
                }
            }
            self.open_at.push(small(self.by_call.len()));
            if self.slot_of[p as usize] != NONE {
                free[self.info(p).kind as usize].push(self.slot_of[p as usize]);
            }
        }
        let offset = [0, count[0], count[0] + count[1]];
        for rank in 0..ranks {
            let kind = self.info(rank).kind as usize;
            let slot = &mut self.slot_of[rank as usize];
            if *slot != NONE {
                *slot += offset[kind];
            }
        }
        // One, two, four: what fits a configuration without a detour over the heap.
        let words = ((offset[2] + count[2]) as usize).div_ceil(64).max(1);
        self.words = if words == 3 { 4 } else { words };
        let region = |kind: usize| {
            let mut words = vec![0_u64; self.words];
            (offset[kind]..offset[kind] + count[kind]).for_each(|s| words[s as usize / 64] |= 1 << (s % 64));
            words
        };
        (self.pure, self.blind, self.other) = (region(0), region(1), region(2));
    }

    fn find_tokens(&mut self) {
        // Per action: dense numbers of what it requires and produces (unless it is a read).
        let mut number = |state: Option<u32>| {
            let next = small(self.tokens.len());
            state.map(|state| *self.tokens.entry(state).or_insert(next))
        };
        let uses: Vec<(Option<u32>, Option<u32>)> = self
            .actions
            .iter()
            .map(|info| (number(info.requires), number(info.produces.filter(|_| info.kind != Kind::Pure))))
            .collect();
        let tokens = self.tokens.len();
        let use_of = |rank: u32| uses[self.action_of[rank as usize] as usize];
        let ranks = 0..self.ranks();
        self.needs =
            ByToken::new(tokens, ranks.clone().filter_map(|rank| use_of(rank).0.map(|token| (token, rank))));
        let called = self.by_call.iter();
        let source = |&rank: &u32| use_of(rank).1.map(|token| (token, self.call_of[rank as usize]));
        self.sources = ByToken::new(tokens, called.filter_map(source));
        let classes =
            (0_u32..).zip(self.classes.iter().map(|class| (class.action, uses[class.action as usize])));
        self.crashed_sources = ByToken::new(
            tokens,
            classes.clone().filter_map(|(id, (_, (_, token)))| token.map(|token| (token, id))),
        );
        let others = classes.filter(|(_, (action, _))| self.actions[*action as usize].kind != Kind::Blind);
        self.crashed_needs =
            ByToken::new(tokens, others.filter_map(|(id, (_, (token, _)))| token.map(|token| (token, id))));
        self.open_ended = self.actions.iter().any(|info| info.kind != Kind::Pure && info.produces.is_none());
    }

    /// Ranks that require the state, in order.
    pub(super) fn needs(&self, state: u32) -> &[u32] {
        self.needs.get(self.tokens.get(&state))
    }

    /// Calls of the returned operations that produce the state, in order.
    pub(super) fn sources(&self, state: u32) -> &[Position] {
        self.sources.get(self.tokens.get(&state))
    }

    /// Classes that produce the state.
    pub(super) fn crashed_sources(&self, state: u32) -> &[u32] {
        self.crashed_sources.get(self.tokens.get(&state))
    }

    /// Classes, other than overwrites, that require the state.
    pub(super) fn crashed_needs(&self, state: u32) -> &[u32] {
        self.crashed_needs.get(self.tokens.get(&state))
    }

    fn index_classes(&mut self) {
        for class in 0..small(self.classes.len()) {
            let info = self.class_info(class);
            let (blind, unknown_need, unknown_gift) =
                (info.kind == Kind::Blind, info.requires.is_none(), info.produces.is_none());
            if unknown_gift {
                self.crashed_giving_unknown.push(class);
            }
            if blind {
                self.crashed_blind.push(class);
            } else if unknown_need {
                self.crashed_needing_unknown.push(class);
            }
        }
    }
}

/// Actions, each once, and the one of each operation.
fn intern<M: Machine>(
    machine: &M,
    ops: &[LinOp<M::Action>],
    rules: Rules,
) -> (Vec<ActionInfo<M::Action>>, Vec<u32>) {
    let mut ids: FastMap<M::Action, u32> = FastMap::default();
    let mut actions: Vec<ActionInfo<M::Action>> = Vec::new();
    let mut action_of_op = Vec::with_capacity(ops.len());
    for op in ops {
        let action = op.action;
        let id = *ids.entry(action).or_insert_with(|| {
            let produces = machine.produces(action);
            let kind = if machine.is_pure(action) {
                if rules.eager { Kind::Pure } else { Kind::Other }
            } else if rules.gap && machine.is_blind(action) && produces.is_some() {
                Kind::Blind
            } else {
                Kind::Other
            };
            actions.push(ActionInfo {
                action,
                kind,
                total: rules.gap && machine.is_total(action),
                overwrites: machine.is_blind(action) && produces.is_some(),
                requires: machine.requires(action),
                produces,
            });
            small(actions.len() - 1)
        });
        action_of_op.push(id);
    }
    (actions, action_of_op)
}

/// Pure operations without a return say nothing and are left out.
fn classes<A>(ops: &[LinOp<A>], action_of_op: &[u32], actions: &[ActionInfo<A>]) -> Vec<Class> {
    let mut members: BTreeMap<u32, Vec<(Position, u32)>> = BTreeMap::new();
    for (id, op) in ops.iter().enumerate() {
        let action = action_of_op[id];
        if !op.returned() && actions[action as usize].kind != Kind::Pure {
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
