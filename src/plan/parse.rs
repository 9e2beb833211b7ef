//! From typed text to a [`Plan`]: every bad value is refused here, in one sentence that says what
//! would do.

use super::names::find;
use super::{FaultFamily, PartitionShape, Plan, TargetSpec, join};
use crate::cli::{PlanArgs, TestArgs};
use crate::cluster::NodeId;
use crate::exit::UsageError;
use std::ops::RangeInclusive;
use std::path::Path;

/// Most nodes of a cluster: 15 of them fill a small machine, and ZooKeeper ensembles are smaller.
const NODES_MAX: u16 = 15;

/// Names that other rooms own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Workloads.
    pub(crate) workloads: &'a [&'a str],
    /// Planted bugs.
    pub(crate) bugs: &'a [&'a str],
}

/// What `zabchaos test` was asked to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    /// The plan of the first run.
    pub(crate) plan: Plan,
    /// How many runs.
    pub(crate) test_count: u32,
    /// Results as one JSON document instead of the report.
    pub(crate) json: bool,
}

/// Makes sense of the arguments. `fresh_seed` is used when none was typed.
pub(crate) fn parse(args: &TestArgs, known: Known<'_>, fresh_seed: u64) -> Result<Request, UsageError> {
    let base_port = args.base_port.as_deref();
    let base_port =
        base_port.map(|port| number("--base-port", port, 1024..=65_000).map(narrow)).transpose()?;
    let request = parse_plan(&args.plan, known, fresh_seed)?;
    Ok(Request { plan: Plan { base_port, ..request.plan }, ..request })
}

/// Makes sense of what real and simulated runs have in common.
pub(super) fn parse_plan(args: &PlanArgs, known: Known<'_>, fresh_seed: u64) -> Result<Request, UsageError> {
    let nodes = number("--nodes", &args.nodes, 1..=u64::from(NODES_MAX))?;
    let nodes = u16::try_from(nodes).expect("at most NODES_MAX");
    let nemesis = families(&args.nemesis)?;
    let (targets, partitions) = aims(args, &nemesis, nodes)?;
    let workload = find("workload", &args.workload, known.workloads)?;
    let plan = Plan {
        simulated: false,
        nodes,
        workload: workload.to_owned(),
        nemesis,
        nemesis_interval_ms: duration_ms("--nemesis-interval", &args.nemesis_interval, 200..=3_600_000)?,
        targets,
        partitions,
        time_limit_ms: duration_ms("--time-limit", &args.time_limit, 100..=86_400_000)?,
        rate: number("--rate", &args.rate, 0..=1_000_000)?,
        concurrency: concurrency(&args.concurrency, nodes)?,
        keys: narrow(number("--keys", &args.keys, 1..=1_000)?),
        ops_per_key: narrow(number("--ops-per-key", &args.ops_per_key, 2..=1_000_000)?),
        op_timeout_ms: duration_ms("--op-timeout", &args.op_timeout, 10..=600_000)?,
        seed: seed(args.seed.as_deref())?.unwrap_or(fresh_seed),
        tick_ms: duration_ms("--tick-time", &args.tick_time, 10..=60_000)?,
        init_limit: number("--init-limit", &args.init_limit, 1..=10_000)?,
        sync_limit: number("--sync-limit", &args.sync_limit, 1..=10_000)?,
        snap_count: narrow(number("--snap-count", &args.snap_count, 2..=1_000_000_000)?),
        base_port: None,
        bug: bug(args.bug.as_deref(), known)?,
        results: args.results.clone(),
    };
    check_results(&plan.results)?;
    crate::nemesis::check_plan(&plan).map_err(UsageError)?;
    let test_count = narrow(number("--test-count", &args.test_count, 1..=100_000)?);
    Ok(Request { plan, test_count, json: args.json })
}

