//! Certificates, invariants and ordered sequential consistency against brute force on small random histories.

mod brute;
mod certify;
mod generate;
mod invariants;
mod osc;

use crate::model::RegAction;
use crate::{LinOp, Position};

/// A history, column by column.
#[derive(Debug, Clone, Default)]
struct Case {
    ops: Vec<LinOp<RegAction>>,
    keys: Vec<u32>,
    sessions: Vec<i64>,
    stamps: Vec<Option<u64>>,
    update: Vec<bool>,
    since: Vec<Position>,
}

fn is_update(action: RegAction) -> bool {
    action.stores().is_some()
}
