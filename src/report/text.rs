//! The report as text: on the terminal with colours, in `report.txt` without.

use super::format::{ms_of_ns, rate, wrap};
use super::results::Results;
use super::tables;
use crate::output::Style;
use crate::plan::Plan;
use checker::Verdict;
use std::fmt::Write as _;
use std::path::Path;

/// What is printed before anything happens: plan, seed, folder.
pub(crate) fn header(plan: &Plan, folder: &Path, style: Style) -> String {
    let bug = plan.bug.as_ref().map(|bug| format!(", planted bug {bug}")).unwrap_or_default();
    let rate = if plan.rate == 0 {
        "unlimited rate".to_owned()
    } else {
        format!("{}/s", super::format::count(plan.rate))
    };
    let faults = match plan.nemesis.as_slice() {
        [] => "no faults".to_owned(),
        _ => format!("{} every {} ms", plan.nemesis_name(), plan.nemesis_interval_ms),
    };
    format!(
        "{} {} nodes, {}, {faults}, {} s of load by {} clients at {rate}{bug}\n\
         {} {}\n\
         {} {}\n",
        bold("plan   ", style),
        plan.nodes,
        plan.workload,
        plan.time_limit_ms / 1_000,
        plan.concurrency,
        bold("seed   ", style),
        plan.seed,
        bold("folder ", style),
        folder.display(),
    )
}

/// The whole report.
pub(crate) fn report(results: &Results, style: Style) -> String {
    header(&results.plan, &results.folder, style) + &findings(results, style)
}

/// The report without the header, which the terminal has shown long before.
pub(super) fn findings(results: &Results, style: Style) -> String {
    [operations, faults, elections, fencing, exits, verdicts, failure]
        .iter()
        .fold(String::new(), |text, part| text + &part(results, style))
}

fn operations(results: &Results, style: Style) -> String {
    let throughput = &results.throughput;
    let quiet = throughput
        .quiet_per_second
        .map(|quiet| format!(", {} while no fault was active", rate(quiet)))
        .unwrap_or_default();
    let mut text = section("operations", style);
    text.push_str(&tables::operations(&results.operations));
    line(&mut text, &format!("acknowledged {}{quiet}", rate(throughput.per_second)));
    text
}

fn faults(results: &Results, style: Style) -> String {
    if results.faults.is_empty() {
        return String::new();
    }
    let title = format!("faults: {} of {} installed", results.installed(), results.faults.len());
    section(&title, style) + &tables::faults(&results.faults)
}

fn elections(results: &Results, style: Style) -> String {
    let observation = &results.elections;
    let under_faults = observation.under_faults().count();
    let title =
        format!("elections: {}, {under_faults} caused by faults (phases in ms)", observation.elections.len());
    let mut text = section(&title, style) + &tables::elections(observation);
    if under_faults > 0 {
        text.push('\n');
        text.push_str(&tables::phases(&results.phases));
    }
    let failed = observation.failed_attempts();
    if failed > 0 {
        line(&mut text, &format!("{failed} epochs were proposed and never established"));
    }
    if !observation.rejoins.is_empty() {
        line(&mut text, &format!("came back to the same epoch: {}", tables::rejoins(observation)));
    }
    if let Some(open) = &observation.unfinished {
        let since = super::format::bare_s_of_ns(open.since_ns);
        line(&mut text, &format!("without an established leader from {since} s until the end"));
    }
    text
}

fn fencing(results: &Results, style: Style) -> String {
    let report = &results.fencing;
    if report.epochs.is_empty() {
        return String::new();
    }
    let (windows, longest) = report.zombie_windows();
    let zombies = match windows {
        0 => "no zombie window".to_owned(),
        1 => format!("1 zombie window of {}", ms_of_ns(longest)),
        many => format!("{many} zombie windows of up to {}", ms_of_ns(longest)),
    };
    let acks = match report.stale_acks {
        0 => "nothing acknowledged by a superseded epoch".to_owned(),
        1 => "1 acknowledgement by a superseded epoch".to_owned(),
        acks => format!("{acks} acknowledgements by a superseded epoch"),
    };
    let mut text = section(&format!("fencing: {zombies}, {acks}"), style) + &tables::fencing(report);
    if !report.refusals.is_empty() {
        text.push('\n');
        text.push_str(&tables::refusals(report));
    }
    text
}

fn exits(results: &Results, style: Style) -> String {
    if results.unexpected_exits.is_empty() {
        return String::new();
    }
    let mut text = section("processes that ended by themselves", style);
    for exit in &results.unexpected_exits {
        let at = super::format::bare_s_of_ns(exit.at_ns);
        line(&mut text, &format!("{} at {at} s: {}", exit.node, exit.how));
        for logged in &exit.last_log_lines {
            line(&mut text, &format!("    {logged}"));
        }
    }
    text
}

fn verdicts(results: &Results, style: Style) -> String {
    let mut text = section("verdicts", style);
    let width = results.verdicts.iter().map(|one| one.name.chars().count()).max().unwrap_or(0);
    for one in &results.verdicts {
        let name = one.verdict.name();
        let reason = one.verdict.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        let head = format!(" {:<width$}  ", one.name);
        let indent = width + 3;
        let lines = wrap(&format!("{name}{reason}"), tables::WIDTH.saturating_sub(indent).max(20));
        let wrapped = lines.join(&format!("\n{}", " ".repeat(indent)));
        text.push_str(&head);
        // Coloured after wrapping, because colours have no width.
        line(&mut text, &wrapped.replacen(name, &style.verdict(name), 1));
    }
    let total = ms_of_ns(results.timings.total_ns);
    let check = ms_of_ns(results.timings.check_ns);
    let name = results.verdict.name();
    line(
        &mut text,
        &format!(
            "\n{}  (run {total}, check {check})",
            style.verdict(name).replace(name, &name.to_uppercase())
        ),
    );
    text
}

fn failure(results: &Results, style: Style) -> String {
    let broken = match &results.verdict {
        Verdict::Valid => return String::new(),
        Verdict::Unknown(_) => false,
        Verdict::Invalid(_) => true,
    };
    let mut text = String::new();
    if broken && !results.counterexamples.is_empty() {
        text.push_str(&section("why", style));
        for example in &results.counterexamples {
            line(&mut text, &example.to_string());
        }
    }
    text.push_str(&section("again", style));
    line(&mut text, &format!("{}    # the same plan and seed", results.repeat));
    line(&mut text, &format!("{}    # the same faults at the same times", results.replay));
    text
}

fn section(title: &str, style: Style) -> String {
    format!("\n{}\n", bold(title, style))
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}

fn bold(text: &str, style: Style) -> String {
    if style.color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}
