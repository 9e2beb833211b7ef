//! Maps of operations, one after the other or in vectors, into a history.

use std::borrow::Cow;

use super::token::{Result, Token, Tokens};
use super::value::{Parser, Scalar, closing, integer};
use super::{HEAD, completion_type, op_type};
use crate::CheckError;
use crate::formats::Reading;
use crate::hash::FastMap;
use crate::history::{Builder, History, Line, Op, OpType, PairRules, Process, Shape, Stamps, Val, Values};

/// What the maps hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) enum Dialect {
    /// Operations.
    Maps {
        /// What the file leaves open.
        reading: Reading,
    },
    /// Transactions of reads, appends and writes. Those of one are read as that one.
    Elle,
}

/// Parses a whole file.
pub(in crate::formats) fn parse(name: &str, text: &str, dialect: Dialect) -> Result<History, CheckError> {
    let mut file = File {
        parser: Parser::new(Tokens::new(name, text, 1)),
        builder: Builder::new(PairRules::default()),
        dialect,
        last_index: None,
        timed: false,
        singles: FastMap::default(),
    };
    file.ops(None).map_err(|fault| *fault)?;
    let mut history = file.builder.finish();
    history.explicit_cas = true;
    history.timed = file.timed;
    let first = text.lines().next().and_then(|line| line.strip_prefix(HEAD));
    for word in first.unwrap_or_default().split_whitespace() {
        match word {
            "explicit-cas=false" => history.explicit_cas = false,
            "timed=true" => history.timed = true,
            "timed=false" => history.timed = false,
            "stamps=last-modified" => history.stamps = Stamps::LastModified,
            _ => {}
        }
    }
    Ok(history)
}

/// A value in a line of a log, and what follows it.
pub(in crate::formats) struct Logged<'a> {
    /// The value.
    pub(in crate::formats) value: Val,
    /// It was the keyword that stands for no answer.
    pub(in crate::formats) timed_out: bool,
    /// The rest of the line.
    pub(in crate::formats) rest: &'a str,
}

/// Parses the value of a line of a log: nil if there is none. Keywords keep their colon.
pub(in crate::formats) fn logged_value<'a>(
    name: &'a str,
    line: u64,
    text: &'a str,
    f: &str,
    values: &mut Values,
) -> Result<Logged<'a>, CheckError> {
    let mut parser = Parser::new(Tokens::new(name, text, line));
    let first = parser.next(0).map_err(|fault| *fault)?;
    if first == Token::End {
        return Ok(Logged { value: Val::NIL, timed_out: false, rest: "" });
    }
    let value = input(&mut parser, values, first, f).map_err(|fault| *fault)?;
    Ok(Logged { value, timed_out: first == TIMED_OUT, rest: parser.tokens.rest().trim() })
}

/// What transactions do, and what it is called as an operation of its own.
pub(in crate::formats) const SINGLES: [(&str, &str); 3] =
    [(":append", "append"), (":r", "read"), (":w", "write")];

const TIMED_OUT: Token<'_> = Token::Keyword(":timed-out");

/// A value; of a compare-and-set a pair.
fn input<'a>(parser: &mut Parser<'a>, values: &mut Values, first: Token<'a>, f: &str) -> Result<Val> {
    if f == "cas" && matches!(first, Token::OpenVector | Token::OpenList) {
        let items = parser.items(values, closing(first), 0)?;
        return Ok(match items[..] {
            [old, new] => values.pair(old, new),
            _ => values.list(&items),
        });
    }
    parser.value(values, first, 0)
}

struct File<'a> {
    parser: Parser<'a>,
    builder: Builder,
    dialect: Dialect,
    last_index: Option<u64>,
    /// Some line had a time.
    timed: bool,
    /// Processes with a transaction of one operation open, and what it does.
    singles: FastMap<i64, &'static str>,
}

