//! Small worlds in every order: explores scenarios one after the other and tells what each came to.
//!
//! All that goes to stdout is the same for any number of threads; how fast it went goes to stderr. The exploring
//! itself is `zab_sim::explore`.

use crate::exit::Exit;
use crate::output::{self, Style};
use crate::panics;
use crate::plan::{ExploreRequest, typed_bounds};
use crate::report::format::{count, duration, per_second, rate, wrap};
use crate::run::Interrupt;
use anyhow::{Context as _, bail};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::thread;
use std::time::Instant;
use zab_sim::Bug;
use zab_sim::explore::{Bounds, Counterexample, Explored, Finding, Scenario, explore_while};

/// How wide lines are.
const WIDTH: usize = 100;

/// Explores what was asked for: every scenario to its end, whatever the others came to.
///
/// # Errors
/// When stdout cannot be written, or a planted bug keeps a scenario from its beginning.
pub(crate) fn explore(request: &ExploreRequest, style: Style, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = request.threads.unwrap_or(cores);
    let bug = request.bug.as_deref();
    let mut summary = Summary { verdict: "unknown", bug, interrupted: false, scenarios: Vec::new() };
    let mut pace = Pace { began: Instant::now(), moves: 0 };
    for &(name, bounds) in &request.scenarios {
        if interrupt.is_asked() {
            summary.interrupted = true;
            break;
        }
        let scenario = Scenario::named(name).expect("the plan knows the scenarios");
        if !request.json {
            output::print(&header(&scenario, &bounds, bug))?;
        }
        let part = part(scenario, bounds, bug, threads, interrupt, &pace)?;
        pace.moves += part.explored.moves;
        if !request.json {
            output::print(&render(&part, bug))?;
        }
        summary.interrupted |= part.stopped;
        summary.scenarios.push(part);
    }
    let exit = summary.end();
    let text = if request.json {
        serde_json::to_string_pretty(&summary).context("failed to render the summary as JSON")? + "\n"
    } else {
        let verdict =
            style.verdict(summary.verdict).replace(summary.verdict, &summary.verdict.to_uppercase());
        let why = if summary.interrupted { "  (interrupted)" } else { "" };
        format!("{verdict}{why}\n")
    };
    pace.tell(threads);
    output::print(&text)?;
    Ok(exit)
}

/// Explores a scenario.
fn part(
    scenario: Scenario,
    bounds: Bounds,
    bug: Option<&str>,
    threads: usize,
    interrupt: &Interrupt,
    pace: &Pace,
) -> anyhow::Result<Part> {
    let planted = bug.and_then(Bug::from_name).map_or(scenario, |bug| scenario.with_bug(bug));
    let mut stopped = false;
    let mut go_on = |explored: &Explored| {
        pace.tell_progress(explored);
        stopped = interrupt.is_asked();
        !stopped
    };
    let explored = panics::catch(|| explore_while(&planted, &bounds, threads, &mut go_on));
    pace.wipe();
    match explored {
        Ok(explored) => Ok(Part { scenario, bounds, explored, stopped }),
        Err(said) => bail!("failed to begin {}, where the servers panic: {said}", scenario.name),
    }
}

/// What a scenario came to.
#[derive(Debug)]
struct Part {
    scenario: Scenario,
    bounds: Bounds,
    explored: Explored,
    /// The user wanted it to end.
    stopped: bool,
}

/// What all of them came to.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    verdict: &'static str,
    bug: Option<&'a str>,
    interrupted: bool,
    #[serde(serialize_with = "documents")]
    scenarios: Vec<Part>,
}

impl Summary<'_> {
    fn end(&mut self) -> Exit {
        let exit = if self.scenarios.iter().any(|part| part.explored.violation.is_some()) {
            Exit::Invalid
        } else if self.interrupted {
            Exit::Unknown
        } else {
            Exit::Valid
        };
        self.verdict = exit.word();
        exit
    }
}

/// What is printed before anything happens.
fn header(scenario: &Scenario, bounds: &Bounds, bug: Option<&str>) -> String {
    let bug = bug.map(|bug| format!(", planted bug {bug}")).unwrap_or_default();
    let bounds = typed_bounds(bounds).replace(',', ", ").replace('=', " ");
    let about = wrap(&format!("{}: {}", scenario.name, scenario.about), WIDTH - 2).join("\n  ");
    format!("{about}\n  bounds       {bounds}{bug}\n")
}

/// What is printed in the end.
fn render(part: &Part, bug: Option<&str>) -> String {
    let explored = &part.explored;
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        let lines = wrap(what, WIDTH - 15).join("\n               ");
        writeln!(text, "  {name:<11}  {lines}").expect(TO_STRING);
    };
    let number = |states: usize| count(states as u64);
    let by_depth: Vec<String> = explored.by_depth.iter().map(|states| number(*states)).collect();
    line("states", &format!("{}; by depth: {}", number(explored.unique_states), by_depth.join(" ")));
    line("moves", &count(explored.moves));
    line("complete", &complete(part));
    line("transitions", &transitions(explored));
    match &explored.violation {
        None => line("broken", "nothing"),
        Some(violation) => line("broken", &violation.finding.to_string()),
    }
    if let Some(violation) = &explored.violation {
        text += &story(violation);
        writeln!(text, "  again: {}", repeat(part, bug)).expect(TO_STRING);
    }
    text + "\n"
}

