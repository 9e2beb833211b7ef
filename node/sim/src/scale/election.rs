//! One election, from its cause to the last server that serves again.

use super::{Bench, PATIENCE_US, Place, Vantage};
use crate::dice::Dice;
use crate::world::{Action, ClientEvent, Purpose, Sent, Traffic, World};
use zab_core::Trace;
use zab_wire::election::PeerState;

/// Why there is an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// All servers start.
    ColdStart,
    /// SIGKILL of the leader.
    Killed,
    /// The leader's machine loses its power.
    PowerLost,
}

/// What an election took. Times in us; each phase begins where the one before ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Election {
    /// Until a quorum of voters looked for a leader.
    pub detect_us: u64,
    /// Until the leader to be knew that it is.
    pub elect_us: u64,
    /// Discovery and synchronization: until it was established.
    pub establish_us: u64,
    /// Until a client beside it had its first write acknowledged.
    pub first_write_us: u64,
    /// From the cause until all living voters served.
    pub voters_us: u64,
    /// From the cause until all servers served, observers included.
    pub all_us: u64,
    /// Elections that the voter began that began most: 1 when all went well.
    pub rounds: u64,
    /// Leaderships that began: 1 when all went well.
    pub leaderships: u64,
    /// Which server leads now.
    pub leader: u16,
    /// What was sent meanwhile.
    pub sent: Sent,
}

impl Election {
    /// From the cause to the first acknowledged write.
    #[must_use]
    pub fn outage_us(&self) -> u64 {
        self.detect_us + self.elect_us + self.establish_us + self.first_write_us
    }

    /// Whether one round and one leader were enough.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.rounds == 1 && self.leaderships == 1
    }

    /// What was sent for the election itself: pings and broadcast left out.
    #[must_use]
    pub fn own(&self) -> Traffic {
        let parts = [Purpose::Election, Purpose::Discovery, Purpose::Synchronization];
        parts.iter().map(|purpose| self.sent.of(*purpose)).fold(Traffic::default(), |sum, one| Traffic {
            messages: sum.messages + one.messages,
            bytes: sum.bytes + one.bytes,
        })
    }
}

impl Bench {
    /// Brings an election about and waits until everybody serves.
    pub(crate) fn elect(&mut self, cause: Cause) -> Result<Election, String> {
        self.count_anew();
        let mut watch = Watch::new(&self.world);
        watch.place = self.scale.place;
        match cause {
            Cause::ColdStart => self.start_all(&mut watch)?,
            Cause::Killed | Cause::PowerLost => {
                let leader = self.world.leader().ok_or("nobody leads")?;
                self.down = Some(leader);
                self.world.act(match cause {
                    Cause::ColdStart | Cause::Killed => Action::Kill(leader, 0),
                    Cause::PowerLost => Action::PowerOff(leader, 0, self.scale.seed),
                });
                watch.is_down(leader);
            }
        }
        watch.until_settled(&mut self.world)?;
        // Who followed the dead leader ended that; the leader itself is not asked.
        self.mishaps += watch.mishaps();
        let sent = self.count_anew().sent;
        Ok(watch.election(sent))
    }

    fn start_all(&mut self, watch: &mut Watch) -> Result<(), String> {
        if self.scale.start_spread_ms == 0 {
            self.world.start_together();
            return Ok(());
        }
        let mut dice = Dice::new(self.scale.seed, "start");
        let begin_us = self.world.now_us();
        let mut starts: Vec<(u64, u16)> = (0..self.scale.settings().servers())
            .map(|at| (begin_us + dice.below(self.scale.start_spread_ms * 1_000 + 1), at))
            .collect();
        starts.sort_unstable();
        for (at_us, at) in starts {
            watch.pass(&mut self.world, at_us)?;
            self.world.act(Action::Start(at));
        }
        Ok(())
    }
}

/// Follows an election while it happens.
pub(super) struct Watch {
    place: Place,
    began_us: u64,
    voters: u16,
    /// Who should serve in the end, and who serves.
    serving: Vec<bool>,
    serving_voters: usize,
    serving_all: usize,
    living_voters: usize,
    living_all: usize,
    /// Elections begun, by voter.
    rounds: Vec<u64>,
    looking: usize,
    detected_us: Option<u64>,
    led_us: u64,
    established_us: u64,
    voters_us: u64,
    last_served_us: u64,
    written_us: Option<u64>,
    leaderships: u64,
    leader: u16,
    dropped: u64,
    stepped_down: u64,
    expected_to_step_down: u64,
    /// How many transitions were looked at.
    seen: usize,
}

impl Watch {
    pub(super) fn new(world: &World) -> Self {
        let voters = world.settings().voters;
        let servers = usize::from(world.settings().servers());
        let serving: Vec<bool> = (0..world.settings().servers()).map(|at| world.serves(at)).collect();
        let count = |of: &[bool]| of.iter().filter(|serves| **serves).count();
        Self {
            place: Place::OneRoom,
            began_us: world.now_us(),
            voters,
            serving_voters: count(&serving[..usize::from(voters)]),
            serving_all: count(&serving),
            serving,
            living_voters: usize::from(voters),
            living_all: servers,
            rounds: vec![0; servers],
            looking: 0,
            detected_us: None,
            led_us: 0,
            established_us: 0,
            voters_us: 0,
            last_served_us: 0,
            written_us: None,
            leaderships: 0,
            leader: world.leader().unwrap_or(0),
            dropped: 0,
            stepped_down: 0,
            expected_to_step_down: 0,
            seen: 0,
        }
    }

