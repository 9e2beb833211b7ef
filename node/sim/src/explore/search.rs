//! Breadth first through all states, in blocks that are shared among threads.
//!
//! A block of states is cut into one piece a thread; the pieces' successors are put together in the order of
//! the block. So which of two equal states stays, the counts, and the violation that is reported are the same
//! for any number of threads.

use super::fingerprint::{Fingerprint, Fingerprints};
use super::state::State;
use super::{Bounds, Counterexample, Explored, Finding, Move, Scenario};
use crate::run::Reached;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Builder;

/// States that are expanded before their successors are put together: enough to keep threads busy, few
/// enough that equal successors do not pile up.
const BLOCK: usize = 2_048;

/// The name of the threads that explore. A panic on one of them is caught and is a finding: whoever hooks into
/// panics knows it by this name.
pub const THREADS: &str = "explores";

/// A state's number in the order in which they were found.
type Id = u32;

/// Explores a scenario within bounds, on so many threads (at least one).
#[must_use]
pub fn explore(scenario: &Scenario, bounds: &Bounds, threads: usize) -> Explored {
    explore_while(scenario, bounds, threads, &mut |_| true)
}

/// The same, as long as the caller wants it to go on. It is asked every few thousand states, and told what was
/// explored so far (`by_depth` up to the last whole level).
///
/// # Panics
/// When the servers do before the first move: a planted bug can keep a scenario from its beginning.
#[must_use]
pub fn explore_while(
    scenario: &Scenario,
    bounds: &Bounds,
    threads: usize,
    go_on: &mut dyn FnMut(&Explored) -> bool,
) -> Explored {
    let root = scenario.start(bounds);
    let mut search = Search {
        found: Fingerprints::default(),
        origins: Vec::new(),
        explored: Explored {
            unique_states: 1,
            by_depth: vec![1],
            moves: 0,
            ends: 0,
            deepest: 0,
            complete: false,
            violation: None,
            reached: Reached::default(),
        },
    };
    search.found.insert(root.fingerprint());
    if let Some(finding) = root.finding() {
        search.explored.violation = Some(Counterexample::new(root, Vec::new(), finding));
        return search.explored;
    }
    let mut level = VecDeque::from([(0, root.clone())]);
    for depth in 1..=bounds.depth {
        let is_last = depth == bounds.depth;
        let before = search.origins.len();
        let (next, end) = search.go_on(level, is_last, threads.max(1), go_on);
        level = next;
        let new = search.origins.len() - before;
        if new > 0 {
            search.explored.by_depth.push(new);
            search.explored.deepest = depth;
        }
        match end {
            LevelEnd::Whole => {}
            LevelEnd::Stopped => break,
            LevelEnd::Found((parent, step, finding)) => {
                let moves = search.path(parent, step);
                search.explored.violation = Some(Counterexample::new(root, moves, finding));
                break;
            }
        }
        if new == 0 {
            search.explored.complete = true;
            break;
        }
    }
    search.explored
}

struct Search {
    found: Fingerprints,
    /// How each state but the first was found: from which other, by which move.
    origins: Vec<(Id, Move)>,
    explored: Explored,
}

/// A move that ended in something that must not happen: from which state.
type Found = (Id, Move, Finding);

/// How far a level was gone through.
enum LevelEnd {
    Whole,
    /// The caller did not want to go on.
    Stopped,
    /// To the end of the first block in which something was found.
    Found(Found),
}

struct Successor {
    parent: Id,
    step: Move,
    fingerprint: Fingerprint,
    /// Not kept where nothing goes on.
    state: Option<State>,
}

/// What became of a piece of a block.
#[derive(Default)]
struct Piece {
    successors: Vec<Successor>,
    moves: u64,
    ends: usize,
    reached: Reached,
    finding: Option<Found>,
}

