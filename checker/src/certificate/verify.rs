//! The verifier: does a certificate prove what it claims?
//!
//! *An order* proves a key valid: it holds every completed operation, none was called after a later one of
//! the order had returned, and each result is what the object answers when the operations are done one after
//! the other.
//!
//! *A core* proves it invalid: it is a [consequence] of the history, and no order explains it. All orders are
//! tried, in this way: just before an operation returns, some of those that are open take effect, one after
//! the other, the one that returns among them. (Whatever took effect earlier in some order may as well have
//! waited for the next return: nothing returned in between.) What may be true after a return is thus a set of
//! worlds: which of the operations still open took effect, and the state they led to. No world left: no
//! order.

use std::collections::{BTreeMap, BTreeSet};

use crate::NEVER;
use crate::certificate::consequence::{Consequence, consequence};
use crate::certificate::object::{Model, Op, State};
use crate::certificate::{Broken, Certificate, Proof, Refusal, Rule, Verified};
use crate::history::History;

/// With more worlds at one return, a core counts as too large.
const WORLDS_MAX: usize = if cfg!(test) { 1 << 14 } else { 1 << 17 };

/// Verifies a certificate.
///
/// # Errors
/// When it does not prove what it claims: the first rule that it breaks.
pub fn verify(history: &History, certificate: &Certificate) -> Result<Verified, Refusal> {
    let model = certificate.model()?;
    let keys = model.operations(history)?;
    for entry in &certificate.keys {
        let refusal = |broken| Refusal::of(&entry.key, broken);
        let ops = keys.get(entry.key.as_str()).ok_or_else(|| refusal((None, Rule::NoSuchKey)))?;
        match &entry.proof {
            Proof::Valid { order } => replay(ops, order).map_err(refusal)?,
            Proof::Invalid { core, .. } => refute(model, ops, core).map_err(refusal)?,
        }
    }
    certificate.verdict_follows(keys.keys().copied())
}

/// Does every result follow, in this order?
fn replay(ops: &BTreeMap<u64, Op<'_>>, order: &[u64]) -> Result<(), Broken> {
    let mut left: BTreeMap<u64, &Op<'_>> = ops.iter().map(|(&index, op)| (index, op)).collect();
    let (mut state, mut latest_call) = (State::initial(), 0);
    for &index in order {
        let op = left.remove(&index).ok_or((Some(index), Rule::Foreign))?;
        latest_call = latest_call.max(op.call);
        Rule::RealTime.holds_if(op.ret > latest_call, Some(index))?;
        Rule::Replay.holds_if(state.step(&op.action), Some(index))?;
    }
    let completed = left.values().find(|op| op.ret != NEVER);
    Rule::LeftOut.holds_if(completed.is_none(), completed.map(|op| op.index))
}

/// Does the history imply the core, although that has no order?
pub(super) fn refute(model: Model, ops: &BTreeMap<u64, Op<'_>>, core: &[u64]) -> Result<(), Broken> {
    match consequence(model, ops, core)? {
        Consequence::Core(core) => Rule::Linearizable.holds_if(!has_order(&core)?, None),
        Consequence::Miscount => Ok(()),
    }
}

/// The operations come in order of their calls.
fn has_order(ops: &[Op<'_>]) -> Result<bool, Broken> {
    let mut returns: Vec<&Op<'_>> = ops.iter().filter(|op| op.ret != NEVER).collect();
    returns.sort_by_key(|op| op.ret);
    let (mut called, mut open) = (ops.iter().peekable(), Vec::new());
    let mut worlds = BTreeSet::from([(BTreeSet::new(), State::initial())]);
    for now in returns {
        open.extend(std::iter::from_fn(|| called.next_if(|op| op.call < now.ret)));
        let (mut seen, mut after) = (worlds.clone(), BTreeSet::new());
        while let Some((mut done, state)) = worlds.pop_first() {
            if done.remove(&now.index) {
                after.insert((done, state));
                continue;
            }
            for op in &open {
                let mut world = (done.clone(), state.clone());
                let possible = world.0.insert(op.index) && world.1.step(&op.action);
                if possible && seen.insert(world.clone()) {
                    worlds.insert(world);
                }
            }
            Rule::TooLarge.holds_if(seen.len() <= WORLDS_MAX, None)?;
        }
        open.retain(|op| op.index != now.index);
        worlds = after;
    }
    Ok(!worlds.is_empty())
}
