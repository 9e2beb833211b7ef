//! `zabchaos simulate` from outside: the same bytes for the same seed, a clean run that is valid and not vacuous,
//! replay, every planted bug caught, swarms that do not depend on threads, Ctrl-C, and what is refused.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

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

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zabchaos"));
        command.args(words.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    fn output(&self, words: &str) -> Output {
        self.command(words).output().expect("the tool is built and starts")
    }

    /// Runs the tool to its end: exit status and stdout.
    fn run(&self, words: &str) -> (Option<i32>, String) {
        let output = self.output(words);
        (output.status.code(), text(&output.stdout))
    }

    /// A file of the newest run.
    fn latest(&self, name: &str) -> Vec<u8> {
        let path = self.path().join("results/latest").join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn results(&self) -> Value {
        serde_json::from_slice(&self.latest("results.json")).expect("results.json is JSON")
    }

    fn runs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path().join("results")).expect("there are results");
        let folders =
            entries.filter_map(Result::ok).filter(|one| one.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.map(|one| one.path()).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the tool prints UTF-8")
}

const ALL_FAULTS: &str = "simulate --nemesis partition,pause,kill --time-limit 20s --rate 300 --seed 7";

#[test]
fn a_clean_run_is_valid_and_the_same_for_the_same_seed() {
    let place = Place::new();
    let (status, report) = place.run(ALL_FAULTS);
    assert_eq!(status, Some(0), "{report}");
    assert!(
        report.starts_with("plan    5 simulated nodes, register, partition,pause,kill every"),
        "{report}"
    );
    let time = report.lines().find(|line| line.starts_with("time ")).expect("the header speaks of time");
    assert!(time.contains("virtual: ") && time.contains(" times faster"), "{time}");
    let results = place.results();
    assert_eq!(results["plan"]["simulated"], true);
    let installed =
        results["faults"].as_array().unwrap().iter().filter(|fault| fault["outcome"] == "installed");
    assert!(installed.clone().count() >= 4, "{report}");
    assert!(installed.clone().all(|fault| !fault["evidence"].as_array().unwrap().is_empty()), "{report}");
    let elections = results["elections"].as_array().unwrap();
    assert!(elections.len() >= 3, "{report}");
    let total = |election: &Value| election["durations"]["total_ns"].as_u64().is_some_and(|ns| ns > 0);
    assert!(elections.iter().skip(1).any(total), "phases are measured: {report}");
    assert!(!results["fencing"]["epochs"].as_array().unwrap().is_empty());
    let names: Vec<&str> =
        results["verdicts"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"protocol properties") && names.contains(&"not vacuous"), "{names:?}");
    let (history, schedule) = (place.latest("history.jsonl"), place.latest("schedule.json"));
    let trace = place.latest("nodes/n3/trace.jsonl");
    assert!(text(&trace).starts_with("{\"mono_ns\":"), "the form of the node's tracer");

    let again = Place::new();
    assert_eq!(again.run(ALL_FAULTS).0, Some(0));
    assert!(again.latest("history.jsonl") == history, "the same seed gives the same history");
    assert!(again.latest("schedule.json") == schedule && again.latest("nodes/n3/trace.jsonl") == trace);
    assert_eq!(again.results()["simulated"]["fingerprint"], results["simulated"]["fingerprint"]);

    let (status, replayed) = place.run("replay results/latest");
    assert_eq!(status, Some(0), "{replayed}");
    assert_eq!(place.runs().len(), 2);
    assert!(place.latest("history.jsonl") == history, "a replay is the same run");

    let (status, judged) = place.run("check results/latest");
    assert_eq!(status, Some(0), "{judged}");
    let (_, list) = place.run("list --json");
    let list: Value = serde_json::from_str(&list).unwrap();
    assert!(list.as_array().unwrap().iter().all(|run| run["simulated"] == true && run["verdict"] == "valid"));

    let other = Place::new();
    assert_eq!(other.run(&ALL_FAULTS.replace("--seed 7", "--seed 8")).0, Some(0));
    assert!(other.latest("history.jsonl") != history, "another seed is another run");
}

#[test]
fn a_series_of_runs_ends_with_the_worst_and_prints_json() {
    let place = Place::new();
    let (status, json) = place.run("simulate --nodes 3 --time-limit 2s --rate 200 --test-count 2 --json");
    assert_eq!(status, Some(0), "{json}");
    let runs: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(runs.as_array().map(Vec::len), Some(2));
    assert!(runs[1]["simulated"]["virtual_ns"].as_u64().unwrap() > 2_000_000_000);
}

