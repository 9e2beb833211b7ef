//! `zoo.cfg`: what it may say, and what of it this server can do (ZooKeeper's `QuorumPeerConfig`).
//!
//! The file has the form of Java properties ([`crate::properties`]). After [`NodeConfig::load`] nobody
//! checks a value again. A key of a feature that is not there is refused with a sentence, because a
//! server that silently runs without TLS or with other quorums than asked for is worse than none; a key
//! that nobody knows gives a warning, as ZooKeeper would pass it on as a system property.

use crate::four_letter::Whitelist;
use crate::properties::{self, Property};
pub use crate::server_line::{HostPort, PeerAddress};
use crate::unsupported::{Verdict, judge};
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;
use zab_core::{Bug, Config, Ensemble, Timing};
use zab_wire::ServerId;
use zab_wire::client::MAX_FRAME;

/// ZooKeeper's `DEFAULT_TICK_TIME`.
const TICK_MS: u64 = 3000;

/// Why a configuration cannot be used: one sentence that names the file and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{}: {message}", path.display(), line.map_or_else(String::new, |line| format!(":{line}")))]
pub struct ConfigError {
    /// The file at fault.
    pub path: PathBuf,
    /// The line at fault, from 1; none where something is missing.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

/// A configuration that was understood in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Which server this is: `dataDir/myid`; 1 without `server` lines.
    pub me: ServerId,
    /// The `server.N` lines; empty for an ensemble of one that talks to nobody.
    pub peers: BTreeMap<ServerId, PeerAddress>,
    /// Where snapshots, log and epochs are kept.
    pub data_dir: PathBuf,
    /// Where clients are served.
    pub client: SocketAddr,
    /// The times.
    pub timing: Timing,
    /// How long connecting to another server's election port may take (`cnxTimeout`). The default is
    /// 1 s, not ZooKeeper's 5, so that a healed network is noticed soon.
    pub connect_timeout: Duration,
    /// Whether the election and quorum ports listen on every address (`quorumListenOnAllIPs`).
    pub listen_on_all: bool,
    /// Connections from one address; 0 for any number (`maxClientCnxns`).
    pub max_client_connections: usize,
    /// Transactions between snapshots (`snapCount`).
    pub snap_count: usize,
    /// Committed transactions kept in memory for DIFF (`commitLogCount`).
    pub commit_log_count: usize,
    /// Space is reserved for the log in steps of this many bytes (`preAllocSize`, in KiB there).
    pub preallocate_bytes: Option<u64>,
    /// Which four-letter words are answered.
    pub words: Whitelist,
    /// The longest frame of a client, in bytes (`jute.maxbuffer`).
    pub max_frame: usize,
    /// What the user should hear about, one sentence each, with file and line.
    pub warnings: Vec<String>,
}

