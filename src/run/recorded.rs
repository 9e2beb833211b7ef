//! What a run leaves behind to be judged, whether its nodes were processes or simulated.

use crate::cluster::UnexpectedExit;
use crate::election::NodeTrace;
use crate::interpreter::Spotted;
use crate::nemesis::FaultRecord;
use crate::report::{RunEvent, Simulated};
use checker::Verdict;

/// What a run left behind to be judged.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// From the run's beginning until every node served, ns.
    pub(crate) served_ns: u64,
    /// When the load began and ended, ns of the run.
    pub(crate) load_ns: (u64, u64),
    /// What became of the faults.
    pub(crate) faults: Vec<FaultRecord>,
    /// Nodes that ended without being told to.
    pub(crate) exits: Vec<UnexpectedExit>,
    /// What each node wrote about itself.
    pub(crate) traces: Vec<NodeTrace>,
    /// How long the load had gone on when the user asked for an early end, ns; `None` when it came to its end.
    pub(crate) interrupted_ns: Option<u64>,
    /// Whether the nodes kept the protocol's properties, where every step can be looked at.
    pub(crate) protocol: Option<Verdict>,
    /// The first violation that was seen while the run went on.
    pub(crate) spotted: Option<Spotted>,
    /// What a run without processes has besides.
    pub(crate) simulated: Option<Simulated>,
}

/// Takes what a run has to say.
pub(crate) type Tell<'a> = dyn FnMut(RunEvent) + Send + 'a;
