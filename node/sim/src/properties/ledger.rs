//! What has happened so far, as far as the properties ask: the history variables of the specification.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use zab_wire::Zxid;

/// A server, numbered from 0.
pub type At = u16;

/// A transaction that a primary broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// Stands for its bytes.
    pub digest: u64,
    /// The primary.
    pub by: At,
    /// What the same primary broadcast before it in this epoch.
    pub before: Option<Zxid>,
}

/// The primary of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Primary {
    /// Which server.
    pub server: At,
    /// The last transaction it had delivered when it first broadcast.
    pub delivered_first: Zxid,
    /// The last transaction it broadcast.
    pub last: Zxid,
}

/// What one server has delivered, and what is on its disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ServerLedger {
    /// Everything it delivered one by one, in any of its lives.
    pub delivered: BTreeSet<Zxid>,
    /// The greatest of them; 0 when there is none.
    pub newest: Zxid,
    /// It holds everything up to here by way of a snapshot, in any of its lives.
    pub based: Zxid,
    /// The last transaction its present tree contains.
    pub last: Zxid,
    /// The log that a power failure leaves, by zxid; `durable_base` stands for everything up to it.
    pub durable: BTreeMap<Zxid, u64>,
    /// The last transaction of its newest durable snapshot that stands for its predecessors.
    pub durable_base: Zxid,
    /// A cut or a snapshot was under way when the process died: the disk may hold no more than up to here.
    pub floor: Option<Zxid>,
    /// acceptedEpoch and currentEpoch on disk.
    pub epochs: (u32, u32),
    /// Its disk was damaged behind its back (a bit flipped): what it held may be gone.
    pub damaged: bool,
}

impl ServerLedger {
    /// Whether it has delivered a transaction, in any of its lives.
    #[must_use]
    pub fn has_delivered(&self, zxid: Zxid) -> bool {
        zxid <= self.based || self.delivered.contains(&zxid)
    }

    /// Whether a power failure would leave it with this transaction.
    #[must_use]
    pub fn holds(&self, zxid: Zxid, digest: u64) -> bool {
        zxid <= self.durable_base || self.durable.get(&zxid) == Some(&digest)
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ledger {
    /// How many of the servers vote; they come first.
    pub voters: u16,
    /// What was broadcast.
    pub broadcasts: BTreeMap<Zxid, Broadcast>,
    /// Who broadcast first in each epoch.
    pub primaries: BTreeMap<u32, Primary>,
    /// What was delivered anywhere, with its digest: the committed history.
    pub history: BTreeMap<Zxid, u64>,
    /// Directly before each delivered transaction its deliverer had this one.
    pub predecessors: BTreeMap<Zxid, Zxid>,
    /// Who leads in each epoch now, from synchronization on.
    pub leading: BTreeMap<u32, BTreeSet<At>>,
    /// Who was ever an established leader of each epoch.
    pub established: BTreeMap<u32, BTreeSet<At>>,
    /// The tree at each zxid: its digest, and the first server that had it.
    pub trees: BTreeMap<Zxid, (u64, At)>,
    /// Every server.
    pub servers: Vec<ServerLedger>,
}

/// Something that a property may have an opinion on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A leader broadcast a transaction.
    Broadcast {
        /// The leader.
        by: At,
        /// The transaction.
        zxid: Zxid,
        /// Stands for its bytes.
        digest: u64,
    },
    /// A server delivered a transaction.
    Delivered {
        /// The server.
        at: At,
        /// The transaction.
        zxid: Zxid,
        /// Stands for its bytes.
        digest: u64,
    },
    /// A server's tree is that of a snapshot: it started, was sent one, or went back to one.
    Based {
        /// The server.
        at: At,
        /// The snapshot's last transaction.
        zxid: Zxid,
    },
    /// After a step a server's tree is this.
    Tree {
        /// The server.
        at: At,
        /// The last transaction applied.
        zxid: Zxid,
        /// Stands for the tree.
        digest: u64,
    },
    /// A leader has the promises of a quorum and synchronizes.
    Leads {
        /// The leader.
        at: At,
        /// The epoch.
        epoch: u32,
    },
    /// A leader has its initial history on a quorum.
    Established {
        /// The leader.
        at: At,
        /// The epoch.
        epoch: u32,
    },
    /// A server leads no more.
    LeadsNoMore {
        /// The server.
        at: At,
    },
    /// A transaction is on a disk for good.
    Logged {
        /// Whose disk.
        at: At,
        /// The transaction.
        zxid: Zxid,
        /// Stands for its bytes.
        digest: u64,
    },
    /// A log was cut on disk.
    Cut {
        /// Whose disk.
        at: At,
        /// The last transaction left.
        to: Zxid,
    },
    /// A snapshot replaced everything on a disk, with a log behind it ([`Seen::Logged`] follows for each).
    Installed {
        /// Whose disk.
        at: At,
        /// The snapshot's last transaction.
        zxid: Zxid,
        /// The log's.
        last: Zxid,
    },
    /// A process died while its disk gave up what the log held behind a zxid.
    Changing {
        /// Whose disk.
        at: At,
        /// The last transaction that was to be left.
        to: Zxid,
    },
    /// An epoch file was written for good.
    Epochs {
        /// Whose disk.
        at: At,
        /// acceptedEpoch
        accepted: u32,
        /// currentEpoch
        current: u32,
    },
    /// A server started and found this on its disk.
    Recovered {
        /// The server.
        at: At,
        /// acceptedEpoch
        accepted: u32,
        /// currentEpoch
        current: u32,
        /// The last transaction of the snapshot.
        base: Zxid,
        /// The last transaction of snapshot and log.
        last: Zxid,
    },
    /// A bit flipped on a disk.
    Damaged {
        /// Whose disk.
        at: At,
    },
}

impl Ledger {
    /// Nothing has happened. The first `voters` of the `servers` vote.
    #[must_use]
    pub fn new(voters: u16, servers: u16) -> Self {
        Self {
            voters,
            broadcasts: BTreeMap::new(),
            primaries: BTreeMap::new(),
            history: BTreeMap::new(),
            predecessors: BTreeMap::new(),
            leading: BTreeMap::new(),
            established: BTreeMap::new(),
            trees: BTreeMap::new(),
            servers: vec![ServerLedger::default(); usize::from(servers)],
        }
    }

