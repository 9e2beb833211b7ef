//! The linearizability engine: a problem, its three possible answers, and an independent verifier.
//!
//! Wing & Gong's search ("Testing and verifying concurrent objects", 1993) with Lowe's just-in-time
//! linearization and state caching ("Testing for linearizability", 2017). One problem is one object;
//! partitioning by key is the caller's (Herlihy & Wing's locality). The engine knows no workload: see
//! [`Machine`](crate::model::Machine).

mod mask;
mod prefix;
mod prep;
mod search;
mod table;
mod verify;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub use prefix::{Failure, first_failure, until};
pub use search::search;
pub use verify::{WitnessError, verify_witness};

/// One operation as the engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinOp<A> {
    /// Position of the call in real time.
    pub call: u64,
    /// Position of the return; `None`: it may take effect at any time after `call`, or never.
    pub ret: Option<u64>,
    /// What it does and observed.
    pub action: A,
}

/// What a search may spend.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Configurations to visit.
    pub max_configs: u64,
    /// Memory shared with the other searches.
    pub memory: &'a Memory,
}

/// A byte budget that several searches draw on. Sizes are estimates from table capacities.
#[derive(Debug)]
pub struct Memory {
    max_bytes: usize,
    used: AtomicUsize,
}

impl Memory {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, used: AtomicUsize::new(0) }
    }

    /// Replaces a search's earlier claim by a new one; false when the budget is exceeded.
    fn reclaim(&self, earlier: usize, now: usize) -> bool {
        let before = self.used.fetch_add(now, Ordering::Relaxed);
        self.used.fetch_sub(earlier, Ordering::Relaxed);
        (before + now).saturating_sub(earlier) <= self.max_bytes
    }

    /// True when so many bytes more would fit.
    fn holds(&self, bytes: usize) -> bool {
        self.used.load(Ordering::Relaxed).saturating_add(bytes) <= self.max_bytes
    }

    /// The budget in MiB, for messages.
    #[must_use]
    pub fn max_mib(&self) -> usize {
        self.max_bytes >> 20
    }
}

/// The answer to a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Linearizable.
    Valid {
        /// The operations (indices into the problem) in an order that explains every output. Operations
        /// without a return that do not appear never took effect.
        witness: Vec<usize>,
    },
    /// Not linearizable.
    Invalid,
    /// A budget ran out.
    Unknown {
        /// Which, and how far the search had come.
        reason: String,
    },
}
