//! Phase 2 from the leader's side: bring each learner to the initial history, and become established
//! when a quorum has it (Zab paper §IV.B; `LearnerHandler.syncFollower`, `Leader.waitForNewLeaderAck`).

use super::{Leader, Learner, Phase, Stage};
use crate::event::ConnId;
use crate::log::{Log, Place};
use crate::out::{Flow, Out, STAY};
use crate::state::State;
use crate::trace::{SyncMode, SyncReason, Trace};
use zab_wire::Zxid;
use zab_wire::quorum::QuorumMessage;

/// How a learner is brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SyncPlan {
    reason: SyncReason,
    /// The zxid that DIFF, TRUNC or SNAP carries.
    zxid: Zxid,
    /// Transactions after this one are sent.
    after: Zxid,
}

/// What a learner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Theirs {
    /// The end of its log.
    last: Zxid,
    /// Whether it asks for the whole tree.
    whole_tree: bool,
    /// Whether it is an observer.
    observes: bool,
}

/// Chooses how to bring a learner whose log ends with `theirs` to a history whose committed part ends
/// with `end`.
///
/// ZooKeeper sends SNAP whenever the next known transaction is of another epoch than `theirs`. The
/// rule here is finer: an epoch has one leader and its proposals have no holes, so when the own log has
/// transactions of the learner's last epoch, the last of them is in the learner's log too, and cutting
/// there is enough. Only an epoch of which nothing is known here needs the whole tree.
///
/// What a follower has behind `end` is under way and left to be acknowledged. An observer acknowledges
/// nothing and has nothing of that kind, unless it voted once or followed another leader's habits: then
/// it is cut.
fn plan(log: &Log, theirs: Theirs, end: Zxid, applied: Zxid) -> SyncPlan {
    let Theirs { last: theirs, whole_tree, observes } = theirs;
    let diff = |reason| SyncPlan { reason, zxid: end, after: theirs };
    let snap = |reason| SyncPlan { reason, zxid: applied, after: applied };
    let trunc = |to, reason| SyncPlan { reason, zxid: to, after: to };
    match log.place(theirs) {
        _ if whole_tree => snap(SyncReason::AskedFor),
        Place::Forgotten => snap(SyncReason::Forgotten),
        Place::Before(_) if observes && theirs > end => trunc(end, SyncReason::ObserverAhead),
        Place::Before(_) if theirs == end => diff(SyncReason::NothingMissing),
        Place::Before(_) => diff(SyncReason::Prefix),
        Place::Missing(_) if theirs.counter == 0 => diff(SyncReason::NothingOfItsEpoch),
        Place::Missing(at) => {
            let known = log.zxid_before(at);
            if known.epoch == theirs.epoch {
                trunc(known, SyncReason::Tail)
            } else {
                snap(SyncReason::UnknownEpoch)
            }
        }
    }
}

impl Leader {
    /// Sends a learner what it lacks, then NEWLEADER, and from then on live traffic. All in one step,
    /// so no proposal can fall between the history and the traffic (ZOOKEEPER-962).
    pub(super) fn synchronize(&mut self, conn: ConnId, state: &State, out: &mut Out<'_>) {
        let epoch = self.epoch.expect("the epoch was chosen");
        let Some(Learner { server: Some(server), observes, stage: stage @ Stage::Promised { .. }, .. }) =
            self.learners.get_mut(&conn)
        else {
            return;
        };
        let Stage::Promised { last_zxid, whole_tree } = *stage else { return };
        // Before it is established, a leader's whole log is the initial history; later, the committed part.
        let applied = state.log.applied();
        let end = if self.phase == Phase::Established { applied } else { state.log.last() };
        let theirs = Theirs { last: last_zxid, whole_tree, observes: *observes };
        let plan = plan(&state.log, theirs, end, applied);
        out.trace(Trace::SyncStarted { learner: *server, reason: plan.reason, from: last_zxid, to: end });
        out.send(
            conn,
            match plan.reason.mode() {
                SyncMode::Diff => QuorumMessage::Diff { zxid: plan.zxid },
                SyncMode::Trunc => QuorumMessage::Trunc { zxid: plan.zxid },
                SyncMode::Snap => QuorumMessage::Snap { zxid: plan.zxid, tree: state.tree.to_snapshot() },
            },
        );
        // Observers get the history as followers do, but nothing that is not committed.
        for entry in state.log.after(plan.after).take_while(|entry| entry.zxid <= end || !*observes) {
            out.send(conn, QuorumMessage::Proposal { zxid: entry.zxid, txn: entry.txn.clone() });
            if entry.zxid <= end {
                out.send(conn, QuorumMessage::Commit { zxid: entry.zxid });
            }
        }
        let config = state.config.config_text.clone().into_bytes();
        out.send(conn, QuorumMessage::NewLeader { epoch, config });
        *stage = Stage::Synchronizing;
    }

