//! One check of a whole history: every key decided within the budgets, verdicts merged, violations
//! explained. What a key's operations mean is behind `KeyCheck`.

use std::time::Instant;

use serde::Serialize;

use crate::history::{Call, History};
use crate::linear::{Answer, Failure, Limits, Memory};
use crate::partition;
use crate::stats::{Stats, stats};
use crate::{CoreOp, Counterexample, Options, Verdict};

/// Which method decided a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The near-linear method for unique values.
    Blocks,
    /// The general search.
    Search,
}

/// The verdict on one key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyResult {
    /// The key; empty when the history has a single object.
    pub key: String,
    /// Its verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Calls that took part (failed ones do not).
    pub calls: u64,
    /// Which method decided.
    pub method: Method,
    /// If valid: an order that explains every result, as `index` of the invocations. Verified.
    #[serde(skip)]
    pub witness: Vec<u64>,
}

/// What a check of a whole history found.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// The worst over all keys; *unknown* when no operation succeeded.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The verdict on each key, by key.
    pub keys: Vec<KeyResult>,
    /// The earliest violation, if there is one.
    pub counterexample: Option<Counterexample>,
    /// Violations of further keys, in the order in which they happened, up to
    /// [`Options::max_counterexamples`] in all.
    pub more_counterexamples: Vec<Counterexample>,
    /// What the history exercised.
    pub stats: Stats,
}

/// An answer, and which method gave it. Operations are indices into the key's calls.
#[derive(Debug)]
pub(crate) struct Solved {
    pub(crate) answer: Answer,
    pub(crate) method: Method,
    /// Where it fails; there if the answer is *invalid*.
    pub(crate) failure: Option<Failure>,
}

/// One key's calls, ready to be decided.
pub(crate) trait KeyCheck: Sync {
    /// The key.
    fn key(&self) -> &str;

    /// Its calls, but for those that say nothing.
    fn calls(&self) -> &[&Call];

    /// Decides within limits.
    fn decide(&self, limits: &Limits<'_>) -> Solved;

    /// Explains a failure.
    fn counterexample(&self, failure: &Failure, timed: bool, options: &Options) -> Counterexample;
}

/// Configurations a key may use before every key had its turn: one hard key must not keep the others
/// from being found invalid.
const FIRST_TURN_CONFIGS: u64 = 200_000;

/// Operations of the longest linearizable prefix that a counterexample quotes.
const PREFIX_TAIL: usize = 10;

/// Decides all keys and merges.
pub(crate) fn check_keys(history: &History, problems: &[impl KeyCheck], options: &Options) -> Checked {
    let decided = decide_all(problems, options);
    let stats = stats(history);
    let keys: Vec<KeyResult> = problems.iter().zip(&decided).map(|(p, d)| key_result(p, d)).collect();
    let mut counterexamples = counterexamples(problems, &decided, history.timed, options).into_iter();
    let counterexample = counterexamples.next();
    let mut verdict = match &counterexample {
        Some(found) => Verdict::Invalid(found.sentence()),
        None => Verdict::Valid,
    };
    for key in &keys {
        verdict = verdict.merge(key.verdict.clone());
    }
    if stats.counts.total().ok == 0 {
        verdict = verdict.merge(Verdict::Unknown("no operation succeeded: nothing was checked".into()));
    }
    Checked { verdict, keys, counterexample, more_counterexamples: counterexamples.collect(), stats }
}

/// Two turns: a short one for every key, then what is left of the time for those still open.
fn decide_all(problems: &[impl KeyCheck], options: &Options) -> Vec<Solved> {
    let deadline = Instant::now().checked_add(options.time_limit);
    let memory = Memory::new(options.max_bytes);
    let limits = |max_configs| Limits { deadline, max_configs, memory: &memory };
    let first = limits(options.max_configs.min(FIRST_TURN_CONFIGS));
    let mut decided = partition::map(problems, options.threads, |problem| problem.decide(&first));
    if options.max_configs > first.max_configs {
        let open = |solved: &Solved| matches!(solved.answer, Answer::Unknown { .. });
        let hard: Vec<usize> = (0..problems.len()).filter(|&at| open(&decided[at])).collect();
        let second = limits(options.max_configs);
        let again = partition::map(&hard, options.threads, |&at| problems[at].decide(&second));
        for (at, result) in hard.into_iter().zip(again) {
            decided[at] = result;
        }
    }
    decided
}

fn key_result(problem: &impl KeyCheck, solved: &Solved) -> KeyResult {
    let calls = problem.calls();
    let (verdict, witness) = match &solved.answer {
        Answer::Valid { witness } => {
            (Verdict::Valid, witness.iter().map(|&id| calls[id].index_invoke).collect())
        }
        Answer::Invalid => {
            let why = solved.failure.as_ref().map_or_else(String::new, |failure| {
                let call = calls[failure.op];
                let what = CoreOp::new(call, false).action();
                format!("no order explains {what} (#{}) and what returned before", call.index_invoke)
            });
            (Verdict::Invalid(why), Vec::new())
        }
        Answer::Unknown { reason } => {
            let on_key =
                if problem.key().is_empty() { String::new() } else { format!("key {}: ", problem.key()) };
            (Verdict::Unknown(format!("{on_key}{reason}")), Vec::new())
        }
    };
    KeyResult {
        key: problem.key().to_owned(),
        verdict,
        calls: calls.len() as u64,
        method: solved.method,
        witness,
    }
}

fn counterexamples(
    problems: &[impl KeyCheck],
    decided: &[Solved],
    timed: bool,
    options: &Options,
) -> Vec<Counterexample> {
    let mut failures: Vec<(usize, &Failure)> = Vec::new();
    for (at, solved) in decided.iter().enumerate() {
        failures.extend(solved.failure.as_ref().map(|failure| (at, failure)));
    }
    failures.sort_by_key(|&(at, failure)| problems[at].calls()[failure.op].ret);
    failures.truncate(options.max_counterexamples.max(1));
    failures.iter().map(|&(at, failure)| problems[at].counterexample(failure, timed, options)).collect()
}

/// Operations that a counterexample shows: more are no explanation.
const SHOWN_OPS: usize = 12;

/// What was explained of a failure: class, sentence, operations (indices into the calls), minimality.
pub(crate) struct Explained {
    pub(crate) class: crate::Class,
    pub(crate) why: String,
    pub(crate) core: Vec<usize>,
    pub(crate) minimal: bool,
}

/// A counterexample from its parts.
pub(crate) fn counterexample(
    problem: &impl KeyCheck,
    failure: &Failure,
    explained: Explained,
    timed: bool,
) -> Counterexample {
    let calls = problem.calls();
    let failing = calls[failure.op];
    let tail = failure.prefix.len().saturating_sub(PREFIX_TAIL);
    let mut shown = explained.core;
    // The last ones called are nearest to the failure.
    shown.sort_unstable_by_key(|&id| calls[id].call);
    let left_out = shown.len().saturating_sub(SHOWN_OPS);
    Counterexample {
        key: problem.key().to_owned(),
        class: explained.class,
        why: explained.why,
        ops: shown[left_out..].iter().map(|&id| CoreOp::new(calls[id], timed)).collect(),
        ops_left_out: left_out as u64,
        prefix_ops: failure.prefix.len() as u64,
        first_bad_index: failing.index_complete.unwrap_or(failing.index_invoke),
        prefix_tail: failure.prefix[tail..].iter().map(|&id| calls[id].index_invoke).collect(),
        minimal: explained.minimal,
    }
}
