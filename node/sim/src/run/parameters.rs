//! What a seed draws before anything happens: how many servers, how fast everything is, who uses it, and
//! which faults exist at all and how likely they are.
//!
//! Swarm testing (Groce et al., ISSTA 2012): a world in which everything can go wrong a little is one world;
//! worlds that lack some faults and abound in others reach more. So each seed switches every kind of fault
//! on or off, and draws how calm or brutal it is.

use super::faults::Kind;
use crate::dice::Dice;
use crate::world::{Range, Settings};
use std::fmt::{self, Write as _};
use zab_core::Bug;

/// About so many operations are done in a run at most.
const OPERATIONS_MAX: u64 = 2_000;

/// All that is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// The world.
    pub world: Settings,
    /// How long clients work and faults happen, ms.
    pub load_ms: u64,
    /// Clients that carry out the workload.
    pub workers: u16,
    /// How long a worker rests between operations, us.
    pub worker_rest_us: Range,
    /// Keys of the workload in use at a time.
    pub keys: u16,
    /// Mean number of operations after which a key is retired.
    pub ops_per_key: u32,
    /// How long a worker waits for an answer, ms.
    pub op_timeout_ms: u64,
    /// Clients that pipeline and move their sessions.
    pub sessions: u16,
    /// How long such a client rests, us.
    pub session_rest_us: Range,
    /// Mean time from one fault to the next, ms.
    pub fault_every_ms: u64,
    /// In so many of a thousand cases a fault that may strike any server strikes the leader.
    pub leader_permille: u64,
    /// Which faults exist, with their weights.
    pub faults: Vec<(Kind, u64)>,
}

impl Parameters {
    /// What this seed draws.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "parameters");
        let world = draw_world(seed, &mut dice);
        let (workers, sessions) = (dice.pick(&[2, 3, 5, 8]), dice.pick(&[0, 2, 3, 4]));
        let load_ms = dice.pick(&[2_000, 4_000, 6_000]);
        // No more than some thousand operations: what a world does not show by then it shows in another.
        let least_us = load_ms * u64::from(workers + 2 * sessions) / OPERATIONS_MAX * 1_000;
        let busy_us = dice.pick(&[4_000, 10_000, 30_000, 100_000]).max(least_us);
        // A write takes up to six messages and two fsyncs; whoever waits less than that waits in vain.
        let least_ms = (10 * world.delay_us.1 + 2 * world.straggle_us + 4 * world.disk_us.1) / 1_000;
        let brutal = dice.pick(&[80, 150, 300, 600, 1_200]);
        Self {
            load_ms,
            workers,
            worker_rest_us: (busy_us / 2, busy_us * 2),
            keys: dice.pick(&[1, 2, 5]),
            ops_per_key: dice.pick(&[5, 20, 100]),
            op_timeout_ms: dice.pick(&[300, 1_000, 3_000]).max(least_ms),
            sessions,
            session_rest_us: (busy_us / 2, busy_us * 3),
            fault_every_ms: brutal,
            leader_permille: dice.pick(&[0, 300, 700]),
            faults: draw_faults(&mut dice),
            world: Settings { clients: workers + sessions, ..world },
        }
    }

    /// The same with a bug planted into every server.
    #[must_use]
    pub fn with_bug(mut self, bug: Option<Bug>) -> Self {
        self.world.bug = bug;
        self
    }
}

