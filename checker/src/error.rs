//! Errors of this crate: histories that cannot be read or make no sense. Not verdicts.

use std::path::PathBuf;

use thiserror::Error;

/// Why a history could not be checked at all. Each message is one sentence for the user.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The file could not be opened or read.
    #[error("failed to read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line could not be understood.
    #[error("{name} line {line}: {what}")]
    Line {
        /// File name, or what the caller called the source.
        name: String,
        /// Line number, counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Two lines do not fit together (completion without invocation and the like).
    #[error("history index {index}: {what}")]
    Pairing {
        /// The `index` of the line at which it shows.
        index: u64,
        /// What is wrong.
        what: String,
    },
    /// An operation has a value or function the model does not know.
    #[error("history index {index}: {what}")]
    Shape {
        /// The `index` of the invocation.
        index: u64,
        /// What is wrong.
        what: String,
    },
    /// The file is not in a format this crate reads, or holds nothing.
    #[error("{name}: {what}")]
    Format {
        /// File name, or what the caller called the source.
        name: String,
        /// What is wrong, and what would do.
        what: String,
    },
}

impl CheckError {
    /// Lines that do not fit together, in a format whose errors name the line of the file.
    pub(crate) fn on_line(self, name: &str, line: u64) -> Self {
        if let Self::Pairing { what, .. } = self {
            return Self::Line { name: name.to_owned(), line, what };
        }
        self
    }
}
