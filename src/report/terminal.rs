//! The run on the terminal: header, one quiet live line, the report; or one JSON document.
//!
//! Facts go to stdout, progress to stderr. Where stderr is no terminal a plain line comes every ten
//! seconds instead of the live one. Nobody reading is no failure: a closed pipe is left alone, and the exit
//! status still tells the verdict. Facts that could not be written for another reason (a full device) are
//! a failure of the tool: see [`Reporter::ended`].

use super::events::{RunEvent, Status};
use super::format::{bare_s_of_ns, count, cut, per_second, rate};
use super::results::Results;
use super::text::{findings, header};
use crate::exit::Exit;
use crate::interpreter::Spotted;
use crate::output::{self, Style};
use std::io::{self, IsTerminal as _, Write};

/// How often a plain line of progress comes, ns.
const PLAIN_EVERY_NS: u64 = 10_000_000_000;

/// How wide a terminal is that does not tell its width, columns.
const UNKNOWN_WIDTH: u16 = 80;

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
    /// Progress is one line that is written over; the function tells how many columns the screen has now.
    live: Option<fn() -> u16>,
    /// The live line stands on the screen.
    dirty: bool,
    /// The status before, for the rate.
    last: Option<Status>,
    /// When the last plain line was written, ns of the run.
    plain_ns: Option<u64>,
    /// Why a fact could not be told, the first time.
    untold: Option<io::Error>,
}

impl Reporter {
    /// Writes to stdout and stderr.
    pub(crate) fn new(output: Output) -> Self {
        let live = io::stderr().is_terminal().then_some(screen_width as fn() -> u16);
        Self::to(output, Box::new(io::stdout()), Box::new(io::stderr()), live)
    }

    fn to(
        output: Output,
        facts: Box<dyn Write + Send>,
        progress: Box<dyn Write + Send>,
        live: Option<fn() -> u16>,
    ) -> Self {
        Self { output, facts, progress, live, dirty: false, last: None, plain_ns: None, untold: None }
    }

    /// How the run ends for the tool, which would have ended like this: facts that were not told make it a
    /// failure of the tool and are spoken of on stderr. To be asked after the last event.
    pub(crate) fn ended(&mut self, exit: Exit) -> Exit {
        self.wipe();
        match self.untold.take() {
            None => exit,
            Some(error) => {
                output::error(&format!(
                    "failed to write the report to stdout: {error} (it is stored in the run's folder)"
                ));
                exit.worst(Exit::Harness)
            }
        }
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
            RunEvent::Spotted(Spotted { at_ns, sentence }) => {
                self.note(&format!("violation at {}: {sentence}", super::format::duration(*at_ns)));
            }
            RunEvent::Warning(sentence) => self.note(&format!("warning: {sentence}")),
            RunEvent::Finished(results) => self.finished(results),
        }
    }

    fn finished(&mut self, results: &Results) {
        match self.output {
            Output::Text(style) => self.fact(&findings(results, style)),
            Output::Json => match serde_json::to_string_pretty(results) {
                Ok(json) => self.fact(&format!("{json}\n")),
                Err(error) => self.keep(error.into()),
            },
        }
    }

    fn status(&mut self, status: &Status) {
        let line = status_line(status, self.last.as_ref());
        if let Some(width) = self.live {
            // A line that fills the last column wraps on some terminals, and could not be wiped then. The
            // width is asked for each time: windows change.
            let line = cut(&line, usize::from(width().saturating_sub(1)));
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
        if let Err(error) = self.facts.write_all(text.as_bytes()).and_then(|()| self.facts.flush()) {
            self.keep(error);
        }
    }

    /// Keeps the first failure to tell a fact. That nobody reads is none.
    fn keep(&mut self, error: io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.untold.get_or_insert(error);
        }
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

/// How many columns the terminal at stderr has now.
fn screen_width() -> u16 {
    terminal_size::terminal_size_of(io::stderr()).map_or(UNKNOWN_WIDTH, |(width, _)| width.0)
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
