//! Counts and latencies of client operations, from the history. The final reads are told apart: they run when
//! everything is healed, and would make the load look better than it was.

use super::exact::{EXACT_BELOW, quantile};
use super::format::{ns_to_ms, per_second};
use crate::election::{PhaseHistogram, hgrm, latency_histogram, ms};
use checker::history::{Op, OpType, Process};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Quantiles of a distribution, ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Latency {
    /// Median.
    pub(crate) p50_ms: f64,
    /// 90th percentile.
    pub(crate) p90_ms: f64,
    /// 99th percentile.
    pub(crate) p99_ms: f64,
    /// 99.9th percentile.
    pub(crate) p999_ms: f64,
    /// The longest.
    pub(crate) max_ms: f64,
}

impl Latency {
    fn of(tally: &Tally) -> Self {
        let mut sorted_ns = tally.few_ns.clone();
        sorted_ns.sort_unstable();
        let histogram = &tally.histogram;
        let few = histogram.len() < EXACT_BELOW;
        let at = |per_mille: u32| match quantile(&sorted_ns, per_mille) {
            Some(exact_ns) if few => ns_to_ms(exact_ns),
            Some(_) | None => ms(histogram.value_at_quantile(f64::from(per_mille) / 1_000.0)),
        };
        Self { p50_ms: at(500), p90_ms: at(900), p99_ms: at(990), p999_ms: at(999), max_ms: at(1_000) }
    }
}

/// One function's operations, or all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OpStats {
    /// The function, `all` of the load, or `final reads`.
    pub(crate) f: String,
    /// Completed ok.
    pub(crate) ok: u64,
    /// Completed as fail.
    pub(crate) fail: u64,
    /// Completed as info, or never completed.
    pub(crate) info: u64,
    /// From invocation to completion of those that completed ok; `None` when none did.
    pub(crate) latency: Option<Latency>,
}

/// How much was acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Throughput {
    /// Operations acknowledged during the load.
    pub(crate) acknowledged: u64,
    /// The load's length, ns.
    pub(crate) load_ns: u64,
    /// Acknowledged per second.
    pub(crate) per_second: f64,
    /// Of the load's length, how much was free of faults, ns.
    pub(crate) quiet_ns: u64,
    /// Acknowledged per second while no fault was active; `None` when there was no such time.
    pub(crate) quiet_per_second: Option<f64>,
    /// The longest part of the load in which nothing was acknowledged: what percentiles hide.
    pub(crate) longest_gap: Gap,
}

/// A time in which nothing was acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Gap {
    /// When it began, ns of the run.
    pub(crate) from_ns: u64,
    /// How long it was, ns.
    pub(crate) length_ns: u64,
}

/// What the clients' operations came to.
#[derive(Debug, Clone)]
pub(crate) struct Operations {
    /// Of the load: one per function in order of name, `all` last.
    pub(crate) stats: Vec<OpStats>,
    /// The reads after everything was healed; `None` when there were none.
    pub(crate) final_reads: Option<OpStats>,
    /// How much was acknowledged.
    pub(crate) throughput: Throughput,
    /// `.hgrm` texts of the load's latencies: file name and content.
    pub(crate) hgrm: Vec<(String, String)>,
}

struct Tally {
    ok: u64,
    fail: u64,
    invoked: u64,
    /// µs.
    histogram: Histogram<u64>,
    /// The same values, ns, as long as they are few.
    few_ns: Vec<u64>,
}

impl Tally {
    fn new() -> Self {
        Self { ok: 0, fail: 0, invoked: 0, histogram: latency_histogram(), few_ns: Vec::new() }
    }

    fn took(&mut self, latency_ns: u64) {
        self.histogram.saturating_record(latency_ns / 1_000);
        if self.histogram.len() < EXACT_BELOW {
            self.few_ns.push(latency_ns);
        }
    }

    fn add(&mut self, other: &Self) {
        self.ok += other.ok;
        self.fail += other.fail;
        self.invoked += other.invoked;
        self.histogram.add(&other.histogram).expect("all latency histograms have the same bounds");
        self.few_ns.extend(&other.few_ns);
    }

    fn stats(&self, f: &str) -> OpStats {
        OpStats {
            f: f.to_owned(),
            ok: self.ok,
            fail: self.fail,
            info: self.invoked.saturating_sub(self.ok + self.fail),
            latency: (self.ok > 0).then(|| Latency::of(self)),
        }
    }
}

