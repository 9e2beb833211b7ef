//! The verdict on a world at rest: all servers hold the same nodes, and none that was acknowledged is
//! missing; not even after all of them were started from their disks again, twice.

use crate::faults::all_serve;
use crate::ledger::{Ledger, Seen, path};
use crate::support::World;
use zab_wire::client::{ErrorCode, Request, Response};

pub(crate) fn judge(world: &mut World, ledger: &mut Ledger) {
    judge_once(world, ledger);
    for _ in 0..2 {
        world.ids().into_iter().for_each(|id| world.crash(id));
        world.ids().into_iter().for_each(|id| world.start(id));
        all_serve(world);
        judge_once(world, ledger);
    }
    assert_eq!(world.fatal, [], "no server contradicted itself");
}

fn judge_once(world: &mut World, ledger: &mut Ledger) {
    let leader = world.leader().expect("all serve");
    let reference = nodes(world, leader, ledger);
    for (key, found) in (1..).zip(&reference.1) {
        let value = found.map(|seen| seen.value);
        let acknowledged = ledger.acknowledged(key);
        assert!(value >= acknowledged, "/k{key}: {acknowledged:?} was acknowledged, {value:?} is there");
    }
    for id in world.ids() {
        assert_eq!(nodes(world, id, ledger), reference, "server {id} and the leader {leader} agree");
    }
}

/// All names at a server, and the content of each key in order.
fn nodes(world: &mut World, at: i64, ledger: &mut Ledger) -> (Vec<String>, Vec<Option<Seen>>) {
    let client = world.connect(at);
    let request = Request::GetChildren { path: "/".to_owned(), watch: false, with_stat: false };
    let names = match world.ask(client, request).1 {
        Ok(Response::Children(names)) => names,
        answer => panic!("getChildren was answered with {answer:?}"),
    };
    let mut contents = Vec::new();
    for key in 1..=ledger.keys() {
        let content = match world.ask(client, Request::GetData { path: path(key), watch: false }).1 {
            Ok(response) => Some(Seen::read(&response)),
            Err(code) => {
                assert_eq!(code, ErrorCode::NoNode.code(), "server {at}: /k{key} is there or is not");
                None
            }
        };
        if let Some(seen) = content {
            ledger.saw(key, seen);
        }
        contents.push(content);
    }
    (names, contents)
}
