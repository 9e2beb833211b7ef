//! One connection: the handshake, pipelined requests, answers in order, pings.
//!
//! ZooKeeper's client protocol: frames with an `int` length, `ConnectRequest` first, then requests
//! whose answers come back in order. Several requests go out in one write and are answered in one
//! round trip. Every future here may be dropped at an await without harm to the stream's framing:
//! what was half sent or half received stays in the buffers.

use super::pipeline::{Answer, Pipeline, protocol};
use crate::Error;
use crate::error::Cause;
use crate::exchange::exactly;
use bytes::{Buf, BytesMut};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use zab_wire::client::{ConnectRequest, ConnectResponse, Request, RequestHeader, XID_PING};
use zab_wire::jute::{MAX_BUFFER, Record, Writer};
use zab_wire::{SessionId, Zxid};

/// How long a polite goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
struct Patience {
    ends: Instant,
    limit: Duration,
}

impl Patience {
    fn ended(self) -> Cause {
        Cause::TimedOut(self.limit.as_millis())
    }
}

/// A session on a connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Received, not yet understood.
    input: BytesMut,
    /// Encoded; the first `sent` bytes are with the operating system.
    output: Vec<u8>,
    sent: usize,
    next_xid: i32,
    session: SessionId,
    ping_every: Duration,
    last_sent: Instant,
    broken: bool,
}

impl Connection {
    /// Connects and opens a new session, asking for `session_timeout`, within `limit`.
    ///
    /// # Errors
    /// [`Error::NotSent`], whatever went wrong.
    pub async fn connect(
        address: SocketAddr,
        session_timeout: Duration,
        limit: Duration,
    ) -> Result<Self, Error> {
        match timeout(limit, Self::handshake(address, session_timeout)).await {
            Ok(done) => done.map_err(Error::NotSent),
            Err(_elapsed) => Err(Error::NotSent(Cause::TimedOut(limit.as_millis()))),
        }
    }

