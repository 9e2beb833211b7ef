//! The life of one run: folder and plan → the live part, on real processes or in a simulated world → judgement →
//! everything stored and told.

mod interrupt;
mod judge;
mod live;
mod recorded;

pub(crate) use interrupt::{INTERRUPTED, Interrupt};
pub(crate) use judge::{ENDED, OfHistory, judge_history, read_history};
pub(crate) use recorded::{Recorded, Tell};

use crate::clock::RunClock;
use crate::exit::{Exit, exit_of};
use crate::nemesis::PlannedFault;
use crate::plan::Plan;
use crate::report::results::{Input, Timings, build};
use crate::report::{Output, Reporter, Results, RunEvent, Stage};
use crate::simulate;
use crate::store::{RunDir, Store};
use anyhow::Context as _;
use live::live;
use std::time::Instant;

/// What is to be run, and how it is told.
#[derive(Debug)]
pub(crate) struct Order {
    /// The plan.
    pub(crate) plan: Plan,
    /// The faults of an earlier run, to be run again.
    pub(crate) schedule: Option<Vec<PlannedFault>>,
    /// How the run is told.
    pub(crate) output: Output,
    /// Whether the results are told here; otherwise the caller does, with what is handed back.
    pub(crate) tells_results: bool,
}

/// Runs a plan once and hands back what it found, and the exit status: that of the verdict, unless the report
/// could not be told.
///
/// # Errors
/// When the tool could not do its work. What was recorded until then is in the run's folder, with the reason
/// in `failure.txt`. What was asked and cannot be, such as a port that is taken, leaves no folder.
pub(crate) async fn run(order: Order, interrupt: &mut Interrupt) -> anyhow::Result<(Exit, Results)> {
    let Order { plan, schedule, output, tells_results } = order;
    let clock = RunClock::start();
    let dir = Store::new(&plan.results).create_run(&plan)?;
    let mut reporter = Reporter::new(output);
    interrupt.goes_on(Some(&dir));
    let results = run_in(&dir, &plan, schedule, clock, interrupt, &mut reporter).await;
    interrupt.goes_on(None);
    match results {
        Ok(results) => {
            if tells_results {
                reporter.event(&RunEvent::Finished(Box::new(results.clone())));
            }
            let exit = reporter.ended(Exit::from(&results.verdict));
            Ok((exit, results))
        }
        Err(error) => {
            // The first failure is the one to report.
            let _also_failed = match exit_of(&error) {
                Exit::Usage => dir.discard(),
                Exit::Valid | Exit::Invalid | Exit::Unknown | Exit::Harness => {
                    dir.save_failure(&format!("{error:#}")).and_then(|()| dir.make_latest())
                }
            };
            Err(error)
        }
    }
}

async fn run_in(
    dir: &RunDir,
    plan: &Plan,
    schedule: Option<Vec<PlannedFault>>,
    clock: RunClock,
    interrupt: &mut Interrupt,
    reporter: &mut Reporter,
) -> anyhow::Result<Results> {
    let tell = &mut |event| reporter.event(&event);
    let recorded = if plan.simulated {
        // A world waits for nothing; signals are heard by another thread of the runtime.
        tokio::task::block_in_place(|| simulate::live(plan, schedule, dir, interrupt, tell))?
    } else {
        live(plan, schedule, dir, clock, interrupt, tell).await?
    };
    if plan.simulated {
        dir.make_latest()?;
    }
    let planned: Vec<PlannedFault> = recorded.faults.iter().map(|fault| fault.planned.clone()).collect();
    dir.save_schedule(&planned)?;
    if recorded.interrupted_ns.is_some() {
        reporter.event(&RunEvent::Warning(
            "the run was interrupted: what was recorded until then is judged".to_owned(),
        ));
    }
    reporter.event(&RunEvent::Stage(Stage::Checking));
    let results = {
        let (plan, dir) = (plan.clone(), dir.clone());
        let judging = tokio::task::spawn_blocking(move || conclude(&plan, &dir, clock, &recorded));
        judging.await.context("the judgement panicked")??
    };
    dir.save_results(&results)?;
    for (name, content) in results.files()? {
        dir.save(&name, content.as_bytes())?;
    }
    Ok(results)
}

fn conclude(plan: &Plan, dir: &RunDir, clock: RunClock, recorded: &Recorded) -> anyhow::Result<Results> {
    let began = Instant::now();
    let judged = judge::judge(plan, &dir.history_path(), recorded)?;
    let last_ns = judged.ops.last().map_or(0, |op| op.time);
    let now_ns = clock.now_ns();
    let (check_ns, total_ns) = match &recorded.simulated {
        Some(simulated) => {
            (u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX), simulated.virtual_ns)
        }
        None => (now_ns.saturating_sub(last_ns), now_ns),
    };
    Ok(build(Input {
        plan,
        folder: dir.path(),
        timings: Timings {
            serving_ns: recorded.served_ns,
            load_from_ns: recorded.load_ns.0,
            load_until_ns: recorded.load_ns.1,
            check_ns,
            total_ns,
        },
        history: &judged.ops,
        faults: &recorded.faults,
        elections: judged.elections,
        fencing: judged.fencing,
        verdicts: judged.verdicts,
        counterexamples: judged.counterexamples,
        unexpected_exits: recorded.exits.clone(),
        simulated: recorded.simulated.clone(),
    }))
}
