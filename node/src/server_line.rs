//! The value of a `server.N` line: where a server of the ensemble is reached.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One `server.N` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// Where it listens for learners while it leads.
    pub quorum: HostPort,
    /// Where it listens for votes.
    pub election: HostPort,
    /// Where it serves clients, if its line says so (`;[host:]port`).
    pub client: Option<SocketAddr>,
}

impl PeerAddress {
    /// `host:quorum:election[:participant][;[clienthost:]clientport]`
    pub(crate) fn parse(value: &str) -> Result<Self, String> {
        const FORM: &str = "write host:quorumport:electionport";
        if value.contains('|') {
            return Err("several addresses for one server are not supported: keep one".to_owned());
        }
        let (servers, client) = match value.split_once(';') {
            None => (value, None),
            Some((servers, client)) => (servers, Some(client_part(client)?)),
        };
        let (host, rest) = match servers.strip_prefix('[') {
            Some(tail) => tail.split_once("]:").ok_or(FORM)?,
            None => servers.split_once(':').ok_or(FORM)?,
        };
        if host.is_empty() {
            return Err(FORM.to_owned());
        }
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port @ 1..) => Ok(HostPort { host: host.to_owned(), port }),
            Ok(0) | Err(_) => Err(format!("\"{text}\" is no port: {FORM}, ports from 1 to 65535")),
        };
        let mut parts = rest.split(':');
        let quorum = port(parts.next().unwrap_or_default())?;
        let election = port(parts.next().ok_or(FORM)?)?;
        match parts.next().map(str::to_ascii_lowercase).as_deref() {
            None | Some("participant") => {}
            Some("observer") => {
                return Err("this server has no observers: make it a participant or remove it".to_owned());
            }
            Some(other) => return Err(format!("\"{other}\" is no role: write participant or nothing")),
        }
        match parts.next() {
            None => Ok(Self { quorum, election, client }),
            Some(more) => Err(format!("\"{more}\" is one part too many: {FORM}")),
        }
    }
}

/// `[clienthost:]clientport`
fn client_part(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("0.0.0.0", text));
    let host = if host == "localhost" { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
    match (host.parse::<IpAddr>(), port.parse::<u16>()) {
        (Ok(host), Ok(port @ 1..)) => Ok(SocketAddr::new(host, port)),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => {
            Err(format!("\"{text}\" is no client address: write ;port or ;address:port"))
        }
    }
}