fn draw_world(seed: u64, dice: &mut Dice) -> Settings {
    let voters = dice.weighted(&[(3, 45), (5, 35), (4, 8), (6, 4), (7, 4), (2, 2), (1, 2)]).unwrap_or(3);
    let tick_ms = dice.pick(&[40, 100, 200]);
    let sync_limit = dice.pick(&[4, 5, 10]);
    let patience_us = tick_ms * sync_limit * 1_000;
    let slowest_us = dice.pick(&[200, 1_000, 5_000, patience_us / 16]);
    let disk_us = dice.pick(&[0, 500, 3_000, patience_us / 16]);
    // A snapshot takes the disk's time from the log: with one after every other transaction a burst of a hundred
    // must still not take longer than a leader waits.
    let snaps_least = usize::try_from(disk_us * 200 / patience_us).unwrap_or(usize::MAX);
    Settings {
        seed,
        voters,
        observers: dice.weighted(&[(0, 80), (1, 15), (2, 5)]).unwrap_or(0),
        clients: 0,
        tick_ms,
        init_limit: dice.pick(&[5, 10, 20]),
        sync_limit,
        finalize_ms: dice.pick(&[20, 100, 200]),
        commit_log_count: dice.pick(&[1, 5, 30, 500, 500]),
        snap_count: dice.pick(&[2, 5, 20, 100, 1_000]).max(snaps_least),
        delay_us: (slowest_us / 10, slowest_us),
        straggle_permille: dice.pick(&[0, 0, 5, 50]),
        straggle_us: patience_us / 8,
        disk_us: (disk_us / 5, disk_us),
        drift_ppm: dice.pick(&[0, 1_000, 50_000, 200_000]),
        bug: None,
        regions: crate::world::Regions::default(),
    }
}

/// Each kind exists in two of three worlds; its weight is between a whisper and a storm.
fn draw_faults(dice: &mut Dice) -> Vec<(Kind, u64)> {
    let mut faults = Vec::new();
    for kind in Kind::ALL {
        if dice.below(3) > 0 {
            faults.push((kind, dice.pick(&[1, 3, 10, 30])));
        }
    }
    faults
}

impl fmt::Display for Parameters {
    /// `key=value` words; [`super::script`] reads them again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (key, value) in self.words() {
            write!(text, "{key}={value} ")?;
        }
        f.write_str(text.trim_end())
    }
}

fn range((least, most): Range) -> String {
    format!("{least}..{most}")
}

fn parse_range(text: &str) -> Option<Range> {
    let (least, most) = text.split_once("..")?;
    Some((least.parse().ok()?, most.parse().ok()?)).filter(|(least, most)| least <= most)
}

impl Parameters {
    /// Everything by name, in the order in which it is printed.
    #[must_use]
    pub fn words(&self) -> Vec<(&'static str, String)> {
        let world = &self.world;
        let faults: Vec<String> =
            self.faults.iter().map(|(kind, weight)| format!("{}:{weight}", kind.name())).collect();
        vec![
            ("seed", world.seed.to_string()),
            ("voters", world.voters.to_string()),
            ("observers", world.observers.to_string()),
            ("tick_ms", world.tick_ms.to_string()),
            ("init_limit", world.init_limit.to_string()),
            ("sync_limit", world.sync_limit.to_string()),
            ("finalize_ms", world.finalize_ms.to_string()),
            ("commit_log_count", world.commit_log_count.to_string()),
            ("snap_count", world.snap_count.to_string()),
            ("delay_us", range(world.delay_us)),
            ("straggle_permille", world.straggle_permille.to_string()),
            ("straggle_us", world.straggle_us.to_string()),
            ("disk_us", range(world.disk_us)),
            ("drift_ppm", world.drift_ppm.to_string()),
            ("bug", world.bug.map_or("none", Bug::name).to_owned()),
            ("load_ms", self.load_ms.to_string()),
            ("workers", self.workers.to_string()),
            ("worker_rest_us", range(self.worker_rest_us)),
            ("keys", self.keys.to_string()),
            ("ops_per_key", self.ops_per_key.to_string()),
            ("op_timeout_ms", self.op_timeout_ms.to_string()),
            ("sessions", self.sessions.to_string()),
            ("session_rest_us", range(self.session_rest_us)),
            ("fault_every_ms", self.fault_every_ms.to_string()),
            ("leader_permille", self.leader_permille.to_string()),
            ("faults", if faults.is_empty() { "none".to_owned() } else { faults.join(",") }),
        ]
    }

    /// Changes what `word` (`key=value`) names.
    ///
    /// # Errors
    /// Why that is not possible, in one sentence.
    pub fn set(&mut self, word: &str) -> Result<(), String> {
        let (key, value) =
            word.split_once('=').ok_or_else(|| format!("'{word}' is not of the form key=value"))?;
        self.try_set(key, value).ok_or_else(|| format!("'{value}' is no value of '{key}'"))?;
        self.world.clients = self.workers + self.sessions;
        if self.world.voters == 0 {
            return Err("a world needs at least one voter".to_owned());
        }
        Ok(())
    }

