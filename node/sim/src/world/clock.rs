//! A machine's clocks: they run a little fast or slow, began at their own zero, and the wall clock jumps.

use zab_core::Now;

/// 2023-11-14, when every world begins, ms since 1970.
pub(crate) const BEGAN_WALL_MS: i64 = 1_700_000_000_000;

const MILLION: u128 = 1_000_000;

/// Two clocks of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Clock {
    /// Local microseconds in a million of the world's.
    rate_ppm: u64,
    /// What the monotonic clock shows when the world begins, us.
    offset_us: u64,
    /// How far the wall clock is off, ms.
    pub(super) wall_off_ms: i64,
}

impl Clock {
    pub(super) fn new(rate_ppm: u64, offset_us: u64) -> Self {
        Self { rate_ppm: rate_ppm.max(1), offset_us, wall_off_ms: 0 }
    }

    pub(super) fn now(&self, world_us: u64) -> Now {
        let local_us = self.offset_us + scale(world_us, self.rate_ppm, MILLION);
        let since_ms = i64::try_from(world_us / 1_000).unwrap_or(i64::MAX);
        Now { mono_ms: local_us / 1_000, wall_ms: BEGAN_WALL_MS + since_ms + self.wall_off_ms }
    }

    /// Sets the monotonic clock forward to `mono_ms`, unless it is there already.
    pub(super) fn show_at_least(&mut self, mono_ms: u64, world_us: u64) {
        let local_us = self.offset_us + scale(world_us, self.rate_ppm, MILLION);
        self.offset_us += (mono_ms * 1_000).saturating_sub(local_us);
    }

    /// When the monotonic clock reaches `mono_ms`, in the world's us.
    pub(super) fn reaches_at_us(&self, mono_ms: u64) -> u64 {
        let local_us = (mono_ms * 1_000).saturating_sub(self.offset_us);
        let world_us = (u128::from(local_us) * MILLION).div_ceil(u128::from(self.rate_ppm));
        u64::try_from(world_us).unwrap_or(u64::MAX)
    }
}

fn scale(value: u64, by: u64, of: u128) -> u64 {
    u64::try_from(u128::from(value) * u128::from(by) / of).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_reached_when_the_clock_shows_it_and_not_before() {
        for (rate_ppm, offset_us) in [(1_000_000, 0), (950_000, 17), (1_050_000, 999), (333_333, 123_456)] {
            let clock = Clock::new(rate_ppm, offset_us);
            for mono_ms in [200, 201, 1_000, 123_457] {
                let at_us = clock.reaches_at_us(mono_ms);
                assert!(clock.now(at_us).mono_ms >= mono_ms, "{clock:?} {mono_ms}");
                assert!(clock.now(at_us - 1).mono_ms < mono_ms, "{clock:?} {mono_ms}");
            }
        }
    }
}
