//! Decides one key: simplify, try the near-linear method, else search; every *valid* is verified
//! against the original operations before it is believed.

use crate::check::{Method, Solved};
use crate::linear::{Answer, Limits, first_failure, search, verify_witness};
use crate::model::{RegAction, RegMachine};
use crate::register::blocks::{self, Blocks};
use crate::register::problem::{RegOp, merge_unseen, simplify};

/// Decides whether the operations of one key are linearizable as a register, and if not, where it fails.
pub(crate) fn solve(ops: &[RegOp], fast_path: bool, limits: &Limits<'_>) -> Solved {
    let (answer, method) = decide(ops, fast_path, limits);
    let failure =
        (answer == Answer::Invalid).then(|| first_failure(ops, |cut| decide(cut, fast_path, limits).0));
    Solved { answer, method, failure }
}

/// Decides, and says no more.
pub(crate) fn decide(ops: &[RegOp], fast_path: bool, limits: &Limits<'_>) -> (Answer, Method) {
    if fast_path {
        match by_blocks(ops) {
            Blocks::Valid(witness) => return (Answer::Valid { witness }, Method::Blocks),
            Blocks::Invalid(_) => return (Answer::Invalid, Method::Blocks),
            Blocks::NotApplicable => {}
        }
    }
    (by_search(ops, limits), Method::Search)
}

/// The near-linear method on original operations. An order it finds was verified.
pub(crate) fn by_blocks(ops: &[RegOp]) -> Blocks {
    // A refused compare-and-set changes nothing: without it, invalid stays certain. Valid does not.
    let refusals = ops.iter().any(|op| matches!(op.action, RegAction::NotEqual(_)));
    let without: Vec<usize> =
        (0..ops.len()).filter(|&id| !matches!(ops[id].action, RegAction::NotEqual(_))).collect();
    let simple = simplify(&without.iter().map(|&id| ops[id]).collect::<Vec<_>>());
    let original = |ids: Vec<usize>| ids.into_iter().map(|id| without[simple.origin[id]]).collect::<Vec<_>>();
    match blocks::decide(&simple.ops) {
        Blocks::Valid(_) if refusals => Blocks::NotApplicable,
        Blocks::Valid(witness) => {
            let witness = original(witness);
            let verified = verify_witness(&mut RegMachine, ops, &witness);
            debug_assert_eq!(verified, Ok(()), "the block lemma orders every history it accepts");
            // Without proof it is not believed: the search decides.
            if verified.is_ok() { Blocks::Valid(witness) } else { Blocks::NotApplicable }
        }
        Blocks::Invalid(core) => Blocks::Invalid(original(core)),
        Blocks::NotApplicable => Blocks::NotApplicable,
    }
}

fn by_search(ops: &[RegOp], limits: &Limits<'_>) -> Answer {
    let mut simple = simplify(ops);
    merge_unseen(&mut simple.ops);
    let original = |ids: Vec<usize>| ids.into_iter().map(|id| simple.origin[id]).collect::<Vec<_>>();
    match search(&mut RegMachine, &simple.ops, limits) {
        Answer::Valid { witness } => {
            let witness = original(witness);
            match verify_witness(&mut RegMachine, ops, &witness) {
                Ok(()) => Answer::Valid { witness },
                Err(e) => Answer::Unknown {
                    reason: format!("the checker contradicts itself ({e}); please report this"),
                },
            }
        }
        Answer::Invalid => Answer::Invalid,
        Answer::Unknown { reason } => Answer::Unknown { reason },
    }
}
