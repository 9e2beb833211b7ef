//! What a run's records prove: named verdicts, of which the worst is the run's.
//!
//! Pure: from records to verdicts. A failure of the tool is no verdict and never gets here.

mod finals;
mod vacuity;

pub(crate) use finals::{final_reads, final_reads_agree};
pub(crate) use vacuity::{Exercise, vacuity};
