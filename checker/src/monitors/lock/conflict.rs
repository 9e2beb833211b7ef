//! What cannot be true about a lock, in a sentence.

use crate::counterexample::Class;
use crate::monitors::lock::{LockOp, NONE, Session, Turn};
use crate::monitors::turns::Stuck;
use crate::{Conflict, Piece};

/// Two sessions that held the lock at the same time; `first` began first.
pub(super) fn double_grant(ops: &[LockOp], first: Session, second: Session) -> Conflict {
    let mut sentence = vec![
        Piece::Returned(first.acquire),
        Piece::Text(" before "),
        Piece::Returned(second.acquire),
        Piece::Text(", and "),
    ];
    sentence.extend(match first.release {
        NONE => vec![Piece::Text("the first holder never called a release")],
        release => vec![Piece::Called(release), Piece::Text(" only after that")],
    });
    sentence.push(Piece::Text(": both held the lock at the same time"));
    Conflict { class: Class::DoubleGrant, ops: by_call(ops, first.ops().chain(second.ops())), sentence }
}

/// Tries that found the lock as it cannot have been: the last one of `stuck.due` has no place.
pub(super) fn wrong_refusal(ops: &[LockOp], turns: &[Turn], stuck: &Stuck) -> Conflict {
    let first = stuck.turn + 1 - stuck.due.len();
    let state = |held: bool| Piece::Text(if held { "held" } else { "free" });
    let mut sentence = Vec::new();
    let mut tries = stuck.due.iter().copied().peekable();
    let called = Piece::Called(*tries.peek().expect("some operation finds no place"));
    match turns[first].begun_by {
        NONE => sentence.push(Piece::Text("the lock was free from the beginning")),
        begun => sentence.extend([Piece::Returned(begun), Piece::Text(" before "), called]),
    }
    let mut turn = first;
    while let Some(id) = tries.next() {
        let Some(&after) = tries.peek() else { break };
        sentence.extend([
            Piece::Text("; "),
            Piece::Op(id),
            Piece::Text(" found it "),
            state(!turns[turn].held),
        ]);
        sentence.extend([
            Piece::Text(", and "),
            Piece::Returned(id),
            Piece::Text(" before "),
            Piece::Called(after),
        ]);
        turn += 1;
    }
    let last = *stuck.due.last().expect("some operation finds no place");
    let held = turns[stuck.turn].held;
    // What could have ended the turn came too late, or not at all.
    match turns.get(stuck.turn + 1) {
        Some(next) => sentence.extend([
            Piece::Text(", and "),
            Piece::Returned(last),
            Piece::Text(" before "),
            Piece::Called(next.begun_by),
        ]),
        None if held => sentence.push(Piece::Text(", and nobody called a release later")),
        None => sentence.push(Piece::Text(", and nobody tried to acquire it later")),
    }
    sentence.extend([Piece::Text(": the lock was "), state(held), Piece::Text(" all that time, yet ")]);
    sentence.extend([Piece::Op(last), Piece::Text(" found it "), state(!held)]);
    let session = |turn: usize| session_of(turns, turn).into_iter().flat_map(Session::ops);
    let named = (first..=stuck.turn + 1).flat_map(session).chain(stuck.due.iter().copied());
    Conflict { class: Class::WrongRefusal, ops: by_call(ops, named), sentence }
}

/// The session that begins or ends with a turn.
fn session_of(turns: &[Turn], turn: usize) -> Option<Session> {
    let begun_by = |turn: Option<&Turn>| turn.map_or(NONE, |turn| turn.begun_by);
    let (acquire, release) = if turns.get(turn)?.held {
        (begun_by(turns.get(turn)), begun_by(turns.get(turn + 1)))
    } else {
        (begun_by(turn.checked_sub(1).and_then(|before| turns.get(before))), begun_by(turns.get(turn)))
    };
    (acquire != NONE).then_some(Session { acquire, release })
}

fn by_call(ops: &[LockOp], ids: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut ids: Vec<u32> = ids.collect();
    ids.sort_unstable_by_key(|&id| (ops[id as usize].call, id));
    ids.dedup();
    ids
}
