//! The relay: a network backend that needs nothing but loopback sockets in the control process.
//!
//! For every ordered pair of nodes i→j the relay listens on one port in place of j's quorum port and one in
//! place of j's election port; i's configuration names those. So every connection tells who opened it: the
//! bytes of connections that i opened flow i→j, those that come back flow j→i, and a directed link is the sum
//! of both. A node must therefore dial the addresses of its own configuration, never one that a peer
//! advertises (ZooKeeper's election handshake carries one). Clients go through one more port a node.
//!
//! The relay lives and dies with the control process; nothing outlives it.

use super::connection::{Route, carry};
use super::link::Link;
use super::{Cut, Grudge, LinkCounters, Network};
use crate::cluster::NodeId;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How long an acceptor rests when the process has run out of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// A node's real addresses, which only the relay dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RealPorts {
    /// The port for clients.
    pub(crate) client: u16,
    /// The port on which a leader hears its learners.
    pub(crate) quorum: u16,
    /// The port of leader election.
    pub(crate) election: u16,
}

/// One side of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Node(NodeId),
    /// All clients together.
    Clients,
}

/// The ports that stand in for a node towards one opener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerPorts {
    /// In place of the quorum port.
    pub(crate) quorum: u16,
    /// In place of the election port.
    pub(crate) election: u16,
}

/// All links of a cluster, through sockets of this process.
#[derive(Debug)]
pub(crate) struct Relay {
    links: BTreeMap<(End, End), Arc<Link>>,
    peers: BTreeMap<(NodeId, NodeId), PeerPorts>,
    clients: BTreeMap<NodeId, SocketAddr>,
    /// One acceptor a port; each owns its connections, so ending it ends them.
    acceptors: Mutex<JoinSet<()>>,
}

impl Relay {
    /// Opens the relay's ports and carries connections from now on. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When a port on loopback cannot be opened.
    pub(crate) fn open(real: &BTreeMap<NodeId, RealPorts>) -> io::Result<Self> {
        let mut relay = Self {
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            clients: BTreeMap::new(),
            acceptors: Mutex::new(JoinSet::new()),
        };
        for (&to, ports) in real {
            for &from in real.keys().filter(|&&from| from != to) {
                let peer = PeerPorts {
                    quorum: relay.listen(End::Node(from), to, ports.quorum)?.port(),
                    election: relay.listen(End::Node(from), to, ports.election)?.port(),
                };
                relay.peers.insert((from, to), peer);
            }
            let client = relay.listen(End::Clients, to, ports.client)?;
            relay.clients.insert(to, client);
        }
        Ok(relay)
    }

    /// The ports at which `from` reaches `to`.
    ///
    /// # Panics
    /// When the two are not different nodes of this relay.
    pub(crate) fn peer_ports(&self, from: NodeId, to: NodeId) -> PeerPorts {
        self.peers[&(from, to)]
    }

    /// The address at which clients reach `to`.
    ///
    /// # Panics
    /// When it is no node of this relay.
    pub(crate) fn client_address(&self, to: NodeId) -> SocketAddr {
        self.clients[&to]
    }

    /// Ends every connection and gives every port back. Idempotent.
    pub(crate) async fn close(&self) {
        let mut acceptors =
            std::mem::take(&mut *self.acceptors.lock().unwrap_or_else(PoisonError::into_inner));
        acceptors.shutdown().await;
    }

    /// Listens in place of a port of `to`, for connections that `from` opens.
    fn listen(&mut self, from: End, to: NodeId, real_port: u16) -> io::Result<SocketAddr> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let route = Route {
            to: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, real_port)),
            forward: self.link(from, End::Node(to)),
            backward: self.link(End::Node(to), from),
        };
        let acceptor = accept(TcpListener::from_std(listener)?, route);
        self.acceptors.lock().unwrap_or_else(PoisonError::into_inner).spawn(acceptor);
        Ok(address)
    }

    /// The link, made when it is first named.
    fn link(&mut self, from: End, to: End) -> Arc<Link> {
        Arc::clone(self.links.entry((from, to)).or_insert_with(|| Arc::new(Link::new())))
    }

    /// Cuts both directions between the clients and a node.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the ports exist; no fault family cuts clients off yet")
    )]
    pub(crate) fn cut_client(&self, node: NodeId, how: Cut) {
        for key in [(End::Clients, End::Node(node)), (End::Node(node), End::Clients)] {
            if let Some(link) = self.links.get(&key) {
                link.set(Some(how));
            }
        }
    }
}

impl Network for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn cut(&self, grudge: &Grudge, how: Cut) {
        for (&to, sources) in &grudge.0 {
            for &from in sources {
                if let Some(link) = self.links.get(&(End::Node(from), End::Node(to))) {
                    link.set(Some(how));
                }
            }
        }
    }

    fn heal(&self) {
        for link in self.links.values() {
            link.set(None);
        }
    }

    fn counters(&self, from: NodeId, to: NodeId) -> LinkCounters {
        self.links
            .get(&(End::Node(from), End::Node(to)))
            .map_or_else(LinkCounters::default, |link| link.counters())
    }
}

/// Accepts on one port for ever, and carries what it accepted.
async fn accept(listener: TcpListener, route: Route) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((opener, _)) => { connections.spawn(carry(opener, route.clone())); }
                Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
            },
        }
    }
}

#[cfg(test)]
mod tests;
