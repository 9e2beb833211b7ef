//! From the few operations that contradict each other to a core that proves it. For whoever makes a
//! certificate: the verifier does not need this.

use crate::certificate::object::Model;
use crate::certificate::verify::refute;
use crate::certificate::{Refusal, Rule};
use crate::history::History;

/// Adds to operations of one key that contradict each other what else of its history must be in the core, and
/// returns a core that [`verify`](super::verify) accepts.
///
/// # Errors
/// When there is none: they do not contradict each other, or not for a reason that the verifier knows, or the
/// core becomes too large for it.
pub fn complete(history: &History, model: &str, key: &str, core: &[u64]) -> Result<Vec<u64>, Refusal> {
    let model = Model::named(model).ok_or(Refusal::Whole(Rule::Model))?;
    let keys = model.operations(history)?;
    let ops = keys.get(key).ok_or_else(|| Refusal::of(key, (None, Rule::NoSuchKey)))?;
    let mut core = core.to_vec();
    if model == Model::Kv {
        // Every update will be asked for, one by one.
        let last = core.iter().filter_map(|index| ops.get(index)).filter(|op| !op.action.is_blind());
        let last = last.map(|op| op.ret).max().unwrap_or(0);
        let updates = ops.values().filter(|op| op.action.updates() && op.call < last);
        core.extend(updates.map(|op| op.index));
    }
    core.sort_unstable();
    core.dedup();
    loop {
        match refute(model, ops, &core) {
            Ok(()) => return Ok(core),
            Err((Some(index), Rule::Needed(_))) => core.push(index),
            Err(broken) => return Err(Refusal::of(key, broken)),
        }
    }
}
