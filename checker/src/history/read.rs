//! Streaming reader of `history.jsonl`: one [`Op`] at a time, errors that name the line.
//!
//! Forgives exactly one thing: a last line without its newline that does not parse. That is what a
//! tool that died in the middle of a write leaves behind.

use std::io::BufRead;

use crate::CheckError;
use crate::history::Op;

/// Iterator over the ops of a `history.jsonl`. After an error it yields nothing more.
#[derive(Debug)]
pub struct Reader<R> {
    name: String,
    source: R,
    line: u64,
    buffer: Vec<u8>,
    last_index: Option<u64>,
    truncated: bool,
    finished: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads from `source`; `name` is what errors call it (a file name).
    pub fn new(name: &str, source: R) -> Self {
        Self {
            name: name.to_owned(),
            source,
            line: 0,
            buffer: Vec::new(),
            last_index: None,
            truncated: false,
            finished: false,
        }
    }

    /// True once the end was reached and the last line had been cut off (and was left out).
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn error(&self, what: String) -> CheckError {
        CheckError::Line { name: self.name.clone(), line: self.line, what }
    }

    fn read_line(&mut self) -> Result<bool, CheckError> {
        self.buffer.clear();
        self.line += 1;
        let read = self.source.read_until(b'\n', &mut self.buffer);
        read.map(|n| n > 0).map_err(|e| self.error(format!("failed to read: {e}")))
    }

    fn next_op(&mut self) -> Result<Option<Op>, CheckError> {
        while self.read_line()? {
            let complete = self.buffer.last() == Some(&b'\n');
            let text = self.buffer.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let op: Op = match serde_json::from_slice(text) {
                Ok(op) => op,
                Err(_) if !complete => {
                    self.truncated = true;
                    return Ok(None);
                }
                Err(e) => return Err(self.error(describe(&e))),
            };
            if let Some(last) = self.last_index.filter(|&last| op.index <= last) {
                return Err(self.error(format!(
                    "index {} after index {last}: the lines are out of order, or two histories were joined",
                    op.index
                )));
            }
            self.last_index = Some(op.index);
            return Ok(Some(op));
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Op, CheckError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let next = self.next_op().transpose();
        self.finished = !matches!(next, Some(Ok(_)));
        next
    }
}

/// serde_json counts lines within what it was given, which is always 1 here: keep the column only.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("not a history line: {what} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"read"}"#;

    fn read(text: &str) -> (Vec<Result<Op, CheckError>>, bool) {
        let mut reader = Reader::new("history.jsonl", text.as_bytes());
        let ops = reader.by_ref().collect();
        (ops, reader.truncated())
    }

    #[test]
    fn a_corrupt_line_is_named() {
        let (ops, _) = read(&format!("{GOOD}\n{{\"index\":1,\"time\":}}\n"));
        let error = ops.last().unwrap().as_ref().unwrap_err().to_string();
        assert!(error.starts_with("history.jsonl line 2: not a history line: "), "{error}");
        let (ops, _) = read(&format!(
            "{GOOD}\n{{\"index\":1,\"time\":5,\"process\":0,\"type\":\"yes\",\"f\":\"read\"}}\n"
        ));
        let error = ops.last().unwrap().as_ref().unwrap_err().to_string();
        assert!(error.contains("unknown variant `yes`"), "{error}");
    }

    #[test]
    fn only_a_cut_off_last_line_is_forgiven() {
        let (ops, truncated) = read(&format!("{GOOD}\n{{\"index\":1,\"ti"));
        assert!(truncated && ops.len() == 1 && ops[0].is_ok());
        let (ops, truncated) = read(&format!("{GOOD}\n{{\"index\":1,\"ti\n"));
        assert!(!truncated && ops[1].is_err());
        let (ops, truncated) = read(GOOD);
        assert!(!truncated && ops.len() == 1, "a whole line without newline counts");
    }

    #[test]
    fn order_of_indices_is_checked() {
        let (ops, _) = read(&format!("{GOOD}\n{GOOD}\n"));
        assert!(ops[1].as_ref().unwrap_err().to_string().contains("line 2: index 0 after index 0"));
    }
}