/// Whether all states within the other bounds were seen.
fn complete(part: &Part) -> String {
    let Part { bounds, explored, .. } = part;
    if explored.complete {
        return "yes: no state is left at the depth's bound".to_owned();
    }
    if explored.violation.is_some() {
        return "no: it ended at what is broken".to_owned();
    }
    if part.stopped {
        return "no: interrupted".to_owned();
    }
    let left = explored.by_depth.get(bounds.depth).copied().unwrap_or_default();
    format!("no: {} states are left at the depth's bound", count(left as u64))
}

/// The names of the transitions that were reached; where there are several ways to one, how many of them were.
fn transitions(explored: &Explored) -> String {
    let mut branches: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in explored.reached.keys() {
        *branches.entry(name).or_default() += 1;
    }
    let several = |ways: usize| if ways > 1 { format!(" ({ways} ways)") } else { String::new() };
    let names: Vec<String> =
        branches.into_iter().map(|(name, ways)| format!("{name}{}", several(ways))).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The shortest way there, and what each move caused.
fn story(violation: &Counterexample) -> String {
    let Counterexample { moves, steps, .. } = violation;
    let mut text = match moves.len() {
        0 => "  before the first move\n".to_owned(),
        1 => "  after one move:\n".to_owned(),
        many => format!("  after {many} moves, and no fewer:\n"),
    };
    for (number, step) in (1..).zip(steps) {
        writeln!(text, "  {number:>3}. {}", step.what).expect(TO_STRING);
        for caused in &step.caused {
            writeln!(text, "         {caused}").expect(TO_STRING);
        }
    }
    text
}

/// The command that finds it again.
fn repeat(part: &Part, bug: Option<&str>) -> String {
    let bug = bug.map(|bug| format!(" --bug {bug}")).unwrap_or_default();
    let bounds = typed_bounds(&part.bounds);
    format!("zabchaos simulate --explore {}{bug} --bounds {bounds}", part.scenario.name)
}

/// How fast it goes: for people, on stderr.
struct Pace {
    began: Instant,
    /// Moves of the scenarios that are done.
    moves: u64,
}

impl Pace {
    /// One line that is written over.
    fn tell_progress(&self, explored: &Explored) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let took_ns = self.took_ns();
        let moves = self.moves + explored.moves;
        output::live(&format!(
            "depth {}  {} states  {}  {} moves  {} moves/s",
            explored.by_depth.len(),
            count(explored.unique_states as u64),
            duration(took_ns),
            count(moves),
            rate(per_second(moves, took_ns)).trim_end_matches("/s"),
        ));
    }

    fn wipe(&self) {
        if std::io::stderr().is_terminal() {
            output::live("");
        }
    }

    fn tell(&self, threads: usize) {
        let took_ns = self.took_ns();
        let word = if threads == 1 { "thread" } else { "threads" };
        output::note(&format!(
            "{} moves in {}: {} a second on {threads} {word}",
            count(self.moves),
            duration(took_ns),
            rate(per_second(self.moves, took_ns)).trim_end_matches("/s"),
        ));
    }

    fn took_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A scenario as `--json` prints it.
#[derive(Serialize)]
struct Document<'a> {
    scenario: &'static str,
    about: &'static str,
    bounds: BoundsDocument,
    unique_states: usize,
    by_depth: &'a [usize],
    moves: u64,
    ends: usize,
    deepest: usize,
    complete: bool,
    transitions: Vec<Transition>,
    broken: Option<Broken<'a>>,
}

#[derive(Serialize)]
struct BoundsDocument {
    depth: usize,
    crashes: u8,
    partitions: u8,
    timeouts: u8,
    writes: u8,
}

#[derive(Serialize)]
struct Transition {
    name: &'static str,
    branch: &'static str,
    times: u64,
}

#[derive(Serialize)]
struct Broken<'a> {
    property: &'static str,
    what: String,
    moves: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    what: &'a str,
    caused: &'a [String],
}

fn documents<S: Serializer>(parts: &[Part], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(parts.iter().map(document))
}

fn document(part: &Part) -> Document<'_> {
    let Part { scenario, bounds, explored, .. } = part;
    let Bounds { depth, crashes, partitions, timeouts, writes } = *bounds;
    let reached = explored.reached.iter();
    let transitions = reached.map(|(&(name, branch), &times)| Transition { name, branch, times }).collect();
    Document {
        scenario: scenario.name,
        about: scenario.about,
        bounds: BoundsDocument { depth, crashes, partitions, timeouts, writes },
        unique_states: explored.unique_states,
        by_depth: &explored.by_depth,
        moves: explored.moves,
        ends: explored.ends,
        deepest: explored.deepest,
        complete: explored.complete,
        transitions,
        broken: explored.violation.as_ref().map(broken),
    }
}

fn broken(violation: &Counterexample) -> Broken<'_> {
    let (property, what) = match &violation.finding {
        Finding::Violation(found) => (found.property, found.what.clone()),
        Finding::Fatal { .. } => ("Fatal", violation.finding.to_string()),
        Finding::Stuck { .. } => ("Stuck", violation.finding.to_string()),
        Finding::Panic(said) => ("Panic", said.clone()),
    };
    let moves = violation.steps.iter().map(|step| Step { what: &step.what, caused: &step.caused });
    Broken { property, what, moves: moves.collect() }
}

const TO_STRING: &str = "writing to a String cannot fail";
