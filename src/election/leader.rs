//! Who leads right now, as far as the traces tell.

use crate::cluster::NodeId;

/// The newest established leader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LeaderView {
    /// The leader, unless it is known to have stepped down or died.
    pub(crate) leader: Option<NodeId>,
    /// The newest established epoch.
    pub(crate) epoch: u32,
}
