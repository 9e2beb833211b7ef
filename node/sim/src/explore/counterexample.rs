//! A way to something that must not happen, for people to read.

use super::Move;
use super::state::State;
use crate::properties::Violation;
use crate::world::Record;
use std::fmt;

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A property is broken.
    Violation(Violation),
    /// A server ended itself because its own state contradicts itself.
    Fatal {
        /// The server.
        at: u16,
        /// Its reason.
        why: String,
    },
    /// A server runs and waits for nothing: no deadline, no disk.
    Stuck {
        /// The server.
        at: u16,
    },
    /// The code panicked.
    Panic(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => write!(f, "{}: {}", violation.property, violation.what),
            Self::Fatal { at, why } => write!(f, "server {} ended itself: {why}", at + 1),
            Self::Stuck { at } => write!(f, "server {} waits for nothing and will never go on", at + 1),
            Self::Panic(why) => write!(f, "panic: {why}"),
        }
    }
}

/// A move, and what it caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The move.
    pub what: String,
    /// The transitions that servers made.
    pub caused: Vec<String>,
}

/// The shortest way to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// What happened.
    pub finding: Finding,
    /// The way there, to be replayed.
    pub moves: Vec<Move>,
    /// The same in words.
    pub steps: Vec<Step>,
}

impl Counterexample {
    /// Walks the way again and writes down what happens. A panic is not provoked a second time.
    pub(super) fn new(mut from: State, moves: Vec<Move>, finding: Finding) -> Self {
        from.world_mut().keep_journal();
        let panics = matches!(finding, Finding::Panic(_));
        let last = moves.len().saturating_sub(1);
        let mut steps = Vec::new();
        for (number, step) in moves.iter().enumerate() {
            let what = from.describe(*step);
            if !(panics && number == last) {
                from.make(*step);
            }
            let caused = from.world_mut().take_journal().into_iter().filter_map(|entry| said(&entry.record));
            steps.push(Step { what, caused: caused.collect() });
        }
        Self { finding, moves, steps }
    }
}

fn said(record: &Record) -> Option<String> {
    match record {
        Record::Trace(at, trace) => Some(format!("server {}: {trace}", at + 1)),
        Record::Refused(at, why) => Some(format!("server {} refuses to start: {why}", at + 1)),
        Record::DiskFailed(at, why) => Some(format!("server {} ends: {why}", at + 1)),
        Record::Action(_)
        | Record::Started(..)
        | Record::Ended(..)
        | Record::Fatal(..)
        | Record::Message(..)
        | Record::Vote(..)
        | Record::Connects(..)
        | Record::Closes(_)
        | Record::Lost(_)
        | Record::Frame(..)
        | Record::Request(..)
        | Record::Violated(_) => None,
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.finding)?;
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{number:>3}. {}", step.what)?;
            for caused in &step.caused {
                writeln!(f, "       {caused}")?;
            }
        }
        Ok(())
    }
}
