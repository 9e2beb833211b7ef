//! One direction between two ends of the network: how it is cut now, and what it has seen.
//!
//! Not a connection: many connections share a link, and each connection uses two of them.

use super::{Cut, LinkCounters};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// The state of one directed link, shared by all pumps that carry its bytes.
#[derive(Debug)]
pub(super) struct Link {
    cut: watch::Sender<Option<Cut>>,
    passed: AtomicU64,
    held: AtomicU64,
    resets: AtomicU64,
}

impl Link {
    /// An open link that has seen nothing.
    pub(super) fn new() -> Self {
        Self {
            cut: watch::Sender::new(None),
            passed: AtomicU64::new(0),
            held: AtomicU64::new(0),
            resets: AtomicU64::new(0),
        }
    }

    /// Cuts the link (`None`: opens it) and wakes every pump that waits on it.
    pub(super) fn set(&self, cut: Option<Cut>) {
        self.cut.send_if_modified(|now| {
            let changed = *now != cut;
            *now = cut;
            changed
        });
    }

    /// Follows the state of the link.
    pub(super) fn follow(&self) -> watch::Receiver<Option<Cut>> {
        self.cut.subscribe()
    }

    /// Whether the link is cut by reset now; it then counts one connection.
    pub(super) fn resets_now(&self) -> bool {
        let resets = *self.cut.borrow() == Some(Cut::Reset);
        if resets {
            self.resets.fetch_add(1, Ordering::Relaxed);
        }
        resets
    }

    /// Waits until the link lets something through again.
    pub(super) async fn opened(&self) {
        let mut cut = self.follow();
        // The sender lives in `self`, so it cannot have gone.
        let _ = cut.wait_for(|cut| !matches!(cut, Some(Cut::Blackhole))).await;
    }

    /// Counts bytes that went out at the other side.
    pub(super) fn count_passed(&self, bytes: usize) {
        self.passed.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that a cut kept from going on at once.
    pub(super) fn count_held(&self, bytes: usize) {
        self.held.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What the link has seen since it was made.
    pub(super) fn counters(&self) -> LinkCounters {
        LinkCounters {
            passed: self.passed.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            resets: self.resets.load(Ordering::Relaxed),
        }
    }
}
