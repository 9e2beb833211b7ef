//! Measures ensembles of many sizes in two places, and writes what `docs/SCALE.md` shows:
//!
//! ```text
//! cargo run --release -p zab-sim --example scale -- docs/scale
//! ```
//!
//! `figures.json`, the plots, and the tables between the marks of `SCALE.md` beside the folder, if it is
//! there. With `--redraw` only plots and tables, from the figures that are kept. Time is virtual: every run gives
//! the same numbers, on every machine.
#![expect(clippy::disallowed_types, reason = "it tells how long measuring takes, outside of the worlds")]

mod plots;
mod tables;

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;
use zab_sim::scale::{self, Limit, Place, Scale};

/// Sizes without observers.
const VOTERS: [u16; 8] = [3, 5, 7, 9, 15, 25, 49, 99];
/// Sizes with observers.
const WITH_OBSERVERS: [(u16, u16); 7] =
    [(5, 10), (5, 100), (5, 1_000), (9, 10), (9, 100), (9, 1_000), (99, 1_000)];
/// Sizes for which limits are looked for.
const SEARCHED: [u16; 6] = [3, 5, 9, 25, 49, 99];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder: PathBuf = std::env::args().nth(1).ok_or("say into which folder, such as docs/scale")?.into();
    std::fs::create_dir_all(&folder)?;
    let began = Instant::now();
    let kept = folder.join("figures.json");
    let figures = if std::env::args().any(|arg| arg == "--redraw") {
        serde_json::from_str(&std::fs::read_to_string(&kept)?)?
    } else {
        let figures = measure_all(began)?;
        std::fs::write(&kept, lines(&figures)?)?;
        figures
    };
    plots::draw(&figures, &folder)?;
    tables::fill(&figures, &folder)?;
    progress("done", began);
    Ok(())
}

fn measure_all(began: Instant) -> Result<Value, String> {
    let mut measured = Vec::new();
    for place in Place::ALL {
        let sizes = VOTERS.iter().map(|voters| (*voters, 0)).chain(WITH_OBSERVERS);
        for (voters, observers) in sizes {
            measured.push(measure(&Scale::recommended(place, voters, observers), began)?);
        }
    }
    let mut stock = Vec::new();
    for place in Place::ALL {
        for voters in [5, 99] {
            // ZooKeeper's sample configuration.
            let (tick_ms, init_limit, sync_limit, finalize_ms) = (2_000, 10, 5, 200);
            let scale = Scale::recommended(place, voters, 0);
            stock.push(measure(&Scale { tick_ms, init_limit, sync_limit, finalize_ms, ..scale }, began)?);
        }
    }
    let mut limits = Vec::new();
    for place in Place::ALL {
        for voters in SEARCHED {
            limits.push(search(place, voters));
            progress(&format!("limits of {voters} voters, {}", place.name()), began);
        }
    }
    Ok(json!({ "measured": measured, "stock": stock, "limits": limits }))
}

fn measure(scale: &Scale, began: Instant) -> Result<Value, String> {
    let size = format!("{} + {}, {}", scale.voters, scale.observers, scale.place.name());
    let measured = scale::measure(scale).map_err(|why| format!("{size}: {why}"))?;
    progress(&size, began);
    Ok(scale::figures(scale, &measured))
}

/// The least finalize wait, initLimit and syncLimit.
fn search(place: Place, voters: u16) -> Value {
    let seeds = if voters > 25 { 20 } else { 100 };
    let finalize: &[u64] = match place {
        Place::OneRoom => &[0, 5, 10, 20, 50, 100, 200],
        Place::FiveRegions => &[0, 50, 100, 150, 200, 250, 300, 400, 600, 800, 1_200],
    };
    let scale = Scale { start_spread_ms: 1_000, ..Scale::recommended(place, voters, 0) };
    let steady = scale::least(&scale, Limit::Finalize, finalize, seeds, scale::reelects_cleanly);
    let staggered = scale::least(&scale, Limit::Finalize, finalize, seeds, scale::elects_cleanly);
    // Ticks so short that the limits can be told to about a tick.
    let (tick_ms, ticks): (u64, &[u64]) = match place {
        Place::OneRoom => (10, &[1, 2, 3, 4, 6, 8, 10, 15, 20]),
        Place::FiveRegions => (50, &[1, 2, 4, 6, 8, 10, 12, 15, 20, 30]),
    };
    let seeds = if voters > 25 { 5 } else { 20 };
    let generous = Scale { tick_ms, init_limit: 100, sync_limit: 100, start_spread_ms: 0, ..scale };
    let init = scale::least(&generous, Limit::Init, ticks, seeds, scale::keeps_learners);
    let sync = scale::least(&generous, Limit::Sync, ticks, seeds, scale::keeps_learners);
    json!({
        "place": place.name(),
        "voters": voters,
        "finalize_after_death_ms": steady,
        "finalize_staggered_start_ms": staggered,
        "init_ms": init.map(|ticks| ticks * tick_ms),
        "sync_ms": sync.map(|ticks| ticks * tick_ms),
    })
}

/// JSON with a line for each row.
fn lines(figures: &Value) -> serde_json::Result<String> {
    let mut text = String::from("{");
    for (at, (name, rows)) in figures.as_object().into_iter().flatten().enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        let rows: Vec<String> =
            rows.as_array().into_iter().flatten().map(serde_json::to_string).collect::<Result<_, _>>()?;
        text.push_str(&format!("\"{name}\": [\n{}\n]", rows.join(",\n")));
    }
    Ok(text + "\n}\n")
}

#[expect(clippy::print_stderr, reason = "progress is for whoever waits")]
fn progress(what: &str, began: Instant) {
    eprintln!("{:>6.1} s  {what}", began.elapsed().as_secs_f64());
}
