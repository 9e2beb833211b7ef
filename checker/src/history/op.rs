//! One line of a history, as `history.jsonl` holds it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

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

impl OpType {
    /// The word for it in every format.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

impl fmt::Display for OpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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
