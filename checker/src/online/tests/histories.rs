//! Random small histories: an object is simulated, operations taking effect somewhere between call and return,
//! crashed ones maybe late, maybe never; then something is bent.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::frontier::{Event, Object};

/// How a history is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) clients: usize,
    pub(super) ops: usize,
    /// Odds of a crash or a failure, in percent.
    pub(super) crashes: u32,
    pub(super) failures: u32,
}

impl Shape {
    pub(super) fn random(rng: &mut ChaCha8Rng, ops: usize) -> Self {
        Self {
            clients: rng.random_range(1..=4),
            ops: rng.random_range(1..=ops),
            crashes: *[0, 0, 10, 25].choose(rng).unwrap(),
            failures: *[0, 0, 10, 20].choose(rng).unwrap(),
        }
    }
}

pub(super) type Events<M> = Vec<Event<<M as Object>::Input, <M as Object>::Output>>;

/// What an operation that is under way will do.
struct Running<M: Object> {
    op: usize,
    input: M::Input,
    effect: Option<M::Output>,
    crashed: bool,
    fails: bool,
}

/// A linearizable history. `pick` chooses inputs; it is told how many operations came before.
pub(super) fn simulate<M: Object>(
    rng: &mut ChaCha8Rng,
    shape: Shape,
    mut pick: impl FnMut(&mut ChaCha8Rng, usize) -> M::Input,
) -> Events<M> {
    let mut events = Vec::new();
    let mut state = M::initial();
    let mut running: Vec<Running<M>> = Vec::new();
    let mut invoked = 0;
    // A few more steps for what is still under way; some of it stays open.
    let patience = shape.ops * 8;
    for _ in 0..patience {
        let busy = running.iter().filter(|run| !run.crashed).count();
        let choice = rng.random_range(0..=running.len());
        if choice == running.len() {
            if invoked < shape.ops && busy < shape.clients {
                let input = pick(rng, invoked);
                events.push(Event::Invoke(invoked, input.clone()));
                let fails = rng.random_ratio(shape.failures, 100);
                running.push(Running { op: invoked, input, effect: None, crashed: false, fails });
                invoked += 1;
            }
            continue;
        }
        let run = &mut running[choice];
        if run.fails {
            events.push(Event::Fail(run.op));
            running.remove(choice);
        } else if let Some(answer) = &run.effect {
            if !run.crashed {
                events.push(Event::Ok(run.op, answer.clone()));
            }
            running.remove(choice);
        } else if !run.crashed && rng.random_ratio(shape.crashes, 100) {
            events.push(Event::Info(run.op));
            run.crashed = true;
        } else if run.crashed && rng.random_bool(0.5) {
            running.remove(choice);
        } else if let Some((next, answer)) = M::apply(&state, &run.input) {
            state = next;
            run.effect = Some(answer);
            // May crash after it took effect, too.
            if !run.crashed && rng.random_ratio(shape.crashes, 200) {
                events.push(Event::Info(run.op));
                running.remove(choice);
            }
        }
    }
    events
}

/// Bends a history: an answer replaced, two answers swapped, a success called a failure, an event moved.
pub(super) fn mutate<M: Object>(
    rng: &mut ChaCha8Rng,
    events: &mut Events<M>,
    mut answer: impl FnMut(&mut ChaCha8Rng, &M::Input) -> M::Output,
) {
    let oks: Vec<usize> = (0..events.len()).filter(|&at| matches!(events[at], Event::Ok(..))).collect();
    let Some(&at) = oks.choose(rng) else { return };
    let Event::Ok(op, _) = events[at].clone() else { unreachable!() };
    let input_of = |events: &Events<M>, op: usize| {
        events
            .iter()
            .find_map(|event| match event {
                Event::Invoke(other, input) if *other == op => Some(input.clone()),
                Event::Invoke(..) | Event::Ok(..) | Event::Fail(_) | Event::Info(_) => None,
            })
            .unwrap()
    };
    match rng.random_range(0..6) {
        0 | 1 => {
            let input = input_of(events, op);
            events[at] = Event::Ok(op, answer(rng, &input));
        }
        2 => {
            let &other = oks.choose(rng).unwrap();
            let (Event::Ok(_, a), Event::Ok(second, b)) = (events[at].clone(), events[other].clone()) else {
                unreachable!()
            };
            let kind = |op| std::mem::discriminant(&input_of(events, op));
            if kind(op) == kind(second) {
                events[at] = Event::Ok(op, b);
                events[other] = Event::Ok(second, a);
            }
        }
        3 => events[at] = Event::Fail(op),
        4 => {
            // It returned earlier than it did.
            let call =
                events.iter().position(|e| matches!(e, Event::Invoke(other, _) if *other == op)).unwrap();
            let to = rng.random_range(call + 1..=at);
            let event = events.remove(at);
            events.insert(to, event);
        }
        _ => {
            // It was invoked later than it was.
            let call =
                events.iter().position(|e| matches!(e, Event::Invoke(other, _) if *other == op)).unwrap();
            let to = rng.random_range(call..at);
            let event = events.remove(call);
            events.insert(to, event);
        }
    }
}
