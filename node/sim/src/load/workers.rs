//! Clients that carry a workload's operations out: what `workloads::zookeeper::Clients` is on sockets, in a
//! world.
//!
//! Each client belongs to one server, connects to it again and again, and does one thing at a time. What it
//! is to do is said from outside; so is nothing else about it.

use super::history::History;
use crate::world::{ClientEvent, Site, World};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use workloads::error::Cause;
use workloads::zookeeper::{Answer, Pipeline};
use workloads::{Completion, Error, Exchange, Invocation, Operations, Status, Step};
use zab_wire::client::{ConnectRequest, ConnectResponse};
use zab_wire::jute::{Record, Writer};
use zab_wire::{SessionId, Zxid};

/// How long opening a session may take, us, as for the clients of real runs.
const CONNECT_LIMIT_US: u64 = 1_000_000;
/// Pause before a lost connection is tried again, us.
const RECONNECT_US: u64 = 20_000;

/// What became of something that a client was told to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An operation ended.
    Invoked(Invocation, Status),
    /// A preparation ended; whether it is done.
    Prepared(Arc<str>, bool),
}

/// The clients of a workload.
pub struct Workers {
    operations: Arc<dyn Operations>,
    workers: Vec<Worker>,
    op_timeout_us: u64,
    /// The history so far.
    pub history: History,
    outcomes: VecDeque<(u16, Outcome)>,
    /// Whether the last thing that ended was done.
    last_done: bool,
}

#[derive(Debug)]
struct Worker {
    site: Site,
    home: u16,
    process: i64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No connection; the next is tried then.
    Off {
        again_us: u64,
    },
    /// The first frame is sent.
    Connecting {
        until_us: u64,
    },
    /// A session, and nothing to do.
    Idle {
        next_xid: i32,
    },
    Busy {
        work: Work,
        pipeline: Pipeline,
        until_us: u64,
        begun_us: u64,
    },
}

#[derive(Debug)]
enum Work {
    Invoke(Invocation, Box<dyn Exchange<Output = Completion>>),
    Prepare(Arc<str>, Box<dyn Exchange<Output = Result<(), Error>>>),
}

/// How an exchange goes on, whatever it is of.
enum Next {
    Ask(Vec<zab_wire::client::Request>),
    Completed(Completion),
    Prepared(bool),
}

impl Work {
    fn answered(&mut self, answers: Result<Vec<Answer>, Error>) -> Next {
        match self {
            Self::Invoke(_, exchange) => match exchange.answered(answers) {
                Step::Ask(requests) => Next::Ask(requests),
                Step::Done(completion) => Next::Completed(completion),
            },
            Self::Prepare(_, exchange) => match exchange.answered(answers) {
                Step::Ask(requests) => Next::Ask(requests),
                Step::Done(done) => Next::Prepared(done.is_ok()),
            },
        }
    }
}

impl Workers {
    /// `count` clients, spread over the servers in turn, with the sites from `first` on.
    #[must_use]
    pub fn new(
        operations: Arc<dyn Operations>,
        world: &World,
        first: u16,
        count: u16,
        op_timeout_us: u64,
    ) -> Self {
        let servers = world.settings().servers();
        let workers = (0..count)
            .map(|number| Worker {
                site: world.client(first + number),
                home: number % servers,
                process: i64::from(number),
                state: State::Off { again_us: 0 },
            })
            .collect();
        Self {
            operations,
            workers,
            op_timeout_us,
            history: History::default(),
            outcomes: VecDeque::new(),
            last_done: false,
        }
    }

