//! The report as text: on the terminal with colours, in `report.txt` without. Its lines fit
//! [`tables::WIDTH`] columns, except those that are to be copied: the folder and the commands under `again`.

use super::format::{bare_s_of_ns, count, duration, first_words, fold, rate, seconds_of_ms, wrap};
use super::results::{NamedVerdict, Results};
use super::tables;
use crate::output::Style;
use crate::plan::Plan;
use std::fmt::Write as _;
use std::path::Path;

/// What is printed before anything happens: plan, seed, folder.
pub(crate) fn header(plan: &Plan, folder: &Path, style: Style) -> String {
    let bug = plan.bug.as_ref().map(|bug| format!(", planted bug {bug}")).unwrap_or_default();
    let rate = if plan.rate == 0 { "unlimited rate".to_owned() } else { format!("{}/s", count(plan.rate)) };
    let faults = match plan.nemesis.as_slice() {
        [] => "no faults".to_owned(),
        _ => format!("{} every {} ms", plan.nemesis_name(), count(plan.nemesis_interval_ms)),
    };
    let load = seconds_of_ms(plan.time_limit_ms);
    let asked = format!(
        "{} {}nodes, {}, {faults}, {load} of load by {} clients at {rate}{bug}",
        plan.nodes,
        if plan.simulated { "simulated " } else { "" },
        plan.workload,
        plan.concurrency,
    );
    format!(
        "{} {}\n\
         {} {}\n\
         {} {}\n",
        bold("plan   ", style),
        wrap(&asked, tables::WIDTH - 8).join("\n        "),
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
    [clock, operations, faults, elections, fencing, exits, verdicts, why, again]
        .iter()
        .fold(String::new(), |text, part| text + &part(results, style))
}

/// Says that a run's time is virtual, as the last line of the header: how fast it ran is known at the end.
fn clock(results: &Results, style: Style) -> String {
    let Some(simulated) = &results.simulated else { return String::new() };
    let (passed, took) = (duration(simulated.virtual_ns), duration(simulated.real_ns));
    let times = count(simulated.virtual_ns / simulated.real_ns.max(1));
    let events = count(simulated.events);
    format!(
        "{} virtual: {passed} in {took} of real time, {times} times faster ({events} events)\n",
        bold("time   ", style)
    )
}

fn operations(results: &Results, style: Style) -> String {
    let throughput = &results.throughput;
    let quiet = throughput
        .quiet_per_second
        .map(|quiet| format!(", {} while no fault was active", rate(quiet)))
        .unwrap_or_default();
    let mut text = section("operations (latency of ok operations, ms)", style);
    text.push_str(&tables::operations(&results.operations, results.final_reads.as_ref()));
    line(&mut text, &format!("acknowledged {}{quiet}", rate(throughput.per_second)));
    let gap = &throughput.longest_gap;
    let (length, from) = (duration(gap.length_ns), bare_s_of_ns(gap.from_ns));
    line(&mut text, &format!("longest gap without an acknowledgement: {length}, from {from} s"));
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
    if !observation.rejoins.is_empty() {
        line(&mut text, &format!("rejoined without an election: {}", tables::rejoins(observation)));
    }
    let failed = observation.failed_attempts();
    if failed > 0 {
        line(&mut text, &format!("epochs that were proposed and never established: {failed}"));
    }
    if let Some(open) = &observation.unfinished {
        let since = bare_s_of_ns(open.since_ns);
        line(&mut text, &format!("without an established leader from {since} s until the end"));
    }
    if under_faults > 0 {
        text.push('\n');
        text.push_str(&tables::phases(&results.phases));
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
        1 => format!("1 zombie window of {}", duration(longest)),
        many => format!("{many} zombie windows of up to {}", duration(longest)),
    };
    let acks = match report.stale_acks {
        0 => "nothing acknowledged by a superseded epoch".to_owned(),
        1 => "1 acknowledgement by a superseded epoch".to_owned(),
        acks => format!("{} acknowledgements by a superseded epoch", count(acks)),
    };
    let mut text = section(&format!("fencing: {zombies}, {acks}"), style) + &tables::fencing(report);
    line(
        &mut text,
        "zombie ms: how long it ran and claimed to lead after 'superseded'; resumed: end of the fault on it",
    );
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
        let at = bare_s_of_ns(exit.at_ns);
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
        let brief = brief(results, one);
        // Coloured after cutting, because colours have no width.
        let brief = brief.replacen(name, &style.verdict(name), 1);
        writeln!(text, " {:<width$}  {brief}", one.name).expect(TO_STRING);
    }
    let total = duration(results.timings.total_ns);
    let check = duration(results.timings.check_ns);
    let name = results.verdict.name();
    let verdict = style.verdict(name).replace(name, &name.to_uppercase());
    let kind = if results.simulated.is_some() { " of virtual time" } else { "" };
    line(&mut text, &format!("\n{verdict}  (run {total}{kind}, check {check})"));
    text
}

/// A verdict and the first words of its reason, in what its line has left. The whole is told by [`why`].
fn brief(results: &Results, one: &NamedVerdict) -> String {
    let names = results.verdicts.iter().map(|one| one.name.chars().count());
    let left = tables::WIDTH.saturating_sub(names.max().unwrap_or(0) + 3).max(20);
    let name = one.verdict.name();
    match one.verdict.reason() {
        None => name.to_owned(),
        // The counterexample begins with the same sentence: here its class and key do.
        Some(reason) if is_counterexample(results, reason) => {
            let class = reason.split(": ").next().unwrap_or_default();
            first_words(&format!("{name}: {class} …"), left)
        }
        Some(reason) => first_words(&format!("{name}: {reason}"), left),
    }
}

fn is_counterexample(results: &Results, reason: &str) -> bool {
    results.counterexamples.iter().any(|example| example.sentence() == reason)
}

/// The reasons that the table of verdicts had no room for, and the operations that contradict one another.
fn why(results: &Results, style: Style) -> String {
    let mut text = String::new();
    for one in &results.verdicts {
        let Some(reason) = one.verdict.reason() else { continue };
        if !is_counterexample(results, reason) && !brief(results, one).ends_with(reason) {
            line(&mut text, &format!("{}: {reason}", one.name));
        }
    }
    for example in &results.counterexamples {
        line(&mut text, &example.to_string());
    }
    if text.is_empty() { text } else { section("why", style) + &text }
}

/// The commands that show it again: each on a line of its own, however long, to be copied.
fn again(results: &Results, style: Style) -> String {
    if results.verdict.is_valid() {
        return String::new();
    }
    section("again", style)
        + &format!("{}    # the same plan and seed\n", results.repeat)
        + &format!("{}    # the same faults at the same times\n", results.replay)
}

fn section(title: &str, style: Style) -> String {
    format!("\n{}\n", bold(title, style))
}

/// Adds what is said, in lines that fit.
fn line(text: &mut String, line: &str) {
    writeln!(text, "{}", fold(line, tables::WIDTH)).expect(TO_STRING);
}

const TO_STRING: &str = "writing to a String cannot fail";

fn bold(text: &str, style: Style) -> String {
    if style.color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}
