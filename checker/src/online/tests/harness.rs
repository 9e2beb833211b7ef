//! A monitor against brute force on one history.

use super::frontier::{Event, Object, first_violation};
use super::histories::Events;
use crate::Class;
use crate::online::monitor::Watched;
use crate::online::{Monitor, Status, Ticket, Violation};

/// How the brute object's words are said to the monitor.
pub(super) trait Spoken: Object {
    type Monitor: Watched;

    fn input(input: &Self::Input) -> <Self::Monitor as Watched>::Input;

    /// Tells the completion to the monitor.
    fn ok(
        monitor: &mut Monitor<Self::Monitor>,
        at: u64,
        ticket: Ticket,
        answer: &Self::Output,
        input: &Self::Input,
    ) -> Result<(), Violation>;
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) valid: u32,
    pub(super) invalid: u32,
    pub(super) inconclusive: u32,
    pub(super) classes: Vec<Class>,
}

/// Feeds the events; `sweep` after each of them or not.
pub(super) fn watch<M: Spoken>(events: &Events<M>, sweep: bool) -> (Option<Violation>, Monitor<M::Monitor>) {
    let mut monitor: Monitor<M::Monitor> = Monitor::default();
    let mut tickets: Vec<Option<(Ticket, M::Input)>> = vec![None; events.len()];
    let mut found = None;
    for (at, event) in (0..).zip(events) {
        let step = match event {
            Event::Invoke(op, input) => {
                tickets[*op] = Some((monitor.invoke(at, M::input(input)), input.clone()));
                Ok(())
            }
            Event::Ok(op, answer) => {
                let (ticket, input) = tickets[*op].as_ref().unwrap();
                M::ok(&mut monitor, at, *ticket, answer, input)
            }
            Event::Fail(op) => monitor.fail(at, tickets[*op].as_ref().unwrap().0),
            Event::Info(op) => monitor.info(at, tickets[*op].as_ref().unwrap().0, Default::default()),
        };
        assert!(found.is_none() || step.is_ok(), "a monitor reports once");
        found = found.or(step.err());
        if sweep {
            monitor.sweep(at);
        }
    }
    (found, monitor)
}

/// The monitor's violation comes at the event where brute force runs out of explanations, or not at all.
pub(super) fn compare<M: Spoken>(events: &Events<M>, sweep: bool, tally: &mut Tally) {
    let expected = first_violation::<M>(events);
    let (found, monitor) = watch::<M>(events, sweep);
    let at = found.as_ref().map(|violation| usize::try_from(violation.at_index).unwrap());
    if let Status::Inconclusive(_) = monitor.status() {
        tally.inconclusive += 1;
        assert_eq!(found, None, "{events:?}");
        return;
    }
    assert_eq!(at, expected, "{events:?}\n{found:?}");
    *(if at.is_some() { &mut tally.invalid } else { &mut tally.valid }) += 1;
    if let Some(class) = found.map(|violation| violation.class)
        && !tally.classes.contains(&class)
    {
        tally.classes.push(class);
    }
}

/// Rounds of a fuzz campaign that runs as long as somebody likes.
pub(super) fn rounds() -> u32 {
    std::env::var("ZABCHAOS_FUZZ").map_or(200_000, |n| n.parse().unwrap())
}
