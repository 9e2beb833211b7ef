//! What each rule of the engine is worth: configurations visited with the rule switched off.
//!
//! `cargo run --release -p checker --example ablation -- FILE...` for files of one register (any known
//! format). `--depth`, `--breadth` use one strategy; `--all` only measures with every rule on.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use checker::engine::{Answer, Limits, Memory, Rules, Strategy, search_by, verify_witness};
use checker::history::Call;
use checker::model::{RegAction, RegMachine};
use checker::{LinOp, Outcome};

const SECONDS: u64 = 20;

fn main() {
    let (flags, files): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|a| a.starts_with("--"));
    let has = |flag: &str| flags.iter().any(|f| f == flag);
    let strategy = match (has("--depth"), has("--breadth")) {
        (true, false) => Strategy::Depth,
        (false, true) => Strategy::Breadth,
        _ => Strategy::Race,
    };
    let all = Rules::ALL;
    let mut variants = vec![("all rules", all)];
    if !has("--all") {
        variants.extend([
            ("no eager reads", Rules { eager: false, ..all }),
            ("no gap", Rules { gap: false, ..all }),
            ("no dominance", Rules { dominance: false, ..all }),
            ("no symmetry", Rules { symmetry: false, ..all }),
            ("no supply", Rules { supply: false, ..all }),
            ("no lazy crashes", Rules { lazy: false, ..all }),
            ("no order", Rules { order: false, ..all }),
            ("none", Rules::NONE),
        ]);
    }
    for file in files {
        let keys = match read(Path::new(&file)) {
            Ok(keys) => keys,
            Err(error) => {
                println!("{file}: {error}");
                continue;
            }
        };
        for &(name, rules) in &variants {
            println!("{file} {name}: {}", measure(&keys, strategy, rules));
        }
    }
}

/// The fastest of a few runs, if they are short.
fn measure(keys: &[Vec<LinOp<RegAction>>], strategy: Strategy, rules: Rules) -> String {
    let runs = (0..20).map(|_| measure_once(keys, strategy, rules));
    let mut best = (f64::INFINITY, String::new());
    for (ms, text) in runs {
        let long = ms > 5.0;
        if ms < best.0 {
            best = (ms, text);
        }
        if long {
            break;
        }
    }
    format!("{}, {:.3} ms", best.1, best.0)
}

fn measure_once(keys: &[Vec<LinOp<RegAction>>], strategy: Strategy, rules: Rules) -> (f64, String) {
    let memory = Memory::new(4 << 30);
    let start = Instant::now();
    let deadline = Some(start + Duration::from_secs(SECONDS));
    let limits = Limits { deadline, max_configs: u64::MAX, memory: &memory };
    let (mut verdict, mut visited) = ("valid".to_owned(), 0);
    for ops in keys {
        let (answer, configs) = search_by(&mut RegMachine, ops, &limits, strategy, rules);
        visited += configs;
        match answer {
            Answer::Valid { witness } => {
                if let Err(error) = verify_witness(&mut RegMachine, ops, &witness) {
                    verdict = format!("WRONG WITNESS {error}");
                }
            }
            Answer::Invalid { .. } => "invalid".clone_into(&mut verdict),
            Answer::Unknown { reason } => verdict = format!("unknown ({reason})"),
        }
    }
    (start.elapsed().as_secs_f64() * 1000.0, format!("{verdict}, {visited} configurations"))
}

/// The operations of each key.
fn read(file: &Path) -> Result<Vec<Vec<LinOp<RegAction>>>, checker::CheckError> {
    let (_, history) = checker::formats::load(file)?;
    let mut problems: BTreeMap<&str, Vec<LinOp<RegAction>>> = BTreeMap::new();
    for call in history.calls() {
        let Some(action) = action(call) else { continue };
        let op = LinOp { call: call.call(), ret: call.ret(), action };
        problems.entry(call.key().unwrap_or_default()).or_default().push(op);
    }
    Ok(problems.into_values().collect())
}

fn action(call: Call<'_>) -> Option<RegAction> {
    let pair = || call.history().values.as_pair(call.input());
    match (call.f(), call.outcome()) {
        ("read", Outcome::Ok) => Some(RegAction::Read(call.output().unwrap_or_default().id())),
        ("write", _) => Some(RegAction::Write(call.input().id())),
        ("cas", Outcome::Mismatch) => pair().map(|(old, _)| RegAction::NotEqual(old.id())),
        ("cas", _) => pair().map(|(old, new)| RegAction::Cas(old.id(), new.id())),
        _ => None,
    }
}
