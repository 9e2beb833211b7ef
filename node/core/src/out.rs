//! The hand through which every phase acts: where effects go, and whether a role goes on.

use crate::event::{ClientId, ConnId, Effect, Now};
use crate::trace::Trace;
use std::ops::ControlFlow;
use zab_wire::ServerId;
use zab_wire::election::Notification;
use zab_wire::quorum::QuorumMessage;

/// Whether a role goes on; breaking gives the reason for going LOOKING.
pub(crate) type Flow = ControlFlow<&'static str>;

/// Go on in this role.
pub(crate) const STAY: Flow = ControlFlow::Continue(());

/// Give up this role.
pub(crate) fn give_up(reason: &'static str) -> Flow {
    ControlFlow::Break(reason)
}

/// Where effects go while one event is handled.
pub(crate) struct Out<'a> {
    /// The clocks at this event.
    pub(crate) now: Now,
    /// What is to be done.
    pub(crate) effects: &'a mut Vec<Effect>,
}

impl Out<'_> {
    pub(crate) fn send(&mut self, conn: ConnId, message: QuorumMessage) {
        self.effects.push(Effect::Send { conn, message });
    }

    pub(crate) fn close(&mut self, conn: ConnId) {
        self.effects.push(Effect::Close { conn });
    }

    pub(crate) fn notify(&mut self, to: ServerId, message: Notification) {
        self.effects.push(Effect::Notify { to, message });
    }

    pub(crate) fn reply(&mut self, client: ClientId, frame: Vec<u8>) {
        self.effects.push(Effect::Reply { client, frame });
    }

    pub(crate) fn close_client(&mut self, client: ClientId) {
        self.effects.push(Effect::CloseClient { client });
    }

    pub(crate) fn trace(&mut self, trace: Trace) {
        self.effects.push(Effect::Trace(trace));
    }

    pub(crate) fn fatal(&mut self, reason: String) {
        self.effects.push(Effect::Fatal { reason });
    }
}
