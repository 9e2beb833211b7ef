//! The documented exit statuses: the one place that knows the numbers. Jepsen's, but a series of runs
//! ends with the worst verdict (Jepsen's `test-all` lets *unknown* hide *invalid*).

use checker::Verdict;
use std::process::ExitCode;

/// How the tool ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every promise that was checked was kept; also a command that has nothing to judge.
    Valid,
    /// A promise was broken.
    Invalid,
    /// Nothing was proven; the reason is printed.
    Unknown,
    /// What was asked makes no sense; one sentence says why.
    Usage,
    /// The tool itself could not do its work.
    Harness,
}

impl Exit {
    /// The process's exit status.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Unknown => 2,
            Self::Usage => 254,
            Self::Harness => 255,
        }
    }

    /// The status in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
            Self::Usage => "usage",
            Self::Harness => "harness failure",
        }
    }

    /// The worse of two: a proven violation outranks a failed run, which outranks an unproven one.
    pub(crate) fn worst(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Unknown => 1,
            Self::Usage => 2,
            Self::Harness => 3,
            Self::Invalid => 4,
        }
    }
}

impl From<&Verdict> for Exit {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Valid => Self::Valid,
            Verdict::Unknown(_) => Self::Unknown,
            Verdict::Invalid(_) => Self::Invalid,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// What was asked makes no sense. The message is one sentence that says what to do.
///
/// Travels inside `anyhow::Error`; whatever else arrives at the top is a harness failure.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// The exit status that an error at the top stands for.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    if error.chain().any(|cause| cause.is::<UsageError>()) { Exit::Usage } else { Exit::Harness }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn an_invalid_run_is_never_hidden() {
        for other in [Exit::Valid, Exit::Unknown, Exit::Usage, Exit::Harness] {
            assert_eq!(Exit::Invalid.worst(other), Exit::Invalid);
            assert_eq!(other.worst(Exit::Invalid), Exit::Invalid);
        }
        assert_eq!(Exit::Valid.worst(Exit::Unknown), Exit::Unknown);
        assert_eq!(Exit::Unknown.worst(Exit::Harness), Exit::Harness);
    }

    #[test]
    fn a_usage_error_stays_one_under_context() {
        let error = anyhow::Error::from(UsageError("no such run".into())).context("failed to check");
        assert_eq!(exit_of(&error), Exit::Usage);
        let io: Result<(), _> = Err(std::io::Error::other("disk"));
        assert_eq!(exit_of(&io.context("failed to store").unwrap_err()), Exit::Harness);
    }
}
