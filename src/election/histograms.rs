//! How long the phases of elections took: HDR histograms, their summary, and the `.hgrm` text that the
//! HdrHistogram plotters read (format of `AbstractHistogram.outputPercentileDistribution`).
//!
//! Only elections that a fault caused count: the start has no fault, and an unexplained election has no
//! beginning that could be measured.

use super::observe::{Durations, Election, Observation};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// A phase of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// From the fault to the first LOOKING.
    FaultToDetected,
    /// From the first LOOKING to the new leader's decision.
    DetectedToElected,
    /// From the decision to the quorum's acknowledgement of NEWLEADER.
    ElectedToEstablished,
    /// From there to the first acknowledged write.
    EstablishedToFirstAck,
    /// From the fault to the first acknowledged write.
    Total,
}

impl Phase {
    /// All phases, in order.
    pub(crate) const ALL: [Self; 5] = [
        Self::FaultToDetected,
        Self::DetectedToElected,
        Self::ElectedToEstablished,
        Self::EstablishedToFirstAck,
        Self::Total,
    ];

    /// Its name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::FaultToDetected => "fault → detected",
            Self::DetectedToElected => "detected → elected",
            Self::ElectedToEstablished => "elected → established",
            Self::EstablishedToFirstAck => "established → first ack",
            Self::Total => "fault → first ack",
        }
    }

    /// Its name in files: `election-fault-to-detected.hgrm`.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::FaultToDetected => "election-fault-to-detected.hgrm",
            Self::DetectedToElected => "election-detected-to-elected.hgrm",
            Self::ElectedToEstablished => "election-elected-to-established.hgrm",
            Self::EstablishedToFirstAck => "election-established-to-first-ack.hgrm",
            Self::Total => "election-total.hgrm",
        }
    }

    fn of(self, durations: &Durations) -> Option<u64> {
        match self {
            Self::FaultToDetected => durations.detect_ns,
            Self::DetectedToElected => durations.elect_ns,
            Self::ElectedToEstablished => durations.establish_ns,
            Self::EstablishedToFirstAck => durations.first_ack_ns,
            Self::Total => durations.total_ns,
        }
    }
}

/// The distribution of one phase over the elections of a run. Values are µs.
#[derive(Debug, Clone)]
pub(crate) struct PhaseHistogram {
    /// The phase.
    pub(crate) phase: Phase,
    histogram: Histogram<u64>,
}

/// What is printed of a distribution: ms, and counts per power of two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PhaseSummary {
    /// The phase.
    pub(crate) phase: Phase,
    /// How many elections.
    pub(crate) count: u64,
    /// Median.
    pub(crate) p50_ms: f64,
    /// 90th percentile.
    pub(crate) p90_ms: f64,
    /// 99th percentile.
    pub(crate) p99_ms: f64,
    /// The longest.
    pub(crate) max_ms: f64,
    /// How many took up to 1, 2, 4, … 16384 ms and longer; 16 counts.
    pub(crate) buckets: Vec<u64>,
}

/// The content of `elections.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ElectionsFile {
    /// The elections.
    #[serde(flatten)]
    pub(crate) observation: Observation,
    /// How long their phases took.
    pub(crate) phases: Vec<PhaseSummary>,
}

impl PhaseHistogram {
    /// One histogram per phase, in the order of [`Phase::ALL`].
    pub(crate) fn of_run(observation: &Observation) -> Vec<Self> {
        let elections: Vec<&Election> = observation.under_faults().collect();
        Phase::ALL
            .into_iter()
            .map(|phase| {
                let mut histogram = latency_histogram();
                for value_ns in elections.iter().filter_map(|election| phase.of(&election.durations)) {
                    histogram.saturating_record(value_ns / 1_000);
                }
                Self { phase, histogram }
            })
            .collect()
    }

    /// What is printed of it.
    pub(crate) fn summary(&self) -> PhaseSummary {
        let at = |quantile: f64| ms(self.histogram.value_at_quantile(quantile));
        let mut buckets = vec![0; 16];
        for value in self.histogram.iter_recorded() {
            let whole_ms = self.histogram.lowest_equivalent(value.value_iterated_to()).div_ceil(1_000).max(1);
            let power = usize::try_from(whole_ms.next_power_of_two().ilog2()).unwrap_or(usize::MAX);
            buckets[power.min(15)] += value.count_since_last_iteration();
        }
        PhaseSummary {
            phase: self.phase,
            count: self.histogram.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            max_ms: ms(self.histogram.max()),
            buckets,
        }
    }

