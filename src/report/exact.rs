//! Quantiles without a histogram's rounding, for distributions that are small enough to be sorted: a median of
//! three elections is to be one of the three numbers in the table above it. The `.hgrm` files stay HDR.

use super::format::ns_to_ms;
use crate::election::{Election, Observation, PhaseHistogram, PhaseSummary};

/// Distributions of fewer values are told exactly.
pub(super) const EXACT_BELOW: u64 = 1_000;

/// The nearest-rank quantile of sorted values: the least that so many of a thousand do not exceed.
pub(super) fn quantile(sorted: &[u64], per_mille: u32) -> Option<u64> {
    let per_mille = usize::try_from(per_mille).unwrap_or(usize::MAX);
    let rank = sorted.len().saturating_mul(per_mille).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied()
}

/// How long the phases of the elections under faults took. The histograms are those of the observation.
pub(super) fn phase_summaries(observation: &Observation, histograms: &[PhaseHistogram]) -> Vec<PhaseSummary> {
    // In the order in which the histograms come.
    let durations: [fn(&Election) -> Option<u64>; 5] = [
        |election| election.durations.detect_ns,
        |election| election.durations.elect_ns,
        |election| election.durations.establish_ns,
        |election| election.durations.first_ack_ns,
        |election| election.durations.total_ns,
    ];
    let each = histograms.iter().zip(durations);
    each.map(|(histogram, duration)| {
        let mut sorted_ns: Vec<u64> = observation.under_faults().filter_map(duration).collect();
        sorted_ns.sort_unstable();
        exact(histogram.summary(), &sorted_ns)
    })
    .collect()
}

fn exact(rounded: PhaseSummary, sorted_ns: &[u64]) -> PhaseSummary {
    let at = |per_mille| quantile(sorted_ns, per_mille).map(ns_to_ms);
    match (at(500), at(900), at(990), at(1_000)) {
        (Some(p50_ms), Some(p90_ms), Some(p99_ms), Some(max_ms)) if rounded.count < EXACT_BELOW => {
            PhaseSummary { p50_ms, p90_ms, p99_ms, max_ms, ..rounded }
        }
        _ => rounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        assert_eq!(quantile(&[], 500), None);
        assert_eq!(quantile(&[7], 1), Some(7));
        assert_eq!([500, 900, 1_000].map(|at| quantile(&[1, 2, 9], at)), [Some(2), Some(9), Some(9)]);
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!([500, 900, 990, 999].map(|at| quantile(&hundred, at)), [50, 90, 99, 100].map(Some));
    }

    #[test]
    fn few_elections_are_told_exactly() {
        let rounded = PhaseHistogram::of_run(&Observation::default()).remove(0).summary();
        let rounded = PhaseSummary { count: 3, p50_ms: 4_099.0, ..rounded };
        let summary = exact(rounded.clone(), &[4_096_400_000, 4_097_400_000, 9_000_000_000]);
        assert!((summary.p50_ms - 4_097.4).abs() < 1e-9 && (summary.max_ms - 9_000.0).abs() < 1e-9);
        let many = PhaseSummary { count: EXACT_BELOW, ..rounded };
        assert_eq!(exact(many.clone(), &[1]), many);
    }
}
