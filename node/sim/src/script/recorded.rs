//! Runs as scripts: the world by its parameters, what was done and when, and how it ended.
//!
//! ```text
//! > world seed=7 voters=3 …
//! > at 1000000us start 1
//! > at 1234567us kill 3
//! > at 1300000us w1: write r1 7
//! > end
//! broken: Agreement: …
//! ```
//!
//! The journal behind `> end` is that of the liveness phase. It is long, so it is there only if something was
//! broken in it.

use super::command::server_of;
use super::lines::Lines;
use super::{Block, Performance, ScriptError};
use crate::load::Deed;
use crate::run::{Options, Outcome, Parameters, Step, What, replay};
use crate::world::{Action, Entry, Record};
use std::fmt::Write as _;

/// The parameters are written in lines of about this length.
const WIDTH: usize = 100;

/// Whether a command is the first of a recorded run.
pub(super) fn is_world(command: &str) -> bool {
    command.split_whitespace().next() == Some("world")
}

/// A run's commands, without its journal.
pub(super) fn write(parameters: &Parameters, steps: &[Step]) -> String {
    let mut text = String::new();
    let mut line = "> world".to_owned();
    for word in parameters.to_string().split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            text += &line;
            text.push('\n');
            line.replace_range(.., "> world");
        }
        line.push(' ');
        line += word;
    }
    text += &line;
    text.push('\n');
    for Step { at_us, what } in steps {
        writeln!(text, "> at {at_us}us {what}").expect("a string takes everything");
    }
    text + "> end\n"
}

