//! Small worlds, all of them: every order in which things may happen, up to a depth, in breadth first order.
//!
//! Where `run` draws one path after another through large worlds, this walks *all* paths through a small one:
//! three servers that run the very core of `zab-node`, from a [`Scenario`]'s starting state, within
//! [`Bounds`]. Each property of [`crate::properties`] looks at every step. The first violation found has a
//! shortest list of moves.
//!
//! # What a move is
//!
//! Of a state, these are the ways on (`moves`):
//!
//! * the head of any lane of any connection arrives, or the next vote from one server to another;
//! * a connection attempt arrives: it is accepted, or finally refused when the server is not there or not
//!   reachable *now*;
//! * a disk finishes its batch;
//! * a server's deadline comes. Its clock jumps there; a deadline in the future costs one of
//!   [`Bounds::timeouts`], one that is due already (an election in which all agree) costs nothing;
//! * a client writes at a server that takes itself for the established leader ([`Bounds::writes`]);
//! * a server is killed, with nothing or all of its disk's batch under way done ([`Bounds::crashes`]); it
//!   starts again. One that is down when the scenario begins has its crash behind it: that counts when it comes
//!   back;
//! * the network splits, in each way in which three servers can be split ([`Bounds::partitions`]), and heals.
//!
//! # Time
//!
//! The world's time stands still, messages take none. Each server has a clock of its own that only ever moves
//! to that server's next deadline, so clocks run at every speed relative to each other and to the network:
//! more orders than any real time allows, and none fewer. Absolute times in a server's state do not merge two
//! states that differ in them; the budget of timeouts bounds how many there are, and a new process begins with
//! a new clock. initLimit and syncLimit are 0: one silent half tick is too long, so a timeout costs one move and
//! not as many as there are half ticks in syncLimit.
//!
//! # What tells states apart
//!
//! Servers, disks, what is under way in which order, cuts, the ledger of the properties, and what is left of
//! the bounds; not times of arrival, counters, the journal, or the order in which connections got their numbers.
//! Of a state 128 bits are kept. With a million states, two would be taken for one with a chance of 1 in 10^26.
//!
//! # What is not explored
//!
//! * Loss of power and anything else a disk or a kernel may do beyond the end of a process: what a killed server
//!   sent arrives unless a cut or the receiver keeps it from it. A kill falls between two steps of a server.
//! * Of several votes on a line that is cut, only the newest arrives after healing (as at the real port), and
//!   what is under way to a process that ended reaches no later one.
//! * Pings that keep a leadership alive, session expiry, observers, reads, forwarded writes, paused processes.
//! * Everything beyond the bounds, and liveness.
//!
//! # Golden figures
//!
//! The number of unique states is a function of the scenario, the bounds and the code of core and world, not of
//! the machine nor of the number of threads. `node/sim/tests/explore.rs` holds them; a change of the protocol
//! changes them, and whoever makes one should be able to say why. A state that waits for its turn takes some 20 KB,
//! one that had it 50 bytes. The deep ones, and any scenario within any bounds:
//!
//! ```text
//! cargo test --release -p zab-sim --test explore -- --ignored --nocapture
//! zabchaos simulate --explore returning --bounds depth=9,crashes=1
//! ```
//!
//! Rooms: `scenario` where exploring begins · `state` a world with its budgets, its moves, its identity ·
//! `search` breadth first · `fingerprint` 128 bits for a state · `counterexample` a path for people.

mod counterexample;
mod fingerprint;
mod moves;
mod scenario;
mod search;
mod state;

pub use counterexample::{Counterexample, Finding, Step};
pub use moves::{Move, Split};
pub use scenario::Scenario;
pub use search::{THREADS, explore, explore_while};

use crate::run::Reached;

/// How far exploring goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Moves from the start at most.
    pub depth: usize,
    /// Servers killed at most.
    pub crashes: u8,
    /// Splits of the network at most.
    pub partitions: u8,
    /// Deadlines at most for which a clock has to move.
    pub timeouts: u8,
    /// Writes of clients at most, beyond those of the starting state.
    pub writes: u8,
}

/// What was explored. All of it is the same however many threads there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explored {
    /// Different states, the first included.
    pub unique_states: usize,
    /// Of which so many were first reached by so many moves.
    pub by_depth: Vec<usize>,
    /// Moves made.
    pub moves: u64,
    /// States without a way on.
    pub ends: usize,
    /// The greatest number of moves by which a new state was reached.
    pub deepest: usize,
    /// Whether no state was left at the depth's bound: these are all states within the other bounds.
    pub complete: bool,
    /// The shortest way to something that must not happen.
    pub violation: Option<Counterexample>,
    /// How often each transition was reached, by name and branch.
    pub reached: Reached,
}

impl Explored {
    /// Whether a transition was reached, in any of its branches.
    #[must_use]
    pub fn has_reached(&self, name: &str) -> bool {
        self.reached.keys().any(|(reached, _)| *reached == name)
    }
}
