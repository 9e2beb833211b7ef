//! Client connections of this server: per connection a queue that keeps answers in order.
//!
//! Writes and syncs are sent on at once, however many are under way; reads wait behind the earlier
//! writes and syncs of their session, so that a session reads its own writes (ZooKeeper's
//! `CommitProcessor`). Answers leave in the order of the requests.
//!
//! A sync takes a round to a quorum, so writes sent behind it could overtake it, and a read between the
//! two would see a write of its own session's future. Therefore writes behind an unanswered sync are
//! held here until it is answered.

use crate::config::Config;
use crate::event::{ClientId, Now};
use crate::out::Out;
use crate::tree::Applied;
use crate::tree::{self, Tree};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use zab_wire::client::{
    ConnectRequest, ConnectResponse, ErrorCode, OpCode, Outcome, ReplyHeader, Request, RequestHeader,
    Response, session_password,
};
use zab_wire::jute::{Record, Writer};
use zab_wire::txn::ForwardedRequest;
use zab_wire::{SessionId, Zxid};

/// What is to be done for a client by the ensemble.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Submission {
    /// Propose this.
    Write(ForwardedRequest),
    /// Ask the leader to catch up with it.
    Sync(SyncRequest),
    /// Ask the leader whether the session lives.
    Revalidate {
        /// Which.
        session: SessionId,
        /// Its timeout.
        timeout_ms: i32,
    },
}

/// A sync on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SyncRequest {
    /// Who waits.
    pub(crate) client: ClientId,
    /// Its session.
    pub(crate) session: SessionId,
    /// Its xid.
    pub(crate) xid: i32,
    /// The path that comes back.
    pub(crate) path: String,
}

