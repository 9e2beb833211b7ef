//! What a node finds on its disk before it first starts: `zoo.cfg` and `myid`.
//!
//! Its own line of the server list names its real ports, where it listens; the lines of its peers name the
//! relay's ports, so that every connection it opens runs through the relay.

use super::NodeId;
use crate::network::{RealPorts, Relay};
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// Where the files of one node are, absolute.
#[derive(Debug, Clone)]
pub(super) struct NodeFiles {
    /// The node's folder, and its working directory.
    pub(super) folder: PathBuf,
    /// Its log, snapshots and epochs.
    pub(super) data: PathBuf,
    /// `zoo.cfg`.
    pub(super) config: PathBuf,
    /// What it traces.
    pub(super) trace: PathBuf,
    /// What it writes to stdout and stderr.
    pub(super) log: PathBuf,
}

impl NodeFiles {
    /// The files of `node` in a run's folder.
    pub(super) fn within(run_dir: &Path, node: NodeId) -> Self {
        let folder = run_dir.join("nodes").join(node.to_string());
        Self {
            data: folder.join("data"),
            config: folder.join("zoo.cfg"),
            trace: folder.join("trace.jsonl"),
            log: folder.join("node.log"),
            folder,
        }
    }

    /// Lays the folder, `zoo.cfg` and `myid`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn lay(&self, node: NodeId, config: &str) -> io::Result<()> {
        std::fs::create_dir_all(&self.data)?;
        std::fs::write(&self.config, config)?;
        std::fs::write(self.data.join("myid"), format!("{}\n", node.number()))
    }
}

/// ZooKeeper keeps 500 committed transactions in memory, which this load writes in less than a second: a node
/// that was away would always get SNAP. With more, DIFF and TRUNC have their turn, and SNAP still comes
/// after long absences under full load.
const COMMIT_LOG_COUNT: u32 = 5_000;

/// The text of `node`'s `zoo.cfg`.
pub(super) fn zoo_cfg(
    plan: &Plan,
    node: NodeId,
    data: &Path,
    ports: &BTreeMap<NodeId, RealPorts>,
    relay: &Relay,
) -> String {
    let own = ports[&node];
    let mut text = format!(
        "tickTime={}\ninitLimit={}\nsyncLimit={}\nsnapCount={}\ndataDir={}\nclientPort={}\n\
         clientPortAddress=127.0.0.1\ncommitLogCount={COMMIT_LOG_COUNT}\nmaxClientCnxns=0\n4lw.commands.whitelist=*\nadmin.enableServer=false\n",
        plan.tick_ms,
        plan.init_limit,
        plan.sync_limit,
        plan.snap_count,
        data.display(),
        own.client,
    );
    for &peer in ports.keys() {
        let (quorum, election) = if peer == node {
            (own.quorum, own.election)
        } else {
            let through = relay.peer_ports(node, peer);
            (through.quorum, through.election)
        };
        let number = peer.number();
        writeln!(text, "server.{number}=127.0.0.1:{quorum}:{election}").expect("a String takes all text");
    }
    text
}
