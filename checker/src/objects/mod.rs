//! What a history is about: for each type of object, how the calls on one key become a problem for a monitor or
//! the engine, and how what they find is explained.

pub(crate) mod counter;
mod function;
pub(crate) mod kv;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod queue;
pub(crate) mod register;
pub(crate) mod set;
pub(crate) mod small;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::check::Key;
use crate::history::{Call, History, Shape, Val};
use crate::{CheckError, LinOp, partition};

pub(crate) use function::{Function, Functions};

/// Why a call is no operation of a model.
#[derive(Debug)]
pub(crate) enum ActionError {
    /// The model has no such operation: what it did to the object is not known.
    Unknown(String),
    /// The operation exists, but not with such a value: the history is malformed.
    Shape(String),
}

/// The problem of one key: its calls that say something, with what they did.
type Problem<A> = (Vec<u32>, Vec<LinOp<A>>);

/// Why a key cannot be checked.
pub(crate) enum KeyError {
    /// The history is malformed.
    Malformed(CheckError),
    /// It holds something the model does not have.
    Unknown(String),
}

/// Makes the problem of one key; `action` gives `None` for calls that say nothing.
#[inline]
fn problem<'h, A>(
    history: &'h History,
    mut calls: Vec<u32>,
    functions: &Functions,
    mut action: impl FnMut(Function, Call<'h>) -> Result<Option<A>, ActionError>,
) -> Result<Problem<A>, KeyError> {
    let mut ops = Vec::with_capacity(calls.len());
    for at in 0..calls.len() {
        let id = calls[at];
        let (function, call) = (functions.get(history, id), history.call(id));
        if function == Function::SYNC {
            continue;
        }
        match action(function, call) {
            Ok(None) => {}
            Ok(Some(action)) => {
                // Kept calls move to the front, over those that say nothing.
                calls[ops.len()] = id;
                ops.push(LinOp { call: call.call(), ret: call.ret(), action });
            }
            Err(ActionError::Shape(what)) => {
                return Err(KeyError::Malformed(CheckError::Shape { index: call.index_invoke(), what }));
            }
            Err(ActionError::Unknown(what)) => {
                return Err(KeyError::Unknown(format!("index {}: {what}", call.index_invoke())));
            }
        }
    }
    calls.truncate(ops.len());
    Ok((calls, ops))
}

/// The objects of all keys. A key with an operation that the model does not have stays *unknown*.
fn keys<'h, O>(
    history: &'h History,
    mut object: impl FnMut(&Functions, Vec<u32>) -> Result<(Vec<u32>, O), KeyError>,
) -> Result<Vec<Key<'h, O>>, CheckError> {
    let (functions, mut keys) = (Functions::of(history), Vec::new());
    for (name, calls) in partition::by_key(history) {
        let name = Cow::Borrowed(name);
        keys.push(match object(&functions, calls) {
            Ok((calls, object)) => Key { name, calls, object: Ok(object) },
            Err(KeyError::Unknown(why)) => Key { name, calls: Vec::new(), object: Err(why) },
            Err(KeyError::Malformed(error)) => return Err(error),
        });
    }
    Ok(keys)
}

/// The ids of what a read of a whole list or set returned.
fn items(call: Call<'_>) -> Result<impl Iterator<Item = u32>, ActionError> {
    let values = &call.history().values;
    let output = call.output().unwrap_or_default();
    let (items, pair) = match values.shape(output) {
        Shape::List(items) => (items, None),
        Shape::Pair(first, second) => (&[][..], Some([first, second])),
        Shape::Nil => (&[][..], None),
        Shape::Int(_) | Shape::Bool(_) | Shape::Text(_) | Shape::Other(_) => {
            let found = values.display(output);
            return Err(ActionError::Shape(format!("a read returns a list of elements, not {found}")));
        }
    };
    Ok(items.iter().copied().chain(pair.into_iter().flatten()).map(Val::id))
}
