//! The life of a run in a world: servers start, clients work while faults happen, then everything that was
//! done is undone and the world has to recover and to agree.
//!
//! *Safety phase:* faults and load. *Liveness phase:* the faults end for a bare majority, which must elect,
//! converge and answer within a bounded time, and go on doing so; then the others come back, must join, and
//! every server is read. At last all machines lose their power at once and must come back with the same.
//!
//! A run is a function of its [`Parameters`] and its steps: drawn ([`draw`]) or listed ([`replay`]), and a
//! drawn run gives the list that repeats it.

mod ending;
mod faults;
mod judge;
mod parameters;
mod shrink;
mod source;
mod step;

pub use faults::Kind;
pub use parameters::Parameters;
pub use shrink::{Shrunk, shrink};
pub use step::{NoStep, Step, What, read, write};

use crate::dice::Dice;
use crate::load::{Sessions, Tally, Workers};
use crate::properties::Violation;
use crate::world::{Counters, Entry, World};
use checker::history::Op;
use source::Source;
use std::collections::{BTreeMap, VecDeque};

/// More steps than any run takes: whoever takes more runs in circles.
const STEPS_MAX: u64 = 20_000_000;

/// Transitions reached, by name and branch, with how often.
pub type Reached = BTreeMap<(&'static str, &'static str), u64>;

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// What was broken, and when (us); `None` when every promise was kept.
    pub broken: Option<(u64, Violation)>,
    /// Why nothing was proven, if so.
    pub unknown: Option<String>,
    /// The steps that repeat the run.
    pub steps: Vec<Step>,
    /// What the workers saw.
    pub history: Vec<Op>,
    /// Everything that happened, if it was asked for.
    pub journal: Vec<Entry>,
    /// What was done.
    pub counters: Counters,
    /// What the session clients did.
    pub tally: Tally,
    /// Transitions reached.
    pub reached: Reached,
    /// Stands for everything that happened.
    pub trace_hash: u64,
    /// Virtual time, us.
    pub virtual_us: u64,
    /// How long a bare majority took to serve once the faults had ended, us; 0 when it never came to that.
    pub recovery_us: u64,
    /// Faults: steps done to the world.
    pub faults: u64,
}

/// How a run is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Keep the journal.
    pub journal: bool,
}

/// Runs what the seed draws.
#[must_use]
pub fn draw(parameters: &Parameters, options: Options) -> Outcome {
    let mut steps = Vec::new();
    let outcome = Run::new(parameters, None, options, &mut steps).play();
    Outcome { steps, ..outcome }
}

/// An assertion of the core did not hold.
#[derive(Debug)]
pub struct Panicked {
    /// What it said, as the property [`PANIC`].
    pub violation: Violation,
    /// The steps up to there.
    pub steps: Vec<Step>,
}

/// The name under which a panic is reported.
pub const PANIC: &str = "Panic";

/// [`draw`], with a panic of the core (an assertion that does not hold) as one more broken promise.
///
/// # Errors
/// The panic.
pub fn draw_safely(parameters: &Parameters, options: Options) -> Result<Outcome, Box<Panicked>> {
    safely(parameters, None, options)
}

/// [`replay`], as [`draw_safely`].
///
/// # Errors
/// The panic.
pub fn replay_safely(
    parameters: &Parameters,
    steps: &[Step],
    options: Options,
) -> Result<Outcome, Box<Panicked>> {
    safely(parameters, Some(steps), options)
}

fn safely(
    parameters: &Parameters,
    list: Option<&[Step]>,
    options: Options,
) -> Result<Outcome, Box<Panicked>> {
    let mut steps = Vec::new();
    let run = std::panic::AssertUnwindSafe(|| Run::new(parameters, list, options, &mut steps).play());
    match std::panic::catch_unwind(run) {
        Ok(outcome) => Ok(Outcome { steps, ..outcome }),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let what = text.unwrap_or_else(|| "without a word".to_owned());
            Err(Box::new(Panicked { violation: Violation { property: PANIC, what }, steps }))
        }
    }
}

/// Runs listed steps.
#[must_use]
pub fn replay(parameters: &Parameters, steps: &[Step], options: Options) -> Outcome {
    let mut done = Vec::new();
    let outcome = Run::new(parameters, Some(steps), options, &mut done).play();
    Outcome { steps: done, ..outcome }
}

/// A run under way.
struct Run<'a> {
    parameters: &'a Parameters,
    world: World,
    workers: Workers,
    sessions: Sessions,
    source: Source,
    /// Done so far, in the safety phase. They outlive a panic.
    steps: &'a mut Vec<Step>,
    dice: Dice,
    recovery_us: u64,
}

/// A promise was broken: nothing more is to be done.
struct Broken(Violation);

type Flow = Result<(), Broken>;

fn broken(property: &'static str, what: String) -> Broken {
    Broken(Violation { property, what })
}