    /// ACK: of NEWLEADER, of UPTODATE (which means nothing), or of a proposal.
    pub(super) fn on_ack(&mut self, conn: ConnId, zxid: Zxid, state: &mut State, out: &mut Out<'_>) -> Flow {
        let epoch = self.epoch.map(Zxid::of_epoch);
        let half_ticks = self.half_ticks;
        let Some(learner) = self.learners.get_mut(&conn) else { return STAY };
        match learner.stage {
            Stage::Synchronizing if Some(zxid) == epoch => {
                learner.stage = Stage::Acknowledged;
                if !learner.observes {
                    self.took_over.extend(learner.server);
                }
                if self.phase == Phase::Established {
                    self.welcome(conn, out);
                } else {
                    self.establish_with_quorum(state, out);
                }
            }
            Stage::Acknowledged | Stage::Serving => {
                if Some(zxid) != epoch {
                    learner.acknowledged(zxid, half_ticks);
                    self.commit_what_a_quorum_has(state, out);
                }
            }
            Stage::New
            | Stage::Introduced
            | Stage::Invited
            | Stage::Promised { .. }
            | Stage::Synchronizing => self.drop_learner(conn, "it acknowledged out of turn", out),
        }
        STAY
    }

    /// Becomes established when a quorum, this server among them, has the initial history on disk.
    pub(super) fn establish_with_quorum(&mut self, state: &mut State, out: &mut Out<'_>) {
        if self.phase != Phase::Synchronizing || !state.config.ensemble.is_quorum(&self.took_over) {
            return;
        }
        let epoch = self.epoch.expect("the epoch was chosen");
        // Not earlier: a tree (in SNAP or in memory) must never hold what may still be given up.
        while state.apply_next(state.log.last(), out).is_some() {}
        self.enter(Phase::Established);
        self.last_proposed = Zxid::of_epoch(epoch);
        state.serve(epoch);
        if let Some(vote) = &mut state.settled_vote {
            vote.epoch = i64::from(epoch);
        }
        state.after_applying(out);
        for (session, timeout_ms) in state.tree.sessions() {
            self.sessions.touch(*session, *timeout_ms, out.now.mono_ms, &state.config.timing);
        }
        out.trace(Trace::Established { epoch, history: state.log.last() });
        let acknowledged: Vec<ConnId> = self
            .learners
            .iter()
            .filter(|(_, learner)| learner.stage == Stage::Acknowledged)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in acknowledged {
            self.welcome(conn, out);
        }
        self.invite_all(true, out);
    }

