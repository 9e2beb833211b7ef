//! Strings with `get`, `put` and `append`, one a key, initially empty.

use std::time::Instant;

use crate::check::{Checked, Key, Object, check_keys};
use crate::decision::sentence;
use crate::explain::Explained;
use crate::history::{Call, History, Shape};
use crate::model::{KvAction, KvMachine};
use crate::objects::{ActionError, Function, small};
use crate::{CheckError, Class, Conflict, LinOp, Options, Piece};

/// Checks that each key of the history is linearizable as a string with `get`, `put` and `append`,
/// initially empty.
///
/// # Errors
/// When a value is no string.
pub fn check_kv(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let keys: Vec<Key<'_, Strings<'_>>> = super::keys(history, |functions, calls| {
        let (mut machine, mut texts) = (KvMachine::default(), vec![""]);
        let (calls, ops) = super::problem(history, calls, functions, |function, call| {
            action(function, call, &mut |text| {
                let id = machine.intern(text);
                if id as usize == texts.len() {
                    texts.push(text);
                }
                id
            })
        })?;
        Ok((calls, Strings { texts, ops }))
    })?;
    Ok(check_keys(history, &keys, options))
}

/// One string.
struct Strings<'a> {
    /// Texts of the operations; ids are places.
    texts: Vec<&'a str>,
    ops: Vec<LinOp<KvAction>>,
}

fn action<'a>(
    function: Function,
    call: Call<'a>,
    intern: &mut impl FnMut(&'a str) -> u32,
) -> Result<Option<KvAction>, ActionError> {
    let values = &call.history().values;
    let text = |value| match values.shape(value) {
        Shape::Text(text) => Ok(text),
        Shape::Nil if call.f() == "get" => Ok(""),
        Shape::Nil | Shape::Int(_) | Shape::Bool(_) | Shape::List(_) | Shape::Pair(..) | Shape::Other(_) => {
            let found = values.display(value);
            Err(ActionError::Shape(format!("{} needs a string, not {found}", call.f())))
        }
    };
    Ok(match function {
        Function::GET if !call.is_ok() => None,
        Function::GET => Some(KvAction::Get(intern(text(call.output().unwrap_or_default())?))),
        Function::PUT => Some(KvAction::Put(intern(text(call.input())?))),
        Function::APPEND => Some(KvAction::Append(intern(text(call.input())?))),
        _ => {
            let why = format!("a string store has get, put and append, but no {:?}", call.f());
            return Err(ActionError::Unknown(why));
        }
    })
}

impl Object for Strings<'_> {
    type Machine = KvMachine;

    fn ops(&self) -> &[LinOp<KvAction>] {
        &self.ops
    }

    fn machine(&self) -> KvMachine {
        let mut machine = KvMachine::default();
        for text in &self.texts {
            machine.intern(text);
        }
        machine
    }

    fn explain(&self, failing: u32, deadline: Instant) -> Explained {
        let explained = small::explain(|| self.machine(), &self.ops, failing, deadline);
        match self.missing_append(failing) {
            Some((class, sentence)) => {
                Explained { conflict: Conflict { class, sentence, ..explained.conflict }, ..explained }
            }
            None => explained,
        }
    }

    fn value(&self, _: &History, id: u32) -> String {
        format!("{:?}", self.texts[id as usize])
    }
}

impl Strings<'_> {
    /// A get without the text of an append that had returned: proof where nothing but appends changes
    /// the key.
    fn missing_append(&self, failing: u32) -> Option<(Class, Vec<Piece>)> {
        let get = self.ops[failing as usize];
        let KvAction::Get(result) = get.action else { return None };
        if self.ops.iter().any(|op| matches!(op.action, KvAction::Put(_))) {
            return None;
        }
        let holds = |result: u32, text: u32| self.texts[result as usize].contains(self.texts[text as usize]);
        let appended = (0..).zip(&self.ops).filter_map(|(id, op)| match op.action {
            KvAction::Append(text) if op.precedes(&get) => Some((id, text)),
            KvAction::Append(_) | KvAction::Get(_) | KvAction::Put(_) => None,
        });
        let (missing, text) = appended.into_iter().find(|&(_, text)| !holds(result, text))?;
        let shows = |op: &LinOp<KvAction>| matches!(op.action, KvAction::Get(result) if holds(result, text));
        let class = if self.ops.iter().any(shows) { Class::StaleRead } else { Class::LostUpdate };
        let sentence = sentence![
            Piece::Returned(missing),
            " before ",
            Piece::Called(failing),
            ", whose result lacks it"
        ];
        Some((class, sentence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NEVER;
    use crate::engine::{Answer, Limits, Memory, search, verify_witness};
    use rand::{RngExt, SeedableRng, seq::SliceRandom};
    use rand_chacha::ChaCha8Rng;

    /// Every order, with strings instead of ids.
    fn brute(ops: &[(u32, u32, char, &str)], done: u32, value: &str) -> bool {
        let todo = |id: usize| done & (1 << id) == 0;
        let left = || (0..ops.len()).filter(|&id| todo(id));
        if left().all(|id| ops[id].1 == NEVER) {
            return true;
        }
        left().any(|id| {
            let (call, _, f, text) = ops[id];
            if left().any(|other| ops[other].1 < call) {
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
            let mut order: Vec<u32> = (0..2 * u32::try_from(n).unwrap()).collect();
            let window = rng.random_range(2..=2 * n);
            order.chunks_mut(window).for_each(|chunk| chunk.shuffle(&mut rng));
            let ops: Vec<(u32, u32, char, &str)> = (0..n)
                .map(|id| {
                    let (a, b) = (order[2 * id], order[2 * id + 1]);
                    let f = ['g', 'p', 'a', 'a'][rng.random_range(0..4)];
                    let text = texts[rng.random_range(0..if f == 'g' { 6 } else { 3 })];
                    (a.min(b), if rng.random_bool(0.2) { NEVER } else { a.max(b) }, f, text)
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
                Answer::Invalid { .. } => assert!(!expected, "{ops:?}"),
                Answer::Unknown { reason } => panic!("{reason}: {ops:?}"),
            }
        }
        assert!(verdicts.iter().all(|&count| count > 1_000), "{verdicts:?}");
    }
}
