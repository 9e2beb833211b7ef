//! The rules, one sweep each.

use std::collections::HashMap;

use super::{Findings, InvariantKind, Invariants, UNTOLD};
use crate::NEVER;
use crate::decision::Piece;
use crate::stamps::shown;
use crate::stamps::sort::small_ids;

impl Invariants<'_> {
    /// No two updates have the same stamp, unless they are parts of one transaction (with the same call).
    #[must_use]
    pub fn unique(&self) -> Findings {
        let mut findings = Findings::default();
        let mut last: Option<u32> = None;
        for &id in self.by_stamp().iter().filter(|&&id| self.is_update(id)) {
            if let Some(first) = last.filter(|&last| self.stamp(last) == self.stamp(id))
                && self.call(first) != self.call(id)
            {
                findings.add(InvariantKind::Duplicate, first, id, || {
                    let stamp = shown(self.stamp(id));
                    let both = Piece::Words(format!(" were both acknowledged with stamp {stamp}"));
                    vec![Piece::Op(first), Piece::Text(" and "), Piece::Op(id), both]
                });
            }
            last = Some(id);
        }
        findings
    }

    /// What a session sees never goes back, and its updates have stamps above all that it saw. Replies come in
    /// the order of requests, so the order of returns is that of issue.
    #[must_use]
    pub fn sessions(&self) -> Findings {
        let mut findings = Findings::default();
        let (session, sessions) = small_ids(self.columns.session);
        let mut seen: Vec<Option<u32>> = vec![None; sessions];
        // Where stamps of reads are the object's own.
        let mut of_object: HashMap<(u32, usize), u32> = HashMap::new();
        for &id in self.by_return() {
            let (session, key) = (session[id as usize], self.key(id));
            let by_object = self.by_object() && !self.is_update(id);
            let before =
                if by_object { of_object.get(&(session, key)).copied() } else { seen[session as usize] };
            if let Some(before) = before.filter(|&before| self.is_too_low(before, id)) {
                findings.add(InvariantKind::WentBack, before, id, || {
                    let stamp = |id| shown(self.stamp(id));
                    vec![
                        Piece::Words(format!("one session saw stamp {} with ", stamp(before))),
                        Piece::Op(before),
                        Piece::Words(format!(" and then stamp {} with ", stamp(id))),
                        Piece::Op(id),
                    ]
                });
            }
            let higher = |before: u32| if self.stamp(id) > self.stamp(before) { id } else { before };
            seen[session as usize] = Some(seen[session as usize].map_or(id, higher));
            if self.by_object() {
                of_object.entry((session, key)).and_modify(|before| *before = higher(*before)).or_insert(id);
            }
        }
        findings
    }

    /// Once an epoch showed, no update called later is acknowledged by an earlier one.
    #[must_use]
    pub fn epochs(&self) -> Findings {
        let mut findings = Findings::default();
        for &id in self.by_return().iter().filter(|&&id| self.is_update(id)) {
            let (epoch, newer) = (self.epoch(id), self.floors().highest[id as usize]);
            if let Some(newer) = newer.filter(|&newer| epoch < self.epoch(newer)) {
                findings.add(InvariantKind::SupersededEpoch, newer, id, || {
                    vec![
                        Piece::Returned(newer),
                        Piece::Words(format!(" with epoch {} before ", self.epoch(newer))),
                        Piece::Called(id),
                        Piece::Words(format!(", yet that was acknowledged by epoch {epoch}")),
                    ]
                });
            }
        }
        findings
    }

    /// What is called after something was acknowledged has no lower stamp; an update has a higher one. Reads are held to it
    /// only if they are to be current, and, where their stamps are those of their object, only against what was seen
    /// of it.
    #[must_use]
    pub fn real_time(&self, reads_are_current: bool) -> Findings {
        let mut findings = Findings::default();
        let floors = self.floors();
        for &id in self.by_return().iter().filter(|&&id| self.is_update(id) || reads_are_current) {
            let by_object = self.by_object() && !self.is_update(id);
            let floor = if by_object { &floors.of_object } else { &floors.highest }[id as usize];
            if let Some(floor) = floor.filter(|&floor| self.is_too_low(floor, id)) {
                findings.add(InvariantKind::RealTime, floor, id, || {
                    let stamp = |id| shown(self.stamp(id));
                    vec![
                        Piece::Returned(floor),
                        Piece::Words(format!(" with stamp {} before ", stamp(floor))),
                        Piece::Called(id),
                        Piece::Words(format!(", yet that has stamp {}", stamp(id))),
                    ]
                });
            }
        }
        findings
    }

    /// The same object at the same stamp is in the same state, whoever asks whichever server.
    #[must_use]
    pub fn same_state(&self) -> Findings {
        let mut findings = Findings::default();
        let mut told: Vec<Option<u32>> = vec![None; self.keys()];
        for &id in self.by_stamp() {
            let value = self.columns.value[id as usize];
            if value == UNTOLD {
                continue;
            }
            let told = &mut told[self.key(id)];
            match told.filter(|&told| self.stamp(told) == self.stamp(id)) {
                Some(first) if self.columns.value[first as usize] != value => {
                    // Two updates with one stamp are another rule's.
                    if !self.is_update(id) {
                        findings.add(InvariantKind::OtherState, first, id, || {
                            let stamp = shown(self.stamp(id));
                            let both = Piece::Words(format!(" are of the same object at stamp {stamp}"));
                            vec![Piece::Op(first), Piece::Text(" and "), Piece::Op(id), both]
                        });
                    }
                }
                Some(_) => {}
                None => *told = Some(id),
            }
        }
        findings
    }

    /// Versions count the updates of an object, in the order of stamps. Updates without return may be among those counted,
    /// so a gap is allowed as long as there are as many of them.
    #[must_use]
    pub fn versions(&self) -> Findings {
        let mut findings = Findings::default();
        if self.columns.version.is_empty() {
            return findings;
        }
        let mut unknown = vec![0_u64; self.keys()];
        for id in self.ids().filter(|&id| self.is_update(id)) {
            let stamp = self.columns.stamp[id as usize].filter(|_| self.ret(id) != NEVER);
            let untold = stamp.is_none() || self.columns.version[id as usize].is_none();
            unknown[self.key(id)] += u64::from(untold);
        }
        let mut last: Vec<Option<u32>> = vec![None; self.keys()];
        let told = |id: u32| self.columns.version[id as usize];
        for &id in self.by_stamp() {
            let Some(version) = told(id).filter(|_| self.is_update(id)) else { continue };
            let key = self.key(id);
            if let Some(before) = last[key] {
                let counted = told(before).unwrap_or(0);
                // How many updates without return it counts, if it counts any updates at all.
                let between = version.checked_sub(counted).and_then(|steps| steps.checked_sub(1));
                match between.filter(|&between| between <= unknown[key]) {
                    Some(between) => unknown[key] -= between,
                    None => findings.add(InvariantKind::VersionGap, before, id, || {
                        vec![
                            Piece::Op(before),
                            Piece::Words(format!(" made version {counted}, and ")),
                            Piece::Op(id),
                            Piece::Words(format!(", of a higher stamp, made version {version}")),
                        ]
                    }),
                }
            }
            last[key] = Some(id);
        }
        findings
    }
}
