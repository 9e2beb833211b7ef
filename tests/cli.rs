//! The command line from outside: help, and one clear sentence with exit status 254 for each kind of bad
//! input. Starts no cluster.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn zabchaos(words: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zabchaos"))
        .args(words)
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("the tool is built and starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the tool prints UTF-8")
}

/// The words are refused with exactly this sentence, nothing on stdout, and nothing left behind.
#[track_caller]
fn refused(words: &str, sentence: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let words: Vec<&str> = words.split_whitespace().collect();
    let output = zabchaos(&words, folder.path());
    assert_eq!(text(&output.stderr), format!("error: {sentence}\n"), "{words:?}");
    assert_eq!(output.status.code(), Some(254), "{words:?}");
    assert_eq!(text(&output.stdout), "", "{words:?}");
    assert_eq!(
        fs::read_dir(folder.path()).expect("it was just made").count(),
        0,
        "{words:?} left something behind"
    );
}

#[test]
fn names_nobody_knows_come_with_the_nearest() {
    refused(
        "test --nemesis partitoin",
        "unknown nemesis 'partitoin': did you mean 'partition'? (known: none, partition, pause, kill)",
    );
    refused(
        "test --nemesis earthquake",
        "unknown nemesis 'earthquake' (known: none, partition, pause, kill)",
    );
    refused(
        "test --workload registre",
        "unknown workload 'registre': did you mean 'register'? (known: register)",
    );
    refused(
        "test --nemesis kill --targets leadr",
        "unknown target 'leadr': did you mean 'leader'? \
         (known: one, minority, majority, leader, followers, all, n1, n2, n3, n4, n5)",
    );
    refused(
        "test --nemesis partition --partition brige",
        "unknown partition shape 'brige': did you mean 'bridge'? \
         (known: one, halves, majority-minority, leader-alone, majorities-ring, bridge, one-way)",
    );
    refused(
        "test --bug local-snc",
        "unknown bug 'local-snc': did you mean 'local-sync'? (known: commit-without-quorum, skip-epoch-check, \
         elect-any, skip-truncate, local-sync, forget-accepted-epoch, double-apply)",
    );
    refused("test --nods 5", "unexpected argument '--nods' found: did you mean '--nodes'?");
    refused("tset", "unrecognized subcommand 'tset': did you mean 'test'?");
}

#[test]
fn numbers_and_durations_say_what_they_take() {
    refused("test --nodes five", "--nodes is 'five', but takes a whole number from 1 to 15");
    refused("test --nodes -1", "--nodes is '-1', but takes a whole number from 1 to 15");
    refused(
        "test --time-limit 99999999999999999999s",
        "--time-limit is '99999999999999999999s', but takes a duration from 100ms to 86400s",
    );
    refused("test --nodes 0", "--nodes is '0', but takes a whole number from 1 to 15");
    refused(
        "test --time-limit 30",
        "--time-limit is '30', but takes a duration with a unit, such as 500ms, 30s or 2m",
    );
    refused("test --seed 1.5", "--seed is '1.5', but takes a whole number from 0 to 18446744073709551615");
    refused(
        "test --concurrency many",
        "--concurrency is 'many', but takes a number of clients such as 10, or 2n for two a node, up to 1000",
    );
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    refused(
        "test --nemesis kill --targets n9",
        "--targets names n9, but with --nodes 5 the nodes are n1 to n5",
    );
    refused(
        "test --nemesis kill --targets n0",
        "--targets names n0, but with --nodes 5 the nodes are n1 to n5",
    );
    refused(
        "test --nemesis partition --targets majority",
        "--targets majority has no effect on partitions, which are drawn around single nodes or a minority: \
         name another target, or add --nemesis pause or kill",
    );
    refused(
        "test --nemesis partition --targets leader --partition bridge",
        "--targets has no effect on the partitions bridge, which know no target: leave it out, \
         or add another shape or --nemesis pause or kill",
    );
    refused(
        "test --targets leader",
        "--targets needs faults, but --nemesis is none: add --nemesis partition, pause or kill",
    );
    refused(
        "test --nemesis kill --partition bridge",
        "--partition needs --nemesis partition, which is not among the families asked for",
    );
}

