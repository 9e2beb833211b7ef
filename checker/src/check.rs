//! One check of a whole history: every key decided within the budgets, verdicts merged, violations
//! explained. What a key's operations mean is behind [`Object`].

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde::Serialize;

use crate::engine::{Answer, Failure, Limits, Memory, WitnessError, first_failure, search, verify_witness};
use crate::explain::{Explained, counterexample};
use crate::history::{History, Val};
use crate::model::Machine;
use crate::objects::small;
use crate::partition;
use crate::{Conflict, CoreOp, Counterexample, Decision, LinOp, Options, Verdict};

/// Which method decided a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The near-linear monitor of the type.
    Monitor,
    /// The general engine.
    Engine,
    /// The order of the server's stamps, replayed.
    Stamps,
    /// None: it could not be decided.
    None,
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
    /// If valid: an order that explains every result, as calls of the history. Verified.
    #[serde(skip)]
    pub witness: Vec<u32>,
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
}

impl Checked {
    /// All counterexamples, the earliest first.
    pub fn counterexamples(&self) -> impl Iterator<Item = &Counterexample> {
        self.counterexample.iter().chain(&self.more_counterexamples)
    }
}

/// One object, ready to be decided. Operations are indices into [`Object::ops`].
pub(crate) trait Object: Sync {
    /// What it does, as a state machine.
    type Machine: Machine;

    /// Its operations, in order of invocation.
    fn ops(&self) -> &[LinOp<<Self::Machine as Machine>::Action>];

    /// The model, in its initial state.
    fn machine(&self) -> Self::Machine;

    /// The stamps' order, if it explains everything.
    fn by_stamps(&self) -> Option<Vec<u32>> {
        None
    }

    /// The near-linear method of the type.
    fn monitor(&self) -> Decision {
        Decision::Open("there is no near-linear method for this type")
    }

    /// Makes sure that an order explains every outcome.
    fn verify(&self, witness: &[u32]) -> Result<(), WitnessError> {
        verify_witness(&mut self.machine(), self.ops(), witness)
    }

    /// The general engine, on so many threads if it can use them.
    fn engine(&self, limits: &Limits<'_>, _threads: usize) -> Answer {
        search(&mut self.machine(), self.ops(), limits)
    }

    /// The operation with whose return it certainly fails.
    fn locate(&self, failure: Option<Failure>, limits: &Limits<'_>) -> u32 {
        let bisected = || first_failure(self.ops(), |cut| search(&mut self.machine(), cut, limits));
        let op = failure.unwrap_or_else(bisected).op;
        u32::try_from(op).expect("a problem holds fewer than 2^32 operations")
    }

    /// Explains what the engine found. Where the type has a monitor, that knows why best; else it is made small.
    fn explain(&self, failing: u32, deadline: Instant) -> Explained {
        if let Decision::Invalid(conflict) = self.monitor() {
            return Explained { conflict, minimal: true, core: Vec::new() };
        }
        small::explain(|| self.machine(), self.ops(), failing, deadline)
    }

    /// What an interned value of a conflict's sentence looks like.
    fn value(&self, history: &History, id: u32) -> String {
        history.values.display(Val::from_id(id)).to_string()
    }
}

/// The object of one key, or why there is none.
pub(crate) struct Key<'a, O> {
    /// Its name.
    pub(crate) name: Cow<'a, str>,
    /// The call of each operation.
    pub(crate) calls: Vec<u32>,
    /// The object; an error is an operation that the model does not have.
    pub(crate) object: Result<O, String>,
}

/// How a key was decided.
struct Solved {
    answer: Solution,
    method: Method,
}

enum Solution {
    Valid(Vec<u32>),
    Conflict(Conflict),
    /// The operation with whose return it certainly fails.
    Fails(u32),
    Unknown(String),
}

/// Configurations a key may use before every key had its turn: one hard key must not keep the others
/// from being found invalid.
const FIRST_TURN_CONFIGS: u64 = 200_000;

