//! Message diagrams, as `zabchaos simulate --trace` shows them, of two golden scripts. `REWRITE=1` writes the
//! diagrams as they are now.

#![expect(clippy::unwrap_used, reason = "a test's helper fails as the test does")]

use std::path::Path;
use zab_sim::{diagram, script};

fn is_drawn_as_kept(name: &str, options: diagram::Options) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let text = std::fs::read_to_string(tests.join(format!("golden/{name}.txt"))).unwrap();
    let played = script::perform(&text).unwrap();
    let drawn = diagram::draw(&played.entries, played.servers, options);
    let path = tests.join(format!("diagrams/{name}.txt"));
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, drawn).unwrap();
    } else {
        assert_eq!(drawn, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
    }
}

#[test]
fn a_leader_that_comes_back() {
    is_drawn_as_kept(
        "fake_dead_leader",
        diagram::Options { clients: Some(2), ..diagram::Options::default() },
    );
}

#[test]
fn six_servers_with_less_room_and_with_pings() {
    let options = diagram::Options { width: 104, pings: true, ..diagram::Options::default() };
    is_drawn_as_kept("split_of_six_four_and_two", options);
}