    fn try_set(&mut self, key: &str, value: &str) -> Option<()> {
        fn number<T: std::str::FromStr>(place: &mut T, value: &str) -> Option<()> {
            *place = value.parse().ok()?;
            Some(())
        }
        let world = &mut self.world;
        match key {
            "seed" => number(&mut world.seed, value),
            "voters" => number(&mut world.voters, value),
            "observers" => number(&mut world.observers, value),
            "tick_ms" => number(&mut world.tick_ms, value),
            "init_limit" => number(&mut world.init_limit, value),
            "sync_limit" => number(&mut world.sync_limit, value),
            "finalize_ms" => number(&mut world.finalize_ms, value),
            "commit_log_count" => number(&mut world.commit_log_count, value),
            "snap_count" => number(&mut world.snap_count, value),
            "delay_us" => parse_range(value).map(|range| world.delay_us = range),
            "straggle_permille" => number(&mut world.straggle_permille, value),
            "straggle_us" => number(&mut world.straggle_us, value),
            "disk_us" => parse_range(value).map(|range| world.disk_us = range),
            "drift_ppm" => number(&mut world.drift_ppm, value),
            "bug" => {
                world.bug = match value {
                    "none" => None,
                    name => Some(Bug::from_name(name)?),
                };
                Some(())
            }
            "load_ms" => number(&mut self.load_ms, value),
            "workers" => number(&mut self.workers, value),
            "worker_rest_us" => parse_range(value).map(|range| self.worker_rest_us = range),
            "keys" => number(&mut self.keys, value),
            "ops_per_key" => number(&mut self.ops_per_key, value),
            "op_timeout_ms" => number(&mut self.op_timeout_ms, value),
            "sessions" => number(&mut self.sessions, value),
            "session_rest_us" => parse_range(value).map(|range| self.session_rest_us = range),
            "fault_every_ms" => number(&mut self.fault_every_ms, value),
            "leader_permille" => number(&mut self.leader_permille, value),
            "faults" => {
                let kinds = value.split(',').filter(|_| value != "none");
                self.faults = kinds.map(parse_fault).collect::<Option<_>>()?;
                Some(())
            }
            _ => None,
        }
    }
}

fn parse_fault(text: &str) -> Option<(Kind, u64)> {
    let (name, weight) = text.split_once(':')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    Some((kind, weight.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read_again() {
        for seed in 0..50 {
            let bug = Some(Bug::ElectAny).filter(|_| seed % 2 == 0);
            let drawn = Parameters::draw(seed).with_bug(bug);
            let mut read = Parameters::draw(seed + 1);
            for word in drawn.to_string().split(' ') {
                read.set(word).unwrap();
            }
            assert_eq!(read, drawn);
        }
    }

    #[test]
    fn nonsense_is_refused_in_one_sentence() {
        let mut parameters = Parameters::draw(1);
        assert_eq!(parameters.set("voters").unwrap_err(), "'voters' is not of the form key=value");
        assert_eq!(parameters.set("voters=many").unwrap_err(), "'many' is no value of 'voters'");
        assert_eq!(parameters.set("colour=red").unwrap_err(), "'red' is no value of 'colour'");
        assert_eq!(parameters.set("voters=0").unwrap_err(), "a world needs at least one voter");
        assert_eq!(parameters.set("delay_us=9..3").unwrap_err(), "'9..3' is no value of 'delay_us'");
    }

    #[test]
    fn quiet_and_brutal_worlds_both_occur() {
        let drawn: Vec<Parameters> = (0..200).map(Parameters::draw).collect();
        for kind in Kind::ALL {
            let with = drawn.iter().filter(|one| one.faults.iter().any(|(other, _)| *other == kind)).count();
            assert!((80..190).contains(&with), "{} exists in {with} of 200 worlds", kind.name());
        }
        assert!(drawn.iter().any(|one| one.fault_every_ms >= 1_000));
        assert!(drawn.iter().any(|one| one.fault_every_ms <= 100));
    }
}
