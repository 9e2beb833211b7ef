//! Elections and epochs, observed from outside: from the traces the nodes write, the faults the nemesis
//! injected and the history the clients recorded.
//!
//! [`LeaderWatch`] looks while the run goes on; [`observe()`] and [`fencing()`] tell afterwards, purely,
//! what happened. No file is written here.

mod cause;
mod fencing;
mod histograms;
mod leader;
mod observe;
mod requests;
#[cfg(test)]
pub(crate) mod script;
mod stays;
mod tail;
mod trace;

pub(crate) use cause::describe;
pub(crate) use fencing::{EpochFencing, FencingReport, fencing};
pub(crate) use histograms::{ElectionsFile, PhaseHistogram, PhaseSummary, hgrm, latency_histogram, ms};
pub(crate) use leader::LeaderView;
pub(crate) use observe::{Cause, Election, Observation, observe};
pub(crate) use requests::Ending;
pub(crate) use tail::LeaderWatch;
pub(crate) use trace::NodeTrace;

use checker::history::Op;

/// When the history ends, ns of the run: what nodes do later, they do because the tool ends them.
fn end_of(history: &[Op]) -> u64 {
    history.last().map_or(u64::MAX, |last| last.time)
}

/// The epoch of a zxid: its upper half. Epoch 0 is nobody's.
fn epoch_of(zxid: u64) -> Option<u32> {
    u32::try_from(zxid >> 32).ok().filter(|&epoch| epoch > 0)
}
