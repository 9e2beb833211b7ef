//! One real process: started, watched, paused, resumed, killed, each with evidence.
//!
//! Two rules keep signals and deaths honest. A process is signalled only under the lock that its reaping
//! needs too, so a pid that the kernel gave to somebody else is never hit. And all processes of a cluster are
//! spawned from one long-lived thread, because a child that asked for PR_SET_PDEATHSIG gets it when the
//! *thread* that spawned it ends.

use super::spawner::{Launch, Spawner};
use super::{NodeId, UnexpectedExit, tail};
use crate::clock::RunClock;
use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a signal may take to show.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(5);
/// How often /proc is looked at while waiting for a signal to show.
const SIGNAL_POLL: Duration = Duration::from_millis(1);
/// How many lines of its log explain an unexpected exit.
const LAST_LINES: usize = 12;

/// What a node's process is doing, as far as the tool knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProcessState {
    /// It runs.
    Running,
    /// It was stopped by SIGSTOP.
    Paused,
    /// It has ended and is reaped.
    Dead {
        /// Its wait status, such as "signal 9".
        how: String,
        /// Whether the tool ended it.
        by_us: bool,
    },
}

/// A node's process, over all its starts.
#[derive(Debug)]
pub(super) struct Process {
    node: NodeId,
    launch: Launch,
    shared: Arc<Shared>,
}

/// What the process' own thread, which waits for its end, shares with everyone else.
#[derive(Debug)]
struct Shared {
    slot: Mutex<Slot>,
    state: watch::Sender<ProcessState>,
}

#[derive(Debug)]
struct Slot {
    /// The child, as long as it is not reaped.
    child: Option<Child>,
    /// The signal by which we asked it to end.
    ending: Option<Signal>,
    exits: Vec<UnexpectedExit>,
}

impl Shared {
    /// Waits for the end of the child without reaping it; then reaps and records it under one lock, so that
    /// nobody signals a pid that is free again, and nobody starts a node whose death is not yet recorded.
    fn wait(&self, node: NodeId, pid: Pid, clock: RunClock, log: &Path) {
        // Interrupted waits are repeated; any other error means that there is nothing to wait for.
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
        let at_ns = clock.now_ns();
        let mut slot = self.slot();
        let status = slot.child.take().and_then(|mut child| child.wait().ok());
        let how = status.map_or_else(|| "an unknown status".to_owned(), wait_status);
        let by_us = match slot.ending {
            None => false,
            // It may have ended by itself just before.
            Some(Signal::SIGKILL) => how == signal_name(Signal::SIGKILL as i32),
            Some(_) => true,
        };
        if !by_us {
            let last_log_lines = tail::last_lines(log, LAST_LINES);
            slot.exits.push(UnexpectedExit { node, at_ns, how: how.clone(), last_log_lines });
        }
        self.state.send_replace(ProcessState::Dead { how, by_us });
    }

    /// The lock. A panic elsewhere leaves the slot usable: each change of it is one assignment.
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// A process that was not started yet.
    pub(super) fn new(node: NodeId, launch: Launch) -> Self {
        let state = ProcessState::Dead { how: "not started".to_owned(), by_us: true };
        Self {
            node,
            launch,
            shared: Arc::new(Shared {
                slot: Mutex::new(Slot { child: None, ending: None, exits: Vec::new() }),
                state: watch::Sender::new(state),
            }),
        }
    }

    /// The state now.
    pub(super) fn state(&self) -> ProcessState {
        self.shared.state.borrow().clone()
    }

    /// Exits that nobody asked for, in order.
    pub(super) fn unexpected_exits(&self) -> Vec<UnexpectedExit> {
        self.shared.slot().exits.clone()
    }

    /// Starts the process and a thread that waits for its end. Says which pid it got.
    ///
    /// # Errors
    /// When it runs already or cannot be started.
    pub(super) fn start(&self, spawner: &Spawner, clock: RunClock) -> anyhow::Result<String> {
        let mut slot = self.shared.slot();
        if slot.child.is_some() {
            bail!("{} runs already", self.node);
        }
        let child = spawner
            .spawn(&self.launch)
            .with_context(|| format!("failed to start {} ({})", self.node, self.launch.program.display()))?;
        let pid = pid_of(&child);
        slot.child = Some(child);
        slot.ending = None;
        self.shared.state.send_replace(ProcessState::Running);
        drop(slot);
        let (shared, node, log) = (Arc::clone(&self.shared), self.node, self.launch.log.clone());
        std::thread::Builder::new()
            .name(format!("wait-{node}"))
            .spawn(move || shared.wait(node, pid, clock, &log))
            .context("failed to start the thread that waits for a node")?;
        Ok(format!("{node} started as pid {pid}"))
    }

    /// SIGSTOP, confirmed by the state T in /proc.
    ///
    /// # Errors
    /// When it does not run, or the state does not show.
    pub(super) async fn pause(&self) -> anyhow::Result<String> {
        let begun = Instant::now();
        let pid = self.signal(Signal::SIGSTOP)?;
        let state = self.wait_proc_state(pid, |state| state == 'T').await?;
        self.move_state(&ProcessState::Running, ProcessState::Paused)?;
        Ok(format!("{} (pid {pid}) in state {state} {} after SIGSTOP", self.node, ms(begun)))
    }

