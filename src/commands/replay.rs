//! `zabchaos replay`: a stored run's plan with the same faults against the same nodes.

use super::test::runtime;
use crate::cli::ReplayArgs;
use crate::exit::Exit;
use crate::output::Style;
use crate::plan::Plan;
use crate::report::Output;
use crate::run::{self, Interrupt, Order};
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
    let beside = dir.path().parent().map(std::path::Path::to_owned);
    let results = args.results.clone().or(beside).unwrap_or_else(|| stored.results.clone());
    let order = Order {
        plan: Plan { results, ..stored },
        schedule: Some(schedule),
        output: if args.json { Output::Json } else { Output::Text(style) },
    };
    runtime()?.block_on(async {
        let mut interrupt = Interrupt::listen().context("failed to listen for signals")?;
        run::run(order, &mut interrupt).await
    })
}
