//! `zabchaos check`: judges a recorded history again.

use crate::cli::CheckArgs;
use crate::exit::{Exit, UsageError};
use crate::output::{self, Style};
use crate::plan::unknown_name;
use crate::report::NamedVerdict;
use crate::run::{ENDED, OfHistory, judge_history, read_history};
use crate::store::{Outcome, RunDir};
use crate::verdicts::{final_reads_agree, real_time_order};
use checker::formats::Format;
use checker::{Counterexample, History, Model, Options, Verdict, check_file};
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
        (true, None | Some(Model::Register | Model::CasRegister)) => of_run(&RunDir::open(&args.path)?)?,
        (true, Some(Model::Kv)) => of_file(&RunDir::open(&args.path)?.history_path(), model)?,
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
    // A register whose history holds cas is judged with them, whichever of the two names was typed.
    let judged_by = if model == Some(Model::Register) { Some(Model::CasRegister) } else { model };
    let report = check_file(path, judged_by, &Options::default()).map_err(|error| {
        let sentence = error.to_string();
        match model {
            Some(Model::Register) => UsageError(sentence.replace("against cas-register", "against register")),
            Some(Model::CasRegister | Model::Kv) | None => UsageError(sentence),
        }
    })?;
    let mut verdicts = vec![NamedVerdict::new("linearizable", report.checked.verdict)];
    verdicts.extend(report.order.map(|order| NamedVerdict::new("zxid order", order.verdict)));
    if report.format == Format::Jsonl {
        verdicts.extend(of_own_history(path)?);
    }
    // What says nothing of zxids or final reads does not make the values doubtful.
    let worst = verdicts.iter().skip(1).filter(|one| one.verdict.is_invalid());
    let verdict = worst.fold(report.verdict, |worst, one| worst.merge(one.verdict.clone()));
    let counterexamples =
        report.checked.counterexample.into_iter().chain(report.checked.more_counterexamples);
    Ok(Found {
        verdict,
        verdicts,
        counterexamples: counterexamples.collect(),
        read: format!("{} lines of {}, as {}", report.lines, path.display(), model.unwrap_or(report.model)),
        notes: cut_off(report.truncated),
    })
}

/// What this tool's own histories allow besides.
fn of_own_history(path: &Path) -> Result<Vec<NamedVerdict>, UsageError> {
    let unusable = |error: checker::CheckError| UsageError(error.to_string());
    let (ops, _) = read_history(path).map_err(unusable)?;
    let history = History::from_ops(ops.clone()).map_err(unusable)?;
    let mut verdicts = Vec::new();
    if history.calls.iter().any(|call| call.zxid.is_some()) {
        verdicts.push(NamedVerdict::new("real-time order", real_time_order(&history)));
    }
    verdicts.extend(final_reads_agree(&ops).map(|verdict| NamedVerdict::new("final reads", verdict)));
    Ok(verdicts)
}

fn of_run(dir: &RunDir) -> Result<Found, UsageError> {
    let plan = dir.load_plan()?;
    let outcome = dir.outcome();
    let path = dir.history_path();
    if !path.exists() {
        let why = match outcome {
            Outcome::Failed(reason) => reason,
            Outcome::Judged { .. } | Outcome::Unfinished | Outcome::Corrupt(_) => {
                "that run ended before its load began".to_owned()
            }
        };
        return Err(UsageError(format!("'{}' holds no history: {why}", dir.path().display())));
    }
    let unusable = |error: checker::CheckError| UsageError(error.to_string());
    let (ops, truncated) = read_history(&path).map_err(unusable)?;
    let OfHistory { mut verdicts, counterexamples, .. } = judge_history(&plan, &ops).map_err(unusable)?;
    let again: Vec<String> = verdicts.iter().map(|one| one.name.clone()).collect();
    verdicts.extend(recorded(outcome, &again));
    let worst = verdicts.iter().map(|one| one.verdict.clone()).reduce(Verdict::merge);
    Ok(Found {
        verdict: worst.expect("a history gives several verdicts"),
        verdicts,
        counterexamples,
        read: format!("{} lines of {}, as {}", ops.len(), path.display(), plan.workload),
        notes: cut_off(truncated),
    })
}

/// What the history alone cannot tell was judged when the run ended, from the nodes' traces. A run that left
/// no such judgement is not valid.
fn recorded(outcome: Outcome, again: &[String]) -> Vec<NamedVerdict> {
    let unjudged = |reason: String| {
        let reason = format!("{reason}; faults and elections cannot be judged");
        vec![NamedVerdict::new(ENDED, Verdict::Unknown(reason))]
    };
    match outcome {
        Outcome::Judged { verdicts, .. } => {
            let missing = OF_THE_RUN.iter().find(|name| !verdicts.iter().any(|(other, _)| other == *name));
            if let Some(missing) = missing {
                return unjudged(format!("results.json holds no verdict on '{missing}'"));
            }
            let others = verdicts.into_iter().filter(|(name, _)| !again.contains(name));
            let named =
                others.map(|(name, verdict)| NamedVerdict::new(&format!("{name} (as recorded)"), verdict));
            named.collect()
        }
        Outcome::Failed(reason) => unjudged(format!("the run failed: {}", one_line(&reason))),
        Outcome::Unfinished => {
            unjudged("there is no results.json: the tool was killed, or the run still goes on".to_owned())
        }
        Outcome::Corrupt(reason) => unjudged(reason),
    }
}

/// The verdicts that need more than the history.
const OF_THE_RUN: [&str; 3] = ["fencing", "no node died by itself", "not vacuous"];

fn one_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches(':')
}

fn cut_off(truncated: bool) -> Vec<String> {
    truncated.then(|| "its last line is cut off and was left out".to_owned()).into_iter().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(verdicts: &[(&str, Verdict)]) -> Outcome {
        let verdicts = verdicts.iter().map(|(name, verdict)| ((*name).to_owned(), verdict.clone())).collect();
        Outcome::Judged { verdict: Verdict::Valid, verdicts }
    }

    #[test]
    fn what_was_never_judged_is_not_valid() {
        let outcomes = [
            (Outcome::Unfinished, "there is no results.json"),
            (Outcome::Failed("no port:\n  in use".into()), "the run failed: no port;"),
            (Outcome::Corrupt("'results.json' cannot be used".into()), "'results.json' cannot be used"),
            (
                judged(&[("fencing", Verdict::Valid)]),
                "results.json holds no verdict on 'no node died by itself'",
            ),
        ];
        for (outcome, begins) in outcomes {
            let verdicts = recorded(outcome, &[]);
            assert_eq!((verdicts.len(), verdicts[0].name.as_str()), (1, ENDED));
            let reason = verdicts[0].verdict.reason().unwrap();
            assert!(reason.starts_with(begins) && verdicts[0].verdict.name() == "unknown", "{reason}");
        }
    }

    #[test]
    fn what_was_judged_from_the_traces_stands() {
        let all: Vec<(&str, Verdict)> = ["linearizable", "fencing", "no node died by itself", "not vacuous"]
            .map(|name| (name, Verdict::Valid))
            .to_vec();
        let names: Vec<String> =
            recorded(judged(&all), &["linearizable".into()]).into_iter().map(|one| one.name).collect();
        assert_eq!(
            names,
            ["fencing (as recorded)", "no node died by itself (as recorded)", "not vacuous (as recorded)"]
        );
    }
}
