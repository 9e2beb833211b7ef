//! `zabchaos replay`: a stored run's plan with the same faults against the same nodes.

use super::test::runtime;
use crate::cli::ReplayArgs;
use crate::exit::{Exit, UsageError};
use crate::output::Style;
use crate::plan::Plan;
use crate::report::Output;
use crate::run::{self, INTERRUPTED, Interrupt, Order};
use crate::store::RunDir;
use anyhow::Context as _;

/// Runs it again.
///
/// # Errors
/// When there is no such run, or the tool could not do its work.
pub(crate) fn replay(args: &ReplayArgs, style: Style) -> anyhow::Result<Exit> {
    let dir = RunDir::open(&args.run)?;
    let stored = dir.load_plan()?;
    let schedule = dir.load_schedule()?;
    if schedule.is_empty() && !stored.nemesis.is_empty() {
        return Err(UsageError(format!(
            "'{}' has no faults to replay: that run ended before any fault was drawn; begin it anew with: {}",
            args.run.display(),
            stored.command()
        ))
        .into());
    }
    let beside = dir.path().parent().map(std::path::Path::to_owned);
    let results = args.results.clone().or(beside).unwrap_or_else(|| stored.results.clone());
    let order = Order {
        plan: Plan { results, ..stored },
        schedule: Some(schedule),
        output: if args.json { Output::Json } else { Output::Text(style) },
        tells_results: true,
    };
    runtime()?.block_on(async {
        let mut interrupt = Interrupt::listen(INTERRUPTED).context("failed to listen for signals")?;
        Ok(run::run(order, &mut interrupt).await?.0)
    })
}
