//! `zabchaos simulate` from outside: the same bytes for the same seed, a clean run that is valid and not vacuous,
//! replay, every planted bug caught, swarms that do not depend on threads, a broken world made short and played,
//! drawn and covered transitions, small worlds in every order, Ctrl-C, and what is refused.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use zab_sim::coverage::{Coverage, impossible};

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
        // Making it short takes longer than finding it; another test does.
        let (status, told) = place.run(&format!("simulate --seeds 100 --bug {bug} --no-shrink"));
        assert_eq!(status, Some(1), "{bug}: {told}");
        let again = told.lines().find_map(|line| line.strip_prefix("again: zabchaos "));
        let again = again.expect("it says how to see it again");
        let (status, told) = place.run(&format!("{again} --no-shrink"));
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
        "simulate --bug elect-any --no-shrink",
    ] {
        assert_eq!(told(&format!("{words} --threads 1")), told(&format!("{words} --threads 4")), "{words}");
    }
    assert!(!place.path().join("results").exists(), "only a script is ever stored");
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

/// The script of a broken world, as text, and where it is.
fn script_of(place: &Place) -> (String, String) {
    let entries = fs::read_dir(place.path().join("results")).expect("a script is stored");
    let names: Vec<String> =
        entries.filter_map(Result::ok).map(|one| one.file_name().to_string_lossy().into_owned()).collect();
    let [name] = names.as_slice() else { panic!("one script and nothing else: {names:?}") };
    let path = format!("results/{name}");
    (fs::read_to_string(place.path().join(&path)).expect("it was just listed"), path)
}

#[test]
fn a_broken_world_is_made_short_and_its_script_plays() {
    let place = Place::new();
    let (status, told) = place.run("simulate --seeds 100 --bug skip-truncate");
    assert_eq!(status, Some(1), "{told}");
    let (script, path) = script_of(&place);
    let short = told.lines().find_map(|line| line.strip_prefix("made short: ")).expect("it is made short");
    let (left, rest) = short.split_once(" of ").unwrap();
    let all = rest.split_once(" steps are left after ").unwrap().0;
    let (left, all): (usize, usize) = (left.parse().unwrap(), all.parse().unwrap());
    assert!(left >= 1 && left * 5 < all, "{short}");
    assert_eq!(told.lines().filter(|line| line.starts_with("  at ")).count(), left, "each is told: {told}");
    assert_eq!(script.lines().filter(|line| line.starts_with("> at ")).count(), left, "{script}");
    let command = format!("simulate --script {path}");
    assert!(told.contains(&format!("\nscript    zabchaos {command}\n")), "{told}");
    let property = script.lines().next().and_then(|line| line.strip_prefix("# expects: "));
    let property = property.unwrap_or_else(|| panic!("the script says what is broken: {script}"));
    assert!(told.contains(&format!("\n  {property}: ")), "it is what the seed broke: {told}");
    let seed = told.split("\nseed ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a seed is named");
    assert_eq!(path, format!("results/seed-{seed}-skip-truncate.txt"));

    let output = place.output(&command);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout) == script, "played, it is the same text: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "the property is the one that is expected");

    // Another journal is no failure, but it is told; another property, too.
    let name = place.path().join("other.txt");
    fs::write(&name, script.replace("# expects: ", "# expects: Not")).unwrap();
    let output = place.output("simulate --script other.txt");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(&format!("\nNot{property} was to be broken, {property} was: ")));
    fs::write(&name, format!("{script}nobody said this\n")).unwrap();
    let output = place.output("simulate --script other.txt");
    assert!(text(&output.stdout) == script && text(&output.stderr).contains("the journal is not the one"));

    let (status, drawn) = place.run(&format!("{command} --trace"));
    assert_eq!(status, Some(1), "{drawn}");
    assert!(is_diagram(&drawn), "{drawn}");
    let (status, drawn) = place.run(&format!("simulate --seed {seed} --bug skip-truncate --trace"));
    assert_eq!(status, Some(1), "{drawn}");
    assert!(drawn.lines().count() < 400 && is_diagram(&drawn), "what is left of it is drawn: {drawn}");
    assert!(script_of(&place).0 == script, "the same script again");
}

/// Whether somebody starts and somebody leads in what was drawn.
fn is_diagram(drawn: &str) -> bool {
    drawn.contains(" ══ start ") && drawn.contains("leader.established epoch=1 ") && drawn.contains(" votes")
}

