//! The run's clock: ns since the run began, on CLOCK_MONOTONIC, which all processes of a machine share.
//! So the history, the faults and the traces of the nodes stand on one time line.

use nix::time::{ClockId, clock_gettime};

/// Zero of a run's time line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock {
    origin_ns: u64,
}

impl RunClock {
    /// A clock that begins now.
    pub(crate) fn start() -> Self {
        Self { origin_ns: monotonic_ns() }
    }

    /// The clock of a simulated run: its traces are on the run's time line already.
    pub(crate) fn of_a_world() -> Self {
        Self { origin_ns: 0 }
    }

    /// CLOCK_MONOTONIC at the run's beginning, ns: for tests that write traces.
    #[cfg(test)]
    pub(crate) fn origin_ns(self) -> u64 {
        self.origin_ns
    }

    /// ns since the run began.
    pub(crate) fn now_ns(self) -> u64 {
        self.at(monotonic_ns())
    }

    /// The run's time of a CLOCK_MONOTONIC reading in ns; what came before the run is 0.
    pub(crate) fn at(self, monotonic_ns: u64) -> u64 {
        monotonic_ns.saturating_sub(self.origin_ns)
    }
}

/// CLOCK_MONOTONIC in ns.
///
/// # Panics
/// Never: the clock exists on every Linux.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux");
    let seconds = u64::try_from(now.tv_sec()).expect("a monotonic clock is not negative");
    let nanos = u64::try_from(now.tv_nsec()).expect("a monotonic clock is not negative");
    seconds * 1_000_000_000 + nanos
}
