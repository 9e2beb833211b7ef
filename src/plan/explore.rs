//! What `zabchaos simulate --explore` is to explore, and how far.

use super::names::find;
use super::parse::{Known, bug, narrow, number, words};
use crate::cli::SimulateArgs;
use crate::exit::UsageError;
use zab_sim::explore::{Bounds, Scenario};

/// Options that exploring has. Whatever else is typed is of plans, or of worlds that are drawn.
const OF_EXPLORING: [&str; 7] =
    ["--explore", "--deep", "--bounds", "--bug", "--threads", "--json", "--no-color"];
/// All scenarios, as a name.
const ALL: &str = "all";
/// The bounds by name, in the order in which they are printed.
const BOUNDS: [&str; 5] = ["depth", "crashes", "partitions", "timeouts", "writes"];
/// Moves at most: no machine has room for the states that so many lead to.
const DEPTH_MAX: u64 = 1_000;

/// Small worlds in every order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExploreRequest {
    /// Names of scenarios, each with its bounds.
    pub(crate) scenarios: Vec<(&'static str, Bounds)>,
    /// A bug planted into every server.
    pub(crate) bug: Option<String>,
    /// How many threads; `None`: one a core.
    pub(crate) threads: Option<usize>,
    /// One JSON document instead of text.
    pub(crate) json: bool,
}

/// Makes sense of the arguments when `scenario` is to be explored.
pub(super) fn parse_explore(
    scenario: &str,
    args: &SimulateArgs,
    known: Known<'_>,
) -> Result<ExploreRequest, UsageError> {
    if let Some(other) = args.typed.iter().find(|typed| !OF_EXPLORING.contains(&typed.as_str())) {
        return Err(UsageError(format!(
            "{other} says nothing to --explore, which goes every way: leave one of them out \
             (--explore takes --deep, --bounds, --bug, --threads, --json)"
        )));
    }
    let names: Vec<&'static str> = Scenario::ALL.iter().map(|scenario| scenario.name).chain([ALL]).collect();
    let name = find("scenario", scenario, &names)?;
    let mut scenarios = Vec::new();
    for scenario in Scenario::ALL.iter().filter(|scenario| name == ALL || scenario.name == name) {
        let default = if args.deep { scenario.deep } else { scenario.quick };
        let bounds = args.bounds.as_deref().map_or(Ok(default), |list| bounds(list, default))?;
        scenarios.push((scenario.name, bounds));
    }
    Ok(ExploreRequest {
        scenarios,
        bug: bug(args.plan.bug.as_deref(), known)?,
        threads: threads(args.threads.as_deref())?,
        json: args.plan.json,
    })
}

/// How many threads, if that was typed.
pub(super) fn threads(typed: Option<&str>) -> Result<Option<usize>, UsageError> {
    let threads = typed.map(|threads| number("--threads", threads, 1..=256)).transpose()?;
    Ok(threads.map(narrow::<u16>).map(usize::from))
}

/// The bounds that were typed; those that were not are the default's.
fn bounds(list: &str, default: Bounds) -> Result<Bounds, UsageError> {
    let mut bounds = default;
    let mut typed = Vec::new();
    for word in words("--bounds", list)? {
        let Some((name, value)) = word.split_once('=') else {
            return Err(UsageError(format!(
                "--bounds has '{word}', but takes names with numbers, such as depth=8,crashes=2"
            )));
        };
        let name = find("bound", name, &BOUNDS)?;
        if typed.contains(&name) {
            return Err(UsageError(format!("--bounds says {name} twice: leave one of them out")));
        }
        typed.push(name);
        let option = format!("{name} in --bounds");
        let few = |value| number(&option, value, 0..=u64::from(u8::MAX)).map(narrow);
        match name {
            "depth" => {
                bounds.depth = usize::from(narrow::<u16>(number(&option, value, 1..=DEPTH_MAX)?));
            }
            "crashes" => bounds.crashes = few(value)?,
            "partitions" => bounds.partitions = few(value)?,
            "timeouts" => bounds.timeouts = few(value)?,
            "writes" => bounds.writes = few(value)?,
            other => unreachable!("{other} is none of the bounds"),
        }
    }
    Ok(bounds)
}

