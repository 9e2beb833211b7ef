//! Cutting links: what a cut is, whoever carries it out.
//!
//! A backend stands behind [`Network`]: the relay in the control process (anywhere), later kernel
//! namespaces. It knows links and directions; what a partition *means* is the nemesis' business.

mod connection;
mod link;
mod pump;
mod relay;

use crate::cluster::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub(crate) use relay::{RealPorts, Relay};

/// Who drops whose bytes: destination → the sources it does not hear (Jepsen's grudge).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grudge(pub(crate) BTreeMap<NodeId, BTreeSet<NodeId>>);

/// What a cut direction does to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cut {
    /// Bytes are held, connections stay up and new ones seem to open.
    Blackhole,
    /// Connections are reset, new ones too.
    Reset,
    /// Bytes arrive later by this many ms.
    Delay(u32),
    /// At most this many bytes a second pass.
    Throttle(u32),
}

/// What one directed link has seen since a mark was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinkCounters {
    /// Bytes that passed.
    pub(crate) passed: u64,
    /// Bytes that were held back or thrown away by a cut.
    pub(crate) held: u64,
    /// Connections that were reset by a cut.
    pub(crate) resets: u64,
}

/// A backend that can cut links between nodes.
pub(crate) trait Network: fmt::Debug + Send + Sync {
    /// Which backend this is, for the report.
    fn name(&self) -> &'static str;

    /// Cuts the links of `grudge` in the given way, on the election and quorum ports alike, for
    /// existing and new connections. Links not named stay as they are.
    fn cut(&self, grudge: &Grudge, how: Cut);

    /// Heals every link. Bytes held on connections that still live are delivered.
    fn heal(&self);

    /// Sum of the counters of the directed link from `from` to `to`, since the start.
    fn counters(&self, from: NodeId, to: NodeId) -> LinkCounters;
}

impl Grudge {
    /// The cut links as (from, to), in order.
    pub(crate) fn links(&self) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        self.0.iter().flat_map(|(&to, sources)| sources.iter().map(move |&from| (from, to)))
    }
}
