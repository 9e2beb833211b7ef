//! A client of a hand-written script: it asks what it is told to, and keeps what it hears.

use super::lines::outcome;
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

/// An answer: what its server had seen, and what it says.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) zxid: Zxid,
    /// The response, or the error's name.
    pub(super) response: Result<Response, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// The first answer has not come.
    Opening,
    Open,
    /// The server knows the session no more.
    Expired,
    Gone,
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) site: Site,
    pub(super) link: Link,
    session: SessionId,
    last_zxid: Zxid,
    xid: i32,
    asked: VecDeque<(i32, Request)>,
    pub(super) answers: VecDeque<Answer>,
    /// Its server broke the rules.
    pub(super) complaint: Option<String>,
}

impl Client {
    pub(super) fn new(site: Site) -> Self {
        Self {
            site,
            link: Link::Gone,
            session: SessionId(0),
            last_zxid: Zxid::ZERO,
            xid: 0,
            asked: VecDeque::new(),
            answers: VecDeque::new(),
            complaint: None,
        }
    }

    /// The session, and the newest zxid seen in it.
    pub(super) fn session(&self) -> (SessionId, Zxid) {
        (self.session, self.last_zxid)
    }

    /// Connects; with `(0, 0)` a new session is asked for.
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
        self.link = if world.client_connects(self.site, at, hello) { Link::Opening } else { Link::Gone };
    }

    pub(super) fn close(&mut self, world: &mut World) {
        world.client_closes(self.site);
        self.link = Link::Gone;
    }

    /// Asks; what is asked without a connection is lost.
    pub(super) fn ask(&mut self, world: &mut World, request: Request) {
        self.xid += 1;
        let mut body = Writer::new();
        request.encode_body(&mut body);
        let header = RequestHeader { xid: self.xid, op: request.op() };
        if world.client_sends(self.site, header, Bytes::from(body.into_inner())) {
            self.asked.push_back((self.xid, request));
        }
    }

    /// Whether it waits for an answer that may still come.
    pub(super) fn waits(&self) -> bool {
        match self.link {
            Link::Opening => true,
            Link::Open => !self.asked.is_empty(),
            Link::Expired | Link::Gone => false,
        }
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
            Ok(welcome) if welcome.session.0 != 0 => {
                self.session = welcome.session;
                self.link = Link::Open;
            }
            Ok(_) => self.link = Link::Expired,
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
            Err(outcome(header.error).into_owned())
        };
        self.answers.push_back(Answer { zxid: header.zxid, response });
        Ok(())
    }
}
