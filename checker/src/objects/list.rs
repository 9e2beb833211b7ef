//! Lists that are only appended to: `append` of an element and `read` of the whole list, one a key, initially
//! empty.

use crate::check::{Checked, Object, check_keys};
use crate::engine::{WitnessError, verify_replay};
use crate::history::{Call, History};
use crate::model::{ListAction, ListMachine, Lists};
use crate::objects::{ActionError, Function, items};
use crate::{CheckError, Decision, LinOp, Options, monitors};

/// Checks that each key of the history is linearizable as a list with `append` and `read`.
///
/// # Errors
/// When a read returned no list.
pub fn check_list(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let keys = super::keys(history, |functions, calls| {
        let mut lists = Lists::default();
        let (calls, ops) =
            super::problem(history, calls, functions, |function, call| action(function, call, &mut lists))?;
        Ok((calls, List { ops, lists }))
    })?;
    Ok(check_keys(history, &keys, options))
}

struct List {
    ops: Vec<LinOp<ListAction>>,
    lists: Lists,
}

fn action(function: Function, call: Call<'_>, lists: &mut Lists) -> Result<Option<ListAction>, ActionError> {
    Ok(match function {
        Function::READ if !call.is_ok() => None,
        Function::READ => Some(ListAction::Read(lists.push(items(call)?))),
        Function::APPEND => Some(ListAction::Append(call.input().id())),
        _ => {
            let why = format!("a list has append and read, but no {:?}", call.f());
            return Err(ActionError::Unknown(why));
        }
    })
}

impl Object for List {
    type Machine = ListMachine;

    fn ops(&self) -> &[LinOp<ListAction>] {
        &self.ops
    }

    fn machine(&self) -> ListMachine {
        ListMachine::new(&self.ops, &self.lists)
    }

    fn verify(&self, witness: &[u32]) -> Result<(), WitnessError> {
        let mut content = Vec::new();
        verify_replay(&self.ops, witness, |action| match action {
            ListAction::Append(element) => {
                content.push(element);
                true
            }
            ListAction::Read(list) => self.lists.get(list) == content,
        })
    }

    fn monitor(&self) -> Decision {
        monitors::list::decide(&self.ops, &self.lists)
    }
}

/// The object of a history without keys.
#[cfg(test)]
pub(super) fn tests_object(history: &History) -> Result<impl Object + use<>, super::KeyError> {
    let (calls, functions) = (history.ids().collect(), super::Functions::of(history));
    let mut lists = Lists::default();
    let (_, ops) =
        super::problem(history, calls, &functions, |function, call| action(function, call, &mut lists))?;
    Ok(List { ops, lists })
}
