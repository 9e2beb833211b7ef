//! The tables of the report: from results to plain text, at most [`WIDTH`] columns wide. No colours, no
//! judgement; which tables are shown when is [`super::text`]'s business.

use super::format::{bare_ms, bare_ms_of_ns, bare_s_of_ns, bars, bytes_apart, count, wrap};
use super::latency::{Latency, OpStats};
use crate::cluster::NodeId;
use crate::election::{
    Cause, Election, Ending, EpochFencing, FencingReport, Observation, PhaseSummary, describe,
};
use crate::nemesis::{FaultOutcome, FaultRecord};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::peaker::PriorityMax;
use tabled::settings::style::HorizontalLine;
use tabled::settings::{Alignment, Padding, Style, Width};

/// How wide a table may be.
pub(super) const WIDTH: usize = 100;

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Words.
    L,
    /// Words, in lines of at most so many columns.
    W(usize),
    /// Numbers.
    R,
}
use Side::{L, R, W};

/// Lays rows out under their heads.
fn table<const N: usize>(heads: [(&str, Side); N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut builder = Builder::default();
    builder.push_record(heads.map(|(head, _)| head.to_owned()));
    for mut row in rows {
        for (cell, (_, side)) in row.iter_mut().zip(&heads) {
            if let W(width) = side {
                *cell = wrap(cell, *width).join("\n");
            }
        }
        builder.push_record(row);
    }
    let mut table = builder.build();
    table.with(Style::empty().horizontals([(1, HorizontalLine::new('─'))])).with(Padding::new(0, 2, 0, 0));
    for (place, (_, side)) in heads.iter().enumerate() {
        if *side == R {
            table.modify(Columns::one(place), Alignment::right());
        }
    }
    // The widths above fit; only a word that is longer than its column gets here.
    table.with(Width::wrap(WIDTH).keep_words(true).priority(PriorityMax::right()));
    table.to_string().lines().map(str::trim_end).fold(String::new(), |text, line| text + line + "\n")
}

/// Of fewer values the upper percentiles would be the longest by another name.
const PERCENTILES_FROM: u64 = 10;

/// Operations by function: counts and latencies. The final reads stand below `all`, which they are no part of.
pub(super) fn operations(load: &[OpStats], final_reads: Option<&OpStats>) -> String {
    let heads = [
        ("operation", L),
        ("ok", R),
        ("fail", R),
        ("info", R),
        ("p50", R),
        ("p90", R),
        ("p99", R),
        ("p99.9", R),
        ("max", R),
    ];
    let rows = load.iter().chain(final_reads).map(|stats| {
        let at = |value: fn(&Latency) -> f64| stats.latency.as_ref().map_or_else(none, |l| bare_ms(value(l)));
        let upper = |value: fn(&Latency) -> f64| if stats.ok < PERCENTILES_FROM { none() } else { at(value) };
        [
            stats.f.clone(),
            count(stats.ok),
            count(stats.fail),
            count(stats.info),
            at(|l| l.p50_ms),
            upper(|l| l.p90_ms),
            upper(|l| l.p99_ms),
            upper(|l| l.p999_ms),
            at(|l| l.max_ms),
        ]
    });
    table(heads, rows)
}

/// Faults, with what shows that they took effect.
pub(super) fn faults(faults: &[FaultRecord]) -> String {
    let heads = [("#", R), ("fault", W(29)), ("at s", R), ("for s", R), ("outcome", L), ("evidence", W(36))];
    let rows = faults.iter().map(|fault| {
        let lasted = fault.installed_ns.and_then(|from| Some(fault.healed_ns?.saturating_sub(from)));
        let (outcome, shown) = match &fault.outcome {
            FaultOutcome::Installed => ("installed", evidence(&fault.evidence)),
            FaultOutcome::Skipped { why } => ("skipped", why.clone()),
            FaultOutcome::Failed { why } => ("failed", why.clone()),
        };
        [
            fault.planned.id.to_string(),
            describe(&fault.planned.action),
            // As the elections count: from the injection.
            fault.injected_ns.or(fault.installed_ns).map_or_else(none, bare_s_of_ns),
            lasted.map_or_else(none, bare_s_of_ns),
            outcome.to_owned(),
            shown,
        ]
    });
    table(heads, rows)
}

/// The first piece of evidence; `results.json` has the others.
fn evidence(all: &[String]) -> String {
    match all {
        [] => none(),
        [only] => bytes_apart(only),
        [first, more @ ..] => format!("{} (+{} more)", bytes_apart(first), more.len()),
    }
}

/// Elections with their phases in ms. The rounds of voting are in `elections.json`.
pub(super) fn elections(observation: &Observation) -> String {
    let heads = [
        ("#", R),
        ("cause", W(28)),
        ("epoch", L),
        ("leader", L),
        ("at s", R),
        ("detect", R),
        ("elect", R),
        ("estab.", R),
        ("1st ack", R),
        ("total", R),
    ];
    table(heads, observation.elections.iter().map(election))
}

fn election(election: &Election) -> [String; 10] {
    let cause = match &election.cause {
        Cause::Start => "start".to_owned(),
        // The table of faults above says what kind of fault it was.
        Cause::Fault { id, text } => format!("#{id} {}", text.strip_prefix("partition ").unwrap_or(text)),
        Cause::Unexplained => "unexplained".to_owned(),
    };
    let epoch = election.epoch_before.map_or_else(none, |epoch| epoch.to_string());
    let leader = election.leader_before.map_or_else(none, |leader| leader.to_string());
    let durations = &election.durations;
    [
        election.index.to_string(),
        cause,
        format!("{epoch} → {}", election.epoch_after),
        format!("{leader} → {}", election.leader_after),
        bare_s_of_ns(election.phases.fault_ns.unwrap_or(election.phases.detected_ns)),
        optional_ms(durations.detect_ns),
        optional_ms(durations.elect_ns),
        optional_ms(durations.establish_ns),
        optional_ms(durations.first_ack_ns),
        optional_ms(durations.total_ns),
    ]
}

/// The distribution of the phases.
pub(super) fn phases(phases: &[PhaseSummary]) -> String {
    let heads = [
        ("phase", L),
        ("count", R),
        ("p50", R),
        ("p90", R),
        ("p99", R),
        ("max", R),
        // Its ends stand above the first and the last bar.
        ("≤1 ms  ……  >16 s", L),
    ];
    let rows = phases.iter().map(|phase| {
        let at = |ms: f64| if phase.count == 0 { none() } else { bare_ms(ms) };
        let upper = |ms: f64| if phase.count < PERCENTILES_FROM { none() } else { at(ms) };
        [
            phase.phase.title().to_owned(),
            count(phase.count),
            at(phase.p50_ms),
            upper(phase.p90_ms),
            upper(phase.p99_ms),
            at(phase.max_ms),
            bars(&phase.buckets),
        ]
    });
    table(heads, rows)
}

/// Epochs: who led them, until when, and what became of requests that came too late.
pub(super) fn fencing(report: &FencingReport) -> String {
    let heads = [
        ("epoch", R),
        ("leader", L),
        ("estab. s", R),
        ("superseded", R),
        ("resumed", R),
        ("stopped", R),
        ("zombie ms", R),
        ("fenced", R),
        ("late requests", W(20)),
    ];
    table(heads, report.epochs.iter().map(epoch))
}

fn epoch(epoch: &EpochFencing) -> [String; 9] {
    let moment = |at_ns: Option<u64>| at_ns.map_or_else(none, bare_s_of_ns);
    [
        epoch.epoch.to_string(),
        epoch.leader.to_string(),
        bare_s_of_ns(epoch.established_ns),
        moment(epoch.superseded_ns),
        moment(epoch.resumed_ns),
        match (epoch.superseded_ns, epoch.stopped_ns) {
            (_, Some(at_ns)) if epoch.died => format!("{} died", bare_s_of_ns(at_ns)),
            (_, Some(at_ns)) => bare_s_of_ns(at_ns),
            (Some(_), None) => "never".to_owned(),
            (None, None) => none(),
        },
        if epoch.superseded_ns.is_some() { bare_ms_of_ns(epoch.zombie_ns) } else { none() },
        count(epoch.refused_by_peers),
        late_requests(epoch),
    ]
}

/// `3 cut, 1 timed out`.
fn late_requests(epoch: &EpochFencing) -> String {
    let parts: Vec<String> = epoch
        .requests
        .iter()
        .map(|(ending, number)| format!("{} {}", count(*number), ending_name(*ending)))
        .collect();
    if parts.is_empty() { none() } else { parts.join(", ") }
}

fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Refused => "refused",
        Ending::Cut => "cut",
        Ending::TimedOut => "timed out",
        Ending::NoSession => "no session",
        Ending::Error => "error",
        Ending::AnsweredLater => "answered later",
        Ending::BegunBefore => "begun before",
        Ending::Acknowledged => "ACKNOWLEDGED",
        Ending::Open => "open",
    }
}

/// What was refused because of its epoch, by kind.
pub(super) fn refusals(report: &FencingReport) -> String {
    let heads = [("refused because of its epoch", L), ("epoch", R), ("against", R), ("times", R)];
    let rows = report.refusals.iter().map(|refusal| {
        let what = match refusal.what.as_str() {
            "logged proposals" => "proposals it had logged, abandoned",
            what => what,
        };
        [what.to_owned(), refusal.stale.to_string(), refusal.current.to_string(), count(refusal.count)]
    });
    table(heads, rows)
}

/// `n1 ×2, n4 ×1`.
pub(super) fn rejoins(observation: &Observation) -> String {
    let each = |(node, times): (&NodeId, &u32)| format!("{node} ×{times}");
    observation.rejoins.iter().map(each).collect::<Vec<_>>().join(", ")
}

fn optional_ms(ns: Option<u64>) -> String {
    ns.map_or_else(none, bare_ms_of_ns)
}

/// What stands where there is nothing to say.
fn none() -> String {
    "-".to_owned()
}