    /// How many there are.
    ///
    /// # Panics
    /// Never: each has a site, and sites are numbered with 16 bits.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.workers.len()).expect("sites are numbered with 16 bits")
    }

    /// Whether a client has a session and nothing to do.
    #[must_use]
    pub fn is_idle(&self, number: u16) -> bool {
        matches!(self.workers[usize::from(number)].state, State::Idle { .. })
    }

    /// Whether a client is waiting for answers.
    #[must_use]
    pub fn is_busy(&self, number: u16) -> bool {
        matches!(self.workers[usize::from(number)].state, State::Busy { .. })
    }

    /// The server of a client.
    #[must_use]
    pub fn home(&self, number: u16) -> u16 {
        self.workers[usize::from(number)].home
    }

    /// Whether the last thing that ended was done, and not refused or lost.
    #[must_use]
    pub fn last_was_done(&self) -> bool {
        self.last_done
    }

    /// A client belongs to another server from now on.
    pub fn send_home(&mut self, world: &mut World, number: u16, home: u16) {
        let worker = &mut self.workers[usize::from(number)];
        if worker.home == home {
            return;
        }
        world.client_closes(worker.site);
        self.fails(world, number, Error::Lost(Cause::Closed));
        let worker = &mut self.workers[usize::from(number)];
        worker.home = home;
        worker.state = State::Off { again_us: world.now_us() };
    }

    /// What ended since this was last asked.
    pub fn next_outcome(&mut self) -> Option<Outcome> {
        self.next_outcome_of().map(|(_, outcome)| outcome)
    }

    /// The same, with whose it is.
    pub fn next_outcome_of(&mut self) -> Option<(u16, Outcome)> {
        self.outcomes.pop_front()
    }

    /// The lowest process number that none of these clients has had.
    #[must_use]
    pub fn next_process(&self) -> i64 {
        self.workers.iter().map(|worker| worker.process + 1).max().unwrap_or(0)
    }

    /// Numbers the clients' processes from here on, instead of from 0.
    pub fn number_from(&mut self, process: i64) {
        for (worker, number) in self.workers.iter_mut().zip(process..) {
            worker.process = number;
        }
    }

    /// When a client has something to do by itself, us.
    #[must_use]
    pub fn next_at_us(&self) -> Option<u64> {
        self.workers
            .iter()
            .filter_map(|worker| match worker.state {
                State::Off { again_us } => Some(again_us),
                State::Connecting { until_us } | State::Busy { until_us, .. } => Some(until_us),
                State::Idle { .. } => None,
            })
            .min()
    }

    /// A client carries out an operation, if it is idle.
    pub fn invoke(&mut self, world: &mut World, number: u16, invocation: Invocation) {
        if !self.is_idle(number) {
            return;
        }
        let worker = &self.workers[usize::from(number)];
        self.history.invoke(world.now_us(), worker.process, worker.home, &invocation);
        let mut exchange = self.operations.invoke(&invocation);
        let requests = exchange.begin();
        self.begin(world, number, Work::Invoke(invocation, exchange), requests);
    }

    /// A client prepares a key, if it is idle.
    pub fn prepare(&mut self, world: &mut World, number: u16, key: &Arc<str>) {
        if !self.is_idle(number) {
            self.outcomes.push_back((number, Outcome::Prepared(Arc::clone(key), false)));
            return;
        }
        let mut exchange = self.operations.prepare(key);
        let requests = exchange.begin();
        self.begin(world, number, Work::Prepare(Arc::clone(key), exchange), requests);
    }

    fn begin(
        &mut self,
        world: &mut World,
        number: u16,
        work: Work,
        requests: Vec<zab_wire::client::Request>,
    ) {
        let worker = &mut self.workers[usize::from(number)];
        let State::Idle { next_xid } = worker.state else { return };
        let begun_us = world.now_us();
        let pipeline = Pipeline::new(next_xid, requests);
        let sent = send(world, worker.site, &pipeline);
        worker.state = State::Busy { work, pipeline, until_us: begun_us + self.op_timeout_us, begun_us };
        if !sent {
            self.fails(world, number, Error::NotSent(Cause::Closed));
        }
    }

    /// Lets clients do what is due by itself: connect, lose patience.
    pub fn tick(&mut self, world: &mut World) {
        let now_us = world.now_us();
        for number in 0..self.count() {
            let worker = &mut self.workers[usize::from(number)];
            match worker.state {
                State::Off { again_us } if again_us <= now_us => {
                    let hello = ConnectRequest {
                        last_zxid_seen: Zxid::ZERO,
                        timeout_ms: 60_000,
                        session: SessionId(0),
                        password: vec![0; 16],
                        read_only: Some(false),
                    };
                    worker.state = if world.client_connects(worker.site, worker.home, hello) {
                        State::Connecting { until_us: now_us + CONNECT_LIMIT_US }
                    } else {
                        State::Off { again_us: now_us + RECONNECT_US }
                    };
                }
                State::Connecting { until_us } if until_us <= now_us => {
                    world.client_closes(worker.site);
                    worker.state = State::Off { again_us: now_us + RECONNECT_US };
                }
                State::Busy { until_us, begun_us, .. } if until_us <= now_us => {
                    let waited_ms = u128::from((now_us - begun_us) / 1_000);
                    world.client_closes(worker.site);
                    self.fails(world, number, Error::Lost(Cause::TimedOut(waited_ms)));
                }
                State::Off { .. } | State::Connecting { .. } | State::Busy { .. } | State::Idle { .. } => {}
            }
        }
    }

    /// A client hears something; false when it is none of these clients.
    ///
    /// # Panics
    /// Never: sites are numbered with 16 bits.
    pub fn hears(&mut self, world: &mut World, site: Site, event: &ClientEvent) -> bool {
        let Some(number) = self.workers.iter().position(|worker| worker.site == site) else { return false };
        let number = u16::try_from(number).expect("sites are numbered with 16 bits");
        match event {
            ClientEvent::Lost => self.loses(world, number),
            ClientEvent::Frame(frame) => self.hears_frame(world, number, frame),
        }
        true
    }

    fn loses(&mut self, world: &mut World, number: u16) {
        let worker = &mut self.workers[usize::from(number)];
        match worker.state {
            State::Busy { .. } => self.fails(world, number, Error::Lost(Cause::Closed)),
            State::Off { .. } | State::Connecting { .. } | State::Idle { .. } => {
                worker.state = State::Off { again_us: world.now_us() + RECONNECT_US };
            }
        }
    }

    fn hears_frame(&mut self, world: &mut World, number: u16, frame: &[u8]) {
        let worker = &mut self.workers[usize::from(number)];
        match &mut worker.state {
            State::Connecting { .. } => {
                let welcome = ConnectResponse::from_slice(frame);
                worker.state = match welcome {
                    Ok(welcome) if welcome.session.0 != 0 => State::Idle { next_xid: Pipeline::FIRST_XID },
                    Ok(_) | Err(_) => {
                        world.client_closes(worker.site);
                        State::Off { again_us: world.now_us() + RECONNECT_US }
                    }
                };
            }
            State::Busy { pipeline, .. } => match pipeline.receive(frame) {
                Ok(()) if !pipeline.is_answered() => {}
                Ok(()) => self.answered(world, number),
                Err(cause) => {
                    world.client_closes(worker.site);
                    self.fails(world, number, Error::Lost(cause));
                }
            },
            // Nobody asked for it.
            State::Off { .. } | State::Idle { .. } => {}
        }
    }

    /// Every answer of a step is here.
    fn answered(&mut self, world: &mut World, number: u16) {
        let worker = &mut self.workers[usize::from(number)];
        let state = std::mem::replace(&mut worker.state, State::Off { again_us: world.now_us() });
        let State::Busy { mut work, pipeline, until_us, begun_us } = state else { return };
        let next_xid = pipeline.next_xid();
        match work.answered(Ok(pipeline.into_answers())) {
            Next::Ask(requests) => {
                let pipeline = Pipeline::new(next_xid, requests);
                let sent = send(world, worker.site, &pipeline);
                worker.state = State::Busy { work, pipeline, until_us, begun_us };
                if !sent {
                    self.fails(world, number, Error::NotSent(Cause::Closed));
                }
            }
            done @ (Next::Completed(_) | Next::Prepared(_)) => {
                worker.state = State::Idle { next_xid };
                self.ended(world, number, work, done);
            }
        }
    }

    /// No answers will come; the connection is of no more use.
    fn fails(&mut self, world: &mut World, number: u16, error: Error) {
        let worker = &mut self.workers[usize::from(number)];
        if !matches!(worker.state, State::Busy { .. }) {
            return;
        }
        let off = State::Off { again_us: world.now_us() + RECONNECT_US };
        let State::Busy { mut work, .. } = std::mem::replace(&mut worker.state, off) else { return };
        let done = work.answered(Err(error));
        self.ended(world, number, work, done);
    }

    fn ended(&mut self, world: &World, number: u16, work: Work, done: Next) {
        let count = i64::from(self.count());
        let worker = &mut self.workers[usize::from(number)];
        match (work, done) {
            (Work::Invoke(invocation, _), Next::Completed(completion)) => {
                let status = completion.status;
                self.last_done = status == Status::Ok;
                self.history.complete(world.now_us(), worker.process, worker.home, &invocation, completion);
                if status == Status::Info {
                    // Nobody knows whether it still goes on, so its process never does anything else.
                    worker.process += count;
                }
                self.outcomes.push_back((number, Outcome::Invoked(invocation, status)));
            }
            (Work::Prepare(key, _), Next::Prepared(done)) => {
                self.last_done = done;
                self.outcomes.push_back((number, Outcome::Prepared(key, done)));
            }
            (work, _) => unreachable!("after an error or its last answer {work:?} is done"),
        }
    }

    /// The run is over: what is open stays unknown for ever.
    pub fn abandon(&mut self, world: &mut World) {
        for number in 0..self.count() {
            world.client_closes(self.workers[usize::from(number)].site);
            self.fails(world, number, Error::Lost(Cause::Abandoned));
        }
    }
}

fn send(world: &mut World, site: Site, pipeline: &Pipeline) -> bool {
    let mut sent = false;
    for (header, request) in pipeline.requests() {
        let mut body = Writer::new();
        request.encode_body(&mut body);
        sent = world.client_sends(site, header, Bytes::from(body.into_inner()));
    }
    sent
}