    /// The `.hgrm` text, values in ms.
    pub(crate) fn hgrm(&self) -> String {
        hgrm(&self.histogram)
    }
}

/// A histogram of µs up to an hour, three digits.
pub(crate) fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_max(3_600_000_000, 3).expect("an hour in µs at three digits is within HDR's bounds")
}

/// A µs value of a histogram in ms.
#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 µs")]
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

/// The percentile distribution of a histogram of µs as HdrHistogram prints it, scaled to ms.
pub(crate) fn hgrm(histogram: &Histogram<u64>) -> String {
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0;
    // Five reporting points per halving of the distance to 100 %: the default of the Java tools.
    for point in histogram.iter_quantiles(5) {
        total += point.count_since_last_iteration();
        let quantile = point.quantile_iterated_to();
        let value = ms(histogram.highest_equivalent(point.value_iterated_to()));
        write!(text, "{value:>12.3} {quantile:.12} {total:>10}").expect(TO_STRING);
        if quantile < 1.0 {
            write!(text, " {:>14.2}", 1.0 / (1.0 - quantile)).expect(TO_STRING);
        }
        text.push('\n');
    }
    let (mean, deviation, max) = if histogram.is_empty() {
        (0.0, 0.0, 0.0)
    } else {
        (histogram.mean() / 1_000.0, histogram.stdev() / 1_000.0, ms(histogram.max()))
    };
    // HdrHistogram: the smallest power of two above twice the largest value with single-unit resolution.
    let sub_buckets = (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    let (count, buckets) = (histogram.len(), histogram.buckets());
    write!(
        text,
        "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]\n\
         #[Max     = {max:>12.3}, Total count    = {count:>12}]\n\
         #[Buckets = {buckets:>12}, SubBuckets     = {sub_buckets:>12}]\n"
    )
    .expect(TO_STRING);
    text
}

const TO_STRING: &str = "writing to a String cannot fail";

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values_us: &[u64]) -> Histogram<u64> {
        let mut histogram = latency_histogram();
        for &value in values_us {
            histogram.record(value).unwrap();
        }
        histogram
    }

    #[test]
    fn hgrm_is_what_the_plotters_read() {
        // Below 2048 µs every µs has its own bucket. Three values: 1/3, 2/3 and 1 of all.
        let text = hgrm(&histogram(&[100, 200, 300]));
        let expected = [
            "       Value     Percentile TotalCount 1/(1-Percentile)",
            "",
            "       0.100 0.000000000000          1           1.00",
            "       0.100 0.100000000000          1           1.11",
            "       0.100 0.200000000000          1           1.25",
            "       0.100 0.300000000000          1           1.43",
            "       0.200 0.400000000000          2           1.67",
            "       0.200 0.500000000000          2           2.00",
            "       0.200 0.550000000000          2           2.22",
            "       0.200 0.600000000000          2           2.50",
            "       0.200 0.650000000000          2           2.86",
            "       0.300 0.700000000000          3           3.33",
            "       0.300 1.000000000000          3",
            "#[Mean    =        0.200, StdDeviation   =        0.082]",
            "#[Max     =        0.300, Total count    =            3]",
            "#[Buckets =           22, SubBuckets     =         2048]",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_empty_histogram_has_a_footer_too() {
        let text = hgrm(&latency_histogram());
        assert!(text.contains("#[Mean    =        0.000") && text.contains("Total count    =            0]"));
        assert!(!text.contains("NaN"), "{text}");
    }

    #[test]
    fn a_summary_has_percentiles_and_powers_of_two() {
        let values: Vec<u64> = (1..=100).map(|n| n * 1_000).collect();
        let one = PhaseHistogram { phase: Phase::Total, histogram: histogram(&values) };
        let summary = one.summary();
        let close = |got: f64, want: f64| (got - want).abs() < want / 500.0;
        assert_eq!(summary.count, 100);
        assert!(close(summary.p50_ms, 50.0) && close(summary.p90_ms, 90.0), "{summary:?}");
        assert!(close(summary.p99_ms, 99.0) && close(summary.max_ms, 100.0), "{summary:?}");
        assert_eq!(summary.buckets.iter().sum::<u64>(), 100);
        assert_eq!(summary.buckets[..3], [1, 1, 2], "1 ms; 2 ms; 3 and 4 ms");
    }
}
