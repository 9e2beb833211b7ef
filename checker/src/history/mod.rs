//! The history: what clients invoked and how each invocation completed, as `history.jsonl` holds it.
//!
//! [`Op`] is one line; [`History`] is a whole run with its lines paired into [`Call`]s. Nothing here
//! knows a model, and nothing here decides whether an outcome is definite: the client did that.

mod pair;
mod read;

pub use pair::{Call, Outcome, PairRules, pair};
pub use read::Reader;

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::CheckError;

/// Who is acting in a history line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    /// A logical client thread (never an OS process). As JSON: an integer.
    Client(i64),
    /// The fault injector. As JSON: the string `"nemesis"`.
    Nemesis,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "{id}"),
            Self::Nemesis => f.write_str("nemesis"),
        }
    }
}

impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Client(id) => serializer.serialize_i64(*id),
            Self::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Id(i64),
            Name(String),
        }
        let wrong = || serde::de::Error::custom("process must be an integer or \"nemesis\"");
        match Raw::deserialize(deserializer) {
            Ok(Raw::Id(id)) => Ok(Self::Client(id)),
            Ok(Raw::Name(name)) if name == "nemesis" => Ok(Self::Nemesis),
            Ok(Raw::Name(_)) | Err(_) => Err(wrong()),
        }
    }
}

/// Whether a line starts an operation or says how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpType {
    /// The client is about to send the request.
    Invoke,
    /// The operation took effect, between its invocation and this line.
    Ok,
    /// The operation certainly did not take effect, and never will.
    Fail,
    /// Nobody knows: it may have taken effect, or may yet, or never.
    Info,
}

impl fmt::Display for OpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invoke => "invoke",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        })
    }
}

/// One line of `history.jsonl`.
///
/// Shapes of `value` for the register workload: `read` invokes with null and completes `ok` with the
/// value read (null: the initial value); `write` carries the new value; `cas` invokes with
/// `[null,new]` (the client learns the old value inside the operation) or `[old,new]`, and completes
/// with `[old,new]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// Position in the history, counted from 0; strictly increasing.
    pub index: u64,
    /// Nanoseconds since the start of the run, monotonic. For display: order is by position.
    pub time: u64,
    /// Who.
    pub process: Process,
    /// Invocation or completion.
    #[serde(rename = "type")]
    pub op_type: OpType,
    /// The function: `read`, `write`, `cas`, or a fault name of the nemesis.
    pub f: String,
    /// The object operated on; absent when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Input on `invoke`, output on a completion; absent means null.
    #[serde(default)]
    pub value: Value,
    /// Why it failed or is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The node the client talked to, such as `n1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The zxid in the reply header; as JSON a hex string such as `"0x100000007"`.
    #[serde(default, with = "hex_zxid", skip_serializing_if = "Option::is_none")]
    pub zxid: Option<u64>,
    /// True for the reads made after everything was healed.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub final_read: bool,
}

impl Op {
    /// A line with the given place, actor and function; everything else absent.
    #[must_use]
    pub fn new(index: u64, time: u64, process: Process, op_type: OpType, f: &str) -> Self {
        Self {
            index,
            time,
            process,
            op_type,
            f: f.to_owned(),
            key: None,
            value: Value::Null,
            error: None,
            node: None,
            zxid: None,
            final_read: false,
        }
    }
}

mod hex_zxid {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde's `with` passes the field by reference")]
    pub(super) fn serialize<S: Serializer>(zxid: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match zxid {
            Some(zxid) => serializer.collect_str(&format_args!("{zxid:#x}")),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let digits = text.strip_prefix("0x").unwrap_or("");
        u64::from_str_radix(digits, 16).map(Some).map_err(|e| {
            serde::de::Error::custom(format!(
                "zxid must be a hex string such as \"0x100000007\", not {text:?} ({e})"
            ))
        })
    }
}

/// A history with its lines paired.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Invocation/completion pairs in order of invocation; failed calls are counted in
    /// [`History::counts`] but left out here, nemesis lines are left out altogether.
    pub calls: Vec<Call>,
    /// Lines by function and type.
    pub counts: crate::stats::Counts,
    /// True when the last line of the file was cut off (the tool died while writing it).
    pub truncated: bool,
    /// True when a `cas` invokes with the old value it expects; false (as in `history.jsonl`) when it
    /// may invoke with `[null,new]` because it learns the old value on the way.
    pub explicit_cas: bool,
    /// Number of lines read, nemesis lines included.
    pub lines: u64,
    /// False when the source carries no clock: times are then meaningless and not shown.
    pub timed: bool,
}

impl History {
    /// Pairs ops that are already in memory.
    ///
    /// # Errors
    /// When lines do not fit together (see [`pair()`]).
    pub fn from_ops(ops: Vec<Op>) -> Result<Self, CheckError> {
        let mut history = pair(ops.into_iter().map(Ok), PairRules::default())?;
        history.timed = true;
        Ok(history)
    }

    /// Reads a `history.jsonl` from any source; `name` is what errors call it.
    ///
    /// # Errors
    /// On a corrupt line (with its number), or lines that do not fit together. A last line that was
    /// cut off is no error: it sets [`History::truncated`].
    pub fn parse(name: &str, source: impl BufRead) -> Result<Self, CheckError> {
        let mut reader = Reader::new(name, source);
        let mut history = pair(&mut reader, PairRules::default())?;
        history.truncated = reader.truncated();
        history.timed = true;
        Ok(history)
    }

    /// Reads the `history.jsonl` at `path`.
    ///
    /// # Errors
    /// As [`History::parse`], and when the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, CheckError> {
        let file = File::open(path).map_err(|source| CheckError::Io { path: path.into(), source })?;
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
        Self::parse(&name, BufReader::with_capacity(1 << 16, file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_round_trips_in_the_agreed_shape() {
        let line = r#"{"index":13,"time":123999999,"process":3,"type":"ok","f":"write","key":"r7","value":41,"node":"n2","zxid":"0x100000007"}"#;
        let op: Op = serde_json::from_str(line).unwrap();
        assert_eq!(op.zxid, Some(0x1_0000_0007));
        assert_eq!(serde_json::to_string(&op).unwrap(), line);
    }

    #[test]
    fn nemesis_final_and_absent_fields() {
        let line = r#"{"index":1,"time":2,"process":"nemesis","type":"info","f":"pause","value":{"targets":["n1"]}}"#;
        let op: Op = serde_json::from_str(line).unwrap();
        assert_eq!((op.process, op.key, op.final_read), (Process::Nemesis, None, false));
        let line = r#"{"index":1,"time":2,"process":4,"type":"invoke","f":"read","final":true}"#;
        let op: Op = serde_json::from_str(line).unwrap();
        assert!(op.final_read && op.value.is_null());
    }

    #[test]
    fn wrong_process_and_zxid_are_named() {
        let process = r#"{"index":1,"time":2,"process":"bob","type":"invoke","f":"read"}"#;
        assert!(serde_json::from_str::<Op>(process).unwrap_err().to_string().contains("nemesis"));
        let zxid = r#"{"index":1,"time":2,"process":1,"type":"ok","f":"read","zxid":"77"}"#;
        assert!(serde_json::from_str::<Op>(zxid).unwrap_err().to_string().contains("hex string"));
    }
}
