//! The tokens of EDN. One pass over the text, no copies; lines are counted only when an error names one.

use crate::CheckError;

/// An error: small, so that tokens are handed on in registers.
pub(super) type Fault = Box<CheckError>;

/// What may fail.
pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

/// A token. Texts are slices of the source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// `{`
    OpenMap,
    /// `#{`
    OpenSet,
    /// `[`
    OpenVector,
    /// `(`
    OpenList,
    /// `}`, `]` or `)`.
    Close(u8),
    /// What is between quotes, escapes as they are written.
    Text(&'a str),
    /// A keyword with its colon.
    Keyword(&'a str),
    /// A symbol, a number, `nil`, `true` or `false`.
    Word(&'a str),
    /// A character without its backslash.
    Char(&'a str),
    /// A tag without its `#`; what it tags follows.
    Tag(&'a str),
    /// `#_`; what it discards follows.
    Discard,
    /// Nothing is left.
    End,
}

/// What a byte is to the tokenizer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    /// Brackets, quotes, backslashes and semicolons, which end a word and begin something else.
    Mark,
    Word,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Word; 256];
    let (blanks, marks) = (b" \t\n\r\x0b\x0c,", b"{}[]()\";\\");
    let mut at = 0;
    while at < blanks.len() {
        kinds[blanks[at] as usize] = Kind::Blank;
        at += 1;
    }
    at = 0;
    while at < marks.len() {
        kinds[marks[at] as usize] = Kind::Mark;
        at += 1;
    }
    kinds
};

/// A text being cut into tokens.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    name: &'a str,
    text: &'a str,
    at: usize,
    /// Line number of the text's beginning.
    first_line: u64,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(name: &'a str, text: &'a str, first_line: u64) -> Self {
        Self { name, text, at: 0, first_line }
    }

    /// The place before the next token, to come back to or to name its line.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Goes back.
    pub(super) fn rewind(&mut self, place: usize) {
        self.at = place;
    }

    /// What was written from a place up to here.
    pub(super) fn since(&self, place: usize) -> &'a str {
        self.text.get(place..self.at).unwrap_or_default()
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn line(&self, place: usize) -> u64 {
        let before = &self.text.as_bytes()[..place.min(self.text.len())];
        self.first_line + before.iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    /// An error at a place.
    pub(super) fn error_at(&self, place: usize, what: impl Into<String>) -> Fault {
        Box::new(CheckError::Line { name: self.name.to_owned(), line: self.line(place), what: what.into() })
    }

    /// An error of a history about what is at a place.
    pub(super) fn on_line(&self, place: usize, error: CheckError) -> Fault {
        Box::new(error.on_line(self.name, self.line(place)))
    }

    /// An error here.
    pub(super) fn error(&self, what: impl Into<String>) -> Fault {
        self.error_at(self.at, what)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips blanks, commas and comments.
    pub(super) fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b';' {
                let rest = &self.text.as_bytes()[self.at..];
                self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            } else if KINDS[usize::from(byte)] == Kind::Blank {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Token<'a>> {
        self.skip_blank();
        let Some(byte) = self.peek() else { return Ok(Token::End) };
        let single = match byte {
            b'{' => Token::OpenMap,
            b'[' => Token::OpenVector,
            b'(' => Token::OpenList,
            b'}' | b']' | b')' => Token::Close(byte),
            b'"' => return self.string(),
            b':' => return Ok(Token::Keyword(self.word())),
            b'\\' => return self.char(),
            b'#' => return self.dispatch(),
            _ => return Ok(Token::Word(self.word())),
        };
        self.at += 1;
        Ok(single)
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| KINDS[usize::from(byte)] != Kind::Word);
        let length = length.unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn string(&mut self) -> Result<Token<'a>> {
        let open = self.at;
        self.at += 1;
        let start = self.at;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(self.error_at(open, "a string that begins here has no end"));
            };
            self.at += length;
            if rest[length] == b'"' {
                let text = self.since(start);
                self.at += 1;
                return Ok(Token::Text(text));
            }
            // Whatever is escaped, a quote too, is part of the text.
            self.at = (self.at + 2).min(self.text.len());
        }
    }

    fn char(&mut self) -> Result<Token<'a>> {
        self.at += 1;
        let Some(first) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else {
            return Err(self.error("a backslash names no character"));
        };
        let start = self.at;
        self.at += first.len_utf8();
        // A bracket is a character of its own, a letter may begin a name such as \newline.
        if first.is_alphanumeric() {
            self.word();
        }
        Ok(Token::Char(self.since(start)))
    }

    fn dispatch(&mut self) -> Result<Token<'a>> {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'{') => {
                self.at += 2;
                Ok(Token::OpenSet)
            }
            Some(b'_') => {
                self.at += 2;
                Ok(Token::Discard)
            }
            // A regular expression, as Clojure prints it.
            Some(b'"') => {
                self.at += 1;
                self.string()
            }
            // Symbolic values: ##Inf, ##NaN.
            Some(b'#') => Ok(Token::Word(self.word())),
            _ => {
                self.at += 1;
                let tag = self.word();
                if tag.is_empty() { Err(self.error("a # names no tag")) } else { Ok(Token::Tag(tag)) }
            }
        }
    }
}

