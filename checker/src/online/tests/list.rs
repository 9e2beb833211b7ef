//! The list's monitor against brute force.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::frontier::Object;
use super::harness::{Spoken, Tally, compare, rounds};
use super::histories::{Shape, mutate, simulate};
use crate::online::list::{Held, Input};
use crate::online::{List, Ticket, Val, Violation};

#[derive(Debug)]
struct Brute;

#[derive(Debug, Clone, PartialEq)]
enum Do {
    Read,
    Append(i64),
}

impl Object for Brute {
    type State = Vec<i64>;
    type Input = Do;
    type Output = Vec<i64>;

    fn initial() -> Vec<i64> {
        Vec::new()
    }

    fn is_read(input: &Do) -> bool {
        *input == Do::Read
    }

    fn apply(state: &Vec<i64>, input: &Do) -> Option<(Vec<i64>, Vec<i64>)> {
        match *input {
            Do::Read => Some((state.clone(), state.clone())),
            Do::Append(value) => Some(([state.as_slice(), &[value]].concat(), Vec::new())),
        }
    }
}

impl Spoken for Brute {
    type Monitor = Held;

    fn input(input: &Do) -> Input {
        match *input {
            Do::Read => Input::Read,
            Do::Append(value) => Input::Append(Val::int(value)),
        }
    }

    fn ok(list: &mut List, at: u64, ticket: Ticket, answer: &Vec<i64>, _: &Do) -> Result<(), Violation> {
        let elements: Vec<Val> = answer.iter().map(|&value| Val::int(value)).collect();
        list.ok(at, ticket, Some(&elements))
    }
}

fn campaign(seed: u64, rounds: u32, repeat: bool) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    for _ in 0..rounds {
        let mut shape = Shape::random(&mut rng, 8);
        shape.clients = shape.clients.min(3);
        let mut events = simulate::<Brute>(&mut rng, shape, |rng, before| {
            let new = i64::try_from(before).unwrap();
            match rng.random_range(0..10) {
                0..5 => Do::Read,
                5 if repeat => Do::Append(rng.random_range(0..=new)),
                _ => Do::Append(new),
            }
        });
        if rng.random_bool(0.75) {
            for _ in 0..rng.random_range(1..=3) {
                mutate::<Brute>(&mut rng, &mut events, |rng, input| match input {
                    Do::Append(_) => Vec::new(),
                    Do::Read => {
                        let len = rng.random_range(0..4);
                        (0..len)
                            .map(|n| if rng.random_bool(0.7) { n } else { rng.random_range(0..8) })
                            .collect()
                    }
                });
            }
        }
        compare::<Brute>(&events, rng.random_bool(0.7), &mut tally);
    }
    tally
}

#[test]
fn tells_the_first_violation_at_the_event_where_brute_force_does() {
    let tally = campaign(1, 12_000, false);
    assert!(tally.valid > 3_000 && tally.invalid > 2_000 && tally.inconclusive == 0, "{tally:?}");
    assert!(tally.classes.len() >= 6, "{tally:?}");
}

#[test]
fn gives_up_rather_than_guess_where_elements_repeat() {
    let tally = campaign(2, 3_000, true);
    assert!(tally.valid > 500 && tally.invalid > 200 && tally.inconclusive > 100, "{tally:?}");
}

#[test]
#[ignore = "as long as you like: ZABCHAOS_FUZZ"]
fn online_list_more() {
    for repeat in [false, true] {
        println!("{:?}", campaign(77, rounds(), repeat));
    }
}
