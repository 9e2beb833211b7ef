//! Budgets and switches of a check. When a budget runs out the verdict is *unknown* with the reason, never
//! *valid*.

use std::time::Duration;

/// Bounds and switches of a check. `Options::default()` suits a run of some millions of operations.
#[derive(Debug, Clone)]
pub struct Options {
    /// Wall time for the whole check, explanations not counted.
    pub time_limit: Duration,
    /// Configurations the engine may visit for one key.
    pub max_configs: u64,
    /// Bytes the engine may hold, for all keys in work together (counted from its tables).
    pub max_bytes: usize,
    /// Wall time for making counterexamples small, per counterexample.
    pub shrink_limit: Duration,
    /// Counterexamples to explain; further invalid keys are only listed. 0: the verdict alone.
    pub max_counterexamples: usize,
    /// Which methods may decide.
    pub methods: Methods,
    /// Threads; 0 means one per core.
    pub threads: usize,
}

/// Which methods may decide a key. The monitor is asked first, then the stamps, then the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Methods {
    /// The server's stamps, replayed: prove *valid*, never *invalid*.
    pub stamps: bool,
    /// The near-linear monitor of the type.
    pub monitor: bool,
    /// The general engine.
    pub engine: bool,
}

impl Methods {
    /// All of them.
    pub const ALL: Self = Self { stamps: true, monitor: true, engine: true };
    /// The engine alone.
    pub const ENGINE: Self = Self { stamps: false, monitor: false, engine: true };
}

impl Default for Options {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(60),
            max_configs: 500_000_000,
            max_bytes: 2 << 30,
            shrink_limit: Duration::from_millis(500),
            max_counterexamples: 3,
            methods: Methods::ALL,
            threads: 0,
        }
    }
}
