//! The lock's monitor against brute force.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::frontier::Event;
use super::frontier::Object;
use super::harness::{Spoken, Tally, compare, rounds};
use super::histories::Events;
use crate::online::lock::{Held, Input};
use crate::online::{Lock, Ticket, Violation};

#[derive(Debug)]
struct Brute;

impl Object for Brute {
    type State = Option<i64>;
    type Input = Input;
    type Output = ();

    fn initial() -> Option<i64> {
        None
    }

    fn is_read(_: &Input) -> bool {
        false
    }

    fn apply(holder: &Option<i64>, input: &Input) -> Option<(Option<i64>, ())> {
        match (*holder, *input) {
            (None, Input::Acquire(owner)) => Some((Some(owner), ())),
            (Some(holder), Input::Release(owner)) if holder == owner => Some((None, ())),
            (_, Input::Acquire(_) | Input::Release(_)) => None,
        }
    }
}

impl Spoken for Brute {
    type Monitor = Held;

    fn input(input: &Input) -> Input {
        *input
    }

    fn ok(lock: &mut Lock, at: u64, ticket: Ticket, (): &(), _: &Input) -> Result<(), Violation> {
        lock.ok(at, ticket, ())
    }
}

/// Clients that acquire and release in turn, each as its answers allow; the answers are those of a lock that now
/// and then grants too much.
fn random(rng: &mut ChaCha8Rng) -> Events<Brute> {
    #[derive(Clone, Copy, PartialEq)]
    enum Doing {
        Idle,
        Acquiring(usize),
        Holding,
        Releasing(usize),
    }
    let clients = rng.random_range(1..=4_usize);
    let mut owners: Vec<i64> = (0..).take(clients).collect();
    let mut doing = vec![Doing::Idle; clients];
    let mut events = Vec::new();
    let mut ops = 0;
    let loose = [0.02, 0.3][rng.random_range(0..2)];
    let longest = rng.random_range(1..=10);
    for _ in 0..60 {
        let client = rng.random_range(0..clients);
        let owner = owners[client];
        let held = doing.iter().any(|other| matches!(other, Doing::Holding));
        doing[client] = match doing[client] {
            state @ (Doing::Idle | Doing::Holding) if ops < longest => {
                ops += 1;
                let idle = state == Doing::Idle;
                let input = if idle { Input::Acquire(owner) } else { Input::Release(owner) };
                events.push(Event::Invoke(ops - 1, input));
                if idle { Doing::Acquiring(ops - 1) } else { Doing::Releasing(ops - 1) }
            }
            state @ (Doing::Idle | Doing::Holding) => state,
            Doing::Acquiring(op) | Doing::Releasing(op) if rng.random_bool(0.1) => {
                events.push(Event::Info(op));
                owners[client] += i64::try_from(clients).unwrap();
                Doing::Idle
            }
            Doing::Acquiring(op) if rng.random_bool(0.2) => {
                events.push(Event::Fail(op));
                Doing::Idle
            }
            Doing::Releasing(op) if rng.random_bool(0.1) => {
                events.push(Event::Fail(op));
                Doing::Holding
            }
            Doing::Acquiring(op) if !held || rng.random_bool(loose) => {
                events.push(Event::Ok(op, ()));
                Doing::Holding
            }
            state @ Doing::Acquiring(_) => state,
            Doing::Releasing(op) => {
                events.push(Event::Ok(op, ()));
                Doing::Idle
            }
        };
    }
    events
}

fn campaign(seed: u64, rounds: u32) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    for _ in 0..rounds {
        let events = random(&mut rng);
        compare::<Brute>(&events, rng.random_bool(0.5), &mut tally);
    }
    tally
}

#[test]
fn tells_the_first_violation_at_the_event_where_brute_force_does() {
    let tally = campaign(1, 10_000);
    assert!(tally.valid > 3_000 && tally.invalid > 1_000 && tally.inconclusive == 0, "{tally:?}");
}

#[test]
#[ignore = "as long as you like: ZABCHAOS_FUZZ"]
fn online_lock_more() {
    println!("{:?}", campaign(77, rounds()));
}
