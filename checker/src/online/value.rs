//! Values as 64-bit words: a monitor compares them and keeps them for long, so they have to be small.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use serde_json::Value;

/// A value of the history. Integers below 2^61 stand for themselves; anything else is hashed (SipHash, 61 bits),
/// as an endless run leaves no room for a table of all values. Two values that a monitor holds at the same time
/// and that share a hash would be taken for one: at a million held at once the odds are 1 to 4 million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val(pub(super) u64);

/// Integers that stand for themselves are below this in magnitude.
const DIRECT: u64 = 1 << 61;
const NEGATIVE: u64 = 1 << 61;
const HASHED: u64 = 1 << 62;

impl Val {
    /// Null: what an object holds before anybody wrote to it.
    pub const NIL: Self = Self(u64::MAX);

    /// An integer.
    #[must_use]
    pub fn int(number: i64) -> Self {
        let size = number.unsigned_abs();
        match (size < DIRECT, number < 0) {
            (true, false) => Self(size),
            (true, true) => Self(NEGATIVE | size),
            (false, _) => Self::hashed(number),
        }
    }

    /// A JSON value; absent means null.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NIL,
            Value::Number(number) => number.as_i64().map_or_else(|| Self::hashed(number), Self::int),
            Value::String(text) => Self::hashed(text.as_str()),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Self::hashed(value),
        }
    }

    /// A non-negative integer that stands for itself. These compare as integers.
    pub(super) fn is_count(self) -> bool {
        self.0 < DIRECT
    }

    fn hashed(value: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Self(HASHED | (hasher.finish() & (DIRECT - 1)))
    }
}

impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0 & (DIRECT - 1);
        match self.0 {
            u64::MAX => f.write_str("nil"),
            word if word & HASHED != 0 => write!(f, "the value with hash {size:x}"),
            word if word & NEGATIVE != 0 => write!(f, "-{size}"),
            _ => write!(f, "{size}"),
        }
    }
}

/// A map from values (or other well spread words) that is fast and the same in every run. Whoever chooses the
/// values could slow it down, and slows down his own test.
pub(super) type WordMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<WordHasher>>;

/// One multiplication and a fold: enough for counters and hashes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WordHasher(u64);

impl WordHasher {
    fn mix(&mut self, word: u64) {
        let product = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.mix(u64::from(byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }

    fn write_i64(&mut self, word: i64) {
        self.mix(word.cast_unsigned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn different_values_are_different_words() {
        let values = [
            json!(null),
            json!(0),
            json!(1),
            json!(-1),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!("1"),
            json!("null"),
            json!([1]),
            json!(1.5),
            json!(false),
        ];
        let words: std::collections::HashSet<Val> = values.iter().map(Val::of).collect();
        assert_eq!(words.len(), values.len());
        assert_eq!(Val::of(&json!("a")), Val::of(&json!("a")));
        let shown: Vec<String> =
            [Val::NIL, Val::int(7), Val::int(-7)].iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["nil", "7", "-7"]);
    }
}
