//! Which links carry nothing. Directed: what is cut from A to B still goes from B to A.

use super::wire::Site;
use std::collections::BTreeSet;

/// The links that are cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Cuts(BTreeSet<(Site, Site)>);

impl Cuts {
    pub(super) fn cut(&mut self, from: Site, to: Site) {
        if from != to {
            self.0.insert((from, to));
        }
    }

    pub(super) fn heal(&mut self, from: Site, to: Site) {
        self.0.remove(&(from, to));
    }

    pub(super) fn heal_all(&mut self) {
        self.0.clear();
    }

    pub(super) fn blocks(&self, from: Site, to: Site) -> bool {
        !self.0.is_empty() && self.0.contains(&(from, to))
    }
}
