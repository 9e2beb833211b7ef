//! Values of a history, interned: an operation holds four bytes a value, and equal values have equal ids.
//!
//! Small integers are their own id, so that histories of millions of numbers cost no table at all. Pairs (the
//! `[old,new]` of a compare-and-set) are stored as they come: each is taken apart at once, none is compared.

use std::fmt;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash as _, Hasher as _};

use hashbrown::HashTable;
use serde_json::Value;

use crate::hash::WordHasher;

/// A value of a history, as an id that its [`Values`] gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Val(u32);

/// Set in the id of an atom. Below are null and the small integers, so that dense numbers have dense ids.
const ATOM: u32 = 1 << 31;

impl Val {
    /// Null, also called nil: no value, or the initial one.
    pub const NIL: Self = Self(0);

    /// The integer, if it is small enough to be its own id.
    #[must_use]
    pub fn small_int(n: i64) -> Option<Self> {
        let id = u32::try_from(n).ok()?.checked_add(1)?;
        (id < ATOM).then_some(Self(id))
    }

    /// True for null.
    #[must_use]
    pub fn is_nil(self) -> bool {
        self.0 == 0
    }

    /// The id as a number: 0 is null, equal values of one history have equal numbers.
    #[must_use]
    pub fn id(self) -> u32 {
        self.0
    }

    /// The value with that id.
    #[must_use]
    pub fn from_id(id: u32) -> Self {
        Self(id)
    }

    /// Its place in [`Values::atoms`], counted from 1, if it has one.
    pub(crate) fn in_table(self) -> Option<usize> {
        (self.0 & ATOM != 0).then_some((self.0 & !ATOM) as usize + 1)
    }

    /// The value at a place of [`Values::atoms`], counted from 0.
    pub(crate) fn of_table(at: usize) -> Self {
        let id = u32::try_from(at).ok().filter(|&id| id < ATOM);
        Self(id.expect("a history holds fewer than 2^31 values that are no small integers") | ATOM)
    }
}

/// A value that is no null and no small integer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Atom {
    Int(i64),
    Bool(bool),
    /// Bytes of `texts`.
    Text {
        start: usize,
        len: u32,
    },
    /// Items of `items`.
    List {
        start: usize,
        len: u32,
    },
    Pair(Val, Val),
    /// Anything else: fractions, large numbers, maps.
    Other(Box<Value>),
}

/// The values of one history.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// Atom `n` has the id `n` with [`ATOM`] set.
    atoms: Vec<Atom>,
    texts: String,
    items: Vec<Val>,
    ids: HashTable<u32>,
    /// Atoms that are in `ids`, or need not be. A history read from columns fills it when asked for the id of a
    /// value, which a check need not do.
    indexed: usize,
}

