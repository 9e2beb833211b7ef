//! `zabchaos check`: judges recorded histories.

mod file;
mod run;

use crate::cli::CheckArgs;
use crate::exit::{Exit, UsageError};
use crate::output::{self, Style};
use crate::plan::{CheckPlan, parse_check};
use crate::report::NamedVerdict;
use crate::store::RunDir;
use checker::{Counterexample, Verdict};
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
    /// How it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<String>,
    /// What the reader should know besides.
    notes: Vec<String>,
}

/// Judges runs' folders and files; the worst verdict counts.
///
/// # Errors
/// When there is nothing that could be judged.
pub(crate) fn check(args: &CheckArgs, style: Style) -> anyhow::Result<Exit> {
    let plan = parse_check(args)?;
    let [path] = args.paths.as_slice() else { return check_all(args, &plan, style) };
    let found = judge(path, &plan)?;
    let text = if args.json { serde_json::to_string_pretty(&found)? + "\n" } else { render(&found, style) };
    output::print(&text)?;
    Ok(Exit::from(&found.verdict))
}

/// Several files: what cannot be read is told and does not keep the others from being judged.
fn check_all(args: &CheckArgs, plan: &CheckPlan, style: Style) -> anyhow::Result<Exit> {
    let (mut worst, mut all) = (Exit::Valid, Vec::new());
    for path in &args.paths {
        match judge(path, plan) {
            Ok(found) => {
                worst = worst.worst(Exit::from(&found.verdict));
                if args.json {
                    all.push(serde_json::json!({ "path": path.display().to_string(), "found": found }));
                } else {
                    output::print(&brief(path, &found, style))?;
                }
            }
            Err(error) => {
                worst = worst.worst(crate::exit::exit_of(&error));
                output::error(&format!("{error:#}"));
            }
        }
    }
    if args.json {
        output::print(&(serde_json::to_string_pretty(&all)? + "\n"))?;
    }
    Ok(worst)
}

fn judge(path: &Path, plan: &CheckPlan) -> anyhow::Result<Found> {
    if !path.exists() {
        let sentence = format!("no run at '{}': 'zabchaos list' shows the stored runs", path.display());
        return Err(UsageError(sentence).into());
    }
    if !path.is_dir() {
        return Ok(file::judge(path, plan)?);
    }
    let dir = RunDir::open(path)?;
    if plan.is_plain() { run::judge(&dir) } else { Ok(file::judge(&dir.history_path(), plan)?) }
}

fn cut_off(truncated: bool) -> Vec<String> {
    truncated.then(|| "its last line is cut off and was left out".to_owned()).into_iter().collect()
}

/// One line, and the first contradiction.
fn brief(path: &Path, found: &Found, style: Style) -> String {
    let reason = found.verdict.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{:<7}  {}{reason}\n", style.verdict(found.verdict.name()), path.display())
}

fn render(found: &Found, style: Style) -> String {
    let mut text = format!("{}\n", found.read);
    // What is explained below need not be said here too.
    let below: Vec<String> = found.counterexamples.iter().map(Counterexample::sentence).collect();
    let mut line = |name: &str, verdict: &Verdict| {
        let said = |reason: &str| below.iter().any(|sentence| sentence == reason);
        let reason = match verdict.reason() {
            Some(reason) if said(reason) => " (see below)".to_owned(),
            Some(reason) => format!(": {reason}"),
            None => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<38} {}{reason}", style.verdict(verdict.name()));
    };
    for one in &found.verdicts {
        line(&one.name, &one.verdict);
    }
    line("verdict", &found.verdict);
    for note in found.decided.iter().chain(&found.notes) {
        let _ = writeln!(text, "note: {note}");
    }
    for counterexample in &found.counterexamples {
        let _ = writeln!(text, "\n{counterexample}");
    }
    text
}
