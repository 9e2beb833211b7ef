//! Ensembles of real processes: they serve, they survive, they leave nothing behind.

// Only under test: helpers may unwrap like tests.
#[cfg(test)]
mod support;

use nix::sys::signal::Signal;
use std::net::TcpListener;
use support::{Ensemble, every_operation, server, wait_for, word};
use zab_wire::client::{Request, Response};

#[test]
fn a_server_alone_serves_every_operation_and_keeps_its_data() {
    let mut ensemble = Ensemble::new(1, "");
    ensemble.start(1);
    let mut client = ensemble.client(1);
    assert_eq!(ensemble.mode(1).as_deref(), Some("standalone"));
    every_operation(&mut client);
    client.create("/kept", b"value");
    client.close();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let status = ensemble.end(1, signal);
        assert_eq!(status.code(), (signal == Signal::SIGTERM).then_some(0));
        ensemble.assert_ports_are_free();
        ensemble.start(1);
        let mut client = ensemble.client(1);
        assert_eq!(client.get("/kept"), b"value");
    }
    assert_eq!(ensemble.traced(1, "process.started").len(), 3);
    assert_eq!(ensemble.traced(1, "process.stopped").len(), 1);
}

#[test]
fn three_servers_survive_the_loss_of_their_leader_and_of_all() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start_all();
    let first = ensemble.leader();
    let follower = first % 3 + 1;
    let mut client = ensemble.client(follower);
    every_operation(&mut client);
    client.create("/kept", b"before");
    let mut elsewhere = ensemble.client(first);
    assert_eq!(elsewhere.get("/kept"), b"before");

    ensemble.end(first, Signal::SIGKILL);
    let second = ensemble.leader();
    assert_ne!(second, first);
    let mut client = ensemble.client(follower);
    assert_eq!(client.get("/kept"), b"before");
    client.set("/kept", b"after");

    ensemble.start(first);
    ensemble.leader();
    assert_eq!(ensemble.client(first).get("/kept"), b"after");

    for id in 1..=3 {
        ensemble.end(id, Signal::SIGKILL);
    }
    ensemble.start_all();
    ensemble.leader();
    for id in 1..=3 {
        assert_eq!(ensemble.client(id).get("/kept"), b"after", "n{id}");
    }
    for id in 1..=3 {
        assert_eq!(ensemble.end(id, Signal::SIGTERM).code(), Some(0), "n{id}");
    }
    ensemble.assert_ports_are_free();
}

/// The textbook example of Fast Leader Election.
#[test]
fn of_five_servers_started_in_order_the_third_leads() {
    let mut ensemble = Ensemble::new(5, "");
    for id in 1..=2 {
        ensemble.start(id);
        wait_for("an election", || (!ensemble.traced(id, "election.started").is_empty()).then_some(()));
        assert_eq!(ensemble.mode(id), None, "no quorum yet");
    }
    ensemble.start(3);
    assert_eq!(ensemble.leader(), 3);
    for id in 4..=5 {
        ensemble.start(id);
        assert_eq!(ensemble.leader(), 3, "n{id} follows");
        assert_eq!(ensemble.mode(id).as_deref(), Some("follower"));
    }
    for id in 1..=5 {
        assert_eq!(ensemble.traced(id, "leader.established").len(), usize::from(id == 3), "n{id}");
    }
    let words = word(ensemble.nodes[2].client_port, "mntr").unwrap();
    wait_for("four synced followers", || {
        let mntr = word(ensemble.nodes[2].client_port, "mntr").ok()?;
        mntr.contains("zk_synced_followers\t4").then_some(())
    });
    assert!(words.contains("zk_server_state\tleader"), "{words}");
}

#[test]
fn many_requests_of_one_client_are_answered_in_their_order() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start_all();
    let follower = ensemble.leader() % 3 + 1;
    let mut client = ensemble.client(follower);
    client.create("/n", b"");
    let set = |value: i32| Request::SetData {
        path: "/n".to_owned(),
        data: Some(value.to_be_bytes().to_vec()),
        version: -1,
    };
    let get = Request::GetData { path: "/n".to_owned(), watch: false };
    let mut sent = Vec::new();
    for value in 0..500 {
        sent.push((client.send(&set(value)).unwrap(), set(value)));
        sent.push((client.send(&get).unwrap(), get.clone()));
    }
    let mut expected = 0_i32;
    for (xid, request) in sent {
        let (answered, response) = client.receive(&request).unwrap();
        assert_eq!(answered, xid);
        if let Response::Data(data, stat) = response.unwrap() {
            assert_eq!((data.unwrap(), stat.version), (expected.to_be_bytes().to_vec(), expected + 1));
            expected += 1;
        }
    }
    assert_eq!(expected, 500);
}

#[test]
fn a_taken_port_and_a_bad_configuration_get_one_sentence_and_a_status() {
    let ensemble = Ensemble::new(3, "");
    let node = &ensemble.nodes[0];
    for (port, key) in [
        (node.client_port, "clientPort"),
        (node.quorum_port, "quorum port of server.1"),
        (node.election_port, "election port of server.1"),
    ] {
        let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let output = server(&node.config).output().unwrap();
        let sentence = format!("zab-node: cannot listen on 127.0.0.1:{port} ({key}): ");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with(&sentence) && stderr.lines().count() == 1, "{stderr}");
        assert_eq!(output.status.code(), Some(14));
        drop(taken);
    }
    let bad = Ensemble::new(3, "group.1=1:2\n");
    let output = server(&bad.nodes[0].config).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("zoo.cfg:12: group.1: this server has no hierarchical quorums"), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}
