//! What a world is made of: its servers and how fast things are in it. Not: what goes wrong, nor who uses it.

use zab_core::{Bug, Timing};

/// A least and a most, both included.
pub type Range = (u64, u64);

/// The physics of a world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Delays and times that are not otherwise said derive from it.
    pub seed: u64,
    /// Servers that vote, at least 1.
    pub voters: u16,
    /// Servers that only observe; they come after the voters.
    pub observers: u16,
    /// Clients; they come after the servers.
    pub clients: u16,
    /// tickTime, ms.
    pub tick_ms: u64,
    /// initLimit, ticks.
    pub init_limit: u64,
    /// syncLimit, ticks.
    pub sync_limit: u64,
    /// How long an election waits for a better vote, ms.
    pub finalize_ms: u64,
    /// How many committed transactions a leader keeps for DIFF.
    pub commit_log_count: usize,
    /// After about how many transactions a snapshot is taken.
    pub snap_count: usize,
    /// How long a message travels, us.
    pub delay_us: Range,
    /// Of a thousand messages so many take `straggle_us` longer; those behind them on the connection wait.
    pub straggle_permille: u64,
    /// How much longer those take at most, us.
    pub straggle_us: u64,
    /// How long a disk takes for what it makes durable at once, us.
    pub disk_us: Range,
    /// Clocks run so many millionths fast or slow at most.
    pub drift_ppm: u64,
    /// A bug planted into every server.
    pub bug: Option<Bug>,
    /// Where the sites are; empty when all are in one place.
    pub regions: Regions,
}

/// Sites far from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Regions {
    /// Region of each site, round robin where there are more sites.
    pub of_site: Vec<u8>,
    /// One-way delay between regions, us; added to a message's own.
    pub one_way_us: Vec<Vec<u64>>,
}

impl Regions {
    /// How far it is from one site to another, us.
    #[must_use]
    pub fn distance_us(&self, from: u16, to: u16) -> u64 {
        if self.of_site.is_empty() {
            return 0;
        }
        let region = |site: u16| usize::from(self.of_site[usize::from(site) % self.of_site.len()]);
        self.one_way_us[region(from)][region(to)]
    }
}

impl Settings {
    /// Nothing takes any time but what the protocol waits for: a world for scripts and for exploring.
    #[must_use]
    pub fn instant(voters: u16) -> Self {
        Self {
            seed: 0,
            voters,
            observers: 0,
            clients: 0,
            tick_ms: 100,
            init_limit: 10,
            sync_limit: 5,
            finalize_ms: 200,
            commit_log_count: 8,
            snap_count: 1_000,
            delay_us: (0, 0),
            straggle_permille: 0,
            straggle_us: 0,
            disk_us: (0, 0),
            drift_ppm: 0,
            bug: None,
            regions: Regions::default(),
        }
    }

    /// How many servers there are.
    #[must_use]
    pub fn servers(&self) -> u16 {
        self.voters + self.observers
    }

    /// The servers' times.
    #[must_use]
    pub fn timing(&self) -> Timing {
        Timing {
            finalize_wait_ms: self.finalize_ms,
            ..Timing::new(self.tick_ms, self.init_limit, self.sync_limit)
        }
    }
}
