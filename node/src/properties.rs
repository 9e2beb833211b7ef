//! Java's properties format (`java.util.Properties.load`), which `zoo.cfg` is written in.
//!
//! Comments begin with `#` or `!`, a key ends at the first `=`, `:` or blank, a backslash at the end
//! goes on in the next line, and `\t`, `\n`, `\r`, `\f` and `\uXXXX` are escapes. Values are trimmed,
//! as ZooKeeper does afterwards.

/// One key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The line it begins in, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
    /// The value, trimmed; empty if there is none.
    pub value: String,
}

/// Everything in `text`, in its order, repeated keys included.
#[must_use]
pub fn parse(text: &str) -> Vec<Property> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while continues(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start()),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        found.push(Property {
            line: index + 1,
            key: unescape(key),
            value: unescape(value).trim().to_owned(),
        });
    }
    found
}

/// Whether the line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value as they are written.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (c == '=' || c == ':' || c.is_ascii_whitespace());
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return (line, "") };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => {}
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let hex: String = chars.clone().take(4).collect();
                match u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32) {
                    Some(unicode) if hex.len() == 4 => {
                        out.push(unicode);
                        chars.nth(3);
                    }
                    Some(_) | None => out.push('u'),
                }
            }
            Some(other) => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        parse(text).into_iter().map(|p| (p.line, p.key, p.value)).collect()
    }

    #[test]
    fn keys_values_and_comments_are_told_apart_as_java_does() {
        let text = "# comment\n! comment\n\n  tickTime = 2000  \ndataDir:/var/x\nforceSync yes\nempty=\nbare\n\
                    server.1=a:1:2\n";
        let expected = [
            (4, "tickTime", "2000"),
            (5, "dataDir", "/var/x"),
            (6, "forceSync", "yes"),
            (7, "empty", ""),
            (8, "bare", ""),
            (9, "server.1", "a:1:2"),
        ];
        assert_eq!(pairs(text), expected.map(|(line, k, v)| (line, k.to_owned(), v.to_owned())));
    }

    #[test]
    fn lines_continue_and_escapes_are_resolved() {
        let text = "a=one,\\\n    two\npath=C\\:\\\\data\nk\\=ey=\\u0041\nlast=x\\";
        let expected = [(1, "a", "one,two"), (3, "path", "C:\\data"), (4, "k=ey", "A"), (5, "last", "x")];
        assert_eq!(pairs(text), expected.map(|(line, k, v)| (line, k.to_owned(), v.to_owned())));
    }
}
