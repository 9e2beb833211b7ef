//! Formats of histories: which one a file is in, its reader, its writer, and what a writer leaves out.
//!
//! What a format means by its words is decided here: above all whether a failed compare-and-set is an
//! observation ("the value differed") or just did not happen.

mod columns;
mod detect;
mod edn;
mod elle;
mod jepsen;
mod jsonl;
mod loses;
mod out;
#[cfg(test)]
mod tests;
mod tsv;

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::CheckError;
use crate::formats::out::Out;
use crate::history::History;

pub use detect::detect;
pub use loses::loses;

/// A format of histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `history.jsonl`, one JSON object a line.
    Jsonl,
    /// Binary columns: small and read at once.
    Columns,
    /// Lines of a Jepsen log, `INFO  jepsen.util - PROCESS :TYPE :F VALUE`.
    JepsenLog,
    /// EDN maps with `:process :type :f :value` and maybe `:key`, one after the other or in a vector:
    /// Jepsen's `history.edn`, Knossos' data, Porcupine's string stores.
    Edn,
    /// The same with transactions for Elle, `:f :txn, :value [[:append 3 1] [:r 4 nil]]`. Those of one operation
    /// are read as that operation on its key.
    Elle,
    /// Tab-separated operations with call and return times, as a generator writes them:
    /// `process key op a b call ret status out rev`.
    Tsv,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Jsonl, Self::Columns, Self::JepsenLog, Self::Edn, Self::Elle, Self::Tsv];

    /// What to call it in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "history.jsonl",
            Self::Columns => "binary columns",
            Self::JepsenLog => "Jepsen log",
            Self::Edn => "EDN maps",
            Self::Elle => "EDN for Elle",
            Self::Tsv => "tab-separated operations",
        }
    }

    /// The word for it on a command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Columns => "columns",
            Self::JepsenLog => "jepsen-log",
            Self::Edn => "edn",
            Self::Elle => "elle",
            Self::Tsv => "tsv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let words = || Self::ALL.map(Self::word).join(", ");
        let found = Self::ALL.into_iter().find(|format| format.word() == word);
        found.ok_or_else(|| format!("{word:?} is no format of histories ({})", words()))
    }
}

/// How to read what a file leaves open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// In EDN, the value of every operation is `[key value]`, as Jepsen's independent workloads make it. Where it is
    /// tagged (`#jepsen.independent/tuple [key value]`) this need not be said.
    pub independent: bool,
}

/// Reads the history at `path` in whatever known format it is.
///
/// # Errors
/// When the file cannot be read, is empty, is in no known format, or is corrupt (naming the line).
pub fn load(path: &Path) -> Result<(Format, History), CheckError> {
    load_with(path, None, Reading::default())
}

/// Reads the history at `path`, which is in the given format.
///
/// # Errors
/// When the file cannot be read or is corrupt (naming the line).
pub fn load_as(path: &Path, format: Format) -> Result<History, CheckError> {
    load_with(path, Some(format), Reading::default()).map(|(_, history)| history)
}

/// Reads the history at `path`; the format is found from its content if it is not given.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    path: &Path,
    format: Option<Format>,
    reading: Reading,
) -> Result<(Format, History), CheckError> {
    let io = |source| CheckError::Io { path: path.into(), source };
    let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
    let mut file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    let format = if let Some(format) = format {
        format
    } else {
        (&mut file).take(detect::HEAD).read_to_end(&mut bytes).map_err(io)?;
        detect(&name, &bytes)?
    };
    if format == Format::Jsonl {
        // Read piece by piece: the text need not fit in memory beside what it says.
        if !bytes.is_empty() && file.rewind().is_err() {
            return Ok((format, History::parse(&name, BufReader::new(bytes.as_slice().chain(file)))?));
        }
        return Ok((format, History::parse(&name, BufReader::new(file))?));
    }
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok((format, parse_with(format, &name, &bytes, reading)?))
}

/// Reads a history in a known format from memory; `name` is what errors call it.
///
/// # Errors
/// When it is corrupt (naming the line) or its lines do not fit together.
pub fn parse(format: Format, name: &str, bytes: &[u8]) -> Result<History, CheckError> {
    parse_with(format, name, bytes, Reading::default())
}

/// As [`parse`], with what the bytes leave open.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(format: Format, name: &str, bytes: &[u8], reading: Reading) -> Result<History, CheckError> {
    match format {
        Format::Jsonl => History::parse(name, bytes),
        Format::Columns => columns::read(name, bytes),
        Format::JepsenLog => jepsen::parse(name, text(name, bytes)?),
        Format::Edn => edn::parse(name, text(name, bytes)?, edn::Dialect::Maps { reading }),
        Format::Elle => edn::parse(name, text(name, bytes)?, edn::Dialect::Elle),
        Format::Tsv => tsv::parse(name, text(name, bytes)?),
    }
}

fn text<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, CheckError> {
    std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        CheckError::Line {
            name: name.to_owned(),
            line,
            what: "expected text, found bytes that are no UTF-8".into(),
        }
    })
}

/// Why a history could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The destination took no more.
    #[error("failed to write the history: {0}")]
    Io(#[from] std::io::Error),
    /// The format has no way to say this, and without it the history would be another one.
    #[error("{format} cannot hold this history: {what}")]
    Format {
        /// The format.
        format: Format,
        /// What it cannot hold, and where.
        what: String,
    },
}

/// Writes a history. What [`loses`] lists is left out; what cannot be left out is an error. Nothing has been
/// written then, or the beginning.
///
/// # Errors
/// When the destination fails, or the format cannot hold the history.
pub fn write(format: Format, history: &History, to: &mut impl Write) -> Result<(), WriteError> {
    let mut out = Out::new(to);
    match format {
        Format::Jsonl => jsonl::write(history, &mut out)?,
        Format::Columns => columns::write(history, &mut out)?,
        Format::JepsenLog => jepsen::write(history, &mut out)?,
        Format::Edn => edn::write(history, &mut out)?,
        Format::Elle => elle::write(history, &mut out)?,
        Format::Tsv => tsv::write(history, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// The error of a history that a format cannot hold.
fn cannot(format: Format, what: impl Into<String>) -> WriteError {
    WriteError::Format { format, what: what.into() }
}
