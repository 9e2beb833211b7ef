//! Faults.
mod record;
pub(crate) use record::{FaultAction, FaultOutcome, FaultRecord, PlannedFault};
