//! A worker: one client pinned to one node, doing one thing at a time, and what happens when it breaks.
//!
//! It always goes back to its own node, so that clients also sit on a leader that others have
//! deposed. After a loss it tries to reconnect once, outside of any operation; while that fails, each
//! operation it is given makes one more attempt, fails with *no connection*, and is followed by a
//! rest, so that a dead node is felt in the history but does not fill it. A rest ends as soon as the
//! node takes it again: how soon the cluster serves after an election is measured by these clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use workloads::{Client, Completion, Connector, Error, Invocation, Status, Timeouts};

/// How often a resting worker knocks.
const KNOCK_EVERY: Duration = Duration::from_millis(10);
/// The first rest after a failure; each further one is twice as long…
const REST_MIN: Duration = Duration::from_millis(50);
/// … up to this.
const REST_MAX: Duration = Duration::from_millis(200);

/// What a worker is to do.
pub(super) enum Job {
    /// An operation of the history.
    Invoke(Invocation),
    /// A preparation.
    Prepare(Arc<str>),
}

/// What a worker has to say.
pub(super) enum Report {
    /// It has nothing to do.
    Ready { place: usize },
    /// The operation it was given has ended; unless `ready`, a [`Report::Ready`] follows.
    Done { place: usize, completion: Completion, ready: bool },
    /// The same for a preparation.
    Prepared { place: usize, key: Arc<str>, done: bool, ready: bool },
}

/// A worker before it starts.
pub(super) struct Worker {
    pub(super) place: usize,
    pub(super) address: SocketAddr,
    pub(super) timeouts: Timeouts,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) reports: mpsc::UnboundedSender<Report>,
}

impl Worker {
    /// Works until the sender of jobs is dropped, then ends its session.
    pub(super) async fn run(self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut rest = REST_MIN;
        let mut client = self.connect().await.ok();
        self.report(Report::Ready { place: self.place });
        while let Some(job) = Self::next_job(&mut jobs, &mut client).await {
            let failure = self.carry_out(job, &mut client).await;
            match failure {
                Failure::None => {
                    rest = REST_MIN;
                    continue;
                }
                // One quiet attempt, so that the next operation need not pay for the handshake.
                Failure::Lost => client = self.connect().await.ok(),
                Failure::Refused => {
                    self.rest(rest, &mut client).await;
                    rest = (rest * 2).min(REST_MAX);
                }
            }
            self.report(Report::Ready { place: self.place });
        }
        if let Some(client) = client {
            client.close().await;
        }
    }

    /// Does nothing for this long, or until a missing connection is there again.
    async fn rest(&self, length: Duration, client: &mut Option<Box<dyn Client>>) {
        if client.is_some() {
            return sleep(length).await;
        }
        let ends = Instant::now() + length;
        while Instant::now() < ends {
            sleep(KNOCK_EVERY).await;
            if let Ok(connected) = self.connect().await {
                *client = Some(connected);
                return;
            }
        }
    }

    /// Waits for a job, keeping the session alive meanwhile. What breaks now is mended when there is
    /// something to do: a server that drops idle sessions must not be asked for one after the other.
    async fn next_job(
        jobs: &mut mpsc::UnboundedReceiver<Job>,
        client: &mut Option<Box<dyn Client>>,
    ) -> Option<Job> {
        if let Some(connected) = client {
            let lost = tokio::select! {
                biased;
                job = jobs.recv() => return job,
                lost = connected.idle() => lost,
            };
            debug_assert!(matches!(lost, Error::NotSent(_)), "nothing was being sent");
            *client = None;
        }
        jobs.recv().await
    }

    /// Does a job and reports it; says what that did to the connection.
    async fn carry_out(&self, job: Job, client: &mut Option<Box<dyn Client>>) -> Failure {
        let place = self.place;
        let connected = match client {
            Some(connected) => connected,
            None => match self.connect().await {
                Ok(new) => client.insert(new),
                Err(error) => {
                    self.report(match job {
                        Job::Invoke(invocation) => {
                            let completion = Completion::failed(invocation.effect, &error, invocation.value);
                            Report::Done { place, completion, ready: false }
                        }
                        Job::Prepare(key) => Report::Prepared { place, key, done: false, ready: false },
                    });
                    return Failure::Refused;
                }
            },
        };
        match job {
            Job::Invoke(invocation) => {
                let completion = connected.invoke(&invocation).await;
                // Final reads are repeated until they succeed, so they need the rest as well.
                let again = invocation.final_read && completion.status != Status::Ok;
                let failure = Failure::of(connected.as_ref(), again);
                self.report(Report::Done { place, completion, ready: failure == Failure::None });
                failure
            }
            Job::Prepare(key) => {
                let done = connected.prepare(&key).await.is_ok();
                let failure = Failure::of(connected.as_ref(), !done);
                self.report(Report::Prepared { place, key, done, ready: failure == Failure::None });
                failure
            }
        }
    }

    async fn connect(&self) -> Result<Box<dyn Client>, Error> {
        self.connector.connect(self.address, self.timeouts).await
    }

    fn report(&self, report: Report) {
        // The loop is gone only when the run is over.
        let _heard = self.reports.send(report);
    }
}

/// What a job did to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// It can go on at once.
    None,
    /// The connection is broken.
    Lost,
    /// It was turned away and will be again if it insists.
    Refused,
}

impl Failure {
    fn of(client: &dyn Client, refused: bool) -> Self {
        if client.is_broken() {
            Self::Lost
        } else if refused {
            Self::Refused
        } else {
            Self::None
        }
    }
}
