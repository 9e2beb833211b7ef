//! Golden protocol scripts: `tests/golden/*.txt` say what happens, and what the servers then said to
//! each other and went through. `REWRITE=1 cargo test -p zab-core --test golden` writes what happens now
//! into the files; read the difference before you keep it.
//!
//! A script is a list of blocks: a line `> command`, then the journal it causes. Commands:
//! `servers N`, `servers N observers K` (numbered behind the voters), `start N…`, `crash N`, `pause N`, `resume N`, `cut A… | B…`, `heal`, `lose N` (what N sent and has not
//! arrived), `run MS`, `settle`, `open NAME N` (a client of server N), `create NAME PATH DATA`,
//! `set NAME PATH DATA`, `read NAME PATH` (sync, then getData), `answers NAME`, `pings on`.

#![expect(clippy::unwrap_used, reason = "a test's helper fails as the test does")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use support::{Client, World, create, set};

struct Script {
    world: World,
    clients: BTreeMap<String, Client>,
    seen: usize,
    pings: bool,
}

impl Script {
    fn run(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        let number = |word: &str| word.parse::<i64>().unwrap_or_else(|_| panic!("'{word}' in '{command}'"));
        let mut said = String::new();
        match words.as_slice() {
            ["servers", n] => self.world = World::new(number(n)),
            ["servers", n, "observers", k] => self.world = World::with_observers(number(n), number(k)),
            ["start", ids @ ..] => ids.iter().for_each(|id| self.world.start(number(id))),
            ["crash", id] => self.world.crash(number(id)),
            ["pause", id] => self.world.pause(number(id)),
            ["resume", id] => self.world.resume(number(id)),
            ["cut", groups @ ..] => {
                let at = groups.iter().position(|word| *word == "|").expect("cut A… | B…");
                let ids = |words: &[&str]| words.iter().map(|word| number(word)).collect::<Vec<i64>>();
                self.world.cut(&ids(&groups[..at]), &ids(&groups[at + 1..]));
            }
            ["heal"] => self.world.heal(),
            ["lose", id] => self.world.lose_in_flight(number(id)),
            ["run", ms] => self.world.run_for(number(ms).unsigned_abs()),
            ["settle"] => self.world.settle(),
            ["pings", "on"] => self.pings = true,
            ["open", name, id] => {
                let client = self.world.connect(number(id));
                self.clients.insert((*name).to_owned(), client);
            }
            ["create", name, path, data] => {
                self.world.send(self.clients[*name], create(path, data));
            }
            ["set", name, path, data] => {
                self.world.send(self.clients[*name], set(path, data));
            }
            ["read", name, path] => {
                let value = self.world.read(self.clients[*name], path);
                writeln!(said, "{name} read {path}: {value:?}").unwrap();
            }
            ["answers", name] => {
                let client = self.clients[*name];
                while let Some((_, (zxid, outcome))) = self.world.answer(client) {
                    let outcome = outcome.map_or_else(|code| format!("error {code}"), |_| "ok".to_owned());
                    writeln!(said, "{name} got {outcome} at {zxid}").unwrap();
                }
                if self.world.is_closed(client) {
                    writeln!(said, "{name} is disconnected").unwrap();
                }
            }
            _ => panic!("unknown command '{command}'"),
        }
        let mut output = String::new();
        for line in &self.world.journal[self.seen.min(self.world.journal.len())..] {
            if self.pings || !line.contains("PING") {
                writeln!(output, "{line}").unwrap();
            }
        }
        self.seen = self.world.journal.len();
        output + &said
    }
}

fn play(path: &Path) -> (String, String) {
    let expected = std::fs::read_to_string(path).unwrap();
    let mut script = Script { world: World::new(3), clients: BTreeMap::new(), seen: 0, pings: false };
    let mut actual = String::new();
    for line in expected.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(actual, "{line}").unwrap();
            actual += &script.run(command);
        } else if line.starts_with('#') || line.is_empty() {
            writeln!(actual, "{line}").unwrap();
        }
    }
    (expected, actual)
}

#[test]
fn scripts_play_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 6, "the scripts are there");
    for path in paths {
        let (expected, actual) = play(&path);
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(&path, actual).unwrap();
        } else {
            assert_eq!(actual, expected, "{}", path.display());
        }
    }
}
