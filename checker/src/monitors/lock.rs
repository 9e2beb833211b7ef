//! Locks that do not know who holds them, used by processes that do.
//!
//! Each process is to acquire and release in turn, and to release only what it acquired. Then the number of processes
//! that have taken effect as acquirers but not yet as releasers is the lock's state, so it never exceeds one:
//! an acquire and the release of the same process follow each other directly, as a block (a *session*),
//! although the lock as such would let anybody release it.
//!
//! A session is certain to hold the lock from the return of its acquire to the call of its release (to the end of time
//! if there is none): its zone, in terms of the block lemma, is forward. So sessions have one order, or two of them
//! overlap: a double grant. Tries that found the lock held, or free, have to find a place between the borders
//! of the sessions (`turns.rs`), which is exact as the order is fixed.
//!
//! * *A release without return* may take effect or not. It has to, if another session comes after it.
//! * *An acquire without return* that takes effect holds the lock for ever: so it can only come last, only one of
//!   them, and only if somebody found the lock held; the one called first serves best.

mod conflict;
#[cfg(test)]
mod tests;

use crate::blocks::{Zone, order};
use crate::model::LockAction;
use crate::monitors::ids::Numbers;
use crate::monitors::turns::{Due, Turns, Window};
use crate::{Decision, LinOp, NEVER, Position};

/// An operation on a lock.
type LockOp = LinOp<LockAction>;

/// No operation.
const NONE: u32 = u32::MAX;

/// Decides whether `ops` is linearizable as a lock, initially free; `sessions` names the process of each
/// operation. O(n log n); O(n) but for hashing where operations come sorted by call.
///
/// Open if a process releases what it did not acquire, or has two operations open at once.
///
/// An invalid history is so because of the conflict's operations alone; with each its whole session is named. A
/// double grant comes before a wrong refusal; of several it is the first by time.
///
/// # Panics
/// If `sessions` is not as long as `ops`.
#[must_use]
pub fn decide(ops: &[LockOp], sessions: &[u32]) -> Decision {
    assert_eq!(ops.len(), sessions.len(), "each operation has a process");
    let lock = match Lock::collect(ops, sessions) {
        Ok(lock) => lock,
        Err(reason) => return Decision::Open(reason),
    };
    let zones: Vec<Zone> = lock.sessions.iter().map(|session| session.zone(ops)).collect();
    let order = match order(&zones) {
        Ok(order) => order,
        Err((a, b)) => {
            let [a, b] = [a, b].map(|session| lock.sessions[session as usize]);
            return Decision::Invalid(conflict::double_grant(ops, a, b));
        }
    };
    let turns = lock.turns(ops, &order);
    let mut times = Turns::new(turns.iter().map(|turn| turn.window(ops)).collect());
    let [mut held, mut free] =
        [&lock.found_held, &lock.found_free].map(|tries| FirstReturns::new(ops, tries));
    match times.run(|turn, at| if turns[turn].held { free.due(at) } else { held.due(at) }) {
        Ok(()) => Decision::Valid(lay_out(ops, &lock, &turns, times.begins())),
        Err(stuck) => Decision::Invalid(conflict::wrong_refusal(ops, &turns, &stuck)),
    }
}

/// From an acquire to the release by the same process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    acquire: u32,
    /// [`NONE`] if it never released.
    release: u32,
}

impl Session {
    fn zone(self, ops: &[LockOp]) -> Zone {
        let last_call = ops.get(self.release as usize).map_or(NEVER, |release| release.call);
        Zone { first_return: ops[self.acquire as usize].ret, last_call }
    }

    fn ops(self) -> impl Iterator<Item = u32> {
        [self.acquire, self.release].into_iter().filter(|&id| id != NONE)
    }
}

/// The operations, sorted by what they are.
#[derive(Debug, Default)]
struct Lock {
    /// Those with an acquire that returned, by call.
    sessions: Vec<Session>,
    /// The first acquire without return.
    pending: Option<u32>,
    /// Tries that found it held or free, by call.
    found_held: Vec<u32>,
    found_free: Vec<u32>,
}

/// What is known of a process.
#[derive(Clone, Copy)]
struct Process {
    /// The index of its session, while it holds the lock.
    holds: Option<usize>,
    /// When its latest operation returned.
    idle: Position,
}