#[test]
fn a_kept_world_is_drawn_and_nothing_is_stored() {
    let place = Place::new();
    let (status, drawn) = place.run("simulate --seed 1 --trace");
    assert_eq!(status, Some(0), "{drawn}");
    assert!(drawn.starts_with("seed   1\n") && drawn.ends_with("VALID\n") && is_diagram(&drawn));
    let (status, told) = place.run("simulate --seeds 100 --bug skip-truncate --no-shrink");
    assert_eq!(status, Some(1), "{told}");
    assert!(!told.contains("made short") && !told.contains("script "), "{told}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing is stored");
}

#[test]
fn a_script_that_makes_no_sense_is_refused_with_its_line() {
    let cases = [
        ("# a comment\n> servers 3\n\n> fly\n", "line 4: unknown command 'fly'"),
        ("> world seed=7 voters=many\n> end\n", "line 1: "),
    ];
    for (script, sentence) in cases {
        let place = Place::new();
        fs::write(place.path().join("bad.txt"), script).unwrap();
        let output = place.output("simulate --script bad.txt");
        let told = text(&output.stderr);
        assert!(told.starts_with(&format!("error: 'bad.txt', {sentence}")), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(254), ""), "{script}");
    }
}

#[test]
fn coverage_lists_each_transition_once_and_knows_the_impossible() {
    let place = Place::new();
    let (status, told) = place.run("simulate --seeds 2 --coverage");
    assert_eq!(status, Some(0), "{told}");
    let (_, listed) = told.split_once("\ntransitions: ").expect("there is a list");
    let listed = listed.split_once("\n\n").expect("the verdict is below").0;
    let mut lines = listed.lines();
    let title = lines.next().unwrap();
    let lines: Vec<(&str, &str)> = lines.map(|line| line.trim().split_once("  ").unwrap()).collect();
    let lines: Vec<(&str, &str)> = lines.into_iter().map(|(name, how)| (name, how.trim())).collect();

    let catalogue: Vec<(&str, &str)> =
        Coverage::default().rows().map(|(name, branch, ..)| (name, branch)).collect();
    let names: Vec<String> =
        catalogue.iter().map(|(name, branch)| format!("{name} {branch}").trim().to_owned()).collect();
    assert_eq!(lines.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>(), names);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "each once");

    let never: BTreeSet<String> =
        impossible().iter().map(|one| format!("{} {}", one.name, one.branch).trim().to_owned()).collect();
    for (name, how) in &lines {
        let said = how.starts_with("impossible: ");
        assert_eq!(said, never.contains(*name), "{name}: {how}");
        assert!(said || *how == "NOT REACHED" || how.ends_with(" worlds"), "{name}: {how}");
    }
    let missing = lines.iter().filter(|(_, how)| *how == "NOT REACHED").count();
    let possible = names.len() - never.len();
    assert_eq!(title, format!("{missing} of {possible} possible ones were not reached"));
    assert!(missing < possible, "some were reached: {told}");

    let (_, json) = place.run("simulate --seeds 2 --coverage --json");
    let json: Value = serde_json::from_str(&json).unwrap();
    let rows = json["transitions"].as_array().unwrap();
    let pairs: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["name"].as_str().unwrap(), row["branch"].as_str().unwrap())).collect();
    assert_eq!(pairs, catalogue);
    assert_eq!(rows.iter().filter(|row| row["impossible"].is_string()).count(), never.len());
}

#[test]
fn a_small_world_is_explored_in_every_order() {
    let place = Place::new();
    let words = "simulate --explore returning";
    let output = place.output(words);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let expected = [
        "returning: a former leader with an abandoned proposal returns, and is to be told TRUNC",
        "  bounds       depth 4, crashes 2, partitions 1, timeouts 2, writes 0",
        "  states       1,971; by depth: 1 11 70 349 1,540",
        "  complete     no: 1,540 states are left at the depth's bound",
        "  broken       nothing",
        "VALID",
    ];
    for line in expected {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(told.starts_with(expected[0]), "what is explored is told first: {told}");
    assert!(text(&output.stderr).contains(" moves in "), "how fast it went is told beside");
    assert_eq!(place.run(&format!("{words} --threads 1")).1, told, "the same on one thread");

    let (status, told) = place.run(&format!("{words} --bounds depth=60,crashes=0,partitions=0,timeouts=0"));
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("  complete     yes: ") && told.contains("learner.log_truncated"), "{told}");
    let (status, told) = place.run("simulate --explore all --bounds depth=1");
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(told.matches("  bounds       depth 1, ").count(), 4, "{told}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing is stored");
}