impl<'a> Run<'a> {
    fn new(
        parameters: &'a Parameters,
        list: Option<&[Step]>,
        options: Options,
        steps: &'a mut Vec<Step>,
    ) -> Self {
        let mut world = World::new(parameters.world.clone());
        if options.journal {
            world.keep_journal();
        }
        let workload = source::workload(parameters);
        let timeout_us = parameters.op_timeout_ms * 1_000;
        let workers = Workers::new(workload.operations, &world, 0, parameters.workers, timeout_us);
        let sessions = Sessions::new(&world, parameters.workers, parameters.sessions);
        let now_us = world.now_us();
        let source = match list {
            Some(list) => Source::listed(parameters, list, now_us),
            None => {
                Source::drawn(parameters, workload.generator, now_us, now_us + parameters.load_ms * 1_000)
            }
        };
        let dice = Dice::new(parameters.world.seed, "ending");
        Self { parameters, world, workers, sessions, source, steps, dice, recovery_us: 0 }
    }

    fn play(mut self) -> Outcome {
        let lived = self.live();
        let at_us = self.world.now_us();
        let mut broken = lived.err().map(|Broken(violation)| (at_us, violation));
        self.workers.abandon(&mut self.world);
        let counters = self.world.counters();
        let history = std::mem::take(&mut self.workers.history).into_ops();
        let mut unknown = None;
        if broken.is_none() {
            match judge::history(&history) {
                Ok(()) => {}
                Err(judge::Judgement::Broken(violation)) => broken = Some((at_us, violation)),
                Err(judge::Judgement::Unknown(why)) => unknown = Some(why),
            }
        }
        let faults = self.steps.iter().filter(|step| matches!(step.what, What::World(_))).count() as u64;
        Outcome {
            broken,
            unknown,
            steps: Vec::new(),
            history,
            journal: self.world.take_journal(),
            counters,
            tally: self.sessions.known.tally,
            reached: self.world.reached().clone(),
            trace_hash: self.world.trace_hash(),
            virtual_us: at_us,
            recovery_us: self.recovery_us,
            faults,
        }
    }

    fn live(&mut self) -> Flow {
        let until_us = self.world.now_us() + self.parameters.load_ms * 1_000;
        self.pass(until_us)?;
        // Nothing more is drawn, and what is asked from here on is none of the generator's business.
        self.source = Source::Listed(VecDeque::new());
        self.end_well()
    }

    /// Lets the world, its clients and the source of steps go on until a time.
    fn pass(&mut self, until_us: u64) -> Flow {
        loop {
            let step_us = self.source.next_at_us();
            let worker_us = self.workers.next_at_us();
            let world_us = self.world.next_at_us();
            let next_us = [step_us, worker_us, world_us].into_iter().flatten().min();
            let Some(next_us) = next_us.filter(|next_us| *next_us <= until_us) else {
                self.world.run_until_us(until_us);
                return Ok(());
            };
            if step_us.is_some_and(|at_us| at_us <= next_us) {
                self.world.advance_to_us(next_us);
                for what in self.source.next(&self.world, &self.workers, &self.sessions) {
                    self.steps.push(Step { at_us: self.world.now_us(), what: what.clone() });
                    self.apply(&what);
                }
            } else if worker_us.is_some_and(|at_us| at_us <= next_us) {
                self.world.advance_to_us(next_us);
                self.workers.tick(&mut self.world);
            } else {
                self.world.fire_next();
            }
            self.after_event()?;
        }
    }

    /// Does it, if there is whom it names: in a shrunk run there need not be.
    fn apply(&mut self, what: &What) {
        match what {
            What::Invoke(worker, _) | What::Prepare(worker, _) if *worker >= self.workers.count() => {}
            What::Session(session, _) if *session >= self.sessions.count() => {}
            What::World(action) => self.world.act(*action),
            What::Invoke(worker, invocation) => {
                self.workers.invoke(&mut self.world, *worker, invocation.clone());
            }
            What::Prepare(worker, key) => self.workers.prepare(&mut self.world, *worker, key),
            What::Session(session, deed) => self.sessions.act(&mut self.world, *session, *deed),
        }
    }

    /// Clients hear what there is to hear; broken promises end the run.
    fn after_event(&mut self) -> Flow {
        while let Some((site, event)) = self.world.next_client_event() {
            if !self.workers.hears(&mut self.world, site, &event) {
                self.sessions.hears(site, &event);
            }
        }
        while let Some(outcome) = self.workers.next_outcome() {
            self.source.ended(&outcome);
        }
        if let Some(violation) = self.world.violation().or(self.sessions.violation()) {
            return Err(Broken(violation.clone()));
        }
        if let Some((at, why)) = self.world.fatal().first() {
            return Err(broken(
                "NoServerContradictsItself",
                format!("server {} ended itself: {why}", at + 1),
            ));
        }
        if self.world.counters().steps > STEPS_MAX {
            return Err(broken("ComesToRest", format!("more than {STEPS_MAX} events were handled")));
        }
        Ok(())
    }
}
