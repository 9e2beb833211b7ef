//! The run on the terminal: header, one quiet live line, the report; or one JSON document.
//!
//! Facts go to stdout, progress to stderr. Where stderr is no terminal a plain line comes every ten
//! seconds instead of the live one. Nobody reading is no failure: errors of writing are left alone here,
//! and the exit status still tells the verdict.

use super::events::{RunEvent, Status};
use super::format::{bare_s_of_ns, count, per_second, rate};
use super::results::Results;
use super::text::{findings, header};
use crate::output::Style;
use std::io::{self, IsTerminal as _, Write};

/// How often a plain line of progress comes, ns.
const PLAIN_EVERY_NS: u64 = 10_000_000_000;

/// How wide the live line may be: a longer one would wrap and could not be wiped.
const LIVE_WIDTH: usize = 100;

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Header and tables.
    Text(Style),
    /// The results as one indented JSON document, at the end.
    Json,
}

/// Writes the events of a run.
pub(crate) struct Reporter {
    output: Output,
    facts: Box<dyn Write + Send>,
    progress: Box<dyn Write + Send>,
    /// Progress is one line that is written over.
    live: bool,
    /// The live line stands on the screen.
    dirty: bool,
    /// The status before, for the rate.
    last: Option<Status>,
    /// When the last plain line was written, ns of the run.
    plain_ns: Option<u64>,
}

impl Reporter {
    /// Writes to stdout and stderr.
    pub(crate) fn new(output: Output) -> Self {
        let live = io::stderr().is_terminal();
        Self::to(output, Box::new(io::stdout()), Box::new(io::stderr()), live)
    }

    fn to(output: Output, facts: Box<dyn Write + Send>, progress: Box<dyn Write + Send>, live: bool) -> Self {
        Self { output, facts, progress, live, dirty: false, last: None, plain_ns: None }
    }

    /// Writes an event.
    pub(crate) fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Started { plan, folder } => match self.output {
                Output::Text(style) => self.fact(&header(plan, folder, style)),
                Output::Json => {}
            },
            RunEvent::Stage(stage) => self.note(&stage.text()),
            RunEvent::Status(status) => self.status(status),
            RunEvent::Warning(sentence) => self.note(&format!("warning: {sentence}")),
            RunEvent::Finished(results) => self.finished(results),
        }
    }

    fn finished(&mut self, results: &Results) {
        match self.output {
            Output::Text(style) => self.fact(&findings(results, style)),
            Output::Json => match serde_json::to_string_pretty(results) {
                Ok(json) => self.fact(&format!("{json}\n")),
                Err(error) => self.note(&format!("failed to render the results as JSON: {error}")),
            },
        }
    }

    fn status(&mut self, status: &Status) {
        let line = status_line(status, self.last.as_ref());
        if self.live {
            let line: String = line.chars().take(LIVE_WIDTH).collect();
            // Back to the line's beginning, and wipe what was there.
            self.write_progress(&format!("\r\u{1b}[2K{line}"));
            self.dirty = true;
            self.last = Some(status.clone());
        } else if self.plain_ns.is_none_or(|last| status.at_ns >= last.saturating_add(PLAIN_EVERY_NS)) {
            self.write_progress(&format!("{line}\n"));
            self.plain_ns = Some(status.at_ns);
            self.last = Some(status.clone());
        }
    }

    /// Progress that stays.
    fn note(&mut self, text: &str) {
        self.wipe();
        self.write_progress(&format!("{text}\n"));
    }

    fn fact(&mut self, text: &str) {
        self.wipe();
        let _nobody_reads = self.facts.write_all(text.as_bytes()).and_then(|()| self.facts.flush());
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.dirty) {
            self.write_progress("\r\u{1b}[2K");
        }
    }

    fn write_progress(&mut self, text: &str) {
        let _nobody_reads = self.progress.write_all(text.as_bytes()).and_then(|()| self.progress.flush());
    }
}

/// Also when the run ends early, the shell's prompt gets a clean line.
impl Drop for Reporter {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// `12.3 s  4,211/s  ok 50,211  fail 12  info 40  leader n3 epoch 4  fault pause n2 (leader)`.
fn status_line(status: &Status, last: Option<&Status>) -> String {
    let done = |status: &Status| status.ok + status.fail + status.info;
    let (before, before_ns) = last.map_or((0, 0), |last| (done(last), last.at_ns));
    let speed = per_second(done(status).saturating_sub(before), status.at_ns.saturating_sub(before_ns));
    let leader = match status.leader.leader {
        Some(leader) => format!("leader {leader} epoch {}", status.leader.epoch),
        None => "no leader".to_owned(),
    };
    let fault = status.fault.as_ref().map(|fault| format!("  fault {fault}")).unwrap_or_default();
    format!(
        "{:>6} s  {:>8}  ok {}  fail {}  info {}  {leader}{fault}",
        bare_s_of_ns(status.at_ns),
        rate(speed),
        count(status.ok),
        count(status.fail),
        count(status.info),
    )
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
