//! Values of EDN, as values of a history.
//!
//! A history knows the values of JSON. What EDN has beyond those becomes the nearest of them, always the same for
//! the same value, so that equal values stay equal:
//!
//! | EDN | becomes |
//! |---|---|
//! | keyword `:x` | text with its colon, `":x"` |
//! | symbol, character, ratio `1/2`, `##Inf` | text |
//! | `12N`; beyond 64 bits | integer; text with the `N` |
//! | `1.5M` | fraction |
//! | list, set | list, in the order written |
//! | map | map; its keys as texts, keywords without colon |
//! | `#tag value` | map of one entry, `"#tag"` to the value |
//! | `#_ form` | nothing |

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::token::{Fault, Result, Token, Tokens, unescape};
use crate::history::{Val, Values};

/// Nesting beyond this is refused, so that no input exhausts the stack.
const MAX_DEPTH: usize = 64;

/// A value that holds no others.
pub(super) enum Scalar<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    Number(Number),
}

/// A parser of values: tokens, without what is discarded.
#[derive(Debug, Clone)]
pub(super) struct Parser<'a> {
    pub(super) tokens: Tokens<'a>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(tokens: Tokens<'a>) -> Self {
        Self { tokens }
    }

    /// The next token that is not discarded.
    pub(super) fn next(&mut self, depth: usize) -> Result<Token<'a>> {
        let mut token = self.tokens.next()?;
        while matches!(token, Token::Discard) {
            self.discard(depth)?;
            token = self.tokens.next()?;
        }
        Ok(token)
    }

    #[cold]
    fn discard(&mut self, depth: usize) -> Result<()> {
        self.nested(depth)?;
        let discarded = self.next(depth + 1)?;
        self.skip(discarded, depth + 1)
    }

    fn nested(&self, depth: usize) -> Result<()> {
        if depth < MAX_DEPTH { Ok(()) } else { Err(self.tokens.error("nested too deeply")) }
    }

    /// Any error about a token that cannot be where it is.
    pub(super) fn unexpected(&self, token: Token<'_>, expected: &str) -> Fault {
        self.tokens.error(match token {
            Token::End => format!("the file ends before {expected}"),
            Token::Close(close) => format!("expected {expected}, found '{}'", char::from(close)),
            Token::OpenMap | Token::OpenSet => format!("expected {expected}, found a map or set"),
            Token::OpenVector | Token::OpenList => format!("expected {expected}, found a vector or list"),
            Token::Text(text) => format!("expected {expected}, found the string {text:?}"),
            Token::Keyword(word) | Token::Word(word) | Token::Char(word) | Token::Tag(word) => {
                format!("expected {expected}, found {word}")
            }
            Token::Discard => format!("expected {expected}"),
        })
    }

    /// Goes past the value that begins with `first`.
    pub(super) fn skip(&mut self, first: Token<'a>, depth: usize) -> Result<()> {
        self.nested(depth)?;
        match first {
            Token::OpenMap | Token::OpenSet | Token::OpenVector | Token::OpenList => {
                let close = closing(first);
                while let Some(token) = self.inside(close, depth)? {
                    self.skip(token, depth + 1)?;
                }
                Ok(())
            }
            Token::Tag(_) => {
                let tagged = self.next(depth)?;
                self.skip(tagged, depth + 1)
            }
            Token::Text(_) | Token::Keyword(_) | Token::Word(_) | Token::Char(_) => Ok(()),
            Token::Close(_) | Token::Discard | Token::End => Err(self.unexpected(first, "a value")),
        }
    }

    /// The next token of a collection, `None` at its end.
    pub(super) fn inside(&mut self, close: u8, depth: usize) -> Result<Option<Token<'a>>> {
        let token = self.next(depth)?;
        if token == Token::Close(close) {
            return Ok(None);
        }
        if matches!(token, Token::Close(_) | Token::End) {
            return Err(self.unexpected(token, &format!("a closing '{}'", char::from(close))));
        }
        Ok(Some(token))
    }

    /// The value that begins with `first`, interned.
    pub(super) fn value(&mut self, values: &mut Values, first: Token<'a>, depth: usize) -> Result<Val> {
        self.nested(depth)?;
        Ok(match first {
            Token::OpenSet | Token::OpenVector | Token::OpenList => {
                let items = self.items(values, closing(first), depth)?;
                values.list(&items)
            }
            Token::OpenMap | Token::Tag(_) => {
                let json = self.json(first, depth)?;
                values.json(&json)
            }
            Token::Text(_)
            | Token::Keyword(_)
            | Token::Word(_)
            | Token::Char(_)
            | Token::Close(_)
            | Token::Discard
            | Token::End => match self.scalar(first)? {
                Scalar::Nil => Val::NIL,
                Scalar::Bool(b) => values.bool(b),
                Scalar::Int(n) => values.int(n),
                Scalar::Text(text) => values.text(&text),
                Scalar::Number(number) => values.json(&Value::Number(number)),
            },
        })
    }

    /// The values up to a closing bracket.
    pub(super) fn items(&mut self, values: &mut Values, close: u8, depth: usize) -> Result<Vec<Val>> {
        let mut items = Vec::new();
        while let Some(token) = self.inside(close, depth)? {
            items.push(self.value(values, token, depth + 1)?);
        }
        Ok(items)
    }

    /// The value that begins with `first`, as JSON.
    pub(super) fn json(&mut self, first: Token<'a>, depth: usize) -> Result<Value> {
        self.nested(depth)?;
        Ok(match first {
            Token::OpenSet | Token::OpenVector | Token::OpenList => {
                let mut items = Vec::new();
                while let Some(token) = self.inside(closing(first), depth)? {
                    items.push(self.json(token, depth + 1)?);
                }
                Value::Array(items)
            }
            Token::OpenMap => self.map(depth)?,
            Token::Tag(tag) => {
                let tagged = self.next(depth)?;
                let value = self.json(tagged, depth + 1)?;
                Value::Object(Map::from_iter([(format!("#{tag}"), value)]))
            }
            Token::Text(_)
            | Token::Keyword(_)
            | Token::Word(_)
            | Token::Char(_)
            | Token::Close(_)
            | Token::Discard
            | Token::End => match self.scalar(first)? {
                Scalar::Nil => Value::Null,
                Scalar::Bool(b) => b.into(),
                Scalar::Int(n) => n.into(),
                Scalar::Text(text) => text.into_owned().into(),
                Scalar::Number(number) => Value::Number(number),
            },
        })
    }

    fn map(&mut self, depth: usize) -> Result<Value> {
        let mut map = Map::new();
        while let Some(token) = self.inside(b'}', depth)? {
            let key = match (token, self.json(token, depth + 1)?) {
                (Token::Keyword(word), _) => word.trim_start_matches(':').to_owned(),
                (_, Value::String(text)) => text,
                (_, other) => other.to_string(),
            };
            let Some(token) = self.inside(b'}', depth)? else {
                return Err(self.tokens.error(format!("the key {key:?} of a map has no value")));
            };
            let value = self.json(token, depth + 1)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    /// The value of a token that is one by itself.
    pub(super) fn scalar(&self, token: Token<'a>) -> Result<Scalar<'a>> {
        match token {
            Token::Word(word) => scalar_word(word)
                .ok_or_else(|| self.tokens.error(format!("{word:?} is no number and no symbol"))),
            Token::Keyword(word) if word.len() > 1 => Ok(Scalar::Text(word.into())),
            Token::Text(raw) => Ok(Scalar::Text(self.text(raw)?)),
            Token::Char(name) => {
                let text =
                    character(name).ok_or_else(|| self.tokens.error(format!("\\{name} is no character")))?;
                Ok(Scalar::Text(text))
            }
            Token::Keyword(_) => Err(self.tokens.error("a colon without a keyword")),
            Token::OpenMap
            | Token::OpenSet
            | Token::OpenVector
            | Token::OpenList
            | Token::Close(_)
            | Token::Tag(_)
            | Token::Discard
            | Token::End => Err(self.unexpected(token, "a value")),
        }
    }

    /// The text of a string token.
    pub(super) fn text(&self, raw: &'a str) -> Result<Cow<'a, str>> {
        if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
            return Ok(raw.into());
        }
        unescape(raw).map(Cow::Owned).map_err(|what| self.tokens.error(what))
    }
}

/// The bracket that closes what a token opens.
pub(super) fn closing(open: Token<'_>) -> u8 {
    match open {
        Token::OpenVector => b']',
        Token::OpenList => b')',
        Token::OpenMap
        | Token::OpenSet
        | Token::Close(_)
        | Token::Text(_)
        | Token::Keyword(_)
        | Token::Word(_)
        | Token::Char(_)
        | Token::Tag(_)
        | Token::Discard
        | Token::End => b'}',
    }
}

fn scalar_word(word: &str) -> Option<Scalar<'_>> {
    match word {
        "nil" => return Some(Scalar::Nil),
        "true" => return Some(Scalar::Bool(true)),
        "false" => return Some(Scalar::Bool(false)),
        _ => {}
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(Scalar::Text(word.into()));
    }
    if let Some(number) = integer(word) {
        return Some(Scalar::Int(number));
    }
    let whole = word.strip_suffix('N').unwrap_or(word);
    if digits.strip_suffix('N').unwrap_or(digits).bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(match (whole.parse::<i64>(), whole.parse::<u64>()) {
            (Ok(number), _) => Scalar::Int(number),
            (Err(_), Ok(number)) => Scalar::Number(number.into()),
            (Err(_), Err(_)) => Scalar::Text(format!("{whole}N").into()),
        });
    }
    if let Some((above, below)) = digits.split_once('/') {
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        return (all_digits(above) && all_digits(below)).then(|| Scalar::Text(word.into()));
    }
    let fraction = word.strip_suffix('M').unwrap_or(word);
    let plain = fraction.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let number = fraction.parse::<f64>().ok().filter(|_| plain)?;
    Some(Number::from_f64(number).map_or_else(|| Scalar::Text(word.into()), Scalar::Number))
}