impl SyncRequest {
    /// The REQUEST that asks the leader.
    pub(crate) fn to_forwarded(&self) -> ForwardedRequest {
        let mut body = Writer::new();
        body.string(&self.path);
        let (session, cxid) = (self.session, self.xid);
        ForwardedRequest { session, cxid, op: OpCode::Sync.code(), body: body.into_inner() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Waiting {
    /// The session is being created or asked for; nothing else is read yet.
    Connecting,
    /// A write, with its frame once it is applied.
    Write { xid: i32, frame: Option<Vec<u8>> },
    /// A sync, with its frame once the leader answered.
    Sync { xid: i32, frame: Option<Vec<u8>> },
    /// A write behind an unanswered sync, or a sync behind such a write: not sent on yet.
    Held(Submission),
    /// A read behind one of those.
    Read { xid: i32, request: ReadRequest },
}

/// The requests that this server answers alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ReadRequest {
    Ping,
    Exists(String),
    GetData(String),
    GetChildren {
        path: String,
        with_stat: bool,
    },
    /// It has failed already; its answer only waits for its turn.
    Failed(ErrorCode),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Connection {
    session: SessionId,
    timeout_ms: i32,
    /// Whether the client knows of read-only servers, and so expects the field in the answer.
    knows_read_only: bool,
    queue: VecDeque<Waiting>,
}

impl Connection {
    /// Sends a request on, or holds it until the syncs before it are answered.
    fn submit(&mut self, submission: Submission) -> Option<Submission> {
        let is_write = matches!(submission, Submission::Write(_));
        let held = self.queue.iter().any(|waiting| {
            matches!(waiting, Waiting::Held(_))
                || is_write && matches!(waiting, Waiting::Sync { frame: None, .. })
        });
        if held {
            self.queue.push_back(Waiting::Held(submission));
            return None;
        }
        self.queue.push_back(Waiting::sent(&submission));
        Some(submission)
    }

    /// Sends on what needs to be held no longer.
    fn release(&mut self, ready: &mut VecDeque<Submission>) {
        let mut sync_open = false;
        for waiting in &mut self.queue {
            match waiting {
                Waiting::Sync { frame: None, .. } => sync_open = true,
                Waiting::Held(submission) => {
                    let is_write = matches!(submission, Submission::Write(_));
                    if is_write && sync_open {
                        return;
                    }
                    sync_open |= !is_write;
                    let sent = Waiting::sent(submission);
                    if let Waiting::Held(submission) = std::mem::replace(waiting, sent) {
                        ready.push_back(submission);
                    }
                }
                Waiting::Connecting
                | Waiting::Write { .. }
                | Waiting::Sync { frame: Some(_), .. }
                | Waiting::Read { .. } => {}
            }
        }
    }
}

impl Waiting {
    /// The place in the queue of something that was sent on.
    fn sent(submission: &Submission) -> Self {
        match submission {
            Submission::Write(request) => Self::Write { xid: request.cxid, frame: None },
            Submission::Sync(sync) => Self::Sync { xid: sync.xid, frame: None },
            Submission::Revalidate { .. } => Self::Connecting,
        }
    }
}

/// All connections of this server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Clients {
    connections: BTreeMap<ClientId, Connection>,
    by_session: BTreeMap<SessionId, ClientId>,
    /// Sessions heard of since the last ping of the leader.
    touched: BTreeMap<SessionId, i32>,
    /// What was held and may go now.
    ready: VecDeque<Submission>,
    /// Questions to the leader whether a session lives that it has not answered yet. Its answers carry no
    /// number but come in order, so only the last one due is the answer to the newest connection: an
    /// earlier one was for a connection that is gone, and lets nobody in.
    revalidating: BTreeMap<SessionId, u32>,
    next_session: i64,
}

impl Clients {
    /// How many requests wait for an answer.
    pub(crate) fn outstanding(&self) -> usize {
        self.connections.values().map(|connection| connection.queue.len()).sum()
    }

    /// What was held behind a sync and may go now.
    pub(crate) fn take_ready(&mut self) -> Option<Submission> {
        self.ready.pop_front()
    }

    /// The sessions heard of since this was last asked.
    pub(crate) fn take_touched(&mut self) -> Vec<(SessionId, i32)> {
        std::mem::take(&mut self.touched).into_iter().collect()
    }

    /// A client's first frame.
    pub(crate) fn connect(
        &mut self,
        client: ClientId,
        request: &ConnectRequest,
        config: &Config,
        view: Zxid,
        out: &mut Out<'_>,
    ) -> Option<Submission> {
        // A client that has seen more than this server must go elsewhere, or its view would go back.
        if request.last_zxid_seen > view || self.connections.contains_key(&client) {
            self.drop_client(client, out);
            return None;
        }
        let timing = &config.timing;
        let timeout_ms = request.timeout_ms.clamp(timing.min_session_ms, timing.max_session_ms);
        let new = request.session.0 == 0;
        let session = if new { self.new_session(config, out.now) } else { request.session };
        let connection = Connection {
            session,
            timeout_ms,
            knows_read_only: request.read_only.is_some(),
            queue: VecDeque::from([Waiting::Connecting]),
        };
        if let Some(former) = self.by_session.get(&session).copied() {
            self.drop_client(former, out);
        }
        self.connections.insert(client, connection);
        self.by_session.insert(session, client);
        if new {
            return Some(Submission::Write(ForwardedRequest {
                session,
                cxid: 0,
                op: OpCode::CreateSession.code(),
                body: timeout_ms.to_be_bytes().to_vec(),
            }));
        }
        if request.password != session_password(session) {
            self.welcome(session, false, out);
            return None;
        }
        *self.revalidating.entry(session).or_default() += 1;
        Some(Submission::Revalidate { session, timeout_ms })
    }

    /// The leader's word on a session that a client wants to go on with.
    pub(crate) fn revalidated(&mut self, session: SessionId, valid: bool, out: &mut Out<'_>) {
        match self.revalidating.get_mut(&session) {
            Some(due) if *due > 1 => *due -= 1,
            Some(_) => {
                self.revalidating.remove(&session);
                self.welcome(session, valid, out);
            }
            // Nobody asked.
            None => {}
        }
    }

    /// Lets a client in, or tells it that its session is no more.
    fn welcome(&mut self, session: SessionId, valid: bool, out: &mut Out<'_>) {
        let Some(client) = self.by_session.get(&session).copied() else { return };
        let Some(connection) = self.connections.get_mut(&client) else { return };
        if connection.queue.front() != Some(&Waiting::Connecting) {
            return;
        }
        connection.queue.pop_front();
        let read_only = connection.knows_read_only.then_some(false);
        let response = if valid {
            let password = session_password(session);
            ConnectResponse { timeout_ms: connection.timeout_ms, session, password, read_only }
        } else {
            ConnectResponse { timeout_ms: 0, session: SessionId(0), password: vec![0; 16], read_only }
        };
        out.reply(client, response.to_vec());
        if !valid {
            self.drop_client(client, out);
        }
    }

    /// A client's later frame. What it asks for either joins the queue, or is answered at once.
    pub(crate) fn request(
        &mut self,
        client: ClientId,
        header: RequestHeader,
        body: &Bytes,
        tree: &Tree,
        view: Zxid,
        out: &mut Out<'_>,
    ) -> Option<Submission> {
        let Some(connection) = self.connections.get_mut(&client) else {
            out.close_client(client);
            return None;
        };
        self.touched.insert(connection.session, connection.timeout_ms);
        let RequestHeader { xid, op } = header;
        let session = connection.session;
        let read = match Request::decode(op, body) {
            Err(_) => ReadRequest::Failed(ErrorCode::MarshallingError),
            Ok(Request::Other { .. } | Request::CreateSession { .. }) => {
                ReadRequest::Failed(ErrorCode::Unimplemented)
            }
            // Watches have their place in a later protocol step; promising one silently would be a lie.
            Ok(
                Request::Exists { watch: true, .. }
                | Request::GetData { watch: true, .. }
                | Request::GetChildren { watch: true, .. },
            ) => ReadRequest::Failed(ErrorCode::Unimplemented),
            Ok(Request::Exists { path, watch: false }) => ReadRequest::Exists(path),
            Ok(Request::GetData { path, watch: false }) => ReadRequest::GetData(path),
            Ok(Request::GetChildren { path, watch: false, with_stat }) => {
                ReadRequest::GetChildren { path, with_stat }
            }
            Ok(Request::Ping) => ReadRequest::Ping,
            Ok(Request::Sync { path }) => {
                return connection.submit(Submission::Sync(SyncRequest { client, session, xid, path }));
            }
            Ok(
                Request::Create { .. }
                | Request::Delete { .. }
                | Request::SetData { .. }
                | Request::CloseSession,
            ) => {
                let body = body.to_vec();
                return connection.submit(Submission::Write(ForwardedRequest {
                    session,
                    cxid: xid,
                    op,
                    body,
                }));
            }
        };
        if connection.queue.is_empty() {
            out.reply(client, frame(xid, view, &answer(&read, tree)));
        } else {
            connection.queue.push_back(Waiting::Read { xid, request: read });
        }
        None
    }

    /// A transaction was applied: whoever waits for it here has its answer.
    pub(crate) fn applied(&mut self, applied: &Applied, tree: &Tree, view: Zxid, out: &mut Out<'_>) {
        use zab_wire::txn::Txn;
        let Applied { header, txn, bytes: _, outcome } = applied;
        let Some(client) = self.by_session.get(&header.session).copied() else { return };
        match txn {
            Txn::CreateSession { .. } => self.welcome(header.session, true, out),
            Txn::CloseSession { .. } => {
                self.answer_write(client, header.cxid, frame(header.cxid, view, outcome));
                self.drain(client, tree, view, out);
                self.drop_client(client, out);
            }
            Txn::Create { .. }
            | Txn::Delete { .. }
            | Txn::SetData { .. }
            | Txn::Error { .. }
            | Txn::Other { .. } => {
                self.answer_write(client, header.cxid, frame(header.cxid, view, outcome));
                self.drain(client, tree, view, out);
            }
        }
    }

    /// The leader answered a sync.
    pub(crate) fn synced(&mut self, sync: &SyncRequest, tree: &Tree, view: Zxid, out: &mut Out<'_>) {
        let Some(connection) = self.connections.get_mut(&sync.client) else { return };
        for waiting in &mut connection.queue {
            if let Waiting::Sync { xid, frame: slot @ None } = waiting
                && *xid == sync.xid
            {
                *slot = Some(frame(sync.xid, view, &Ok(Response::Path(sync.path.clone()))));
                break;
            }
        }
        connection.release(&mut self.ready);
        self.drain(sync.client, tree, view, out);
    }

    /// A client is gone.
    pub(crate) fn gone(&mut self, client: ClientId) {
        let Some(connection) = self.connections.remove(&client) else { return };
        if self.by_session.get(&connection.session) == Some(&client) {
            self.by_session.remove(&connection.session);
        }
    }

    /// This server serves no more: every client must find another.
    pub(crate) fn close_all(&mut self, out: &mut Out<'_>) {
        for client in std::mem::take(&mut self.connections).into_keys() {
            out.close_client(client);
        }
        self.by_session.clear();
        self.touched.clear();
        self.ready.clear();
        self.revalidating.clear();
    }

    fn drop_client(&mut self, client: ClientId, out: &mut Out<'_>) {
        self.gone(client);
        out.close_client(client);
    }

    fn answer_write(&mut self, client: ClientId, cxid: i32, frame: Vec<u8>) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        for waiting in &mut connection.queue {
            if let Waiting::Write { xid, frame: slot @ None } = waiting {
                // Writes are applied in the order in which they were sent; another xid here is the
                // transaction of an earlier connection of this session.
                if *xid == cxid {
                    *slot = Some(frame);
                }
                return;
            }
        }
    }

    /// Sends the answers that are due, in order, and executes the reads whose turn has come.
    fn drain(&mut self, client: ClientId, tree: &Tree, view: Zxid, out: &mut Out<'_>) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        while let Some(waiting) = connection.queue.pop_front() {
            match waiting {
                Waiting::Write { frame: Some(frame), .. } | Waiting::Sync { frame: Some(frame), .. } => {
                    out.reply(client, frame);
                }
                Waiting::Read { xid, request } => {
                    out.reply(client, frame(xid, view, &answer(&request, tree)))
                }
                Waiting::Connecting
                | Waiting::Held(_)
                | Waiting::Write { frame: None, .. }
                | Waiting::Sync { frame: None, .. } => {
                    connection.queue.push_front(waiting);
                    return;
                }
            }
        }
    }

