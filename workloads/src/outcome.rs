//! The one place that decides what an error means: *fail* (certainly did not happen) or *info*
//! (unknown for ever).
//!
//! When in doubt, *info*: it is always sound, while a wrong *fail* accuses the system of what it did
//! not do. The reasons below are about ZooKeeper's request pipeline: a refusal given while the leader
//! validates a request (`PrepRequestProcessor`) comes instead of the transaction and is definite; an
//! error that can also be made up after the commit is not. Our client holds one connection per
//! session and repeats nothing, so a code never speaks of an earlier attempt of the same request.

use crate::{Effect, Error, Status};
use zab_wire::client::ErrorCode;

/// How a request of this effect ended, given the error it met.
#[must_use]
pub fn decide(effect: Effect, error: &Error) -> Status {
    if effect == Effect::Reads {
        // What was not seen constrains nothing.
        return Status::Fail;
    }
    match error {
        Error::NotSent(_) => Status::Fail,
        Error::Lost(_) => Status::Info,
        Error::Server { code, zxid: _ } => match ErrorCode::from_code(*code) {
            Some(known) if is_definite(known) => Status::Fail,
            // A code that we do not know may mean anything.
            Some(_) | None => Status::Info,
        },
    }
}

/// Whether a change that was answered with this code certainly did not happen.
#[must_use]
pub fn is_definite(code: ErrorCode) -> bool {
    match code {
        // The leader's validation said no: an error transaction went through the log instead.
        ErrorCode::BadVersion
        | ErrorCode::NoNode
        | ErrorCode::NodeExists
        | ErrorCode::NotEmpty
        | ErrorCode::NoChildrenForEphemerals
        | ErrorCode::NoAuth
        | ErrorCode::InvalidAcl
        | ErrorCode::BadArguments => true,
        // Checked before validation, for this very request (`SessionTracker.checkSession`): a request
        // of a session that is closing, unknown, or owned by another server is never proposed.
        ErrorCode::SessionExpired | ErrorCode::SessionMoved | ErrorCode::UnknownSession => true,
        // The server does not take such requests at all.
        ErrorCode::Unimplemented | ErrorCode::NotReadOnly | ErrorCode::AuthFailed | ErrorCode::NoWatcher => {
            true
        }
        // The server lost touch while the request was under way.
        ErrorCode::ConnectionLoss | ErrorCode::OperationTimeout => false,
        // The server failed at an unknown point. MarshallingError too: `FinalRequestProcessor` answers
        // it for any exception, also when the transaction is already applied.
        ErrorCode::SystemError
        | ErrorCode::RuntimeInconsistency
        | ErrorCode::DataInconsistency
        | ErrorCode::MarshallingError => false,
        // Not an error; a server that sends it as one is beyond trust.
        ErrorCode::Ok => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;
    use zab_wire::Zxid;

    fn server(code: i32) -> Error {
        Error::Server { code, zxid: Zxid::new(1, 2) }
    }

    #[test]
    fn a_failed_read_is_always_fail() {
        for error in
            [Error::NotSent(Cause::Closed), Error::Lost(Cause::TimedOut(5000)), server(-4), server(-999)]
        {
            assert_eq!(decide(Effect::Reads, &error), Status::Fail, "{error}");
        }
    }

    #[test]
    fn a_change_without_an_answer_is_unknown_unless_it_was_never_sent() {
        assert_eq!(decide(Effect::Changes, &Error::NotSent(Cause::Closed)), Status::Fail);
        for cause in [Cause::Closed, Cause::TimedOut(1), Cause::Abandoned, Cause::Protocol(String::new())] {
            assert_eq!(decide(Effect::Changes, &Error::Lost(cause)), Status::Info);
        }
    }

    #[test]
    fn every_code_has_its_outcome() {
        let table = [
            (0, Status::Info),
            (-1, Status::Info),
            (-2, Status::Info),
            (-3, Status::Info),
            (-4, Status::Info),
            (-5, Status::Info),
            (-6, Status::Fail),
            (-7, Status::Info),
            (-8, Status::Fail),
            (-12, Status::Fail),
            (-101, Status::Fail),
            (-102, Status::Fail),
            (-103, Status::Fail),
            (-108, Status::Fail),
            (-110, Status::Fail),
            (-111, Status::Fail),
            (-112, Status::Fail),
            (-114, Status::Fail),
            (-115, Status::Fail),
            (-118, Status::Fail),
            (-119, Status::Fail),
            (-121, Status::Fail),
        ];
        for (code, status) in table {
            assert_eq!(decide(Effect::Changes, &server(code)), status, "{}", server(code));
        }
        let known = (-200..=0).filter(|code| ErrorCode::from_code(*code).is_some()).count();
        assert_eq!(known, table.len(), "a new code needs a row here and a reason above");
        assert_eq!(decide(Effect::Changes, &server(-127)), Status::Info, "unknown codes are indefinite");
    }
}