impl Lock {
    /// Follows each process through its operations.
    fn collect(ops: &[LockOp], sessions: &[u32]) -> Result<Self, &'static str> {
        let mut lock = Self::default();
        let bound = sessions.iter().max().map_or(0, |&largest| largest as usize + 1);
        let mut numbers = Numbers::new(bound, ops.len());
        let mut processes: Vec<Process> = Vec::new();
        for id in by_call(ops) {
            let op = &ops[id as usize];
            let process = numbers.number(sessions[id as usize]) as usize;
            if process == processes.len() {
                processes.push(Process { holds: None, idle: 0 });
            }
            let process = &mut processes[process];
            if op.call < process.idle {
                return Err("a process has two operations open at once");
            }
            process.idle = op.ret;
            match op.action {
                LockAction::Refused | LockAction::RefusedRelease if !op.returned() => {}
                LockAction::Refused => lock.found_held.push(id),
                LockAction::RefusedRelease => lock.found_free.push(id),
                LockAction::Acquire if !op.returned() => {
                    lock.pending.get_or_insert(id);
                }
                LockAction::Acquire => {
                    process.holds = Some(lock.sessions.len());
                    lock.sessions.push(Session { acquire: id, release: NONE });
                }
                LockAction::Release => {
                    let Some(session) = process.holds.take() else {
                        return Err("a process releases a lock that it did not acquire");
                    };
                    lock.sessions[session].release = id;
                }
            }
        }
        Ok(lock)
    }

    /// The states of the lock one after the other: free, held by each session in turn and free in between.
    fn turns(&self, ops: &[LockOp], order: &[u32]) -> Vec<Turn> {
        let mut turns = vec![Turn { begun_by: NONE, held: false }];
        for &session in order {
            let Session { acquire, release } = self.sessions[session as usize];
            turns.push(Turn { begun_by: acquire, held: true });
            if release != NONE {
                turns.push(Turn { begun_by: release, held: false });
            }
        }
        // It may come last, or never.
        if let Some(pending) = self.pending
            && turns.last().is_some_and(|last| !last.held)
        {
            debug_assert!(!ops[pending as usize].returned());
            turns.push(Turn { begun_by: pending, held: true });
        }
        turns
    }
}

fn by_call(ops: &[LockOp]) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..u32::try_from(ops.len()).expect("fewer than 2^32 operations")).collect();
    if !ops.is_sorted_by_key(|op| op.call) {
        ids.sort_unstable_by_key(|&id| ops[id as usize].call);
    }
    ids
}

/// A time during which the lock is held, or free.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// [`NONE`]: free from the beginning.
    begun_by: u32,
    held: bool,
}

impl Turn {
    fn window(self, ops: &[LockOp]) -> Window {
        let op = ops.get(self.begun_by as usize);
        op.map_or(Window { after: 0, before: 0 }, |op| Window { after: op.call, before: op.ret })
    }
}

/// For each call, the first return among the tries with that call or a later one.
struct FirstReturns {
    /// (call, first return from here on), by call.
    tries: Vec<(Position, Due)>,
    next: usize,
}

impl FirstReturns {
    fn new(ops: &[LockOp], tries: &[u32]) -> Self {
        let due = |&op: &u32| (ops[op as usize].call, Due { ret: ops[op as usize].ret, op });
        let mut tries: Vec<(Position, Due)> = tries.iter().map(due).collect();
        for at in (1..tries.len()).rev() {
            tries[at - 1].1 = tries[at - 1].1.min(tries[at].1);
        }
        Self { tries, next: 0 }
    }

    /// Of those called at `at` or later, the first to return; `at` never decreases.
    fn due(&mut self, at: Position) -> Due {
        while self.tries.get(self.next).is_some_and(|&(call, _)| call < at) {
            self.next += 1;
        }
        self.tries.get(self.next).map_or(Due::NEVER, |&(_, due)| due)
    }
}

/// The witness: what begins each turn, and the tries that found the lock as it is then.
fn lay_out(ops: &[LockOp], lock: &Lock, turns: &[Turn], begins: &[Position]) -> Vec<u32> {
    let begun = begins.partition_point(|&at| at != NEVER);
    let mut places: Vec<(u32, u32)> = Vec::new();
    for (tries, held) in [(&lock.found_held, true), (&lock.found_free, false)] {
        let mut turn = 0;
        for &id in tries {
            while turn + 1 < begun && begins[turn + 1] <= ops[id as usize].call {
                turn += 1;
            }
            // At its call, or when that turn is over.
            let turn = turn + usize::from(turns[turn].held != held);
            places.push((u32::try_from(turn).expect("a turn for each operation at most"), id));
        }
    }
    // Within a turn by call, as they came.
    places.sort_unstable_by_key(|&(turn, id)| (turn, ops[id as usize].call));
    let mut places = places.into_iter().peekable();
    let mut witness = Vec::with_capacity(ops.len());
    for (at, turn) in (0..).zip(&turns[..begun]) {
        witness.extend(Some(turn.begun_by).filter(|&id| id != NONE));
        while let Some((_, id)) = places.next_if(|&(turn, _)| turn == at) {
            witness.push(id);
        }
    }
    witness
}
