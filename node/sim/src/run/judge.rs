//! The history of a run goes to the same checker as that of real processes.

use crate::properties::Violation;
use checker::history::{History, Op};
use checker::{Options, Verdict, check_order, check_register};
use std::time::Duration;

/// Why a history is not valid.
pub(super) enum Judgement {
    Broken(Violation),
    Unknown(String),
}

/// Judges a history: every key linearizable, zxids in order.
pub(super) fn history(ops: &[Op]) -> Result<(), Judgement> {
    let broken = |property, what: String| Err(Judgement::Broken(Violation { property, what }));
    let history = match History::from_ops(ops.to_vec()) {
        Ok(history) => history,
        Err(error) => return broken("HistoryMakesSense", error.to_string()),
    };
    // One thread: worlds are many and run side by side.
    let options = Options { threads: 1, time_limit: Duration::from_secs(20), ..Options::default() };
    let linear = match check_register(&history, &options) {
        Ok(checked) => checked.verdict,
        Err(error) => return broken("HistoryMakesSense", error.to_string()),
    };
    let order = check_order(&history).verdict;
    match linear.merge(order) {
        Verdict::Valid => Ok(()),
        Verdict::Unknown(why) => Err(Judgement::Unknown(why)),
        Verdict::Invalid(why) => broken("Linearizable", why),
    }
}