#[test]
fn what_a_bug_breaks_comes_with_the_shortest_moves() {
    let place = Place::new();
    let words = "simulate --explore returning --bug skip-truncate \
                 --bounds depth=20,crashes=0,partitions=0,timeouts=0";
    let (status, told) = place.run(words);
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains(", planted bug skip-truncate\n"), "{told}");
    assert!(told.contains("\n  after 16 moves, and no fewer:\n    1. "), "{told}");
    assert!(told.contains("\n   16. ") && !told.contains("\n   17. "), "{told}");
    assert!(told.contains("  broken       PrefixConsistency: ") && told.ends_with("INVALID\n"), "{told}");
    let again = told.lines().find_map(|line| line.strip_prefix("  again: zabchaos "));
    assert_eq!(place.run(again.expect("it says how to see it again")), (Some(1), told.clone()));

    let (status, json) = place.run(&format!("{words} --json"));
    assert_eq!(status, Some(1), "{json}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["verdict"], &json["bug"]), (&"invalid".into(), &"skip-truncate".into()));
    let scenario = &json["scenarios"][0];
    assert_eq!((&scenario["scenario"], &scenario["bounds"]["depth"]), (&"returning".into(), &20.into()));
    assert_eq!(scenario["broken"]["property"], "PrefixConsistency");
    assert_eq!(scenario["broken"]["moves"].as_array().map(Vec::len), Some(16));
    assert_eq!(scenario["by_depth"].as_array().map(Vec::len), Some(16), "{scenario}");
}

/// A signal that comes before its handler does kills the process instead: on a busy machine no fixed wait is
/// long enough. The half second afterwards puts the work under way; without it the same is asserted of work that
/// has hardly begun.
fn wait_until_it_heeds_ctrl_c(process: u32) {
    const PATIENCE: Duration = Duration::from_secs(30);
    let begun = Instant::now();
    let heeds = || {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("proc(5) has it");
        // Bit 1 is signal 2, SIGINT (proc(5)).
        u64::from_str_radix(caught.trim(), 16).expect("a mask in hex") & 0b10 != 0
    };
    while !heeds() {
        assert!(begun.elapsed() < PATIENCE, "it never began to heed Ctrl-C");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn ctrl_c_ends_it_and_says_how_far_it_came() {
    let cases = [
        ("simulate --seeds 1000000", "interrupted after "),
        ("simulate --nodes 5 --nemesis kill --time-limit 24m --seed 3", "interrupted: healing and checking"),
        ("simulate --explore all --bounds depth=9", "interrupted: ending the states under way"),
    ];
    for (words, sentence) in cases {
        let place = Place::new();
        let begun = Instant::now();
        let child = place.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until_it_heeds_ctrl_c(child.id());
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
        ("simulate --trace --seed 3 --json", "--trace draws for people: leave --json out"),
        ("simulate --script x --seed 3", "--script says all that is to be played: leave --seed out"),
        ("simulate --script x --coverage", "--script says all that is to be played: leave --coverage out"),
        (
            "simulate --script none.txt",
            "the script 'none.txt' cannot be read: No such file or directory (os error 2)",
        ),
        (
            "simulate --explore cold-strat",
            "unknown scenario 'cold-strat': did you mean 'cold-start'? \
             (known: established, leader-change, cold-start, returning, all)",
        ),
        (
            "simulate --explore all --seed 3",
            "--seed says nothing to --explore, which goes every way: leave one of them out \
             (--explore takes --deep, --bounds, --bug, --threads, --json)",
        ),
        (
            "simulate --explore all --nodes 5",
            "--nodes says nothing to --explore, which goes every way: leave one of them out \
             (--explore takes --deep, --bounds, --bug, --threads, --json)",
        ),
        (
            "simulate --explore all --bounds depth",
            "--bounds has 'depth', but takes names with numbers, such as depth=8,crashes=2",
        ),
        (
            "simulate --explore all --bounds depht=3",
            "unknown bound 'depht': did you mean 'depth'? \
             (known: depth, crashes, partitions, timeouts, writes)",
        ),
        ("simulate --deep", "--deep says how far to explore: name a scenario with --explore"),
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
