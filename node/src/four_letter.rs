//! Four-letter words: questions for people and tools, answered with text (ZooKeeper's
//! `server.command` package).
//!
//! The forms are ZooKeeper's, because monitoring tools parse them.

use crate::client_port::{ClientLine, Counters};
use crate::config::NodeConfig;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use zab_core::Status;
use zab_wire::election::PeerState;

/// The version in ZooKeeper's form. Tools read the number of the protocol's version in front and the
/// date behind, which is zero as in any reproducible build.
pub(crate) const VERSION: &str =
    concat!("3.8.0-zabnode-", env!("CARGO_PKG_VERSION"), ", built on 1970-01-01 00:00 UTC");

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

macro_rules! words {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A word that ZooKeeper knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Word { $($(#[$doc])* $variant,)* }

        impl Word {
            /// Every word.
            const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word itself.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

words! {
    /// Are you ok.
    Ruok = "ruok",
    /// The server in a few lines.
    Srvr = "srvr",
    /// The same, with the clients.
    Stat = "stat",
    /// The server in many numbers.
    Mntr = "mntr",
    /// Is it read-only.
    Isro = "isro",
    /// The configuration.
    Conf = "conf",
    /// The machine.
    Envi = "envi",
    /// Clients in detail.
    Cons = "cons",
    /// Reset the clients' numbers.
    Crst = "crst",
    /// Sessions and ephemerals.
    Dump = "dump",
    /// Watches in short.
    Wchs = "wchs",
    /// Watches by session.
    Wchc = "wchc",
    /// Watches by path.
    Wchp = "wchp",
    /// Sizes of the files.
    Dirs = "dirs",
    /// Reset the server's numbers.
    Srst = "srst",
    /// The trace mask.
    Gtmk = "gtmk",
    /// Set the trace mask.
    Stmk = "stmk",
    /// Digests of the tree.
    Hash = "hash",
}

impl Word {
    /// The word that these bytes are.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.name().as_bytes() == bytes)
    }

    /// Whether this server has an answer to it.
    fn is_answered(self) -> bool {
        match self {
            Self::Ruok | Self::Srvr | Self::Stat | Self::Mntr | Self::Isro | Self::Conf | Self::Envi => true,
            Self::Cons
            | Self::Crst
            | Self::Dump
            | Self::Wchs
            | Self::Wchc
            | Self::Wchp
            | Self::Dirs
            | Self::Srst
            | Self::Gtmk
            | Self::Stmk
            | Self::Hash => false,
        }
    }
}

/// The words that are answered (`4lw.commands.whitelist`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whitelist(BTreeSet<Word>);

impl Default for Whitelist {
    /// `srvr` alone, as in ZooKeeper.
    fn default() -> Self {
        Self([Word::Srvr].into())
    }
}

impl Whitelist {
    /// Understands `*` and `word, word`; also returns the words that have no answer here.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<String>) {
        let (mut words, mut unknown) = (BTreeSet::new(), Vec::new());
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match Word::from_bytes(name.as_bytes()) {
                _ if name == "*" => {
                    words.extend(Word::ALL.iter().copied().filter(|word| word.is_answered()));
                }
                Some(word) if word.is_answered() => {
                    words.insert(word);
                }
                Some(_) | None => unknown.push(name.to_owned()),
            }
        }
        (Self(words), unknown)
    }

    /// Whether `word` is answered.
    #[must_use]
    pub fn allows(&self, word: Word) -> bool {
        self.0.contains(&word)
    }
}

/// What the answers are made of.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) config: &'a NodeConfig,
    pub(crate) status: Status,
    pub(crate) counters: Counters,
    pub(crate) clients: Vec<ClientLine>,
}

/// The answer to `word`.
pub(crate) fn answer(word: Word, facts: &Facts<'_>) -> String {
    if !facts.config.words.allows(word) {
        return format!("{} is not executed because it is not in the whitelist.\n", word.name());
    }
    let serving = facts.status.serving;
    match word {
        Word::Ruok => "imok".to_owned(),
        Word::Isro => if serving { "rw" } else { "null" }.to_owned(),
        Word::Envi => environment(),
        Word::Srvr | Word::Stat | Word::Mntr | Word::Conf if !serving => NOT_SERVING.to_owned(),
        Word::Srvr => server(facts, false),
        Word::Stat => server(facts, true),
        Word::Mntr => monitor(facts),
        Word::Conf => configuration(facts.config),
        Word::Cons
        | Word::Crst
        | Word::Dump
        | Word::Wchs
        | Word::Wchc
        | Word::Wchp
        | Word::Dirs
        | Word::Srst
        | Word::Gtmk
        | Word::Stmk
        | Word::Hash => unreachable!("the whitelist has only words with an answer"),
    }
}

/// leader, follower, observer or standalone.
fn mode(facts: &Facts<'_>) -> &'static str {
    match facts.status.state {
        PeerState::Looking => "looking",
        PeerState::Following => "follower",
        PeerState::Leading if facts.config.is_standalone() => "standalone",
        PeerState::Leading => "leader",
        PeerState::Observing => "observer",
    }
}

/// The mean latency in ms, with ZooKeeper's four digits at most.
fn mean_latency(counters: &Counters) -> String {
    let hundredths = (counters.latency_sum_ms * 10_000).checked_div(counters.answered).unwrap_or(0);
    let text = format!("{}.{:04}", hundredths / 10_000, hundredths % 10_000);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

/// srvr and stat.
fn server(facts: &Facts<'_>, with_clients: bool) -> String {
    let Facts { status, counters, clients, .. } = facts;
    let mut out = format!("Zookeeper version: {VERSION}\n");
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    if with_clients {
        line("Clients:".to_owned());
        for client in clients {
            line(format!(
                " /{}[1](queued={},recved={},sent={})",
                client.address, client.queued, client.received, client.sent
            ));
        }
        line(String::new());
    }
    line(format!(
        "Latency min/avg/max: {}/{}/{}",
        counters.latency_min_ms,
        mean_latency(counters),
        counters.latency_max_ms
    ));
    line(format!("Received: {}", counters.received));
    line(format!("Sent: {}", counters.sent));
    line(format!("Connections: {}", clients.len()));
    line(format!("Outstanding: {}", status.outstanding));
    line(format!("Zxid: {}", status.zxid));
    line(format!("Mode: {}", mode(facts)));
    line(format!("Node count: {}", status.node_count));
    out
}

fn monitor(facts: &Facts<'_>) -> String {
    let Facts { status, counters, clients, config } = facts;
    let mut out = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        writeln!(out, "zk_{key}\t{value}").expect("a String takes everything");
    };
    line("version", &VERSION);
    line("server_state", &mode(facts));
    line("avg_latency", &mean_latency(counters));
    line("max_latency", &counters.latency_max_ms);
    line("min_latency", &counters.latency_min_ms);
    line("packets_received", &counters.received);
    line("packets_sent", &counters.sent);
    line("num_alive_connections", &clients.len());
    line("outstanding_requests", &status.outstanding);
    line("znode_count", &status.node_count);
    // There are none yet.
    line("watch_count", &0);
    line("ephemerals_count", &0);
    line("approximate_data_size", &status.data_size);
    line("global_sessions", &status.sessions);
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        line("open_file_descriptor_count", &files.count());
    }
    if let Ok((soft, _hard)) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) {
        line("max_file_descriptor_count", &soft);
    }
    line("current_epoch", &status.current_epoch);
    line("accepted_epoch", &status.accepted_epoch);
    if status.state == PeerState::Leading && !config.is_standalone() {
        line("quorum_size", &config.peers.len());
        line("learners", &status.learners);
        line("synced_followers", &status.synced_followers);
        line("synced_observers", &0);
        line("pending_syncs", &status.pending_syncs);
    }
    out
}