    /// SIGCONT, confirmed by another state than T in /proc.
    ///
    /// # Errors
    /// When it does not live, or the state does not show.
    pub(super) async fn resume(&self) -> anyhow::Result<String> {
        let begun = Instant::now();
        let pid = self.signal(Signal::SIGCONT)?;
        let state = self.wait_proc_state(pid, |state| state != 'T').await?;
        self.move_state(&ProcessState::Paused, ProcessState::Running)?;
        Ok(format!("{} (pid {pid}) in state {state} {} after SIGCONT", self.node, ms(begun)))
    }

    /// SIGKILL, confirmed by the wait status.
    ///
    /// # Errors
    /// When it does not live, or ended in another way.
    pub(super) async fn kill(&self) -> anyhow::Result<String> {
        let begun = Instant::now();
        let pid = self.end(Signal::SIGKILL)?;
        let how = self.ended(SIGNAL_DEADLINE).await?;
        if how != signal_name(Signal::SIGKILL as i32) {
            bail!("{} (pid {pid}) ended with {how} before SIGKILL reached it", self.node);
        }
        Ok(format!("{} (pid {pid}) ended with {how} {} after SIGKILL", self.node, ms(begun)))
    }

    /// Asks the process to end, whatever state it is in; it counts as our doing from now on.
    ///
    /// # Errors
    /// When it does not live.
    pub(super) fn end(&self, signal: Signal) -> anyhow::Result<Pid> {
        let mut slot = self.shared.slot();
        let Some(child) = &slot.child else { bail!("{} does not run", self.node) };
        let pid = pid_of(child);
        kill(pid, signal).with_context(|| format!("failed to send {signal} to {}", self.node))?;
        // A stopped process takes any other signal only when it goes on.
        kill(pid, Signal::SIGCONT).with_context(|| format!("failed to send SIGCONT to {}", self.node))?;
        slot.ending.get_or_insert(signal);
        Ok(pid)
    }

    /// Waits until the process is reaped; says how it ended.
    ///
    /// # Errors
    /// When that takes longer than `deadline`.
    pub(super) async fn ended(&self, deadline: Duration) -> anyhow::Result<String> {
        let mut states = self.shared.state.subscribe();
        let wait = states.wait_for(|state| matches!(state, ProcessState::Dead { .. }));
        let state = tokio::time::timeout(deadline, wait)
            .await
            .with_context(|| format!("{} did not end within {deadline:?}", self.node))?
            .expect("the sender is ours")
            .clone();
        match state {
            ProcessState::Dead { how, .. } => Ok(how),
            ProcessState::Running | ProcessState::Paused => unreachable!("waited for its death"),
        }
    }

    /// Kills the process, if it lives, without waiting.
    pub(super) fn kill_now(&self) {
        // It fails only when there is nothing to kill.
        let _ = self.end(Signal::SIGKILL);
    }

    /// Whether the process is reaped, or was never started.
    pub(super) fn is_gone(&self) -> bool {
        self.shared.slot().child.is_none()
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<Pid> {
        let slot = self.shared.slot();
        let Some(child) = &slot.child else { bail!("{} does not run", self.node) };
        let pid = pid_of(child);
        kill(pid, signal).with_context(|| format!("failed to send {signal} to {}", self.node))?;
        Ok(pid)
    }

    /// Goes from one living state to another, unless it has died meanwhile.
    fn move_state(&self, from: &ProcessState, to: ProcessState) -> anyhow::Result<()> {
        let mut died = None;
        self.shared.state.send_modify(|state| {
            if state == from {
                *state = to;
            } else if let ProcessState::Dead { how, .. } = state {
                died = Some(how.clone());
            }
        });
        match died {
            Some(how) => bail!("{} ended with {how} meanwhile", self.node),
            None => Ok(()),
        }
    }

    /// Waits until /proc shows a wanted state of the process.
    async fn wait_proc_state(&self, pid: Pid, wanted: impl Fn(char) -> bool) -> anyhow::Result<char> {
        let begun = Instant::now();
        loop {
            let state = proc_state(pid);
            if let Some(state) = state.filter(|&state| wanted(state)) {
                return Ok(state);
            }
            if let ProcessState::Dead { how, .. } = self.state() {
                bail!("{} (pid {pid}) ended with {how}", self.node);
            }
            if begun.elapsed() > SIGNAL_DEADLINE {
                bail!("{} (pid {pid}) is still in state {state:?} after {SIGNAL_DEADLINE:?}", self.node);
            }
            tokio::time::sleep(SIGNAL_POLL).await;
        }
    }
}

/// "signal 9 (SIGKILL)" or "exit status 1".
fn wait_status(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => signal_name(signal),
        (None, Some(code)) => format!("exit status {code}"),
        (None, None) => status.to_string(),
    }
}

fn signal_name(number: i32) -> String {
    Signal::try_from(number)
        .map_or_else(|_unnamed| format!("signal {number}"), |signal| format!("signal {number} ({signal})"))
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a pid is positive and fits"))
}

/// The state letter of /proc/PID/stat: the field behind the program's name, which is in parentheses and may
/// itself contain any character.
fn proc_state(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn ms(since: Instant) -> String {
    format!("{:.1} ms", since.elapsed().as_secs_f64() * 1000.0)
}
