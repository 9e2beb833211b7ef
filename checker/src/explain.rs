//! From a conflict to a counterexample: operations with their names, nodes and times, the sentence that ties them
//! together, and the faults of that moment.

use crate::check::{Key, Object};
use crate::counterexample::millis;
use crate::faults::faults_during;
use crate::history::{Call, History, Outcome, Shape, Val};
use crate::objects::Function;
use crate::{Class, Conflict, CoreOp, Counterexample, NEVER, Piece};

/// What was explained of a failure.
#[derive(Debug)]
pub(crate) struct Explained {
    /// Class, operations and sentence.
    pub(crate) conflict: Conflict,
    /// Nothing more can be left out.
    pub(crate) minimal: bool,
    /// Operations that are certainly not linearizable on their own, where the sentence speaks of fewer.
    pub(crate) core: Vec<u32>,
}

/// Operations that a counterexample shows: more are no explanation.
const SHOWN_OPS: usize = 12;

/// A counterexample from a conflict.
pub(crate) fn counterexample<O: Object>(
    history: &History,
    key: &Key<'_, O>,
    object: &O,
    explained: &Explained,
) -> Counterexample {
    let conflict = &explained.conflict;
    let core: Vec<u32> = conflict.ops.iter().map(|&op| key.calls[op as usize]).collect();
    let why = render(history, &key.calls, &conflict.sentence, |value| object.value(history, value));
    let mut found = from_core(history, key.name.to_string(), conflict.class, why, core, explained.minimal);
    if found.class == Class::PhantomRead
        && let Some(failed) = failed_source(history, &found.core)
    {
        let op = CoreOp::new(failed);
        found.class = Class::DirtyRead;
        found.why += &format!("; {} (#{}) tried to, and had failed", op.action(), op.index_invoke);
    }
    if explained.core.is_empty() {
        return found;
    }
    Counterexample { core: explained.core.iter().map(|&op| key.calls[op as usize]).collect(), ..found }
}

/// The call that failed to write what one of these calls saw.
fn failed_source<'h>(history: &'h History, core: &[u32]) -> Option<Call<'h>> {
    let values = &history.values;
    let wrote = |call: Call<'_>| match Function::named(call.f()) {
        Function::CAS => values.as_pair(call.input()).map(|(_, new)| new),
        function => Some(call.input()).filter(|input| !input.is_nil() && !function.only_observes()),
    };
    let saw = |value: Val| {
        let mut outputs = core.iter().filter_map(|&id| history.call(id).output());
        outputs.any(|output| match values.shape(output) {
            Shape::List(items) => items.contains(&value),
            Shape::Pair(old, _) => old == value,
            Shape::Nil | Shape::Int(_) | Shape::Bool(_) | Shape::Text(_) | Shape::Other(_) => output == value,
        })
    };
    let key = history.call(*core.first()?).key();
    let failed = history.ids().map(|id| history.call(id)).filter(|call| call.outcome() == Outcome::Fail);
    failed.filter(|call| call.key() == key).find(|&call| wrote(call).is_some_and(saw))
}

/// A counterexample from the calls that it consists of.
pub(crate) fn from_core(
    history: &History,
    key: String,
    class: Class,
    why: String,
    mut core: Vec<u32>,
    minimal: bool,
) -> Counterexample {
    // The last ones called are nearest to the failure.
    core.sort_unstable();
    core.dedup();
    let left_out = core.len().saturating_sub(SHOWN_OPS);
    let returned = core.iter().map(|&id| history.call(id)).filter(|call| call.ret() != NEVER);
    let last = returned.max_by_key(|call| call.ret());
    Counterexample {
        key,
        class,
        why,
        ops: core[left_out..].iter().map(|&id| CoreOp::new(history.call(id))).collect(),
        ops_left_out: left_out as u64,
        first_bad_index: last.and_then(|call| call.index_complete()).unwrap_or(0),
        minimal,
        faults: faults_during(history, &core),
        core,
    }
}

/// A sentence with the names of a history; `calls` gives the call of each operation.
pub(crate) fn render(
    history: &History,
    calls: &[u32],
    sentence: &[Piece],
    value: impl Fn(u32) -> String,
) -> String {
    let call = |op: u32| history.call(calls[op as usize]);
    let name = |op: u32| {
        let node = call(op).node().map(|node| format!(" @{node}")).unwrap_or_default();
        format!("{} (#{}{node})", CoreOp::new(call(op)).action(), call(op).index_invoke())
    };
    let at = |time: Option<u64>| match time.filter(|_| history.timed) {
        Some(time) => format!(" at {:.3} ms", millis(time)),
        None => String::new(),
    };
    let words = sentence.iter().map(|piece| match piece {
        Piece::Text(words) => (*words).to_owned(),
        Piece::Words(words) => words.clone(),
        Piece::Op(op) => name(*op),
        Piece::Returned(op) => format!("{} returned{}", name(*op), at(call(*op).time_complete())),
        Piece::Called(op) => format!("{} was called{}", name(*op), at(Some(call(*op).time_invoke()))),
        Piece::Value(id) => value(*id),
    });
    words.collect()
}
