//! `zabchaos test`: one run, or a series with seeds derived from the first.

use super::bug_names;
use crate::cli::TestArgs;
use crate::exit::{Exit, exit_of};
use crate::output::{self, Style};
use crate::plan::{self, Known, Plan, Request};
use crate::report::Output;
use crate::run::{self, Interrupt, Order};
use anyhow::Context as _;
use rand::Rng as _;
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

async fn series(first: &Plan, count: u32, how: Output) -> anyhow::Result<Exit> {
    let mut interrupt = Interrupt::listen().context("failed to listen for signals")?;
    if count == 1 {
        return run::run(Order { plan: first.clone(), schedule: None, output: how }, &mut interrupt).await;
    }
    let mut worst = Exit::Valid;
    for number in 0..count {
        let plan = Plan { seed: derived_seed(first.seed, number), ..first.clone() };
        let seed = plan.seed;
        let ended = run::run(Order { plan, schedule: None, output: how }, &mut interrupt).await;
        let (exit, what) = match ended {
            Ok(exit) => (exit, exit.word().to_owned()),
            Err(error) => (exit_of(&error), format!("failed: {error:#}")),
        };
        worst = worst.worst(exit);
        output::note(&format!("run {} of {count}: {what} (seed {seed})", number + 1));
        // What keeps one run from working keeps the next; what the user stopped stays stopped.
        if matches!(exit, Exit::Harness | Exit::Usage) || interrupt.is_asked() {
            break;
        }
    }
    output::note(&format!("worst of the series: {}", worst.word()));
    Ok(worst)
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