    /// UPTODATE.
    fn welcome(&mut self, conn: ConnId, out: &mut Out<'_>) {
        if let Some(learner) = self.learners.get_mut(&conn) {
            learner.stage = Stage::Serving;
            out.send(conn, QuorumMessage::UpToDate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LogEntry;

    fn z(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(epoch, counter)
    }

    /// 1.1 1.2 1.3 | 3.1 3.2, with 1.1 trimmed away.
    fn log() -> Log {
        let entries = [z(1, 2), z(1, 3), z(3, 1), z(3, 2)];
        let entry = |zxid| LogEntry { zxid, txn: bytes::Bytes::new() };
        Log::starting_at(z(1, 1), entries.map(entry).to_vec())
    }

    fn follower(last: Zxid) -> Theirs {
        Theirs { last, whole_tree: false, observes: false }
    }

    fn planned(theirs: Zxid) -> (SyncMode, Zxid, Zxid) {
        let SyncPlan { reason, zxid, after } = plan(&log(), follower(theirs), z(3, 2), z(3, 2));
        (reason.mode(), zxid, after)
    }

    #[test]
    fn a_learner_with_everything_gets_an_empty_diff() {
        assert_eq!(planned(z(3, 2)), (SyncMode::Diff, z(3, 2), z(3, 2)));
    }

    #[test]
    fn a_prefix_gets_the_rest_as_diff() {
        assert_eq!(planned(z(1, 3)), (SyncMode::Diff, z(3, 2), z(1, 3)));
        assert_eq!(planned(z(1, 1)), (SyncMode::Diff, z(3, 2), z(1, 1)), "just behind what was trimmed");
    }

    #[test]
    fn a_tail_of_the_same_epoch_is_cut() {
        assert_eq!(planned(z(3, 5)), (SyncMode::Trunc, z(3, 2), z(3, 2)), "at the end");
        assert_eq!(planned(z(1, 7)), (SyncMode::Trunc, z(1, 3), z(1, 3)), "in the middle; then the rest");
    }

    #[test]
    fn an_epoch_unknown_here_needs_the_whole_tree() {
        assert_eq!(planned(z(2, 4)), (SyncMode::Snap, z(3, 2), z(3, 2)));
    }

    #[test]
    fn a_learner_behind_memory_needs_the_whole_tree() {
        assert_eq!(planned(Zxid::ZERO), (SyncMode::Snap, z(3, 2), z(3, 2)));
    }

    #[test]
    fn an_empty_learner_of_a_whole_log_gets_all_of_it_as_diff() {
        let log = Log::starting_at(Zxid::ZERO, vec![LogEntry { zxid: z(1, 1), txn: bytes::Bytes::new() }]);
        assert_eq!(plan(&log, follower(Zxid::ZERO), z(1, 1), z(1, 1)).reason.mode(), SyncMode::Diff);
    }

    #[test]
    fn a_learner_that_asks_for_the_whole_tree_gets_it() {
        let log = Log::starting_at(Zxid::ZERO, Vec::new());
        let theirs = Theirs { whole_tree: true, ..follower(Zxid::ZERO) };
        assert_eq!(plan(&log, theirs, Zxid::ZERO, Zxid::ZERO).reason.mode(), SyncMode::Snap);
    }

    #[test]
    fn an_empty_leader_replaces_what_it_knows_nothing_of() {
        assert_eq!(
            plan(&Log::default(), follower(z(1, 2)), Zxid::ZERO, Zxid::ZERO).reason.mode(),
            SyncMode::Snap
        );
    }

    #[test]
    fn a_proposal_under_way_is_not_cut_but_left_to_be_acknowledged() {
        let SyncPlan { reason, zxid, after } = plan(&log(), follower(z(3, 1)), z(1, 3), z(1, 3));
        assert_eq!((reason.mode(), zxid, after), (SyncMode::Diff, z(1, 3), z(3, 1)));
    }

    #[test]
    fn an_observer_keeps_no_proposal_under_way() {
        let theirs = Theirs { observes: true, ..follower(z(3, 1)) };
        let SyncPlan { reason, zxid, after } = plan(&log(), theirs, z(1, 3), z(1, 3));
        assert_eq!((reason.mode(), zxid, after), (SyncMode::Trunc, z(1, 3), z(1, 3)));
    }
}
