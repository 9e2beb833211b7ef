//! What may happen next in a world without time.

use crate::world::{Due, Site};

/// One step from a state to another. Servers are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// Something under way arrives or is finished, or a deadline that is due already has its turn.
    Happens(Due),
    /// A server's clock goes on to its next deadline.
    TimesOut(Due),
    /// A client writes at a leader.
    Write(u16),
    /// A server that does not run starts.
    Start(u16),
    /// A server is killed; whether the batch that its disk is working on is done.
    Crash {
        /// The server.
        at: u16,
        /// Whether its disk did all of the batch under way, or nothing.
        disk_done: bool,
    },
    /// The network splits.
    Split(Split),
    /// It is whole again.
    Heal,
}

/// A way to split three servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// One server alone, the others together.
    Alone(u16),
    /// Each server alone.
    Apart,
}

impl Split {
    /// Every way to split so many servers; of three, each there is.
    pub(super) fn ways(servers: u16) -> impl Iterator<Item = Self> {
        (0..servers).map(Self::Alone).chain([Self::Apart])
    }

    /// The links that carry nothing.
    pub(super) fn links(self, servers: u16) -> impl Iterator<Item = (Site, Site)> {
        let apart = move |one: u16, other: u16| match self {
            Self::Alone(at) => (one == at) != (other == at),
            Self::Apart => one != other,
        };
        (0..servers).flat_map(move |one| {
            let others = (0..servers).filter(move |other| apart(one, *other));
            others.map(move |other| (Site(one), Site(other)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_servers_are_split_in_four_ways() {
        let cut: Vec<usize> = Split::ways(3).map(|split| split.links(3).count()).collect();
        assert_eq!(cut, [4, 4, 4, 6]);
        let links: Vec<_> = Split::Alone(1).links(3).map(|(from, to)| (from.0, to.0)).collect();
        assert_eq!(links, [(0, 1), (1, 0), (1, 2), (2, 1)]);
    }
}
