//! What can be done with a single world besides playing it: draw its messages, make a broken one short and write
//! it as a script, play a script.

use crate::exit::{Exit, UsageError};
use crate::output;
use crate::panics;
use crate::plan::{self, shell_quoted};
use crate::store::Store;
use anyhow::Context as _;
use std::path::Path;
use zab_sim::diagram::{self, Options as Drawing};
use zab_sim::run::{Options, Outcome, Parameters, Shrunk, Step, draw_safely, replay_safely, shrink};
use zab_sim::script;

/// So many runs may be tried to make one short: some seconds.
const RUNS_MAX: u64 = 3_000;
/// So many of a short run's steps are shown; the script has all.
const STEPS_SHOWN: usize = 40;

/// Who told whom what in the world of these parameters (`--trace`); of a broken world, in what is left of it when
/// it is made short.
pub(super) fn diagram(parameters: &Parameters, make_short: bool) -> String {
    let short =
        if make_short { broken(parameters).and_then(|broken| short(parameters, &broken)) } else { None };
    let Some(short) = short else {
        return match played(|| draw_safely(parameters, JOURNAL).map_err(|panicked| panicked.steps)) {
            Ok(outcome) => drawing(parameters, &outcome),
            Err(steps) => {
                format!("the servers panicked after {} steps: --shrink makes it short\n", steps.len())
            }
        };
    };
    let run = || replay_safely(&short.parameters, &short.steps, JOURNAL).map_err(|panicked| panicked.steps);
    match played(run) {
        Ok(outcome) => drawing(&short.parameters, &outcome),
        Err(steps) => steps.iter().map(|step| format!("{}us {}\n", step.at_us, step.what)).collect(),
    }
}

const JOURNAL: Options = Options { journal: true };

fn drawing(parameters: &Parameters, outcome: &Outcome) -> String {
    let width = terminal_size::terminal_size().map_or(120, |(width, _)| usize::from(width.0).max(80));
    let options = Drawing { clients: Some(parameters.workers), width, ..Drawing::default() };
    diagram::draw(&outcome.journal, parameters.world.servers(), options)
}

/// Plays, silently even when the servers panic.
fn played<T>(run: impl FnOnce() -> Result<T, Vec<Step>>) -> Result<T, Vec<Step>> {
    // The run itself catches the panic; here its words are kept from stderr.
    panics::catch(run).unwrap_or_else(|_said| Err(Vec::new()))
}

/// The steps of a broken run, and what it broke.
struct Broken {
    steps: Vec<Step>,
    property: &'static str,
}

fn broken(parameters: &Parameters) -> Option<Broken> {
    let run = || match draw_safely(parameters, Options::default()) {
        Ok(outcome) => {
            outcome.broken.map(|(_, violation)| Broken { steps: outcome.steps, property: violation.property })
        }
        Err(panicked) => Some(Broken { steps: panicked.steps, property: panicked.violation.property }),
    };
    panics::catch(run).ok().flatten()
}

fn short(parameters: &Parameters, broken: &Broken) -> Option<Shrunk> {
    panics::catch(|| shrink(parameters, &broken.steps, broken.property, RUNS_MAX)).ok().flatten()
}

/// The steps that a broken run stays broken with, and where they are written as a script (`--shrink`); `None` when
/// the run is not broken.
///
/// # Errors
/// When the script cannot be stored.
pub(super) fn shrunk(parameters: &Parameters) -> anyhow::Result<Option<String>> {
    let Some(found) = broken(parameters) else { return Ok(None) };
    let Some(short) = short(parameters, &found) else { return Ok(None) };
    let seed = parameters.world.seed;
    let bug = parameters.world.bug.map(|bug| format!("-{}", bug.name())).unwrap_or_default();
    let comment = format!(
        "{}: {}\nSeed {seed}, made short: {} of {} steps are left after {} runs.",
        short.violation.property,
        short.violation.what,
        short.steps.len(),
        found.steps.len(),
        short.runs
    );
    let text = panics::catch(|| script::write(&short.parameters, &short.steps, &comment))
        .unwrap_or_else(|_panicked| unplayed(&short, &comment));
    let store = Store::new(Path::new(plan::RESULTS));
    let path = store.save_script(&format!("seed-{seed}{bug}.txt"), &text)?;
    let shown = short.steps.iter().take(STEPS_SHOWN);
    let mut lines: String = shown.map(|step| format!("  at {}us {}\n", step.at_us, step.what)).collect();
    if short.steps.len() > STEPS_SHOWN {
        lines += &format!("  … and {} more\n", short.steps.len() - STEPS_SHOWN);
    }
    let gave_up = if short.gave_up { ", and it could perhaps be shorter" } else { "" };
    Ok(Some(format!(
        "made short: {} of {} steps are left after {} runs{gave_up}\n{lines}\
         {}: {}\nscript    zabchaos simulate --script {}\n",
        short.steps.len(),
        found.steps.len(),
        short.runs,
        short.violation.property,
        short.violation.what,
        shell_quoted(&path.to_string_lossy())
    )))
}

/// A script without a journal: playing it ends in a panic.
fn unplayed(short: &Shrunk, comment: &str) -> String {
    let comment: String = comment.lines().map(|line| format!("# {line}\n")).collect();
    let steps: String =
        short.steps.iter().map(|step| format!("> at {}us {}\n", step.at_us, step.what)).collect();
    format!("{comment}> world {}\n{steps}> end\n", short.parameters)
}

/// Plays a script and prints it with its journal, or draws it (`--script`).
///
/// # Errors
/// When there is no such script, or it makes no sense.
pub(super) fn play(path: &Path, trace: bool) -> anyhow::Result<Exit> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| UsageError(format!("the script '{shown}' cannot be read: {error}")))?;
    let played = match panics::catch(|| script::perform(&text)) {
        Ok(played) => played.map_err(|error| UsageError(format!("'{shown}', {error}")))?,
        Err(said) => {
            output::print(&format!("broken: Panic: {said}\n")).context("failed to print")?;
            return Ok(Exit::Invalid);
        }
    };
    let shows = if trace {
        diagram::draw(&played.entries, played.servers, Drawing::default())
    } else {
        played.text.clone()
    };
    output::print(&shows).context("failed to print")?;
    if !trace && played.text != text {
        output::note("the journal is not the one in the file: read the difference before you keep it");
    }
    if let Err(difference) = played.verdict() {
        output::note(&difference);
    }
    Ok(if played.broken.is_some() { Exit::Invalid } else { Exit::Valid })
}