    /// Nobody is waiting for a first write.
    pub(super) fn nobody_writes(&mut self) {
        self.written_us = Some(self.began_us);
    }

    fn is_down(&mut self, at: u16) {
        self.serves(at, false);
        self.living_voters -= 1;
        self.living_all -= 1;
        // All that followed it.
        self.expected_to_step_down = self.serving_all as u64;
    }

    /// Learners dropped for silence or slowness, and roles given up without a death.
    pub(super) fn mishaps(&self) -> u64 {
        self.dropped + self.stepped_down.saturating_sub(self.expected_to_step_down)
    }

    pub(super) fn until_settled(&mut self, world: &mut World) -> Result<(), String> {
        let until_us = self.began_us + PATIENCE_US;
        self.look(world);
        while !self.is_settled() {
            if world.next_at_us().is_none_or(|at_us| at_us > until_us) {
                return Err(format!(
                    "{} of {} servers serve after {} s",
                    self.serving_all,
                    self.living_all,
                    PATIENCE_US / 1_000_000
                ));
            }
            world.fire_next();
            self.look(world);
        }
        Ok(())
    }

    fn pass(&mut self, world: &mut World, until_us: u64) -> Result<(), String> {
        while world.next_at_us().is_some_and(|at_us| at_us <= until_us) {
            world.fire_next();
            self.look(world);
        }
        world.advance_to_us(until_us);
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.serving_all == self.living_all && self.written_us.is_some()
    }

    fn look(&mut self, world: &mut World) {
        let probe = world.client(Vantage::Probe.client(self.place.region(self.leader)));
        while let Some((site, event)) = world.next_client_event() {
            if site == probe && matches!(event, ClientEvent::Frame(_)) && self.written_us.is_none() {
                self.written_us = Some(world.now_us());
                world.client_closes(site);
            }
        }
        let Some(census) = world.census() else { return };
        let fresh = census.traces[self.seen..].to_vec();
        self.seen = census.traces.len();
        for (at_us, at, trace) in fresh {
            self.saw(world, at_us, at, &trace);
        }
    }

    fn saw(&mut self, world: &mut World, at_us: u64, at: u16, trace: &Trace) {
        match trace {
            Trace::ElectionStarted { .. } => {
                self.serves(at, false);
                self.rounds[usize::from(at)] += 1;
                if at < self.voters && self.rounds[usize::from(at)] == 1 {
                    self.looking += 1;
                    if self.looking == usize::from(self.voters) / 2 + 1 {
                        self.detected_us = Some(at_us);
                    }
                }
            }
            Trace::State { state: PeerState::Leading, .. } => {
                self.leaderships += 1;
                self.leader = at;
                self.led_us = at_us;
            }
            Trace::Established { .. } => {
                self.established_us = at_us;
                self.leader = at;
                self.serves(at, true);
                if self.written_us.is_none() {
                    let probe = Vantage::Probe.client(self.place.region(at));
                    Vantage::connect(world, probe, at);
                }
            }
            Trace::Serving { .. } => {
                self.serves(at, true);
                self.last_served_us = at_us;
            }
            Trace::SteppedDown { .. } => {
                self.serves(at, false);
                self.stepped_down += 1;
            }
            Trace::LearnerDropped { reason, .. }
                if *reason == "it was silent too long"
                    || *reason == "it was too slow to acknowledge a proposal" =>
            {
                self.dropped += 1;
            }
            Trace::State { .. }
            | Trace::Elected { .. }
            | Trace::EpochProposed { .. }
            | Trace::EpochAccepted { .. }
            | Trace::EpochAcknowledged { .. }
            | Trace::SyncStarted { .. }
            | Trace::SyncReceived { .. }
            | Trace::NewLeaderAcked { .. }
            | Trace::Fenced { .. }
            | Trace::ProposalsAbandoned { .. }
            | Trace::LearnerDropped { .. }
            | Trace::LogTruncated { .. }
            | Trace::SnapshotInstalled { .. }
            | Trace::PeerMisbehaved { .. } => {}
        }
        if self.serving_voters == self.living_voters && self.voters_us == 0 {
            self.voters_us = at_us;
        }
    }

    fn serves(&mut self, at: u16, serves: bool) {
        let before = std::mem::replace(&mut self.serving[usize::from(at)], serves);
        let voter = at < self.voters;
        match (before, serves) {
            (false, true) => {
                self.serving_all += 1;
                self.serving_voters += usize::from(voter);
            }
            (true, false) => {
                self.serving_all -= 1;
                self.serving_voters -= usize::from(voter);
                self.voters_us = 0;
            }
            (true, true) | (false, false) => {}
        }
    }

    fn election(&self, sent: Sent) -> Election {
        let detected_us = self.detected_us.unwrap_or(self.began_us);
        let written_us = self.written_us.unwrap_or(self.established_us);
        let last_us = self.voters_us.max(self.last_served_us);
        Election {
            detect_us: detected_us - self.began_us,
            elect_us: self.led_us.saturating_sub(detected_us),
            establish_us: self.established_us - self.led_us,
            first_write_us: written_us - self.established_us,
            voters_us: self.voters_us - self.began_us,
            all_us: last_us - self.began_us,
            rounds: self.rounds[..usize::from(self.voters)].iter().copied().max().unwrap_or(0),
            leaderships: self.leaderships,
            leader: self.leader,
            sent,
        }
    }
}
