//! The partition family: cut links, prove by byte counts that something was cut, open them again.

use crate::cluster::NodeId;
use crate::network::{Cut, Grudge, LinkCounters, Network};

/// A partition that is in place.
#[derive(Debug)]
pub(super) struct Partition {
    how: Cut,
    /// Each cut link as it was when the cut was in place.
    before: Vec<(NodeId, NodeId, LinkCounters)>,
}

impl Partition {
    /// Cuts the links of `grudge`. In place when this returns.
    pub(super) fn inject(network: &dyn Network, grudge: &Grudge, how: Cut) -> Self {
        // Before the cut: the resets of existing connections are its work.
        let before = grudge.links().map(|(from, to)| (from, to, network.counters(from, to))).collect();
        network.cut(grudge, how);
        Self { how, before }
    }

    /// Opens every link.
    pub(super) fn heal(network: &dyn Network) {
        network.heal();
    }

    /// Whether a cut link has kept anything back so far.
    pub(super) fn is_proven(&self, network: &dyn Network) -> bool {
        self.before.iter().any(|&(from, to, before)| self.shows(before, network.counters(from, to)))
    }

    /// Whether a link shows the effect of this cut: another cut's effect proves nothing for it.
    fn shows(&self, before: LinkCounters, now: LinkCounters) -> bool {
        match self.how {
            Cut::Reset => now.resets > before.resets,
            Cut::Blackhole | Cut::Delay(_) | Cut::Throttle(_) => now.held > before.held,
        }
    }

    /// What the cut links show, one sentence each.
    pub(super) fn evidence(&self, network: &dyn Network) -> Vec<String> {
        let mut held = 0;
        let mut resets = 0;
        let mut hit = 0;
        let mut silent = Vec::new();
        for &(from, to, before) in &self.before {
            let now = network.counters(from, to);
            let (link_held, link_resets) = (now.held - before.held, now.resets - before.resets);
            held += link_held;
            resets += link_resets;
            if self.shows(before, now) {
                hit += 1;
            } else {
                silent.push(format!("{from}→{to}"));
            }
        }
        let of = format!("by the {} on {hit} of {} cut links", network.name(), self.before.len());
        let mut sentences = vec![match self.how {
            Cut::Blackhole => format!("{held} bytes held {of}"),
            Cut::Reset => format!("{resets} connections reset {of}"),
            Cut::Delay(ms) => format!("{held} bytes delayed for {ms} ms {of}"),
            Cut::Throttle(rate) => format!("{held} bytes throttled to {rate} bytes/s {of}"),
        }];
        if !silent.is_empty() {
            sentences.push(format!("no traffic on {}", silent.join(", ")));
        }
        sentences
    }
}