impl Search {
    /// From all states of a level to those of the next.
    fn go_on(
        &mut self,
        mut level: VecDeque<(Id, State)>,
        is_last: bool,
        threads: usize,
        go_on: &mut dyn FnMut(&Explored) -> bool,
    ) -> (VecDeque<(Id, State)>, LevelEnd) {
        let mut next = VecDeque::new();
        while !level.is_empty() {
            if !go_on(&self.explored) {
                return (next, LevelEnd::Stopped);
            }
            let mut block: VecDeque<_> = level.drain(..BLOCK.min(level.len())).collect();
            let share = block.len().div_ceil(threads);
            let mut shares = Vec::new();
            while !block.is_empty() {
                shares.push(block.drain(..share.min(block.len())).collect::<Vec<_>>());
            }
            let found = &self.found;
            let pieces: Vec<Piece> = std::thread::scope(|scope| {
                let work = |share| {
                    let thread = Builder::new().name(THREADS.to_owned());
                    let work = move || expand(share, found, is_last);
                    thread.spawn_scoped(scope, work).expect("the system has room for a thread")
                };
                let workers: Vec<_> = shares.into_iter().map(work).collect();
                workers.into_iter().map(|worker| worker.join().expect("panics are caught within")).collect()
            });
            let mut finding = None;
            for piece in pieces {
                finding = finding.or(self.take_in(piece, &mut next));
            }
            if let Some(finding) = finding {
                return (next, LevelEnd::Found(finding));
            }
        }
        (next, LevelEnd::Whole)
    }

    fn take_in(&mut self, piece: Piece, next: &mut VecDeque<(Id, State)>) -> Option<Found> {
        let Piece { successors, moves, ends, reached, finding } = piece;
        self.explored.moves += moves;
        self.explored.ends += ends;
        for (transition, times) in reached {
            *self.explored.reached.entry(transition).or_default() += times;
        }
        for Successor { parent, step, fingerprint, state } in successors {
            if self.found.insert(fingerprint) {
                self.origins.push((parent, step));
                self.explored.unique_states += 1;
                let id = Id::try_from(self.origins.len()).expect("2^32 states do not fit into memory");
                next.extend(state.map(|state| (id, state)));
            }
        }
        finding
    }

    /// The moves from the first state to another, and one more.
    fn path(&self, to: Id, last: Move) -> Vec<Move> {
        let mut moves = vec![last];
        let mut at = to;
        while let Some(before) = at.checked_sub(1) {
            let (parent, step) = self.origins[before as usize];
            moves.push(step);
            at = parent;
        }
        moves.reverse();
        moves
    }
}

/// Every move of every state.
fn expand(states: Vec<(Id, State)>, found: &Fingerprints, is_last: bool) -> Piece {
    let mut piece = Piece::default();
    let mut here = Fingerprints::default();
    for (id, state) in states {
        let moves = state.moves();
        piece.ends += usize::from(moves.is_empty());
        piece.moves += moves.len() as u64;
        let mut parent = Some(state);
        let last = moves.len().saturating_sub(1);
        for (number, step) in moves.into_iter().enumerate() {
            // The last successor may have what its parent was made of.
            let successor = if number == last { parent.take() } else { parent.clone() };
            let successor = successor.expect("it is taken with the last move only");
            match make(successor, step, &mut piece.reached) {
                Err(finding) => piece.finding = piece.finding.or(Some((id, step, finding))),
                Ok((state, fingerprint)) => {
                    if !found.contains(&fingerprint) && here.insert(fingerprint) {
                        let state = (!is_last).then_some(state);
                        piece.successors.push(Successor { parent: id, step, fingerprint, state });
                    }
                }
            }
        }
    }
    piece
}

/// Makes one move. A panic of the code that is explored is a finding like any other.
fn make(mut state: State, step: Move, reached: &mut Reached) -> Result<(State, Fingerprint), Finding> {
    let made = catch_unwind(AssertUnwindSafe(|| {
        state.make(step);
        state
    }));
    let mut state = match made {
        Ok(state) => state,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            return Err(Finding::Panic(text.unwrap_or_else(|| "without a word".to_owned())));
        }
    };
    for (transition, times) in state.world_mut().take_reached() {
        *reached.entry(transition).or_default() += times;
    }
    match state.finding() {
        Some(finding) => Err(finding),
        None => {
            let fingerprint = state.fingerprint();
            Ok((state, fingerprint))
        }
    }
}
