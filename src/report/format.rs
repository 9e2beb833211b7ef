//! How numbers are written for people: in one place, so that a column never mixes units.

/// A duration of ns in prose, from a second on in seconds: `1.42 s`, `12.3 ms`.
pub(crate) fn duration(ns: u64) -> String {
    if ns >= 1_000_000_000 { format!("{} s", bare_s_of_ns(ns)) } else { format!("{} ms", bare_ms_of_ns(ns)) }
}

/// A duration of ns as ms without its unit, for columns: `1,012`, `12.3`.
pub(crate) fn bare_ms_of_ns(ns: u64) -> String {
    bare_ms(ns_to_ms(ns))
}

/// ms with as many digits as tell something: `1,012`, `12.3`, `0.42`, `0`.
pub(crate) fn bare_ms(ms: f64) -> String {
    if ms >= 1_000.0 || ms <= 0.0 {
        whole(ms)
    } else if ms >= 1.0 {
        format!("{ms:.1}")
    } else {
        format!("{ms:.2}")
    }
}

/// A moment or duration of ns as seconds with two digits and without its unit: `12.34`, `1,234.56`.
pub(crate) fn bare_s_of_ns(ns: u64) -> String {
    let hundredths = ns.saturating_add(5_000_000) / 10_000_000;
    format!("{}.{:02}", count(hundredths / 100), hundredths % 100)
}

/// A duration of ms in seconds without needless digits: `30 s`, `0.5 s`.
pub(crate) fn seconds_of_ms(ms: u64) -> String {
    let fraction = format!("{:03}", ms % 1_000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction} s", count(ms / 1_000))
}

/// ns as ms.
#[expect(clippy::cast_precision_loss, reason = "a run is far shorter than 2^53 ns")]
pub(crate) fn ns_to_ms(ns: u64) -> f64 {
    ns as f64 / 1_000_000.0
}

/// How many per second. 0 when no time passed.
#[expect(clippy::cast_precision_loss, reason = "counts and times of a run are far below 2^53")]
pub(crate) fn per_second(count: u64, ns: u64) -> f64 {
    if ns == 0 { 0.0 } else { count as f64 * 1e9 / ns as f64 }
}

/// A count with its thousands apart: `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate with its thousands apart: `12,345/s`.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{}/s", whole(per_second))
}

/// A number without its fraction, with its thousands apart: `12,345`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and durations of a run are small and not negative"
)]
fn whole(number: f64) -> String {
    count(number.round() as u64)
}

/// Sets the thousands of what was counted apart in a sentence that others wrote: `927926 bytes` →
/// `927,926 bytes`.
pub(crate) fn bytes_apart(sentence: &str) -> String {
    let words: Vec<&str> = sentence.split(' ').collect();
    let written = words.iter().enumerate().map(|(place, word)| match word.parse::<u64>() {
        Ok(size) if matches!(words.get(place + 1), Some(&("bytes" | "messages" | "events"))) => count(size),
        Ok(_) | Err(_) => (*word).to_owned(),
    });
    written.collect::<Vec<_>>().join(" ")
}

/// Breaks a text between words into lines of at most `width`; a longer word stays whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("a line was there from the first");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Keeps every line within a width: a longer one goes on, a little more indented, in the next. A word that is
/// longer than a line is broken.
pub(crate) fn fold(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.chars().count() <= width {
            lines.push(line.to_owned());
            continue;
        }
        let indent = line.chars().take_while(|sign| *sign == ' ').count().min(width / 2);
        let (head, more) = (" ".repeat(indent), " ".repeat(indent + 2));
        let first = lines.len();
        for part in wrap(line, width - indent - 2) {
            let signs: Vec<char> = part.chars().collect();
            for piece in signs.chunks(width - indent - 2) {
                // The first of this line's parts stands where the line stood.
                let before = if lines.len() == first { &head } else { &more };
                lines.push(before.clone() + &piece.iter().collect::<String>());
            }
        }
    }
    lines.join("\n")
}

/// The first words of a text, so many that they fit; an ellipsis stands for the others.
pub(crate) fn first_words(text: &str, width: usize) -> String {
    let lines = wrap(text, width.saturating_sub(2));
    match lines.as_slice() {
        _ if text.chars().count() <= width => text.to_owned(),
        [first, ..] => cut(&format!("{first} …"), width),
        [] => String::new(),
    }
}

/// A line cut to a width, with an ellipsis for what was cut off.
pub(crate) fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).take(width).collect()
}

/// Counts as a row of blocks, the highest full; `·` for none.
pub(crate) fn bars(counts: &[u64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    let block = |&count: &u64| match count {
        0 => '·',
        count => {
            let eighth = usize::try_from((count * 8).div_ceil(highest)).unwrap_or(8);
            BLOCKS[eighth.clamp(1, 8) - 1]
        }
    };
    counts.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_moments() {
        assert_eq!((duration(1_012_345_678).as_str(), duration(12_345_678).as_str()), ("1.01 s", "12.3 ms"));
        assert_eq!(
            (bare_ms_of_ns(1_012_345_678).as_str(), bare_ms(999_999.6).as_str()),
            ("1,012", "1,000,000")
        );
        assert_eq!(bare_ms_of_ns(12_345_678), "12.3");
        assert_eq!((bare_ms_of_ns(420_000).as_str(), bare_ms_of_ns(0).as_str()), ("0.42", "0"));
        assert_eq!(bare_s_of_ns(12_344_999_999), "12.34");
        assert_eq!(bare_s_of_ns(1_234_565_000_000), "1,234.57");
        let spans = [30_000, 500, 1_250, 2_000_000].map(seconds_of_ms);
        assert_eq!(spans, ["30 s", "0.5 s", "1.25 s", "2,000 s"]);
    }

    #[test]
    fn counts_and_rates() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(rate(12_345.4), "12,345/s");
        assert_eq!(bytes_apart("927926 bytes on 6 of 10000 links"), "927,926 bytes on 6 of 10000 links");
        assert_eq!(bytes_apart("2891 messages held"), "2,891 messages held");
        assert!(per_second(5, 0).abs() < f64::EPSILON);
        assert!((per_second(5, 500_000_000) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn texts_wrap_between_words() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensibilities end", 5), ["incomprehensibilities", "end"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn long_lines_go_on_and_short_ones_stay() {
        assert_eq!(fold("a  b\n  one two three four", 12), "a  b\n  one two\n    three\n    four");
        assert_eq!(fold("abcdefghijkl", 8), "abcdef\n  ghijkl");
        assert_eq!(fold("", 8), "");
    }

    #[test]
    fn what_is_left_out_shows() {
        assert_eq!(first_words("one two three", 13), "one two three");
        assert_eq!(first_words("one two three", 12), "one two …");
        assert_eq!(first_words("incomprehensibilities", 6), "incom…");
        assert_eq!(
            (cut("abc", 3).as_str(), cut("abcd", 3).as_str(), cut("abcd", 0).as_str()),
            ("abc", "ab…", "")
        );
    }

    #[test]
    fn the_highest_bar_is_full_and_nothing_is_a_dot() {
        assert_eq!(bars(&[0, 1, 4, 8]), "·▁▄█");
        assert_eq!(bars(&[0, 0]), "··");
        assert_eq!(bars(&[1_000, 1]), "█▁");
    }
}
