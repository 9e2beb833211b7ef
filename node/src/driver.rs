//! The loop: one task owns the core, takes events, and carries out effects in their order.
//!
//! Sockets and timers are served by the same thread, the disk by another ([`crate::disk`]). Events come
//! through one queue and are taken in batches; what a batch sends leaves with one write per connection
//! when the batch is done. The contract that is kept here stands in [`zab_core::event`].

use crate::NodeError;
use crate::client_port::ClientPort;
use crate::config::{HostPort, NodeConfig};
use crate::disk::{Alone, Disk, Job};
use crate::election_port::ElectionPort;
use crate::four_letter::{self, Facts, Word};
use crate::input::Input;
use crate::quorum_port::QuorumPort;
use crate::tracer::{Log, Tracer, wall_ms};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};
use zab_core::{Bug, ClientId, Effect, Event, Now, Server};
use zab_storage::Storage;

/// The most events taken before new ones are looked for.
const BATCH: usize = 1024;

/// The listening sockets, bound before anything on disk is touched: a second server with the same
/// configuration ends here.
struct Listeners {
    client: TcpListener,
    /// Quorum and election port; none for an ensemble of one.
    peers: Option<(TcpListener, TcpListener)>,
}

/// Runs the server of `config` until a signal asks it to stop.
pub(crate) async fn drive(
    config: NodeConfig,
    bug: Option<Bug>,
    log: Log,
    mut tracer: Tracer,
) -> Result<(), NodeError> {
    let mut stop = Stop::install()?;
    let listeners = Listeners::bind(&config).await?;
    let storage_options = zab_storage::Options {
        preallocate_bytes: config
            .preallocate_bytes
            .unwrap_or(zab_storage::Options::default().preallocate_bytes),
        forget_accepted_epoch: bug == Some(Bug::ForgetAcceptedEpoch),
    };
    let (storage, recovered) = Storage::open_with(&config.data_dir, storage_options)?;
    tracer.started(&recovered).map_err(NodeError::Trace)?;

    let (inputs, mut queue) = unbounded_channel();
    let disk = Disk::start(storage, inputs.clone(), log)?;
    let mut driver = Driver::new(config, bug, listeners, disk, inputs, tracer, log);
    let done = async {
        driver.step(Event::Start(recovered))?;
        driver.run(&mut queue).await
    };
    let ended = tokio::select! {
        ended = done => ended,
        name = stop.asked() => Ok(name),
    };
    driver.end(ended)
}

struct Driver {
    server: Server,
    config: NodeConfig,
    quorum: QuorumPort,
    election: Option<ElectionPort>,
    clients: ClientPort,
    disk: Disk,
    tracer: Tracer,
    inputs: UnboundedSender<Input>,
    /// Origin of the core's monotonic time.
    origin: Instant,
    /// Reused from step to step.
    effects: Vec<Effect>,
}

impl Driver {
    fn new(
        config: NodeConfig,
        bug: Option<Bug>,
        listeners: Listeners,
        disk: Disk,
        inputs: UnboundedSender<Input>,
        tracer: Tracer,
        log: Log,
    ) -> Self {
        let (quorum_listener, election_listener) = listeners.peers.unzip();
        let addresses = |of: fn(&crate::config::PeerAddress) -> &HostPort| {
            config.peers.iter().map(|(id, peer)| (*id, of(peer).clone())).collect::<BTreeMap<_, _>>()
        };
        let quorum = QuorumPort::start(
            quorum_listener,
            addresses(|peer| &peer.quorum),
            Duration::from_millis(config.timing.init_limit_ms),
            inputs.clone(),
            log,
        );
        let elections = addresses(|peer| &peer.election);
        let election = election_listener.map(|listener| {
            let own = elections.get(&config.me).expect("myid is one of the server lines").clone();
            let within = config.connect_timeout;
            ElectionPort::start(config.me, &own, listener, elections, within, inputs.clone(), log)
        });
        let clients = ClientPort::start(
            listeners.client,
            config.max_client_connections,
            config.max_frame,
            inputs.clone(),
            log,
        );
        let server = Server::new(config.core(bug));
        let origin = Instant::now();
        Self {
            server,
            config,
            quorum,
            election,
            clients,
            disk,
            tracer,
            inputs,
            origin,
            effects: Vec::with_capacity(256),
        }
    }