#[test]
fn runs_and_files_that_are_not_there() {
    refused("check results/gone", "no run at 'results/gone': 'zabchaos list' shows the stored runs");
    refused("replay gone", "no run at 'gone': 'zabchaos list' shows the stored runs");
    refused("list", "no results at 'results': run 'zabchaos test' first");
    refused("check", "the following required arguments were not provided: <RUN|FILE>... (see --help)");
}

#[test]
fn a_folder_that_is_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = zabchaos(&["check", "."], folder.path());
    assert_eq!(output.status.code(), Some(254));
    assert_eq!(
        text(&output.stderr),
        "error: '.' is no run's folder: it holds no plan.json ('zabchaos list' shows the stored runs)\n"
    );
}

#[test]
fn help_is_a_page_and_success() {
    let folder = tempfile::tempdir().unwrap();
    let output = zabchaos(&["test", "--help"], folder.path());
    assert_eq!(output.status.code(), Some(0));
    let page = text(&output.stdout);
    for part in [
        "Cluster:",
        "Load:",
        "Faults:",
        "Run:",
        "Examples:",
        "Exit status:",
        "254  usage",
        "[default: 30s]",
        "  majorities-ring    every node sees a majority",
        "  followers  all but the leader",
        "  local-sync             sync is answered without asking a quorum",
        "three a node",
    ] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    for option in [
        "--nodes",
        "--workload",
        "--nemesis",
        "--nemesis-interval",
        "--targets",
        "--partition",
        "--time-limit",
        "--rate",
        "--concurrency",
        "--keys",
        "--ops-per-key",
        "--op-timeout",
        "--seed",
        "--test-count",
        "--tick-time",
        "--init-limit",
        "--sync-limit",
        "--snap-count",
        "--base-port",
        "--results",
        "--json",
        "--bug",
        "--no-color",
    ] {
        assert!(
            page.contains(&format!("{option} ")) || page.contains(&format!("{option}\n")),
            "{option} in:\n{page}"
        );
    }
    assert!(!page.contains('\u{1b}'), "no colours into a pipe");
    for command in ["check", "replay", "list", "node"] {
        assert_eq!(zabchaos(&[command, "--help"], folder.path()).status.code(), Some(0), "{command} --help");
        assert_eq!(zabchaos(&["help", command], folder.path()).status.code(), Some(0), "help {command}");
    }
    assert_eq!(zabchaos(&["--version"], folder.path()).status.code(), Some(0));
}

#[test]
fn nothing_asked_shows_help_and_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let output = zabchaos(&[], folder.path());
    assert_eq!(output.status.code(), Some(254));
    assert!(text(&output.stderr).contains("Usage: zabchaos"), "{}", text(&output.stderr));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_zabchaos"))
        .args(["test", "--help"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

const GOOD: &str = r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"write","key":"r1","value":1}
{"index":1,"time":2,"process":0,"type":"ok","f":"write","key":"r1","value":1}
{"index":2,"time":3,"process":0,"type":"invoke","f":"read","key":"r1","value":null}
{"index":3,"time":4,"process":0,"type":"ok","f":"read","key":"r1","value":1}
"#;

fn check(history: &str, words: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("history.jsonl"), history).expect("it was just made");
    let words = [&["check", "history.jsonl"], words].concat();
    let output = zabchaos(&words, folder.path());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_history_file_is_judged() {
    let (status, out, err) = check(GOOD, &[]);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("valid"), "{out}");
    let stale = GOOD.replace(
        r#""type":"ok","f":"read","key":"r1","value":1"#,
        r#""type":"ok","f":"read","key":"r1","value":null"#,
    );
    let (status, out, err) = check(&stale, &[]);
    assert_eq!((status, err.as_str()), (Some(1), ""), "{out}");
    assert!(out.contains("invalid") && out.contains("r1"), "{out}");
}

#[test]
fn a_verdict_as_json() {
    let (status, out, _) = check(GOOD, &["--json"]);
    assert_eq!(status, Some(0));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["verdict"], "valid", "{out}");
}