/// A value opened for reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape<'a> {
    /// Null.
    Nil,
    /// An integer.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(&'a str),
    /// A list.
    List(&'a [Val]),
    /// A list of two, from a compare-and-set.
    Pair(Val, Val),
    /// Anything else.
    Other(&'a Value),
}

fn hash(parts: impl Fn(&mut WordHasher)) -> u64 {
    let mut hasher = BuildHasherDefault::<WordHasher>::default().build_hasher();
    parts(&mut hasher);
    hasher.finish()
}

fn length(len: usize) -> u32 {
    u32::try_from(len).expect("one value holds fewer than 2^32 bytes or items")
}

impl Values {
    /// An integer.
    pub fn int(&mut self, n: i64) -> Val {
        match Val::small_int(n) {
            Some(small) => small,
            None => self.intern(hash(|h| n.hash(h)), &Atom::Int(n)),
        }
    }

    /// True or false.
    pub fn bool(&mut self, b: bool) -> Val {
        self.intern(hash(|h| b.hash(h)), &Atom::Bool(b))
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> Val {
        self.index();
        let hashed = hash(|h| h.write(text.as_bytes()));
        let (atoms, texts) = (&self.atoms, &self.texts);
        let same = |&id: &u32| match atoms[id as usize] {
            Atom::Text { start, len } => &texts[start..start + len as usize] == text,
            Atom::Int(_) | Atom::Bool(_) | Atom::List { .. } | Atom::Pair(..) | Atom::Other(_) => false,
        };
        if let Some(&id) = self.ids.find(hashed, same) {
            return Val(id | ATOM);
        }
        let start = self.texts.len();
        self.texts.push_str(text);
        self.add(hashed, Atom::Text { start, len: length(text.len()) })
    }

    /// A list.
    pub fn list(&mut self, items: &[Val]) -> Val {
        self.index();
        let hashed = hash(|h| items.iter().for_each(|item| h.write_u32(item.0)));
        let (atoms, all) = (&self.atoms, &self.items);
        let same = |&id: &u32| match atoms[id as usize] {
            Atom::List { start, len } => &all[start..start + len as usize] == items,
            Atom::Int(_) | Atom::Bool(_) | Atom::Text { .. } | Atom::Pair(..) | Atom::Other(_) => false,
        };
        if let Some(&id) = self.ids.find(hashed, same) {
            return Val(id | ATOM);
        }
        let start = self.items.len();
        self.items.extend_from_slice(items);
        self.add(hashed, Atom::List { start, len: length(items.len()) })
    }

    /// A list of two that will be taken apart. Has an id of its own, even if an equal one was given out.
    pub fn pair(&mut self, first: Val, second: Val) -> Val {
        self.index();
        self.indexed += 1;
        self.atoms.push(Atom::Pair(first, second));
        Val(self.last() | ATOM)
    }

    /// Any JSON value.
    pub fn json(&mut self, value: &Value) -> Val {
        match value {
            Value::Null => Val::NIL,
            Value::Bool(b) => self.bool(*b),
            Value::String(text) => self.text(text),
            Value::Number(n) => match n.as_i64() {
                Some(n) => self.int(n),
                None => self.other(value),
            },
            Value::Array(items) => {
                let items: Vec<Val> = items.iter().map(|item| self.json(item)).collect();
                self.list(&items)
            }
            Value::Object(_) => self.other(value),
        }
    }

    fn other(&mut self, value: &Value) -> Val {
        let text = value.to_string();
        self.intern(hash(|h| h.write(text.as_bytes())), &Atom::Other(Box::new(value.clone())))
    }

    fn intern(&mut self, hashed: u64, atom: &Atom) -> Val {
        self.index();
        let atoms = &self.atoms;
        match self.ids.find(hashed, |&id| &atoms[id as usize] == atom) {
            Some(&id) => Val(id | ATOM),
            None => self.add(hashed, atom.clone()),
        }
    }

    /// Makes atoms that were put in as a whole findable.
    fn index(&mut self) {
        if self.indexed == self.atoms.len() {
            return;
        }
        let (atoms, texts, items) = (&self.atoms, &self.texts, &self.items);
        let of = |id: u32| rehash(&atoms[id as usize], texts, items);
        for (id, atom) in (0..).zip(atoms).skip(self.indexed) {
            if !matches!(atom, Atom::Pair(..)) {
                self.ids.insert_unique(of(id), id, |&id| of(id));
            }
        }
        self.indexed = atoms.len();
    }

    /// Values made elsewhere, in the order of their places: every item of a list or pair comes before it.
    pub(crate) fn from_atoms(atoms: Vec<Atom>, texts: String, items: Vec<Val>) -> Self {
        Self { atoms, texts, items, ids: HashTable::new(), indexed: 0 }
    }

    /// What they are made of, by place.
    pub(crate) fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    fn add(&mut self, hashed: u64, atom: Atom) -> Val {
        self.indexed += 1;
        self.atoms.push(atom);
        let id = self.last();
        let (atoms, texts, items) = (&self.atoms, &self.texts, &self.items);
        self.ids.insert_unique(hashed, id, |&id| rehash(&atoms[id as usize], texts, items));
        Val(id | ATOM)
    }

    /// Of the last atom, without the flag.
    fn last(&self) -> u32 {
        Val::of_table(self.atoms.len() - 1).0 & !ATOM
    }

    /// Opens a value.
    #[must_use]
    pub fn shape(&self, value: Val) -> Shape<'_> {
        if value.is_nil() {
            return Shape::Nil;
        }
        if value.0 & ATOM == 0 {
            return Shape::Int(i64::from(value.0 - 1));
        }
        match self.atoms.get((value.0 & !ATOM) as usize) {
            None => Shape::Nil,
            Some(Atom::Int(n)) => Shape::Int(*n),
            Some(Atom::Bool(b)) => Shape::Bool(*b),
            Some(&Atom::Text { start, len }) => Shape::Text(&self.texts[start..start + len as usize]),
            Some(&Atom::List { start, len }) => Shape::List(&self.items[start..start + len as usize]),
            Some(&Atom::Pair(first, second)) => Shape::Pair(first, second),
            Some(Atom::Other(value)) => Shape::Other(value),
        }
    }

    /// The two values of a list of two.
    #[must_use]
    #[inline]
    pub fn as_pair(&self, value: Val) -> Option<(Val, Val)> {
        // Every compare-and-set of a long history comes here, so not by way of its shape.
        match self.atoms.get(value.in_table()? - 1)? {
            &Atom::Pair(first, second) => Some((first, second)),
            &Atom::List { start, len: 2 } => Some((self.items[start], self.items[start + 1])),
            Atom::List { .. } | Atom::Int(_) | Atom::Bool(_) | Atom::Text { .. } | Atom::Other(_) => None,
        }
    }

    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self, value: Val) -> Value {
        match self.shape(value) {
            Shape::Nil => Value::Null,
            Shape::Int(n) => n.into(),
            Shape::Bool(b) => b.into(),
            Shape::Text(text) => text.into(),
            Shape::List(items) => items.iter().map(|&item| self.to_json(item)).collect(),
            Shape::Pair(first, second) => vec![self.to_json(first), self.to_json(second)].into(),
            Shape::Other(value) => value.clone(),
        }
    }

    /// Shows a value as a reader expects it: `nil`, `7`, `"x"`, `[1,2]`.
    #[must_use]
    pub fn display(&self, value: Val) -> impl fmt::Display {
        if value.is_nil() { "nil".to_owned() } else { self.to_json(value).to_string() }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.atoms.capacity() * size_of::<Atom>()
            + self.texts.capacity()
            + self.items.capacity() * size_of::<Val>()
            + self.ids.capacity() * 5
    }
}

