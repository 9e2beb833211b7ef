//! Real clusters from outside: a valid run and what it leaves behind, Ctrl-C, kill -9, a taken port, a planted
//! bug. Every wait has a deadline and says what it waited for.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the tool may take beyond the load it was asked for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own for the tool to run in.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn start(&self, words: &str) -> Tool {
        let log = fs::File::create(self.path().join("stderr")).expect("the folder is ours");
        let child = Command::new(env!("CARGO_BIN_EXE_zabchaos"))
            .args(words.split_whitespace())
            .current_dir(self.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the tool is built and starts");
        Tool { child }
    }

    /// Runs the tool to its end: exit status and stdout.
    fn run(&self, words: &str) -> (Option<i32>, String) {
        let output = self.start(words).wait();
        (output.status.code(), String::from_utf8(output.stdout).expect("the tool prints UTF-8"))
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.path().join("stderr")).unwrap_or_default()
    }

    fn latest(&self) -> PathBuf {
        self.path().join("results/latest")
    }

    /// Processes of nodes whose files are in this folder.
    fn node_processes(&self) -> Vec<String> {
        let ours = self.path().to_string_lossy().into_owned();
        let processes = fs::read_dir("/proc").expect("/proc is there").filter_map(Result::ok);
        processes
            .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(" node --config ") && line.contains(&ours))
            .collect()
    }

    /// Every port that a node's configuration names as its own.
    fn ports(&self) -> Vec<u16> {
        let mut ports = Vec::new();
        for node in
            fs::read_dir(self.latest().join("nodes")).expect("the run has nodes").filter_map(Result::ok)
        {
            let config = fs::read_to_string(node.path().join("zoo.cfg")).expect("the node has a zoo.cfg");
            let digits = |text: &str| {
                text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
            };
            for line in config.lines() {
                let (key, value) = line.split_once('=').unwrap_or((line, ""));
                let numbers: Vec<u16> =
                    digits(value.rsplit_once("127.0.0.1").map_or(value, |(_, ports)| ports));
                if key == "clientPort" || key.starts_with("server.") {
                    ports.extend(numbers);
                }
            }
        }
        assert!(ports.len() >= 3, "the configurations name ports: {ports:?}");
        ports
    }

    /// Nothing of the run is left: no process, and every port can be listened on again.
    #[track_caller]
    fn nothing_is_left(&self) {
        eventually("every node process is gone", || self.node_processes().is_empty());
        for port in self.ports() {
            eventually("the port is free", || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
        }
    }
}

/// The tool at work; killed when a test fails.
struct Tool {
    child: Child,
}

impl Tool {
    fn signal(&self, name: &str) {
        send(name, &self.child.id().to_string());
    }

    /// What a terminal does on Ctrl-C: the signal goes to the whole process group.
    fn ctrl_c(&self) {
        send("INT", &format!("-{}", self.child.id()));
    }

    fn wait(mut self) -> Output {
        let mut stdout = self.child.stdout.take().expect("it is piped");
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut stdout, &mut text).map(|_| text)
        });
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "the tool did not end within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(10));
        };
        let stdout = reader.join().expect("reading does not panic").expect("a pipe can be read");
        Output { status, stdout, stderr: Vec::new() }
    }
}