/// The text of a string token.
pub(super) fn unescape(raw: &str) -> Result<String, String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let mut length = 1;
        text.push(match escape.bytes().next() {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(same @ (b'"' | b'\\' | b'\'')) => char::from(same),
            Some(b'u') => {
                let (unit, used) = utf16(escape)?;
                length = used;
                unit
            }
            Some(b'0'..=b'7') => {
                length = escape.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let code = u32::from_str_radix(&escape[..length], 8).ok().and_then(char::from_u32);
                code.ok_or("an octal escape names no character")?
            }
            Some(_) | None => {
                let shown: String = escape.chars().take(1).collect();
                return Err(format!("unknown escape \\{shown} in a string"));
            }
        });
        rest = &escape[length..];
    }
    text.push_str(rest);
    Ok(text)
}

/// `uXXXX`, or two of them that make one character; and the length used.
fn utf16(escape: &str) -> Result<(char, usize), String> {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let first = unit(1).ok_or("\\u needs four hexadecimal digits")?;
    let second = if escape.get(5..7) == Some("\\u") { unit(7) } else { None };
    let one = char::decode_utf16([first]).next().and_then(Result::ok);
    if let Some(one) = one {
        return Ok((one, 5));
    }
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    pair.map(|pair| (pair, 11)).ok_or_else(|| format!("\\u{first:04x} is half a character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Token<'_>> {
        let mut tokens = Tokens::new("x", text, 1);
        let next = || Some(tokens.next().unwrap()).filter(|token| *token != Token::End);
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn every_kind_of_token() {
        use Token::*;
        assert_eq!(all("{:a 1, b}"), [OpenMap, Keyword(":a"), Word("1"), Word("b"), Close(b'}')]);
        assert_eq!(all("#{\\a} ; }\n#_x"), [OpenSet, Char("a"), Close(b'}'), Discard, Word("x")]);
        assert_eq!(
            all("(\\newline\\[\\u0041)"),
            [OpenList, Char("newline"), Char("["), Char("u0041"), Close(b')')]
        );
        assert_eq!(all(r#""a\"b"["\\"]"#), [Text(r#"a\"b"#), OpenVector, Text(r"\\"), Close(b']')]);
        assert_eq!(
            all("#inst\"x\"##Inf #a.b/c{"),
            [Tag("inst"), Text("x"), Word("##Inf"), Tag("a.b/c"), OpenMap]
        );
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(r#"a\n\t\"\\\u00e9\101\ud83d\ude00"#).unwrap(), "a\n\t\"\\\u{e9}A\u{1f600}");
        assert!(unescape(r"\q").unwrap_err().contains("unknown escape \\q"));
        assert!(unescape(r"\ud83d").is_err() && unescape(r"\u12").is_err() && unescape("\\").is_err());
    }

    #[test]
    fn unfinished_tokens_name_their_line() {
        let error = |text| {
            let mut tokens = Tokens::new("x", text, 1);
            loop {
                match tokens.next() {
                    Ok(Token::End) => return "none".to_owned(),
                    Ok(_) => {}
                    Err(e) => return e.to_string(),
                }
            }
        };
        assert_eq!(error("1\n\"a\nb"), "x line 2: a string that begins here has no end");
        assert_eq!(error("\\"), "x line 1: a backslash names no character");
        assert_eq!(error("\n\n# a"), "x line 3: a # names no tag");
        assert_eq!(error("\"\\"), "x line 1: a string that begins here has no end");
    }
}
