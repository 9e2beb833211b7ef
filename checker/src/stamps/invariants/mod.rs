//! What must hold of stamps on their own, whatever the values were: one sweep per rule, and each finding names
//! two operations. A server that is wrong shows here by any of its answers, also by one whose value happens to
//! be right.
//!
//! * [`Invariants::unique`]: no two updates have the same stamp;
//! * [`Invariants::sessions`]: what a session sees never goes back (ZooKeeper: also across reconnects to other servers);
//! * [`Invariants::epochs`]: once any operation showed an epoch (the high 32 bits of a zxid), no update called later is
//!   acknowledged by an earlier one, whose leader was superseded and should have been fenced;
//! * [`Invariants::versions`]: an object's version counts its updates;
//! * [`Invariants::same_state`]: (object, stamp) → value is a function, on all servers and for ever: finds diverged replicas;
//! * [`Invariants::real_time`]: what is called after something was acknowledged has no lower stamp.

mod rules;

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::sort::{Dense, stable};
use super::{Finding, Mode};
use crate::decision::Piece;
use crate::{NEVER, Position};

/// Findings kept in full; further ones are only counted.
const MAX_FINDINGS: usize = 20;

/// [`Stamped::value`] of an operation that does not tell the state.
pub const UNTOLD: u32 = u32::MAX;

/// The operations of a history on all objects, column by column.
#[derive(Debug, Clone, Copy)]
pub struct Stamped<'a> {
    /// Position of the call.
    pub call: &'a [Position],
    /// Position of the return; [`NEVER`] leaves the operation out.
    pub ret: &'a [Position],
    /// The session; see [`OscInput::sessions`](super::osc::OscInput::sessions).
    pub session: &'a [i64],
    /// The object, counted from 0.
    pub key: &'a [u32],
    /// True for what has a stamp of its own.
    pub update: &'a [bool],
    /// Stamps; an operation without one is left out.
    pub stamp: &'a [Option<u64>],
    /// The value written or seen, interned; [`UNTOLD`] if the outcome does not tell.
    pub value: &'a [u32],
    /// The object's version after an update, or as a read saw it. Empty if versions are not known.
    pub version: &'a [Option<u64>],
    /// What the stamps of reads say.
    pub mode: Mode,
}

/// Which rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvariantKind {
    /// Two updates were acknowledged with the same stamp.
    Duplicate,
    /// A session saw a stamp lower than one it had seen, or got a stamp no higher for an update.
    WentBack,
    /// An update was acknowledged with an epoch lower than one seen before it was called.
    SupersededEpoch,
    /// A version that does not count the updates.
    VersionGap,
    /// The same object at the same stamp in two states.
    OtherState,
    /// A stamp lower than one acknowledged before the call.
    RealTime,
}

impl InvariantKind {
    /// The name in plain words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "stamp given out twice",
            Self::WentBack => "session went back",
            Self::SupersededEpoch => "acknowledgement by a superseded epoch",
            Self::VersionGap => "version does not count the updates",
            Self::OtherState => "same stamp, other value",
            Self::RealTime => "stamps contradict real time",
        }
    }
}

/// What broke, in the order in which it showed; at most 20 in full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// In full.
    pub findings: Vec<Finding<InvariantKind>>,
    /// How many in all.
    pub total: u64,
}

impl Findings {
    fn add(&mut self, kind: InvariantKind, first: u32, second: u32, sentence: impl FnOnce() -> Vec<Piece>) {
        self.total += 1;
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { kind, ops: vec![first, second], sentence: sentence() });
        }
    }

    /// Takes in the findings of another rule.
    pub fn join(&mut self, other: Self) {
        self.total += other.total;
        let room = MAX_FINDINGS.saturating_sub(self.findings.len());
        self.findings.extend(other.findings.into_iter().take(room));
    }
}

/// The rules, over columns that are sorted once, as needed.
#[derive(Debug)]
pub struct Invariants<'a> {
    columns: Stamped<'a>,
    by_return: OnceCell<Vec<u32>>,
    by_stamp: OnceCell<Vec<u32>>,
    floors: OnceCell<Floors>,
}

/// For every operation, what had returned with the highest stamp when it was called.
#[derive(Debug)]
struct Floors {
    highest: Vec<Option<u32>>,
    /// Of the same object.
    of_object: Vec<Option<u32>>,
}