impl NodeConfig {
    /// Reads the file at `path` and the `myid` file it points to.
    ///
    /// # Errors
    /// [`ConfigError`] for whatever cannot be read, is not understood or cannot be done.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError {
            path: path.to_owned(),
            line: None,
            message: format!("cannot read the configuration ({error})"),
        })?;
        Self::parse(path, &text)
    }

    /// Understands `text`, the content of the file at `path`, and reads the `myid` file.
    ///
    /// # Errors
    /// [`ConfigError`], as for [`Self::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut keys = Keys::read(path, text)?;
        keys.refuse_missing_features()?;

        let tick_ms = keys.number("tickTime", 1..=1_000_000)?.unwrap_or(TICK_MS);
        let peers = keys.peers()?;
        let alone = peers.len() <= 1;
        let init_limit = keys.limit("initLimit", 10, alone)?;
        let sync_limit = keys.limit("syncLimit", 5, alone)?;
        let mut timing = Timing::new(tick_ms, init_limit, sync_limit);
        keys.session_limits(&mut timing)?;
        keys.notification_intervals(&mut timing)?;

        let data_dir = keys.data_dir()?;
        let me = keys.me(&data_dir, &peers)?;
        let client = keys.client_address(peers.get(&me).and_then(|peer| peer.client))?;
        let config = Self {
            me,
            peers,
            data_dir,
            client,
            timing,
            connect_timeout: Duration::from_millis(keys.number("cnxTimeout", 1..=3_600_000)?.unwrap_or(1000)),
            listen_on_all: keys.boolean("quorumListenOnAllIPs")?.unwrap_or(false),
            max_client_connections: keys.number("maxClientCnxns", 0..=1_000_000)?.unwrap_or(60),
            snap_count: keys.number("snapCount", 2..=1_000_000_000)?.unwrap_or(100_000),
            commit_log_count: keys.number("commitLogCount", 1..=10_000_000)?.unwrap_or(500),
            preallocate_bytes: keys.number("preAllocSize", 0..=10_000_000)?.map(|kib: u64| kib * 1024),
            words: keys.whitelist()?,
            max_frame: keys.max_frame()?,
            warnings: Vec::new(),
        };
        keys.electoral_algorithm()?;
        keys.note_unknown_keys();
        Ok(Self { warnings: keys.into_warnings(), ..config })
    }

    /// What the core must know of it.
    #[must_use]
    pub fn core(&self, bug: Option<Bug>) -> Config {
        let voters: Vec<_> =
            if self.peers.is_empty() { vec![self.me] } else { self.peers.keys().copied().collect() };
        Config {
            me: self.me,
            ensemble: Ensemble::new(voters),
            timing: self.timing,
            config_text: self.config_text(),
            commit_log_count: self.commit_log_count,
            snap_count: self.snap_count,
            bug,
        }
    }

    /// Whether there is nobody to agree with.
    #[must_use]
    pub fn is_standalone(&self) -> bool {
        self.peers.len() <= 1
    }

    /// The ensemble as ZooKeeper writes it into votes (`QuorumMaj.toString`).
    #[must_use]
    pub fn config_text(&self) -> String {
        let mut text = String::new();
        for (id, peer) in &self.peers {
            text.push_str(&format!("server.{id}={}:{}:participant\n", peer.quorum, peer.election.port));
        }
        text.push_str("version=0");
        text
    }
}

/// The keys not looked at yet.
struct Keys<'a> {
    path: &'a Path,
    left: BTreeMap<String, Property>,
    warnings: Vec<String>,
}

impl<'a> Keys<'a> {
    fn read(path: &'a Path, text: &str) -> Result<Self, ConfigError> {
        let mut left = BTreeMap::<String, Property>::new();
        for property in properties::parse(text) {
            if let Some(first) = left.get(&property.key) {
                let message = format!("{} stands in line {} already: keep one", property.key, first.line);
                return Err(ConfigError { path: path.to_owned(), line: Some(property.line), message });
            }
            left.insert(property.key.clone(), property);
        }
        Ok(Self { path, left, warnings: Vec::new() })
    }

    fn error(&self, line: impl Into<Option<usize>>, message: impl Into<String>) -> ConfigError {
        ConfigError { path: self.path.to_owned(), line: line.into(), message: message.into() }
    }

    fn warn(&mut self, line: usize, message: &str) {
        self.warnings.push(format!("{}:{line}: {message}", self.path.display()));
    }

    fn take(&mut self, key: &str) -> Option<Property> {
        self.left.remove(key)
    }

