//! Where faults come from: drawn by the planner as the run goes, or read from the schedule of an earlier run.

use super::planner::Planner;
use super::record::PlannedFault;
use super::targets::View;
use crate::plan::Plan;
use std::collections::VecDeque;

/// A source of faults.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// Drawn now; the targets depend on who leads.
    Drawn(Box<Planner>),
    /// Injected again: the same nodes and links at the same times, whoever leads now.
    Replayed(VecDeque<PlannedFault>),
}

impl Schedule {
    /// The schedule of a run: `replayed` if given, else drawn from the plan's seed.
    pub(crate) fn new(plan: &Plan, replayed: Option<Vec<PlannedFault>>) -> Self {
        match replayed {
            Some(mut faults) => {
                faults.sort_by_key(|fault| (fault.at_ns, fault.id));
                Self::Replayed(faults.into())
            }
            None => Self::Drawn(Box::new(Planner::new(plan))),
        }
    }

    /// When the next fault is due, ns after the load began; `None` when there are no more.
    pub(crate) fn next_at_ns(&self) -> Option<u64> {
        match self {
            Self::Drawn(planner) => planner.next_at_ns(),
            Self::Replayed(faults) => faults.front().map(|fault| fault.at_ns),
        }
    }

    /// Whether the next fault's targets depend on who leads.
    pub(crate) fn wants_leader(&self) -> bool {
        matches!(self, Self::Drawn(_))
    }

    /// The next fault, given what the cluster looks like at `now_ns` after the load began.
    pub(crate) fn draw(&mut self, now_ns: u64, view: &View) -> Option<PlannedFault> {
        match self {
            Self::Drawn(planner) => planner.draw(now_ns, view),
            Self::Replayed(faults) => faults.pop_front(),
        }
    }
}
