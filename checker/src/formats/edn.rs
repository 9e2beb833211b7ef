//! Histories as EDN maps: `{:process 0, :type :invoke, :f :append, :key "0", :value "x"}`.
//!
//! A small reader of the part of EDN that histories use: maps, vectors, lists, strings, numbers,
//! keywords, nil, booleans, comments. Not a general EDN library: sets, tags and characters are refused.

use serde_json::{Map, Number, Value};

use crate::CheckError;
use crate::history::{History, Op, OpType, PairRules, Process, pair};

/// Nesting beyond this is refused, so that no input exhausts the stack.
const MAX_DEPTH: usize = 32;

/// Parses a whole file of maps, one after the other or in vectors.
pub(super) fn parse(name: &str, text: &str) -> Result<History, CheckError> {
    let mut parser = Parser::new(name, text);
    let mut ops = Vec::new();
    while parser.skip_blank() {
        if parser.peek() == Some(b'[') {
            parser.bump();
            while parser.inside(b']')? {
                ops.push(parser.op(ops.len() as u64)?);
            }
        } else {
            ops.push(parser.op(ops.len() as u64)?);
        }
    }
    let mut history = pair(ops.into_iter().map(Ok), PairRules::default())?;
    history.explicit_cas = true;
    Ok(history)
}

/// Parses one value, such as the last column of a Jepsen log line. Keywords keep their colon.
pub(super) fn value(name: &str, line: u64, text: &str) -> Result<Value, CheckError> {
    let mut parser = Parser::new(name, text);
    parser.line = line;
    let value = parser.value(0)?;
    if parser.skip_blank() {
        return Err(parser.error("something follows the value"));
    }
    Ok(value)
}

/// A timed-out update is not known to have failed, whatever its type says.
pub(super) fn completion_type(op_type: OpType, f: &str, value: &Value) -> OpType {
    match op_type {
        OpType::Fail if value == ":timed-out" && !matches!(f, "read" | "get") => OpType::Info,
        OpType::Invoke | OpType::Ok | OpType::Fail | OpType::Info => op_type,
    }
}

/// `:invoke`, `:ok`, `:fail` or `:info`.
pub(super) fn op_type(keyword: &str) -> Option<OpType> {
    match keyword {
        ":invoke" => Some(OpType::Invoke),
        ":ok" => Some(OpType::Ok),
        ":fail" => Some(OpType::Fail),
        ":info" => Some(OpType::Info),
        _ => None,
    }
}

