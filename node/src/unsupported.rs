//! The keys of `zoo.cfg` that ZooKeeper knows and this server has no use for.
//!
//! What would make another server than the one asked for (without TLS, with other quorums) is refused;
//! what asks for that which is done anyway is fine; what makes no difference to anybody gives a warning.

use crate::properties::Property;

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not judged here.
    Ours,
    /// It asks for what this server does in any case.
    AsItIs,
    /// Nobody could tell the difference.
    NoEffect,
    /// It asks for what is not there; says what to do.
    Refused(&'static str),
}

const TLS: &str = "this server has no TLS: remove the line and use clientPort";
const SASL: &str = "this server has no SASL and no authentication plug-ins: remove the line";
const IDENTITY: &str = "this server does not authenticate clients: remove the line";
const OBSERVER: &str = "this server has no observers: every server is a participant";
const WEIGHTS: &str = "this server has no hierarchical quorums: every server has one vote, remove the line";
const RECONFIG: &str =
    "this server cannot change its members while it runs: write all server.N lines into this file";
const LOCAL: &str = "this server has global sessions only: remove the line";
const READ_ONLY: &str =
    "this server has no read-only mode: without a quorum it serves nobody; remove the line";
const LEADER_SERVES: &str = "the leader serves clients here, always: remove the line";
const EXTENDED_TYPES: &str = "this server has no TTL nodes: remove the line";
const FORCE_SYNC: &str = "this server never acknowledges what is not on disk: remove the line";
const ADMIN: &str = "this server has no admin web server: remove the line and use four-letter words";
const PURGE: &str = "this server keeps three snapshots and purges by itself: set it to 0";
const ADDRESSES: &str = "each server has one address: remove the line";
const ORACLE: &str = "this server has no oracle: remove the line";

/// Keys that are refused whatever their value, by prefix.
const FEATURES: [(&str, &str); 11] = [
    ("secureClientPort", TLS),
    ("ssl.", TLS),
    ("authProvider.", SASL),
    ("sasl.", SASL),
    ("quorum.cnxn.", SASL),
    ("DigestAuthenticationProvider.", IDENTITY),
    ("observerMasterPort", OBSERVER),
    ("group.", WEIGHTS),
    ("weight.", WEIGHTS),
    ("dynamicConfigFile", RECONFIG),
    ("oraclePath", ORACLE),
];

/// Keys with one value that is as it is here, and what is said to any other.
const SWITCHES: [(&str, bool, &str); 17] = [
    ("sslQuorum", false, TLS),
    ("portUnification", false, TLS),
    ("client.portUnification", false, TLS),
    ("quorum.auth.enableSasl", false, SASL),
    ("quorum.auth.learnerRequireSasl", false, SASL),
    ("quorum.auth.serverRequireSasl", false, SASL),
    ("enforce.auth.enabled", false, IDENTITY),
    ("reconfigEnabled", false, RECONFIG),
    ("standaloneEnabled", true, RECONFIG),
    ("localSessionsEnabled", false, LOCAL),
    ("localSessionsUpgradingEnabled", false, LOCAL),
    ("readonlymode.enabled", false, READ_ONLY),
    ("leaderServes", true, LEADER_SERVES),
    ("extendedTypesEnabled", false, EXTENDED_TYPES),
    ("forceSync", true, FORCE_SYNC),
    ("admin.enableServer", false, ADMIN),
    ("multiAddress.enabled", false, ADDRESSES),
];

/// Keys without a noticeable effect, by prefix.
const NO_EFFECT: [&str; 7] = [
    "globalOutstandingLimit",
    "clientPortListenBacklog",
    "syncEnabled",
    "electionPortBindRetry",
    "admin.",
    "autopurge.snapRetainCount",
    "metricsProvider.",
];

/// What becomes of `property`.
pub(crate) fn judge(property: &Property) -> Verdict {
    let key = property.key.as_str();
    let value = property.value.to_ascii_lowercase();
    if let Some((_, sentence)) = FEATURES.iter().find(|(prefix, _)| key.starts_with(prefix)) {
        return Verdict::Refused(sentence);
    }
    if let Some((_, here, sentence)) = SWITCHES.iter().find(|(name, ..)| key == *name) {
        let asked = matches!(value.as_str(), "true" | "yes");
        return if asked == *here { Verdict::AsItIs } else { Verdict::Refused(sentence) };
    }
    match key {
        "peerType" if value == "participant" => Verdict::AsItIs,
        "peerType" => Verdict::Refused(OBSERVER),
        "autopurge.purgeInterval" if value == "0" => Verdict::AsItIs,
        "autopurge.purgeInterval" => Verdict::Refused(PURGE),
        _ if NO_EFFECT.iter().any(|prefix| key.starts_with(prefix)) => Verdict::NoEffect,
        _ => Verdict::Ours,
    }
}
