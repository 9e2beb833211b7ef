//! What each server of a world would have written into its trace file: the lines of `zab-node`'s tracer, with
//! the world's time.
//!
//! A world that [keeps milestones](World::keep_milestones) or everything says what there is to write; how a line
//! is written is known here.

use crate::world::{BEGAN_WALL_MS, Entry, Record, World, id_of};
use serde_json::Value;
use std::fmt::Write as _;
use zab_core::trace::TraceValue;

/// The trace files of all servers, as texts.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    texts: Vec<String>,
}

/// A server that ended by itself, or could not start: nobody asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fall {
    /// The server, numbered from 0.
    pub at: u16,
    /// The world's time, us.
    pub at_us: u64,
    /// How it ended, in a few words.
    pub how: &'static str,
    /// What it said.
    pub why: String,
}

impl Traces {
    /// Nothing was written yet.
    #[must_use]
    pub fn new(servers: u16) -> Self {
        Self { texts: vec![String::new(); usize::from(servers)] }
    }

    /// The trace file of a server.
    #[must_use]
    pub fn of(&self, at: u16) -> &str {
        &self.texts[usize::from(at)]
    }

    /// Writes what this entry of the journal tells; hands back a server that fell with it. To be called before
    /// anything else happens in the world.
    pub fn note(&mut self, world: &World, entry: &Entry) -> Option<Fall> {
        let fall = |at: u16, how, why: &String| Some(Fall { at, at_us: entry.at_us, how, why: why.clone() });
        match &entry.record {
            Record::Started(at, zxid) => {
                let (accepted, current) = world.ledger().server(*at).epochs;
                let fields = [
                    ("pid", TraceValue::Number(world.processes(*at).into())),
                    ("zxid", TraceValue::Text(zxid.to_string())),
                    ("accepted_epoch", TraceValue::Number(accepted.into())),
                    ("current_epoch", TraceValue::Number(current.into())),
                ];
                self.line(entry.at_us, *at, "process.started", &fields);
                None
            }
            Record::Trace(at, trace) => {
                self.line(entry.at_us, *at, trace.name(), &trace.fields());
                None
            }
            Record::Fatal(at, why) => {
                self.failed(entry.at_us, *at, why);
                fall(*at, "a contradiction in its own state", why)
            }
            Record::DiskFailed(at, why) => {
                self.failed(entry.at_us, *at, why);
                fall(*at, "a failure of its disk", why)
            }
            Record::Refused(at, why) => fall(*at, "its refusal to start on what its disk holds", why),
            Record::Action(_)
            | Record::Ended(..)
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

    fn failed(&mut self, at_us: u64, at: u16, why: &str) {
        self.line(at_us, at, "process.failed", &[("reason", TraceValue::Text(why.to_owned()))]);
    }

    fn line(&mut self, at_us: u64, at: u16, event: &str, fields: &[(&str, TraceValue)]) {
        let wall_ms = BEGAN_WALL_MS + i64::try_from(at_us / 1_000).unwrap_or(i64::MAX);
        let mut line = format!(
            "{{\"mono_ns\":{},\"wall_ms\":{wall_ms},\"server\":{},\"event\":{}",
            at_us * 1_000,
            id_of(at).0,
            Value::from(event)
        );
        for (name, value) in fields {
            let value = match value {
                TraceValue::Number(number) => Value::from(*number),
                TraceValue::Text(text) => Value::from(text.as_str()),
            };
            write!(line, ",{}:{value}", Value::from(*name)).expect("writing to a String cannot fail");
        }
        line.push_str("}\n");
        self.texts[usize::from(at)].push_str(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Action, Settings};

    #[test]
    fn a_server_writes_its_start_and_its_transitions() {
        let mut world = World::new(Settings::instant(1));
        world.keep_milestones();
        let mut traces = Traces::new(1);
        world.act(Action::Start(0));
        world.run_until_us(3_000_000);
        for entry in world.take_journal() {
            assert_eq!(traces.note(&world, &entry), None);
        }
        let lines: Vec<Value> =
            traces.of(0).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["event"], &lines[0]["pid"]), (&"process.started".into(), &1.into()));
        assert_eq!(lines[0]["mono_ns"], 1_000_000_000_u64);
        let established = lines.iter().find(|line| line["event"] == "leader.established").unwrap();
        assert_eq!((&established["epoch"], &established["server"]), (&1.into(), &1.into()));
        assert!(traces.of(0).lines().all(|line| line.starts_with("{\"mono_ns\":")));
    }
}
