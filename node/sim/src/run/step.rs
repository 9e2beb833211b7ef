//! One thing that is done in a run, and how it is written: `kill 3`, `w2: write r1 7`, `s1: sync-read 2`.

use crate::load::Deed;
use crate::world::Action;
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use workloads::{Effect, Invocation};

/// Something done.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// To the world.
    World(Action),
    /// A worker carries out an operation.
    Invoke(u16, Invocation),
    /// A worker prepares a key.
    Prepare(u16, Arc<str>),
    /// A session client does something.
    Session(u16, Deed),
}

/// When, and what.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The world's time, us.
    pub at_us: u64,
    /// What is done.
    pub what: What,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World(action) => action.fmt(f),
            Self::Invoke(worker, Invocation { f: name, key, value, .. }) => {
                write!(f, "w{}: {name}", worker + 1)?;
                if let Some(key) = key {
                    write!(f, " {key}")?;
                }
                if value.is_null() { Ok(()) } else { write!(f, " {value}") }
            }
            Self::Prepare(worker, key) => write!(f, "w{}: prepare {key}", worker + 1),
            Self::Session(session, deed) => write!(f, "s{}: {deed}", session + 1),
        }
    }
}

/// A line that is no step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoStep(pub String);

impl fmt::Display for NoStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is nothing that can be done in a run", self.0)
    }
}

impl std::error::Error for NoStep {}

impl FromStr for What {
    type Err = NoStep;

    fn from_str(line: &str) -> Result<Self, NoStep> {
        let no_step = || NoStep(line.to_owned());
        let Some((who, what)) = line.split_once(": ") else {
            return line.parse().map(Self::World).map_err(|_not_one| no_step());
        };
        let number = |digits: &str| digits.parse::<u16>().ok().and_then(|number| number.checked_sub(1));
        if let Some(number) = who.strip_prefix('s').and_then(number) {
            return what.parse().map(|deed| Self::Session(number, deed)).map_err(|()| no_step());
        }
        let number = who.strip_prefix('w').and_then(number).ok_or_else(no_step)?;
        let words: Vec<&str> = what.splitn(3, ' ').collect();
        if let ["prepare", key] = *words {
            return Ok(Self::Prepare(number, key.into()));
        }
        invocation(&words).map(|invocation| Self::Invoke(number, invocation)).ok_or_else(no_step)
    }
}

fn invocation(words: &[&str]) -> Option<Invocation> {
    let (f, effect) = match *words.first()? {
        "read" => ("read", Effect::Reads),
        "write" => ("write", Effect::Changes),
        "cas" => ("cas", Effect::Changes),
        _ => return None,
    };
    let value = words.get(2).map_or(Some(Value::Null), |text| serde_json::from_str(text).ok())?;
    Some(Invocation { f, effect, key: Some((*words.get(1)?).into()), value, final_read: false })
}

/// A read of a key, as part of the final reads or not.
#[must_use]
pub fn read(key: &str, final_read: bool) -> Invocation {
    Invocation { f: "read", effect: Effect::Reads, key: Some(key.into()), value: Value::Null, final_read }
}

/// A write to a key.
#[must_use]
pub fn write(key: &str, value: i64) -> Invocation {
    Invocation {
        f: "write",
        effect: Effect::Changes,
        key: Some(key.into()),
        value: json!(value),
        final_read: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Site;

    #[test]
    fn every_step_is_read_as_it_is_written() {
        let cas = Invocation { f: "cas", value: json!([null, 7]), ..write("r3", 0) };
        let steps = [
            What::World(Action::Cut(Site(0), Site(2))),
            What::Invoke(0, read("r1", false)),
            What::Invoke(1, write("r2", 5)),
            What::Invoke(2, cas),
            What::Prepare(0, "r9".into()),
            What::Session(3, Deed::Connect(0)),
            What::Session(3, Deed::SyncWriteRead(2)),
            What::Session(0, Deed::Vanish),
        ];
        for step in steps {
            assert_eq!(step.to_string().parse(), Ok(step.clone()), "{step}");
        }
        for nonsense in ["", "w1: dance", "w0: read r1", "x1: read r1", "s1: read", "explode 3"] {
            assert_eq!(nonsense.parse::<What>(), Err(NoStep(nonsense.to_owned())));
        }
    }
}
