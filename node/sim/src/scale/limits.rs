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

/// Whether a cold start with servers that start within a second, an election after the leader was killed
/// and one after it lost its power each need one round and one leader, and nobody gives up in between.
#[must_use]
pub fn elects_cleanly(scale: &Scale) -> bool {
    let mut bench = Bench::new(scale);
    let clean = |bench: &mut Bench, cause| {
        let e = bench.elect(cause);
        if std::env::var("DBG").is_ok() {
            let m = bench.mishaps;
            match &e { Ok(e) if e.is_clean() && m==0 => {}, Ok(e) => eprintln!("seed {} {:?} rounds {} leaderships {} mishaps {m} elect {}", scale.seed, cause, e.rounds, e.leaderships, e.elect_us), Err(x) => eprintln!("seed {} {:?} {x}", scale.seed, cause) }
        }
        e.is_ok_and(|election| election.is_clean())
    };
    clean(&mut bench, Cause::ColdStart)
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
        bench.write(30, 30_000)?;
        bench.elect(Cause::Killed)?;
        bench.restart()?;
        bench.write(10, 30_000).map(drop)
    };
    lives().is_ok() && bench.mishaps == 0
}

/// Whether a check passes with at least 99 of 100 seeds, or as large a part of fewer, and at least all but one.
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
pub fn least(scale: &Scale, limit: Limit, values: &[u64], seeds: u64, check: fn(&Scale) -> bool) -> Option<u64> {
    let with = |value| match limit {
        Limit::Finalize => Scale { finalize_ms: value, ..*scale },
        Limit::Init => Scale { init_limit: value, ..*scale },
        Limit::Sync => Scale { sync_limit: value, ..*scale },
    };
    values.iter().copied().find(|value| passes(&with(*value), seeds, check))
}
