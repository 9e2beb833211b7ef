//! What a method says of one problem, and, where it says *invalid*, the contradiction it found: a few
//! operations and the sentence that ties them together, in pieces that do not know how an operation is
//! shown.

use crate::Class;

/// The answer of a monitor: exact, or left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Linearizable: these operations (indices into the problem) in this order explain every output.
    /// Operations without a return that do not appear never took effect.
    Valid(Vec<u32>),
    /// Not linearizable, and why.
    Invalid(Conflict),
    /// Outside of what this monitor decides, for the reason given: the engine must.
    Open(&'static str),
}

/// Operations that cannot all be true, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What kind of violation it is.
    pub class: Class,
    /// The operations that the contradiction consists of (indices into the problem), at most a handful.
    pub ops: Vec<u32>,
    /// One sentence, in pieces.
    pub sentence: Vec<Piece>,
}

/// A piece of a sentence. Whoever has the history renders it with names, nodes and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These words.
    Text(&'static str),
    /// These words, made on the way (a count, say).
    Words(String),
    /// An operation, such as `read -> 7 (#91)`.
    Op(u32),
    /// "*operation* returned at 10.213 s".
    Returned(u32),
    /// "*operation* was called at 10.900 s".
    Called(u32),
    /// An interned value.
    Value(u32),
}

impl From<&'static str> for Piece {
    fn from(words: &'static str) -> Self {
        Self::Text(words)
    }
}

impl From<String> for Piece {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

/// A sentence from its pieces: words and [`Piece`]s.
macro_rules! sentence {
    ($($piece:expr),+ $(,)?) => { vec![$($crate::decision::Piece::from($piece)),+] };
}
pub(crate) use sentence;
