//! Judges a stored run again: its history anew, and what only its traces could tell as it was recorded.

use super::{Found, cut_off};
use crate::exit::UsageError;
use crate::report::NamedVerdict;
use crate::run::{ENDED, OfHistory, judge_history, read_history};
use crate::store::{Outcome, RunDir};
use checker::Verdict;

/// Judges the run.
///
/// # Errors
/// When it holds no history that could be judged.
pub(super) fn judge(dir: &RunDir) -> anyhow::Result<Found> {
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
        return Err(UsageError(format!("'{}' holds no history: {why}", dir.path().display())).into());
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
        decided: None,
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
