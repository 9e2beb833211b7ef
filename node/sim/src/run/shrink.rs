//! Makes a failure small: fewer steps, simpler parameters, the same property broken.
//!
//! Delta debugging (Zeller and Hildebrandt, TSE 2002) on the list of steps. It is exact, since a run is a
//! function of parameters and steps, and it works well, since what is left out does not change the chance
//! that everything else meets (see [`crate::world`]).

use super::{Options, Parameters, Step, replay_safely};
use crate::properties::Violation;

/// A failure made small.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The parameters; simpler than they were where that was possible.
    pub parameters: Parameters,
    /// The steps; none of them can be left out.
    pub steps: Vec<Step>,
    /// What is broken.
    pub violation: Violation,
    /// How many runs that took.
    pub runs: u64,
    /// Whether the budget ended while something could perhaps still be left out.
    pub gave_up: bool,
}

/// What may be simpler: nothing is drawn, nothing is rare, as few as possible.
const SIMPLER: [&str; 16] = [
    "straggle_permille=0",
    "drift_ppm=0",
    "disk_us=0..0",
    "delay_us=0..0",
    "delay_us=100..100",
    "delay_us=1000..1000",
    "sessions=0",
    "sessions=1",
    "workers=0",
    "workers=1",
    "snap_count=1000",
    "commit_log_count=500",
    "finalize_ms=200",
    "voters=3",
    "init_limit=10",
    "sync_limit=5",
];

struct Search {
    best: Shrunk,
    budget: u64,
}

/// Shrinks a failing list of steps, with at most `budget` runs. `None` when the steps do not break `property`.
#[must_use]
pub fn shrink(
    parameters: &Parameters,
    steps: &[Step],
    property: &'static str,
    budget: u64,
) -> Option<Shrunk> {
    let (violation, at_us) = breaks(parameters, steps, property)?;
    let best =
        Shrunk { parameters: parameters.clone(), steps: steps.to_vec(), violation, runs: 1, gave_up: false };
    let mut search = Search { best, budget };
    if let Some(at_us) = at_us {
        // What came after it has no part in it, unless it showed only in the end.
        let before = steps.iter().filter(|step| step.at_us <= at_us).cloned().collect();
        search.accept(parameters.clone(), before);
    }
    loop {
        let before = (search.best.steps.len(), search.best.parameters.clone());
        search.leave_out();
        search.simplify();
        if search.is_spent() || before == (search.best.steps.len(), search.best.parameters.clone()) {
            break;
        }
    }
    search.best.gave_up = search.is_spent();
    Some(search.best)
}

/// What is broken, and when, if it is this property. A panic has no time.
fn breaks(parameters: &Parameters, steps: &[Step], property: &str) -> Option<(Violation, Option<u64>)> {
    let (violation, at_us) = match replay_safely(parameters, steps, Options::default()) {
        Ok(outcome) => outcome.broken.map(|(at_us, violation)| (violation, Some(at_us)))?,
        Err(panicked) => (panicked.violation, None),
    };
    (violation.property == property).then_some((violation, at_us))
}

impl Search {
    fn is_spent(&self) -> bool {
        self.best.runs >= self.budget
    }

    /// Takes these instead, if they break the same property.
    fn accept(&mut self, parameters: Parameters, steps: Vec<Step>) -> bool {
        if self.is_spent() {
            return false;
        }
        self.best.runs += 1;
        let Some((violation, _)) = breaks(&parameters, &steps, self.best.violation.property) else {
            return false;
        };
        self.best = Shrunk { parameters, steps, violation, ..self.best };
        true
    }

    /// Leaves out as many steps as possible: halves first, at last single ones.
    fn leave_out(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2);
        while size > 0 && !self.is_spent() {
            let mut from = 0;
            let mut left_out = false;
            while from < self.best.steps.len() {
                let mut steps = self.best.steps.clone();
                steps.drain(from..(from + size).min(steps.len()));
                if self.accept(self.best.parameters.clone(), steps) {
                    left_out = true;
                } else {
                    from += size;
                }
            }
            // At one, again as long as it helps: a step may be needed only because of another.
            size = if size > 1 { size / 2 } else { usize::from(left_out) };
        }
    }

    fn simplify(&mut self) {
        for word in SIMPLER {
            let mut parameters = self.best.parameters.clone();
            if parameters.set(word).is_ok() && parameters != self.best.parameters {
                self.accept(parameters, self.best.steps.clone());
            }
        }
        // Nothing is drawn any more: the list says it all.
        let mut parameters = self.best.parameters.clone();
        parameters.faults.clear();
        if parameters != self.best.parameters {
            self.accept(parameters, self.best.steps.clone());
        }
    }
}