/// Every planted bug, by the swarm and by planned runs with the faults that real runs take for it.
#[test]
fn every_planted_bug_is_caught_either_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let planted = fs::read_to_string(root.join(".ci/planted-bugs")).expect("the list of planted bugs");
    assert!(planted.lines().count() >= 7);
    for line in planted.lines() {
        let bug = line.split(' ').next().unwrap();
        let place = Place::new();
        let (status, told) = place.run(&format!("simulate --seeds 100 --bug {bug}"));
        assert_eq!(status, Some(1), "{bug}: {told}");
        let again = told.lines().find_map(|line| line.strip_prefix("again: zabchaos "));
        let (status, told) = place.run(again.expect("it says how to see it again"));
        assert_eq!(status, Some(1), "{bug}: {told}");
        assert!(told.contains(" is broken at "), "{bug}: {told}");

        // Until it is caught, but not for ever.
        let caught = (1..=6).any(|seed| {
            let (status, report) = place.run(&format!("simulate --bug {line} --rate 500 --seed {seed}"));
            assert!(matches!(status, Some(0..=2)), "{bug}: {status:?} {report}");
            status == Some(1)
        });
        assert!(caught, "{bug} is not caught by six planned runs");
    }
}

#[test]
fn a_swarm_is_the_same_whatever_the_threads() {
    let place = Place::new();
    let told = |words: &str| {
        let (status, told) = place.run(words);
        assert!(matches!(status, Some(0 | 1)), "{words}: {told}");
        told
    };
    for words in [
        "simulate --seeds 24",
        "simulate --seeds 24 --bug skip-truncate --keep-going",
        "simulate --bug elect-any",
    ] {
        assert_eq!(told(&format!("{words} --threads 1")), told(&format!("{words} --threads 4")), "{words}");
    }
    assert!(!place.path().join("results").exists(), "a swarm stores nothing");
}

#[test]
fn a_swarm_says_its_seeds_first_and_sums_up() {
    let place = Place::new();
    let (status, told) = place.run("simulate --seeds 5 --from 40");
    assert_eq!(status, Some(0), "{told}");
    assert!(told.starts_with("seeds  40 to 44, a world each\n"), "{told}");
    for line in ["seeds                5 of 5", "virtual time", "events", "faults", "worst recovery", "VALID"]
    {
        assert!(told.contains(line), "{line}: {told}");
    }
    let (status, told) = place.run("simulate --seed 40");
    assert_eq!(status, Some(0), "{told}");
    assert!(told.starts_with("seed   40\n") && told.contains("\n  fault_every_ms     "), "{told}");
    let (status, json) = place.run("simulate --seeds 20 --bug local-sync --json");
    assert_eq!(status, Some(1), "{json}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["verdict"], &json["bug"]), (&"invalid".into(), &"local-sync".into()));
    let broken = &json["broken"][0];
    assert_eq!(json["broken"].as_array().map(Vec::len), Some(1), "it stops at the first");
    assert_eq!(broken["repeat"], format!("zabchaos simulate --seed {} --bug local-sync", broken["seed"]));
    assert_eq!(broken["parameters"]["bug"], "local-sync");
}

#[test]
fn ctrl_c_ends_it_and_says_how_far_it_came() {
    let cases = [
        ("simulate --seeds 1000000", "interrupted after "),
        ("simulate --nodes 5 --nemesis kill --time-limit 24m --seed 3", "interrupted: healing and checking"),
    ];
    for (words, sentence) in cases {
        let place = Place::new();
        let begun = Instant::now();
        let child = place.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1_500));
        let sent = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        let (told, noted) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{words}: {told}{noted}");
        assert!(noted.contains(sentence), "{words}: {noted}");
        assert!(told.contains("UNKNOWN"), "{words}: {told}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{words}");
    }
}

#[test]
fn what_makes_no_sense_is_one_sentence() {
    let cases = [
        (
            "simulate --nodes 5 --seeds 9",
            "--nodes is of one planned run, but --seeds of drawn worlds: leave one of them out",
        ),
        ("simulate --trace", "--trace draws one world: name it with --seed"),
        ("simulate --base-port 20000", "unexpected argument '--base-port' found (see --help)"),
        ("simulate --nodes 0", "--nodes is '0', but takes a whole number from 1 to 15"),
        ("simulate --seeds many", "--seeds is 'many', but takes a whole number from 1 to 1000000000"),
        ("simulate --nodes 1 --nemesis partition", "a partition needs at least 2 nodes, but --nodes is 1"),
    ];
    for (words, sentence) in cases {
        let place = Place::new();
        let output = place.output(words);
        assert_eq!(text(&output.stderr), format!("error: {sentence}\n"), "{words}");
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(254), ""), "{words}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "{words} left something behind");
    }
}
