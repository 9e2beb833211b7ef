//! When the next operation is due: Jepsen's `stagger`, one for all workers together.
//!
//! Gaps are uniform between 0 and twice the mean, so that operations do not fall into step with the
//! nodes' ticks. Lost time is made up for, but only a little of it: after a stall there is no flood.
//!
//! Times count from the beginning of the load: whose time that is, real or virtual, is not known here.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// How much lost time is made up for at most: more than a timer's error, less than a burst.
const DEBT_MAX: Duration = Duration::from_millis(20);

/// The pace of all operations together.
pub(crate) struct Pace {
    /// `None`: as fast as it goes.
    gap_max: Option<Duration>,
    next: Duration,
    rng: ChaCha8Rng,
}

impl Pace {
    /// `rate` operations a second, 0 for no limit; the gaps derive from `seed`.
    pub(crate) fn new(rate: u64, seed: u64) -> Self {
        let gap_max = (rate > 0).then(|| Duration::from_secs(2) / u32::try_from(rate).unwrap_or(u32::MAX));
        // A stream of its own: the generator uses the seed's first one.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        Self { gap_max, next: Duration::ZERO, rng }
    }

    /// When the next operation may start; `None` for at once.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.gap_max.map(|_| self.next)
    }

    /// An operation started now.
    pub(crate) fn spend(&mut self, now: Duration) {
        let Some(gap_max) = self.gap_max else { return };
        let earliest = now.saturating_sub(DEBT_MAX);
        self.next = self.next.max(earliest) + self.rng.random_range(Duration::ZERO..=gap_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_gap_is_one_over_the_rate() {
        let mut pace = Pace::new(1000, 7);
        let start = pace.due().unwrap();
        for _ in 0..10_000 {
            let due = pace.due().unwrap();
            pace.spend(due);
        }
        let took = (pace.due().unwrap() - start).as_secs_f64();
        assert!((9.7..10.3).contains(&took), "10,000 operations at 1,000 a second take {took} s");
    }

    #[test]
    fn a_stall_is_followed_by_no_flood() {
        let mut pace = Pace::new(100, 7);
        let later = pace.due().unwrap() + Duration::from_secs(60);
        let mut at_once = 0;
        while pace.due().unwrap() <= later {
            pace.spend(later);
            at_once += 1;
        }
        assert!(at_once <= 12, "{at_once} operations at once");
    }

    #[test]
    fn no_rate_means_no_limit() {
        assert_eq!(Pace::new(0, 7).due(), None);
    }
}
