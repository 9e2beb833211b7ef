//! Ensembles of many servers: they elect once, and the figures of `docs/SCALE.md` are those of this program.

use serde_json::Value;
use zab_sim::scale::{self, Place, Scale};

fn kept() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale/figures.json");
    let text = std::fs::read_to_string(path).expect("the example wrote it");
    serde_json::from_str(&text).expect("it is JSON")
}

fn is_as_kept(place: Place, voters: u16, observers: u16) {
    let scale = Scale::recommended(place, voters, observers);
    let now = scale::figures(&scale, &scale::measure(&scale).expect("it settles"));
    let kept = kept();
    let row =
        kept["measured"].as_array().into_iter().flatten().find(|row| {
            row["place"] == place.name() && row["voters"] == voters && row["observers"] == observers
        });
    assert_eq!(
        row,
        Some(&now),
        "docs/scale is out of date: cargo run --release -p zab-sim --example scale -- docs/scale"
    );
}

#[test]
fn twenty_five_voters_in_five_regions_elect_once_and_serve() {
    let scale = Scale::recommended(Place::FiveRegions, 25, 0);
    let measured = scale::measure(&scale).expect("every server serves, and no property is broken");
    for election in [measured.cold, measured.killed, measured.power] {
        assert!(election.is_clean(), "{election:?}");
    }
    assert!(measured.writes.leader.p50_us > 0, "writes are answered");
}

#[test]
fn the_figures_are_those_of_this_program() {
    is_as_kept(Place::OneRoom, 9, 10);
    is_as_kept(Place::FiveRegions, 9, 10);
}