/// Plays a run.
pub(super) fn play(blocks: &[Block<'_>]) -> Result<Performance, ScriptError> {
    let lines_of_world = blocks.iter().take_while(|block| is_world(block.command)).count();
    let parameters = parameters(&blocks[..lines_of_world])?;
    let Some((end, blocks)) = blocks[lines_of_world..].split_last() else {
        return Err(wrong(&blocks[0], "a run ends with '> end'"));
    };
    if end.command != "end" {
        return Err(wrong(end, "a run ends with '> end'"));
    }
    let steps = blocks.iter().map(|block| step(block, &parameters)).collect::<Result<Vec<_>, _>>()?;
    if let Some(at) = (1..steps.len()).find(|at| steps[*at].at_us < steps[at - 1].at_us) {
        return Err(wrong(&blocks[at], "steps are in the order of time"));
    }
    let outcome = replay(&parameters, &steps, Options { journal: true });
    let mut journals = vec![String::new(); lines_of_world - 1];
    journals.append(&mut distribute(&outcome, &parameters, &steps));
    let broken = outcome.broken.map(|(_, broken)| (broken.property.to_owned(), broken.what));
    Ok(Performance { journals, broken, entries: outcome.journal, servers: parameters.world.servers() })
}

fn wrong(block: &Block<'_>, what: &str) -> ScriptError {
    ScriptError { line: block.line, what: what.to_owned() }
}

fn parameters(blocks: &[Block<'_>]) -> Result<Parameters, ScriptError> {
    let words = || {
        let of = |block| {
            let block: &Block<'_> = block;
            block.command.split_whitespace().skip(1).map(move |word| (block, word))
        };
        blocks.iter().flat_map(of)
    };
    // What is not said is what the seed draws.
    let seed = words().find_map(|(_, word)| word.strip_prefix("seed=")?.parse().ok());
    let mut parameters = Parameters::draw(seed.unwrap_or(0));
    for (block, word) in words() {
        parameters.set(word).map_err(|what| wrong(block, &what))?;
    }
    Ok(parameters)
}

fn step(block: &Block<'_>, parameters: &Parameters) -> Result<Step, ScriptError> {
    let no_step = || wrong(block, "a step is '> at 1234567us what', and the last line is '> end'");
    let rest = block.command.strip_prefix("at ").ok_or_else(no_step)?;
    let (at, what) = rest.split_once("us ").ok_or_else(no_step)?;
    let at_us = at.parse().map_err(|_no| no_step())?;
    let what: What =
        what.parse().map_err(|no_step: crate::run::NoStep| wrong(block, &no_step.to_string()))?;
    let servers = parameters.world.servers();
    let (name, number, count) = match &what {
        What::World(action) => ("server", server_of(*action), servers),
        What::Invoke(worker, _) | What::Prepare(worker, _) => ("worker", Some(*worker), parameters.workers),
        What::Session(session, _) => ("session client", Some(*session), parameters.sessions),
    };
    if let Some(number) = number.filter(|number| *number >= count) {
        return Err(wrong(block, &format!("there is no {name} {} in this world", number + 1)));
    }
    if let What::Session(_, Deed::Connect(at)) = what
        && at >= servers
    {
        return Err(wrong(block, &format!("there is no server {} in this world", at + 1)));
    }
    Ok(Step { at_us, what })
}

/// The journal of each step, that before the first, and that of the end.
fn distribute(outcome: &Outcome, parameters: &Parameters, steps: &[Step]) -> Vec<String> {
    let mut lines = Lines::of_run(parameters.world.servers(), parameters.workers);
    let mut journals = Vec::new();
    let (safety, liveness) = split(&outcome.journal, steps);
    let mut entries = safety.iter().peekable();
    for step in steps {
        while let Some(entry) = entries.next_if(|entry| is_before(entry, step)) {
            lines.add(entry);
        }
        journals.push(lines.take());
        if let What::World(_) = step.what {
            entries.next_if(|entry| is_action(entry, step)).into_iter().for_each(|entry| lines.add(entry));
        }
    }
    entries.for_each(|entry| lines.add(entry));
    journals.push(lines.take());
    if outcome.broken.is_some() {
        for entry in liveness {
            if let Record::Action(action) = entry.record {
                lines.say(&format!("({action})"));
            }
            lines.add(entry);
        }
    }
    match (&outcome.broken, &outcome.unknown) {
        (Some((_, broken)), _) => {
            // The world has noted it, the clients and the judge have not.
            let verdict = format!("broken: {}: {}", broken.property, broken.what);
            let noted = |entry: &Entry| matches!(&entry.record, Record::Violated(other) if other == broken);
            if !outcome.journal.iter().any(noted) || liveness.is_empty() {
                lines.say(&verdict);
            }
        }
        (None, Some(why)) => lines.say(&format!("unknown: {why}")),
        (None, None) => lines.say("kept every promise"),
    }
    journals.push(lines.take());
    journals
}

/// Where the liveness phase begins: with the first action that is no step.
fn split<'a>(journal: &'a [Entry], steps: &[Step]) -> (&'a [Entry], &'a [Entry]) {
    let mut actions = steps.iter().filter_map(|step| match step.what {
        What::World(action) => Some(action),
        What::Invoke(..) | What::Prepare(..) | What::Session(..) => None,
    });
    let is_no_step = |entry: &Entry| {
        let action = action_of(entry);
        action.is_some() && actions.next() != action
    };
    journal.split_at(journal.iter().position(is_no_step).unwrap_or(journal.len()))
}

fn action_of(entry: &Entry) -> Option<Action> {
    if let Record::Action(action) = entry.record { Some(action) } else { None }
}

fn is_action(entry: &Entry, step: &Step) -> bool {
    action_of(entry).is_some_and(|action| step.what == What::World(action))
}

/// Whether an entry is of before a step. Steps come before everything else that happens at their time; what a
/// server goes through at that time is of a step before this.
fn is_before(entry: &Entry, step: &Step) -> bool {
    let is_earlier = match (&step.what, &entry.record) {
        (What::World(_), _) => true,
        (_, Record::Trace(..) | Record::Ended(..)) => entry.at_us <= step.at_us,
        _ => entry.at_us < step.at_us,
    };
    is_earlier && action_of(entry).is_none()
}
