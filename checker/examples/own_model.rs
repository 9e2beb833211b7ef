//! A model of one's own, in some 30 lines: a semaphore with two permits.
//!
//! `cargo run -p checker --example own_model`

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use checker::engine::{Answer, Limits, Memory, search};
use checker::model::{ActionId, Interned, Spec};
use checker::{LinOp, NEVER};

/// At most `permits` may be held at a time; the state is how many are.
struct Semaphore {
    permits: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Action {
    /// Got a permit.
    Acquired,
    /// Was told that there is none left.
    Refused,
    /// Gave one back.
    Released,
}

impl Spec for Semaphore {
    type State = u32;
    type Action = Action;

    fn initial(&self) -> u32 {
        0
    }

    fn step(&self, held: &u32, action: &Action) -> Option<u32> {
        match action {
            Action::Acquired => (*held < self.permits).then_some(held + 1),
            Action::Refused => (*held == self.permits).then_some(*held),
            Action::Released => held.checked_sub(1),
        }
    }

    fn is_pure(&self, action: &Action) -> bool {
        matches!(action, Action::Refused)
    }
}

/// Calls and returns by position, with what each operation did.
fn check(history: &[(u32, u32, Action)]) -> Answer {
    let mut machine = Interned::new(Semaphore { permits: 2 });
    let ops: Vec<LinOp<ActionId>> = history
        .iter()
        .map(|(call, ret, action)| LinOp { call: *call, ret: *ret, action: machine.action(action.clone()) })
        .collect();
    let memory = Memory::new(64 << 20);
    search(&mut machine, &ops, &Limits { deadline: None, max_configs: 100_000, memory: &memory })
}

fn main() {
    use Action::{Acquired, Refused, Released};
    // The release never returned, but the third client got its permit: so it happened.
    let fine =
        [(2, 4, Acquired), (6, 8, Acquired), (10, NEVER, Released), (12, 14, Refused), (16, 18, Acquired)];
    // Here nobody released.
    let broken = [(2, 4, Acquired), (6, 8, Acquired), (10, 14, Acquired), (12, 16, Refused)];
    for (name, history) in [("fine", &fine[..]), ("broken", &broken)] {
        match check(history) {
            Answer::Valid { witness } => println!("{name}: valid, for example in the order {witness:?}"),
            Answer::Invalid { failure } => {
                println!("{name}: invalid, {failure:?}");
            }
            Answer::Unknown { reason } => println!("{name}: unknown, {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Acquired, Refused, Released};

    #[test]
    fn permits_are_limited() {
        let released = [(2, 4, Acquired), (6, 8, Acquired), (10, NEVER, Released), (12, 14, Acquired)];
        assert_eq!(check(&released), Answer::Valid { witness: vec![0, 1, 2, 3] });
        assert!(check(&[(2, 4, Acquired), (6, 8, Acquired), (10, 12, Acquired)]).is_invalid());
        assert!(check(&[(2, 4, Acquired), (6, 8, Refused)]).is_invalid());
    }
}
