//! Certificates: a verdict with what proves it, in a file of its own.
//!
//! A key that is *valid* comes with an order of its operations: replay them, and every result is explained. A
//! key that is *invalid* comes with a core: a few operations that have no such order, and that must have one
//! if all operations of the key had. Operations are named by the `index` of their invocation.
//!
//! ```json
//! {"certificate": 1, "model": "register", "verdict": "invalid", "keys": [
//!   {"key": "r0", "valid": {"order": [0, 3, 2]}},
//!   {"key": "r1", "invalid": {"class": "stale-read", "core": [4, 7, 9], "why": "…"}}]}
//! ```
//!
//! [`verify`] believes neither the order nor the core, and shares no code with whatever found them: no
//! engine, no monitor, no model. It is short, so that it can be read whole:
//!
//! | file | question |
//! |---|---|
//! | `verify.rs` | does this order explain the history; has this core any order? |
//! | `consequence.rs` | must the core have an order if the history has one? One rule an object, each with its proof. |
//! | `object.rs` | what does an operation do, and what did it observe? |
//!
//! What it does trust is the reading of the history ([`crate::history`]).

mod complete;
mod consequence;
mod object;
mod of;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Class;
use crate::certificate::object::Model;

pub use complete::complete;
pub use verify::verify;

/// The version of the format that this crate writes, and the only one it reads.
pub const VERSION: u32 = 1;

/// A verdict on a history, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Version of the format.
    pub certificate: u32,
    /// What each key is: `register` or `cas-register`, `kv`, `counter`, `list`, `set` or `element-set`,
    /// `queue`, `lock`.
    pub model: String,
    /// Of the whole history: valid if each key is.
    pub verdict: Claim,
    /// A proof for each key; of an invalid history, for at least one that is invalid.
    pub keys: Vec<KeyCertificate>,
}

/// What a certificate says of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    /// Every key is linearizable.
    Valid,
    /// Some key is not.
    Invalid,
}

/// The proof for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCertificate {
    /// The key; empty where the history has a single object.
    pub key: String,
    /// What is claimed of it, and why.
    #[serde(flatten)]
    pub proof: Proof,
}

/// Why a key is linearizable, or not. Operations are named by the `index` of their invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// It is.
    Valid {
        /// The operations in an order that explains every result. Those that completed are all there; of
        /// the others, those that took effect.
        order: Vec<u64>,
    },
    /// It is not.
    Invalid {
        /// What kind of violation it is. For readers: nothing is verified of it.
        class: Class,
        /// Operations that have no order, although they had to have one if the key had.
        core: Vec<u64>,
        /// One sentence for readers. Nothing is verified of it.
        why: String,
    },
}

impl Certificate {
    /// A certificate for these keys. The verdict follows: invalid if any of them is.
    #[must_use]
    pub fn new(model: &str, keys: Vec<KeyCertificate>) -> Self {
        let invalid = keys.iter().any(|key| matches!(key.proof, Proof::Invalid { .. }));
        let verdict = if invalid { Claim::Invalid } else { Claim::Valid };
        Self { certificate: VERSION, model: model.to_owned(), verdict, keys }
    }

    /// What it says a key is.
    fn model(&self) -> Result<Model, Refusal> {
        if self.certificate != VERSION {
            return Err(Refusal::Whole(Rule::Version));
        }
        Model::named(&self.model).ok_or(Refusal::Whole(Rule::Model))
    }

    /// The last step of the verification, once each key is proven: what follows for the whole history.
    fn verdict_follows<'a>(&self, mut keys: impl Iterator<Item = &'a str>) -> Result<Verified, Refusal> {
        let is_invalid = |entry: &&KeyCertificate| matches!(entry.proof, Proof::Invalid { .. });
        let invalid_keys = self.keys.iter().filter(is_invalid).count();
        let proven: BTreeSet<&str> = self.keys.iter().map(|entry| entry.key.as_str()).collect();
        if (self.verdict == Claim::Invalid) != (invalid_keys > 0) {
            return Err(Refusal::Whole(Rule::Verdict));
        }
        match keys.find(|key| self.verdict == Claim::Valid && !proven.contains(key)) {
            Some(key) => Err(Refusal::of(key, (None, Rule::NoProof))),
            None => Ok(Verified {
                verdict: self.verdict,
                valid_keys: self.keys.len() - invalid_keys,
                invalid_keys,
            }),
        }
    }

    /// Reads a certificate.
    ///
    /// # Errors
    /// When it cannot be read, or is no certificate.
    pub fn read(source: impl Read) -> Result<Self, CertificateError> {
        Ok(serde_json::from_reader(BufReader::new(source))?)
    }

    /// Reads the certificate at `path`.
    ///
    /// # Errors
    /// As [`Certificate::read`], and when there is no such file.
    pub fn open(path: &Path) -> Result<Self, CertificateError> {
        Self::read(File::open(path)?)
    }

    /// Writes the certificate, one key a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, sink: impl Write) -> Result<(), CertificateError> {
        let mut sink = BufWriter::new(sink);
        let (model, verdict) = (serde_json::to_string(&self.model)?, serde_json::to_string(&self.verdict)?);
        write!(
            sink,
            "{{\"certificate\":{},\"model\":{model},\"verdict\":{verdict},\"keys\":[",
            self.certificate
        )?;
        for (at, key) in self.keys.iter().enumerate() {
            sink.write_all(if at == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut sink, key)?;
        }
        sink.write_all(b"]}\n")?;
        Ok(sink.flush()?)
    }

    /// Writes the certificate to a file at `path`.
    ///
    /// # Errors
    /// As [`Certificate::write`], and when the file cannot be created.
    pub fn save(&self, path: &Path) -> Result<(), CertificateError> {
        self.write(File::create(path)?)
    }
}

