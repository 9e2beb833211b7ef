//! `zabchaos simulate`: a planned run on virtual nodes, a swarm of drawn worlds, or small worlds in every order.

use super::bug_names;
use super::test::{runtime, series};
use crate::cli::SimulateArgs;
use crate::exit::Exit;
use crate::output::Style;
use crate::plan::{self, Known, Simulate};
use crate::report::Output;
use crate::run::Interrupt;
use crate::simulate::{explore, swarm};
use anyhow::Context as _;
use rand::Rng as _;

/// What a swarm answers to the first Ctrl-C.
const INTERRUPTED: &str = "interrupted: ending the worlds under way (again: end at once)";
/// What exploring answers to it.
const STOPPED: &str = "interrupted: ending the states under way (again: end at once)";

/// Runs what was asked for.
///
/// # Errors
/// When it makes no sense, or the tool could not do its work.
pub(crate) fn simulate(args: &SimulateArgs, style: Style) -> anyhow::Result<Exit> {
    let known = Known { workloads: workloads::NAMES, bugs: &bug_names() };
    match plan::parse_simulate(args, known, rand::rng().next_u64())? {
        Simulate::Planned(request) => {
            let output = if request.json { Output::Json } else { Output::Text(style) };
            runtime()?.block_on(series(&request.plan, request.test_count, output))
        }
        Simulate::Swarm(request) => runtime()?.block_on(async {
            let interrupt = Interrupt::listen(INTERRUPTED).context("failed to listen for signals")?;
            tokio::task::block_in_place(|| swarm(&request, style, &interrupt))
        }),
        Simulate::Explore(request) => runtime()?.block_on(async {
            let interrupt = Interrupt::listen(STOPPED).context("failed to listen for signals")?;
            tokio::task::block_in_place(|| explore(&request, style, &interrupt))
        }),
    }
}