/// What a map says.
#[derive(Default)]
struct Fields<'a> {
    op_type: Option<OpType>,
    process: Option<Process>,
    f: Option<Cow<'a, str>>,
    value: Val,
    timed_out: bool,
    /// The transaction is one operation, and this one.
    single: Option<&'static str>,
    key: Option<Cow<'a, str>>,
    index: Option<u64>,
    time: Option<u64>,
    error: Option<Cow<'a, str>>,
    node: Option<Cow<'a, str>>,
    zxid: Option<u64>,
    final_read: bool,
    mismatch: bool,
}

impl<'a> File<'a> {
    /// Operations up to a bracket, or the end.
    fn ops(&mut self, close: Option<u8>) -> Result<()> {
        loop {
            self.parser.tokens.skip_blank();
            let place = self.parser.tokens.place();
            let token = match close {
                Some(close) => self.parser.inside(close, 0)?,
                None => Some(self.parser.next(0)?).filter(|token| *token != Token::End),
            };
            match token {
                None => return Ok(()),
                Some(Token::OpenMap) => {
                    let fields = self.fields()?;
                    self.op(place, fields)?;
                }
                // A record: the name of its type says nothing new.
                Some(Token::Tag(_)) => {}
                Some(open @ (Token::OpenVector | Token::OpenList)) if close.is_none() => {
                    self.ops(Some(closing(open)))?;
                }
                Some(other) => {
                    let expected = "an operation, a map such as {:process 0, :type :invoke, :f :read}";
                    return Err(self.parser.unexpected(other, expected));
                }
            }
        }
    }

