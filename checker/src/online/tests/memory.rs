//! What a long run leaves in memory.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::online::{Act, Checker, Event, Found, Kind, Val, What};

/// Operations under way: key, act, and what was found.
type Running = Option<(u32, Act, Option<Val>)>;

/// A closed loop of clients on perfect registers; updates only, reads only, or both. One in a hundred crashes.
struct Loop {
    rng: ChaCha8Rng,
    processes: Vec<i64>,
    running: Vec<Running>,
    registers: Vec<Val>,
    next: i64,
    index: u64,
}

impl Loop {
    fn new(clients: usize, keys: usize) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(11),
            processes: (0..).take(clients).collect(),
            running: vec![None; clients],
            registers: vec![Val::NIL; keys],
            next: 0,
            index: 0,
        }
    }

    fn any(&mut self) -> usize {
        self.rng.random_range(0..self.running.len())
    }

    /// A client does the next thing it has to do.
    fn step(&mut self, at: usize, checker: &mut Checker) {
        let process = self.processes[at];
        let (key, what) = match self.running[at].take() {
            None => {
                self.next += 1;
                let key = u32::try_from(self.rng.random_range(0..self.registers.len())).unwrap();
                let act = match self.next % 4 {
                    0 => Act::Write(Val::int(self.next)),
                    1 => Act::Cas { old: None, new: Val::int(self.next) },
                    _ => Act::Read,
                };
                self.running[at] = Some((key, act, None));
                (key, What::Invoke(act))
            }
            Some((key, act, None)) => {
                let register = &mut self.registers[key as usize];
                let found = *register;
                let crashes = self.rng.random_bool(0.01);
                if !crashes || self.rng.random_bool(0.5) {
                    match act {
                        Act::Write(new) | Act::Cas { new, .. } => *register = new,
                        Act::Read | Act::Add(_) | Act::Increment | Act::Acquire | Act::Release => {}
                    }
                }
                if !crashes {
                    self.running[at] = Some((key, act, Some(found)));
                    return;
                }
                self.processes[at] += i64::try_from(self.running.len()).unwrap();
                (key, What::Info(Found::Nothing))
            }
            Some((key, Act::Write(_), Some(_))) => (key, What::Ok(Found::Nothing)),
            Some((key, _, Some(found))) => (key, What::Ok(Found::Value(found))),
        };
        let event = Event { index: self.index, process, key, what };
        self.index += 1;
        assert_eq!(checker.feed_event(&event), None, "a perfect register is never wrong");
    }
}

#[test]
fn a_million_operations_of_a_hundred_clients_on_one_key_leave_a_few_hundred_records() {
    let mut checker = Checker::new(Kind::Register);
    checker.key("r");
    let mut clients = Loop::new(100, 1);
    while clients.next < 1_000_000 {
        let at = clients.any();
        clients.step(at, &mut checker);
    }
    assert_eq!(checker.inconclusive().count(), 0);
    // The blocks that overlap with the oldest of 100 open operations, those operations, and as many again
    // before a sweep is worth its while.
    assert!(checker.peak() < 1_500, "{}", checker.peak());
    // Crashed updates that took no effect: 1 % of the half that updates, half of those.
    let crashed = checker.retained() - checker.peak().min(checker.retained());
    assert!((1_000..5_000).contains(&crashed), "{crashed}");
}

#[test]
fn keys_that_are_left_alone_keep_next_to_nothing() {
    let mut checker = Checker::new(Kind::Register);
    (0..2_000).for_each(|key| {
        checker.key(&format!("r{key}"));
    });
    let mut clients = Loop::new(20, 1_999);
    while clients.next < 60_000 {
        let at = clients.any();
        clients.step(at, &mut checker);
    }
    let busy = checker.retained();
    assert!(busy > 10_000, "{busy}");
    // Everybody goes to the last key; whatever was open elsewhere completes.
    for _ in 0..400_000 {
        let at = clients.any();
        if clients.running[at].is_some() {
            clients.step(at, &mut checker);
            continue;
        }
        let act = Act::Read;
        let process = clients.processes[at];
        for what in [What::Invoke(act), What::Ok(Found::Value(Val::NIL))] {
            let event = Event { index: clients.index, process, key: 1_999, what };
            clients.index += 1;
            assert_eq!(checker.feed_event(&event), None);
        }
    }
    // A value each, and the crashed writes that nobody saw.
    assert!(checker.retained() < 2_000 + 500, "{}", checker.retained());
}
