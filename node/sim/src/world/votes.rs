//! The election ports: one line from each server to each other, on which only the newest vote matters.
//!
//! As the real one (`zab-node`'s election port), a line that was broken says its last vote again.

use std::collections::VecDeque;
use zab_wire::election::Notification;

/// The votes from one server to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct VoteLine {
    /// Under way, with the time of arrival.
    pub(super) flying: VecDeque<(u64, Notification)>,
    pub(super) last_at_us: u64,
    /// The link is cut; the newest waits.
    pub(super) held: Option<Notification>,
    /// The last one said, and by which process.
    pub(super) last: Option<(u32, Notification)>,
}
