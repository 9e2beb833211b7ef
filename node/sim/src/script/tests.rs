//! What a script may not say, and that a written one can be played.

use super::*;
use crate::run::Parameters;

fn error(text: &str) -> String {
    play(text).unwrap_err().to_string()
}

#[test]
fn a_bad_line_is_refused_in_one_sentence() {
    for (line, what) in [
        ("explode 1", "unknown command 'explode 1'"),
        ("kill 4", "there is no server 4"),
        ("until 4 stepped_down", "there is no server 4"),
        ("start 0 1", "'0' is no number of a server"),
        ("run fast", "'fast' is no time in ms"),
        ("read a /x", "there is no client 'a': 'open a N' makes one"),
        ("open a 1 session b", "there is no client 'b': 'open b N' makes one"),
        ("servers 5", "a script has one world"),
        (
            "until 1 leader.established",
            "waited in vain (nothing more is to come) until server 1 reaches leader.established",
        ),
        (
            "before-message 1 -> 2 COMMIT",
            "waited in vain (nothing more is to come) until COMMIT is to get from server 1 to 2",
        ),
        ("world seed=1", "unknown command 'world seed=1'"),
    ] {
        assert_eq!(error(&format!("> servers 3\n\n> {line}\n")), format!("line 3: {what}"));
    }
    assert_eq!(error("> servers 3 voters=0\n"), "line 1: a world needs at least one voter");
    assert_eq!(error("> run 5\n"), "line 1: a script begins with '> servers N' or '> world …'");
}

#[test]
fn who_waits_in_vain_is_told_for_how_long_and_for_what() {
    let text = "> servers 3\n> start 1\n> until 1 leader.established\n";
    assert_eq!(error(text), "line 3: waited in vain (60000 ms) until server 1 reaches leader.established");
}

#[test]
fn a_bad_line_of_a_run_is_refused_in_one_sentence() {
    let run = |lines: &str| error(&format!("> world seed=1 voters=3 observers=0\n{lines}"));
    assert_eq!(run(""), "line 1: a run ends with '> end'");
    assert_eq!(run("> at 1us kill 3\n"), "line 2: a run ends with '> end'");
    assert_eq!(run("> at 1us kill 9\n> end\n"), "line 2: there is no server 9 in this world");
    assert_eq!(run("> at 1us w99: read r1\n> end\n"), "line 2: there is no worker 99 in this world");
    assert_eq!(
        run("> at 1us explode 3\n> end\n"),
        "line 2: 'explode 3' is nothing that can be done in a run"
    );
    assert_eq!(
        run("> kill 3\n> end\n"),
        "line 2: a step is '> at 1234567us what', and the last line is '> end'"
    );
    assert_eq!(run("> at 2us kill 1\n> at 1us kill 2\n> end\n"), "line 3: steps are in the order of time");
    assert_eq!(error("> world colour=red\n> end\n"), "line 1: 'red' is no value of 'colour'");
}

/// Three servers start, one client writes, a server dies.
fn run_of(bug: &str) -> (Parameters, Vec<Step>) {
    let mut parameters = Parameters::draw(11);
    let instant =
        ["delay_us=100..200", "disk_us=100..200", "tick_ms=100", "drift_ppm=0", "straggle_permille=0"];
    let small = ["load_ms=3000", "voters=3", "observers=0", "workers=1", "sessions=1"];
    for word in instant.iter().chain(&small).chain(&[bug]) {
        parameters.set(word).unwrap();
    }
    let steps = [
        (1_000_000, "start 1"),
        (1_000_000, "start 2"),
        (1_000_500, "start 3"),
        (2_000_000, "s1: connect 2"),
        (2_500_000, "w1: prepare r1"),
        (3_000_000, "w1: write r1 1"),
        (3_000_000, "s1: write"),
        (3_500_000, "kill 3"),
    ];
    let step = |(at_us, what): (u64, &str)| Step { at_us, what: what.parse().unwrap() };
    (parameters, steps.map(step).to_vec())
}

#[test]
fn a_run_that_is_written_plays_as_it_is_written() {
    let (parameters, steps) = run_of("bug=none");
    let text = write(&parameters, &steps, "What this shows.\n\nAnd why.");
    assert!(text.starts_with("# What this shows.\n#\n# And why.\n> world seed=11 "), "{text}");
    assert!(text.ends_with("> end\nkept every promise\n"), "{text}");
    for line in ["leader.established", "w1 -> 1  SetData", "-> w1  answer", "stepped_down"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let played = perform(&text).unwrap();
    assert_eq!(played.text, text);
    assert_eq!(played.verdict(), Ok(()));
    assert_eq!(text.lines().filter(|line| line.starts_with("> at ")).count(), steps.len());
}

#[test]
fn a_broken_promise_must_be_the_expected_one() {
    let played = |broken: Option<&str>, expects: Option<&str>| Played {
        text: String::new(),
        broken: broken.map(|property| (property.to_owned(), "so".to_owned())),
        expects: expects.map(str::to_owned),
        entries: Vec::new(),
        servers: 0,
    };
    assert_eq!(played(Some("Agreement"), Some("Agreement")).verdict(), Ok(()));
    assert_eq!(played(Some("Agreement"), None).verdict(), Err("Agreement was broken: so".to_owned()));
    assert!(played(None, Some("Agreement")).verdict().is_err());
    assert!(played(Some("Integrity"), Some("Agreement")).verdict().is_err());
}
