//! How numbers are written for people: in one place, so that a column never mixes units.

/// A duration of ns as ms with one digit: `1012.3 ms`.
pub(crate) fn ms_of_ns(ns: u64) -> String {
    format!("{} ms", bare_ms_of_ns(ns))
}

/// A duration of ns as ms with one digit and without its unit: `1012.3`.
pub(crate) fn bare_ms_of_ns(ns: u64) -> String {
    bare_ms(ns_to_ms(ns))
}

/// ms with as many digits as tell something: `1012`, `12.3`, `0.42`, `0`.
pub(crate) fn bare_ms(ms: f64) -> String {
    if ms >= 1_000.0 || ms <= 0.0 {
        format!("{ms:.0}")
    } else if ms >= 1.0 {
        format!("{ms:.1}")
    } else {
        format!("{ms:.2}")
    }
}

/// A moment or duration of ns as seconds with two digits and without its unit: `12.34`.
pub(crate) fn bare_s_of_ns(ns: u64) -> String {
    format!("{:.2}", ns_to_ms(ns) / 1_000.0)
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
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is small and not negative"
)]
pub(crate) fn rate(per_second: f64) -> String {
    format!("{}/s", count(per_second.round() as u64))
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
        assert_eq!(ms_of_ns(1_012_345_678), "1012 ms");
        assert_eq!(bare_ms_of_ns(12_345_678), "12.3");
        assert_eq!((bare_ms_of_ns(420_000).as_str(), bare_ms_of_ns(0).as_str()), ("0.42", "0"));
        assert_eq!(bare_s_of_ns(12_344_999_999), "12.34");
    }

    #[test]
    fn counts_and_rates() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(rate(12_345.4), "12,345/s");
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
    fn the_highest_bar_is_full_and_nothing_is_a_dot() {
        assert_eq!(bars(&[0, 1, 4, 8]), "·▁▄█");
        assert_eq!(bars(&[0, 0]), "··");
        assert_eq!(bars(&[1_000, 1]), "█▁");
    }
}