impl KeyCertificate {
    /// The key is linearizable: in this order.
    #[must_use]
    pub fn valid(key: &str, order: Vec<u64>) -> Self {
        Self { key: key.to_owned(), proof: Proof::Valid { order } }
    }

    /// The key is not linearizable: these operations contradict each other. [`complete`] adds to them what
    /// else the proof needs.
    #[must_use]
    pub fn invalid(key: &str, class: Class, core: Vec<u64>, why: &str) -> Self {
        Self { key: key.to_owned(), proof: Proof::Invalid { class, core, why: why.to_owned() } }
    }
}

/// Why a certificate could not be read or written.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The file system said no.
    #[error("failed to read or write a certificate: {0}")]
    Io(#[from] io::Error),
    /// It is no certificate.
    #[error("not a certificate: {0}")]
    Format(#[from] serde_json::Error),
}

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verified {
    /// The verdict, now proven.
    pub verdict: Claim,
    /// How many keys are linearizable, of those in the certificate.
    pub valid_keys: usize,
    /// How many are not.
    pub invalid_keys: usize,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |count: usize| if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
        match self.verdict {
            Claim::Valid => {
                write!(f, "valid; every result of {} follows from an order", keys(self.valid_keys))
            }
            Claim::Invalid => {
                let core = keys(self.invalid_keys);
                write!(f, "invalid; no order explains the named operations of {core}, and one would have to")
            }
        }
    }
}

/// Why a certificate proves nothing: one sentence. It says nothing about the history.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Because of what it says of the history as a whole.
    #[error("the certificate {0}")]
    Whole(Rule),
    /// Because of what it says of one key.
    #[error("key {key:?}: {rule}")]
    Key {
        /// The key.
        key: String,
        /// The rule that is broken.
        rule: Rule,
    },
    /// Because of what it says of one operation.
    #[error("key {key:?}, index {index}: this operation {rule}")]
    Operation {
        /// The key.
        key: String,
        /// `index` of the operation's invocation.
        index: u64,
        /// The rule that is broken.
        rule: Rule,
    },
}

/// A rule that is broken, and the operation that breaks it, if it is a single one.
type Broken = (Option<u64>, Rule);

impl Refusal {
    /// Because of a key, or of an operation if there is an index.
    fn of(key: &str, (index, rule): Broken) -> Self {
        let key = key.to_owned();
        match index {
            Some(index) => Self::Operation { key, index, rule },
            None => Self::Key { key, rule },
        }
    }
}

/// A rule that a certificate breaks, as the rest of the sentence of a [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Rule {
    /// Of the certificate.
    #[error("is in another version of the format than {VERSION}")]
    Version,
    /// Of the certificate.
    #[error("names a model that is not known")]
    Model,
    /// Of the certificate.
    #[error("claims a verdict that its keys do not give")]
    Verdict,
    /// Of a key.
    #[error("the certificate has no proof for this key, so the history as a whole is not proven valid")]
    NoProof,
    /// Of a key.
    #[error("the history has no operation on it")]
    NoSuchKey,
    /// Of an operation of the history.
    #[error("is none of the model's, or its value is none")]
    Shape,
    /// Of an operation of the history.
    #[error("has the index of another one")]
    Ambiguous,
    /// Of an operation in an order or core.
    #[error("is named twice, or is none of this key's, or failed")]
    Foreign,
    /// Of an operation in an order.
    #[error("returned before one that precedes it in the order was called")]
    RealTime,
    /// Of an operation in an order.
    #[error("cannot have had its result at its place in the order")]
    Replay,
    /// Of an operation in no order.
    #[error("completed, but the order lacks it")]
    LeftOut,
    /// Of an operation in no core.
    #[error("is needed in the core ({0})")]
    Needed(&'static str),
    /// Of a core.
    #[error("the core has an order that explains every result, so it contradicts nothing")]
    Linearizable,
    /// Of a core.
    #[error("the core is too large to try every order of it")]
    TooLarge,
}

impl Rule {
    /// Refuses unless it holds; of the operation with this index, if it is about one.
    fn holds_if(self, holds: bool, index: Option<u64>) -> Result<(), Broken> {
        if holds { Ok(()) } else { Err((index, self)) }
    }
}
