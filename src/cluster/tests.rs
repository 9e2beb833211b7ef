//! Clusters of harmless programs: signals, deaths, and that nothing is left behind.

use super::*;
use nix::unistd::Pid;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(10);

/// A plan whose nodes have little patience.
pub(crate) fn plan(nodes: u16) -> Plan {
    Plan {
        simulated: false,
        nodes,
        workload: "register".to_owned(),
        nemesis: Vec::new(),
        nemesis_interval_ms: 300,
        targets: Vec::new(),
        partitions: Vec::new(),
        time_limit_ms: 2000,
        rate: 0,
        concurrency: 1,
        keys: 1,
        ops_per_key: 10,
        op_timeout_ms: 1000,
        seed: 1,
        tick_ms: 10,
        init_limit: 10,
        sync_limit: 5,
        snap_count: 10_000,
        base_port: None,
        bug: None,
        results: "results".into(),
    }
}

/// A cluster whose nodes run a shell script.
fn scripted(nodes: u16, script: &str) -> (Cluster, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let launch = |files: &NodeFiles| Launch {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        folder: files.folder.clone(),
        log: files.log.clone(),
    };
    let (cluster, _) = Cluster::start_with(&plan(nodes), folder.path(), RunClock::start(), launch).unwrap();
    (cluster, folder)
}

/// A cluster whose nodes only sleep.
pub(crate) fn sleepers(nodes: u16) -> (Cluster, TempDir) {
    scripted(nodes, "exec sleep 600")
}

fn n(number: u16) -> NodeId {
    NodeId::new(number)
}

/// The pid that an evidence sentence names last.
fn pid_in(evidence: &str) -> Pid {
    let digits = evidence.split_once("pid ").unwrap().1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    Pid::from_raw(digits[..end].parse().unwrap())
}

fn exists(pid: Pid) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_pause_is_seen_in_proc_and_so_is_the_resumption() {
    let (cluster, _folder) = sleepers(1);
    let evidence = cluster.pause(n(1)).await.unwrap();
    assert!(evidence.contains("in state T ") && evidence.ends_with(" after SIGSTOP"), "{evidence}");
    assert_eq!(cluster.state(n(1)), ProcessState::Paused);
    let evidence = cluster.resume(n(1)).await.unwrap();
    assert!(!evidence.contains("state T") && evidence.ends_with(" after SIGCONT"), "{evidence}");
    assert_eq!(cluster.state(n(1)), ProcessState::Running);
    assert_eq!(cluster.unexpected_exits(), []);
}

#[tokio::test]
async fn a_kill_is_seen_in_the_wait_status_and_a_restart_has_another_pid() {
    let (cluster, _folder) = sleepers(2);
    for paused in [false, true] {
        if paused {
            cluster.pause(n(2)).await.unwrap();
        }
        let killed = cluster.kill(n(2)).await.unwrap();
        assert!(killed.contains("ended with signal 9 (SIGKILL)"), "{killed}");
        let dead = ProcessState::Dead { how: "signal 9 (SIGKILL)".to_owned(), by_us: true };
        assert_eq!(cluster.state(n(2)), dead);
        assert!(!exists(pid_in(&killed)), "not reaped");
        for refused in [cluster.kill(n(2)).await, cluster.pause(n(2)).await, cluster.resume(n(2)).await] {
            assert_eq!(refused.unwrap_err().to_string(), "n2 does not run");
        }
        let started = cluster.start_node(n(2)).unwrap();
        assert_ne!(pid_in(&started), pid_in(&killed));
        assert_eq!(cluster.state(n(2)), ProcessState::Running);
    }
    assert_eq!(cluster.start_node(n(2)).unwrap_err().to_string(), "n2 runs already");
    assert_eq!(cluster.state(n(1)), ProcessState::Running);
    assert_eq!(cluster.unexpected_exits(), []);
}

#[tokio::test]
async fn an_exit_that_nobody_asked_for_is_recorded_with_the_end_of_its_log() {
    let (cluster, _folder) =
        scripted(1, "for i in 1 2 3; do echo line $i; done; echo the disk is full >&2; exit 3");
    let error = cluster.wait_serving(DEADLINE).await.unwrap_err().to_string();
    assert!(error.starts_with("n1 ended with exit status 3 before it served"), "{error}");
    assert!(error.ends_with("line 3\nthe disk is full"), "{error}");
    let exits = cluster.unexpected_exits();
    assert_eq!(exits.len(), 1);
    assert_eq!((exits[0].node, exits[0].how.as_str()), (n(1), "exit status 3"));
    assert_eq!(exits[0].last_log_lines, ["line 1", "line 2", "line 3", "the disk is full"]);
    assert_eq!(cluster.state(n(1)), ProcessState::Dead { how: "exit status 3".to_owned(), by_us: false });
}

