//! Where exploring begins: worlds that are a few moves away from something interesting.
//!
//! From an empty world to an established leader it takes some thirty moves, and every order of them is a state
//! space of its own ([`COLD_START`]). The other scenarios get there by one order, and begin behind it.

use super::state::State;
use super::{Bounds, Move};
use crate::world::{Due, Settings, Site, World};
use zab_core::Bug;

/// A starting state, with the bounds within which it is explored.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The name on a command line.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    /// Bounds for a few seconds, with all kinds of faults.
    pub quick: Bounds,
    /// The same for a minute, and a gigabyte or two.
    pub deep: Bounds,
    /// A bug planted into every server.
    pub bug: Option<Bug>,
    begin: fn(&mut State),
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 4] = [ESTABLISHED, LEADER_CHANGE, COLD_START, RETURNING];

    /// The scenario of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name == name)
    }

    /// The same with a bug in every server.
    #[must_use]
    pub fn with_bug(self, bug: Bug) -> Self {
        Self { bug: Some(bug), ..self }
    }

    /// Its first state.
    pub(super) fn start(&self, bounds: &Bounds) -> State {
        // Any silence is too long, and a decision comes before votes are said again.
        let mut state = State::new(Settings {
            init_limit: 0,
            sync_limit: 0,
            finalize_ms: 100,
            bug: self.bug,
            ..Settings::instant(3)
        });
        (self.begin)(&mut state);
        state.begin(bounds);
        state
    }
}

const ESTABLISHED: Scenario = Scenario {
    name: "established",
    about: "an established leader of three, one write under way",
    quick: Bounds { depth: 4, crashes: 2, partitions: 1, timeouts: 2, writes: 0 },
    deep: Bounds { depth: 7, crashes: 2, partitions: 1, timeouts: 2, writes: 0 },
    bug: None,
    begin: |state| {
        lead(state);
        state.make(Move::Write(LEADER));
    },
};

const LEADER_CHANGE: Scenario = Scenario {
    name: "leader-change",
    about: "both followers have just noticed that the leader is gone; one has a committed proposal more",
    quick: Bounds { depth: 5, crashes: 2, partitions: 1, timeouts: 2, writes: 0 },
    deep: Bounds { depth: 8, crashes: 2, partitions: 1, timeouts: 2, writes: 0 },
    bug: None,
    begin: |state| {
        lead(state);
        state.make(Move::Write(LEADER));
        // The leader and server 1 log it and the leader commits; nothing more leaves the leader.
        go_on(state, |world, due| {
            speaks(world, due, LEADER, 0, "PROPOSAL") || is_disk(due) || speaks(world, due, 0, LEADER, "ACK")
        });
        state.make(Move::Crash { at: LEADER, disk_done: false });
        // Of what it sent only the end arrives: as if it had been lost with its machine.
        state.world_mut().lose(LEADER);
        go_on(state, |world, due| world.is_from(due, LEADER));
    },
};

const COLD_START: Scenario = Scenario {
    name: "cold-start",
    about: "three servers have started on empty disks",
    quick: Bounds { depth: 4, crashes: 2, partitions: 1, timeouts: 2, writes: 0 },
    deep: Bounds { depth: 7, crashes: 2, partitions: 1, timeouts: 2, writes: 0 },
    bug: None,
    begin: |state| (0..3).for_each(|at| state.make(Move::Start(at))),
};

const RETURNING: Scenario = Scenario {
    name: "returning",
    about: "a former leader with an abandoned proposal returns, and is to be told TRUNC",
    quick: Bounds { depth: 4, crashes: 2, partitions: 1, timeouts: 2, writes: 0 },
    deep: Bounds { depth: 8, crashes: 2, partitions: 1, timeouts: 2, writes: 0 },
    bug: None,
    begin: |state| {
        lead(state);
        write(state, LEADER);
        // Only its own disk gets the next one.
        state.make(Move::Write(LEADER));
        go_on(state, |_, due| is_disk(due));
        state.make(Move::Crash { at: LEADER, disk_done: false });
        state.world_mut().lose(LEADER);
        elect(state);
        write(state, 1);
        state.make(Move::Start(LEADER));
        // It hears who leads, and begins to follow.
        go_on(state, |_, due| matches!(due, Due::Vote(..) | Due::Timer(..)));
    },
};

/// Of equal logs the highest id is elected.
const LEADER: u16 = 2;

/// Three servers start, and the third leads.
fn lead(state: &mut State) {
    (0..3).for_each(|at| state.make(Move::Start(at)));
    go_on(state, |_, _| true);
    assert_eq!(state.world().leader(), Some(LEADER), "the highest id leads");
    assert!((0..3).all(|at| state.world().serves(at)), "all of them serve");
}

/// A write, committed by everybody who is there.
fn write(state: &mut State, at: u16) {
    state.make(Move::Write(at));
    go_on(state, |_, _| true);
}

/// Lets an election go on whose decision waits for better votes.
fn elect(state: &mut State) {
    go_on(state, |_, _| true);
    for at in 0..3 {
        if let Some((due, false)) = state.world().deadline(at) {
            state.make(Move::TimesOut(due));
        }
    }
    go_on(state, |_, _| true);
    assert!(state.world().leader().is_some(), "a leader was elected");
}

/// Lets happen what may, in one order, as long as something may.
fn go_on(state: &mut State, may: impl Fn(&World, Due) -> bool) {
    loop {
        let next = state.free_moves().into_iter().find(|step| match step {
            Move::Happens(due) => may(state.world(), *due),
            Move::TimesOut(_)
            | Move::Write(_)
            | Move::Start(_)
            | Move::Crash { .. }
            | Move::Split(_)
            | Move::Heal => false,
        });
        let Some(step) = next else { return };
        state.make(step);
    }
}

fn is_disk(due: Due) -> bool {
    matches!(due, Due::Disk(..))
}

/// Whether this is a message of that name from one server to another.
fn speaks(world: &World, due: Due, from: u16, to: u16, name: &str) -> bool {
    world
        .says(due)
        .is_some_and(|(sender, receiver, what)| (sender, receiver) == (Site(from), Site(to)) && what == name)
}
