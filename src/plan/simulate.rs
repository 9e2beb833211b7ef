//! Which of its three ways `zabchaos simulate` is to go, and with what.
//!
//! Small worlds in every order with `--explore`; one planned run as soon as an option of the plan is typed; drawn
//! worlds otherwise. Nobody is to be surprised: options of several ways together are refused.

use super::Plan;
use super::explore::{ExploreRequest, parse_explore, threads};
use super::parse::{Known, Request, bug, number, parse_plan, seed};
use crate::cli::SimulateArgs;
use crate::exit::UsageError;
use std::path::PathBuf;

/// Options that either way has.
const OF_BOTH: [&str; 4] = ["--seed", "--bug", "--json", "--no-color"];
/// Options that only drawn worlds have.
const OF_SWARM: [&str; 9] = [
    "--seeds",
    "--from",
    "--threads",
    "--keep-going",
    "--trace",
    "--shrink",
    "--no-shrink",
    "--script",
    "--coverage",
];
/// Options that a script has.
const OF_SCRIPT: [&str; 3] = ["--script", "--trace", "--no-color"];
/// How many worlds are drawn when nobody says how many.
const SEEDS: u64 = 100;

/// What `zabchaos simulate` was asked to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Simulate {
    /// Run a plan, once or several times.
    Planned(Request),
    /// Run drawn worlds.
    Swarm(SwarmRequest),
    /// Explore small worlds in every order.
    Explore(ExploreRequest),
}

/// Drawn worlds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SwarmRequest {
    /// The first seed.
    pub(crate) from: u64,
    /// How many seeds.
    pub(crate) count: u64,
    /// One world was named, by `--seed`: all that it drew is of interest.
    pub(crate) named: bool,
    /// A bug planted into every server.
    pub(crate) bug: Option<String>,
    /// How many worlds go on at a time; `None`: one a core.
    pub(crate) threads: Option<usize>,
    /// Go on behind a broken world.
    pub(crate) keep_going: bool,
    /// Draw the messages.
    pub(crate) trace: bool,
    /// Make a broken run short.
    pub(crate) shrink: bool,
    /// Tell which transitions of the protocol were reached.
    pub(crate) coverage: bool,
    /// A script to play instead of what the seeds draw.
    pub(crate) script: Option<PathBuf>,
    /// One JSON document instead of text.
    pub(crate) json: bool,
}

/// Makes sense of the arguments. `fresh_seed` is used by a plan without a seed.
pub(crate) fn parse_simulate(
    args: &SimulateArgs,
    known: Known<'_>,
    fresh_seed: u64,
) -> Result<Simulate, UsageError> {
    if let Some(scenario) = &args.explore {
        return parse_explore(scenario, args, known).map(Simulate::Explore);
    }
    if let Some(far) = args.typed.iter().find(|typed| ["--deep", "--bounds"].contains(&typed.as_str())) {
        return Err(UsageError(format!("{far} says how far to explore: name a scenario with --explore")));
    }
    let is_among = |options: &[&str], typed: &&String| options.contains(&typed.as_str());
    let of_swarm = args.typed.iter().find(|typed| is_among(&OF_SWARM, typed));
    let of_plan = args.typed.iter().find(|typed| !is_among(&OF_SWARM, typed) && !is_among(&OF_BOTH, typed));
    match (of_plan, of_swarm) {
        (Some(of_plan), Some(of_swarm)) => Err(UsageError(format!(
            "{of_plan} is of one planned run, but {of_swarm} of drawn worlds: leave one of them out"
        ))),
        (Some(_), None) => {
            let request = parse_plan(&args.plan, known, fresh_seed)?;
            Ok(Simulate::Planned(Request { plan: Plan { simulated: true, ..request.plan }, ..request }))
        }
        (None, _) => swarm(args, known).map(Simulate::Swarm),
    }
}

