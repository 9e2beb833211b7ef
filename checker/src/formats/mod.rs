//! Readers of histories in other formats, and the detection of which one a file is in.
//!
//! What a format means by its words is decided here: above all whether a failed compare-and-set is an
//! observation ("the value differed") or just did not happen.

mod edn;
mod jepsen;
mod tsv;

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Serialize;

use crate::CheckError;
use crate::history::History;

/// A format of histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `history.jsonl`, one JSON object a line.
    Jsonl,
    /// Lines of a Jepsen log, `INFO  jepsen.util - PROCESS :TYPE :F VALUE`.
    JepsenLog,
    /// EDN maps with `:process :type :f :value` and maybe `:key`, one after the other or in a vector.
    Edn,
    /// Tab-separated operations with call and return times, as a generator writes them:
    /// `process key op a b call ret status out rev`.
    Tsv,
}

impl Format {
    /// What to call it in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "history.jsonl",
            Self::JepsenLog => "Jepsen log",
            Self::Edn => "EDN maps",
            Self::Tsv => "tab-separated operations",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads the history at `path` in whatever known format it is.
///
/// # Errors
/// When the file cannot be read, is empty, is in no known format, or is corrupt (naming the line).
pub fn load(path: &Path) -> Result<(Format, History), CheckError> {
    let io = |source| CheckError::Io { path: path.into(), source };
    let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
    let mut source = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
    let head = source.fill_buf().map_err(io)?;
    let format = detect(&name, &String::from_utf8_lossy(head))?;
    if format == Format::Jsonl {
        return Ok((format, History::parse(&name, source)?));
    }
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).map_err(io)?;
    let text = String::from_utf8(bytes)
        .map_err(|e| CheckError::Format { name: name.clone(), what: format!("not text: {e}") })?;
    Ok((format, parse(format, &name, &text)?))
}

/// Reads a history in a known format from memory; `name` is what errors call it.
///
/// # Errors
/// When it is corrupt (naming the line) or its lines do not fit together.
pub fn parse(format: Format, name: &str, text: &str) -> Result<History, CheckError> {
    match format {
        Format::Jsonl => History::parse(name, text.as_bytes()),
        Format::JepsenLog => jepsen::parse(name, text),
        Format::Edn => edn::parse(name, text),
        Format::Tsv => tsv::parse(name, text),
    }
}

/// Tells the format by the beginning of the content.
///
/// # Errors
/// When it is empty or looks like none of the formats.
pub fn detect(name: &str, head: &str) -> Result<Format, CheckError> {
    if head.lines().any(jepsen::is_operation) {
        return Ok(Format::JepsenLog);
    }
    let Some(first) =
        head.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with([';', '#']))
    else {
        return Err(CheckError::Format { name: name.into(), what: "there are no operations in it".into() });
    };
    let after_brace = first.strip_prefix('{').map(str::trim_start);
    if after_brace.is_some_and(|rest| rest.starts_with('"')) {
        Ok(Format::Jsonl)
    } else if after_brace.is_some_and(|rest| rest.starts_with(':')) || first.starts_with('[') {
        Ok(Format::Edn)
    } else if first.split('\t').count() == tsv::COLUMNS {
        Ok(Format::Tsv)
    } else {
        let what =
            "not a history in a known format (history.jsonl, Jepsen log, EDN maps, tab-separated operations)";
        Err(CheckError::Format { name: name.into(), what: what.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content() {
        let is = |text: &str| detect("x", text).unwrap();
        assert_eq!(is("{\"index\":0,\"time\":1}"), Format::Jsonl);
        assert_eq!(is("junk\nINFO  jepsen.util - 0\t:invoke\t:read\tnil\n"), Format::JepsenLog);
        assert_eq!(is("; knossos\n[{:process 0, :type :invoke}"), Format::Edn);
        assert_eq!(is("{:process 0, :type :invoke}"), Format::Edn);
        assert_eq!(is("# model=reg\n0\tk0\tread\t\t\t1\t2\tok\tnil\t0\n"), Format::Tsv);
        assert!(
            detect("x", "hello world").unwrap_err().to_string().starts_with("x: not a history in a known")
        );
        assert!(detect("x", "\n\n").unwrap_err().to_string().contains("no operations"));
    }
}
