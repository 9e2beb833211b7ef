//! The lock, watched while it runs: acquire and release, by owners.
//!
//! A session lasts from the return of the acquire to the call of the release, at least, and sessions may not
//! overlap: those are the forward blocks of the block lemma. So the history is wrong iff an acquire succeeds while
//! another session's release has not been called, or while one is being released that then fails. Nothing else is
//! to be known: acquires that crash may not have happened, a release that crashes may have.
//!
//! A failed acquire says nothing here: `fail` means that it did not take effect, not that the lock was taken.

use crate::Class;
use crate::online::monitor::{Halt, Monitor, Watched};
use crate::online::open::Open;
use crate::online::{Place, Ticket, Violation, name};

/// The monitor of one lock.
pub type Lock = Monitor<Held>;

/// What is invoked on a lock, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Takes the lock, if nobody holds it.
    Acquire(i64),
    /// Gives it back.
    Release(i64),
}

/// What is held of a lock.
#[derive(Debug, Clone, Default)]
pub struct Held {
    open: Open<Input>,
    sessions: Vec<Session>,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    owner: i64,
    /// When its acquire was called.
    acquire: Place,
    /// The release that was called, and the acquire of another that succeeded since then.
    release: Option<(Ticket, Option<Place>)>,
}

impl Watched for Held {
    type Input = Input;
    /// Nothing.
    type Found<'a> = ();

    fn invoke(&mut self, at: Place, input: Input) -> Result<Ticket, Halt> {
        let ticket = self.open.insert(at, input);
        if let Input::Release(owner) = input {
            let mut sessions = self.sessions.iter_mut();
            let Some(session) = sessions.find(|session| session.owner == owner && session.release.is_none())
            else {
                return Err(Halt::Unclear("somebody releases a lock that he does not hold"));
            };
            session.release = Some((ticket, None));
        }
        Ok(ticket)
    }

    fn ok(&mut self, at: Place, ticket: Ticket, (): ()) -> Result<(), Halt> {
        let (call, input) = self.open.remove(ticket);
        match input {
            Input::Acquire(owner) => {
                for session in &mut self.sessions {
                    match &mut session.release {
                        None => return Err(both_hold(at, session.acquire, call).into()),
                        Some((_, acquired)) => *acquired = acquired.or(Some(call)),
                    }
                }
                self.sessions.push(Session { owner, acquire: call, release: None });
            }
            Input::Release(_) => self.end(ticket),
        }
        Ok(())
    }

    fn fail(&mut self, at: Place, ticket: Ticket) -> Result<(), Halt> {
        let (_, input) = self.open.remove(ticket);
        let mut sessions = self.sessions.iter_mut();
        match (input, sessions.find(|session| session.release.is_some_and(|(release, _)| release == ticket)))
        {
            (Input::Release(_), Some(session)) => {
                if let Some((_, Some(acquired))) = session.release {
                    return Err(both_hold(at, session.acquire, acquired).into());
                }
                session.release = None;
                Ok(())
            }
            (Input::Acquire(_) | Input::Release(_), _) => Ok(()),
        }
    }

    fn info(&mut self, _: Place, ticket: Ticket, (): ()) -> Result<(), Halt> {
        let (_, input) = self.open.remove(ticket);
        if let Input::Release(_) = input {
            self.end(ticket);
        }
        Ok(())
    }

    fn sweep(&mut self, _: Place) {}

    fn shrink(&mut self) {
        self.open.shrink();
        self.sessions.shrink_to_fit();
    }

    fn passing(&self) -> usize {
        self.open.len() + self.sessions.len()
    }

    fn lasting(&self) -> usize {
        0
    }
}

impl Held {
    fn end(&mut self, ticket: Ticket) {
        self.sessions.retain(|session| session.release.is_none_or(|(release, _)| release != ticket));
    }
}

fn both_hold(at: Place, first: Place, second: Place) -> Violation {
    let why = format!(
        "{} was granted the lock, and so was {}, without a release in between",
        name(second),
        name(first)
    );
    Violation::new(Class::DoubleGrant, at, [first, second], why)
}