    /// A number with the bounds that make sense for it.
    fn number<T>(&mut self, key: &str, bounds: std::ops::RangeInclusive<T>) -> Result<Option<T>, ConfigError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(property) = self.take(key) else { return Ok(None) };
        match property.value.parse::<T>() {
            Ok(number) if bounds.contains(&number) => Ok(Some(number)),
            Ok(_) | Err(_) => {
                let message = format!(
                    "{key} must be a number from {} to {}, not \"{}\"",
                    bounds.start(),
                    bounds.end(),
                    property.value
                );
                Err(self.error(property.line, message))
            }
        }
    }

    fn boolean(&mut self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(property) = self.take(key) else { return Ok(None) };
        match property.value.to_ascii_lowercase().as_str() {
            "true" | "yes" => Ok(Some(true)),
            "false" | "no" => Ok(Some(false)),
            other => {
                let message = format!("{key} must be true or false, not \"{other}\"");
                Err(self.error(property.line, message))
            }
        }
    }

    /// Ticks; required as soon as there is somebody to wait for.
    fn limit(&mut self, key: &str, standalone: u64, alone: bool) -> Result<u64, ConfigError> {
        match self.number(key, 1..=100_000)? {
            Some(ticks) => Ok(ticks),
            None if alone => Ok(standalone),
            None => Err(self
                .error(None, format!("{key} is missing: add a line such as {key}={standalone} (in ticks)"))),
        }
    }

    fn session_limits(&mut self, timing: &mut Timing) -> Result<(), ConfigError> {
        let line = self.left.get("maxSessionTimeout").or(self.left.get("minSessionTimeout")).map(|p| p.line);
        // -1 stands for the default of 2 and 20 ticks.
        if let Some(ms) = self.number("minSessionTimeout", -1..=i32::MAX)?.filter(|ms| *ms != -1) {
            timing.min_session_ms = ms;
        }
        if let Some(ms) = self.number("maxSessionTimeout", -1..=i32::MAX)?.filter(|ms| *ms != -1) {
            timing.max_session_ms = ms;
        }
        if timing.min_session_ms > timing.max_session_ms {
            let message = format!(
                "minSessionTimeout ({} ms) is above maxSessionTimeout ({} ms): swap or raise one",
                timing.min_session_ms, timing.max_session_ms
            );
            return Err(self.error(line, message));
        }
        Ok(())
    }

    fn notification_intervals(&mut self, timing: &mut Timing) -> Result<(), ConfigError> {
        if let Some(ms) = self.number("fastleader.minNotificationInterval", 1..=3_600_000)? {
            timing.notification_min_ms = ms;
        }
        if let Some(ms) = self.number("fastleader.maxNotificationInterval", 1..=3_600_000)? {
            timing.notification_max_ms = ms;
        }
        timing.notification_max_ms = timing.notification_max_ms.max(timing.notification_min_ms);
        Ok(())
    }

    fn data_dir(&mut self) -> Result<PathBuf, ConfigError> {
        let Some(data) = self.take("dataDir") else {
            return Err(self.error(None, "dataDir is missing: add dataDir=<a folder of this server alone>"));
        };
        if data.value.is_empty() {
            return Err(self.error(data.line, "dataDir is empty: name a folder of this server alone"));
        }
        if let Some(log) = self.take("dataLogDir")
            && log.value != data.value
        {
            let message = format!(
                "dataLogDir differs from dataDir, and this server keeps log and snapshots together: \
                 remove the line or write dataLogDir={}",
                data.value
            );
            return Err(self.error(log.line, message));
        }
        Ok(PathBuf::from(data.value))
    }

    /// `clientPort`, or else what this server's own line says.
    fn client_address(&mut self, own: Option<SocketAddr>) -> Result<SocketAddr, ConfigError> {
        let address = match self.take("clientPortAddress") {
            None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Some(property) => match property.value.parse() {
                Ok(address) => address,
                Err(_) if property.value == "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
                Err(_) => {
                    let message = format!(
                        "clientPortAddress must be an IP address of this machine, not \"{}\"",
                        property.value
                    );
                    return Err(self.error(property.line, message));
                }
            },
        };
        let port = self.number("clientPort", 1..=u16::MAX)?;
        match (port.map(|port| SocketAddr::new(address, port)), own) {
            (Some(client), _) | (None, Some(client)) => Ok(client),
            (None, None) => {
                Err(self.error(None, "clientPort is missing: add a line such as clientPort=2181"))
            }
        }
    }

    /// All `server.N` lines.
    fn peers(&mut self) -> Result<BTreeMap<ServerId, PeerAddress>, ConfigError> {
        let lines: Vec<_> = self.left.values().filter(|p| p.key.starts_with("server.")).cloned().collect();
        let mut peers = BTreeMap::new();
        let mut ports = BTreeMap::<HostPort, usize>::new();
        for property in lines {
            self.take(&property.key);
            let line = property.line;
            let id = property.key["server.".len()..].parse::<i64>().ok().filter(|id| (0..=255).contains(id));
            let Some(id) = id else {
                let message = format!("{} must be server.N with N from 0 to 255", property.key);
                return Err(self.error(line, message));
            };
            let peer = PeerAddress::parse(&property.value)
                .map_err(|message| self.error(line, format!("{}: {message}", property.key)))?;
            for address in [&peer.quorum, &peer.election] {
                if let Some(other) = ports.insert(address.clone(), line) {
                    let message = if other == line {
                        format!("{address} cannot be quorum and election port at once: give it two ports")
                    } else {
                        format!("{address} is taken by line {other} already: give each server its own ports")
                    };
                    return Err(self.error(line, message));
                }
            }
            peers.insert(ServerId(id), peer);
        }
        Ok(peers)
    }

    /// Which of `peers` this server is.
    fn me(&self, data_dir: &Path, peers: &BTreeMap<ServerId, PeerAddress>) -> Result<ServerId, ConfigError> {
        // ZooKeeper's standalone server calls itself 1.
        let Some((first, _)) = peers.first_key_value() else { return Ok(ServerId(1)) };
        let path = data_dir.join("myid");
        let ids = peers.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let error = |message: String| ConfigError { path: path.clone(), line: None, message };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) if peers.len() == 1 => return Ok(*first),
            Err(cause) => {
                return Err(error(format!(
                    "cannot read which server this is ({cause}): write its number into this file, one of {ids}"
                )));
            }
        };
        let id = text.trim().parse().map(ServerId);
        match id {
            Ok(id) if peers.contains_key(&id) => Ok(id),
            Ok(_) | Err(_) => Err(error(format!(
                "\"{}\" is no server of {}: write one of {ids} into this file",
                text.trim(),
                self.path.display()
            ))),
        }
    }

    fn whitelist(&mut self) -> Result<Whitelist, ConfigError> {
        let Some(property) = self.take("4lw.commands.whitelist") else { return Ok(Whitelist::default()) };
        let (whitelist, unknown) = Whitelist::parse(&property.value);
        for word in unknown {
            self.warn(property.line, &format!("this server does not answer the four-letter word {word}"));
        }
        Ok(whitelist)
    }

    fn max_frame(&mut self) -> Result<usize, ConfigError> {
        let Some(property) = self.take("jute.maxbuffer") else { return Ok(MAX_FRAME) };
        // Java reads it with Integer.getInteger, which knows hex.
        let text = property.value.to_ascii_lowercase();
        let number = match text.strip_prefix("0x") {
            Some(hex) => usize::from_str_radix(hex, 16),
            None => text.parse(),
        };
        match number {
            Ok(bytes @ 1024..=0x3fff_ffff) => Ok(bytes),
            Ok(_) | Err(_) => {
                let message =
                    format!("jute.maxbuffer must be 1024 to 1073741823 bytes, not \"{}\"", property.value);
                Err(self.error(property.line, message))
            }
        }
    }

    fn electoral_algorithm(&mut self) -> Result<(), ConfigError> {
        let Some(property) = self.take("electionAlg") else { return Ok(()) };
        if property.value == "3" {
            return Ok(());
        }
        Err(self.error(property.line, "electionAlg can only be 3 (FastLeaderElection): remove the line"))
    }

    /// Judges the keys that are ZooKeeper's, but not this server's: the first refusal by line counts.
    fn refuse_missing_features(&mut self) -> Result<(), ConfigError> {
        let mut properties: Vec<_> = self.left.values().cloned().collect();
        properties.sort_by_key(|property| property.line);
        for property in properties {
            match judge(&property) {
                Verdict::Ours => {}
                Verdict::AsItIs => {
                    self.take(&property.key);
                }
                Verdict::NoEffect => {
                    self.take(&property.key);
                    self.warn(property.line, &format!("{} has no effect on this server", property.key));
                }
                Verdict::Refused(sentence) => {
                    return Err(self.error(property.line, format!("{}: {sentence}", property.key)));
                }
            }
        }
        Ok(())
    }

    /// Warns of what is left: keys that nobody knows, by line.
    fn note_unknown_keys(&mut self) {
        let mut left: Vec<_> = std::mem::take(&mut self.left).into_values().collect();
        left.sort_by_key(|property| property.line);
        for Property { key, line, .. } in left {
            self.warn(line, &format!("{key} is not a key this server knows; it is ignored"));
        }
    }

    fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
