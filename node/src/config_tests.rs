//! Tests of [`super::NodeConfig`]: what is understood, and what is refused with which sentence.

use super::*;
use tempfile::TempDir;

/// Parses `text` with `DIR` replaced by a fresh data directory whose `myid` holds `myid`.
fn parse(myid: Option<&str>, text: &str) -> (TempDir, Result<NodeConfig, ConfigError>) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(myid) = myid {
        fs::write(folder.path().join("myid"), myid).unwrap();
    }
    let text = text.replace("DIR", folder.path().to_str().unwrap());
    let config = NodeConfig::parse(Path::new("zoo.cfg"), &text);
    (folder, config)
}

const THREE: &str = "tickTime=200\ninitLimit=10\nsyncLimit=5\ndataDir=DIR\nclientPort=2181\n\
                     server.1=10.0.0.1:2888:3888\nserver.2=node-2:2888:3888:participant\n\
                     server.3=[::1]:2888:3888;127.0.0.1:2183\n";

fn refused(myid: Option<&str>, text: &str) -> String {
    let (folder, config) = parse(myid, text);
    config.unwrap_err().to_string().replace(folder.path().to_str().unwrap(), "DIR")
}

#[test]
fn an_ensemble_of_three_is_understood() {
    let (folder, config) = parse(Some("2\n"), THREE);
    let config = config.unwrap();
    assert_eq!(config.me, ServerId(2));
    assert_eq!(config.data_dir, folder.path());
    assert_eq!(config.client, "0.0.0.0:2181".parse().unwrap());
    assert_eq!((config.timing.init_limit_ms, config.timing.sync_limit_ms), (2000, 1000));
    assert_eq!((config.timing.min_session_ms, config.timing.max_session_ms), (400, 4000));
    assert_eq!(
        (config.max_client_connections, config.snap_count, config.commit_log_count),
        (60, 100_000, 500)
    );
    assert_eq!(config.max_frame, MAX_FRAME);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert!(!config.is_standalone());
    assert_eq!(config.peers[&ServerId(3)].quorum, HostPort { host: "::1".to_owned(), port: 2888 });
    let core = config.core(None);
    assert_eq!(core.ensemble, Ensemble::new([1, 2, 3].map(ServerId)));
    assert_eq!(
        core.config_text,
        "server.1=10.0.0.1:2888:3888:participant\nserver.2=node-2:2888:3888:participant\n\
         server.3=[::1]:2888:3888:participant\nversion=0"
    );
}

