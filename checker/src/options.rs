//! Budgets of a check. When one runs out the verdict is *unknown* with the reason, never *valid*.

use std::time::Duration;

/// Bounds and switches of a check. `Options::default()` suits a run of some 100,000 operations.
#[derive(Debug, Clone)]
pub struct Options {
    /// Wall time for the whole check, explanations not counted.
    pub time_limit: Duration,
    /// Configurations the search may visit for one key.
    pub max_configs: u64,
    /// Bytes the search may hold, for all keys in work together (estimated from table sizes).
    pub max_bytes: usize,
    /// Wall time for making counterexamples small, per counterexample.
    pub shrink_limit: Duration,
    /// Counterexamples to explain; further invalid keys are only listed.
    pub max_counterexamples: usize,
    /// Use the near-linear method where all values of a key are unique, before the general search.
    pub fast_path: bool,
    /// Threads; 0 means one per core.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(60),
            max_configs: 50_000_000,
            max_bytes: 2 << 30,
            shrink_limit: Duration::from_millis(500),
            max_counterexamples: 3,
            fast_path: true,
            threads: 0,
        }
    }
}