/// Whom faults hit and how partitions are shaped.
fn aims(
    args: &PlanArgs,
    nemesis: &[FaultFamily],
    nodes: u16,
) -> Result<(Vec<TargetSpec>, Vec<PartitionShape>), UsageError> {
    if nemesis.is_empty() && (args.targets.is_some() || args.partition.is_some()) {
        let option = if args.targets.is_some() { "--targets" } else { "--partition" };
        return Err(UsageError(format!(
            "{option} needs faults, but --nemesis is none: add --nemesis partition, pause or kill"
        )));
    }
    let partitions = args.partition.as_deref().map(shapes).transpose()?.unwrap_or_default();
    if !partitions.is_empty() && !nemesis.contains(&FaultFamily::Partition) {
        return Err(UsageError(
            "--partition needs --nemesis partition, which is not among the families asked for".into(),
        ));
    }
    let targets = args.targets.as_deref().map(|list| targets(list, nodes)).transpose()?.unwrap_or_default();
    check_targets(nemesis, &targets, &partitions)?;
    Ok((targets, partitions))
}

/// The seed, if one was typed.
pub(super) fn seed(typed: Option<&str>) -> Result<Option<u64>, UsageError> {
    typed.map(|seed| number("--seed", seed, 0..=u64::MAX)).transpose()
}

/// The planted bug, if one was typed.
pub(super) fn bug(typed: Option<&str>, known: Known<'_>) -> Result<Option<String>, UsageError> {
    let bug = typed.map(|bug| find("bug", bug, known.bugs)).transpose()?;
    Ok(bug.map(str::to_owned))
}

/// Narrows a number whose bounds were checked just before.
pub(super) fn narrow<T: TryFrom<u64>>(value: u64) -> T {
    T::try_from(value).ok().expect("the bounds just checked fit the type")
}

pub(super) fn number(option: &str, text: &str, bounds: RangeInclusive<u64>) -> Result<u64, UsageError> {
    let value = text.parse::<u64>().ok().filter(|value| bounds.contains(value));
    value.ok_or_else(|| {
        UsageError(format!(
            "{option} is '{text}', but takes a whole number from {} to {}",
            bounds.start(),
            bounds.end()
        ))
    })
}

/// A number with unit ms, s or m, in ms; fractions such as 1.5s are fine.
pub(super) fn duration_ms(option: &str, text: &str, bounds: RangeInclusive<u64>) -> Result<u64, UsageError> {
    let wrong = |what: String| UsageError(format!("{option} is '{text}', but takes {what}"));
    let Some(ms) = parse_duration_ms(text) else {
        return Err(wrong("a duration with a unit, such as 500ms, 30s or 2m".into()));
    };
    if !bounds.contains(&ms) {
        return Err(wrong(format!("a duration from {}ms to {}s", bounds.start(), bounds.end() / 1000)));
    }
    Ok(ms)
}

/// Reads "1.5s" exactly, without floating point; what is too large for the type is the largest number. `None`
/// when it is no duration or finer than 1 ms.
fn parse_duration_ms(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (digits, unit) = text.split_at(unit_at);
    let unit_ms: u128 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    // 64 bits of whole units, 20 of the fraction and 16 of the unit fit into 128.
    let whole = u128::from(whole.parse::<u64>().unwrap_or(u64::MAX));
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let ms = (whole * scale + fraction) * unit_ms;
    ms.is_multiple_of(scale).then(|| u64::try_from(ms / scale).unwrap_or(u64::MAX))
}

fn concurrency(text: &str, nodes: u16) -> Result<u16, UsageError> {
    let (digits, factor) = match text.strip_suffix('n') {
        Some(digits) => (digits, u64::from(nodes)),
        None => (text, 1),
    };
    let count = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor));
    let count = count.filter(|count| (1..=1_000).contains(count));
    count.map(narrow).ok_or_else(|| {
        UsageError(format!(
            "--concurrency is '{text}', but takes a number of clients such as 10, or 2n for two a node, up to 1000"
        ))
    })
}

pub(super) fn words<'a>(option: &str, list: &'a str) -> Result<Vec<&'a str>, UsageError> {
    let words: Vec<&str> = list.split(',').map(str::trim).collect();
    if words.iter().any(|word| word.is_empty()) {
        return Err(UsageError(format!("{option} is '{list}', but takes names separated by single commas")));
    }
    Ok(words)
}

