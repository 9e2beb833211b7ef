//! The three verdicts and how they merge. Not an error type: a harness failure is a
//! [`CheckError`](crate::CheckError), never a verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a check concluded. Worst wins when several are merged: valid < unknown < invalid.
///
/// As JSON: `{"verdict":"valid"}`, `{"verdict":"unknown","reason":"…"}`,
/// `{"verdict":"invalid","reason":"…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "lowercase")]
pub enum Verdict {
    /// The history kept the promise, and a witness for it was verified.
    Valid,
    /// Nothing was proven, for the reason given (a budget ran out, nothing was exercised).
    Unknown(String),
    /// The promise was broken, with one sentence that says how.
    Invalid(String),
}

impl Verdict {
    /// Merges two verdicts: the worse one wins, and of two equally bad ones the first.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }

    /// 0 valid, 1 unknown, 2 invalid: the order in which the worst wins (not an exit status).
    #[must_use]
    pub fn severity(&self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Unknown(_) => 1,
            Self::Invalid(_) => 2,
        }
    }

    /// `"valid"`, `"unknown"` or `"invalid"`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown(_) => "unknown",
            Self::Invalid(_) => "invalid",
        }
    }

    /// The reason of an unknown or invalid verdict.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Valid => None,
            Self::Unknown(reason) | Self::Invalid(reason) => Some(reason),
        }
    }

    /// True for [`Verdict::Valid`] only.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        matches!(self, Self::Valid)
    }

    /// True for [`Verdict::Invalid`] only.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            None => f.write_str(self.name()),
            Some(reason) => write!(f, "{}: {reason}", self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_wins() {
        let unknown = || Verdict::Unknown("budget".into());
        let invalid = || Verdict::Invalid("stale".into());
        assert_eq!(Verdict::Valid.merge(unknown()), unknown());
        assert_eq!(unknown().merge(invalid()), invalid());
        assert_eq!(invalid().merge(unknown()), invalid());
        assert_eq!(Verdict::Valid.merge(Verdict::Valid), Verdict::Valid);
    }

    #[test]
    fn json_shape_is_stable() {
        let json = |v: &Verdict| serde_json::to_string(v).unwrap();
        assert_eq!(json(&Verdict::Valid), r#"{"verdict":"valid"}"#);
        assert_eq!(json(&Verdict::Unknown("x".into())), r#"{"verdict":"unknown","reason":"x"}"#);
    }
}
