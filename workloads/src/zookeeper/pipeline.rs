//! Requests that go out together, and their answers as they come in: numbers, order, decoding.
//!
//! No bytes move here. A carrier sends what [`Pipeline::requests`] gives and hands every frame of the
//! server to [`Pipeline::receive`]; sockets and simulated links do it alike.

use crate::Error;
use crate::error::Cause;
use zab_wire::client::{ReplyHeader, Request, RequestHeader, Response, XID_NOTIFICATION, XID_PING};
use zab_wire::jute::{Reader, Record};
use zab_wire::{WireError, Zxid};

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The last transaction the server had applied when it answered.
    pub zxid: Zxid,
    /// The answer's body.
    pub body: Response,
}

/// What one request of a pipeline came to; the error is always [`Error::Server`].
pub type Answer = Result<Reply, Error>;

/// Requests on one session, in order, and the answers that are here.
#[derive(Debug)]
pub struct Pipeline {
    requests: Vec<Request>,
    first_xid: i32,
    /// The xid of the next answer; after the last, of the next pipeline's first request.
    due_xid: i32,
    answers: Vec<Answer>,
}

impl Pipeline {
    /// The first pipeline of a session begins with this xid.
    pub const FIRST_XID: i32 = 1;

    /// Nothing is answered yet. The first request has the xid `first_xid`, which is positive.
    #[must_use]
    pub fn new(first_xid: i32, requests: Vec<Request>) -> Self {
        let answers = Vec::with_capacity(requests.len());
        Self { requests, first_xid, due_xid: first_xid, answers }
    }

    /// The requests with their headers. A frame is the header and then the body
    /// ([`Request::encode_body`]).
    pub fn requests(&self) -> impl Iterator<Item = (RequestHeader, &Request)> {
        let xids = std::iter::successors(Some(self.first_xid), |xid| Some(xid_after(*xid)));
        xids.zip(&self.requests).map(|(xid, request)| (RequestHeader { xid, op: request.op() }, request))
    }

    /// The xid with which the session's next pipeline begins.
    #[must_use]
    pub fn next_xid(&self) -> i32 {
        self.requests.iter().fold(self.first_xid, |xid, _| xid_after(xid))
    }

    /// Takes a whole frame from the server, without its length. Answers to pings and notifications may
    /// come between any others and are passed over.
    ///
    /// # Errors
    /// [`Cause::Protocol`] when it is not the answer that is due. The connection is of no use then.
    pub fn receive(&mut self, frame: &[u8]) -> Result<(), Cause> {
        let mut reader = Reader::new(frame);
        let header = ReplyHeader::decode(&mut reader).map_err(protocol)?;
        if header.xid == XID_PING || header.xid == XID_NOTIFICATION {
            return Ok(());
        }
        let Some(request) = self.requests.get(self.answers.len()) else {
            return Err(Cause::Protocol(format!("an answer to xid {} that nobody asked", header.xid)));
        };
        let due = self.due_xid;
        if header.xid != due {
            return Err(Cause::Protocol(format!("an answer to xid {} where {due} was due", header.xid)));
        }
        self.answers.push(if header.error == 0 {
            let body = Response::decode(request, reader.rest()).map_err(protocol)?;
            Ok(Reply { zxid: header.zxid, body })
        } else {
            Err(Error::Server { code: header.error, zxid: header.zxid })
        });
        self.due_xid = xid_after(due);
        Ok(())
    }

    /// Whether every answer is here.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answers.len() == self.requests.len()
    }

    /// The answers that are here, in the order of the requests.
    #[must_use]
    pub fn into_answers(self) -> Vec<Answer> {
        self.answers
    }
}

/// Ordinary xids are positive; the negative ones have meanings of their own.
fn xid_after(xid: i32) -> i32 {
    xid.checked_add(1).unwrap_or(Pipeline::FIRST_XID)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(super) fn protocol(error: WireError) -> Cause {
    Cause::Protocol(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zab_wire::client::{ErrorCode, Stat};
    use zab_wire::jute::Writer;

    const ZXID: Zxid = Zxid { epoch: 1, counter: 7 };

    fn frame(xid: i32, outcome: Result<&Response, ErrorCode>) -> Vec<u8> {
        let mut out = Writer::new();
        ReplyHeader { xid, zxid: ZXID, error: outcome.err().map_or(0, ErrorCode::code) }.encode(&mut out);
        if let Ok(body) = outcome {
            body.encode_body(&mut out);
        }
        out.into_inner()
    }

    fn sync_and_get(first_xid: i32) -> Pipeline {
        let sync = Request::Sync { path: "/a".to_owned() };
        let get = Request::GetData { path: "/a".to_owned(), watch: false };
        Pipeline::new(first_xid, vec![sync, get])
    }

    #[test]
    fn answers_are_those_of_the_requests_in_order() {
        let mut pipeline = sync_and_get(5);
        let headers: Vec<_> = pipeline.requests().map(|(header, _)| (header.xid, header.op)).collect();
        assert_eq!(headers, [(5, 9), (6, 4)]);
        assert_eq!(pipeline.next_xid(), 7);
        let path = Response::Path("/a".to_owned());
        pipeline.receive(&frame(XID_PING, Ok(&Response::Empty))).unwrap();
        pipeline.receive(&frame(5, Ok(&path))).unwrap();
        pipeline.receive(&frame(XID_NOTIFICATION, Ok(&path))).unwrap();
        assert!(!pipeline.is_answered());
        pipeline.receive(&frame(6, Err(ErrorCode::NoNode))).unwrap();
        assert!(pipeline.is_answered());
        let refused = Error::Server { code: -101, zxid: ZXID };
        assert_eq!(pipeline.into_answers(), [Ok(Reply { zxid: ZXID, body: path }), Err(refused)]);
    }

    #[test]
    fn xids_stay_positive() {
        let mut pipeline = sync_and_get(i32::MAX);
        assert_eq!(pipeline.requests().map(|(header, _)| header.xid).collect::<Vec<_>>(), [i32::MAX, 1]);
        assert_eq!(pipeline.next_xid(), 2);
        pipeline.receive(&frame(i32::MAX, Err(ErrorCode::NoNode))).unwrap();
        pipeline.receive(&frame(1, Ok(&Response::Data(None, Stat::default())))).unwrap();
        assert!(pipeline.is_answered());
    }

    #[test]
    fn what_is_not_due_is_refused() {
        let refusal =
            |pipeline: &mut Pipeline, frame: &[u8]| pipeline.receive(frame).unwrap_err().to_string();
        let nonsense = "the server's answer makes no sense: ";
        let late = frame(2, Err(ErrorCode::NoNode));
        assert_eq!(
            refusal(&mut sync_and_get(1), &late),
            format!("{nonsense}an answer to xid 2 where 1 was due")
        );
        assert_eq!(
            refusal(&mut Pipeline::new(1, Vec::new()), &late),
            format!("{nonsense}an answer to xid 2 that nobody asked")
        );
        assert!(refusal(&mut sync_and_get(1), &[0; 3]).starts_with(nonsense));
        assert!(refusal(&mut sync_and_get(1), &frame(1, Ok(&Response::Empty))).starts_with(nonsense));
    }
}
