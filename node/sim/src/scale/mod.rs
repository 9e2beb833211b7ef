//! How an ensemble behaves as it grows: messages and times of elections and of writes, against the number of
//! servers and how far they are from each other (`docs/SCALE.md`).
//!
//! Not a test of correctness, though all properties are watched meanwhile, and not a benchmark of this
//! program: time here is virtual, so a number is the protocol's, the same on every machine. What a processor
//! and a network card take for each message is not in it.
//!
//! `place` where servers are · `election` one election, followed from its cause to the last server that
//! serves · `writes` writes under moderate load · `limits` the least finalize wait, initLimit, syncLimit.

mod election;
mod figures;
mod limits;
mod place;
mod writes;

pub use election::{Cause, Election};
pub use figures::figures;
pub use limits::{Limit, elects_cleanly, keeps_learners, least, passes, reelects_cleanly};
pub use place::Place;
pub use writes::{Latency, Vantage, Writes};

use crate::world::{Action, Census, Settings, World};
use election::Watch;

/// Something that does not come to rest within this time is given up, us.
const PATIENCE_US: u64 = 120_000_000;
/// A member's line in the configuration, as votes carry it:
/// `server.1042=zk-1042.eu-west-1.example.com:2888:3888:observer` and its end.
const CONFIG_BYTES_PER_SERVER: usize = 61;

/// A configuration to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Where the servers are.
    pub place: Place,
    /// Servers that vote.
    pub voters: u16,
    /// Servers that observe.
    pub observers: u16,
    /// tickTime, ms.
    pub tick_ms: u64,
    /// initLimit, ticks.
    pub init_limit: u64,
    /// syncLimit, ticks.
    pub sync_limit: u64,
    /// How long an election waits for a better vote, ms.
    pub finalize_ms: u64,
    /// Servers start within this time of each other, ms.
    pub start_spread_ms: u64,
    /// Delays derive from it.
    pub seed: u64,
}

impl Scale {
    /// So many servers there, with the times recommended for it.
    #[must_use]
    pub fn recommended(place: Place, voters: u16, observers: u16) -> Self {
        let (tick_ms, init_limit, sync_limit, finalize_ms) = place.recommended();
        let seed = 1;
        Self {
            place,
            voters,
            observers,
            tick_ms,
            init_limit,
            sync_limit,
            finalize_ms,
            start_spread_ms: 0,
            seed,
        }
    }

    /// The world of it.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let Self { tick_ms, init_limit, sync_limit, finalize_ms, .. } = *self;
        let mut settings =
            Settings { tick_ms, init_limit, sync_limit, finalize_ms, ..Settings::instant(self.voters) };
        settings.seed = self.seed;
        settings.observers = self.observers;
        settings.clients = Vantage::SITES;
        settings.commit_log_count = 500;
        settings.snap_count = 100_000;
        // An SSD's fdatasync.
        settings.disk_us = (500, 2_000);
        settings.drift_ppm = 50;
        self.place.furnish(&mut settings);
        settings
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// All servers start at once on empty disks.
    pub cold: Election,
    /// The leader is killed; its kernel closes its connections.
    pub killed: Election,
    /// The leader's machine loses its power; nobody is told.
    pub power: Election,
    /// Writes, with the leader that the cold start gave.
    pub writes: Writes,
    /// Messages a second while nobody asks for anything, and their bytes.
    pub idle_messages_per_s: u64,
    /// Bytes a second while nobody asks for anything.
    pub idle_bytes_per_s: u64,
    /// Events that servers handled in all of this.
    pub steps: u64,
}

/// Measures a configuration.
///
/// # Errors
/// What did not come to rest, or which property was broken.
pub fn measure(scale: &Scale) -> Result<Measured, String> {
    let mut bench = Bench::new(scale);
    let cold = bench.elect(Cause::ColdStart)?;
    let count = if scale.voters + scale.observers > 500 { 30 } else { 100 };
    let writes = bench.write(count, 10_000)?;
    let (idle_messages_per_s, idle_bytes_per_s) = bench.idle();
    let killed = bench.elect(Cause::Killed)?;
    bench.restart()?;
    let power = bench.elect(Cause::PowerLost)?;
    bench.check()?;
    let steps = bench.world.counters().steps;
    Ok(Measured { cold, killed, power, writes, idle_messages_per_s, idle_bytes_per_s, steps })
}

/// A world on which measurements are made one after another.
pub(crate) struct Bench {
    scale: Scale,
    world: World,
    /// Whoever was taken down last.
    down: Option<u16>,
    /// Learners that a leader gave up for their silence or slowness, and leaderships and followings that
    /// ended without anybody having died, all told.
    pub(crate) mishaps: u64,
}

impl Bench {
    pub(crate) fn new(scale: &Scale) -> Self {
        let mut bench = Self { scale: *scale, world: World::new(scale.settings()), down: None, mishaps: 0 };
        bench.count_anew();
        bench
    }

    /// Begins to count; gives what was counted.
    fn count_anew(&mut self) -> Census {
        let servers = usize::from(self.scale.voters) + usize::from(self.scale.observers);
        let next = Census::new(servers * CONFIG_BYTES_PER_SERVER);
        self.world.take_census(next).unwrap_or_default()
    }

    /// Starts whoever is down and waits until it serves.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        let Some(at) = self.down.take() else { return Ok(()) };
        self.count_anew();
        let mut watch = Watch::new(&self.world);
        watch.nobody_writes();
        self.world.act(Action::Start(at));
        watch.until_settled(&mut self.world)?;
        self.mishaps += watch.mishaps();
        // Whoever came back is a follower like the others: all heard the leader's last pings.
        self.idle();
        Ok(())
    }

    /// Ten ticks in which nobody asks for anything: messages and bytes a second.
    fn idle(&mut self) -> (u64, u64) {
        self.count_anew();
        let lasts_us = self.scale.tick_ms * 10_000;
        self.world.run_until_us(self.world.now_us() + lasts_us);
        let sent = self.count_anew().sent.total();
        (sent.messages * 1_000_000 / lasts_us, sent.bytes * 1_000_000 / lasts_us)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        match self.world.violation() {
            Some(violation) => Err(format!("{}: {}", violation.property, violation.what)),
            None => Ok(()),
        }
    }
}
