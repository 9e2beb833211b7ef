//! The models a history can be checked against: their names, which one a history is about, and the check of each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::check::Checked;
use crate::history::{History, Shape};
use crate::objects::{counter, kv, list, lock, queue, register, set};
use crate::{CheckError, Options, transactions};

/// A model, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// `read` and `write`, per key; initially null.
    Register,
    /// `read`, `write` and `cas`, per key; initially null.
    CasRegister,
    /// `get`, `put` and `append` on strings, per key; initially the empty string. Also takes `read`
    /// and `write`, which then mean a register per key.
    Kv,
    /// `add` (`inc`, `dec`) of numbers and `read`, per key; initially 0.
    Counter,
    /// `append` of an element and `read` of the whole list, per key; initially empty.
    List,
    /// `add` and `remove` of an element and `read` of the whole set, per key; initially empty.
    Set,
    /// `add`, `remove` and `contains` of an element, per key; initially empty.
    ElementSet,
    /// `enqueue` and `dequeue`, first in, first out, per key; initially empty.
    Queue,
    /// `acquire` and `release`, per key; initially free.
    Lock,
}

/// One model: its name and functions.
struct Entry {
    model: Model,
    name: &'static str,
    functions: &'static [&'static str],
}

const ENTRIES: [Entry; 9] = [
    Entry { model: Model::Register, name: "register", functions: &["read", "write"] },
    Entry { model: Model::CasRegister, name: "cas-register", functions: &["read", "write", "cas"] },
    Entry { model: Model::Kv, name: "kv", functions: &["get", "put", "append"] },
    Entry {
        model: Model::Counter,
        name: "counter",
        functions: &["read", "add", "inc", "increment", "dec", "decrement"],
    },
    Entry { model: Model::List, name: "list", functions: &["read", "append"] },
    Entry { model: Model::Set, name: "set", functions: &["read", "add", "remove"] },
    Entry { model: Model::ElementSet, name: "element-set", functions: &["contains", "add", "remove"] },
    Entry { model: Model::Queue, name: "queue", functions: &["enqueue", "dequeue", "enq", "deq"] },
    Entry {
        model: Model::Lock,
        name: "lock",
        functions: &["acquire", "release", "acq", "rel", "lock", "unlock"],
    },
];

impl Model {
    /// All models, in the order help should list them.
    pub const ALL: [Self; 9] = [
        Self::Register,
        Self::CasRegister,
        Self::Kv,
        Self::Counter,
        Self::List,
        Self::Set,
        Self::ElementSet,
        Self::Queue,
        Self::Lock,
    ];

    fn entry(self) -> &'static Entry {
        ENTRIES.iter().find(|entry| entry.model == self).expect("every model has an entry")
    }

    /// Its name, such as `cas-register`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The model of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }

    /// The functions of its operations, synonyms included.
    #[must_use]
    pub fn functions(self) -> &'static [&'static str] {
        self.entry().functions
    }

    /// The model a history is about, by its functions and, where that is not enough, by what its reads returned.
    ///
    /// # Errors
    /// One sentence, when there is none.
    pub fn of(history: &History) -> Result<Self, String> {
        let used: Vec<&str> = history.counts.by_f.keys().map(String::as_str).collect();
        // What no model knows makes its keys *unknown*; the others can still be judged.
        let used: Vec<&str> = used.iter().copied().filter(|f| is_known(f)).collect();
        if used.is_empty() {
            return Err(no_model(&history.counts.by_f.keys().map(String::as_str).collect::<Vec<_>>()));
        }
        let fits = |model: Self| used.iter().all(|f| model.functions().contains(f));
        let mut fitting = Self::ALL.into_iter().filter(|&model| fits(model));
        let Some(first) = fitting.next() else { return Err(no_model(&used)) };
        let others: Vec<Self> = fitting.collect();
        let of_reads = || history.calls().filter(|call| call.f() == "read" && call.is_ok());
        let is_list = |shape| matches!(shape, Shape::List(_) | Shape::Pair(..));
        let lists =
            || of_reads().any(|call| is_list(history.values.shape(call.output().unwrap_or_default())));
        // Reads alone, of lists; or appends of what is no text: a list can be read as a whole, so elements may be
        // anything. Additions of numbers may go to a counter or into a set: the reads tell, if there are any.
        let reads_lists = || first == Self::Register && used == ["read"] && lists();
        let appends = || first == Self::Kv && others.contains(&Self::List) && !appends_texts(history);
        Ok(if reads_lists() || appends() {
            Self::List
        } else if first == Self::Counter && others.contains(&Self::Set) && (lists() || !adds_numbers(history))
        {
            Self::Set
        } else {
            first
        })
    }

    /// True when all operations of the history that any model has are its own.
    #[must_use]
    pub fn fits(self, history: &History) -> bool {
        let mut known = history.counts.by_f.keys().filter(|f| is_known(f)).peekable();
        known.peek().is_some() && known.all(|f| self.functions().contains(&f.as_str()))
    }

    /// Checks a history against it.
    ///
    /// # Errors
    /// When a value has the wrong shape. Operations that it does not have make their key *unknown*.
    pub fn check(self, history: &History, options: &Options) -> Result<Checked, CheckError> {
        match self {
            Self::Register | Self::CasRegister => register::check_register(history, options),
            Self::Kv => kv::check_kv(history, options),
            Self::Counter => counter::check_counter(history, options),
            Self::List => list::check_list(history, options),
            Self::Set => set::check_set(history, options),
            Self::ElementSet => set::check_elements(history, options),
            Self::Queue => queue::check_queue(history, options),
            Self::Lock => lock::check_lock(history, options),
        }
    }
}

fn appends_texts(history: &History) -> bool {
    let mut appends = history.calls().filter(|call| call.f() == "append");
    appends.any(|call| matches!(history.values.shape(call.input()), Shape::Text(_)))
}

fn adds_numbers(history: &History) -> bool {
    let mut adds = history.calls().filter(|call| call.f() == "add");
    adds.all(|call| matches!(history.values.shape(call.input()), Shape::Int(_) | Shape::Nil))
}

fn is_known(f: &str) -> bool {
    ENTRIES.iter().any(|entry| entry.functions.contains(&f))
}

fn no_model(used: &[&str]) -> String {
    if used.contains(&transactions::FUNCTION) {
        return transactions::REFUSAL.into();
    }
    if let Some(unknown) = used.iter().find(|f| !is_known(f)) {
        let lists = ENTRIES.iter().map(|entry| format!("{}: {}", entry.name, entry.functions.join(", ")));
        return format!("no model has the operation {unknown:?} ({})", lists.collect::<Vec<_>>().join("; "));
    }
    format!("no model has all of its operations: {}", used.join(", "))
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
