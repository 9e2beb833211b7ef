//! The fast way to read a line of `history.jsonl`: a scanner for exactly the shape in which we write it.
//!
//! It knows one order of fields, no blanks, no escapes, and numbers of at most 18 digits without fraction. Whatever
//! differs is left to serde, so the scanner never has to decide whether something is an error: it may only be
//! wrong by accepting a line that serde would refuse or read otherwise, and a test looks for one.
//!
//! It is here because it earns its place: of a million operations, the whole of reading them into a history takes it
//! half the time that `serde_json`, `simd-json` or `sonic-rs` take to go through their lines and keep nothing.

use crate::history::{Line, OpType, Val, Values};

/// Lists nested deeper are left to serde, which refuses them at some point.
const MAX_DEPTH: usize = 8;

/// Longest number of digits that fits an `i64` whatever they are.
const MAX_DIGITS: usize = 18;

/// The line that `text` begins with, and its length with the newline. `None`: ask serde.
pub(super) fn line<'a>(text: &'a str, values: &mut Values) -> Option<(Line<'a>, usize)> {
    let mut scan = Scan { text, at: 0 };
    scan.skip(b"{\"index\":")?;
    let index = scan.unsigned()?;
    scan.skip(b",\"time\":")?;
    let time = scan.unsigned()?;
    scan.skip(b",\"process\":")?;
    let process = scan.integer()?;
    scan.skip(b",\"type\":")?;
    let op_type = scan.op_type()?;
    scan.skip(b",\"f\":\"")?;
    let f = scan.text()?;
    let key = scan.field(b",\"key\":\"")?;
    scan.skip(b",\"value\":")?;
    let value = scan.value(values, f == "cas", 0)?;
    let error = scan.field(b",\"error\":\"")?;
    let node = scan.field(b",\"node\":\"")?;
    let zxid = if scan.skip(b",\"zxid\":\"0x").is_some() { Some(scan.hex()?) } else { None };
    let final_read = scan.skip(b",\"final\":true").is_some();
    scan.skip(b"}\n")?;
    Some((Line { index, time, process, op_type, f, key, value, error, node, zxid, final_read }, scan.at))
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past `literal`, or nowhere.
    fn skip<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        let found = self.rest().first_chunk::<N>()?;
        (found == literal).then(|| self.at += N)
    }

    /// Digits, not followed by what would make them a fraction, nor begun by a needless zero.
    fn unsigned(&mut self) -> Option<u64> {
        let rest = self.rest();
        let mut number = 0;
        let mut digits = 0;
        while let Some(digit) =
            rest.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10)
        {
            if digits == MAX_DIGITS {
                return None;
            }
            number = number * 10 + u64::from(digit);
            digits += 1;
        }
        let plain = digits == 1 || (digits > 1 && rest[0] != b'0');
        let ended = matches!(rest.get(digits), Some(b',' | b']' | b'}'));
        self.at += digits;
        (plain && ended).then_some(number)
    }

    fn integer(&mut self) -> Option<i64> {
        let negative = self.skip(b"-").is_some();
        let number = self.unsigned()?.cast_signed();
        // "-0" is a fraction to serde.
        if negative { Some(-number).filter(|&number| number != 0) } else { Some(number) }
    }

    fn op_type(&mut self) -> Option<OpType> {
        if self.skip(b"\"ok\"").is_some() {
            Some(OpType::Ok)
        } else if self.skip(b"\"invoke\"").is_some() {
            Some(OpType::Invoke)
        } else if self.skip(b"\"fail\"").is_some() {
            Some(OpType::Fail)
        } else {
            self.skip(b"\"info\"").map(|()| OpType::Info)
        }
    }

    /// What follows an opening quote, up to the closing one and past it.
    fn text(&mut self) -> Option<&'a str> {
        let start = self.at;
        for (length, &byte) in self.rest().iter().enumerate() {
            if byte == b'"' {
                self.at = start + length + 1;
                return self.text.get(start..start + length);
            }
            if byte == b'\\' || byte < b' ' {
                return None;
            }
        }
        None
    }

    /// A field that may be absent.
    #[expect(clippy::option_option, reason = "not the expected shape, no such field, the field's text")]
    fn field<const N: usize>(&mut self, name: &[u8; N]) -> Option<Option<&'a str>> {
        match self.skip(name) {
            Some(()) => self.text().map(Some),
            None => Some(None),
        }
    }

    /// Up to 16 hexadecimal digits, and past the quote behind them.
    fn hex(&mut self) -> Option<u64> {
        let mut number = 0;
        for (length, &byte) in self.rest().iter().enumerate() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'"' if length > 0 => {
                    self.at += length + 1;
                    return Some(number);
                }
                _ => return None,
            };
            if length == 16 {
                return None;
            }
            number = number << 4 | u64::from(digit);
        }
        None
    }

    fn value(&mut self, values: &mut Values, pair: bool, depth: usize) -> Option<Val> {
        match self.peek()? {
            b'n' => self.skip(b"null").map(|()| Val::NIL),
            b't' => self.skip(b"true").map(|()| values.bool(true)),
            b'f' => self.skip(b"false").map(|()| values.bool(false)),
            b'"' => {
                self.at += 1;
                self.text().map(|text| values.text(text))
            }
            b'[' if depth < MAX_DEPTH => self.list(values, pair, depth),
            b'-' | b'0'..=b'9' => self.integer().map(|number| values.int(number)),
            _ => None,
        }
    }

    fn list(&mut self, values: &mut Values, pair: bool, depth: usize) -> Option<Val> {
        self.at += 1;
        if self.skip(b"]").is_some() {
            return Some(values.list(&[]));
        }
        let first = self.value(values, false, depth + 1)?;
        if self.skip(b"]").is_some() {
            return Some(values.list(&[first]));
        }
        self.skip(b",")?;
        let second = self.value(values, false, depth + 1)?;
        if self.skip(b"]").is_some() {
            return Some(if pair { values.pair(first, second) } else { values.list(&[first, second]) });
        }
        let mut items = vec![first, second];
        while self.skip(b"]").is_none() {
            self.skip(b",")?;
            items.push(self.value(values, false, depth + 1)?);
        }
        Some(values.list(&items))
    }
}
