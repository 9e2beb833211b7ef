//! The string store check: every key must be linearizable under get, put and append.

use std::time::Instant;

use crate::check::{Checked, Explained, KeyCheck, Method, Solved, check_keys, counterexample};
use crate::history::{Call, History};
use crate::linear::{Answer, Failure, Limits, LinOp, Memory, first_failure, search, verify_witness};
use crate::model::{KvAction, KvMachine};
use crate::{CheckError, Class, CoreOp, Counterexample, Options, partition};

/// Checks that each key of the history is linearizable as a string with `get`, `put` and `append`,
/// initially empty.
///
/// # Errors
/// When an operation is none of these or its value is no string.
pub fn check_kv(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let mut keys = Vec::new();
    for (key, mut calls) in partition::by_key(&history.calls) {
        KvProblem::new(&mut calls)?;
        keys.push(KvKey { key, calls });
    }
    Ok(check_keys(history, &keys, options))
}

/// One key; its problem is built where it is decided, because machines do not cross threads.
struct KvKey<'a> {
    key: &'a str,
    calls: Vec<&'a Call>,
}

impl KvKey<'_> {
    /// A get without the text of an append that had returned: proof where nothing but appends changes
    /// the key.
    fn missing_append(&self, failure: &Failure, timed: bool) -> Option<(Class, String)> {
        let get = self.calls[failure.op];
        let result = get.output.as_ref().filter(|_| get.f == "get")?.as_str()?;
        let text = |call: &Call| call.input.as_str().unwrap_or("").to_owned();
        if self.calls.iter().any(|call| call.f == "put") {
            return None;
        }
        let missing = self.calls.iter().find(|call| {
            call.f == "append" && call.ret.is_some_and(|ret| ret < get.call) && !result.contains(&text(call))
        })?;
        let shown = |call: &Call| {
            call.output
                .as_ref()
                .and_then(|output| output.as_str())
                .is_some_and(|o| o.contains(&text(missing)))
        };
        let seen = self.calls.iter().any(|call| call.f == "get" && shown(call));
        let why = format!(
            "{} (#{}) returned before {} (#{}) was called, whose result lacks it",
            CoreOp::new(missing, timed).action(),
            missing.index_invoke,
            CoreOp::new(get, timed).action(),
            get.index_invoke
        );
        Some((if seen { Class::StaleRead } else { Class::LostUpdate }, why))
    }

    fn no_place(&self, failure: &Failure, operations: usize, timed: bool) -> (Class, String) {
        let failing = self.calls[failure.op];
        let why = format!(
            "no order of these {operations} operations explains every result; what returned before {} (#{}) fits one",
            CoreOp::new(failing, timed).action(),
            failing.index_invoke
        );
        (Class::Other, why)
    }

    fn problem(&self) -> KvProblem {
        KvProblem::new(&mut self.calls.clone()).expect("the same calls were accepted before")
    }
}

impl KeyCheck for KvKey<'_> {
    fn key(&self) -> &str {
        self.key
    }

    fn calls(&self) -> &[&Call] {
        &self.calls
    }

    fn decide(&self, limits: &Limits<'_>) -> Solved {
        let mut problem = self.problem();
        let answer = problem.solve(limits);
        let failure = (answer == Answer::Invalid).then(|| {
            let KvProblem { machine, ops } = &mut problem;
            first_failure(ops, |cut| search(machine, cut, limits))
        });
        Solved { answer, method: Method::Search, failure }
    }

    fn counterexample(&self, failure: &Failure, timed: bool, options: &Options) -> Counterexample {
        let deadline = Instant::now() + options.shrink_limit;
        let memory = Memory::new(256 << 20);
        let limits = Limits { deadline: Some(deadline), max_configs: 20_000, memory: &memory };
        let (core, minimal) = self.problem().shrink(failure, &limits, deadline);
        let (class, why) =
            self.missing_append(failure, timed).unwrap_or_else(|| self.no_place(failure, core.len(), timed));
        counterexample(self, failure, Explained { class, why, core, minimal }, timed)
    }
}

/// One key's operations and the machine that interned their strings.
struct KvProblem {
    machine: KvMachine,
    ops: Vec<LinOp<KvAction>>,
}

impl KvProblem {
    /// Interns the calls of one key; calls that say nothing are left out, and `calls` shrinks with them.
    fn new(calls: &mut Vec<&Call>) -> Result<Self, CheckError> {
        let mut problem = Self { machine: KvMachine::default(), ops: Vec::new() };
        let mut kept = Vec::new();
        for &call in &*calls {
            if let Some(action) = action(call, &mut problem.machine)? {
                problem.ops.push(LinOp { call: call.call, ret: call.ret, action });
                kept.push(call);
            }
        }
        *calls = kept;
        Ok(problem)
    }

    /// Searches; a witness was verified.
    fn solve(&mut self, limits: &Limits<'_>) -> Answer {
        let answer = search(&mut self.machine, &self.ops, limits);
        let Answer::Valid { witness } = &answer else { return answer };
        match verify_witness(&mut self.machine, &self.ops, witness) {
            Ok(()) => answer,
            Err(e) => Answer::Unknown {
                reason: format!("the checker contradicts itself ({e}); please report this"),
            },
        }
    }

