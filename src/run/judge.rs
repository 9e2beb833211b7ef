//! From a run's records to its verdicts: every check, side by side.

use super::recorded::Recorded;
use crate::cluster::UnexpectedExit;
use crate::election::{FencingReport, Observation, fencing, observe};
use crate::interpreter::Spotted;
use crate::plan::Plan;
use crate::report::NamedVerdict;
use crate::verdicts::{Exercise, final_reads, vacuity};
use anyhow::Context as _;
use checker::history::{History, Op, Reader};
use checker::order::check_order;
use checker::{Counterexample, Options, Verdict, check_real_time, check_register};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The name of the verdict on whether a run was what was asked for, in full.
pub(crate) const ENDED: &str = "ran to its end";

/// What the checks found.
#[derive(Debug)]
pub(super) struct Judged {
    /// The history's lines.
    pub(super) ops: Vec<Op>,
    /// Every verdict under its name.
    pub(super) verdicts: Vec<NamedVerdict>,
    /// Why the history is not linearizable, if it is not.
    pub(super) counterexamples: Vec<Counterexample>,
    /// The elections.
    pub(super) elections: Observation,
    /// The fencing report.
    pub(super) fencing: FencingReport,
}

/// The verdicts that a history alone allows.
#[derive(Debug)]
pub(crate) struct OfHistory {
    /// Every verdict under its name.
    pub(crate) verdicts: Vec<NamedVerdict>,
    /// Why the history is not linearizable, if it is not.
    pub(crate) counterexamples: Vec<Counterexample>,
    /// What the history exercised.
    pub(crate) stats: checker::Stats,
}

/// Reads a history; says whether its last line was cut off.
pub(crate) fn read_history(path: &Path) -> Result<(Vec<Op>, bool), checker::CheckError> {
    let file = File::open(path).map_err(|source| checker::CheckError::Io { path: path.into(), source })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut reader = Reader::new(&name, BufReader::with_capacity(1 << 16, file));
    let ops = reader.by_ref().collect::<Result<Vec<Op>, _>>()?;
    Ok((ops, reader.truncated()))
}

/// Judges a history of a plan's workload.
///
/// # Errors
/// When the history makes no sense: lines that do not fit together, values that the workload never writes.
pub(crate) fn judge_history(plan: &Plan, ops: &[Op]) -> Result<OfHistory, checker::CheckError> {
    let history = History::from_ops(ops.to_vec())?;
    let nodes: Vec<String> = crate::cluster::NodeId::all(plan.nodes).map(|node| node.to_string()).collect();
    let options = Options::default();
    let (linear, order, real_time, finals) = thread::scope(|scope| {
        let linear = scope.spawn(|| check_register(&history, &options));
        let order = check_order(&history).verdict;
        let real_time = check_real_time(&history);
        let finals = final_reads(ops, &nodes);
        (linear.join().expect("a panic of the checker is a bug that must show"), order, real_time, finals)
    });
    let linear = linear?;
    let verdicts = vec![
        NamedVerdict::new("linearizable", linear.verdict),
        NamedVerdict::new("zxid order", order),
        NamedVerdict::new("real-time order", real_time),
        NamedVerdict::new("final reads", finals),
    ];
    let counterexamples = linear.counterexample.into_iter().chain(linear.more_counterexamples).collect();
    Ok(OfHistory { verdicts, counterexamples, stats: checker::stats(&history) })
}

/// Judges a run.
///
/// # Errors
/// When the history cannot be read or makes no sense: this tool wrote it.
pub(super) fn judge(plan: &Plan, history: &Path, recorded: &Recorded) -> anyhow::Result<Judged> {
    let (ops, _) = read_history(history).context("failed to read the history back")?;
    let (of_history, elections, fencing) = thread::scope(|scope| {
        let of_history = scope.spawn(|| judge_history(plan, &ops));
        let elections = observe(&recorded.traces, &recorded.faults, &ops);
        let fencing = fencing(&recorded.traces, &recorded.faults, &ops);
        (of_history.join().expect("a panic of a check is a bug that must show"), elections, fencing)
    });
    let OfHistory { mut verdicts, counterexamples, stats } =
        of_history.context("failed to make sense of the history")?;
    let established_ns: Vec<u64> = elections.elections.iter().map(|one| one.phases.established_ns).collect();
    let exercise = Exercise {
        plan,
        ops: &ops,
        stats: &stats,
        faults: &recorded.faults,
        established_ns: &established_ns,
    };
    verdicts.push(NamedVerdict::new("fencing", fencing.verdict()));
    verdicts.extend(recorded.protocol.clone().map(|kept| NamedVerdict::new("protocol properties", kept)));
    verdicts.extend(contradiction(&verdicts, recorded.spotted.as_ref()));
    verdicts.push(NamedVerdict::new("no node died by itself", no_node_died(&recorded.exits)));
    verdicts.push(NamedVerdict::new(ENDED, ended(plan, recorded.interrupted_ns)));
    verdicts.push(NamedVerdict::new("not vacuous", vacuity(&exercise)));
    Ok(Judged { ops, verdicts, counterexamples, elections, fencing })
}

/// What was seen while the run went on must be found in its history too.
fn contradiction(verdicts: &[NamedVerdict], spotted: Option<&Spotted>) -> Option<NamedVerdict> {
    let spotted = spotted.filter(|_| !verdicts.iter().any(|one| one.verdict.is_invalid()))?;
    let why = format!(
        "the checks contradict each other, please report this: while the run went on this was seen: {}",
        spotted.sentence
    );
    Some(NamedVerdict::new("watched live", Verdict::Unknown(why)))
}

/// Half a run is no proof of the whole.
fn ended(plan: &Plan, interrupted_ns: Option<u64>) -> Verdict {
    let Some(after_ns) = interrupted_ns else { return Verdict::Valid };
    let tenths = after_ns / 100_000_000;
    let asked = Duration::from_millis(plan.time_limit_ms).as_secs_f64();
    Verdict::Unknown(format!("interrupted after {}.{} s of {asked} s", tenths / 10, tenths % 10))
}

fn no_node_died(exits: &[UnexpectedExit]) -> Verdict {
    let Some(first) = exits.first() else { return Verdict::Valid };
    let last_words = first.last_log_lines.last().map(|line| format!(", saying: {line}")).unwrap_or_default();
    let more = match exits.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    Verdict::Invalid(format!("{} ended by itself with {}{last_words}{more}", first.node, first.how))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::NodeId;

    #[test]
    fn half_a_run_proves_nothing_of_the_whole() {
        let plan = Plan { time_limit_ms: 20_000, ..crate::plan::tests::plan() };
        assert_eq!(ended(&plan, None), Verdict::Valid);
        assert_eq!(
            ended(&plan, Some(7_049_000_000)),
            Verdict::Unknown("interrupted after 7.0 s of 20 s".into())
        );
    }

    #[test]
    fn a_node_that_dies_by_itself_is_a_broken_promise() {
        let exit = |number| UnexpectedExit {
            node: NodeId::new(number),
            at_ns: 1,
            how: "exit status 1".into(),
            last_log_lines: vec!["fsync failed".into()],
        };
        assert_eq!(no_node_died(&[]), Verdict::Valid);
        assert_eq!(
            no_node_died(&[exit(2), exit(3)]),
            Verdict::Invalid(
                "n2 ended by itself with exit status 1, saying: fsync failed (and 1 more)".into()
            )
        );
    }
}
