//! The register's monitor against brute force.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::frontier::{Object, any_order, first_violation};
use super::harness::{Spoken, Tally, compare, rounds};
use super::histories::{Events, Shape, mutate, simulate};
use crate::online::register::{Held, Input};
use crate::online::{Register, Ticket, Val, Violation};

/// A register of small integers; 0 is nil.
struct Reg;

#[derive(Debug, Clone, PartialEq)]
enum Do {
    Read,
    Write(i64),
    /// The client learns the old value.
    Swap(i64),
    Cas(i64, i64),
    /// A compare-and-set that is refused, of this value to one that nobody looks for.
    Refused(i64, i64),
}

impl Object for Reg {
    type State = i64;
    type Input = Do;
    /// What was found, if the client did not know; else 0.
    type Output = i64;

    fn initial() -> i64 {
        0
    }

    fn is_read(input: &Do) -> bool {
        matches!(input, Do::Read | Do::Refused(..))
    }

    fn apply(&state: &i64, input: &Do) -> Option<(i64, i64)> {
        match *input {
            Do::Read => Some((state, state)),
            Do::Write(new) => Some((new, 0)),
            Do::Swap(new) => Some((new, state)),
            Do::Cas(old, new) => (state == old).then_some((new, 0)),
            Do::Refused(old, _) => (state != old).then_some((state, 0)),
        }
    }
}

fn val(number: i64) -> Val {
    if number == 0 { Val::NIL } else { Val::int(number) }
}

impl Spoken for Reg {
    type Monitor = Held;

    fn input(input: &Do) -> Input {
        match *input {
            Do::Read => Input::Read,
            Do::Write(new) => Input::Write(val(new)),
            Do::Swap(new) => Input::Cas { old: None, new: val(new) },
            Do::Cas(old, new) | Do::Refused(old, new) => Input::Cas { old: Some(val(old)), new: val(new) },
        }
    }

    fn ok(
        register: &mut Register,
        at: u64,
        ticket: Ticket,
        found: &i64,
        input: &Do,
    ) -> Result<(), Violation> {
        if let Do::Refused(..) = input {
            register.refused(ticket);
            return Ok(());
        }
        let told = matches!(input, Do::Read | Do::Swap(_)).then(|| val(*found));
        register.ok(at, ticket, told)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Values {
    Unique,
    /// Now and then one is written again.
    Repeat,
    /// Unique, and compare-and-sets are refused.
    Refused,
}

fn random(rng: &mut ChaCha8Rng, values: Values) -> Events<Reg> {
    let longest = if rng.random_bool(0.03) { 12 } else { 8 };
    let shape = Shape::random(rng, longest);
    let mix = *[0, 30, 60].choose(rng).unwrap();
    let explicit = rng.random_bool(0.3);
    let mut events = simulate::<Reg>(rng, shape, |rng, before| {
        let before = i64::try_from(before).unwrap();
        let new = if values == Values::Repeat && rng.random_bool(0.2) {
            rng.random_range(0..=before + 1)
        } else {
            before + 1
        };
        match rng.random_range(0..100) {
            _ if values == Values::Refused && rng.random_bool(0.2) => {
                Do::Refused(rng.random_range(0..=before), 1_000 + before)
            }
            n if n < mix && explicit => Do::Cas(rng.random_range(0..=before), new),
            n if n < mix => Do::Swap(new),
            n if n % 2 == 0 => Do::Write(new),
            _ => Do::Read,
        }
    });
    if rng.random_bool(0.75) {
        let most = i64::try_from(shape.ops).unwrap();
        for _ in 0..rng.random_range(1..=3) {
            mutate::<Reg>(rng, &mut events, |rng, input| match *input {
                Do::Read | Do::Swap(_) => rng.random_range(0..=most),
                Do::Write(_) | Do::Cas(..) | Do::Refused(..) => 0,
            });
        }
    }
    events
}

fn campaign(seed: u64, rounds: u32, values: Values) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    for round in 0..rounds {
        let events = random(&mut rng, values);
        if round % 16 == 0 && events.len() < 14 {
            let explained = first_violation::<Reg>(&events).is_none();
            assert_eq!(any_order::<Reg>(&events), explained, "brute force against brute force: {events:?}");
        }
        compare::<Reg>(&events, rng.random_bool(0.7), &mut tally);
    }
    tally
}

#[test]
fn tells_the_first_violation_at_the_event_where_brute_force_does() {
    let tally = campaign(1, 30_000, Values::Unique);
    assert!(tally.valid > 10_000 && tally.invalid > 5_000 && tally.inconclusive == 0, "{tally:?}");
    assert!(tally.classes.len() >= 5, "{tally:?}");
}

#[test]
fn gives_up_rather_than_guess_where_values_repeat() {
    let tally = campaign(2, 5_000, Values::Repeat);
    assert!(tally.valid > 1_000 && tally.invalid > 500 && tally.inconclusive > 1_000, "{tally:?}");
}

#[test]
fn a_refusal_is_decided_where_it_is_obvious() {
    let tally = campaign(3, 5_000, Values::Refused);
    assert!(tally.valid > 1_000 && tally.invalid > 500 && tally.inconclusive > 100, "{tally:?}");
}

/// A write of 1, and an open compare-and-set that stores 3 and that somebody read.
fn with_a_swap() -> (Register, Ticket) {
    let mut register = Register::default();
    let write = register.invoke(0, Input::Write(val(1)));
    register.ok(1, write, None).unwrap();
    let swap = register.invoke(2, Input::Cas { old: None, new: val(3) });
    let read = register.invoke(3, Input::Read);
    register.ok(4, read, Some(val(3))).unwrap();
    (register, swap)
}

#[test]
fn what_a_crashed_swap_says_that_it_replaced_holds_if_somebody_found_what_it_stored() {
    let (mut register, swap) = with_a_swap();
    assert_eq!(register.info(5, swap, Some(val(1))), Ok(()));
    let read = register.invoke(6, Input::Read);
    let violation = register.ok(7, read, Some(val(1))).unwrap_err();
    assert_eq!(violation.class, crate::Class::StaleRead);
    assert!(violation.sentence.starts_with("#6 found 1, but before it was called"), "{}", violation.sentence);

    let (mut register, swap) = with_a_swap();
    let violation = register.info(5, swap, Some(val(9))).unwrap_err();
    assert_eq!((violation.class, violation.at_index), (crate::Class::PhantomRead, 5));

    let (mut register, swap) = with_a_swap();
    let violation = register.info(5, swap, Some(val(3))).unwrap_err();
    assert!(violation.sentence.contains("itself came of"), "{}", violation.sentence);
}

/// For the night: `ZABCHAOS_FUZZ=3000000 cargo test --release -p checker -- --ignored online_ --nocapture`.
#[test]
#[ignore = "as long as you like: ZABCHAOS_FUZZ"]
fn online_register_more() {
    for values in [Values::Unique, Values::Repeat, Values::Refused] {
        println!("{:?}", campaign(77, rounds(), values));
    }
}
