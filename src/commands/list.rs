//! `zabchaos list`: the stored runs and their verdicts.

use crate::cli::ListArgs;
use crate::exit::Exit;
use crate::output::{self, Style};
use crate::store::{Store, StoredRun};
use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::Style as TableStyle;

/// A line of the list.
#[derive(Debug, Serialize)]
struct Row {
    /// The run folder's name.
    run: String,
    /// valid, unknown, invalid, or `-` for a run that did not come to its end.
    verdict: String,
    nodes: String,
    workload: String,
    nemesis: String,
    bug: String,
    seed: String,
}

impl From<StoredRun> for Row {
    fn from(run: StoredRun) -> Self {
        let none = || "-".to_owned();
        let of_plan = |text: &dyn Fn(&crate::plan::Plan) -> String| run.plan.as_ref().map_or_else(none, text);
        Self {
            run: run.dir.name(),
            verdict: run.verdict.clone().unwrap_or_else(none),
            nodes: of_plan(&|plan| plan.nodes.to_string()),
            workload: of_plan(&|plan| plan.workload.clone()),
            nemesis: of_plan(&crate::plan::Plan::nemesis_name),
            bug: of_plan(&|plan| plan.bug.clone().unwrap_or_else(none)),
            seed: of_plan(&|plan| plan.seed.to_string()),
        }
    }
}

/// Lists the runs, oldest first.
pub(crate) fn list(args: &ListArgs, style: Style) -> anyhow::Result<Exit> {
    let rows: Vec<Row> = Store::new(&args.results).list()?.into_iter().map(Row::from).collect();
    let text = if args.json {
        serde_json::to_string_pretty(&rows)?
    } else if rows.is_empty() {
        format!("no runs in {}: 'zabchaos test' makes one", args.results.display())
    } else {
        render(rows, style)
    };
    output::print(&format!("{text}\n"))?;
    Ok(Exit::Valid)
}

fn render(rows: Vec<Row>, style: Style) -> String {
    let mut table = Builder::default();
    table.push_record(["run", "verdict", "nodes", "workload", "nemesis", "bug", "seed"]);
    for row in rows {
        let verdict = style.verdict(&row.verdict);
        table.push_record([row.run, verdict, row.nodes, row.workload, row.nemesis, row.bug, row.seed]);
    }
    table.build().with(TableStyle::blank()).to_string()
}