    /// Hashes what tells two pasts apart for the properties. Who had a tree first is only ever named in a
    /// message, and so is left out.
    pub(crate) fn identify(&self, into: &mut impl Hasher) {
        let Self {
            voters,
            broadcasts,
            primaries,
            history,
            predecessors,
            leading,
            established,
            trees,
            servers,
        } = self;
        (voters, broadcasts, primaries, history, predecessors, leading, established, servers).hash(into);
        trees.len().hash(into);
        trees.iter().for_each(|(zxid, (digest, _))| (zxid, digest).hash(into));
    }

    /// A server's page.
    #[must_use]
    pub fn server(&self, at: At) -> &ServerLedger {
        &self.servers[usize::from(at)]
    }

    /// Whether a server has broadcast a transaction already.
    #[must_use]
    pub fn has_broadcast(&self, by: At, zxid: Zxid) -> bool {
        self.broadcasts.get(&zxid).is_some_and(|broadcast| broadcast.by == by)
    }

    fn server_mut(&mut self, at: At) -> &mut ServerLedger {
        &mut self.servers[usize::from(at)]
    }

    /// On how many voters' disks a transaction is, and how many would be a quorum.
    #[must_use]
    pub fn durable_on(&self, zxid: Zxid, digest: u64) -> (usize, usize) {
        let voters = usize::from(self.voters);
        let holders = self.servers[..voters].iter().filter(|server| server.holds(zxid, digest)).count();
        (holders, voters / 2 + 1)
    }

    /// Writes down what was seen; the properties have looked at it before.
    pub fn note(&mut self, seen: &Seen) {
        match *seen {
            Seen::Broadcast { by, zxid, digest } => self.note_broadcast(by, zxid, digest),
            Seen::Delivered { at, zxid, digest } => {
                let before = self.server(at).last;
                self.history.entry(zxid).or_insert(digest);
                self.predecessors.entry(zxid).or_insert(before);
                let server = self.server_mut(at);
                server.delivered.insert(zxid);
                server.newest = server.newest.max(zxid);
                server.last = zxid;
            }
            Seen::Based { at, zxid } => {
                let server = self.server_mut(at);
                server.based = server.based.max(zxid);
                server.last = zxid;
            }
            Seen::Tree { at, zxid, digest } => {
                self.trees.entry(zxid).or_insert((digest, at));
            }
            Seen::Leads { at, epoch } => {
                self.leading.entry(epoch).or_default().insert(at);
            }
            Seen::Established { at, epoch } => {
                self.established.entry(epoch).or_default().insert(at);
            }
            Seen::LeadsNoMore { at } => {
                self.leading.retain(|_, leaders| {
                    leaders.remove(&at);
                    !leaders.is_empty()
                });
            }
            Seen::Logged { at, zxid, digest } => {
                self.server_mut(at).durable.insert(zxid, digest);
            }
            Seen::Cut { at, to } => {
                let server = self.server_mut(at);
                server.durable.split_off(&Zxid::from_bits(to.to_bits() + 1));
                server.durable_base = server.durable_base.min(to);
            }
            Seen::Installed { at, zxid, .. } => {
                let server = self.server_mut(at);
                server.durable.clear();
                server.durable_base = zxid;
            }
            Seen::Epochs { at, accepted, current } => self.server_mut(at).epochs = (accepted, current),
            Seen::Changing { at, to } => self.server_mut(at).floor = Some(to),
            Seen::Recovered { at, base, accepted, current, .. } => {
                // What the disk holds is what was found; starting made it durable. The log follows.
                let server = self.server_mut(at);
                server.durable.clear();
                server.durable_base = base;
                server.floor = None;
                server.epochs = (accepted, current);
            }
            Seen::Damaged { at } => self.server_mut(at).damaged = true,
        }
    }

    fn note_broadcast(&mut self, by: At, zxid: Zxid, digest: u64) {
        let delivered_first = self.server(by).last;
        let primary = self.primaries.get(&zxid.epoch);
        let before = primary.map(|primary| primary.last);
        self.broadcasts.entry(zxid).or_insert(Broadcast { digest, by, before });
        self.primaries.entry(zxid.epoch).and_modify(|primary| primary.last = zxid).or_insert(Primary {
            server: by,
            delivered_first,
            last: zxid,
        });
    }
}

/// Stands for a transaction's bytes.
///
/// # Panics
/// Never: chunks of eight bytes have eight bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    for byte in chunks.remainder() {
        hash = (hash.rotate_left(23) ^ u64::from(*byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    hash ^ (hash >> 32)
}