    /// Takes inputs for ever; returns only with what makes it impossible to go on.
    async fn run(&mut self, queue: &mut UnboundedReceiver<Input>) -> Result<&'static str, NodeError> {
        let mut batch = Vec::with_capacity(BATCH);
        let timer = sleep_until(self.origin);
        tokio::pin!(timer);
        loop {
            let deadline = self.server.next_deadline();
            if let Some(at) = deadline.map(|ms| self.origin + Duration::from_millis(ms))
                && at != timer.deadline()
            {
                timer.as_mut().reset(at);
            }
            tokio::select! {
                biased;
                _count = queue.recv_many(&mut batch, BATCH) => {}
                () = &mut timer, if deadline.is_some() => {}
            }
            for input in batch.drain(..) {
                self.take(input)?;
            }
            // Not left to the timer alone: a queue that never runs dry must not stop the clock.
            if self.server.next_deadline().is_some_and(|deadline| deadline <= self.now().mono_ms) {
                self.step(Event::Tick)?;
            }
        }
    }

    fn now(&self) -> Now {
        let mono_ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { mono_ms, wall_ms: wall_ms() }
    }

    /// Hands an input on, unless what it is about has been closed meanwhile.
    fn take(&mut self, input: Input) -> Result<(), NodeError> {
        let event = match input {
            Input::Word { client, word } => {
                self.answer(client, word);
                return Ok(());
            }
            Input::Event(event) => event,
        };
        let counts = match &event {
            Event::Packet { conn, .. } | Event::LearnerUp { conn } | Event::LeaderUp { conn } => {
                self.quorum.is_open(*conn)
            }
            Event::ConnDown { conn } => self.quorum.remove(*conn),
            Event::ClientConnect { client, .. } => self.clients.announce(*client),
            Event::ClientRequest { client, header, .. } => {
                let now_ms = self.now().mono_ms;
                self.clients.note_request(*client, header.xid, now_ms)
            }
            Event::ClientGone { client } => self.clients.remove(*client),
            Event::Start(_)
            | Event::Tick
            | Event::Notification { .. }
            | Event::Synced { .. }
            | Event::Truncated { .. }
            | Event::TruncationImpossible => true,
        };
        if counts { self.step(event) } else { Ok(()) }
    }

    fn step(&mut self, event: Event) -> Result<(), NodeError> {
        let now = self.now();
        let mut effects = std::mem::take(&mut self.effects);
        self.server.step(now, event, &mut effects);
        let done = effects.drain(..).try_for_each(|effect| self.carry_out(effect, now));
        self.effects = effects;
        done
    }

    fn carry_out(&mut self, effect: Effect, now: Now) -> Result<(), NodeError> {
        match effect {
            Effect::Notify { to, message } if to == self.config.me => {
                // A voter counts its own vote like any other, but without a socket.
                let _delivered = self.inputs.send(Input::Event(Event::Notification { from: to, message }));
            }
            Effect::Notify { to, message } => {
                if let Some(election) = &self.election {
                    election.notify(to, &message);
                }
            }
            Effect::Connect { conn, leader } => self.quorum.connect(conn, leader),
            Effect::Send { conn, message } => self.quorum.send(conn, &message),
            Effect::Close { conn } => self.quorum.close(conn),
            Effect::Append(entry) => self.disk.push(Job::Append(entry)),
            Effect::Sync { token } => self.disk.push(Job::Sync(token)),
            Effect::Truncate { to } => self.disk.push(Job::Alone(Alone::Truncate(to))),
            Effect::SetAcceptedEpoch(epoch) => self.disk.push(Job::Alone(Alone::SetAcceptedEpoch(epoch))),
            Effect::SetCurrentEpoch(epoch) => self.disk.push(Job::Alone(Alone::SetCurrentEpoch(epoch))),
            Effect::TakeSnapshot(snapshot) => self.disk.push(Job::Alone(Alone::TakeSnapshot(snapshot))),
            Effect::InstallSnapshot { snapshot, entries } => {
                self.disk.push(Job::Alone(Alone::InstallSnapshot { snapshot, entries }));
            }
            Effect::Deliver(_) => {}
            Effect::Reply { client, frame } => self.clients.reply(client, &frame, now.mono_ms),
            Effect::CloseClient { client } => self.clients.close(client),
            Effect::Trace(trace) => self.tracer.trace(&trace).map_err(NodeError::Trace)?,
            Effect::Fatal { reason } => return Err(NodeError::Fatal(reason)),
        }
        Ok(())
    }

    fn answer(&self, client: ClientId, word: Word) {
        let facts = Facts {
            config: &self.config,
            status: self.server.status(),
            counters: self.clients.counters(),
            clients: self.clients.lines(),
        };
        self.clients.answer_word(client, &four_letter::answer(word, &facts));
    }

    /// Says why it is over. Everything appended is made durable first, if the end is a wanted one.
    fn end(mut self, ended: Result<&'static str, NodeError>) -> Result<(), NodeError> {
        match ended {
            Ok(signal) => {
                self.disk.finish();
                self.tracer.ended("process.stopped", signal).map_err(NodeError::Trace)
            }
            Err(error) => {
                // The error is reported in any case; a trace file that fails, too, adds nothing.
                let _traced = self.tracer.ended("process.failed", &error.to_string());
                Err(error)
            }
        }
    }
}

impl Listeners {
    async fn bind(config: &NodeConfig) -> Result<Self, NodeError> {
        let client = bind("clientPort", config.client).await?;
        let own = if config.is_standalone() { None } else { config.peers.get(&config.me) };
        let Some(own) = own else { return Ok(Self { client, peers: None }) };
        let key = |port: &str| format!("{port} port of server.{}", config.me);
        let quorum = bind(&key("quorum"), resolve(config, &own.quorum).await?).await?;
        let election = bind(&key("election"), resolve(config, &own.election).await?).await?;
        Ok(Self { client, peers: Some((quorum, election)) })
    }
}

async fn resolve(config: &NodeConfig, address: &HostPort) -> Result<SocketAddr, NodeError> {
    if config.listen_on_all {
        return Ok(SocketAddr::from(([0, 0, 0, 0], address.port)));
    }
    let unknown = |cause| NodeError::UnknownHost { address: address.clone(), me: config.me, cause };
    let found = lookup_host((address.host.as_str(), address.port)).await.map_err(unknown)?.next();
    found.ok_or_else(|| unknown(std::io::ErrorKind::NotFound.into()))
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address).await.map_err(|cause| NodeError::Bind { key: key.to_owned(), address, cause })
}

/// The signals that ask for an end.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn install() -> Result<Self, NodeError> {
        let install = |kind| signal(kind).map_err(NodeError::Signal);
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them; its name.
    async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _received = self.terminate.recv() => "SIGTERM",
            _received = self.interrupt.recv() => "SIGINT",
        }
    }
}
