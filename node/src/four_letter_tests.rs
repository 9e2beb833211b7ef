//! Tests of the answers' forms.

use super::*;
use std::path::Path;
use zab_wire::{ServerId, Zxid};

fn config(servers: &str, words: &str) -> (tempfile::TempDir, NodeConfig) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("myid"), "1").unwrap();
    let text = format!(
        "tickTime=200\ninitLimit=10\nsyncLimit=5\ndataDir={}\nclientPort=2181\n\
         4lw.commands.whitelist={words}\n{servers}",
        folder.path().display()
    );
    let config = NodeConfig::parse(Path::new("zoo.cfg"), &text).unwrap();
    (folder, config)
}

fn facts(config: &NodeConfig, state: PeerState, serving: bool) -> Facts<'_> {
    let status = Status {
        me: ServerId(1),
        state,
        serving,
        leader: Some(ServerId(1)),
        current_epoch: 2,
        accepted_epoch: 2,
        zxid: Zxid::new(2, 9),
        node_count: 5,
        data_size: 44,
        sessions: 1,
        outstanding: 3,
        learners: 2,
        synced_followers: 2,
        pending_syncs: 0,
    };
    let counters = Counters {
        received: 12,
        sent: 11,
        answered: 8,
        latency_sum_ms: 10,
        latency_min_ms: 0,
        latency_max_ms: 7,
    };
    let client = ClientLine { address: "127.0.0.1:50000".parse().unwrap(), queued: 1, received: 5, sent: 4 };
    Facts { config, status, counters, clients: vec![client] }
}

const PAIR: &str = "server.1=127.0.0.1:2888:3888\nserver.2=127.0.0.1:2889:3889\n";

#[test]
fn srvr_and_stat_have_the_lines_that_tools_parse() {
    let (_folder, config) = config(PAIR, "*");
    let srvr = answer(Word::Srvr, &facts(&config, PeerState::Leading, true));
    let version = format!("Zookeeper version: {VERSION}\n");
    let numbers = "Latency min/avg/max: 0/1.25/7\nReceived: 12\nSent: 11\nConnections: 1\nOutstanding: 3\n\
                   Zxid: 0x200000009\nMode: leader\nNode count: 5\n";
    assert_eq!(srvr, format!("{version}{numbers}"));
    let stat = answer(Word::Stat, &facts(&config, PeerState::Leading, true));
    let clients = "Clients:\n /127.0.0.1:50000[1](queued=1,recved=5,sent=4)\n\n";
    assert_eq!(stat, format!("{version}{clients}{numbers}"));
    assert!(VERSION.starts_with("3.8.0-"));
}

#[test]
fn mntr_has_a_key_and_a_value_a_line() {
    let (_folder, config) = config(PAIR, "*");
    let mntr = answer(Word::Mntr, &facts(&config, PeerState::Leading, true));
    let value = |key: &str| {
        mntr.lines().find_map(|line| line.split_once('\t').filter(|(k, _)| *k == key).map(|(_, v)| v))
    };
    assert_eq!(value("zk_server_state"), Some("leader"));
    assert_eq!(value("zk_znode_count"), Some("5"));
    assert_eq!(value("zk_avg_latency"), Some("1.25"));
    assert_eq!(value("zk_synced_followers"), Some("2"));
    assert!(value("zk_open_file_descriptor_count").unwrap().parse::<u32>().unwrap() > 0);
    assert!(mntr.lines().all(|line| line.starts_with("zk_") && line.matches('\t').count() == 1), "{mntr}");
    let follower = answer(Word::Mntr, &facts(&config, PeerState::Following, true));
    assert!(!follower.contains("zk_learners") && follower.contains("zk_server_state\tfollower"));
}

#[test]
fn a_server_that_does_not_serve_says_so() {
    let (_folder, config) = config(PAIR, "*");
    let facts = facts(&config, PeerState::Looking, false);
    for word in [Word::Srvr, Word::Stat, Word::Mntr, Word::Conf] {
        assert_eq!(answer(word, &facts), "This ZooKeeper instance is not currently serving requests\n");
    }
    assert_eq!(answer(Word::Isro, &facts), "null");
    assert_eq!(answer(Word::Ruok, &facts), "imok");
}

#[test]
fn only_what_is_on_the_whitelist_is_answered() {
    let (_folder, config) = config(PAIR, "ruok");
    let facts = facts(&config, PeerState::Following, true);
    assert_eq!(answer(Word::Ruok, &facts), "imok");
    assert_eq!(answer(Word::Srvr, &facts), "srvr is not executed because it is not in the whitelist.\n");
    assert!(Whitelist::default().allows(Word::Srvr) && !Whitelist::default().allows(Word::Ruok));
    // A word without an answer here is not allowed by the star either.
    assert!(!Whitelist::parse("*").0.allows(Word::Dump));
}

#[test]
fn one_server_alone_is_standalone() {
    let (_folder, config) = config("", "*");
    let facts = facts(&config, PeerState::Leading, true);
    assert!(answer(Word::Srvr, &facts).contains("\nMode: standalone\n"));
    assert!(!answer(Word::Mntr, &facts).contains("zk_learners"));
    assert_eq!(answer(Word::Isro, &facts), "rw");
    let conf = answer(Word::Conf, &facts);
    assert!(conf.starts_with("clientPort=2181\ndataDir="), "{conf}");
    assert!(conf.contains("\nserverId=1\n") && !conf.contains("membership"), "{conf}");
}

#[test]
fn conf_shows_the_members_and_envi_the_version_first() {
    let (_folder, config) = config(PAIR, "*");
    let facts = facts(&config, PeerState::Following, true);
    let conf = answer(Word::Conf, &facts);
    assert!(conf.contains("membership: \nserver.1=127.0.0.1:2888:3888:participant\n"), "{conf}");
    let envi = answer(Word::Envi, &facts);
    assert!(envi.starts_with("Environment:\nzookeeper.version=3.8.0-"), "{envi}");
}

#[test]
fn the_mean_has_no_digits_it_does_not_need() {
    let mean =
        |sum, answered| mean_latency(&Counters { latency_sum_ms: sum, answered, ..Counters::default() });
    assert_eq!([mean(0, 0), mean(4, 2), mean(1, 3), mean(5, 2)], ["0.0", "2.0", "0.3333", "2.5"]);
}