#[test]
fn a_corrupt_line_is_named_and_a_cut_off_one_forgiven() {
    let corrupt = GOOD.replacen(r#""type":"ok""#, r#""type":"maybe""#, 1);
    let (status, out, err) = check(&corrupt, &[]);
    assert_eq!((status, out.as_str()), (Some(254), ""));
    assert!(
        err.starts_with("error: history.jsonl line 2: not a history line: unknown variant `maybe`"),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1, "{err}");
    let (status, out, err) = check(&GOOD[..GOOD.len() - 30], &[]);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("cut off"), "{out}");
}

/// A run that was cut off is judged as far as it goes, and never valid.
#[test]
fn a_run_without_usable_results_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("results/one");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("plan.json"), PLAN).unwrap();
    let refusal = |words: &[&str]| {
        let output = zabchaos(words, folder.path());
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(254), ""), "{words:?}");
        text(&output.stderr)
    };
    let err = refusal(&["check", "results/one"]);
    assert!(err.ends_with("holds no history: that run ended before its load began\n"), "{err}");
    let err = refusal(&["replay", "results/one"]);
    assert!(
        err.contains("that run ended before any fault was drawn; begin it anew with: zabchaos test "),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1, "{err}");

    fs::write(run.join("history.jsonl"), FINAL).unwrap();
    let check = |words: &[&str]| {
        let output = zabchaos(&[&["check"], words].concat(), folder.path());
        (output.status.code(), text(&output.stdout))
    };
    let (status, out) = check(&["results/one"]);
    assert_eq!(status, Some(2), "{out}");
    assert!(
        out.contains("unknown: there is no results.json: the tool was killed, or the run still goes on"),
        "{out}"
    );
    fs::write(run.join("results.json"), "{\"verdict\"").unwrap();
    let (status, out) = check(&["results/one"]);
    assert_eq!(status, Some(2), "{out}");
    assert!(out.contains("results.json' cannot be used: EOF"), "{out}");
    let (status, out) = check(&["results/one", "--model", "register"]);
    assert_eq!(status, Some(2), "it is still the same run:\n{out}");

    let (status, out) = check(&["results/one/history.jsonl", "--model", "register"]);
    assert_eq!(status, Some(0), "{out}");
    for name in ["linearizable", "zxid order", "real-time order", "final reads"] {
        assert!(out.contains(name), "{name} needs only the history:\n{out}");
    }
    let list = text(&zabchaos(&["list"], folder.path()).stdout);
    assert!(list.contains(" corrupt "), "{list}");
    assert!(list.lines().all(|line| line.trim_end() == line), "no trailing blanks:\n{list}");
    let json = zabchaos(&["list", "--json"], folder.path()).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json[0]["nodes"], 2, "{json}");
    assert!(json[0]["bug"].is_null() && json[0]["verdict"].is_null(), "{json}");
}

const PLAN: &str = r#"{"nodes":2,"workload":"register","nemesis":["kill"],"nemesis_interval_ms":3000,"targets":[],
"partitions":[],"time_limit_ms":30000,"rate":1000,"concurrency":10,"keys":10,"ops_per_key":200,"op_timeout_ms":5000,
"seed":7,"tick_ms":200,"init_limit":10,"sync_limit":5,"snap_count":10000,"base_port":null,"bug":null,
"results":"results"}"#;

const FINAL: &str = r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"cas","key":"r1","value":[null,1],"node":"n1"}
{"index":1,"time":2,"process":0,"type":"ok","f":"cas","key":"r1","value":[null,1],"node":"n1","zxid":"0x100000001"}
{"index":2,"time":3,"process":0,"type":"invoke","f":"read","key":"r1","value":null,"node":"n1","final":true}
{"index":3,"time":4,"process":0,"type":"ok","f":"read","key":"r1","value":1,"node":"n1","zxid":"0x100000001","final":true}
{"index":4,"time":5,"process":1,"type":"invoke","f":"read","key":"r1","value":null,"node":"n2","final":true}
{"index":5,"time":6,"process":1,"type":"ok","f":"read","key":"r1","value":1,"node":"n2","zxid":"0x100000001","final":true}
"#;

#[test]
fn models_have_names_too() {
    let (status, _, err) = check(GOOD, &["--model", "regster"]);
    assert_eq!(status, Some(254));
    assert!(err.starts_with("error: unknown model 'regster': did you mean 'register'? (known: "), "{err}");
}

