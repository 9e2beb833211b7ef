//! The catalogue of transitions is complete: every reason in the sources stands in it, and nothing else does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use zab_core::trace::catalogue::{self, catalogue};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("they can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The text in quotes at the beginning of `text`, if it begins with one.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split('"').next()
}

/// What stands in quotes behind `marker` (and perhaps one argument) in the sources.
fn behind(marker: &str) -> BTreeSet<String> {
    let mut paths = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut paths);
    let mut found = BTreeSet::new();
    for path in paths.iter().filter(|path| !path.ends_with("trace/catalogue.rs")) {
        let text = fs::read_to_string(path).expect("sources are text");
        for (at, _) in text.match_indices(marker) {
            let rest = text[at + marker.len()..].trim_start();
            let second = || rest.split_once(", ").and_then(|(_, rest)| quoted(rest.trim_start()));
            found.extend(
                quoted(rest).or_else(|| second().filter(|_| marker == "drop_learner(")).map(str::to_owned),
            );
        }
    }
    found
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_reason_in_the_sources_is_in_the_catalogue_and_no_other() {
    let given_up: BTreeSet<String> = behind("give_up(");
    let all: Vec<&str> = catalogue::GIVES_UP.iter().chain(&catalogue::REFUSES).copied().collect();
    assert_eq!(given_up, names(&all));
    let breaks: Vec<&str> = catalogue::CUTS.iter().chain(&catalogue::ENTERS[..1]).copied().collect();
    assert_eq!(behind("ControlFlow::Break("), names(&breaks));
    let mut misdeeds = behind("misbehaved(");
    misdeeds.extend(behind("return Err("));
    assert_eq!(misdeeds, names(&catalogue::MISDEEDS));
    let mut fenced = behind("what:");
    fenced.extend(behind("log_transaction("));
    assert_eq!(fenced, names(&catalogue::FENCES));
    let mut reasons = behind("reason:");
    reasons.extend(behind("drop_learner("));
    reasons.extend(behind("Some("));
    reasons.extend(behind("(PeerState::Following,"));
    let known: Vec<&str> = catalogue::DROPS.iter().chain(&catalogue::ENTERS[1..]).copied().collect();
    assert_eq!(reasons, names(&known));
}

#[test]
fn no_transition_is_listed_twice() {
    let all = catalogue();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert_eq!(all.len(), 82, "a change here is a change of what simulations must reach");
}
