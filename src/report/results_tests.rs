//! A small run from traces to report: the text against a checked-in one, the JSON for what it must hold.
//!
//! `REWRITE=1 cargo test -p zabchaos report` writes the expected texts anew.

use super::*;
use crate::election::script::{Script, n, ns, zxid};
use crate::election::{fencing, observe};
use crate::nemesis::PlannedFault;
use checker::history::OpType;
use checker::{Class, CoreOp};
use std::env;
use std::fs;

/// Three nodes; the leader is paused and replaced; one fault is skipped.
pub(in crate::report) fn script() -> Script {
    let mut script = Script::new(3);
    script.start(1, 3);
    script.pause(1, "leader", &[3], 1_000_000, 3_000_000);
    script.at(2_000_000).looking(1).looking(2);
    script.elect(2_000_000, 2, 2, &[1]);
    script.at(3_012_500).stepped_down(3, 1, true);
    script.at(3_020_000).event(3, "learner.newleader_acked", &[("epoch", 2)]);
    script.fenced(2, "FOLLOWERINFO", 3, 1, 2);
    for n in 0..8_u64 {
        let at = 20_000 + n * 100_000;
        let counter = u32::try_from(n).unwrap() + 1;
        script.op(1, "write", 1, at, Some((at + 2_000, OpType::Ok, Ok(zxid(1, counter)))));
        script.op(2, "read", 2, at + 500, Some((at + 3_500, OpType::Ok, Ok(zxid(1, counter)))));
    }
    let timed_out = Err("no answer: timed out after 1000 ms");
    script.op(1, "cas", 3, 2_010_000, Some((3_010_000, OpType::Info, timed_out)));
    script.op(2, "write", 1, 2_009_000, Some((2_013_000, OpType::Ok, Ok(zxid(2, 1)))));
    script.op(
        2,
        "read",
        3,
        3_002_000,
        Some((3_013_000, OpType::Fail, Err("no answer: the server closed the connection"))),
    );
    script.op(2, "read", 1, 3_900_000, Some((3_901_000, OpType::Ok, Ok(zxid(2, 1)))));
    script.kill(2, "one", &[1], 3_100_000, 3_200_000);
    let skipped = script.faults.pop().unwrap();
    script.faults.push(FaultRecord {
        planned: PlannedFault { id: 2, ..skipped.planned },
        outcome: FaultOutcome::Skipped { why: "every target is down".to_owned() },
        injected_ns: None,
        installed_ns: None,
        healing_ns: None,
        healed_ns: None,
        evidence: Vec::new(),
        leader_at_injection: None,
    });
    script
}

/// Results of a script, with these further verdicts.
pub(in crate::report) fn results(script: &Script, verdicts: Vec<NamedVerdict>) -> Results {
    let (traces, mut history) = (script.traces(), script.history());
    for process in 0..3 {
        let read = |at_us, op_type| Op {
            final_read: true,
            ..Op::new(0, ns(at_us), checker::history::Process::Client(process), op_type, "read")
        };
        history.extend([read(4_100_000, OpType::Invoke), read(4_101_250, OpType::Ok)]);
    }
    let fencing = fencing(&traces, &script.faults, &history);
    let mut all = verdicts;
    all.push(NamedVerdict::new("fencing", fencing.verdict()));
    build(Input {
        plan: &crate::plan::tests::plan(),
        folder: Path::new("results/20260102T030405Z-register-pause"),
        timings: Timings {
            serving_ns: ns(900_000),
            load_from_ns: 0,
            load_until_ns: ns(4_000_000),
            check_ns: ns(120_000),
            total_ns: ns(5_500_000),
        },
        history: &history,
        faults: &script.faults,
        elections: observe(&traces, &script.faults, &history),
        fencing,
        verdicts: all,
        counterexamples: Vec::new(),
        unexpected_exits: Vec::new(),
        simulated: None,
    })
}

/// Compares with the file of that name in `testdata`, or writes it.
fn expect_text(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/testdata").join(name);
    if env::var_os("REWRITE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} differs (REWRITE=1 accepts):\n{text}");
}

fn stale_read() -> Counterexample {
    let op = |index: u64, f: &str, value: serde_json::Value| CoreOp {
        index_invoke: index,
        index_complete: Some(index + 1),
        process: 1,
        node: Some("n3".to_owned()),
        f: f.to_owned(),
        value,
        outcome: "ok".to_owned(),
        start_ms: Some(1.0),
        end_ms: Some(2.5),
        zxid: Some("0x100000007".to_owned()),
    };
    Counterexample {
        key: "r1".to_owned(),
        class: Class::StaleRead,
        why: "write 1 (#0) returned at 1807.326 ms before the read (#2) was called at 2192.117 ms; yet that \
              read returned nil, which the write of 1 had overwritten, and no later write brought it back"
            .to_owned(),
        ops: vec![op(0, "write", serde_json::json!(1)), op(2, "read", serde_json::Value::Null)],
        ops_left_out: 0,
        first_bad_index: 3,
        minimal: true,
        faults: vec!["pause n1 (from 1000.000 ms to 2000.000 ms)".to_owned()],
        core: vec![0, 1],
    }
}

fn valid() -> Vec<NamedVerdict> {
    vec![NamedVerdict::new("linearizable", Verdict::Valid), NamedVerdict::new("vacuity", Verdict::Valid)]
}

#[test]
fn a_valid_run_as_text() {
    let results = results(&script(), valid());
    assert!(results.verdict.is_valid());
    let files = results.files().unwrap();
    let (name, text) = &files[0];
    assert_eq!(name, "report.txt");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "at most 100 columns:\n{text}");
    assert!(!text.contains('\u{1b}'), "no colours in files");
    expect_text("valid.txt", text);
}