/// Where the checker's corpus is.
fn corpus(file: &str) -> String {
    format!("{}/checker/testdata/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_verdict_comes_with_a_proof_that_is_accepted_and_cannot_be_borrowed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (bad, good) =
        (corpus("invalid/register-stale-read.jsonl"), corpus("valid/register-failed-write-never-seen.jsonl"));
    for (file, status, verdict) in [(&bad, 1, "invalid"), (&good, 0, "valid")] {
        let checked = zabchaos(&["check", file, "--certificate", "proof.json"], folder.path());
        assert_eq!(checked.status.code(), Some(status), "{}", text(&checked.stdout));
        let verified = zabchaos(&["verify-certificate", file, "proof.json"], folder.path());
        assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stdout));
        assert!(text(&verified.stdout).starts_with(&format!("proven: {verdict}; ")));
    }
    // What was proven of one history proves nothing of another.
    let refused = zabchaos(&["verify-certificate", &bad, "proof.json"], folder.path());
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).starts_with("refused: "), "{}", text(&refused.stdout));
}

#[test]
fn several_files_are_judged_and_the_worst_counts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files =
        [corpus("valid/elle-appends.edn"), corpus("invalid/lock-double-grant.jsonl"), corpus("none.edn")];
    let output = zabchaos(&["check", &files[0], &files[1], &files[2]], folder.path());
    let lines = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{lines}");
    let mut words = lines.lines().map(|line| line.split_whitespace().next());
    assert_eq!(
        [words.next(), words.next(), words.next()],
        [Some(Some("valid")), Some(Some("invalid")), None]
    );
    assert!(lines.contains("double grant on key k: "), "{lines}");
    assert!(text(&output.stderr).contains("no run at "), "{}", text(&output.stderr));
}

#[test]
fn a_history_comes_back_from_every_format_that_holds_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let original = corpus("invalid/list-lost-append.jsonl");
    for format in ["columns", "edn", "jsonl"] {
        let there = format!("there.{format}");
        let back = format!("back-from-{format}.jsonl");
        for (from, to) in [(original.as_str(), there.as_str()), (there.as_str(), back.as_str())] {
            let output = zabchaos(&["convert", from, to], folder.path());
            assert_eq!(output.status.code(), Some(0), "{format}: {}", text(&output.stderr));
        }
        let same = fs::read(folder.path().join(&back)).expect("it was written");
        assert_eq!(same, fs::read(&original).expect("the corpus is there"), "{format}");
    }
    let again = zabchaos(&["convert", &original, "there.edn"], folder.path());
    assert_eq!(again.status.code(), Some(254));
    assert!(text(&again.stderr).contains("exists: name another file, or add --force"));
    let unnamed = zabchaos(&["convert", &original, "there.txt"], folder.path());
    assert!(text(&unnamed.stderr).contains("names no format: add --to with one of jsonl, columns"));
    assert!(!folder.path().join("there.txt").exists());
}

#[test]
fn bad_words_of_check_say_what_would_do() {
    refused(
        "check x --model regster",
        "unknown model 'regster': did you mean 'register'? (known: register, cas-register, kv, counter, list, set, \
         element-set, queue, lock)",
    );
    refused(
        "check x --promise linn",
        "unknown promise 'linn': did you mean 'lin'? (known: lin, sync-lin, osc, session)",
    );
    refused(
        "check x --format ednn",
        "unknown format 'ednn': did you mean 'edn'? (known: jsonl, columns, jepsen-log, edn, elle, tsv)",
    );
    refused("check x --method magic", "unknown method 'magic' (known: auto, stamps, monitor, engine)");
    refused(
        "check x --memory 3",
        "--memory is '3', but takes a size from 1MiB to 1024GiB, such as 512MiB or 2GiB",
    );
    refused("check x y --certificate c.json", "--certificate is for one history: check the files one by one");
    refused("check none.edn", "no run at 'none.edn': 'zabchaos list' shows the stored runs");
    refused("convert none.edn to.jsonl", "no run and no file at 'none.edn'");
    refused("verify-certificate none.edn c.json", "no run and no file at 'none.edn'");
}
