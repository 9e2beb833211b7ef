//! What an operation is: the requests it makes and what their answers come to. Not how they travel.
//!
//! Whoever carries an exchange out, the carrier, owns the connection, the clock and the limits. There
//! are two: [`crate::zookeeper::Clients`] over real sockets, and a simulator, which has none. What
//! reaches the server and what the history says is decided here and in [`crate::outcome`], so it is
//! the same whoever carries.

use crate::zookeeper::Answer;
use crate::{Completion, Error, Invocation};
use std::fmt::Debug;
use zab_wire::client::Request;

/// An operation or a preparation, as steps of requests and answers.
///
/// The carrier calls [`Exchange::begin`] once and then [`Exchange::answered`] after every step, until
/// that says [`Step::Done`]; calling either after it is a mistake. It may drop an exchange at any time.
pub trait Exchange: Debug + Send {
    /// What it comes to.
    type Output;

    /// The requests of the first step, at least one.
    fn begin(&mut self) -> Vec<Request>;

    /// The last step is over. Either every request of it was answered, and the answers are here in the
    /// order of the requests; or not, and here is why: [`Error::NotSent`] when not one byte of the step
    /// left, [`Error::Lost`] otherwise. After such an error every exchange is done.
    fn answered(&mut self, answers: Result<Vec<Answer>, Error>) -> Step<Self::Output>;
}

/// How an exchange goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// With these requests, at least one, which go to the same server in one write and on the same session.
    Ask(Vec<Request>),
    /// It is over.
    Done(T),
}

/// What a workload's operations and preparations are.
pub trait Operations: Send + Sync {
    /// An operation that the workload's generator gave. All of its steps share one limit, the operation
    /// timeout: what the first leaves of it is what the second has.
    fn invoke(&self, invocation: &Invocation) -> Box<dyn Exchange<Output = Completion>>;

    /// A preparation that the workload's generator asked for. Each of its steps has the operation
    /// timeout to itself: nobody measures a preparation, so patience costs nothing.
    fn prepare(&self, key: &str) -> Box<dyn Exchange<Output = Result<(), Error>>>;
}

/// The answers to a step of `N` requests, or whatever kept them from being here.
pub(crate) fn exactly<const N: usize>(answers: Result<Vec<Answer>, Error>) -> Result<[Answer; N], Error> {
    Ok(answers?.try_into().expect("a carrier hands back one answer for each request"))
}

/// The answer to a step of one request; the error is the server's refusal, or whatever kept its answer
/// from being here.
pub(crate) fn single(answers: Result<Vec<Answer>, Error>) -> Answer {
    let [answer] = exactly(answers)?;
    answer
}