#[tokio::test]
async fn a_death_by_another_hand_is_unexpected_also_during_a_pause() {
    let (cluster, _folder) = sleepers(1);
    let pid = pid_in(&cluster.pause(n(1)).await.unwrap());
    nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    until("the death is noticed", || matches!(cluster.state(n(1)), ProcessState::Dead { .. })).await;
    assert_eq!(cluster.unexpected_exits()[0].how, "signal 9 (SIGKILL)");
}

#[tokio::test]
async fn stopping_leaves_no_process_whatever_its_state() {
    // n1 ends when asked, n2 is paused, n3 ignores SIGTERM, n4 is dead already.
    let (cluster, _folder) = scripted(
        4,
        "trap '' TERM; [ $(basename $PWD) = n3 ] || trap - TERM; echo ready; while :; do sleep 0.01; done",
    );
    for node in cluster.nodes() {
        until("the script has set its trap", || !tail::last_lines(&cluster.log_path(node), 1).is_empty())
            .await;
    }
    let mut pids = vec![];
    for node in cluster.nodes() {
        pids.push(pid_in(&cluster.pause(node).await.unwrap()));
        if node != n(2) {
            cluster.resume(node).await.unwrap();
        }
    }
    cluster.kill(n(4)).await.unwrap();
    cluster.stop().await.unwrap();
    cluster.stop().await.unwrap();
    for (node, pid) in cluster.nodes().into_iter().zip(pids) {
        assert!(!exists(pid), "{node} is left");
        assert!(matches!(cluster.state(node), ProcessState::Dead { by_us: true, .. }), "{node}");
    }
    assert_eq!(cluster.unexpected_exits(), []);
    assert!(tokio::net::TcpStream::connect(cluster.client_address(n(1))).await.is_err(), "a port is left");
}

#[tokio::test]
async fn dropping_the_last_clone_kills_every_node() {
    let (cluster, _folder) = sleepers(2);
    let clone = cluster.clone();
    let pid = pid_in(&cluster.pause(n(1)).await.unwrap());
    drop(cluster);
    assert!(exists(pid));
    drop(clone);
    assert!(!exists(pid));
}

#[tokio::test]
async fn a_node_listens_on_its_own_ports_and_dials_its_peers_through_the_relay() {
    let (cluster, folder) = sleepers(3);
    let real = &cluster.inner._ports.nodes;
    let text = std::fs::read_to_string(folder.path().join("nodes/n2/zoo.cfg")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let own = real[&n(2)];
    assert!(
        lines.contains(&format!("server.2=127.0.0.1:{}:{}", own.quorum, own.election).as_str()),
        "{text}"
    );
    assert!(lines.contains(&format!("clientPort={}", own.client).as_str()), "{text}");
    for peer in [n(1), n(3)] {
        let through = cluster.inner.relay.peer_ports(n(2), peer);
        let line = format!("server.{}=127.0.0.1:{}:{}", peer.number(), through.quorum, through.election);
        assert!(lines.contains(&line.as_str()), "{text}");
        assert_ne!(through.quorum, real[&peer].quorum);
        assert_ne!(through, cluster.inner.relay.peer_ports(if peer == n(1) { n(3) } else { n(1) }, peer));
    }
    assert!(text.contains("tickTime=10\ninitLimit=10\nsyncLimit=5\n"), "{text}");
    assert!(text.contains("\n4lw.commands.whitelist=*\n"), "{text}");
    assert_eq!(std::fs::read_to_string(folder.path().join("nodes/n2/data/myid")).unwrap(), "2\n");
}

#[tokio::test]
async fn the_same_executable_is_run_with_the_arguments_of_a_node() {
    let files = NodeFiles::within(Path::new("/run"), n(4));
    let words: Vec<String> = node_arguments(&files, Some("elect-any"), 42)
        .into_iter()
        .map(|word| word.into_string().unwrap())
        .collect();
    assert_eq!(
        words.join(" "),
        "node --config /run/nodes/n4/zoo.cfg --trace /run/nodes/n4/trace.jsonl --bug elect-any \
         --die-with-parent 42"
    );
}
