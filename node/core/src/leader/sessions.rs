//! Which sessions live: only the leader says so (`SessionTrackerImpl`, `ExpiryQueue`).
//!
//! Expiry is rounded up to ticks, so that sessions expire in batches. What expires is closed by an
//! ordinary transaction.

use super::Leader;
use crate::config::Timing;
use crate::event::ConnId;
use crate::out::{Flow, Out, STAY};
use crate::state::State;
use crate::tree::Applied;
use std::collections::BTreeMap;
use zab_wire::SessionId;
use zab_wire::client::OpCode;
use zab_wire::txn::{ForwardedRequest, Txn};

/// When each session expires, on the leader's monotonic clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Sessions {
    expires_at: BTreeMap<SessionId, u64>,
    /// Through whom each session speaks: a learner's connection, or this server (`None`).
    owners: BTreeMap<SessionId, Option<ConnId>>,
}

impl Sessions {
    /// A sign of life.
    pub(super) fn touch(&mut self, session: SessionId, timeout_ms: i32, now_ms: u64, timing: &Timing) {
        let tick = timing.tick_ms.max(1);
        let until = now_ms + u64::try_from(timeout_ms).unwrap_or(0);
        self.expires_at.insert(session, (until / tick + 1) * tick);
    }

    /// A session began or ended.
    pub(super) fn applied(&mut self, applied: &Applied, now_ms: u64, timing: &Timing) {
        let session = applied.header.session;
        match applied.txn {
            Txn::CreateSession { timeout_ms } => self.touch(session, timeout_ms, now_ms, timing),
            Txn::CloseSession { .. } => {
                self.expires_at.remove(&session);
                self.owners.remove(&session);
            }
            Txn::Create { .. }
            | Txn::Delete { .. }
            | Txn::SetData { .. }
            | Txn::Error { .. }
            | Txn::Other { .. } => {}
        }
    }

    /// The session speaks through `owner` from now on.
    pub(super) fn own(&mut self, session: SessionId, owner: Option<ConnId>) {
        self.owners.insert(session, owner);
    }

    /// Whether the session has gone on elsewhere (`SessionMovedException`).
    pub(super) fn moved(&self, session: SessionId, from: Option<ConnId>) -> bool {
        self.owners.get(&session).is_some_and(|owner| *owner != from)
    }

    fn take_expired(&mut self, now_ms: u64) -> Vec<SessionId> {
        let expired: Vec<SessionId> =
            self.expires_at.iter().filter(|(_, at)| **at <= now_ms).map(|(session, _)| *session).collect();
        for session in &expired {
            self.expires_at.remove(session);
        }
        expired
    }
}

impl Leader {
    /// A session was heard of, here or by a learner.
    pub(super) fn touch(&mut self, session: SessionId, timeout_ms: i32, state: &State, out: &Out<'_>) {
        if self.established() && self.outstanding.session_lives(&state.tree, session) {
            self.sessions.touch(session, timeout_ms, out.now.mono_ms, &state.config.timing);
        }
    }

    /// Whether a session that a client wants to go on with still lives.
    pub(super) fn revalidate(
        &mut self,
        session: SessionId,
        timeout_ms: i32,
        state: &State,
        out: &Out<'_>,
    ) -> bool {
        let lives = self.outstanding.session_lives(&state.tree, session);
        if lives {
            self.touch(session, timeout_ms, state, out);
        }
        lives
    }

    /// Proposes the end of the sessions that were silent too long.
    pub(super) fn expire_sessions(&mut self, state: &mut State, out: &mut Out<'_>) -> Flow {
        for session in self.sessions.take_expired(out.now.mono_ms) {
            let close =
                ForwardedRequest { session, cxid: 0, op: OpCode::CloseSession.code(), body: Vec::new() };
            self.propose(&close, state, out)?;
        }
        STAY
    }
}
