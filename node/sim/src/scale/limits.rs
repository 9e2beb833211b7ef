//! How small the finalize wait, initLimit and syncLimit may be: found by trying.

use super::{Bench, Cause, Scale};

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// The finalize wait, ms.
    Finalize,
    /// initLimit, ticks.
    Init,
    /// syncLimit, ticks.
    Sync,
}

/// Whether a cold start needs one round and one leader, and nobody gives up in between.
#[must_use]
pub fn elects_cleanly(scale: &Scale) -> bool {
    let mut bench = Bench::new(scale);
    bench.elect(Cause::ColdStart).is_ok_and(|election| election.is_clean()) && bench.mishaps == 0
}

/// Whether an election after the leader was killed and one after its machine lost its power each need one
/// round and one leader.
#[must_use]
pub fn reelects_cleanly(scale: &Scale) -> bool {
    let mut bench = Bench::new(&Scale { start_spread_ms: 0, ..*scale });
    let clean = |bench: &mut Bench, cause| bench.elect(cause).is_ok_and(|election| election.is_clean());
    let begun = bench.elect(Cause::ColdStart).is_ok();
    bench.mishaps = 0;
    begun
        && clean(&mut bench, Cause::Killed)
        && bench.restart().is_ok()
        && clean(&mut bench, Cause::PowerLost)
        && bench.mishaps == 0
}

/// Whether no healthy learner is dropped and none drops its leader: in a cold start, under moderate load, and
/// after the leader was killed.
#[must_use]
pub fn keeps_learners(scale: &Scale) -> bool {
    let mut bench = Bench::new(scale);
    let mut lives = || -> Result<(), String> {
        bench.elect(Cause::ColdStart)?;
        bench.write(30, 10_000)?;
        bench.elect(Cause::Killed)?;
        bench.restart()?;
        bench.write(10, 10_000).map(drop)
    };
    lives().is_ok() && bench.mishaps == 0
}

/// Whether a check passes with at least 99 of 100 seeds, or as large a part of fewer.
#[must_use]
pub fn passes(scale: &Scale, seeds: u64, check: fn(&Scale) -> bool) -> bool {
    let may_fail = seeds / 100;
    let mut failed = 0;
    for seed in 0..seeds {
        failed += u64::from(!check(&Scale { seed, ..*scale }));
        if failed > may_fail {
            return false;
        }
    }
    true
}

/// The least of `values`, in ascending order, with which the check passes from there on.
#[must_use]
pub fn least(
    scale: &Scale,
    limit: Limit,
    values: &[u64],
    seeds: u64,
    check: fn(&Scale) -> bool,
) -> Option<u64> {
    let with = |value| match limit {
        Limit::Finalize => Scale { finalize_ms: value, ..*scale },
        Limit::Init => Scale { init_limit: value, ..*scale },
        Limit::Sync => Scale { sync_limit: value, ..*scale },
    };
    values.iter().copied().find(|value| passes(&with(*value), seeds, check))
}