    /// A window that is invalid on its own: cut after the failing return, and as many gets dropped as
    /// may be (a get changes nothing, so what is invalid without it is invalid with it). Also says
    /// whether the time sufficed to try them all.
    fn shrink(&mut self, failure: &Failure, limits: &Limits<'_>, deadline: Instant) -> (Vec<usize>, bool) {
        let end = self.ops[failure.op].ret.unwrap_or(u64::MAX);
        let mut core: Vec<usize> = (0..self.ops.len()).filter(|&id| self.ops[id].call < end).collect();
        let mut chunk = core.len();
        while chunk > 0 {
            let mut at = core.len();
            while at > 0 {
                if Instant::now() >= deadline {
                    return (core, false);
                }
                let start = at.saturating_sub(chunk);
                let is_get = |id: usize| matches!(self.ops[id].action, KvAction::Get(_));
                let keep: Vec<usize> = core
                    .iter()
                    .enumerate()
                    .filter(|&(place, &id)| !((start..at).contains(&place) && is_get(id)))
                    .map(|(_, &id)| id)
                    .collect();
                if keep.len() < core.len() && self.is_invalid(&keep, end, limits) {
                    core = keep;
                }
                at = start.min(core.len());
            }
            chunk /= 2;
        }
        (core, true)
    }

    fn is_invalid(&mut self, ids: &[usize], end: u64, limits: &Limits<'_>) -> bool {
        let cut = |&id: &usize| {
            let op = self.ops[id];
            LinOp { ret: op.ret.filter(|&ret| ret <= end), ..op }
        };
        let ops: Vec<LinOp<KvAction>> = ids.iter().map(cut).collect();
        search(&mut self.machine, &ops, limits) == Answer::Invalid
    }
}

fn action(call: &Call, machine: &mut KvMachine) -> Result<Option<KvAction>, CheckError> {
    let shape = |what: String| CheckError::Shape { index: call.index_invoke, what };
    let text = |value: &serde_json::Value| {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| shape(format!("{} needs a string, not {value}", call.f)))
    };
    match call.f.as_str() {
        "get" if !call.is_ok() => Ok(None),
        "get" => match &call.output {
            None | Some(serde_json::Value::Null) => Ok(Some(KvAction::Get(machine.intern("")))),
            Some(value) => Ok(Some(KvAction::Get(machine.intern(&text(value)?)))),
        },
        "put" => Ok(Some(KvAction::Put(machine.intern(&text(&call.input)?)))),
        "append" => Ok(Some(KvAction::Append(machine.intern(&text(&call.input)?)))),
        other => Err(shape(format!("a string store has get, put and append, but no {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, seq::SliceRandom};
    use rand_chacha::ChaCha8Rng;

    /// Every order, with strings instead of ids.
    fn brute(ops: &[(u64, Option<u64>, char, &str)], done: u32, value: &str) -> bool {
        let todo = |id: usize| done & (1 << id) == 0;
        let left = || (0..ops.len()).filter(|&id| todo(id));
        if left().all(|id| ops[id].1.is_none()) {
            return true;
        }
        left().any(|id| {
            let (call, _, f, text) = ops[id];
            if left().any(|other| ops[other].1.is_some_and(|ret| ret < call)) {
                return false;
            }
            let next = match f {
                'g' if text == value => value.to_owned(),
                'g' => return false,
                'p' => text.to_owned(),
                _ => format!("{value}{text}"),
            };
            brute(ops, done | 1 << id, &next)
        })
    }

    #[test]
    fn agrees_with_brute_force() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let memory = Memory::new(1 << 30);
        let limits = Limits { deadline: None, max_configs: 1 << 20, memory: &memory };
        let texts = ["", "a", "b", "ab", "ba", "aba"];
        let mut verdicts = [0, 0];
        for _ in 0..10_000 {
            let n = rng.random_range(2..=6_usize);
            let mut order: Vec<u64> = (0..2 * n as u64).collect();
            let window = rng.random_range(2..=2 * n);
            order.chunks_mut(window).for_each(|chunk| chunk.shuffle(&mut rng));
            let ops: Vec<(u64, Option<u64>, char, &str)> = (0..n)
                .map(|id| {
                    let (a, b) = (order[2 * id], order[2 * id + 1]);
                    let f = ['g', 'p', 'a', 'a'][rng.random_range(0..4)];
                    let text = texts[rng.random_range(0..if f == 'g' { 6 } else { 3 })];
                    (a.min(b), (!rng.random_bool(0.2)).then_some(a.max(b)), f, text)
                })
                .collect();
            let mut machine = KvMachine::default();
            let lin: Vec<LinOp<KvAction>> = ops
                .iter()
                .map(|&(call, ret, f, text)| {
                    let id = machine.intern(text);
                    let action = match f {
                        'g' => KvAction::Get(id),
                        'p' => KvAction::Put(id),
                        _ => KvAction::Append(id),
                    };
                    LinOp { call, ret, action }
                })
                .collect();
            let expected = brute(&ops, 0, "");
            verdicts[usize::from(expected)] += 1;
            match search(&mut machine, &lin, &limits) {
                Answer::Valid { witness } => {
                    assert!(expected, "{ops:?}");
                    assert_eq!(verify_witness(&mut machine, &lin, &witness), Ok(()), "{ops:?}");
                }
                Answer::Invalid => assert!(!expected, "{ops:?}"),
                Answer::Unknown { reason } => panic!("{reason}: {ops:?}"),
            }
        }
        assert!(verdicts.iter().all(|&count| count > 1_000), "{verdicts:?}");
    }
}