fn send(signal: &str, to: &str) {
    let sent = Command::new("kill").args(["-s", signal, "--", to]).status();
    assert!(sent.expect("kill is there").success(), "nobody to send {signal} to");
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

#[track_caller]
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lines in the history of the newest run.
fn history_lines(place: &Place) -> usize {
    fs::read_to_string(place.latest().join("history.jsonl")).unwrap_or_default().lines().count()
}

#[test]
fn a_quiet_run_is_valid_and_can_be_judged_again() {
    let place = Place::new();
    let (status, out) = place.run("test --nodes 3 --nemesis none --time-limit 3s --seed 11");
    assert_eq!(status, Some(0), "{out}\n{}", place.stderr());
    assert!(out.contains("seed    11"), "the seed is told:\n{out}");
    place.nothing_is_left();
    for file in
        ["plan.json", "schedule.json", "history.jsonl", "results.json", "elections.json", "report.txt"]
    {
        assert!(place.latest().join(file).is_file(), "{file} is there");
    }
    assert!(place.latest().join("nodes/n3/trace.jsonl").is_file());

    let (status, out) = place.run("check results/latest");
    assert_eq!(status, Some(0), "{out}\n{}", place.stderr());
    let (status, out) = place.run("list");
    assert_eq!(status, Some(0));
    assert!(out.contains("valid") && out.contains("register"), "{out}");

    // What a tool that was killed leaves behind: the beginning of the file, the last line cut.
    let history = fs::read(place.latest().join("history.jsonl")).unwrap();
    fs::write(place.path().join("cut.jsonl"), &history[..history.len() * 2 / 3]).unwrap();
    let (status, out) = place.run("check cut.jsonl");
    assert_eq!(status, Some(0), "{out}\n{}", place.stderr());

    // A read that nobody can have made.
    let text = String::from_utf8(history).unwrap();
    let read = text.lines().find(|line| line.contains(r#""type":"ok","f":"read""#)).unwrap();
    let at = read.find(r#""value":"#).unwrap() + 8;
    let end = at + read[at..].find([',', '}']).unwrap();
    let forged = text.replacen(read, &format!("{}987654321{}", &read[..at], &read[end..]), 1);
    fs::write(place.path().join("forged.jsonl"), forged).unwrap();
    let (status, out) = place.run("check forged.jsonl");
    assert_eq!(status, Some(1), "{out}\n{}", place.stderr());
    assert!(out.contains("987654321"), "{out}");
}

#[test]
fn partitions_are_survived_and_replayed() {
    let place = Place::new();
    let (status, out) =
        place.run("test --nodes 5 --nemesis partition --nemesis-interval 2s --time-limit 7s --seed 3");
    assert_eq!(status, Some(0), "{out}\n{}", place.stderr());
    assert!(out.contains("bytes held"), "faults carry evidence:\n{out}");
    place.nothing_is_left();
    let first = fs::canonicalize(place.latest()).unwrap();
    let schedule = fs::read_to_string(first.join("schedule.json")).unwrap();

    let (status, out) = place.run("replay results/latest");
    assert!(matches!(status, Some(0 | 2)), "{status:?}\n{out}\n{}", place.stderr());
    let second = fs::canonicalize(place.latest()).unwrap();
    assert_ne!(first, second, "a replay is a run of its own");
    let links = |schedule: &str| -> Vec<serde_json::Value> {
        let faults: Vec<serde_json::Value> = serde_json::from_str(schedule).unwrap();
        faults.iter().map(|fault| fault["action"].clone()).collect()
    };
    let again = fs::read_to_string(second.join("schedule.json")).unwrap();
    assert_eq!(links(&again), links(&schedule), "the same links were cut");
    place.nothing_is_left();
}

#[test]
fn a_killed_tool_leaves_nothing_running() {
    let place = Place::new();
    let tool = place.start("test --nodes 5 --nemesis pause --targets leader --time-limit 60s");
    let history = || fs::read_to_string(place.latest().join("history.jsonl")).unwrap_or_default();
    // A stopped process can do nothing for itself any more; it must go all the same.
    eventually("a node is stopped", || history().contains("\"phase\":\"installed\""));
    assert_eq!(place.node_processes().len(), 5);
    tool.signal("KILL");
    let output = tool.wait();
    assert_eq!(output.status.code(), None, "it was killed");
    place.nothing_is_left();
    let (status, out) = place.run("check results/latest");
    assert_eq!(status, Some(2), "what was recorded is judged, but proves little:\n{out}\n{}", place.stderr());
    let (_, out) = place.run("list");
    assert!(out.contains(" unfinished "), "a run without an end has no verdict:\n{out}");
    let schedule = fs::read_to_string(place.latest().join("schedule.json")).unwrap();
    assert!(schedule.contains("\"pause\""), "it can be replayed as far as it came:\n{schedule}");
}

#[test]
fn ctrl_c_heals_judges_and_reports() {
    let place = Place::new();
    let tool = place.start("test --nodes 5 --nemesis kill,pause --nemesis-interval 1s --time-limit 60s");
    eventually("the load is on", || history_lines(&place) > 1_000);
    tool.ctrl_c();
    let output = tool.wait();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "half a run is no proof:\n{out}\n{}", place.stderr());
    assert!(out.contains("unknown: interrupted after "), "it says so:\n{out}");
    let report = fs::read_to_string(place.latest().join("report.txt")).unwrap();
    assert!(report.contains("unknown: interrupted after "), "{report}");
    assert!(out.contains("linearizable"), "it reports:\n{out}");
    assert!(place.latest().join("results.json").is_file());
    place.nothing_is_left();
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let place = Place::new();
    let tool = place.start("test --nodes 3 --nemesis none --time-limit 60s");
    eventually("the load is on", || history_lines(&place) > 200);
    tool.ctrl_c();
    eventually("the first is heard", || place.stderr().contains("interrupted"));
    tool.ctrl_c();
    let asked = Instant::now();
    let output = tool.wait();
    // The orderly end may have been faster than the second signal.
    assert!(matches!(output.status.code(), Some(2 | 255)), "{:?}", output.status);
    if output.status.code() == Some(255) && !place.latest().join("results.json").exists() {
        let failure = fs::read_to_string(place.latest().join("failure.txt")).unwrap();
        assert_eq!(failure, "interrupted twice, and so ended at once\n");
        assert!(place.stderr().ends_with("\nended at once; nothing is left running\n"), "{}", place.stderr());
    }
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    place.nothing_is_left();
}

#[test]
fn a_taken_port_is_one_sentence() {
    let place = Place::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let (status, out) = place.run(&format!("test --nodes 3 --time-limit 1s --base-port {port}"));
    let err = place.stderr();
    assert_eq!((status, out.as_str()), (Some(254), ""), "{err}");
    let left = fs::read_dir(place.path().join("results")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "neither a folder nor latest");
    let last = err.lines().last().unwrap_or_default();
    assert!(last.starts_with(&format!("error: port {port} (n1's client port) is already taken")), "{err}");
    assert!(place.node_processes().is_empty());
}

#[test]
fn a_series_is_one_document_and_ctrl_c_leaves_its_rest_unknown() {
    let place = Place::new();
    let (status, out) = place.run("test --nodes 1 --test-count 2 --time-limit 1s --json");
    let results: serde_json::Value = serde_json::from_str(&out).expect("one JSON document");
    let verdicts: Vec<&serde_json::Value> =
        results.as_array().expect("an array").iter().map(|one| &one["verdict"]).collect();
    assert_eq!(verdicts.len(), 2, "{verdicts:?}");
    assert!(matches!(status, Some(0 | 2)), "{status:?} {verdicts:?}\n{}", place.stderr());
    assert!(place.stderr().contains("worst of 2 runs: "), "{}", place.stderr());

    let place = Place::new();
    let tool = place.start("test --nodes 1 --test-count 5 --time-limit 60s --results runs");
    let lines = || {
        fs::read_to_string(place.path().join("runs/latest/history.jsonl")).unwrap_or_default().lines().count()
    };
    eventually("the load is on", || lines() > 200);
    tool.ctrl_c();
    let output = tool.wait();
    assert_eq!(output.status.code(), Some(2), "{}", place.stderr());
    assert!(place.stderr().contains("worst of 1 of 5 runs: unknown"), "{}", place.stderr());
    let (_, list) = place.run("list --results runs");
    assert!(list.contains(" interrupted "), "{list}");
}

#[test]
fn a_planted_bug_is_caught() {
    let mut seen = Vec::new();
    for _ in 0..4 {
        let place = Place::new();
        let (status, out) = place.run(
            "test --bug commit-without-quorum --nemesis partition --partition leader-alone \
             --nemesis-interval 2s --time-limit 10s",
        );
        place.nothing_is_left();
        if status == Some(1) {
            assert!(out.contains("INVALID"), "{out}");
            return;
        }
        seen.push(format!("{status:?}: {}", place.stderr()));
    }
    panic!("commit-without-quorum was not caught: {seen:?}");
}
