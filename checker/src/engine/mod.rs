//! The linearizability engine: a problem, its three possible answers, and an independent verifier.
//!
//! Wing & Gong's search ("Testing and verifying concurrent objects", 1993) with Lowe's just-in-time
//! linearization and state caching ("Testing for linearizability", 2017), and with a *gap cursor*, which
//! seems to be new. One problem is one object; partitioning by key is the caller's (Herlihy & Wing's locality).
//! The engine knows no workload: see [`Machine`].
//!
//! # Configurations
//!
//! Returned operations are numbered by return (*rank*). A configuration has accounted for all ranks below
//! `p` and for some (`done`) of those *open*: called before rank p's return. Nothing called later may come
//! before rank p, so it is enough to look at what is open; and a step that does not help rank p can wait
//! (*just in time*).
//!
//! # The gap
//!
//! Let an *overwrite* be an operation that is possible in every state and leaves the same state behind
//! whatever was before (a plain write). Directly before an overwrite `w` anything may be inserted that begins
//! with an overwrite, without a consequence for what comes after `w`: `w` hides it. So when `w` takes effect, the
//! overwrites open at that time need not be decided on. They stay optional until they return. What is placed
//! *in the gap* before `w` is decided when something in need of it is due; a configuration keeps, in place of
//! all those choices, one number: when the last overwrite took effect (`gap`).
//!
//! Precisely, a configuration is *good* if what is not accounted for splits into Γ and Φ: Γ consists of
//! operations called before `gap`, and can be carried out in groups that begin with an overwrite, or are single
//! operations possible in every state; Φ can be carried out from `state`, respecting real time. Γ then fits
//! directly before the last overwrite: all its members were open then, and have not returned yet.
//! The history is linearizable iff the first configuration is good (Γ empty).
//!
//! **Claim.** From a good configuration one of the steps offered leads to a good one.
//! *Proof.* Rank p is in Γ or Φ. If in Γ, carry out its group in the gap (a chain that begins with an overwrite;
//! `Cursor::Gap` remembers how far it got). If in Φ = x₁ … x_k p …, let x_j be the last overwrite among
//! x₁ … x_k p. Without one, or if x₁ is none, take x₁ now. Else take x_j now: x₁ … x_{j-1} begin with an overwrite
//! and were called before now, so they join Γ, whose members all were, too. What follows x_j up to p are no
//! overwrites. ∎ So from each configuration at most one overwrite takes effect before `p` moves on, and it
//! is rank p itself, or leads to it by operations that are no overwrites.
//!
//! # Rules
//!
//! Each loses no linearization. [`Rules`] switches them off one by one, for tests and to measure them.
//!
//! 1. *Eager reads*: an operation that changes nothing takes effect as soon as it fits the state, now or
//!    in the gap. Moving it there from wherever a linearization has it changes no state.
//! 2. *Gap*: as above. An overwrite that is due and was open at the gap may have happened there, unseen.
//! 3. *Dominance*: of two configurations with equal `p`, state and other operations done, the first can do all
//!    that the second can if it has read more, used up fewer overwrites and fewer crashed operations, and has
//!    the later gap: it takes the same steps, leaving out reads it has done. (An overwrite it has and the other
//!    has used up was open at its gap: it may be left to the gap when it is due.)
//! 4. *Symmetry*: of operations with equal actions that could take a step, the one that returns first does,
//!    and a crashed one only after those that return: exchanging them in a linearization keeps it one. Operations
//!    from before and from after the gap are no equals, unless the step is an overwrite, which moves the gap.
//! 5. *Supply*: when a state is left or one of its sources used up, the first rank that still requires the
//!    state must find a source: open and not used up, or called before that rank returns. Holds if all sources
//!    are known ([`produces`](crate::model::Machine::produces)).
//! 6. *Reach*: where states only grow (a string that is appended to), a configuration is given up when the
//!    next operations in need cannot get their states from the present one, nor from an overwrite still to
//!    come. And all states from which nothing needed can be reached are one: *garbage*. What is possible in garbage is
//!    possible anywhere, so a step into it waits until it is due.
//! 7. *Lazy crashes*: a crashed update takes effect only if what follows it depends on the state that it
//!    gives; otherwise the linearization without it is as good.
//!
//! # Two strategies
//!
//! Both visit the same configurations by the same steps. *Depth first* finds witnesses; *breadth first* by return
//! dies at the failing return without going over what lies before it again, and sees more dominance, because all
//! configurations of one `p` are there together. They take turns on one thread ([`search`]) or run side by side
//! ([`search_parallel`]); the first exact answer is the answer. Breadth first keeps the ways it went as a tree, cut
//! back to those that are still alive, so it has a witness, too; what all ways share is committed. At
//! moments of rest whose state is certain the history is taken apart altogether (`segments`).
//!
//! # Budgets
//!
//! A table that would exceed the memory budget forgets its older half: forgetting a visited
//! configuration costs a second visit, never an answer. Only when nothing is left to forget, or when time or the number
//! of configurations runs out, the answer is unknown, with the reason. A panic of the model passes through; no
//! answer is made of it.

