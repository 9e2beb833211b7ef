//! A look at what comes next, for those who stop just before it.

use super::wire::Item;
use super::{Due, World};
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
}