    /// A session id no other server and no earlier life of this one gives: server, time, counter
    /// (`SessionTrackerImpl.initializeNextSessionId`).
    fn new_session(&mut self, config: &Config, now: Now) -> SessionId {
        if self.next_session == 0 {
            let time = ((now.wall_ms << 24).cast_unsigned() >> 8).cast_signed();
            self.next_session = (config.me.0 << 56) | time;
        }
        self.next_session = self.next_session.wrapping_add(1);
        if self.next_session == 0 || self.next_session == i64::MIN {
            self.next_session = self.next_session.wrapping_add(1);
        }
        SessionId(self.next_session)
    }
}

fn answer(request: &ReadRequest, tree: &Tree) -> Outcome {
    let checked = |path: &str| tree::validate(path);
    match request {
        ReadRequest::Ping => Ok(Response::Empty),
        ReadRequest::Exists(path) => checked(path).and_then(|()| tree.exists(path)),
        ReadRequest::GetData(path) => checked(path).and_then(|()| tree.data(path)),
        ReadRequest::GetChildren { path, with_stat } => {
            checked(path).and_then(|()| tree.children(path, *with_stat))
        }
        ReadRequest::Failed(code) => Err(*code),
    }
}

fn frame(xid: i32, zxid: Zxid, outcome: &Outcome) -> Vec<u8> {
    let mut out = Writer::append_to(Vec::with_capacity(96));
    let error = outcome.as_ref().map_or_else(|code| code.code(), |_| ErrorCode::Ok.code());
    ReplyHeader { xid, zxid, error }.encode(&mut out);
    if let Ok(response) = outcome {
        response.encode_body(&mut out);
    }
    out.into_inner()
}