fn swarm(args: &SimulateArgs, known: Known<'_>) -> Result<SwarmRequest, UsageError> {
    let seed = seed(args.plan.seed.as_deref())?;
    let many =
        args.typed.iter().find(|typed| ["--seeds", "--from", "--keep-going"].contains(&typed.as_str()));
    if let (Some(many), Some(_)) = (many, seed) {
        return Err(UsageError(format!(
            "{many} is of many worlds, but --seed names one: leave one of them out (--from says where seeds begin)"
        )));
    }
    if args.script.is_some()
        && let Some(other) = args.typed.iter().find(|typed| !OF_SCRIPT.contains(&typed.as_str()))
    {
        return Err(UsageError(format!("--script says all that is to be played: leave {other} out")));
    }
    if args.trace && seed.is_none() && args.script.is_none() {
        return Err(UsageError("--trace draws one world: name it with --seed".into()));
    }
    if args.trace && args.plan.json {
        return Err(UsageError("--trace draws for people: leave --json out".into()));
    }
    let from = args.from.as_deref().map(|from| number("--from", from, 0..=u64::MAX - 1)).transpose()?;
    let from = seed.or(from).unwrap_or(1);
    let most = (u64::MAX - from).clamp(1, 1_000_000_000);
    let count = args.seeds.as_deref().map(|seeds| number("--seeds", seeds, 1..=most)).transpose()?;
    Ok(SwarmRequest {
        from,
        count: if seed.is_some() { 1 } else { count.unwrap_or(SEEDS.min(most)) },
        named: seed.is_some(),
        bug: bug(args.plan.bug.as_deref(), known)?,
        threads: threads(args.threads.as_deref())?,
        keep_going: args.keep_going,
        trace: args.trace,
        shrink: !args.no_shrink,
        coverage: args.coverage,
        script: args.script.clone(),
        json: args.plan.json,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    const KNOWN: Known<'_> = Known { workloads: &["register"], bugs: &["elect-any", "local-sync"] };

    fn asked(words: &str) -> Result<Simulate, UsageError> {
        let words = ["zabchaos", "simulate"].into_iter().chain(words.split_whitespace());
        let Command::Simulate(args) = Cli::read(words).unwrap().command else {
            panic!("simulate was asked for");
        };
        parse_simulate(&args, KNOWN, 77)
    }

    fn swarm_of(words: &str) -> SwarmRequest {
        match asked(words).unwrap() {
            Simulate::Swarm(request) => request,
            other @ (Simulate::Planned(_) | Simulate::Explore(_)) => panic!("'{words}' is {other:?}"),
        }
    }

    #[test]
    fn any_option_of_the_plan_means_a_planned_run() {
        let plans =
            ["--nodes 5", "--nodes 3 --seed 7", "--nemesis none", "--test-count 2 --json", "--results r"];
        for words in plans {
            let Ok(Simulate::Planned(Request { plan, .. })) = asked(words) else {
                panic!("'{words}' is a swarm")
            };
            assert!(plan.simulated && plan.base_port.is_none(), "{words}");
        }
        for words in ["", "--seed 7", "--bug elect-any", "--json", "--seeds 9", "--threads 2"] {
            swarm_of(words);
        }
    }

    #[test]
    fn a_swarm_says_which_seeds() {
        let request = swarm_of("");
        assert_eq!((request.from, request.count, request.named, request.shrink), (1, 100, false, true));
        let request = swarm_of("--seeds 9 --from 40 --no-shrink --keep-going --threads 3");
        assert_eq!((request.from, request.count, request.threads), (40, 9, Some(3)));
        assert!(request.keep_going && !request.shrink);
        let request = swarm_of("--seed 17 --bug local-sync --trace");
        assert_eq!((request.from, request.count, request.named), (17, 1, true));
        assert!(request.trace && request.bug.as_deref() == Some("local-sync"));
    }

    #[test]
    fn the_two_ways_do_not_mix() {
        let cases = [
            (
                "--nodes 5 --seeds 9",
                "--nodes is of one planned run, but --seeds of drawn worlds: leave one of them out",
            ),
            (
                "--trace --time-limit 5s --seed 1",
                "--time-limit is of one planned run, but --trace of drawn worlds: leave one of them out",
            ),
            (
                "--seed 5 --seeds 9",
                "--seeds is of many worlds, but --seed names one: leave one of them out \
                 (--from says where seeds begin)",
            ),
            ("--trace", "--trace draws one world: name it with --seed"),
            ("--trace --seed 3 --json", "--trace draws for people: leave --json out"),
            ("--script x --seed 3", "--script says all that is to be played: leave --seed out"),
            ("--script x --json", "--script says all that is to be played: leave --json out"),
            ("--seeds 0", "--seeds is '0', but takes a whole number from 1 to 1000000000"),
            ("--threads 0", "--threads is '0', but takes a whole number from 1 to 256"),
            (
                "--bug elect-ayn",
                "unknown bug 'elect-ayn': did you mean 'elect-any'? (known: elect-any, local-sync)",
            ),
        ];
        for (words, sentence) in cases {
            assert_eq!(asked(words).unwrap_err().to_string(), sentence, "{words}");
        }
    }

    #[test]
    fn the_printed_command_asks_for_the_same_plan() {
        let Ok(Simulate::Planned(Request { plan, .. })) = asked("--nodes 3 --nemesis pause --seed 5") else {
            panic!("it is a plan");
        };
        let command = plan.command();
        let again = asked(command.strip_prefix("zabchaos simulate ").unwrap()).unwrap();
        assert!(matches!(again, Simulate::Planned(Request { plan: same, .. }) if same == plan), "{command}");
    }
}