/// Counts a history. `load_ns`: when the load began and ended; `faults_ns`: when faults were active.
pub(crate) fn operations(history: &[Op], load_ns: (u64, u64), faults_ns: &[(u64, u64)]) -> Operations {
    let quiet = quiet_spans(load_ns, faults_ns);
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut finals = Tally::new();
    let mut open: HashMap<i64, u64> = HashMap::new();
    let mut acks_ns: Vec<u64> = Vec::new();
    for op in history {
        let Process::Client(process) = op.process else { continue };
        let tally =
            if op.final_read { &mut finals } else { tallies.entry(op.f.as_str()).or_insert_with(Tally::new) };
        match op.op_type {
            OpType::Invoke => {
                tally.invoked += 1;
                open.insert(process, op.time);
            }
            OpType::Ok => {
                tally.ok += 1;
                if let Some(invoked_ns) = open.remove(&process) {
                    tally.took(op.time.saturating_sub(invoked_ns));
                }
                if !op.final_read && load_ns.0 <= op.time && op.time <= load_ns.1 {
                    acks_ns.push(op.time);
                }
            }
            OpType::Fail => tally.fail += 1,
            // Told from the invocations, so that those without any completion count too.
            OpType::Info => {}
        }
    }
    let mut all = Tally::new();
    for tally in tallies.values() {
        all.add(tally);
    }
    let mut stats: Vec<OpStats> = tallies.iter().map(|(f, tally)| tally.stats(f)).collect();
    stats.push(all.stats("all"));
    let final_reads = (finals.invoked > 0).then(|| finals.stats("final reads"));
    let named = tallies.iter().map(|(f, tally)| (*f, tally));
    let hgrm = named.map(|(f, tally)| (format!("latency-{f}.hgrm"), hgrm(&tally.histogram))).collect();

    let load = load_ns.1.saturating_sub(load_ns.0);
    let quiet_ns = quiet.iter().map(|span| span.1 - span.0).sum();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let acknowledged = count(acks_ns.len());
    let in_quiet = |at_ns: &&u64| quiet.iter().any(|span| span.0 <= **at_ns && **at_ns < span.1);
    let quietly = count(acks_ns.iter().filter(in_quiet).count());
    let throughput = Throughput {
        acknowledged,
        load_ns: load,
        per_second: per_second(acknowledged, load),
        quiet_ns,
        quiet_per_second: (quiet_ns > 0).then(|| per_second(quietly, quiet_ns)),
        longest_gap: longest_gap(load_ns, acks_ns),
    };
    Operations { stats, final_reads, throughput, hgrm }
}

/// The longest part of a span in which nothing was acknowledged; of equally long ones the first.
fn longest_gap(load_ns: (u64, u64), mut acks_ns: Vec<u64>) -> Gap {
    acks_ns.sort_unstable();
    acks_ns.push(load_ns.1);
    let mut longest = Gap { from_ns: load_ns.0, length_ns: 0 };
    let mut from_ns = load_ns.0;
    for at_ns in acks_ns {
        let length_ns = at_ns.saturating_sub(from_ns);
        if length_ns > longest.length_ns {
            longest = Gap { from_ns, length_ns };
        }
        from_ns = at_ns;
    }
    longest
}

/// The parts of a span in which no fault was active, in order.
fn quiet_spans(load_ns: (u64, u64), faults_ns: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut faults = faults_ns.to_vec();
    faults.sort_unstable();
    let mut quiet = Vec::new();
    let mut from = load_ns.0;
    for (begin, end) in faults {
        let begin = begin.min(load_ns.1);
        if from < begin {
            quiet.push((from, begin));
        }
        from = from.max(end);
    }
    if from < load_ns.1 {
        quiet.push((from, load_ns.1));
    }
    quiet
}

