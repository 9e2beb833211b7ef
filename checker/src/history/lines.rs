//! Readers of `history.jsonl`: one [`Op`] at a time, or a whole [`History`] by the fast scanner. Errors name the line.
//!
//! Both forgive exactly one thing: a last line without its newline that does not parse. That is what a
//! tool that died in the middle of a write leaves behind.

use std::io::{BufRead, ErrorKind, Read};

use crate::CheckError;
use crate::history::{Builder, History, Op, PairRules, scan};

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
            in_order(&mut self.last_index, op.index).map_err(|what| self.error(what))?;
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

/// Indices grow strictly.
fn in_order(last: &mut Option<u64>, index: u64) -> Result<(), String> {
    match last.replace(index).filter(|&last| index <= last) {
        None => Ok(()),
        Some(last) => Err(format!(
            "index {index} after index {last}: the lines are out of order, or two histories were joined"
        )),
    }
}

/// Reads a whole history. Lines in the shape we write go through [`scan`], all others through serde as in [`Reader`]:
/// what is accepted, what it means and what errors say is the same.
pub(super) fn read_history(name: &str, mut source: impl Read) -> Result<History, CheckError> {
    let mut reading =
        Reading { name, builder: Builder::new(PairRules::default()), line: 0, last_index: None };
    let mut buffer = vec![0; CHUNK];
    let (mut filled, mut truncated) = (0, false);
    loop {
        // Lines before a failure are still read, so that an earlier fault is told first.
        let read = match source.read(&mut buffer[filled..]) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            read => read,
        };
        filled += *read.as_ref().unwrap_or(&0);
        let at_end = !matches!(read, Ok(1..));
        if !at_end && filled < buffer.len() / 2 {
            continue;
        }
        let whole = memchr::memrchr(b'\n', &buffer[..filled]).map_or(0, |at| at + 1);
        reading.lines(&buffer[..whole])?;
        if let Err(e) = read {
            reading.line += 1;
            return Err(reading.error(format!("failed to read: {e}")));
        }
        if at_end {
            truncated |= !reading.last_line(&buffer[whole..filled])?;
            break;
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        if filled > buffer.len() / 2 {
            buffer.resize(buffer.len() * 2, 0);
        }
    }
    let mut history = reading.builder.finish();
    history.truncated = truncated;
    history.timed = true;
    Ok(history)
}

/// Of a file that is read at once. Grows when a line is longer.
const CHUNK: usize = 1 << 18;

struct Reading<'a> {
    name: &'a str,
    builder: Builder,
    line: u64,
    last_index: Option<u64>,
}

impl Reading<'_> {
    fn error(&self, what: String) -> CheckError {
        CheckError::Line { name: self.name.to_owned(), line: self.line, what }
    }

    /// Lines that end with their newline.
    fn lines(&mut self, mut bytes: &[u8]) -> Result<(), CheckError> {
        // Texts that are not UTF-8 are an error of their line, which serde finds.
        let text = std::str::from_utf8(bytes).unwrap_or("");
        let mut at = 0;
        while !bytes.is_empty() {
            self.line += 1;
            let length = match text.get(at..).and_then(|text| scan::line(text, self.builder.values())) {
                Some((line, length)) => {
                    in_order(&mut self.last_index, line.index).map_err(|what| self.error(what))?;
                    self.builder.line(&line)?;
                    length
                }
                None => {
                    let length = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
                    self.any_line(&bytes[..length], true)?;
                    length
                }
            };
            bytes = &bytes[length..];
            at += length;
        }
        Ok(())
    }

    /// What follows the last newline; false if it is no whole line.
    fn last_line(&mut self, bytes: &[u8]) -> Result<bool, CheckError> {
        self.line += 1;
        self.any_line(bytes, false)
    }

    /// A line of any shape; false if it is none and may have been cut off.
    fn any_line(&mut self, line: &[u8], whole: bool) -> Result<bool, CheckError> {
        let text = line.trim_ascii();
        if text.is_empty() {
            return Ok(true);
        }
        let op: Op = match serde_json::from_slice(text) {
            Ok(op) => op,
            Err(_) if !whole => return Ok(false),
            Err(e) => return Err(self.error(describe(&e))),
        };
        in_order(&mut self.last_index, op.index).map_err(|what| self.error(what))?;
        self.builder.op(op)?;
        Ok(true)
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
    use crate::history::{OpType, Process};
    use proptest::prelude::*;

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

    /// The whole-history reader and the line reader, made into lines again.
    fn both(bytes: &[u8]) -> (Result<Vec<Op>, String>, Result<Vec<Op>, String>) {
        let lines =
            |history: &History| history.events().map(|(at, event)| event.to_op(history, at)).collect();
        let scanned = History::parse("h", bytes).map_err(|e| e.to_string()).map(|h| (lines(&h), h.truncated));
        let mut reader = Reader::new("h", bytes);
        let mut builder = Builder::new(PairRules::default());
        let read = reader.by_ref().try_for_each(|op| builder.op(op?)).map_err(|e| e.to_string());
        let history = builder.finish();
        let read = read.map(|()| (lines(&history), reader.truncated()));
        assert_eq!(scanned.as_ref().map(|s| s.1), read.as_ref().map(|r| r.1));
        (scanned.map(|s| s.0), read.map(|r| r.0))
    }

    #[derive(Debug, Clone, Copy)]
    enum Damage {
        None,
        Byte(usize, u8),
        Cut(usize),
        Insert(usize, &'static str),
    }

    fn damage() -> impl Strategy<Value = Damage> {
        let piece = prop::sample::select(vec![
            " ", "\n", "\r\n", "-", "0", ".5", "e3", "\"", "\\u0041", "\\", "[", "]", "{}", ",", "null",
            "\"x\":1,", "\u{e9}", "\t", "0x", "+",
        ]);
        prop_oneof![
            2 => Just(Damage::None),
            2 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
            1 => any::<usize>().prop_map(Damage::Cut),
            3 => (any::<usize>(), piece).prop_map(|(at, piece)| Damage::Insert(at, piece)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn the_scanner_reads_what_serde_reads(ops in crate::history::arbitrary::ops(), damage in damage()) {
            let mut bytes = Vec::new();
            for op in &ops {
                serde_json::to_writer(&mut bytes, op).unwrap();
                bytes.push(b'\n');
            }
            let end = bytes.len() + 1;
            match damage {
                Damage::None => {}
                Damage::Byte(at, byte) => { if let Some(place) = bytes.get_mut(at % end) { *place = byte; } }
                Damage::Cut(at) => bytes.truncate(at % end),
                Damage::Insert(at, piece) => { bytes.splice(at % end..at % end, piece.bytes()); }
            }
            let (scanned, read) = both(&bytes);
            if matches!(damage, Damage::None) {
                prop_assert_eq!(read.as_ref(), Ok(&ops));
            }
            prop_assert_eq!(scanned, read);
        }
    }

    #[test]
    fn long_lines_and_many_chunks() {
        let mut text = String::new();
        for index in 0..20_000 {
            let op_type = if index % 2 == 0 { OpType::Invoke } else { OpType::Ok };
            let op = Op::new(index, index, Process::Client(0), op_type, "write");
            let value = if index == 1000 { "x".repeat(3 * CHUNK).into() } else { index.into() };
            text += &serde_json::to_string(&Op { value, ..op }).unwrap();
            text.push('\n');
        }
        let (scanned, read) = both(text.as_bytes());
        assert_eq!(scanned.as_ref().map(Vec::len), Ok(20_000));
        assert_eq!(scanned, read);
    }
}
