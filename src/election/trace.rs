//! The nodes' traces as read back: `trace.jsonl`, one JSON object a line, written by the nodes themselves.
//!
//! Reads whole files and single lines; knows no protocol (that is [`super::stays`] and
//! [`super::observe()`]) and follows no growing file (that is [`super::LeaderWatch`]).
//!
//! A node that is killed may leave half a line behind, and its next start appends to it. So a line that
//! is no JSON is searched for the last beginning of a line in it; what is lost is counted, never an error.

use crate::clock::RunClock;
use crate::cluster::NodeId;
use serde_json::{Map, Value};
use std::io;
use std::path::Path;

/// One transition of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TraceEvent {
    /// When, ns of the run.
    pub(crate) at_ns: u64,
    /// Its name, such as `leader.established`.
    pub(crate) event: String,
    /// All other fields of the line.
    pub(crate) fields: Map<String, Value>,
}

impl TraceEvent {
    /// Reads one line, without its end; `None` when it is no trace line.
    pub(crate) fn parse(line: &[u8], clock: RunClock) -> Option<Self> {
        let mut fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let at_ns = clock.at(fields.remove("mono_ns")?.as_u64()?);
        let Some(Value::String(event)) = fields.remove("event") else { return None };
        Some(Self { at_ns, event, fields })
    }

    /// A field that is a number.
    pub(crate) fn number(&self, field: &str) -> Option<i64> {
        self.fields.get(field)?.as_i64()
    }

    /// A field that is a text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// A field that is an epoch.
    pub(crate) fn epoch(&self, field: &str) -> Option<u32> {
        u32::try_from(self.number(field)?).ok()
    }

    /// A field that is a server id, as the node of that number.
    pub(crate) fn node(&self, field: &str) -> Option<NodeId> {
        u16::try_from(self.number(field)?).ok().filter(|&number| number > 0).map(NodeId::new)
    }

    /// Whether the server began to look for a leader.
    pub(crate) fn is_looking(&self) -> bool {
        self.event == "state" && self.text("state") == Some("LOOKING")
    }
}

/// All that one node wrote about itself, over all its process starts, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeTrace {
    /// The node.
    pub(crate) node: NodeId,
    /// Its transitions.
    pub(crate) events: Vec<TraceEvent>,
    /// When its process died without being told to by a fault, ns of the run. Empty as read: whoever
    /// watches the processes fills it in.
    pub(crate) died_ns: Vec<u64>,
    /// Lines or parts of lines that could not be read.
    pub(crate) damaged: u32,
}

impl NodeTrace {
    /// Reads a node's trace file. A file that is not there is an empty trace: the node never started.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub(crate) fn read(node: NodeId, path: &Path, clock: RunClock) -> io::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self::parse(node, &bytes, clock)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::parse(node, &[], clock)),
            Err(error) => Err(error),
        }
    }

    /// Reads the bytes of a trace file.
    pub(crate) fn parse(node: NodeId, bytes: &[u8], clock: RunClock) -> Self {
        let mut lines = Lines::default();
        let mut events = Vec::new();
        lines.feed(bytes, clock, |event| events.push(event));
        let damaged = lines.damaged + u32::from(!lines.rest.is_empty());
        Self { node, events, died_ns: Vec::new(), damaged }
    }
}

/// Cuts a growing stream of bytes into trace lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    damaged: u32,
}

impl Lines {
    /// Takes the next bytes and hands over the events of all lines that are now whole.
    pub(crate) fn feed(&mut self, bytes: &[u8], clock: RunClock, mut each: impl FnMut(TraceEvent)) {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') else { return };
        let tail = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, tail);
        for line in whole.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
        {
            let event = TraceEvent::parse(line, clock).or_else(|| {
                self.damaged += 1;
                let start = line.windows(LINE_START.len()).rposition(|part| part == LINE_START)?;
                TraceEvent::parse(&line[start..], clock)
            });
            event.into_iter().for_each(&mut each);
        }
    }
}

/// How the nodes begin every line.
const LINE_START: &[u8] = b"{\"mono_ns\":";

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of node 3, 500 ns after the run's beginning.
    fn whole(clock: RunClock) -> String {
        let mono_ns = clock.origin_ns() + 500;
        format!(
            "{{\"mono_ns\":{mono_ns},\"wall_ms\":1,\"server\":3,\"event\":\"leader.established\",\
             \"epoch\":2,\"history\":\"0x100000007\"}}"
        )
    }

    fn read(clock: RunClock, text: &str) -> NodeTrace {
        NodeTrace::parse(NodeId::new(3), text.as_bytes(), clock)
    }

    #[test]
    fn a_line_is_read_onto_the_runs_time_line() {
        let clock = RunClock::start();
        let trace = read(clock, &format!("{}\n", whole(clock)));
        assert_eq!((trace.events.len(), trace.damaged), (1, 0));
        let event = &trace.events[0];
        assert_eq!((event.at_ns, event.event.as_str()), (500, "leader.established"));
        assert_eq!((event.epoch("epoch"), event.text("history")), (Some(2), Some("0x100000007")));
        assert_eq!((event.node("server"), event.epoch("none")), (Some(NodeId::new(3)), None));
    }

    #[test]
    fn a_truncated_last_line_is_left_out() {
        let clock = RunClock::start();
        let whole = whole(clock);
        let trace = read(clock, &format!("{whole}\n{}", &whole[..40]));
        assert_eq!((trace.events.len(), trace.damaged), (1, 1));
    }

    #[test]
    fn a_restart_that_appends_to_half_a_line_loses_only_the_half() {
        let clock = RunClock::start();
        let whole = whole(clock);
        let trace = read(clock, &format!("{}{whole}\nnonsense\n{whole}\n", &whole[..40]));
        assert_eq!((trace.events.len(), trace.damaged), (2, 2));
        assert_eq!(trace.events[0], trace.events[1]);
    }

    #[test]
    fn lines_arrive_in_pieces() {
        let clock = RunClock::start();
        let mut lines = Lines::default();
        let mut seen = 0;
        for byte in format!("{0}\n{0}\n", whole(clock)).bytes() {
            lines.feed(&[byte], clock, |_| seen += 1);
        }
        assert_eq!(seen, 2);
    }

    #[test]
    fn a_missing_file_is_an_empty_trace() {
        let folder = tempfile::tempdir().unwrap();
        let trace =
            NodeTrace::read(NodeId::new(1), &folder.path().join("trace.jsonl"), RunClock::start()).unwrap();
        assert!(trace.events.is_empty());
    }
}
