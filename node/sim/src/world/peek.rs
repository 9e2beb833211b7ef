//! A look at what is under way, for those who stop just before it arrives.

use super::wire::{Handle, Item, Side};
use super::{Due, World};
use zab_core::ConnId;
use zab_wire::election::Notification;
use zab_wire::quorum::QuorumMessage;

impl World {
    /// The message that arrives with the next event, if one does: from where, to where.
    #[must_use]
    pub fn next_message(&self) -> Option<(u16, u16, &QuorumMessage)> {
        let (now_us, due) = self.agenda.peek()?;
        let Due::Lane(id, side) = due else { return None };
        let wire = self.wires.get(&id)?;
        let (from, to) = (wire.end(side).site, wire.end(side.other()).site);
        let (at_us, Item::Quorum(message)) = wire.lanes[side.index()].items.front()? else { return None };
        let arrives = *at_us <= now_us && !self.cuts.blocks(from, to) && wire.end(side.other()).held;
        arrives.then_some((from.0, to.0, message))
    }

    /// The votes that a server has sent and that have not arrived, and to whom.
    #[must_use]
    pub fn votes_under_way(&self, from: u16) -> Vec<(u16, &Notification)> {
        let lines = self.votes.iter().filter(|((by, _), _)| *by == from);
        lines.flat_map(|((_, to), line)| line.flying.iter().map(|(_, vote)| (*to, vote))).collect()
    }

    /// The newest connection from a learner to a leader that both hold, as each of the two calls it.
    #[must_use]
    pub fn connection(&self, learner: u16, leader: u16) -> Option<(ConnId, ConnId)> {
        self.wires.values().rev().find_map(|wire| {
            let (caller, called) = (wire.end(Side::Caller), wire.end(Side::Called));
            let theirs = (caller.site.0, called.site.0) == (learner, leader) && caller.held && called.held;
            match (caller.handle, called.handle) {
                (Handle::Quorum(ours), Handle::Quorum(other)) if theirs => Some((ours, other)),
                (Handle::Quorum(_) | Handle::Client(_) | Handle::Mine, _) => None,
            }
        })
    }
}
