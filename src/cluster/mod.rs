//! The cluster under test: real processes of this machine, each with its own folder and ports.
//!
//! It knows processes and ports; what a fault is, is the nemesis' business. However the tool ends, nothing of
//! the cluster outlives it: stopping, dropping and a killed tool all end every process.

mod config;
mod id;
mod ports;
mod probe;
mod process;
mod spawner;
mod tail;

pub(crate) use id::NodeId;
pub(crate) use process::ProcessState;

use crate::clock::RunClock;
use crate::network::{Network, Relay};
use crate::plan::Plan;
use anyhow::{Context, bail};
use config::NodeFiles;
use nix::sys::signal::Signal;
use ports::PortBlock;
use process::Process;
use serde::Serialize;
use spawner::{Launch, Spawner};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How often a node is asked whether it serves.
const SERVING_POLL: Duration = Duration::from_millis(10);
/// How long a node may take to end by itself before it is killed.
const STOP_GRACE: Duration = Duration::from_millis(300);
/// How long a killed process may take to be reaped.
const REAP_DEADLINE: Duration = Duration::from_secs(5);

/// A node's end that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct UnexpectedExit {
    /// Which node.
    pub(crate) node: NodeId,
    /// When it was noticed, ns of the run.
    pub(crate) at_ns: u64,
    /// Its wait status, such as "exit status 1".
    pub(crate) how: String,
    /// The last lines it logged, oldest first.
    pub(crate) last_log_lines: Vec<String>,
}

/// A running cluster. Clones share it; when the last one goes, every process is killed.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    nodes: BTreeMap<NodeId, Node>,
    relay: Arc<Relay>,
    clock: RunClock,
    spawner: Spawner,
    _ports: PortBlock,
}

#[derive(Debug)]
struct Node {
    process: Process,
    files: NodeFiles,
}

impl Cluster {
    /// Lays the nodes' folders under `run_dir`, opens the relay and spawns every node from this very
    /// executable. They are spawned when this returns; see [`Cluster::wait_serving`]. Call it within a tokio
    /// runtime, which then carries the relay.
    ///
    /// # Errors
    /// When ports are taken, or files or processes cannot be made.
    pub(crate) fn start(
        plan: &Plan,
        run_dir: &Path,
        clock: RunClock,
    ) -> anyhow::Result<(Self, Arc<dyn Network>)> {
        let program = std::env::current_exe().context("failed to find this program's own file")?;
        let parent = std::process::id();
        Self::start_with(plan, run_dir, clock, |files| Launch {
            program: program.clone(),
            arguments: node_arguments(files, plan.bug.as_deref(), parent),
            folder: files.folder.clone(),
            log: files.log.clone(),
        })
    }

    /// As [`Cluster::start`], with any program in the nodes' place.
    fn start_with(
        plan: &Plan,
        run_dir: &Path,
        clock: RunClock,
        launch: impl Fn(&NodeFiles) -> Launch,
    ) -> anyhow::Result<(Self, Arc<dyn Network>)> {
        let run_dir = std::path::absolute(run_dir).context("failed to find the run's folder")?;
        let ports = PortBlock::reserve(plan.nodes, plan.base_port)?;
        let relay = Arc::new(Relay::open(&ports.nodes).context("failed to open the relay's ports")?);
        let mut nodes = BTreeMap::new();
        for &node in ports.nodes.keys() {
            let files = NodeFiles::within(&run_dir, node);
            let config = config::zoo_cfg(plan, node, &files.data, &ports.nodes, &relay);
            files
                .lay(node, &config)
                .with_context(|| format!("failed to write {node}'s files in {}", files.folder.display()))?;
            nodes.insert(node, Node { process: Process::new(node, launch(&files)), files });
        }
        let spawner = Spawner::start().context("failed to start the spawner thread")?;
        // From here on dropping the cluster ends what was spawned.
        let cluster = Self {
            inner: Arc::new(Inner { nodes, relay: Arc::clone(&relay), clock, spawner, _ports: ports }),
        };
        for node in cluster.inner.nodes.values() {
            node.process.start(&cluster.inner.spawner, clock)?;
        }
        Ok((cluster, relay))
    }

    /// Waits until every node serves clients.
    ///
    /// # Errors
    /// When one does not by then, or ends: what it answered, or the end of its log.
    pub(crate) async fn wait_serving(&self, deadline: Duration) -> anyhow::Result<()> {
        let mut waits = JoinSet::new();
        for node in self.nodes() {
            let cluster = self.clone();
            waits.spawn(async move { cluster.wait_node_serving(node, deadline).await });
        }
        // All at once: a node that dies fails the wait, also while another one is slow.
        while let Some(served) = waits.join_next().await {
            served.context("failed to watch a node start")??;
        }
        Ok(())
    }

