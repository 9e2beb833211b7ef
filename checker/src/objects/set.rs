//! Sets: of whole-set reads (`add`, `remove`, `read`), or asked element by element (`add`, `remove`, `contains`).
//! One a key, initially empty.

use crate::check::{Checked, Key, Object, check_keys};
use crate::engine::{WitnessError, verify_replay};
use crate::history::{Call, History, Shape, Val};
use crate::model::{ElementAction, ElementMachine, Lists, SetAction, SetMachine};
use crate::objects::{ActionError, Function, Functions, KeyError, items};
use crate::{CheckError, Decision, LinOp, Options, monitors, partition};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Checks that each key of the history is linearizable as a set with `add`, `remove` and `read` of the whole set.
///
/// # Errors
/// When a read returned no list.
pub fn check_set(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let keys = super::keys(history, |functions, calls| {
        let mut lists = Lists::default();
        let (calls, ops) =
            super::problem(history, calls, functions, |function, call| action(function, call, &mut lists))?;
        Ok((calls, Set { ops, lists }))
    })?;
    Ok(check_keys(history, &keys, options))
}

/// Checks that each key of the history is linearizable as a set with `add`, `remove` and `contains`. Each element
/// is an object of its own (Herlihy and Wing's locality); its key is shown as `key[element]`.
///
/// # Errors
/// When a `contains` does not tell.
pub fn check_elements(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let (functions, mut keys) = (Functions::of(history), Vec::<Key<'_, Element>>::new());
    for (name, calls) in partition::by_key(history) {
        let mut elements: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for id in calls {
            elements.entry(element(history.call(id)).id()).or_default().push(id);
        }
        for (id, calls) in elements {
            let name = Cow::Owned(format!("{name}[{}]", history.values.display(Val::from_id(id))));
            keys.push(match super::problem(history, calls, &functions, element_action) {
                Ok((calls, ops)) => Key { name, calls, object: Ok(Element { ops }) },
                Err(KeyError::Unknown(why)) => Key { name, calls: Vec::new(), object: Err(why) },
                Err(KeyError::Malformed(error)) => return Err(error),
            });
        }
    }
    Ok(check_keys(history, &keys, options))
}

struct Set {
    ops: Vec<LinOp<SetAction>>,
    lists: Lists,
}

fn action(function: Function, call: Call<'_>, lists: &mut Lists) -> Result<Option<SetAction>, ActionError> {
    Ok(match function {
        Function::READ if !call.is_ok() => None,
        Function::READ => Some(SetAction::Read(lists.push(items(call)?))),
        Function::ADD => Some(SetAction::Add(call.input().id())),
        Function::REMOVE => Some(SetAction::Remove(call.input().id())),
        _ => {
            let why = format!("a set has add, remove and read, but no {:?}", call.f());
            return Err(ActionError::Unknown(why));
        }
    })
}

impl Object for Set {
    type Machine = SetMachine;

    fn ops(&self) -> &[LinOp<SetAction>] {
        &self.ops
    }

    fn machine(&self) -> SetMachine {
        SetMachine::new(&self.ops, &self.lists)
    }

    fn verify(&self, witness: &[u32]) -> Result<(), WitnessError> {
        let (mut members, mut scratch) = (BTreeSet::new(), Vec::new());
        verify_replay(&self.ops, witness, |action| match action {
            SetAction::Add(element) => {
                members.insert(element);
                true
            }
            SetAction::Remove(element) => {
                members.remove(&element);
                true
            }
            SetAction::Read(list) => {
                let mut seen = self.lists.get(list);
                if !seen.is_sorted_by(|a, b| a < b) {
                    scratch.clear();
                    scratch.extend_from_slice(seen);
                    scratch.sort_unstable();
                    scratch.dedup();
                    seen = &scratch;
                }
                seen.len() == members.len() && members.iter().eq(seen)
            }
        })
    }

    fn monitor(&self) -> Decision {
        monitors::set::decide(&self.ops, &self.lists)
    }
}

/// One element of a set.
struct Element {
    ops: Vec<LinOp<ElementAction>>,
}

/// The element a call is about: `contains` may complete with `[element, answer]`.
fn element(call: Call<'_>) -> Val {
    call.input()
}

fn element_action(function: Function, call: Call<'_>) -> Result<Option<ElementAction>, ActionError> {
    Ok(match function {
        Function::CONTAINS if !call.is_ok() => None,
        Function::CONTAINS => Some(ElementAction::Contains(answer(call)?)),
        Function::ADD => Some(ElementAction::Add),
        Function::REMOVE => Some(ElementAction::Remove),
        _ => {
            let why = format!("a set of elements has add, remove and contains, but no {:?}", call.f());
            return Err(ActionError::Unknown(why));
        }
    })
}

fn answer(call: Call<'_>) -> Result<bool, ActionError> {
    let values = &call.history().values;
    let output = call.output().unwrap_or_default();
    let answer = values.as_pair(output).map_or(output, |(_, answer)| answer);
    match values.shape(answer) {
        Shape::Bool(found) => Ok(found),
        Shape::Nil | Shape::Int(_) | Shape::Text(_) | Shape::List(_) | Shape::Pair(..) | Shape::Other(_) => {
            let found = values.display(output);
            Err(ActionError::Shape(format!("a contains completes with true or false, not {found}")))
        }
    }
}

impl Object for Element {
    type Machine = ElementMachine;

    fn ops(&self) -> &[LinOp<ElementAction>] {
        &self.ops
    }

    fn machine(&self) -> ElementMachine {
        ElementMachine
    }

    fn monitor(&self) -> Decision {
        monitors::set::decide_element(&self.ops)
    }
}

/// The object of a history without keys.
#[cfg(test)]
pub(super) fn tests_object(history: &History) -> Result<impl Object + use<>, KeyError> {
    let (calls, functions) = (history.ids().collect(), Functions::of(history));
    let mut lists = Lists::default();
    let (_, ops) =
        super::problem(history, calls, &functions, |function, call| action(function, call, &mut lists))?;
    Ok(Set { ops, lists })
}
