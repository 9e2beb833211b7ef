//! What an observer does differently (`Observer`, `ObserverZooKeeperServer`).
//!
//! An observer serves clients like a follower, and carries no weight:
//!
//! * it asks the voters how their election goes and has no vote in it ([`crate::vote::Vote::NONE`]);
//! * it introduces itself with OBSERVERINFO and then goes through discovery and synchronization as a
//!   follower does, but its leader begins that only when a quorum of voters has established it. So an
//!   observer promises only epochs that are led, and **everything in its log is committed**: it never has
//!   a tail to be cut, and whoever is elected next has all it has;
//! * it hears of a transaction once, by INFORM, when that is committed: it logs it, applies it and
//!   acknowledges nothing.
//!
//! Applying need not wait for the own disk, because a quorum's disks have the transaction already: a
//! crash sets an observer back to an earlier committed state, as if it had been away. What it tells a
//! leader that it has (ACKEPOCH) is durable all the same, or else it would be sent too little.

use super::Learner;
use crate::out::{Flow, Out, STAY};
use crate::state::State;
use bytes::Bytes;
use zab_wire::Zxid;

impl Learner {
    /// INFORM while serving: the transaction is logged and applied at once.
    pub(super) fn on_inform(&mut self, zxid: Zxid, txn: Bytes, state: &mut State, out: &mut Out<'_>) -> Flow {
        self.log_inform(zxid, txn, state, out)?;
        self.apply_up_to(zxid, state, out);
        STAY
    }

    /// INFORM before UPTODATE: the transaction is logged, and applied with the rest of the history.
    pub(super) fn log_inform(
        &mut self,
        zxid: Zxid,
        txn: Bytes,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        self.log_transaction("INFORM", zxid, txn, state, out)?;
        self.committed = zxid;
        STAY
    }

    /// Nobody waits for an observer's disk, so once with each PING is often enough to have it finish
    /// what it was given.
    pub(super) fn bound_what_a_crash_costs(&self, state: &mut State, out: &mut Out<'_>) {
        if state.durable() < state.log.last() {
            state.sync(out);
        }
    }
}