/// The bounds as `--bounds` takes them.
pub(crate) fn typed_bounds(bounds: &Bounds) -> String {
    let Bounds { depth, crashes, partitions, timeouts, writes } = bounds;
    let values = [*depth, usize::from(*crashes), usize::from(*partitions)];
    let values = values.into_iter().chain([usize::from(*timeouts), usize::from(*writes)]);
    BOUNDS.iter().zip(values).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use crate::plan::{Simulate, parse_simulate};

    const KNOWN: Known<'_> = Known { workloads: &["register"], bugs: &["elect-any", "local-sync"] };

    fn asked(words: &str) -> Result<ExploreRequest, UsageError> {
        let typed = ["zabchaos", "simulate"].into_iter().chain(words.split_whitespace());
        let Command::Simulate(args) = Cli::read(typed).unwrap().command else {
            panic!("simulate was asked for");
        };
        match parse_simulate(&args, KNOWN, 77)? {
            Simulate::Explore(request) => Ok(request),
            other @ (Simulate::Planned(_) | Simulate::Swarm(_)) => panic!("'{words}' is {other:?}"),
        }
    }

    #[test]
    fn bounds_that_are_not_typed_are_the_defaults() {
        let scenario = Scenario::named("returning").unwrap();
        let request = asked("--explore returning").unwrap();
        assert_eq!(request.scenarios, [("returning", scenario.quick)]);
        let request = asked("--explore returning --deep --bounds crashes=0,writes=3 --threads 2").unwrap();
        let bounds = Bounds { crashes: 0, writes: 3, ..scenario.deep };
        assert_eq!((request.scenarios, request.threads), (vec![("returning", bounds)], Some(2)));
        assert_eq!(typed_bounds(&bounds), "depth=8,crashes=0,partitions=1,timeouts=2,writes=3");
        let request = asked("--explore all --bounds depth=2 --bug elect-any --json").unwrap();
        assert_eq!(request.scenarios.len(), Scenario::ALL.len());
        assert!(request.scenarios.iter().all(|(_, bounds)| bounds.depth == 2));
        assert!(request.json && request.bug.as_deref() == Some("elect-any"));
    }

    #[test]
    fn what_exploring_cannot_use_is_refused() {
        let says_nothing = |option: &str| {
            format!(
                "{option} says nothing to --explore, which goes every way: leave one of them out \
                 (--explore takes --deep, --bounds, --bug, --threads, --json)"
            )
        };
        let others = [
            "--seeds 3",
            "--seed 3",
            "--from 3",
            "--script x",
            "--trace",
            "--coverage",
            "--nodes 3",
            "--results r",
            "--keep-going",
            "--no-shrink",
        ];
        for words in others {
            let option = words.split(' ').next().unwrap();
            let refused = asked(&format!("--explore all {words}")).unwrap_err();
            assert_eq!(refused.to_string(), says_nothing(option));
        }
        let cases = [
            (
                "--explore retruning",
                "unknown scenario 'retruning': did you mean 'returning'? \
                 (known: established, leader-change, cold-start, returning, all)",
            ),
            (
                "--explore all --bounds crahses=1",
                "unknown bound 'crahses': did you mean 'crashes'? \
                 (known: depth, crashes, partitions, timeouts, writes)",
            ),
            (
                "--explore all --bounds depth",
                "--bounds has 'depth', but takes names with numbers, such as depth=8,crashes=2",
            ),
            (
                "--explore all --bounds depth=0",
                "depth in --bounds is '0', but takes a whole number from 1 to 1000",
            ),
            (
                "--explore all --bounds crashes=many",
                "crashes in --bounds is 'many', but takes a whole number from 0 to 255",
            ),
            ("--explore all --bounds writes=1,writes=2", "--bounds says writes twice: leave one of them out"),
            ("--deep", "--deep says how far to explore: name a scenario with --explore"),
            ("--bounds depth=2", "--bounds says how far to explore: name a scenario with --explore"),
        ];
        for (words, sentence) in cases {
            assert_eq!(asked(words).unwrap_err().to_string(), sentence, "{words}");
        }
    }
}
