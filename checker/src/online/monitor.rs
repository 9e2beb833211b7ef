//! What all monitors have in common: they watch until they find a violation, or something they do not decide.

use std::fmt;

use crate::online::{Place, Step, Ticket, Violation, place};

/// How a monitor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Everything fed so far can be explained.
    #[default]
    Watching,
    /// It reported a violation, and ignores what follows.
    Violated,
    /// It met something outside of what it decides, told here, and ignores what follows. The offline check decides.
    Inconclusive(&'static str),
}

/// Why a monitor stops.
#[derive(Debug)]
pub enum Halt {
    /// The history cannot be explained.
    Violation(Box<Violation>),
    /// It does not know.
    Unclear(&'static str),
}

impl From<Violation> for Halt {
    fn from(violation: Violation) -> Self {
        Self::Violation(Box::new(violation))
    }
}

/// What differs between objects. Each implementation says why it is exact.
pub trait Watched: Default + fmt::Debug {
    /// What is invoked.
    type Input: Copy + fmt::Debug;
    /// What the completion tells; the default is nothing.
    type Found<'a>: Default;

    /// An operation is invoked.
    ///
    /// # Errors
    /// Only [`Halt::Unclear`]: an invocation alone makes no history wrong.
    fn invoke(&mut self, at: Place, input: Self::Input) -> Result<Ticket, Halt>;

    /// It took effect.
    ///
    /// # Errors
    /// When the history is now wrong, or unclear.
    fn ok(&mut self, at: Place, ticket: Ticket, found: Self::Found<'_>) -> Result<(), Halt>;

    /// It did not, and never will.
    ///
    /// # Errors
    /// When the history is now wrong, or unclear.
    fn fail(&mut self, at: Place, ticket: Ticket) -> Result<(), Halt>;

    /// It may have, or may yet.
    ///
    /// # Errors
    /// When the history is now wrong, or unclear.
    fn info(&mut self, at: Place, ticket: Ticket, found: Self::Found<'_>) -> Result<(), Halt>;

    /// Forgets what can matter no more to whatever completes after `now`.
    fn sweep(&mut self, now: Place);

    /// Gives back room that only a burst needed.
    fn shrink(&mut self);

    /// Records that come and go with what is open: bounded, and swept when they have doubled.
    fn passing(&self) -> usize;

    /// Records that are kept for ever: crashed updates that nobody has seen, say.
    fn lasting(&self) -> usize;
}

/// Watches one object. Events must come in the order in which they happened; an operation that never completes
/// must be declared `info`, or nothing that happens after its call is ever forgotten.
#[derive(Debug, Clone, Default)]
pub struct Monitor<W> {
    /// Gone once it stopped watching.
    held: Option<Box<W>>,
    /// Before the first event there is nothing to hold.
    started: bool,
    status: Status,
    sweep_at: u32,
    peak: u32,
}

/// Fewer records than this are not worth a sweep.
const FEW: u32 = 32;

impl<W: Watched> Monitor<W> {
    /// An operation is invoked, on the line with this index.
    pub fn invoke(&mut self, at: u64, input: W::Input) -> Ticket {
        if !self.started {
            self.started = true;
            self.held = Some(Box::default());
            self.sweep_at = FEW;
        }
        let Some(held) = &mut self.held else { return Ticket::VOID };
        match held.invoke(place(at), input) {
            Ok(ticket) => ticket,
            Err(halt) => {
                // An invocation is never wrong by itself, so there is nothing to tell.
                self.stop(halt).map_or(Ticket::VOID, |_| Ticket::VOID)
            }
        }
    }

    /// It took effect, and this is what the completion tells.
    ///
    /// # Errors
    /// The violation, if the history up to here is not linearizable and was until now.
    pub fn ok(&mut self, at: u64, ticket: Ticket, found: W::Found<'_>) -> Step {
        self.step(at, ticket, |held, at| held.ok(at, ticket, found))
    }

    /// It certainly did not take effect, and never will.
    ///
    /// # Errors
    /// The violation: somebody had seen it take effect.
    pub fn fail(&mut self, at: u64, ticket: Ticket) -> Step {
        self.step(at, ticket, |held, at| held.fail(at, ticket))
    }

    /// Nobody knows, and it will never be known. What the completion tells holds in case it took effect.
    ///
    /// # Errors
    /// The violation, if the history up to here is not linearizable and was until now.
    pub fn info(&mut self, at: u64, ticket: Ticket, found: W::Found<'_>) -> Step {
        self.step(at, ticket, |held, at| held.info(at, ticket, found))
    }

    /// Forgets all that can matter no more. Happens by itself as things accumulate; worth calling on an object
    /// that nobody has used for a while.
    pub fn sweep(&mut self, now: u64) {
        if let Some(held) = &mut self.held {
            held.sweep(place(now));
            held.shrink();
            self.sweep_at = FEW.max(2 * count(held.passing()));
        }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Records held at the moment.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.passing() + held.lasting())
    }

    /// The most records held at any time, without those that are kept for ever (crashed updates that nobody saw).
    #[must_use]
    pub fn peak(&self) -> usize {
        let now = self.held.as_ref().map_or(0, |held| held.passing());
        now.max(self.peak as usize)
    }

    /// It met something that it does not decide.
    pub(super) fn give_up(&mut self, reason: &'static str) {
        self.started = true;
        self.held = None;
        self.status = Status::Inconclusive(reason);
    }

    pub(super) fn held(&mut self) -> Option<&mut W> {
        self.held.as_deref_mut()
    }

    fn step(
        &mut self,
        at: u64,
        ticket: Ticket,
        event: impl FnOnce(&mut W, Place) -> Result<(), Halt>,
    ) -> Step {
        let Some(held) = self.held.as_mut().filter(|_| ticket != Ticket::VOID) else { return Ok(()) };
        match event(held, place(at)) {
            Ok(()) => {
                let records = count(held.passing());
                if records >= self.sweep_at {
                    self.peak = self.peak.max(records);
                    held.sweep(place(at));
                    // The next sweep has to be earned: its cost is that of what this one kept.
                    self.sweep_at = FEW + 2 * count(held.passing());
                }
                Ok(())
            }
            Err(halt) => self.stop(halt).map_or(Ok(()), Err),
        }
    }

    fn stop(&mut self, halt: Halt) -> Option<Violation> {
        self.held = None;
        match halt {
            Halt::Violation(violation) => {
                self.status = Status::Violated;
                Some(*violation)
            }
            Halt::Unclear(reason) => {
                self.status = Status::Inconclusive(reason);
                None
            }
        }
    }
}

fn count(records: usize) -> u32 {
    u32::try_from(records).unwrap_or(u32::MAX / 4)
}