    /// Waits until one node serves clients; says in which mode and after how long.
    ///
    /// # Errors
    /// When it does not by then, or ends.
    pub(crate) async fn wait_node_serving(&self, node: NodeId, deadline: Duration) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            if let ProcessState::Dead { how, .. } = self.state(node) {
                let lines = tail::last_lines(&self.log_path(node), 12);
                bail!("{node} ended with {how} before it served; its log ends:\n{}", lines.join("\n"));
            }
            match probe::serving_mode(self.client_address(node)).await {
                Ok(mode) => {
                    return Ok(format!("{node} serves as {mode} after {} ms", begun.elapsed().as_millis()));
                }
                Err(answer) if begun.elapsed() >= deadline => {
                    bail!("{node} does not serve clients after {deadline:?}: {answer}")
                }
                Err(_not_yet) => tokio::time::sleep(SERVING_POLL).await,
            }
        }
    }

    /// The nodes, in order.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.inner.nodes.keys().copied().collect()
    }

    /// Where clients reach a node: through the relay.
    pub(crate) fn client_address(&self, node: NodeId) -> SocketAddr {
        self.inner.relay.client_address(node)
    }

    /// Where a node traces.
    pub(crate) fn trace_path(&self, node: NodeId) -> PathBuf {
        self.node(node).files.trace.clone()
    }

    /// Where a node's stdout and stderr go.
    pub(crate) fn log_path(&self, node: NodeId) -> PathBuf {
        self.node(node).files.log.clone()
    }

    /// What a node's process is doing.
    pub(crate) fn state(&self, node: NodeId) -> ProcessState {
        self.node(node).process.state()
    }

    /// Kills a node; the evidence is its wait status.
    ///
    /// # Errors
    /// When it does not live, or ended in another way.
    pub(crate) async fn kill(&self, node: NodeId) -> anyhow::Result<String> {
        self.node(node).process.kill().await
    }

    /// Starts a node that is dead, on the data it left; the evidence is its pid.
    ///
    /// # Errors
    /// When it lives or cannot be started.
    pub(crate) fn start_node(&self, node: NodeId) -> anyhow::Result<String> {
        self.node(node).process.start(&self.inner.spawner, self.inner.clock)
    }

    /// Stops a node in its tracks; the evidence is the state T in /proc.
    ///
    /// # Errors
    /// When it does not run, or goes on.
    pub(crate) async fn pause(&self, node: NodeId) -> anyhow::Result<String> {
        self.node(node).process.pause().await
    }

    /// Lets a paused node go on; the evidence is its state in /proc.
    ///
    /// # Errors
    /// When it is dead, or stays stopped.
    pub(crate) async fn resume(&self, node: NodeId) -> anyhow::Result<String> {
        self.node(node).process.resume().await
    }

    /// Exits that nobody asked for, by time.
    pub(crate) fn unexpected_exits(&self) -> Vec<UnexpectedExit> {
        let mut exits: Vec<UnexpectedExit> =
            self.inner.nodes.values().flat_map(|node| node.process.unexpected_exits()).collect();
        exits.sort_by_key(|exit| (exit.at_ns, exit.node));
        exits
    }

    /// Ends every process, reaps it, and gives all ports back. Idempotent.
    ///
    /// # Errors
    /// When a process outlives even SIGKILL.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        let processes = || self.inner.nodes.values().map(|node| &node.process);
        for process in processes() {
            // It fails only for a process that has ended.
            let _ = process.end(Signal::SIGTERM);
        }
        let begun = Instant::now();
        for process in processes() {
            if process.ended(STOP_GRACE.saturating_sub(begun.elapsed())).await.is_err() {
                process.kill_now();
            }
        }
        for process in processes() {
            process.ended(REAP_DEADLINE).await?;
        }
        self.inner.relay.close().await;
        Ok(())
    }

    /// The node's room.
    ///
    /// # Panics
    /// When the cluster has no such node; targets are resolved against its own list.
    fn node(&self, node: NodeId) -> &Node {
        &self.inner.nodes[&node]
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for node in self.nodes.values() {
            node.process.kill_now();
        }
        let begun = Instant::now();
        while !self.nodes.values().all(|node| node.process.is_gone()) && begun.elapsed() < REAP_DEADLINE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Where a node traces, in a run's folder.
pub(crate) fn trace_path(run_dir: &Path, node: NodeId) -> PathBuf {
    NodeFiles::within(run_dir, node).trace
}

/// `zabchaos node …` for one node.
fn node_arguments(files: &NodeFiles, bug: Option<&str>, parent: u32) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["node".into(), "--config".into(), files.config.clone().into()];
    arguments.extend(["--trace".into(), files.trace.clone().into()]);
    if let Some(bug) = bug {
        arguments.extend(["--bug".into(), bug.into()]);
    }
    arguments.extend(["--die-with-parent".into(), parent.to_string().into()]);
    arguments
}

#[cfg(test)]
pub(crate) mod tests;