    async fn handshake(address: SocketAddr, session_timeout: Duration) -> Result<Self, Cause> {
        let stream = TcpStream::connect(address).await?;
        // Requests are small and each is waited for.
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream,
            input: BytesMut::with_capacity(4096),
            output: Vec::with_capacity(512),
            sent: 0,
            next_xid: Pipeline::FIRST_XID,
            session: SessionId(0),
            ping_every: Duration::MAX,
            last_sent: Instant::now(),
            broken: false,
        };
        let hello = ConnectRequest {
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: i32::try_from(session_timeout.as_millis()).unwrap_or(i32::MAX),
            session: SessionId(0),
            password: vec![0; 16],
            read_only: Some(false),
        };
        connection.push_frame(|out| hello.encode(out));
        connection.flush().await?;
        let frame = connection.receive().await?;
        let welcome = ConnectResponse::from_slice(&frame).map_err(protocol)?;
        if welcome.session == SessionId(0) || welcome.timeout_ms <= 0 {
            return Err(Cause::NoSession);
        }
        connection.session = welcome.session;
        connection.ping_every = Duration::from_millis(welcome.timeout_ms.unsigned_abs().into()) / 3;
        Ok(connection)
    }

    /// The session's id.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The session timeout that the server granted, to the ms (a third of it is the ping interval).
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        self.ping_every * 3
    }

    /// Whether the connection is of no more use.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// [`Connection::pipeline`] for a number of requests that is known beforehand.
    ///
    /// # Errors
    /// Those of [`Connection::pipeline`].
    pub async fn call<const N: usize>(
        &mut self,
        requests: [Request; N],
        limit: Duration,
    ) -> Result<[Answer; N], Error> {
        exactly(self.pipeline(requests.into(), limit).await)
    }

    /// Sends all requests in one write and waits for all answers, in order, within `limit`.
    ///
    /// # Errors
    /// [`Error::NotSent`] when not one byte left, [`Error::Lost`] afterwards; either way the
    /// connection is broken from then on. A server's refusal is in the [`Answer`] it belongs to.
    pub async fn pipeline(&mut self, requests: Vec<Request>, limit: Duration) -> Result<Vec<Answer>, Error> {
        if self.broken {
            return Err(Error::NotSent(Cause::Broken));
        }
        let mut pipeline = Pipeline::new(self.next_xid, requests);
        self.next_xid = pipeline.next_xid();
        let backlog = self.output.len();
        for (header, request) in pipeline.requests() {
            self.push_frame(|out| {
                header.encode(out);
                request.encode_body(out);
            });
        }
        self.broken = true; // until every answer is in: also when this future is dropped half-way
        let patience = Patience { ends: Instant::now() + limit, limit };
        if let Err(cause) = self.flush_within(patience).await {
            let nothing_left = self.sent <= backlog;
            return Err(if nothing_left { Error::NotSent(cause) } else { Error::Lost(cause) });
        }
        self.receive_answers(&mut pipeline, patience).await.map_err(Error::Lost)?;
        self.broken = false;
        Ok(pipeline.into_answers())
    }

    async fn flush_within(&mut self, patience: Patience) -> Result<(), Cause> {
        match timeout_at(patience.ends, self.flush()).await {
            Ok(done) => done,
            Err(_elapsed) => Err(patience.ended()),
        }
    }

    async fn receive_answers(&mut self, pipeline: &mut Pipeline, patience: Patience) -> Result<(), Cause> {
        while !pipeline.is_answered() {
            // The session must outlive a slow answer, so pings go on while we wait.
            let wake = patience.ends.min(self.last_sent + self.ping_every);
            let Ok(frame) = timeout_at(wake, self.receive()).await else {
                if Instant::now() >= patience.ends {
                    return Err(patience.ended());
                }
                self.push_ping();
                self.flush_within(patience).await?;
                continue;
            };
            pipeline.receive(&frame?)?;
        }
        Ok(())
    }

    /// Pings whenever a third of the session timeout passes in silence; ends when the connection is
    /// found broken. May be dropped at any time.
    pub async fn idle(&mut self) -> Error {
        let cause = match self.idle_until_broken().await {
            Ok(never) => match never {},
            Err(cause) => cause,
        };
        self.broken = true;
        Error::NotSent(cause)
    }

    async fn idle_until_broken(&mut self) -> Result<std::convert::Infallible, Cause> {
        if self.broken {
            return Err(Cause::Broken);
        }
        // Nothing was asked, so no answer is due.
        let mut nothing = Pipeline::new(self.next_xid, Vec::new());
        loop {
            let due = self.last_sent + self.ping_every;
            match timeout_at(due, self.receive()).await {
                Ok(frame) => nothing.receive(&frame?)?,
                Err(_elapsed) => {
                    self.push_ping();
                    self.flush().await?;
                }
            }
        }
    }

    /// Ends the session; whatever happens is over in half a second.
    pub async fn close(mut self) {
        if !self.broken {
            // Either answer is good enough: a session that was not closed expires.
            let _answer = self.call([Request::CloseSession], CLOSE_LIMIT).await;
        }
    }

    fn push_ping(&mut self) {
        let header = RequestHeader { xid: XID_PING, op: Request::Ping.op() };
        self.push_frame(|out| header.encode(out));
    }

    fn push_frame(&mut self, body: impl FnOnce(&mut Writer)) {
        let start = self.output.len();
        let mut out = Writer::append_to(std::mem::take(&mut self.output));
        out.int(0);
        body(&mut out);
        self.output = out.into_inner();
        let length = u32::try_from(self.output.len() - start - 4).expect("requests are far below 4 GiB");
        self.output[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    async fn flush(&mut self) -> Result<(), Cause> {
        while self.sent < self.output.len() {
            let written = self.stream.write(&self.output[self.sent..]).await?;
            if written == 0 {
                return Err(Cause::Closed);
            }
            self.sent += written;
        }
        self.output.clear();
        self.sent = 0;
        self.last_sent = Instant::now();
        Ok(())
    }

    /// The next whole frame, without its length.
    async fn receive(&mut self) -> Result<BytesMut, Cause> {
        loop {
            if let Some(length) = self.input.first_chunk::<4>() {
                let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
                if length > MAX_BUFFER {
                    return Err(Cause::Protocol("a frame of impossible length".to_owned()));
                }
                if self.input.len() >= 4 + length {
                    self.input.advance(4);
                    return Ok(self.input.split_to(length));
                }
            }
            self.input.reserve(1024);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Cause::Closed);
            }
        }
    }
}