#[test]
fn every_key_has_its_effect() {
    let text = format!(
        "{THREE}clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nminSessionTimeout=100\n\
         maxSessionTimeout=60000\nsnapCount=1000\ncommitLogCount=7\n4lw.commands.whitelist=ruok, mntr\n\
         jute.maxbuffer=0x1000\ncnxTimeout=250\nquorumListenOnAllIPs=true\npreAllocSize=64\n\
         fastleader.minNotificationInterval=20\nfastleader.maxNotificationInterval=500\n"
    );
    let config = parse(Some("1"), &text).1.unwrap();
    assert_eq!(config.client, "127.0.0.1:2181".parse().unwrap());
    assert_eq!((config.max_client_connections, config.snap_count, config.commit_log_count), (0, 1000, 7));
    assert_eq!((config.timing.min_session_ms, config.timing.max_session_ms), (100, 60_000));
    assert_eq!((config.timing.notification_min_ms, config.timing.notification_max_ms), (20, 500));
    assert!(config.words.allows(crate::four_letter::Word::Ruok));
    assert!(!config.words.allows(crate::four_letter::Word::Srvr));
    assert_eq!((config.max_frame, config.preallocate_bytes), (4096, Some(65536)));
    assert_eq!((config.connect_timeout, config.listen_on_all), (Duration::from_millis(250), true));
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn one_server_needs_no_ensemble() {
    let config = parse(None, "dataDir=DIR\nclientPort=2181\n").1.unwrap();
    assert!(config.is_standalone());
    assert_eq!((config.me, config.timing.tick_ms), (ServerId(1), 3000));
    assert_eq!(config.core(None).ensemble, Ensemble::new([ServerId(1)]));

    let config = parse(None, "dataDir=DIR\nserver.4=localhost:1:2;2184\n").1.unwrap();
    assert!(config.is_standalone());
    assert_eq!((config.me, config.client), (ServerId(4), "0.0.0.0:2184".parse().unwrap()));
}

#[test]
fn unknown_keys_and_keys_without_effect_are_warned_of_by_line() {
    let text = "dataDir=DIR\nclientPort=2181\nticktime=5\nautopurge.snapRetainCount=3\n\
                4lw.commands.whitelist=*,cons\n";
    let config = parse(None, text).1.unwrap();
    assert_eq!(
        config.warnings,
        [
            "zoo.cfg:4: autopurge.snapRetainCount has no effect on this server",
            "zoo.cfg:5: this server does not answer the four-letter word cons",
            "zoo.cfg:3: ticktime is not a key this server knows; it is ignored",
        ]
    );
}

#[test]
fn what_is_wrong_is_said_in_one_sentence_with_its_line() {
    let with = |line: &str| format!("{THREE}{line}\n");
    for (text, sentence) in [
        (
            THREE.replace("initLimit=10\n", ""),
            "zoo.cfg: initLimit is missing: add a line such as initLimit=10 (in ticks)",
        ),
        (
            THREE.replace("dataDir=DIR\n", ""),
            "zoo.cfg: dataDir is missing: add dataDir=<a folder of this server alone>",
        ),
        (
            THREE.replace("clientPort=2181\n", ""),
            "zoo.cfg: clientPort is missing: add a line such as clientPort=2181",
        ),
        (
            THREE.replace("tickTime=200", "tickTime=2s"),
            "zoo.cfg:1: tickTime must be a number from 1 to 1000000, not \"2s\"",
        ),
        (with("tickTime=1"), "zoo.cfg:9: tickTime stands in line 1 already: keep one"),
        (
            with("dataLogDir=/elsewhere"),
            "zoo.cfg:9: dataLogDir differs from dataDir, and this server keeps log and snapshots together: \
             remove the line or write dataLogDir=DIR",
        ),
        (with("server.4=host:1"), "zoo.cfg:9: server.4: write host:quorumport:electionport"),
        (
            with("server.4=host:1:70000"),
            "zoo.cfg:9: server.4: \"70000\" is no port: write host:quorumport:electionport, ports from 1 to 65535",
        ),
        (
            with("server.4=host:1:2:observer"),
            "zoo.cfg:9: server.4: this server has no observers: make it a participant or remove it",
        ),
        (
            with("server.4=10.0.0.1:2888:4000"),
            "zoo.cfg:9: 10.0.0.1:2888 is taken by line 6 already: give each server its own ports",
        ),
        (with("server.x=a:1:2"), "zoo.cfg:9: server.x must be server.N with N from 0 to 255"),
        (
            with("minSessionTimeout=5000"),
            "zoo.cfg:9: minSessionTimeout (5000 ms) is above maxSessionTimeout (4000 ms): swap or raise one",
        ),
        (with("jute.maxbuffer=1M"), "zoo.cfg:9: jute.maxbuffer must be 1024 to 1073741823 bytes, not \"1M\""),
        (
            with("clientPortAddress=example"),
            "zoo.cfg:9: clientPortAddress must be an IP address of this machine, not \"example\"",
        ),
        (with("electionAlg=0"), "zoo.cfg:9: electionAlg can only be 3 (FastLeaderElection): remove the line"),
    ] {
        assert_eq!(refused(Some("1"), &text), sentence);
    }
}

#[test]
fn the_myid_file_must_name_a_server_line() {
    assert_eq!(
        refused(Some("9\n"), THREE),
        "DIR/myid: \"9\" is no server of zoo.cfg: write one of 1, 2, 3 into this file"
    );
    assert_eq!(
        refused(None, THREE),
        "DIR/myid: cannot read which server this is (No such file or directory (os error 2)): \
         write its number into this file, one of 1, 2, 3"
    );
    assert_eq!(
        NodeConfig::load(Path::new("/nonexistent/zoo.cfg")).unwrap_err().to_string(),
        "/nonexistent/zoo.cfg: cannot read the configuration (No such file or directory (os error 2))"
    );
}

#[test]
fn missing_features_are_refused_and_their_absence_is_not() {
    for line in [
        "secureClientPort=2281",
        "ssl.keyStore.location=/x",
        "sslQuorum=true",
        "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
        "quorum.auth.enableSasl=true",
        "DigestAuthenticationProvider.superDigest=super:x",
        "peerType=observer",
        "group.1=1:2:3",
        "weight.1=1",
        "dynamicConfigFile=zoo.cfg.dynamic",
        "reconfigEnabled=true",
        "standaloneEnabled=false",
        "localSessionsEnabled=true",
        "readonlymode.enabled=true",
        "leaderServes=no",
        "extendedTypesEnabled=true",
        "forceSync=no",
        "admin.enableServer=true",
        "autopurge.purgeInterval=24",
        "multiAddress.enabled=true",
    ] {
        let sentence = refused(Some("1"), &format!("{THREE}{line}\n"));
        let key = line.split('=').next().unwrap();
        assert!(sentence.starts_with(&format!("zoo.cfg:9: {key}: ")), "{sentence}");
    }
    let as_it_is = "sslQuorum=false\npeerType=participant\nreconfigEnabled=false\nforceSync=yes\n\
                    admin.enableServer=false\nstandaloneEnabled=true\nautopurge.purgeInterval=0\n";
    let config = parse(Some("1"), &format!("{THREE}{as_it_is}")).1.unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
}