fn configuration(config: &NodeConfig) -> String {
    let mut out = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        writeln!(out, "{key}={value}").expect("a String takes everything");
    };
    let version_2 = config.data_dir.join("version-2");
    let timing = &config.timing;
    line("clientPort", &config.client.port());
    line("dataDir", &version_2.display());
    line("dataLogDir", &version_2.display());
    line("tickTime", &timing.tick_ms);
    line("maxClientCnxns", &config.max_client_connections);
    line("minSessionTimeout", &timing.min_session_ms);
    line("maxSessionTimeout", &timing.max_session_ms);
    line("clientPortListenBacklog", &-1);
    line("serverId", &config.me);
    if let Some(own) = config.peers.get(&config.me) {
        line("initLimit", &(timing.init_limit_ms / timing.tick_ms));
        line("syncLimit", &(timing.sync_limit_ms / timing.tick_ms));
        line("electionAlg", &3);
        line("electionPort", &own.election.port);
        line("quorumPort", &own.quorum.port);
        line("peerType", &0);
        out.push_str("membership: \n");
        out.push_str(&config.config_text());
        out.push('\n');
    }
    out
}

fn environment() -> String {
    let read = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let mut out = String::from("Environment:\n");
    let mut line = |key: &str, value: &str| {
        writeln!(out, "{key}={value}").expect("a String takes everything");
    };
    line("zookeeper.version", VERSION);
    line("host.name", &read("/proc/sys/kernel/hostname"));
    line("os.name", std::env::consts::OS);
    line("os.arch", std::env::consts::ARCH);
    line("os.version", &read("/proc/sys/kernel/osrelease"));
    line("user.dir", &std::env::current_dir().map(|path| path.display().to_string()).unwrap_or_default());
    out
}

#[cfg(test)]
#[path = "four_letter_tests.rs"]
mod tests;
