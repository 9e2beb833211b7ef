//! A client on a stage: it asks what it is told to, and keeps what it hears.

use crate::world::{ClientEvent, Site, World};
use bytes::Bytes;
use std::collections::VecDeque;
use zab_wire::client::{
    ConnectRequest, ConnectResponse, ReplyHeader, Request, RequestHeader, Response, session_password,
};
use zab_wire::jute::{Reader, Record as _, Writer};
use zab_wire::{SessionId, Zxid};

/// The session timeout that every client asks for, ms. Nobody pings, so a session ends in time.
const TIMEOUT_MS: i32 = 2_000;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The number that the client gave its request.
    pub xid: i32,
    /// What the server had seen.
    pub zxid: Zxid,
    /// The response, or the error's code.
    pub response: Result<Response, i32>,
}

/// How a client stands with its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The first answer has not come.
    Opening,
    /// It is let in.
    Open,
    /// The server knows the session no more.
    Expired,
    /// There is no connection.
    Gone,
}

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) site: Site,
    link: Link,
    welcome: Option<ConnectResponse>,
    session: SessionId,
    last_zxid: Zxid,
    xid: i32,
    asked: VecDeque<(i32, Request)>,
    pub(super) answers: VecDeque<Answer>,
    complaint: Option<String>,
}

impl Client {
    pub(super) fn new(site: Site) -> Self {
        Self {
            site,
            link: Link::Gone,
            welcome: None,
            session: SessionId(0),
            last_zxid: Zxid::ZERO,
            xid: 0,
            asked: VecDeque::new(),
            answers: VecDeque::new(),
            complaint: None,
        }
    }

    /// How it stands with its server.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link
    }

    /// What its server answered when it connected last, if it has.
    #[must_use]
    pub fn welcome(&self) -> Option<&ConnectResponse> {
        self.welcome.as_ref()
    }

    /// The session, and the newest zxid seen in it.
    #[must_use]
    pub fn session(&self) -> (SessionId, Zxid) {
        (self.session, self.last_zxid)
    }

    /// Answers that nobody has taken, in order.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter()
    }

    /// Whether it waits for an answer that may still come.
    #[must_use]
    pub fn waits(&self) -> bool {
        match self.link {
            Link::Opening => true,
            Link::Open => !self.asked.is_empty(),
            Link::Expired | Link::Gone => false,
        }
    }

    /// The first rule for servers that its server broke, if it broke any.
    #[must_use]
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    pub(super) fn open(&mut self, world: &mut World, at: u16, (session, last_zxid): (SessionId, Zxid)) {
        let password = if session.0 == 0 { vec![0; 16] } else { session_password(session) };
        let hello = ConnectRequest {
            last_zxid_seen: last_zxid,
            timeout_ms: TIMEOUT_MS,
            session,
            password,
            read_only: Some(false),
        };
        (self.session, self.last_zxid) = (session, last_zxid);
        self.asked.clear();
        self.welcome = None;
        self.link = if world.client_connects(self.site, at, hello) { Link::Opening } else { Link::Gone };
    }

    pub(super) fn close(&mut self, world: &mut World) {
        world.client_closes(self.site);
        self.link = Link::Gone;
    }

    pub(super) fn ask(&mut self, world: &mut World, request: Request) -> i32 {
        self.xid += 1;
        let mut body = Writer::new();
        request.encode_body(&mut body);
        let header = RequestHeader { xid: self.xid, op: request.op() };
        if world.client_sends(self.site, header, Bytes::from(body.into_inner())) {
            self.asked.push_back((self.xid, request));
        }
        self.xid
    }

    pub(super) fn hears(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Lost if self.link == Link::Expired => {}
            ClientEvent::Lost => self.link = Link::Gone,
            ClientEvent::Frame(frame) if self.link == Link::Opening => self.welcomed(&frame),
            ClientEvent::Frame(frame) => {
                if let Err(complaint) = self.answered(&frame) {
                    self.complaint.get_or_insert(complaint);
                }
            }
        }
    }

    fn welcomed(&mut self, frame: &[u8]) {
        match ConnectResponse::from_slice(frame) {
            Ok(welcome) => {
                if welcome.session.0 == 0 {
                    self.link = Link::Expired;
                } else {
                    self.session = welcome.session;
                    self.link = Link::Open;
                }
                self.welcome = Some(welcome);
            }
            Err(error) => self.complaint = Some(error.to_string()),
        }
    }

    fn answered(&mut self, frame: &[u8]) -> Result<(), String> {
        let mut input = Reader::new(frame);
        let header = ReplyHeader::decode(&mut input).map_err(|error| error.to_string())?;
        let (xid, request) = self.asked.pop_front().ok_or("an answer that nobody asked for")?;
        if header.xid != xid {
            return Err(format!("xid {} is answered where {xid} was to be", header.xid));
        }
        if header.zxid < self.last_zxid {
            return Err(format!("it saw {} and then {}", self.last_zxid, header.zxid));
        }
        self.last_zxid = header.zxid;
        let response = if header.error == 0 {
            Ok(Response::decode(&request, input.rest()).map_err(|error| error.to_string())?)
        } else {
            Err(header.error)
        };
        self.answers.push_back(Answer { xid, zxid: header.zxid, response });
        Ok(())
    }
}
