//! `zabchaos test`: one run, or a series with seeds derived from the first.

use super::bug_names;
use crate::cli::TestArgs;
use crate::exit::{Exit, exit_of};
use crate::output::{self, Style};
use crate::plan::{self, Known, Plan, Request};
use crate::report::Output;
use crate::run::{self, INTERRUPTED, Interrupt, Order};
use anyhow::Context as _;
use rand::Rng as _;
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

/// Runs what was asked for.
///
/// # Errors
/// When it makes no sense, or the tool could not do its work.
pub(crate) fn test(args: &TestArgs, style: Style) -> anyhow::Result<Exit> {
    let known = Known { workloads: workloads::NAMES, bugs: &bug_names() };
    let Request { plan, test_count, json } = plan::parse(args, known, rand::rng().next_u64())?;
    let how = if json { Output::Json } else { Output::Text(style) };
    let exit = runtime()?.block_on(series(&plan, test_count, how))?;
    Ok(exit)
}

/// The runtime that carries relay, clients and nemesis.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("failed to start the runtime")
}

/// Runs the plan `count` times, each time from another seed.
///
/// # Errors
/// When the tool could not do its work.
pub(super) async fn series(first: &Plan, count: u32, output: Output) -> anyhow::Result<Exit> {
    let mut interrupt = Interrupt::listen(INTERRUPTED).context("failed to listen for signals")?;
    if count == 1 {
        let order = Order { plan: first.clone(), schedule: None, output, tells_results: true };
        return Ok(run::run(order, &mut interrupt).await?.0);
    }
    let mut worst = Exit::Valid;
    let mut array = (output == Output::Json).then(Array::default);
    let mut done = 0;
    for number in 0..count {
        let plan = Plan { seed: derived_seed(first.seed, number), ..first.clone() };
        let seed = plan.seed;
        let order = Order { plan, schedule: None, output, tells_results: array.is_none() };
        let ended = run::run(order, &mut interrupt).await;
        if let Some(array) = &mut array {
            match &ended {
                Ok((_, results)) => array.push(results)?,
                Err(error) => array.push(&Failure { failure: format!("{error:#}"), seed })?,
            }
        }
        let (exit, what) = match ended {
            Ok((exit, _)) => (exit, exit.word().to_owned()),
            Err(error) => (exit_of(&error), format!("failed: {error:#}")),
        };
        worst = worst.worst(exit);
        done += 1;
        output::note(&format!("run {done} of {count}: {what} (seed {seed})"));
        // What keeps one run from working keeps the next; what the user stopped stays stopped.
        if matches!(exit, Exit::Harness | Exit::Usage) || interrupt.is_asked() {
            break;
        }
    }
    if let Some(array) = array {
        array.end()?;
    }
    if done == count {
        output::note(&format!("worst of {count} runs: {}", worst.word()));
    } else {
        // The runs that were not made prove nothing.
        worst = worst.worst(Exit::Unknown);
        output::note(&format!("worst of {done} of {count} runs: {}", worst.word()));
    }
    Ok(worst)
}

/// The element of the array for a run that has no results.
#[derive(Serialize)]
struct Failure {
    failure: String,
    seed: u64,
}

/// The results of a series as one JSON document, printed as they come.
#[derive(Default)]
struct Array {
    begun: bool,
}

impl Array {
    fn push(&mut self, element: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(element).context("failed to render the results as JSON")?;
        let before = if std::mem::replace(&mut self.begun, true) { "," } else { "[" };
        Ok(output::print(&format!("{before}\n{text}"))?)
    }

    fn end(self) -> anyhow::Result<()> {
        Ok(output::print(if self.begun { "\n]\n" } else { "[]\n" })?)
    }
}

/// The seed of a run of a series: the first run's is the one given, so that it can be repeated alone.
/// (splitmix64 of seed and number: neighbours have nothing in common.)
fn derived_seed(seed: u64, number: u32) -> u64 {
    if number == 0 {
        return seed;
    }
    let mut mixed = seed.wrapping_add(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn derived_seeds_differ_and_repeat() {
        let seeds: BTreeSet<u64> = (0..1_000).map(|number| derived_seed(7, number)).collect();
        assert_eq!(seeds.len(), 1_000);
        assert_eq!(derived_seed(7, 0), 7);
        assert_eq!(derived_seed(7, 3), derived_seed(7, 3));
    }
}