/// Decides all keys and merges.
pub(crate) fn check_keys<O: Object>(history: &History, keys: &[Key<'_, O>], options: &Options) -> Checked {
    let mut decided = decide_all(keys, options);
    let counterexamples = counterexamples(history, keys, &decided, options);
    let results: Vec<KeyResult> =
        keys.iter().zip(&mut decided).map(|(key, solved)| key_result(history, key, solved)).collect();
    let mut counterexamples = counterexamples.into_iter();
    let counterexample = counterexamples.next();
    let mut verdict = match &counterexample {
        Some(found) => Verdict::Invalid(found.sentence()),
        None => Verdict::Valid,
    };
    for key in &results {
        verdict = verdict.merge(key.verdict.clone());
    }
    if history.counts.total().ok == 0 {
        verdict = verdict.merge(Verdict::Unknown("no operation succeeded: nothing was checked".into()));
    }
    Checked { verdict, keys: results, counterexample, more_counterexamples: counterexamples.collect() }
}

/// Two turns: a short one for every key, then what is left of the time for those still open. Keys go side by side; where
/// there are fewer of them than threads, each may use several.
fn decide_all<O: Object>(keys: &[Key<'_, O>], options: &Options) -> Vec<Solved> {
    let deadline = Instant::now().checked_add(options.time_limit);
    let memory = Memory::new(options.max_bytes);
    let limits = |max_configs| Limits { deadline, max_configs, memory: &memory };
    let each = |keys: usize| partition::threads_of(options.threads) / keys.max(1);
    let first = limits(options.max_configs.min(FIRST_TURN_CONFIGS));
    let threads = each(keys.len());
    let mut decided = partition::map(keys, options.threads, |key| guarded(key, options, &first, threads));
    if options.max_configs > first.max_configs {
        let open = |solved: &Solved| matches!(solved.answer, Solution::Unknown(_));
        let hard: Vec<usize> = (0..keys.len()).filter(|&at| open(&decided[at])).collect();
        let (second, threads) = (limits(options.max_configs), each(hard.len()));
        let again =
            partition::map(&hard, options.threads, |&at| guarded(&keys[at], options, &second, threads));
        for (at, result) in hard.into_iter().zip(again) {
            decided[at] = result;
        }
    }
    decided
}

/// A checker that panics has proven nothing.
fn guarded<O: Object>(key: &Key<'_, O>, options: &Options, limits: &Limits<'_>, threads: usize) -> Solved {
    let unknown = |why: String| Solved { answer: Solution::Unknown(why), method: Method::None };
    let object = match &key.object {
        Ok(object) => object,
        Err(why) => return unknown(why.clone()),
    };
    catch_unwind(AssertUnwindSafe(|| solve(object, options, limits, threads))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        unknown(format!("the checker panicked ({said}); please report this"))
    })
}

/// The monitor, then the stamps, then the engine. Every *valid* is verified before it is believed.
fn solve<O: Object>(object: &O, options: &Options, limits: &Limits<'_>, threads: usize) -> Solved {
    let methods = options.methods;
    let verified = |witness: &[u32]| object.verify(witness);
    if methods.monitor {
        match object.monitor() {
            Decision::Valid(witness) => match verified(&witness) {
                Ok(()) => return Solved { answer: Solution::Valid(witness), method: Method::Monitor },
                // Without proof it is not believed: the engine decides.
                Err(wrong) => debug_assert!(false, "the monitor's order does not explain all: {wrong}"),
            },
            Decision::Invalid(conflict) => {
                return Solved { answer: Solution::Conflict(conflict), method: Method::Monitor };
            }
            Decision::Open(_) => {}
        }
    }
    if methods.stamps
        && let Some(witness) = object.by_stamps()
        && verified(&witness).is_ok()
    {
        return Solved { answer: Solution::Valid(witness), method: Method::Stamps };
    }
    if !methods.engine {
        let why = "the methods that were asked for leave it open".to_owned();
        return Solved { answer: Solution::Unknown(why), method: Method::None };
    }
    let answer = match object.engine(limits, threads) {
        Answer::Valid { witness } => match verified(&witness) {
            Ok(()) => Solution::Valid(witness),
            Err(e) => Solution::Unknown(format!("the checker contradicts itself ({e}); please report this")),
        },
        Answer::Invalid { failure } => Solution::Fails(object.locate(failure, limits)),
        Answer::Unknown { reason } => Solution::Unknown(reason),
    };
    Solved { answer, method: Method::Engine }
}

fn key_result<O>(history: &History, key: &Key<'_, O>, solved: &mut Solved) -> KeyResult {
    let (verdict, witness) = match &mut solved.answer {
        Solution::Valid(witness) => {
            witness.iter_mut().for_each(|op| *op = key.calls[*op as usize]);
            (Verdict::Valid, std::mem::take(witness))
        }
        Solution::Conflict(conflict) => {
            let named = conflict
                .ops
                .iter()
                .map(|&op| format!("#{}", history.call(key.calls[op as usize]).index_invoke()));
            let why = format!("{}: {}", conflict.class, named.collect::<Vec<_>>().join(", "));
            (Verdict::Invalid(why), Vec::new())
        }
        Solution::Fails(failing) => {
            let call = history.call(key.calls[*failing as usize]);
            let what = CoreOp::new(call).action();
            let why = format!("no order explains {what} (#{}) and what returned before", call.index_invoke());
            (Verdict::Invalid(why), Vec::new())
        }
        Solution::Unknown(reason) => {
            let on_key = if key.name.is_empty() { String::new() } else { format!("key {}: ", key.name) };
            (Verdict::Unknown(format!("{on_key}{reason}")), Vec::new())
        }
    };
    KeyResult {
        key: key.name.to_string(),
        verdict,
        calls: key.calls.len() as u64,
        method: solved.method,
        witness,
    }
}

/// The violations, the earliest first: by the return with which each is complete.
fn counterexamples<O: Object>(
    history: &History,
    keys: &[Key<'_, O>],
    decided: &[Solved],
    options: &Options,
) -> Vec<Counterexample> {
    let mut failures = Vec::new();
    for (key, solved) in keys.iter().zip(decided) {
        let Ok(object) = &key.object else { continue };
        let ret = |op: u32| object.ops()[op as usize].ret;
        let returns = |ops: &[u32]| ops.iter().map(|&op| ret(op)).filter(|&ret| ret != crate::NEVER).max();
        match &solved.answer {
            Solution::Conflict(conflict) => {
                failures.push((returns(&conflict.ops).unwrap_or(0), key, object, solved))
            }
            Solution::Fails(failing) => failures.push((ret(*failing), key, object, solved)),
            Solution::Valid(_) | Solution::Unknown(_) => {}
        }
    }
    failures.sort_by_key(|&(ret, ..)| ret);
    failures.truncate(options.max_counterexamples);
    let explained = failures.into_iter().map(|(_, key, object, solved)| {
        let explained = match &solved.answer {
            Solution::Conflict(conflict) => {
                Explained { conflict: conflict.clone(), minimal: true, core: Vec::new() }
            }
            Solution::Fails(failing) => object.explain(*failing, Instant::now() + options.shrink_limit),
            Solution::Valid(_) | Solution::Unknown(_) => unreachable!("only failures were collected"),
        };
        counterexample(history, key, object, &explained)
    });
    explained.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Op, OpType, Process};
    use crate::model::{RegAction, RegMachine};

    /// A register whose monitor is broken in one of two ways.
    struct Broken {
        ops: Vec<LinOp<RegAction>>,
        panics: bool,
    }

    impl Object for Broken {
        type Machine = RegMachine;

        fn ops(&self) -> &[LinOp<RegAction>] {
            &self.ops
        }

        fn machine(&self) -> RegMachine {
            RegMachine
        }

        fn monitor(&self) -> Decision {
            assert!(!self.panics, "the monitor is broken");
            Decision::Open("")
        }
    }

    fn check(panics: bool, methods: crate::Methods) -> Verdict {
        let line = |index, op_type| Op::new(index, index, Process::Client(0), op_type, "write");
        let history = History::from_ops(vec![line(0, OpType::Invoke), line(1, OpType::Ok)]).unwrap();
        let ops = vec![LinOp { call: 2, ret: 4, action: RegAction::Write(1) }];
        let key = Key { name: "k".into(), calls: vec![0], object: Ok(Broken { ops, panics }) };
        check_keys(&history, &[key], &Options { methods, ..Options::default() }).verdict
    }

    #[test]
    fn a_method_that_panics_has_proven_nothing() {
        let verdict = check(true, crate::Methods::ALL);
        let why = "key k: the checker panicked (the monitor is broken); please report this";
        assert_eq!(verdict, Verdict::Unknown(why.to_owned()));
        assert_eq!(check(false, crate::Methods::ALL), Verdict::Valid);
    }

    #[test]
    fn what_the_methods_asked_for_leave_open_is_unknown() {
        let verdict = check(false, crate::Methods { engine: false, ..crate::Methods::ALL });
        assert_eq!(verdict.name(), "unknown", "{verdict}");
    }
}
