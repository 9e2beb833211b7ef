//! The counter's monitor against brute force.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::frontier::Object;
use super::harness::{Spoken, Tally, compare, rounds};
use super::histories::{Shape, mutate, simulate};
use crate::online::counter::{Held, Input};
use crate::online::{Counter, Ticket, Violation};

#[derive(Debug)]
struct Brute;

impl Object for Brute {
    type State = i64;
    type Input = Input;
    type Output = i64;

    fn initial() -> i64 {
        0
    }

    fn is_read(input: &Input) -> bool {
        *input == Input::Read
    }

    fn apply(&state: &i64, input: &Input) -> Option<(i64, i64)> {
        match input {
            Input::Read => Some((state, state)),
            Input::Increment => Some((state + 1, 0)),
        }
    }
}

impl Spoken for Brute {
    type Monitor = Held;

    fn input(input: &Input) -> Input {
        *input
    }

    fn ok(counter: &mut Counter, at: u64, ticket: Ticket, answer: &i64, _: &Input) -> Result<(), Violation> {
        counter.ok(at, ticket, Some(*answer))
    }
}

fn campaign(seed: u64, rounds: u32) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    for _ in 0..rounds {
        let longest = if rng.random_bool(0.2) { 12 } else { 8 };
        let mut shape = Shape::random(&mut rng, longest);
        shape.clients += rng.random_range(0..=1);
        let reads = rng.random_range(2..8);
        let mut events = simulate::<Brute>(&mut rng, shape, |rng, _| {
            if rng.random_range(0..10) < reads { Input::Read } else { Input::Increment }
        });
        if rng.random_bool(0.75) {
            for _ in 0..rng.random_range(1..=3) {
                mutate::<Brute>(&mut rng, &mut events, |rng, input| match input {
                    Input::Read => rng.random_range(0..=4),
                    Input::Increment => 0,
                });
            }
        }
        compare::<Brute>(&events, rng.random_bool(0.7), &mut tally);
    }
    tally
}

#[test]
fn tells_the_first_violation_at_the_event_where_brute_force_does() {
    let tally = campaign(1, 15_000);
    assert!(tally.valid > 3_000 && tally.invalid > 2_000 && tally.inconclusive == 0, "{tally:?}");
    assert!(tally.classes.len() >= 4, "{tally:?}");
}

#[test]
fn keeps_no_more_than_a_few_records_per_open_operation() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut counter = Counter::default();
    let mut running: Vec<Option<(Ticket, Input, Option<i64>)>> = vec![None; 100];
    let mut count = 0;
    for index in 0..300_000 {
        let client = rng.random_range(0..100);
        running[client] = match running[client] {
            None => {
                let input = if rng.random_bool(0.5) { Input::Read } else { Input::Increment };
                Some((counter.invoke(index, input), input, None))
            }
            Some((ticket, input, None)) => {
                count += i64::from(input == Input::Increment);
                Some((ticket, input, Some(count)))
            }
            Some((ticket, _, found)) => {
                counter.ok(index, ticket, found).unwrap();
                None
            }
        };
    }
    assert!(count > 40_000 && counter.peak() < 600, "{}", counter.peak());
}

#[test]
#[ignore = "as long as you like: ZABCHAOS_FUZZ"]
fn online_counter_more() {
    println!("{:?}", campaign(77, rounds()));
}
