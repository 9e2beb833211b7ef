//! `zabchaos list`: the stored runs and what became of them.

use crate::cli::ListArgs;
use crate::exit::Exit;
use crate::output::{self, Style};
use crate::run::ENDED;
use crate::store::{Outcome, Store, StoredRun};
use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::style::HorizontalLine;
use tabled::settings::{Alignment, Padding, Style as TableStyle};

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Row {
    /// The run folder's name.
    run: String,
    /// `judged`, `interrupted` (judged as far as it came), `failed`, `unfinished` (the tool was killed, or the
    /// run goes on), or `corrupt`.
    state: &'static str,
    /// valid, unknown or invalid.
    verdict: Option<String>,
    nodes: Option<u16>,
    workload: Option<String>,
    /// The families; empty for none.
    nemesis: Option<Vec<String>>,
    bug: Option<String>,
    seed: Option<u64>,
    /// Its nodes were no processes.
    simulated: Option<bool>,
}

impl From<StoredRun> for Row {
    fn from(run: StoredRun) -> Self {
        let cut_short =
            |(name, verdict): &(String, checker::Verdict)| name.as_str() == ENDED && !verdict.is_valid();
        let (state, verdict) = match &run.outcome {
            Outcome::Judged { verdict, verdicts } if verdicts.iter().any(cut_short) => {
                ("interrupted", Some(verdict.name().to_owned()))
            }
            Outcome::Judged { verdict, .. } => ("judged", Some(verdict.name().to_owned())),
            Outcome::Failed(_) => ("failed", None),
            Outcome::Unfinished => ("unfinished", None),
            Outcome::Corrupt(_) => ("corrupt", None),
        };
        let plan = run.plan.as_ref();
        Self {
            run: run.dir.name(),
            state,
            verdict,
            nodes: plan.map(|plan| plan.nodes),
            workload: plan.map(|plan| plan.workload.clone()),
            nemesis: plan.map(|plan| plan.nemesis.iter().map(ToString::to_string).collect()),
            bug: plan.and_then(|plan| plan.bug.clone()),
            seed: plan.map(|plan| plan.seed),
            simulated: plan.map(|plan| plan.simulated),
        }
    }
}

impl Row {
    /// The verdict, or what kept the run from one. Half a run's *unknown* says less than why it is half.
    fn outcome(&self) -> &str {
        match self.verdict.as_deref() {
            Some(verdict) if self.state == "judged" || verdict == "invalid" => verdict,
            Some(_) | None => self.state,
        }
    }

    fn cells(&self) -> [String; 7] {
        let none = || "-".to_owned();
        let nemesis = self.nemesis.as_ref().map_or_else(none, |families| match families.as_slice() {
            [] => "none".to_owned(),
            families => families.join(","),
        });
        [
            self.run.clone(),
            self.outcome().to_owned(),
            self.nodes.map_or_else(none, |nodes| nodes.to_string()),
            self.workload.clone().unwrap_or_else(none),
            nemesis,
            self.bug.clone().unwrap_or_else(none),
            self.seed.map_or_else(none, |seed| seed.to_string()),
        ]
    }
}

/// Lists the runs, oldest first.
///
/// # Errors
/// When there is no such folder, or stdout cannot be written.
pub(crate) fn list(args: &ListArgs, style: Style) -> anyhow::Result<Exit> {
    let rows: Vec<Row> = Store::new(&args.results).list()?.into_iter().map(Row::from).collect();
    let text = if args.json {
        serde_json::to_string_pretty(&rows)? + "\n"
    } else if rows.is_empty() {
        format!("no runs in {}: 'zabchaos test' makes one\n", args.results.display())
    } else {
        render(&rows, style)
    };
    output::print(&text)?;
    Ok(Exit::Valid)
}

/// A table like those of the report.
fn render(rows: &[Row], style: Style) -> String {
    let mut table = Builder::default();
    table.push_record(["run", "verdict", "nodes", "workload", "nemesis", "bug", "seed"]);
    for row in rows {
        table.push_record(row.cells());
    }
    let mut table = table.build();
    table.with(TableStyle::empty().horizontals([(1, HorizontalLine::new('─'))]));
    table.with(Padding::new(0, 2, 0, 0));
    for numbers in [2, 6] {
        table.modify(Columns::one(numbers), Alignment::right());
    }
    let text = table.to_string();
    let mut lines = text.lines().map(str::trim_end);
    let mut text: String = lines.by_ref().take(2).flat_map(|line| [line, "\n"]).collect();
    for (line, row) in lines.zip(rows) {
        // Coloured here, because a table would count colours as width.
        let verdict = row.outcome();
        let colored = format!(" {} ", style.verdict(verdict));
        text.push_str(&line.replacen(&format!(" {verdict} "), &colored, 1));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &'static str, verdict: Option<&str>) -> Row {
        Row {
            run: "20260101T000000Z-register-none".into(),
            state,
            verdict: verdict.map(str::to_owned),
            nodes: Some(5),
            workload: Some("register".into()),
            nemesis: Some(Vec::new()),
            bug: None,
            seed: Some(7),
            simulated: Some(false),
        }
    }

    #[test]
    fn a_run_without_verdict_says_why() {
        let unknown = Row { nodes: None, seed: None, ..row("corrupt", None) };
        let rows = [row("judged", Some("valid")), row("interrupted", Some("unknown")), unknown];
        let text = render(&rows, Style { color: false });
        let expected = "\
run                             verdict      nodes  workload  nemesis  bug  seed
──────────────────────────────────────────────────────────────────────────────────
20260101T000000Z-register-none  valid            5  register  none     -       7
20260101T000000Z-register-none  interrupted      5  register  none     -       7
20260101T000000Z-register-none  corrupt          -  register  none     -       -
";
        assert_eq!(text, expected, "{text}");
        assert_eq!(row("interrupted", Some("invalid")).outcome(), "invalid");
        let colored = render(&rows[..1], Style { color: true });
        assert!(colored.contains(" \u{1b}[32mvalid\u{1b}[0m "), "{colored}");
    }

    #[test]
    fn json_has_numbers_and_nulls() {
        let json = serde_json::to_value(row("failed", None)).unwrap();
        assert_eq!(json["seed"], 7);
        assert!(json["bug"].is_null() && json["verdict"].is_null());
    }
}