/// The `.hgrm` files of a run's elections: file name and content.
pub(super) fn election_hgrm(histograms: &[PhaseHistogram]) -> Vec<(String, String)> {
    histograms.iter().map(|one| (one.phase.file_name().to_owned(), one.hgrm())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(time: u64, process: i64, op_type: OpType, f: &str) -> Op {
        Op::new(0, time * 1_000_000, Process::Client(process), op_type, f)
    }

    #[test]
    fn operations_are_counted_by_function_and_outcome() {
        let mut history = Vec::new();
        for n in 0..100_u64 {
            let process = i64::try_from(n).unwrap();
            history.push(op(n, process, OpType::Invoke, "read"));
            history.push(op(n + n + 1, process, OpType::Ok, "read"));
        }
        history.push(op(300, 1, OpType::Invoke, "write"));
        history.push(op(301, 1, OpType::Fail, "write"));
        history.push(op(302, 2, OpType::Invoke, "write"));
        history.push(op(303, 2, OpType::Info, "write"));
        history.push(op(304, 3, OpType::Invoke, "write"));
        history.push(Op::new(0, 0, Process::Nemesis, OpType::Info, "kill"));
        let operations = operations(&history, (0, 1_000_000_000), &[]);
        let brief: Vec<_> = operations
            .stats
            .iter()
            .map(|stats| (stats.f.as_str(), stats.ok, stats.fail, stats.info))
            .collect();
        assert_eq!(brief, vec![("read", 100, 0, 0), ("write", 0, 1, 2), ("all", 100, 1, 2)]);
        let latency = operations.stats[0].latency.unwrap();
        assert!((latency.p50_ms - 50.0).abs() < 0.1 && (latency.p90_ms - 90.0).abs() < 0.1, "{latency:?}");
        assert!((latency.max_ms - 100.0).abs() < 0.1, "{latency:?}");
        assert_eq!(operations.stats[1].latency, None);
        assert_eq!(operations.hgrm.len(), 2);
        assert_eq!(operations.hgrm[0].0, "latency-read.hgrm");
    }

    #[test]
    fn final_reads_are_no_part_of_the_load() {
        let mut history = vec![op(0, 1, OpType::Invoke, "read"), op(900, 1, OpType::Ok, "read")];
        for (time, op_type) in [(2_000, OpType::Invoke), (2_003, OpType::Ok), (2_004, OpType::Invoke)] {
            history.push(Op { final_read: true, ..op(time, 2, op_type, "read") });
        }
        let operations = operations(&history, (0, 3_000_000_000), &[]);
        let [read, all] = operations.stats.as_slice() else { panic!("{:?}", operations.stats) };
        assert_eq!((read.ok, read.info, all.ok, all.info), (1, 0, 1, 0));
        assert!((all.latency.unwrap().p50_ms - 900.0).abs() < 1e-9, "exact: {all:?}");
        let finals = operations.final_reads.unwrap();
        assert_eq!((finals.f.as_str(), finals.ok, finals.info), ("final reads", 1, 1));
        assert!((finals.latency.unwrap().max_ms - 3.0).abs() < 1e-9, "{finals:?}");
        assert_eq!(operations.throughput.acknowledged, 1);
        assert_eq!(
            operations.throughput.longest_gap,
            Gap { from_ns: 900_000_000, length_ns: 2_100_000_000 },
            "a final read ends no gap of the load"
        );
    }

    #[test]
    fn the_longest_gap_may_stand_at_either_end_or_be_everything() {
        let gap = |from_ns, length_ns| Gap { from_ns, length_ns };
        assert_eq!(longest_gap((10, 100), vec![60, 50, 90]), gap(10, 40));
        assert_eq!(longest_gap((10, 100), vec![20, 30, 55]), gap(55, 45));
        assert_eq!(longest_gap((10, 100), vec![20, 80, 90]), gap(20, 60));
        assert_eq!(longest_gap((10, 100), Vec::new()), gap(10, 90));
        assert_eq!(longest_gap((0, 0), Vec::new()), gap(0, 0));
    }

    #[test]
    fn many_latencies_come_from_the_histogram_and_few_are_exact() {
        let history = |number: u64| -> Vec<Op> {
            let pair = |n| [op(n * 5, 0, OpType::Invoke, "read"), op(n * 5 + 3, 0, OpType::Ok, "read")];
            (0..number).flat_map(pair).collect()
        };
        let median = |number| operations(&history(number), (0, 1), &[]).stats[0].latency.unwrap().p50_ms;
        assert!((median(EXACT_BELOW - 1) - 3.0).abs() < 1e-9);
        assert!((median(EXACT_BELOW) - 3.0).abs() < 0.01);
    }

    #[test]
    fn quiet_throughput_leaves_faults_out() {
        let history: Vec<Op> = (0..1_000_u64)
            .flat_map(|n| [op(n, 0, OpType::Invoke, "write"), op(n, 0, OpType::Ok, "write")])
            // Twice as many while quiet.
            .chain((0..500_u64).flat_map(|n| [op(n, 1, OpType::Invoke, "cas"), op(n, 1, OpType::Ok, "cas")]))
            .collect();
        let ms = 1_000_000;
        let throughput =
            operations(&history, (0, 1_000 * ms), &[(600 * ms, 2_000 * ms), (500 * ms, 700 * ms)]).throughput;
        assert_eq!((throughput.acknowledged, throughput.quiet_ns), (1_500, 500 * ms));
        assert!((throughput.per_second - 1_500.0).abs() < 1e-6);
        assert!((throughput.quiet_per_second.unwrap() - 2_000.0).abs() < 1e-6);
    }

    #[test]
    fn without_a_quiet_time_there_is_no_quiet_rate() {
        assert_eq!(operations(&[], (0, 10), &[(0, 20)]).throughput.quiet_per_second, None);
        assert_eq!(quiet_spans((5, 20), &[(0, 7), (9, 12), (30, 40)]), vec![(7, 9), (12, 20)]);
    }
}