fn families(list: &str) -> Result<Vec<FaultFamily>, UsageError> {
    let words = words("--nemesis", list)?;
    if words == ["none"] {
        return Ok(Vec::new());
    }
    let mut known = vec!["none".to_owned()];
    known.extend(FaultFamily::ALL.iter().map(ToString::to_string));
    let mut families = Vec::new();
    for word in words {
        if find("nemesis", word, &known)? == "none" {
            return Err(UsageError(format!("--nemesis is '{list}', but none stands alone")));
        }
        let family = find("nemesis", word, &FaultFamily::ALL)?;
        if !families.contains(&family) {
            families.push(family);
        }
    }
    Ok(families)
}

/// Words stand for themselves; all node names together are one target.
fn targets(list: &str, nodes: u16) -> Result<Vec<TargetSpec>, UsageError> {
    let mut targets: Vec<TargetSpec> = Vec::new();
    let mut named: Vec<NodeId> = Vec::new();
    for word in words("--targets", list)? {
        let digits = word.strip_prefix('n').unwrap_or_default();
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let node = word.parse::<NodeId>().ok().filter(|node| node.number() <= nodes);
            named.push(node.ok_or_else(|| {
                UsageError(format!(
                    "--targets names {word}, but with --nodes {nodes} the nodes are n1 to n{nodes}"
                ))
            })?);
            continue;
        }
        let mut known: Vec<String> = TargetSpec::WORDS.iter().map(ToString::to_string).collect();
        known.extend(NodeId::all(nodes).map(|node| node.to_string()));
        find("target", word, &known)?;
        let target = find("target", word, &TargetSpec::WORDS)?;
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    if !named.is_empty() {
        named.sort_unstable();
        named.dedup();
        targets.push(TargetSpec::Nodes(named));
    }
    Ok(targets)
}

/// Refuses targets that no fault would heed.
fn check_targets(
    nemesis: &[FaultFamily],
    targets: &[TargetSpec],
    shapes: &[PartitionShape],
) -> Result<(), UsageError> {
    if targets.is_empty() || nemesis.iter().any(|&family| family != FaultFamily::Partition) {
        return Ok(());
    }
    if !shapes.is_empty() && !shapes.iter().any(|shape| shape.has_target()) {
        return Err(UsageError(format!(
            "--targets has no effect on the partitions {}, which know no target: leave it out, \
             or add another shape or --nemesis pause or kill",
            join(shapes)
        )));
    }
    match targets.iter().find(|target| matches!(target, TargetSpec::All | TargetSpec::Majority)) {
        Some(target) => Err(UsageError(format!(
            "--targets {target} has no effect on partitions, which are drawn around single nodes or a minority: \
             name another target, or add --nemesis pause or kill"
        ))),
        None => Ok(()),
    }
}

