//! What goes where while a run goes on. The report itself is tested in [`crate::report::results`].

use super::*;
use crate::cluster::NodeId;
use crate::election::LeaderView;
use crate::report::events::Stage;
use crate::report::results::tests::{results, script};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A writer that can be read afterwards.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every write fails like this: closed by its reader, or full.
struct Failing(io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

const PLAIN: Output = Output::Text(Style { color: false });

fn status(seconds: u64, ok: u64) -> RunEvent {
    RunEvent::Status(Status {
        at_ns: seconds * 1_000_000_000,
        ok,
        fail: 2,
        info: 1,
        fault: (seconds > 4).then(|| "pause n2 (leader)".to_owned()),
        leader: LeaderView { leader: (seconds < 6).then(|| NodeId::new(2)), epoch: 3 },
    })
}

fn started() -> RunEvent {
    RunEvent::Started { plan: Box::new(crate::plan::tests::plan()), folder: PathBuf::from("results/x") }
}

/// What a run of those events writes to stdout and stderr.
fn run(output: Output, live: bool, events: &[RunEvent]) -> (String, String) {
    run_on(output, live.then_some(|| 120), events)
}

fn run_on(output: Output, live: Option<fn() -> u16>, events: &[RunEvent]) -> (String, String) {
    let (facts, progress) = (Sink::default(), Sink::default());
    let mut reporter = Reporter::to(output, Box::new(facts.clone()), Box::new(progress.clone()), live);
    for event in events {
        reporter.event(event);
    }
    drop(reporter);
    (facts.text(), progress.text())
}

#[test]
fn the_header_comes_first_and_on_stdout() {
    let (facts, progress) = run(PLAIN, false, &[started(), RunEvent::Stage(Stage::Starting)]);
    assert_eq!(
        facts,
        "plan    5 nodes, register, partition,kill every 3,000 ms, 30 s of load by 10 clients at 1,000/s\n\
         seed    7\n\
         folder  results/x\n"
    );
    assert_eq!(progress, "starting the nodes\n");
}

#[test]
fn the_live_line_is_written_over_and_wiped() {
    let events = [status(1, 1_000), status(2, 5_000), RunEvent::Stage(Stage::Healing)];
    let (facts, progress) = run(PLAIN, true, &events);
    assert_eq!(facts, "");
    let lines: Vec<&str> = progress.split("\r\u{1b}[2K").collect();
    assert_eq!(lines.len(), 4, "{progress:?}");
    assert_eq!(lines[2], "  2.00 s   4,000/s  ok 5,000  fail 2  info 1  leader n2 epoch 3");
    assert_eq!(lines[3], "healing\n");
}

#[test]
fn the_live_line_leaves_the_last_column_free() {
    let (_, progress) = run_on(PLAIN, Some(|| 40), &[status(5, 1_000), status(6, 5_000)]);
    let lines: Vec<&str> = progress.split("\r\u{1b}[2K").collect();
    assert_eq!(lines[1], "  5.00 s     201/s  ok 1,000  fail 2  …");
    assert_eq!(lines[1].chars().count(), 39);
    assert_eq!(lines[3], "", "the prompt gets a clean line: {progress:?}");
    for narrow in [(|| 0) as fn() -> u16, || 1, || 2] {
        let (_, progress) = run_on(PLAIN, Some(narrow), &[status(5, 1_000)]);
        assert!(progress.split("\r\u{1b}[2K").all(|line| line.chars().count() <= 1), "{progress:?}");
    }
}

#[test]
fn without_a_terminal_a_plain_line_comes_every_ten_seconds() {
    let events: Vec<RunEvent> = (1..=22).map(|second| status(second, second * 100)).collect();
    let (_, progress) = run(PLAIN, false, &events);
    let lines: Vec<&str> = progress.lines().collect();
    assert_eq!(lines.len(), 3, "{progress}");
    assert_eq!(lines[1], " 11.00 s     100/s  ok 1,100  fail 2  info 1  no leader  fault pause n2 (leader)");
}

#[test]
fn json_has_stdout_for_itself() {
    let finished = RunEvent::Finished(Box::new(results(&script(), Vec::new())));
    let events = [started(), status(1, 10), RunEvent::Warning("the disk is slow".to_owned()), finished];
    let (facts, progress) = run(Output::Json, false, &events);
    let json: serde_json::Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(json["plan"]["workload"], "register");
    assert!(progress.contains("warning: the disk is slow\n"));
}

#[test]
fn the_report_is_told_once_without_a_second_header() {
    let finished = RunEvent::Finished(Box::new(results(&script(), Vec::new())));
    let (facts, _) = run(PLAIN, false, &[started(), finished]);
    assert_eq!(facts.matches("seed    7").count(), 1);
    assert!(facts.contains("\nelections: 2, 1 caused by faults (phases in ms)\n"), "{facts}");
}

#[test]
fn nobody_reading_is_no_failure() {
    let gone = || Box::new(Failing(io::ErrorKind::BrokenPipe));
    let mut reporter = Reporter::to(PLAIN, gone(), gone(), Some(|| 80));
    let finished = RunEvent::Finished(Box::new(results(&script(), Vec::new())));
    for event in [started(), status(1, 1), finished] {
        reporter.event(&event);
    }
    assert_eq!(reporter.ended(Exit::Valid), Exit::Valid);
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    for output in [PLAIN, Output::Json] {
        let full = Box::new(Failing(io::ErrorKind::StorageFull));
        let mut reporter = Reporter::to(output, full, Box::new(Sink::default()), None);
        reporter.event(&RunEvent::Finished(Box::new(results(&script(), Vec::new()))));
        assert_eq!(reporter.ended(Exit::Valid), Exit::Harness);
    }
}