mod breadth;
mod config;
mod depth;
mod lookahead;
mod mask;
mod memo;
mod offer;
mod prefix;
mod prep;
mod race;
mod rules;
mod segments;
mod space;
mod spent;
#[cfg(test)]
mod tests;
mod trail;
mod verify;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::LinOp;
use crate::model::Machine;

pub use prefix::{Failure, first_failure, first_failure_within, until};
pub use rules::Rules;
pub use segments::search_parallel;
pub use verify::{WitnessError, verify_replay, verify_witness};

/// What a search may spend.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Configurations to visit.
    pub max_configs: u64,
    /// Memory shared with the other searches.
    pub memory: &'a Memory,
}

/// A byte budget that several searches draw on. Sizes are estimates from table capacities.
#[derive(Debug)]
pub struct Memory {
    max_bytes: usize,
    used: AtomicUsize,
}

impl Memory {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, used: AtomicUsize::new(0) }
    }

    /// Replaces a search's earlier claim by a new one; false when the budget is exceeded.
    fn reclaim(&self, earlier: usize, now: usize) -> bool {
        let before = self.used.fetch_add(now, Ordering::Relaxed);
        self.used.fetch_sub(earlier, Ordering::Relaxed);
        (before + now).saturating_sub(earlier) <= self.max_bytes
    }

    /// True when so many bytes more would fit.
    fn holds(&self, bytes: usize) -> bool {
        self.used.load(Ordering::Relaxed).saturating_add(bytes) <= self.max_bytes
    }

    /// The budget in MiB, for messages.
    #[must_use]
    pub fn max_mib(&self) -> usize {
        self.max_bytes >> 20
    }
}

/// The answer to a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Linearizable.
    Valid {
        /// The operations (indices into the problem) in an order that explains every output. Operations
        /// without a return that do not appear never took effect.
        witness: Vec<u32>,
    },
    /// Not linearizable.
    Invalid {
        /// Where it fails, if the method that found out tells. The operation is one with whose return the
        /// history certainly fails; [`first_failure`] finds the first such one.
        failure: Option<Failure>,
    },
    /// A budget ran out.
    Unknown {
        /// Which, and how far the search had come.
        reason: String,
    },
}

impl Answer {
    /// True for [`Answer::Invalid`] only.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }
}

/// In which order the configurations are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The likeliest first: best at finding an order.
    Depth,
    /// Return by return: best at finding out that there is none.
    Breadth,
    /// Both in turns.
    #[default]
    Race,
}

/// Decides whether `ops` can be ordered so that `machine` explains every outcome.
///
/// The answer is exact unless it is [`Answer::Unknown`].
pub fn search<M: Machine>(machine: &mut M, ops: &[LinOp<M::Action>], limits: &Limits<'_>) -> Answer {
    search_by(machine, ops, limits, Strategy::Race, Rules::ALL).0
}

/// [`search`] by one strategy, and with some rules of your choice. Also gives the number of configurations
/// visited.
pub fn search_by<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    limits: &Limits<'_>,
    strategy: Strategy,
    rules: Rules,
) -> (Answer, u64) {
    segments::one_by_one(machine, ops, limits, strategy, rules)
}