    fn fields(&mut self) -> Result<Fields<'a>> {
        let mut fields = Fields::default();
        while let Some(key) = self.parser.inside(b'}', 0)? {
            let Token::Keyword(key) = key else {
                self.parser.skip(key, 0)?;
                self.skip_field("?")?;
                continue;
            };
            match key {
                ":type" => fields.op_type = Some(self.op_type()?),
                ":process" => fields.process = Some(self.process()?),
                ":f" => fields.f = self.name(false)?,
                ":value" => self.value(&mut fields)?,
                ":time" => fields.time = self.number()?,
                ":index" => fields.index = self.number()?,
                ":key" => fields.key = self.key()?,
                ":error" => fields.error = self.name(true)?,
                ":node" => fields.node = self.name(true)?,
                ":zxid" => fields.zxid = self.zxid()?,
                ":final" => fields.final_read = self.flag()?,
                ":mismatch" => fields.mismatch = self.flag()?,
                other => self.skip_field(other)?,
            }
        }
        Ok(fields)
    }

    fn field(&mut self, key: &str) -> Result<Token<'a>> {
        let token = self.parser.next(0)?;
        if token == Token::Close(b'}') {
            return Err(self.parser.tokens.error(format!("{key} has no value")));
        }
        Ok(token)
    }

    fn skip_field(&mut self, key: &str) -> Result<()> {
        let token = self.field(key)?;
        self.parser.skip(token, 0)
    }

    fn op_type(&mut self) -> Result<OpType> {
        let token = self.field(":type")?;
        let known = if let Token::Keyword(word) = token { op_type(word) } else { None };
        known.ok_or_else(|| self.parser.unexpected(token, ":type :invoke, :ok, :fail or :info"))
    }

    fn process(&mut self) -> Result<Process> {
        let token = self.field(":process")?;
        let known = if let Token::Word(word) = token {
            integer(word.strip_suffix('N').unwrap_or(word)).map(Process::Client)
        } else {
            matches!(token, Token::Keyword(word) if word.len() > 1).then_some(Process::Nemesis)
        };
        known.ok_or_else(|| self.parser.unexpected(token, ":process to be an integer or a keyword"))
    }

    /// A keyword or text; of anything else, what is written there. `None`: nil.
    fn name(&mut self, colon: bool) -> Result<Option<Cow<'a, str>>> {
        self.parser.tokens.skip_blank();
        let place = self.parser.tokens.place();
        let token = self.field("a field")?;
        if let Token::Keyword(word) = token {
            return Ok(Some(if colon { word } else { &word[1..] }.into()));
        }
        if let Token::Text(raw) = token {
            return self.parser.text(raw).map(Some);
        }
        self.parser.skip(token, 0)?;
        let nil = token == Token::Word("nil");
        Ok((!nil).then(|| self.parser.tokens.since(place).into()))
    }

    fn number(&mut self) -> Result<Option<u64>> {
        let token = self.field("a number")?;
        if let Token::Word(word) = token {
            return Ok(word.strip_suffix('N').unwrap_or(word).parse().ok());
        }
        self.parser.skip(token, 0).map(|()| None)
    }

    fn flag(&mut self) -> Result<bool> {
        let token = self.field("a mark")?;
        self.parser.skip(token, 0)?;
        Ok(token == Token::Word("true"))
    }

    fn zxid(&mut self) -> Result<Option<u64>> {
        let token = self.field(":zxid")?;
        let known = if let Token::Text(text) = token {
            text.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok())
        } else if let Token::Word(word) = token {
            if word == "nil" {
                return Ok(None);
            }
            word.parse().ok()
        } else {
            None
        };
        let expected = ":zxid to be a number or a text such as \"0x100000007\"";
        known.map(Some).ok_or_else(|| self.parser.unexpected(token, expected))
    }

    /// The name of an object. `None`: nil.
    fn key(&mut self) -> Result<Option<Cow<'a, str>>> {
        let token = self.field(":key")?;
        Ok(if token == Token::Word("nil") { None } else { Some(self.key_text(token)?) })
    }

    fn key_text(&mut self, token: Token<'a>) -> Result<Cow<'a, str>> {
        if let Token::Word(word) = token
            && integer(word).is_some()
        {
            return Ok(word.into());
        }
        if !matches!(token, Token::Word(_) | Token::Text(_) | Token::Keyword(_) | Token::Char(_)) {
            return Ok(self.parser.json(token, 0)?.to_string().into());
        }
        Ok(match self.parser.scalar(token)? {
            Scalar::Text(text) => text,
            Scalar::Nil => "nil".into(),
            Scalar::Bool(b) => if b { "true" } else { "false" }.into(),
            Scalar::Int(n) => n.to_string().into(),
            Scalar::Number(n) => n.to_string().into(),
        })
    }

    fn value(&mut self, fields: &mut Fields<'a>) -> Result<()> {
        let place = self.parser.tokens.place();
        if self.dialect == Dialect::Elle && self.single(fields)? {
            return Ok(());
        }
        self.parser.tokens.rewind(place);
        let independent = matches!(self.dialect, Dialect::Maps { reading } if reading.independent);
        let mut first = self.field(":value")?;
        let tagged = matches!(first, Token::Tag("jepsen.independent/tuple" | "jepsen.independent.Tuple"));
        if tagged {
            first = self.parser.next(0)?;
        }
        let is_tuple = matches!(first, Token::OpenVector | Token::OpenList) && (tagged || independent);
        if is_tuple {
            let key = self.parser.next(0)?;
            fields.key = Some(self.key_text(key)?);
            first = self.parser.next(0)?;
        }
        fields.timed_out = first == TIMED_OUT;
        fields.value =
            input(&mut self.parser, self.builder.values(), first, fields.f.as_deref().unwrap_or(""))?;
        if is_tuple {
            let end = self.parser.next(0)?;
            if !matches!(end, Token::Close(_)) {
                return Err(self.parser.unexpected(end, "the end of [key value]"));
            }
        }
        Ok(())
    }

    /// `[[:append key value]]`, `[[:r key value]]`, `[[:w key value]]`; false if it is anything else.
    fn single(&mut self, fields: &mut Fields<'a>) -> Result<bool> {
        let open = |token| matches!(token, Token::OpenVector | Token::OpenList);
        if !open(self.parser.next(0)?) || !open(self.parser.next(0)?) {
            return Ok(false);
        }
        let Token::Keyword(function) = self.parser.next(0)? else { return Ok(false) };
        let Some(&(_, f)) = SINGLES.iter().find(|(keyword, _)| *keyword == function) else {
            return Ok(false);
        };
        let key = self.parser.next(0)?;
        if matches!(key, Token::Close(_)) {
            return Ok(false);
        }
        let key = self.key_text(key)?;
        let value = self.parser.next(0)?;
        if matches!(value, Token::Close(_)) {
            return Ok(false);
        }
        let value = self.parser.value(self.builder.values(), value, 0)?;
        if !matches!((self.parser.next(0)?, self.parser.next(0)?), (Token::Close(_), Token::Close(_))) {
            return Ok(false);
        }
        (fields.single, fields.key, fields.value) = (Some(f), Some(key), value);
        Ok(true)
    }

    /// Takes an operation whose map begins at `place`.
    fn op(&mut self, place: usize, mut fields: Fields<'a>) -> Result<()> {
        let wrong = |tokens: &Tokens<'_>, what: String| tokens.error_at(place, what);
        let tokens = &self.parser.tokens;
        let op_type = fields.op_type.ok_or_else(|| wrong(tokens, "the operation has no :type".into()))?;
        let process = fields.process.ok_or_else(|| wrong(tokens, "the operation has no :process".into()))?;
        let index = self.index(place, fields.index)?;
        self.timed |= fields.time.is_some();
        let time = fields.time.unwrap_or(0);
        let Process::Client(process) = process else {
            let value = self.builder.values().to_json(fields.value);
            let op = Op::new(index, time, Process::Nemesis, op_type, fields.f.as_deref().unwrap_or(""));
            let op = Op {
                value,
                key: fields.key.map(Cow::into_owned),
                error: fields.error.map(Cow::into_owned),
                node: fields.node.map(Cow::into_owned),
                zxid: fields.zxid,
                final_read: fields.final_read,
                ..op
            };
            return self.builder.op(op).map_err(Box::new);
        };
        self.one_of_transaction(process, op_type, &mut fields);
        let f = fields
            .f
            .as_deref()
            .ok_or_else(|| wrong(&self.parser.tokens, "the operation has no :f".into()))?;
        let values = self.builder.values();
        if f == "cas"
            && let Shape::List(&[old, new]) = values.shape(fields.value)
        {
            fields.value = values.pair(old, new);
        }
        let line = Line {
            index,
            time,
            process,
            op_type: completion_type(op_type, f, fields.timed_out),
            f,
            key: fields.key.as_deref(),
            value: fields.value,
            error: fields.error.as_deref(),
            node: fields.node.as_deref(),
            zxid: fields.zxid,
            final_read: fields.final_read,
        };
        let mismatch = fields.mismatch.then(|| self.builder.open_call(process)).flatten();
        self.builder.line(&line).map_err(|e| self.parser.tokens.on_line(place, e))?;
        if let Some(id) = mismatch.filter(|_| line.op_type == OpType::Fail) {
            self.builder.mark_mismatch(id);
        }
        Ok(())
    }

    /// The index that is written there, or the next.
    fn index(&mut self, place: usize, written: Option<u64>) -> Result<u64> {
        let next = self.last_index.map_or(Some(0), |last| last.checked_add(1));
        let index = written.or(next).unwrap_or(u64::MAX);
        if let Some(last) = self.last_index.replace(index).filter(|&last| index <= last) {
            let what = format!(
                ":index {index} after :index {last}: the operations are out of order, or two histories were joined"
            );
            return Err(self.parser.tokens.error_at(place, what));
        }
        Ok(index)
    }

    /// A transaction of one operation is that operation, also where its completion does not repeat it.
    fn one_of_transaction(&mut self, process: i64, op_type: OpType, fields: &mut Fields<'a>) {
        if self.dialect != Dialect::Elle {
            return;
        }
        let single = match (op_type, fields.single) {
            (OpType::Invoke, Some(f)) => {
                self.singles.insert(process, f);
                Some(f)
            }
            (OpType::Invoke, None) => None,
            (OpType::Ok | OpType::Fail | OpType::Info, _) => self.singles.remove(&process),
        };
        if let Some(f) = single.or(fields.single) {
            fields.f = Some(f.into());
        }
    }
}
