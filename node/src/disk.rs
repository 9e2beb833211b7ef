//! The disk thread: carries out disk effects in order and joins as many as it can into one fdatasync.
//!
//! Group commit: while one fdatasync runs, appends pile up; all of them up to the next effect that is
//! not an append share the next one. Nothing is reported before it is durable. Everything that is not
//! an append waits until all appends before it are durable: currentEpoch must not get ahead of the log
//! it speaks of (ZOOKEEPER-4643).

use crate::input::Input;
use crate::tracer::Log;
use crate::{EXIT_DISK, NodeError};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use tokio::sync::mpsc::UnboundedSender;
use zab_core::{Event, LogEntry, Snapshot, SyncToken};
use zab_storage::{Storage, StorageError};
use zab_wire::Zxid;

/// A disk effect.
#[derive(Debug)]
pub(crate) enum Job {
    /// Add to the log.
    Append(LogEntry),
    /// Report when all before it is durable.
    Sync(SyncToken),
    /// Something that no other job can share an fdatasync with.
    Alone(Alone),
}

/// A disk effect that is durable by itself when the storage returns.
#[derive(Debug)]
pub(crate) enum Alone {
    /// Cut the log and report what is left.
    Truncate(Zxid),
    /// Persist acceptedEpoch.
    SetAcceptedEpoch(u32),
    /// Persist currentEpoch.
    SetCurrentEpoch(u32),
    /// Write a snapshot beside the log.
    TakeSnapshot(Snapshot),
    /// Replace everything.
    InstallSnapshot { snapshot: Snapshot, entries: Vec<LogEntry> },
}

/// The loop's end of the disk thread.
#[derive(Debug)]
pub(crate) struct Disk {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

impl Disk {
    /// Starts the thread; it reports to `inputs`.
    pub(crate) fn start(
        storage: Storage,
        inputs: UnboundedSender<Input>,
        log: Log,
    ) -> Result<Self, NodeError> {
        let (jobs, queue) = channel();
        let thread = Builder::new()
            .name("disk".to_owned())
            .spawn(move || {
                let report = |event| {
                    // A loop that is gone does not need the answer.
                    let _delivered = inputs.send(Input::Event(event));
                };
                if let Err(error) = work(storage, &queue, report) {
                    // Now, in this thread: a server that outlives its disk error lies (ZOOKEEPER-2247).
                    log.line(format_args!("process.disk_failed reason=\"{error}\""));
                    std::process::exit(EXIT_DISK.into());
                }
            })
            .map_err(NodeError::Thread)?;
        Ok(Self { jobs, thread })
    }

    /// Queues an effect.
    pub(crate) fn push(&self, job: Job) {
        // The thread ends before the loop only by ending the process.
        let _queued = self.jobs.send(job);
    }

    /// Waits until everything that was queued is durable.
    pub(crate) fn finish(self) {
        drop(self.jobs);
        let _ended = self.thread.join();
    }
}

/// Carries out jobs until the loop is gone.
fn work(mut storage: Storage, queue: &Receiver<Job>, report: impl Fn(Event)) -> Result<(), StorageError> {
    let mut batch = VecDeque::new();
    let mut synced = Vec::new();
    // Whether something was appended that is not durable.
    let mut dirty = false;
    while let Ok(first) = queue.recv() {
        batch.push_back(first);
        loop {
            // Again before each flush: more may have come, and shares it.
            batch.extend(queue.try_iter());
            let barrier = loop {
                match batch.pop_front() {
                    None => break None,
                    Some(Job::Append(entry)) => {
                        storage.append(&entry)?;
                        dirty = true;
                    }
                    Some(Job::Sync(token)) => synced.push(token),
                    Some(Job::Alone(alone)) => break Some(alone),
                }
            };
            if dirty && (barrier.is_some() || !synced.is_empty()) {
                storage.sync()?;
                dirty = false;
            }
            for token in synced.drain(..) {
                report(Event::Synced { token });
            }
            match barrier {
                None => break,
                Some(Alone::Truncate(to)) => match storage.truncate(to) {
                    Ok(recovered) => report(Event::Truncated { recovered }),
                    // Not the disk's fault: the leader asked for a place this history does not have.
                    Err(StorageError::NotInLog { .. }) => report(Event::TruncationImpossible),
                    Err(error) => return Err(error),
                },
                Some(Alone::SetAcceptedEpoch(epoch)) => storage.set_accepted_epoch(epoch)?,
                Some(Alone::SetCurrentEpoch(epoch)) => storage.set_current_epoch(epoch)?,
                Some(Alone::TakeSnapshot(snapshot)) => storage.take_snapshot(&snapshot)?,
                Some(Alone::InstallSnapshot { snapshot, entries }) => {
                    storage.install_snapshot(&snapshot, &entries)?;
                }
            }
        }
    }
    if dirty { storage.sync() } else { Ok(()) }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