impl<'a> Invariants<'a> {
    /// Rules for these columns.
    #[must_use]
    pub fn new(columns: Stamped<'a>) -> Self {
        Self { columns, by_return: OnceCell::new(), by_stamp: OnceCell::new(), floors: OnceCell::new() }
    }

    /// All rules. `reads_are_current`: reads are held to real time too (they are linearizable, or come after a sync
    /// that asks a quorum).
    #[must_use]
    pub fn all(&self, reads_are_current: bool) -> Findings {
        let mut findings = self.epochs();
        for more in [
            self.real_time(reads_are_current),
            self.sessions(),
            self.unique(),
            self.same_state(),
            self.versions(),
        ] {
            findings.join(more);
        }
        findings
    }

    /// The epochs seen, ascending.
    #[must_use]
    pub fn epochs_seen(&self) -> Vec<u32> {
        let mut last = None;
        let mut seen = BTreeSet::new();
        for id in self.returned() {
            let epoch = self.epoch(id);
            if last.replace(epoch) != Some(epoch) {
                seen.insert(epoch);
            }
        }
        seen.into_iter().collect()
    }

    /// Returned updates that carry a stamp: with none, nothing is proven.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.returned().filter(|&id| self.is_update(id)).count() as u64
    }

    fn ids(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.columns.ret.len()).expect("a history has fewer than 2^32 operations")
    }

    /// What returned with a stamp that says something.
    fn returned(&self) -> impl Iterator<Item = u32> {
        self.ids().filter(|&id| {
            let told = self.is_update(id) || self.columns.mode != Mode::Values;
            told && self.ret(id) != NEVER && self.columns.stamp[id as usize].is_some()
        })
    }

    fn call(&self, id: u32) -> Position {
        self.columns.call[id as usize]
    }

    fn ret(&self, id: u32) -> Position {
        self.columns.ret[id as usize]
    }

    fn key(&self, id: u32) -> usize {
        self.columns.key[id as usize] as usize
    }

    fn stamp(&self, id: u32) -> u64 {
        self.columns.stamp[id as usize].expect("only stamped operations are looked at")
    }

    fn epoch(&self, id: u32) -> u32 {
        u32::try_from(self.stamp(id) >> 32).expect("a shift by 32 leaves 32 bits")
    }

    fn is_update(&self, id: u32) -> bool {
        self.columns.update[id as usize]
    }

    /// The stamps of reads on one object say nothing about another.
    fn by_object(&self) -> bool {
        self.columns.mode == Mode::LastModified
    }

    fn keys(&self) -> usize {
        self.columns.key.iter().max().map_or(0, |&key| key as usize + 1)
    }

    fn by_return(&self) -> &[u32] {
        self.by_return.get_or_init(|| stable(self.returned().collect(), |id| u64::from(self.ret(id))))
    }

    /// By stamp; at equal stamps updates first, then in order of return.
    fn by_stamp(&self) -> &[u32] {
        self.by_stamp.get_or_init(|| {
            let stamps = || self.by_return().iter().map(|&id| self.stamp(id));
            let dense = Dense::new(stamps());
            let mut keys = vec![0; self.columns.ret.len()];
            for (rank, &id) in dense.ranks(stamps()).zip(self.by_return()) {
                keys[id as usize] = 2 * rank + u64::from(!self.is_update(id));
            }
            stable(self.by_return().to_vec(), |id| keys[id as usize])
        })
    }

    fn floors(&self) -> &Floors {
        self.floors.get_or_init(|| {
            let nobody = vec![None; self.columns.ret.len()];
            let mut floors = Floors { highest: nobody.clone(), of_object: nobody };
            let (mut highest, mut of_object) = (None, vec![None; self.keys()]);
            let calls = stable(self.returned().collect(), |id| u64::from(self.call(id)));
            let mut calls = calls.iter().peekable();
            for &id in self.by_return() {
                while let Some(&called) = calls.next_if(|&&called| self.call(called) < self.ret(id)) {
                    floors.highest[called as usize] = highest;
                    floors.of_object[called as usize] = of_object[self.key(called)];
                }
                for highest in [&mut highest, &mut of_object[self.key(id)]] {
                    if highest.is_none_or(|highest| self.stamp(highest) < self.stamp(id)) {
                        *highest = Some(id);
                    }
                }
            }
            floors
        })
    }

    /// `later` must not have so low a stamp, as `first` had come before.
    fn is_too_low(&self, first: u32, later: u32) -> bool {
        let (first, stamp) = (self.stamp(first), self.stamp(later));
        stamp < first || (self.is_update(later) && stamp == first)
    }
}
