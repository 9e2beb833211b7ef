//! Client requests that reached a leader after its epoch was superseded, and how each ended.
//!
//! Told from the history and the nodes' stays in their epochs; part of [`super::fencing()`].

use super::epoch_of;
use super::stays::Stay;
use crate::cluster::NodeId;
use checker::history::{Op, OpType, Process};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// How a request that reached a stale leader ended, as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// Refused because of its epoch; the error names it.
    Refused,
    /// The connection was cut.
    Cut,
    /// No answer came in time.
    TimedOut,
    /// It got no session to send the request in: its connection was cut, or nothing came.
    NoSession,
    /// Answered with another error.
    Error,
    /// Answered well after the node had left the stale epoch.
    AnsweredLater,
    /// Answered well by the stale epoch, but invoked before that was superseded: allowed.
    BegunBefore,
    /// Answered well by the stale epoch, though invoked after that was superseded: a broken promise.
    Acknowledged,
    /// Never completed.
    Open,
}

/// An acknowledgement by a superseded epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StaleAck {
    /// `index` of the invocation in the history.
    pub(crate) invoke_index: u64,
    /// `index` of the completion.
    pub(crate) ok_index: u64,
    /// What was asked.
    pub(crate) f: String,
    /// Of which key.
    pub(crate) key: Option<String>,
    /// Of which node.
    pub(crate) node: Option<NodeId>,
    /// When it was invoked, ns of the run.
    pub(crate) invoked_ns: u64,
    /// When it was acknowledged, ns of the run.
    pub(crate) completed_ns: u64,
    /// The epoch that acknowledged it.
    pub(crate) epoch: u32,
}

/// One client operation: its two ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) invoke: &'a Op,
    pub(super) end: Option<&'a Op>,
    pub(super) node: Option<NodeId>,
}

/// Pairs the lines of a history; what the nemesis wrote is left out.
pub(super) fn requests(history: &[Op]) -> Vec<Request<'_>> {
    let mut requests: Vec<Request<'_>> = Vec::new();
    let mut open: HashMap<i64, usize> = HashMap::new();
    for op in history {
        let Process::Client(process) = op.process else { continue };
        let node = op.node.as_ref().and_then(|name| name.parse().ok());
        if op.op_type == OpType::Invoke {
            open.insert(process, requests.len());
            requests.push(Request { invoke: op, end: None, node });
        } else if let Some(place) = open.remove(&process) {
            let request = &mut requests[place];
            request.end = Some(op);
            // The completion knows better which node answered.
            request.node = node.or(request.node);
        }
    }
    requests
}

impl Request<'_> {
    /// Whether it reached `stay`'s node after `superseded_ns` and before the node left the epoch, or was
    /// open there then.
    pub(super) fn reached(&self, stay: &Stay, superseded_ns: u64) -> bool {
        let completed_ns = self.end.map_or(u64::MAX, |end| end.time);
        let here = self.node == Some(stay.node) && self.invoke.time < stay.until_ns;
        let error = self.end.and_then(|end| end.error.as_deref());
        here && completed_ns > superseded_ns && error.is_none_or(|error| !error.contains(NOBODY_THERE))
    }

    /// The acknowledgement by an epoch that had been superseded before the request was invoked.
    ///
    /// A write's zxid is its own, so its epoch is proof. A read's zxid is the last that its server had
    /// applied: a server of the new epoch that has seen no write yet still shows the old epoch. So a read
    /// is only held against a node whose trace says that it was in the old epoch from the invocation to
    /// the acknowledgement. (Reads are sync+read, and no quorum is left that could answer the sync.)
    pub(super) fn stale_ack(&self, superseded: &BTreeMap<u32, u64>, stays: &[Stay]) -> Option<StaleAck> {
        let ok = self.end.filter(|end| end.op_type == OpType::Ok)?;
        let stamped = epoch_of(ok.zxid?)?;
        let late = |epoch: u32| superseded.get(&epoch).is_some_and(|&at_ns| self.invoke.time >= at_ns);
        let epoch = if ok.f == "read" {
            let held = stays.iter().find(|stay| {
                let throughout = stay.covers(self.invoke.time) && ok.time <= stay.until_ns;
                Some(stay.node) == self.node && throughout && stamped <= stay.epoch && late(stay.epoch)
            })?;
            held.epoch
        } else {
            Some(stamped).filter(|&epoch| late(epoch))?
        };
        Some(StaleAck {
            invoke_index: self.invoke.index,
            ok_index: ok.index,
            f: ok.f.clone(),
            key: self.invoke.key.clone(),
            node: self.node,
            invoked_ns: self.invoke.time,
            completed_ns: ok.time,
            epoch,
        })
    }

    /// How it ended, seen as a request to the stale leader whose stay this is.
    pub(super) fn ending(&self, stay: &Stay, is_stale_ack: bool) -> Ending {
        let Some(end) = self.end else { return Ending::Open };
        if end.op_type == OpType::Ok {
            let newer = end.zxid.and_then(epoch_of).is_some_and(|stamped| stamped > stay.epoch);
            return if is_stale_ack {
                Ending::Acknowledged
            } else if newer || end.time > stay.until_ns {
                Ending::AnsweredLater
            } else {
                Ending::BegunBefore
            };
        }
        classify(end.error.as_deref().unwrap_or(""))
    }
}

/// How the error of a request that had no session begins (`workloads::Error::NotSent`).
const NO_SESSION: &str = "no connection:";

/// What the system says when no process listens: such a request reached nobody.
const NOBODY_THERE: &str = "Connection refused";

/// The kind of an error, from the client's words for it (`workloads::Error`): the history has no others.
fn classify(error: &str) -> Ending {
    let names = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if names(&["epoch"]) {
        Ending::Refused
    } else if error.starts_with(NO_SESSION) {
        Ending::NoSession
    } else if names(&["timed out"]) {
        Ending::TimedOut
    } else if names(&["abandoned"]) {
        Ending::Open
    } else if names(&["the server answered"]) {
        Ending::Error
    } else {
        // What is left broke the connection: the server or the system closed it.
        Ending::Cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_kinds() {
        use workloads::Error::{Lost, NotSent, Server};
        use workloads::error::Cause;
        let kind = |error: workloads::Error| classify(&error.to_string());
        assert_eq!(kind(Lost(Cause::TimedOut(1_000))), Ending::TimedOut);
        assert_eq!(kind(Lost(Cause::Closed)), Ending::Cut);
        assert_eq!(kind(Lost(Cause::Io("Connection reset by peer".to_owned()))), Ending::Cut);
        assert_eq!(kind(Server { code: -103, zxid: zab_wire::Zxid::ZERO }), Ending::Error);
        assert_eq!(classify("epoch 2 is superseded by epoch 3"), Ending::Refused);
        assert_eq!(kind(NotSent(Cause::Closed)), Ending::NoSession);
    }
}