fn rehash(atom: &Atom, texts: &str, items: &[Val]) -> u64 {
    hash(|h| match atom {
        Atom::Int(n) => n.hash(h),
        Atom::Bool(b) => b.hash(h),
        Atom::Text { start, len } => h.write(&texts.as_bytes()[*start..start + *len as usize]),
        Atom::List { start, len } => {
            items[*start..start + *len as usize].iter().for_each(|item| h.write_u32(item.0));
        }
        Atom::Pair(..) => {}
        Atom::Other(value) => h.write(value.to_string().as_bytes()),
    })
}

/// Texts that are names: functions, nodes, keys. Their ids are dense, from 0, and 0 is the empty name.
#[derive(Debug, Clone)]
pub struct Names {
    names: Vec<Box<str>>,
    ids: HashTable<u32>,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Self { names: Vec::new(), ids: HashTable::new() };
        names.id("");
        names
    }
}

impl Names {
    /// The id of a name, given out on first sight.
    ///
    /// # Panics
    /// After 2^32 names; a history holds fewer.
    pub fn id(&mut self, name: &str) -> u32 {
        let hashed = hash(|h| h.write(name.as_bytes()));
        let names = &self.names;
        if let Some(&id) = self.ids.find(hashed, |&id| &*names[id as usize] == name) {
            return id;
        }
        let id = u32::try_from(self.names.len()).expect("a history holds fewer than 2^32 names");
        self.names.push(name.into());
        let names = &self.names;
        self.ids.insert_unique(hashed, id, |&id| hash(|h| h.write(names[id as usize].as_bytes())));
        id
    }

    /// The name with that id.
    #[must_use]
    pub fn name(&self, id: u32) -> &str {
        self.names.get(id as usize).map_or("", |name| name)
    }

    /// The id of a name that is known.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u32> {
        let hashed = hash(|h| h.write(name.as_bytes()));
        self.ids.find(hashed, |&id| &*self.names[id as usize] == name).copied()
    }

    /// How many there are, the empty one included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_values_have_equal_ids_and_come_back() {
        let mut values = Values::default();
        let all = [
            json!(null),
            json!(0),
            json!(2_147_483_646),
            json!(2_147_483_647),
            json!(2_147_483_648_i64),
            json!(-1),
            json!(true),
            json!("x"),
            json!(""),
            json!([]),
            json!([1, "x", [2]]),
            json!(2.5),
            json!(u64::MAX),
            json!({"a": 1}),
        ];
        let ids: Vec<Val> = all.iter().map(|value| values.json(value)).collect();
        for (at, value) in all.iter().enumerate() {
            assert_eq!(values.json(value), ids[at], "{value}");
            assert_eq!(&values.to_json(ids[at]), value);
            assert!(ids.iter().enumerate().all(|(other, id)| other == at || *id != ids[at]), "{value}");
        }
    }

    #[test]
    fn pairs_are_taken_apart_and_lists_of_two_too() {
        let mut values = Values::default();
        let (one, two) = (values.int(1), values.text("two"));
        let pair = values.pair(one, two);
        assert_eq!(values.as_pair(pair), Some((one, two)));
        let list = values.list(&[one, two]);
        assert_eq!(values.as_pair(list), Some((one, two)));
        assert_eq!(values.to_json(pair), json!([1, "two"]));
        assert_eq!(values.as_pair(one), None);
    }

    #[test]
    fn many_texts_survive_growth() {
        let mut values = Values::default();
        let ids: Vec<Val> = (0..5000).map(|n| values.text(&format!("v{n}"))).collect();
        assert!((0..5000).all(|n| values.text(&format!("v{n}")) == ids[n]));
        let mut names = Names::default();
        let ids: Vec<u32> = (0..5000).map(|n| names.id(&format!("k{n}"))).collect();
        assert!((0..5000).all(|n| names.find(&format!("k{n}")) == Some(ids[n])));
        assert_eq!((names.name(0), names.find("none"), names.count()), ("", None, 5001));
    }
}
