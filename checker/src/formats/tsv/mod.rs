//! Tab-separated operations: `process key op a b call ret status out rev`, one operation a line with its
//! call and return times.
//!
//! - `a` and `b` are the operation's input: the two values of a `cas`, else `a` alone. `out` is what it returned;
//!   where that says no more than the input, it is empty.
//! - Values are integers or texts; empty and `nil` are null. Reads of lists and sets return items with commas
//!   between them, and nothing for none: in files whose header says `# model=list` or `set`, and in those without
//!   that word that append or add.
//! - `status` is `ok`, `fail` or `info`. A `cas`, `acq` or `rel` that failed observed the state (another value; held;
//!   not held), any other failure says nothing.
//! - `ret` is `-` for an operation that never returned.
//! - `rev` is the stamp of the object's last modification ([`Stamps::LastModified`]), 0 if there was none, `-` if
//!   unknown.
//! - Lines that begin with `#` are comments.
//!
//! Order is by time here, there being no lines to order by. At equal times calls come before returns,
//! so that a tie never makes one operation precede another.
//!
//! [`Stamps::LastModified`]: crate::history::Stamps::LastModified

mod read;
mod write;

pub(super) use read::parse;
pub(super) use write::{own_times, write};

/// Columns of a line.
pub(super) const COLUMNS: usize = 10;

/// Failures of these are observations.
fn observes_when_failing(f: &str) -> bool {
    matches!(f, "cas" | "acq" | "rel")
}

/// These return what they found, all others what they were given.
fn returns_something(f: &str) -> bool {
    matches!(f, "read" | "deq")
}