struct Parser<'a> {
    name: &'a str,
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Parser<'a> {
    fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text: text.as_bytes(), at: 0, line: 1 }
    }

    fn error(&self, what: impl Into<String>) -> CheckError {
        CheckError::Line { name: self.name.to_owned(), line: self.line, what: what.into() }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn bump(&mut self) {
        self.line += u64::from(self.peek() == Some(b'\n'));
        self.at += 1;
    }

    /// Skips blanks, commas and comments; false at the end.
    fn skip_blank(&mut self) -> bool {
        while let Some(byte) = self.peek() {
            if byte == b';' {
                while self.peek().is_some_and(|byte| byte != b'\n') {
                    self.bump();
                }
            } else if byte.is_ascii_whitespace() || byte == b',' {
                self.bump();
            } else {
                return true;
            }
        }
        false
    }

    /// True while there is another element; consumes the closing bracket.
    fn inside(&mut self, close: u8) -> Result<bool, CheckError> {
        if !self.skip_blank() {
            return Err(self.error(format!("the file ends before a closing '{}'", char::from(close))));
        }
        if self.peek() == Some(close) {
            self.bump();
            return Ok(false);
        }
        Ok(true)
    }

    fn op(&mut self, position: u64) -> Result<Op, CheckError> {
        let line = self.line;
        let Value::Object(mut map) = self.value(0)? else {
            return Err(
                self.error("expected an operation, a map such as {:process 0, :type :invoke, :f :read}")
            );
        };
        let error = |what: String| CheckError::Line { name: self.name.to_owned(), line, what };
        let keyword = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let type_word = keyword("type");
        let op_type = op_type(&type_word)
            .ok_or_else(|| error(format!(":type must be :invoke, :ok, :fail or :info, not {type_word:?}")))?;
        let f_word = keyword("f");
        let f = f_word.strip_prefix(':').unwrap_or(&f_word);
        let process = match map.get("process") {
            Some(Value::Number(id)) => id.as_i64().map(Process::Client),
            Some(Value::String(word)) if word.starts_with(':') => Some(Process::Nemesis),
            _ => None,
        };
        let process = process.ok_or_else(|| error(":process must be an integer or a keyword".into()))?;
        if f.is_empty() && process != Process::Nemesis {
            return Err(error("the operation has no :f".into()));
        }
        let value = map.remove("value").unwrap_or_default();
        let mut op = Op::new(position, 0, process, completion_type(op_type, f, &value), f);
        op.value = value;
        op.time = map.get("time").and_then(Value::as_u64).unwrap_or(0);
        op.key = match map.remove("key") {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) => Some(key),
            Some(other) => Some(other.to_string()),
        };
        Ok(op)
    }

    fn value(&mut self, depth: usize) -> Result<Value, CheckError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        if !self.skip_blank() {
            return Err(self.error("expected a value"));
        }
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.sequence(b']', depth),
            Some(b'(') => self.sequence(b')', depth),
            Some(b'"') => self.string(),
            _ => self.atom(),
        }
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Result<Value, CheckError> {
        self.bump();
        let mut items = Vec::new();
        while self.inside(close)? {
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, depth: usize) -> Result<Value, CheckError> {
        self.bump();
        let mut map = Map::new();
        while self.inside(b'}')? {
            let key = self.value(depth + 1)?;
            let key =
                key.as_str().map_or_else(|| key.to_string(), |word| word.trim_start_matches(':').to_owned());
            if !self.inside(b'}')? {
                return Err(self.error(format!("the key {key:?} has no value")));
            }
            let value = self.value(depth + 1)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn string(&mut self) -> Result<Value, CheckError> {
        self.bump();
        let mut bytes = Vec::new();
        loop {
            let Some(byte) = self.peek() else { return Err(self.error("a string has no end")) };
            self.bump();
            match byte {
                b'"' => break,
                b'\\' => {
                    let escaped = match self.peek() {
                        Some(b'n') => b'\n',
                        Some(b't') => b'\t',
                        Some(b'r') => b'\r',
                        Some(same @ (b'"' | b'\\')) => same,
                        _ => return Err(self.error("unknown escape in a string")),
                    };
                    bytes.push(escaped);
                    self.bump();
                }
                other => bytes.push(other),
            }
        }
        // Cut at ASCII quotes and escapes only, so still UTF-8.
        Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn atom(&mut self) -> Result<Value, CheckError> {
        let start = self.at;
        let ends = |byte: u8| byte.is_ascii_whitespace() || b",;{}[]()\"".contains(&byte);
        while self.peek().is_some_and(|byte| !ends(byte)) {
            self.bump();
        }
        let word = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        match word.as_str() {
            "nil" => return Ok(Value::Null),
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            _ => {}
        }
        if word.len() > 1 && word.starts_with(':') {
            return Ok(Value::String(word));
        }
        if let Ok(number) = word.parse::<i64>() {
            return Ok(Value::from(number));
        }
        let float = word
            .parse::<f64>()
            .ok()
            .filter(|_| word.starts_with(['-', '.']) || word.as_bytes()[0].is_ascii_digit());
        float
            .and_then(Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| self.error(format!("{word:?} is no value a history can hold")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Outcome;
    use serde_json::json;

    #[test]
    fn values_of_all_kinds() {
        let v = |text| value("x", 1, text).unwrap();
        assert_eq!(v("nil"), json!(null));
        assert_eq!(v("[3 0]"), json!([3, 0]));
        assert_eq!(v("-17"), json!(-17));
        assert_eq!(v("2.5"), json!(2.5));
        assert_eq!(v(":timed-out"), json!(":timed-out"));
        assert_eq!(v(r#""a \"b\" \\ c""#), json!("a \"b\" \\ c"));
        assert_eq!(v("{:a [true false] , \"b\" (1)} ; end"), json!({"a": [true, false], "b": [1]}));
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text| parse("h.edn", text).unwrap_err().to_string();
        assert!(
            error("{:process 0, :type :invoke, :f :read}\n{:process 0, :type :maybe, :f :read}")
                .starts_with("h.edn line 2: :type must be")
        );
        assert!(error("{:process 0, :type").starts_with("h.edn line 1: the file ends before"));
        assert!(error("{:process #{}}").contains("no value a history can hold"));
        assert!(error("[[[[").contains("the file ends"));
        let deep = format!("{{:value {}}}", "[".repeat(100));
        assert!(error(&deep).contains("nested too deeply"));
    }

    #[test]
    fn maps_in_a_vector_over_several_lines() {
        let text = "[{:process 0, :type :invoke,\n  :f :cas, :value [1 2]}\n {:process :nemesis, :type :info, :f :start}\n \
                    {:process 0, :type :fail, :f :cas, :value :timed-out}]";
        let history = parse("h.edn", text).unwrap();
        assert_eq!(history.calls.len(), 1);
        assert_eq!(history.calls[0].outcome, Outcome::Info, "a time-out decides nothing");
    }
}