#[test]
fn an_invalid_run_says_why_and_how_to_see_it_again() {
    let mut script = script();
    script.op(9, "write", 3, 3_005_000, Some((3_006_000, OpType::Ok, Ok(zxid(1, 99)))));
    let broken = Verdict::Invalid(stale_read().sentence());
    let mut results = results(&script, vec![NamedVerdict::new("linearizable", broken)]);
    results.counterexamples.push(stale_read());
    results.unexpected_exits.push(UnexpectedExit {
        node: n(1),
        at_ns: ns(3_500_000),
        how: "exit status 1".to_owned(),
        last_log_lines: vec!["fsync failed: No space left on device".to_owned()],
    });
    assert!(results.verdict.is_invalid());
    let text = super::super::report(&results, Style { color: false });
    let (facts, commands) = text.split_once("\nagain\n").unwrap();
    assert!(facts.lines().all(|line| line.chars().count() <= 100), "at most 100 columns:\n{text}");
    assert_eq!(commands.lines().count(), 2, "commands are copied as lines:\n{commands}");
    for verdict in &results.verdicts {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = words(verdict.verdict.reason().unwrap());
        assert_eq!(words(facts).matches(&reason).count(), 1, "a reason is told in full once:\n{text}");
    }
    expect_text("invalid.txt", &text);
}

#[test]
fn a_long_plan_goes_on_in_the_next_line() {
    let bug = Some("commit-without-quorum".to_owned());
    let plan = Plan { bug, time_limit_ms: 1_500, nemesis_interval_ms: 12_000, ..crate::plan::tests::plan() };
    let header = super::super::text::header(&plan, Path::new("results/x"), Style { color: false });
    let mut lines = header.lines();
    assert_eq!(
        lines.next(),
        Some(
            "plan    5 nodes, register, partition,kill every 12,000 ms, 1.5 s of load by 10 clients at 1,000/s,"
        )
    );
    assert_eq!(lines.next(), Some("        planted bug commit-without-quorum"));
    assert_eq!(lines.next(), Some("seed    7"));
}

#[test]
fn colours_change_no_word() {
    let results = results(&script(), valid());
    let colored = super::super::report(&results, Style { color: true });
    assert!(colored.contains("\u{1b}[32mvalid\u{1b}[0m"));
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, super::super::report(&results, Style { color: false }));
}

#[test]
fn the_json_holds_everything() {
    let results = results(&script(), valid());
    let json = serde_json::to_value(&results).unwrap();
    assert_eq!(json["verdict"]["verdict"], "valid");
    assert_eq!(json["verdicts"][0], serde_json::json!({"name": "linearizable", "verdict": "valid"}));
    assert_eq!(json["plan"]["seed"], 7);
    assert_eq!(json["faults"][0]["fault"], serde_json::Value::Null, "the action stands under `action`");
    assert_eq!(json["faults"][0]["action"]["fault"], "pause");
    assert_eq!(json["faults"][1]["outcome"], "skipped");
    assert_eq!(
        json["elections"][1]["cause"],
        serde_json::json!({"kind": "fault", "id": 1, "text": "pause n3 (leader)"})
    );
    assert_eq!(json["elections"][1]["durations"]["total_ns"], 1_013_000_000);
    assert_eq!(json["phases"][4]["phase"], "total");
    assert_eq!(json["fencing"]["epochs"][0]["zombie_ns"], 12_500_000);
    assert_eq!(json["fencing"]["epochs"][0]["requests"], serde_json::json!({"cut": 1, "timed-out": 1}));
    assert_eq!(json["operations"][3]["f"], "all");
    assert_eq!(json["final_reads"]["f"], "final reads");
    assert_eq!(json["final_reads"]["ok"], 3);
    assert_eq!(
        json["throughput"]["longest_gap"],
        serde_json::json!({"from_ns": 2_013_000_000_u64, "length_ns": 1_888_000_000})
    );
    assert!(json["throughput"]["quiet_per_second"].is_f64());
    assert!(json["repeat"].as_str().unwrap().contains("--seed 7"));
    assert_eq!(json["replay"], "zabchaos replay results/20260102T030405Z-register-pause");
    assert_eq!(json["timings"]["check_ns"], 120_000_000);
}

#[test]
fn files_beside_the_results() {
    let files = results(&script(), valid()).files().unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "report.txt",
        "elections.json",
        "latency-cas.hgrm",
        "latency-read.hgrm",
        "latency-write.hgrm",
        "election-fault-to-detected.hgrm",
        "election-detected-to-elected.hgrm",
        "election-elected-to-established.hgrm",
        "election-established-to-first-ack.hgrm",
        "election-total.hgrm",
    ];
    assert_eq!(names, expected);
    let elections: ElectionsFile = serde_json::from_str(&files[1].1).unwrap();
    assert_eq!(elections.observation.elections.len(), 2);
    assert!(files[9].1.contains("Total count    =            1]"));
}

#[test]
fn the_worst_verdict_is_the_runs() {
    let unknown = NamedVerdict::new("vacuity", Verdict::Unknown("idle".to_owned()));
    let invalid = NamedVerdict::new("linearizable", Verdict::Invalid("stale read".to_owned()));
    assert_eq!(results(&script(), vec![unknown.clone()]).verdict.name(), "unknown");
    assert_eq!(results(&script(), vec![invalid, unknown]).verdict.name(), "invalid");
}