fn shapes(list: &str) -> Result<Vec<PartitionShape>, UsageError> {
    let mut shapes = Vec::new();
    for word in words("--partition", list)? {
        let shape = find("partition shape", word, &PartitionShape::ALL)?;
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    Ok(shapes)
}

fn check_results(results: &Path) -> Result<(), UsageError> {
    if results.as_os_str().is_empty() {
        return Err(UsageError("--results is empty, but takes a folder".into()));
    }
    if results.exists() && !results.is_dir() {
        return Err(UsageError(format!("--results is '{}', which is no folder", results.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    const KNOWN: Known<'_> = Known { workloads: &["register"], bugs: &["elect-any", "local-sync"] };

    fn request(words: &str) -> Result<Request, UsageError> {
        let words = ["zabchaos", "test"].into_iter().chain(words.split_whitespace());
        let Command::Test(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("test was asked for");
        };
        parse(&args, KNOWN, 77)
    }

    fn refusal(words: &str) -> String {
        request(words).unwrap_err().to_string()
    }

    #[test]
    fn defaults() {
        let Request { plan, test_count, json } = request("").unwrap();
        assert_eq!((plan.nodes, plan.nemesis.len(), plan.concurrency), (5, 0, 10));
        assert_eq!((plan.time_limit_ms, plan.tick_ms, plan.seed), (30_000, 200, 77));
        assert_eq!((test_count, json), (1, false));
    }

    #[test]
    fn durations_are_exact_and_need_a_unit() {
        let cases = [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("1.5s", Some(1_500)),
            ("0.001s", Some(1)),
            ("2m", Some(120_000)),
            ("0.5ms", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            (".5s", None),
            ("1e3s", None),
            ("1 s", None),
            ("99999999999999999999s", Some(u64::MAX)),
            ("99999999999999999999.5s", Some(u64::MAX)),
        ];
        for (text, ms) in cases {
            assert_eq!(parse_duration_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn lists_are_read_without_doubles() {
        let plan =
            request("--nemesis kill,pause,kill,partition --targets leader,n3,n1,n3,one --partition bridge")
                .unwrap()
                .plan;
        assert_eq!(plan.nemesis, [FaultFamily::Kill, FaultFamily::Pause, FaultFamily::Partition]);
        let n = NodeId::new;
        assert_eq!(plan.targets, [TargetSpec::Leader, TargetSpec::One, TargetSpec::Nodes(vec![n(1), n(3)])]);
        assert_eq!(plan.partitions, [PartitionShape::Bridge]);
    }

    #[test]
    fn concurrency_by_node() {
        assert_eq!(request("--nodes 7 --concurrency 2n").unwrap().plan.concurrency, 14);
        assert_eq!(request("--concurrency 4").unwrap().plan.concurrency, 4);
        assert!(refusal("--concurrency n").starts_with("--concurrency is 'n', but takes"));
        assert!(refusal("--concurrency 0").starts_with("--concurrency is '0', but takes"));
    }

    #[test]
    fn every_refusal_is_one_sentence() {
        let cases = [
            ("--nodes 0", "--nodes is '0', but takes a whole number from 1 to 15"),
            ("--nodes five", "--nodes is 'five', but takes a whole number from 1 to 15"),
            (
                "--time-limit 30",
                "--time-limit is '30', but takes a duration with a unit, such as 500ms, 30s or 2m",
            ),
            ("--time-limit 10ms", "--time-limit is '10ms', but takes a duration from 100ms to 86400s"),
            (
                "--time-limit 99999999999999999999s",
                "--time-limit is '99999999999999999999s', but takes a duration from 100ms to 86400s",
            ),
            (
                "--nemesis kil",
                "unknown nemesis 'kil': did you mean 'kill'? (known: none, partition, pause, kill)",
            ),
            ("--nemesis none,kill", "--nemesis is 'none,kill', but none stands alone"),
            ("--nemesis kill,", "--nemesis is 'kill,', but takes names separated by single commas"),
            (
                "--workload registre",
                "unknown workload 'registre': did you mean 'register'? (known: register)",
            ),
            (
                "--bug local-snyc",
                "unknown bug 'local-snyc': did you mean 'local-sync'? (known: elect-any, local-sync)",
            ),
            ("--nemesis kill --targets n9", "--targets names n9, but with --nodes 5 the nodes are n1 to n5"),
            ("--nemesis kill --targets n0", "--targets names n0, but with --nodes 5 the nodes are n1 to n5"),
            (
                "--nemesis partition --targets all",
                "--targets all has no effect on partitions, which are drawn around single nodes or a minority: \
                 name another target, or add --nemesis pause or kill",
            ),
            (
                "--nemesis partition --targets leader --partition bridge,leader-alone",
                "--targets has no effect on the partitions bridge,leader-alone, which know no target: leave it out, \
                 or add another shape or --nemesis pause or kill",
            ),
            (
                "--nemesis kill --partition one",
                "--partition needs --nemesis partition, which is not among the families asked for",
            ),
            (
                "--targets one",
                "--targets needs faults, but --nemesis is none: add --nemesis partition, pause or kill",
            ),
            ("--seed x", "--seed is 'x', but takes a whole number from 0 to 18446744073709551615"),
        ];
        for (words, sentence) in cases {
            assert_eq!(refusal(words), sentence, "{words}");
        }
    }

    #[test]
    fn the_printed_command_asks_for_the_same_plan() {
        let asked = request(
            "--nodes 3 --nemesis pause,partition --targets leader,n1,n2 --partition one-way --time-limit 1.5s \
             --rate 0 --bug elect-any --seed 5 --base-port 20000 --results elsewhere/runs",
        );
        let plan = asked.unwrap().plan;
        let command = plan.command();
        let again = request(command.strip_prefix("zabchaos test ").unwrap()).unwrap().plan;
        assert_eq!(again, plan);
    }
}