/// A decimal integer of 64 bits.
pub(in crate::formats) fn integer(word: &str) -> Option<i64> {
    let bytes = word.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.len() > 18 {
        return word.parse().ok();
    }
    let mut number = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    (!digits.is_empty()).then_some(if negative { -number } else { number })
}

fn character(name: &str) -> Option<Cow<'_, str>> {
    let named = match name {
        "newline" => "\n",
        "space" => " ",
        "tab" => "\t",
        "return" => "\r",
        "formfeed" => "\x0c",
        "backspace" => "\x08",
        _ => {
            let mut chars = name.chars();
            if chars.next().is_some() && chars.next().is_none() {
                return Some(name.into());
            }
            let code = u32::from_str_radix(name.strip_prefix('u')?, 16).ok();
            return char::from_u32(code?).map(|c| Cow::Owned(c.to_string()));
        }
    };
    Some(named.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Both ways to read a value, which must agree.
    fn value(text: &str) -> Result<Value, String> {
        let mut parser = Parser::new(Tokens::new("x", text, 1));
        let mut other = parser.clone();
        let mut values = Values::default();
        let json = parser.next(0).and_then(|first| parser.json(first, 0)).map_err(|e| e.to_string());
        let val =
            other.next(0).and_then(|first| other.value(&mut values, first, 0)).map_err(|e| e.to_string());
        assert_eq!(val.map(|val| values.to_json(val)), json);
        let mut skipping = Parser::new(Tokens::new("x", text, 1));
        if json.is_ok() {
            let first = skipping.next(0).unwrap();
            skipping.skip(first, 0).unwrap();
            assert_eq!(skipping.tokens.place(), parser.tokens.place());
        }
        json
    }

    #[test]
    fn values_of_all_kinds() {
        let v = |text| value(text).unwrap();
        assert_eq!(v("nil"), json!(null));
        assert_eq!(v("[3 0]"), json!([3, 0]));
        assert_eq!(v("-17"), json!(-17));
        assert_eq!(v("+5"), json!(5));
        assert_eq!(v("2.5"), json!(2.5));
        assert_eq!(v("-1e3M"), json!(-1000.0));
        assert_eq!(v("12N"), json!(12));
        assert_eq!(v("18446744073709551615"), json!(u64::MAX));
        assert_eq!(v("-9223372036854775808"), json!(i64::MIN));
        assert_eq!(v("99999999999999999999"), json!("99999999999999999999N"));
        assert_eq!(v("99999999999999999999N"), json!("99999999999999999999N"));
        assert_eq!(v("1/2"), json!("1/2"));
        assert_eq!(v("##NaN"), json!("##NaN"));
        assert_eq!(v(":timed-out"), json!(":timed-out"));
        assert_eq!(v("foo/bar"), json!("foo/bar"));
        assert_eq!(v("[- + -a]"), json!(["-", "+", "-a"]));
        assert_eq!(v(r#""a \"b\" \\ c""#), json!("a \"b\" \\ c"));
        assert_eq!(v(r"[\a \newline \u0041 \[]"), json!(["a", "\n", "A", "["]));
        assert_eq!(v("#{3 1 2}"), json!([3, 1, 2]));
        assert_eq!(v("#inst \"2020\""), json!({"#inst": "2020"}));
        assert_eq!(v("[1 #_ [2 #_ 3] #_#_ 4 5 6]"), json!([1, 6]));
        assert_eq!(
            v("{:a [true false] , \"b\" (1) 3 nil} ; end"),
            json!({"a": [true, false], "b": [1], "3": null})
        );
    }

    #[test]
    fn what_is_none() {
        let error = |text: &str| value(text).unwrap_err();
        assert_eq!(error("12abc"), "x line 1: \"12abc\" is no number and no symbol");
        assert_eq!(error("[1\n2"), "x line 2: the file ends before a closing ']'");
        assert_eq!(error("[1 }"), "x line 1: expected a closing ']', found '}'");
        assert_eq!(error("{:a}"), "x line 1: the key \"a\" of a map has no value");
        assert_eq!(error("\\abc"), "x line 1: \\abc is no character");
        assert!(error(&"[".repeat(100_000)).contains("nested too deeply"));
        assert!(error(&"#_".repeat(100_000)).contains("nested too deeply"));
        assert!(error(&"#a ".repeat(100_000)).contains("nested too deeply"));
        assert!(error("").contains("the file ends before a value"));
        assert!(error("1/").contains("no number") && error("1.2.3").contains("no number"));
    }
}
