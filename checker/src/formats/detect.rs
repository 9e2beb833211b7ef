//! Which format a file is in, by its beginning.

use crate::CheckError;
use crate::formats::{Format, columns, jepsen, tsv};

/// Bytes that are enough to tell.
pub(super) const HEAD: u64 = 1 << 16;

/// Tells the format by the beginning of the content.
///
/// # Errors
/// When it is empty or looks like none of the formats.
pub fn detect(name: &str, head: &[u8]) -> Result<Format, CheckError> {
    if head.starts_with(&columns::MAGIC) {
        return Ok(Format::Columns);
    }
    // A character or two may be cut in half at the end.
    let head = &String::from_utf8_lossy(&head[..head.len().min(1 << 16)]);
    if head.lines().any(jepsen::is_operation) {
        return Ok(Format::JepsenLog);
    }
    let mut lines = head.lines().map(str::trim_ascii_start);
    let Some(first) =
        lines.find(|line| !line.is_empty() && !line.starts_with([';', '#']) || is_edn_tag(line))
    else {
        let what = match head.lines().find(|line| line.starts_with('#')) {
            Some(_) => "there are only comments at its beginning",
            None => "there are no operations in it",
        };
        return Err(CheckError::Format { name: name.into(), what: what.into() });
    };
    let after_brace = first.strip_prefix('{').map(str::trim_start);
    if after_brace.is_some_and(|rest| rest.starts_with('"') || rest.starts_with('}')) {
        return Ok(Format::Jsonl);
    }
    let is_map = after_brace.is_some_and(|rest| rest.starts_with(':') || rest.is_empty());
    if is_map || first.starts_with(['[', '(']) || is_edn_tag(first) {
        let transactions = [":append ", ":r ", ":w "].iter().any(|op| head.contains(&format!("[[{op}")));
        return Ok(if transactions { Format::Elle } else { Format::Edn });
    }
    if first.split('\t').count() == tsv::COLUMNS {
        return Ok(Format::Tsv);
    }
    let known = "history.jsonl, binary columns, Jepsen log, EDN maps, tab-separated operations";
    let what = format!("not a history in a known format ({known})");
    Err(CheckError::Format { name: name.into(), what })
}

/// `#jepsen.history.Op{:index 0 ...}`, and no comment as tab-separated files have them.
fn is_edn_tag(line: &str) -> bool {
    let tag =
        line.strip_prefix('#').map(|rest| rest.trim_start_matches(|c: char| !c.is_whitespace() && c != '{'));
    tag.is_some_and(|rest| rest.starts_with('{'))
        && line.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content() {
        let is = |text: &str| detect("x", text.as_bytes()).unwrap();
        assert_eq!(is("{\"index\":0,\"time\":1}"), Format::Jsonl);
        assert_eq!(is("junk\nINFO  jepsen.util - 0\t:invoke\t:read\tnil\n"), Format::JepsenLog);
        assert_eq!(is("; knossos\n[{:process 0, :type :invoke}"), Format::Edn);
        assert_eq!(is("({:process 0, :type :invoke}"), Format::Edn);
        assert_eq!(is("{:process 0, :type :invoke}"), Format::Edn);
        assert_eq!(is("#jepsen.history.Op{:index 0, :type :invoke}"), Format::Edn);
        assert_eq!(is("{:type :invoke, :f :txn, :value [[:append 3 1]]}"), Format::Elle);
        assert_eq!(is("{:type :invoke, :f :txn, :value [[:read :x nil]]}"), Format::Edn);
        assert_eq!(is("# model=reg\n0\tk0\tread\t\t\t1\t2\tok\tnil\t0\n"), Format::Tsv);
    }

    #[test]
    fn what_is_none_is_refused() {
        let error = |text: &str| detect("x", text.as_bytes()).unwrap_err().to_string();
        assert!(error("hello world").starts_with("x: not a history in a known"));
        assert!(error("\n\n").contains("no operations"));
        assert!(error("# model=reg\n").contains("only comments"));
        assert_eq!(detect("x", &columns::MAGIC).unwrap(), Format::Columns);
    }
}
