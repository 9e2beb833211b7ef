//! Explores a scenario: `explore NAME [DEPTH CRASHES PARTITIONS TIMEOUTS WRITES [THREADS [BUG]]]`.
#![expect(clippy::disallowed_types, reason = "it tells how long exploring takes")]
#![expect(clippy::print_stdout, reason = "it is a command")]

use std::time::Instant;
use zab_core::Bug;
use zab_sim::explore::{Bounds, Scenario, explore};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u8>().ok());
    let Some(scenario) = words.first().and_then(|name| Scenario::named(name)) else {
        for scenario in Scenario::ALL {
            println!("{:<14} {}", scenario.name, scenario.about);
        }
        return;
    };
    let quick = scenario.quick;
    let bounds = Bounds {
        depth: number(1).map_or(quick.depth, usize::from),
        crashes: number(2).unwrap_or(quick.crashes),
        partitions: number(3).unwrap_or(quick.partitions),
        timeouts: number(4).unwrap_or(quick.timeouts),
        writes: number(5).unwrap_or(quick.writes),
    };
    let bug = words.get(7).and_then(|name| Bug::from_name(name));
    let scenario = bug.map_or(scenario, |bug| scenario.with_bug(bug));
    let began = Instant::now();
    let explored = explore(&scenario, &bounds, number(6).map_or(1, usize::from));
    let seconds = began.elapsed().as_secs_f64();
    println!("{} {bounds:?}", scenario.name);
    println!("states {} by depth {:?}", explored.unique_states, explored.by_depth);
    println!(
        "moves {} ends {} deepest {} complete {} in {seconds:.1} s, {:.0} moves/s",
        explored.moves,
        explored.ends,
        explored.deepest,
        explored.complete,
        explored.moves as f64 / seconds
    );
    for ((name, branch), times) in &explored.reached {
        println!("  {times:>9} {name} {branch}");
    }
    if let Some(violation) = &explored.violation {
        println!("{violation}");
    }
}
