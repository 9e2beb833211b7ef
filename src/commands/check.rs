//! `zabchaos check`: judges a recorded history again.

use crate::cli::CheckArgs;
use crate::exit::{Exit, UsageError};
use crate::output::{self, Style};
use crate::plan::unknown_name;
use crate::report::NamedVerdict;
use crate::run::{OfHistory, judge_history, read_history};
use crate::store::RunDir;
use checker::{Counterexample, Model, Options, Verdict, check_file};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// What was found, for people and for programs.
#[derive(Debug, Serialize)]
struct Found {
    /// The worst of the verdicts.
    #[serde(flatten)]
    verdict: Verdict,
    /// Every verdict.
    verdicts: Vec<NamedVerdict>,
    /// Why the history is not what it should be.
    counterexamples: Vec<Counterexample>,
    /// What was read.
    read: String,
    /// What the reader should know besides.
    notes: Vec<String>,
}

/// Judges a run's folder or a file.
///
/// # Errors
/// When there is nothing that could be judged.
pub(crate) fn check(args: &CheckArgs, style: Style) -> anyhow::Result<Exit> {
    let model = args.model.as_deref().map(model_named).transpose()?;
    if !args.path.exists() {
        return Err(UsageError(format!(
            "no run at '{}': 'zabchaos list' shows the stored runs",
            args.path.display()
        ))
        .into());
    }
    let found = match (args.path.is_dir(), model) {
        (true, None) => of_run(&RunDir::open(&args.path)?)?,
        (true, Some(_)) => of_file(&RunDir::open(&args.path)?.history_path(), model)?,
        (false, _) => of_file(&args.path, model)?,
    };
    let text = if args.json { serde_json::to_string_pretty(&found)? + "\n" } else { render(&found, style) };
    output::print(&text)?;
    Ok(Exit::from(&found.verdict))
}

fn model_named(name: &str) -> Result<Model, UsageError> {
    let known: Vec<&str> = Model::ALL.iter().map(|model| model.name()).collect();
    Model::from_name(name).ok_or_else(|| unknown_name("model", name, &known))
}

fn of_file(path: &Path, model: Option<Model>) -> Result<Found, UsageError> {
    let report =
        check_file(path, model, &Options::default()).map_err(|error| UsageError(error.to_string()))?;
    let mut verdicts = vec![NamedVerdict::new("linearizable", report.checked.verdict)];
    verdicts.extend(report.order.map(|order| NamedVerdict::new("zxid order", order.verdict)));
    let counterexamples =
        report.checked.counterexample.into_iter().chain(report.checked.more_counterexamples);
    Ok(Found {
        verdict: report.verdict,
        verdicts,
        counterexamples: counterexamples.collect(),
        read: format!("{} lines of {}, as {}", report.lines, path.display(), report.model),
        notes: cut_off(report.truncated),
    })
}

fn of_run(dir: &RunDir) -> Result<Found, UsageError> {
    let plan = dir.load_plan()?;
    let path = dir.history_path();
    let unusable = |error: checker::CheckError| UsageError(error.to_string());
    let (ops, truncated) = read_history(&path).map_err(unusable)?;
    let OfHistory { mut verdicts, counterexamples, .. } = judge_history(&plan, &ops).map_err(unusable)?;
    let mut notes = cut_off(truncated);
    match dir.load_verdicts() {
        Some(recorded) => {
            // What the history alone cannot tell was judged when the traces were read.
            let again: Vec<String> = verdicts.iter().map(|one| one.name.clone()).collect();
            let others = recorded.into_iter().filter(|(name, _)| !again.contains(name));
            verdicts.extend(
                others.map(|(name, verdict)| NamedVerdict::new(&format!("{name} (as recorded)"), verdict)),
            );
        }
        None => notes.push("the run did not come to its end: faults and elections were not judged".into()),
    }
    let worst = verdicts.iter().map(|one| one.verdict.clone()).reduce(Verdict::merge);
    Ok(Found {
        verdict: worst.expect("a history gives several verdicts"),
        verdicts,
        counterexamples,
        read: format!("{} lines of {}, as {}", ops.len(), path.display(), plan.workload),
        notes,
    })
}

fn cut_off(truncated: bool) -> Vec<String> {
    let note = "the last line is cut off and was left out: the tool was killed while writing it";
    truncated.then(|| note.to_owned()).into_iter().collect()
}

fn render(found: &Found, style: Style) -> String {
    let mut text = format!("{}\n", found.read);
    let mut line = |name: &str, verdict: &Verdict| {
        let reason = verdict.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<38} {}{reason}", style.verdict(verdict.name()));
    };
    for one in &found.verdicts {
        line(&one.name, &one.verdict);
    }
    line("verdict", &found.verdict);
    for note in &found.notes {
        let _ = writeln!(text, "note: {note}");
    }
    for counterexample in &found.counterexamples {
        let _ = writeln!(text, "\n{counterexample}");
    }
    text
}
